/*
 * One connection of the HTTP server: its states, its clock, and the way of bytes in and out.
 *
 * Everything happens in turn(), which is called when the socket or the clock says something, or
 * after a kick. The functions that the user calls only note what is wanted and kick; so no callback
 * is ever called from inside the user's own call, and nothing is freed under its feet.
 */
#include "lib/http_conn.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/tls.h"

#define READS_PER_TURN 4 /* of HTTP_READ_SIZE: then others have their turn */
#define LINGER_MAX (4u << 20) /* bytes thrown away after our goodbye */

void
http_conn_enter(struct http_conn *c, enum conn_state state)
{
	c->state = state;
	c->since = c->progress = when_monotonic();
	c->moved = 0;
}

void
http_conn_kick(struct http_conn *c)
{
	if (!c->turning)
		event_active(&c->kick, 0, 0);
}

void
http_conn_die(struct http_conn *c, const char *why)
{
	if (!c->why)
		c->why = why;
	c->state = CONN_DEAD;
}

static void
report(struct http_conn *c, enum http_event e, const char *detail)
{
	http_server_event(c->server, e, &c->peer, detail);
}

/* ---- bytes in ---- */

/* Nothing of what comes now will ever be looked at. */
static bool
deaf(const struct http_conn *c)
{
	return c->closing && c->state >= CONN_WAIT;
}

/* Consumes bytes; what belongs to later (the next request, or after a pause) is kept. */
static void
feed(struct http_conn *c, const uint8_t *data, size_t len)
{
	while (len && http_conn_consuming(c)) {
		size_t n = http_conn_step(c, data, len);
		data += n;
		len -= n;
	}
	if (len && !deaf(c) && !buf_add(&c->rest, data, len))
		http_conn_die(c, "out of memory");
}

static void
feed_rest(struct http_conn *c)
{
	struct buf rest = c->rest;

	if (!rest.len || !http_conn_consuming(c))
		return;
	c->rest = (struct buf){0};
	feed(c, rest.data, rest.len);
	buf_free(&rest);
}

/* Reading is allowed while nothing waits to be consumed: at most one read lies in memory. Also
 * while the user thinks, because a connection that was reset should be noticed. */
static bool
may_read(const struct http_conn *c)
{
	return c->state < CONN_LINGER && !c->paused && !c->eof && !deaf(c) && c->rest.len == 0;
}

/* The peer will send no more. What it asked completely is still answered (half-closed
 * connection). */
static void
ended(struct http_conn *c)
{
	c->eof = c->closing = true;
	if (c->state == CONN_IDLE || c->state == CONN_HEAD)
		http_conn_die(c, NULL);
	else if (c->state == CONN_BODY)
		http_conn_die(c, "the peer closed the connection inside its request");
}

static void
read_some(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (c->state == CONN_HANDSHAKE)
		return;
	for (int i = 0; i < READS_PER_TURN && may_read(c); i++) {
		long n = http_stream_read(&c->stream, s->scratch, sizeof s->scratch);
		if (n == HTTP_STREAM_BLOCKED)
			return;
		if (n == HTTP_STREAM_ERROR) {
			http_conn_die(c, "the connection was lost");
			return;
		}
		if (n == 0) {
			ended(c);
			return;
		}
		s->stats.bytes_in += (uint64_t)n;
		c->moved += (uint64_t)n;
		c->progress = when_monotonic();
		feed(c, s->scratch, (size_t)n);
		if (!http_conn_consuming(c))
			break; /* a request is complete: do not ask the socket for another */
	}
	/* The socket does not announce what TLS has decrypted already. */
	if (may_read(c) && http_stream_pending(&c->stream))
		event_active(&c->kick, 0, 0);
}

/* ---- bytes out ---- */

static void
linger(struct http_conn *c)
{
	http_stream_finish(&c->stream);
	if (c->eof)
		http_conn_die(c, NULL);
	else
		http_conn_enter(c, CONN_LINGER);
}

