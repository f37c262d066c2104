/*
 * The codec role from within: its context, its jobs, and what its files give each other.
 *
 * A job is one message on its way through codec: incoming, to be composed, an answer of a peer, an
 * attachment to be taken out. It advances when something arrives (a signature, the store's word),
 * or slice by slice when its text is large, so that a large message never keeps a small one
 * waiting. No job holds a pointer into the register's snapshot across turns of the loop.
 */
#ifndef OBMEN_CODEC_H
#define OBMEN_CODEC_H

#include "message/trust.h"
#include "obmend/codec_body.h"
#include "obmend/codec_outgoing.h"
#include "obmend/codec_parse.h"
#include "obmend/codec_stats.h"
#include "obmend/role.h"
#include "obmend/wire.h"
#include "register/snapshot.h"

#define JOBS_MAX 256
#define SLICE ((size_t)256 << 10) /* bytes of a text, or of attachments, in one turn of the loop */
#define SLICED_MAX 8 /* large jobs that advance in turns; the others wait for one to end */
#define HINTS 2048                /* senders whose last digest is remembered */
#define WAIT_SECONDS 120          /* for another role's word, before its job ends as temporary */

struct codec;
struct job;

/* What a job waits for. */
enum job_wait {
	WAIT_NOTHING,
	WAIT_TURN,      /* its next slice */
	WAIT_SIGNER,
	WAIT_STORE,
	WAIT_DIRECTORY,
};

/* What distinguishes the kinds of jobs; a handler may end the job. */
struct job_kind {
	const char *name;
	bool (*run)(struct job *);      /* one slice; true: call again in a later turn */
	void (*sealed)(struct job *);   /* out.text is complete: written, signed */
	void (*looked_up)(struct job *, bool asked);
	/* The signature came, for what is not a message; NULL: it is for out. */
	void (*signature)(struct job *, const struct wire_sign_reply *);
	/* Own trouble: nothing is known about the message. Answers its origin; then the
	 * job ends. */
	void (*trouble)(struct job *, enum fault, const char *detail);
	void (*clean)(struct job *);    /* frees what only this kind has; may be NULL */
};

struct inbound {
	when received;
	enum fault fault;     /* refused: what is stored as evidence */
	const char *detail;   /* of the fault, while the register is asked */
	bool answered;        /* the answer is the one that the store asked for */
	bool empty_answer;
	bool looked_up;
	unsigned tries;       /* times that the store was asked */
	unsigned certificate; /* of the listener: who answers for a recipient that is not here */
	struct buf details;
};

/* Who else than the store learns what became of a job, and how. */
typedef void (*composed_cb)(struct job *, const struct wire_composed *, int fd); /* takes fd */
typedef void (*answered_cb)(struct job *, enum answer_kind, enum fault, const char *detail);

struct compose {
	composed_cb told;          /* NULL: the store */
	struct wire_compose asked; /* strings and bytes copied */
	int attachments;           /* descriptor, or -1 */
	int output;                /* descriptor, or -1 */
	bool verifying;
};

struct answer {
	answered_cb told;         /* NULL: the store */
	json_t *report;           /* of who is told; owned */
	struct wire_answer asked; /* strings and bytes copied; body unused */
	bool looked_up;
};

struct seal {
	uint8_t digest[32];
};

struct backup {
	int fd;
	EVP_MD_CTX *hash;
	uint64_t size, at;
	uint8_t digest[32];
};

struct detach {
	uint64_t index;
	int output;
	uint64_t written;
	bool found, failed;
};

/* Who signed what was read: copied, because it outlives the parser. */
struct proof {
	struct wire_bytes tls_certificate;
	struct wire_bytes certificate; /* empty: the same */
	const char *address;           /* or URL */
	enum signature_method method;
	uint8_t fingerprint[32];
};

struct job {
	struct codec *codec;
	const struct job_kind *kind; /* NULL: this place is free */
	uint64_t id;                 /* of its frames to other roles */
	struct peer origin;
	uint64_t origin_id;
	uint64_t trace;              /* correlation id */
	enum job_wait wait;
	when since;                  /* monotonic: since it waits */
	when spent;                  /* on parsing, in all slices */
	bool sliced;                 /* counts among SLICED_MAX */
	struct job *next;            /* in a queue, or among the free */
	struct arena memory;         /* for what the job copies */
	bool no_memory;              /* a copy failed */
	struct body body;
	struct parse parse;
	struct message message;      /* what was read */
	struct proof proof;
	struct outgoing out;         /* what is written */
	union {
		struct inbound inbound;
		struct compose compose;
		struct answer answer;
		struct detach detach;
		struct seal seal;
		struct backup backup;
	};
};

struct job_queue {
	struct job *first, **last;
};

/* The digest that the holder of a TLS certificate used last: performance.md E10. */
struct hint {
	uint64_t key;
	enum digest_method digest;
};

struct event;

