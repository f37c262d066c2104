/* One request and its answer over a connection that is ready. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/http_client_internal.h"
#include "lib/tls.h"

#define CONTINUE_WAIT WHEN_SECOND /* then the body goes without an invitation (RFC 9110 10.1.1) */
#define SECONDS(n) ((when)(n) * WHEN_SECOND)

bool
http_call_body_left(const struct http_call *call)
{
	return call->drained > call->head.len;
}

/* How far it came, when no complete answer is here. */
static enum http_stage
stage_of(const struct http_call *call)
{
	if (call->connection->stage != HTTP_SEND)
		return call->connection->stage;
	if (call->drained == 0)
		return HTTP_CONNECT;
	return call->sent == WHEN_NONE ? HTTP_SEND : HTTP_WAIT;
}

/* Timers */

void
http_call_arm(struct http_call *call)
{
	when now = when_monotonic(), next = call->deadline;

	if (call->progress) {
		when limit = call->progress + SECONDS(call->client->options.progress_seconds);
		next = limit < next ? limit : next;
	}
	if (call->holding && call->hold_until < next)
		next = call->hold_until;
	when left = next > now ? next - now : 0;
	struct timeval tv = {(time_t)(left / WHEN_SECOND),
	    (suseconds_t)(left % WHEN_SECOND / 1000 + 1)};
	event_add(call->timer, &tv);
}

static bool send_more(struct http_call *);

/* False when the call ended over it. */
static bool
release_body(struct http_call *call)
{
	call->holding = false;
	return send_more(call);
}

void
http_call_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct http_call *call = arg;
	when now = when_monotonic();
	unsigned progress = call->client->options.progress_seconds;

	(void)fd, (void)what;
	if (now >= call->deadline) {
		http_call_detail(call, "%s", call->progress ? "the whole exchange took too long" :
		    "no connection in time");
	} else if (call->progress && now >= call->progress + SECONDS(progress)) {
		http_call_detail(call, "nothing moved for %u s", progress);
	} else {
		if (!call->holding || now < call->hold_until || release_body(call))
			http_call_arm(call);
		return;
	}
	http_call_finish(call, stage_of(call), true);
}

/* Sending */

/* Puts the next piece of the body into the output. False when its file lets us down. */
static bool
put_piece(struct http_call *call, struct evbuffer *out)
{
	uint64_t left = call->body_size - call->put;
	size_t n = left < HTTP_PIECE ? (size_t)left : HTTP_PIECE;
	struct evbuffer_iovec v;

	if (call->body) {
		if (evbuffer_add(out, call->body + call->put, n) < 0)
			return false;
		call->put += n;
		return true;
	}
	if (evbuffer_reserve_space(out, (ssize_t)n, &v, 1) < 1)
		return false;
	ssize_t got = pread(call->body_fd, v.iov_base, n, (off_t)call->put);
	if (got <= 0)
		return false;
	v.iov_len = (size_t)got;
	call->put += (uint64_t)got;
	return evbuffer_commit_space(out, &v, 1) == 0;
}

/* False when the call ended over it. */
static bool
send_more(struct http_call *call)
{
	struct evbuffer *out = bufferevent_get_output(call->connection->bev);

	while (!call->holding && call->put < call->body_size &&
	    evbuffer_get_length(out) < HTTP_PIECE) {
		if (put_piece(call, out))
			continue;
		/* Not the peer's fault; it cannot take an unfinished body for the message. */
		call->put = call->body_size;
		http_call_detail(call, "the message cannot be read from its file");
		http_call_finish(call, call->drained ? HTTP_SEND : HTTP_CONNECT, false);
		return false;
	}
	return true;
}

void
http_exchange_drained(struct http_call *call, size_t deleted, bool empty)
{
	call->drained += deleted;
	call->progress = when_monotonic();
	if (empty && !call->holding && call->put == call->body_size && call->sent == WHEN_NONE)
		call->sent = when_now();
}

static void
write_cb(struct bufferevent *bev, void *arg)
{
	struct http_connection *c = arg;

	(void)bev;
	if (c->call)
		send_more(c->call);
}

/* The answer, as http-parser calls it out */

