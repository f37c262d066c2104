#include "authority/web_form.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#include "message/utf8.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Checks, cuts white space, and makes CRLF and CR one LF. NULL when it is no text. */
static char *
clean_text(struct arena *memory, const char *text, size_t len)
{
	bool bad = false;
	char *copy = NULL, *to = NULL;

	if (memchr(text, 0, len) || utf8_span(text, len, &bad) != len)
		return NULL;
	for (; len > 0 && is_space(text[len - 1]); len--)
		;
	for (; len > 0 && is_space(*text); len--)
		text++;
	copy = arena_strndup(memory, text, len);
	if (!copy)
		return NULL;
	to = copy;
	for (const char *from = copy; *from; from++) {
		if (*from == '\r' && from[1] == '\n')
			continue;
		*to++ = *from == '\r' ? '\n' : *from;
	}
	*to = 0;
	return copy;
}

static bool
add_value(struct web_form *f, const char *name, size_t name_len, const char *value, size_t len,
          bool file)
{
	struct web_value *v = &f->values[f->count];

	if (f->count == WEB_VALUES_MAX || name_len == 0 || name_len > WEB_NAME_MAX)
		return false;
	v->name = clean_text(&f->memory, name, name_len);
	v->text = file ? arena_strndup(&f->memory, value, len)
		       : clean_text(&f->memory, value, len);
	if (!v->name || !v->text)
		return false;
	v->len = file ? len : strlen(v->text);
	v->file = file;
	f->count++;
	return true;
}

/* libevent ends a value at a decoded NUL: such a form is refused before. */
static bool
add_pairs(struct web_form *f, const char *text)
{
	struct evkeyvalq pairs;
	const struct evkeyval *p;
	bool good = true;

	if (strstr(text, "%00") || evhttp_parse_query_str(text, &pairs) != 0)
		return false;
	for (p = pairs.tqh_first; p && good; p = p->next.tqe_next)
		good = add_value(f, p->key, strlen(p->key), p->value, strlen(p->value), false);
	evhttp_clear_headers(&pairs);
	return good;
}

bool
web_form_read(struct web_form *f, const char *text, size_t len)
{
	char *copy = NULL;
	bool good = false;

	if (len == 0)
		return true;
	if (memchr(text, 0, len))
		return false;
	copy = strndup(text, len);
	good = copy && add_pairs(f, copy);
	free(copy);
	return good;
}

/* ---- multipart/form-data ---- */

#define BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */

/* Writes CRLF "--" boundary; 0 when there is none or it is malformed. */
static size_t
read_boundary(const char *content_type, char out[BOUNDARY_MAX + 5])
{
	const char *at = strcasestr(content_type, "boundary=");
	size_t len = 0;

	if (!at)
		return 0;
	at += strlen("boundary=");
	if (*at == '"') {
		at++;
		len = strcspn(at, "\"");
		if (at[len] != '"')
			return 0;
	} else {
		len = strcspn(at, "; \t");
	}
	if (len == 0 || len > BOUNDARY_MAX || memchr(at, '\r', len) || memchr(at, '\n', len))
		return 0;
	memcpy(out, "\r\n--", 4);
	memcpy(out + 4, at, len);
	out[4 + len] = 0;
	return 4 + len;
}

struct part {
	const char *name, *file; /* file NULL: a text */
	size_t name_len, file_len;
};

/* Takes `key="value"` out of a line; browsers write a quote inside a value as %22. */
static bool
quoted(const char *line, size_t len, const char *key, const char **value, size_t *value_len)
{
	size_t key_len = strlen(key);

	for (size_t i = 1; i + key_len + 2 <= len; i++) {
		if (strncasecmp(line + i, key, key_len) != 0 || line[i + key_len] != '=' ||
		    line[i + key_len + 1] != '"' || (line[i - 1] != ' ' && line[i - 1] != ';'))
			continue;
		const char *from = line + i + key_len + 2;
		const char *end = memchr(from, '"', (size_t)(line + len - from));
		if (!end)
			return false;
		*value = from;
		*value_len = (size_t)(end - from);
		return true;
	}
	return false;
}

