/* Requests and certificates as people, pages and the CLI see them. */
#include <openssl/pem.h>
#include <stdlib.h>

#include "authority/certificates_internal.h"

#define LIST_MAX 500

static int64_t
approvals_needed(const struct certificates *c)
{
	return c->policy.two_person ? 2 : 1;
}

static json_t *
check_record(struct certificates *c, const json_t *query, const json_t *p)
{
	struct certify_request r;
	char detail[CERTIFY_DETAIL] = "";
	const char *host = json_text(p, "host");

	memset(&r, 0, sizeof r);
	snprintf(r.name, sizeof r.name, "%s", json_text(query, "name"));
	snprintf(r.eik, sizeof r.eik, "%s", json_text(query, "eik"));
	enum fault f = certify_check_assigned(&r, host, json_text(p, "eik"), detail);
	if (!f && !certify_name_valid(host, c->policy.domain, c->policy.kind)) {
		snprintf(detail, sizeof detail, "%s", host);
		f = FAULT_CSR_NAME;
	}
	return f ? certificates_refusal(f, detail) : NULL;
}

/* A key that was certified, or that another request holds, is not taken again. */
static json_t *
check_key(struct certificates *c, const char *key_id)
{
	int64_t known = sql_number(
	    c->db, 0,
	    "SELECT (SELECT count(*) FROM certificate WHERE key_id = ?1) + (SELECT"
	    " count(*) FROM certificate_request WHERE key_id = ?1 AND state <> 'refused')",
	    "h", key_id);

	return known ? certificates_refusal(FAULT_CSR_KEY_USED, NULL) : NULL;
}

static bool
insert_request(struct certificates *c, const char *by, const json_t *q, const json_t *p,
	       const char *renewal_of, const char *state)
{
	char now[WHEN_TEXT_SIZE];
	struct buf key = {0};
	bool ok = json_get_base64(q, "key", &key) && key.len <= CERTIFY_KEY_MAX;
	sqlite3_stmt *s = NULL;

	certificates_now(now);
	ok = ok && sqlite3_prepare_v2(
		       c->db,
		       "INSERT INTO certificate_request (guid, name, eik, key, key_id, ignored,"
		       " via, state, asked_at, asked_by, renewal_of) VALUES (?2, ?3, ?4, ?1, x'', "
		       "?5, ?6, ?7, ?8, ?9, ?10)",
		       -1, &s, NULL) == SQLITE_OK;
	const char *const texts[] = {json_text(p, "guid"),
				     json_text(q, "name"),
				     json_text(p, "eik"),
				     json_text(q, "ignored"),
				     *json_text(q, "via") ? json_text(q, "via") : "cmp",
				     state,
				     now,
				     by,
				     renewal_of};
	ok = ok && sqlite3_bind_blob(s, 1, key.data, (int)key.len, SQLITE_STATIC) == SQLITE_OK;
	for (int i = 0; ok && i < (int)(sizeof texts / sizeof *texts); i++)
		ok = sqlite3_bind_text(s, i + 2, texts[i], -1, SQLITE_STATIC) == SQLITE_OK;
	ok = ok && sqlite3_step(s) == SQLITE_DONE;
	sqlite3_finalize(s);
	buf_free(&key);
	return ok && sql_run(c->db, "UPDATE certificate_request SET key_id = ? WHERE id = ?", "hi",
			     json_text(q, "key_id"), (int64_t)sqlite3_last_insert_rowid(c->db));
}

json_t *
certificates_add_request(struct certificates *c, const char *by, const json_t *query,
			 const char *guid, const char *renewal_of, bool approved)
{
	json_t *p = c->participant(c->arg, guid), *refusal = NULL, *after = NULL;
	const char *state = approved ? "approved" : "requested";

	if (!p)
		return certificates_refusal(FAULT_CSR_NOT_ASSIGNED, guid);
	if (!(refusal = check_record(c, query, p)))
		refusal = check_key(c, json_text(query, "key_id"));
	if (!refusal) {
		bool ok = insert_request(c, by, query, p, renewal_of, state);
		int64_t id = sqlite3_last_insert_rowid(c->db);
		after = json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)id, "name",
				  json_text(query, "name"), "key_id", json_text(query, "key_id"),
				  "state", state);
		ok = ok && c->history(c->arg, by, "certificate-request", guid, NULL, after, NULL);
		refusal =
		    ok ? json_pack("{s:b, s:I, s:s}", "ok", 1, "id", (json_int_t)id, "state", state)
		       : certificates_refusal(FAULT_INTERNAL, "database");
	}
	json_decref(after);
	json_decref(p);
	return refusal;
}

