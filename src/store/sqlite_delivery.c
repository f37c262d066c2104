/* Deliveries on their way out: what is due, the message composed, the attempt begun. */
#include "lib/outcome.h"
#include "message/signature.h"
#include "store/sqlite.h"

static void
tell_due(struct store *s, int64_t peer, when due)
{
	if (s->options.due)
		s->options.due(s->options.due_arg, peer, due);
}

bool
db_delivery_renew(struct store *s, int64_t document, int64_t peer, enum delivery_kind kind)
{
	struct query q = sql(s, SQL_DELIVERY_RENEW);

	put_int(&q, document);
	put_int(&q, peer);
	put_int(&q, kind);
	put_when(&q, s->now);
	if (!query_run(&q))
		return false;
	tell_due(s, peer, s->now);
	return true;
}

bool
db_delivery_after_notice(struct store *s, const struct document_row *d)
{
	when due = schedule_first_poll(&s->options.times, s->now);

	if (state_is_end(d->state)) {
		struct query q = sql(s, SQL_DELIVERY_STOP);
		put_int(&q, d->id);
		return query_run(&q);
	}
	struct query q = sql(s, SQL_DELIVERY_POSTPONE);
	put_int(&q, d->id);
	put_int(&q, DELIVERY_POLL);
	put_when(&q, due);
	if (!query_run(&q))
		return false;
	tell_due(s, d->peer, due);
	return true;
}

enum fault
db_load_due(struct store *s)
{
	struct query q = sql(s, SQL_DUE_PEERS);

	while (query_row(&q)) {
		int64_t peer = get_int(&q);
		tell_due(s, peer, get_when(&q));
	}
	return query_end(&q) ? FAULT_NONE : s->why;
}

enum fault
db_clock_back(struct store *s, when by)
{
	struct query q = sql(s, SQL_DELIVERY_FORWARD);
	when latest = s->now + schedule_longest(&s->options.times);

	put_when(&q, s->now);
	put_int(&q, by);
	put_when(&q, latest);
	put_when(&q, by > 0 ? s->now : latest);
	return query_run(&q) ? FAULT_NONE : s->why;
}

enum fault
db_last_written(struct store *s, when *at)
{
	struct query q = sql(s, SQL_EVENT_NEWEST);

	*at = query_row(&q) ? get_when(&q) : WHEN_NONE;
	return query_end(&q) ? FAULT_NONE : s->why;
}

enum fault
db_due(struct store *s, int64_t peer, struct store_due *out, unsigned max, unsigned *count)
{
	struct query q = sql(s, SQL_DUE);

	*count = 0;
	put_int(&q, peer);
	put_int(&q, max);
	while (*count < max && query_row(&q)) {
		out[*count].document = get_int(&q);
		out[(*count)++].due = get_when(&q);
	}
	return query_end(&q) ? FAULT_NONE : s->why;
}

static void
read_document_id(struct query *q, struct wire_document_id *id)
{
	id->number = get_text(q);
	id->date = get_text(q);
	id->uri_register = get_text(q);
	id->uri_sequence = get_text(q);
	id->uri_date = get_text(q);
	get_guid(q, &id->guid);
	id->guid_text = get_text(q);
}

static void
read_work(struct query *q, struct store_work *w)
{
	w->peer = get_int(q);
	w->kind = (enum delivery_kind)get_int(q);
	w->generation = (uint64_t)get_int(q);
	get_guid(q, &w->sender);
	get_guid(q, &w->recipient);
	w->sha256_seen = get_int(q);
	w->message = get_int(q);
	get_guid(q, &w->message_guid);
	w->body = get_int(q);
	w->body_size = (uint64_t)get_int(q);
	w->details = get_int(q);
	w->details_size = (uint64_t)get_int(q);
	w->attachments = get_int(q);
	read_document_id(q, &w->id);
	w->status.status = status_of_state((enum document_state)get_int(q));
	w->status.reason = get_text(q);
	w->status.date_close = get_text(q);
	w->status.id = w->id;
}

/* A reading operation may come outside a batch and must not touch its savepoint. */
enum fault
db_work(struct store *s, int64_t document, struct store_work *w)
{
	struct query q = sql(s, SQL_WORK);
	bool found;

	arena_reset(&s->scratch);
	*w = (struct store_work){.document = document};
	put_int(&q, document);
	found = query_row(&q);
	if (found)
		read_work(&q, w);
	if (!query_end(&q))
		return s->why;
	return found ? FAULT_NONE : FAULT_DOCUMENT_MISSING;
}

