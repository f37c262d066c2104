/* Tables, transactions, what ca is asked and answers. */
#include "authority/certificates_internal.h"

#include "lib/log.h"

/* A request ends as issued or refused; a certificate as revoked or by its date. State is text so
 * that the database can be read with sqlite3 alone. */
const char certificates_tables[] =
    "CREATE TABLE certificate_request (id INTEGER PRIMARY KEY, guid TEXT NOT NULL, name TEXT NOT "
    "NULL,"
    " eik TEXT NOT NULL, key BLOB NOT NULL, key_id BLOB NOT NULL, ignored TEXT NOT NULL, via TEXT "
    "NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('requested','approved','issued','refused')),"
    " asked_at TEXT NOT NULL, asked_by TEXT NOT NULL, renewal_of TEXT, refusal_reason TEXT, serial "
    "TEXT)"
    " STRICT;"
    "CREATE INDEX certificate_request_state ON certificate_request (state);"
    "CREATE INDEX certificate_request_key ON certificate_request (key_id);"
    "CREATE INDEX certificate_request_guid ON certificate_request (guid);"
    "CREATE TABLE certificate_approval (request INTEGER NOT NULL, by TEXT NOT NULL, time TEXT NOT "
    "NULL,"
    " PRIMARY KEY (request, by)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE certificate (serial TEXT PRIMARY KEY, guid TEXT NOT NULL, request INTEGER,"
    " der BLOB NOT NULL, fingerprint TEXT NOT NULL UNIQUE, key_id BLOB NOT NULL, subject TEXT NOT "
    "NULL,"
    " key TEXT NOT NULL, not_before TEXT NOT NULL, not_after TEXT NOT NULL, ends INTEGER NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('issued','revoked')), external INTEGER NOT NULL,"
    " confirmed INTEGER NOT NULL DEFAULT 0, added_at TEXT NOT NULL, revoked INTEGER, revoked_at "
    "TEXT,"
    " revocation_reason TEXT) STRICT;"
    "CREATE INDEX certificate_guid ON certificate (guid);"
    "CREATE INDEX certificate_key ON certificate (key_id);"
    "CREATE INDEX certificate_state ON certificate (state);"
    "CREATE TABLE reference (reference TEXT PRIMARY KEY, guid TEXT NOT NULL, secret BLOB, expires "
    "INTEGER NOT"
    " NULL, request INTEGER, used INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, created_by "
    "TEXT NOT"
    " NULL) STRICT;"
    "CREATE TABLE cmp_transaction (id BLOB PRIMARY KEY, request INTEGER NOT NULL, message BLOB NOT "
    "NULL,"
    " nonce BLOB, reference TEXT, sender TEXT, updated INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE crl (number INTEGER PRIMARY KEY, der BLOB NOT NULL, made INTEGER NOT NULL, until "
    "INTEGER NOT"
    " NULL, revoked INTEGER NOT NULL) STRICT;";

bool
certificates_create(sqlite3 *db)
{
	if (sqlite3_exec(db, certificates_tables, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	log_error("ledger.create", "reason=\"%s\"", sqlite3_errmsg(db));
	return false;
}

void
certificates_free(struct certificates *c)
{
	json_decref(c->ca);
	json_decref(c->cmp);
	c->ca = c->cmp = NULL;
}

json_t *
certificates_refusal(enum fault f, const char *detail)
{
	return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "fault", fault_code(f), "code",
			 fault_code(f), "detail", detail ? detail : "");
}

bool
certificates_begin(struct certificates *c, bool *own)
{
	*own = sqlite3_get_autocommit(c->db);
	return !*own || sql_run(c->db, "BEGIN IMMEDIATE", "");
}

json_t *
certificates_end(struct certificates *c, bool own, json_t *answer)
{
	if (!own)
		return answer;
	if (json_is_true(json_object_get(answer, "ok")) && sql_run(c->db, "COMMIT", ""))
		return answer;
	sql_run(c->db, "ROLLBACK", "");
	if (answer && !json_is_true(json_object_get(answer, "ok")))
		return answer;
	json_decref(answer);
	return certificates_refusal(FAULT_INTERNAL, "database");
}

void
certificates_now(char out[WHEN_TEXT_SIZE])
{
	when_format(when_now(), out);
}

/* -- what ca makes */

void
certificates_issue(struct certificates *c, int64_t id)
{
	json_t *r =
	    sql_row(c->db,
		    "SELECT guid, name, eik, key FROM certificate_request WHERE id = ? AND state ="
		    " 'approved'",
		    "i", id);
	json_t *p = r ? c->participant(c->arg, json_text(r, "guid")) : NULL;
	char organisation[CERTIFY_NAME_MAX + 1], place[CERTIFY_NAME_MAX + 1];

	if (p) {
		certify_latin(json_text(p, "name"), organisation);
		certify_latin(json_text(p, "place"), place);
		json_t *q =
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "verb", "issue", "name",
			      json_text(r, "name"), "eik", json_text(p, "eik"), "organisation",
			      organisation, "unit", organisation, "place", place, "email",
			      json_text(p, "email"), "key", json_text(r, "key"));
		if (q)
			c->ask_ca(c->arg, q, id);
	}
	json_decref(p);
	json_decref(r);
}

static when
moment(const json_t *c, const char *key)
{
	const char *text = json_text(c, key);
	when w;

	return when_parse(&w, text, strlen(text)) ? w : 0;
}

