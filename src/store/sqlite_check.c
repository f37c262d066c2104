/*
 * Walking along the journal, slice by slice: every entry against its digest, and everything that it
 * vouches for against what is stored now. Reading only; files are left to the caller.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store/sqlite.h"

/* An entry as it lies in the database. */
struct stored_entry {
	int64_t sequence, document, message, attempt;
	enum document_state state;
	const char *text;
	size_t len;
	bool has_digest;
	uint8_t digest[JOURNAL_HASH];
};

/* What a message or an attempt has. */
struct stored_proof {
	int64_t entry, body, answer;
	struct guid guid;
	bool has_certificate, has_connection;
	uint8_t certificate[JOURNAL_HASH], connection[JOURNAL_HASH];
};

static bool
broken(struct store_check *c, const struct stored_entry *e, const char *why)
{
	if (c->broken == 0) {
		c->broken = e->sequence;
		c->document = e->document;
		snprintf(c->why, sizeof c->why, "%s", why);
	}
	return false;
}

static bool
sha256(struct store *s, const void *data, size_t len, uint8_t out[JOURNAL_HASH])
{
	return EVP_DigestInit_ex2(s->digest, s->sha256, NULL) && EVP_DigestUpdate(s->digest, data, len) &&
	       EVP_DigestFinal_ex(s->digest, out, NULL);
}

/* The bytes of one body against the line that names them. False: broken, or s->why. */
static bool
check_bytes(struct store *s, struct store_check *c, const struct stored_entry *e, const char *name,
            int64_t body)
{
	struct journal_bytes told;
	uint8_t digest[JOURNAL_HASH];
	char why[80];

	bool named = journal_bytes_of(e->text, name, &told);
	if (!named && body == 0)
		return true;
	snprintf(why, sizeof why, "%s: the stored bytes are not the ones that the entry names", name);
	if (!named || body == 0)
		return broken(c, e, why);
	struct query q = sql(s, SQL_CHECK_BODY);
	bool same = false, in_row = false;
	put_int(&q, body);
	if (query_row(&q)) {
		same = (uint64_t)get_int(&q) == told.size;
		struct wire_bytes stored = get_bytes(&q);
		same &= stored.len == sizeof told.sha256 && memcmp(stored.data, told.sha256, stored.len) == 0;
		struct wire_bytes data = get_bytes(&q);
		in_row = data.data;
		c->bytes += data.len;
		if (in_row)
			same &= data.len == told.size && sha256(s, data.data, data.len, digest) &&
			        memcmp(digest, told.sha256, sizeof digest) == 0;
	}
	if (!query_end(&q))
		return false;
	if (!same)
		return broken(c, e, why);
	if (!in_row) {
		struct store_check_file *f = &c->files[c->file_count++];
		*f = (struct store_check_file){.sequence = e->sequence, .body = body, .size = told.size};
		memcpy(f->sha256, told.sha256, sizeof f->sha256);
	}
	return true;
}

static bool
check_hash(struct store_check *c, const struct stored_entry *e, const char *name, bool present,
           const uint8_t *stored)
{
	uint8_t told[JOURNAL_HASH];
	size_t len;
	const char *value = journal_field(e->text, name, &len);

	if (!value && !present)
		return true;
	if (value && present && len == 2 * JOURNAL_HASH && journal_hex(value, told) &&
	    memcmp(told, stored, sizeof told) == 0)
		return true;
	return broken(c, e, "a stored certificate is not the one that the entry names");
}

static bool
check_guid(struct store_check *c, const struct stored_entry *e, const char *name,
           const struct guid *stored)
{
	size_t len;
	const char *value = journal_field(e->text, name, &len);
	char text[GUID_TEXT_SIZE];

	if (!value)
		return true;
	guid_format(stored, text);
	if (len == strlen(text) && strncmp(value, text, len) == 0)
		return true;
	return broken(c, e, "a stored GUID is not the one that the entry names");
}

