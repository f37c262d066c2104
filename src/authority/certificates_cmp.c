/* CMP as the ledger sees it: references, transactions, decisions. */
#include <openssl/rand.h>

#include "authority/certificates_internal.h"

#define DAY ((when)86400 * WHEN_SECOND)

/* Letters that nobody takes for digits, in fives: 20 of them are 100 bits. A MAC's secret may be
 * tried out at leisure by who has seen one message, so it must not be short. */
static bool
random_text(char *out, size_t groups)
{
	static const char letters[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
	uint8_t bytes[64];
	size_t n = 0;

	if (RAND_bytes(bytes, (int)(5 * groups)) != 1)
		return false;
	for (size_t i = 0; i < 5 * groups; i++) {
		if (i && i % 5 == 0)
			out[n++] = '-';
		out[n++] = letters[bytes[i] % 32];
	}
	out[n] = '\0';
	return true;
}

static bool
insert_reference(struct certificates *c, const char *by, const char *guid, const char *reference,
		 const char *secret, when expires)
{
	char now[WHEN_TEXT_SIZE];

	certificates_now(now);
	return sql_run(c->db,
		       "INSERT INTO reference (reference, guid, secret, expires, created_at, "
		       "created_by)"
		       " VALUES (?, ?, CAST(? AS BLOB), ?, ?, ?)",
		       "sssiss", reference, guid, secret, (int64_t)expires, now, by) &&
	       c->history(c->arg, by, "reference-create", guid, NULL, NULL, reference);
}

json_t *
certificates_reference_create(struct certificates *c, const char *by, const json_t *query)
{
	const char *guid = json_text(query, "guid");
	int64_t seconds = json_integer_value(json_object_get(query, "valid_for"));
	json_t *p = c->participant(c->arg, guid), *answer;
	char reference[16], secret[32], until[WHEN_TEXT_SIZE];
	bool own;

	json_decref(p);
	if (!p)
		return certificates_refusal(FAULT_CSR_NOT_ASSIGNED, guid);
	if (seconds <= 0 || seconds > 90 * 86400)
		seconds = 14 * 86400;
	when expires = when_now() + (when)seconds * WHEN_SECOND;
	when_format(expires, until);
	if (!random_text(reference, 2) || !random_text(secret, 4) || !certificates_begin(c, &own))
		return certificates_refusal(FAULT_INTERNAL, "random");
	answer = insert_reference(c, by, guid, reference, secret, expires)
		     ? json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "reference", reference, "secret",
				 secret, "expires", until)
		     : certificates_refusal(FAULT_INTERNAL, "database");
	return certificates_end(c, own, answer);
}

/* -- who sent it */

static json_t *
find_reference(struct certificates *c, const json_t *sender)
{
	return sql_row(c->db,
		       "SELECT reference, guid, secret, expires, request, used FROM reference "
		       "WHERE reference = ?"
		       " AND secret IS NOT NULL",
		       "s", json_text(sender, "reference"));
}

/* One that we issued, byte for byte, that is neither revoked nor over. */
static json_t *
find_sender(struct certificates *c, const json_t *sender)
{
	const json_t *info = json_object_get(sender, "certificate_info");

	return sql_row(c->db,
		       "SELECT serial, guid, ends FROM certificate WHERE fingerprint = ? AND state "
		       "= 'issued' AND"
		       " NOT external AND ends > ?",
		       "si", json_text(info, "fingerprint"), (int64_t)when_now());
}

static bool
by_reference(const json_t *sender)
{
	return strcmp(json_text(sender, "kind"), "reference") == 0;
}

static json_t *
find_transaction(struct certificates *c, const json_t *query)
{
	return sql_row(c->db,
		       "SELECT t.request, t.message, hex(t.nonce) AS nonce, t.reference, t.sender, "
		       "r.state, r.serial,"
		       " r.refusal_reason, r.guid, hex(r.key_id) AS key_id FROM cmp_transaction t "
		       "JOIN certificate_request r ON r.id ="
		       " t.request WHERE t.id = ?",
		       "h", json_text(query, "transaction"));
}

static json_t *
certificate_der(struct certificates *c, const char *serial)
{
	return sql_row(c->db, "SELECT der FROM certificate WHERE serial = ?", "s", serial);
}

