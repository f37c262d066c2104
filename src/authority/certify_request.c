/* Requests of strangers: PKCS#10, and the parts of a CMP template. */
#include "authority/certify.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define KEY_BITS_MIN 2048
#define KEY_BITS_MAX 8192

static enum fault
refuse(enum fault f, char *detail, const char *why)
{
	snprintf(detail, CERTIFY_DETAIL, "%s", why);
	ERR_clear_error();
	return f;
}

bool
certify_eik_valid(const char *eik)
{
	size_t len = strlen(eik);

	return (len == 9 || len == 13) && strspn(eik, "0123456789") == len;
}

static bool
label_valid(const char *label, size_t len)
{
	return len > 0 && len < 64 && label[0] != '-' && label[len - 1] != '-' &&
	    strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

bool
certify_name_valid(const char *name, const char *domain, enum certify_kind kind)
{
	size_t len = strlen(name), tail = strlen(domain), first = strcspn(name, ".");
	bool test = (first > 5 && memcmp(name + first - 5, "-test", 5) == 0) ||
	    (first > 2 && memcmp(name + first - 2, "-t", 2) == 0);

	if (len > CERTIFY_NAME_MAX || len < tail + 2 || name[len - tail - 1] != '.' ||
	    strcmp(name + len - tail, domain) != 0)
		return false;
	for (const char *at = name; at < name + len;) {
		size_t label = strcspn(at, ".");
		if (!label_valid(at, label))
			return false;
		at += label + 1;
	}
	return name[len - 1] != '.' && test == (kind == CERTIFY_TEST);
}

/* The one value of an attribute as text without NUL and control bytes. -1: there are several, or it
 * is none; 0: absent. */
static int
name_part(const X509_NAME *name, int nid, char *out, size_t size)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *text = NULL;

	if (at < 0)
		return 0;
	if (X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return -1;
	int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	bool good = len > 0 && (size_t)len < size;
	for (int i = 0; good && i < len; i++)
		good = text[i] > 0x20 && text[i] < 0x7f;
	if (good) {
		memcpy(out, text, (size_t)len);
		out[len] = '\0';
	}
	OPENSSL_free(text);
	return good ? 1 : -1;
}

static enum fault
read_subject(const X509_NAME *subject, struct certify_request *r, char *detail)
{
	char state[32];

	if (!subject || name_part(subject, NID_commonName, r->name, sizeof r->name) != 1)
		return refuse(FAULT_CSR_NAME, detail, "CN");
	for (char *c = r->name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	int found = name_part(subject, NID_stateOrProvinceName, state, sizeof state);
	/* Tools fill ST with a place of their own: only what looks like ours is taken for it. */
	if (found == 1 && strncmp(state, "B:", 2) == 0) {
		if (!certify_eik_valid(state + 2))
			return refuse(FAULT_CSR_NAME, detail, state);
		snprintf(r->eik, sizeof r->eik, "%s", state + 2);
	}
	return FAULT_NONE;
}

static enum fault
check_exponent(EVP_PKEY *key, char *detail)
{
	BIGNUM *e = NULL;
	bool good = EVP_PKEY_get_bn_param(key, "e", &e) && BN_is_odd(e) && BN_num_bits(e) > 16;

	BN_free(e);
	return good ? FAULT_NONE : refuse(FAULT_CSR_KEY, detail, "e < 65537");
}

static enum fault
check_key(EVP_PKEY *key, char *detail)
{
	char bits[32];

	if (!key || !EVP_PKEY_is_a(key, "RSA"))
		return refuse(FAULT_CSR_KEY, detail, "RSA");
	int size = EVP_PKEY_get_bits(key);
	if (size < KEY_BITS_MIN || size > KEY_BITS_MAX) {
		snprintf(bits, sizeof bits, "RSA %d", size);
		return refuse(FAULT_CSR_KEY, detail, bits);
	}
	/* Small factors, even or prime moduli: SP 800-56B, done by the library. */
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int good = ctx ? EVP_PKEY_public_check(ctx) : 0;
	EVP_PKEY_CTX_free(ctx);
	if (good <= 0)
		return refuse(FAULT_CSR_KEY, detail, "SP 800-56B");
	return check_exponent(key, detail);
}

static enum fault
keep_key(const X509_PUBKEY *public, struct certify_request *r, char *detail)
{
	uint8_t *at = r->key;
	int len = i2d_X509_PUBKEY(public, NULL);

	if (len <= 0 || len > CERTIFY_KEY_MAX)
		return refuse(FAULT_CSR_KEY, detail, "SubjectPublicKeyInfo");
	r->key_len = (size_t)i2d_X509_PUBKEY(public, &at);
	if (!EVP_Digest(r->key, r->key_len, r->key_id, NULL, EVP_sha256(), NULL))
		return refuse(FAULT_INTERNAL, detail, "SHA-256");
	return FAULT_NONE;
}

static bool
wants_no_ca(const void *value, const struct certify_request *r)
{
	const BASIC_CONSTRAINTS *b = value;

	(void)r;
	return !b->ca;
}

static bool
is_name(const GENERAL_NAME *g, const char *name)
{
	if (g->type != GEN_DNS)
		return false;
	return (size_t)ASN1_STRING_length(g->d.dNSName) == strlen(name) &&
	    strncasecmp((const char *)ASN1_STRING_get0_data(g->d.dNSName), name, strlen(name)) == 0;
}

static bool
wants_own_name(const void *value, const struct certify_request *r)
{
	const GENERAL_NAMES *names = value;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (!is_name(sk_GENERAL_NAME_value(names, i), r->name))
			return false;
	}
	return true;
}

/* Extensions that say something that we would certify otherwise are refused when they say the wrong
 * thing. All the rest is the profile's business: it is left out and named. */
static const struct judged {
	int nid;
	bool (*good)(const void *value, const struct certify_request *);
} judged[] = {
	{NID_basic_constraints, wants_no_ca},
	{NID_subject_alt_name, wants_own_name},
};

static bool
extension_good(X509_EXTENSION *e, const struct certify_request *r)
{
	int nid = OBJ_obj2nid(X509_EXTENSION_get_object(e));

	for (size_t i = 0; i < sizeof judged / sizeof *judged; i++) {
		if (judged[i].nid != nid)
			continue;
		const X509V3_EXT_METHOD *method = X509V3_EXT_get(e);
		void *value = X509V3_EXT_d2i(e);
		bool good = value && judged[i].good(value, r);
		if (value && method && method->it)
			ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
		return good;
	}
	return true;
}

static enum fault
check_extensions(const STACK_OF(X509_EXTENSION) *all, struct certify_request *r, char *detail)
{
	for (int i = 0; i < sk_X509_EXTENSION_num(all); i++) {
		X509_EXTENSION *e = sk_X509_EXTENSION_value(all, i);
		char name[80];
		OBJ_obj2txt(name, sizeof name, X509_EXTENSION_get_object(e), 0);
		if (!extension_good(e, r))
			return refuse(FAULT_CSR_EXTENSION, detail, name);
		size_t used = strlen(r->ignored);
		snprintf(r->ignored + used, sizeof r->ignored - used, "%s%s", used ? ", " : "", name);
	}
	return FAULT_NONE;
}

enum fault
certify_read_parts(const X509_NAME *subject, const X509_PUBKEY *key,
    const STACK_OF(X509_EXTENSION) *extensions, struct certify_request *r, char *detail)
{
	enum fault f;

	*r = (struct certify_request){.key_len = 0};
	detail[0] = '\0';
	if (!key)
		return refuse(FAULT_CSR_KEY, detail, "RSA");
	if ((f = read_subject(subject, r, detail)) || (f = check_key(X509_PUBKEY_get0(key), detail)) ||
	    (f = keep_key(key, r, detail)) || (f = check_extensions(extensions, r, detail)))
		return f;
	ERR_clear_error();
	return FAULT_NONE;
}

/* One request and nothing behind it. */
static X509_REQ *
decode(const void *data, size_t len)
{
	const uint8_t *at = data;
	X509_REQ *req = NULL;

	if (len <= CERTIFY_CSR_MAX && len > 0 && at[0] == 0x30) {
		req = d2i_X509_REQ(NULL, &at, (long)len);
		if (req && at != (const uint8_t *)data + len) {
			X509_REQ_free(req);
			req = NULL;
		}
		return req;
	}
	BIO *in = len <= CERTIFY_PEM_MAX ? BIO_new_mem_buf(data, (int)len) : NULL;
	if (in)
		req = PEM_read_bio_X509_REQ(in, NULL, NULL, NULL);
	BIO_free(in);
	return req;
}

/* Possession of the key is proved by a signature with a digest that is not broken. */
static enum fault
check_possession(X509_REQ *req, char *detail)
{
	int digest = NID_undef, kind = NID_undef;

	if (!OBJ_find_sigid_algs(X509_REQ_get_signature_nid(req), &digest, &kind) ||
	    (digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512 &&
	        X509_REQ_get_signature_nid(req) != NID_rsassaPss))
		return refuse(FAULT_CSR_SIGNATURE, detail, OBJ_nid2sn(X509_REQ_get_signature_nid(req)));
	if (X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) <= 0)
		return refuse(FAULT_CSR_SIGNATURE, detail, "");
	return FAULT_NONE;
}

enum fault
certify_read_csr(const void *data, size_t len, struct certify_request *r, char *detail)
{
	X509_REQ *req = decode(data, len);
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	enum fault f;

	*r = (struct certify_request){.key_len = 0};
	if (!req)
		return refuse(FAULT_CSR_MALFORMED, detail, "PKCS#10");
	extensions = X509_REQ_get_extensions(req);
	f = certify_read_parts(X509_REQ_get_subject_name(req), X509_REQ_get_X509_PUBKEY(req), extensions,
	    r, detail);
	if (!f)
		f = check_possession(req, detail);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(req);
	ERR_clear_error();
	return f;
}

enum fault
certify_check_assigned(const struct certify_request *r, const char *name, const char *eik, char *detail)
{
	if (strcmp(r->name, name) != 0) {
		snprintf(detail, CERTIFY_DETAIL, "CN %s, %s", r->name, name);
		return FAULT_CSR_NOT_ASSIGNED;
	}
	if (r->eik[0] && strcmp(r->eik, eik) != 0) {
		snprintf(detail, CERTIFY_DETAIL, "ST B:%s, B:%s", r->eik, eik);
		return FAULT_CSR_NOT_ASSIGNED;
	}
	return FAULT_NONE;
}
