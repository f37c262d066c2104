/*
 * Inside of the HTTP server, not for others: connections as its files see them.
 *
 *	http_server.c  listening, limits        http_conn.c    one connection: turns, bytes
 *	http_steps.c   from bytes to requests   http_answer.c  what the user calls
 *	http_clock.c   time limits              http_stream.c  TLS or plain socket
 *	http_head.c    heads                    http_body.c    where bodies end
 */
#ifndef OBMEN_HTTP_CONN_H
#define OBMEN_HTTP_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/http_body.h"
#include "lib/http_server.h"
#include "lib/http_stream.h"

#define HTTP_READ_SIZE (16 << 10) /* one TLS record */
#define HTTP_ADDRESS_BUCKETS 1024

enum conn_state {
	CONN_HANDSHAKE,
	CONN_IDLE,   /* between requests */
	CONN_HEAD,   /* part of a head is here */
	CONN_BODY,   /* head accepted; or paused by the user */
	CONN_WAIT,   /* request complete, the user has to answer */
	CONN_ANSWER, /* the answer is leaving */
	CONN_LINGER, /* we said goodbye; what the peer still sends is thrown away, so that our last
	              * answer reaches it before a reset does (RFC 9112 section 9.6) */
	CONN_DEAD,
};

struct address_count {
	struct address_count *next;
	struct in6_addr address; /* IPv4 as mapped address */
	unsigned count;
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link;
	struct http_server *server;
	struct http_stream stream;
	struct event readable, writable, timer, kick;
	bool reading, writing; /* which events are added */
	when armed;            /* when timer will fire; 0 = not added */

	enum conn_state state;
	bool used;      /* not its first request */
	bool paused;
	bool accepted;  /* the body may come: 100-continue was sent if expected */
	bool announced; /* the user knows of this request and must get `end` */
	bool complete;  /* all of the request was read */
	bool closing;   /* no further request */
	bool turning;   /* http_conn.c is at work on it: no kick needed */
	bool eof;
	const char *why; /* for `end` */

	when since;       /* begin of the state; pauses excluded */
	when progress;    /* last byte moved */
	when begun;       /* first byte of the request */
	when paused_at;
	uint64_t moved;   /* bytes since `since` */

	struct http_scan scan;
	struct buf in;    /* a head that is not complete */
	struct buf rest;  /* bytes read and not yet consumed */
	struct http_head *head;
	struct http_body body;
	struct buf out;
	size_t out_sent;          /* of out, then of the borrowed body */
	const uint8_t *borrowed;  /* follows out; NULL when there is none */
	size_t borrowed_len;

	void *data;
	uint8_t *certificate;
	int certificate_len; /* -1: asked for, there is none */
	struct http_peer peer;
	char address[INET6_ADDRSTRLEN];
	struct address_count *counted;
};

TAILQ_HEAD(http_conns, http_conn);

struct http_listener {
	struct http_listener *next;
	struct http_server *server;
	struct event readable;
	SSL_CTX *tls;
	int fd;
	bool listening;
};

struct http_server {
	struct event_base *base;
	struct http_limits limits;
	struct http_callbacks calls;
	void *arg;
	struct http_stats stats;
	struct http_conns conns;
	struct http_listener *listeners;
	struct address_count *addresses[HTTP_ADDRESS_BUCKETS];
	struct event retry;   /* look again whether there are descriptors */
	bool open;            /* the user's wish */
	bool exhausted;       /* out of descriptors or memory */
	char size_limit[48];  /* body_max in words */
	uint8_t scratch[HTTP_READ_SIZE];
};

/* Starts a connection; takes fd. On failure the connection is counted out again. */
void http_conn_start(struct http_server *, int fd, SSL_CTX *tls, struct address_count *,
                     const char *address);
/* Ends it now, with `end` for a request under way. */
void http_conn_free(struct http_conn *);
/* Closes it if it is between requests, else after the answer. */
void http_conn_retire(struct http_conn *);

/* An answer of the server's own for a request that cannot go on; the connection ends after it.
 * detail says why, for the peer and for `end`; a text that lives for ever. */
void http_conn_refuse(struct http_conn *, int status, enum fault, const char *detail);
/* Lets the connection look at itself again at the end of this turn of the loop. */
void http_conn_kick(struct http_conn *);
void http_conn_enter(struct http_conn *, enum conn_state);
/* Marks it dead; the turn that is under way, or a kick, frees it. The first reason counts. */
void http_conn_die(struct http_conn *, const char *why);

/* ---- http_steps.c ---- */

/* True when the state has a use for bytes; then http_conn_step takes some and says how many. */
bool http_conn_consuming(const struct http_conn *);
size_t http_conn_step(struct http_conn *, const uint8_t *data, size_t len);
/* Accepts the body unless the user wants to wait; completes a request that is all here. */
void http_conn_body_ready(struct http_conn *);
/* The request is over for its user. */
void http_conn_end_request(struct http_conn *);

/* ---- http_clock.c ---- */

/* When it expires (monotonic), if nothing happens. */
when http_conn_deadline(const struct http_conn *);

/* ---- http_server.c ---- */


/* The server counts a connection out and listens again if it had stopped. */
void http_server_closed(struct http_server *, struct address_count *);
void http_server_event(struct http_server *, enum http_event, const struct http_peer *,
                       const char *detail);

#endif
