/* From bytes to a request: what each state of a connection does with what arrives. */
#include <stdlib.h>

#include "lib/http_conn.h"

/* The request is over for its user. */
void
http_conn_end_request(struct http_conn *c)
{
	bool announced = c->announced;
	const char *why = c->why;

	c->announced = false;
	c->why = NULL;
	if (announced)
		c->server->calls.end(c->server->arg, c, why);
	c->data = NULL;
	free(c->head);
	c->head = NULL;
	c->scan = (struct http_scan){0};
	c->paused = c->accepted = c->complete = false;
}

/* Accepts the body unless the user wants to wait; completes a request that is all here. */
void
http_conn_body_ready(struct http_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->state != CONN_BODY || c->paused)
		return;
	if (!c->accepted) {
		c->accepted = true;
		http_conn_enter(c, CONN_BODY);
		if (c->head->expect_continue)
			buf_adds(&c->out, go_on);
	}
	if (c->body.done) {
		c->complete = true;
		http_conn_enter(c, CONN_WAIT);
		c->server->calls.complete(c->server->arg, c);
	}
}

static void
refuse_size(struct http_conn *c)
{
	http_conn_refuse(c, 413, FAULT_HTTP_TOO_LARGE, c->server->size_limit);
}

static void
head_complete(struct http_conn *c, const void *data, size_t len)
{
	struct http_server *s = c->server;
	const char *why;
	int status = http_head_parse(&c->head, data, len, &why);

	buf_free(&c->in);
	if (status == 503) {
		http_conn_die(c, why);
	} else if (status) {
		http_conn_refuse(c, status, FAULT_HTTP_MALFORMED, why);
	} else if (c->head->content_length > s->limits.body_max) {
		refuse_size(c);
	} else {
		http_conn_enter(c, CONN_BODY);
		http_body_begin(&c->body, c->head->chunked, c->head->content_length);
		c->announced = true;
		s->stats.requests++;
		s->calls.request(s->arg, c, c->head);
		http_conn_body_ready(c);
	}
}

static size_t
step_idle(struct http_conn *c, const uint8_t *data, size_t len)
{
	(void)data;
	(void)len;
	http_conn_enter(c, CONN_HEAD);
	c->begun = c->since;
	c->in.max = c->server->limits.head_bytes;
	return 0;
}

static size_t
step_head(struct http_conn *c, const uint8_t *data, size_t len)
{
	const struct http_limits *limits = &c->server->limits;
	size_t taken;
	enum http_scanned r = http_scan(&c->scan, data, len, &taken);

	if (r == HTTP_SCAN_BAD)
		http_conn_refuse(c, 400, FAULT_HTTP_MALFORMED,
		    "bytes that HTTP/1.1 does not allow in a head");
	else if (c->scan.bytes > limits->head_bytes)
		http_conn_refuse(c, 431, FAULT_HTTP_MALFORMED, "the head is too long");
	else if (c->scan.fields > limits->head_fields)
		http_conn_refuse(c, 431, FAULT_HTTP_MALFORMED, "too many header fields");
	else if (r == HTTP_SCAN_DONE && c->in.len == 0)
		head_complete(c, data, taken);
	else if (!buf_add(&c->in, data, taken))
		http_conn_die(c, "out of memory");
	else if (r == HTTP_SCAN_DONE)
		head_complete(c, c->in.data, c->in.len);
	return taken;
}

static size_t
step_body(struct http_conn *c, const uint8_t *data, size_t len)
{
	struct http_server *s = c->server;
	const uint8_t *content;
	size_t content_len;
	size_t taken = http_body_take(&c->body, data, len, &content, &content_len);

	if (c->body.bad)
		http_conn_refuse(c, 400, FAULT_HTTP_MALFORMED, "the chunks of the body are broken");
	else if (c->body.total > s->limits.body_max)
		refuse_size(c);
	else if (content_len)
		s->calls.body(s->arg, c, content, content_len);
	http_conn_body_ready(c);
	return taken;
}

static size_t (*const steps[])(struct http_conn *, const uint8_t *, size_t) = {
    [CONN_IDLE] = step_idle, [CONN_HEAD] = step_head, [CONN_BODY] = step_body, [CONN_DEAD] = NULL};

bool
http_conn_consuming(const struct http_conn *c)
{
	return steps[c->state] && !c->paused;
}

size_t
http_conn_step(struct http_conn *c, const uint8_t *data, size_t len)
{
	return steps[c->state](c, data, len);
}
