#include "authority/ca_work.h"

#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "authority/json.h"
#include "lib/cmp_envelope.h"
#include "lib/log.h"

#define SERVICE_BITS  2048
#define SIGNATURE_MAX 1024
#define DAY           ((when)86400 * WHEN_SECOND)
#define SKEW          (300 * WHEN_SECOND) /* clocks of peers that are behind ours */

static bool
make_service(struct ca_work *w, enum certify_service which, when now)
{
	struct certify_signer *s = &w->services[which];
	uint8_t serial[CERTIFY_SERIAL];

	if (!s->key)
		s->key = EVP_RSA_gen(SERVICE_BITS);
	X509 *fresh = s->key && certify_serial(serial)
	    ? certify_service(&w->ca, which, s->key, serial, now - SKEW, CA_SERVICE_DAYS)
	    : NULL;
	if (!fresh)
		return false;
	X509_free(s->certificate);
	s->certificate = fresh;
	return true;
}

bool
ca_work_services(struct ca_work *w, when now)
{
	if (now < w->services_until)
		return true;
	if (!make_service(w, CERTIFY_OCSP, now) || !make_service(w, CERTIFY_CMP, now))
		return false;
	w->services_until = now + CA_SERVICE_DAYS / 2 * DAY;
	return true;
}

void
ca_work_free(struct ca_work *w)
{
	for (size_t i = 0; i < 2; i++) {
		X509_free(w->services[i].certificate);
		EVP_PKEY_free(w->services[i].key);
	}
	X509_free(w->ca.certificate);
	EVP_PKEY_free(w->ca.key);
}

static json_t *
failure(struct ca_work *w, const char *detail)
{
	w->refused++;
	return json_pack("{s:b, s:s}", "ok", 0, "detail", detail);
}

static const char *
optional(const json_t *q, const char *key)
{
	const char *text = json_text(q, key);

	return *text ? text : NULL;
}

static json_t *
answer_services(struct ca_work *w, const json_t *q)
{
	(void)q;
	if (!ca_work_services(w, when_now()))
		return failure(w, "services");
	return json_pack("{s:b, s:o, s:o}", "ok", 1, "ca", json_certificate(w->ca.certificate), "cmp",
	    json_certificate(w->services[CERTIFY_CMP].certificate));
}

static json_t *
answer_issue(struct ca_work *w, const json_t *q)
{
	struct certify_subject subject = {.name = json_text(q, "name"), .eik = json_text(q, "eik"),
	    .organisation = optional(q, "organisation"), .unit = optional(q, "unit"),
	    .place = optional(q, "place"), .email = optional(q, "email")};
	uint8_t serial[CERTIFY_SERIAL];
	struct buf key = {.max = CERTIFY_KEY_MAX + 16};
	X509 *x = NULL;

	if (json_get_base64(q, "key", &key) && certify_serial(serial))
		x = certify_issue(&w->ca, &w->profile, &subject, key.data, key.len, serial,
		    when_now() - SKEW);
	buf_free(&key);
	if (!x)
		return failure(w, "issue");
	w->issued++;
	json_t *c = json_certificate(x);
	X509_free(x);
	return json_pack("{s:b, s:o}", "ok", 1, "certificate", c);
}

static when
moment_of(const json_t *q, const char *key)
{
	return json_integer_value(json_object_get(q, key));
}

static json_t *
signed_bytes(struct ca_work *w, bool done, struct buf *der, const char *what, uint64_t *counter)
{
	json_t *j = done ? json_pack("{s:b, s:o}", "ok", 1, "der", json_base64(der->data, der->len))
			 : failure(w, what);

	*counter += done;
	buf_free(der);
	return j;
}