static bool
save_composed(struct store *s, const struct store_work *w, const struct wire_composed *c,
              int64_t body, int64_t *message)
{
	static const enum message_type types[] = {
		[DELIVERY_DOCUMENT] = MESSAGE_REGISTRATION_REQUEST,
		[DELIVERY_STATUS] = MESSAGE_STATUS_RESPONSE,
		[DELIVERY_POLL] = MESSAGE_STATUS_REQUEST,
	};
	int64_t own, peer;

	if (!db_party_find(s, &w->sender, &own) || !db_party_find(s, &w->recipient, &peer))
		return false;
	struct query q = sql(s, SQL_MESSAGE_ADD);
	put_int(&q, DIRECTION_OUT);
	put_int(&q, types[w->kind]);
	put_guid(&q, &c->message_guid);
	put_text(&q, NULL);
	put_text(&q, NULL);
	put_int(&q, w->document);
	put_int(&q, own);
	put_int(&q, peer);
	put_when(&q, s->now);
	put_int(&q, body);
	put_int(&q, (int64_t)c->method);
	for (int absent = 0; absent < 7; absent++) /* fingerprint to answer_guid */
		put_text(&q, NULL);
	put_int(&q, db_journal_next(s));
	if (!query_run(&q))
		return false;
	*message = sqlite3_last_insert_rowid(s->db);
	struct journal_entry e = {.kind = JOURNAL_SIGNED, .document = w->document,
	    .direction = direction_name(DIRECTION_OUT), .own = w->sender, .peer = w->recipient,
	    .type = message_type_name(types[w->kind]), .message = c->message_guid, .body = s->saved,
	    .text = signature_method_name((enum signature_method)c->method)};
	return db_journal_add(s, &e, *message, 0, STATE_NONE);
}

/* True when the delivery still waits for exactly this message. */
static bool
delivery_take(struct store *s, const struct store_work *w, int64_t message)
{
	struct query q = sql(s, SQL_DELIVERY_MESSAGE);

	put_int(&q, w->document);
	put_int(&q, (int64_t)w->generation);
	put_int(&q, message);
	return query_run(&q) && sqlite3_changes(s->db) == 1;
}

static enum fault
composed_done(struct store *s, const struct store_work *w, const struct wire_composed *c,
              const struct store_bytes *bytes)
{
	struct document_row d;
	int64_t body, message;
	bool changed;

	if (!db_document_row(s, w->document, &d))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	if (!db_body_save(s, bytes, &body) || !save_composed(s, w, c, body, &message))
		return s->why;
	if (!delivery_take(s, w, message))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	if (w->kind != DELIVERY_DOCUMENT)
		return FAULT_NONE;
	if (!db_document_to(s, &d, STATE_SIGNED, CAUSE_TRANSPORT, NULL, &changed) ||
	    !db_event_add(s, w->document, s->now, EVENT_SIGNED,
			  signature_method_name((enum signature_method)c->method)))
		return s->why;
	return FAULT_NONE;
}

/* Codec could not make the message: for a time, or never. */
static enum fault
composed_not(struct store *s, const struct store_work *w, const struct wire_composed *c)
{
	struct schedule_next next = {.pending = false,
				     .state = STATE_FAILED,
				     .cause = CAUSE_TRANSPORT,
				     .event = EVENT_FAILED};
	struct delivery y;

	if (!db_delivery_load(s, w->document, &y))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	if (y.generation != w->generation)
		return FAULT_DOCUMENT_MISSING;
	if (c->outcome == OUTCOME_TEMPORARY) {
		struct query q = sql(s, SQL_DELIVERY_LATER);
		put_int(&q, w->document);
		put_when(&q, s->now + SCHEDULE_SOON);
		if (!query_run(&q))
			return s->why;
		tell_due(s, y.peer, s->now + SCHEDULE_SOON);
		return FAULT_NONE;
	}
	/* Nothing can be asked about a document whose poll cannot be written: it will expire. */
	if (w->kind != DELIVERY_DOCUMENT)
		next.state = STATE_NONE;
	next.kind = y.at.kind;
	next.due = y.at.due;
	next.attempts = y.at.attempts;
	next.polls = y.at.polls;
	if (!db_delivery_apply(s, &y, &next, c->fault ? (enum fault)c->fault : FAULT_INTERNAL,
			       c->detail))
		return s->why;
	return FAULT_NONE;
}

enum fault
db_composed(struct store *s, const struct store_work *w, const struct wire_composed *c,
            const struct store_bytes *body)
{
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	if (c->outcome == OUTCOME_DONE && body->size > 0)
		return db_operation_end(s, composed_done(s, w, c, body));
	return db_operation_end(s, composed_not(s, w, c));
}

static enum fault
attempt_rows(struct store *s, int64_t document, int64_t *attempt)
{
	struct document_row d;
	struct delivery y;
	bool changed;

	if (!db_delivery_load(s, document, &y) || !db_document_row(s, document, &d))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	if (!y.message)
		return FAULT_DOCUMENT_MISSING;
	struct query add = sql(s, SQL_ATTEMPT_ADD);
	put_int(&add, document);
	put_int(&add, y.message);
	put_int(&add, y.at.kind);
	put_int(&add, (int64_t)y.generation);
	put_when(&add, s->now);
	if (!query_run(&add))
		return s->why;
	*attempt = sqlite3_last_insert_rowid(s->db);
	struct query q = sql(s, SQL_DELIVERY_SENDING);
	put_int(&q, document);
	put_int(&q, *attempt);
	put_int(&q, y.at.kind != DELIVERY_POLL);
	put_int(&q, y.at.kind == DELIVERY_POLL);
	if (!query_run(&q))
		return s->why;
	if (sqlite3_changes(s->db) != 1)
		return FAULT_DOCUMENT_MISSING;
	if (y.at.kind == DELIVERY_DOCUMENT &&
	    !db_document_to(s, &d, STATE_SENDING, CAUSE_TRANSPORT, NULL, &changed))
		return s->why;
	return FAULT_NONE;
}

enum fault
db_attempt(struct store *s, int64_t document, int64_t *attempt)
{
	*attempt = 0;
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	return db_operation_end(s, attempt_rows(s, document, attempt));
}
