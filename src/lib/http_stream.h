/*
 * Bytes in and out of a non-blocking socket, with or without TLS.
 *
 * Not libevent's bufferevent_openssl: when reading is stopped for back-pressure while decrypted
 * bytes wait inside the SSL object, enabling it again only waits for the socket, which may stay
 * silent for ever; and it reports the end of the stream before the data that came with it. Here the
 * caller asks http_stream_pending(), and no byte is copied twice.
 */
#ifndef OBMEN_HTTP_STREAM_H
#define OBMEN_HTTP_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct http_stream {
	int fd;
	SSL *ssl;             /* NULL = plain */
	bool established;     /* the handshake is over (always, when plain) */
	bool failed;          /* after a fatal error: TLS may not say goodbye any more */
	bool read_needs_write;
	bool write_needs_read;
};

enum { HTTP_STREAM_BLOCKED = -1, HTTP_STREAM_ERROR = -2 };

/* Takes fd; tls (may be NULL) is borrowed until the stream is closed. False: no memory, fd
 * closed. */
bool http_stream_open(struct http_stream *, int fd, SSL_CTX *tls);
/* 1 = done, HTTP_STREAM_BLOCKED (see read_needs_write), HTTP_STREAM_ERROR. */
int http_stream_handshake(struct http_stream *);
/* Bytes read, 0 = the peer's orderly end, or one of the above. */
long http_stream_read(struct http_stream *, void *out, size_t size);
/* Bytes written (at least one) or one of the above. */
long http_stream_write(struct http_stream *, const void *data, size_t len);
/* Decrypted bytes wait that the socket will not announce. */
bool http_stream_pending(const struct http_stream *);
/* Says goodbye (close_notify, FIN) and frees the TLS state; the socket can still be read raw. */
void http_stream_finish(struct http_stream *);
/* From now on closing throws away what the kernel has not sent yet, and resets the connection. */
void http_stream_reset(struct http_stream *);
/* Closes. */
void http_stream_close(struct http_stream *);

#endif
