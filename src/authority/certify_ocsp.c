/* OCSP (RFC 6960, the profile of RFC 5019): requests of strangers, answers of a delegated responder. */
#include "authority/certify.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <string.h>

#include "lib/log.h"

static bool
same_octets(const ASN1_OCTET_STRING *a, const ASN1_OCTET_STRING *b)
{
	return a && b && ASN1_OCTET_STRING_cmp(a, b) == 0;
}

/* The issuer as ca would be named with the same digest. */
static bool
issuer_is(OCSP_CERTID *id, X509 *ca, int *digest)
{
	ASN1_OBJECT *object = NULL;
	ASN1_OCTET_STRING *name = NULL, *key = NULL, *own_name = NULL, *own_key = NULL;

	OCSP_id_get0_info(&name, &object, &key, NULL, id);
	*digest = OBJ_obj2nid(object);
	const EVP_MD *md = EVP_get_digestbynid(*digest);
	OCSP_CERTID *own = md ? OCSP_cert_id_new(md, X509_get_subject_name(ca),
	                            X509_get0_pubkey_bitstr(ca), X509_get0_serialNumber(ca))
			      : NULL;
	if (own)
		OCSP_id_get0_info(&own_name, NULL, &own_key, NULL, own);
	bool same = same_octets(name, own_name) && same_octets(key, own_key);
	OCSP_CERTID_free(own);
	return same;
}

