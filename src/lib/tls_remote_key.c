/*
 * A provider with one kind of key: RSA whose private half is in the signer process.
 *
 * It lives in a library context of its own, so that nothing but these keys can come to it: libssl
 * fetches from its own context and turns to a key's provider only for the signature itself.
 */
#include "lib/tls.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/tls_remote.h"

#define PARAM_SYNC_FD "obmen-sync-fd"
#define PARAM_CERTIFICATE "obmen-certificate"

/* OpenSSL's dispatch tables hold functions of all shapes as one type. */
#define DISPATCH(id, f) {id, (void (*)(void))(f)}

struct remote_key *
remote_key_ref(struct remote_key *key)
{
	__atomic_add_fetch(&key->references, 1, __ATOMIC_RELAXED);
	return key;
}

void
remote_key_unref(struct remote_key *key)
{
	if (!key || __atomic_sub_fetch(&key->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	BN_free(key->n);
	BN_free(key->e);
	free(key);
}

size_t
remote_key_size(const struct remote_key *key)
{
	return key->n ? (size_t)BN_num_bytes(key->n) : 0;
}

static void *
key_new(void *provider)
{
	struct remote_key *key = calloc(1, sizeof *key);

	(void)provider;
	if (key) {
		key->references = 1;
		key->sync_fd = -1;
	}
	return key;
}

static void
key_free(void *key)
{
	remote_key_unref(key);
}

static int
key_has(const void *data, int selection)
{
	const struct remote_key *key = data;

	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) && (!key->n || !key->e))
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || key->sync_fd >= 0;
}

/* The private halves cannot be compared here; the public ones say the same. */
static int
key_match(const void *data1, const void *data2, int selection)
{
	const struct remote_key *a = data1, *b = data2;

	if (!(selection & OSSL_KEYMGMT_SELECT_KEYPAIR))
		return 1;
	return a->n && b->n && a->e && b->e && BN_cmp(a->n, b->n) == 0 && BN_cmp(a->e, b->e) == 0;
}

static int
key_validate(const void *data, int selection, int type)
{
	(void)type;
	return key_has(data, selection);
}

static int
key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct remote_key *key = data;
	const OSSL_PARAM *n = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_N);
	const OSSL_PARAM *e = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E);
	const OSSL_PARAM *fd = OSSL_PARAM_locate_const(params, PARAM_SYNC_FD);
	const OSSL_PARAM *certificate = OSSL_PARAM_locate_const(params, PARAM_CERTIFICATE);

	if (!(selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
		return 0;
	if (!n || !e || !OSSL_PARAM_get_BN(n, &key->n) || !OSSL_PARAM_get_BN(e, &key->e))
		return 0;
	if (fd && !OSSL_PARAM_get_int(fd, &key->sync_fd))
		return 0;
	return !certificate || OSSL_PARAM_get_uint(certificate, &key->certificate);
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_int(PARAM_SYNC_FD, NULL),
	    OSSL_PARAM_uint(PARAM_CERTIFICATE, NULL), OSSL_PARAM_END};

	return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? types : NULL;
}

/* Only the public half leaves. Refusing the private half is also what makes libssl come back here
 * for signatures: it first tries to move the key to the default provider. */
static int
key_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg)
{
	const struct remote_key *key = data;
	uint8_t n[OPENSSL_RSA_MAX_MODULUS_BITS / 8], e[sizeof n];
	int size_n, size_e;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || !key_has(data, selection))
		return 0;
	size_n = BN_bn2nativepad(key->n, n, BN_num_bytes(key->n));
	size_e = BN_bn2nativepad(key->e, e, BN_num_bytes(key->e));
	if (size_n < 0 || size_e < 0)
		return 0;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, (size_t)size_n),
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, (size_t)size_e),
	    OSSL_PARAM_construct_end()};
	return callback(params, arg);
}

static const OSSL_PARAM *
key_export_types(int selection)
{
	static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END};

	return selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : types;
}

static int
set_int(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return !p || OSSL_PARAM_set_int(p, value);
}

static int
set_bn(OSSL_PARAM params[], const char *name, const BIGNUM *value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return !p || OSSL_PARAM_set_BN(p, value);
}

static int
set_text(OSSL_PARAM params[], const char *name, const char *value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return !p || OSSL_PARAM_set_utf8_string(p, value);
}