struct codec {
	struct self *self;
	const struct conf *conf;
	struct trust *trust;
	struct identity *identities; /* one per conf.certificates */
	X509_STORE *authorities;     /* of time stamps; NULL when there are none */
	struct snapshot *snapshot;   /* NULL until the directory has one */
	struct parser_pool parsers;
	struct hint hints[HINTS];
	struct job jobs[JOBS_MAX];
	struct job *free;
	uint64_t generation;
	unsigned in_flight, sliced, signing; /* jobs: all, large ones in turns, at the signer */
	struct job_queue turns;   /* large jobs under way: one slice each, in turn */
	struct job_queue waiting; /* large jobs that have not begun */
	struct event *turn;       /* pending while `turns` is not empty */
	struct event *tick;
	uint8_t room[BODY_PIECE]; /* for body_next */
	struct codec_stats stats;
};

/* codec_job.c */
bool jobs_open(struct codec *);
void jobs_close(struct codec *);
/* NULL when all places are taken. */
struct job *job_new(struct codec *, const struct job_kind *, struct peer origin,
    uint64_t origin_id);
/* The job that waits for this frame, or NULL: it ended meanwhile. Stops the clock of its stage. */
struct job *job_answered(struct codec *, uint64_t id, enum job_wait);
/* Frees whatever it holds; a job that has not told its origin anything ends silently. */
void job_end(struct job *);
/* Runs now when `size` bytes are at most one slice, else in turns with the others. */
void job_run(struct job *, uint64_t size);
void job_wait_for(struct job *, enum job_wait);
/* Tells the origin, and ends. */
void job_trouble(struct job *, enum fault, const char *detail);
/* Ends with trouble whatever waits for this; ends silently whatever came from this peer. */
void jobs_lost(struct codec *, enum job_wait, struct peer);
char *job_strdup(struct job *, const char *); /* NULL for NULL; else sets no_memory on failure */
/* At most max bytes, cut between characters. */
char *job_strcut(struct job *, const char *, size_t max);
struct wire_bytes job_bytes(struct job *, struct wire_bytes);
/* Sends what WAIT_DIRECTORY waits for. False: that role is down or busy. */
bool job_look_up(struct job *, const struct guid *);
void job_signed(struct job *, const struct wire_sign_reply *);
/* Writes out.message, at most one slice in this call. `max` bounds the text in memory. Ends in
 * WAIT_SIGNER, or in job_trouble. True: more to write. */
bool job_write(struct job *, size_t max);
bool job_write_on(struct job *);

/* Takes the descriptors in any case. False: the peer is down or its queue is full. */
bool codec_send(struct codec *, struct peer, unsigned type, uint64_t id, const void *message,
                const int *fds, unsigned nfds);
/* The method for what we send to this participant: switches of section 4, else SHA-256 for those
 * who have used it themselves. */
/* The one of our certificates that is in use instead of this one: itself, or its successor. */
unsigned codec_certificate(const struct codec *, unsigned certificate);
enum signature_method codec_method(const struct codec *, const struct guid *to, bool sha256_seen);
enum digest_method codec_hint(const struct codec *, struct wire_bytes tls_certificate);
void codec_remember(struct codec *, struct wire_bytes tls_certificate, enum digest_method);

/* codec_inbound.c, codec_compose.c, codec_answer.c, codec_detach.c: one handler per message */
void inbound_start(struct codec *, struct peer, struct ipc_frame *);
void inbound_stored(struct job *, const struct wire_receive_reply *);
void compose_start(struct codec *, struct peer, struct ipc_frame *);
void answer_start(struct codec *, struct peer, struct ipc_frame *);
/* The same work for others than the store (codec_probe.c). The callback is called once, then the job
 * ends; no place for a job counts as a temporary failure: for answer_for false, with report not taken.
 * The body's descriptor, if any, is the frame's first. */
void compose_for(struct codec *, struct peer origin, uint64_t id, const struct wire_compose *,
                 composed_cb);
bool answer_for(struct codec *, struct peer origin, uint64_t id, const struct wire_answer *,
                struct ipc_frame *, answered_cb, json_t *report);
void detach_start(struct codec *, struct peer, struct ipc_frame *, const json_t *query);

/* codec_seal.c */
void seal_start(struct codec *, struct peer, struct ipc_frame *);

/* codec_stamp.c */
bool stamps_open(struct codec *);
void stamp_start(struct codec *, struct ipc_frame *);
void stamp_answered(struct codec *, struct ipc_frame *);

/* codec_receive.c: tells the store what came in; inbound_stored follows. */
bool receive_send(struct job *);
/* A document's number, URI and GUID as the wire between roles has them; texts cut to what fits. */
void receive_id(struct job *, struct wire_document_id *, const struct document_id *);

/* codec_reply.c: our answers to an incoming message. Each fills out.message and begins to sign it;
 * inbound's `sealed` follows. */
void reply_status(struct job *, const struct status_report *);
void reply_error(struct job *, enum fault, const char *detail);

#endif
