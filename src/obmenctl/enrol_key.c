/* Keys, certificates and secrets in files. */
#include "obmenctl/enrol.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_BITS   2048
#define SECRET_MAX 256

static void
complain(struct enrol *e, enum fault f, const char *path, const char *why)
{
	char detail[512];

	snprintf(detail, sizeof detail, "%s: %s", path, why);
	print_fault(e->ctl, f, detail);
	ERR_clear_error();
}

/* A key with a password is refused, never asked for: the node could not use it. */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

/* Only who owns the file reads it; that is signer's user when we may give it away: the same that the
 * node makes of user-prefix. */
static bool
give_to_owner(const struct enrol *e, int fd)
{
	const struct passwd *user = NULL;
	char name[128];

	if (geteuid() == 0 && *e->user_prefix) {
		snprintf(name, sizeof name, "%s-signer", e->user_prefix);
		user = getpwnam(name);
		user = user ? user : getpwnam(e->user_prefix);
	}

	return !user || fchown(fd, user->pw_uid, user->pw_gid) == 0;
}

static bool
write_key(struct enrol *e, const char *path, EVP_PKEY *key)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	BIO *out = fd >= 0 ? BIO_new_fd(fd, BIO_NOCLOSE) : NULL;
	bool ok = out && give_to_owner(e, fd) &&
		  PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) && fsync(fd) == 0;

	if (!ok)
		complain(e, FAULT_FILE_UNWRITABLE, path, strerror(errno));
	BIO_free(out);
	if (fd >= 0)
		close(fd);
	if (!ok && fd >= 0)
		unlink(path);
	return ok;
}

EVP_PKEY *
enrol_key(struct enrol *e, const char *path, bool make)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	BIO *in = fd >= 0 ? BIO_new_fd(fd, BIO_CLOSE) : NULL;
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;

	if (in && !key)
		complain(e, FAULT_FILE_UNREADABLE, path,
			 say(e->ctl, "не е ключ в PEM без парола",
			     "not a key in PEM without a password"));
	BIO_free(in);
	if (in || key)
		return key;
	if (errno != ENOENT || !make) {
		complain(e, FAULT_FILE_UNREADABLE, path, strerror(errno));
		return NULL;
	}
	key = EVP_RSA_gen(KEY_BITS);
	if (key && write_key(e, path, key))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

X509 *
enrol_certificate(struct enrol *e, const char *path)
{
	BIO *in = BIO_new_file(path, "r");
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	if (!x)
		complain(e, FAULT_FILE_UNREADABLE, path, in ? "PEM" : strerror(errno));
	BIO_free(in);
	return x;
}

bool
enrol_secret(struct enrol *e, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char line[SECRET_MAX + 2] = "";
	bool ok = in && fgets(line, sizeof line, in);
	size_t len = strcspn(line, "\r\n");

	if (!ok || len == 0 || len > SECRET_MAX) {
		complain(
		    e, FAULT_FILE_UNREADABLE, path,
		    ok ? say(e->ctl, "тайната е на първия ред", "the secret is on the first line")
		       : strerror(errno));
		ok = false;
	} else {
		ok = buf_add(&e->secret, line, len);
	}
	OPENSSL_cleanse(line, sizeof line);
	if (in && in != stdin)
		fclose(in);
	return ok;
}

bool
enrol_write(struct enrol *e, const char *path, const STACK_OF(X509) * all)
{
	char fresh[4096];
	snprintf(fresh, sizeof fresh, "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	BIO *out = fd >= 0 ? BIO_new_fd(fd, BIO_NOCLOSE) : NULL;
	bool ok = out;

	for (int i = 0; ok && i < sk_X509_num(all); i++)
		ok = PEM_write_bio_X509(out, sk_X509_value(all, i));
	ok = ok && fsync(fd) == 0 && rename(fresh, path) == 0;
	if (!ok)
		complain(e, FAULT_FILE_UNWRITABLE, path, strerror(errno));
	BIO_free(out);
	if (fd >= 0)
		close(fd);
	return ok;
}
