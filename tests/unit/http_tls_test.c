/*
 * The HTTP server over mutual TLS, with the key in the signer process; judged by curl, by
 * openssl s_client, and by a client of our own where those are too well-behaved.
 */
#include "http_fixture.h"
#include "signer_fixture.h"

#include <sys/stat.h>
#include <time.h>

#define NAME_A "primer.obmen.local" /* of certificate a in tests/pki/demo.table */

static struct fixture fixture;
static int plain, secure;
static pid_t child;

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	fixture_open(&fixture);
	int plain_fd = site_listen(&plain), secure_fd = site_listen(&secure);
	child = fork();
	if (child == 0)
		site_run(plain_fd, secure_fd, fixture_context(&fixture, TLS_SERVER, CERT_A, true));
	close(plain_fd);
	close(secure_fd);
	return 0;
}

static int
teardown(void **state)
{
	int status;

	(void)state;
	bool died = waitpid(child, &status, WNOHANG) != 0;
	if (!died) {
		kill(child, SIGTERM);
		waitpid(child, &status, 0);
		died = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	fixture_close(&fixture);
	return died ? -1 : 0;
}

/* Runs a shell command in which $D is the folder of certificates, $P the port, $U the URL, $CURL
 * curl as participant C. All that it said; static buffer. */
static const char *
run(const char *command)
{
	static char said[65536];
	char line[2048];

	snprintf(line, sizeof line,
	    "{ D=%s; P=%d; U=https://%s:$P; CURL=\"curl -sS --noproxy * -m 20 --resolve %s:$P:127.0.0.1 "
	    "--cacert $D/ca.pem --cert $D/c.pem --key $D/c.key\"; set -f; %s\n} 2>&1",
	    fixture.folder, secure, NAME_A, NAME_A, command);
	FILE *out = popen(line, "r");
	assert_non_null(out);
	size_t n = fread(said, 1, sizeof said - 1, out);
	said[n] = 0;
	pclose(out);
	return said;
}

static void
curl_keep_alive(void **state)
{
	(void)state;
	const char *said = run("$CURL -w '%{num_connects} new\\n' $U/who $U/who");
	assert_contains(said, "TLSv1.3 new certificate=");
	assert_contains(said, "1 new");
	assert_contains(said, "0 new");
	assert_contains(run("$CURL --tls-max 1.2 $U/who"), "TLSv1.2 new");
}

/* The certificate is given to the user byte by byte. */
static void
certificate_length(void **state)
{
	const char *said = run("openssl x509 -in $D/c.pem -outform DER | wc -c");
	long len = atol(said);
	char expected[64];

	(void)state;
	assert_true(len > 500);
	snprintf(expected, sizeof expected, "certificate=%ld\n", len);
	assert_contains(run("$CURL $U/who"), expected);
}

static void
curl_bodies(void **state)
{
	(void)state;
	run("head -c 700000 /dev/urandom >$D/big");
	const char *said = run("$CURL -v -H 'Expect: 100-continue' --data-binary @$D/big $U/echo");
	assert_contains(said, "HTTP/1.1 100 Continue");
	assert_contains(said, "700000 bytes, sum ");
	char sum[64];
	snprintf(sum, sizeof sum, "%.40s", strstr(said, "700000 bytes, sum "));
	strtok(sum, "\r\n*");
	assert_contains(run("$CURL -H Transfer-Encoding:\\ chunked --data-binary @$D/big $U/echo"), sum);
	assert_contains(run("$CURL --tls-max 1.2 --data-binary @$D/big $U/echo"), sum);
	/* reading stops after every piece: no byte is lost, and what TLS holds back is asked for */
	assert_contains(run("$CURL --data-binary @$D/big $U/sip"), sum);
	assert_contains(run("$CURL --tls-max 1.2 --data-binary @$D/big $U/sip"), sum);
	run("head -c 1048577 /dev/zero >$D/huge");
	said = run("$CURL -v -H 'Expect: 100-continue' --data-binary @$D/huge $U/echo");
	assert_contains(said, "HTTP/1.1 413 ");
	assert_null(strstr(said, "100 Continue"));
	said = run("$CURL -v -H Expect: --data-binary @$D/huge $U/echo");
	assert_contains(said, "HTTP/1.1 413 ");
	assert_contains(said, "1048576 bytes at most");
	said = run("$CURL -s $U/big | wc -c");
	assert_int_equal(atol(said), SITE_BIG);
}

#define S_CLIENT                                                                                   \
	"printf 'GET /who HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' | "            \
	"timeout 10 openssl s_client -connect 127.0.0.1:$P -CAfile $D/ca.pem -ign_eof "

static void
resumption(void **state)
{
	static const char *const versions[] = {"-tls1_2", "-tls1_2 -no_ticket", "-tls1_3"};
	char command[1024];

	(void)state;
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		snprintf(command, sizeof command,
		    S_CLIENT "-cert $D/c.pem -key $D/c.key %s -sess_out $D/session", versions[i]);
		const char *said = run(command);
		assert_contains(said, "Verify return code: 0 (ok)");
		assert_contains(said, " new certificate=");
		snprintf(command, sizeof command,
		    S_CLIENT "-cert $D/c.pem -key $D/c.key %s -sess_in $D/session", versions[i]);
		said = run(command);
		assert_contains(said, "Reused, TLSv1.");
		assert_contains(said, " resumed certificate=");
		assert_null(strstr(said, "certificate=0"));
	}
}

