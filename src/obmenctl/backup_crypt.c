#include "obmenctl/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "Salted__"
#define SALT 8
#define ITERATIONS 600000
#define PIECE 65536

bool
backup_code_read(struct ctl *ctl, const char *path, char out[BACKUP_CODE_MAX])
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char detail[512];

	out[0] = 0;
	if (f && !fgets(out, BACKUP_CODE_MAX, f))
		out[0] = 0;
	int saved = errno;
	if (f && f != stdin)
		fclose(f);
	out[strcspn(out, "\r\n")] = 0;
	if (strlen(out) >= BACKUP_CODE_MIN)
		return true;
	snprintf(detail, sizeof detail, "%s: %s", path, f ? say(ctl, "поне 12 знака", "at least 12 characters")
	                                                  : strerror(saved));
	print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
	return false;
}

bool
backup_code_new(char out[BACKUP_CODE_MAX])
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* 32: five bits each */
	uint8_t random[32];
	size_t n = 0;

	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	for (size_t i = 0; i < sizeof random; i++) {
		if (i && i % 4 == 0)
			out[n++] = '-';
		out[n++] = letters[random[i] % 32];
	}
	out[n] = 0;
	return true;
}

static bool
read_all(int fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* Key and vector as openssl-enc(1) derives them. */
static EVP_CIPHER_CTX *
cipher(const char *code, const uint8_t salt[SALT], int encrypt)
{
	uint8_t material[32 + 16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = ctx && PKCS5_PBKDF2_HMAC(code, (int)strlen(code), salt, SALT, ITERATIONS, EVP_sha256(),
	    sizeof material, material) == 1 &&
	    EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, material, material + 32, encrypt) == 1;

	OPENSSL_cleanse(material, sizeof material);
	if (ok)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static bool
pump(EVP_CIPHER_CTX *ctx, int in, int out)
{
	uint8_t from[PIECE], to[PIECE + EVP_MAX_BLOCK_LENGTH];
	int len;
	ssize_t n;

	while ((n = read(in, from, sizeof from)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || EVP_CipherUpdate(ctx, to, &len, from, (int)n) != 1 ||
		    !write_all(out, to, (size_t)len))
			return false;
	}
	return EVP_CipherFinal_ex(ctx, to, &len) == 1 && write_all(out, to, (size_t)len);
}

bool
backup_encrypt(int in, int out, const char *code)
{
	uint8_t salt[SALT];

	if (RAND_bytes(salt, SALT) != 1 || !write_all(out, MAGIC, strlen(MAGIC)) ||
	    !write_all(out, salt, SALT))
		return false;
	EVP_CIPHER_CTX *ctx = cipher(code, salt, 1);
	bool ok = ctx && pump(ctx, in, out);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

bool
backup_decrypt(int in, int out, const char *code)
{
	uint8_t head[sizeof MAGIC - 1 + SALT];

	if (!read_all(in, head, sizeof head) || memcmp(head, MAGIC, sizeof MAGIC - 1) != 0)
		return false;
	EVP_CIPHER_CTX *ctx = cipher(code, head + sizeof MAGIC - 1, 0);
	bool ok = ctx && pump(ctx, in, out);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}
