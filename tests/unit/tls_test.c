/* Remote keys in real handshakes: both sides, both versions, and every reason to refuse. */
#include "signer_fixture.h"

#include <openssl/err.h>

#include "lib/log.h"

static struct fixture fixture;

struct handshake {
	SSL *server, *client;
	SSL *failed; /* which side found the trouble first */
	char reason[256];
	bool done;
};

static void
step(struct handshake *h, SSL *ssl, bool *finished)
{
	ERR_clear_error();
	int r = SSL_do_handshake(ssl);

	if (r == 1) {
		*finished = true;
		return;
	}
	int error = SSL_get_error(ssl, r);
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE && !h->failed) {
		h->failed = ssl;
		tls_reason(ssl, h->reason, sizeof h->reason);
	}
}

/* Handshake in memory, and one byte each way, which brings tickets and late alerts. */
static void
shake(struct handshake *h, SSL_CTX *server, SSL_CTX *client, const char *name, SSL_SESSION *resume)
{
	BIO *a, *b;
	bool s = false, c = false;
	char byte = 'x';

	*h = (struct handshake){.server = SSL_new(server), .client = SSL_new(client)};
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(h->server, a, a);
	SSL_set_bio(h->client, b, b);
	SSL_set_accept_state(h->server);
	SSL_set_connect_state(h->client);
	if (name)
		SSL_set1_host(h->client, name);
	if (resume)
		SSL_set_session(h->client, resume);
	for (int i = 0; i < 40 && !(s && c) && !h->failed; i++) {
		if (!c)
			step(h, h->client, &c);
		if (!s && !h->failed)
			step(h, h->server, &s);
	}
	h->done = s && c && SSL_write(h->server, &byte, 1) == 1 && SSL_read(h->client, &byte, 1) == 1;
}

static void
end(struct handshake *h)
{
	/* What ended orderly may be resumed. */
	SSL_shutdown(h->server);
	SSL_shutdown(h->client);
	SSL_free(h->server);
	SSL_free(h->client);
	ERR_clear_error();
}

static void
test_versions_and_schemes(void **state)
{
	static const struct {
		int version;
		const char *schemes;
	} rows[] = {{TLS1_2_VERSION, "RSA+SHA256"}, {TLS1_2_VERSION, "RSA+SHA384"},
	    {TLS1_2_VERSION, "RSA+SHA512"}, {TLS1_2_VERSION, "RSA-PSS+SHA256"},
	    {TLS1_2_VERSION, "RSA-PSS+SHA512"}, {TLS1_3_VERSION, "RSA-PSS+SHA256"},
	    {TLS1_3_VERSION, "RSA-PSS+SHA384"}, {TLS1_3_VERSION, "RSA-PSS+SHA512"}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL_CTX *server = fixture_context(&fixture, TLS_SERVER, CERT_A, true);
		SSL_CTX *client = fixture_context(&fixture, TLS_CLIENT, CERT_B, true);
		struct handshake h;
		SSL_CTX_set_max_proto_version(server, rows[i].version);
		assert_int_equal(SSL_CTX_set1_sigalgs_list(server, rows[i].schemes), 1);
		assert_int_equal(SSL_CTX_set1_sigalgs_list(client, rows[i].schemes), 1);
		shake(&h, server, client, "primer.obmen.local", NULL);
		assert_string_equal(h.reason, "");
		assert_true(h.done);
		assert_int_equal(SSL_version(h.client), rows[i].version);
		assert_non_null(SSL_get0_peer_certificate(h.server));
		end(&h);
		SSL_CTX_free(server);
		SSL_CTX_free(client);
	}
}

