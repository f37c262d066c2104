/* Documents: their rows, states and timelines; what operators do with them. */
#include <stdio.h>
#include "lib/log.h"
#include "store/sqlite.h"

bool
db_event_add(struct store *s, int64_t document, when at, enum timeline_event event,
             const char *text)
{
	struct query q = sql(s, SQL_EVENT_ADD);

	put_int(&q, document);
	put_when(&q, at);
	put_int(&q, event);
	put_text(&q, text && *text ? text : NULL);
	return query_run(&q);
}

static bool
read_row(struct query *q, struct document_row *d)
{
	q->store->why = FAULT_NONE;
	bool found = query_row(q);
	if (found) {
		d->id = get_int(q);
		d->direction = (enum direction)get_int(q);
		d->peer = get_int(q);
		d->state = (enum document_state)get_int(q);
	}
	return query_end(q) && found;
}

bool
db_document_row(struct store *s, int64_t id, struct document_row *d)
{
	struct query q = sql(s, SQL_DOCUMENT_ROW);

	put_int(&q, id);
	return read_row(&q, d);
}

bool
db_document_find(struct store *s, enum direction direction, int64_t own, int64_t peer,
                 const struct guid *guid, struct document_row *d)
{
	struct query q = sql(s, SQL_DOCUMENT_FIND);

	put_guid(&q, guid);
	put_int(&q, direction);
	put_int(&q, own);
	put_int(&q, peer);
	return read_row(&q, d);
}

/* Only an outgoing document without an end expires. Coming back from an end gives it a new term. */
static when
expiry(const struct store *s, const struct document_row *d, enum document_state to, when old)
{
	if (d->direction == DIRECTION_IN || state_is_end(to))
		return WHEN_NONE;
	return state_is_end(d->state) || old == WHEN_NONE
		   ? schedule_expiry(&s->options.times, s->now)
		   : old;
}

static bool
expiry_now(struct store *s, int64_t document, when *expire)
{
	struct query q = sql(s, SQL_DOCUMENT_EXPIRE);

	*expire = WHEN_NONE;
	put_int(&q, document);
	if (query_row(&q))
		*expire = get_when(&q);
	return query_end(&q);
}

bool
db_document_to(struct store *s, struct document_row *d, enum document_state to, enum cause by,
               const char *text, bool *changed)
{
	/* States whose event is told by the operation itself, with words of its own. */
	static const unsigned quiet = 1u << STATE_ACCEPTED | 1u << STATE_SIGNED |
				      1u << STATE_SENDING | 1u << STATE_HELD | 1u << STATE_WAITING |
				      1u << STATE_FAILED;
	when expire;

	*changed = false;
	if (!state_allows(d->direction, d->state, to, by))
		return true;
	if (!expiry_now(s, d->id, &expire))
		return false;
	struct query q = sql(s, SQL_DOCUMENT_STATE);
	put_int(&q, d->id);
	put_int(&q, to);
	put_when(&q, s->now);
	put_when(&q, expiry(s, d, to, expire));
	if (!query_run(&q))
		return false;
	d->state = to;
	*changed = true;
	struct journal_entry e = {.kind = JOURNAL_STATE, .document = d->id, .state = state_name(to),
	    .cause = cause_name(by), .by = s->by, .text = text};
	if (!db_journal_add(s, &e, 0, 0, to))
		return false;
	if (to == STATE_FAILED || to == STATE_EXPIRED)
		log_warning("store.document", "id=%lld state=%s detail=\"%s\"", (long long)d->id,
		    state_name(to), text ? text : "");
	return quiet & (1u << to) || db_event_add(s, d->id, s->now, event_of_state(to), text);
}

bool
db_document_particulars(struct store *s, int64_t document, const struct wire_status *w)
{
	struct query q = sql(s, SQL_DOCUMENT_PEER);

	put_int(&q, document);
	put_text(&q, w->id.number);
	put_text(&q, w->id.date);
	put_text(&q, w->id.uri_register);
	put_text(&q, w->id.uri_sequence);
	put_text(&q, w->id.uri_date);
	put_text(&q, w->reason);
	put_text(&q, w->date_close);
	return query_run(&q);
}

bool
db_document_fault(struct store *s, int64_t document, enum fault f, const char *detail)
{
	struct query q = sql(s, SQL_DOCUMENT_FAULT);

	put_int(&q, document);
	put_text(&q, f ? fault_code(f) : NULL);
	put_text(&q, f ? detail : NULL);
	return query_run(&q);
}

static void
put_document_id(struct query *q, const struct wire_document_id *id)
{
	static const struct wire_document_id none;

	id = id ? id : &none;
	put_text(q, id->number);
	put_text(q, id->date);
	put_text(q, id->uri_register);
	put_text(q, id->uri_sequence);
	put_text(q, id->uri_date);
}