/* Each is refused in the handshake, and no request is seen. */
static void
refused_clients(void **state)
{
	static const char *const clients[] = {"", "-cert $D/otherca.pem -key $D/otherca.key",
	    "-cert $D/selfsigned.pem -key $D/selfsigned.key",
	    "-cert $D/expired.pem -key $D/expired.key", "-cert $D/notyet.pem -key $D/notyet.key",
	    "-cert $D/revoked.pem -key $D/revoked.key",
	    "-cert $D/c.pem -key $D/c.key -tls1_1 -cipher ALL:@SECLEVEL=0",
	    "-cert $D/c.pem -key $D/c.key -tls1 -cipher ALL:@SECLEVEL=0"};
	char command[1024];

	(void)state;
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
		long failed = figure(plain, "failed"), begins = figure(plain, "begins");
		snprintf(command, sizeof command, S_CLIENT "%s", clients[i]);
		const char *said = run(command);
		assert_null(strstr(said, "HTTP/1.1"));
		assert_contains(said, "alert");
		assert_int_equal(figure(plain, "failed"), failed + 1);
		assert_int_equal(figure(plain, "begins"), begins + 2);
	}
}

static void
not_tls(void **state)
{
	(void)state;
	assert_null(strstr(exchange(secure, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n"), "200"));
	assert_null(strstr(exchange(secure, "\x16\x03\x01\x02"), "200")); /* stalls: the clock ends it */
	assert_null(strstr(exchange(secure, "\x16\x03\x01\xff\xff\x01\x02\x03"), "200"));
}

/* ---- a client of our own ---- */

static SSL_CTX *client_context;

static SSL *
dial_tls(const char *from)
{
	int fd = dial_from(from, secure);
	SSL *ssl = SSL_new(client_context);

	assert_true(fd >= 0);
	SSL_set_fd(ssl, fd);
	assert_int_equal(SSL_connect(ssl), 1);
	return ssl;
}

static void
hang_up(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_free(ssl);
	close(fd);
}

static void
tls_say(SSL *ssl, const char *text)
{
	assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), strlen(text));
}

static const char *
tls_hear(SSL *ssl)
{
	static char text[4096];
	size_t len = 0;
	int n;

	while (len < sizeof text - 1 &&
	    (n = SSL_read(ssl, text + len, (int)(sizeof text - 1 - len))) > 0)
		len += (size_t)n;
	text[len] = 0;
	return text;
}

/* close_notify after the request says "no more from me": the answer still comes. */
static void
tls_half_closed(void **state)
{
	SSL *ssl = dial_tls("127.0.0.1");

	(void)state;
	tls_say(ssl, "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(SSL_shutdown(ssl), 0);
	assert_contains(tls_hear(ssl), "5 bytes, sum");
	hang_up(ssl);
	/* the same without close_notify */
	ssl = dial_tls("127.0.0.1");
	tls_say(ssl, "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
	shutdown(SSL_get_fd(ssl), SHUT_WR);
	assert_contains(tls_hear(ssl), "5 bytes, sum");
	hang_up(ssl);
}

/* Several requests in one TLS record, a pause in the middle: the rest waits inside, not in the
 * socket. */
static void
tls_pipelined(void **state)
{
	SSL *ssl = dial_tls("127.0.0.1");

	(void)state;
	tls_say(ssl, "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"
	    "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n22"
	    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n333");
	const char *answer = tls_hear(ssl);
	const char *one = strstr(answer, "1 bytes"), *two = strstr(answer, "2 bytes");
	const char *three = strstr(answer, "3 bytes");
	assert_true(one && two && three && one < two && two < three);
	hang_up(ssl);
}

static void
tls_resets(void **state)
{
	static const char *const parts[] = {"", "GET / HT",
	    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nabc",
	    "GET /never HTTP/1.1\r\nHost: a\r\n\r\n", "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"};
	struct linger now = {.l_onoff = 1};

	(void)state;
	for (int i = 0; i < 30; i++) {
		SSL *ssl = dial_tls("127.0.0.1");
		if (*parts[i % 5])
			tls_say(ssl, parts[i % 5]);
		setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &now, sizeof now);
		hang_up(ssl);
	}
	settle(plain);
	long begins = figure(plain, "begins"), ends = figure(plain, "ends");
	assert_int_equal(ends, begins + 1);
}

static long
resident_kib(pid_t pid)
{
	char path[64];
	long pages = 0;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	FILE *f = fopen(path, "r");
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

#ifdef __SANITIZE_ADDRESS__
#define KIB_PER_CONNECTION 4096 /* with shadow memory and quarantine it says nothing */
#else
#define KIB_PER_CONNECTION 96 /* performance.md F11 */
#endif

/* Runs first: later the allocator has memory to spare, and nothing would be seen. */
static void
memory_per_connection(void **state)
{
	SSL *ssl[36];
	char from[16], piece[512];
	long before = 0;

	(void)state;
	for (int i = 0; i < 36; i++) {
		if (i == 4)
			before = resident_kib(child);
		snprintf(from, sizeof from, "127.0.0.%d", 10 + i % 4);
		ssl[i] = dial_tls(from);
		tls_say(ssl[i], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
		assert_true(SSL_read(ssl[i], piece, sizeof piece) > 0);
	}
	long each = (resident_kib(child) - before) / 32;
	print_message("%ld KiB per idle TLS connection\n", each);
	assert_in_range(each, 1, KIB_PER_CONNECTION);
	for (int i = 0; i < 36; i++)
		hang_up(ssl[i]);
}

static int
client_setup(void **state)
{
	(void)state;
	client_context = fixture_context(&fixture, TLS_CLIENT, CERT_C, false);
	SSL_CTX_set_verify(client_context, SSL_VERIFY_PEER, NULL);
	return 0;
}

static int
client_teardown(void **state)
{
	(void)state;
	SSL_CTX_free(client_context);
	client_context = NULL;
	return 0;
}

#define OWN(test) cmocka_unit_test_setup_teardown(test, client_setup, client_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    OWN(memory_per_connection),
	    cmocka_unit_test(curl_keep_alive),
	    cmocka_unit_test(certificate_length),
	    cmocka_unit_test(curl_bodies),
	    cmocka_unit_test(resumption),
	    cmocka_unit_test(refused_clients),
	    cmocka_unit_test(not_tls),
	    OWN(tls_half_closed),
	    OWN(tls_pipelined),
	    OWN(tls_resets),
	};

	return cmocka_run_group_tests_name("http_tls", tests, setup, teardown);
}
