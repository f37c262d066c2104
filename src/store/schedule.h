/*
 * When a delivery is tried, and what follows from each outcome (protocol.md section 6 with its [OUR]
 * rules). Pure functions: the clock and the settings come in, the next step goes out.
 *
 * Every document has at most one delivery. An outgoing document's delivery is a registration request
 * (DELIVERY_DOCUMENT) or, while its fate is unknown or the peer is silent, a status request
 * (DELIVERY_POLL). An incoming document's delivery is the notice of its newest status
 * (DELIVERY_STATUS): a newer one takes the place of an older one.
 */
#ifndef OBMEN_SCHEDULE_H
#define OBMEN_SCHEDULE_H

#include "lib/conf.h"
#include "obmend/wire.h"
#include "store/states.h"

/* All in seconds but the count. */
struct schedule_times {
	uint64_t retry_first;
	unsigned retry_count;
	uint64_t poll_first, poll_interval;
	uint64_t expire_after;
	uint64_t hold_interval;
};

/* The options retry-*, poll-*, expire-after and hold-interval. */
void schedule_times_from_conf(struct schedule_times *, const struct conf *);

/* How an attempt went: what courier reports, or what codec read in the peer's answer. */
enum schedule_outcome {
	WENT_CONNECT, /* the first six in the order of enum undelivered_class */
	WENT_HTTP,
	WENT_AMBIGUOUS,
	WENT_HELD,
	WENT_INACTIVE,
	WENT_AGAIN,
	WENT_STATUS,    /* one that names a state of the document */
	WENT_NOT_FOUND,
	WENT_STRANGE,   /* a status that we do not know */
	WENT_ERROR,
	WENT_EMPTY,
	WENT_FAULT,
	WENT_UNPROVEN,  /* unverifiable or unreadable */
	WENT_COUNT
};

/* From wire.h's numbers: undelivered_class; answer_kind with the status it names. */
enum schedule_outcome schedule_outcome_of_class(uint64_t undelivered_class);
enum schedule_outcome schedule_outcome_of_answer(uint64_t answer_kind, uint64_t document_status);

/* A delivery after an attempt. */
struct schedule {
	enum delivery_kind kind;
	enum document_state state; /* of the document */
	when due;                  /* of this attempt */
	unsigned attempts;         /* of the message, this one included (DOCUMENT, STATUS) */
	unsigned polls;            /* since the last message, this one included (POLL) */
	bool reached;              /* an earlier attempt may have reached the peer */
};

/* What follows. */
struct schedule_next {
	bool pending;  /* false: the delivery is finished */
	bool compose;  /* a new message must be written; false: the same bytes again */
	enum delivery_kind kind;
	when due;
	unsigned attempts, polls;
	bool reached;
	enum document_state state; /* STATE_NONE: stays as it is */
	enum cause cause;
	enum timeline_event event; /* 0: none beyond that of the new state */
	enum fault fault; /* why it failed; FAULT_NONE: the fault that was reported */
};

/*
 * The next step. status: of a WENT_STATUS answer. not_before: WHEN_NONE or the earliest moment that
 * courier allows. Due times advance from the previous due time (section 6.4), but never come closer
 * to now than SCHEDULE_BREATH: a node that was off for days does not spend all its tries in a row.
 */
void schedule_step(const struct schedule_times *, const struct schedule *, enum schedule_outcome,
                   enum document_status status, when not_before, when now,
                   struct schedule_next *next);

/* The delay of the n-th retry, n from 1, in nanoseconds. */
when schedule_interval(const struct schedule_times *, unsigned n);
/* No pause between two attempts is longer, whatever they lead to. */
when schedule_longest(const struct schedule_times *);
/* When a document that was delivered is asked about. */
when schedule_first_poll(const struct schedule_times *, when now);
when schedule_expiry(const struct schedule_times *, when accepted);

#define SCHEDULE_SOON   (2 * WHEN_SECOND)  /* after trouble of our own */
#define SCHEDULE_BREATH (60 * WHEN_SECOND) /* or the first retry interval, when that is shorter */

#endif
