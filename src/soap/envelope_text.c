#include <stdlib.h>
#include <string.h>
#include "message/utf8.h"
#include "soap/envelope_state.h"

#define DIRECT 2048 /* runs of this length are not copied */

void
envelope_text_begin(struct envelope *e)
{
	e->in_text = true;
	e->state = TEXT_PLAIN;
	e->pending_len = e->run = 0;
	e->after_cr = e->any = false;
	e->inner_bom = 0;
	e->out_len = 0;
}

static void
deliver(struct envelope *e, const char *data, size_t len)
{
	if (e->fault || len == 0)
		return;
	enum fault fault = e->cb(e->arg, data, len);
	if (fault)
		envelope_fail(e, fault, "%s", "");
}

static void
flush_text(struct envelope *e)
{
	deliver(e, e->out, e->out_len);
	e->out_len = 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* White space and a byte order mark before the message are dropped: an XML declaration must come
 * first in its text. Returns how many bytes to drop. */
static size_t
leading(struct envelope *e, const char *data, size_t len)
{
	static const char mark[3] = "\xef\xbb\xbf";
	size_t i = 0;

	while (i < len && !e->any) {
		if (e->inner_bom < 3 && data[i] == mark[e->inner_bom])
			e->inner_bom++;
		else if (is_space(data[i]) && (e->inner_bom == 0 || e->inner_bom == 3))
			;
		else
			e->any = true;
		i += !e->any;
	}
	/* what looked like a mark was none: the message's reader refuses it */
	if (e->any && e->inner_bom > 0 && e->inner_bom < 3)
		envelope_fail(e, FAULT_XML_MALFORMED, "the text does not begin with a tag");
	return i;
}

static void
emit(struct envelope *e, const char *data, size_t len)
{
	if (!e->any) {
		size_t n = leading(e, data, len);
		data += n;
		len -= n;
	}
	if (len >= DIRECT) {
		flush_text(e);
		deliver(e, data, len);
		return;
	}
	if (len > sizeof e->out - e->out_len)
		flush_text(e);
	memcpy(e->out + e->out_len, data, len);
	e->out_len += len;
}

/* Literal text, with line ends as XML 1.0 section 2.11 wants them. */
static void
emit_lines(struct envelope *e, const char *data, size_t len)
{
	while (len > 0) {
		if (e->after_cr && *data == '\n') { /* of a CR LF */
			data++;
			len--;
		}
		e->after_cr = false;
		const char *cr = len ? memchr(data, '\r', len) : NULL;
		size_t n = cr ? (size_t)(cr - data) : len;
		emit(e, data, n);
		if (cr) {
			emit(e, "\n", 1);
			e->after_cr = true;
			n++;
		}
		data += n;
		len -= n;
	}
}

static const struct {
	const char *name;
	unsigned char len;
	char value;
} entities[] = {
	{"lt;", 3, '<'}, {"gt;", 3, '>'}, {"amp;", 4, '&'}, {"quot;", 5, '"'}, {"apos;", 5, '\''}};

/* The predefined entity that the text begins with: its length, or 0. */
static size_t
known_entity(const char *text, size_t len, char *value)
{
	for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
		if (text[0] == entities[i].name[0] && len >= entities[i].len &&
		    memcmp(text, entities[i].name, entities[i].len) == 0) {
			*value = entities[i].value;
			return entities[i].len;
		}
	}
	return 0;
}

/* The character of "#...;"; 0 when it is none. */
static uint32_t
reference(const char *text, unsigned len)
{
	bool hex = len > 1 && text[1] == 'x';
	unsigned i = hex ? 2 : 1;
	uint32_t c = 0;

	if (i + 1 >= len)
		return 0;
	for (; i + 1 < len; i++) {
		const char *digits = "0123456789abcdef";
		const char *d = strchr(digits, text[i] >= 'A' && text[i] <= 'F' ? text[i] | 0x20 : text[i]);
		if (!d || (d - digits > 9 && !hex) || c > 0x110000)
			return 0;
		c = c * (hex ? 16 : 10) + (uint32_t)(d - digits);
	}
	return xml_char(c) ? c : 0;
}

static void
end_entity(struct envelope *e)
{
	char text[4], value;
	uint32_t c = 0;

	if (known_entity(e->pending, e->pending_len, &value))
		c = (uint32_t)(unsigned char)value;
	else if (e->pending[0] == '#')
		c = reference(e->pending, e->pending_len);
	if (c == 0)
		envelope_fail(e, FAULT_SOAP_MALFORMED, "entity &%.*s", (int)e->pending_len, e->pending);
	else
		emit(e, text, utf8_put(c, text));
	e->state = TEXT_PLAIN;
	e->after_cr = false;
}

