/* OpenSSL's CMP client against our server, message by message; nothing is kept between messages but
 * what a database would keep. */
#include "authority_fixture.h"

#include <openssl/cmp.h>
#include <openssl/err.h>

#include "authority/cmp.h"

#define REFERENCE "K7-2026-0042"
#define SECRET    "Q2ZC4-7LQHM-3W5TN-8RBKD"

/* A registration authority that could be started anew between any two messages. */
struct world {
	struct authority_fixture *f;
	EVP_PKEY *service_key;
	struct cmp_self self;
	struct buf first, answer;   /* of the one transaction */
	struct cmp_id nonce;
	X509 *issued;
	unsigned polls_left;        /* this many polls find it undecided */
	bool deny;
	X509 *sender;               /* the only one whose signature counts */
	unsigned certified, confirmed, rejected, revoked;
	int reason;
	struct cmp_asked asked;
	bool replay_poll;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	uint8_t serial[CERTIFY_SERIAL];

	w->f = authority_fixture_new();
	assert_true(certify_serial(serial));
	w->service_key = EVP_RSA_gen(2048);
	w->self.signer = (struct certify_signer){
	    certify_service(&w->f->ca, CERTIFY_CMP, w->service_key, serial, when_now(), 30), w->service_key};
	w->self.ca = w->f->ca.certificate;
	assert_non_null(w->self.signer.certificate);
	*state = w;
	return 0;
}

static void
forget(struct world *w)
{
	buf_free(&w->first);
	buf_free(&w->answer);
	X509_free(w->issued);
	w->issued = NULL;
	w->sender = NULL;
	w->nonce.len = 0;
	w->polls_left = w->certified = w->confirmed = w->rejected = w->revoked = 0;
	w->deny = false;
	w->reason = -1;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	forget(w);
	X509_free(w->self.signer.certificate);
	EVP_PKEY_free(w->service_key);
	authority_fixture_free(w->f);
	free(w);
	return 0;
}

static struct cmp_decision
decide_certificate(struct world *w)
{
	struct cmp_decision d = {.verdict = CMP_GRANTED};
	struct certify_request *r = &w->asked.request;
	uint8_t serial[CERTIFY_SERIAL];
	struct certify_subject subject = {.name = TEST_NAME, .eik = TEST_EIK};

	if (w->asked.what == CMP_ASKS_CERTIFICATE) {
		d.fault = w->asked.fault;
		if (!d.fault)
			d.fault = certify_check_assigned(r, TEST_NAME, TEST_EIK, w->asked.detail);
		d.detail = w->asked.detail;
	}
	if (w->deny)
		d.fault = FAULT_CMP_REFUSED;
	if (d.fault) {
		d.verdict = CMP_DENIED;
		return d;
	}
	if (w->asked.what == CMP_ASKS_CERTIFICATE) {
		assert_true(certify_serial(serial));
		X509_free(w->issued);
		w->issued = certify_issue(&w->f->ca, &w->f->profile, &subject, r->key, r->key_len, serial,
		    when_now());
		w->certified++;
	}
	if (w->polls_left > 0) {
		w->polls_left--;
		d.verdict = CMP_WAITING;
		d.check_after = 0;
	}
	d.certificate = w->issued;
	return d;
}

static struct cmp_decision
decide(struct world *w, const struct cmp_envelope *e)
{
	struct cmp_decision d = {.verdict = CMP_GRANTED, .certificate = w->issued};

	if (w->asked.what == CMP_ASKS_CERTIFICATE || w->asked.what == CMP_ASKS_POLL)
		return decide_certificate(w);
	if (w->asked.what == CMP_ASKS_REVOCATION) {
		w->revoked++;
		w->reason = e->revocation_reason;
	} else {
		w->confirmed += w->asked.accepted;
		w->rejected += !w->asked.accepted;
	}
	return d;
}

