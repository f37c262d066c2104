/*
 * Inside the HTTP client. A call waits at its origin until it gets a connection
 * (http_client.c), the connection is made (http_client_connect.c), the exchange runs over it
 * (http_client_exchange.c), and the result goes back (http_client.c).
 */
#ifndef OBMEN_HTTP_CLIENT_INTERNAL_H
#define OBMEN_HTTP_CLIENT_INTERNAL_H

#include <event2/event.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
/* http-parser names the method CONNECT as we name the stage. */
#define HTTP_CONNECT HTTP_METHOD_CONNECT
#include <http_parser.h>
#undef HTTP_CONNECT
#include <netinet/in.h>
#include <sys/queue.h>
#include "lib/http_client.h"

#define HTTP_HOST_MAX 254
#define HTTP_PIECE (64 << 10)      /* bytes of a body that wait in memory for the socket */
#define HTTP_ORIGIN_BUCKETS 256
#define HTTP_CONTENT_TYPE_MAX 128
#define HTTP_DETAIL_MAX 256

TAILQ_HEAD(http_call_list, http_call);
TAILQ_HEAD(http_connection_list, http_connection);

/* Where connections are interchangeable: same host, port, identity and strictness. */
struct http_origin {
	LIST_ENTRY(http_origin) entry;
	struct http_client *client;
	char host[HTTP_HOST_MAX];
	char port[6];
	SSL_CTX *tls;
	bool name_mismatch;
	SSL_SESSION *session; /* the newest, for resumption */
	struct http_call_list waiting;
	struct http_connection_list idle, busy;
	unsigned open;      /* idle and busy */
	struct event *kick; /* gives waiting calls their connections, outside of anybody's call */
	bool serving;       /* that is being done */
};

struct http_client {
	struct event_base *base;
	struct evdns_base *dns;
	struct http_client_options options;
	LIST_HEAD(, http_origin) origins[HTTP_ORIGIN_BUCKETS];
};

struct http_lookup;

struct http_connection {
	TAILQ_ENTRY(http_connection) entry;
	struct http_origin *origin;
	struct http_call *call; /* NULL = idle */
	enum http_stage stage;  /* NAME, CONNECT, TLS, then SEND = ready */
	bool used;              /* has carried a whole exchange before */
	struct http_lookup *lookup;
	struct evutil_addrinfo *addresses, *next_address;
	int fd;                 /* until bev owns it */
	struct event *connecting;
	struct bufferevent *bev;
	SSL *ssl;               /* bev's */
	struct event *idle_timer;
	uint8_t *certificate;
	size_t certificate_len;
	when named, connected, secured;
	int error, alert;
	char address[INET6_ADDRSTRLEN];
	http_parser parser;
};

struct http_call {
	TAILQ_ENTRY(http_call) entry;
	struct http_client *client;
	struct http_origin *origin;
	struct http_connection *connection; /* NULL while waiting */
	http_done_cb done;
	bool (*accept)(void *, const uint8_t *, size_t);
	void *arg;
	struct event *timer;
	/* request */
	struct buf head;
	uint8_t *body;
	int body_fd;
	uint64_t body_size;
	bool expect;        /* the head asks for 100-continue */
	size_t head_expect; /* where that header starts in the head, to leave it out the second time */
	size_t answer_max;
	int answer_fd;
	/* progress */
	bool fresh;         /* second try: only a new connection will do */
	bool unresumed;     /* with a whole handshake, too */
	bool holding;       /* waits for 100 Continue */
	uint64_t put;       /* bytes of the body given to the connection */
	uint64_t drained;   /* bytes of head and body that left */
	when deadline;      /* of connecting, then of the whole exchange; monotonic */
	when progress;      /* last byte either way; 0 = still connecting */
	when hold_until;
	/* answer */
	bool answer_begun, invited, complete, keep, header_is_type;
	bool too_large, write_failed;
	struct buf answer;
	size_t answer_len;
	char content_type[HTTP_CONTENT_TYPE_MAX];
	int status;
	when started, sent;
	char detail[HTTP_DETAIL_MAX];
};

/* http_client_request.c */
bool http_request_parse(struct http_call *, const struct http_request *, char *host, char *port,
                        const char **why);
void http_request_drop_expect(struct http_call *);

/* http_client_connect.c: ends in http_exchange_begin or http_call_failed */
void http_connection_begin(struct http_connection *);
void http_connection_free(struct http_connection *);
/* What libevent took off OpenSSL's queue: an alert if there is one, else the first error. */
unsigned long http_connection_error(struct http_connection *);

/* http_client_exchange.c */
void http_exchange_begin(struct http_connection *);
void http_exchange_drained(struct http_call *, size_t deleted, bool empty);
/* A byte of the body left. */
bool http_call_body_left(const struct http_call *);
/* Arms the call's timer for the nearest of its deadlines. */
void http_call_arm(struct http_call *);
void http_call_timer_cb(evutil_socket_t, short, void *call);

/* http_client.c */
/* The call is over: its result goes out, then the connection is kept or closed, the call freed. */
void http_call_finish(struct http_call *, enum http_stage, bool timed_out);
/* Puts the call back to the head of its line for one try on a new connection. */
void http_call_again(struct http_call *);
/* Ends the connection, idle or busy, and forgets it. */
void http_connection_close(struct http_connection *);
void http_call_detail(struct http_call *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
