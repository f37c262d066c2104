/*
 * The history: one row for each change, with before, after, who, when and why, chained by SHA-256.
 *
 * A row's digest is that over the digest of the row before (32 zero bytes before the first), and then
 * of number, time, actor, verb, about, guid, before, after, reason: each as its length in eight bytes, most
 * significant first, and its bytes; numbers in decimal. before and after are taken as they are stored.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "authority/ledger.h"
#include "lib/log.h"

struct row {
	int64_t number;
	when time;
	const char *actor, *verb, *about, *guid, *before, *after, *reason;
};

static bool
add_field(EVP_MD_CTX *ctx, const char *text)
{
	size_t len = strlen(text);
	uint8_t size[8];

	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
	return EVP_DigestUpdate(ctx, size, sizeof size) && EVP_DigestUpdate(ctx, text, len);
}

static bool
chain(const uint8_t before[LEDGER_DIGEST], const struct row *r, uint8_t out[LEDGER_DIGEST])
{
	char number[24], time[24];
	const char *const fields[] = {number, time, r->actor, r->verb, r->about, r->guid, r->before,
	    r->after, r->reason};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	snprintf(number, sizeof number, "%lld", (long long)r->number);
	snprintf(time, sizeof time, "%lld", (long long)r->time);
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	    EVP_DigestUpdate(ctx, before, LEDGER_DIGEST);
	for (size_t i = 0; ok && i < sizeof fields / sizeof *fields; i++)
		ok = add_field(ctx, fields[i]);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static char *
dump(const json_t *j)
{
	return j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : strdup("");
}

bool
history_add(struct call *c, const char *about, const char *guid, const json_t *before, const json_t *after)
{
	struct ledger *l = c->ledger;
	const char *reason = arg_text(c, "reason");
	char *was = dump(before), *is = dump(after);
	struct row r = {.number = l->entries + 1, .time = c->now, .actor = c->actor.name,
	    .verb = c->verb->name, .about = about, .guid = guid ? guid : "", .before = was, .after = is,
	    .reason = reason ? reason : ""};
	uint8_t digest[LEDGER_DIGEST];
	bool ok = was && is && chain(l->head, &r, digest) &&
	    db_run(l, "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iisssssssb",
	        r.number, r.time, r.actor, r.verb, r.about, r.guid, r.before, r.after, r.reason, digest,
	        sizeof digest);

	free(was);
	free(is);
	if (!ok)
		return false;
	l->entries++;
	memcpy(l->head, digest, sizeof digest);
	return true;
}

/* What the chain continues from; also after a transaction was taken back. */
bool
history_load(struct ledger *l)
{
	sqlite3_stmt *q = db_begin(l, "SELECT number, digest FROM history ORDER BY number DESC LIMIT 1", "");

	l->entries = 0;
	memset(l->head, 0, sizeof l->head);
	if (!db_row(l, q))
		return !l->failed;
	l->entries = sqlite3_column_int64(q, 0);
	if (sqlite3_column_bytes(q, 1) == LEDGER_DIGEST)
		memcpy(l->head, sqlite3_column_blob(q, 1), LEDGER_DIGEST);
	db_end(q);
	return true;
}

static json_t *
hex(const void *data, size_t len)
{
	struct buf b = {0};
	json_t *j = buf_add_hex(&b, data, len) ? json_string(buf_str(&b)) : NULL;

	buf_free(&b);
	return j;
}

static struct row
read_row(sqlite3_stmt *q)
{
	return (struct row){.number = sqlite3_column_int64(q, 0), .time = sqlite3_column_int64(q, 1),
	    .actor = db_text(q, 2), .verb = db_text(q, 3), .about = db_text(q, 4), .guid = db_text(q, 5),
	    .before = db_text(q, 6), .after = db_text(q, 7), .reason = db_text(q, 8)};
}

