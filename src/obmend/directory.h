/*
 * The directory role: keeps the register of participants (design 3, protocol.md section 7).
 *
 *	directory.c           the role: start, neighbours, figures
 *	directory_fetch.c     one question to the register and its answer, read in slices
 *	directory_apply.c     what an answer changes: guard, disk copy, publishing
 *	directory_schedule.c  full lists and increments, back-off
 *	directory_lookup.c    single participants for codec
 *	directory_query.c     JSON verbs
 */
#ifndef OBMEN_DIRECTORY_H
#define OBMEN_DIRECTORY_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include "lib/http_client.h"
#include "obmend/directory_limit.h"
#include "obmend/role.h"
#include "obmend/wire.h"
#include "obmend/directory_trust.h"
#include "register/guard.h"
#include "soap/register.h"

#define DIRECTORY_COPY "register"            /* the last good copy, below state-directory/directory/ */
#define DIRECTORY_LIST_MAX ((size_t)256 << 20) /* bytes of a list: 100,000 participants have 130 MB */
#define DIRECTORY_SINGLE_MAX ((size_t)256 << 10)
#define DIRECTORY_LOOKUPS 16                 /* under way at once */
#define DIRECTORY_WAITERS 64                 /* for one look-up, or for a refresh */
#define DIRECTORY_STALE (24 * 3600 * WHEN_SECOND) /* since the register last answered: say so */

/* A snapshot and the sealed descriptor that readers get. */
struct version {
	struct snapshot *snapshot; /* NULL: none */
	int fd;
};

struct waiter {
	struct peer peer;
	uint64_t id;
};

struct waiters {
	struct waiter all[DIRECTORY_WAITERS];
	unsigned count;
};

/* What people see about the last trouble. */
struct trouble {
	enum fault fault; /* FAULT_NONE: the last question was answered well */
	char detail[256];
	when at;
	unsigned failures; /* in a row */
};

/* What the last question to the register says about this program rather than the network: an answer of
 * any kind came over mutual TLS; it could not be asked for reasons outside (name, connection, silence);
 * or it failed in between, which may be our own doing. */
enum link { LINK_UNKNOWN, LINK_ANSWERED, LINK_OUTSIDE, LINK_FAILED };

struct held {
	struct version version;
	struct guard_verdict verdict;
	when since;
	uint64_t number; /* names this candidate, so that what was looked at is what is accepted */
};

struct schedule {
	struct event *timer;
	struct fetch *fetch;   /* the list that is under way */
	bool full;             /* it is the full list */
	bool full_wanted;      /* as soon as possible */
	when next_full;        /* monotonic */
	when next;             /* real time, for people */
	struct waiters refresh;
	struct event *refresh_timer;
};

struct figures {
	uint64_t fulls, increments, lookups, lookups_limited, failures, published, skipped, holds;
	uint64_t bytes;    /* of the last full list */
	when read_time;    /* from its last byte to the snapshot */
};

struct lookup;

struct directory {
	struct self *self;
	const struct conf *conf;
	int dir_fd;
	int answer_fd; /* a nameless file for big answers */
	struct http_client *http;
	SSL_CTX **tls;     /* by index of conf.certificates */
	struct guard guard;
	struct guid *own;
	struct version current;
	struct held held;
	when checked; /* when the register last answered; WHEN_NONE */
	bool stale_said;
	bool unsaved; /* current is newer than the copy on disk */
	struct trouble trouble;
	enum link link;
	struct schedule schedule;
	struct limit limit;
	struct lookup *lookups;
	struct figures figures;
	struct keeper keeper;
};

static inline struct directory *
directory_of(struct self *self)
{
	return self->state;
}

/* -- directory.c */

/* The certificate with which the register is asked. */
unsigned directory_certificate(const struct directory *);

/* -- directory_fetch.c */

struct fetch;

struct fetch_result {
	enum fault fault; /* REGISTER_UNREACHABLE, REGISTER_ANSWER, INTERNAL */
	const char *detail;
	struct snapshot *snapshot; /* the participants of the answer; taken by the callback */
	int fd;                    /* the same, sealed; taken by the callback */
	struct register_answer answer;
	uint64_t bytes;
	when asked, read_time;
};

typedef void (*fetch_cb)(struct directory *, void *arg, struct fetch_result *);

/* Asks the register; NULL with *why when it cannot even begin. Lists go through the answer file:
 * only one may be under way. The callback comes once, never from inside; then the fetch is gone. */
struct fetch *fetch_new(struct directory *, enum register_operation, const char *argument, fetch_cb,
                        void *arg, const char **why);
/* Gives up without calling back. NULL is allowed. */
void fetch_cancel(struct fetch *);

/* -- directory_apply.c */

enum applied { APPLIED, UNCHANGED, HELD, NOT_APPLIED };

/* A full list: takes snapshot and fd. Goes through the guard; entities that are absent from it
 * vanish, unless some of it could not be read. */
enum applied apply_full(struct directory *, struct snapshot *, int fd, const struct register_answer *);
/* An increment or a single participant: adds and replaces, never removes. Takes the snapshot. Not
 * before there is a list: a register of one would make all others unknown. */
enum applied apply_change(struct directory *, struct snapshot *, when mark, enum snapshot_source);
/* What is held becomes current. False without memory. */
bool apply_held(struct directory *);
/* The copy on disk, when there is one. */
void apply_disk(struct directory *);
/* Writes the copy on disk if it is older than what is current. */
void apply_save(struct directory *);
void publish_to(struct directory *, struct peer);
void version_clear(struct version *);

/* -- directory_schedule.c */

/* Plans the first full list, and sets the timer. False without memory. */
bool schedule_start(struct directory *);
void schedule_stop(struct directory *);
/* The intervals of the configuration changed. */
void schedule_reload(struct directory *);
/* Asks for the full list now; the waiter hears how it went. False: too many wait. */
bool schedule_refresh(struct directory *, struct waiter);
/* Seconds to wait after so many failures in a row; interval without any. */
double schedule_delay(uint64_t interval, unsigned failures);

/* -- directory_lookup.c */

/* WIRE_LOOKUP of a codec: at most one question about a participant is under way. */
void directory_lookup(struct self *, struct peer, struct ipc_frame *);
void lookups_stop(struct directory *);

/* -- directory_query.c */

/* WIRE_QUERY of control: a verb of register.*. */
void directory_query(struct self *, struct peer, struct ipc_frame *);
void query_reply(struct directory *, struct waiter, json_t *reply); /* takes the reference */
void query_refused(struct directory *, struct waiter, enum fault, const char *detail);
/* What is held, in figures; a new reference. */
json_t *query_held(const struct directory *);
const char *snapshot_source_name(enum snapshot_source);

#endif
