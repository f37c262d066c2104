/* What became of an attempt: evidence, events, and the next step by the schedule. */
#include <stdio.h>
#include "store/sqlite.h"

/* An attempt's end in one form, whoever reported it. */
struct ending {
	enum schedule_outcome went;
	const struct wire_status *status; /* WENT_STATUS */
	enum fault fault;
	const char *detail, *url;
	when sent, ended, not_before;
	uint64_t http_status;
	const struct wire_answered *answer; /* NULL when no answer was read */
	const struct store_bytes *body;
};

/* The fault of an outcome that came without one. */
static const enum fault usual_faults[WENT_COUNT] = {
	[WENT_CONNECT] = FAULT_PEER_CONNECT,
	[WENT_HTTP] = FAULT_PEER_HTTP,
	[WENT_AMBIGUOUS] = FAULT_PEER_AMBIGUOUS,
	[WENT_HELD] = FAULT_RECIPIENT_HELD,
	[WENT_INACTIVE] = FAULT_RECIPIENT_INACTIVE,
	[WENT_NOT_FOUND] = FAULT_NONE,
	[WENT_STRANGE] = FAULT_PEER_UNVERIFIABLE,
	[WENT_ERROR] = FAULT_PEER_ERROR,
	[WENT_FAULT] = FAULT_PEER_FAULT,
	[WENT_UNPROVEN] = FAULT_PEER_UNVERIFIABLE,
};

bool
db_delivery_load(struct store *s, int64_t document, struct delivery *y)
{
	struct query q = sql(s, SQL_DELIVERY_GET);

	s->why = FAULT_NONE;
	*y = (struct delivery){.document = document};
	put_int(&q, document);
	bool found = query_row(&q);
	if (found) {
		y->peer = get_int(&q);
		y->at.kind = (enum delivery_kind)get_int(&q);
		y->phase = (enum delivery_phase)get_int(&q);
		y->sending = y->phase == PHASE_SENDING;
		y->at.due = get_when(&q);
		y->at.attempts = (unsigned)get_int(&q);
		y->at.polls = (unsigned)get_int(&q);
		y->at.reached = get_int(&q);
		y->generation = (uint64_t)get_int(&q);
		y->message = get_int(&q);
		y->attempt = get_int(&q);
		y->at.state = (enum document_state)get_int(&q);
		y->renewed = y->sending && (uint64_t)get_int(&q) != y->generation;
	}
	return query_end(&q) && found;
}

static bool
delivery_write(struct store *s, const struct delivery *y, const struct schedule_next *n)
{
	struct query q = sql(s, SQL_DELIVERY_SET);

	put_int(&q, y->document);
	put_int(&q, n->kind);
	put_int(&q, n->pending ? PHASE_PENDING : PHASE_DONE);
	put_when(&q, n->due);
	put_int(&q, n->attempts);
	put_int(&q, n->polls);
	put_int(&q, n->reached);
	put_int(&q, n->compose);
	if (!query_run(&q))
		return false;
	if (n->pending && s->options.due)
		s->options.due(s->options.due_arg, y->peer, n->due);
	return true;
}

/* Held documents are looked at again and again: the timeline says it once. */
static bool
told_already(struct store *s, int64_t document, enum timeline_event event)
{
	struct query q = sql(s, SQL_EVENT_LAST);
	int64_t last = 0;

	if (event != EVENT_HELD)
		return false;
	put_int(&q, document);
	return query_number(&q, &last) && last == event;
}

bool
db_delivery_apply(struct store *s, struct delivery *y, const struct schedule_next *n,
                  enum fault fault, const char *detail)
{
	struct document_row d = {0};
	bool changed = false;

	if (n->fault)
		fault = n->fault;
	if (!delivery_write(s, y, n) || !db_document_row(s, y->document, &d))
		return false;
	if (n->event && !told_already(s, y->document, n->event) &&
	    !db_event_add(s, y->document, s->now, n->event, detail))
		return false;
	if (n->state && !db_document_to(s, &d, n->state, n->cause, detail, &changed))
		return false;
	return db_document_fault(s, y->document, fault, detail);
}

/* The entry that vouches for the attempt and for what was answered. */
static bool
journal_attempt(struct store *s, int64_t attempt, const struct ending *e,
                const struct wire_answered *a, struct journal_entry *entry)
{
	entry->direction = direction_name(DIRECTION_OUT);
	entry->message = a->answer_guid;
	entry->address = e->url;
	entry->sent = e->sent;
	entry->ended = e->ended;
	entry->http_status = e->http_status;
	entry->fault = e->fault ? fault_code(e->fault) : NULL;
	entry->text = e->detail;
	return db_journal_add(s, entry, 0, attempt, STATE_NONE);
}

