/*
 * An incoming message: what it is to us, then message, answer and consequences in one operation
 * (protocol.md section 5; idempotency there under [OUR]).
 */
#include <stdio.h>
#include <string.h>
#include "store/sqlite.h"

struct incoming {
	const struct store_incoming *in;
	const struct wire_receive *w;
	int64_t own, peer;           /* party rows */
	struct document_row document;
	bool known;                  /* document is there */
	bool created;                /* by this message */
	int64_t sent_type;           /* of the message of ours that an Error is about */
	struct wire_receive_reply *reply;
};

/* Says what this type of message needs before it may be stored: RECEIVE_STORED to go on. False on
 * failure (s->why). */
typedef bool (*judge_fn)(struct store *, struct incoming *);
/* After the message was stored: its consequences. */
typedef bool (*apply_fn)(struct store *, struct incoming *);

static bool
fill_status(struct store *s, int64_t document, struct wire_status *out)
{
	struct query q = sql(s, SQL_DOCUMENT_STATUS);

	put_int(&q, document);
	if (query_row(&q)) {
		out->status = status_of_state((enum document_state)get_int(&q));
		out->id.number = get_text(&q);
		out->id.date = get_text(&q);
		out->id.uri_register = get_text(&q);
		out->id.uri_sequence = get_text(&q);
		out->id.uri_date = get_text(&q);
		get_guid(&q, &out->id.guid);
		out->id.guid_text = get_text(&q);
		out->reason = get_text(&q);
		out->date_close = get_text(&q);
	}
	return query_end(&q);
}

static bool
find_document(struct store *s, struct incoming *i, enum direction d, const struct guid *guid)
{
	i->known = db_document_find(s, d, i->own, i->peer, guid, &i->document);
	return i->known || !s->why;
}

/* Registration request: a document that we have is not stored twice. */
static bool
judge_registration(struct store *s, struct incoming *i)
{
	if (!find_document(s, i, DIRECTION_IN, &i->w->document.guid))
		return false;
	if (!i->known || i->w->answered)
		return true;
	i->reply->outcome = RECEIVE_KNOWN;
	return fill_status(s, i->document.id, &i->reply->status);
}

static bool
judge_status_request(struct store *s, struct incoming *i)
{
	struct wire_status *status = &i->reply->status;

	if (!find_document(s, i, DIRECTION_IN, &i->w->document.guid))
		return false;
	if (i->w->answered)
		return true;
	i->reply->outcome = RECEIVE_STATUS;
	if (i->known)
		return fill_status(s, i->document.id, status);
	status->status = STATUS_NOT_FOUND;
	status->id = i->w->document; /* an echo */
	return true;
}

/* True when an attempt to send this document was begun: before that nobody can know it. */
static bool
was_sent(struct store *s, int64_t document)
{
	struct query q = sql(s, SQL_WAS_SENT);
	int64_t one;

	put_int(&q, document);
	return query_number(&q, &one);
}

static bool
judge_status(struct store *s, struct incoming *i)
{
	if (!find_document(s, i, DIRECTION_OUT, &i->w->status.id.guid))
		return false;
	if (i->known)
		i->known = was_sent(s, i->document.id);
	if (!i->known && !s->why)
		i->reply->outcome = RECEIVE_UNKNOWN;
	return !s->why;
}

static bool
judge_error(struct store *s, struct incoming *i)
{
	int64_t document = 0;

	if (i->w->error_has_guid) {
		struct query q = sql(s, SQL_MESSAGE_SENT);
		put_guid(&q, &i->w->error_guid);
		put_int(&q, i->own);
		put_int(&q, i->peer);
		if (query_row(&q)) {
			document = get_int(&q);
			i->sent_type = get_int(&q);
		}
		if (!query_end(&q))
			return false;
	}
	i->known = document && db_document_row(s, document, &i->document);
	if (!i->known && !s->why)
		i->reply->outcome = RECEIVE_UNKNOWN;
	return !s->why;
}

static bool
apply_registration(struct store *s, struct incoming *i)
{
	const struct wire_receive *w = i->w;
	struct document_new n = {.direction = DIRECTION_IN, .state = STATE_WAITING,
	    .accepted = w->received, .id = &w->document, .own = i->own, .peer = i->peer,
	    .kind = w->kind, .about = w->about};

	if (i->known)
		return true;
	if (!db_body_save(s, &i->in->details, &n.details) ||
	    !db_document_add(s, &n, &i->document.id))
		return false;
	i->known = i->created = true;
	return db_event_add(s, i->document.id, w->received, EVENT_RECEIVED,
			    w->proof.peer_address) &&
	       db_event_add(s, i->document.id, s->now, EVENT_ANSWERED,
			    document_status_name(STATUS_WAIT_REGISTRATION));
}

static bool
apply_nothing(struct store *s, struct incoming *i)
{
	(void)s, (void)i;
	return true;
}

