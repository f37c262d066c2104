/*
 * For tests that need keys: the exchange's demo and hostile certificates in a temporary folder, and
 * the real signer role in a child process with one synchronous channel for every role that has one.
 */
#ifndef OBMEN_SIGNER_FIXTURE_H
#define OBMEN_SIGNER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/tls.h"
#include "obmend/role.h"
#include "obmend/wire.h"

enum { CERT_A, CERT_B, CERT_C, CERT_EXPIRED, CERT_NOTYET, CERT_REVOKED, CERT_OTHERCA,
	CERT_SELFSIGNED, CERT_STRANGER, CERT_COUNT };

struct fixture {
	char folder[256];
	char ca_file[300], crl_file[300];
	struct conf conf;
	struct conf_certificate certificates[CERT_COUNT];
	struct conf_peer peers[1];
	int sync[ROLE_COUNT]; /* of front, courier, directory; of codec for WIRE_SIGN */
	pid_t signer;
};

static inline char *
fixture_path(const struct fixture *f, const char *name, const char *ending)
{
	char path[400];

	snprintf(path, sizeof path, "%s/%s%s", f->folder, name, ending);
	return strdup(path);
}

static inline void
fixture_conf(struct fixture *f)
{
	static const char *const names[CERT_COUNT] = {"a", "b", "c", "expired", "notyet", "revoked",
	    "otherca", "selfsigned", "stranger"};

	for (int i = 0; i < CERT_COUNT; i++) {
		snprintf(f->certificates[i].name, CONF_NAME_MAX, "%s", names[i]);
		f->certificates[i].file = fixture_path(f, names[i], ".pem");
		f->certificates[i].key = fixture_path(f, names[i], ".key");
	}
	f->conf.certificates = f->certificates;
	f->conf.certificate_count = CERT_COUNT;
	snprintf(f->ca_file, sizeof f->ca_file, "%s/ca.pem", f->folder);
	snprintf(f->crl_file, sizeof f->crl_file, "%s/crl.pem", f->folder);
	f->conf.ca_file = f->ca_file;
}

/* What role.c does with a frame, reduced to the table. */
static inline void
fixture_frame(struct ipc *ipc, struct ipc_frame *frame, void *arg)
{
	struct self *self = arg;
	struct peer from = {0};

	for (int r = 0; r < ROLE_COUNT; r++) {
		if (self->peers[r][0] == ipc)
			from.role = (enum role_id)r;
	}
	for (size_t i = 0; i < role_signer.message_count; i++) {
		const struct role_message *m = &role_signer.messages[i];
		if (m->from == from.role && m->type == frame->type) {
			m->handle(self, from, frame);
			return;
		}
	}
	ipc_free(ipc);
	self->peers[from.role][0] = NULL;
}

static inline void
fixture_down(struct ipc *ipc, void *arg)
{
	(void)ipc, (void)arg;
	_exit(0);
}

static inline void
fixture_run_signer(struct fixture *f, const int fds[ROLE_COUNT])
{
	struct self self = {.role = ROLE_SIGNER, .conf = &f->conf, .base = event_base_new()};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_init("signer", -1, LOG_ERROR);
	if (!role_signer.open(&self) || !role_signer.start(&self))
		_exit(1);
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (fds[r] >= 0)
			self.peers[r][0] = ipc_new(self.base, fds[r], fixture_frame, fixture_down, &self);
	}
	event_base_dispatch(self.base);
	_exit(0);
}

static inline void
fixture_start_signer(struct fixture *f)
{
	static const enum role_id askers[] = {ROLE_FRONT, ROLE_COURIER, ROLE_DIRECTORY, ROLE_CODEC};
	int far[ROLE_COUNT], pair[2];

	for (int r = 0; r < ROLE_COUNT; r++)
		far[r] = f->sync[r] = -1;
	for (size_t i = 0; i < sizeof askers / sizeof *askers; i++) {
		assert_true(ipc_pair(pair));
		f->sync[askers[i]] = pair[0];
		far[askers[i]] = pair[1];
	}
	f->signer = fork();
	assert_true(f->signer >= 0);
	if (f->signer == 0) {
		for (int r = 0; r < ROLE_COUNT; r++) {
			if (f->sync[r] >= 0)
				close(f->sync[r]);
		}
		fixture_run_signer(f, far);
	}
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (far[r] >= 0)
			close(far[r]);
	}
}

static inline void
fixture_open(struct fixture *f)
{
	const char *tmp = getenv("TMPDIR");
	char command[800];

	*f = (struct fixture){0};
	snprintf(f->folder, sizeof f->folder, "%s/obmen-signer-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->folder));
	snprintf(command, sizeof command,
	    "CA_BITS=2048 tests/pki/make-pki '%s' tests/pki/demo.table tests/pki/hostile.table",
	    f->folder);
	assert_int_equal(system(command), 0);
	fixture_conf(f);
	f->conf.peers = f->peers;
	f->conf.peer_count = 1;
	f->peers[0].tls_legacy = true;
	fixture_start_signer(f);
}

static inline void
fixture_close(struct fixture *f)
{
	char command[400];

	kill(f->signer, SIGTERM);
	waitpid(f->signer, NULL, 0);
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (f->sync[r] >= 0)
			close(f->sync[r]);
	}
	for (int i = 0; i < CERT_COUNT; i++) {
		free(f->certificates[i].file);
		free(f->certificates[i].key);
	}
	snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
	assert_int_equal(system(command), 0);
}

/* A context of our own making, with the exchange's trust. */
static inline SSL_CTX *
fixture_context(const struct fixture *f, enum tls_side side, int certificate, bool crl)
{
	struct tls_options o = {.side = side, .ca_file = f->ca_file,
	    .crl_file = crl ? f->crl_file : NULL, .verify_chain = true};
	SSL_CTX *ctx = tls_context(f->conf.certificates[certificate].file, (unsigned)certificate,
	    f->sync[side == TLS_SERVER ? ROLE_FRONT : ROLE_COURIER], &o);

	assert_non_null(ctx);
	return ctx;
}

#endif
