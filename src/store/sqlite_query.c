/* What people look at: lists, one document with its timeline and evidence, the queue, figures. */
#include <string.h>
#include <sys/statvfs.h>
#include "store/sqlite.h"

static void
read_peer(struct query *q, struct store_document *d)
{
	d->peer_number = get_text(q);
	d->peer_date = get_text(q);
	d->peer_uri_register = get_text(q);
	d->peer_uri_sequence = get_text(q);
	d->peer_uri_date = get_text(q);
	d->reason = get_text(q);
	d->date_close = get_text(q);
}

static void
read_document(struct query *q, struct store_document *d)
{
	*d = (struct store_document){.id = get_int(q)};
	d->direction = (enum direction)get_int(q);
	d->state = (enum document_state)get_int(q);
	d->since = get_when(q);
	d->accepted = get_when(q);
	get_guid(q, &d->guid);
	get_guid(q, &d->own);
	get_guid(q, &d->peer);
	d->peer_name = get_text(q);
	d->peer_eik = get_text(q);
	d->number = get_text(q);
	d->date = get_text(q);
	d->uri_register = get_text(q);
	d->uri_sequence = get_text(q);
	d->uri_date = get_text(q);
	read_peer(q, d);
	d->kind = get_text(q);
	d->about = get_text(q);
	const char *code = get_text(q);
	d->fault = code ? fault_by_code(code) : FAULT_NONE;
	d->detail = get_text(q);
	enum delivery_phase phase = (enum delivery_phase)get_int(q);
	d->pending = phase != PHASE_DONE;
	d->on_hold = phase == PHASE_ON_HOLD;
	d->next = (enum delivery_kind)get_int(q);
	d->next_at = get_when(q);
	d->attempts = (unsigned)get_int(q);
	d->polls = (unsigned)get_int(q);
	d->details = get_int(q);
}

/* Reads rows of DOCUMENT_COLUMNS. */
static enum fault
each_document(struct query *q, store_document_cb cb, void *arg)
{
	struct store_document d;
	struct store *s = q->store;

	arena_reset(&s->scratch);
	while (query_row(q)) {
		read_document(q, &d);
		cb(arg, &d);
		arena_reset(&s->scratch);
	}
	return query_end(q) ? FAULT_NONE : s->why;
}

enum fault
db_find(struct store *s, const struct guid *guid, int64_t *document)
{
	unsigned found = 0;
	struct query q = sql(s, SQL_DOCUMENT_BY_GUID);

	put_guid(&q, guid);
	for (; query_row(&q); found++)
		*document = get_int(&q);
	if (!query_end(&q))
		return s->why;
	if (found == 0)
		return FAULT_DOCUMENT_MISSING;
	return found > 1 ? FAULT_DOCUMENT_SEVERAL : FAULT_NONE;
}

/* The filter's own parameters; before and limit follow. */
static struct query
list_query(struct store *s, const struct store_filter *f)
{
	struct query q;
	bool directed = f->direction >= 0;

	if (f->has_peer) {
		q = sql(s, SQL_LIST_PEER);
		put_guid(&q, &f->peer);
		put_int(&q, directed ? f->direction : 0);
		put_int(&q, directed ? f->direction : DIRECTION_COUNT);
		put_int(&q, f->state ? f->state : 0);
		put_int(&q, f->state ? f->state : STATE_COUNT);
	} else if (f->state) {
		q = sql(s, directed ? SQL_LIST_STATE : SQL_LIST_ANY_STATE);
		if (directed)
			put_int(&q, f->direction);
		put_int(&q, f->state);
	} else {
		q = sql(s, directed ? SQL_LIST_DIRECTION : SQL_LIST);
		if (directed)
			put_int(&q, f->direction);
	}
	return q;
}

enum fault
db_list(struct store *s, const struct store_filter *f, store_document_cb cb, void *arg)
{
	struct query q = list_query(s, f);

	put_int(&q, f->before > 0 ? f->before : INT64_MAX);
	put_int(&q, f->limit);
	return each_document(&q, cb, arg);
}

enum fault
db_queue(struct store *s, unsigned limit, store_document_cb cb, void *arg)
{
	struct query q = sql(s, SQL_QUEUE);

	put_int(&q, limit);
	return each_document(&q, cb, arg);
}

static bool
each_event(struct store *s, int64_t document, store_event_cb cb, void *arg)
{
	struct query q = sql(s, SQL_EVENTS);

	put_int(&q, document);
	while (query_row(&q)) {
		struct store_event e = {.at = get_when(&q)};
		e.event = (enum timeline_event)get_int(&q);
		e.text = get_text(&q);
		cb(arg, &e);
	}
	return query_end(&q);
}

