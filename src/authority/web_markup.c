#include "authority/web_markup.h"

#include <string.h>

#include "message/utf8.h"

static const char *
entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void
add_escaped(struct buf *out, const char *text, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *e = entity(text[i]);
		if (!e)
			continue;
		buf_add(out, text + from, i - from);
		buf_adds(out, e);
		from = i + 1;
	}
	buf_add(out, text + from, len - from);
}

void
web_markup_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	bool bad = false;

	while (len > 0) {
		size_t good = utf8_span(text, len, &bad);
		add_escaped(out, text, good);
		text += good;
		len -= good;
		if (len > 0) {
			buf_adds(out, "\xef\xbf\xbd");
			text++;
			len--;
		}
	}
}

void
web_markup_url(struct buf *out, const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	for (; *text; text++) {
		if (strchr(unreserved, *text))
			buf_addc(out, *text);
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
	}
}

void
web_markup(struct web_markup *m, const char *literal, const char *const *values, size_t count)
{
	size_t used = 0;

	while (*literal) {
		size_t plain = strcspn(literal, "{");
		buf_add(&m->out, literal, plain);
		literal += plain;
		if (!*literal)
			break;
		bool url = strncmp(literal, "{%}", 3) == 0;
		if ((!url && strncmp(literal, "{}", 2) != 0) || used == count) {
			m->wrong = true;
			return;
		}
		const char *value = values[++used];
		(url ? web_markup_url : web_markup_text)(&m->out, value ? value : "");
		literal += url ? 3 : 2;
	}
	m->wrong = m->wrong || used != count;
}