bool
certificates_insert(struct certificates *c, const char *guid, int64_t request, const json_t *x,
		    bool external)
{
	char now[WHEN_TEXT_SIZE];
	struct buf der = {0};
	bool ok = json_get_base64(x, "der", &der);
	sqlite3_stmt *s = NULL;

	certificates_now(now);
	ok =
	    ok &&
	    sql_run(
		c->db,
		"INSERT INTO certificate (serial, guid, request, der, fingerprint, key_id, subject,"
		" key, not_before, not_after, ends, state, external, added_at) VALUES"
		" (?, ?, nullif(?, 0), x'', ?, ?, ?, ?, ?, ?, ?, 'issued', ?, ?)",
		"ssishssssiis", json_text(x, "serial"), guid, request, json_text(x, "fingerprint"),
		json_text(x, "key_id"), json_text(x, "subject"), json_text(x, "key"),
		json_text(x, "not_before"), json_text(x, "not_after"),
		(int64_t)moment(x, "not_after"), (int64_t)external, now);
	ok = ok &&
	     sqlite3_prepare_v2(c->db, "UPDATE certificate SET der = ? WHERE serial = ?", -1, &s,
				NULL) == SQLITE_OK &&
	     sqlite3_bind_blob(s, 1, der.data, (int)der.len, SQLITE_STATIC) == SQLITE_OK &&
	     sqlite3_bind_text(s, 2, json_text(x, "serial"), -1, SQLITE_STATIC) == SQLITE_OK &&
	     sqlite3_step(s) == SQLITE_DONE;
	sqlite3_finalize(s);
	buf_free(&der);
	return ok;
}

static json_t *
short_form(const json_t *x)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "serial", json_text(x, "serial"), "fingerprint",
			 json_text(x, "fingerprint"), "not_after", json_text(x, "not_after"),
			 "subject", json_text(x, "subject"));
}

/* A first certificate is what the register shows from now on; a later one when its owner says so,
 * because peers compare the serial with the register and the owner's node must switch at that
 * moment. */
static bool
first_serial(struct certificates *c, const char *guid, const char *serial)
{
	json_t *p = c->participant(c->arg, guid);
	bool first = p && !*json_text(p, "certificate_serial");

	json_decref(p);
	return !first || c->set_serial(c->arg, guid, serial, "ca");
}

static void
record_issued(struct certificates *c, int64_t id, const json_t *x)
{
	bool own;
	json_t *r = sql_row(
	    c->db, "SELECT guid FROM certificate_request WHERE id = ? AND state = 'approved'", "i",
	    id);
	const char *guid = json_text(r, "guid"), *serial = json_text(x, "serial");
	json_t *after = short_form(x);

	/* Not approved any more: answered twice, after a new start. The other one is what counts.
	 */
	if (r && certificates_begin(c, &own)) {
		bool ok =
		    certificates_insert(c, guid, id, x, false) &&
		    sql_run(
			c->db,
			"UPDATE certificate_request SET state = 'issued', serial = ? WHERE id = ?",
			"si", serial, id) &&
		    c->history(c->arg, "ca", "certificate-issue", guid, NULL, after, NULL) &&
		    first_serial(c, guid, serial);
		json_decref(certificates_end(c, own, json_pack("{s:b}", "ok", ok)));
	}
	json_decref(after);
	json_decref(r);
}

void
certificates_from_ca(struct certificates *c, int64_t context, const json_t *answer, when now)
{
	bool ok = json_is_true(json_object_get(answer, "ok"));

	if (context == CONTEXT_CRL)
		c->listing = false;
	if (!ok) {
		log_error("ledger.ca", "context=%lld detail=\"%s\"", (long long)context,
			  answer ? json_text(answer, "detail") : "silent");
		return;
	}
	if (context == CONTEXT_SERVICES) {
		certificates_free(c);
		c->ca = json_incref(json_object_get(answer, "ca"));
		c->cmp = json_incref(json_object_get(answer, "cmp"));
	} else if (context == CONTEXT_CRL) {
		certificates_keep_list(c, answer, now);
	} else {
		record_issued(c, context, json_object_get(answer, "certificate"));
	}
}

void
certificates_tick(struct certificates *c, when now)
{
	json_t *rows = sql_rows(c->db,
				"SELECT id FROM certificate_request WHERE state = 'approved'", ""),
	       *row;
	size_t i;

	c->ask_ca(c->arg, json_pack("{s:s}", "verb", "services"), CONTEXT_SERVICES);
	json_array_foreach(rows, i, row)
	    certificates_issue(c, json_integer_value(json_object_get(row, "id")));
	json_decref(rows);
	if (sql_number(c->db, 0, "SELECT max(made) FROM crl", "") +
		(int64_t)c->policy.crl_interval * WHEN_SECOND <=
	    now)
		certificates_list_anew(c, now);
	/* Secrets that nobody may use any more, transactions that nobody goes on with. */
	sql_run(
	    c->db,
	    "UPDATE reference SET secret = NULL WHERE secret IS NOT NULL AND expires < ? AND used",
	    "i", (int64_t)now);
	sql_run(c->db, "DELETE FROM cmp_transaction WHERE updated < ?", "i",
		(int64_t)(now - (when)90 * 86400 * WHEN_SECOND));
}