/* TLS 1.0 towards an old server: only with the exception, and then with MD5-SHA1. */
static void
test_legacy(void **state)
{
	struct tls_options o = {.side = TLS_CLIENT, .ca_file = fixture.ca_file, .legacy = true,
	    .verify_chain = true};
	SSL_CTX *old = fixture_context(&fixture, TLS_SERVER, CERT_A, false);
	SSL_CTX *strict = fixture_context(&fixture, TLS_CLIENT, CERT_B, false);
	struct handshake h;
	char key[400];

	(void)state;
	/* A server that is not ours: a local key, no limits. */
	snprintf(key, sizeof key, "%s/a.key", fixture.folder);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(old, key, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_security_level(old, 0);
	SSL_CTX_set_min_proto_version(old, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(old, "ALL:@SECLEVEL=0"), 1);

	SSL_CTX *legacy = tls_context(fixture.conf.certificates[CERT_B].file, CERT_B, fixture.sync[ROLE_COURIER], &o);
	shake(&h, old, legacy, "primer.obmen.local", NULL);
	assert_string_equal(h.reason, "");
	assert_true(h.done);
	end(&h);
	shake(&h, old, strict, "primer.obmen.local", NULL);
	assert_false(h.done);
	assert_non_null(strstr(h.reason, "protocol version"));
	end(&h);
	SSL_CTX_free(old);
	SSL_CTX_free(strict);
	SSL_CTX_free(legacy);
}

static void
test_resumption(void **state)
{
	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *server = fixture_context(&fixture, TLS_SERVER, CERT_A, false);
		SSL_CTX *client = fixture_context(&fixture, TLS_CLIENT, CERT_B, false);
		struct handshake first, second;
		SSL_CTX_set_max_proto_version(client, version);
		shake(&first, server, client, NULL, NULL);
		assert_true(first.done);
		SSL_SESSION *session = SSL_get1_session(first.client);
		end(&first);
		shake(&second, server, client, NULL, session);
		assert_true(second.done);
		assert_true(SSL_session_reused(second.server));
		assert_non_null(SSL_get0_peer_certificate(second.server));
		end(&second);
		SSL_SESSION_free(session);
		SSL_CTX_free(server);
		SSL_CTX_free(client);
	}
}

struct refusal {
	int server, client; /* certificates */
	const char *name;   /* that the client expects */
	bool crl;
	const char *reason; /* "" = it must work */
};

