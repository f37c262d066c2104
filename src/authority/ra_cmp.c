/* One CMP message: who is it from, what does it ask for, may it, the answer. */
#include <stdlib.h>
#include <string.h>

#include "authority/ra_internal.h"
#include "lib/log.h"

/* What may be protected how. First contact is by reference or, for a further certificate of who has one,
 * by certificate; renewal and revocation only by certificate (RFC 9483 sections 4.1 and 4.2). */
static const struct operation {
	int body;
	bool mac, signature, later; /* later: goes on with a transaction */
} operations[] = {
	{CMP_IR, true, true, false},
	{CMP_CR, true, true, false},
	{CMP_P10CR, true, true, false},
	{CMP_KUR, false, true, false},
	{CMP_RR, false, true, false},
	{CMP_CERTCONF, true, true, true},
	{CMP_POLLREQ, true, true, true},
	{CMP_ERROR, true, true, true},
};

static const struct operation *
operation_of(int body)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		if (operations[i].body == body)
			return &operations[i];
	}
	return NULL;
}

static void
finish(struct ra_job *job, const json_t *answer)
{
	/* The nonce must be on disk before the answer leaves: the next message of the transaction is
	 * checked against it, perhaps after a new start. */
	if (!json_is_true(json_object_get(answer, "ok")))
		ra_end(job, 503, "text/plain", "", 0);
	else
		ra_end(job, 200, CMP_CONTENT_TYPE, job->answer.data, job->answer.len);
}

static struct cmp_bytes
bytes_of(const struct buf *b)
{
	return (struct cmp_bytes){b->data, b->len};
}

static enum cmp_result
run(struct ra_job *job, const struct cmp_decision *d, struct cmp_asked *asked)
{
	const struct operation *o = operation_of(job->envelope.body);
	struct cmp_transaction before = {{NULL, 0}, {NULL, 0}};

	if (o && o->later)
		before = (struct cmp_transaction){bytes_of(&job->first), {job->nonce.bytes, job->nonce.len}};
	return cmp_run(&job->self, bytes_of(&job->message), &job->who, &before, d, asked, &job->answer,
	    &job->answer_nonce);
}

static void
answer(struct ra_job *job, const struct cmp_decision *d)
{
	struct cmp_asked again;

	if (run(job, d, &again) != CMP_ANSWERED) {
		ra_end(job, 500, "text/plain", "", 0);
		return;
	}
	if (d->verdict == CMP_DENIED)
		ra_end(job, 200, CMP_CONTENT_TYPE, job->answer.data, job->answer.len);
	else
		ra_ask(job, json_pack("{s:s, s:o, s:o}", "verb", "cmp-keep", "transaction",
		    json_hex(job->envelope.transaction.bytes, job->envelope.transaction.len), "nonce",
		    json_hex(job->answer_nonce.bytes, job->answer_nonce.len)), finish);
}

static void
deny(struct ra_job *job, enum fault f, const char *detail, bool unverified)
{
	log_info("ra.cmp-denied", "body=%s fault=%s detail=\"%s\"", cmp_body_name(job->envelope.body),
	    fault_code(f), detail ? detail : "");
	answer(job, &(struct cmp_decision){.verdict = CMP_DENIED, .fault = f, .detail = detail,
	    .unverified = unverified});
}

static void
on_decision(struct ra_job *job, const json_t *reply)
{
	static const struct {
		const char *word;
		enum cmp_verdict verdict;
	} words[] = {{"waiting", CMP_WAITING}, {"granted", CMP_GRANTED}};
	struct cmp_decision d = {.verdict = CMP_DENIED};
	const json_t *certificate = json_object_get(reply, "certificate");

	if (!reply) {
		ra_end(job, 503, "text/plain", "", 0);
		return;
	}
	if (json_is_true(json_object_get(reply, "ok"))) {
		for (size_t i = 0; i < 2; i++) {
			if (strcmp(json_text(reply, "verdict"), words[i].word) == 0)
				d.verdict = words[i].verdict;
		}
	}
	if (d.verdict == CMP_DENIED) {
		enum fault f = fault_by_code(json_text(reply, "fault"));
		deny(job, f ? f : FAULT_CMP_REFUSED, json_text(reply, "detail"), false);
		return;
	}
	if (certificate) {
		X509_free(job->given);
		job->given = ra_certificate(certificate);
	}
	d.certificate = job->given;
	d.check_after = (unsigned)json_integer_value(json_object_get(reply, "check_after"));
	answer(job, &d);
}

static json_t *
sender_of(const struct ra_job *job)
{
	const struct cmp_envelope *e = &job->envelope;

	if (!e->mac)
		return json_pack("{s:s, s:o, s:s}", "kind", "certificate", "certificate_info",
		    json_certificate(e->sender), "channel", "cmp");
	return json_pack("{s:s, s:s%, s:s}", "kind", "reference", "reference",
	    (const char *)e->sender_kid.bytes, e->sender_kid.len, "channel", "cmp");
}

