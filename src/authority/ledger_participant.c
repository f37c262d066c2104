/* Verbs: records of participants, one at a time. */
#include <stdlib.h>
#include <string.h>

#include "authority/ledger.h"
#include "lib/fold.h"
#include "soap/register.h"

#define ZERO_GUID "{00000000-0000-0000-0000-000000000000}"
#define PARENTS_MAX 16 /* steps up a hierarchy; two are the most in use (protocol.md section 7) */

json_t *
participant_record(struct ledger *l, const char *guid)
{
	sqlite3_stmt *q = db_begin(l, "SELECT record FROM participant WHERE guid = ? AND removed = 0", "s",
	    guid);

	if (!db_row(l, q))
		return NULL;
	json_t *j = db_json(q, 0);
	db_end(q);
	return j;
}

/* The moment of a change never goes below that of an earlier one, whatever the clock does: who asks
 * what is new since the newest change he knows must not miss one (section 7, in whole seconds). */
static when
change_moment(struct call *c)
{
	struct ledger *l = c->ledger;

	if (c->now > l->newest)
		l->newest = c->now;
	return l->newest;
}

enum fault
participant_write(struct call *c, const char *guid, json_t *record, bool removed)
{
	struct ledger *l = c->ledger;
	char folded[1024], key[41] = "", date[WHEN_TEXT_SIZE];
	json_t *before = participant_record(l, guid);
	when at = change_moment(c);

	register_date(at, date);
	json_object_set_new(record, "last_change", json_string(date));
	fold_text(record_text(record, "name"), folded, sizeof folded);
	serial_key(record_text(record, "certificate_serial"), key);
	char *xml = record_xml(record), *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	bool ok = xml && text &&
	    db_run(l, "INSERT INTO participant VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (guid) DO UPDATE SET eik = excluded.eik, name = excluded.name,"
	        " folded = excluded.folded, parent = excluded.parent, serial = excluded.serial,"
	        " status = excluded.status, record = excluded.record, xml = excluded.xml,"
	        " changed = excluded.changed, removed = excluded.removed", "sssssssssii", guid,
	        record_text(record, "eik"), record_text(record, "name"), folded,
	        record_text(record, "parent_guid"), key, record_text(record, "status"), text, xml, at,
	        (int64_t)removed) &&
	    history_add(c, "participant", guid, before, removed ? NULL : record);
	free(xml);
	free(text);
	json_decref(before);
	l->stale = true;
	return ok ? FAULT_NONE : FAULT_LEDGER_FAILED;
}

/* The parent must be there, and nobody may be above itself. */
static bool
parent_fits(struct ledger *l, const char *guid, const char *parent)
{
	char at[GUID_TEXT_SIZE];

	snprintf(at, sizeof at, "%s", parent);
	for (int i = 0; i < PARENTS_MAX; i++) {
		if (strcmp(at, ZERO_GUID) == 0)
			return true;
		if (strcmp(at, guid) == 0)
			return false;
		sqlite3_stmt *q = db_begin(l, "SELECT parent FROM participant WHERE guid = ? AND removed = 0",
		    "s", at);
		if (!db_row(l, q))
			return false;
		snprintf(at, sizeof at, "%s", db_text(q, 0));
		db_end(q);
	}
	return false;
}

/* An EIK stands once in the register, except where units of one body share it: below one parent, or
 * one above the other. The register in use has none twice; a slip of the pen is caught. */
static bool
eik_fits(struct ledger *l, const char *guid, const char *eik)
{
	return db_number(l, 0, "SELECT count(*) FROM participant WHERE eik = ? AND guid <> ? AND removed = 0",
	           "ss", eik, guid) == 0;
}

static enum fault
check_neighbours(struct call *c, const char *guid, const json_t *record)
{
	if (!parent_fits(c->ledger, guid, record_text(record, "parent_guid")))
		return refuse(c, FAULT_ENTRY_FIELD, "parent_guid", NULL);
	if (!eik_fits(c->ledger, guid, record_text(record, "eik")))
		return refuse(c, FAULT_ENTRY_EXISTS, "eik", record_text(record, "eik"));
	return FAULT_NONE;
}

