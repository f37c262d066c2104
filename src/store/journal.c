#include "store/journal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "message/signature.h"

static const char *const kinds[JOURNAL_KIND_COUNT] = {
	[JOURNAL_START] = "start",
	[JOURNAL_RECEIVED] = "received",
	[JOURNAL_REFUSED] = "refused",
	[JOURNAL_ACCEPTED] = "accepted",
	[JOURNAL_SIGNED] = "signed",
	[JOURNAL_ATTEMPT] = "attempt",
	[JOURNAL_STATE] = "state",
	[JOURNAL_OPERATOR] = "operator",
	[JOURNAL_ARCHIVED] = "archived",
};

const char *
journal_kind_name(enum journal_kind k)
{
	return k < JOURNAL_KIND_COUNT ? kinds[k] : "";
}

void
journal_hex_write(const uint8_t hash[JOURNAL_HASH], char out[2 * JOURNAL_HASH + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < JOURNAL_HASH; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
	out[2 * JOURNAL_HASH] = 0;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
journal_hex(const char *text, uint8_t out[JOURNAL_HASH])
{
	for (size_t i = 0; i < JOURNAL_HASH; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Cut between characters: the text is UTF-8. */
static size_t
cut(const char *text)
{
	size_t len = strnlen(text, JOURNAL_TEXT_MAX + 1);

	if (len <= JOURNAL_TEXT_MAX)
		return len;
	for (len = JOURNAL_TEXT_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
		;
	return len;
}

static void
put_line(struct buf *out, const char *name, const char *value)
{
	buf_adds(out, name);
	buf_addc(out, ' ');
	buf_adds(out, value);
	buf_addc(out, '\n');
}

static void
put_text(struct buf *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	buf_adds(out, name);
	buf_addc(out, ' ');
	const char *end = text + cut(text), *from = text;
	for (; text < end; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x20 && c != 0x7f && c != '%')
			continue;
		buf_add(out, from, (size_t)(text - from));
		buf_addf(out, "%%%02X", c);
		from = text + 1;
	}
	buf_add(out, from, (size_t)(end - from));
	buf_addc(out, '\n');
}

static void
put_number(struct buf *out, const char *name, uint64_t n)
{
	if (n)
		buf_addf(out, "%s %llu\n", name, (unsigned long long)n);
}

static void
put_moment(struct buf *out, const char *name, when w)
{
	time_t seconds = (time_t)(w / WHEN_SECOND);
	char text[32];
	struct tm tm;

	if (w == WHEN_NONE || w <= 0 || !gmtime_r(&seconds, &tm))
		return;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(out, "%s %s.%09lldZ\n", name, text, (long long)(w % WHEN_SECOND));
}

static void
put_guid(struct buf *out, const char *name, const struct guid *g)
{
	char text[GUID_TEXT_SIZE];

	if (guid_is_zero(g))
		return;
	guid_format(g, text);
	put_line(out, name, text);
}

static void
put_hash(struct buf *out, const char *name, const uint8_t *hash)
{
	char hex[2 * JOURNAL_HASH + 1];

	if (!hash)
		return;
	journal_hex_write(hash, hex);
	put_line(out, name, hex);
}

static void
put_bytes(struct buf *out, const char *name, const struct journal_bytes *b)
{
	char hex[2 * JOURNAL_HASH + 1];

	if (b->size == 0)
		return;
	journal_hex_write(b->sha256, hex);
	buf_addf(out, "%s %s %llu\n", name, hex, (unsigned long long)b->size);
}

bool
journal_write(struct buf *out, const struct journal_entry *e)
{
	buf_adds(out, "obmen-entry 1\n");
	put_moment(out, "at", e->at);
	put_text(out, "kind", journal_kind_name(e->kind));
	put_number(out, "document", (uint64_t)e->document);
	put_number(out, "before", e->before);
	put_text(out, "direction", e->direction);
	put_guid(out, "guid", &e->guid);
	put_guid(out, "own", &e->own);
	put_guid(out, "peer", &e->peer);
	put_text(out, "type", e->type);
	put_guid(out, "message", &e->message);
	put_bytes(out, "body", &e->body);
	put_bytes(out, "answer", &e->answer);
	put_bytes(out, "details", &e->details);
	put_bytes(out, "attachments", &e->attachments);
	put_hash(out, "certificate", e->certificate);
	put_hash(out, "connection", e->connection);
	put_text(out, "address", e->address);
	put_moment(out, "sent", e->sent);
	put_moment(out, "ended", e->ended);
	put_number(out, "http-status", e->http_status);
	put_text(out, "state", e->state);
	put_text(out, "cause", e->cause);
	put_text(out, "fault", e->fault);
	put_text(out, "by", e->by);
	put_text(out, "text", e->text);
	return !out->failed;
}

size_t
journal_link(char out[JOURNAL_LINK_SIZE], uint64_t sequence, const uint8_t previous[JOURNAL_HASH],
             const uint8_t entry[JOURNAL_HASH])
{
	char before[2 * JOURNAL_HASH + 1], hash[2 * JOURNAL_HASH + 1];

	journal_hex_write(previous, before);
	journal_hex_write(entry, hash);
	return (size_t)snprintf(out, JOURNAL_LINK_SIZE,
	    "obmen-link 1\nsequence %llu\nprevious %s\nentry %s\n", (unsigned long long)sequence, before,
	    hash);
}

static bool
sha256(const void *data, size_t len, uint8_t out[JOURNAL_HASH])
{
	return EVP_Digest(data, len, out, NULL, digest_method_md(DIGEST_SHA256), NULL);
}

bool
journal_digest(uint64_t sequence, const uint8_t previous[JOURNAL_HASH], const char *text, size_t len,
               uint8_t entry[JOURNAL_HASH], uint8_t digest[JOURNAL_HASH])
{
	char link[JOURNAL_LINK_SIZE];

	return sha256(text, len, entry) &&
	       sha256(link, journal_link(link, sequence, previous, entry), digest);
}

const char *
journal_field(const char *text, const char *name, size_t *len)
{
	size_t n = strlen(name);

	while (*text) {
		size_t line = strcspn(text, "\n");
		if (line > n && strncmp(text, name, n) == 0 && text[n] == ' ') {
			*len = line - n - 1;
			return text + n + 1;
		}
		text += line + (text[line] == '\n');
	}
	return NULL;
}

bool
journal_bytes_of(const char *text, const char *name, struct journal_bytes *out)
{
	size_t len;
	const char *value = journal_field(text, name, &len);
	char *end;

	if (!value || len < 2 * JOURNAL_HASH + 2 || !journal_hex(value, out->sha256) ||
	    value[2 * JOURNAL_HASH] != ' ')
		return false;
	out->size = strtoull(value + 2 * JOURNAL_HASH + 1, &end, 10);
	return end == value + len;
}

when
journal_at(const char *text)
{
	size_t len;
	const char *value = journal_field(text, "at", &len);
	when w;

	return value && when_parse(&w, value, len) ? w : WHEN_NONE;
}
