/* The signer: what it signs, what it never signs, which keys it takes. */
#include "signer_fixture.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "process/signer_form.h"
#include "process/signer_key.h"

static struct fixture fixture;

static const char signed_info[] =
    "<SignedInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><CanonicalizationMethod "
    "Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"></CanonicalizationMethod>";

/* A client's request over a synchronous channel. Returns the signature's length, 0 = refused. */
static long
ask(enum role_id role, const struct wire_tls_sign *m, uint8_t *out)
{
	struct buf b = {0};

	assert_true(wire_pack(&b, WIRE_TLS_SIGN, m));
	long n = ipc_call(fixture.sync[role], WIRE_TLS_SIGN, b.data, b.len, out, 512, 5000);
	buf_free(&b);
	return n;
}

static long
ask_bytes(enum role_id role, const void *tbs, size_t len)
{
	struct wire_tls_sign m = {.certificate = CERT_A, .digest = "SHA256", .tbs = {tbs, len}};
	uint8_t out[512];

	return ask(role, &m, out);
}

static size_t
put_verify(uint8_t *out, const char *context)
{
	memset(out, ' ', 64);
	memcpy(out + 64, context, strlen(context) + 1);
	memset(out + 64 + strlen(context) + 1, 7, 32);
	return 64 + strlen(context) + 1 + 32;
}

/* ServerKeyExchange for X25519, with the randoms given. */
static size_t
put_server_key(uint8_t *out, const char *randoms)
{
	memcpy(out, randoms, 64);
	memcpy(out + 64, (const uint8_t[]){3, 0, 29, 32}, 4);
	memset(out + 68, 9, 32);
	return 100;
}

static size_t
put_transcript(uint8_t *out, uint8_t last)
{
	static const uint8_t head[] = {1, 0, 0, 2, 3, 3, 2, 0, 0, 1, 3, 14, 0, 0, 0};

	memcpy(out, head, sizeof head);
	memcpy(out + sizeof head, (const uint8_t[]){last, 0, 0, 1, 5}, 5);
	return sizeof head + 5;
}

static void
test_forms(void **state)
{
	uint8_t b[600];
	size_t n;

	(void)state;
	n = put_verify(b, "TLS 1.3, server CertificateVerify");
	assert_int_equal(tls_form_of(b, n), TLS_FORM_SERVER_VERIFY);
	assert_int_equal(tls_form_of(b, n - 1), TLS_FORM_NONE);
	b[3] = '<';
	assert_int_equal(tls_form_of(b, n), TLS_FORM_NONE);
	n = put_verify(b, "TLS 1.3, client CertificateVerify");
	assert_int_equal(tls_form_of(b, n), TLS_FORM_CLIENT_VERIFY);

	n = put_server_key(b, signed_info);
	assert_int_equal(tls_form_of(b, n), TLS_FORM_SERVER_KEY);
	assert_int_equal(tls_form_of(b, n + 1), TLS_FORM_NONE);
	assert_int_equal(tls_form_of(b, n - 1), TLS_FORM_NONE);
	b[64] = ' ';
	assert_int_equal(tls_form_of(b, n), TLS_FORM_NONE);

	n = put_transcript(b, 16);
	assert_int_equal(tls_form_of(b, n), TLS_FORM_TRANSCRIPT);
	assert_int_equal(tls_form_of(b, n - 1), TLS_FORM_NONE);
	n = put_transcript(b, 20);
	assert_int_equal(tls_form_of(b, n), TLS_FORM_NONE);
	assert_int_equal(tls_form_of(b, 0), TLS_FORM_NONE);
}

/* Nothing that is XML text can have any of the forms, whatever it holds. */
static void
test_xml_has_no_form(void **state)
{
	uint8_t b[700], r[2];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		RAND_bytes(r, sizeof r);
		size_t len = 1 + (size_t)(r[0] << 8 | r[1]) % sizeof b;
		RAND_bytes(b, (int)len);
		for (size_t i = 0; i < len; i++) {
			if (b[i] < 0x20 && b[i] != '\t' && b[i] != '\n' && b[i] != '\r')
				b[i] = ' ';
		}
		b[0] = '<';
		assert_int_equal(tls_form_of(b, len), TLS_FORM_NONE);
	}
}

