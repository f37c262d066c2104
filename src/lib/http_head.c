#include "lib/http_head.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the scanner ---- */

enum { START, START_LF, METHOD, TARGET, VERSION, LINE_LF, NAME_FIRST, NAME, VALUE, END_LF, STATES };

#define BLANK_LINES_MAX 2 /* some clients end a body with an uncounted CRLF (RFC 9112 2.2) */

static bool
is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	    (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
is_visible(uint8_t c)
{
	return c > 0x20 && c < 0x7f;
}

static bool
is_text(uint8_t c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/*
 * What each state takes: bytes of a class stay (or go to `next` when `once`), the end byte goes to
 * `after`. Everything else ends the connection.
 */
static const struct {
	bool (*takes)(uint8_t);
	uint8_t next;
	char end;
	uint8_t after;
} rules[STATES] = {
    [START] = {is_token, METHOD, '\r', START_LF},
    [START_LF] = {NULL, 0, '\n', START},
    [METHOD] = {is_token, METHOD, ' ', TARGET},
    [TARGET] = {is_visible, TARGET, ' ', VERSION},
    [VERSION] = {is_visible, VERSION, '\r', LINE_LF},
    [LINE_LF] = {NULL, 0, '\n', NAME_FIRST},
    [NAME_FIRST] = {is_token, NAME, '\r', END_LF},
    [NAME] = {is_token, NAME, ':', VALUE},
    [VALUE] = {is_text, VALUE, '\r', LINE_LF},
    [END_LF] = {NULL, 0, '\n', STATES},
};

enum http_scanned
http_scan(struct http_scan *s, const uint8_t *data, size_t len, size_t *taken)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = data[i], from = s->state;

		if (rules[from].takes && rules[from].takes(c))
			s->state = rules[from].next;
		else if (c == (uint8_t)rules[from].end)
			s->state = rules[from].after;
		else
			s->state = STATES + 1;
		if (from == START_LF && ++s->blank > BLANK_LINES_MAX)
			s->state = STATES + 1;
		s->fields += from == NAME_FIRST && s->state == NAME;
		s->bytes++;
		if (s->state >= STATES) {
			*taken = i + 1;
			return s->state == STATES ? HTTP_SCAN_DONE : HTTP_SCAN_BAD;
		}
	}
	*taken = len;
	return HTTP_SCAN_MORE;
}

/* ---- http-parser's callbacks: cut the text into strings ---- */

struct reading {
	struct http_head *head;
	char *target;
	bool too_many;
};

/* The byte after a name, a value or the target is a separator that nobody reads any more. */
static void
cut(const char *at, size_t len)
{
	((char *)at)[len] = 0;
}

static int
on_url(http_parser *p, const char *at, size_t len)
{
	struct reading *r = p->data;

	cut(at, len);
	r->target = (char *)at;
	return 0;
}

static int
on_name(http_parser *p, const char *at, size_t len)
{
	struct reading *r = p->data;
	struct http_head *h = r->head;

	if (h->field_count == HTTP_FIELDS_MAX) {
		r->too_many = true;
		return 1;
	}
	/* http-parser has read the colon already, but not what follows it. */
	cut(at, len);
	h->fields[h->field_count++] = (struct http_field){at, ""};
	return 0;
}

static int
on_value(http_parser *p, const char *at, size_t len)
{
	struct reading *r = p->data;

	/* An empty value is reported at the first byte of the next line: nothing to cut there. */
	if (len == 0)
		return 0;
	while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	cut(at, len);
	r->head->fields[r->head->field_count - 1].value = at;
	return 0;
}

/* ---- what http-parser leaves to its user ---- */

/* 1: skip the body; framing is ours (http_body.h). */
static int
on_head(http_parser *p)
{
	(void)p;
	return 1;
}

const char *
http_head_find(const struct http_head *h, const char *name)
{
	for (unsigned i = 0; i < h->field_count; i++) {
		if (!strcasecmp(h->fields[i].name, name))
			return h->fields[i].value;
	}
	return NULL;
}

static unsigned
count(const struct http_head *h, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->field_count; i++)
		n += !strcasecmp(h->fields[i].name, name);
	return n;
}

/* A name or address with an optional port, nothing else: it is repeated in our WSDL. */
static bool
host_valid(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                     "0123456789.-_:[]");

	return n > 0 && n < 256 && !s[n];
}

