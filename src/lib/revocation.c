#include "lib/revocation.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "OBMREV1"

struct revocations {
	size_t count;
	struct revocation entries[];
};

bool
revocation_key(const X509_NAME *issuer, const ASN1_INTEGER *serial, uint8_t key[32])
{
	unsigned char *name = NULL, *number = NULL;
	int name_len = i2d_X509_NAME(issuer, &name);
	int number_len = i2d_ASN1_INTEGER(serial, &number);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && name_len > 0 && number_len > 0 && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
	    EVP_DigestUpdate(md, name, (size_t)name_len) &&
	    EVP_DigestUpdate(md, number, (size_t)number_len) && EVP_DigestFinal_ex(md, key, NULL);

	EVP_MD_CTX_free(md);
	OPENSSL_free(name);
	OPENSSL_free(number);
	return ok;
}

static int
compare(const void *a, const void *b)
{
	const struct revocation *x = a, *y = b;

	return memcmp(x->key, y->key, sizeof x->key);
}

int
revocations_seal(struct revocation *entries, size_t n)
{
	int fd = memfd_create("revocations", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t bytes = n * sizeof *entries;

	if (fd < 0)
		return -1;
	if (n)
		qsort(entries, n, sizeof *entries, compare);
	if (write(fd, MAGIC, sizeof MAGIC) == sizeof MAGIC &&
	    (n == 0 || write(fd, entries, bytes) == (ssize_t)bytes) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

struct revocations *
revocations_open(int fd)
{
	struct revocations *r = NULL;
	char magic[sizeof MAGIC];
	struct stat st;
	size_t bytes = 0;

	bool ok = fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof magic &&
	    pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, MAGIC, sizeof magic) == 0;
	if (ok) {
		bytes = (size_t)st.st_size - sizeof magic;
		ok = bytes % sizeof r->entries[0] == 0 && bytes / sizeof r->entries[0] <= REVOCATIONS_MAX;
	}
	if (ok && (r = malloc(sizeof *r + bytes))) {
		r->count = bytes / sizeof r->entries[0];
		if (pread(fd, r->entries, bytes, sizeof magic) != (ssize_t)bytes) {
			free(r);
			r = NULL;
		}
	}
	close(fd);
	return r;
}

void
revocations_free(struct revocations *r)
{
	free(r);
}

size_t
revocations_count(const struct revocations *r)
{
	return r ? r->count : 0;
}

when
revocations_find(const struct revocations *r, const X509 *x)
{
	struct revocation wanted;

	if (!r || r->count == 0 ||
	    !revocation_key(X509_get_issuer_name(x), X509_get0_serialNumber(x), wanted.key))
		return WHEN_NONE;
	const struct revocation *found =
	    bsearch(&wanted, r->entries, r->count, sizeof wanted, compare);
	return found ? found->at : WHEN_NONE;
}
