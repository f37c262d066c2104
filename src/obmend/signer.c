/*
 * signer: the only process that holds the transport keys.
 *
 * Two kinds of work: digests of messages from codec, and TLS handshakes from front, courier and
 * directory. The latter wait in a blocking call, so they go first; digests queue up and are worked
 * off a few at a time, with a look at the channels in between.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "lib/log.h"
#include "lib/sandbox.h"
#include "obmend/role.h"
#include "process/signer_form.h"
#include "process/signer_key.h"
#include "obmend/wire.h"

#define JOBS_MAX 1024 /* digests waiting; codecs have fewer messages in flight */
#define JOBS_PER_TURN 4
#define DAY ((when)86400 * WHEN_SECOND)

struct job {
	struct peer from;
	uint64_t id, trace;
	unsigned certificate;
	enum signature_method method;
	size_t len;
	uint8_t digest[EVP_MAX_MD_SIZE];
};

struct signer {
	struct signer_key *keys; /* by index of conf.certificates */
	unsigned key_count;
	struct job jobs[JOBS_MAX]; /* a ring */
	unsigned first, count;
	struct event *turn;
	bool legacy; /* some peer needs TLS below 1.2, which signs SHA-1 */
	uint64_t refused_forms;
};

static void
reply_sign(struct self *self, struct peer to, uint64_t id, const uint8_t *sig, size_t len)
{
	struct wire_sign_reply reply = {.signature = {sig, len}};

	wire_send(self->peers[to.role][to.index], WIRE_SIGN_REPLY, id, &reply, NULL, 0);
}

static void
do_job(struct self *self, const struct job *j)
{
	struct signer *s = self->state;
	uint8_t out[SIGNER_SIGNATURE_MAX];
	log_trace(j->trace);
	size_t n = signer_key_sign(&s->keys[j->certificate], j->method, j->digest, j->len, out);

	if (n == 0)
		log_warning("signer.refused", "certificate=%s method=%d bytes=%zu",
		    s->keys[j->certificate].name, (int)j->method, j->len);
	reply_sign(self, j->from, j->id, out, n);
	log_debug("signer.signed", "certificate=%s", s->keys[j->certificate].name);
	log_trace(0);
}

/* A timer of no time: channels that became readable are served before the next turn. */
static void
turn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct self *self = arg;
	struct signer *s = self->state;
	static const struct timeval now;

	(void)fd, (void)what;
	for (unsigned n = 0; n < JOBS_PER_TURN && s->count > 0; n++) {
		do_job(self, &s->jobs[s->first]);
		s->first = (s->first + 1) % JOBS_MAX;
		s->count--;
	}
	if (s->count > 0)
		event_add(s->turn, &now);
}

static void
on_sign(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct signer *s = self->state;
	struct wire_sign m;
	static const struct timeval now;

	if (!wire_unpack(f, WIRE_SIGN, &m) || m.certificate >= s->key_count ||
	    m.method >= SIGNATURE_METHOD_COUNT || m.digest.len > EVP_MAX_MD_SIZE ||
	    s->count == JOBS_MAX) {
		log_warning("signer.refused", "reason=\"%s\"",
		    s->count == JOBS_MAX ? "too many waiting" : "malformed request");
		reply_sign(self, from, f->id, NULL, 0);
		return;
	}
	struct job *j = &s->jobs[(s->first + s->count++) % JOBS_MAX];
	*j = (struct job){.from = from, .id = f->id, .trace = f->trace, .certificate = (unsigned)m.certificate,
	    .method = (enum signature_method)m.method, .len = m.digest.len};
	if (m.digest.len)
		memcpy(j->digest, m.digest.data, m.digest.len);
	if (!event_pending(s->turn, EV_TIMEOUT, NULL))
		event_add(s->turn, &now);
}

/* What each role's side of a handshake may ask for. */
static bool
form_fits(enum role_id role, enum tls_form form)
{
	switch (form) {
	case TLS_FORM_SERVER_VERIFY:
	case TLS_FORM_SERVER_KEY:
		return role == ROLE_FRONT;
	case TLS_FORM_CLIENT_VERIFY:
	case TLS_FORM_TRANSCRIPT:
		return role == ROLE_COURIER || role == ROLE_DIRECTORY;
	case TLS_FORM_NONE:
		break;
	}
	return false;
}

/* SHA-1 only where old peers are configured, and there only as a client: a front that was taken
 * over could otherwise look for collisions. */
static bool
digest_fits(const struct signer *s, enum tls_form form, const struct wire_tls_sign *m)
{
	static const char *const strong[] = {"SHA256", "SHA384", "SHA512"};
	static const char *const old[] = {"SHA1", "MD5-SHA1"};

	if (!m->digest)
		return false;
	for (size_t i = 0; i < sizeof strong / sizeof *strong; i++) {
		if (strcmp(m->digest, strong[i]) == 0)
			return true;
	}
	if (!s->legacy || m->pss || form != TLS_FORM_TRANSCRIPT)
		return false;
	for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
		if (strcmp(m->digest, old[i]) == 0)
			return true;
	}
	return false;
}