static void
answered(struct http_conn *c)
{
	http_conn_end_request(c);
	buf_free(&c->out);
	c->out_sent = 0;
	c->borrowed = NULL;
	c->borrowed_len = 0;
	c->used = true;
	if (c->closing || !c->server->open) {
		buf_free(&c->rest);
		linger(c);
	} else {
		http_conn_enter(c, CONN_IDLE);
	}
}

/* What is to be written next; false when nothing is. */
static bool
unsent(const struct http_conn *c, const uint8_t **data, size_t *len)
{
	bool head = c->out_sent < c->out.len;

	*len = c->out.len + c->borrowed_len - c->out_sent;
	if (head)
		*len = c->out.len - c->out_sent;
	*data = head ? c->out.data + c->out_sent : c->borrowed + (c->out_sent - c->out.len);
	return *len > 0;
}

static void
flush(struct http_conn *c)
{
	const uint8_t *data;
	size_t len;

	if (c->state >= CONN_LINGER)
		return;
	if (c->out.failed)
		http_conn_die(c, "out of memory");
	while (c->state < CONN_LINGER && unsent(c, &data, &len)) {
		long n = http_stream_write(&c->stream, data, len);
		if (n == HTTP_STREAM_BLOCKED)
			return;
		if (n < 0) {
			http_conn_die(c, "the connection was lost");
			return;
		}
		c->out_sent += (size_t)n;
		c->server->stats.bytes_out += (uint64_t)n;
		if (c->state == CONN_ANSWER) {
			c->moved += (uint64_t)n;
			c->progress = when_monotonic();
		}
	}
	if (c->state == CONN_ANSWER)
		answered(c);
}

static void
throw_away(struct http_conn *c)
{
	ssize_t n = recv(c->stream.fd, c->server->scratch, HTTP_READ_SIZE, 0);

	if (n > 0)
		c->moved += (uint64_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || c->moved > LINGER_MAX)
		http_conn_die(c, NULL);
}

/* ---- the handshake ---- */

static void
handshake(struct http_conn *c)
{
	struct http_server *s = c->server;
	char reason[256];
	int r = http_stream_handshake(&c->stream);

	if (r == HTTP_STREAM_BLOCKED)
		return;
	if (r == HTTP_STREAM_ERROR) {
		s->stats.handshakes_failed++;
		report(c, HTTP_EVENT_HANDSHAKE_FAILED,
		    tls_reason(c->stream.ssl, reason, sizeof reason));
		linger(c); /* so that the alert arrives */
		return;
	}
	if (c->stream.ssl) {
		c->peer.tls_version = SSL_get_version(c->stream.ssl);
		c->peer.tls_cipher = SSL_get_cipher_name(c->stream.ssl);
		c->peer.tls_resumed = SSL_session_reused(c->stream.ssl);
		s->stats.handshakes++;
		s->stats.resumed += c->peer.tls_resumed;
		report(c, HTTP_EVENT_HANDSHAKE, NULL);
	}
	http_conn_enter(c, CONN_IDLE);
}

/* ---- the clock ---- */

static void
expire(struct http_conn *c)
{
	static const char *const what[] = {[CONN_HANDSHAKE] = "TLS handshake",
	    [CONN_IDLE] = "waiting for a request",
	    [CONN_HEAD] = "request line and headers",
	    [CONN_BODY] = "body",
	    [CONN_WAIT] = "our answer",
	    [CONN_ANSWER] = "the peer to take the answer"};
	enum conn_state state = c->state;

	if (state < CONN_LINGER && !(state == CONN_IDLE && c->used)) {
		c->server->stats.timeouts++;
		report(c, HTTP_EVENT_TIMEOUT, what[state]);
	}
	if (state == CONN_HEAD || (state == CONN_BODY && !c->paused))
		http_conn_refuse(c, 408, FAULT_HTTP_TIMEOUT, what[state]);
	if (state == CONN_ANSWER)
		http_stream_reset(&c->stream); /* megabytes may lie in the kernel */
	if (c->state == state)
		http_conn_die(c, "timed out");
}

