#include "lib/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 512
#define ACCEPTS_PER_TURN 32

/* ---- connections by address ---- */

/* The address as it is counted: IPv4 mapped into IPv6; IPv6 by its network, because one host has
 * all of a /64. */
static void
address_key(const struct sockaddr_storage *from, struct in6_addr *key)
{
	memset(key, 0, sizeof *key);
	if (from->ss_family == AF_INET) {
		key->s6_addr[10] = key->s6_addr[11] = 0xff;
		memcpy(&key->s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)from)->sin6_addr;
		memcpy(key, a, IN6_IS_ADDR_V4MAPPED(a) ? sizeof *key : 8);
	}
}

static struct address_count **
address_slot(struct http_server *s, const struct in6_addr *key)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof key->s6_addr; i++)
		h = (h ^ key->s6_addr[i]) * 16777619u;
	struct address_count **slot = &s->addresses[h % HTTP_ADDRESS_BUCKETS];
	while (*slot && memcmp(&(*slot)->address, key, sizeof *key) != 0)
		slot = &(*slot)->next;
	return slot;
}

/* Counts one more connection; NULL when memory is exhausted. */
static struct address_count *
address_add(struct http_server *s, const struct sockaddr_storage *from)
{
	struct in6_addr key;

	address_key(from, &key);
	struct address_count **slot = address_slot(s, &key);
	if (!*slot) {
		*slot = calloc(1, sizeof **slot);
		if (!*slot)
			return NULL;
		(*slot)->address = key;
	}
	(*slot)->count++;
	return *slot;
}

static void
address_remove(struct http_server *s, struct address_count *a)
{
	if (--a->count)
		return;
	struct address_count **slot = address_slot(s, &a->address);
	*slot = a->next;
	free(a);
}

static void
address_text(const struct sockaddr_storage *from, char out[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	strcpy(out, "local");
	if (from->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, INET6_ADDRSTRLEN);
	else if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, INET6_ADDRSTRLEN);
	else if (from->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, INET6_ADDRSTRLEN);
}

/* ---- listening ---- */

/*
 * Stops and starts listening without closing the socket, which the sandbox would not let us open
 * again: on Linux shutdown(2) of a listening socket resets what waits in its queue, refuses what
 * comes and keeps the port; listen(2) opens it again.
 */
static void
listener_set(struct http_listener *l, bool on)
{
	if (on == l->listening)
		return;
	if (on && listen(l->fd, BACKLOG) != 0)
		return; /* somebody took the port meanwhile: tried again in a second */
	l->listening = on;
	if (on) {
		event_add(&l->readable, NULL);
	} else {
		event_del(&l->readable);
		shutdown(l->fd, SHUT_RD);
	}
}

/* The one place that decides whether TCP connections are welcome. */
static void
listeners_update(struct http_server *s)
{
	bool all = true;
	unsigned max = s->limits.connections, low = max - max / 16;
	bool listening = s->listeners && s->listeners->listening;
	bool room = listening ? s->stats.open < max : s->stats.open < low || s->stats.open == 0;
	bool on = s->open && !s->exhausted && room;

	for (struct http_listener *l = s->listeners; l; l = l->next) {
		listener_set(l, on);
		all &= l->listening == on;
	}
	if (s->exhausted || !all)
		event_add(&s->retry, &(struct timeval){.tv_sec = 1});
}

static void
retry_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	(void)fd;
	(void)what;
	s->exhausted = false;
	listeners_update(s);
}

void
http_server_event(struct http_server *s, enum http_event e, const struct http_peer *peer,
                  const char *detail)
{
	if (s->calls.event)
		s->calls.event(s->arg, e, peer, detail);
}

static void
stop_full(struct http_server *s, const char *detail)
{
	s->stats.full++;
	listeners_update(s);
	http_server_event(s, HTTP_EVENT_FULL, &(struct http_peer){.address = ""}, detail);
}