bool
db_document_add(struct store *s, const struct document_new *n, int64_t *id)
{
	bool out = n->direction == DIRECTION_OUT;
	struct query q = sql(s, SQL_DOCUMENT_ADD);

	put_int(&q, n->direction);
	put_int(&q, n->state);
	put_when(&q, s->now);
	put_when(&q, n->accepted);
	put_when(&q, out ? schedule_expiry(&s->options.times, s->now) : WHEN_NONE);
	put_guid(&q, &n->id->guid);
	put_text(&q, n->id->guid_text);
	put_int(&q, n->own);
	put_int(&q, n->peer);
	put_document_id(&q, out ? n->id : NULL);
	put_document_id(&q, out ? NULL : n->id);
	put_text(&q, n->kind);
	put_text(&q, n->about);
	put_id(&q, n->details);
	put_id(&q, n->attachments);
	if (!query_run(&q))
		return false;
	*id = sqlite3_last_insert_rowid(s->db);
	return true;
}

static enum fault
submit_rows(struct store *s, const struct store_submission *w, int64_t *document)
{
	struct document_new n = {.direction = DIRECTION_OUT,
				 .state = STATE_ACCEPTED,
				 .accepted = s->now,
				 .id = &w->id,
				 .kind = w->kind,
				 .about = w->about};
	struct journal_entry e = {.kind = JOURNAL_ACCEPTED, .direction = direction_name(DIRECTION_OUT),
	    .guid = w->id.guid, .own = w->sender, .peer = w->recipient,
	    .state = state_name(STATE_ACCEPTED), .by = w->by, .text = w->id.number};
	struct document_row existing;

	if (!db_party_id(s, &w->sender, NULL, NULL, &n.own) ||
	    !db_party_id(s, &w->recipient, w->recipient_name, w->recipient_eik, &n.peer))
		return s->why;
	if (db_document_find(s, DIRECTION_OUT, n.own, n.peer, &w->id.guid, &existing))
		return FAULT_DOCUMENT_EXISTS;
	if (s->why || !db_body_save(s, &w->details, &n.details))
		return s->why;
	e.details = s->saved;
	if (!db_body_save_parts(s, w->fds, w->sizes, w->count, &n.attachments))
		return s->why;
	e.attachments = s->saved;
	if (!db_document_add(s, &n, document))
		return s->why;
	e.document = *document;
	e.first = true;
	if (!db_journal_add(s, &e, 0, 0, STATE_ACCEPTED) ||
	    !db_event_add(s, *document, s->now, EVENT_ACCEPTED, w->id.number) ||
	    !db_delivery_renew(s, *document, n.peer, DELIVERY_DOCUMENT))
		return s->why;
	return FAULT_NONE;
}

enum fault
db_submit(struct store *s, const struct store_submission *w, int64_t *document)
{
	uint64_t size = w->details.size;

	*document = 0;
	for (unsigned i = 0; i < w->count; i++)
		size += w->sizes[i];
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	/* Room for the attachments and for the message that will carry them as base64. */
	if (store_is_full(s, size + size / 3 * 4))
		return db_operation_end(s, FAULT_DISK_FULL);
	return db_operation_end(s, submit_rows(s, w, document));
}

/* What the table of states does not say: a registration has a number, a refusal has a reason. */
static enum fault
decision_complete(const struct store_decision *d)
{
	if (d->to == STATE_REFUSED && !(d->reason && *d->reason))
		return FAULT_REASON_MISSING;
	if (d->to == STATE_REGISTERED && !(d->number && *d->number && d->date && *d->date))
		return FAULT_FIELD_MISSING;
	return FAULT_NONE;
}

static bool
decision_write(struct store *s, const struct store_decision *d)
{
	struct query q = sql(s, SQL_DOCUMENT_OWN);

	put_int(&q, d->document);
	put_text(&q, d->number);
	put_text(&q, d->date);
	put_text(&q, d->reason);
	put_text(&q, d->date_close);
	return query_run(&q);
}

static enum fault
decide_rows(struct store *s, const struct store_decision *d)
{
	struct document_row row;
	char text[512];
	bool changed;

	if (!db_document_row(s, d->document, &row))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	if (row.direction != DIRECTION_IN ||
	    !state_allows(row.direction, row.state, d->to, CAUSE_OPERATOR))
		return FAULT_TRANSITION;
	enum fault f = decision_complete(d);
	if (f)
		return f;
	if (d->number)
		snprintf(text, sizeof text, "%s/%s", d->number, d->date ? d->date : "");
	else
		snprintf(text, sizeof text, "%s", d->reason ? d->reason : "");
	if (!db_document_to(s, &row, d->to, CAUSE_OPERATOR, text, &changed) ||
	    !decision_write(s, d) || !db_document_fault(s, d->document, FAULT_NONE, NULL) ||
	    !db_delivery_renew(s, d->document, row.peer, DELIVERY_STATUS))
		return s->why;
	return FAULT_NONE;
}

enum fault
db_decide(struct store *s, const struct store_decision *d)
{
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	s->by = d->by;
	return db_operation_end(s, decide_rows(s, d));
}
