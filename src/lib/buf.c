#include "lib/buf.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *
buf_room(struct buf *b, size_t extra)
{
	size_t max = b->max ? b->max : BUF_DEFAULT_MAX;

	if (b->failed || extra > max || b->len > max - extra) {
		b->failed = true;
		return NULL;
	}
	size_t need = b->len + extra + 1;
	if (need > b->cap) {
		size_t cap = need < 256 ? 256 : need + need / 2;
		uint8_t *data = realloc(b->data, cap);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	return b->data + b->len;
}

/* Counts bytes that were written into the room, and ends them with a NUL. */
static void
grown(struct buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = 0;
}

bool
buf_add(struct buf *b, const void *data, size_t len)
{
	uint8_t *p = buf_room(b, len);

	if (!p)
		return false;
	if (len)
		memcpy(p, data, len);
	grown(b, len);
	return true;
}

bool
buf_adds(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool
buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list copy;
	size_t spare = b->data && !b->failed ? b->cap - b->len : 0;

	/* Mostly it fits into what is there. */
	va_copy(copy, ap);
	int n = vsnprintf(spare ? (char *)b->data + b->len : NULL, spare, fmt, copy);
	va_end(copy);
	uint8_t *p = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (p && (size_t)n < spare) {
		grown(b, (size_t)n);
		return true;
	}
	if (!p) {
		b->failed = true;
		if (spare)
			b->data[b->len] = 0;
		return false;
	}
	vsnprintf((char *)p, (size_t)n + 1, fmt, ap);
	grown(b, (size_t)n);
	return true;
}

bool
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bool ok = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return ok;
}

/* Every byte of every message passes here on its way out. */
static const char *const xml_entities[256] = {
	['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;",
};

bool
buf_add_xml(struct buf *b, const char *text, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *entity = xml_entities[(uint8_t)text[i]];
		if (!entity)
			continue;
		buf_add(b, text + from, i - from);
		buf_adds(b, entity);
		from = i + 1;
	}
	return buf_add(b, text + from, len - from);
}

bool
buf_add_base64(struct buf *b, const void *data, size_t len)
{
	size_t out = (len + 2) / 3 * 4;
	uint8_t *p = len > INT32_MAX ? NULL : buf_room(b, out);

	if (!p) {
		b->failed = true;
		return false;
	}
	if (len)
		EVP_EncodeBlock(p, data, (int)len);
	grown(b, out);
	return true;
}

bool
buf_add_hex(struct buf *b, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = data;
	uint8_t *p = len > SIZE_MAX / 2 ? NULL : buf_room(b, len * 2);

	if (!p) {
		b->failed = true;
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		p[2 * i] = (uint8_t)digits[in[i] >> 4];
		p[2 * i + 1] = (uint8_t)digits[in[i] & 15];
	}
	grown(b, len * 2);
	return true;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = 0;
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

char *
buf_take(struct buf *b, size_t *len)
{
	if (b->failed) {
		buf_free(b);
		return NULL;
	}
	char *data = (char *)b->data;
	if (len)
		*len = b->len;
	*b = (struct buf){.max = b->max};
	return data;
}

const char *
buf_str(const struct buf *b)
{
	return b->data && !b->failed ? (const char *)b->data : "";
}