static bool
read_certificate(struct store *s, struct query *q, bool *present, uint8_t out[JOURNAL_HASH])
{
	struct wire_bytes der = get_bytes(q);

	*present = der.data;
	return !*present || sha256(s, der.data, der.len, out);
}

/* *found false when the row is gone. */
static bool
read_proof(struct store *s, enum statement from, int64_t id, struct stored_proof *p, bool *found)
{
	struct query q = sql(s, from);
	bool ok = true;

	*p = (struct stored_proof){0};
	put_int(&q, id);
	*found = query_row(&q);
	if (*found) {
		get_guid(&q, &p->guid);
		p->entry = get_int(&q);
		p->body = get_int(&q);
		p->answer = get_int(&q);
		ok = read_certificate(s, &q, &p->has_certificate, p->certificate) &&
		     read_certificate(s, &q, &p->has_connection, p->connection);
	}
	return query_end(&q) && ok;
}

static bool
kind_is(const struct stored_entry *e, enum journal_kind kind)
{
	const char *name = journal_kind_name(kind);
	size_t len;
	const char *value = journal_field(e->text, "kind", &len);

	return value && len == strlen(name) && strncmp(value, name, len) == 0;
}

static bool
check_proof(struct store *s, struct store_check *c, const struct stored_entry *e)
{
	struct stored_proof p;
	bool found;

	if (!e->message && !e->attempt)
		return true;
	if (!read_proof(s, e->message ? SQL_CHECK_MESSAGE : SQL_CHECK_ATTEMPT,
	        e->message ? e->message : e->attempt, &p, &found))
		return false;
	/* Refused messages are kept for a time only; an id may then be used again. */
	if (kind_is(e, JOURNAL_REFUSED) && (!found || p.entry != e->sequence))
		return true;
	if (!found || p.entry != e->sequence)
		return broken(c, e, "the message that the entry is about is not there");
	return check_guid(c, e, "message", &p.guid) && check_bytes(s, c, e, "body", p.body) &&
	       check_bytes(s, c, e, "answer", p.answer) &&
	       check_hash(c, e, "certificate", p.has_certificate, p.certificate) &&
	       check_hash(c, e, "connection", p.has_connection, p.connection);
}

/* The document's state is the one of the last entry that tells one. */
static bool
check_state(struct store *s, struct store_check *c, const struct stored_entry *e, int64_t state)
{
	struct query q = sql(s, SQL_JOURNAL_LAST_STATE);
	int64_t last = 0;
	size_t len;
	const char *told = journal_field(e->text, "state", &len), *name = state_name(e->state);

	if (!told || len != strlen(name) || strncmp(told, name, len) != 0)
		return broken(c, e, "the entry's state is not the one that its text names");
	put_int(&q, e->document);
	if (!query_number(&q, &last))
		return false;
	if (last == e->sequence && state != (int64_t)e->state)
		return broken(c, e, "the document is in another state than the journal's last one");
	return true;
}

static bool
check_document(struct store *s, struct store_check *c, const struct stored_entry *e)
{
	struct query q = sql(s, SQL_CHECK_DOCUMENT);
	int64_t state = 0, details = 0, attachments = 0;
	struct guid guid = {0};

	if (!e->document)
		return true;
	put_int(&q, e->document);
	bool found = query_row(&q);
	if (found) {
		state = get_int(&q);
		get_guid(&q, &guid);
		details = get_int(&q);
		attachments = get_int(&q);
	}
	if (!query_end(&q))
		return false;
	if (!found)
		return broken(c, e, "the document that the entry is about is not there");
	if (!check_guid(c, e, "guid", &guid))
		return false;
	if (kind_is(e, JOURNAL_ACCEPTED) && (!check_bytes(s, c, e, "details", details) ||
	                                        !check_bytes(s, c, e, "attachments", attachments)))
		return false;
	return !e->state || check_state(s, c, e, state);
}