static enum cmp_result
serve(struct world *w, struct cmp_bytes message, struct buf *answer)
{
	struct cmp_envelope e;
	struct cmp_credentials who = {.sender = NULL};
	struct cmp_decision undecided = {.verdict = CMP_UNDECIDED, .certificate = w->issued};
	bool later;

	if (!cmp_envelope_read(message.data, message.len, &e))
		return CMP_BROKEN;
	if (e.mac && e.sender_kid.len == strlen(REFERENCE) &&
	    memcmp(e.sender_kid.bytes, REFERENCE, e.sender_kid.len) == 0) {
		who.reference = (struct cmp_bytes){(const uint8_t *)REFERENCE, strlen(REFERENCE)};
		who.secret = (struct cmp_bytes){(const uint8_t *)SECRET, strlen(SECRET)};
	} else if (!e.mac && w->sender) {
		who.sender = w->sender;
	}
	later = e.body == CMP_POLLREQ || e.body == CMP_CERTCONF;
	struct cmp_transaction before = {{NULL, 0}, {NULL, 0}};
	if (later)
		before = (struct cmp_transaction){{w->first.data, w->first.len}, {w->nonce.bytes, w->nonce.len}};
	enum cmp_result result = cmp_run(&w->self, message, &who, &before, &undecided, &w->asked, answer,
	    &w->nonce);
	if (result == CMP_ASKED || result == CMP_UNVERIFIED) {
		struct cmp_asked again;
		struct cmp_decision d = {.verdict = CMP_DENIED, .fault = FAULT_CMP_UNRECOGNISED,
		    .unverified = true};
		if (result == CMP_ASKED)
			d = decide(w, &e);
		result = cmp_run(&w->self, message, &who, &before, &d, &again, answer, &w->nonce);
	}
	if (!later) {
		buf_reset(&w->first);
		buf_add(&w->first, message.data, message.len);
	}
	cmp_envelope_free(&e);
	return result;
}

static OSSL_CMP_MSG *
transfer(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *request)
{
	struct world *w = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);
	uint8_t *der = NULL;
	int len = i2d_OSSL_CMP_MSG(request, &der);
	struct buf answer = {0};

	assert_true(len > 0);
	enum cmp_result result = serve(w, (struct cmp_bytes){der, (size_t)len}, &answer);
	OPENSSL_free(der);
	const uint8_t *at = answer.data;
	OSSL_CMP_MSG *reply = result == CMP_ANSWERED ? d2i_OSSL_CMP_MSG(NULL, &at, (long)answer.len) : NULL;
	buf_free(&answer);
	return reply;
}

static int
quiet(const char *function, const char *file, int line, OSSL_CMP_severity level, const char *message)
{
	(void)function, (void)file, (void)line, (void)level, (void)message;
	return 1;
}

static OSSL_CMP_CTX *
client(struct world *w)
{
	OSSL_CMP_CTX *ctx = OSSL_CMP_CTX_new(NULL, NULL);
	X509_STORE *trusted = X509_STORE_new();
	X509_NAME *name = X509_NAME_new();

	assert_non_null(ctx);
	X509_STORE_add_cert(trusted, w->self.ca);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)TEST_NAME, -1, -1, 0);
	assert_true(OSSL_CMP_CTX_set_transfer_cb(ctx, transfer));
	assert_true(OSSL_CMP_CTX_set_transfer_cb_arg(ctx, w));
	assert_true(OSSL_CMP_CTX_set0_trustedStore(ctx, trusted));
	assert_true(OSSL_CMP_CTX_set1_subjectName(ctx, name));
	assert_true(OSSL_CMP_CTX_set1_recipient(ctx, X509_get_subject_name(w->self.ca)));
	EVP_PKEY_up_ref(w->f->requester);
	assert_true(OSSL_CMP_CTX_set0_newPkey(ctx, 1, w->f->requester));
	OSSL_CMP_CTX_set_log_cb(ctx, quiet);
	X509_NAME_free(name);
	return ctx;
}

static void
with_secret(OSSL_CMP_CTX *ctx, const char *reference, const char *secret)
{
	assert_true(OSSL_CMP_CTX_set1_referenceValue(ctx, (const uint8_t *)reference, (int)strlen(reference)));
	assert_true(OSSL_CMP_CTX_set1_secretValue(ctx, (const uint8_t *)secret, (int)strlen(secret)));
}

static void
with_certificate(struct world *w, OSSL_CMP_CTX *ctx, X509 *x)
{
	w->sender = x;
	assert_true(OSSL_CMP_CTX_set1_cert(ctx, x));
	assert_true(OSSL_CMP_CTX_set1_pkey(ctx, w->f->requester));
}

static void
assert_status(OSSL_CMP_CTX *ctx, const char *text)
{
	char status[2 * OSSL_CMP_PKISI_BUFLEN] = "nothing";

	OSSL_CMP_CTX_snprint_PKIStatus(ctx, status, sizeof status);
	if (!strstr(status, text))
		fail_msg("no \"%s\" in \"%s\"", text, status);
}

/* -- cases */