static bool
end_attempt(struct store *s, int64_t attempt, int64_t document, const struct ending *e)
{
	static const struct wire_answered none;
	const struct wire_answered *a = e->answer ? e->answer : &none;
	struct journal_entry entry = {.kind = JOURNAL_ATTEMPT, .document = document};
	struct proven proven;
	int64_t body = 0;

	if (e->body && !db_body_save(s, e->body, &body))
		return false;
	if (e->body)
		entry.answer = s->saved;
	if (!db_proof_save(s, &a->proof, &proven, &entry))
		return false;
	struct query q = sql(s, SQL_ATTEMPT_END);
	put_int(&q, attempt);
	put_when(&q, e->sent);
	put_when(&q, e->ended);
	put_int(&q, e->went);
	put_text(&q, e->url);
	put_int(&q, (int64_t)e->http_status);
	put_text(&q, e->fault ? fault_code(e->fault) : NULL);
	put_text(&q, e->detail);
	put_id(&q, body);
	put_bytes(&q, a->answer_guid.b,
		  guid_is_zero(&a->answer_guid) ? 0 : sizeof a->answer_guid.b);
	put_int(&q, (int64_t)a->proof.method);
	put_bytes(&q, a->proof.fingerprint, e->answer ? sizeof a->proof.fingerprint : 0);
	put_id(&q, proven.tls);
	put_id(&q, proven.certificate);
	put_int(&q, db_journal_next(s));
	return query_run(&q) && journal_attempt(s, attempt, e, a, &entry);
}

/* It did not take place: nothing is worth keeping. */
static bool
drop_attempt(struct store *s, int64_t attempt)
{
	struct query q = sql(s, SQL_ATTEMPT_DELETE);

	put_int(&q, attempt);
	return query_run(&q);
}

/* The words beside the event: the peer's number, or what went wrong. */
static void
describe(const struct ending *e, char *out, size_t size)
{
	const struct wire_status *w = e->status;

	if (e->went == WENT_STATUS && w->id.number && *w->id.number)
		snprintf(out, size, "%s/%s", w->id.number, w->id.date ? w->id.date : "");
	else if (e->went == WENT_STATUS && w->reason)
		snprintf(out, size, "%s", w->reason);
	else if (e->went == WENT_STATUS || e->went == WENT_NOT_FOUND)
		snprintf(out, size, "%s", document_status_name((enum document_status)w->status));
	else
		snprintf(out, size, "%s", e->detail ? e->detail : "");
}

static bool
tell_sent(struct store *s, const struct delivery *y, const struct ending *e)
{
	if (y->at.kind != DELIVERY_DOCUMENT || e->sent == WHEN_NONE || e->went == WENT_CONNECT ||
	    e->went == WENT_HELD || e->went == WENT_AGAIN || e->went == WENT_INACTIVE)
		return true;
	return db_event_add(s, y->document, e->sent, EVENT_SENT, e->url);
}

/* A status that the peer told in its answer. */
static bool
take_status(struct store *s, const struct delivery *y, const struct ending *e,
            const struct schedule_next *n)
{
	if (e->went != WENT_STATUS || y->at.kind == DELIVERY_STATUS)
		return true;
	bool waits = state_of_status((enum document_status)e->status->status) == STATE_WAITING;
	if (waits && n->state != STATE_WAITING && y->at.state != STATE_WAITING)
		return true; /* it takes nothing back: neither the number that came with it */
	return db_document_particulars(s, y->document, e->status);
}

/* While the attempt ran, a newer status of the document took the place of what it told. */
static bool
send_newer(struct store *s, struct delivery *y)
{
	struct schedule_next n = {
	    .pending = true, .compose = true, .kind = y->at.kind, .due = s->now};

	return delivery_write(s, y, &n);
}

static bool
resolve(struct store *s, struct delivery *y, struct ending *e)
{
	struct schedule_next n;
	char words[512];

	schedule_step(&s->options.times, &y->at, e->went,
	    (enum document_status)(e->status ? e->status->status : 0), e->not_before, s->now, &n);
	describe(e, words, sizeof words);
	if (!tell_sent(s, y, e))
		return false;
	if (y->renewed)
		return send_newer(s, y);
	return db_delivery_apply(s, y, &n, e->fault, words) && take_status(s, y, e, &n);
}

/* The outcome was given up as unknown, and now the answer is here after all: its news counts. */
static bool
late_answer(struct store *s, struct delivery *y, const struct ending *e)
{
	struct document_row d = {0};
	bool changed;
	char words[512];

	if (e->went != WENT_STATUS || y->at.kind == DELIVERY_STATUS)
		return true;
	if (!db_document_row(s, y->document, &d))
		return false;
	describe(e, words, sizeof words);
	if (!db_document_to(s, &d, state_of_status((enum document_status)e->status->status),
			    CAUSE_ANSWER, words, &changed))
		return false;
	return !changed || (db_document_particulars(s, y->document, e->status) &&
	                    db_document_fault(s, y->document, FAULT_NONE, NULL) &&
	                    db_delivery_after_notice(s, &d));
}

