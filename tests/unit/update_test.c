/* Bundles, versions and the packets of the updater: a real signature over a small bundle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/packet.h"
#include "update/bundle.h"

static const char manifest[] = "version 1.2.3\nboard x86-64-uefi\nsecurity 2\nstore 4 3\n"
    "root 5 %s\nA 5 %s\nB 5 %s\n";
#define PAYLOAD "rootsfileAfileB"

struct signer {
	EVP_PKEY *key;
	X509 *certificate;
	char file[64]; /* PEM of the certificate */
};

static void
signer_make(struct signer *s, const char *name)
{
	s->key = EVP_EC_gen("P-256");
	s->certificate = X509_new();
	X509_set_version(s->certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(s->certificate), 1);
	/* Long over: a box whose clock is wrong must take updates, too. */
	ASN1_TIME_set_string(X509_getm_notBefore(s->certificate), "20200101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(s->certificate), "20200102000000Z");
	X509_set_pubkey(s->certificate, s->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(s->certificate), "CN", MBSTRING_UTF8,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(s->certificate, X509_get_subject_name(s->certificate));
	X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	X509_add_ext(s->certificate, ca, -1);
	X509_EXTENSION_free(ca);
	assert_true(X509_sign(s->certificate, s->key, EVP_sha256()) > 0);
	strcpy(s->file, "/tmp/update-test-XXXXXX");
	FILE *f = fdopen(mkstemp(s->file), "w");
	PEM_write_X509(f, s->certificate);
	fclose(f);
}

static void
signer_free(struct signer *s)
{
	unlink(s->file);
	EVP_PKEY_free(s->key);
	X509_free(s->certificate);
}

static const char *
hex_of(const char *data, size_t len, char out[65])
{
	uint8_t digest[32];

	assert_int_equal(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL), 1);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return out;
}

/* A bundle in memory, with `text` as its manifest when there is one. */
static int
make(const struct signer *s, const char *text, size_t *text_at)
{
	char own[1024], a[65], b[65], c[65], head[80];
	unsigned char *der = NULL;

	if (!text) {
		snprintf(own, sizeof own, manifest, hex_of(PAYLOAD, 5, a), hex_of(&PAYLOAD[5], 5, b),
		    hex_of(&PAYLOAD[10], 5, c));
		text = own;
	}
	BIO *in = BIO_new_mem_buf(text, -1);
	CMS_ContentInfo *cms = CMS_sign(s->certificate, s->key, NULL, in,
	    CMS_BINARY | CMS_DETACHED | CMS_NOATTR);
	int len = i2d_CMS_ContentInfo(cms, &der);
	assert_true(len > 0);
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	*text_at = (size_t)snprintf(head, sizeof head, "OBMEN-UPDATE 1 %zu %d\n", strlen(text), len);
	assert_int_equal(write(fd, head, *text_at), *text_at);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(write(fd, der, (size_t)len), len);
	assert_int_equal(write(fd, PAYLOAD, 15), 15);
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	return fd;
}

static void
flip(int fd, off_t at)
{
	char c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void
test_bundle(void **in)
{
	struct signer s, other;
	struct bundle b;
	size_t at, text_size = sizeof manifest - 1 + (size_t)3 * (64 - 2);

	(void)in;
	signer_make(&s, "updates");
	signer_make(&other, "somebody else");
	int fd = make(&s, NULL, &at);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(bundle_open(&b, fd, s.file), FAULT_NONE);
	assert_string_equal(b.release.version, "1.2.3");
	assert_string_equal(b.release.board, "x86-64-uefi");
	assert_int_equal(b.release.security, 2);
	assert_int_equal(b.release.schema, 4);
	assert_int_equal(b.release.reader, 3);
	assert_int_equal(b.parts[PART_B].size, 5);
	assert_int_equal(b.parts[PART_B].offset, size - 5);
	assert_int_equal(bundle_open(&b, fd, other.file), FAULT_UPDATE_SIGNATURE);
	assert_int_equal(bundle_open(&b, fd, "/nonexistent"), FAULT_UPDATE_SIGNATURE);
	/* No bit may change, but in the certificate that comes along with the signature: it is not the one
	 * that is believed. */
	off_t certificates = (off_t)(at + text_size), payload = size - 15;
	for (off_t i = 0; i < size; i++) {
		flip(fd, i);
		assert_true(bundle_open(&b, fd, s.file) != FAULT_NONE || (i >= certificates && i < payload));
		flip(fd, i);
	}
	flip(fd, (off_t)at);
	assert_int_equal(bundle_open(&b, fd, s.file), FAULT_UPDATE_SIGNATURE);
	flip(fd, (off_t)at);
	flip(fd, size - 1);
	assert_int_equal(bundle_open(&b, fd, s.file), FAULT_UPDATE_DAMAGED);
	flip(fd, size - 1);
	for (off_t shorter = size - 1; shorter >= 0; shorter -= 7) {
		assert_int_equal(ftruncate(fd, shorter), 0);
		assert_int_not_equal(bundle_open(&b, fd, s.file), FAULT_NONE);
	}
	close(fd);
	signer_free(&other);
	signer_free(&s);
}

/* Signed, but not of our form. */
static void
test_manifest(void **in)
{
	static const char *const texts[] = {"", "version 1\n", "version 1\nboard b\nstore 1 1\nroot 5 00\n",
	    "nonsense\n", "root 99999999999 00\n", "version 1\nboard b\nsecurity 1\n"};
	struct signer s;
	struct bundle b;
	size_t at;

	(void)in;
	signer_make(&s, "updates");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int fd = make(&s, texts[i], &at);
		assert_int_equal(bundle_open(&b, fd, s.file), FAULT_UPDATE_FORM);
		close(fd);
	}
	signer_free(&s);
}

static void
test_change(void **in)
{
	static const struct {
		const char *board;
		unsigned security, schema, reader;
		enum fault expected;
	} cases[] = {
	    {"b", 2, 5, 4, FAULT_NONE},
	    {"b", 3, 5, 4, FAULT_NONE},
	    {"c", 2, 5, 4, FAULT_UPDATE_BOARD},
	    {"b", 1, 5, 4, FAULT_UPDATE_FLOOR},
	    {"b", 2, 9, 5, FAULT_NONE},         /* we can read what it writes */
	    {"b", 2, 9, 6, FAULT_UPDATE_STORE}, /* we could not */
	    {"b", 2, 4, 2, FAULT_NONE},         /* older, and can read what we write */
	    {"b", 2, 3, 2, FAULT_UPDATE_STORE}, /* could not */
	};
	const struct release running = {.version = "1", .board = "b", .security = 2, .schema = 5, .reader = 4};
	char detail[64];

	(void)in;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct release other = {.version = "2", .security = cases[i].security,
		    .schema = cases[i].schema, .reader = cases[i].reader};
		strcpy(other.board, cases[i].board);
		assert_int_equal(release_change(&running, &other, detail), cases[i].expected);
	}
}

