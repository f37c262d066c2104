/* ra, the ledger's certificates and ca in one process, with a real database: everything between an HTTP
 * request and its answer but the sockets. */
#include "authority_fixture.h"

#include <openssl/cmp.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "authority/ca_work.h"
#include "authority/certificates.h"
#include "authority/json.h"
#include "authority/ra_job.h"

#define GUID "{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}"

struct world {
	struct authority_fixture *f;
	sqlite3 *db;
	struct certificates c;
	struct ca_work ca;
	struct ra_site site;
	/* one question of ra's under way */
	struct ra_job *asking;
	json_t *question;
	/* what became of the last job */
	int status;
	struct buf body;
	json_t *reply;
	char serial[64]; /* in the register */
	bool ca_silent;
	char last_history[64];
};

/* -- the ledger around it */

static json_t *
participant(void *arg, const char *guid)
{
	struct world *w = arg;

	if (strcmp(guid, GUID) != 0)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "guid", GUID, "name", "Примерна агенция", "eik",
	    TEST_EIK, "host", TEST_NAME, "place", "София", "email", "a@example.invalid", "certificate_serial",
	    w->serial);
}

static bool
set_serial(void *arg, const char *guid, const char *serial, const char *by)
{
	struct world *w = arg;

	(void)guid, (void)by;
	snprintf(w->serial, sizeof w->serial, "%s", serial);
	return true;
}

static bool
history(void *arg, const char *by, const char *verb, const char *guid, const json_t *before, const json_t *after,
    const char *reason)
{
	struct world *w = arg;

	(void)by, (void)guid, (void)before, (void)after, (void)reason;
	assert_false(sqlite3_get_autocommit(w->db)); /* in the transaction of the change */
	snprintf(w->last_history, sizeof w->last_history, "%s", verb);
	return true;
}

static bool
ask_ca(void *arg, json_t *query, int64_t context)
{
	struct world *w = arg;

	assert_true(sqlite3_get_autocommit(w->db)); /* nothing is made of what may be undone */
	if (!w->ca_silent) {
		json_t *answer = ca_work_answer(&w->ca, query);
		certificates_from_ca(&w->c, context, answer, when_now());
		json_decref(answer);
	}
	json_decref(query);
	return !w->ca_silent;
}

/* -- around ra */

static void
ask(void *arg, struct ra_job *job, json_t *query)
{
	struct world *w = arg;

	assert_null(w->question);
	w->asking = job;
	w->question = json_incref(query);
}

static void
respond(void *arg, struct ra_job *job, int status, const char *type, const void *data, size_t len)
{
	struct world *w = arg;

	(void)job, (void)type;
	w->status = status;
	buf_reset(&w->body);
	buf_add(&w->body, data, len);
}

static void
reply(void *arg, struct ra_job *job, json_t *answer)
{
	struct world *w = arg;

	(void)job;
	w->status = 200;
	json_decref(w->reply);
	w->reply = json_incref(answer);
}

/* Our key is at hand here; in the daemon the signature is made by ca, after ca_work_protect's check. */
static EVP_PKEY *
protection_key(void *arg, X509 *cmp)
{
	struct world *w = arg;

	(void)cmp;
	return w->ca.services[CERTIFY_CMP].key;
}

static json_t *
ledger(struct world *w, const json_t *q)
{
	static const struct {
		const char *verb;
		certificates_verb *run;
	} rows[] = {
		{"cmp-open", certificates_cmp_open}, {"cmp-request", certificates_cmp_request},
		{"cmp-poll", certificates_cmp_poll}, {"cmp-confirm", certificates_cmp_confirm},
		{"cmp-keep", certificates_cmp_keep}, {"cmp-revoke", certificates_cmp_revoke},
		{"certificate-request", certificates_request}, {"certificate-record", certificates_record},
		{"ca-certificates", certificates_ca}, {"crl-show", certificates_crl_show},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(json_text(q, "verb"), rows[i].verb) == 0)
			return rows[i].run(&w->c, "test", q);
	}
	assert_string_equal(json_text(q, "verb"), "ocsp");
	json_t *for_ca = certificates_ocsp(&w->c, q, when_now());
	json_t *answer = ca_work_answer(&w->ca, for_ca);
	json_decref(for_ca);
	return answer;
}