static void
first_certificate_with_a_secret(void **state)
{
	static const int kinds[] = {OSSL_CMP_IR, OSSL_CMP_CR};
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		forget(w);
		OSSL_CMP_CTX *ctx = client(w);
		with_secret(ctx, REFERENCE, SECRET);
		X509 *x = OSSL_CMP_exec_certreq(ctx, kinds[i], NULL);
		if (!x)
			ERR_print_errors_fp(stderr);
		assert_non_null(x);
		assert_int_equal(X509_cmp(x, w->issued), 0);
		assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), w->f->requester), 1);
		assert_int_equal(w->certified, 1);
		assert_int_equal(w->confirmed, 1);
		OSSL_CMP_CTX_free(ctx);
	}
}

static void
implicit_confirmation_is_granted(void **state)
{
	struct world *w = *state;

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_IMPLICIT_CONFIRM, 1);
	assert_non_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_int_equal(w->certified, 1);
	assert_int_equal(w->confirmed, 0);
	OSSL_CMP_CTX_free(ctx);
}

static void
polls_until_somebody_decides(void **state)
{
	struct world *w = *state;

	forget(w);
	w->polls_left = 4;
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	assert_non_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_int_equal(w->polls_left, 0);
	assert_int_equal(w->certified, 1);
	assert_int_equal(w->confirmed, 1);
	OSSL_CMP_CTX_free(ctx);
}

static void
polling_ends_with_a_denial(void **state)
{
	struct world *w = *state;
	int after;

	forget(w);
	w->polls_left = 2;
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), -1);
	w->deny = true;
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), 0);
	assert_status(ctx, "[A-403]");
	OSSL_CMP_CTX_free(ctx);
}

static void
wrong_secret_and_reference_look_alike(void **state)
{
	struct world *w = *state;
	static const char *const pairs[][2] = {{REFERENCE, "guess"}, {"other", SECRET}};

	for (size_t i = 0; i < 2; i++) {
		forget(w);
		OSSL_CMP_CTX *ctx = client(w);
		with_secret(ctx, pairs[i][0], pairs[i][1]);
		assert_null(OSSL_CMP_exec_IR_ses(ctx));
		assert_int_equal(w->certified, 0);
		OSSL_CMP_CTX_free(ctx);
	}
	/* To who can check the signature of the answer it says why. */
	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	X509 *stranger = issue(w->f, w->f->requester, when_now());
	with_certificate(w, ctx, stranger);
	w->sender = NULL;
	assert_null(OSSL_CMP_exec_CR_ses(ctx));
	assert_status(ctx, "[A-401]");
	assert_int_equal(w->certified, 0);
	X509_free(stranger);
	OSSL_CMP_CTX_free(ctx);
}

static void
other_names_are_denied(void **state)
{
	struct world *w = *state;
	X509_NAME *name = X509_NAME_new();

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"other.obmen.local", -1, -1, 0);
	OSSL_CMP_CTX_set1_subjectName(ctx, name);
	assert_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_status(ctx, "[A-306]");
	assert_int_equal(w->certified, 0);
	X509_NAME_free(name);
	OSSL_CMP_CTX_free(ctx);
}

static void
weak_keys_are_denied(void **state)
{
	struct world *w = *state;

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	OSSL_CMP_CTX_set0_newPkey(ctx, 1, EVP_RSA_gen(1024));
	assert_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_status(ctx, "[A-303]");
	OSSL_CMP_CTX_free(ctx);
}

static void
possession_must_be_proved(void **state)
{
	struct world *w = *state;

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_POPO_METHOD, -1 /* none */);
	assert_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_int_equal(w->certified, 0);
	OSSL_CMP_CTX_free(ctx);
}

static void
pkcs10_in_cmp(void **state)
{
	struct world *w = *state;
	X509_REQ *req = X509_REQ_new();
	X509_NAME *name = X509_NAME_new();

	forget(w);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)TEST_NAME, -1, -1, 0);
	X509_REQ_set_subject_name(req, name);
	X509_REQ_set_pubkey(req, w->f->requester);
	assert_true(X509_REQ_sign(req, w->f->requester, EVP_sha256()) > 0);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	assert_true(OSSL_CMP_CTX_set1_p10CSR(ctx, req));
	w->polls_left = 2;
	assert_non_null(OSSL_CMP_exec_P10CR_ses(ctx));
	assert_int_equal(w->certified, 1);
	assert_int_equal(w->confirmed, 1);
	X509_NAME_free(name);
	X509_REQ_free(req);
	OSSL_CMP_CTX_free(ctx);
}