static struct http_call *
call_of(http_parser *p)
{
	return ((struct http_connection *)p->data)->call;
}

static int
on_field(http_parser *p, const char *at, size_t len)
{
	static const char name[] = "content-type";
	struct http_call *call = call_of(p);

	/* A name cut by the edge of a TLS record is rare; then there is just no type. */
	call->header_is_type = len == sizeof name - 1 && strncasecmp(at, name, len) == 0;
	if (call->header_is_type)
		call->content_type[0] = 0;
	return 0;
}

static int
on_value(http_parser *p, const char *at, size_t len)
{
	struct http_call *call = call_of(p);
	size_t had = strlen(call->content_type);

	if (call->header_is_type && len < sizeof call->content_type - had) {
		memcpy(call->content_type + had, at, len);
		call->content_type[had + len] = 0;
	}
	return 0;
}

static int
on_headers(http_parser *p)
{
	struct http_call *call = call_of(p);

	call->too_large = p->content_length != UINT64_MAX && p->content_length > call->answer_max;
	return call->too_large ? -1 : 0;
}

static bool
write_all(int fd, const char *at, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static int
on_body(http_parser *p, const char *at, size_t len)
{
	struct http_call *call = call_of(p);

	if (len > call->answer_max - call->answer_len) {
		call->too_large = true;
		return -1;
	}
	call->answer_len += len;
	call->write_failed = call->answer_fd >= 0 ? !write_all(call->answer_fd, at, len) :
	    !buf_add(&call->answer, at, len);
	return call->write_failed ? -1 : 0;
}

static int
on_complete(http_parser *p)
{
	struct http_call *call = call_of(p);

	if (p->status_code >= 100 && p->status_code < 200) {
		call->invited = true; /* 100 Continue; others mean nothing to us */
		return 0;
	}
	call->status = p->status_code;
	call->complete = true;
	call->keep = http_should_keep_alive(p);
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* The end of an exchange that got its answer. */
static void
answered(struct http_call *call)
{
	/* The server did not know Expect: once more without it, nothing of the message has left. */
	if (call->status == 417 && call->expect && !http_call_body_left(call)) {
		http_request_drop_expect(call);
		http_call_again(call);
		return;
	}
	/* An answer before all was sent: what is left of the body must not be read as a request. */
	if (call->sent == WHEN_NONE)
		call->keep = false;
	http_call_finish(call, HTTP_ANSWERED, false);
}

static void
unreadable(struct http_connection *c)
{
	struct http_call *call = c->call;

	call->keep = false;
	if (call->too_large)
		http_call_detail(call, "the answer is larger than %zu bytes", call->answer_max);
	else if (call->write_failed)
		http_call_detail(call, "no room for the answer");
	else
		http_call_detail(call, "the answer is not HTTP: %s",
		    http_errno_description(HTTP_PARSER_ERRNO(&c->parser)));
	http_call_finish(call, stage_of(call), false);
}

enum parsed { PARSED_PART, PARSED_ALL, PARSED_BAD };

static enum parsed
parse(struct http_connection *c, const void *data, size_t len)
{
	struct http_call *call = c->call;

	call->answer_begun = true;
	size_t n = http_parser_execute(&c->parser, &settings, data, len);
	if (call->complete) {
		/* The paused parser has not counted the last byte: more than that is no answer. */
		if (n + 1 < len)
			call->keep = false;
		return PARSED_ALL;
	}
	if (HTTP_PARSER_ERRNO(&c->parser) != HPE_OK || n != len || c->parser.upgrade)
		return PARSED_BAD;
	return PARSED_PART;
}

/* Ends the call if it is to end. */
static void
conclude(struct http_connection *c, enum parsed parsed)
{
	if (parsed == PARSED_ALL)
		answered(c->call);
	else if (parsed == PARSED_BAD)
		unreadable(c);
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	struct http_connection *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_iovec v;

	if (!c->call) { /* an idle server has nothing to say */
		http_connection_close(c);
		return;
	}
	c->call->progress = when_monotonic();
	enum parsed parsed = PARSED_PART;
	while (parsed == PARSED_PART && evbuffer_peek(in, -1, NULL, &v, 1) > 0 && v.iov_len > 0) {
		parsed = parse(c, v.iov_base, v.iov_len);
		evbuffer_drain(in, v.iov_len);
	}
	if (parsed == PARSED_ALL && evbuffer_get_length(in) > 0)
		c->call->keep = false;
	if (parsed != PARSED_PART)
		conclude(c, parsed);
	else if (c->call->invited && c->call->holding)
		release_body(c->call);
}

/* The end of the connection */

/* The server may have answered before it stopped reading: its words, or its alert, wait behind the
 * failed write. */
static enum parsed
read_rest(struct http_connection *c, unsigned long *error)
{
	enum parsed parsed = PARSED_PART;
	char data[4096];
	int n = 0;

	*error = 0;
	if (!c->ssl)
		return PARSED_PART;
	ERR_clear_error();
	for (size_t all = 0; all <= c->call->answer_max; all += (size_t)n) {
		n = SSL_read(c->ssl, data, sizeof data);
		if (n <= 0)
			break;
		parsed = parse(c, data, (size_t)n);
		if (parsed != PARSED_PART)
			break;
	}
	*error = n <= 0 ? ERR_peek_error() : 0;
	ERR_clear_error();
	return parsed;
}

static void
lost(struct http_connection *c, unsigned long error, int error_number)
{
	struct http_call *call = c->call;
	char reason[HTTP_DETAIL_MAX];
	enum http_stage stage = stage_of(call);

	if (!error && error_number)
		http_call_detail(call, "%s", strerror(error_number));
	else
		http_call_detail(call, "%s%s", tls_reason_of(NULL, error, reason, sizeof reason),
		    call->answer_begun ? " in the middle of its answer" : "");
	if (!c->used && !call->answer_begun && tls_handshake_alert(error)) {
		stage = HTTP_TLS;
		c->alert = tls_alert_number(error);
	}
	if (c->used && !call->answer_begun && !http_call_body_left(call) && !call->fresh)
		http_call_again(call);
	else
		http_call_finish(call, stage, false);
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct http_connection *c = arg;
	int saved = EVUTIL_SOCKET_ERROR();

	if (!c->call) {
		read_cb(bev, c);
		return;
	}
	unsigned long error = http_connection_error(c), late = 0;
	enum parsed parsed = what & BEV_EVENT_WRITING ? read_rest(c, &late) : PARSED_PART;
	if (parsed != PARSED_PART) {
		conclude(c, parsed);
		return;
	}
	/* An answer without a length ends with the connection, but only with an orderly end. */
	if (what & BEV_EVENT_EOF && c->call->answer_begun && !c->call->complete &&
	    HTTP_PARSER_ERRNO(&c->parser) == HPE_OK) {
		http_parser_execute(&c->parser, &settings, NULL, 0);
		if (c->call->complete) {
			c->call->keep = false;
			answered(c->call);
			return;
		}
	}
	lost(c, tls_handshake_alert(late) ? late : error, what & BEV_EVENT_ERROR ? saved : 0);
}

void
http_exchange_begin(struct http_connection *c)
{
	struct http_call *call = c->call;
	unsigned total = call->client->options.total_seconds;

	if (call->accept && !call->accept(call->arg, c->certificate, c->certificate_len)) {
		http_call_detail(call, "the server's certificate is not the registered one");
		http_call_finish(call, HTTP_TLS, false);
		return;
	}
	http_parser_init(&c->parser, HTTP_RESPONSE);
	c->parser.data = c;
	call->progress = when_monotonic();
	call->deadline = call->progress + SECONDS(total);
	call->holding = call->expect;
	call->hold_until = call->progress + CONTINUE_WAIT;
	bufferevent_setcb(c->bev, read_cb, write_cb, event_cb, c);
	bufferevent_setwatermark(c->bev, EV_WRITE, HTTP_PIECE / 2, 0);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (evbuffer_add(bufferevent_get_output(c->bev), call->head.data, call->head.len) < 0) {
		http_call_detail(call, "out of memory");
		http_call_finish(call, HTTP_CONNECT, false);
		return;
	}
	http_call_arm(call);
	send_more(call);
}