enum fault
participant_set(struct call *c, const char *guid, const json_t *fields)
{
	json_t *before = participant_record(c->ledger, guid);
	enum fault f = FAULT_ENTRY_UNKNOWN;
	json_t *after = before ? record_with(c, before, fields, &f) : NULL;

	if (after && strcmp(record_text(after, "guid"), guid) != 0)
		f = refuse(c, FAULT_ENTRY_FIELD, "guid", NULL);
	if (after && !f)
		f = check_neighbours(c, guid, after);
	if (after && !f && !json_equal(before, after))
		f = participant_write(c, guid, after, false);
	json_decref(before);
	json_decref(after);
	return f;
}

/* ---- reading ---- */

static json_t *
list_item(sqlite3_stmt *q)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s}", "guid", db_text(q, 0), "name", db_text(q, 1),
	    "eik", db_text(q, 2), "status", db_text(q, 3), "parent_guid", db_text(q, 4));

	out_moment(j, "last_change", sqlite3_column_int64(q, 5));
	return j;
}

#define LIST_WHERE " FROM participant WHERE removed = 0 AND (?1 = '' OR instr(folded, ?1) OR" \
	" instr(eik, ?1) OR instr(guid, ?1)) AND (?2 = '' OR status = ?2)"

enum fault
verb_participant_list(struct call *c)
{
	struct ledger *l = c->ledger;
	const char *text = arg_text(c, "query"), *status = arg_text(c, "status");
	int64_t limit = arg_number(c, "limit", 50), offset = arg_number(c, "offset", 0);
	char folded[256] = "";
	json_t *list = out_list(c, "participants");

	if (text)
		fold_text(text, folded, sizeof folded);
	if (!status)
		status = "";
	if (limit < 1 || limit > LEDGER_LIST_MAX)
		limit = LEDGER_LIST_MAX;
	sqlite3_stmt *q = db_begin(l, "SELECT guid, name, eik, status, parent, changed" LIST_WHERE
	    " ORDER BY folded, guid LIMIT ?3 OFFSET ?4", "ssii", folded, status, limit, offset);
	while (db_row(l, q))
		json_array_append_new(list, list_item(q));
	json_object_set_new(c->out, "total", json_integer(db_number(l, 0, "SELECT count(*)" LIST_WHERE,
	    "ss", folded, status)));
	return FAULT_NONE;
}

/* The record as it was at a moment, from the history; NULL when there was none. */
static json_t *
record_at(struct ledger *l, const char *guid, when at)
{
	sqlite3_stmt *q = db_begin(l, "SELECT after FROM history WHERE guid = ? AND about = 'participant'"
	    " AND time <= ? ORDER BY number DESC LIMIT 1", "si", guid, at);

	if (!db_row(l, q))
		return NULL;
	json_t *j = *db_text(q, 0) ? db_json(q, 0) : NULL;
	db_end(q);
	return j;
}

/* What anybody in the network may know of another. */
static json_t *
public_part(const json_t *record)
{
	static const char *const keys[] = {"guid", "name", "eik", "status", "parent_guid", "last_change"};
	json_t *j = json_object();

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set(j, keys[i], json_object_get(record, keys[i]));
	return j;
}

static void
add_parent_name(struct ledger *l, json_t *record)
{
	json_t *parent = participant_record(l, record_text(record, "parent_guid"));

	json_object_set_new(record, "parent_name", json_string(record_text(parent, "name")));
	json_decref(parent);
}

enum fault
verb_participant_show(struct call *c)
{
	struct ledger *l = c->ledger;
	const char *at_text = arg_text(c, "at");
	char guid[GUID_TEXT_SIZE];
	when at = WHEN_NONE;

	if (!arg_guid(c, "guid", guid))
		return FAULT_ENTRY_FIELD;
	if (at_text && !when_parse(&at, at_text, strlen(at_text)))
		return refuse(c, FAULT_ENTRY_FIELD, "at", at_text);
	bool own = actor_owns(l, &c->actor, guid);
	if (at_text && !own)
		return FAULT_NOT_PERMITTED;
	json_t *record = at_text ? record_at(l, guid, at) : participant_record(l, guid);
	if (!record)
		return refuse(c, FAULT_ENTRY_UNKNOWN, NULL, guid);
	json_t *shown = own ? json_incref(record) : public_part(record);
	add_parent_name(l, shown);
	json_object_set_new(c->out, "participant", shown);
	json_object_set_new(c->out, "own", json_boolean(own));
	json_object_set_new(c->out, "public", json_boolean(!own));
	json_decref(record);
	return FAULT_NONE;
}

