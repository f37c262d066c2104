/*
 * An HTTP/1.1 server over TLS, or plain for local addresses: connections, limits, framing. It knows
 * no routes; its user sees requests.
 *
 * One request at a time on a connection; pipelined ones wait in the socket. A request is a sequence
 * of callbacks: request, body*, complete, end. Between `request` and `end` the user may answer at
 * any moment. SIGPIPE must be ignored in the process.
 */
#ifndef OBMEN_HTTP_SERVER_H
#define OBMEN_HTTP_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/http_head.h"
#include "lib/when.h"

struct event_base;
struct http_server;
struct http_conn;

/* Times are durations in nanoseconds (WHEN_SECOND). All must be set. */
struct http_limits {
	unsigned connections;             /* at this number TCP connections are refused */
	unsigned connections_per_address; /* further ones are closed at once; IPv6 counts by /64 */
	size_t head_bytes;                /* request line and headers */
	unsigned head_fields;             /* at most HTTP_FIELDS_MAX */
	uint64_t body_max;                /* bytes of content */
	when head_time;   /* TLS handshake; then from the first byte of a head to its last */
	when body_time;   /* without a byte of the body, or of the answer taken by the peer */
	uint64_t body_rate; /* bytes/s; slower transfers are cut after body_time */
	when total_time;  /* from the first byte of a request to its last */
	when idle_time;   /* keep-alive between requests */
	when answer_time; /* for the user to answer, or to resume after http_pause */
};

struct http_peer {
	const char *address;     /* numeric, without port */
	const char *tls_version; /* "TLSv1.3", NULL when plain */
	const char *tls_cipher;
	bool tls_resumed;
};

enum http_event {
	HTTP_EVENT_HANDSHAKE,        /* a TLS handshake succeeded */
	HTTP_EVENT_HANDSHAKE_FAILED, /* detail: why, in words */
	HTTP_EVENT_REFUSED,          /* the server itself refused a request; detail: why */
	HTTP_EVENT_TIMEOUT,          /* detail: of what */
	HTTP_EVENT_ADDRESS_LIMIT,    /* one connection too many from this address */
	HTTP_EVENT_FULL,             /* no connections or descriptors left: listening stopped */
};

struct http_callbacks {
	/* The head is complete, nothing of the body was read. To refuse, answer here: the
	 * connection is closed after the answer if a body was announced. Otherwise the body is
	 * accepted when this returns, or after http_pause when http_resume is called; only then
	 * 100-continue is sent. */
	void (*request)(void *arg, struct http_conn *, const struct http_head *);
	/* Content, in order. All of it is to be taken. */
	void (*body)(void *arg, struct http_conn *, const void *data, size_t len);
	/* The body is complete. */
	void (*complete)(void *arg, struct http_conn *);
	/* Exactly once for each `request`, and never from inside a function below: the answer was
	 * handed to the kernel (why NULL), or there will be none. Afterwards the user must not
	 * touch this request. */
	void (*end)(void *arg, struct http_conn *, const char *why);
	/* For logs and counters; may be NULL. detail may be NULL. */
	void (*event)(void *arg, enum http_event, const struct http_peer *, const char *detail);
};

struct http_stats {
	uint64_t accepted, address_limited, full; /* connections */
	uint64_t handshakes, resumed, handshakes_failed;
	uint64_t requests, refused, timeouts;     /* refused: malformed or too large */
	uint64_t bytes_in, bytes_out;             /* of HTTP, without TLS */
	unsigned open;                            /* connections now */
};

/* NULL when memory is exhausted. Limits and callbacks are copied. */
struct http_server *http_server_new(struct event_base *, const struct http_limits *,
                                    const struct http_callbacks *, void *arg);
/* Other limits from now on; connections that are there stay. body_max counts for new requests only,
 * times from their next start. */
void http_server_limit(struct http_server *, const struct http_limits *);
/* Closes everything; `end` is called for requests that are under way. */
void http_server_free(struct http_server *);
/*
 * Serves a listening socket; takes the descriptor. tls is borrowed for the server's life, NULL =
 * plain.
 */
bool http_server_add(struct http_server *, int fd, SSL_CTX *tls);
/*
 * false: listening stops, so that new TCP connections are refused, and idle connections are closed;
 * requests under way are finished, then their connections closed. true: opens again. Servers begin
 * open. A refused connection is retried by eDelivery, a 5xx answer is final for it (protocol.md
 * section 10).
 */
void http_server_open(struct http_server *, bool open);
const struct http_stats *http_server_stats(const struct http_server *);

struct http_answer {
	int status;
	const char *content_type; /* NULL = text/plain; charset=utf-8 */
	const char *fields;       /* more header lines, each ended by CRLF; may be NULL */
	const void *body;         /* copied, unless borrowed */
	size_t len;
	bool borrowed;            /* the body stays where it is until `end`, and is sent from there */
	bool close;               /* the connection ends after it in any case */
};

/* Answers. If memory is exhausted the connection is closed without an answer. */
void http_respond(struct http_conn *, const struct http_answer *);
/* Closes without an answer. */
void http_drop(struct http_conn *);
/* Stops reading the body / goes on. */
void http_pause(struct http_conn *);
void http_resume(struct http_conn *);

/* A pointer of the user's, NULL for each new request. */
void http_set_data(struct http_conn *, void *);
void *http_data(const struct http_conn *);
const struct http_peer *http_conn_peer(const struct http_conn *);
/* The TLS context in use: the listener's, or the one that its server name callback chose. NULL when
 * plain. */
SSL_CTX *http_conn_context(const struct http_conn *);
/* DER of the peer's certificate, valid until `end`; NULL when there is none. */
const uint8_t *http_conn_certificate(struct http_conn *, size_t *len);

/* A listening, non-blocking socket for "0.0.0.0:8443" or "[::]:8443"; -1 with *why in words. */
int http_listen(const char *address, const char **why);

#endif