json_t *
certificates_request(struct certificates *c, const char *by, const json_t *query)
{
	const char *guid = json_text(query, "guid");
	json_t *current =
	    sql_row(c->db,
		    "SELECT serial FROM certificate WHERE guid = ? AND state = 'issued' ORDER BY"
		    " ends DESC",
		    "s", guid);
	bool own;

	if (!certificates_begin(c, &own)) {
		json_decref(current);
		return certificates_refusal(FAULT_INTERNAL, "database");
	}
	json_t *answer = certificates_add_request(
	    c, by, query, guid, json_string_value(json_object_get(current, "serial")), false);
	json_decref(current);
	return certificates_end(c, own, answer);
}

static json_t *
open_request(struct certificates *c, const json_t *query)
{
	return sql_row(
	    c->db,
	    "SELECT id, guid, state FROM certificate_request WHERE id = ? AND state = 'requested'",
	    "i", (int64_t)json_integer_value(json_object_get(query, "id")));
}

static json_t *
approve(struct certificates *c, const char *by, int64_t id, const char *guid)
{
	char now[WHEN_TEXT_SIZE];

	if (sql_number(c->db, 0,
		       "SELECT count(*) FROM certificate_approval WHERE request = ? AND by = ?",
		       "is", id, by))
		return certificates_refusal(FAULT_CSR_APPROVED_BY_SAME, by);
	certificates_now(now);
	bool ok =
	    sql_run(c->db, "INSERT INTO certificate_approval VALUES (?, ?, ?)", "iss", id, by, now);
	int64_t n = sql_number(
	    c->db, 0, "SELECT count(*) FROM certificate_approval WHERE request = ?", "i", id);
	const char *state = n >= approvals_needed(c) ? "approved" : "requested";
	json_t *after = json_pack("{s:I, s:I, s:s}", "id", (json_int_t)id, "approvals",
				  (json_int_t)n, "state", state);
	ok = ok &&
	     sql_run(c->db, "UPDATE certificate_request SET state = ? WHERE id = ?", "si", state,
		     id) &&
	     c->history(c->arg, by, "certificate-approve", guid, NULL, after, NULL);
	json_decref(after);
	if (!ok)
		return certificates_refusal(FAULT_INTERNAL, "database");
	return json_pack("{s:b, s:I, s:s, s:I, s:I}", "ok", 1, "id", (json_int_t)id, "state", state,
			 "approvals", (json_int_t)n, "approvals_needed",
			 (json_int_t)approvals_needed(c));
}

json_t *
certificates_approve(struct certificates *c, const char *by, const json_t *query)
{
	json_t *r = open_request(c, query), *answer;
	int64_t id = json_integer_value(json_object_get(r, "id"));
	bool own;

	if (!r || !certificates_begin(c, &own)) {
		json_decref(r);
		return certificates_refusal(FAULT_CSR_NOT_OPEN, NULL);
	}
	answer = certificates_end(c, own, approve(c, by, id, json_text(r, "guid")));
	json_decref(r);
	/* Only after the commit: what ca makes must not be undone any more. */
	if (own && strcmp(json_text(answer, "state"), "approved") == 0)
		certificates_issue(c, id);
	return answer;
}

json_t *
certificates_refuse(struct certificates *c, const char *by, const json_t *query)
{
	json_t *r = open_request(c, query), *answer;
	const char *reason = json_text(query, "reason");
	int64_t id = json_integer_value(json_object_get(r, "id"));
	bool own;

	if (!r || !certificates_begin(c, &own)) {
		json_decref(r);
		return certificates_refusal(FAULT_CSR_NOT_OPEN, NULL);
	}
	bool ok =
	    sql_run(
		c->db,
		"UPDATE certificate_request SET state = 'refused', refusal_reason = ? WHERE id = ?",
		"si", reason, id) &&
	    c->history(c->arg, by, "certificate-refuse", json_text(r, "guid"), r, NULL, reason);
	answer =
	    ok ? json_pack("{s:b, s:I, s:s}", "ok", 1, "id", (json_int_t)id, "state", "refused")
	       : certificates_refusal(FAULT_INTERNAL, "database");
	json_decref(r);
	return certificates_end(c, own, answer);
}

