#include "message/signature.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <string.h>
#include "message/message.h"
#include "message/signature_form.h"

#define DSIG_MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define XMLENC "http://www.w3.org/2001/04/xmlenc#"

struct method_row {
	const char *name;
	const char *uri;
	enum digest_method digest;
};

static const struct method_row methods[SIGNATURE_METHOD_COUNT] = {
	[SIGNATURE_NONE] = {"", "", DIGEST_NONE},
	[SIGNATURE_RSA_SHA1] = {"rsa-sha1", NS_DSIG "rsa-sha1", DIGEST_SHA1},
	[SIGNATURE_RSA_SHA256] = {"rsa-sha256", DSIG_MORE "rsa-sha256", DIGEST_SHA256},
	[SIGNATURE_RSA_SHA384] = {"rsa-sha384", DSIG_MORE "rsa-sha384", DIGEST_SHA384},
	[SIGNATURE_RSA_SHA512] = {"rsa-sha512", DSIG_MORE "rsa-sha512", DIGEST_SHA512},
};

struct digest_row {
	const char *name; /* OpenSSL's */
	const char *uri;
};

static const struct digest_row digests[DIGEST_METHOD_COUNT] = {
	[DIGEST_NONE] = {"", ""},
	[DIGEST_SHA1] = {"SHA1", NS_DSIG "sha1"},
	[DIGEST_SHA256] = {"SHA256", XMLENC "sha256"},
	[DIGEST_SHA384] = {"SHA384", DSIG_MORE "sha384"},
	[DIGEST_SHA512] = {"SHA512", XMLENC "sha512"},
};

/* Fetched once and never changed: a fetch per message costs more than a small digest. */
static const EVP_MD *fetched[DIGEST_METHOD_COUNT];
static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;

static void
fetch_all(void)
{
	for (int i = DIGEST_NONE + 1; i < DIGEST_METHOD_COUNT; i++)
		fetched[i] = EVP_MD_fetch(NULL, digests[i].name, NULL);
}

const EVP_MD *
digest_method_md(enum digest_method d)
{
	pthread_once(&fetched_once, fetch_all);
	return d > DIGEST_NONE && d < DIGEST_METHOD_COUNT ? fetched[d] : NULL;
}

static bool
is_uri(const char *uri, size_t len, const char *known)
{
	return uri && len == strlen(known) && memcmp(uri, known, len) == 0;
}

enum signature_method
signature_method_by_uri(const char *uri, size_t len)
{
	for (int i = SIGNATURE_NONE + 1; i < SIGNATURE_METHOD_COUNT; i++) {
		if (is_uri(uri, len, methods[i].uri))
			return (enum signature_method)i;
	}
	return SIGNATURE_NONE;
}

enum digest_method
digest_method_by_uri(const char *uri, size_t len)
{
	for (int i = DIGEST_NONE + 1; i < DIGEST_METHOD_COUNT; i++) {
		if (is_uri(uri, len, digests[i].uri))
			return (enum digest_method)i;
	}
	return DIGEST_NONE;
}

enum c14n_method
c14n_method_by_uri(const char *uri, size_t len)
{
	if (is_uri(uri, len, URI_C14N))
		return C14N_INCLUSIVE;
	return is_uri(uri, len, URI_EXC_C14N) ? C14N_EXCLUSIVE : C14N_NONE;
}

const char *
signature_method_name(enum signature_method m)
{
	return m < SIGNATURE_METHOD_COUNT ? methods[m].name : "";
}

const char *
signature_method_uri(enum signature_method m)
{
	return m < SIGNATURE_METHOD_COUNT ? methods[m].uri : "";
}

enum digest_method
signature_method_digest(enum signature_method m)
{
	return m < SIGNATURE_METHOD_COUNT ? methods[m].digest : DIGEST_NONE;
}

const char *
digest_method_uri(enum digest_method d)
{
	return d < DIGEST_METHOD_COUNT ? digests[d].uri : "";
}

void
signature_checker_free(struct signature_checker *c)
{
	EVP_PKEY_CTX_free(c->ctx);
	c->ctx = NULL;
	c->digest = DIGEST_NONE;
}

static bool
prepare(struct signature_checker *c, enum digest_method digest)
{
	if (c->ctx && c->digest == digest)
		return true;
	signature_checker_free(c);
	c->ctx = EVP_PKEY_CTX_new(c->key, NULL);
	if (!c->ctx || EVP_PKEY_verify_init(c->ctx) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(c->ctx, RSA_PKCS1_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(c->ctx, digest_method_md(digest)) != 1) {
		signature_checker_free(c);
		return false;
	}
	c->digest = digest;
	return true;
}

/* Of the errors that OpenSSL has gathered, which are taken. */
static bool
out_of_memory(void)
{
	bool found = false;

	for (unsigned long e; (e = ERR_get_error()) != 0;)
		found |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	return found;
}

static enum fault
check_value(const struct signature *sig, struct signature_checker *c, enum digest_method digest)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len;
	enum fault fault = FAULT_INTERNAL;

	if (prepare(c, digest) && EVP_Digest(sig->signed_info.data, sig->signed_info.len, hash, &len,
	    digest_method_md(digest), NULL) == 1) {
		int ok = EVP_PKEY_verify(c->ctx, sig->value.data, sig->value.len, hash, len);
		fault = ok == 1 ? FAULT_NONE : FAULT_SIGNATURE_VALUE;
	}
	if (out_of_memory() && fault != FAULT_NONE)
		fault = FAULT_INTERNAL;
	return fault;
}

enum fault
signature_check_again(const struct signature *sig, struct signature_checker *c)
{
	if (sig->fault)
		return sig->fault;
	enum digest_method digest = signature_method_digest(sig->method);
	if (!digest_method_md(digest) || sig->digest_len == 0 || sig->signed_info.len == 0)
		return FAULT_SIGNATURE_FORM;
	if (!EVP_PKEY_is_a(c->key, "RSA") || sig->value.len != (size_t)EVP_PKEY_get_size(c->key))
		return FAULT_SIGNATURE_VALUE;
	if (CRYPTO_memcmp(sig->declared, sig->computed, sig->digest_len) != 0)
		return FAULT_SIGNATURE_DIGEST;
	return check_value(sig, c, digest);
}

enum fault
signature_check(const struct signature *sig, EVP_PKEY *key)
{
	struct signature_checker once = {.key = key};
	enum fault fault = signature_check_again(sig, &once);

	signature_checker_free(&once);
	return fault;
}

void
signature_fingerprint(const struct signature *sig, uint8_t out[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex2(ctx, digest_method_md(DIGEST_SHA256), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, sig->signed_info.data, sig->signed_info.len) == 1 &&
	    EVP_DigestUpdate(ctx, sig->value.data, sig->value.len) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	if (!ok)
		memset(out, 0, 32);
	EVP_MD_CTX_free(ctx);
}
