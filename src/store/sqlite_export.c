/* One document's part of the journal: its entries, the chain around them, stamps, certificates. */
#include <string.h>
#include "store/sqlite.h"

#define LINKS_MAX 20000 /* of other documents, in one export */
#define ENTRIES_MAX 5000
#define CERTIFICATES_MAX 64

struct exporting {
	struct store *s;
	const struct store_export *to;
	void *arg;
	unsigned links;
	int64_t shown;      /* the last link */
	int64_t certificates[CERTIFICATES_MAX];
	unsigned certificate_count;
};

static bool
give_certificate(struct exporting *x, int64_t id)
{
	for (unsigned i = 0; i < x->certificate_count; i++)
		if (x->certificates[i] == id)
			return true;
	if (!id || x->certificate_count == CERTIFICATES_MAX || !x->to->certificate)
		return true;
	x->certificates[x->certificate_count++] = id;
	struct query q = sql(x->s, SQL_EXPORT_CERTIFICATE);
	put_int(&q, id);
	if (query_row(&q)) {
		uint8_t sha256[JOURNAL_HASH] = {0};
		struct wire_bytes hash = get_bytes(&q);
		if (hash.len == sizeof sha256)
			memcpy(sha256, hash.data, sizeof sha256);
		struct wire_bytes der = get_bytes(&q);
		x->to->certificate(x->arg, sha256, der.data, der.len);
	}
	return query_end(&q);
}

/* The digest at this place, for the beginning of a stretch. */
static bool
give_anchor(struct exporting *x, int64_t sequence)
{
	struct query q = sql(x->s, SQL_JOURNAL_DIGEST);

	put_int(&q, sequence);
	bool found = query_row(&q);
	if (found) {
		struct wire_bytes digest = get_bytes(&q);
		if (digest.len == JOURNAL_HASH)
			x->to->link(x->arg, sequence, NULL, digest.data);
	}
	if (!query_end(&q) || found)
		return x->s->why == FAULT_NONE;
	struct query archive = sql(x->s, SQL_ARCHIVE_LAST);
	if (query_row(&archive) && get_int(&archive) == sequence) {
		struct wire_bytes digest = get_bytes(&archive);
		if (digest.len == JOURNAL_HASH)
			x->to->link(x->arg, sequence, NULL, digest.data);
	}
	return query_end(&archive);
}

/* The links from..to that were not given yet. */
static bool
give_links(struct exporting *x, int64_t from, int64_t to)
{
	if (from <= x->shown)
		from = x->shown + 1;
	if (from > to || !x->to->link)
		return true;
	if (from != x->shown + 1 && from > 1 && !give_anchor(x, from - 1))
		return false;
	struct query q = sql(x->s, SQL_JOURNAL_PAGE);
	put_int(&q, from);
	put_int(&q, to - from + 1);
	bool ok = true;
	while (ok && query_row(&q)) {
		uint8_t entry[JOURNAL_HASH];
		x->shown = get_int(&q);
		q.at += 4;
		struct wire_bytes digest = get_bytes(&q), text = get_bytes(&q);
		ok = EVP_DigestInit_ex2(x->s->digest, x->s->sha256, NULL) &&
		     EVP_DigestUpdate(x->s->digest, text.data, text.len) &&
		     EVP_DigestFinal_ex(x->s->digest, entry, NULL);
		if (ok && digest.len == JOURNAL_HASH)
			x->to->link(x->arg, x->shown, entry, digest.data);
		x->links++;
	}
	return query_end(&q) && ok;
}

/* The first stamp that covers the entry; 0 = none yet. */
static bool
next_stamp(struct exporting *x, int64_t sequence, int64_t *stamped, bool give)
{
	struct query q = sql(x->s, SQL_STAMP_AFTER);

	*stamped = 0;
	put_int(&q, sequence);
	if (query_row(&q)) {
		*stamped = get_int(&q);
		when at = get_when(&q);
		(void)get_bytes(&q);
		struct wire_bytes token = get_bytes(&q);
		if (give && x->to->stamp)
			x->to->stamp(x->arg, *stamped, at, token.data, token.len);
	}
	return query_end(&q);
}

