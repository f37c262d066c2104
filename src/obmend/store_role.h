/*
 * The store role's inside. One loop turn is one transaction: handlers work at once and put what they
 * have to say into the outbox; when the turn ends, the batch is committed and the outbox leaves.
 */
#ifndef OBMEN_STORE_ROLE_H
#define OBMEN_STORE_ROLE_H

#include <event2/event.h>
#include <jansson.h>
#include "lib/histogram.h"
#include "obmend/role.h"
#include "obmend/wire.h"
#include "store/backend.h"

#define STORE_WINDOW_MAX 1024 /* deliveries under way at once, whatever the configuration says */
#define STORE_PEER_MAX 64     /* to one recipient */

/* A delivery that codec or courier has. */
struct store_job {
	bool used, sending;
	int64_t document, peer;
	enum delivery_kind kind;
	uint64_t generation;
	struct guid sender, recipient;
	int64_t attempt;   /* sending */
	unsigned codec;    /* composing */
	when deadline;     /* then its outcome is unknown; monotonic */
};

/* What the schedule holds for one peer, without asking the database. */
struct store_recipient {
	int64_t peer; /* 0 = free slot of the table */
	unsigned busy;
	when due;     /* the first delivery that is not under way; WHEN_NONE = nothing pending */
};

/* A frame that leaves after the commit. */
struct store_letter {
	enum role_id role;
	unsigned index;
	uint16_t type;
	uint64_t id, trace;
	size_t at, len;  /* in outbox.bytes */
	json_t *json;    /* instead of bytes */
	int fds[4];
	unsigned nfds;
	int64_t document; /* of a job that ends when the letter cannot leave; 0 = none */
};

struct store_outbox {
	struct buf bytes;
	struct store_letter *letters;
	size_t count, capacity;
};

struct store_counts {
	uint64_t received, repeated, refused, temporary, batches, batched, composed, sent, answered,
	    undelivered, commits_failed;
};

/* Time stamps: what was asked for, and how it went. */
struct store_stamps {
	struct event *timer;
	bool asking;
	unsigned failures; /* in a row */
	uint64_t pause;    /* seconds */
	char detail[160];
};

/* What a person has stopped: {"in": {since, reason, by}, "out": ...}. */
struct store_maintenance {
	int dir;       /* the store's folder; -1 */
	json_t *state; /* NULL = nothing */
};

/* A copy for a backup, under way or waiting to be taken. */
struct store_copy {
	struct event *timer;
	bool done;
	uint64_t left; /* pages */
	enum fault fault;
};

struct store_archive;

struct store_role {
	struct self *self;
	const struct store_backend *backend;
	struct store *store;
	struct event *turn;  /* the end of this loop turn */
	struct event *timer; /* the next delivery */
	struct event *tick;  /* expiry, deadlines, the clock */
	struct event *idle;  /* tidying the log */
	struct event *gather; /* the batch has waited long enough for more messages */
	bool batch, pump;
	when begun;          /* the batch; monotonic */
	unsigned gathered;   /* messages in it */
	unsigned coming[ROLE_INDEX_MAX]; /* what each codec said last (wire_receive) */
	bool troubled;       /* the last batch failed: not again at once */
	struct store_outbox outbox;
	struct store_job *jobs;
	unsigned window, per_peer, under_way;
	struct store_recipient *recipients; /* open addressing by peer */
	size_t recipient_slots, recipient_count, recipient_next;
	unsigned next_codec;
	int64_t *lost;       /* attempts whose outcome could not be written */
	unsigned lost_count;
	int64_t *ended;      /* attempts whose outcome is in this batch */
	unsigned ended_count;
	when expire_next;     /* the next look for documents whose term is over */
	when expire_patience; /* monotonic: none expires before */
	when clock_offset;    /* wall clock minus monotonic clock, at the last look */
	when clock_back;      /* it went back by so much, and what waits was not moved yet */
	bool recovering;     /* in this batch: */
	bool recovered;      /* what a crash left was looked at: only then is anything sent */
	uint64_t idle_batches; /* counts.batches when the idle timer was set */
	struct store_counts counts;
	struct histogram commit; /* one batch to the disk */
	struct store_stamps stamps;
	struct store_archive *archive;
	struct store_maintenance maintenance;
	struct store_copy copy;
};