static bool
check_number(struct store_check *c, const struct stored_entry *e)
{
	size_t len;
	const char *value = journal_field(e->text, "document", &len);

	if ((value ? strtoll(value, NULL, 10) : 0) != e->document)
		return broken(c, e, "the entry's document is not the one that its text names");
	return true;
}

static bool
read_entry(struct query *q, struct stored_entry *e)
{
	if (!query_row(q))
		return false;
	*e = (struct stored_entry){.sequence = get_int(q)};
	e->document = get_int(q);
	e->message = get_int(q);
	e->attempt = get_int(q);
	e->state = (enum document_state)get_int(q);
	struct wire_bytes digest = get_bytes(q);
	e->has_digest = digest.len == sizeof e->digest;
	if (e->has_digest)
		memcpy(e->digest, digest.data, digest.len);
	e->text = get_text(q);
	e->len = e->text ? strlen(e->text) : 0;
	return e->text;
}

/* The digest before the first entry of the slice: of the entry before, of the newest archive, or
 * none. */
static bool
digest_before(struct store *s, struct store_check *c, uint8_t out[JOURNAL_HASH])
{
	struct query q = sql(s, SQL_JOURNAL_DIGEST);
	bool found = false;

	memset(out, 0, JOURNAL_HASH);
	put_int(&q, c->next - 1);
	if (query_row(&q)) {
		struct wire_bytes digest = get_bytes(&q);
		found = digest.len == JOURNAL_HASH;
		if (found)
			memcpy(out, digest.data, JOURNAL_HASH);
	}
	if (!query_end(&q) || found)
		return s->why == FAULT_NONE;
	struct query archive = sql(s, SQL_ARCHIVE_LAST);
	if (query_row(&archive)) {
		int64_t last = get_int(&archive);
		struct wire_bytes digest = get_bytes(&archive);
		if (last >= c->next && digest.len == JOURNAL_HASH) {
			c->next = last + 1;
			found = true;
		} else if (last + 1 == c->next && digest.len == JOURNAL_HASH) {
			found = true;
		}
		if (found)
			memcpy(out, digest.data, JOURNAL_HASH);
	}
	return query_end(&archive);
}

static bool
check_entry(struct store *s, struct store_check *c, struct stored_entry *e,
            uint8_t previous[JOURNAL_HASH])
{
	uint8_t entry[JOURNAL_HASH], digest[JOURNAL_HASH];

	if (e->sequence != c->next) {
		e->sequence = c->next;
		return broken(c, e, "the entry is missing");
	}
	if (!e->has_digest ||
	    !journal_digest((uint64_t)e->sequence, previous, e->text, e->len, entry, digest) ||
	    memcmp(digest, e->digest, sizeof digest) != 0)
		return broken(c, e, "the entry, or the one before it, was changed");
	memcpy(previous, digest, sizeof digest);
	return check_number(c, e) && check_proof(s, c, e) && check_document(s, c, e);
}

static bool
check_entries(struct store *s, struct store_check *c)
{
	uint8_t previous[JOURNAL_HASH];
	uint64_t budget = c->bytes ? c->bytes : 1 << 20;
	struct stored_entry e;

	c->bytes = 0;
	if (c->next == 0)
		c->next = 1;
	if (!digest_before(s, c, previous))
		return false;
	for (unsigned n = 0; n < c->limit && c->bytes < budget &&
	                     c->file_count + 2 <= STORE_CHECK_FILES; n++) {
		struct query q = sql(s, SQL_JOURNAL_PAGE);
		put_int(&q, c->next);
		put_int(&q, 1);
		bool there = read_entry(&q, &e);
		if (!query_end(&q))
			return false;
		if (!there) {
			if ((uint64_t)c->next <= s->head.sequence) {
				e = (struct stored_entry){.sequence = c->next};
				return broken(c, &e, "the entry is missing");
			}
			c->phase = CHECK_MESSAGES;
			c->next = 0;
			return true;
		}
		if (!check_entry(s, c, &e, previous))
			return false;
		c->next++;
		c->checked++;
		arena_reset(&s->scratch);
	}
	return true;
}

