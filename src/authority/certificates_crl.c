/* Lists, OCSP, certificates of the CA: what everybody may ask for. */
#include "authority/certificates_internal.h"

#include "lib/log.h"

void
certificates_list_anew(struct certificates *c, when now)
{
	int64_t number = sql_number(c->db, 0, "SELECT max(number) FROM crl", "") + 1;
	/* A certificate that has ended needs no list any more (RFC 5280 section 3.3: not before one
	 * list named it after its end). */
	json_t *revoked =
	    sql_rows(c->db,
		     "SELECT serial, revoked AS at, revocation_reason AS reason FROM certificate"
		     " WHERE state = 'revoked' AND NOT external AND ends > ?",
		     "i", (int64_t)now - (int64_t)c->policy.crl_validity * WHEN_SECOND);

	if (c->listing) {
		json_decref(revoked);
		return;
	}
	json_t *q = json_pack("{s:s, s:I, s:I, s:I, s:o}", "verb", "crl", "number",
			      (json_int_t)number, "from", (json_int_t)now, "until",
			      (json_int_t)(now + (when)c->policy.crl_validity * WHEN_SECOND),
			      "revoked", revoked);
	c->listing = true; /* before: the answer may be here when ask_ca returns */
	if (!q || !c->ask_ca(c->arg, q, CONTEXT_CRL))
		c->listing = false;
}

void
certificates_keep_list(struct certificates *c, const json_t *answer, when now)
{
	int64_t number = sql_number(c->db, 0, "SELECT max(number) FROM crl", "") + 1;
	int64_t revoked =
	    sql_number(c->db, 0, "SELECT count(*) FROM certificate WHERE state = 'revoked'", "");
	struct buf der = {.max = (size_t)64 << 20};
	sqlite3_stmt *s = NULL;
	bool ok = json_get_base64(answer, "der", &der) &&
		  sqlite3_prepare_v2(c->db, "INSERT INTO crl VALUES (?, ?, ?, ?, ?)", -1, &s,
				     NULL) == SQLITE_OK &&
		  sqlite3_bind_int64(s, 1, number) == SQLITE_OK &&
		  sqlite3_bind_blob(s, 2, der.data, (int)der.len, SQLITE_STATIC) == SQLITE_OK &&
		  sqlite3_bind_int64(s, 3, now) == SQLITE_OK &&
		  sqlite3_bind_int64(s, 4, now + (int64_t)c->policy.crl_validity * WHEN_SECOND) ==
		      SQLITE_OK &&
		  sqlite3_bind_int64(s, 5, revoked) == SQLITE_OK && sqlite3_step(s) == SQLITE_DONE;

	sqlite3_finalize(s);
	buf_free(&der);
	if (!ok)
		log_error("ledger.crl", "number=%lld reason=\"%s\"", (long long)number,
			  sqlite3_errmsg(c->db));
	sql_run(c->db, "DELETE FROM crl WHERE number < ?", "i", number - 10);
	/* Revoked while the list was being made: not in it yet. */
	if (sql_number(
		c->db, 0,
		"SELECT count(*) FROM certificate WHERE revoked > (SELECT max(made) FROM crl)", ""))
		certificates_list_anew(c, now);
}

json_t *
certificates_ca(struct certificates *c, const char *by, const json_t *query)
{
	(void)by, (void)query;
	if (!c->ca || !c->cmp)
		return certificates_refusal(FAULT_INTERNAL, "ca");
	return json_pack("{s:b, s:O, s:O}", "ok", 1, "ca", c->ca, "cmp", c->cmp);
}

json_t *
certificates_crl_show(struct certificates *c, const char *by, const json_t *query)
{
	json_t *row = sql_row(
	    c->db, "SELECT number, der, made, until, revoked FROM crl ORDER BY number DESC", "");

	(void)by, (void)query;
	if (!row)
		return certificates_refusal(FAULT_INTERNAL, "crl");
	json_object_set_new(row, "ok", json_true());
	return row;
}

static void
fill_item(struct certificates *c, json_t *item)
{
	json_t *x = sql_row(
	    c->db,
	    "SELECT state, revoked, revocation_reason FROM certificate WHERE serial = ? AND NOT"
	    " external",
	    "s", json_text(item, "serial"));
	bool revoked = strcmp(json_text(x, "state"), "revoked") == 0;

	json_object_set_new(item, "state",
			    json_string(!x        ? "unknown"
					: revoked ? "revoked"
						  : "good"));
	if (revoked) {
		json_object_set(item, "at", json_object_get(x, "revoked"));
		json_object_set(item, "reason", json_object_get(x, "revocation_reason"));
	}
	json_decref(x);
}

json_t *
certificates_ocsp(struct certificates *c, const json_t *query, when now)
{
	json_t *items = json_deep_copy(json_object_get(query, "items")), *item;
	size_t i;

	json_array_foreach(items, i, item) fill_item(c, item);
	/* An answer holds as long as a list is current: who keeps it knows no less than from the
	 * list. */
	return json_pack("{s:s, s:o, s:s, s:I, s:I}", "verb", "ocsp", "items", items, "nonce",
			 json_text(query, "nonce"), "from", (json_int_t)now, "until",
			 (json_int_t)(now + (when)c->policy.crl_interval * WHEN_SECOND));
}
