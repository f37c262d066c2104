/* What an operator does with a delivery that waits: now, later, or never. */
#include <stdio.h>
#include "store/sqlite.h"

static const char *const action_names[QUEUE_ACTION_COUNT] = {
	[QUEUE_RETRY] = "retry",
	[QUEUE_HOLD] = "hold",
	[QUEUE_RELEASE] = "release",
	[QUEUE_DROP] = "drop",
};

static const enum timeline_event action_events[QUEUE_ACTION_COUNT] = {
	[QUEUE_RETRY] = EVENT_HURRIED,
	[QUEUE_HOLD] = EVENT_PUT_OFF,
	[QUEUE_RELEASE] = EVENT_RELEASED,
	[QUEUE_DROP] = EVENT_DROPPED,
};

const char *
queue_action_name(enum queue_action a)
{
	return action_names[a];
}

static bool
set_phase(struct store *s, const struct delivery *y, enum delivery_phase phase, when due)
{
	struct query q = sql(s, SQL_DELIVERY_PHASE);

	put_int(&q, y->document);
	put_int(&q, phase);
	put_when(&q, due);
	if (!query_run(&q))
		return false;
	if (phase == PHASE_PENDING && s->options.due)
		s->options.due(s->options.due_arg, y->peer, due);
	return true;
}

/* What the recipient has already cannot fail: then only our questions and notices end. */
static bool
drop(struct store *s, struct document_row *d, const char *reason)
{
	struct query q = sql(s, SQL_DELIVERY_STOP);
	bool changed;

	put_int(&q, d->id);
	return query_run(&q) &&
	       (d->direction == DIRECTION_IN || db_document_to(s, d, STATE_FAILED, CAUSE_OPERATOR,
							       reason, &changed)) &&
	       db_document_fault(s, d->id, FAULT_QUEUE_DROPPED, reason);
}

static bool
act(struct store *s, const struct store_queue_change *c, const struct delivery *y,
    struct document_row *d)
{
	switch (c->action) {
	case QUEUE_RETRY:
		return set_phase(s, y, PHASE_PENDING, s->now);
	case QUEUE_HOLD:
		return set_phase(s, y, PHASE_ON_HOLD, y->at.due);
	case QUEUE_RELEASE:
		return set_phase(s, y, PHASE_PENDING, y->at.due);
	default:
		return drop(s, d, c->reason);
	}
}

/* The timeline and the journal tell who it was. */
static bool
tell(struct store *s, const struct store_queue_change *c)
{
	const char *by = c->by ? c->by : "", *reason = c->reason ? c->reason : "";
	struct journal_entry e = {.kind = JOURNAL_OPERATOR, .document = c->document, .by = c->by};
	char text[512], entry[600];

	snprintf(text, sizeof text, "%s%s%s", by, *by && *reason ? ": " : "", reason);
	snprintf(entry, sizeof entry, "queue %s%s%s", action_names[c->action], *reason ? ": " : "",
		 reason);
	e.text = entry;
	return db_event_add(s, c->document, s->now, action_events[c->action], text) &&
	       db_journal_add(s, &e, 0, 0, STATE_NONE);
}

static enum fault
change_rows(struct store *s, const struct store_queue_change *c)
{
	struct document_row d;
	struct delivery y;

	if (!db_document_row(s, c->document, &d))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	if (!db_delivery_load(s, c->document, &y))
		return s->why ? s->why : FAULT_QUEUE_NOTHING;
	if (y.phase == PHASE_DONE)
		return FAULT_QUEUE_NOTHING;
	if (y.phase == PHASE_SENDING)
		return FAULT_QUEUE_SENDING;
	if (c->action == QUEUE_RELEASE && y.phase != PHASE_ON_HOLD)
		return FAULT_QUEUE_FREE;
	if (!tell(s, c) || !act(s, c, &y, &d))
		return s->why ? s->why : FAULT_STORE_FAILED;
	return FAULT_NONE;
}

enum fault
db_queue_change(struct store *s, const struct store_queue_change *c)
{
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	s->by = c->by;
	return db_operation_end(s, change_rows(s, c));
}
