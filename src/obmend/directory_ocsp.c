/* OCSP (RFC 6960): the serials that the register shows are asked about in batches. Only a verified
 * "revoked" counts; "good" takes an earlier one back, anything else changes nothing. */
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"
#include "obmend/directory_trust.h"

#define FILE_NAME "ocsp" /* struct revocation, as many as there are */
#define ANSWER_MAX ((size_t)256 << 10)
#define CLOCK_SKEW 300 /* seconds */
#define REVOKED_MAX 65536

static void
failed(struct ocsp_state *o, const char *detail)
{
	o->failures++;
	snprintf(o->trouble, sizeof o->trouble, "%s", detail);
	log_warning("trust.ocsp-failed", "reason=\"%s\"", detail);
}

static bool
add_question(OCSP_REQUEST *request, const X509 *ca, const char *serial)
{
	BIGNUM *n = NULL;
	bool ok = *serial && BN_hex2bn(&n, serial) == (int)strlen(serial);
	ASN1_INTEGER *number = ok ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	OCSP_CERTID *id = number ? OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(ca),
	    X509_get0_pubkey_bitstr(ca), number) : NULL;

	BN_free(n);
	ASN1_INTEGER_free(number);
	if (id && OCSP_request_add0_id(request, id))
		return true;
	OCSP_CERTID_free(id);
	return false;
}

/* The next batch; NULL when all were asked about. */
static OCSP_REQUEST *
next_request(struct directory *d)
{
	struct ocsp_state *o = &d->keeper.ocsp;
	const struct snapshot *s = d->current.snapshot;
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	unsigned n = 0;

	while (request && s && n == 0 && o->authority < sk_X509_num(d->keeper.authorities)) {
		const X509 *ca = sk_X509_value(d->keeper.authorities, o->authority);
		for (; o->next < snapshot_count(s) && n < TRUST_OCSP_BATCH; o->next++) {
			struct participant p;
			snapshot_at(s, o->next, &p);
			n += add_question(request, ca, p.certificate_serial);
		}
		if (n == 0) {
			o->authority++;
			o->next = 0;
		}
	}
	if (n > 0)
		return request;
	OCSP_REQUEST_free(request);
	return NULL;
}

static void
note(struct ocsp_state *o, const uint8_t key[32], bool revoked, when at)
{
	size_t i = 0;

	while (i < o->revoked_count && memcmp(o->revoked[i].key, key, 32) != 0)
		i++;
	if (!revoked && i < o->revoked_count) {
		o->revoked[i] = o->revoked[--o->revoked_count];
	} else if (revoked && i == o->revoked_count && i < REVOKED_MAX) {
		struct revocation *bigger = realloc(o->revoked, (i + 1) * sizeof *bigger);
		if (!bigger)
			return;
		o->revoked = bigger;
		memcpy(bigger[i].key, key, 32);
		bigger[i].at = at;
		o->revoked_count++;
	}
}

static void
read_one(struct ocsp_state *o, OCSP_BASICRESP *answer, OCSP_CERTID *id, const X509 *ca)
{
	ASN1_GENERALIZEDTIME *at = NULL, *from = NULL, *until = NULL;
	ASN1_INTEGER *serial;
	int status, reason;
	uint8_t key[32];
	struct tm tm;

	if (!OCSP_resp_find_status(answer, id, &status, &reason, &at, &from, &until) ||
	    !OCSP_check_validity(from, until, CLOCK_SKEW, -1) ||
	    !OCSP_id_get0_info(NULL, NULL, NULL, &serial, id) ||
	    !revocation_key(X509_get_subject_name(ca), serial, key) ||
	    (status != V_OCSP_CERTSTATUS_GOOD && status != V_OCSP_CERTSTATUS_REVOKED)) {
		o->unknown++;
		return;
	}
	o->good += status == V_OCSP_CERTSTATUS_GOOD;
	when moment = at && ASN1_TIME_to_tm(at, &tm) ? (when)timegm(&tm) * WHEN_SECOND : 0;
	note(o, key, status == V_OCSP_CERTSTATUS_REVOKED, moment);
}

