/* The bytes of HTTP: heads and bodies, whole and torn apart at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/http_body.h"
#include "lib/http_head.h"

/* The status with which a head is refused; 0 = good, then *head is filled. -1 = more is needed. */
static int
judge(const char *text, struct http_head **head)
{
	struct http_scan scan = {0};
	size_t taken;
	const char *why;

	*head = NULL;
	switch (http_scan(&scan, (const uint8_t *)text, strlen(text), &taken)) {
	case HTTP_SCAN_MORE:
		return -1;
	case HTTP_SCAN_BAD:
		return 400;
	default:
		return http_head_parse(head, text, taken, &why);
	}
}

static void
good_head(void **state)
{
	struct http_head *h;

	(void)state;
	assert_int_equal(0, judge("\r\nPOST /a/b?wsdl&x HTTP/1.1\r\nHost: primer.obmen.local:8443\r\nX-Empty:\r\n"
	    "SOAPAction: \"u:x\" \t \r\nContent-Length: 12\r\nExpect: 100-Continue\r\nY:z\r\n\r\nbody",
	    &h));
	assert_string_equal(h->method, "POST");
	assert_string_equal(h->path, "/a/b");
	assert_string_equal(h->query, "wsdl&x");
	assert_string_equal(h->host, "primer.obmen.local:8443");
	assert_string_equal(http_head_find(h, "soapaction"), "\"u:x\"");
	assert_string_equal(http_head_find(h, "X-Empty"), "");
	assert_string_equal(http_head_find(h, "y"), "z");
	assert_null(http_head_find(h, "Content"));
	assert_int_equal(h->content_length, 12);
	assert_true(h->expect_continue && h->keep_alive && !h->chunked && !h->http10);
	free(h);
	assert_int_equal(0, judge("GET https://a:1/p HTTP/1.1\r\nhost: A:1\r\nConnection: close\r\n\r\n", &h));
	assert_string_equal(h->path, "/p");
	assert_null(h->query);
	assert_false(h->keep_alive);
	free(h);
	assert_int_equal(0, judge("GET / HTTP/1.0\r\n\r\n", &h));
	assert_true(h->http10 && !h->keep_alive);
	free(h);
	assert_int_equal(0, judge("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &h));
	free(h);
}

/* Malformed heads and those with which requests are smuggled. */
static const struct {
	int status;
	const char *text;
} corpus[] = {
    {400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
    {400, "GET / HTTP/1.1\nHost: a\n\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
    {400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"},
    {400, "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {400, "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\xd0\xb0 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX y\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {400, "GET https://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET https://a.b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"},
    {400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
    {417, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\n"},
    {501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
};

static void
bad_heads(void **state)
{
	struct http_head *h;

	(void)state;
	for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++) {
		int status = judge(corpus[i].text, &h);
		if (status != corpus[i].status)
			print_error("%d instead of %d for %s\n", status, corpus[i].status, corpus[i].text);
		assert_int_equal(status, corpus[i].status);
		assert_null(h);
	}
}

/* The scanner must find the same end wherever the network tears the head apart. */
static void
torn_heads(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nGET";
	size_t end = sizeof head - 1 - 3;

	(void)state;
	for (size_t tear = 0; tear < end; tear++) {
		struct http_scan scan = {0};
		size_t taken;
		assert_int_equal(http_scan(&scan, (const uint8_t *)head, tear, &taken), HTTP_SCAN_MORE);
		assert_int_equal(taken, tear);
		assert_int_equal(http_scan(&scan, (const uint8_t *)head + tear, sizeof head - 1 - tear, &taken),
		    HTTP_SCAN_DONE);
		assert_int_equal(taken, end - tear);
		assert_int_equal(scan.fields, 2);
		assert_int_equal(scan.bytes, end);
	}
}

static void
many_fields(void **state)
{
	char text[8192] = "GET / HTTP/1.1\r\nHost: a\r\n";
	struct http_head *h;

	(void)state;
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		strcat(text, "a: b\r\n");
	size_t len = strlen(text);
	strcpy(text + len, "\r\n");
	assert_int_equal(0, judge(text, &h));
	assert_int_equal(h->field_count, HTTP_FIELDS_MAX);
	free(h);
	strcpy(text + len, "a: b\r\n\r\n");
	assert_int_equal(431, judge(text, &h));
}

/* Reads a body in two parts; returns the bytes taken, -1 when it is bad. */
static long
read_body(struct http_body *b, const char *text, size_t len, size_t tear, char *content)
{
	size_t at = 0, filled = 0;

	while (at < len && !b->done && !b->bad) {
		const uint8_t *piece;
		size_t n, part = at < tear ? tear - at : len - at;
		at += http_body_take(b, (const uint8_t *)text + at, part, &piece, &n);
		if (n)
			memcpy(content + filled, piece, n);
		filled += n;
	}
	content[filled] = 0;
	return b->bad ? -1 : (long)at;
}

static void
good_chunks(void **state)
{
	static const char *const bodies[] = {"5\r\nhello\r\n06;a=\"b\"\r\n world\r\n0\r\n\r\n",
	    "B  \r\nhello world\r\n000;x\r\nTrailer: y\r\nA:\r\n\r\n",
	    "1\r\nh\r\na\r\nello world\r\n0\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(bodies[i]);
		for (size_t tear = 0; tear < len; tear++) {
			struct http_body b;
			char content[64], text[128];
			strcpy(text, bodies[i]);
			strcat(text, "GET /");
			http_body_begin(&b, true, 0);
			assert_int_equal(read_body(&b, text, len + 5, tear, content), len);
			assert_true(b.done);
			assert_string_equal(content, "hello world");
			assert_int_equal(b.total, 11);
		}
	}
}

static void
bad_chunks(void **state)
{
	static const char *const bodies[] = {"\r\nhello", "x\r\n", "5\nhello", "5\rXhello", "-5\r\nhello",
	    "0x5\r\nhello", "5\r\nhello0\r\n", "5\r\nhelloX\n", "5\r\nhello\rX", "5 5\r\nhello",
	    "10000000000000000\r\n", "ffffffffffffffff\r\n",
	    "5;\x01\r\n", "5;a\nb\r\n", "0\r\n:X", "0\r\n X: y\r\n\r\n",
	    "0\r\nX: y\n", "0\r\n\rX", "0\r\nA: \x02\r\n\r\n", " 5\r\nhello"};

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct http_body b;
		char content[64];
		http_body_begin(&b, true, 0);
		long n = read_body(&b, bodies[i], strlen(bodies[i]), 0, content);
		if (n != -1)
			print_error("accepted: %s\n", bodies[i]);
		assert_int_equal(n, -1);
		assert_false(b.done);
	}
}

static void
chunk_limits(void **state)
{
	struct http_body b;
	char text[HTTP_TRAILERS_MAX + 64], content[8];

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "5;", 2);
	http_body_begin(&b, true, 0);
	assert_int_equal(read_body(&b, text, sizeof text, 0, content), -1);
	memcpy(text, "0\r\nA:", 5);
	http_body_begin(&b, true, 0);
	assert_int_equal(read_body(&b, text, sizeof text, 0, content), -1);
}

static void
counted_body(void **state)
{
	struct http_body b;
	char content[16];

	(void)state;
	http_body_begin(&b, false, 5);
	assert_int_equal(read_body(&b, "helloGET", 8, 2, content), 5);
	assert_true(b.done);
	assert_string_equal(content, "hello");
	http_body_begin(&b, false, 0);
	assert_true(b.done);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_head),
	    cmocka_unit_test(bad_heads),
	    cmocka_unit_test(torn_heads),
	    cmocka_unit_test(many_fields),
	    cmocka_unit_test(good_chunks),
	    cmocka_unit_test(bad_chunks),
	    cmocka_unit_test(chunk_limits),
	    cmocka_unit_test(counted_body),
	};

	return cmocka_run_group_tests_name("http_framing", tests, NULL, NULL);
}