static void
pump(struct world *w)
{
	while (w->question) {
		json_t *q = w->question, *answer = ledger(w, q);
		struct ra_job *job = w->asking;
		w->question = NULL;
		ra_job_answered(job, answer);
		json_decref(answer);
		json_decref(q);
	}
}

static int
http(struct world *w, const char *method, const char *path, const void *body, size_t len)
{
	struct ra_http r = {.method = method, .path = path, .body = body, .len = len};

	w->status = -1;
	assert_true(ra_begin_http(&w->site, &r, NULL));
	pump(w);
	assert_int_not_equal(w->status, -1);
	return w->status;
}

static const json_t *
submit(struct world *w, const char *verb, const char *member, const void *data, size_t len)
{
	json_t *q = json_pack("{s:s, s:s, s:s, s:o}", "verb", verb, "guid", GUID, "via", "upload", member,
	    json_base64(data, len));

	assert_true(ra_begin_query(&w->site, q, NULL));
	pump(w);
	json_decref(q);
	return w->reply;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	w->f = authority_fixture_new();
	char path[128];
	snprintf(path, sizeof path, "%s/ledger.db", w->f->folder);
	assert_int_equal(sqlite3_open(path, &w->db), SQLITE_OK);
	assert_true(certificates_create(w->db));
	X509_up_ref(w->f->ca.certificate);
	EVP_PKEY_up_ref(w->f->ca.key);
	w->ca = (struct ca_work){.ca = w->f->ca, .profile = w->f->profile};
	w->c = (struct certificates){.db = w->db, .participant = participant, .set_serial = set_serial,
	    .history = history, .ask_ca = ask_ca, .arg = w,
	    .policy = {.domain = "obmen.local", .renewal_days = 3660, .crl_interval = 3600,
	        .crl_validity = 86400, .poll_seconds = 0, .reference_approves = true}};
	w->site = (struct ra_site){.ask = ask, .respond = respond, .reply = reply, .key = protection_key, .arg = w};
	certificates_tick(&w->c, when_now());
	save_certificate(w->f, "ca.pem", w->f->ca.certificate);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	certificates_free(&w->c);
	assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
	ca_work_free(&w->ca);
	buf_free(&w->body);
	json_decref(w->reply);
	authority_fixture_free(w->f);
	free(w);
	return 0;
}

/* -- an OpenSSL client whose messages travel through ra */

static OSSL_CMP_MSG *
transfer(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *request)
{
	struct world *w = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);
	uint8_t *der = NULL;
	int len = i2d_OSSL_CMP_MSG(request, &der);

	assert_true(len > 0);
	int status = http(w, "POST", "/.well-known/cmp/initialization", der, (size_t)len);
	OPENSSL_free(der);
	const uint8_t *at = w->body.data;
	return status == 200 ? d2i_OSSL_CMP_MSG(NULL, &at, (long)w->body.len) : NULL;
}

static int
quiet(const char *function, const char *file, int line, OSSL_CMP_severity level, const char *message)
{
	(void)function, (void)file, (void)line, (void)level, (void)message;
	return 1;
}

static OSSL_CMP_CTX *
client(struct world *w, EVP_PKEY *key)
{
	OSSL_CMP_CTX *ctx = OSSL_CMP_CTX_new(NULL, NULL);
	X509_STORE *trusted = X509_STORE_new();
	X509_NAME *name = X509_NAME_new();

	X509_STORE_add_cert(trusted, w->f->ca.certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)TEST_NAME, -1, -1, 0);
	OSSL_CMP_CTX_set_transfer_cb(ctx, transfer);
	OSSL_CMP_CTX_set_transfer_cb_arg(ctx, w);
	OSSL_CMP_CTX_set0_trustedStore(ctx, trusted);
	OSSL_CMP_CTX_set1_subjectName(ctx, name);
	OSSL_CMP_CTX_set1_recipient(ctx, X509_get_subject_name(w->f->ca.certificate));
	EVP_PKEY_up_ref(key);
	OSSL_CMP_CTX_set0_newPkey(ctx, 1, key);
	OSSL_CMP_CTX_set_log_cb(ctx, quiet);
	X509_NAME_free(name);
	return ctx;
}

