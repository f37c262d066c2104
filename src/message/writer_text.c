#include "message/writer_text.h"

#include <string.h>
#include "message/utf8.h"

static const char *
escape(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\r':
		return " ";
	default:
		return NULL;
	}
}

static void
add_characters(struct buf *out, const char *text, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *e = escape(text[i]);
		if (!e)
			continue;
		buf_add(out, text + from, i - from);
		buf_adds(out, e);
		from = i + 1;
	}
	buf_add(out, text + from, len - from);
}

void
write_escaped(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		bool bad;
		size_t n = utf8_span(text, len, &bad);
		add_characters(&w->out, text, n);
		text += n;
		len -= n;
		if (len > 0) {
			buf_addc(&w->out, ' ');
			text++;
			len--;
		}
	}
}

void
write_plain(struct writer *w, const char *xml)
{
	buf_adds(&w->out, xml);
}

void
write_wrong(struct writer *w, const char *name)
{
	if (!w->wrong)
		w->wrong = name;
}

void
write_optional(struct writer *w, const char *name, const char *text)
{
	if (!text)
		return;
	buf_addc(&w->out, '<');
	buf_adds(&w->out, name);
	buf_addc(&w->out, '>');
	write_escaped(w, text);
	buf_adds(&w->out, "</");
	buf_adds(&w->out, name);
	buf_addc(&w->out, '>');
}

void
write_required(struct writer *w, const char *name, const char *text)
{
	if (!text)
		write_wrong(w, name);
	write_optional(w, name, text);
}

void
write_date(struct writer *w, const char *name, const char *date)
{
	if (date && !date_valid(date, strlen(date)))
		write_wrong(w, name);
	write_optional(w, name, date);
}

void
write_guid(struct writer *w, const char *name, const struct guid *guid, const char *spelling)
{
	char text[GUID_TEXT_SIZE];
	struct guid parsed;

	if (spelling ? !guid_parse(&parsed, spelling, strlen(spelling)) : guid_is_zero(guid))
		write_wrong(w, name);
	guid_format(guid, text);
	write_optional(w, name, spelling ? spelling : text);
}
