#include "authority/cmp.h"

#include <openssl/cmp.h>
#include <openssl/crmf.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

/* Also of the answers' MAC: OpenSSL's own choice would be HMAC-SHA1. */
#define MAC_DIGEST NID_hmacWithSHA256

struct run {
	const struct cmp_self *self;
	const struct cmp_decision *decision;
	struct cmp_asked *asked;
	OSSL_CMP_MSG *first;         /* of the transaction, when it is not the one at hand; borrowed */
	X509 *expected;              /* certificate that a confirmation must be about */
	bool replaying, called;
};

/* -- what is asked */

/* The template's publicKey [6]: OpenSSL 3.0 has no function that shows it. */
static X509_PUBKEY *
template_key(const OSSL_CRMF_CERTTEMPLATE *template)
{
	uint8_t *der = NULL;
	int len = i2d_OSSL_CRMF_CERTTEMPLATE(template, &der);
	const uint8_t *at = der, *end = der + len;
	X509_PUBKEY *key = NULL;
	long size;
	int tag, class;

	if (len > 0 && !(ASN1_get_object(&at, &size, &tag, &class, len) & 0x80)) {
		while (at < end && !key) {
			uint8_t *element = der + (at - der);
			if (ASN1_get_object(&at, &size, &tag, &class, end - at) & 0x80)
				break;
			at += size;
			const uint8_t *inside = element;
			if (tag == 6 && class == V_ASN1_CONTEXT_SPECIFIC) {
				*element = V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED; /* tagged implicitly */
				key = d2i_X509_PUBKEY(NULL, &inside, at - inside);
			}
		}
	}
	OPENSSL_free(der);
	return key;
}

static void
keep_serial(const ASN1_INTEGER *serial, struct cmp_asked *asked)
{
	int len = serial ? ASN1_STRING_length(serial) : 0;

	if (len < 1 || len > CERTIFY_SERIAL_MAX || ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		return;
	memcpy(asked->serial, ASN1_STRING_get0_data(serial), (size_t)len);
	asked->serial_len = (size_t)len;
}

static void
read_template(const OSSL_CRMF_MSG *crm, struct cmp_asked *asked)
{
	/* Not const in OpenSSL, but not changed either. */
	const OSSL_CRMF_CERTTEMPLATE *t = OSSL_CRMF_MSG_get0_tmpl(crm);
	const OSSL_CRMF_CERTID *old = OSSL_CRMF_MSG_get0_regCtrl_oldCertID(crm);
	X509_PUBKEY *key = template_key(t);

	asked->fault = certify_read_parts(OSSL_CRMF_CERTTEMPLATE_get0_subject(t), key,
	    OSSL_CRMF_CERTTEMPLATE_get0_extensions(t), &asked->request, asked->detail);
	if (old)
		keep_serial(OSSL_CRMF_CERTID_get0_serialNumber(old), asked);
	X509_PUBKEY_free(key);
}

static void
read_p10(const X509_REQ *req, struct cmp_asked *asked)
{
	uint8_t *der = NULL;
	int len = i2d_X509_REQ(req, &der);

	asked->fault = len > 0 ? certify_read_csr(der, (size_t)len, &asked->request, asked->detail)
			       : FAULT_CSR_MALFORMED;
	OPENSSL_free(der);
}

/* -- answers of the callbacks */

static OSSL_CMP_PKISI *
denial(const struct cmp_decision *d, int failure)
{
	char text[1024];

	return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_rejection, 1 << failure,
	    fault_describe(d->fault, d->detail, text, sizeof text));
}

/* The bit of PKIFailureInfo for a fault (RFC 9810 section 5.2.3). */
static int
failure_of(enum fault f)
{
	static const struct {
		enum fault fault;
		int bit;
	} rows[] = {
		{FAULT_CMP_UNRECOGNISED, OSSL_CMP_PKIFAILUREINFO_badMessageCheck},
		{FAULT_CMP_SENDER, OSSL_CMP_PKIFAILUREINFO_signerNotTrusted},
		{FAULT_CMP_REFUSED, OSSL_CMP_PKIFAILUREINFO_notAuthorized},
		{FAULT_CMP_NOT_OWN, OSSL_CMP_PKIFAILUREINFO_badCertId},
		{FAULT_CSR_SIGNATURE, OSSL_CMP_PKIFAILUREINFO_badPOP},
		{FAULT_CSR_KEY_USED, OSSL_CMP_PKIFAILUREINFO_duplicateCertReq},
		{FAULT_INTERNAL, OSSL_CMP_PKIFAILUREINFO_systemFailure},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].fault == f)
			return rows[i].bit;
	}
	return OSSL_CMP_PKIFAILUREINFO_badCertTemplate;
}

