/* Verbs: what participants ask the authority to change. */
#include <stdlib.h>
#include <string.h>

#include "authority/ledger.h"

#define ROWS "SELECT r.id, r.guid, p.name, r.state, r.fields, r.before, r.reason, r.asked," \
	" r.asked_by, r.decided, r.decided_by, r.decision" \
	" FROM request r LEFT JOIN participant p ON p.guid = r.guid"

static json_t *
row_json(sqlite3_stmt *q)
{
	json_t *j = json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:s}", "id",
	    (json_int_t)sqlite3_column_int64(q, 0), "guid", db_text(q, 1), "name", db_text(q, 2), "state",
	    db_text(q, 3), "fields", db_json(q, 4), "before", db_json(q, 5), "reason", db_text(q, 6),
	    "asked_by", db_text(q, 8), "decided_by", db_text(q, 10), "decision_reason", db_text(q, 11));

	out_moment(j, "asked_at", sqlite3_column_int64(q, 7));
	out_moment(j, "decided_at", sqlite3_column_int64(q, 9));
	return j;
}

/* Only the fields that it asks to change, as they are. */
static json_t *
fields_before(const json_t *record, const json_t *fields)
{
	json_t *j = json_object();
	const char *key;
	const json_t *value;

	json_object_foreach ((json_t *)fields, key, value) {
		json_t *is = json_object_get(record, key);
		json_object_set_new(j, key, is ? json_incref(is) : json_string(""));
	}
	return j;
}

static enum fault
check_asked(struct call *c, const char *guid, const json_t *fields)
{
	const char *key;
	const json_t *value;

	if (!actor_owns(c->ledger, &c->actor, guid))
		return FAULT_NOT_PERMITTED;
	if (!arg_text(c, "reason"))
		return refuse(c, FAULT_REASON_NEEDED, "reason", NULL);
	json_object_foreach ((json_t *)fields, key, value) {
		if (!field_is_identity(key))
			return refuse(c, FAULT_ENTRY_FIELD, key, NULL);
	}
	return json_object_size(fields) ? FAULT_NONE : refuse(c, FAULT_ENTRY_FIELD, "fields", NULL);
}

enum fault
verb_change_request(struct call *c)
{
	struct ledger *l = c->ledger;
	json_t *fields = json_object_get(c->in, "fields");
	char guid[GUID_TEXT_SIZE];
	enum fault f;

	if (!arg_guid(c, "guid", guid))
		return FAULT_ENTRY_FIELD;
	if ((f = check_asked(c, guid, fields)))
		return f;
	json_t *record = participant_record(l, guid);
	json_t *after = record ? record_with(c, record, fields, &f) : NULL;
	if (!after) {
		json_decref(record);
		return record ? f : FAULT_ENTRY_UNKNOWN;
	}
	json_t *before = fields_before(record, fields);
	char *asked = json_dumps(fields, JSON_COMPACT), *was = json_dumps(before, JSON_COMPACT);
	bool ok = asked && was && db_run(l, "INSERT INTO request (guid, fields, before, reason, state, asked,"
	    " asked_by) VALUES (?, ?, ?, ?, 'open', ?, ?)", "ssssis", guid, asked, was,
	    arg_text(c, "reason"), c->now, c->actor.name);
	json_object_set_new(c->out, "id", json_integer(sqlite3_last_insert_rowid(l->db)));
	ok = ok && history_add(c, "request", guid, before, fields);
	free(asked);
	free(was);
	json_decref(before);
	json_decref(after);
	json_decref(record);
	return ok ? FAULT_NONE : FAULT_LEDGER_FAILED;
}

/* Staff sees all; a participant its own. */
enum fault
verb_request_list(struct call *c)
{
	struct ledger *l = c->ledger;
	const char *state = arg_text(c, "state"), *guid = arg_text(c, "guid");
	int64_t limit = arg_number(c, "limit", 50), offset = arg_number(c, "offset", 0), total = 0;
	json_t *list = out_list(c, "requests");
	sqlite3_stmt *q = db_begin(l, ROWS " WHERE (?1 = '' OR r.state = ?1) AND (?2 = '' OR r.guid = ?2)"
	    " ORDER BY r.id DESC", "ss", state ? state : "", guid ? guid : "");

	if (limit < 1 || limit > LEDGER_LIST_MAX)
		limit = LEDGER_LIST_MAX;
	while (db_row(l, q)) {
		if (!actor_owns(l, &c->actor, db_text(q, 1)))
			continue;
		if (total >= offset && total < offset + limit)
			json_array_append_new(list, row_json(q));
		total++;
	}
	json_object_set_new(c->out, "total", json_integer(total));
	return FAULT_NONE;
}

/* A new reference, or NULL: there is none, or it is another's. */
static json_t *
find_request(struct call *c)
{
	struct ledger *l = c->ledger;
	sqlite3_stmt *q = db_begin(l, ROWS " WHERE r.id = ?", "i", arg_number(c, "id", 0));

	if (!db_row(l, q))
		return NULL;
	json_t *j = row_json(q);
	db_end(q);
	if (actor_owns(l, &c->actor, record_text(j, "guid")))
		return j;
	json_decref(j);
	return NULL;
}

enum fault
verb_request_show(struct call *c)
{
	json_t *j = find_request(c);

	if (!j)
		return FAULT_ENTRY_UNKNOWN;
	json_object_set_new(c->out, "request", j);
	return FAULT_NONE;
}

static enum fault
decide(struct call *c, const char *state, bool apply)
{
	json_t *r = find_request(c);
	const char *reason = arg_text(c, "reason"), *guid = record_text(r, "guid");
	enum fault f = FAULT_NONE;

	if (!r)
		return FAULT_ENTRY_UNKNOWN;
	if (strcmp(record_text(r, "state"), "open") != 0)
		f = refuse(c, FAULT_REQUEST_DECIDED, NULL, record_text(r, "state"));
	else if (!apply && !reason)
		f = refuse(c, FAULT_REASON_NEEDED, "reason", NULL);
	else if (!db_run(c->ledger, "UPDATE request SET state = ?, decided = ?, decided_by = ?, decision = ?"
	    " WHERE id = ?", "sissi", state, c->now, c->actor.name, reason, arg_number(c, "id", 0)))
		f = FAULT_LEDGER_FAILED;
	else if (apply)
		f = participant_set(c, guid, json_object_get(r, "fields"));
	else if (!history_add(c, "request", guid, json_object_get(r, "fields"), NULL))
		f = FAULT_LEDGER_FAILED;
	json_decref(r);
	return f;
}

enum fault
verb_request_approve(struct call *c)
{
	return decide(c, "approved", true);
}

enum fault
verb_request_refuse(struct call *c)
{
	return decide(c, "refused", false);
}
