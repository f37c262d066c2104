#include "update/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 4096u      /* manifest */
#define SIGNATURE_MAX 65536u
#define BLOCK 65536u
#define PART_MAX ((uint64_t)256 << 20)

static const char *const part_names[PARTS] = {"root", "A", "B"};

bool
bundle_digest(int fd, uint64_t offset, uint64_t size, uint8_t sha256[32])
{
	uint8_t block[BLOCK];
	EVP_MD_CTX *h = EVP_MD_CTX_new();
	bool good = h && EVP_DigestInit_ex(h, EVP_sha256(), NULL) == 1;

	while (good && size > 0) {
		size_t want = size < sizeof block ? (size_t)size : sizeof block;
		ssize_t n = pread(fd, block, want, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		good = n > 0 && EVP_DigestUpdate(h, block, (size_t)n) == 1;
		if (good) {
			offset += (uint64_t)n;
			size -= (uint64_t)n;
		}
	}
	good = good && EVP_DigestFinal_ex(h, sha256, NULL) == 1;
	EVP_MD_CTX_free(h);
	return good;
}

/* The signer's certificate must come from `authority`, which signs nothing but updates, whatever the
 * clock says: a box whose clock is wrong must still take updates. */
static bool
signature_good(const char *authority, const char *text, size_t text_len, const uint8_t *der, size_t der_len)
{
	X509_STORE *trusted = X509_STORE_new();
	/* Behind a filter: of a plain memory BIO CMS_verify makes one more, and forgets it when it fails. */
	BIO *content = BIO_push(BIO_new(BIO_f_null()), BIO_new_mem_buf(text, (int)text_len));
	const unsigned char *at = der;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der_len);
	bool good = trusted && content && cms && X509_STORE_load_locations(trusted, authority, NULL) == 1;

	if (good) {
		X509_STORE_set_flags(trusted, X509_V_FLAG_NO_CHECK_TIME);
		X509_STORE_set_purpose(trusted, X509_PURPOSE_ANY);
		good = CMS_verify(cms, NULL, trusted, content, NULL, CMS_BINARY) == 1;
	}
	CMS_ContentInfo_free(cms);
	BIO_free_all(content);
	X509_STORE_free(trusted);
	return good;
}

static bool
hex_digest(const char *hex, uint8_t out[32])
{
	size_t len = 0;

	return strlen(hex) == 64 && OPENSSL_hexstr2buf_ex(out, 32, &len, hex, '\0') == 1 && len == 32;
}

static bool
manifest_line(struct bundle *b, const char *line)
{
	struct release *r = &b->release;
	char name[16] = "", hex[80] = "";
	unsigned long long size = 0;

	if (sscanf(line, "version %31[0-9.]", r->version) == 1 ||
	    sscanf(line, "board %31[a-z0-9-]", r->board) == 1 ||
	    sscanf(line, "security %u", &r->security) == 1 ||
	    sscanf(line, "store %u %u", &r->schema, &r->reader) == 2)
		return true;
	if (sscanf(line, "%15[a-zA-Z] %llu %79[0-9a-f]", name, &size, hex) != 3)
		return false;
	for (unsigned p = 0; p < PARTS; p++) {
		if (strcmp(name, part_names[p]) == 0) {
			b->parts[p].size = size;
			return size > 0 && size <= PART_MAX && hex_digest(hex, b->parts[p].sha256);
		}
	}
	return false;
}

static bool
manifest_read(struct bundle *b, char *text, uint64_t payload)
{
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if (*line && !manifest_line(b, line))
			return false;
	for (unsigned p = 0; p < PARTS; p++) {
		b->parts[p].offset = payload;
		payload += b->parts[p].size;
		if (b->parts[p].size == 0)
			return false;
	}
	return b->release.version[0] && b->release.board[0] && b->release.schema > 0;
}

static bool
parts_good(const struct bundle *b)
{
	uint8_t found[32];

	for (unsigned p = 0; p < PARTS; p++) {
		if (!bundle_digest(b->fd, b->parts[p].offset, b->parts[p].size, found) ||
		    memcmp(found, b->parts[p].sha256, sizeof found) != 0)
			return false;
	}
	return true;
}

enum fault
bundle_open(struct bundle *b, int fd, const char *authority)
{
	char head[80] = "", text[TEXT_MAX + 1];
	unsigned text_len = 0, der_len = 0;
	uint8_t der[SIGNATURE_MAX];

	memset(b, 0, sizeof *b);
	b->fd = fd;
	if (pread(fd, head, sizeof head - 1, 0) < 24 ||
	    sscanf(head, "OBMEN-UPDATE 1 %u %u\n", &text_len, &der_len) != 2 || !strchr(head, '\n') ||
	    text_len > TEXT_MAX || der_len > SIGNATURE_MAX)
		return FAULT_UPDATE_FORM;
	off_t at = strchr(head, '\n') + 1 - head;
	if (pread(fd, text, text_len, at) != (ssize_t)text_len ||
	    pread(fd, der, der_len, at + text_len) != (ssize_t)der_len)
		return FAULT_UPDATE_FORM;
	text[text_len] = '\0';
	if (!signature_good(authority, text, text_len, der, der_len))
		return FAULT_UPDATE_SIGNATURE;
	if (!manifest_read(b, text, (uint64_t)at + text_len + der_len))
		return FAULT_UPDATE_FORM;
	return parts_good(b) ? FAULT_NONE : FAULT_UPDATE_DAMAGED;
}
