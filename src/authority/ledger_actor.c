/* Who asks. Desk passes only what the TLS handshake proved; the ledger knows whose it is. */
#include <ctype.h>
#include <string.h>

#include "authority/ledger.h"

static const struct {
	const char *name;
	unsigned right;
} officer_rights[] = {{"officer", RIGHT_OFFICER}, {"registrar", RIGHT_REGISTRAR},
    {"ca-operator", RIGHT_CA}, {"auditor", RIGHT_AUDITOR}};

#define OFFICER_RIGHTS (sizeof officer_rights / sizeof *officer_rights)

unsigned
right_by_name(const char *name)
{
	for (size_t i = 0; name && i < OFFICER_RIGHTS; i++) {
		if (strcmp(officer_rights[i].name, name) == 0)
			return officer_rights[i].right;
	}
	return 0;
}

json_t *
rights_json(unsigned rights)
{
	json_t *list = json_array();

	for (size_t i = 0; i < OFFICER_RIGHTS; i++) {
		if (rights & officer_rights[i].right)
			json_array_append_new(list, json_string(officer_rights[i].name));
	}
	return list;
}

static const char *
said_text(const json_t *said, const char *key)
{
	const char *s = json_string_value(json_object_get(said, key));

	return s ? s : "";
}

/* A name as it may stand in the history: cut, on one line. */
static void
set_name(struct actor *a, const char *name)
{
	snprintf(a->name, sizeof a->name, "%.100s", *name ? name : "?");
	for (char *s = a->name; *s; s++) {
		if (iscntrl((unsigned char)*s))
			*s = ' ';
	}
	snprintf(a->person, sizeof a->person, "%.79s", a->name);
}

static bool
find_officer(struct ledger *l, struct actor *a)
{
	sqlite3_stmt *q = db_begin(l, "SELECT name, rights FROM officer WHERE fingerprint = ?", "s",
	    a->fingerprint);

	if (!db_row(l, q))
		return false;
	a->kind = "officer";
	a->rights = (unsigned)sqlite3_column_int(q, 1) & RIGHT_STAFF;
	set_name(a, db_text(q, 0));
	db_end(q);
	return true;
}

/* A certificate that the register shows. */
static bool
is_participant(struct ledger *l, const struct actor *a)
{
	return db_number(l, 0, "SELECT count(*) FROM participant WHERE serial = ? AND removed = 0", "s",
	           a->serial) > 0;
}

static bool
is_revoked(struct ledger *l, const struct actor *a)
{
	return db_number(l, 0, "SELECT count(*) FROM certificate WHERE fingerprint = ?"
	           " AND state = 'revoked'", "s", a->fingerprint) > 0;
}

static bool
from_certificate(struct ledger *l, const json_t *said, struct actor *a)
{
	snprintf(a->fingerprint, sizeof a->fingerprint, "%s", said_text(said, "fingerprint"));
	if (strlen(a->fingerprint) != 64 || !serial_key(said_text(said, "serial"), a->serial))
		return false;
	set_name(a, said_text(said, "name"));
	if (is_revoked(l, a) || find_officer(l, a))
		return true;
	if (is_participant(l, a)) {
		a->kind = "participant";
		a->rights = RIGHT_PARTICIPANT;
	}
	return true;
}

/* A person on the machine: as an officer when named, otherwise with all rights, because whoever gets
 * at the socket gets at the database. */
static bool
from_console(struct ledger *l, const json_t *said, struct actor *a)
{
	const char *as = said_text(said, "as");
	long long uid = json_integer_value(json_object_get(said, "uid"));

	a->kind = "console";
	a->rights = RIGHT_STAFF;
	snprintf(a->name, sizeof a->name, "console (uid %lld)", uid);
	snprintf(a->person, sizeof a->person, "console %lld", uid);
	if (!*as)
		return true;
	int64_t rights = db_number(l, 0, "SELECT rights FROM officer WHERE name = ?", "s", as);
	a->rights = (unsigned)rights & RIGHT_STAFF;
	snprintf(a->name, sizeof a->name, "%.100s (console, uid %lld)", as, uid);
	return true;
}

static bool
from_itself(struct actor *a, const char *kind, unsigned right)
{
	a->kind = kind;
	a->rights = right;
	set_name(a, kind);
	return true;
}

bool
actor_find(struct ledger *l, unsigned from, const json_t *said, struct actor *a)
{
	const char *kind = said_text(said, "kind");
	bool ok = false;

	*a = (struct actor){.kind = "unknown"};
	if (strcmp(kind, "certificate") == 0 && (from == ROLE_DESK || from == ROLE_RA))
		ok = from_certificate(l, said, a);
	else if (strcmp(kind, "console") == 0 && (from == ROLE_CONTROL || from == ROLE_RA))
		ok = from_console(l, said, a);
	else if (strcmp(kind, "ra") == 0 && from == ROLE_RA)
		ok = from_itself(a, "ra", RIGHT_RA);
	else if (strcmp(kind, "desk") == 0 && from == ROLE_DESK)
		ok = from_itself(a, "desk", RIGHT_DESK);
	a->rights |= RIGHT_ANYBODY;
	return ok;
}

bool
actor_owns(struct ledger *l, const struct actor *a, const char *guid)
{
	if (a->rights & (RIGHT_STAFF | RIGHT_RA))
		return true;
	if (!(a->rights & RIGHT_PARTICIPANT))
		return false;
	return db_number(l, 0, "SELECT count(*) FROM participant WHERE guid = ? AND serial = ? AND removed = 0",
	           "ss", guid, a->serial) > 0;
}

static void
list_own(struct call *c, json_t *list)
{
	struct ledger *l = c->ledger;
	sqlite3_stmt *q = db_begin(l, "SELECT guid, name, eik FROM participant WHERE removed = 0 AND"
	    " serial = ? ORDER BY folded", "s", c->actor.serial);

	while (db_row(l, q))
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "guid", db_text(q, 0), "name",
		    db_text(q, 1), "eik", db_text(q, 2)));
}

enum fault
verb_whoami(struct call *c)
{
	json_t *list = out_list(c, "participants");

	json_object_set_new(c->out, "kind", json_string(c->actor.kind));
	json_object_set_new(c->out, "name", json_string(c->actor.name));
	json_object_set_new(c->out, "roles", rights_json(c->actor.rights));
	if (c->actor.rights & RIGHT_PARTICIPANT && *c->actor.serial)
		list_own(c, list);
	return FAULT_NONE;
}