static bool
apply_status(struct store *s, struct incoming *i)
{
	const struct wire_status *w = &i->w->status;
	enum document_state to = state_of_status((enum document_status)w->status);
	char text[512];
	bool changed;

	if (to == STATE_NONE)
		return db_event_add(s, i->document.id, s->now, EVENT_ANSWERED,
		    document_status_name((enum document_status)w->status));
	if (w->id.number)
		snprintf(text, sizeof text, "%s/%s", w->id.number, w->id.date ? w->id.date : "");
	else
		snprintf(text, sizeof text, "%s", w->reason ? w->reason : "");
	if (!db_document_to(s, &i->document, to, CAUSE_NOTICE, text, &changed))
		return false;
	if (!changed)
		return true;
	if (to == STATE_WAITING && !db_event_add(s, i->document.id, s->now, EVENT_ANSWERED, text))
		return false;
	return db_document_particulars(s, i->document.id, w) &&
	       db_document_fault(s, i->document.id, FAULT_NONE, NULL) &&
	       db_delivery_after_notice(s, &i->document);
}

/* The peer, or a bridge behind it, found out later that it cannot take what we sent. An Error about
 * a poll or a notice changes nothing of the document. */
static bool
apply_error(struct store *s, struct incoming *i)
{
	const char *text = i->w->error_text;
	bool changed = false;

	if (i->sent_type == MESSAGE_REGISTRATION_REQUEST &&
	    !db_document_to(s, &i->document, STATE_FAILED, CAUSE_NOTICE, text, &changed))
		return false;
	if (!changed)
		return db_event_add(s, i->document.id, s->now, EVENT_ANSWERED, text);
	return db_document_fault(s, i->document.id, FAULT_PEER_ERROR, text) &&
	       db_event_add(s, i->document.id, s->now, EVENT_FAILED, text) &&
	       db_delivery_after_notice(s, &i->document);
}

static const struct {
	judge_fn judge;
	apply_fn apply;
} types[MESSAGE_TYPE_COUNT] = {
	[MESSAGE_REGISTRATION_REQUEST] = {judge_registration, apply_registration},
	[MESSAGE_STATUS_REQUEST] = {judge_status_request, apply_nothing},
	[MESSAGE_STATUS_RESPONSE] = {judge_status, apply_status},
	[MESSAGE_ERROR] = {judge_error, apply_error},
};

/* Was this MessageGUID accepted before? An exact repeat gets the stored answer. */
static bool
judge_repeat(struct store *s, struct incoming *i)
{
	struct query q = sql(s, SQL_MESSAGE_SEEN);

	put_guid(&q, &i->w->message_guid);
	if (query_row(&q)) {
		bool same = get_int(&q) == i->peer;
		same &= get_int(&q) == i->own;
		struct wire_bytes fingerprint = get_bytes(&q);
		same &= fingerprint.len == sizeof i->w->proof.fingerprint &&
		        memcmp(fingerprint.data, i->w->proof.fingerprint, fingerprint.len) == 0;
		struct wire_bytes answer = get_bytes(&q);
		i->reply->outcome = same ? RECEIVE_REPEAT : RECEIVE_CONFLICT;
		i->reply->fault = same ? FAULT_NONE : FAULT_MESSAGE_DUPLICATE;
		const char *copy =
		    arena_strndup(&s->scratch, (const char *)answer.data, answer.len);
		if (same && answer.len && copy)
			i->reply->answer = (struct wire_bytes){(const uint8_t *)copy, answer.len};
		if (!copy)
			q.rc = SQLITE_NOMEM;
	}
	return query_end(&q);
}

/* What is known of the message besides its bytes; the entry that vouches for all of it. */
static bool
journal_message(struct store *s, const struct incoming *i, struct journal_entry *e)
{
	const struct wire_receive *w = i->w;

	e->document = i->known ? i->document.id : 0;
	e->direction = direction_name(DIRECTION_IN);
	e->guid = w->message_type == MESSAGE_STATUS_RESPONSE ? w->status.id.guid : w->document.guid;
	e->own = w->recipient;
	e->peer = w->sender;
	e->type = message_type_name((enum message_type)w->message_type);
	e->message = w->message_guid;
	e->address = w->proof.peer_address;
	e->sent = w->received;
	e->first = i->created;
	e->state = i->created ? state_name(STATE_WAITING) : NULL;
	e->fault = w->fault ? fault_code((enum fault)w->fault) : NULL;
	return db_journal_add(s, e, sqlite3_last_insert_rowid(s->db), 0,
	    i->created ? STATE_WAITING : STATE_NONE);
}

