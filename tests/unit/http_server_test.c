/* The HTTP server over plain TCP: framing, refusals, clocks and limits. TLS: http_tls_test.c. */
#include "http_fixture.h"

#include <time.h>

static int port;
static pid_t child;

#define HOST "Host: primer.obmen.local\r\n"
#define CLOSE "Connection: close\r\n"

static int
setup(void **state)
{
	int fd = site_listen(&port);

	(void)state;
	child = fork();
	if (child == 0)
		site_run(fd, -1, NULL);
	close(fd);
	return 0;
}

static int
teardown(void **state)
{
	int status;

	(void)state;
	if (waitpid(child, &status, WNOHANG) != 0)
		return -1; /* it died */
	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void
nap(int ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void
keep_alive(void **state)
{
	int fd = dial(port);

	(void)state;
	for (int i = 0; i < 3; i++) {
		say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
		const char *answer = hear(fd, "sum", 2000);
		assert_contains(answer, "HTTP/1.1 200 OK\r\n");
		assert_contains(answer, "Content-Length: ");
		assert_contains(answer, "\r\nDate: ");
		assert_contains(answer, "\r\n\r\n5 bytes, sum");
		assert_null(strstr(answer, "Connection:"));
	}
	say(fd, "HEAD /who HTTP/1.1\r\n" HOST CLOSE "\r\n");
	const char *answer = hear(fd, NULL, 2000);
	assert_contains(answer, "Connection: close");
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
	assert_contains(exchange(port, "GET /who HTTP/1.0\r\n\r\n"), "127.0.0.1 plain new certificate=0");
	fd = dial(port);
	say(fd, "GET /who HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_contains(hear(fd, "certificate", 2000), "Connection: keep-alive");
	close(fd);
}

static void
pipelined(void **state)
{
	const char *answer = exchange(port,
	    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"
	    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\naa\r\n0\r\n\r\n"
	    "POST /pause HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\naaa"
	    "GET /never HTTP/1.1\r\n" HOST "\r\n"
	    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\naaaa");
	const char *one = strstr(answer, "1 bytes"), *two = strstr(answer, "2 bytes");
	const char *three = strstr(answer, "3 bytes");

	(void)state;
	assert_true(one && two && three && one < two && two < three);
	assert_null(strstr(answer, "4 bytes")); /* the one before it is never answered */
}

/* Answers keep their order and content when a whole series is written at once. */
static void
pipelined_many(void **state)
{
	int fd = dial(port);

	(void)state;
	for (int i = 0; i < 200; i++)
		say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
	say(fd, "GET /who HTTP/1.1\r\n" HOST CLOSE "\r\n");
	const char *at = hear(fd, NULL, 3000);
	assert_contains(at, "plain new");
	for (int i = 0; i < 200; i++) {
		at = strstr(at, "5 bytes, sum");
		assert_non_null(at);
		at++;
	}
	close(fd);
}

static void
byte_by_byte(void **state)
{
	static const char text[] = "\r\nPOST /echo HTTP/1.1\r\n" HOST CLOSE
	    "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n";
	int fd = dial(port);

	(void)state;
	for (const char *p = text; *p; p++) {
		assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
		if ((p - text) % 16 == 0)
			nap(1);
	}
	assert_contains(hear(fd, NULL, 2000), "4 bytes, sum");
	close(fd);
}

/* 100-continue comes only after the user accepted, and not at all with a refusal. */
static void
expect_continue(void **state)
{
	int fd = dial(port);

	(void)state;
	say(fd, "POST /pause HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(hear(fd, "\r\n\r\n", 80), "<timeout>");
	assert_string_equal(hear(fd, "\r\n\r\n", 2000), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "hello");
	assert_contains(hear(fd, "sum", 2000), "HTTP/1.1 200 OK");
	close(fd);
	const char *answer = exchange(port,
	    "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_null(strstr(answer, "100 Continue"));
	assert_contains(answer, "HTTP/1.1 403 ");
	answer = exchange(port, "POST /echo HTTP/1.1\r\n" HOST
	    "Content-Length: 1048577\r\nExpect: 100-continue\r\n\r\n");
	assert_null(strstr(answer, "100 Continue"));
	assert_contains(answer, "HTTP/1.1 413 ");
	assert_contains(exchange(port, "POST /echo HTTP/1.1\r\n" HOST
	    "Content-Length: 1\r\nExpect: 102-x\r\n\r\n"), "HTTP/1.1 417 ");
}

static void
oversize(void **state)
{
	static char big[SITE_BODY_MAX + 4096];
	const char *answer = exchange(port, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\n");

	(void)state;
	assert_contains(answer, "HTTP/1.1 413 ");
	assert_contains(answer, "1048576 bytes at most");
	assert_contains(answer, "H-102");
	assert_contains(answer, "Connection: close");
	/* chunked: found while it comes, and the client that is still writing gets the answer */
	int fd = dial(port);
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n200000\r\n");
	memset(big, 'x', sizeof big);
	for (int i = 0; i < 2; i++) {
		if (send(fd, big, sizeof big, MSG_NOSIGNAL) < 0)
			break;
	}
	assert_contains(hear(fd, NULL, 3000), "HTTP/1.1 413 ");
	close(fd);
	/* exactly the limit is accepted */
	fd = dial(port);
	say(fd, "POST /echo HTTP/1.1\r\n" HOST CLOSE "Content-Length: 1048576\r\n\r\n");
	for (size_t sent = 0; sent < SITE_BODY_MAX;) {
		ssize_t n = send(fd, big, SITE_BODY_MAX - sent, MSG_NOSIGNAL);
		assert_true(n > 0);
		sent += (size_t)n;
	}
	assert_contains(hear(fd, NULL, 3000), "1048576 bytes, sum");
	close(fd);
}

static void
malformed(void **state)
{
	static const struct {
		const char *status, *text;
	} corpus[] = {
	    {" 400 ", "\x16\x03\x01\x02\x01\x01\x01"},
	    {" 400 ", "GET / HTTP/1.1\nHost: a\n\n"},
	    {" 400 ", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
	    {" 400 ", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"},
	    {" 400 ", "POST / HTTP/1.1\r\n" HOST "X: y\r\n folded\r\n\r\n"},
	    {" 400 ", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\nhello"},
	    {" 400 ", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n"},
	    {" 501 ", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n"},
	    {" 501 ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++) {
		const char *answer = exchange(port, corpus[i].text);
		if (strncmp(answer, "HTTP/1.1", 8) != 0 || memcmp(answer + 8, corpus[i].status, 5) != 0)
			print_error("for %s: %s\n", corpus[i].text, answer);
		assert_memory_equal(answer, "HTTP/1.1", 8);
		assert_memory_equal(answer + 8, corpus[i].status, 5);
		assert_contains(answer, "Connection: close");
		assert_contains(answer, "H-101");
	}
}

/* What follows a request whose end is in doubt must never be read as another request. */
static void
smuggled(void **state)
{
	static const char inner[] = "GET /smuggled HTTP/1.1\r\n" HOST "\r\n";
	static const char *const outer[] = {
	    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\rX\r\n\r\n",
	    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	    "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: \tchunked, identity\r\n\r\n0\r\n\r\n",
	    "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n",
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof outer / sizeof *outer; i++) {
		snprintf(text, sizeof text, "%s%s", outer[i], inner);
		const char *answer = exchange(port, text);
		assert_true(strstr(answer, "HTTP/1.1 4") || strstr(answer, "HTTP/1.1 501"));
		assert_null(strstr(strstr(answer, "Date:") + 1, "Date:"));
	}
}

static void
head_limits(void **state)
{
	char text[8192] = "GET /who HTTP/1.1\r\n" HOST;

	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(text, "A: b\r\n");
	assert_contains(exchange(port, strcat(text, "\r\n")), "HTTP/1.1 431 ");
	snprintf(text, sizeof text, "GET /%04090d HTTP/1.1\r\n" HOST "\r\n", 0);
	assert_contains(exchange(port, text), "HTTP/1.1 431 ");
}

/* Runs a client that writes a byte now and then and must be cut off; returns the time it took. */
static when
drip(const char *begin, const char *drops, int pause_ms, const char **answer)
{
	int fd = dial(port);
	when start = when_monotonic();

	say(fd, begin);
	for (; *drops; drops++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, pause_ms) == 1 || send(fd, drops, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	*answer = hear(fd, NULL, 3000);
	close(fd);
	return when_monotonic() - start;
}

static void
slow_head(void **state)
{
	const char *answer;
	when t = drip("GET / HTTP/1.1\r\n", "Host: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 50, &answer);

	(void)state;
	assert_contains(answer, "HTTP/1.1 408 ");
	assert_in_range(t, 400 * MS, 1500 * MS);
	t = drip("", "", 0, &answer); /* nothing at all */
	assert_string_equal(answer, "");
	assert_in_range(t, 400 * MS, 1500 * MS);
}

static void
slow_body(void **state)
{
	const char *answer;
	when t = drip("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n", "aa", 10, &answer);

	(void)state; /* silence */
	assert_contains(answer, "HTTP/1.1 408 ");
	assert_contains(answer, "H-103");
	assert_in_range(t, 400 * MS, 1500 * MS);
	/* never silent, but below the rate */
	t = drip("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 60, &answer);
	assert_contains(answer, "HTTP/1.1 408 ");
	assert_in_range(t, 400 * MS, 1500 * MS);
}

static void
idle_connection(void **state)
{
	int fd = dial(port);

	(void)state;
	say(fd, "GET /who HTTP/1.1\r\n" HOST "\r\n");
	hear(fd, "certificate", 1000);
	when start = when_monotonic();
	assert_string_equal(hear(fd, NULL, 3000), "");
	assert_in_range(when_monotonic() - start, 900 * MS, 2000 * MS);
	close(fd);
}

/* The user of the server never answers, or never resumes: the connection ends without an answer. */
static void
no_answer(void **state)
{
	(void)state;
	assert_string_equal(exchange(port, "GET /never HTTP/1.1\r\n" HOST "\r\n"), "");
	assert_string_equal(
	    exchange(port, "POST /stuck HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"), "");
	assert_string_equal(exchange(port, "GET /drop HTTP/1.1\r\n" HOST "\r\n"), "");
}

static void
half_closed(void **state)
{
	int fd = dial(port);

	(void)state;
	say(fd, "POST /pause HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
	shutdown(fd, SHUT_WR);
	assert_contains(hear(fd, NULL, 2000), "5 bytes, sum");
	close(fd);
	fd = dial(port);
	say(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear(fd, NULL, 2000), "");
	close(fd);
}

/* A client that takes nothing of a large answer is cut; the memory is freed. */
static void
stalled_reader(void **state)
{
	int fd = dial(port), size = 4096;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	say(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	nap(1500);
	long got = 0;
	char piece[65536];
	ssize_t n;
	while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
		got += n;
	assert_true(got < (long)SITE_BIG);
	close(fd);
}

static void
steady_reader(void **state)
{
	int fd = dial(port);
	long got = 0;
	char piece[65536];
	ssize_t n;

	(void)state;
	say(fd, "GET /big HTTP/1.1\r\n" HOST CLOSE "\r\n");
	while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
		got += n;
	assert_true(got > (long)SITE_BIG);
	close(fd);
}

static void
abrupt_resets(void **state)
{
	static const char *const parts[] = {"", "GET / HT", "POST /echo HTTP/1.1\r\n" HOST
	    "Content-Length: 99\r\n\r\nabc", "GET /never HTTP/1.1\r\n" HOST "\r\n",
	    "GET /big HTTP/1.1\r\n" HOST "\r\n", "POST /pause HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"};
	struct linger now = {.l_onoff = 1};

	(void)state;
	for (int i = 0; i < 120; i++) {
		int fd = dial(port);
		say(fd, parts[i % 6]);
		if (i % 12 > 5)
			nap(2);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(fd);
	}
	settle(port);
	long begins = figure(port, "begins"), ends = figure(port, "ends");
	assert_int_equal(ends, begins + 1);
}

static void
thousand_connections(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		int fd = dial(port);
		if (i % 10 == 0) {
			say(fd, "GET /who HTTP/1.1\r\n" HOST CLOSE "\r\n");
			assert_contains(hear(fd, NULL, 2000), "200 OK");
		}
		close(fd);
	}
	settle(port);
}

static void
address_limit(void **state)
{
	int fds[40], refused = 0;

	(void)state;
	settle(port);
	long before = figure(port, "limited");
	for (int i = 0; i < 36; i++)
		fds[i] = dial(port);
	nap(200);
	for (int i = 0; i < 36; i++) {
		struct pollfd p = {.fd = fds[i], .events = POLLIN};
		refused += poll(&p, 1, 0) == 1;
	}
	assert_int_equal(refused, 6);
	int other = dial_from("127.0.0.2", port); /* others are not concerned */
	say(other, "GET /who HTTP/1.1\r\n" HOST CLOSE "\r\n");
	assert_contains(hear(other, NULL, 2000), "127.0.0.2 plain");
	close(other);
	for (int i = 0; i < 36; i++)
		close(fds[i]);
	settle(port);
	assert_int_equal(figure(port, "limited"), before + 6);
}

/* At the limit TCP connections are refused; those that exist work on; then it opens again. */
static void
connection_limit(void **state)
{
	int fds[40];
	char from[16];

	(void)state;
	settle(port);
	long before = figure(port, "full");
	for (int i = 0; i < 40; i++) {
		snprintf(from, sizeof from, "127.0.0.%d", 2 + i % 4);
		fds[i] = dial_from(from, port);
		assert_true(fds[i] >= 0);
	}
	nap(200);
	assert_int_equal(dial_from("127.0.0.9", port), -1);
	assert_int_equal(errno, ECONNREFUSED);
	say(fds[39], "GET /who HTTP/1.1\r\n" HOST "\r\n");
	assert_contains(hear(fds[39], "certificate", 1000), "200 OK");
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	nap(200);
	settle(port);
	assert_int_equal(figure(port, "full"), before + 1);
}

/* Closed doors: TCP is refused, idle connections end, what is under way is answered. */
static void
doors(void **state)
{
	int idle = dial(port), busy = dial(port);

	(void)state;
	say(busy, "POST /pause HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
	assert_contains(exchange(port, "GET /doors HTTP/1.1\r\n" HOST "\r\n"), "Connection: close");
	assert_int_equal(dial_from("127.0.0.1", port), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_string_equal(hear(idle, NULL, 100), "");
	const char *answer = hear(busy, NULL, 2000);
	assert_contains(answer, "5 bytes, sum");
	assert_contains(answer, "Connection: close");
	close(idle);
	close(busy);
	nap(500);
	assert_contains(exchange(port, "GET /who HTTP/1.1\r\n" HOST CLOSE "\r\n"), "200 OK");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keep_alive),
	    cmocka_unit_test(pipelined),
	    cmocka_unit_test(pipelined_many),
	    cmocka_unit_test(byte_by_byte),
	    cmocka_unit_test(expect_continue),
	    cmocka_unit_test(oversize),
	    cmocka_unit_test(malformed),
	    cmocka_unit_test(smuggled),
	    cmocka_unit_test(head_limits),
	    cmocka_unit_test(slow_head),
	    cmocka_unit_test(slow_body),
	    cmocka_unit_test(idle_connection),
	    cmocka_unit_test(no_answer),
	    cmocka_unit_test(half_closed),
	    cmocka_unit_test(stalled_reader),
	    cmocka_unit_test(steady_reader),
	    cmocka_unit_test(abrupt_resets),
	    cmocka_unit_test(thousand_connections),
	    cmocka_unit_test(address_limit),
	    cmocka_unit_test(connection_limit),
	    cmocka_unit_test(doors),
	};

	return cmocka_run_group_tests_name("http_server", tests, setup, teardown);
}
