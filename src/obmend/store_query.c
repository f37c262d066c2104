/* What control asks: one table of verbs. Replies leave when the turn's batch is on disk. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "obmend/store_ask.h"

#define LIST_DEFAULT 50
#define LIST_MAX 1000
#define TEXT_MAX_BYTES 4096 /* of one field that we keep ourselves */

const char *
ask_text(const struct ask *a, const char *key)
{
	const char *text = json_string_value(json_object_get(a->in, key));

	return text && *text ? text : NULL;
}

enum fault
ask_wrong(struct ask *a, enum fault f, const char *key)
{
	snprintf(a->detail, sizeof a->detail, "%s", key);
	return f;
}

/* A GUID or a decimal number. */
enum fault
ask_document(struct ask *a, int64_t *id)
{
	const json_t *value = json_object_get(a->in, "document");
	const char *text = json_string_value(value);
	struct guid guid;
	char *end;

	*id = 0;
	if (json_is_integer(value)) {
		*id = json_integer_value(value);
		return FAULT_NONE;
	}
	if (!text || !*text)
		return ask_wrong(a, FAULT_FIELD_MISSING, "document");
	if (guid_parse_lenient(&guid, text))
		return a->role->backend->find(a->role->store, &guid, id);
	*id = strtoll(text, &end, 10);
	return *end || *id <= 0 ? ask_wrong(a, FAULT_DOCUMENT_MISSING, text) : FAULT_NONE;
}

static void
add_to_list(void *arg, const struct store_document *d)
{
	json_array_append_new(arg, store_json_document(d, false));
}

static unsigned
limit_of(const struct ask *a)
{
	json_int_t n = json_integer_value(json_object_get(a->in, "limit"));

	return n <= 0 ? LIST_DEFAULT : n > LIST_MAX ? LIST_MAX : (unsigned)n;
}

static enum fault
list_filter(struct ask *a, struct store_filter *f)
{
	const char *direction = ask_text(a, "direction"), *state = ask_text(a, "state");
	const char *by = ask_text(a, "peer");

	*f = (struct store_filter){.direction = -1, .limit = limit_of(a)};
	f->before = json_integer_value(json_object_get(a->in, "before"));
	if (direction && strcmp(direction, "in") == 0)
		f->direction = DIRECTION_IN;
	else if (direction && strcmp(direction, "out") == 0)
		f->direction = DIRECTION_OUT;
	else if (direction)
		return ask_wrong(a, FAULT_FIELD_VALUE, "direction");
	f->state = state_parse(state);
	if (state && f->state == STATE_NONE)
		return ask_wrong(a, FAULT_FIELD_VALUE, "state");
	f->has_peer = by;
	if (by && !guid_parse_lenient(&f->peer, by))
		return ask_wrong(a, FAULT_FIELD_VALUE, "peer");
	return FAULT_NONE;
}

static enum fault
verb_list(struct ask *a)
{
	struct store_filter filter;
	json_t *documents = json_array();
	enum fault f = list_filter(a, &filter);

	json_object_set_new(a->out, "documents", documents);
	return f ? f : a->role->backend->list(a->role->store, &filter, add_to_list, documents);
}

static enum fault
verb_queue(struct ask *a)
{
	json_t *documents = json_array();

	json_object_set_new(a->out, "documents", documents);
	return a->role->backend->queue(a->role->store, limit_of(a), add_to_list, documents);
}

/* A document being put together for show, and the body that verb_body looks for. */
struct showing {
	json_t *document, *timeline, *evidence;
	int64_t details;
	const char *which;
	int64_t row, found; /* `which` as a number, the body found */
};

static void
show_document(void *arg, const struct store_document *d)
{
	struct showing *s = arg;

	s->document = store_json_document(d, true);
	s->details = d->details;
}

static void
show_event(void *arg, const struct store_event *e)
{
	json_array_append_new(((struct showing *)arg)->timeline, store_json_event(e));
}

static void
show_evidence(void *arg, const struct store_evidence *e)
{
	struct showing *s = arg;

	json_array_append_new(s->evidence, store_json_evidence(e));
	if (s->which && (strcmp(s->which, e->what) == 0 || s->row == e->body))
		s->found = e->body;
}