/* Each state takes bytes and returns how many. */

/* An entity that lies whole in the bytes at hand, as nearly all do: its length, or 0. */
static size_t
take_known_entity(struct envelope *e, const char *data, size_t len)
{
	char value;
	size_t n = len ? known_entity(data, len, &value) : 0;

	if (n) {
		emit(e, &value, 1);
		e->after_cr = false;
	}
	return n;
}

static size_t
take_entity(struct envelope *e, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (e->pending_len == sizeof e->pending || data[i] == '<' || data[i] == '&') {
			envelope_fail(e, FAULT_SOAP_MALFORMED, "an & that is no entity");
			return i;
		}
		e->pending[e->pending_len++] = data[i];
		if (data[i] == ';') {
			end_entity(e);
			return i + 1;
		}
	}
	return len;
}

static const struct {
	const char *text;
	enum text_state state;
} markups[] = {{"/", TEXT_PLAIN}, {"!--", TEXT_COMMENT}, {"![CDATA[", TEXT_CDATA}, {"?", TEXT_PI}};

/* Behind a '<': end tag, comment, CDATA or instruction; elements are not allowed here. */
static size_t
take_markup(struct envelope *e, const char *data, size_t len)
{
	(void)len;
	e->pending[e->pending_len++] = *data;
	for (size_t i = 0; i < sizeof markups / sizeof markups[0]; i++) {
		size_t size = strlen(markups[i].text);
		if (size < e->pending_len || memcmp(markups[i].text, e->pending, e->pending_len) != 0)
			continue;
		if (size == e->pending_len) {
			e->state = markups[i].state;
			e->run = 0;
			e->in_text = *data != '/';
		}
		return 1;
	}
	envelope_fail(e, FAULT_SOAP_UNEXPECTED, "elements where the message must be text");
	return 1;
}

static size_t
take_comment(struct envelope *e, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (e->run == 2) {
			if (data[i] != '>')
				envelope_fail(e, FAULT_SOAP_MALFORMED, "-- in a comment");
			e->state = TEXT_PLAIN;
			return i + 1;
		}
		e->run = data[i] == '-' ? e->run + 1 : 0;
	}
	return len;
}

static size_t
take_instruction(struct envelope *e, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (e->run && data[i] == '>') {
			e->state = TEXT_PLAIN;
			return i + 1;
		}
		e->run = data[i] == '?';
	}
	return len;
}

static size_t
take_cdata(struct envelope *e, const char *data, size_t len)
{
	const char *bracket = memchr(data, ']', len);
	size_t n = bracket ? (size_t)(bracket - data) : len;

	if (e->run == 0 || n == 0) {
		emit_lines(e, data, n);
		if (bracket) {
			e->after_cr = false;
			if (e->run == 2) /* "]]]": the first is text */
				emit(e, "]", 1);
			else
				e->run++;
			n++;
		}
		return n;
	}
	if (e->run == 2 && *data == '>') {
		e->run = 0;
		e->state = TEXT_PLAIN;
		return 1;
	}
	emit(e, "]]", e->run);
	e->run = 0;
	return 0;
}

static size_t
take_plain(struct envelope *e, const char *data, size_t len)
{
	const char *lt = memchr(data, '<', len), *end = lt ? lt : data + len, *p = data;

	while (p < end && !e->fault) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *stop = amp ? amp : end;
		emit_lines(e, p, (size_t)(stop - p));
		p = stop;
		if (!amp)
			break;
		p++;
		size_t n = take_known_entity(e, p, (size_t)(data + len - p));
		p += n;
		if (n)
			continue;
		e->state = TEXT_ENTITY;
		e->pending_len = 0;
		p += take_entity(e, p, (size_t)(data + len - p));
		if (e->state == TEXT_ENTITY)
			return (size_t)(p - data);
	}
	if (p == end && lt) {
		e->state = TEXT_MARKUP;
		e->pending_len = 0;
		p++;
	}
	return (size_t)(p - data);
}

size_t
envelope_take_text(struct envelope *e, const char *data, size_t len)
{
	static size_t (*const takers[])(struct envelope *, const char *, size_t) = {
	    [TEXT_PLAIN] = take_plain,
	    [TEXT_ENTITY] = take_entity,
	    [TEXT_MARKUP] = take_markup,
	    [TEXT_COMMENT] = take_comment,
	    [TEXT_CDATA] = take_cdata,
	    [TEXT_PI] = take_instruction,
	};
	size_t i = 0;

	while (i < len && e->in_text && !e->fault)
		i += takers[e->state](e, data + i, len - i);
	if (!e->in_text)
		flush_text(e);
	return i;
}