static int
read_item(OCSP_CERTID *id, X509 *ca, struct certify_ocsp_item *item)
{
	ASN1_INTEGER *serial = NULL;

	if (!issuer_is(id, ca, &item->digest))
		return OCSP_RESPONSE_STATUS_UNAUTHORIZED;
	OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
	int len = serial ? ASN1_STRING_length(serial) : 0;
	if (len < 1 || len > CERTIFY_SERIAL_MAX || ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		return OCSP_RESPONSE_STATUS_MALFORMEDREQUEST;
	memcpy(item->serial, ASN1_STRING_get0_data(serial), (size_t)len);
	item->serial_len = (size_t)len;
	item->state = CERTIFY_UNKNOWN;
	return OCSP_RESPONSE_STATUS_SUCCESSFUL;
}

static int
read_nonce(OCSP_REQUEST *req, struct certify_ocsp *o)
{
	int at = OCSP_REQUEST_get_ext_by_NID(req, NID_id_pkix_OCSP_Nonce, -1);

	if (at < 0)
		return OCSP_RESPONSE_STATUS_SUCCESSFUL;
	/* The extension's value is the octets of the OCTET STRING in it, tag and length included. */
	ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(OCSP_REQUEST_get_ext(req, at));
	const uint8_t *der = ASN1_STRING_get0_data(value);
	ASN1_OCTET_STRING *nonce = d2i_ASN1_OCTET_STRING(NULL, &der, ASN1_STRING_length(value));
	int len = nonce ? ASN1_STRING_length(nonce) : -1;
	bool good = len > 0 && len <= CERTIFY_OCSP_NONCE;
	if (good) {
		memcpy(o->nonce, ASN1_STRING_get0_data(nonce), (size_t)len);
		o->nonce_len = (size_t)len;
	}
	ASN1_OCTET_STRING_free(nonce);
	return good ? OCSP_RESPONSE_STATUS_SUCCESSFUL : OCSP_RESPONSE_STATUS_MALFORMEDREQUEST;
}

int
certify_ocsp_read(const void *der, size_t len, X509 *ca, struct certify_ocsp *o)
{
	const uint8_t *at = der;
	OCSP_REQUEST *req = len <= CERTIFY_OCSP_MAX ? d2i_OCSP_REQUEST(NULL, &at, (long)len) : NULL;
	int n = req ? OCSP_request_onereq_count(req) : 0;
	int status = OCSP_RESPONSE_STATUS_SUCCESSFUL;

	*o = (struct certify_ocsp){.count = 0};
	if (n < 1 || n > CERTIFY_OCSP_ITEMS || at != (const uint8_t *)der + len)
		status = OCSP_RESPONSE_STATUS_MALFORMEDREQUEST;
	for (int i = 0; status == OCSP_RESPONSE_STATUS_SUCCESSFUL && i < n; i++) {
		OCSP_CERTID *id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(req, i));
		status = read_item(id, ca, &o->items[o->count++]);
	}
	if (status == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		status = read_nonce(req, o);
	OCSP_REQUEST_free(req);
	ERR_clear_error();
	return status;
}

static OCSP_CERTID *
make_id(const struct certify_ocsp_item *item, const X509 *ca)
{
	const EVP_MD *md = EVP_get_digestbynid(item->digest);
	BIGNUM *n = BN_bin2bn(item->serial, (int)item->serial_len, NULL);
	ASN1_INTEGER *serial = n ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	OCSP_CERTID *id = md && serial ? OCSP_cert_id_new(md, X509_get_subject_name(ca),
	                                     X509_get0_pubkey_bitstr(ca), serial)
				       : NULL;

	ASN1_INTEGER_free(serial);
	BN_free(n);
	return id;
}

static ASN1_TIME *
moment(when w)
{
	return ASN1_TIME_adj(NULL, (time_t)(w / WHEN_SECOND), 0, 0);
}

static bool
add_item(OCSP_BASICRESP *basic, const struct certify_ocsp_item *item, const X509 *ca, when from,
    when until)
{
	static const int states[] = {[CERTIFY_GOOD] = V_OCSP_CERTSTATUS_GOOD,
	    [CERTIFY_REVOKED] = V_OCSP_CERTSTATUS_REVOKED, [CERTIFY_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN};
	OCSP_CERTID *id = make_id(item, ca);
	bool revoked = item->state == CERTIFY_REVOKED;
	ASN1_TIME *at = revoked ? moment(item->revoked_at) : NULL;
	ASN1_TIME *this = moment(from), *next = moment(until);
	int reason = item->reason == CRL_REASON_UNSPECIFIED ? OCSP_REVOKED_STATUS_NOSTATUS : item->reason;
	bool ok = id && this && next && (at || !revoked) &&
	    OCSP_basic_add1_status(basic, id, states[item->state], reason, at, this, next);

	ASN1_TIME_free(next);
	ASN1_TIME_free(this);
	ASN1_TIME_free(at);
	OCSP_CERTID_free(id);
	return ok;
}

static bool
write_response(int status, OCSP_BASICRESP *basic, struct buf *der)
{
	OCSP_RESPONSE *response = OCSP_response_create(status, basic);
	uint8_t *bytes = NULL;
	int len = response ? i2d_OCSP_RESPONSE(response, &bytes) : 0;
	bool ok = len > 0 && buf_add(der, bytes, (size_t)len);

	OPENSSL_free(bytes);
	OCSP_RESPONSE_free(response);
	return ok;
}

bool
certify_ocsp_answer(const struct certify_ocsp *o, X509 *ca, const struct certify_signer *signer, when from,
    when until, struct buf *der)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	uint8_t nonce[CERTIFY_OCSP_NONCE];
	bool ok = basic;

	for (size_t i = 0; ok && i < o->count; i++)
		ok = add_item(basic, &o->items[i], ca, from, until);
	memcpy(nonce, o->nonce, sizeof nonce);
	if (ok && o->nonce_len)
		ok = OCSP_basic_add1_nonce(basic, nonce, (int)o->nonce_len);
	ok = ok && OCSP_basic_sign(basic, signer->certificate, signer->key, EVP_sha256(), NULL, 0) &&
	    write_response(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic, der);
	if (!ok)
		log_error("ca.ocsp", "reason=\"%s\"", ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
	OCSP_BASICRESP_free(basic);
	return ok;
}

bool
certify_ocsp_refusal(int status, struct buf *der)
{
	return write_response(status, NULL, der);
}