static void
add_details(struct ask *a, struct showing *s)
{
	struct buf text = {0};
	json_t *details = NULL;

	if (s->details && !a->role->backend->body_read(a->role->store, s->details, &text))
		details = json_loadb((const char *)text.data, text.len, 0, NULL);
	if (details)
		json_object_set_new(s->document, "details", details);
	buf_free(&text);
}

static enum fault
verb_show(struct ask *a)
{
	struct showing s = {.timeline = json_array(), .evidence = json_array()};
	int64_t id;
	enum fault f = ask_document(a, &id);

	if (!f)
		f = a->role->backend->show(a->role->store, id, show_document, show_event,
					   show_evidence, &s);
	if (f || !s.document) {
		json_decref(s.document);
		json_decref(s.timeline);
		json_decref(s.evidence);
		return f ? f : FAULT_DOCUMENT_MISSING;
	}
	add_details(a, &s);
	json_object_set_new(s.document, "timeline", s.timeline);
	json_object_set_new(s.document, "evidence", s.evidence);
	json_object_set_new(a->out, "document", s.document);
	return FAULT_NONE;
}

/* Reads 64 hex digits: the name of a certificate in the evidence. */
static bool
read_sha256(const char *text, uint8_t out[32])
{
	for (size_t i = 0; i < 32; i++) {
		unsigned byte;
		if (!isxdigit((unsigned char)text[2 * i]) ||
		    !isxdigit((unsigned char)text[2 * i + 1]) ||
		    sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return text[64] == 0;
}

/* `which` is a name or a row of the document's evidence, "details", or a certificate's SHA-256. */
static enum fault
verb_body(struct ask *a)
{
	struct showing s = {.timeline = json_array(), .evidence = json_array()};
	const char *which = ask_text(a, "which");
	uint8_t sha256[32];
	int64_t id;
	enum fault f = ask_document(a, &id);

	s.which = which ? which : "message";
	s.row = strtoll(s.which, NULL, 10);
	if (!f)
		f = a->role->backend->show(a->role->store, id, show_document, show_event,
					   show_evidence, &s);
	if (!f && strcmp(s.which, "details") == 0)
		s.found = s.details;
	json_decref(s.document);
	json_decref(s.timeline);
	json_decref(s.evidence);
	if (f)
		return f;
	if (read_sha256(s.which, sha256))
		a->fd = a->role->backend->certificate_open(a->role->store, sha256);
	else if (s.found)
		a->fd = a->role->backend->body_open(a->role->store, s.found);
	else
		return ask_wrong(a, FAULT_DOCUMENT_MISSING, s.which);
	return a->fd < 0 ? FAULT_STORE_FAILED : FAULT_NONE;
}

static enum fault
verb_status(struct ask *a)
{
	struct store_decision d = {.by = ask_text(a, "by"),
	    .number = ask_text(a, "number"), .date = ask_text(a, "date"),
	    .reason = ask_text(a, "reason"), .date_close = ask_text(a, "date_close")};
	const char *const texts[] = {d.number, d.reason};
	char today[11];

	enum fault f = ask_document(a, &d.document);
	if (f)
		return f;
	d.to = state_parse(ask_text(a, "to"));
	if (d.to == STATE_NONE)
		return ask_wrong(a, FAULT_FIELD_VALUE, "to");
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i] && strlen(texts[i]) > TEXT_MAX_BYTES)
			return ask_wrong(a, FAULT_FIELD_VALUE, i ? "reason" : "number");
	if (d.date && !date_valid(d.date, strlen(d.date)))
		return ask_wrong(a, FAULT_FIELD_VALUE, "date");
	if (d.date_close && !date_valid(d.date_close, strlen(d.date_close)))
		return ask_wrong(a, FAULT_FIELD_VALUE, "date_close");
	if (d.number && !d.date) {
		date_today(today);
		d.date = today;
	}
	f = store_batch(a->role);
	if (!f)
		f = a->role->backend->decide(a->role->store, &d);
	if (f == FAULT_FIELD_MISSING)
		return ask_wrong(a, f, "number");
	return f;
}

