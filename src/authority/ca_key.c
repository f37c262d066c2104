/* OpenSSL 3 calls engines deprecated; Debian 12 has nothing newer for tokens. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "authority/ca_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

static bool
refuse(const char *what, const char *reason)
{
	char text[160];

	if (!reason) {
		ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
		reason = text;
	}
	/* Not the URI: it may hold the PIN. */
	log_error("ca.key-refused", "what=%s reason=\"%s\"", what, reason);
	ERR_clear_error();
	return false;
}

/* A CA must start without a person at it: a key with a password is refused, never asked for. */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

static EVP_PKEY *
file_key(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	EVP_PKEY *key = NULL;

	if (fd < 0 || fstat(fd, &st) < 0)
		refuse("key", strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_mode & S_IRWXO)
		refuse("key", "not a regular file, or everybody may read it: chmod o-rwx, then replace the key");
	else {
		BIO *in = BIO_new_fd(fd, BIO_NOCLOSE);
		key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
		BIO_free(in);
		if (!key)
			refuse("key", "no unencrypted private key in PEM");
	}
	if (fd >= 0)
		close(fd);
	return key;
}

/* The first line of the file; the engine keeps it. */
static bool
set_pin(ENGINE *engine, const char *path)
{
	char pin[128] = "";
	FILE *in = fopen(path, "re");
	bool ok = in && fgets(pin, sizeof pin, in);

	pin[strcspn(pin, "\r\n")] = '\0';
	ok = ok && ENGINE_ctrl_cmd_string(engine, "PIN", pin, 0) > 0;
	OPENSSL_cleanse(pin, sizeof pin);
	if (in)
		fclose(in);
	return ok || refuse("pin", "no PIN on the first line of its file");
}

static EVP_PKEY *
token_key(const char *uri, const char *pin_file)
{
	EVP_PKEY *key = NULL;

	ENGINE_load_dynamic();
	ENGINE *engine = ENGINE_by_id("pkcs11");
	if (!engine) {
		refuse("key", "the engine pkcs11 is missing: install libengine-pkcs11-openssl");
		return NULL;
	}
	if ((pin_file && !set_pin(engine, pin_file)) || !ENGINE_init(engine)) {
		refuse("key", NULL);
	} else {
		key = ENGINE_load_private_key(engine, uri, NULL, NULL);
		if (!key)
			refuse("key", NULL);
		ENGINE_finish(engine); /* the key holds a reference of its own */
	}
	ENGINE_free(engine);
	return key;
}

static X509 *
read_certificate(const char *path)
{
	BIO *in = BIO_new_file(path, "r");
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	BIO_free(in);
	if (!x)
		refuse("certificate", NULL);
	return x;
}

bool
ca_key_open(struct certify_signer *ca, const char *certificate, const char *key, const char *pin_file)
{
	bool token = strncmp(key, "pkcs11:", 7) == 0;
	const char *fault;

	*ca = (struct certify_signer){read_certificate(certificate), NULL};
	if (!ca->certificate)
		return false;
	ca->key = token ? token_key(key, pin_file) : file_key(key);
	if (!ca->key)
		return false;
	fault = certify_ca_fault(ca);
	return !fault || refuse("ca", fault);
}

void
ca_key_close(struct certify_signer *ca)
{
	X509_free(ca->certificate);
	EVP_PKEY_free(ca->key);
	*ca = (struct certify_signer){NULL, NULL};
}