/* store.c: begins the batch of this turn if there is none. A fault: nothing can be written now. */
enum fault store_batch(struct store_role *);
/* Asks for a look at what is due at the end of this turn. */
void store_wake(struct store_role *);

/* store_clock.c */
enum fault store_clock_start(struct store_role *); /* in a batch */
/* Has the clock been set? Asked before anything is dated. */
void store_clock_look(struct store_role *);
/* Brings forward what was scheduled by a clock that has gone back since. */
void store_clock_mend(struct store_role *);
void store_expire(struct store_role *, when now);

/* store_outbox.c. All take the descriptors. */
bool outbox_add(struct store_role *, struct peer to, unsigned type, uint64_t id, const void *message,
                const int *fds, unsigned nfds);
bool outbox_add_json(struct store_role *, struct peer to, uint64_t id, json_t *reply, const int *fds,
                     unsigned nfds); /* takes the reference */
/* After the commit; f: what became of it. Letters of a failed batch tell of the failure instead. */
void outbox_send(struct store_role *, enum fault f);
void outbox_free(struct store_outbox *);

/* store_receive.c */
void store_on_receive(struct self *, struct peer, struct ipc_frame *);
void store_on_spool(struct self *, struct peer, struct ipc_frame *);

/* store_send.c */
void store_on_composed(struct self *, struct peer, struct ipc_frame *);
void store_on_undelivered(struct self *, struct peer, struct ipc_frame *);
void store_on_answered(struct self *, struct peer, struct ipc_frame *);
/* Gives what is due to codec and courier, within the windows; must run in a batch. */
void store_pump(struct store_role *, when now);
void store_peer_down(struct self *, struct peer);
/* Deliveries past their deadline, and outcomes that could not be written before. */
void store_overdue(struct store_role *);
/* The letter about this document's job will not leave: take the job back. committed: what it was to
 * tell is on disk. */
void store_job_undone(struct store_role *, int64_t document, bool committed);

/* The next codec that is up; false when none is. */
bool store_choose_codec(struct store_role *, struct peer *to);

/* store_archive.c */
bool archive_open(struct store_role *, const char *directory); /* before the sandbox */
bool archive_start(struct store_role *);
void archive_free(struct store_role *);
void store_on_sealed(struct self *, struct peer, struct ipc_frame *);
json_t *archive_status(const struct store_role *);

/* store_maintenance.c */
bool maintenance_open(struct store_role *, const char *directory); /* before the sandbox */
void maintenance_free(struct store_role *);
/* True: nothing goes out. */
bool maintenance_out(const struct store_role *);
/* Tells front whether it may open its doors. */
void maintenance_tell(struct store_role *);
json_t *maintenance_status(const struct store_role *); /* a new reference */

/* store_backup.c */
void copies_free(struct store_role *);

/* store_stamp.c */
bool stamps_start(struct store_role *);
void stamps_reload(struct store_role *);
void stamps_free(struct store_role *);
void store_on_stamped(struct self *, struct peer, struct ipc_frame *);
json_t *journal_status(const struct store_role *, const struct store_figures *);

/* store_recipients.c */
bool recipients_init(struct store_role *);
void recipients_due(void *role, int64_t peer, when due); /* store_due_cb */
struct store_recipient *recipients_find(struct store_role *, int64_t peer);
/* The first moment at which some peer with a free connection has something due; WHEN_NONE. */
when recipients_next(const struct store_role *);

/* store_query.c */
void store_on_query(struct self *, struct peer, struct ipc_frame *);
json_t *store_status(struct self *);

/* store_json.c */
json_t *store_json_document(const struct store_document *, bool whole);
json_t *store_json_event(const struct store_event *);
json_t *store_json_evidence(const struct store_evidence *);
/* {"ok":false,"fault":...,"detail":...}; detail may be NULL. */
json_t *store_json_fault(enum fault, const char *detail);

#endif
