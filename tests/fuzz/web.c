/*
 * The authority's pages: whatever a browser sends, there is exactly one answer, it is HTML in which
 * nothing that was sent became markup, and nothing is asked for without a token of the session.
 * Input: lines of method, target, content type, cookie; then the body. TOKEN in the body stands for
 * the token that the page gave.
 */
#include "fuzz.h"

#include <string.h>

#include "../unit/web_certificate.h"
#include "authority/web.h"

#define LINES 4

struct reader {
	struct web_site site;
	unsigned answers;
	bool tokened; /* the token was part of what was sent */
	char cookie[300], token[65];
	uint8_t *certificate;
	size_t certificate_len;
};

static struct reader reader;

static when
now(void)
{
	return (when)1795600800 * WHEN_SECOND;
}

/* Every verb is answered with all that pages may look for, in shapes that are sometimes wrong. */
static const char card[] =
    "{\"ok\":true,\"kind\":\"officer\",\"name\":\"<i>\",\"roles\":[\"officer\",\"registrar\",\"auditor\","
    "\"ca-operator\",7],\"participants\":[{\"guid\":\"{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}\","
    "\"name\":\"<b>\"},null],\"participant\":{\"guid\":\"{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}\","
    "\"name\":\"\\\"><script>\",\"services\":[{\"uri\":\"<\"},3]},\"total\":1000,\"entries\":[{\"before\":"
    "{\"a\":[1,\"<\"]},\"after\":{\"a\":null,\"b\":{\"c\":1.5}}},\"x\"],\"requests\":[{\"id\":1}],"
    "\"request\":{\"state\":\"open\",\"fields\":{\"name\":\"<\"}},\"certificates\":[{\"state\":\"issued\","
    "\"serial\":\"<\",\"not_after\":\"x\"},[]],\"certificate\":{\"state\":\"requested\",\"checks\":[{}],"
    "\"pem\":\"x\",\"serial\":\"<\\r\\n\"},\"officers\":[{\"roles\":[1,\"x\"]}],\"secret\":\"<\"}";

static void
ask(void *arg, struct web_exchange *x, enum web_asked whom, unsigned slot, json_t *query)
{
	static const char *const reads[] = {"whoami", "participant-show", "participant-list",
	    "participant-history", "request-list", "request-show", "certificate-list",
	    "certificate-show", "officer-list", "log-list", "overview"};
	const char *verb = json_string_value(json_object_get(query, "verb"));
	json_t *answer = json_loads(card, 0, NULL);
	bool read = false;

	(void)arg, (void)whom;
	HOLDS(verb && answer);
	for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
		read = read || strcmp(reads[i], verb) == 0;
	HOLDS(read || reader.tokened);
	web_answered(x, slot, answer);
	json_decref(answer);
}

static size_t
occurrences(const char *text, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == c;
	return n;
}

static void
check_fields(const char *fields)
{
	for (const char *at = fields; *at;) {
		const char *end = strstr(at, "\r\n");
		HOLDS(end);
		HOLDS(memchr(at, ':', (size_t)(end - at)));
		HOLDS(!memchr(at, '\n', (size_t)(end - at)) && !memchr(at, '\r', (size_t)(end - at)));
		at = end + 2;
	}
}

static void
take(const char *after, const char *text, const char *stop, char *out, size_t size)
{
	const char *at = strstr(text, after);

	HOLDS(at);
	at += strlen(after);
	snprintf(out, size, "%.*s", (int)strcspn(at, stop), at);
}

static void
respond(void *arg, struct web_exchange *x, const struct web_response *r)
{
	(void)arg, (void)x;
	reader.answers++;
	HOLDS(r->status >= 200 && r->status < 600);
	check_fields(r->fields);
	if (strncmp(r->content_type, "text/html", 9) == 0) {
		HOLDS(occurrences(r->body, r->len, '<') == occurrences(r->body, r->len, '>'));
		HOLDS(!memmem(r->body, r->len, "<script", 7));
		HOLDS(!memmem(r->body, r->len, "<i>", 3));
	}
	if (!*reader.token) {
		take("name=\"token\" value=\"", r->body, "\"", reader.token, sizeof reader.token);
		take("Set-Cookie: ", r->fields, ";", reader.cookie, sizeof reader.cookie);
	}
}

static void
send_request(struct web_request *r)
{
	struct web_exchange *x = NULL;

	r->certificate = reader.certificate;
	r->certificate_len = reader.certificate_len;
	HOLDS(web_begin(&reader.site, r, &reader, &x));
	HOLDS(!x);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	reader.site = (struct web_site){
	    .authority = {"А", "A"}, .now = now, .ask = ask, .respond = respond, .test = true};
	reader.certificate = web_certificate_new("a", 1, &reader.certificate_len);
	HOLDS(reader.certificate);
	send_request(&(struct web_request){.method = "GET", .path = "/leave"});
	HOLDS(*reader.token && *reader.cookie);
	return 0;
}

/* Replaces TOKEN, so that a fuzzer gets past the first guard. */
static uint8_t *
put_token(const uint8_t *body, size_t len, size_t *out_len)
{
	uint8_t *out = malloc(len + 65);
	const uint8_t *at = len ? memmem(body, len, "TOKEN", 5) : NULL;
	size_t before = at ? (size_t)(at - body) : len;

	HOLDS(out);
	if (before)
		memcpy(out, body, before);
	*out_len = len;
	reader.tokened = at != NULL;
	if (at) {
		memcpy(out + before, reader.token, 64);
		memcpy(out + before + 64, at + 5, len - before - 5);
		*out_len = len - 5 + 64;
	}
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line[LINES], *at = text, *query;
	size_t body_len;

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = 0;
	for (unsigned i = 0; i < LINES; i++) {
		char *end = memchr(at, '\n', (size_t)(text + size - at));
		if (!end) {
			free(text);
			return 0;
		}
		*end = 0;
		line[i] = at;
		at = end + 1;
	}
	uint8_t *body = put_token((uint8_t *)at, (size_t)(text + size - at), &body_len);
	query = strchr(line[1], '?');
	if (query)
		*query++ = 0;
	reader.answers = 0;
	send_request(&(struct web_request){.method = line[0],
	    .path = line[1],
	    .query = query,
	    .content_type = *line[2] ? line[2] : NULL,
	    .cookie = *line[3] ? line[3] : reader.cookie,
	    .body = body,
	    .body_len = body_len});
	HOLDS(reader.answers == 1);
	free(body);
	free(text);
	return 0;
}