static void
with_reference(struct world *w, OSSL_CMP_CTX *ctx, char reference[32])
{
	json_t *q = json_pack("{s:s, s:i}", "guid", GUID, "valid_for", 3600);
	json_t *made = certificates_reference_create(&w->c, "officer", q);
	const char *r = json_text(made, "reference"), *s = json_text(made, "secret");

	assert_true(json_is_true(json_object_get(made, "ok")));
	assert_true(strlen(s) == 23);
	OSSL_CMP_CTX_set1_referenceValue(ctx, (const uint8_t *)r, (int)strlen(r));
	OSSL_CMP_CTX_set1_secretValue(ctx, (const uint8_t *)s, (int)strlen(s));
	snprintf(reference, 32, "%s", r);
	json_decref(made);
	json_decref(q);
}

static void
assert_status(OSSL_CMP_CTX *ctx, const char *text)
{
	char status[2 * OSSL_CMP_PKISI_BUFLEN] = "nothing";

	OSSL_CMP_CTX_snprint_PKIStatus(ctx, status, sizeof status);
	if (!strstr(status, text))
		fail_msg("no \"%s\" in \"%s\"", text, status);
}

static int64_t
count(struct world *w, const char *sql)
{
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_prepare_v2(w->db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static json_t *
act(struct world *w, certificates_verb *verb, const char *by, const char *key, json_t *value, const char *reason)
{
	json_t *q = json_pack("{s:o, s:s}", key, value, "reason", reason);
	json_t *answer = verb(&w->c, by, q);

	json_decref(q);
	return answer;
}

static void
assert_fault(json_t *answer, const char *code)
{
	assert_string_equal(json_text(answer, "fault"), code);
	json_decref(answer);
}

/* -- cases */

static EVP_PKEY *
fresh_key(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);

	assert_non_null(key);
	return key;
}

/* Enrols; the caller frees the certificate. */
static X509 *
enrol(struct world *w, EVP_PKEY *key)
{
	char reference[32];
	OSSL_CMP_CTX *ctx = client(w, key);

	with_reference(w, ctx, reference);
	X509 *x = OSSL_CMP_exec_IR_ses(ctx);
	if (!x) {
		assert_status(ctx, "nothing so far");
		ERR_print_errors_fp(stderr);
	}
	assert_non_null(x);
	X509_up_ref(x);
	OSSL_CMP_CTX_free(ctx);
	return x;
}

static void
first_certificate_enters_the_register(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key();
	char serial[2 * CERTIFY_SERIAL_MAX + 1];

	w->serial[0] = '\0';
	X509 *x = enrol(w, key);
	certify_serial_text(x, serial);
	assert_string_equal(w->serial, serial);
	assert_string_equal(w->last_history, "cmp-confirm");
	save_certificate(w->f, "x.pem", x);
	assert_says(w->f, "OU = Primerna agentsiya, O = Primerna agentsiya, L = Sofia, ST = B:990000017",
	    "openssl x509 -in x.pem -noout -subject -nameopt oneline | sed s/Sofiya/Sofia/");
	assert_says(w->f, "x.pem: OK", "openssl verify -CAfile ca.pem x.pem");
	/* a second one does not push the first out of the register */
	EVP_PKEY *other = fresh_key();
	X509 *y = enrol(w, other);
	assert_string_equal(w->serial, serial);
	certify_serial_text(y, serial);
	json_decref(act(w, certificates_use, "officer", "serial", json_string(serial), ""));
	assert_string_equal(w->serial, serial);
	X509_free(x);
	X509_free(y);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

static void
reference_is_for_one_key(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key(), *other = fresh_key();
	OSSL_CMP_CTX *ctx = client(w, key);
	char reference[32];

	with_reference(w, ctx, reference);
	/* The answer is lost after the certificate was made: the same key asks again, in a new transaction. */
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_IMPLICIT_CONFIRM, 1);
	X509 *first = X509_dup(OSSL_CMP_exec_IR_ses(ctx));
	assert_non_null(first);
	OSSL_CMP_CTX_reinit(ctx);
	OSSL_CMP_CTX_set1_transactionID(ctx, NULL);
	OSSL_CMP_CTX_set1_senderNonce(ctx, NULL);
	X509 *again = OSSL_CMP_exec_IR_ses(ctx);
	assert_non_null(again);
	assert_int_equal(X509_cmp(first, again), 0);
	/* another key with it */
	OSSL_CMP_CTX_reinit(ctx);
	OSSL_CMP_CTX_set1_transactionID(ctx, NULL);
	OSSL_CMP_CTX_set1_senderNonce(ctx, NULL);
	EVP_PKEY_up_ref(other);
	OSSL_CMP_CTX_set0_newPkey(ctx, 1, other);
	assert_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_status(ctx, "[A-401]");
	X509_free(first);
	OSSL_CMP_CTX_free(ctx);
	/* the same key with another reference */
	ctx = client(w, key);
	with_reference(w, ctx, reference);
	sqlite3_exec(w->db, "UPDATE certificate_request SET via = 'upload'", NULL, NULL, NULL);
	assert_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_status(ctx, "[A-307]");
	sqlite3_exec(w->db, "UPDATE certificate_request SET via = 'cmp'", NULL, NULL, NULL);
	OSSL_CMP_CTX_free(ctx);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

static void
ended_references_open_nothing(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key();
	OSSL_CMP_CTX *ctx = client(w, key);
	char reference[32];

	with_reference(w, ctx, reference);
	sqlite3_exec(w->db, "UPDATE reference SET expires = 1", NULL, NULL, NULL);
	int64_t before = count(w, "SELECT count(*) FROM certificate_request");
	assert_null(OSSL_CMP_exec_IR_ses(ctx));
	assert_int_equal(count(w, "SELECT count(*) FROM certificate_request"), before);
	OSSL_CMP_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void
officers_decide_while_the_client_polls(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key();
	OSSL_CMP_CTX *ctx = client(w, key);
	char reference[32];
	int after;

	w->c.policy.two_person = true;
	with_reference(w, ctx, reference);
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), -1);
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), -1);
	json_int_t id = count(w, "SELECT max(id) FROM certificate_request WHERE state = 'requested'");
	assert_true(id > 0);
	json_decref(act(w, certificates_approve, "Иванов", "id", json_integer(id), ""));
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), -1);
	assert_fault(act(w, certificates_approve, "Иванов", "id", json_integer(id), ""), "A-309");
	/* ca is down when the second one approves: nothing is lost, and the next tick makes it */
	w->ca_silent = true;
	json_decref(act(w, certificates_approve, "Петрова", "id", json_integer(id), ""));
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), -1);
	w->ca_silent = false;
	certificates_tick(&w->c, when_now());
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), 1);
	assert_non_null(OSSL_CMP_CTX_get0_newCert(ctx));
	assert_fault(act(w, certificates_refuse, "Иванов", "id", json_integer(id), "x"), "A-308");
	OSSL_CMP_CTX_free(ctx);
	EVP_PKEY_free(key);
	w->c.policy.two_person = false;
}

