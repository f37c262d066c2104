/* OCSP, lists, the CA's certificate; requests and foreign certificates that people bring. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <string.h>

#include "authority/ra_internal.h"

#define OCSP_TYPE "application/ocsp-response"

static void
end_ocsp(struct ra_job *job, int status)
{
	struct buf der = {0};

	if (certify_ocsp_refusal(status, &der))
		ra_end(job, 200, OCSP_TYPE, der.data, der.len);
	else
		ra_end(job, 500, "text/plain", "", 0);
	buf_free(&der);
}

/* {der} from the ledger, as it comes. */
static void
end_der(struct ra_job *job, const json_t *answer, const char *type)
{
	struct buf der = {0};

	if (json_get_base64(answer, "der", &der))
		ra_end(job, 200, type, der.data, der.len);
	else
		ra_end(job, 503, "text/plain", "", 0);
	buf_free(&der);
}

static void
on_ocsp(struct ra_job *job, const json_t *answer)
{
	if (json_is_true(json_object_get(answer, "ok")))
		end_der(job, answer, OCSP_TYPE);
	else
		end_ocsp(job, OCSP_RESPONSE_STATUS_TRYLATER);
}

static void
on_ocsp_ca(struct ra_job *job, const json_t *answer)
{
	struct certify_ocsp o;
	json_t *items = json_array();
	int status = OCSP_RESPONSE_STATUS_TRYLATER;

	job->ca = ra_certificate(json_object_get(answer, "ca"));
	if (job->ca)
		status = certify_ocsp_read(job->message.data, job->message.len, job->ca, &o);
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		json_decref(items);
		end_ocsp(job, status);
		return;
	}
	for (size_t i = 0; i < o.count; i++)
		json_array_append_new(items, json_pack("{s:i, s:o}", "digest", o.items[i].digest, "serial",
		    json_hex(o.items[i].serial, o.items[i].serial_len)));
	ra_ask(job, json_pack("{s:s, s:o, s:o}", "verb", "ocsp", "items", items, "nonce",
	    json_hex(o.nonce, o.nonce_len)), on_ocsp);
}

void
ra_ocsp(struct ra_job *job)
{
	ra_ask(job, json_pack("{s:s}", "verb", "ca-certificates"), on_ocsp_ca);
}

static void
on_crl(struct ra_job *job, const json_t *answer)
{
	end_der(job, answer, "application/pkix-crl");
}

void
ra_crl(struct ra_job *job)
{
	ra_ask(job, json_pack("{s:s}", "verb", "crl-show"), on_crl);
}

static void
on_ca(struct ra_job *job, const json_t *answer)
{
	end_der(job, json_object_get(answer, "ca"), "application/pkix-cert");
}

void
ra_ca(struct ra_job *job)
{
	ra_ask(job, json_pack("{s:s}", "verb", "ca-certificates"), on_ca);
}

/* -- what people bring */

static void
pass_on(struct ra_job *job, const json_t *answer)
{
	if (answer)
		ra_reply(job, json_deep_copy(answer));
	else
		ra_refuse(job, FAULT_INTERNAL, NULL);
}

static json_t *
checked(const struct certify_request *r)
{
	json_t *q = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "verb", "certificate-request", "name", r->name,
	    "eik", r->eik, "key", json_base64(r->key, r->key_len), "key_id", json_hex(r->key_id, 32),
	    "ignored", r->ignored);

	return q;
}

static void
copy_member(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);

	if (value)
		json_object_set(to, key, value);
}

void
ra_submit(struct ra_job *job, const json_t *query)
{
	static const char *const kept[] = {"actor", "guid", "via", "reason"};
	struct certify_request r;
	char detail[CERTIFY_DETAIL] = "base64";
	enum fault f = FAULT_CSR_MALFORMED;

	if (json_get_base64(query, "csr", &job->message))
		f = certify_read_csr(job->message.data, job->message.len, &r, detail);
	if (f) {
		ra_refuse(job, f, detail);
		return;
	}
	json_t *q = checked(&r);
	for (size_t i = 0; q && i < sizeof kept / sizeof *kept; i++)
		copy_member(q, query, kept[i]);
	ra_ask(job, q, pass_on);
}

static X509 *
read_certificate(const struct buf *b)
{
	const uint8_t *at = b->data;
	X509 *x = b->len && at[0] == 0x30 ? d2i_X509(NULL, &at, (long)b->len) : NULL;

	if (x && at != b->data + b->len) {
		X509_free(x);
		x = NULL;
	}
	if (!x && b->len && b->data[0] != 0x30) {
		BIO *in = BIO_new_mem_buf(b->data, (int)b->len);
		x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
		BIO_free(in);
	}
	ERR_clear_error();
	return x;
}

/* A certificate of another CA (the real exchange has one): its name must be the participant's, which the
 * ledger sees to; who issued it is the officer's responsibility and in the record. */
void
ra_register(struct ra_job *job, const json_t *query)
{
	static const char *const kept[] = {"actor", "guid", "reason"};
	X509 *x = NULL;
	json_t *q = NULL;

	if (json_get_base64(query, "certificate", &job->message) && (x = read_certificate(&job->message)))
		q = json_pack("{s:s, s:o}", "verb", "certificate-record", "certificate", json_certificate(x));
	X509_free(x);
	if (!x) {
		ra_refuse(job, FAULT_CSR_MALFORMED, "X.509");
		return;
	}
	for (size_t i = 0; q && i < sizeof kept / sizeof *kept; i++)
		copy_member(q, query, kept[i]);
	ra_ask(job, q, pass_on);
}