/* ---- changing ---- */

enum fault
verb_participant_add(struct call *c)
{
	struct ledger *l = c->ledger;
	json_t *from = json_object_get(c->in, "record");
	char guid[GUID_TEXT_SIZE];
	struct guid g;
	enum fault f;

	if (json_is_object(from) && !*record_text(from, "guid")) {
		if (!guid_random(&g))
			return FAULT_LEDGER_FAILED;
		guid_format(&g, guid);
		json_object_set_new(from, "guid", json_string(guid));
	}
	json_t *record = record_with(c, NULL, from, &f);
	if (!record)
		return f;
	snprintf(guid, sizeof guid, "%s", record_text(record, "guid"));
	if (db_number(l, 0, "SELECT count(*) FROM participant WHERE guid = ?", "s", guid) > 0)
		f = refuse(c, FAULT_ENTRY_EXISTS, "guid", guid);
	else if (!(f = check_neighbours(c, guid, record)))
		f = participant_write(c, guid, record, false);
	json_object_set_new(c->out, "guid", json_string(guid));
	json_decref(record);
	return f;
}

/* A participant itself: contact, address, and a pause; what says who it is takes a request. */
static enum fault
check_own(struct call *c, const char *guid, const json_t *fields)
{
	const char *key, *status = record_text(fields, "status");
	const json_t *value;

	if (!actor_owns(c->ledger, &c->actor, guid))
		return FAULT_NOT_PERMITTED;
	json_object_foreach ((json_t *)fields, key, value) {
		if (field_is_identity(key))
			return refuse(c, FAULT_NEEDS_REQUEST, key, NULL);
		if (!field_is_own(key))
			return refuse(c, FAULT_NOT_PERMITTED, NULL, key);
	}
	json_t *record = participant_record(c->ledger, guid);
	bool inactive = strcmp(record_text(record, "status"), "Inactive") == 0;
	json_decref(record);
	/* The authority activates and ends; a participant pauses and comes back. */
	if (*status && (inactive || strcmp(status, "Inactive") == 0))
		return refuse(c, FAULT_NOT_PERMITTED, "status", status);
	return FAULT_NONE;
}

enum fault
verb_participant_change(struct call *c)
{
	const json_t *fields = json_object_get(c->in, "fields");
	char guid[GUID_TEXT_SIZE];
	enum fault f = FAULT_NONE;

	if (!arg_guid(c, "guid", guid) || !json_is_object(fields))
		return refuse(c, FAULT_ENTRY_FIELD, "fields", NULL);
	if (!(c->actor.rights & (RIGHT_OFFICER | RIGHT_REGISTRAR)))
		f = check_own(c, guid, fields);
	return f ? f : participant_set(c, guid, fields);
}

/* What was removed stays as an inactive entry, for those who ask what is new: nobody else would tell
 * them that it is gone. */
enum fault
verb_participant_remove(struct call *c)
{
	struct ledger *l = c->ledger;
	char guid[GUID_TEXT_SIZE];
	json_t *s;
	size_t i;

	if (!arg_guid(c, "guid", guid))
		return FAULT_ENTRY_FIELD;
	if (!arg_text(c, "reason"))
		return refuse(c, FAULT_REASON_NEEDED, "reason", NULL);
	if (db_number(l, 0, "SELECT count(*) FROM participant WHERE parent = ? AND removed = 0", "s", guid) > 0)
		return refuse(c, FAULT_ENTRY_CHILDREN, NULL, guid);
	json_t *record = participant_record(l, guid);
	if (!record)
		return refuse(c, FAULT_ENTRY_UNKNOWN, NULL, guid);
	json_object_set_new(record, "status", json_string("Inactive"));
	json_array_foreach (json_object_get(record, "services"), i, s)
		json_object_set_new(s, "status", json_string("Inactive"));
	enum fault f = participant_write(c, guid, record, true);
	json_decref(record);
	return f;
}