static void
accepted(struct http_listener *l, int fd, const struct sockaddr_storage *from)
{
	struct http_server *s = l->server;
	char address[INET6_ADDRSTRLEN];
	struct address_count *counted = address_add(s, from);

	address_text(from, address);
	s->stats.accepted++;
	if (!counted) {
		close(fd);
		return;
	}
	s->stats.open++;
	if (counted->count > s->limits.connections_per_address) {
		close(fd);
		s->stats.address_limited++;
		http_server_event(s, HTTP_EVENT_ADDRESS_LIMIT,
		    &(struct http_peer){.address = address}, NULL);
		http_server_closed(s, counted);
		return;
	}
	http_conn_start(s, fd, l->tls, counted, address);
}

static void
listener_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;
	struct http_server *s = l->server;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN && l->listening; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
		int conn = accept4(fd, (struct sockaddr *)&from, &len, flags);
		if (conn >= 0) {
			accepted(l, conn, &from);
			if (s->stats.open >= s->limits.connections)
				stop_full(s, "connections");
			continue;
		}
		int e = errno;
		s->exhausted = e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
		if (s->exhausted)
			stop_full(s, strerror(e));
		if (e != ECONNABORTED && e != EINTR)
			return;
	}
}

void
http_server_closed(struct http_server *s, struct address_count *counted)
{
	address_remove(s, counted);
	s->stats.open--;
	listeners_update(s);
}

int
http_listen(const char *address, const char **why)
{
	struct sockaddr_storage to;
	int len = sizeof to, on = 1;

	*why = "not an address and port such as 0.0.0.0:8443 or [::]:8443";
	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&to, &len) != 0)
		return -1;
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&to, (socklen_t)len) != 0 || listen(fd, BACKLOG) != 0) {
		*why = strerror(errno);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* ---- the server ---- */

static void
set_limits(struct http_server *s, const struct http_limits *limits)
{
	s->limits = *limits;
	snprintf(s->size_limit, sizeof s->size_limit, "%llu bytes at most",
	    (unsigned long long)limits->body_max);
}

void
http_server_limit(struct http_server *s, const struct http_limits *limits)
{
	set_limits(s, limits);
	listeners_update(s);
}

struct http_server *
http_server_new(struct event_base *base, const struct http_limits *limits,
                const struct http_callbacks *calls, void *arg)
{
	struct http_server *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->base = base;
	s->calls = *calls;
	s->arg = arg;
	s->open = true;
	set_limits(s, limits);
	TAILQ_INIT(&s->conns);
	evtimer_assign(&s->retry, base, retry_event, s);
	return s;
}

bool
http_server_add(struct http_server *s, int fd, SSL_CTX *tls)
{
	struct http_listener *l = calloc(1, sizeof *l);

	if (!l) {
		close(fd);
		return false;
	}
	*l = (struct http_listener){.next = s->listeners, .server = s, .tls = tls, .fd = fd};
	event_assign(&l->readable, s->base, fd, EV_READ | EV_PERSIST, listener_event, l);
	event_add(&l->readable, NULL);
	l->listening = true;
	s->listeners = l;
	listeners_update(s);
	return true;
}

void
http_server_open(struct http_server *s, bool open)
{
	struct http_conn *c, *next;

	if (s->open == open)
		return;
	s->open = open;
	listeners_update(s);
	for (c = TAILQ_FIRST(&s->conns); !open && c; c = next) {
		next = TAILQ_NEXT(c, link);
		http_conn_retire(c);
	}
}

const struct http_stats *
http_server_stats(const struct http_server *s)
{
	return &s->stats;
}

void
http_server_free(struct http_server *s)
{
	struct http_conn *c;

	if (!s)
		return;
	s->open = false;
	while ((c = TAILQ_FIRST(&s->conns)))
		http_conn_free(c);
	while (s->listeners) {
		struct http_listener *l = s->listeners;
		s->listeners = l->next;
		event_del(&l->readable);
		close(l->fd);
		free(l);
	}
	event_del(&s->retry);
	free(s);
}
