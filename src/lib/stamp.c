#include "lib/stamp.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ts.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if OPENSSL_VERSION_NUMBER >= 0x30400000L
#define SET_IMPRINT TS_VERIFY_CTX_set0_imprint
#define SET_STORE TS_VERIFY_CTX_set0_store
#else
#define SET_IMPRINT TS_VERIFY_CTX_set_imprint
#define SET_STORE TS_VERIFY_CTX_set_store
#endif

X509_STORE *
stamp_authorities(const char *pem_file, const char **why)
{
	X509_STORE *store = X509_STORE_new();

	*why = "out of memory";
	if (!store)
		return NULL;
	if (X509_STORE_load_file(store, pem_file) == 1)
		return store;
	*why = "no certificate can be read from it";
	ERR_clear_error();
	X509_STORE_free(store);
	return NULL;
}

static bool
set_imprint(TS_REQ *req, const uint8_t digest[STAMP_HASH])
{
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	bool ok = imprint && algorithm &&
	    X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
	    TS_MSG_IMPRINT_set_algo(imprint, algorithm) &&
	    TS_MSG_IMPRINT_set_msg(imprint, (unsigned char *)digest, STAMP_HASH) &&
	    TS_REQ_set_msg_imprint(req, imprint);

	X509_ALGOR_free(algorithm);
	TS_MSG_IMPRINT_free(imprint);
	return ok;
}

static bool
set_nonce(TS_REQ *req)
{
	uint64_t nonce = 0;
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	bool ok = n && RAND_bytes((unsigned char *)&nonce, sizeof nonce) == 1 &&
	    ASN1_INTEGER_set_uint64(n, nonce >> 1 | 1) && TS_REQ_set_nonce(req, n);

	ASN1_INTEGER_free(n);
	return ok;
}

bool
stamp_request(struct buf *out, const uint8_t digest[STAMP_HASH])
{
	TS_REQ *req = TS_REQ_new();
	unsigned char *der = NULL;
	bool ok = req && TS_REQ_set_version(req, 1) && set_imprint(req, digest) && set_nonce(req) &&
	    TS_REQ_set_cert_req(req, 1);
	int len = ok ? i2d_TS_REQ(req, &der) : -1;

	ok = len > 0 && buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	TS_REQ_free(req);
	ERR_clear_error();
	return ok;
}

static bool
wrong(struct stamp *out, const char *why)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	snprintf(out->why, sizeof out->why, "%s%s%s", why, reason ? ": " : "", reason ? reason : "");
	ERR_clear_error();
	return false;
}

static when
moment_of(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return WHEN_NONE;
	return (when)timegm(&tm) * WHEN_SECOND;
}

static void
name_authority(const TS_RESP *resp, struct stamp *out)
{
	PKCS7 *token = TS_RESP_get_token((TS_RESP *)resp);
	STACK_OF(X509) *certificates = token ? token->d.sign->cert : NULL;

	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *x = sk_X509_value(certificates, i);
		if (X509_get_extended_key_usage(x) & XKU_TIMESTAMP) {
			X509_NAME_oneline(X509_get_subject_name(x), out->authority, sizeof out->authority);
			return;
		}
	}
}

static void
read_info(TS_RESP *resp, struct stamp *out)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(resp);

	if (!info)
		return;
	out->at = moment_of(TS_TST_INFO_get_time(info));
	BIGNUM *n = ASN1_INTEGER_to_BN(TS_TST_INFO_get_serial(info), NULL);
	char *hex = n ? BN_bn2hex(n) : NULL;
	snprintf(out->serial, sizeof out->serial, "%s", hex ? hex : "");
	OPENSSL_free(hex);
	BN_free(n);
	name_authority(resp, out);
}

/* Takes a reference of its own on the store. */
static bool
judge(TS_RESP *resp, const uint8_t digest[STAMP_HASH], TS_REQ *req, X509_STORE *authorities,
      struct stamp *out)
{
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	unsigned char *imprint = OPENSSL_memdup(digest, STAMP_HASH);
	const ASN1_INTEGER *nonce = req ? TS_REQ_get_nonce(req) : NULL;
	unsigned flags = TS_VFY_VERSION | TS_VFY_IMPRINT;

	if (!ctx || !imprint) {
		OPENSSL_free(imprint);
		TS_VERIFY_CTX_free(ctx);
		return wrong(out, "out of memory");
	}
	SET_IMPRINT(ctx, imprint, STAMP_HASH);
	if (authorities) {
		/* As the certificate was at that moment: it may have expired since. */
		X509_VERIFY_PARAM *p = X509_STORE_get0_param(authorities);
		X509_VERIFY_PARAM_set_time(p, (time_t)(out->at / WHEN_SECOND));
		X509_STORE_up_ref(authorities);
		SET_STORE(ctx, authorities);
		flags |= TS_VFY_SIGNATURE;
	}
	TS_VERIFY_CTX_set_flags(ctx, (int)flags);
	bool ok = TS_RESP_verify_response(ctx, resp) == 1;
	TS_VERIFY_CTX_free(ctx);
	if (!ok)
		return wrong(out, "the time stamp does not hold");
	const ASN1_INTEGER *told = TS_TST_INFO_get_nonce(TS_RESP_get_tst_info(resp));
	if (nonce && (!told || ASN1_INTEGER_cmp(nonce, told) != 0))
		return wrong(out, "the time stamp answers another request");
	return true;
}

bool
stamp_check(const void *response, size_t len, const uint8_t digest[STAMP_HASH], const void *request,
            size_t request_len, X509_STORE *authorities, struct stamp *out)
{
	const unsigned char *p = response, *q = request;
	bool ok = false;

	*out = (struct stamp){.at = WHEN_NONE};
	ERR_clear_error();
	TS_RESP *resp = len <= STAMP_TOKEN_MAX ? d2i_TS_RESP(NULL, &p, (long)len) : NULL;
	TS_REQ *req = request ? d2i_TS_REQ(NULL, &q, (long)request_len) : NULL;
	if (!resp || p != (const unsigned char *)response + len) {
		wrong(out, "the answer is not a time stamp");
	} else if (request && !req) {
		wrong(out, "the request cannot be read");
	} else {
		read_info(resp, out);
		if (!TS_RESP_get_tst_info(resp) || out->at == WHEN_NONE)
			wrong(out, "the authority refused");
		else
			ok = judge(resp, digest, req, authorities, out);
	}
	TS_RESP_free(resp);
	TS_REQ_free(req);
	return ok;
}