static void
test_reasons(void **state)
{
	static const struct refusal rows[] = {
	    {CERT_A, CERT_B, "primer.obmen.local", true, ""},
	    {CERT_A, CERT_B, "drug.obmen.local", true, "certificate is for another name"},
	    {CERT_EXPIRED, CERT_B, NULL, true, "certificate expired"},
	    {CERT_NOTYET, CERT_B, NULL, true, "certificate not yet valid"},
	    {CERT_REVOKED, CERT_B, NULL, true, "certificate revoked"},
	    {CERT_REVOKED, CERT_B, NULL, false, ""},
	    {CERT_OTHERCA, CERT_B, NULL, true, "certificate of an unknown CA"},
	    {CERT_SELFSIGNED, CERT_B, NULL, true, "certificate of an unknown CA (self-signed)"},
	    {CERT_A, CERT_EXPIRED, NULL, true, "certificate expired"},
	    {CERT_A, CERT_NOTYET, NULL, true, "certificate not yet valid"},
	    {CERT_A, CERT_REVOKED, NULL, true, "certificate revoked"},
	    {CERT_A, CERT_SELFSIGNED, NULL, true, "certificate of an unknown CA (self-signed)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL_CTX *server = fixture_context(&fixture, TLS_SERVER, rows[i].server, rows[i].crl);
		SSL_CTX *client = fixture_context(&fixture, TLS_CLIENT, rows[i].client, rows[i].crl);
		struct handshake h;
		shake(&h, server, client, rows[i].name, NULL);
		assert_string_equal(h.reason, rows[i].reason);
		assert_int_equal(h.done, rows[i].reason[0] == 0);
		end(&h);
		SSL_CTX_free(server);
		SSL_CTX_free(client);
	}
}

static void
test_peer_refuses(void **state)
{
	SSL_CTX *server = fixture_context(&fixture, TLS_SERVER, CERT_A, false);
	SSL_CTX *bare = SSL_CTX_new(TLS_client_method()); /* no certificate, no checks */
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	struct handshake h;
	char byte, reason[256];

	(void)state;
	shake(&h, server, bare, NULL, NULL);
	assert_string_equal(h.reason, "the peer sent no client certificate");
	/* On TLS 1.3 the client was done before it was refused: the alert comes with its first read. */
	assert_true(SSL_read(h.client, &byte, 1) <= 0);
	unsigned long error = ERR_peek_error();
	assert_true(tls_handshake_alert(error));
	tls_reason(h.client, reason, sizeof reason);
	assert_string_equal(reason, "refused by the peer: it wants a client certificate (alert 116)");
	end(&h);

	SSL_CTX_set_security_level(old, 0);
	SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
	shake(&h, server, old, NULL, NULL);
	assert_string_equal(h.reason, "the peer offers only older protocol versions");
	end(&h);
	SSL_CTX_free(server);
	SSL_CTX_free(bare);
	SSL_CTX_free(old);
}

/* A CRL that cannot be read, is too old or is signed by a stranger says nothing. */
static void
test_soft_crl(void **state)
{
	char none[400], old[400], command[1500];
	struct tls_options o = {.side = TLS_SERVER, .ca_file = fixture.ca_file, .verify_chain = true};

	(void)state;
	snprintf(none, sizeof none, "%s/none.pem", fixture.folder);
	snprintf(old, sizeof old, "%s/old.pem", fixture.folder);
	snprintf(command, sizeof command, "cd '%s' && openssl ca -config ca/ca.conf -gencrl "
	    "-crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z -out old.pem 2>/dev/null",
	    fixture.folder);
	assert_int_equal(system(command), 0);
	const char *const files[] = {none, old};
	for (int i = 0; i < 2; i++) {
		SSL_CTX *client = fixture_context(&fixture, TLS_CLIENT, CERT_B, false);
		struct handshake h;
		o.crl_file = files[i];
		SSL_CTX *server = tls_context(fixture.conf.certificates[CERT_A].file, CERT_A, fixture.sync[ROLE_FRONT], &o);
		shake(&h, server, client, NULL, NULL);
		assert_string_equal(h.reason, "");
		assert_true(h.done);
		end(&h);
		SSL_CTX_free(server);
		SSL_CTX_free(client);
	}
}

/* The key in the context is checked against the certificate, and never leaves the signer. */
static void
test_key_match(void **state)
{
	SSL_CTX *a = fixture_context(&fixture, TLS_SERVER, CERT_A, false);
	SSL_CTX *b = fixture_context(&fixture, TLS_SERVER, CERT_B, false);
	X509 *cert_a = SSL_CTX_get0_certificate(a);
	EVP_PKEY *key = tls_remote_key(cert_a, CERT_A, fixture.sync[ROLE_FRONT]);
	OSSL_PARAM *params = NULL;
	uint8_t out[512], digest[32] = {1};
	size_t len = sizeof out;

	(void)state;
	assert_int_equal(X509_check_private_key(cert_a, key), 1);
	assert_int_equal(X509_check_private_key(SSL_CTX_get0_certificate(b), key), 0);
	assert_int_equal(EVP_PKEY_get_bits(key), 2048);
	assert_int_equal(EVP_PKEY_get_size(key), 256);
	assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 0);
	/* There is no way to sign a digest that the signer has not made. */
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	assert_true(EVP_PKEY_sign_init(ctx) <= 0 || EVP_PKEY_sign(ctx, out, &len, digest, 32) <= 0);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	SSL_CTX_free(a);
	SSL_CTX_free(b);
	ERR_clear_error();
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
	    cmocka_unit_test(test_versions_and_schemes),
	    cmocka_unit_test(test_legacy),
	    cmocka_unit_test(test_resumption),
	    cmocka_unit_test(test_reasons),
	    cmocka_unit_test(test_peer_refuses),
	    cmocka_unit_test(test_soft_crl),
	    cmocka_unit_test(test_key_match),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