struct found_entry {
	int64_t sequence, certificate, connection;
};

/* The row of a query for entries. */
static bool
read_entry(struct exporting *x, struct query q, struct found_entry *out)
{
	int64_t bodies[4];

	*out = (struct found_entry){0};
	if (query_row(&q)) {
		out->sequence = get_int(&q);
		const char *text = get_text(&q);
		for (int i = 0; i < 4; i++)
			bodies[i] = get_int(&q);
		/* Details and attachments belong to the entry that names them. */
		struct journal_bytes named;
		get_int(&q);
		if (!text || !journal_bytes_of(text, "details", &named))
			bodies[EXPORT_DETAILS] = 0;
		if (!text || !journal_bytes_of(text, "attachments", &named))
			bodies[EXPORT_ATTACHMENTS] = 0;
		out->certificate = get_int(&q);
		out->connection = get_int(&q);
		if (text && x->to->entry)
			x->to->entry(x->arg, out->sequence, text, bodies);
	}
	return query_end(&q);
}

/* The document's next entry behind `after`. */
static bool
give_entry(struct exporting *x, int64_t document, int64_t after, struct found_entry *out)
{
	struct query q = sql(x->s, SQL_EXPORT_ENTRIES);

	put_int(&q, document);
	put_int(&q, after);
	return read_entry(x, q, out);
}

enum fault
db_archive_read(struct store *s, int64_t sequence, bool first, const struct store_export *to,
                void *arg)
{
	struct exporting x = {.s = s, .to = to, .arg = arg, .shown = first ? -1 : sequence - 1};
	struct query q = sql(s, SQL_ARCHIVE_ENTRY);
	struct found_entry e;
	int64_t stamped = 0;

	s->why = FAULT_NONE;
	arena_reset(&s->scratch);
	put_int(&q, sequence);
	if (!read_entry(&x, q, &e) || !give_certificate(&x, e.certificate) ||
	    !give_certificate(&x, e.connection) || !give_links(&x, sequence, sequence) ||
	    !next_stamp(&x, sequence, &stamped, false) ||
	    (stamped == sequence && !next_stamp(&x, sequence, &stamped, true)))
		return s->why ? s->why : FAULT_STORE_FAILED;
	return e.sequence ? FAULT_NONE : FAULT_STORE_FAILED;
}

/* Entries, then the chain from each to the first stamp that covers it; without stamps from the first
 * to the last, as far as that is not too much. */
static bool
export_all(struct exporting *x, int64_t document)
{
	struct found_entry e;
	int64_t after = 0, first = 0, stamped = 0, given = 0;

	for (unsigned n = 0; n < ENTRIES_MAX; n++) {
		arena_reset(&x->s->scratch);
		if (!give_entry(x, document, after, &e))
			return false;
		if (!e.sequence)
			break;
		if (!give_certificate(x, e.certificate) || !give_certificate(x, e.connection) ||
		    !next_stamp(x, e.sequence, &stamped, false))
			return false;
		if (stamped != given && stamped && !next_stamp(x, e.sequence, &given, true))
			return false;
		int64_t to = stamped ? stamped : e.sequence;
		int64_t from = !stamped && first && e.sequence - x->shown < LINKS_MAX - (int64_t)x->links
		    ? x->shown + 1 : e.sequence;
		if (to - from >= LINKS_MAX - (int64_t)x->links)
			to = e.sequence;
		if (!give_links(x, from, to))
			return false;
		first = first ? first : e.sequence;
		after = e.sequence;
	}
	return true;
}

enum fault
db_export(struct store *s, int64_t document, const struct store_export *to, void *arg)
{
	struct exporting x = {.s = s, .to = to, .arg = arg, .shown = -1};
	struct document_row row;

	s->why = FAULT_NONE;
	if (!db_document_row(s, document, &row))
		return s->why ? s->why : FAULT_DOCUMENT_MISSING;
	return export_all(&x, document) ? FAULT_NONE : s->why ? s->why : FAULT_STORE_FAILED;
}