static void
refusal_reaches_the_client(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key();
	OSSL_CMP_CTX *ctx = client(w, key);
	char reference[32];
	int after;

	w->c.policy.reference_approves = false;
	with_reference(w, ctx, reference);
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_CR, NULL, &after), -1);
	json_int_t id = count(w, "SELECT max(id) FROM certificate_request WHERE state = 'requested'");
	json_decref(act(w, certificates_refuse, "Иванов", "id", json_integer(id), "no letter came"));
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_CR, NULL, &after), 0);
	assert_status(ctx, "no letter came");
	OSSL_CMP_CTX_free(ctx);
	EVP_PKEY_free(key);
	w->c.policy.reference_approves = true;
}

static OSSL_CMP_CTX *
owner(struct world *w, X509 *x, EVP_PKEY *key, EVP_PKEY *fresh)
{
	OSSL_CMP_CTX *ctx = client(w, fresh);

	OSSL_CMP_CTX_set1_cert(ctx, x);
	OSSL_CMP_CTX_set1_pkey(ctx, key);
	OSSL_CMP_CTX_set1_oldCert(ctx, x);
	return ctx;
}

static void
renewal_overlaps(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key(), *next = fresh_key();
	X509 *x = enrol(w, key);
	char before[64];

	snprintf(before, sizeof before, "%s", w->serial);
	OSSL_CMP_CTX *ctx = owner(w, x, key, next);
	X509 *y = OSSL_CMP_exec_KUR_ses(ctx);
	if (!y)
		assert_status(ctx, "nothing");
	assert_non_null(y);
	/* both are valid, the register still shows the old one */
	assert_string_equal(w->serial, before);
	assert_int_equal(count(w, "SELECT count(*) FROM certificate_request WHERE renewal_of IS NOT NULL AND via = 'cmp'"),
	    1);
	OSSL_CMP_CTX_free(ctx);
	/* too early when policy says so */
	w->c.policy.renewal_days = 30;
	EVP_PKEY *more = fresh_key();
	ctx = owner(w, x, key, more);
	assert_null(OSSL_CMP_exec_KUR_ses(ctx));
	assert_status(ctx, "[A-406]");
	w->c.policy.renewal_days = 3660;
	OSSL_CMP_CTX_free(ctx);
	/* a stranger's certificate of the same CA, never recorded */
	X509 *stranger = issue(w->f, more, when_now());
	ctx = owner(w, stranger, more, next);
	assert_null(OSSL_CMP_exec_KUR_ses(ctx));
	assert_status(ctx, "[A-402]");
	OSSL_CMP_CTX_free(ctx);
	X509_free(stranger);
	X509_free(x);
	EVP_PKEY_free(more);
	EVP_PKEY_free(key);
	EVP_PKEY_free(next);
}