static const char *
check_host(struct http_head *h)
{
	unsigned n = count(h, "Host");

	if (n > 1)
		return "more than one Host";
	if (n == 0 && !h->http10)
		return "no Host";
	h->host = n ? http_head_find(h, "Host") : "";
	return n && !host_valid(h->host) ? "Host is not a host name" : NULL;
}

/* Origin form, "*", or absolute form with the same host as Host. */
static const char *
check_target(struct http_head *h, char *target)
{
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t n = strlen(schemes[i]), m = strlen(h->host);
		if (strncasecmp(target, schemes[i], n))
			continue;
		if (strncasecmp(target + n, h->host, m) || target[n + m] != '/')
			return "the request's target and Host differ";
		target += n + m;
		break;
	}
	if (*target != '/' && strcmp(target, "*") != 0)
		return "the request's target is not a path";
	if (strchr(target, '#'))
		return "a fragment in the request's target";
	char *query = strchr(target, '?');
	if (query)
		*query++ = 0;
	h->path = target;
	h->query = query;
	return NULL;
}

/* One length, in digits only; or chunked, alone; never both (RFC 9112 section 6.3). */
static int
check_framing(struct http_head *h, const char **why)
{
	const char *length = http_head_find(h, "Content-Length");
	const char *coding = http_head_find(h, "Transfer-Encoding");

	*why = "the body's length is ambiguous";
	if (count(h, "Content-Length") > 1 || count(h, "Transfer-Encoding") > 1 ||
	    (length && coding) || (coding && h->http10))
		return 400;
	if (coding && strcasecmp(coding, "chunked") != 0) {
		*why = "Transfer-Encoding other than chunked";
		return 501;
	}
	h->chunked = coding != NULL;
	if (!length)
		return 0;
	size_t digits = strspn(length, "0123456789");
	*why = "Content-Length is not a number";
	if (digits == 0 || digits > 18 || length[digits])
		return 400;
	h->content_length = strtoull(length, NULL, 10);
	return 0;
}

static int
check_expect(struct http_head *h, const char **why)
{
	const char *expect = http_head_find(h, "Expect");

	if (!expect || h->http10)
		return 0;
	*why = "an expectation other than 100-continue";
	if (strcasecmp(expect, "100-continue") != 0)
		return 417;
	h->expect_continue = h->chunked || h->content_length > 0;
	return 0;
}

static int
parser_status(enum http_errno e, const struct reading *r, const char **why)
{
	if (r->too_many) {
		*why = "too many header fields";
		return 431;
	}
	*why = http_errno_description(e);
	return e == HPE_INVALID_METHOD ? 501 : e == HPE_INVALID_VERSION ? 505 : 400;
}

static int
parse(struct http_head *h, size_t len, const char **why)
{
	static const http_parser_settings settings = {.on_url = on_url,
	    .on_header_field = on_name,
	    .on_header_value = on_value,
	    .on_headers_complete = on_head};
	struct reading r = {.head = h};
	http_parser p;
	int status;

	http_parser_init(&p, HTTP_REQUEST);
	p.data = &r;
	http_parser_execute(&p, &settings, h->text, len);
	if (HTTP_PARSER_ERRNO(&p) != HPE_OK)
		return parser_status(HTTP_PARSER_ERRNO(&p), &r, why);
	*why = "not HTTP/1.1";
	if (p.http_major != 1 || p.http_minor > 1)
		return 505;
	h->method = http_method_str((enum http_method)p.method);
	h->http10 = p.http_minor == 0;
	h->keep_alive = http_should_keep_alive(&p) != 0;
	*why = r.target ? check_host(h) : "no target";
	if (!*why)
		*why = check_target(h, r.target);
	if (*why)
		return 400;
	status = check_framing(h, why);
	return status ? status : check_expect(h, why);
}

int
http_head_parse(struct http_head **head, const void *data, size_t len, const char **why)
{
	struct http_head *h = calloc(1, sizeof *h + len + 1);

	*why = "out of memory";
	if (!h)
		return 503;
	memcpy(h->text, data, len);
	int status = parse(h, len, why);
	if (status) {
		free(h);
		h = NULL;
	}
	*head = h;
	return status;
}
