/*
 * For tests of the HTTP server: a small site in a child process, with short times and low limits,
 * and a client that sends bytes as they are.
 */
#ifndef OBMEN_HTTP_FIXTURE_H
#define OBMEN_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/http_server.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define MS (WHEN_SECOND / 1000)
#define SITE_BODY_MAX (1u << 20)
#define SITE_BIG (8u << 20)

struct site {
	struct event_base *base;
	struct http_server *server;
	unsigned ends, answers; /* requests that ended, and those that ended well */
	unsigned begins;
	char *big;
	struct event *term;
};

/* One request at the site. */
struct visit {
	struct site *site;
	struct http_conn *conn;
	struct event *timer;
	char path[32];
	size_t len;
	uint32_t sum;
};

static inline void
site_say(struct http_conn *c, int status, const char *text)
{
	http_respond(c, &(struct http_answer){.status = status, .body = text, .len = strlen(text)});
}

static inline void
site_resume(evutil_socket_t fd, short what, void *arg)
{
	struct visit *v = arg;

	(void)fd, (void)what;
	http_resume(v->conn);
}

static inline void
site_open_doors(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	http_server_open(arg, true);
}

static inline void
site_later(struct visit *v, when delay)
{
	evtimer_add(v->timer, &(struct timeval){.tv_usec = delay / 1000});
}

static inline void
site_request(void *arg, struct http_conn *c, const struct http_head *h)
{
	struct site *s = arg;
	struct visit *v = calloc(1, sizeof *v);

	s->begins++;
	v->site = s;
	v->conn = c;
	v->timer = evtimer_new(s->base, site_resume, v);
	snprintf(v->path, sizeof v->path, "%s", h->path);
	http_set_data(c, v);
	if (strcmp(h->path, "/refuse") == 0) {
		site_say(c, 403, "refused");
	} else if (strcmp(h->path, "/drop") == 0) {
		http_drop(c);
	} else if (strcmp(h->path, "/pause") == 0) {
		http_pause(c);
		site_later(v, 150 * MS);
	} else if (strcmp(h->path, "/stuck") == 0) {
		http_pause(c);
	}
}

static inline void
site_body(void *arg, struct http_conn *c, const void *data, size_t len)
{
	struct visit *v = http_data(c);

	(void)arg;
	v->len += len;
	for (size_t i = 0; i < len; i++)
		v->sum = v->sum * 31 + ((const uint8_t *)data)[i];
	if (strcmp(v->path, "/sip") == 0) {
		http_pause(c);
		site_later(v, MS);
	}
}

static inline void
site_who(struct http_conn *c)
{
	const struct http_peer *p = http_conn_peer(c);
	size_t len;
	char text[256];

	http_conn_certificate(c, &len);
	snprintf(text, sizeof text, "%s %s %s certificate=%zu\n", p->address,
	    p->tls_version ? p->tls_version : "plain", p->tls_resumed ? "resumed" : "new", len);
	site_say(c, 200, text);
}

static inline void
site_stats(struct site *s, struct http_conn *c)
{
	const struct http_stats *t = http_server_stats(s->server);
	char text[512];

	snprintf(text, sizeof text,
	    "open=%u begins=%u ends=%u answers=%u limited=%lu full=%lu timeouts=%lu refused=%lu "
	    "handshakes=%lu resumed=%lu failed=%lu",
	    t->open, s->begins - 1, s->ends, s->answers, t->address_limited, t->full, t->timeouts,
	    t->refused, t->handshakes, t->resumed, t->handshakes_failed);
	site_say(c, 200, text);
}

static inline void
site_complete(void *arg, struct http_conn *c)
{
	struct site *s = arg;
	struct visit *v = http_data(c);
	char text[64];

	if (strcmp(v->path, "/never") == 0)
		return;
	if (strcmp(v->path, "/who") == 0) {
		site_who(c);
	} else if (strcmp(v->path, "/stats") == 0) {
		site_stats(s, c);
	} else if (strcmp(v->path, "/big") == 0) {
		http_respond(c, &(struct http_answer){.status = 200, .body = s->big, .len = SITE_BIG});
	} else if (strcmp(v->path, "/doors") == 0) {
		http_server_open(s->server, false);
		site_say(c, 200, "closing");
		event_base_once(s->base, -1, EV_TIMEOUT, site_open_doors, s->server,
		    &(struct timeval){.tv_usec = 400000});
	} else {
		snprintf(text, sizeof text, "%zu bytes, sum %u", v->len, v->sum);
		site_say(c, 200, text);
	}
}

