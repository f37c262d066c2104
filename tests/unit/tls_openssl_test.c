/* Remote keys judged by the openssl program as the other side, over real sockets. */
#include "signer_fixture.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <sys/socket.h>

static struct fixture fixture;

static int
loopback_socket(int *port, bool listening)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	if (listening)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int
connect_to(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)port)};

	for (int i = 0; i < 200; i++) { /* until the program listens */
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
			return fd;
		close(fd);
		usleep(20000);
	}
	fail_msg("nobody listens on port %d", port);
	return -1;
}

struct openssl_program {
	pid_t pid;
	int in, out;
	char text[16384];
};

/* Runs `openssl words...` in the folder of the certificates. */
static void
run_openssl(struct openssl_program *p, char *words)
{
	int in[2], out[2];
	char *argv[40], *save = NULL;
	int n = 0;

	argv[n++] = (char *)(uintptr_t)"openssl";
	for (char *w = strtok_r(words, " ", &save); w && n < 39; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n] = NULL;
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	p->pid = fork();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(fixture.folder) == 0 && dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1 &&
		    dup2(out[1], 2) == 2)
			execvp("openssl", argv);
		_exit(127);
	}
	close(in[0]), close(out[1]);
	p->in = in[1];
	p->out = out[0];
}

static void
end_openssl(struct openssl_program *p, bool hang_up)
{
	size_t len = 0;
	ssize_t n;

	if (hang_up)
		kill(p->pid, SIGTERM);
	while ((n = read(p->out, p->text + len, sizeof p->text - 1 - len)) > 0)
		len += (size_t)n;
	p->text[len] = 0;
	close(p->in), close(p->out);
	waitpid(p->pid, NULL, 0);
}

struct row {
	int version;
	const char *flag, *schemes;
	const char *shown, *shown35; /* what s_client says of our signature; from OpenSSL 3.5 on */
};

static const struct row rows[] = {
    {TLS1_3_VERSION, "-tls1_3", "RSA-PSS+SHA256", "type: RSA-PSS", "type: rsa_pss_rsae_sha256"},
    {TLS1_3_VERSION, "-tls1_3", "RSA-PSS+SHA512", "type: RSA-PSS", "type: rsa_pss_rsae_sha512"},
    {TLS1_2_VERSION, "-tls1_2", "RSA-PSS+SHA256", "type: RSA-PSS", "type: rsa_pss_rsae_sha256"},
    {TLS1_2_VERSION, "-tls1_2", "RSA+SHA256", "type: RSA\n", "type: rsa_pkcs1_sha256"},
};

/* Our server, openssl s_client. */
static void
test_s_client(void **state)
{
	char words[600], byte[64];
	int port, listener = loopback_socket(&port, true);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL_CTX *ctx = fixture_context(&fixture, TLS_SERVER, CERT_A, true);
		struct openssl_program p;
		snprintf(words, sizeof words, "s_client -connect 127.0.0.1:%d %s -cert b.pem -key b.key "
		    "-CAfile ca.pem -verify_return_error -verify_hostname primer.obmen.local "
		    "-sigalgs %s", port, rows[i].flag, rows[i].schemes);
		run_openssl(&p, words);
		int fd = accept(listener, NULL, NULL);
		SSL *ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		assert_int_equal(SSL_accept(ssl), 1);
		assert_int_equal(SSL_version(ssl), rows[i].version);
		assert_non_null(SSL_get0_peer_certificate(ssl));
		assert_int_equal(write(p.in, "do you hear\n", 12), 12);
		assert_int_equal(SSL_read(ssl, byte, sizeof byte), 12);
		assert_int_equal(SSL_write(ssl, "I hear you\n", 11), 11);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
		end_openssl(&p, false);
		assert_non_null(strstr(p.text, "I hear you"));
		assert_non_null(strstr(p.text, "Verify return code: 0 (ok)"));
		assert_true(strstr(p.text, rows[i].shown) || strstr(p.text, rows[i].shown35));
		assert_true(rows[i].version == TLS1_3_VERSION || strstr(p.text, "Secure Renegotiation IS supported"));
		SSL_CTX_free(ctx);
	}
	close(listener);
}

/* Without a certificate, and with renegotiation, s_client gets nowhere. */
static void
test_s_client_refused(void **state)
{
	char words[600], byte[64], reason[256];
	int port, listener = loopback_socket(&port, true);
	SSL_CTX *ctx = fixture_context(&fixture, TLS_SERVER, CERT_A, true);
	struct openssl_program p;

	(void)state;
	snprintf(words, sizeof words, "s_client -connect 127.0.0.1:%d -tls1_2 -CAfile ca.pem", port);
	run_openssl(&p, words);
	int fd = accept(listener, NULL, NULL);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	assert_true(SSL_accept(ssl) <= 0);
	assert_string_equal(tls_reason(ssl, reason, sizeof reason),
	    "the peer sent no client certificate");
	SSL_free(ssl);
	close(fd);
	end_openssl(&p, false);

	snprintf(words, sizeof words,
	    "s_client -connect 127.0.0.1:%d -tls1_2 -cert b.pem -key b.key -CAfile ca.pem", port);
	run_openssl(&p, words);
	fd = accept(listener, NULL, NULL);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	assert_int_equal(SSL_accept(ssl), 1);
	assert_int_equal(write(p.in, "R\n", 2), 2); /* renegotiate */
	assert_true(SSL_read(ssl, byte, sizeof byte) <= 0);
	SSL_free(ssl);
	close(fd);
	end_openssl(&p, false);
	assert_non_null(strstr(p.text, "RENEGOTIATING"));
	SSL_CTX_free(ctx);
	close(listener);
	ERR_clear_error();
}

/* Our client, openssl s_server, which demands and verifies a certificate. */
static void
test_s_server(void **state)
{
	char words[600], byte[64] = "";

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL_CTX *ctx = fixture_context(&fixture, TLS_CLIENT, CERT_B, true);
		struct openssl_program p;
		int port;
		close(loopback_socket(&port, false));
		snprintf(words, sizeof words, "s_server -accept 127.0.0.1:%d -naccept 1 %s -cert a.pem "
		    "-key a.key -CAfile ca.pem -Verify 2 -verify_return_error -client_sigalgs %s -rev",
		    port, rows[i].flag, rows[i].schemes);
		run_openssl(&p, words);
		int fd = connect_to(port);
		SSL *ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		SSL_set1_host(ssl, "primer.obmen.local");
		assert_int_equal(SSL_connect(ssl), 1);
		assert_int_equal(SSL_version(ssl), rows[i].version);
		assert_int_equal(SSL_write(ssl, "abc\n", 4), 4);
		assert_int_equal(SSL_read(ssl, byte, sizeof byte), 4);
		assert_memory_equal(byte, "cba\n", 4);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
		end_openssl(&p, true);
		assert_true(strstr(p.text, "CN = obrazets.ob.obmen.local") ||
		    strstr(p.text, "CN=obrazets.ob.obmen.local"));
		SSL_CTX_free(ctx);
	}
}

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
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
	    cmocka_unit_test(test_s_client),
	    cmocka_unit_test(test_s_client_refused),
	    cmocka_unit_test(test_s_server),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
