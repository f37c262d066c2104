/*
 * Signatures of the remote key: the bytes themselves go to the signer, which hashes them after it
 * has seen that they are a TLS handshake. A digest alone is never signed, so there is no plain
 * "sign" operation.
 */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/buf.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/tls_remote.h"
#include "process/wire.h"

#define DISPATCH(id, f) {id, (void (*)(void))(f)}
#define SIGNATURE_MAX (OPENSSL_RSA_MAX_MODULUS_BITS / 8)

struct digest {
	const char *name;       /* as it travels to the signer */
	const char *aliases[4]; /* as OpenSSL may call it */
	int size;
	bool pss;               /* TLS has a PSS scheme with it */
};

static const struct digest digests[] = {
    {"SHA256", {"SHA256", "SHA2-256", "SHA-256"}, 32, true},
    {"SHA384", {"SHA384", "SHA2-384", "SHA-384"}, 48, true},
    {"SHA512", {"SHA512", "SHA2-512", "SHA-512"}, 64, true},
    {"SHA1", {"SHA1", "SHA-1", "SSL3-SHA1"}, 20, false},
    {"MD5-SHA1", {"MD5-SHA1"}, 36, false}, /* TLS 1.0 and 1.1 */
};

struct signature_ctx {
	struct remote_key *key;
	const struct digest *digest;
	bool pss;
	struct buf tbs;
};

static const struct digest *
find_digest(const char *name)
{
	for (size_t i = 0; name && i < sizeof digests / sizeof *digests; i++) {
		for (const char *const *alias = digests[i].aliases; *alias; alias++) {
			if (strcasecmp(*alias, name) == 0)
				return &digests[i];
		}
	}
	return NULL;
}

static void *
sign_newctx(void *provider, const char *properties)
{
	struct signature_ctx *ctx = calloc(1, sizeof *ctx);

	(void)provider, (void)properties;
	if (ctx)
		ctx->tbs.max = REMOTE_TBS_MAX;
	return ctx;
}

static void
sign_freectx(void *data)
{
	struct signature_ctx *ctx = data;

	if (!ctx)
		return;
	remote_key_unref(ctx->key);
	buf_free(&ctx->tbs);
	free(ctx);
}

static void *
sign_dupctx(void *data)
{
	const struct signature_ctx *from = data;
	struct signature_ctx *ctx = sign_newctx(NULL, NULL);

	if (!ctx)
		return NULL;
	ctx->key = from->key ? remote_key_ref(from->key) : NULL;
	ctx->digest = from->digest;
	ctx->pss = from->pss;
	if (from->tbs.failed || !buf_add(&ctx->tbs, from->tbs.data, from->tbs.len)) {
		sign_freectx(ctx);
		return NULL;
	}
	return ctx;
}

static bool
set_digest(struct signature_ctx *ctx, const OSSL_PARAM *p)
{
	const char *name;

	if (!p)
		return true;
	if (!OSSL_PARAM_get_utf8_string_ptr(p, &name) || !(ctx->digest = find_digest(name)))
		return false;
	return true;
}

/* OpenSSL gives padding modes as numbers or as words. */
static bool
set_padding(struct signature_ctx *ctx, const OSSL_PARAM *p)
{
	const char *word;
	int mode = -1;

	if (!p)
		return true;
	if (p->data_type != OSSL_PARAM_UTF8_STRING)
		OSSL_PARAM_get_int(p, &mode);
	else if (OSSL_PARAM_get_utf8_string_ptr(p, &word))
		mode = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? RSA_PKCS1_PSS_PADDING :
		    strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING : -1;
	if (mode != RSA_PKCS1_PSS_PADDING && mode != RSA_PKCS1_PADDING)
		return false;
	ctx->pss = mode == RSA_PKCS1_PSS_PADDING;
	return true;
}

/* TLS salts are as long as the digest; the signer makes no others. */
static bool
check_salt(const struct signature_ctx *ctx, const OSSL_PARAM *p)
{
	const char *word;
	int len = 0;

	if (!p)
		return true;
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_utf8_string_ptr(p, &word) &&
		    strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return OSSL_PARAM_get_int(p, &len) &&
	    (len == RSA_PSS_SALTLEN_DIGEST || (ctx->digest && len == ctx->digest->size));
}

static bool
check_mgf1(const struct signature_ctx *ctx, const OSSL_PARAM *p)
{
	const char *name;

	return !p || (OSSL_PARAM_get_utf8_string_ptr(p, &name) && find_digest(name) == ctx->digest);
}

static int
sign_set_params(void *data, const OSSL_PARAM params[])
{
	struct signature_ctx *ctx = data;

	return !params ||
	    (set_digest(ctx, OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST)) &&
	     set_padding(ctx, OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) &&
	     check_salt(ctx, OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) &&
	     check_mgf1(ctx, OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST)));
}

static const OSSL_PARAM *
sign_settable_params(void *data, void *provider)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0), OSSL_PARAM_END};

	(void)data, (void)provider;
	return types;
}