static void
on_tls_sign(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct signer *s = self->state;
	struct ipc *ipc = self->peers[from.role][from.index];
	struct wire_tls_sign m;
	uint8_t out[SIGNER_SIGNATURE_MAX];
	size_t n = 0;

	if (wire_unpack(f, WIRE_TLS_SIGN, &m) && m.certificate < s->key_count) {
		enum tls_form form = tls_form_of(m.tbs.data, m.tbs.len);
		if (form_fits(from.role, form) && digest_fits(s, form, &m))
			n = signer_key_sign_tls(&s->keys[m.certificate], m.digest, m.pss,
			    m.tbs.data, m.tbs.len, out);
	}
	if (n == 0) {
		s->refused_forms++;
		log_warning("signer.refused", "from=%s reason=\"not a TLS handshake of its side\"",
		    role_name(from.role));
	}
	if (ipc) {
		ipc_send(ipc, WIRE_TLS_SIGN_REPLY, f->id, out, n, NULL, 0);
		ipc_flush(ipc); /* it waits */
	}
}

static bool
open_keys(struct signer *s, const struct conf *conf)
{
	s->keys = calloc(conf->certificate_count + 1, sizeof *s->keys);
	if (!s->keys)
		return false;
	for (unsigned i = 0; i < conf->certificate_count; i++) {
		if (!signer_key_load(&s->keys[i], &conf->certificates[i]))
			return false;
		s->key_count++;
	}
	for (unsigned i = 0; i < conf->peer_count; i++)
		s->legacy |= conf->peers[i].tls_legacy;
	return true;
}

static bool
signer_open(struct self *self)
{
	struct signer *s = calloc(1, sizeof *s);

	self->state = s;
	prctl(PR_SET_DUMPABLE, 0); /* no core file, no debugger: the keys are in this memory */
	return s && open_keys(s, self->conf);
}

static bool
signer_start(struct self *self)
{
	struct signer *s = self->state;

	s->turn = evtimer_new(self->base, turn_cb, self);
	return s->turn != NULL;
}

/* The asker is gone: its digests are not needed any more. */
static void
signer_peer_down(struct self *self, struct peer peer)
{
	struct signer *s = self->state;
	unsigned kept = 0;

	for (unsigned i = 0; i < s->count; i++) {
		const struct job *j = &s->jobs[(s->first + i) % JOBS_MAX];
		if (j->from.role != peer.role || j->from.index != peer.index)
			s->jobs[(s->first + kept++) % JOBS_MAX] = *j;
	}
	s->count = kept;
}

static void
signer_stop(struct self *self)
{
	struct signer *s = self->state;

	if (!s)
		return;
	for (unsigned i = 0; s->keys && i <= s->key_count && i < self_conf(self)->certificate_count; i++)
		signer_key_free(&s->keys[i]);
	free(s->keys);
	if (s->turn)
		event_free(s->turn);
	free(s);
	self->state = NULL;
}

static json_t *
key_status(const struct signer_key *k)
{
	char until[WHEN_TEXT_SIZE];

	when_format(k->not_after, until);
	return json_pack("{s:s, s:s, s:I, s:i, s:I, s:I, s:I}", "name", k->name, "not_after", until,
	    "days_left", (json_int_t)((k->not_after - when_now()) / DAY), "bits",
	    EVP_PKEY_get_bits(k->key), "messages", (json_int_t)k->messages, "handshakes",
	    (json_int_t)k->handshakes, "refused", (json_int_t)k->refused);
}

static json_t *
signer_status(struct self *self)
{
	const struct signer *s = self->state;
	json_t *keys = json_array();

	for (unsigned i = 0; i < s->key_count; i++)
		json_array_append_new(keys, key_status(&s->keys[i]));
	return json_pack("{s:o, s:i, s:I}", "keys", keys, "waiting", (int)s->count, "refused_forms",
	    (json_int_t)s->refused_forms);
}

/* WIRE_SIGN from codec alone: a role with network has no way to a signed document. */
static const struct role_message messages[] = {
    {ROLE_CODEC, WIRE_SIGN, on_sign},
    {ROLE_FRONT, WIRE_TLS_SIGN, on_tls_sign},
    {ROLE_COURIER, WIRE_TLS_SIGN, on_tls_sign},
    {ROLE_DIRECTORY, WIRE_TLS_SIGN, on_tls_sign},
};

static const struct sandbox sandbox = {.allow = 0};

const struct role role_signer = {
    .id = ROLE_SIGNER,
    .name = "signer",
    .many = true,
    .open = signer_open,
    .start = signer_start,
    .peer_down = signer_peer_down,
    .stop = signer_stop,
    .status = signer_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