/* A front that was taken over holds the channel, and still cannot have a document signed. */
static void
test_captured_front(void **state)
{
	uint8_t b[600];
	size_t n;

	(void)state;
	for (enum role_id r = 0; r < ROLE_COUNT; r++) {
		if (r != ROLE_FRONT && r != ROLE_COURIER && r != ROLE_DIRECTORY)
			continue;
		assert_int_equal(ask_bytes(r, signed_info, strlen(signed_info)), 0);
		assert_int_equal(ask_bytes(r, "", 0), 0);
	}
	/* Each side gets its own half of a handshake only. */
	n = put_verify(b, "TLS 1.3, server CertificateVerify");
	assert_int_equal(ask_bytes(ROLE_FRONT, b, n), 256);
	assert_int_equal(ask_bytes(ROLE_COURIER, b, n), 0);
	n = put_verify(b, "TLS 1.3, client CertificateVerify");
	assert_int_equal(ask_bytes(ROLE_FRONT, b, n), 0);
	assert_int_equal(ask_bytes(ROLE_DIRECTORY, b, n), 256);
	n = put_transcript(b, 16);
	assert_int_equal(ask_bytes(ROLE_FRONT, b, n), 0);
	assert_int_equal(ask_bytes(ROLE_COURIER, b, n), 256);
	/* WIRE_SIGN is in the table for codec and for nobody else: role.c closes such a channel. */
	for (size_t i = 0; i < role_signer.message_count; i++) {
		if (role_signer.messages[i].type == WIRE_SIGN)
			assert_int_equal(role_signer.messages[i].from, ROLE_CODEC);
	}
}

static void
test_tls_digests(void **state)
{
	static const struct {
		const char *digest;
		bool pss, transcript;
		long expected;
	} rows[] = {{"SHA256", true, false, 256}, {"SHA512", true, false, 256},
	    {"SHA1", false, false, 0}, {"MD5-SHA1", false, false, 0}, {"MD5", false, true, 0},
	    {"SHA1", false, true, 256}, {"SHA1", true, true, 0}, {"MD5-SHA1", false, true, 256},
	    {"SHA224", false, true, 0}, {"", false, true, 0}, {NULL, false, true, 0}};
	uint8_t verify[200], transcript[200], out[512];
	size_t n = put_verify(verify, "TLS 1.3, client CertificateVerify");
	size_t t = put_transcript(transcript, 16);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct wire_tls_sign m = {.certificate = CERT_A, .digest = rows[i].digest,
		    .pss = rows[i].pss, .tbs = {verify, n}};
		if (rows[i].transcript)
			m.tbs = (struct wire_bytes){transcript, t};
		assert_int_equal(ask(ROLE_COURIER, &m, out), rows[i].expected);
	}
	struct wire_tls_sign m = {.certificate = CERT_COUNT, .digest = "SHA256", .tbs = {verify, n}};
	assert_int_equal(ask(ROLE_COURIER, &m, out), 0);
}

/* What codec asks for, and what comes back. */
static size_t
sign(enum signature_method method, unsigned certificate, const uint8_t *digest, size_t len,
    uint8_t *out)
{
	struct wire_sign m = {.certificate = certificate, .method = method, .digest = {digest, len}};
	struct wire_sign_reply reply;
	struct buf b = {0};
	uint8_t in[1024];

	if (!wire_pack(&b, WIRE_SIGN, &m)) { /* not even a request */
		buf_free(&b);
		return 0;
	}
	long n = ipc_call(fixture.sync[ROLE_CODEC], WIRE_SIGN, b.data, b.len, in, sizeof in, 5000);
	assert_true(n > 0);
	struct ipc_frame f = {.type = WIRE_SIGN_REPLY, .payload = in, .len = (size_t)n};
	assert_true(wire_unpack(&f, WIRE_SIGN_REPLY, &reply));
	if (reply.signature.len)
		memcpy(out, reply.signature.data, reply.signature.len);
	buf_free(&b);
	return reply.signature.len;
}

static bool
verifies(unsigned certificate, const EVP_MD *md, const uint8_t *digest, size_t len,
    const uint8_t *sig, size_t sig_len)
{
	BIO *in = BIO_new_file(fixture.certificates[certificate].file, "r");
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(X509_get0_pubkey(x), NULL);
	bool ok = EVP_PKEY_verify_init(ctx) > 0 && EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
	    EVP_PKEY_verify(ctx, sig, sig_len, digest, len) == 1;

	EVP_PKEY_CTX_free(ctx);
	X509_free(x);
	BIO_free(in);
	return ok;
}

