/* Retention: which entries are old enough, what belongs to them, and their removal once an archive
 * file holds them. Nothing that is undelivered, open or younger is touched. */
#include <stdio.h>
#include <string.h>
#include "store/sqlite.h"

#define DOCUMENTS_MAX 1024 /* whose last entry is in one range */

/* True when the document's way is over and nothing was written about it since. */
static bool
document_over(struct store *s, int64_t document, when cutoff, bool *over)
{
	struct query q = sql(s, SQL_ARCHIVE_DOCUMENT);

	*over = true;
	put_int(&q, document);
	if (query_row(&q)) {
		enum document_state state = (enum document_state)get_int(&q);
		bool pending = get_int(&q);
		const char *last = get_text(&q);
		when at = last ? journal_at(last) : WHEN_NONE;
		*over = state_is_end(state) && !pending && at != WHEN_NONE && at < cutoff;
	}
	return query_end(&q);
}

enum fault
db_archive_plan(struct store *s, when cutoff, unsigned limit, struct store_range *r)
{
	int64_t next = 1;

	*r = (struct store_range){0};
	for (unsigned n = 0; n < limit; n++) {
		int64_t sequence = 0, document = 0;
		when at = WHEN_NONE;
		bool over = true;
		arena_reset(&s->scratch);
		struct query q = sql(s, SQL_JOURNAL_PAGE);
		put_int(&q, next);
		put_int(&q, 1);
		if (query_row(&q)) {
			sequence = get_int(&q);
			document = get_int(&q);
			q.at += 4;
			const char *text = get_text(&q);
			at = text ? journal_at(text) : WHEN_NONE;
		}
		if (!query_end(&q))
			return s->why;
		if (!sequence || at == WHEN_NONE || at >= cutoff)
			break;
		if (document && !document_over(s, document, cutoff, &over))
			return s->why;
		if (!over)
			break;
		r->first = r->first ? r->first : sequence;
		r->last = sequence;
		next = sequence + 1;
	}
	return FAULT_NONE;
}

/* Bodies of one document, then its rows. */
static bool
remove_bodies(struct store *s, enum statement which, int64_t id)
{
	int64_t bodies[64];
	unsigned n;

	do {
		struct query q = sql(s, which);
		n = 0;
		put_int(&q, id);
		while (n < sizeof bodies / sizeof *bodies && query_row(&q))
			bodies[n++] = get_int(&q);
		if (!query_end(&q))
			return false;
		for (unsigned i = 0; i < n; i++)
			if (!db_body_delete(s, bodies[i]))
				return false;
	} while (n == sizeof bodies / sizeof *bodies);
	return true;
}

static bool
run_on(struct store *s, enum statement id, int64_t a, int64_t b)
{
	struct query q = sql(s, id);

	put_int(&q, a);
	if (b)
		put_int(&q, b);
	return query_run(&q);
}

static bool
remove_document(struct store *s, int64_t id)
{
	static const enum statement rows[] = {SQL_REMOVE_ATTEMPTS, SQL_REMOVE_MESSAGES, SQL_REMOVE_EVENTS,
	    SQL_REMOVE_DELIVERY, SQL_REMOVE_DOCUMENT};

	if (!remove_bodies(s, SQL_REMOVE_BODIES, id))
		return false;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!run_on(s, rows[i], id, 0))
			return false;
	return true;
}

/* Documents whose last entry is in the range. Others keep their rows until that one goes too. */
static bool
remove_documents(struct store *s, const struct store_range *r)
{
	int64_t ids[DOCUMENTS_MAX];
	unsigned n = 0;
	struct query q = sql(s, SQL_REMOVABLE);

	put_int(&q, r->first);
	put_int(&q, r->last);
	while (n < DOCUMENTS_MAX && query_row(&q))
		ids[n++] = get_int(&q);
	if (!query_end(&q))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!remove_document(s, ids[i]))
			return false;
	return true;
}

static bool
range_rows(struct store *s, const struct store_range *r, const char *file, uint64_t size,
           const uint8_t sha256[JOURNAL_HASH])
{
	uint8_t last[JOURNAL_HASH] = {0};
	char hex[2 * JOURNAL_HASH + 1], text[256];
	struct journal_entry e = {.kind = JOURNAL_ARCHIVED, .text = text};

	/* Not as bytes of the entry: they are nowhere in the store. */
	journal_hex_write(sha256, hex);
	snprintf(text, sizeof text, "%s %s %llu", file, hex, (unsigned long long)size);
	struct query head = sql(s, SQL_JOURNAL_DIGEST);
	put_int(&head, r->last);
	if (query_row(&head)) {
		struct wire_bytes digest = get_bytes(&head);
		if (digest.len == sizeof last)
			memcpy(last, digest.data, sizeof last);
	}
	if (!query_end(&head) || !remove_documents(s, r) ||
	    !run_on(s, SQL_REMOVE_STAMPS, r->first, r->last) ||
	    !run_on(s, SQL_REMOVE_ENTRIES, r->first, r->last))
		return false;
	struct query add = sql(s, SQL_ARCHIVE_ADD);
	put_int(&add, r->last);
	put_int(&add, r->first);
	put_when(&add, s->now);
	put_text(&add, file);
	put_bytes(&add, sha256, JOURNAL_HASH);
	put_bytes(&add, last, sizeof last);
	return query_run(&add) && db_journal_add(s, &e, 0, 0, STATE_NONE);
}

enum fault
db_archive_remove(struct store *s, const struct store_range *r, const char *file, uint64_t size,
                  const uint8_t sha256[JOURNAL_HASH])
{
	if (!db_operation_begin(s))
		return db_operation_end(s, FAULT_STORE_FAILED);
	bool ok = range_rows(s, r, file, size, sha256);
	return db_operation_end(s, ok ? FAULT_NONE : s->why ? s->why : FAULT_STORE_FAILED);
}
