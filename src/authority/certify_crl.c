/* Lists of revoked certificates. */
#include "authority/certify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "lib/log.h"

/* removeFromCRL is for delta lists and certificateHold, neither of which is ours. */
static const struct {
	const char *name;
	int reason;
} reasons[] = {
	{"unspecified", CRL_REASON_UNSPECIFIED},
	{"keyCompromise", CRL_REASON_KEY_COMPROMISE},
	{"cACompromise", CRL_REASON_CA_COMPROMISE},
	{"affiliationChanged", CRL_REASON_AFFILIATION_CHANGED},
	{"superseded", CRL_REASON_SUPERSEDED},
	{"cessationOfOperation", CRL_REASON_CESSATION_OF_OPERATION},
	{"privilegeWithdrawn", CRL_REASON_PRIVILEGE_WITHDRAWN},
};

int
certify_reason(const char *name)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (strcmp(reasons[i].name, name) == 0)
			return reasons[i].reason;
	}
	return -1;
}

const char *
certify_reason_name(int reason)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (reasons[i].reason == reason)
			return reasons[i].name;
	}
	return "unspecified";
}

static bool
set_time(ASN1_TIME *t, when w)
{
	return t && ASN1_TIME_set(t, (time_t)(w / WHEN_SECOND));
}

/* RFC 5280 section 5.3.1: the reason is left out when it is unspecified. */
static bool
set_reason(X509_REVOKED *entry, int reason)
{
	ASN1_ENUMERATED *e;
	bool ok;

	if (reason == CRL_REASON_UNSPECIFIED)
		return true;
	e = ASN1_ENUMERATED_new();
	ok = e && ASN1_ENUMERATED_set(e, reason) &&
	    X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, e, 0, 0);
	ASN1_ENUMERATED_free(e);
	return ok;
}

static bool
add_entry(X509_CRL *crl, const struct certify_revoked *r)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	BIGNUM *n = BN_bin2bn(r->serial, (int)r->serial_len, NULL);
	ASN1_INTEGER *serial = n ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	ASN1_TIME *at = ASN1_TIME_new();
	bool ok = entry && serial && set_time(at, r->at) && X509_REVOKED_set_serialNumber(entry, serial) &&
	    X509_REVOKED_set_revocationDate(entry, at) && set_reason(entry, r->reason) &&
	    X509_CRL_add0_revoked(crl, entry);

	if (!ok)
		X509_REVOKED_free(entry);
	ASN1_TIME_free(at);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	return ok;
}

static bool
add_number(X509_CRL *crl, uint64_t number)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	bool ok = n && ASN1_INTEGER_set_uint64(n, number) &&
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, 0);

	ASN1_INTEGER_free(n);
	return ok;
}

static bool
add_issuer_key(X509_CRL *crl, X509 *ca)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, ca, NULL, NULL, crl, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
	bool ok = e && X509_CRL_add_ext(crl, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static bool
fill(X509_CRL *crl, X509 *ca, uint64_t number, when from, when until)
{
	ASN1_TIME *t = ASN1_TIME_new();
	bool ok = crl && set_time(t, from) && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) && X509_CRL_set1_lastUpdate(crl, t) &&
	    set_time(t, until) && X509_CRL_set1_nextUpdate(crl, t) && add_number(crl, number) &&
	    add_issuer_key(crl, ca);

	ASN1_TIME_free(t);
	return ok;
}

bool
certify_crl(const struct certify_signer *ca, uint64_t number, when from, when until,
    const struct certify_revoked *all, size_t n, struct buf *der)
{
	X509_CRL *crl = X509_CRL_new();
	bool ok = fill(crl, ca->certificate, number, from, until);
	uint8_t *bytes = NULL;
	int len = 0;

	for (size_t i = 0; ok && i < n; i++)
		ok = add_entry(crl, &all[i]);
	if (ok) {
		X509_CRL_sort(crl);
		ok = X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0 && (len = i2d_X509_CRL(crl, &bytes)) > 0;
	}
	ok = ok && buf_add(der, bytes, (size_t)len);
	if (!ok)
		log_error("ca.crl", "number=%llu reason=\"%s\"", (unsigned long long)number,
		    ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
	OPENSSL_free(bytes);
	X509_CRL_free(crl);
	return ok;
}