static bool
save_message(struct store *s, const struct incoming *i)
{
	const struct wire_receive *w = i->w;
	struct store_bytes answer = {.data = w->answer.data,
				     .size = w->has_answer ? w->answer.len : 0};
	struct journal_entry e = {.kind = w->fault ? JOURNAL_REFUSED : JOURNAL_RECEIVED};
	struct proven proven;
	int64_t body, reply;

	if (!db_body_save(s, &i->in->body, &body))
		return false;
	e.body = s->saved;
	if (!db_body_save(s, &answer, &reply))
		return false;
	e.answer = s->saved;
	if (!db_proof_save(s, &w->proof, &proven, &e))
		return false;
	struct query q = sql(s, SQL_MESSAGE_ADD);
	put_int(&q, DIRECTION_IN);
	put_int(&q, (int64_t)w->message_type);
	put_guid(&q, &w->message_guid);
	put_text(&q, w->message_guid_text);
	put_text(&q, w->message_date);
	put_id(&q, i->known ? i->document.id : 0);
	put_int(&q, i->own);
	put_int(&q, i->peer);
	put_when(&q, w->received);
	put_id(&q, body);
	put_int(&q, (int64_t)w->proof.method);
	put_bytes(&q, w->proof.fingerprint, sizeof w->proof.fingerprint);
	put_text(&q, w->proof.peer_address);
	put_id(&q, proven.tls);
	put_id(&q, proven.certificate);
	put_text(&q, w->fault ? fault_code((enum fault)w->fault) : NULL);
	put_id(&q, reply);
	put_bytes(&q, w->answer_guid.b,
		  guid_is_zero(&w->answer_guid) ? 0 : sizeof w->answer_guid.b);
	put_int(&q, db_journal_next(s));
	return query_run(&q) && journal_message(s, i, &e);
}

/* Drops the oldest refused message with its bodies. */
static bool
forget_refused(struct store *s)
{
	int64_t id = 0, body = 0, answer = 0, size = 0;
	struct query q = sql(s, SQL_REFUSED_OLDEST);

	if (query_row(&q)) {
		id = get_int(&q);
		body = get_int(&q);
		answer = get_int(&q);
		size = get_int(&q);
	}
	if (!query_end(&q) || !id)
		return false;
	struct query gone = sql(s, SQL_MESSAGE_DELETE);
	put_int(&gone, id);
	if (!query_run(&gone) || (body && !db_body_delete(s, body)) ||
	    (answer && !db_body_delete(s, answer)))
		return false;
	s->refused--;
	s->refused_bytes -= (uint64_t)size;
	return true;
}

/* A refused message is kept as evidence and never acted on; the oldest make room for the newest. */
static bool
save_refused(struct store *s, struct incoming *i)
{
	if (!save_message(s, i))
		return false;
	s->refused++;
	s->refused_bytes += i->in->body.size;
	while (s->refused > 1 && (s->refused > s->options.refused_count ||
	                          s->refused_bytes > s->options.refused_bytes))
		if (!forget_refused(s))
			return false;
	return true;
}

static bool
receive_rows(struct store *s, struct incoming *i)
{
	const struct wire_receive *w = i->w;

	i->reply->outcome = RECEIVE_STORED;
	/* Nothing of a refused message is believed: no new participants, no new names. */
	if (w->fault)
		return db_party_find(s, &w->recipient, &i->own) &&
		       db_party_find(s, &w->sender, &i->peer) && save_refused(s, i);
	if (!db_party_id(s, &w->recipient, NULL, NULL, &i->own) ||
	    !db_party_id(s, &w->sender, w->sender_name, w->sender_eik, &i->peer) ||
	    !judge_repeat(s, i))
		return false;
	if (i->reply->outcome == RECEIVE_STORED && !types[w->message_type].judge(s, i))
		return false;
	if (i->reply->outcome != RECEIVE_STORED)
		return true;
	return types[w->message_type].apply(s, i) && save_message(s, i) &&
	       db_party_heard(s, i->peer, w->proof.method);
}

enum fault
db_receive(struct store *s, const struct store_incoming *in, struct wire_receive_reply *reply)
{
	struct incoming i = {.in = in, .w = in->message, .reply = reply};
	enum fault f = FAULT_NONE;

	*reply = (struct wire_receive_reply){.outcome = RECEIVE_TEMPORARY};
	if (!db_operation_begin(s))
		f = FAULT_STORE_FAILED;
	else if (!in->message->fault && (in->message->message_type >= MESSAGE_TYPE_COUNT ||
	                                 !types[in->message->message_type].judge))
		f = FAULT_INTERNAL; /* codec never stores such */
	else if (store_is_full(s, in->body.size))
		f = FAULT_DISK_FULL;
	else if (!receive_rows(s, &i))
		f = s->why ? s->why : FAULT_STORE_FAILED;
	f = db_operation_end(s, f);
	if (f)
		*reply = (struct wire_receive_reply){.outcome = RECEIVE_TEMPORARY, .fault = f};
	return f;
}
