/*
 * The head of an HTTP/1.1 request: strict about its bytes, then read by http-parser.
 *
 * Debian builds http-parser in its lenient mode: it takes bare LF, folded lines, spaces in names
 * and chunks without their LF. Whatever stands in front of us (a balancer, a scanner) may read such
 * bytes otherwise than we do, which is how requests are smuggled (RFC 9112 section 11.2). So every
 * byte first passes the scanner here; http-parser sees only heads whose form is beyond doubt.
 */
#ifndef OBMEN_HTTP_HEAD_H
#define OBMEN_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_scanned {
	HTTP_SCAN_MORE, /* all bytes taken, the head goes on */
	HTTP_SCAN_DONE, /* the head ends with the last byte taken */
	HTTP_SCAN_BAD,  /* not an HTTP/1.x head */
};

/* Zeroed = before the first byte. */
struct http_scan {
	uint8_t state;
	uint8_t blank;   /* empty lines before the request line */
	unsigned fields; /* header fields begun */
	size_t bytes;    /* taken so far */
};

/* Takes bytes up to the end of the head; *taken says how many. */
enum http_scanned http_scan(struct http_scan *, const uint8_t *data, size_t len, size_t *taken);

#define HTTP_FIELDS_MAX 100

struct http_field {
	const char *name, *value; /* value without outer white space */
};

/* Strings are NUL-terminated and belong to the head. */
struct http_head {
	const char *method;
	const char *path;  /* begins with '/', or is "*"; as sent, escapes untouched */
	const char *query; /* after '?', NULL when there is none */
	const char *host;  /* a host with an optional port, checked; "" in HTTP/1.0 without Host */
	bool http10;
	bool keep_alive;
	bool chunked;
	bool expect_continue;
	uint64_t content_length; /* 0 when chunked or absent */
	unsigned field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
	char text[]; /* the bytes that all of the above point into */
};

/*
 * Reads a head that http_scan found complete. Returns 0 and *head (free with free()), or the HTTP
 * status of the refusal, with *why saying it in English; 503 when memory is exhausted.
 */
int http_head_parse(struct http_head **head, const void *data, size_t len, const char **why);

/* The value of the first field with this name in any case, or NULL. */
const char *http_head_find(const struct http_head *, const char *name);

#endif