/* A PE file with two sections, as far as a reader of .osrel looks. */
static int
kernel_file(const char *osrel, uint32_t size)
{
	uint8_t image[1024] = "MZ";
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	image[60] = 128;
	memcpy(image + 128, "PE\0\0", 4);
	image[128 + 6] = 2;  /* sections */
	image[128 + 20] = 16; /* optional header */
	memcpy(image + 168, ".text", 5);
	memcpy(image + 208, ".osrel", 6);
	memcpy(image + 208 + 8, &size, 4);
	image[208 + 21] = 2; /* at 512 */
	memcpy(image + 512, osrel, strlen(osrel));
	assert_int_equal(write(fd, image, sizeof image), sizeof image);
	return fd;
}

static void
test_kernel(void **in)
{
	static const char text[] = "NAME=Obmen\nVERSION_ID=1.2.3\nBOARD_ID=b\nSECURITY_LEVEL=2\nSTORE_SCHEMA=5\n"
	    "STORE_READER=4\nTRIAL_SECONDS=30\n";
	struct release r;

	(void)in;
	int fd = kernel_file(text, sizeof text - 1);
	assert_true(release_of_kernel(&r, fd));
	assert_string_equal(r.version, "1.2.3");
	assert_int_equal(r.security, 2);
	assert_int_equal(r.schema, 5);
	assert_int_equal(r.reader, 4);
	assert_int_equal(r.trial, 30);
	/* Until its first sector is there it is none. */
	uint8_t zeros[512] = {0};
	assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
	assert_false(release_of_kernel(&r, fd));
	close(fd);
	fd = kernel_file(text, 5000);
	assert_false(release_of_kernel(&r, fd));
	close(fd);
	fd = kernel_file("NAME=x\n", 7);
	assert_false(release_of_kernel(&r, fd));
	close(fd);
}

static void
test_packet(void **in)
{
	int ends[2], fd, passed = memfd_create("passed", MFD_CLOEXEC);
	char *large = calloc(1, PACKET_MAX + 1);

	(void)in;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	assert_null(packet_receive(ends[1], &fd));
	assert_int_equal(errno, EAGAIN);
	json_t *j = json_pack("{s:s}", "verb", "x");
	assert_true(packet_send(ends[0], j, passed));
	assert_true(packet_send(ends[0], j, -1));
	json_decref(j);
	j = packet_receive(ends[1], &fd);
	assert_string_equal(json_string_value(json_object_get(j, "verb")), "x");
	assert_true(fd >= 0);
	close(fd);
	json_decref(j);
	j = packet_receive(ends[1], &fd);
	assert_non_null(j);
	assert_int_equal(fd, -1);
	json_decref(j);
	memset(large, 'x', PACKET_MAX);
	j = json_pack("{s:s}", "verb", large);
	assert_false(packet_send(ends[0], j, -1));
	json_decref(j);
	/* What others write into it. */
	assert_int_equal(send(ends[0], "[1]", 3, 0), 3);
	assert_null(packet_receive(ends[1], &fd));
	assert_int_equal(errno, EPROTO);
	memset(large, ' ', PACKET_MAX + 1);
	memcpy(large, "{}", 2);
	assert_int_equal(send(ends[0], large, PACKET_MAX + 1, 0), PACKET_MAX + 1);
	assert_null(packet_receive(ends[1], &fd));
	assert_int_equal(errno, EPROTO);
	close(ends[0]);
	assert_null(packet_receive(ends[1], &fd));
	assert_int_equal(errno, 0);
	assert_int_equal(fd, -1);
	close(ends[1]);
	close(passed);
	free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bundle), cmocka_unit_test(test_manifest), cmocka_unit_test(test_change),
	    cmocka_unit_test(test_kernel), cmocka_unit_test(test_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