static bool
give_certificate(const struct run *run, X509 **out, STACK_OF(X509) **chain, STACK_OF(X509) **anchors)
{
	X509 *ca = run->self->ca;

	*out = run->decision->certificate;
	*chain = sk_X509_new_null();
	*anchors = sk_X509_new_null();
	return X509_up_ref(*out) && *chain && *anchors && X509_add_cert(*chain, ca, X509_ADD_FLAG_UP_REF) &&
	    X509_add_cert(*anchors, ca, X509_ADD_FLAG_UP_REF);
}

static OSSL_CMP_PKISI *
on_certificate(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *message, int id, const OSSL_CRMF_MSG *crm,
    const X509_REQ *p10, X509 **out, STACK_OF(X509) **chain, STACK_OF(X509) **anchors)
{
	struct run *run = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);
	const struct cmp_decision *d = run->decision;

	(void)message, (void)id;
	if (!run->replaying)
		run->called = true;
	switch (d->verdict) {
	case CMP_UNDECIDED:
		/* Put through again before a poll that nobody has decided yet: it was waiting. */
		if (run->replaying)
			return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_waiting, 0, NULL);
		run->asked->what = CMP_ASKS_CERTIFICATE;
		if (p10)
			read_p10(p10, run->asked);
		else
			read_template(crm, run->asked);
		return NULL;
	case CMP_WAITING:
		return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_waiting, 0, NULL);
	case CMP_GRANTED:
		if (!d->certificate || !give_certificate(run, out, chain, anchors))
			return NULL;
		return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
	default:
		return denial(d, failure_of(d->fault));
	}
}

static OSSL_CMP_PKISI *
on_revocation(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *message, const X509_NAME *issuer,
    const ASN1_INTEGER *serial)
{
	struct run *run = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);
	const struct cmp_decision *d = run->decision;

	(void)message;
	run->called = true;
	if (d->verdict == CMP_GRANTED)
		return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
	if (d->verdict != CMP_UNDECIDED)
		return denial(d, failure_of(d->fault));
	run->asked->what = CMP_ASKS_REVOCATION;
	/* A serial of another CA is nobody's here. */
	if (issuer && X509_NAME_cmp(issuer, X509_get_subject_name(run->self->ca)) == 0)
		keep_serial(serial, run->asked);
	return NULL;
}

/* RFC 9810 section 5.3.18: the hash is made with the digest of the certificate's signature: SHA-256. */
static bool
hash_matches(const ASN1_OCTET_STRING *hash, const X509 *x)
{
	uint8_t own[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	return x && X509_digest(x, EVP_sha256(), own, &len) && ASN1_STRING_length(hash) == (int)len &&
	    memcmp(ASN1_STRING_get0_data(hash), own, len) == 0;
}

static int
on_confirmation(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *message, int id, const ASN1_OCTET_STRING *hash,
    const OSSL_CMP_PKISI *status)
{
	struct run *run = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);
	char text[OSSL_CMP_PKISI_BUFLEN];

	(void)message, (void)id;
	run->called = true;
	if (!hash_matches(hash, run->expected)) {
		ERR_raise(ERR_LIB_CMP, ERR_R_PASSED_INVALID_ARGUMENT);
		return 0;
	}
	run->asked->what = CMP_ASKS_CONFIRMATION;
	/* No status at all means accepted. */
	run->asked->accepted = !status ||
	    (OSSL_CMP_snprint_PKIStatusInfo(status, text, sizeof text) &&
	        !strstr(text, "rejection"));
	return 1;
}

static int
on_poll(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *message, int id, OSSL_CMP_MSG **first, int64_t *after)
{
	struct run *run = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);
	const struct cmp_decision *d = run->decision;

	(void)message, (void)id;
	run->called = true;
	*first = NULL;
	if (d->verdict == CMP_UNDECIDED) {
		run->asked->what = CMP_ASKS_POLL;
		return 0;
	}
	if (d->verdict == CMP_WAITING) {
		*after = d->check_after;
		return 1;
	}
	return (*first = OSSL_CMP_MSG_dup(run->first)) ? 1 : 0;
}