static void
save_body(struct world *w, const char *name)
{
	save(w->f, name, w->body.data, w->body.len);
}

static void
revocation_is_published(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key(), *other = fresh_key();
	X509 *x = enrol(w, key), *y = enrol(w, other);

	save_certificate(w->f, "x.pem", x);
	save_certificate(w->f, "y.pem", y);
	OSSL_CMP_CTX *ctx = owner(w, x, key, key);
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_REVOCATION_REASON, CRL_REASON_KEY_COMPROMISE);
	assert_int_equal(OSSL_CMP_exec_RR_ses(ctx), 1);
	OSSL_CMP_CTX_free(ctx);
	/* revoked certificates sign nothing any more */
	ctx = owner(w, x, key, key);
	OSSL_CMP_CTX_set1_oldCert(ctx, y);
	assert_int_equal(OSSL_CMP_exec_RR_ses(ctx), 0);
	OSSL_CMP_CTX_free(ctx);
	assert_int_equal(http(w, "GET", "/crl", NULL, 0), 200);
	save_body(w, "crl.der");
	judged(w->f, "openssl crl -inform DER -in crl.der -out crl.pem");
	assert_says(w->f, "certificate revoked", "openssl verify -crl_check -CAfile ca.pem -CRLfile crl.pem x.pem");
	assert_says(w->f, "y.pem: OK", "openssl verify -crl_check -CAfile ca.pem -CRLfile crl.pem y.pem");
	assert_says(w->f, "Key Compromise", "openssl crl -in crl.pem -noout -text");
	judged(w->f, "openssl ocsp -issuer ca.pem -cert x.pem -cert y.pem -no_nonce -reqout ask.der");
	uint8_t ask_der[4096];
	char path[128];
	snprintf(path, sizeof path, "%s/ask.der", w->f->folder);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t len = fread(ask_der, 1, sizeof ask_der, file);
	fclose(file);
	assert_int_equal(http(w, "POST", "/ocsp", ask_der, len), 200);
	save_body(w, "ocsp.der");
	const char *said = judged(w->f, "openssl ocsp -issuer ca.pem -CAfile ca.pem -cert x.pem -cert y.pem -no_nonce"
	                                " -respin ocsp.der");
	if (!strstr(said, "verify OK") || !strstr(said, "x.pem: revoked") || !strstr(said, "y.pem: good"))
		fail_msg("%s", said);
	/* the same by GET */
	struct buf url = {0};
	buf_adds(&url, "/ocsp/");
	buf_add_base64(&url, ask_der, len);
	assert_int_equal(http(w, "GET", buf_str(&url), NULL, 0), 200);
	assert_true(w->body.len > 100);
	buf_free(&url);
	X509_free(x);
	X509_free(y);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