static int
key_get_params(void *data, OSSL_PARAM params[])
{
	const struct remote_key *key = data;
	int bits = key->n ? BN_num_bits(key->n) : 0;

	return key->n && key->e && set_int(params, OSSL_PKEY_PARAM_BITS, bits) &&
	    set_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, BN_security_bits(bits, -1)) &&
	    set_int(params, OSSL_PKEY_PARAM_MAX_SIZE, (int)remote_key_size(key)) &&
	    set_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256") &&
	    set_bn(params, OSSL_PKEY_PARAM_RSA_N, key->n) &&
	    set_bn(params, OSSL_PKEY_PARAM_RSA_E, key->e);
}

static const OSSL_PARAM *
key_gettable_params(void *provider)
{
	static const OSSL_PARAM types[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END};

	(void)provider;
	return types;
}

static const char *
key_operation_name(int operation)
{
	(void)operation;
	return "RSA";
}

static const OSSL_DISPATCH key_functions[] = {
    DISPATCH(OSSL_FUNC_KEYMGMT_NEW, key_new),
    DISPATCH(OSSL_FUNC_KEYMGMT_FREE, key_free),
    DISPATCH(OSSL_FUNC_KEYMGMT_HAS, key_has),
    DISPATCH(OSSL_FUNC_KEYMGMT_MATCH, key_match),
    DISPATCH(OSSL_FUNC_KEYMGMT_VALIDATE, key_validate),
    DISPATCH(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
    DISPATCH(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),
    DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
    DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types),
    DISPATCH(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),
    DISPATCH(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params),
    DISPATCH(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation_name),
    {0, NULL},
};

static const OSSL_ALGORITHM *
provider_query(void *provider, int operation, int *no_cache)
{
	static const char names[] = "RSA:rsaEncryption", properties[] = "provider=obmen";
	static const OSSL_ALGORITHM keys[] = {
	    {names, properties, key_functions, "RSA key held by the signer process"}, {0}};
	static const OSSL_ALGORITHM signatures[] = {
	    {names, properties, remote_signature_functions, "RSA by the signer process"}, {0}};

	(void)provider;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keys;
	return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
    void **provider)
{
	static const OSSL_DISPATCH functions[] = {
	    DISPATCH(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query), {0, NULL}};
	static char context; /* the core wants one; there is nothing to keep */

	(void)handle, (void)in;
	*out = functions;
	*provider = &context;
	return 1;
}

/* One for the process, like OpenSSL's default context: keys outlive every other owner of it. */
static OSSL_LIB_CTX *
remote_context(void)
{
	static OSSL_LIB_CTX *context;

	if (context)
		return context;
	OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new();
	if (!fresh || !OSSL_PROVIDER_add_builtin(fresh, "obmen", provider_init) ||
	    !OSSL_PROVIDER_load(fresh, "obmen")) {
		OSSL_LIB_CTX_free(fresh);
		return NULL;
	}
	context = fresh;
	return context;
}

static EVP_PKEY *
make_key(EVP_PKEY *public_half, unsigned certificate, int sync_fd)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(remote_context(), "RSA", NULL);
	OSSL_PARAM *halves = NULL, *all = NULL;
	OSSL_PARAM own[] = {OSSL_PARAM_construct_int(PARAM_SYNC_FD, &sync_fd),
	    OSSL_PARAM_construct_uint(PARAM_CERTIFICATE, &certificate), OSSL_PARAM_construct_end()};
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_todata(public_half, EVP_PKEY_PUBLIC_KEY, &halves) > 0 &&
	    (all = OSSL_PARAM_merge(halves, own)) && EVP_PKEY_fromdata_init(ctx) > 0 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) <= 0)
		key = NULL;
	OSSL_PARAM_free(all);
	OSSL_PARAM_free(halves);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *
tls_remote_key(X509 *certificate, unsigned certificate_index, int sync_fd)
{
	EVP_PKEY *public_half = X509_get0_pubkey(certificate);

	if (!public_half || !EVP_PKEY_is_a(public_half, "RSA")) {
		log_error("tls.key", "certificate=%u reason=\"not an RSA key\"", certificate_index);
		return NULL;
	}
	if (!remote_context()) {
		log_error("tls.key", "certificate=%u reason=\"provider not loaded\"",
		    certificate_index);
		return NULL;
	}
	EVP_PKEY *key = make_key(public_half, certificate_index, sync_fd);
	if (!key)
		log_error("tls.key", "certificate=%u reason=\"key not made\"", certificate_index);
	return key;
}