static json_t *
answer_crl(struct ca_work *w, const json_t *q)
{
	const json_t *list = json_object_get(q, "revoked");
	size_t n = json_array_size(list);
	struct certify_revoked *all = calloc(n + 1, sizeof *all);
	struct buf der = {0};
	bool ok = all;

	for (size_t i = 0; ok && i < n; i++) {
		const json_t *r = json_array_get(list, i);
		all[i] = (struct certify_revoked){.at = moment_of(r, "at"),
		    .reason = certify_reason(json_text(r, "reason"))};
		all[i].serial_len = json_get_hex(r, "serial", all[i].serial, sizeof all[i].serial);
		ok = all[i].serial_len > 0 && all[i].reason >= 0;
	}
	ok = ok && certify_crl(&w->ca, (uint64_t)json_integer_value(json_object_get(q, "number")),
	               moment_of(q, "from"), moment_of(q, "until"), all, n, &der);
	free(all);
	return signed_bytes(w, ok, &der, "crl", &w->lists);
}

static bool
read_item(const json_t *j, struct certify_ocsp_item *item)
{
	static const char *const states[] = {[CERTIFY_GOOD] = "good", [CERTIFY_REVOKED] = "revoked",
	    [CERTIFY_UNKNOWN] = "unknown"};
	size_t state = 0;

	while (state < 3 && strcmp(states[state], json_text(j, "state")) != 0)
		state++;
	item->digest = (int)json_integer_value(json_object_get(j, "digest"));
	item->serial_len = json_get_hex(j, "serial", item->serial, sizeof item->serial);
	item->state = (enum certify_state)state;
	item->revoked_at = moment_of(j, "at");
	item->reason = certify_reason(json_text(j, "reason"));
	if (item->reason < 0)
		item->reason = 0;
	return state < 3 && item->serial_len > 0;
}

static json_t *
answer_ocsp(struct ca_work *w, const json_t *q)
{
	const json_t *list = json_object_get(q, "items");
	struct certify_ocsp o = {.count = json_array_size(list)};
	struct buf der = {0};
	bool ok = o.count > 0 && o.count <= CERTIFY_OCSP_ITEMS && ca_work_services(w, when_now());

	for (size_t i = 0; ok && i < o.count; i++)
		ok = read_item(json_array_get(list, i), &o.items[i]);
	o.nonce_len = json_get_hex(q, "nonce", o.nonce, sizeof o.nonce);
	ok = ok && certify_ocsp_answer(&o, w->ca.certificate, &w->services[CERTIFY_OCSP],
	               moment_of(q, "from"), moment_of(q, "until"), &der);
	return signed_bytes(w, ok, &der, "ocsp", &w->answers);
}

json_t *
ca_work_answer(struct ca_work *w, const json_t *query)
{
	static const struct {
		const char *verb;
		json_t *(*answer)(struct ca_work *, const json_t *);
	} rows[] = {
		{"services", answer_services},
		{"issue", answer_issue},
		{"crl", answer_crl},
		{"ocsp", answer_ocsp},
	};

	for (size_t i = 0; w->ca.key && i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].verb, json_text(query, "verb")) == 0)
			return rows[i].answer(w, query);
	}
	return failure(w, "verb");
}

size_t
ca_work_protect(struct ca_work *w, const uint8_t *tbs, size_t len, uint8_t *out)
{
	static const uint64_t sent = 1u << CMP_IP | 1u << CMP_CP | 1u << CMP_KUP | 1u << CMP_RP |
	    1u << CMP_PKICONF | 1u << CMP_ERROR | 1u << CMP_POLLREP;
	struct cmp_envelope e;
	size_t n = SIGNATURE_MAX;
	EVP_MD_CTX *ctx = NULL;
	/* Header and body are a message without its optional parts. */
	bool ok = cmp_envelope_read(tbs, len, &e) && e.unprotected && e.body < 64 && sent >> e.body & 1;

	ok = ok && (ctx = EVP_MD_CTX_new()) &&
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, w->services[CERTIFY_CMP].key) > 0 &&
	    EVP_DigestSign(ctx, out, &n, tbs, len) > 0;
	EVP_MD_CTX_free(ctx);
	cmp_envelope_free(&e);
	if (!ok)
		w->refused++;
	return ok ? n : 0;
}
