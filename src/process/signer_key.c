#include "process/signer_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

static const struct method {
	const EVP_MD *(*md)(void);
	size_t digest_len;
} methods[SIGNATURE_METHOD_COUNT] = {
    [SIGNATURE_RSA_SHA1] = {EVP_sha1, 20},
    [SIGNATURE_RSA_SHA256] = {EVP_sha256, 32},
    [SIGNATURE_RSA_SHA384] = {EVP_sha384, 48},
    [SIGNATURE_RSA_SHA512] = {EVP_sha512, 64},
};

static bool
refuse(const struct conf_certificate *c, const char *reason)
{
	log_error("signer.key-refused", "certificate=%s file=\"%s\" reason=\"%s\"", c->name, c->key,
	    reason);
	ERR_clear_error();
	return false;
}

/* A node must run without a person at it: a key with a password is refused, never asked for. */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

/* The descriptor is checked, not the name: what was checked is what is read. */
static bool
open_key(const struct conf_certificate *c, int *fd)
{
	struct stat st;

	*fd = open(c->key, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0)
		return refuse(c, strerror(errno));
	if (fstat(*fd, &st) < 0)
		return refuse(c, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(c, "not a regular file");
	if (st.st_mode & S_IRWXO)
		return refuse(c, "everybody may read it: chmod o-rwx, then replace the key");
	return true;
}

static bool
read_key(struct signer_key *k, const struct conf_certificate *c)
{
	int fd;
	bool ok = open_key(c, &fd);
	BIO *in = ok ? BIO_new_fd(fd, BIO_NOCLOSE) : NULL;

	if (in) {
		k->key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
		if (!k->key)
			ok = refuse(c, "no unencrypted private key in PEM");
	}
	BIO_free(in);
	if (fd >= 0)
		close(fd);
	return ok && k->key;
}

static bool
read_certificate(struct signer_key *k, const struct conf_certificate *c)
{
	BIO *in = BIO_new_file(c->file, "r");
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	struct tm tm;
	bool ok = false;

	if (!x)
		refuse(c, "its certificate cannot be read");
	else if (!X509_check_private_key(x, k->key))
		refuse(c, "not the key of its certificate");
	else if (!ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm))
		refuse(c, "its certificate has no end of validity");
	else
		ok = true;
	if (ok)
		k->not_after = (when)timegm(&tm) * WHEN_SECOND;
	X509_free(x);
	BIO_free(in);
	return ok;
}

static EVP_PKEY_CTX *
make_method(EVP_PKEY *key, const struct method *m)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	if (ctx && EVP_PKEY_sign_init(ctx) > 0 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, m->md()) > 0)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static bool
make_methods(struct signer_key *k, const struct conf_certificate *c)
{
	static const uint8_t zeros[EVP_MAX_MD_SIZE];
	uint8_t out[SIGNER_SIGNATURE_MAX];

	for (size_t i = 0; i < SIGNATURE_METHOD_COUNT; i++) {
		if (methods[i].md && !(k->methods[i] = make_method(k->key, &methods[i])))
			return refuse(c, "no signing context");
	}
	/* The first signature builds blinding and Montgomery state: not on a message's time. */
	size_t len = sizeof out;
	return EVP_PKEY_sign(k->methods[SIGNATURE_RSA_SHA256], out, &len, zeros, 32) > 0 ||
	    refuse(c, "does not sign");
}

bool
signer_key_load(struct signer_key *k, const struct conf_certificate *c)
{
	*k = (struct signer_key){.name = c->name};
	if (!read_key(k, c))
		return false;
	if (!EVP_PKEY_is_a(k->key, "RSA"))
		return refuse(c, "not an RSA key");
	if (EVP_PKEY_get_bits(k->key) < SIGNER_KEY_BITS_MIN)
		return refuse(c, "weaker than 2048 bits");
	if (EVP_PKEY_get_size(k->key) > SIGNER_SIGNATURE_MAX)
		return refuse(c, "larger than 16384 bits");
	return read_certificate(k, c) && make_methods(k, c);
}

void
signer_key_free(struct signer_key *k)
{
	for (size_t i = 0; i < SIGNATURE_METHOD_COUNT; i++)
		EVP_PKEY_CTX_free(k->methods[i]);
	EVP_PKEY_free(k->key);
	*k = (struct signer_key){0};
}

size_t
signer_key_sign(struct signer_key *k, enum signature_method method, const uint8_t *digest,
    size_t len, uint8_t out[SIGNER_SIGNATURE_MAX])
{
	size_t n = SIGNER_SIGNATURE_MAX;

	if ((size_t)method >= SIGNATURE_METHOD_COUNT || !k->methods[method] ||
	    len != methods[method].digest_len ||
	    EVP_PKEY_sign(k->methods[method], out, &n, digest, len) <= 0) {
		ERR_clear_error();
		k->refused++;
		return 0;
	}
	k->messages++;
	return n;
}

size_t
signer_key_sign_tls(struct signer_key *k, const char *digest, bool pss, const uint8_t *tbs,
    size_t len, uint8_t out[SIGNER_SIGNATURE_MAX])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	size_t n = SIGNER_SIGNATURE_MAX;

	bool ok = md && EVP_DigestSignInit_ex(md, &ctx, digest, NULL, NULL, k->key, NULL) > 0;
	if (ok && pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
	ok = ok && EVP_DigestSign(md, out, &n, tbs, len) > 0;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	if (!ok) {
		k->refused++;
		return 0;
	}
	k->handshakes++;
	return n;
}