/* A reference opens its own transaction only; until it is used up, any new one. */
static bool
reference_opens(const json_t *r, const json_t *t, when now)
{
	if (t)
		return strcmp(json_text(t, "reference"), json_text(r, "reference")) == 0;
	return !json_integer_value(json_object_get(r, "used")) &&
	       json_integer_value(json_object_get(r, "expires")) > now;
}

json_t *
certificates_cmp_open(struct certificates *c, const char *by, const json_t *query)
{
	const json_t *sender = json_object_get(query, "sender");
	json_t *answer = certificates_ca(c, by, query), *t = find_transaction(c, query), *who;

	if (!json_is_true(json_object_get(answer, "ok")))
		goto out;
	if (by_reference(sender)) {
		who = find_reference(c, sender);
		if (who && reference_opens(who, t, when_now()))
			json_object_set(answer, "secret", json_object_get(who, "secret"));
	} else {
		who = find_sender(c, sender);
		bool good =
		    who && (!t || strcmp(json_text(t, "sender"), json_text(who, "serial")) == 0);
		json_object_set_new(answer, "sender_good", json_boolean(good));
	}
	json_decref(who);
	if (t) {
		json_object_set(answer, "request", json_object_get(t, "message"));
		json_object_set(answer, "nonce", json_object_get(t, "nonce"));
		if (strcmp(json_text(t, "state"), "issued") == 0)
			json_object_set_new(answer, "certificate",
					    certificate_der(c, json_text(t, "serial")));
	}
out:
	json_decref(t);
	return answer;
}

/* -- requests for certificates */

static json_t *
decision(struct certificates *c, const char *state, const char *serial, const char *reason)
{
	if (strcmp(state, "issued") == 0)
		return json_pack("{s:b, s:s, s:o}", "ok", 1, "verdict", "granted", "certificate",
				 certificate_der(c, serial));
	if (strcmp(state, "refused") == 0)
		return certificates_refusal(FAULT_CMP_REFUSED, reason);
	return json_pack("{s:b, s:s, s:i}", "ok", 1, "verdict", "waiting", "check_after",
			 strcmp(state, "approved") == 0 ? 1 : (int)c->policy.poll_seconds);
}

static json_t *
decision_on(struct certificates *c, int64_t request)
{
	json_t *r = sql_row(
	    c->db, "SELECT state, serial, refusal_reason FROM certificate_request WHERE id = ?",
	    "i", request);
	json_t *d = decision(c, json_text(r, "state"), json_text(r, "serial"),
			     json_text(r, "refusal_reason"));

	json_decref(r);
	return d;
}

json_t *
certificates_cmp_poll(struct certificates *c, const char *by, const json_t *query)
{
	json_t *t = find_transaction(c, query), *d;

	(void)by;
	if (!t)
		return certificates_refusal(FAULT_CMP_UNRECOGNISED, "transactionID");
	d = decision(c, json_text(t, "state"), json_text(t, "serial"),
		     json_text(t, "refusal_reason"));
	json_decref(t);
	return d;
}