static void
read_part_line(struct part *p, const char *line, size_t len)
{
	static const char field[] = "Content-Disposition:";

	if (len < sizeof field || strncasecmp(line, field, sizeof field - 1) != 0)
		return;
	quoted(line, len, "name", &p->name, &p->name_len);
	quoted(line, len, "filename", &p->file, &p->file_len);
}

/* Reads the lines of a part's head; returns where its content begins, or NULL. */
static const char *
read_part_head(struct part *p, const char *at, const char *end)
{
	for (;;) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (!eol)
			return NULL;
		if (eol == at)
			return eol + 2;
		read_part_line(p, at, (size_t)(eol - at));
		at = eol + 2;
	}
}

bool
web_form_read_parts(struct web_form *f, const char *content_type, const uint8_t *body, size_t len)
{
	char boundary[BOUNDARY_MAX + 5];
	size_t blen = read_boundary(content_type, boundary);
	const char *at = (const char *)body, *end = at + len;

	/* The first boundary stands at the very beginning, without the line end before it. */
	if (blen == 0 || len < blen - 2 || memcmp(at, boundary + 2, blen - 2) != 0)
		return false;
	at += blen - 2;
	while (end - at >= 2 && memcmp(at, "\r\n", 2) == 0) {
		struct part p = {0};
		const char *content = read_part_head(&p, at + 2, end), *next;
		if (!content || !p.name)
			return false;
		/* The head's last line end may be the one before the boundary: content is empty then. */
		next = memmem(content - 2, (size_t)(end - content) + 2, boundary, blen);
		if (!next)
			return false;
		size_t size = next > content ? (size_t)(next - content) : 0;
		if (!add_value(f, p.name, p.name_len, content, size, p.file != NULL))
			return false;
		at = next + blen;
	}
	return end - at >= 2 && memcmp(at, "--", 2) == 0;
}

void
web_form_free(struct web_form *f)
{
	arena_free(&f->memory);
	*f = (struct web_form){0};
}

const char *
web_form_text(const struct web_form *f, const char *name)
{
	for (unsigned i = 0; i < f->count; i++) {
		if (!f->values[i].file && strcmp(f->values[i].name, name) == 0)
			return f->values[i].text;
	}
	return NULL;
}

const struct web_value *
web_form_file(const struct web_form *f, const char *name)
{
	for (unsigned i = 0; i < f->count; i++) {
		const struct web_value *v = &f->values[i];
		if (v->file && v->len > 0 && strcmp(v->name, name) == 0)
			return v;
	}
	return NULL;
}

bool
web_form_has(const struct web_form *f, const char *name, const char *value)
{
	for (unsigned i = 0; i < f->count; i++) {
		const struct web_value *v = &f->values[i];
		if (!v->file && strcmp(v->name, name) == 0 && strcmp(v->text, value) == 0)
			return true;
	}
	return false;
}

bool
web_cookie(const char *field, const char *name, char *out, size_t size)
{
	size_t name_len = strlen(name);

	while (field && *field) {
		field += strspn(field, " ;");
		size_t len = strcspn(field, ";");
		if (len > name_len && field[name_len] == '=' && memcmp(field, name, name_len) == 0) {
			len -= name_len + 1;
			if (len >= size)
				return false;
			memcpy(out, field + name_len + 1, len);
			out[len] = 0;
			return true;
		}
		field += len;
	}
	return false;
}

bool
web_path_part(const char *part, size_t len, char *out, size_t size)
{
	char *copy = strndup(part, len), *decoded;
	size_t decoded_len = 0;
	bool bad = false, good;

	decoded = copy ? evhttp_uridecode(copy, 0, &decoded_len) : NULL;
	free(copy);
	good = decoded && decoded_len > 0 && decoded_len < size && !memchr(decoded, 0, decoded_len) &&
	    utf8_span(decoded, decoded_len, &bad) == decoded_len;
	if (good)
		memcpy(out, decoded, decoded_len + 1);
	free(decoded);
	return good;
}