/* A verified answer shows what its sender can do, as a message of its own does. */
static bool
note_method(struct store *s, const struct delivery *y, const struct wire_answered *a)
{
	if (!a || (a->answer != ANSWER_STATUS && a->answer != ANSWER_ERROR))
		return true;
	return db_party_heard(s, y->peer, a->proof.method);
}

static bool
ending_rows(struct store *s, int64_t attempt, struct ending *e)
{
	struct query q = sql(s, SQL_ATTEMPT_GET);
	struct delivery y;
	int64_t document = 0;

	put_int(&q, attempt);
	if (!query_number(&q, &document) || !db_delivery_load(s, document, &y))
		return s->why == FAULT_NONE; /* an attempt that we do not know: nothing to do */
	if (!e->fault)
		e->fault = usual_faults[e->went];
	bool current = y.sending && y.attempt == attempt;
	bool taken_place = e->went != WENT_HELD && e->went != WENT_AGAIN;
	if (current && !resolve(s, &y, e))
		return false;
	if (!current && !late_answer(s, &y, e))
		return false;
	if (!current && !e->answer)
		return true;
	if (!taken_place)
		return drop_attempt(s, attempt);
	return end_attempt(s, attempt, document, e) && note_method(s, &y, e->answer);
}

static enum fault
ended(struct store *s, int64_t attempt, struct ending *e)
{
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	if (ending_rows(s, attempt, e))
		return db_operation_end(s, FAULT_NONE);
	return db_operation_end(s, s->why ? s->why : FAULT_STORE_FAILED);
}

enum fault
db_undelivered(struct store *s, int64_t attempt, const struct wire_undelivered *u)
{
	struct ending e = {
		.went = schedule_outcome_of_class(u->class),
		.fault = (enum fault)u->fault,
		.detail = u->detail,
		.url = u->url,
		.sent = u->sent,
		.ended = u->ended,
		.not_before = u->retry,
		.http_status = u->http_status,
	};

	return ended(s, attempt, &e);
}

enum fault
db_answered(struct store *s, int64_t attempt, const struct wire_answered *a,
            const struct store_bytes *body)
{
	struct ending e = {
		.went = schedule_outcome_of_answer(a->answer, a->status.status),
		.status = &a->status,
		.fault = (enum fault)a->fault,
		.detail = a->detail,
		.url = a->proof.peer_address,
		.sent = a->sent,
		.ended = a->answered,
		.not_before = WHEN_NONE,
		.http_status = a->http_status,
		.answer = a,
		.body = body,
	};

	return ended(s, attempt, &e);
}

#define ABANDON_ROUND 256

static enum fault
abandon_some(struct store *s, unsigned *count)
{
	int64_t attempts[ABANDON_ROUND];
	struct query q = sql(s, SQL_SENDING);

	*count = 0;
	while (*count < ABANDON_ROUND && query_row(&q))
		attempts[(*count)++] = get_int(&q);
	if (!query_end(&q))
		return s->why;
	for (unsigned i = 0; i < *count; i++) {
		struct ending e = {.went = WENT_AMBIGUOUS, .sent = WHEN_NONE, .ended = s->now,
		    .not_before = WHEN_NONE, .detail = "interrupted"};
		enum fault f = ended(s, attempts[i], &e);
		if (f)
			return f;
	}
	return FAULT_NONE;
}

enum fault
db_abandon(struct store *s)
{
	unsigned count;

	do {
		enum fault f = abandon_some(s, &count);
		if (f)
			return f;
	} while (count == ABANDON_ROUND);
	return FAULT_NONE;
}

static enum fault
expire_one(struct store *s, int64_t document)
{
	struct document_row d;
	bool changed;

	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	if (!db_document_row(s, document, &d) ||
	    !db_document_to(s, &d, STATE_EXPIRED, CAUSE_CLOCK, NULL, &changed) ||
	    !db_document_fault(s, document, FAULT_EXPIRED, NULL) ||
	    !db_delivery_after_notice(s, &d))
		return db_operation_end(s, s->why ? s->why : FAULT_STORE_FAILED);
	return db_operation_end(s, FAULT_NONE);
}

enum fault
db_expire(struct store *s, unsigned limit, when *next)
{
	int64_t documents[ABANDON_ROUND];
	unsigned count = 0;
	struct query q = sql(s, SQL_EXPIRED);

	*next = WHEN_NONE;
	put_when(&q, s->now);
	put_int(&q, limit < ABANDON_ROUND ? limit : ABANDON_ROUND);
	while (count < ABANDON_ROUND && query_row(&q))
		documents[count++] = get_int(&q);
	if (!query_end(&q))
		return s->why;
	for (unsigned i = 0; i < count; i++) {
		enum fault f = expire_one(s, documents[i]);
		if (f)
			return f;
	}
	struct query first = sql(s, SQL_EXPIRE_NEXT);
	if (query_row(&first))
		*next = get_when(&first);
	return query_end(&first) ? FAULT_NONE : s->why;
}