static json_t *
question(const struct ra_job *job, const char *verb)
{
	const struct cmp_id *t = &job->envelope.transaction;

	return json_pack("{s:s, s:o, s:o, s:s}", "verb", verb, "transaction", json_hex(t->bytes, t->len),
	    "sender", sender_of(job), "body", cmp_body_name(job->envelope.body));
}

static void
ask_certificate(struct ra_job *job)
{
	const struct cmp_asked *a = &job->asked;
	const struct certify_request *r = &a->request;
	json_t *q = question(job, "cmp-request");

	if (a->fault) {
		json_decref(q);
		deny(job, a->fault, a->detail, false);
		return;
	}
	if (q && json_object_update_new(q, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "name", r->name,
	        "eik", r->eik, "key", json_base64(r->key, r->key_len), "key_id", json_hex(r->key_id, 32),
	        "ignored", r->ignored, "replaces", json_hex(a->serial, a->serial_len), "message",
	        json_base64(job->message.data, job->message.len))) < 0) {
		json_decref(q);
		q = NULL;
	}
	ra_ask(job, q, on_decision);
}

static void
ask_ledger(struct ra_job *job)
{
	const struct cmp_asked *a = &job->asked;
	json_t *q;

	switch (a->what) {
	case CMP_ASKS_CERTIFICATE:
		ask_certificate(job);
		return;
	case CMP_ASKS_REVOCATION:
		q = question(job, "cmp-revoke");
		json_object_set_new(q, "serial", json_hex(a->serial, a->serial_len));
		json_object_set_new(q, "reason",
		    json_string(certify_reason_name(job->envelope.revocation_reason)));
		break;
	case CMP_ASKS_CONFIRMATION:
		q = question(job, "cmp-confirm");
		json_object_set_new(q, "accepted", json_boolean(a->accepted));
		break;
	default:
		q = question(job, "cmp-poll");
		break;
	}
	ra_ask(job, q, on_decision);
}

/* Everything is there: verify, and learn what is asked. */
static void
verify(struct ra_job *job)
{
	const struct cmp_decision undecided = {.verdict = CMP_UNDECIDED, .certificate = job->given};

	switch (run(job, &undecided, &job->asked)) {
	case CMP_ASKED:
		ask_ledger(job);
		break;
	case CMP_ANSWERED:
		ra_end(job, 200, CMP_CONTENT_TYPE, job->answer.data, job->answer.len);
		break;
	case CMP_UNVERIFIED:
		deny(job, job->envelope.mac ? FAULT_CMP_UNRECOGNISED : FAULT_CMP_SENDER, NULL, true);
		break;
	case CMP_MALFORMED:
		ra_end(job, 400, "text/plain", "", 0);
		break;
	default:
		ra_end(job, 500, "text/plain", "", 0);
	}
}

static bool
hex_id(const json_t *reply, const char *key, struct cmp_id *id)
{
	id->len = json_get_hex(reply, key, id->bytes, sizeof id->bytes);
	return id->len > 0;
}

static void
on_opened(struct ra_job *job, const json_t *reply)
{
	const struct cmp_envelope *e = &job->envelope;
	const struct operation *o = operation_of(e->body);

	job->ca = ra_certificate(json_object_get(reply, "ca"));
	job->cmp = ra_certificate(json_object_get(reply, "cmp"));
	if (!job->ca || !job->cmp) {
		/* The ca role is just being started. */
		ra_end(job, 503, "text/plain", "", 0);
		return;
	}
	job->self = (struct cmp_self){{job->cmp, job->site->key(job->site->arg, job->cmp)}, job->ca};
	if (!job->self.signer.key) {
		ra_end(job, 503, "text/plain", "", 0);
		return;
	}
	if (!o || (e->mac ? !o->mac : !o->signature)) {
		deny(job, FAULT_CMP_UNKNOWN, cmp_body_name(e->body), true);
		return;
	}
	if (json_get_base64(reply, "secret", &job->secret) && e->mac) {
		job->who.reference = (struct cmp_bytes){e->sender_kid.bytes, e->sender_kid.len};
		job->who.secret = bytes_of(&job->secret);
	}
	/* The ledger knows whether this certificate is one of ours and not revoked. */
	if (!e->mac && json_is_true(json_object_get(reply, "sender_good")))
		job->who.sender = e->sender;
	json_get_base64(reply, "request", &job->first);
	hex_id(reply, "nonce", &job->nonce);
	job->given = ra_certificate(json_object_get(reply, "certificate"));
	if (o->later && (!job->first.len || !job->nonce.len))
		deny(job, FAULT_CMP_UNRECOGNISED, "transactionID", true);
	else
		verify(job);
}

void
ra_cmp(struct ra_job *job)
{
	struct cmp_envelope *e = &job->envelope;

	if (!cmp_envelope_read(job->message.data, job->message.len, e) || e->unprotected ||
	    e->transaction.len == 0 || (!e->mac && !e->sender)) {
		/* Without these there is nobody to answer to, and nothing to answer with. */
		ra_end(job, 400, "text/plain", "", 0);
		return;
	}
	ra_ask(job, question(job, "cmp-open"), on_opened);
}