static bool
insert_transaction(struct certificates *c, const json_t *query, int64_t request,
		   const char *reference, const char *sender)
{
	struct buf message = {0};
	sqlite3_stmt *s = NULL;
	bool ok =
	    json_get_base64(query, "message", &message) &&
	    sql_run(c->db, "INSERT INTO cmp_transaction VALUES (?, ?, x'', NULL, ?, ?, ?)", "hissi",
		    json_text(query, "transaction"), request, reference, sender,
		    (int64_t)when_now()) &&
	    sqlite3_prepare_v2(
		c->db,
		"UPDATE cmp_transaction SET message = ?1 WHERE message = x'' AND request = ?2", -1,
		&s, NULL) == SQLITE_OK &&
	    sqlite3_bind_blob(s, 1, message.data, (int)message.len, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_int64(s, 2, request) == SQLITE_OK && sqlite3_step(s) == SQLITE_DONE;

	sqlite3_finalize(s);
	buf_free(&message);
	return ok;
}

/* The same participant asks again for the same key: its answer was lost, or it comes back later to
 * ask. */
static int64_t
same_request(struct certificates *c, const json_t *query, const char *guid)
{
	return sql_number(
	    c->db, 0,
	    "SELECT id FROM certificate_request WHERE guid = ? AND key_id = ? AND via = 'cmp' AND"
	    " state <> 'refused' ORDER BY id DESC",
	    "sh", guid, json_text(query, "key_id"));
}

static json_t *
too_early(struct certificates *c, const json_t *sender)
{
	when first = json_integer_value(json_object_get(sender, "ends")) -
		     (when)c->policy.renewal_days * DAY;
	char text[WHEN_TEXT_SIZE];

	if (when_now() >= first)
		return NULL;
	when_format(first, text);
	return certificates_refusal(FAULT_CMP_TOO_EARLY, text);
}

/* Who asks: for which participant, whether it is a renewal, whether somebody has to decide. */
struct asker {
	const char *guid, *reference, *serial, *renewal_of;
	bool approved;
	char by[96];
};

static json_t *
ask_by_reference(struct certificates *c, const json_t *who, int64_t request, struct asker *a)
{
	int64_t bound = json_integer_value(json_object_get(who, "request"));

	/* One reference, one certificate; a refusal leaves it open for a better request. */
	if (bound && bound != request &&
	    sql_number(c->db, 0, "SELECT state <> 'refused' FROM certificate_request WHERE id = ?",
		       "i", bound))
		return certificates_refusal(FAULT_CMP_UNRECOGNISED, json_text(who, "reference"));
	a->reference = json_text(who, "reference");
	a->approved = c->policy.reference_approves && !c->policy.two_person;
	snprintf(a->by, sizeof a->by, "reference %s", a->reference);
	return NULL;
}

static json_t *
ask_by_certificate(struct certificates *c, const json_t *who, const json_t *query, int64_t request,
		   struct asker *a)
{
	const char *replaces = json_text(query, "replaces");
	bool renewal = strcmp(json_text(query, "body"), "kur") == 0;

	a->serial = json_text(who, "serial");
	if (*replaces && strcmp(replaces, a->serial) != 0)
		return certificates_refusal(FAULT_CMP_NOT_OWN, replaces);
	a->renewal_of = renewal ? a->serial : NULL;
	a->approved = renewal && !c->policy.two_person;
	snprintf(a->by, sizeof a->by, "certificate %s", a->serial);
	return renewal && !request ? too_early(c, who) : NULL;
}

static json_t *
take_request(struct certificates *c, const json_t *query, int64_t request, const struct asker *a)
{
	if (!request) {
		json_t *added =
		    certificates_add_request(c, a->by, query, a->guid, a->renewal_of, a->approved);
		if (!json_is_true(json_object_get(added, "ok")))
			return added;
		request = json_integer_value(json_object_get(added, "id"));
		json_decref(added);
	}
	bool ok =
	    insert_transaction(c, query, request, a->reference, a->serial) &&
	    (!a->reference || sql_run(c->db, "UPDATE reference SET request = ? WHERE reference = ?",
				      "is", request, a->reference));
	return ok ? json_pack("{s:b, s:I}", "ok", 1, "id", (json_int_t)request)
		  : certificates_refusal(FAULT_INTERNAL, "database");
}

/* The transaction is known: the same message again, because its answer was lost. Another one under
 * the same identifier is refused. */
static json_t *
repeated(struct certificates *c, const json_t *t, const json_t *query)
{
	if (strcmp(json_text(t, "message"), json_text(query, "message")) != 0)
		return certificates_refusal(FAULT_CMP_UNRECOGNISED, "transactionID");
	return decision_on(c, json_integer_value(json_object_get(t, "request")));
}

static json_t *
new_request(struct certificates *c, const json_t *query)
{
	const json_t *sender = json_object_get(query, "sender");
	bool reference = by_reference(sender), own;
	json_t *who = reference ? find_reference(c, sender) : find_sender(c, sender);
	struct asker a = {.guid = json_text(who, "guid")};
	int64_t request = who ? same_request(c, query, a.guid) : 0;
	json_t *answer = !who        ? certificates_refusal(FAULT_CMP_UNRECOGNISED, NULL)
			 : reference ? ask_by_reference(c, who, request, &a)
				     : ask_by_certificate(c, who, query, request, &a);

	if (!answer && certificates_begin(c, &own)) {
		answer = certificates_end(c, own, take_request(c, query, request, &a));
		if (json_is_true(json_object_get(answer, "ok"))) {
			int64_t id = json_integer_value(json_object_get(answer, "id"));
			certificates_issue(c, id);
			json_decref(answer);
			answer = decision_on(c, id);
		}
	}
	json_decref(who);
	return answer;
}

json_t *
certificates_cmp_request(struct certificates *c, const char *by, const json_t *query)
{
	json_t *t = find_transaction(c, query);
	json_t *answer = t ? repeated(c, t, query) : new_request(c, query);

	(void)by;
	json_decref(t);
	return answer;
}

/* -- ends of a transaction */

json_t *
certificates_cmp_keep(struct certificates *c, const char *by, const json_t *query)
{
	(void)by;
	return json_pack("{s:b}", "ok",
			 sql_run(c->db,
				 "UPDATE cmp_transaction SET nonce = ?, updated = ? WHERE id = ?",
				 "hih", json_text(query, "nonce"), (int64_t)when_now(),
				 json_text(query, "transaction")));
}

static json_t *
confirm(struct certificates *c, const json_t *t, bool accepted)
{
	const char *serial = json_text(t, "serial"), *guid = json_text(t, "guid");
	json_t *after = json_pack("{s:s, s:b}", "serial", serial, "accepted", accepted);
	bool ok =
	    c->history(c->arg,
		       *json_text(t, "reference") ? json_text(t, "reference")
						  : json_text(t, "sender"),
		       "cmp-confirm", guid, NULL, after, NULL) &&
	    sql_run(c->db, "UPDATE certificate SET confirmed = 1 WHERE serial = ?", "s", serial) &&
	    sql_run(c->db, "UPDATE reference SET used = 1 WHERE reference = ?", "s",
		    json_text(t, "reference"));

	json_decref(after);
	if (!ok)
		return certificates_refusal(FAULT_INTERNAL, "database");
	/* A certificate that its owner does not want must not stay valid (RFC 9810 section 5.3.18).
	 */
	return accepted ? json_pack("{s:b}", "ok", 1)
			: certificates_do_revoke(c, "cmp", serial, "cessationOfOperation");
}

json_t *
certificates_cmp_confirm(struct certificates *c, const char *by, const json_t *query)
{
	json_t *t = find_transaction(c, query), *answer;
	bool own, accepted = json_is_true(json_object_get(query, "accepted"));

	(void)by;
	if (!t || strcmp(json_text(t, "state"), "issued") != 0 || !certificates_begin(c, &own)) {
		json_decref(t);
		return certificates_refusal(FAULT_CMP_UNRECOGNISED, "transactionID");
	}
	int64_t done = sql_number(c->db, 0, "SELECT confirmed FROM certificate WHERE serial = ?",
				  "s", json_text(t, "serial"));
	answer =
	    certificates_end(c, own, done ? json_pack("{s:b}", "ok", 1) : confirm(c, t, accepted));
	json_decref(t);
	if (json_is_true(json_object_get(answer, "ok"))) {
		json_object_set_new(answer, "verdict", json_string("granted"));
		if (!accepted)
			certificates_list_anew(c, when_now());
	}
	return answer;
}

json_t *
certificates_cmp_revoke(struct certificates *c, const char *by, const json_t *query)
{
	json_t *who = find_sender(c, json_object_get(query, "sender")), *answer;
	const char *serial = json_text(query, "serial"), *guid = json_text(who, "guid");
	char name[96];
	bool own;

	(void)by;
	bool mine =
	    who &&
	    sql_number(c->db, 0, "SELECT count(*) FROM certificate WHERE serial = ? AND guid = ?",
		       "ss", serial, guid);
	snprintf(name, sizeof name, "certificate %s", json_text(who, "serial"));
	json_decref(who);
	if (!mine || !certificates_begin(c, &own))
		return certificates_refusal(FAULT_CMP_NOT_OWN, serial);
	answer = certificates_end(
	    c, own, certificates_do_revoke(c, name, serial, json_text(query, "reason")));
	if (json_is_true(json_object_get(answer, "ok"))) {
		json_object_set_new(answer, "verdict", json_string("granted"));
		certificates_list_anew(c, when_now());
	}
	return answer;
}
