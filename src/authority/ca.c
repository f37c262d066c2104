/*
 * ca: the only process that holds the CA's key. The ledger asks, ra has the protection of CMP answers
 * signed (ca_work.h says what is signed and what is not).
 */
#include <event2/event.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "authority/ca_key.h"
#include "authority/ca_work.h"
#include "authority/role.h"
#include "authority/wire.h"
#include "lib/sandbox.h"

#define SIGNATURE_MAX 1024

static void
on_query(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ca_work *w = self->state;
	json_t *query = wire_get_json(f), *answer = ca_work_answer(w, query);

	if (self->peers[from.role][from.index])
		wire_send_json(self->peers[from.role][from.index], WIRE_QUERY_REPLY, f->id, answer, NULL, 0);
	json_decref(answer);
	json_decref(query);
}

/* ra waits in a blocking call. */
static void
on_protect(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ca_work *w = self->state;
	struct ipc *ipc = self->peers[from.role][from.index];
	struct wire_tls_sign m;
	uint8_t out[SIGNATURE_MAX];
	size_t n = 0;

	if (wire_unpack(f, WIRE_TLS_SIGN, &m) && !m.pss && m.digest && strcmp(m.digest, "SHA256") == 0)
		n = ca_work_protect(w, m.tbs.data, m.tbs.len, out);
	if (n == 0)
		log_warning("ca.refused", "from=%s reason=\"not a CMP answer\"", role_name(from.role));
	if (ipc) {
		ipc_send(ipc, WIRE_TLS_SIGN_REPLY, f->id, out, n, NULL, 0);
		ipc_flush(ipc);
	}
}

static void
read_profile(struct ca_work *w, const struct authority_conf *c)
{
	w->profile = (struct certify_profile){
	    .kind = c->ca_kind == CA_TEST ? CERTIFY_TEST : CERTIFY_PRODUCTION, .days = c->certificate_days,
	    .san = c->certificate_san, .country = c->certificate_country, .policy = c->certificate_policy,
	    .cps = c->certificate_cps, .ocsp_url = c->ocsp_url, .crl_url = c->crl_url};
}

static bool
ca_open(struct self *self)
{
	const struct authority_conf *c = authority_conf(self);
	struct ca_work *w = calloc(1, sizeof *w);

	self->state = w;
	prctl(PR_SET_DUMPABLE, 0); /* no core file, no debugger: the key is in this memory */
	if (!w)
		return false;
	/* Without a CA of its own the authority registers certificates of another. */
	if (!c->ca_file)
		return true;
	read_profile(w, c);
	const char *fault = certify_profile_fault(&w->profile);
	if (fault) {
		log_error("ca.profile", "reason=\"%s\"", fault);
		return false;
	}
	return ca_key_open(&w->ca, c->ca_file, c->ca_key ? c->ca_key : "", c->ca_pin_file) &&
	    ca_work_services(w, when_now());
}

static bool
ca_start(struct self *self)
{
	(void)self;
	return true;
}

static void
ca_reload(struct self *self)
{
	struct ca_work *w = self->state;
	struct certify_profile before = w->profile;

	read_profile(w, authority_conf(self));
	const char *fault = certify_profile_fault(&w->profile);
	if (fault && w->ca.key) {
		log_error("ca.profile", "reason=\"%s\"", fault);
		w->profile = before;
	}
}

static void
ca_stop(struct self *self)
{
	ca_work_free(self->state);
	free(self->state);
	self->state = NULL;
}

static json_t *
ca_status(struct self *self)
{
	const struct ca_work *w = self->state;

	return json_pack("{s:b, s:I, s:I, s:I, s:I}", "key", w->ca.key != NULL, "issued", (json_int_t)w->issued,
	    "lists", (json_int_t)w->lists, "ocsp_answers", (json_int_t)w->answers, "refused",
	    (json_int_t)w->refused);
}

static const struct role_message messages[] = {
    {ROLE_LEDGER, WIRE_QUERY, on_query},
    {ROLE_RA, WIRE_TLS_SIGN, on_protect},
};

/* A token's module reads and locks files of its own: below the role's folder, when they are there. */
static const struct sandbox sandbox = {.allow = SANDBOX_MEMFD | SANDBOX_FILES | SANDBOX_SYNC};

const struct role role_ca = {
    .id = ROLE_CA,
    .name = "ca",
    .open = ca_open,
    .start = ca_start,
    .reload = ca_reload,
    .stop = ca_stop,
    .status = ca_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