/* After a new start of everything but the database, a transaction goes on. */
static void
transactions_outlive_a_new_start(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = fresh_key();
	OSSL_CMP_CTX *ctx = client(w, key);
	char reference[32];
	int after;

	w->c.policy.reference_approves = false;
	with_reference(w, ctx, reference);
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), -1);
	certificates_free(&w->c);
	for (size_t i = 0; i < 2; i++) { /* ca makes new service keys */
		X509_free(w->ca.services[i].certificate);
		EVP_PKEY_free(w->ca.services[i].key);
		w->ca.services[i] = (struct certify_signer){NULL, NULL};
	}
	w->ca.services_until = 0;
	certificates_tick(&w->c, when_now());
	json_int_t id = count(w, "SELECT max(id) FROM certificate_request WHERE state = 'requested'");
	json_decref(act(w, certificates_approve, "Иванов", "id", json_integer(id), ""));
	assert_int_equal(OSSL_CMP_try_certreq(ctx, OSSL_CMP_IR, NULL, &after), 1);
	OSSL_CMP_CTX_free(ctx);
	EVP_PKEY_free(key);
	w->c.policy.reference_approves = true;
}

static void
uploads_and_foreign_certificates(void **state)
{
	struct world *w = *state;
	char pem[8192], path[128];

	judged(w->f, "openssl req -new -nodes -newkey rsa:2048 -keyout u.key -out u.csr -subj /CN=" TEST_NAME);
	snprintf(path, sizeof path, "%s/u.csr", w->f->folder);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t len = fread(pem, 1, sizeof pem, file);
	fclose(file);
	const json_t *r = submit(w, "certificate-submit", "csr", pem, len);
	assert_true(json_is_true(json_object_get(r, "ok")));
	assert_string_equal(json_text(r, "state"), "requested");
	json_int_t id = json_integer_value(json_object_get(r, "id"));
	assert_string_equal(json_text(submit(w, "certificate-submit", "csr", pem, len), "fault"), "A-307");
	json_decref(act(w, certificates_approve, "Иванов", "id", json_integer(id), ""));
	json_t *q = json_pack("{s:I}", "id", id), *shown = certificates_show(&w->c, "x", q);
	const json_t *x = json_object_get(shown, "certificate");
	assert_string_equal(json_text(x, "state"), "issued");
	assert_non_null(strstr(json_text(x, "pem"), "BEGIN CERTIFICATE"));
	assert_string_equal(json_text(x, "key"), "RSA 2048");
	json_decref(shown);
	json_decref(q);
	assert_string_equal(json_text(submit(w, "certificate-submit", "csr", "rubbish", 7), "fault"), "A-301");
	/* another CA's */
	judged(w->f, "openssl req -x509 -nodes -newkey rsa:2048 -keyout e.key -out e.pem -subj /CN=" TEST_NAME);
	snprintf(path, sizeof path, "%s/e.pem", w->f->folder);
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(pem, 1, sizeof pem, file);
	fclose(file);
	r = submit(w, "certificate-register", "certificate", pem, len);
	assert_true(json_is_true(json_object_get(r, "ok")));
	char serial[64];
	snprintf(serial, sizeof serial, "%s", json_text(r, "serial"));
	assert_fault(act(w, certificates_revoke, "x", "serial", json_string(serial), "superseded"), "A-310");
	json_decref(act(w, certificates_use, "officer", "serial", json_string(serial), ""));
	assert_string_equal(w->serial, serial);
	q = json_pack("{s:s}", "state", "issued");
	json_t *list = certificates_list(&w->c, "x", q);
	assert_int_equal(json_integer_value(json_object_get(list, "total")),
	    count(w, "SELECT count(*) FROM certificate WHERE state = 'issued'"));
	json_decref(list);
	json_decref(q);
}