/* ---- turns ---- */

static void
set_event(struct event *e, bool *is, bool wanted)
{
	if (*is == wanted)
		return;
	*is = wanted;
	if (wanted)
		event_add(e, NULL);
	else
		event_del(e);
}

/* Asks for what the state needs next. */
static void
rearm(struct http_conn *c)
{
	const struct http_stream *s = &c->stream;
	when d = http_conn_deadline(c), wait;

	set_event(&c->readable, &c->reading,
	    c->state == CONN_LINGER || may_read(c) || s->write_needs_read);
	set_event(&c->writable, &c->writing,
	    c->state < CONN_LINGER && (c->out_sent < c->out.len + c->borrowed_len || s->read_needs_write));
	if (c->armed && c->armed <= d)
		return; /* fires early enough; then it is set again: cheaper than once per state */
	wait = d - when_monotonic();
	if (wait < WHEN_SECOND / 1000)
		wait = WHEN_SECOND / 1000;
	c->armed = d;
	event_add(&c->timer,
	    &(struct timeval){.tv_sec = wait / WHEN_SECOND, .tv_usec = wait % WHEN_SECOND / 1000});
}

static void
turn(struct http_conn *c, bool readable)
{
	c->turning = true;
	if (c->state == CONN_LINGER && readable)
		throw_away(c);
	if (c->state == CONN_HANDSHAKE)
		handshake(c);
	http_conn_body_ready(c);
	flush(c);
	feed_rest(c);
	if (readable || http_stream_pending(&c->stream) || c->stream.read_needs_write)
		read_some(c);
	flush(c);
	if (c->state != CONN_DEAD && when_monotonic() >= http_conn_deadline(c)) {
		expire(c);
		flush(c);
	}
	c->turning = false;
	if (c->state == CONN_DEAD) {
		http_conn_free(c);
		return;
	}
	rearm(c);
	if (c->rest.len && http_conn_consuming(c))
		http_conn_kick(c); /* a pipelined request: others first */
}

static void
socket_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	turn(arg, what & EV_READ);
}

static void
timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	c->armed = 0;
	turn(c, false);
}

static void
kick_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg, false);
}

/* ---- begin and end ---- */

void
http_conn_start(struct http_server *s, int fd, SSL_CTX *tls, struct address_count *counted,
                const char *address)
{
	struct http_conn *c = calloc(1, sizeof *c);
	int on = 1;

	if (!c || !http_stream_open(&c->stream, fd, tls)) {
		if (!c)
			close(fd);
		free(c);
		http_server_closed(s, counted);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->server = s;
	c->counted = counted;
	snprintf(c->address, sizeof c->address, "%s", address);
	c->peer.address = c->address;
	http_conn_enter(c, tls ? CONN_HANDSHAKE : CONN_IDLE);
	event_assign(&c->readable, s->base, fd, EV_READ | EV_PERSIST, socket_event, c);
	event_assign(&c->writable, s->base, fd, EV_WRITE | EV_PERSIST, socket_event, c);
	evtimer_assign(&c->timer, s->base, timer_event, c);
	event_assign(&c->kick, s->base, -1, 0, kick_event, c);
	TAILQ_INSERT_TAIL(&s->conns, c, link);
	rearm(c);
}

void
http_conn_free(struct http_conn *c)
{
	struct http_server *s = c->server;

	c->state = CONN_DEAD;
	if (!c->why)
		c->why = "the connection was closed";
	http_conn_end_request(c);
	event_del(&c->readable);
	event_del(&c->writable);
	event_del(&c->timer);
	event_del(&c->kick);
	http_stream_close(&c->stream);
	buf_free(&c->in);
	buf_free(&c->rest);
	buf_free(&c->out);
	OPENSSL_free(c->certificate);
	TAILQ_REMOVE(&s->conns, c, link);
	http_server_closed(s, c->counted);
	free(c);
}

void
http_conn_retire(struct http_conn *c)
{
	c->closing = true;
	if (c->state == CONN_IDLE)
		http_drop(c);
}