/* The attachments' descriptors: regular files, of the sizes that the details tell, or that we then
 * put there. */
static enum fault
submit_attachments(struct ask *a, json_t *details, uint64_t *sizes)
{
	json_t *list = json_object_get(details, "attachments");
	struct stat st;

	if (json_array_size(list) != a->frame->nfds)
		return ask_wrong(a, FAULT_FIELD_VALUE, "attachments");
	for (unsigned i = 0; i < a->frame->nfds; i++) {
		json_t *size = json_object_get(json_array_get(list, i), "size");
		if (fstat(a->frame->fds[i], &st) != 0 || !S_ISREG(st.st_mode))
			return ask_wrong(a, FAULT_FILE_UNREADABLE, "attachments");
		sizes[i] = (uint64_t)st.st_size;
		if (size && json_integer_value(size) != st.st_size)
			return ask_wrong(a, FAULT_FIELD_VALUE, "attachments.size");
		json_object_set_new(json_array_get(list, i), "size", json_integer(st.st_size));
	}
	return FAULT_NONE;
}

static enum fault
submit_parties(struct ask *a, struct store_submission *s)
{
	const char *from = ask_text(a, "sender"), *to = ask_text(a, "recipient");

	if (!from || !guid_parse_lenient(&s->sender, from))
		return ask_wrong(a, from ? FAULT_FIELD_VALUE : FAULT_FIELD_MISSING, "sender");
	if (!to || !guid_parse_lenient(&s->recipient, to))
		return ask_wrong(a, to ? FAULT_FIELD_VALUE : FAULT_FIELD_MISSING, "recipient");
	if (!conf_participant(a->role->self->conf, &s->sender))
		return ask_wrong(a, FAULT_FIELD_VALUE, "sender");
	s->recipient_name = ask_text(a, "recipient_name");
	s->recipient_eik = ask_text(a, "recipient_eik");
	return FAULT_NONE;
}

/* The GUID of the document: given, or made here and put into the details. */
static enum fault
submit_guid(struct ask *a, json_t *details, struct wire_document_id *id)
{
	const char *given = json_string_value(json_object_get(details, "document_guid"));
	char text[GUID_TEXT_SIZE];

	if (given && *given && !guid_parse_lenient(&id->guid, given))
		return ask_wrong(a, FAULT_FIELD_VALUE, "document_guid");
	if ((!given || !*given) && !guid_random(&id->guid))
		return FAULT_INTERNAL;
	guid_format(&id->guid, text);
	json_object_set_new(details, "document_guid", json_string(text));
	return FAULT_NONE;
}

static const char *
detail_text(const json_t *details, const char *key)
{
	return json_string_value(json_object_get(details, key));
}

static enum fault
submit(struct ask *a, struct store_submission *s, json_t *details, int64_t *id)
{
	char *text = json_dumps(details, JSON_COMPACT);

	if (!text)
		return FAULT_INTERNAL;
	s->details = (struct store_bytes){.data = text, .size = strlen(text)};
	s->id.number = detail_text(details, "number");
	s->id.date = detail_text(details, "date");
	s->id.uri_register = detail_text(details, "uri_register");
	s->id.uri_sequence = detail_text(details, "uri_sequence");
	s->id.uri_date = detail_text(details, "uri_date");
	s->kind = detail_text(details, "kind");
	s->about = detail_text(details, "about");
	enum fault f = store_batch(a->role);
	if (!f)
		f = a->role->backend->submit(a->role->store, s, id);
	free(text);
	return f;
}

static enum fault
verb_submit(struct ask *a)
{
	struct store_submission s = {.by = ask_text(a, "by"), .fds = a->frame->fds, .count = a->frame->nfds};
	json_t *details = json_object_get(a->in, "document");
	uint64_t sizes[IPC_FRAME_FDS];
	char guid[GUID_TEXT_SIZE];
	int64_t id = 0;

	if (!json_is_object(details))
		return ask_wrong(a, FAULT_FIELD_MISSING, "document");
	s.sizes = sizes;
	enum fault f = submit_parties(a, &s);
	f = f ? f : submit_attachments(a, details, sizes);
	f = f ? f : submit_guid(a, details, &s.id);
	f = f ? f : submit(a, &s, details, &id);
	if (f)
		return f;
	guid_format(&s.id.guid, guid);
	json_object_set_new(a->out, "document", json_string(guid));
	json_object_set_new(a->out, "id", json_integer(id));
	return FAULT_NONE;
}

