#include "lib/conf_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool
conf_value_strip(char *line)
{
	bool quoted = false;
	char *s = line;

	for (; *s; s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '#' && !quoted && (s == line || s[-1] == ' ' || s[-1] == '\t'))
			break;
	}
	while (s > line && isspace((unsigned char)s[-1]))
		s--;
	*s = 0;
	return !quoted;
}

void
conf_value_unquote(char *value)
{
	size_t len = strlen(value);
	char *out = value;

	if (len < 2 || value[0] != '"' || value[len - 1] != '"')
		return;
	value[len - 1] = 0;
	for (const char *in = value + 1; *in; in++) {
		if (*in == '\\' && in[1])
			in++;
		*out++ = *in;
	}
	*out = 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit time_units[] = {
    {"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

/* The types: how each is read, what it is for people. A reader returns false when the text is not
 * of the type. */
struct type {
	bool (*read)(const struct conf_option *, const char *text, void *out);
	const struct unit *units;
	bool is_string;
	bool has_range;
	const char *what[2];
};

static const struct type types[CONF_TYPE_COUNT];

static bool
read_number(const struct conf_option *o, const char *text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	uint64_t v = strtoull(text, &end, 10);
	end += strspn(end, " ");
	for (const struct unit *u = types[o->type].units; u->name; u++) {
		if (strcmp(end, u->name) == 0 && v <= UINT64_MAX / u->factor) {
			*out = v * u->factor;
			return *out >= o->min && *out <= o->max;
		}
	}
	return false;
}

static bool
read_large(const struct conf_option *o, const char *text, void *out)
{
	return read_number(o, text, out);
}

static bool
read_count(const struct conf_option *o, const char *text, void *out)
{
	uint64_t v;

	if (!read_number(o, text, &v))
		return false;
	*(unsigned *)out = (unsigned)v;
	return true;
}

static bool
read_flag(const struct conf_option *o, const char *text, void *out)
{
	(void)o;
	*(bool *)out = strcmp(text, "yes") == 0;
	return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static bool
read_choice(const struct conf_option *o, const char *text, void *out)
{
	for (unsigned i = 0; o->words[i]; i++) {
		if (strcmp(o->words[i], text) == 0) {
			*(unsigned *)out = i; /* every enum of conf.h is as wide */
			return true;
		}
	}
	return false;
}

/* Well-formed UTF-8 without control bytes: it ends up in XML, JSON and on terminals. */
static bool
text_valid(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		if (*s < 0x20 || *s == 0x7f)
			return false;
		int more = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : (*s & 0xf0) == 0xe0 ? 2 :
		    *s >= 0xf0 && *s < 0xf5 ? 3 : -1;
		if (more < 0)
			return false;
		for (s++; more > 0; more--, s++) {
			if ((*s & 0xc0) != 0x80)
				return false;
		}
	}
	return true;
}

static bool
read_text(const struct conf_option *o, const char *text, void *out)
{
	char *copy;

	if (!text_valid(text) || (o->required && !*text) || !(copy = strdup(text)))
		return false;
	free(*(char **)out);
	*(char **)out = copy;
	return true;
}

/* No value means "not set" where the option may be left out. */
static bool
read_path(const struct conf_option *o, const char *text, void *out)
{
	if (*text || o->initial || o->required)
		return *text && read_text(o, text, out);
	return true;
}

static bool
read_url(const struct conf_option *o, const char *text, void *out)
{
	return strncmp(text, "https://", 8) == 0 && text[8] && !strchr(text, ' ') &&
	    read_text(o, text, out);
}

static bool
read_eik(const struct conf_option *o, const char *text, void *out)
{
	size_t len = strspn(text, "0123456789");

	return !text[len] && (len == 9 || len == 13) && read_text(o, text, out);
}

static const struct type types[CONF_TYPE_COUNT] = {
    [CONF_TEXT] = {read_text, NULL, true, false, {"текст", "text"}},
    [CONF_PATH] = {read_path, NULL, true, false, {"път", "path"}},
    [CONF_URL] = {read_url, NULL, true, false, {"адрес https://", "address, https://"}},
    [CONF_EIK] = {read_eik, NULL, true, false, {"9 или 13 цифри", "9 or 13 digits"}},
    [CONF_REFERENCE] =
	{read_path, NULL, true, false, {"име на [certificate]", "name of a [certificate]"}},
    [CONF_FLAG] = {read_flag, NULL, false, false, {"yes или no", "yes or no"}},
    [CONF_COUNT] = {read_count, no_units, false, true, {"цяло число", "whole number"}},
    [CONF_NUMBER] = {read_large, no_units, false, true, {"цяло число", "whole number"}},
    [CONF_SECONDS] =
	{read_large, time_units, false, true, {"време (s, min, h, d)", "duration (s, min, h, d)"}},
    [CONF_BYTES] =
	{read_large, size_units, false, true, {"размер (KiB, MiB, GiB)", "size (KiB, MiB, GiB)"}},
    [CONF_CHOICE] = {read_choice, NULL, false, false, {"", ""}},
};

bool
conf_value_is_string(const struct conf_option *o)
{
	return types[o->type].is_string;
}

/* The shortest exact way to write a number of this type. */
static void
format_number(const struct conf_option *o, uint64_t v, char out[32])
{
	const struct unit *best = NULL;

	for (const struct unit *u = types[o->type].units; u->name; u++) {
		if (v % u->factor == 0 && v && (!best || u->factor >= best->factor))
			best = u;
	}
	snprintf(out, 32, "%" PRIu64 "%s", best ? v / best->factor : v, best ? best->name : "");
}

void
conf_value_describe(const struct conf_option *o, enum language l, char *out, size_t size)
{
	const struct type *t = &types[o->type];
	char low[32], high[32];
	size_t n = 0;

	if (o->type == CONF_CHOICE) {
		for (unsigned i = 0; o->words[i] && n < size; i++)
			n +=
			    (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", o->words[i]);
	} else if (t->has_range) {
		format_number(o, o->min, low);
		format_number(o, o->max, high);
		snprintf(out, size, "%s, %s - %s", t->what[l], low, high);
	} else {
		snprintf(out, size, "%s", t->what[l]);
	}
}

bool
conf_value_set(const struct conf_option *o, void *element, const char *text, enum language l,
    char *why, size_t why_size)
{
	char expected[128];

	if (types[o->type].read(o, text, (char *)element + o->offset))
		return true;
	conf_value_describe(o, l, expected, sizeof expected);
	snprintf(why, why_size, l == LANGUAGE_BG ? "„%.40s“ не става; очаква се %s"
	                                         : "\"%.40s\" will not do; expected %s",
	    text, expected);
	return false;
}
