/*
 * What strangers send to ra: CMP messages, PKCS#10, OCSP requests, foreign certificates. The ledger is
 * played: it knows the seeds' reference, so that messages whose MAC holds go all the way.
 */
#include "fuzz.h"

#include <openssl/cmp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "authority/json.h"
#include "authority/ra_job.h"
#include "lib/log.h"
#include "lib/when.h"

#define REFERENCE "REFER-ENCE2"
#define SECRET    "SECRE-TTTTT-TTTTT-TTTTT"

static struct {
	struct certify_signer ca, cmp;
	json_t *ca_json, *cmp_json;
	struct ra_job *asking;
	json_t *question;
	unsigned begun, ended;
} w;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint8_t serial[CERTIFY_SERIAL] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	w.ca.key = EVP_RSA_gen(3072);
	w.cmp.key = EVP_RSA_gen(2048);
	w.ca.certificate = certify_root(w.ca.key, "/CN=CA", serial, when_now() - WHEN_SECOND, 100);
	HOLDS(w.ca.certificate);
	w.cmp.certificate = certify_service(&w.ca, CERTIFY_CMP, w.cmp.key, serial, when_now(), 30);
	HOLDS(w.cmp.certificate);
	w.ca_json = json_certificate(w.ca.certificate);
	w.cmp_json = json_certificate(w.cmp.certificate);
	return 0;
}

static void
ask(void *arg, struct ra_job *job, json_t *query)
{
	(void)arg;
	HOLDS(!w.question);
	w.asking = job;
	w.question = json_incref(query);
}

static void
respond(void *arg, struct ra_job *job, int status, const char *type, const void *data, size_t len)
{
	(void)arg, (void)job, (void)data;
	HOLDS(status >= 200 && status < 600 && type && len < (1 << 20));
	w.ended++;
}

static void
reply(void *arg, struct ra_job *job, json_t *answer)
{
	(void)arg, (void)job;
	HOLDS(json_object_get(answer, "ok"));
	w.ended++;
}

static EVP_PKEY *
key(void *arg, X509 *cmp)
{
	(void)arg, (void)cmp;
	return w.cmp.key;
}

static json_t *
open_answer(const json_t *q)
{
	json_t *a = json_pack("{s:b, s:O, s:O, s:b}", "ok", 1, "ca", w.ca_json, "cmp", w.cmp_json, "sender_good", 1);

	if (strcmp(json_text(json_object_get(q, "sender"), "reference"), REFERENCE) == 0)
		json_object_set_new(a, "secret", json_base64(SECRET, strlen(SECRET)));
	return a;
}

static json_t *
answer(const json_t *q)
{
	const char *verb = json_text(q, "verb");

	if (strcmp(verb, "cmp-open") == 0)
		return open_answer(q);
	if (strcmp(verb, "ca-certificates") == 0)
		return json_pack("{s:b, s:O, s:O}", "ok", 1, "ca", w.ca_json, "cmp", w.cmp_json);
	if (strcmp(verb, "cmp-request") == 0) {
		/* What is passed on was checked. */
		HOLDS(*json_text(q, "name") && *json_text(q, "key") && strlen(json_text(q, "key_id")) == 64);
		return json_pack("{s:b, s:s, s:i}", "ok", 1, "verdict", "waiting", "check_after", 1);
	}
	return json_pack("{s:b, s:s}", "ok", 1, "verdict", "granted");
}

static void
pump(void)
{
	while (w.question) {
		json_t *q = w.question, *a = answer(q);
		struct ra_job *job = w.asking;
		w.question = NULL;
		ra_job_answered(job, a);
		json_decref(a);
		json_decref(q);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ra_site site = {.ask = ask, .respond = respond, .reply = reply, .key = key};

	if (size == 0)
		return 0;
	bool http = data[0] == 'c' || data[0] == 'o';
	struct ra_http r = {.method = "POST", .path = data[0] == 'c' ? "/cmp" : "/ocsp", .body = data + 1,
	    .len = size - 1};
	w.begun++;
	if (http) {
		HOLDS(ra_begin_http(&site, &r, NULL));
	} else {
		json_t *q = json_pack("{s:s, s:o}", "verb", data[0] == 'r' ? "certificate-submit" : "certificate-register",
		    data[0] == 'r' ? "csr" : "certificate", json_base64(data + 1, size - 1));
		HOLDS(ra_begin_query(&site, q, NULL));
		json_decref(q);
	}
	pump();
	HOLDS(w.begun == w.ended); /* every question is answered, once */
	return 0;
}
