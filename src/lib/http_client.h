/*
 * An HTTP/1.1 client over mutual TLS with keep-alive: what courier and directory need
 * (protocol.md sections 2, 6, 7). Framing by http-parser, TLS by libevent's OpenSSL bufferevents.
 */
#ifndef OBMEN_HTTP_CLIENT_H
#define OBMEN_HTTP_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/when.h"

struct event_base;
struct http_client;
struct http_call;

struct http_client_options {
	const char *hosts_file;         /* hosts(5) consulted before DNS; may be NULL */
	const char *resolv_conf;        /* NULL = /etc/resolv.conf */
	unsigned connections_per_origin;
	unsigned idle_seconds;          /* keep-alive */
	unsigned connect_seconds;       /* name, TCP and TLS together */
	unsigned progress_seconds;      /* without a byte in either direction */
	unsigned total_seconds;         /* the whole exchange */
};

/* Resolver and connection pools. NULL with a logged reason. Call before the sandbox: it reads
 * resolv.conf and the hosts file. The process must ignore SIGPIPE. */
struct http_client *http_client_new(struct event_base *, const struct http_client_options *);
/* Other values from now on; calls under way go on. */
void http_client_limit(struct http_client *, unsigned connections_per_origin,
                       unsigned progress_seconds);
/* Ends all calls without calling back. */
void http_client_free(struct http_client *);

struct http_request {
	const char *url;            /* https (http without tls); sent to exactly as registered, query included */
	/* Borrowed for the client's life; pools are by origin and tls. NULL: plain http, for services whose
	 * answers carry their own signature (time stamps, revocation). */
	SSL_CTX *tls;
	bool name_mismatch;         /* do not check the certificate's name: accept does it instead */
	/* Asked with the server's certificate (DER) before the first byte of this request leaves; false
	 * ends the call at HTTP_TLS. arg is the call's. NULL = no further check. */
	bool (*accept)(void *arg, const uint8_t *certificate, size_t len);
	const char *content_type;   /* NULL = GET without a body */
	const char *soap_action;    /* unquoted; NULL = no such header */
	bool expect_continue;
	const void *body;           /* inline body, copied; or NULL and: */
	int body_fd;                /* a file, taken; -1 = none */
	uint64_t body_size;
	size_t answer_max;          /* bytes of the answer's body */
	bool fresh;                 /* a connection of its own with a whole handshake: for tests */
	int answer_fd;              /* answer goes here instead of to memory; borrowed; -1 = memory */
};

/* How far an exchange came before it failed. */
enum http_stage {
	HTTP_NAME,     /* the name could not be resolved */
	HTTP_CONNECT,  /* TCP; also a connection that was lost before the request's first byte */
	HTTP_TLS,      /* handshake or certificate; on TLS 1.3 the server may refuse ours late */
	HTTP_SEND,     /* part of the request left */
	HTTP_WAIT,     /* all of it left, no complete answer came */
	HTTP_ANSWERED, /* a complete answer is here */
};

struct http_result {
	enum http_stage stage;
	bool timed_out;
	bool too_large;             /* answer_max */
	bool body_left;             /* a byte of the body left: before that nothing was accepted */
	int status;                 /* HTTP status when answered */
	const char *content_type;   /* "" when absent */
	const uint8_t *body;
	size_t body_len;            /* bytes, also when they went to answer_fd */
	const char *detail;         /* in words: "connection refused", "certificate expired", ... */
	const uint8_t *peer_certificate; /* DER of the server's certificate, NULL before TLS */
	size_t peer_certificate_len;
	int error;                  /* errno of a connection that failed; ENOENT: there is no such name,
	                             * EAGAIN: no name server answers; 0 = other trouble */
	int alert;                  /* by which the server ended the handshake; 0 = by none */
	const char *address;        /* the one tried last; "" before the name was found */
	when started, sent, ended;
	when named, connected, secured; /* of a new connection; WHEN_NONE: not reached, or reused */
};

/* Called exactly once per call, never from inside http_call_new. Everything is valid until it
 * returns. It must not free the client. A connection that the server closed before any byte of the
 * answer came is tried once more by itself only when it was a reused one and no byte of the body
 * had left. */
typedef void (*http_done_cb)(void *arg, const struct http_result *);

/* Calls beyond connections_per_origin wait in line; the caller bounds their number, and times run
 * from the moment a call has its connection. NULL: bad URL or no memory (then done is not called;
 * *why says which, in words; body_fd is closed). */
struct http_call *http_call_new(struct http_client *, const struct http_request *, http_done_cb,
                                void *arg, const char **why);
/* Gives up; done is not called. True when a byte of the body had left. */
bool http_call_cancel(struct http_call *);

#endif