/* What X.509 calls the signature: asked for when ASN.1 items are signed (CMP). Only with SHA-256. */
static bool
give_algorithm(const struct signature_ctx *ctx, OSSL_PARAM *p)
{
	static const uint8_t sha256_rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
	    0x01, 0x01, 0x0b, 0x05, 0x00}; /* sha256WithRSAEncryption, RFC 4055 section 5 */

	if (!p)
		return true;
	return ctx->digest && !ctx->pss && strcmp(ctx->digest->name, "SHA256") == 0 &&
	    OSSL_PARAM_set_octet_string(p, sha256_rsa, sizeof sha256_rsa);
}

static int
sign_get_params(void *data, OSSL_PARAM params[])
{
	const struct signature_ctx *ctx = data;
	OSSL_PARAM *digest = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
	OSSL_PARAM *padding = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	int mode = ctx->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
	const char *word = ctx->pss ? OSSL_PKEY_RSA_PAD_MODE_PSS : OSSL_PKEY_RSA_PAD_MODE_PKCSV15;

	if (!give_algorithm(ctx, OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID)))
		return 0;
	if (digest && !OSSL_PARAM_set_utf8_string(digest, ctx->digest ? ctx->digest->name : ""))
		return 0;
	if (padding && padding->data_type == OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_set_utf8_string(padding, word);
	return !padding || OSSL_PARAM_set_int(padding, mode);
}

static const OSSL_PARAM *
sign_gettable_params(void *data, void *provider)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0), OSSL_PARAM_END};

	(void)data, (void)provider;
	return types;
}

static int
sign_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signature_ctx *ctx = data;

	if (key) {
		remote_key_unref(ctx->key);
		ctx->key = remote_key_ref(key);
	}
	if (!ctx->key || ctx->key->sync_fd < 0)
		return 0;
	ctx->pss = false;
	ctx->digest = find_digest(digest ? digest : "SHA256");
	buf_reset(&ctx->tbs);
	return ctx->digest && sign_set_params(ctx, params);
}

/* Asks the signer. Returns the signature's length or 0; the reason is logged. */
static size_t
call_signer(const struct signature_ctx *ctx, const uint8_t *tbs, size_t len, uint8_t *out)
{
	struct wire_tls_sign request = {.certificate = ctx->key->certificate,
	    .digest = ctx->digest->name, .pss = ctx->pss, .tbs = {tbs, len}};
	struct buf packed = {0};
	long n = -1;

	if (wire_pack(&packed, WIRE_TLS_SIGN, &request))
		n = ipc_call(ctx->key->sync_fd, WIRE_TLS_SIGN, packed.data, packed.len, out,
		    SIGNATURE_MAX, REMOTE_CALL_MS);
	buf_free(&packed);
	if (n <= 0)
		log_error("tls.sign", "certificate=%u bytes=%zu reason=\"%s\"",
		    ctx->key->certificate, len, n < 0 ? "the signer does not answer" : "the signer refused");
	return n > 0 ? (size_t)n : 0;
}

static int
sign_bytes(const struct signature_ctx *ctx, uint8_t *sig, size_t *sig_len, size_t sig_size,
    const uint8_t *tbs, size_t tbs_len)
{
	uint8_t out[SIGNATURE_MAX];
	size_t size = ctx->key ? remote_key_size(ctx->key) : 0;

	if (!size || (ctx->pss && !ctx->digest->pss))
		return 0;
	*sig_len = size;
	if (!sig)
		return 1;
	if (sig_size < size || tbs_len > REMOTE_TBS_MAX)
		return 0;
	if (call_signer(ctx, tbs, tbs_len, out) != size)
		return 0;
	memcpy(sig, out, size);
	return 1;
}

static int
sign_once(void *data, uint8_t *sig, size_t *sig_len, size_t sig_size, const uint8_t *tbs,
    size_t tbs_len)
{
	return sign_bytes(data, sig, sig_len, sig_size, tbs, tbs_len);
}

static int
sign_update(void *data, const uint8_t *bytes, size_t len)
{
	struct signature_ctx *ctx = data;

	return buf_add(&ctx->tbs, bytes, len);
}

static int
sign_final(void *data, uint8_t *sig, size_t *sig_len, size_t sig_size)
{
	const struct signature_ctx *ctx = data;

	return !ctx->tbs.failed &&
	    sign_bytes(ctx, sig, sig_len, sig_size, ctx->tbs.data, ctx->tbs.len);
}

const OSSL_DISPATCH remote_signature_functions[] = {
    DISPATCH(OSSL_FUNC_SIGNATURE_NEWCTX, sign_newctx),
    DISPATCH(OSSL_FUNC_SIGNATURE_FREECTX, sign_freectx),
    DISPATCH(OSSL_FUNC_SIGNATURE_DUPCTX, sign_dupctx),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_once),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, sign_update),
    DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, sign_final),
    DISPATCH(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sign_set_params),
    DISPATCH(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sign_settable_params),
    DISPATCH(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, sign_get_params),
    DISPATCH(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, sign_gettable_params),
    {0, NULL},
};