static void
on_error(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *message, const OSSL_CMP_PKISI *status,
    const ASN1_INTEGER *code, const OSSL_CMP_PKIFREETEXT *details)
{
	struct run *run = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);

	(void)message, (void)status, (void)code, (void)details;
	run->called = true;
	run->asked->what = CMP_ASKS_CONFIRMATION; /* the client does not want what it got */
	run->asked->accepted = false;
}

/* -- one run */

static OSSL_CMP_MSG *
decode(struct cmp_bytes b)
{
	const uint8_t *at = b.data;
	OSSL_CMP_MSG *m = b.len ? d2i_OSSL_CMP_MSG(NULL, &at, (long)b.len) : NULL;

	return m;
}

static bool
set_bytes(int (*set)(OSSL_CMP_CTX *, const unsigned char *, int), OSSL_CMP_CTX *ctx, struct cmp_bytes b)
{
	return b.len == 0 || set(ctx, b.data, (int)b.len) > 0;
}

/* What the library thinks of a stranger's message is of interest to who looks for it only. */
static int
on_log(const char *function, const char *file, int line, OSSL_CMP_severity level, const char *text)
{
	(void)function, (void)file, (void)line;
	if (level <= OSSL_CMP_LOG_INFO)
		log_debug("ra.cmp", "text=\"%.*s\"", (int)strcspn(text, "\n"), text);
	return 1;
}

static OSSL_CMP_SRV_CTX *
make_context(struct run *run, const struct cmp_credentials *who)
{
	OSSL_CMP_SRV_CTX *srv = OSSL_CMP_SRV_CTX_new(NULL, NULL);
	OSSL_CMP_CTX *ctx = srv ? OSSL_CMP_SRV_CTX_get0_cmp_ctx(srv) : NULL;
	const struct cmp_decision *d = run->decision;

	if (srv && OSSL_CMP_CTX_set_log_cb(ctx, on_log) &&
	    OSSL_CMP_SRV_CTX_init(srv, run, on_certificate, on_revocation, NULL, on_error, on_confirmation,
	        on_poll) &&
	    OSSL_CMP_SRV_CTX_set_grant_implicit_confirm(srv, 1) &&
	    OSSL_CMP_SRV_CTX_set_accept_unprotected(srv, d->verdict == CMP_DENIED && d->unverified) &&
	    OSSL_CMP_SRV_CTX_set_send_unprotected_errors(srv, d->verdict == CMP_UNDECIDED) &&
	    OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_MAC_ALGNID, MAC_DIGEST) &&
	    OSSL_CMP_CTX_set1_cert(ctx, run->self->signer.certificate) &&
	    OSSL_CMP_CTX_set1_pkey(ctx, run->self->signer.key) &&
	    set_bytes(OSSL_CMP_CTX_set1_referenceValue, ctx, who->reference) &&
	    set_bytes(OSSL_CMP_CTX_set1_secretValue, ctx, who->secret) &&
	    (!who->sender || OSSL_CMP_CTX_set1_srvCert(ctx, who->sender)))
		return srv;
	OSSL_CMP_SRV_CTX_free(srv);
	return NULL;
}

/* Brings a fresh context to where the transaction is: nothing leaves, so nothing is protected. */
static bool
replay(OSSL_CMP_SRV_CTX *srv, struct run *run, struct cmp_bytes nonce)
{
	OSSL_CMP_CTX *ctx = OSSL_CMP_SRV_CTX_get0_cmp_ctx(srv);
	const struct cmp_decision *decided = run->decision;
	/* Polls come while nothing is decided; only a confirmation has seen the certificate. */
	struct cmp_decision before = {.verdict = run->expected ? CMP_GRANTED : CMP_WAITING,
	    .certificate = run->expected};
	ASN1_OCTET_STRING *last = ASN1_OCTET_STRING_new();
	bool ok;

	run->replaying = true;
	run->decision = &before;
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_UNPROTECTED_SEND, 1);
	OSSL_CMP_MSG *answer = OSSL_CMP_SRV_process_request(srv, run->first);
	ok = answer && OSSL_CMP_MSG_get_bodytype(answer) != CMP_ERROR;
	OSSL_CMP_MSG_free(answer);
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_UNPROTECTED_SEND, 0);
	run->decision = decided;
	run->replaying = false;
	ok = ok && last && ASN1_OCTET_STRING_set(last, nonce.data, (int)nonce.len) &&
	    OSSL_CMP_CTX_set1_senderNonce(ctx, last);
	ASN1_OCTET_STRING_free(last);
	ERR_clear_error();
	return ok;
}