static json_t *
row_json(sqlite3_stmt *q)
{
	struct row r = read_row(q);
	json_t *j = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "number", (json_int_t)r.number,
	    "actor", r.actor, "verb", r.verb, "about", r.about, "guid", r.guid, "reason", r.reason);

	out_moment(j, "time", r.time);
	json_object_set_new(j, "name", json_string(db_text(q, 10)));
	json_object_set_new(j, "before", *r.before ? db_json(q, 6) : json_null());
	json_object_set_new(j, "after", *r.after ? db_json(q, 7) : json_null());
	json_object_set_new(j, "digest",
	    hex(sqlite3_column_blob(q, 9), (size_t)sqlite3_column_bytes(q, 9)));
	return j;
}

#define ROWS "SELECT h.number, time, actor, verb, about, h.guid, before, after, reason, digest, p.name" \
	" FROM history h LEFT JOIN participant p ON p.guid = h.guid"

/* Rows of one participant, or all when guid is NULL; newest first. */
static enum fault
list(struct call *c, const char *guid)
{
	struct ledger *l = c->ledger;
	int64_t limit = arg_number(c, "limit", 50), offset = arg_number(c, "offset", 0);
	int64_t after = arg_number(c, "after", 0);
	json_t *entries = out_list(c, "entries");
	sqlite3_stmt *q;

	if (limit < 1 || limit > LEDGER_LIST_MAX)
		limit = LEDGER_LIST_MAX;
	if (guid)
		q = db_begin(l, ROWS " WHERE h.guid = ? AND h.number > ? ORDER BY h.number DESC LIMIT ? OFFSET ?",
		    "siii", guid, after, limit, offset);
	else
		q = db_begin(l, ROWS " WHERE h.number > ? ORDER BY h.number DESC LIMIT ? OFFSET ?",
		    "iii", after, limit, offset);
	while (db_row(l, q))
		json_array_append_new(entries, row_json(q));
	int64_t total = guid ? db_number(l, 0, "SELECT count(*) FROM history WHERE guid = ? AND number > ?",
	    "si", guid, after) : l->entries - (after < l->entries ? after : l->entries);
	json_object_set_new(c->out, "total", json_integer(total));
	return FAULT_NONE;
}

enum fault
verb_participant_history(struct call *c)
{
	char guid[GUID_TEXT_SIZE];

	if (!arg_guid(c, "guid", guid))
		return FAULT_ENTRY_FIELD;
	if (!actor_owns(c->ledger, &c->actor, guid))
		return FAULT_NOT_PERMITTED;
	return list(c, guid);
}

enum fault
verb_log_list(struct call *c)
{
	char guid[GUID_TEXT_SIZE];

	if (!arg_text(c, "guid"))
		return list(c, NULL);
	return arg_guid(c, "guid", guid) ? list(c, guid) : FAULT_ENTRY_FIELD;
}

/* Walks the whole chain; a hole in the numbers breaks it too. */
enum fault
verb_log_check(struct call *c)
{
	struct ledger *l = c->ledger;
	uint8_t digest[LEDGER_DIGEST] = {0};
	int64_t n = 0, bad = 0;
	sqlite3_stmt *q = db_begin(l, "SELECT number, time, actor, verb, about, guid, before, after,"
	    " reason, digest"
	    " FROM history ORDER BY number", "");

	while (db_row(l, q)) {
		struct row r = read_row(q);
		n++;
		if (!bad && (r.number != n || !chain(digest, &r, digest) ||
		    sqlite3_column_bytes(q, 9) != LEDGER_DIGEST ||
		    memcmp(digest, sqlite3_column_blob(q, 9), LEDGER_DIGEST) != 0))
			bad = r.number;
	}
	if (!bad && (n != l->entries || memcmp(digest, l->head, LEDGER_DIGEST) != 0))
		bad = n + 1; /* the end was cut while we ran */
	json_object_set_new(c->out, "intact", json_boolean(!bad));
	json_object_set_new(c->out, "entries", json_integer(n));
	json_object_set_new(c->out, "head", hex(l->head, sizeof l->head));
	if (bad) {
		json_object_set_new(c->out, "first_bad", json_integer(bad));
		log_error("ledger.broken", "number=%lld", (long long)bad);
	}
	return FAULT_NONE;
}