json_t *
certificates_do_revoke(struct certificates *c, const char *by, const char *serial,
		       const char *reason)
{
	char now[WHEN_TEXT_SIZE];
	json_t *x = sql_row(
	    c->db,
	    "SELECT serial, guid, state FROM certificate WHERE serial = ? AND state = 'issued'"
	    " AND NOT external",
	    "s", serial);
	json_t *after =
	    json_pack("{s:s, s:s, s:s}", "serial", serial, "state", "revoked", "reason", reason);
	bool ok = false;

	if (x && after && certify_reason(reason) >= 0) {
		certificates_now(now);
		ok =
		    sql_run(c->db,
			    "UPDATE certificate SET state = 'revoked', revoked = ?, revoked_at = ?,"
			    " revocation_reason = ? WHERE serial = ?",
			    "isss", (int64_t)when_now(), now, reason, serial) &&
		    c->history(c->arg, by, "certificate-revoke", json_text(x, "guid"), x, after,
			       reason);
	}
	json_decref(after);
	json_decref(x);
	return ok ? json_pack("{s:b, s:s, s:s}", "ok", 1, "serial", serial, "state", "revoked")
		  : certificates_refusal(FAULT_CERTIFICATE_NOT_ISSUED, serial);
}

json_t *
certificates_revoke(struct certificates *c, const char *by, const json_t *query)
{
	bool own;

	if (!certificates_begin(c, &own))
		return certificates_refusal(FAULT_INTERNAL, "database");
	json_t *answer = certificates_end(
	    c, own,
	    certificates_do_revoke(c, by, json_text(query, "serial"), json_text(query, "reason")));
	if (own && json_is_true(json_object_get(answer, "ok")))
		certificates_list_anew(c, when_now());
	return answer;
}

json_t *
certificates_use(struct certificates *c, const char *by, const json_t *query)
{
	const char *serial = json_text(query, "serial");
	json_t *x =
	    sql_row(c->db, "SELECT guid FROM certificate WHERE serial = ? AND state = 'issued'",
		    "s", serial);
	bool own;

	if (!x || !certificates_begin(c, &own)) {
		json_decref(x);
		return certificates_refusal(FAULT_CERTIFICATE_NOT_ISSUED, serial);
	}
	json_t *answer = c->set_serial(c->arg, json_text(x, "guid"), serial, by)
			     ? json_pack("{s:b, s:s}", "ok", 1, "serial", serial)
			     : certificates_refusal(FAULT_INTERNAL, "database");
	json_decref(x);
	return certificates_end(c, own, answer);
}

/* One of another CA. Its name must be the participant's; who vouches for it is in the history. */
json_t *
certificates_record(struct certificates *c, const char *by, const json_t *query)
{
	const char *guid = json_text(query, "guid");
	const json_t *x = json_object_get(query, "certificate");
	json_t *p = c->participant(c->arg, guid), *answer;
	bool own, same = p && strcmp(json_text(p, "host"), json_text(x, "name")) == 0;

	json_decref(p);
	if (!same)
		return certificates_refusal(FAULT_CSR_NOT_ASSIGNED, json_text(x, "name"));
	if (!certificates_begin(c, &own))
		return certificates_refusal(FAULT_INTERNAL, "database");
	bool known = sql_number(
	    c->db, 0, "SELECT count(*) FROM certificate WHERE serial = ? OR fingerprint = ?", "ss",
	    json_text(x, "serial"), json_text(x, "fingerprint"));
	json_t *after = json_pack("{s:s, s:s, s:b}", "serial", json_text(x, "serial"),
				  "fingerprint", json_text(x, "fingerprint"), "external", 1);
	if (known)
		answer = certificates_refusal(FAULT_CSR_KEY_USED, json_text(x, "serial"));
	else if (certificates_insert(c, guid, 0, x, true) &&
		 c->history(c->arg, by, "certificate-register", guid, NULL, after,
			    json_text(query, "reason")))
		answer = json_pack("{s:b, s:s}", "ok", 1, "serial", json_text(x, "serial"));
	else
		answer = certificates_refusal(FAULT_INTERNAL, "database");
	json_decref(after);
	return certificates_end(c, own, answer);
}

/* -- looked at */

/* What the pages and the CLI call one: requests and certificates in one list, a request that became
 * a certificate once. */
#define BOTH                                                                                       \
	"SELECT r.id, r.guid, r.name, c.serial, CASE r.state WHEN 'issued' THEN c.state ELSE "     \
	"r.state END AS state,"                                                                    \
	" c.subject, c.not_before, c.not_after, r.via, r.asked_at, r.asked_by, r.renewal_of, "     \
	"r.refusal_reason,"                                                                        \
	" r.ignored, c.fingerprint, c.key, c.der, c.revoked_at, c.revocation_reason, 0 AS "        \
	"external, r.rowid AS at, r.name AS asked_name, r.eik AS asked_eik, hex(r.key_id) AS key_id"   \
	" FROM certificate_request r LEFT JOIN certificate c ON c.request = r.id"                  \
	" UNION ALL SELECT NULL, c.guid, '', c.serial, c.state, c.subject, c.not_before, "         \
	"c.not_after, 'external',"                                                                 \
	" c.added_at, '', NULL, NULL, '', c.fingerprint, c.key, c.der, c.revoked_at, "             \
	"c.revocation_reason, 1, 0, NULL, NULL, NULL"                                              \
	" FROM certificate c WHERE c.request IS NULL"

