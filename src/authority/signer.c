/* signer: the only process that holds the key of the server's certificate. It signs what is a TLS
 * handshake of a server by its form, and nothing else. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "authority/role.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "process/signer_form.h"
#include "process/signer_key.h"
#include "process/wire.h"

#define DAY ((when)86400 * WHEN_SECOND)

struct signer {
	struct signer_key key;
	uint64_t refused;
};

static bool
digest_fits(const char *digest)
{
	static const char *const strong[] = {"SHA256", "SHA384", "SHA512"};

	for (size_t i = 0; digest && i < sizeof strong / sizeof *strong; i++) {
		if (strcmp(digest, strong[i]) == 0)
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

	if (wire_unpack(f, WIRE_TLS_SIGN, &m) && m.certificate == 0 && digest_fits(m.digest)) {
		enum tls_form form = tls_form_of(m.tbs.data, m.tbs.len);
		if (form == TLS_FORM_SERVER_VERIFY || form == TLS_FORM_SERVER_KEY)
			n = signer_key_sign_tls(&s->key, m.digest, m.pss, m.tbs.data, m.tbs.len, out);
	}
	if (n == 0) {
		s->refused++;
		log_warning("signer.refused", "from=%s reason=\"not a TLS handshake of its side\"",
		    role_name(from.role));
	}
	if (ipc) {
		ipc_send(ipc, WIRE_TLS_SIGN_REPLY, f->id, out, n, NULL, 0);
		ipc_flush(ipc); /* it waits */
	}
}

static bool
signer_open(struct self *self)
{
	const struct authority_conf *conf = self->conf;
	struct conf_certificate c = {.name = "server", .file = conf->tls_file, .key = conf->tls_key};
	struct signer *s = calloc(1, sizeof *s);

	self->state = s;
	prctl(PR_SET_DUMPABLE, 0); /* no core file, no debugger: the key is in this memory */
	bool ok = s && signer_key_load(&s->key, &c);
	if (s)
		s->key.name = "server"; /* c goes */
	return ok;
}

static void
signer_stop(struct self *self)
{
	struct signer *s = self->state;

	signer_key_free(&s->key);
	free(s);
	self->state = NULL;
}

static json_t *
signer_status(struct self *self)
{
	const struct signer *s = self->state;
	char until[WHEN_TEXT_SIZE];

	when_format(s->key.not_after, until);
	return json_pack("{s:s, s:I, s:I, s:I}", "not_after", until, "days_left",
	    (json_int_t)((s->key.not_after - when_now()) / DAY), "handshakes",
	    (json_int_t)s->key.handshakes, "refused", (json_int_t)s->refused);
}

static const struct role_message messages[] = {
    {ROLE_FRONT, WIRE_TLS_SIGN, on_tls_sign},
};

static const struct sandbox sandbox = {.allow = 0};

const struct role role_signer = {
    .id = ROLE_SIGNER,
    .name = "signer",
    .open = signer_open,
    .stop = signer_stop,
    .status = signer_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