/* The rows of messages that older versions stored have no entry; the first entry tells how many. */
static bool
messages_before(struct store *s, int64_t *before)
{
	struct query q = sql(s, SQL_JOURNAL_PAGE);
	struct stored_entry e;
	size_t len;

	*before = 0;
	put_int(&q, 1);
	put_int(&q, 1);
	if (read_entry(&q, &e) && e.sequence == 1) {
		const char *text = journal_field(e.text, "text", &len), *row = text ? strstr(text, "row ") : NULL;
		*before = row ? strtoll(row + 4, NULL, 10) : 0;
	}
	return query_end(&q);
}

/* Messages that no entry vouches for. */
static bool
check_messages(struct store *s, struct store_check *c)
{
	struct stored_entry e = {0};
	int64_t before, archived = 0;
	unsigned n = 0;

	struct query last = sql(s, SQL_ARCHIVE_LAST);
	if (!messages_before(s, &before) || (!query_number(&last, &archived) && s->why))
		return false;
	struct query q = sql(s, SQL_CHECK_MESSAGES);
	put_int(&q, c->next > before ? c->next : before);
	put_int(&q, c->limit);
	for (; c->broken == 0 && query_row(&q); n++) {
		c->next = get_int(&q);
		e.sequence = get_int(&q);
		/* What is older may belong to a document of which younger entries are here. */
		if (e.sequence == 0 || (e.sequence > archived && get_int(&q) != c->next)) {
			e.sequence = e.sequence ? e.sequence : c->next;
			broken(c, &e, "a stored message has no entry in the journal");
		}
	}
	if (!query_end(&q) || c->broken)
		return false;
	if (n < c->limit) {
		c->phase = CHECK_STAMPS;
		c->next = 0;
	}
	return true;
}

/* Time stamps are for digests that the journal still has. */
static bool
check_stamps(struct store *s, struct store_check *c)
{
	struct stored_entry e = {0};

	for (unsigned n = 0; n < c->limit; n++) {
		uint8_t stamped[JOURNAL_HASH];
		struct query q = sql(s, SQL_STAMP_AFTER);
		put_int(&q, c->next);
		bool found = query_row(&q), whole = false;
		if (found) {
			e.sequence = get_int(&q);
			(void)get_when(&q);
			struct wire_bytes digest = get_bytes(&q);
			whole = digest.len == sizeof stamped;
			if (whole)
				memcpy(stamped, digest.data, sizeof stamped);
		}
		if (!query_end(&q))
			return false;
		if (!found) {
			c->phase = CHECK_DONE;
			return true;
		}
		struct query j = sql(s, SQL_JOURNAL_DIGEST);
		put_int(&j, e.sequence);
		bool there = query_row(&j), same = false;
		if (there) {
			struct wire_bytes digest = get_bytes(&j);
			same = whole && digest.len == sizeof stamped && memcmp(digest.data, stamped, digest.len) == 0;
		}
		if (!query_end(&j))
			return false;
		if ((there && !same) || (!there && (uint64_t)e.sequence > s->head.sequence))
			return broken(c, &e, "a time stamp is for another digest than the journal's");
		c->next = e.sequence + 1;
	}
	return true;
}

enum fault
db_check(struct store *s, struct store_check *c)
{
	static bool (*const phases[])(struct store *, struct store_check *) = {
		[CHECK_ENTRIES] = check_entries,
		[CHECK_MESSAGES] = check_messages,
		[CHECK_STAMPS] = check_stamps,
	};

	s->why = FAULT_NONE;
	c->checked = c->file_count = 0;
	c->broken = 0;
	if (c->phase >= CHECK_DONE)
		return FAULT_NONE;
	arena_reset(&s->scratch);
	phases[c->phase](s, c);
	if (c->broken)
		c->phase = CHECK_DONE;
	return s->why;
}