static void
hostile_http_is_refused(void **state)
{
	struct world *w = *state;
	static uint8_t big[CMP_MESSAGE_MAX + 1];

	assert_int_equal(http(w, "GET", "/cmp", NULL, 0), 405);
	assert_int_equal(http(w, "POST", "/cmp", "x", 1), 400);
	assert_int_equal(http(w, "POST", "/cmp", big, sizeof big), 413);
	assert_int_equal(http(w, "POST", "/cmp", big, 1000), 400);
	assert_int_equal(http(w, "POST", "/crl", NULL, 0), 405);
	assert_int_equal(http(w, "GET", "/ca", NULL, 0), 200);
	assert_int_equal(http(w, "GET", "/cmpx", NULL, 0), 404);
	assert_int_equal(http(w, "GET", "/ocsp", NULL, 0), 400);
	assert_int_equal(http(w, "GET", "/ocsp/%zz", NULL, 0), 400);
	assert_int_equal(http(w, "POST", "/ocsp", "x", 1), 200); /* malformedRequest, as OCSP says it */
	assert_int_equal(w->body.len, 5);
}

/* ra may be taken over: what it can have signed is the protection of an authority's answer, nothing that
 * certifies, revokes or asks. */
static void
only_cmp_answers_are_protected(void **state)
{
	struct world *w = *state;
	uint8_t out[1024], *der = NULL;
	EVP_PKEY *key = fresh_key();

	X509 *x = enrol(w, key);
	/* the last answer, pkiConf, as it was protected: header and body without what follows */
	struct cmp_envelope e;
	assert_true(cmp_envelope_read(w->body.data, w->body.len, &e));
	assert_int_equal(e.body, CMP_PKICONF);
	cmp_envelope_free(&e);
	const uint8_t *at = w->body.data;
	long len;
	int tag, class;
	assert_false(ASN1_get_object(&at, &len, &tag, &class, (long)w->body.len) & 0x80);
	const uint8_t *header = at, *end;
	for (int i = 0; i < 2; i++) {
		assert_false(ASN1_get_object(&at, &len, &tag, &class, (long)(w->body.data + w->body.len - at)) & 0x80);
		at += len;
	}
	end = at;
	struct buf part = {0};
	uint8_t head[8], *p = head;
	ASN1_put_object(&p, 1, (int)(end - header), V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
	buf_add(&part, head, (size_t)(p - head));
	buf_add(&part, header, (size_t)(end - header));
	assert_true(ca_work_protect(&w->ca, part.data, part.len, out) > 0);
	/* the whole message has a form of its own */
	assert_int_equal(ca_work_protect(&w->ca, w->body.data, w->body.len, out), 0);
	/* a body that clients send */
	part.data[part.len - 4] = 0xa0; /* pkiConf [19] becomes ir [0] */
	assert_int_equal(ca_work_protect(&w->ca, part.data, part.len, out), 0);
	/* what a CA signs */
	int n = i2d_re_X509_tbs(x, &der);
	assert_true(n > 0);
	assert_int_equal(ca_work_protect(&w->ca, der, (size_t)n, out), 0);
	OPENSSL_free(der);
	assert_int_equal(ca_work_protect(&w->ca, (const uint8_t *)"", 0, out), 0);
	buf_free(&part);
	X509_free(x);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_certificate_enters_the_register),
		cmocka_unit_test(reference_is_for_one_key),
		cmocka_unit_test(ended_references_open_nothing),
		cmocka_unit_test(officers_decide_while_the_client_polls),
		cmocka_unit_test(refusal_reaches_the_client),
		cmocka_unit_test(renewal_overlaps),
		cmocka_unit_test(revocation_is_published),
		cmocka_unit_test(transactions_outlive_a_new_start),
		cmocka_unit_test(uploads_and_foreign_certificates),
		cmocka_unit_test(hostile_http_is_refused),
		cmocka_unit_test(only_cmp_answers_are_protected),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