/* A message's name in the evidence, and that of the answer to it. */
static const char *
evidence_name(enum message_type type, bool answer)
{
	static const char *const names[MESSAGE_TYPE_COUNT][2] = {
		[MESSAGE_REGISTRATION_REQUEST] = {"message", "answer"},
		[MESSAGE_STATUS_REQUEST] = {"poll", "poll-answer"},
		[MESSAGE_STATUS_RESPONSE] = {"status", "status-answer"},
		[MESSAGE_ERROR] = {"error", "error-answer"},
	};

	const char *name = type < MESSAGE_TYPE_COUNT ? names[type][answer] : NULL;
	return name ? name : "message";
}

/* True when there is one. */
static bool
get_sha256(struct query *q, uint8_t out[32])
{
	struct wire_bytes b = get_bytes(q);

	if (b.len != 32)
		return false;
	memcpy(out, b.data, 32);
	return true;
}

static void
read_evidence(struct query *q, struct store_evidence *e)
{
	enum message_type type = (enum message_type)get_int(q);
	bool answer = get_int(q);

	*e = (struct store_evidence){.what = evidence_name(type, answer)};
	get_guid(q, &e->message_guid);
	e->at = get_when(q);
	e->body = get_int(q);
	e->bytes = (uint64_t)get_int(q);
	get_sha256(q, e->sha256);
	e->in_file = get_int(q);
	e->method = (uint64_t)get_int(q);
	e->has_certificate = get_sha256(q, e->certificate);
	e->has_tls_certificate = get_sha256(q, e->tls_certificate);
	e->address = get_text(q);
	const char *code = get_text(q);
	e->fault = code ? fault_by_code(code) : FAULT_NONE;
}

static bool
each_evidence(struct store *s, int64_t document, store_evidence_cb cb, void *arg)
{
	struct query q = sql(s, SQL_EVIDENCE);
	struct store_evidence e;

	put_int(&q, document);
	while (query_row(&q)) {
		read_evidence(&q, &e);
		cb(arg, &e);
	}
	return query_end(&q);
}

enum fault
db_show(struct store *s, int64_t document, store_document_cb document_cb, store_event_cb event_cb,
        store_evidence_cb evidence_cb, void *arg)
{
	struct document_row row;
	struct query q = sql(s, SQL_SHOW);

	if (!db_document_row(s, document, &row))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	put_int(&q, document);
	enum fault f = each_document(&q, document_cb, arg);
	if (f)
		return f;
	if (!each_event(s, document, event_cb, arg) ||
	    !each_evidence(s, document, evidence_cb, arg))
		return s->why;
	return FAULT_NONE;
}

/* The index by state holds the ids in order: one step for each state. */
static when
oldest_waiting(struct store *s)
{
	static const enum document_state waiting[] = {STATE_ACCEPTED, STATE_SIGNED, STATE_SENDING,
	    STATE_UNSURE, STATE_HELD};
	when oldest = WHEN_NONE;

	for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
		struct query q = sql(s, SQL_OLDEST);
		put_int(&q, waiting[i]);
		while (query_row(&q)) {
			when at = get_int(&q);
			if (oldest == WHEN_NONE || at < oldest)
				oldest = at;
		}
		query_end(&q);
	}
	return oldest;
}

enum fault
db_figures(struct store *s, struct store_figures *out)
{
	struct query q = sql(s, SQL_TALLY);
	struct statvfs v;

	*out = (struct store_figures){.refused = s->refused, .log_pages = (uint64_t)s->log_pages,
	    .journal = s->head.sequence, .stamped_at = WHEN_NONE};
	memcpy(out->head, s->head.digest, sizeof out->head);
	while (query_row(&q)) {
		int64_t direction = get_int(&q), state = get_int(&q);
		if (direction < DIRECTION_COUNT && state < STATE_COUNT)
			out->documents[direction][state] = (uint64_t)get_int(&q);
	}
	if (!query_end(&q))
		return s->why;
	struct query stamp = sql(s, SQL_STAMP_LAST);
	if (query_row(&stamp)) {
		out->stamped = (uint64_t)get_int(&stamp);
		out->stamped_at = get_when(&stamp);
	}
	if (!query_end(&stamp))
		return s->why;
	out->oldest = oldest_waiting(s);
	if (fstatvfs(s->spool, &v) == 0)
		out->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
	out->full = store_is_full(s, 0);
	return FAULT_NONE;
}
