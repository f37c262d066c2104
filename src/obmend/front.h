/*
 * The front role from within: its context, its jobs, and what its files give each other.
 *
 * front.c        the role: start, neighbours, what the HTTP server reports
 * front_request.c  which requests are taken, and how they are refused
 * front_body.c   where the bytes of a body lie
 * front_job.c    from an accepted head to the answer: memory, spool file, codec
 * front_tls.c    certificates and server names
 */
#ifndef OBMEN_FRONT_H
#define OBMEN_FRONT_H

#include <sys/queue.h>
#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/histogram.h"
#include "lib/http_server.h"
#include "lib/when.h"
#include "obmend/role.h"
#include "obmend/wire.h"

#define FRONT_WINDOW 64  /* jobs at one codec; further ones wait here */
#define FRONT_REASONS 24 /* different reasons of failed handshakes that are counted apart */

struct front;

/* ---- front_body.c ---- */

#define FRONT_STAGE (128 << 10) /* bytes that are written to a file at once */

/* The bytes of one body: in memory while small, then in a memory descriptor, then in a file that
 * store gave. Zeroed with fd = -1: empty. */
struct front_body {
	struct buf text; /* all of it, or what is not in the file yet */
	int fd;
	bool spooled;  /* fd is store's file */
	uint64_t size;
};

/* False: no memory, no descriptors, or the disk is full (then errno is ENOSPC or EDQUOT). */
bool front_body_add(struct front_body *, const void *data, size_t len);
/* What comes next would not belong into memory any more. */
bool front_body_outgrown(const struct front_body *);
/* Moves what is there into store's file, and goes on there. Takes fd. */
bool front_body_move(struct front_body *, int fd);
/* No more bytes come: from now on nobody can change them (a file is store's own to protect). */
bool front_body_seal(struct front_body *);
void front_body_free(struct front_body *);

/* ---- front_job.c ---- */

enum job_stage {
	JOB_MEMORY, /* waits until there is memory for its body */
	JOB_SPOOL,  /* waits for a file from store */
	JOB_BODY,   /* its body comes */
	JOB_QUEUE,  /* complete, all codecs are busy */
	JOB_CODEC,  /* a codec has it */
	JOB_STAGE_COUNT,
};

/* One Submit on its way. It is in exactly one list: that of its stage, or of its codec. */
struct front_job {
	TAILQ_ENTRY(front_job) link;
	struct front *front;
	struct http_conn *conn; /* NULL: the sender is gone, but a codec still has the job */
	enum job_stage stage;
	unsigned codec;
	uint64_t id;
	uint64_t memory;        /* bytes of the budget that it holds or waits for */
	uint64_t announced;     /* Content-Length, 0 when chunked */
	when received;
	uint64_t trace; /* correlation id */
	struct front_body body;
};

TAILQ_HEAD(front_jobs, front_job);

struct codec_lane {
	bool up;
	unsigned count;
	struct front_jobs jobs;
};

/* The head was accepted: the connection is paused until memory (and a file) is there. */
void front_job_begin(struct front *, struct http_conn *, const struct http_head *);
void front_job_body(struct front_job *, const void *data, size_t len);
void front_job_complete(struct front_job *);
/* The sender is gone, or has been answered by somebody else. */
void front_job_abandon(struct front_job *);
void front_spool_reply(struct self *, struct peer, struct ipc_frame *);
void front_reply(struct self *, struct peer, struct ipc_frame *);
void front_codec_up(struct front *, unsigned index);
void front_codec_down(struct front *, unsigned index);
void front_store_down(struct front *);
void front_jobs_free(struct front *);

/* ---- front_request.c ---- */

/* A request's head is complete: http_server's callback; arg is the front. */
void front_request(void *arg, struct http_conn *, const struct http_head *);
/* HTTP 503 with a SOAP fault that says why: nothing was kept. Only once bytes of the body were
 * taken: before that the connection is closed (see front.c). */
void front_unavailable(struct front *, struct http_conn *, enum fault, const char *detail);

/* ---- front_tls.c ---- */

struct front_identity {
	SSL_CTX *tls;
	char name[256]; /* CN: the canonical server name (protocol.md section 8) */
};

/* Contexts for all certificates that listeners use, and for the others that may be asked for by
 * server name. False with a logged reason. */
bool front_tls_open(struct front *);
void front_tls_free(struct front *);
/* Which of our certificates the connection was made with; 0 when plain. */
unsigned front_tls_certificate(const struct front *, const struct http_conn *);

/* ---- front.c ---- */

/* What became of requests. */
enum front_result {
	RESULT_ANSWERED, RESULT_FAULT, RESULT_WSDL, RESULT_METHOD, RESULT_TYPE, RESULT_ACTION,
	RESULT_DROPPED,     /* closed without an answer: nothing was kept, or nobody knows */
	RESULT_UNAVAILABLE, /* 503, or 404 with the reason of a maintenance */
	RESULT_GONE,        /* the sender left before it was answered */
	RESULT_COUNT
};

struct front_reason {
	char text[96];
	uint64_t count;
};

struct front {
	struct self *self;
	struct http_server *server;
	struct front_identity *identities; /* by index of conf.certificates */
	int *listening; /* descriptors by index of conf.listens; -1: given away */
	bool store_up, clock_wrong;
	struct event *clock_timer; /* every second: nothing tells when the clock is set */
	char *maintenance; /* why a person wants nothing to come in; NULL: it may */
	struct codec_lane lanes[ROLE_INDEX_MAX];
	struct front_jobs stages[JOB_STAGE_COUNT];
	unsigned turn;    /* lane that is asked first, so that equally busy ones alternate */
	uint64_t last_id;
	uint64_t memory;  /* bytes of the budget in use */
	uint64_t memory_peak;
	uint64_t results[RESULT_COUNT];
	uint64_t bodies, body_bytes, spooled;
	struct histogram request; /* from a complete body to codec's answer */
	struct front_reason reasons[FRONT_REASONS];
	when log_second;  /* of noisy lines, at most so many per second */
	unsigned log_lines;
	uint64_t log_skipped;
};

/* True when a body that comes now can be taken: store and a codec are there, and the time is known. */
bool front_ready(const struct front *);

#endif
