/* Writing the journal: entries are added in the transaction of what they are about. */
#include <stdio.h>
#include <string.h>
#include "store/sqlite.h"

int64_t
db_journal_next(const struct store *s)
{
	return (int64_t)s->head.sequence + 1;
}

static bool
entry_row(struct store *s, const struct journal_entry *e, int64_t message, int64_t attempt,
          enum document_state state, const uint8_t digest[JOURNAL_HASH])
{
	struct query q = sql(s, SQL_JOURNAL_ADD);

	put_int(&q, db_journal_next(s));
	put_id(&q, e->document);
	put_id(&q, message);
	put_id(&q, attempt);
	put_id(&q, state);
	put_bytes(&q, digest, JOURNAL_HASH);
	put_text(&q, buf_str(&s->entry));
	return query_run(&q);
}

/* So that none of a document's entries can be left out when they are shown. */
static bool
entry_before(struct store *s, struct journal_entry *e)
{
	struct query q = sql(s, SQL_JOURNAL_LAST_ENTRY);
	int64_t before = 0;

	if (!e->document || e->first)
		return true;
	put_int(&q, e->document);
	if (!query_number(&q, &before) && s->why)
		return false;
	e->before = (uint64_t)before;
	return true;
}

bool
db_journal_add(struct store *s, struct journal_entry *e, int64_t message, int64_t attempt,
               enum document_state state)
{
	uint8_t text[JOURNAL_HASH], digest[JOURNAL_HASH];

	e->at = s->now;
	buf_reset(&s->entry);
	if (!entry_before(s, e))
		return false;
	if (!journal_write(&s->entry, e) ||
	    !journal_digest((uint64_t)db_journal_next(s), s->head.digest, buf_str(&s->entry),
	        s->entry.len, text, digest)) {
		s->why = FAULT_STORE_FAILED;
		return false;
	}
	if (!entry_row(s, e, message, attempt, state, digest))
		return false;
	s->head.sequence++;
	memcpy(s->head.digest, digest, sizeof digest);
	return true;
}

/* Sequence and digest, or nothing. */
static bool
load_head(struct store *s, enum statement from, bool *found)
{
	struct query q = sql(s, from);

	*found = query_row(&q);
	if (*found) {
		s->head.sequence = (uint64_t)get_int(&q);
		struct wire_bytes digest = get_bytes(&q);
		if (digest.len == sizeof s->head.digest)
			memcpy(s->head.digest, digest.data, digest.len);
	}
	return query_end(&q);
}

bool
db_journal_load(struct store *s)
{
	bool found;

	memset(&s->head, 0, sizeof s->head);
	/* Everything may have been archived. */
	return load_head(s, SQL_JOURNAL_HEAD, &found) &&
	       (found || load_head(s, SQL_ARCHIVE_LAST, &found));
}

bool
db_journal_start(struct store *s)
{
	struct journal_entry e = {.kind = JOURNAL_START};
	int64_t before = 0;
	char text[80];

	if (s->head.sequence > 0)
		return true;
	struct query q = sql(s, SQL_JOURNAL_BEFORE);
	if (!query_number(&q, &before) && s->why)
		return false;
	snprintf(text, sizeof text, "messages without an entry: up to row %lld", (long long)before);
	e.text = text;
	s->now = when_now();
	return db_journal_add(s, &e, 0, 0, STATE_NONE);
}

enum fault
db_note(struct store *s, const char *by, const char *text)
{
	struct journal_entry e = {.kind = JOURNAL_OPERATOR, .by = by, .text = text};

	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	return db_operation_end(s, db_journal_add(s, &e, 0, 0, STATE_NONE) ? FAULT_NONE : s->why);
}

enum fault
db_stamp(struct store *s, uint64_t sequence, const uint8_t digest[JOURNAL_HASH], when at,
         const void *token, size_t len)
{
	struct query q = sql(s, SQL_STAMP_ADD);

	put_int(&q, (int64_t)sequence);
	put_when(&q, at);
	put_bytes(&q, digest, JOURNAL_HASH);
	put_bytes(&q, token, len);
	return query_run(&q) ? FAULT_NONE : s->why;
}
