/* The side of a connection that the server's user sees: answering, pausing, who is there. */
#include "lib/http_conn.h"

#include <http_parser.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

/* RFC 9110 section 5.6.7: a server with a clock dates its answers. */
static void
http_date(char out[32])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 32, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* A request that is not wholly read cannot be followed by another on this connection. */
static bool
last_answer(const struct http_conn *c, const struct http_answer *a)
{
	return a->close || c->closing || c->eof || !c->server->open || !c->head ||
	    !c->head->keep_alive || !c->body.done;
}

void
http_respond(struct http_conn *c, const struct http_answer *a)
{
	bool head_only = c->head && strcmp(c->head->method, "HEAD") == 0;
	const char *connection = "";
	char date[32];

	if (c->state >= CONN_ANSWER)
		return;
	c->closing = last_answer(c, a);
	if (c->closing)
		connection = "Connection: close\r\n";
	else if (c->head->http10)
		connection = "Connection: keep-alive\r\n";
	http_date(date);
	buf_addf(&c->out,
	    "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n",
	    a->status, http_status_str((enum http_status)a->status), date,
	    a->content_type ? a->content_type : "text/plain; charset=utf-8", a->len, connection,
	    a->fields ? a->fields : "");
	if (!head_only && a->borrowed) {
		c->borrowed = a->body;
		c->borrowed_len = a->len;
	} else if (!head_only) {
		buf_add(&c->out, a->body, a->len);
	}
	http_conn_enter(c, CONN_ANSWER);
	http_conn_kick(c);
}

void
http_conn_refuse(struct http_conn *c, int status, enum fault fault, const char *detail)
{
	struct http_server *s = c->server;
	char text[2048];

	fault_describe(fault, detail, text, sizeof text);
	s->stats.refused++;
	http_server_event(s, HTTP_EVENT_REFUSED, &c->peer, detail);
	c->why = detail;
	c->paused = false;
	http_respond(c, &(struct http_answer){.status = status,
	    .body = text,
	    .len = strlen(text),
	    .close = true});
}

void
http_drop(struct http_conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	c->why = "dropped";
	c->state = CONN_DEAD;
	http_conn_kick(c);
}

void
http_pause(struct http_conn *c)
{
	if (c->paused || c->state != CONN_BODY)
		return;
	c->paused = true;
	c->paused_at = when_monotonic();
}

void
http_resume(struct http_conn *c)
{
	if (!c->paused)
		return;
	when pause = when_monotonic() - c->paused_at;
	c->paused = false;
	c->since += pause;
	c->progress += pause;
	c->begun += pause;
	http_conn_kick(c);
}

void
http_set_data(struct http_conn *c, void *data)
{
	c->data = data;
}

void *
http_data(const struct http_conn *c)
{
	return c->data;
}

const struct http_peer *
http_conn_peer(const struct http_conn *c)
{
	return &c->peer;
}

SSL_CTX *
http_conn_context(const struct http_conn *c)
{
	return c->stream.ssl ? SSL_get_SSL_CTX(c->stream.ssl) : NULL;
}

/* Encoded at the first question: most connections of a metrics reader are never asked. */
const uint8_t *
http_conn_certificate(struct http_conn *c, size_t *len)
{
	if (!c->certificate && c->certificate_len == 0 && c->stream.ssl) {
		X509 *x = SSL_get1_peer_certificate(c->stream.ssl);
		c->certificate_len = x ? i2d_X509(x, &c->certificate) : -1;
		X509_free(x);
	}
	*len = c->certificate ? (size_t)c->certificate_len : 0;
	return c->certificate;
}
