/*
 * The front role from within: TLS, limits, HTTP framing. It reads heads, never XML, ASN.1 or forms.
 *
 * front.c          the role: sockets, neighbours, what the HTTP server reports
 * front_job.c      a request on its way: its body, who answers it, the answer
 */
#ifndef OBMEN_AUTHORITY_FRONT_H
#define OBMEN_AUTHORITY_FRONT_H

#include <sys/queue.h>
#include "authority/role.h"
#include "authority/wire.h"
#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/http_server.h"

#define FRONT_WINDOW 64 /* requests at one process; further ones are refused */

struct front;

/* One request. In its process' list from the moment that it is complete. */
struct front_job {
	TAILQ_ENTRY(front_job) link;
	struct front *front;
	struct http_conn *conn; /* NULL: the sender is gone, the answer goes nowhere */
	struct wire_request request; /* its strings point into the connection's head */
	unsigned role;
	unsigned index;         /* of the process that has it */
	bool sent;
	uint64_t id;
	uint64_t held;          /* bytes of the budget */
	struct buf body;
	void *answer;           /* mapped; NULL: none */
	size_t answer_len;
};

TAILQ_HEAD(front_jobs, front_job);

struct front_lane {
	bool up;
	unsigned count;
	struct front_jobs jobs;
};

struct front {
	struct self *self;
	struct http_server *server;
	SSL_CTX *tls;
	int *listening; /* by index of conf.listens; -1: given away */
	struct front_lane desks[ROLE_INDEX_MAX], ra;
	unsigned turn;
	uint64_t last_id;
	uint64_t memory; /* bytes of bodies under way */
	uint64_t answered, refused, gone;
};

/* The callbacks of the HTTP server; arg is the front. */
void front_request(void *arg, struct http_conn *, const struct http_head *);
void front_body(void *arg, struct http_conn *, const void *data, size_t len);
void front_complete(void *arg, struct http_conn *);
void front_end(void *arg, struct http_conn *, const char *why);
/* An answer from desk or ra. */
void front_response(struct self *, struct peer, struct ipc_frame *);
/* The process is gone: what it had is answered with 503. */
void front_lane_down(struct front *, struct front_lane *);

#endif
