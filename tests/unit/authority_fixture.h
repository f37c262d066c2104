/* A CA in memory, requesters, and the openssl command as a judge of what they made. */
#ifndef OBMEN_TEST_AUTHORITY_FIXTURE_H
#define OBMEN_TEST_AUTHORITY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority/certify.h"

#define TEST_NAME "primer.obmen.local"
#define TEST_EIK  "990000017"

struct authority_fixture {
	char folder[64];
	struct certify_signer ca;
	struct certify_profile profile;
	EVP_PKEY *requester;
};

__attribute__((unused)) static struct authority_fixture *
authority_fixture_new(void)
{
	struct authority_fixture *f = calloc(1, sizeof *f);
	uint8_t serial[CERTIFY_SERIAL];

	snprintf(f->folder, sizeof f->folder, "/tmp/obmen-authority-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	assert_non_null(f->ca.key = EVP_RSA_gen(3072));
	assert_non_null(f->requester = EVP_RSA_gen(2048));
	assert_true(certify_serial(serial));
	f->ca.certificate = certify_root(f->ca.key, "/CN=Test eDoc Exchange CA/O=Test/L=Sofia/C=BG", serial,
	    when_now() - 3600 * WHEN_SECOND, 3650);
	assert_non_null(f->ca.certificate);
	f->profile = (struct certify_profile){.kind = CERTIFY_PRODUCTION, .days = 1095, .country = "BG",
	    .policy = "1.3.6.1.4.1.11290.1.2.3.1", .cps = "http://policy.example.invalid/",
	    .ocsp_url = "http://ocsp.example.invalid/ocsp", .crl_url = "http://crl.example.invalid/crl"};
	return f;
}

/* Runs a command in the fixture's folder; its output, both streams, in a static buffer. */
__attribute__((unused, format(printf, 2, 3))) static const char *
judged(struct authority_fixture *f, const char *format, ...)
{
	static char output[64 << 10];
	char command[2048];
	va_list ap;

	int n = snprintf(command, sizeof command, "cd %s && exec 2>&1; ", f->folder);
	va_start(ap, format);
	vsnprintf(command + n, sizeof command - (size_t)n, format, ap);
	va_end(ap);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	size_t len = fread(output, 1, sizeof output - 1, pipe);
	output[len] = '\0';
	pclose(pipe);
	return output;
}

#define assert_says(f, what, ...)                                                                          \
	do {                                                                                               \
		const char *said = judged((f), __VA_ARGS__);                                               \
		if (!strstr(said, (what)))                                                                 \
			fail_msg("no \"%s\" in: %s", (what), said);                                        \
	} while (0)

__attribute__((unused)) static void
save(struct authority_fixture *f, const char *name, const void *data, size_t len)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", f->folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	fclose(file);
}

__attribute__((unused)) static void
save_certificate(struct authority_fixture *f, const char *name, X509 *x)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", f->folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(PEM_write_X509(file, x));
	fclose(file);
}

__attribute__((unused)) static void
save_key(struct authority_fixture *f, const char *name, EVP_PKEY *key)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", f->folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	fclose(file);
}

__attribute__((unused)) static X509 *
issue(struct authority_fixture *f, EVP_PKEY *key, when from)
{
	uint8_t *der = NULL, serial[CERTIFY_SERIAL];
	int len = i2d_PUBKEY(key, &der);
	struct certify_subject subject = {.name = TEST_NAME, .eik = TEST_EIK, .organisation = "Example Agency",
	    .unit = "Example Agency", .place = "Sofia", .email = "contact@example.invalid"};

	assert_true(len > 0 && certify_serial(serial));
	X509 *x = certify_issue(&f->ca, &f->profile, &subject, der, (size_t)len, serial, from);
	OPENSSL_free(der);
	return x;
}

__attribute__((unused)) static void
authority_fixture_free(struct authority_fixture *f)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	X509_free(f->ca.certificate);
	EVP_PKEY_free(f->ca.key);
	EVP_PKEY_free(f->requester);
	free(f);
}

#endif