static const struct {
	const char *name;
	verb_fn run;
} verbs[] = {
	{"submit", verb_submit},
	{"document.list", verb_list},
	{"document.show", verb_show},
	{"document.status", verb_status},
	{"document.body", verb_body},
	{"queue.list", verb_queue},
	{"queue.retry", verb_queue_change},
	{"queue.hold", verb_queue_change},
	{"queue.release", verb_queue_change},
	{"queue.drop", verb_queue_change},
	{"maintenance", verb_maintenance},
	{"backup.begin", verb_backup_begin},
	{"backup.state", verb_backup_state},
	{"backup.take", verb_backup_take},
	{"evidence.check", verb_evidence_check},
	{"evidence.body", verb_evidence_body},
	{"evidence.export", verb_evidence_export},
	{"evidence.note", verb_evidence_note},
	{"evidence.archive", verb_evidence_archive},
};

static enum fault
run_verb(struct ask *a)
{
	const char *name = ask_text(a, "verb");

	for (size_t i = 0; name && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return verbs[i].run(a);
	return ask_wrong(a, FAULT_USAGE, name ? name : "verb");
}

void
store_on_query(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ask a = {.role = self->state, .in = wire_get_json(f), .frame = f, .fd = -1};
	enum fault fault = FAULT_USAGE;

	a.out = json_object();
	if (a.in)
		fault = run_verb(&a);
	if (fault) {
		json_decref(a.out);
		a.out = store_json_fault(fault, a.detail[0] ? a.detail : NULL);
	} else {
		json_object_set_new(a.out, "ok", json_true());
	}
	json_decref(a.in);
	outbox_add_json(a.role, from, f->id, a.out, &a.fd, a.fd >= 0);
}

static json_t *
states_json(const struct store_figures *f, enum direction d)
{
	json_t *o = json_object();

	for (unsigned s = STATE_NONE + 1; s < STATE_COUNT; s++)
		if (f->documents[d][s])
			json_object_set_new(o, state_name((enum document_state)s),
			    json_integer((json_int_t)f->documents[d][s]));
	return o;
}

json_t *
store_status(struct self *self)
{
	struct store_role *r = self->state;
	const struct store_counts *c = &r->counts;
	struct store_figures f;
	json_t *o = json_object();
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"received", c->received}, {"repeated", c->repeated}, {"refused", c->refused},
		{"temporary", c->temporary}, {"composed", c->composed}, {"answered", c->answered},
		{"undelivered", c->undelivered}, {"batches", c->batches}, {"batched", c->batched},
		{"commits_failed", c->commits_failed}, {"under_way", r->under_way},
	};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		json_object_set_new(o, numbers[i].key, json_integer((json_int_t)numbers[i].value));
	json_object_set_new(o, "commit", histogram_json(&r->commit));
	json_object_set_new(o, "troubled", json_boolean(r->troubled));
	json_object_set_new(o, "maintenance", maintenance_status(r));
	if (r->backend->figures(r->store, &f))
		return o;
	json_object_set_new(o, "in", states_json(&f, DIRECTION_IN));
	json_object_set_new(o, "out", states_json(&f, DIRECTION_OUT));
	json_object_set_new(o, "refused_kept", json_integer((json_int_t)f.refused));
	json_object_set_new(o, "disk_free", json_integer((json_int_t)f.disk_free));
	json_object_set_new(o, "oldest_seconds", json_integer(f.oldest == WHEN_NONE ? 0 :
	    (when_now() - f.oldest) / WHEN_SECOND));
	json_object_set_new(o, "disk_full", json_boolean(f.full));
	json_object_set_new(o, "journal", journal_status(r, &f));
	json_object_set_new(o, "archive", archive_status(r));
	json_object_set_new(o, "log_pages", json_integer((json_int_t)f.log_pages));
	return o;
}
