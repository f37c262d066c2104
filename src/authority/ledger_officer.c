/* Verbs: officers. */
#include <ctype.h>
#include <string.h>

#include "authority/ledger.h"

static json_t *
officer_json(sqlite3_stmt *q)
{
	json_t *j = json_pack("{s:s, s:s, s:o}", "name", db_text(q, 0), "fingerprint", db_text(q, 1),
	    "roles", rights_json((unsigned)sqlite3_column_int(q, 2)));

	out_moment(j, "added_at", sqlite3_column_int64(q, 3));
	return j;
}

static json_t *
find_officer(struct ledger *l, const char *name)
{
	sqlite3_stmt *q = db_begin(l, "SELECT name, fingerprint, rights, added FROM officer WHERE name = ?",
	    "s", name);

	if (!db_row(l, q))
		return NULL;
	json_t *j = officer_json(q);
	db_end(q);
	return j;
}

enum fault
verb_officer_list(struct call *c)
{
	struct ledger *l = c->ledger;
	json_t *list = out_list(c, "officers");
	sqlite3_stmt *q = db_begin(l, "SELECT name, fingerprint, rights, added FROM officer ORDER BY name", "");

	while (db_row(l, q))
		json_array_append_new(list, officer_json(q));
	return FAULT_NONE;
}

/* 64 hex digits, whatever stands between them: people copy what openssl prints. */
static bool
read_fingerprint(const char *text, char out[65])
{
	size_t n = 0;

	for (; text && *text; text++) {
		if (strchr(": \t", *text))
			continue;
		if (!isxdigit((unsigned char)*text) || n == 64)
			return false;
		out[n++] = (char)tolower((unsigned char)*text);
	}
	out[n] = 0;
	return n == 64;
}

static unsigned
read_roles(const json_t *roles)
{
	unsigned rights = 0;
	size_t i;
	const json_t *item;

	json_array_foreach (roles, i, item) {
		unsigned right = right_by_name(json_string_value(item));
		if (!right)
			return 0;
		rights |= right;
	}
	return rights;
}

/* Adds one, or gives a known one another certificate and other roles. */
enum fault
verb_officer_add(struct call *c)
{
	struct ledger *l = c->ledger;
	const char *name = arg_text(c, "name");
	unsigned rights = read_roles(json_object_get(c->in, "roles"));
	char fingerprint[65];

	if (!name || strlen(name) > 80 || strpbrk(name, "\n\r\t()"))
		return refuse(c, FAULT_ENTRY_FIELD, "name", NULL);
	if (!read_fingerprint(arg_text(c, "fingerprint"), fingerprint))
		return refuse(c, FAULT_ENTRY_FIELD, "fingerprint", NULL);
	if (!rights)
		return refuse(c, FAULT_ENTRY_FIELD, "roles", "officer, registrar, ca-operator, auditor");
	if (db_number(l, 0, "SELECT count(*) FROM officer WHERE fingerprint = ? AND name <> ?", "ss",
	        fingerprint, name) > 0)
		return refuse(c, FAULT_ENTRY_EXISTS, "fingerprint", NULL);
	json_t *before = find_officer(l, name);
	bool ok = db_run(l, "INSERT INTO officer VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
	    " fingerprint = excluded.fingerprint, rights = excluded.rights", "ssii", name, fingerprint,
	    (int64_t)rights, c->now);
	json_t *after = find_officer(l, name);
	ok = ok && history_add(c, "officer", NULL, before, after);
	json_decref(before);
	json_decref(after);
	return ok ? FAULT_NONE : FAULT_LEDGER_FAILED;
}

/* From the console another can always be added; in the pages the last officer must not lock all out. */
enum fault
verb_officer_remove(struct call *c)
{
	struct ledger *l = c->ledger;
	const char *name = arg_text(c, "name");
	json_t *before = name ? find_officer(l, name) : NULL;

	if (!before)
		return refuse(c, FAULT_ENTRY_UNKNOWN, "name", name);
	if (strcmp(c->actor.kind, "console") != 0 &&
	    db_number(l, 0, "SELECT count(*) FROM officer WHERE (rights & ?) AND name <> ?", "is",
	        (int64_t)RIGHT_OFFICER, name) == 0) {
		json_decref(before);
		return FAULT_OFFICER_LAST;
	}
	bool ok = db_run(l, "DELETE FROM officer WHERE name = ?", "s", name) &&
	    history_add(c, "officer", NULL, before, NULL);
	json_decref(before);
	return ok ? FAULT_NONE : FAULT_LEDGER_FAILED;
}