static void
test_messages(void **state)
{
	const struct {
		enum signature_method method;
		const EVP_MD *md;
	} rows[] = {{SIGNATURE_RSA_SHA1, EVP_sha1()}, {SIGNATURE_RSA_SHA256, EVP_sha256()},
	    {SIGNATURE_RSA_SHA384, EVP_sha384()}, {SIGNATURE_RSA_SHA512, EVP_sha512()}};
	uint8_t digest[65], out[512];

	(void)state;
	RAND_bytes(digest, sizeof digest);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = (size_t)EVP_MD_get_size(rows[i].md);
		size_t n = sign(rows[i].method, CERT_B, digest, len, out);
		assert_int_equal(n, 256);
		assert_true(verifies(CERT_B, rows[i].md, digest, len, out, n));
		assert_false(verifies(CERT_A, rows[i].md, digest, len, out, n));
		assert_int_equal(sign(rows[i].method, CERT_B, digest, len - 1, out), 0);
		assert_int_equal(sign(rows[i].method, CERT_B, digest, len + 1, out), 0);
	}
	assert_int_equal(sign(SIGNATURE_NONE, CERT_B, digest, 32, out), 0);
	assert_int_equal(sign(SIGNATURE_METHOD_COUNT, CERT_B, digest, 32, out), 0);
	assert_int_equal(sign(SIGNATURE_RSA_SHA256, CERT_COUNT, digest, 32, out), 0);
	assert_int_equal(sign(SIGNATURE_RSA_SHA256, CERT_B, NULL, 0, out), 0);
}

static bool
loads(const char *certificate, const char *key)
{
	struct conf_certificate c = {.name = "tried"};
	struct signer_key k;

	c.file = fixture_path(&fixture, certificate, "");
	c.key = fixture_path(&fixture, key, "");
	bool ok = signer_key_load(&k, &c);
	signer_key_free(&k);
	free(c.file);
	free(c.key);
	return ok;
}

static void
test_keys_refused(void **state)
{
	char path[400], command[1600];

	(void)state;
	log_init("signer", -1, LOG_ERROR + 1); /* the refusals are the point */
	assert_true(loads("a.pem", "a.key"));
	assert_false(loads("b.pem", "a.key"));
	assert_false(loads("key1024.pem", "key1024.key"));
	assert_false(loads("a.pem", "none.key"));
	assert_false(loads("none.pem", "a.key"));
	assert_false(loads("a.pem", "a.pem"));
	assert_false(loads("a.pem", ""));
	snprintf(command, sizeof command,
	    "cd '%s' && openssl pkey -in a.key -aes256 -passout pass:x -out locked.key && "
	    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key && "
	    "chmod 600 locked.key ec.key", fixture.folder);
	assert_int_equal(system(command), 0);
	assert_false(loads("a.pem", "locked.key"));
	assert_false(loads("a.pem", "ec.key"));
	snprintf(path, sizeof path, "%s/c.key", fixture.folder);
	assert_int_equal(chmod(path, 0640), 0);
	assert_true(loads("c.pem", "c.key"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_false(loads("c.pem", "c.key"));
	log_init("signer", -1, LOG_ERROR);
}

/* TLS goes first: its asker is blocked, the digests of codec are not. */
static void
test_order(void **state)
{
	enum { DIGESTS = 512 };
	struct wire_sign m = {.certificate = CERT_A, .method = SIGNATURE_RSA_SHA256};
	uint8_t digest[32] = {0}, verify[200], in[65536];
	size_t len = put_verify(verify, "TLS 1.3, server CertificateVerify");
	struct event_base *base = event_base_new();
	struct ipc *codec = ipc_new(base, dup(fixture.sync[ROLE_CODEC]), NULL, NULL, NULL);
	ssize_t before = 0;

	(void)state;
	m.digest = (struct wire_bytes){digest, sizeof digest};
	/* It sleeps until all of them wait for it, however busy the machine is. */
	assert_int_equal(kill(fixture.signer, SIGSTOP), 0);
	pid_t waker = fork();
	if (waker == 0) {
		usleep(300000);
		_exit(kill(fixture.signer, SIGCONT));
	}
	for (unsigned i = 0; i < DIGESTS; i++)
		assert_true(wire_send(codec, WIRE_SIGN, i, &m, NULL, 0));
	ipc_flush(codec);
	assert_int_equal(ask_bytes(ROLE_FRONT, verify, len), 256);
	waitpid(waker, NULL, 0);
	/* When the handshake is answered, most digests must still be waiting. */
	for (ssize_t n; (n = recv(fixture.sync[ROLE_CODEC], in, sizeof in, MSG_DONTWAIT)) > 0;)
		before += n / 256;
	assert_true(before < DIGESTS / 2);
	ipc_free(codec);
	event_base_free(base);
}

static int
setup(void **state)
{
	(void)state;
	log_init("test", -1, LOG_ERROR);
	fixture_open(&fixture);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_close(&fixture);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_xml_has_no_form),
	    cmocka_unit_test(test_captured_front),
	    cmocka_unit_test(test_tls_digests),
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_keys_refused),
	    cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