static enum cmp_result
write_answer(OSSL_CMP_MSG *message, struct buf *answer, struct cmp_id *nonce)
{
	uint8_t *der = NULL;
	int len = message ? i2d_OSSL_CMP_MSG(message, &der) : -1;
	struct cmp_envelope e = {0};
	bool ok = len > 0 && cmp_envelope_read(der, (size_t)len, &e) && buf_add(answer, der, (size_t)len);

	if (ok)
		*nonce = e.sender_nonce;
	else
		log_error("ra.cmp-answer", "reason=\"%s\"", ERR_reason_error_string(ERR_peek_last_error()));
	cmp_envelope_free(&e);
	OPENSSL_free(der);
	return ok ? CMP_ANSWERED : CMP_BROKEN;
}

/* What an undecided run came to. */
static enum cmp_result
judge(const struct run *run, const OSSL_CMP_MSG *answer)
{
	if (run->asked->what != CMP_ASKS_NOTHING)
		return CMP_ASKED;
	/* An empty certConf refuses the certificate without naming it, and the library asks nobody. */
	if (answer && OSSL_CMP_MSG_get_bodytype(answer) == CMP_PKICONF) {
		run->asked->what = CMP_ASKS_CONFIRMATION;
		return CMP_ASKED;
	}
	if (run->called || (answer && OSSL_CMP_MSG_get_bodytype(answer) != CMP_ERROR))
		return CMP_ANSWERED;
	return CMP_UNVERIFIED;
}

static enum cmp_result
process(struct run *run, OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *message, struct buf *answer,
    struct cmp_id *nonce)
{
	OSSL_CMP_MSG *reply = OSSL_CMP_SRV_process_request(srv, message);
	enum cmp_result result;

	if (run->decision->verdict != CMP_UNDECIDED)
		result = write_answer(reply, answer, nonce);
	else
		result = judge(run, reply);
	OSSL_CMP_MSG_free(reply);
	return result;
}

/* The library had enough without a decision (proof of possession, a second request in one message): its
 * own refusal, this time protected. */
static enum cmp_result
answer_refusal(const struct run *from, const OSSL_CMP_MSG *message, const struct cmp_credentials *who,
    const struct cmp_transaction *before, struct buf *answer, struct cmp_id *nonce)
{
	const struct cmp_decision denied = {.verdict = CMP_DENIED, .fault = FAULT_CMP_REFUSED};
	struct run run = *from;
	run.decision = &denied;
	OSSL_CMP_SRV_CTX *srv = make_context(&run, who);
	enum cmp_result result = CMP_BROKEN;

	if (srv && (!run.first || replay(srv, &run, before->nonce)))
		result = process(&run, srv, message, answer, nonce);
	OSSL_CMP_SRV_CTX_free(srv);
	return result;
}

enum cmp_result
cmp_run(const struct cmp_self *self, struct cmp_bytes bytes, const struct cmp_credentials *who,
    const struct cmp_transaction *before, const struct cmp_decision *decision, struct cmp_asked *asked,
    struct buf *answer, struct cmp_id *nonce)
{
	struct run run = {.self = self, .decision = decision, .asked = asked,
	    .first = decode(before->request)};
	OSSL_CMP_MSG *message = decode(bytes);
	OSSL_CMP_SRV_CTX *srv = message ? make_context(&run, who) : NULL;
	enum cmp_result result = message ? CMP_BROKEN : CMP_MALFORMED;

	*asked = (struct cmp_asked){.what = CMP_ASKS_NOTHING};
	ERR_clear_error(); /* the library answers with what lies in the queue */
	if (message && OSSL_CMP_MSG_get_bodytype(message) == CMP_CERTCONF)
		run.expected = decision->certificate;
	if (srv && (!run.first || replay(srv, &run, before->nonce))) {
		result = process(&run, srv, message, answer, nonce);
		if (result == CMP_ANSWERED && decision->verdict == CMP_UNDECIDED)
			result = answer_refusal(&run, message, who, before, answer, nonce);
	} else if (srv) {
		result = CMP_UNVERIFIED;
	}
	OSSL_CMP_SRV_CTX_free(srv);
	OSSL_CMP_MSG_free(message);
	OSSL_CMP_MSG_free(run.first);
	ERR_clear_error();
	return result;
}