/* What a request went through before it came into the database: one that fails a check is refused at
 * once and never seen here (ra_other.c, check_record, check_key). */
static json_t *
passed_checks(const json_t *x)
{
	return json_pack("[{s:s,s:b,s:s},{s:s,s:b,s:s},{s:s,s:b,s:s},{s:s,s:b,s:s},{s:s,s:b,s:s}]",
	    "check", "proof", "ok", 1, "text", "", "check", "key", "ok", 1, "text", json_text(x, "key"),
	    "check", "assigned-name", "ok", 1, "text", json_text(x, "asked_name"), "check",
	    "assigned-eik", "ok", 1, "text", json_text(x, "asked_eik"), "check", "key-reuse", "ok", 1,
	    "text", json_text(x, "key_id"));
}

static void
complete(struct certificates *c, json_t *x, bool pem)
{
	json_t *id = json_object_get(x, "id"), *p = c->participant(c->arg, json_text(x, "guid"));
	char *text = NULL;

	if (p)
		json_object_set(x, "name", json_object_get(p, "name"));
	json_object_set_new(x, "external",
			    json_boolean(json_integer_value(json_object_get(x, "external"))));
	if (id) {
		json_object_set_new(x, "approvals",
				    sql_rows(c->db,
					     "SELECT by, time FROM certificate_approval WHERE"
					     " request = ? ORDER BY time",
					     "i", (int64_t)json_integer_value(id)));
		json_object_set_new(x, "approvals_needed", json_integer(approvals_needed(c)));
		json_object_set_new(x, "checks", passed_checks(x));
	}
	struct buf der = {0};
	BIO *out = pem && json_get_base64(x, "der", &der) ? BIO_new(BIO_s_mem()) : NULL;
	if (out && PEM_write_bio(out, PEM_STRING_X509, "", der.data, (long)der.len) > 0) {
		long len = BIO_get_mem_data(out, &text);
		json_object_set_new(x, "pem", json_stringn(text, (size_t)len));
	}
	BIO_free(out);
	buf_free(&der);
	json_object_del(x, "der");
	json_object_del(x, "at");
	json_decref(p);
}

json_t *
certificates_list(struct certificates *c, const char *by, const json_t *query)
{
	const char *guid = json_text(query, "guid"), *state = json_text(query, "state");
	int64_t limit = json_integer_value(json_object_get(query, "limit"));
	int64_t offset = json_integer_value(json_object_get(query, "offset"));
	json_t *x, *rows = sql_rows(c->db,
				    "SELECT * FROM (" BOTH
				    ") WHERE (?1 = '' OR guid = ?1) AND (?2 = '' OR state ="
				    " ?2) ORDER BY asked_at DESC, at DESC LIMIT ?3 OFFSET ?4",
				    "ssii", guid, state,
				    limit > 0 && limit <= LIST_MAX ? limit : LIST_MAX, offset);
	int64_t total =
	    sql_number(c->db, 0,
		       "SELECT count(*) FROM (" BOTH ") WHERE (?1 = '' OR guid = ?1) AND (?2 = ''"
		       " OR state = ?2)",
		       "ss", guid, state);
	size_t i;

	(void)by;
	if (!rows)
		return certificates_refusal(FAULT_INTERNAL, "database");
	json_array_foreach(rows, i, x) complete(c, x, false);
	return json_pack("{s:b, s:I, s:o}", "ok", 1, "total", (json_int_t)total, "certificates",
			 rows);
}

json_t *
certificates_show(struct certificates *c, const char *by, const json_t *query)
{
	const char *serial = json_text(query, "serial");
	json_t *x = sql_row(
	    c->db,
	    "SELECT * FROM (" BOTH ") WHERE (?1 <> '' AND serial = ?1) OR (?1 = '' AND id = ?2)",
	    "si", serial, (int64_t)json_integer_value(json_object_get(query, "id")));

	(void)by;
	if (!x)
		return certificates_refusal(FAULT_CERTIFICATE_NOT_ISSUED, serial);
	complete(c, x, true);
	return json_pack("{s:b, s:o}", "ok", 1, "certificate", x);
}