/* NULL, or why the answer does not count. */
static const char *
read_answer(struct directory *d, const uint8_t *data, size_t len)
{
	struct keeper *k = &d->keeper;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &data, (long)len);
	OCSP_BASICRESP *basic = NULL;
	const char *why = NULL;

	if (!response)
		why = "not an OCSP answer";
	else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		why = OCSP_response_status_str(OCSP_response_status(response));
	else if (!(basic = OCSP_response_get1_basic(response)))
		why = "no basic OCSP answer";
	else if (OCSP_basic_verify(basic, k->authorities, k->store, 0) != 1)
		why = "signed by nobody that the CA trusts";
	for (int i = 0; !why && i < OCSP_request_onereq_count(k->ocsp.request); i++)
		read_one(&k->ocsp, basic, OCSP_onereq_get0_id(OCSP_request_onereq_get0(k->ocsp.request, i)),
		    sk_X509_value(k->authorities, k->ocsp.authority));
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return why;
}

static void ask_next(struct directory *);

static void
on_answer(void *arg, const struct http_result *r)
{
	struct directory *d = arg;
	struct ocsp_state *o = &d->keeper.ocsp;
	const char *why = r->stage != HTTP_ANSWERED ? r->detail : r->status != 200 ? "HTTP status" : NULL;

	o->call = NULL;
	if (!why)
		why = read_answer(d, r->body, r->body_len);
	OCSP_REQUEST_free(o->request);
	o->request = NULL;
	if (why) {
		failed(o, why); /* the rest is asked about next time */
		return;
	}
	o->answered = when_now();
	o->trouble[0] = 0;
	ask_next(d);
}

static void
ask_next(struct directory *d)
{
	struct ocsp_state *o = &d->keeper.ocsp;
	unsigned char *der = NULL;
	const char *why = "out of memory";

	o->request = next_request(d);
	if (!o->request) { /* all of them */
		keeper_save(d, FILE_NAME, o->revoked, o->revoked_count * sizeof *o->revoked);
		keeper_changed(d);
		return;
	}
	int len = i2d_OCSP_REQUEST(o->request, &der);
	const struct http_request request = {.url = d->conf->ocsp_url,
	    .content_type = "application/ocsp-request", .body = der, .body_fd = -1,
	    .body_size = len > 0 ? (uint64_t)len : 0, .answer_max = ANSWER_MAX, .answer_fd = -1};
	o->call = len > 0 ? http_call_new(d->http, &request, on_answer, d, &why) : NULL;
	OPENSSL_free(der);
	if (o->call)
		return;
	failed(o, why);
	OCSP_REQUEST_free(o->request);
	o->request = NULL;
}

void
ocsp_begin(struct directory *d)
{
	struct ocsp_state *o = &d->keeper.ocsp;

	if (!d->conf->ocsp_url || !*d->conf->ocsp_url || o->call)
		return;
	o->authority = 0;
	o->next = 0;
	o->good = o->unknown = 0;
	ask_next(d);
}

void
ocsp_load(struct directory *d)
{
	struct ocsp_state *o = &d->keeper.ocsp;
	int fd = openat(d->dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size % (off_t)sizeof *o->revoked == 0 &&
	    st.st_size / (off_t)sizeof *o->revoked <= REVOKED_MAX)
		o->revoked = malloc((size_t)st.st_size);
	if (o->revoked && read(fd, o->revoked, (size_t)st.st_size) == st.st_size)
		o->revoked_count = (size_t)st.st_size / sizeof *o->revoked;
	close(fd);
}

json_t *
ocsp_status(const struct directory *d)
{
	const struct ocsp_state *o = &d->keeper.ocsp;
	json_t *j = json_pack("{s:I, s:I, s:I, s:I, s:s}", "good", (json_int_t)o->good, "unknown",
	    (json_int_t)o->unknown, "revoked", (json_int_t)o->revoked_count, "failures",
	    (json_int_t)o->failures, "trouble", o->trouble);

	if (o->answered != WHEN_NONE)
		json_object_set_new(j, "age_seconds",
		    json_integer((when_now() - o->answered) / WHEN_SECOND));
	return j;
}

void
ocsp_free(struct keeper *k)
{
	if (k->ocsp.call)
		http_call_cancel(k->ocsp.call);
	OCSP_REQUEST_free(k->ocsp.request);
	free(k->ocsp.revoked);
}