static void
renewal_is_signed_by_the_old_certificate(void **state)
{
	struct world *w = *state;
	X509 *old = issue(w->f, w->f->requester, when_now());

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_certificate(w, ctx, old);
	OSSL_CMP_CTX_set1_subjectName(ctx, NULL);
	OSSL_CMP_CTX_set1_oldCert(ctx, old);
	OSSL_CMP_CTX_set0_newPkey(ctx, 1, EVP_RSA_gen(2048));
	w->polls_left = 2;
	X509 *x = OSSL_CMP_exec_KUR_ses(ctx);
	if (!x)
		ERR_print_errors_fp(stderr);
	assert_non_null(x);
	assert_int_equal(w->certified, 1);
	assert_int_equal(w->confirmed, 1);
	/* signed by somebody else's */
	X509 *other = issue(w->f, w->f->ca.key, when_now());
	w->sender = other;
	OSSL_CMP_CTX_reinit(ctx);
	OSSL_CMP_CTX_set1_transactionID(ctx, NULL);
	OSSL_CMP_CTX_set1_senderNonce(ctx, NULL);
	assert_null(OSSL_CMP_exec_KUR_ses(ctx));
	assert_int_equal(w->certified, 1);
	X509_free(other);
	X509_free(old);
	OSSL_CMP_CTX_free(ctx);
}

static void
revocation_names_serial_and_reason(void **state)
{
	struct world *w = *state;
	X509 *own = issue(w->f, w->f->requester, when_now());

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_certificate(w, ctx, own);
	OSSL_CMP_CTX_set1_oldCert(ctx, own);
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_REVOCATION_REASON, CRL_REASON_SUPERSEDED);
	assert_int_equal(OSSL_CMP_exec_RR_ses(ctx), 1);
	assert_int_equal(w->revoked, 1);
	assert_int_equal(w->reason, CRL_REASON_SUPERSEDED);
	X509_free(own);
	OSSL_CMP_CTX_free(ctx);
}

/* A client that does not want what it got says so, in certConf. */
static int
unwanted(OSSL_CMP_CTX *ctx, X509 *x, int fail, const char **text)
{
	(void)ctx, (void)x, (void)fail;
	*text = "not this one";
	return 1 << OSSL_CMP_PKIFAILUREINFO_incorrectData;
}

static void
rejected_certificates_are_noticed(void **state)
{
	struct world *w = *state;

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	OSSL_CMP_CTX_set_certConf_cb(ctx, unwanted);
	OSSL_CMP_exec_IR_ses(ctx);
	assert_int_equal(w->certified, 1);
	assert_int_equal(w->confirmed, 0);
	assert_int_equal(w->rejected, 1);
	OSSL_CMP_CTX_free(ctx);
}

/* The messages of a good transaction, cut and with bits turned: nothing is certified that was not. */
static void
damaged_messages_certify_nothing(void **state)
{
	struct world *w = *state;

	forget(w);
	OSSL_CMP_CTX *ctx = client(w);
	with_secret(ctx, REFERENCE, SECRET);
	assert_non_null(OSSL_CMP_exec_IR_ses(ctx));
	OSSL_CMP_CTX_free(ctx);
	struct buf whole = {0}, answer = {0};
	buf_add(&whole, w->first.data, w->first.len);
	w->certified = 0;
	for (size_t i = 0; i < whole.len; i += 3) {
		whole.data[i] ^= (uint8_t)(1 << i % 8);
		buf_reset(&answer);
		serve(w, (struct cmp_bytes){whole.data, whole.len}, &answer);
		whole.data[i] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t cut = 0; cut < whole.len; cut += 5) {
		buf_reset(&answer);
		serve(w, (struct cmp_bytes){whole.data, cut}, &answer);
	}
	assert_int_equal(w->certified, 0);
	buf_free(&whole);
	buf_free(&answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_certificate_with_a_secret),
		cmocka_unit_test(implicit_confirmation_is_granted),
		cmocka_unit_test(polls_until_somebody_decides),
		cmocka_unit_test(polling_ends_with_a_denial),
		cmocka_unit_test(wrong_secret_and_reference_look_alike),
		cmocka_unit_test(other_names_are_denied),
		cmocka_unit_test(weak_keys_are_denied),
		cmocka_unit_test(possession_must_be_proved),
		cmocka_unit_test(pkcs10_in_cmp),
		cmocka_unit_test(renewal_is_signed_by_the_old_certificate),
		cmocka_unit_test(revocation_names_serial_and_reason),
		cmocka_unit_test(rejected_certificates_are_noticed),
		cmocka_unit_test(damaged_messages_certify_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