static inline void
site_end(void *arg, struct http_conn *c, const char *why)
{
	struct site *s = arg;
	struct visit *v = http_data(c);

	s->ends++;
	s->answers += why == NULL;
	event_free(v->timer);
	free(v);
}

static inline void
site_event(void *arg, enum http_event e, const struct http_peer *peer, const char *detail)
{
	(void)arg;
	if (getenv("HTTP_TEST_LOG"))
		fprintf(stderr, "event %d %s %s\n", e, peer->address, detail ? detail : "");
}

static const struct http_limits site_limits = {.connections = 40,
    .connections_per_address = 30,
    .head_bytes = 4096,
    .head_fields = 20,
    .body_max = SITE_BODY_MAX,
    .head_time = 500 * MS,
    .body_time = 500 * MS,
    .body_rate = 20000,
    .total_time = 3000 * MS,
    .idle_time = 1000 * MS,
    .answer_time = 700 * MS};

/* A port of the kernel's choice, then bound by number as in the product: a port that was not asked
 * for by number is lost when listening stops. */
static inline int
site_listen(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	char address[32];
	const char *why;
	int fd;

	for (int tries = 0; tries < 20; tries++) {
		a.sin_port = 0;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
		close(fd);
		*port = ntohs(a.sin_port);
		snprintf(address, sizeof address, "127.0.0.1:%d", *port);
		if ((fd = http_listen(address, &why)) >= 0)
			return fd;
	}
	fail_msg("%s: %s", address, why);
	return -1;
}

static inline void
site_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(((struct site *)arg)->base);
}

/* Until SIGTERM; then everything is freed, and each request must have had its end. */
static inline void
site_run(int plain, int secure, SSL_CTX *tls)
{
	static const struct http_callbacks calls = {site_request, site_body, site_complete, site_end,
	    site_event};
	struct site s = {.base = event_base_new()};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	s.big = malloc(SITE_BIG);
	memset(s.big, 'b', SITE_BIG);
	s.server = http_server_new(s.base, &site_limits, &calls, &s);
	http_server_add(s.server, plain, NULL);
	if (secure >= 0)
		http_server_add(s.server, secure, tls);
	s.term = evsignal_new(s.base, SIGTERM, site_stop, &s);
	event_add(s.term, NULL);
	event_base_dispatch(s.base);
	http_server_free(s.server);
	event_free(s.term);
	event_base_free(s.base);
	SSL_CTX_free(tls);
	free(s.big);
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
	_exit(s.begins == s.ends ? 0 : 3);
}

/* ---- the client ---- */

static inline int
dial_from(const char *from, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in own = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	inet_pton(AF_INET, from, &own.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static inline int
dial(int port)
{
	int fd = dial_from("127.0.0.1", port);

	assert_true(fd >= 0);
	return fd;
}

static inline void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Reads until the text occurs (NULL: until the end of the connection). Returns all that came;
 * "<timeout>" or "<reset>" is put at its end when that happened. Static buffer. */
static inline const char *
hear(int fd, const char *until, int timeout_ms)
{
	static char text[65536];
	size_t len = 0;

	text[0] = 0;
	while (len < sizeof text - 32 && (!until || !strstr(text, until))) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, timeout_ms) != 1) {
			strcpy(text + len, "<timeout>");
			break;
		}
		ssize_t n = recv(fd, text + len, sizeof text - 32 - len, 0);
		if (n < 0)
			strcpy(text + len, "<reset>");
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = 0;
	}
	return text;
}

/* One connection, one text, all that comes back. */
static inline const char *
exchange(int port, const char *text)
{
	int fd = dial(port);

	send(fd, text, strlen(text), MSG_NOSIGNAL); /* it may be refused at once */
	const char *answer = hear(fd, NULL, 3000);
	close(fd);
	return answer;
}

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		const char *text_ = (text);                                                        \
		if (!strstr(text_, part)) {                                                        \
			print_error("no \"%s\" in: %s\n", part, text_);                            \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

/* A figure of the site's statistics. While the site is full of what a test left, it waits. */
static inline long
figure(int port, const char *name)
{
	static const char question[] = "GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	const char *at = NULL;
	char label[32];

	snprintf(label, sizeof label, "%s=", name);
	for (int i = 0; i < 150 && !at; i++) {
		at = strstr(exchange(port, question), label);
		if (!at)
			usleep(20000);
	}
	assert_non_null(at);
	return atol(at + strlen(label));
}

/* Waits until only the asking connection is open. */
static inline void
settle(int port)
{
	for (int i = 0; i < 300; i++) {
		if (figure(port, "open") == 1)
			return;
		usleep(10000);
	}
	assert_int_equal(figure(port, "open"), 1);
}

#endif
