/* From a request to the bytes of its head. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/http_client_internal.h"

#define URL_MAX 2048
#define EXPECT "Expect: 100-continue\r\n"

/* Printable ASCII only: what goes into the request line must not be able to end it. */
static bool
clean(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
			return false;
	}
	return true;
}

static bool
field(const char *url, const struct http_parser_url *u, int which, char *out, size_t size)
{
	if (!(u->field_set & (1 << which)) || u->field_data[which].len >= size)
		return false;
	snprintf(out, size, "%.*s", (int)u->field_data[which].len, url + u->field_data[which].off);
	return true;
}

/* Everything after the authority, as registered; a fragment never travels. */
static void
put_target(struct buf *out, const char *url, const struct http_parser_url *u)
{
	const char *target = strstr(url, "://") + 3;

	target += strcspn(target, "/?#");
	if (*target != '/')
		buf_addc(out, '/');
	size_t len = u->field_set & (1 << UF_FRAGMENT) ? strcspn(target, "#") : strlen(target);
	buf_add(out, target, len);
}

static bool
parse_url(const struct http_request *r, struct http_parser_url *u, char *host, char *port, const char **why)
{
	const char *url = r->url;
	char scheme[8];

	*why = "the URL cannot be read";
	http_parser_url_init(u);
	if (!url || strlen(url) > URL_MAX || !clean(url) ||
	    http_parser_parse_url(url, strlen(url), 0, u) != 0 || u->field_set & (1 << UF_USERINFO))
		return false;
	if (!field(url, u, UF_SCHEMA, scheme, sizeof scheme) ||
	    strcasecmp(scheme, r->tls ? "https" : "http") != 0) {
		*why = r->tls ? "the URL is not https" : "the URL is not http";
		return false;
	}
	if (!field(url, u, UF_HOST, host, HTTP_HOST_MAX))
		return false;
	snprintf(port, 6, "%u", u->field_set & (1 << UF_PORT) && u->port ? u->port : r->tls ? 443 : 80);
	return true;
}

static void
put_host(struct buf *out, const char *host, const char *port, bool tls)
{
	bool v6 = strchr(host, ':');

	buf_addf(out, "Host: %s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
	if (strcmp(port, tls ? "443" : "80") != 0)
		buf_addf(out, ":%s", port);
	buf_adds(out, "\r\n");
}

bool
http_request_parse(struct http_call *call, const struct http_request *r, char *host, char *port,
    const char **why)
{
	struct http_parser_url u;
	struct buf *h = &call->head;

	if (!parse_url(r, &u, host, port, why))
		return false;
	buf_adds(h, r->content_type ? "POST " : "GET ");
	put_target(h, r->url, &u);
	buf_adds(h, " HTTP/1.1\r\n");
	put_host(h, host, port, r->tls != NULL);
	if (r->soap_action)
		buf_addf(h, "SOAPAction: \"%s\"\r\n", r->soap_action);
	if (r->content_type)
		buf_addf(h, "Content-Type: %s\r\nContent-Length: %llu\r\n", r->content_type,
		    (unsigned long long)r->body_size);
	call->head_expect = h->len;
	call->expect = r->expect_continue && r->body_size > 0;
	if (call->expect)
		buf_adds(h, EXPECT);
	buf_adds(h, "\r\n");
	*why = "out of memory";
	return !h->failed;
}

void
http_request_drop_expect(struct http_call *call)
{
	struct buf *h = &call->head;
	size_t end = call->head_expect + strlen(EXPECT);

	memmove(h->data + call->head_expect, h->data + end, h->len - end + 1);
	h->len -= strlen(EXPECT);
	call->expect = false;
}
