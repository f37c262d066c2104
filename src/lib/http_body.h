/*
 * Where the body of a request ends: Content-Length or chunked coding (RFC 9112 sections 6 and 7),
 * strictly. Chunk extensions and trailers are skipped, and bounded.
 */
#ifndef OBMEN_HTTP_BODY_H
#define OBMEN_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CHUNK_LINE_MAX 1024  /* bytes of one chunk's size line */
#define HTTP_TRAILERS_MAX (8 << 10) /* bytes of all trailers */

struct http_body {
	bool done;     /* the last byte of the body's framing was taken */
	bool bad;      /* the framing is broken: nothing after it can be read */
	uint8_t state;
	unsigned line; /* bytes of framing since the last byte of content */
	uint64_t left; /* bytes of content in this chunk, or in all */
	uint64_t total;/* bytes of content so far */
};

/* content_length counts only when the body is not chunked. */
void http_body_begin(struct http_body *, bool chunked, uint64_t content_length);
/*
 * Takes some of the bytes and returns how many (at least one unless done or bad); *content_len of
 * them, from *content, are content. To be called until all bytes are taken, or done, or bad.
 */
size_t http_body_take(struct http_body *, const uint8_t *data, size_t len, const uint8_t **content,
                      size_t *content_len);

#endif
