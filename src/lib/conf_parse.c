/* Any configuration: text becomes the struct that a schema describes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf_schema.h"
#include "lib/conf_value.h"
#include "lib/nearest.h"

#define ERRORS_MAX 32 /* more help nobody */

struct conf_parser {
	const struct conf_schema *schema;
	void *conf;
	char file[256]; /* of the current line */
	unsigned line;
	unsigned section;
	void *element;        /* the struct that the current section fills */
	unsigned element_line;
	uint64_t seen[CONF_OPTIONS_MAX / 64]; /* bit i: option i was given in this section */
	struct buf errors;
	unsigned error_count;
};

enum problem {
	P_SYNTAX,
	P_UNKNOWN_KEY,
	P_UNKNOWN_SECTION,
	P_WRONG_SECTION,
	P_TWICE,
	P_MISSING,
	P_ARGUMENT,
	P_TOO_MANY,
	P_DID_YOU_MEAN,
	P_COUNT
};

static const char *const problems[P_COUNT][2] = {
    [P_SYNTAX] = {"редът не е „ключ = стойност“", "the line is not \"key = value\""},
    [P_UNKNOWN_KEY] = {"няма такава настройка тук", "no such option here"},
    [P_UNKNOWN_SECTION] = {"няма такъв раздел", "no such section"},
    [P_WRONG_SECTION] = {"мястото на тази настройка е друго", "this option belongs elsewhere"},
    [P_TWICE] = {"дадено е два пъти", "given twice"},
    [P_MISSING] = {"липсва", "is missing"},
    [P_ARGUMENT] = {"името на раздела не е валидно; очаква се",
		    "the section's name is not valid; expected"},
    [P_TOO_MANY] = {"твърде много такива раздели; най-много", "too many such sections; at most"},
    [P_DID_YOU_MEAN] = {"; може би", "; perhaps"},
};

static enum language
language_of(const struct conf_schema *schema, const void *conf)
{
	return *(const enum language *)((const char *)conf + schema->language);
}

enum language
conf_parser_language(const struct conf_parser *p)
{
	return language_of(p->schema, p->conf);
}

static const char *
problem_text(const struct conf_parser *p, enum problem what)
{
	return problems[what][conf_parser_language(p)];
}

/* One line "file:line: key: what detail". key and detail may be NULL. */
static void
report(struct conf_parser *p, unsigned line, const char *key, const char *what, const char *detail)
{
	if (p->error_count++ >= ERRORS_MAX)
		return;
	buf_addf(&p->errors, "%s:%u: %s%s%s%s%s\n", p->file, line, key ? key : "", key ? ": " : "",
	    what, detail ? " " : "", detail ? detail : "");
}

static void
problem(struct conf_parser *p, enum problem what, const char *key, const char *detail)
{
	report(p, p->line, key, problem_text(p, what), detail);
}

static void
report_unknown(struct conf_parser *p, enum problem what, const char *word, const char *best)
{
	char text[256];

	snprintf(text, sizeof text, "%s%s%s%s", problem_text(p, what),
	    best ? problem_text(p, P_DID_YOU_MEAN) : "", best ? " " : "", best ? best : "");
	report(p, p->line, word, text, NULL);
}

static const struct conf_option *
find_option(const struct conf_parser *p, unsigned section, const char *key)
{
	for (size_t i = 0; i < p->schema->option_count; i++) {
		if (p->schema->options[i].section == section && strcmp(p->schema->options[i].key, key) == 0)
			return &p->schema->options[i];
	}
	return NULL;
}

static void
unknown_option(struct conf_parser *p, const char *key)
{
	struct nearest n = {.word = key};

	for (unsigned s = 0; s < p->schema->section_count; s++) {
		if (s != p->section && find_option(p, s, key)) {
			char where[80];
			snprintf(where, sizeof where, "[%s]", p->schema->sections[s].name);
			problem(p, P_WRONG_SECTION, key, s == CONF_GENERAL ? NULL : where);
			return;
		}
	}
	for (size_t i = 0; i < p->schema->option_count; i++) {
		if (p->schema->options[i].section == p->section)
			nearest_offer(&n, p->schema->options[i].key);
	}
	report_unknown(p, P_UNKNOWN_KEY, key, n.best);
}

static void
set_option(struct conf_parser *p, const char *key, const char *value)
{
	const struct conf_option *o = find_option(p, p->section, key);
	char why[160];

	if (!o) {
		unknown_option(p, key);
		return;
	}
	size_t index = (size_t)(o - p->schema->options);
	uint64_t bit = (uint64_t)1 << index % 64, *seen = &p->seen[index / 64];
	if (*seen & bit) {
		problem(p, P_TWICE, key, NULL);
		return;
	}
	*seen |= bit;
	if (!p->element) /* of a section that was refused */
		return;
	if (!conf_value_set(o, p->element, value, conf_parser_language(p), why, sizeof why))
		report(p, p->line, key, why, NULL);
}

/* Options that were not given, of the section that ends here. */
static void
end_section(struct conf_parser *p)
{
	for (size_t i = 0; p->element && i < p->schema->option_count; i++) {
		const struct conf_option *o = &p->schema->options[i];
		if (o->section == p->section && o->required && !(p->seen[i / 64] >> i % 64 & 1))
			report(p, p->element_line, o->key, problem_text(p, P_MISSING), NULL);
	}
	memset(p->seen, 0, sizeof p->seen);
}

static void
set_initial(const struct conf_schema *schema, unsigned section, void *element)
{
	char why[160];

	for (size_t i = 0; i < schema->option_count; i++) {
		const struct conf_option *o = &schema->options[i];
		if (o->section == section && o->initial)
			conf_value_set(o, element, o->initial, LANGUAGE_EN, why, sizeof why);
	}
}

/* host:port with a numeric host: 0.0.0.0:8443, [::]:8443. */
bool
conf_address_valid(const char *s)
{
	char host[64];
	struct in6_addr address;
	const char *colon = strrchr(s, ':');
	char *end;

	if (!colon || (size_t)(colon - s) >= sizeof host || colon[1] < '0' || colon[1] > '9')
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	snprintf(host, sizeof host, "%.*s", (int)(colon - s), s);
	size_t len = strlen(host);
	bool six = len > 2 && host[0] == '[' && host[len - 1] == ']';
	if (six)
		host[len - 1] = 0;
	return *end == 0 && port > 0 && port < 65536 &&
	    inet_pton(six ? AF_INET6 : AF_INET, host + six, &address) == 1;
}

bool
conf_name_valid(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len < CONF_NAME_MAX &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

/* True when an earlier element has the same name, address or GUID. */
static bool
is_repeated(const struct conf_parser *p, unsigned section)
{
	const struct conf_section_row *row = &p->schema->sections[section];
	const char *array = *(char *const *)((const char *)p->conf + row->array);
	unsigned last = *(const unsigned *)((const char *)p->conf + row->count) - 1;

	for (unsigned i = 0; i < last; i++) {
		if (p->schema->rules->same_argument(section, array + i * row->size, array + last * row->size))
			return true;
	}
	return false;
}

/* A new zeroed element at the end of the section's array, or NULL. */
static void *
add_element(void *c, const struct conf_section_row *row)
{
	unsigned *count = (unsigned *)((char *)c + row->count);
	void **array = (void **)((char *)c + row->array);
	void *bigger = realloc(*array, (*count + 1) * row->size);

	if (!bigger)
		return NULL;
	*array = bigger;
	void *element = (char *)bigger + *count * row->size;
	memset(element, 0, row->size);
	(*count)++;
	return element;
}

static void
begin_section(struct conf_parser *p, unsigned section, const char *argument)
{
	const struct conf_section_row *row = &p->schema->sections[section];
	char max[24];

	p->section = section;
	p->element_line = p->line;
	p->element = NULL;
	if (*(unsigned *)((char *)p->conf + row->count) >= row->max) {
		snprintf(max, sizeof max, "%u", row->max);
		problem(p, P_TOO_MANY, row->name, max);
		return;
	}
	p->element = add_element(p->conf, row);
	if (!p->element)
		return;
	set_initial(p->schema, section, p->element);
	if (!p->schema->rules->set_argument(section, p->element, argument))
		problem(p, P_ARGUMENT, row->name, row->argument);
	else if (is_repeated(p, section))
		problem(p, P_TWICE, argument, NULL);
}

/* "[name argument]", brackets removed already. */
static void
parse_section(struct conf_parser *p, char *inside)
{
	struct nearest n = {.word = inside};
	char *argument = inside + strcspn(inside, " \t");

	if (*argument)
		*argument++ = 0;
	argument += strspn(argument, " \t");
	end_section(p);
	for (unsigned s = CONF_GENERAL + 1; s < p->schema->section_count; s++) {
		if (strcmp(p->schema->sections[s].name, inside) == 0) {
			begin_section(p, s, argument);
			return;
		}
		nearest_offer(&n, p->schema->sections[s].name);
	}
	report_unknown(p, P_UNKNOWN_SECTION, inside, n.best);
	p->section = p->schema->section_count; /* its keys are not looked at */
	p->element = NULL;
}

/* conf_read leaves "#@ LINE FILE" where another file begins or goes on. */
static void
parse_marker(struct conf_parser *p, const char *s)
{
	char *end;
	unsigned long line = strtoul(s, &end, 10);

	if (*end != ' ' || line == 0)
		return;
	p->line = (unsigned)line - 1;
	snprintf(p->file, sizeof p->file, "%s", end + 1);
}

static void
parse_line(struct conf_parser *p, char *s)
{
	if (strncmp(s, "#@ ", 3) == 0) {
		parse_marker(p, s + 3);
		return;
	}
	if (!conf_value_strip(s)) {
		problem(p, P_SYNTAX, NULL, NULL);
		return;
	}
	s += strspn(s, " \t");
	size_t len = strlen(s);
	if (len == 0)
		return;
	if (s[0] == '[' && s[len - 1] == ']') {
		s[len - 1] = 0;
		parse_section(p, s + 1);
		return;
	}
	char *equals = strchr(s, '=');
	if (!equals || equals == s) {
		problem(p, P_SYNTAX, NULL, NULL);
		return;
	}
	char *value = equals + 1 + strspn(equals + 1, " \t");
	while (equals > s && (equals[-1] == ' ' || equals[-1] == '\t'))
		equals--;
	*equals = 0;
	if (p->section == p->schema->section_count)
		return;
	conf_value_unquote(value);
	set_option(p, s, value);
}

void
conf_problem(struct conf_parser *p, const char *where, const char *what, const char *detail)
{
	buf_addf(&p->errors, "%s: %s%s%s%s%s\n", p->file, where ? where : "", where ? ": " : "", what,
	    detail ? " " : "", detail ? detail : "");
	p->error_count++;
}

bool
conf_parser_failed(const struct conf_parser *p)
{
	return p->error_count > 0;
}

/* Cuts the text into lines, each with a NUL of its own. */
static void
parse_lines(struct conf_parser *p, char *text, size_t len)
{
	char *end = text + len;

	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *stop = newline ? newline : end;
		*stop = 0;
		p->line++;
		if (strlen(text) != (size_t)(stop - text))
			problem(p, P_SYNTAX, NULL, NULL);
		else
			parse_line(p, text);
		text = stop + 1;
	}
}

void *
conf_parse_by(const struct conf_schema *schema, const char *file_name, const char *text, size_t len,
    char *errors, size_t errors_size)
{
	struct conf_parser p = {.schema = schema, .conf = calloc(1, schema->size), .element_line = 1};
	char *copy = malloc(len + 1);

	snprintf(p.file, sizeof p.file, "%s", file_name);
	if (!p.conf || !copy) {
		snprintf(errors, errors_size, "%s\n", strerror(ENOMEM));
		free(copy);
		free(p.conf);
		return NULL;
	}
	memcpy(copy, text, len);
	p.element = p.conf;
	set_initial(schema, CONF_GENERAL, p.conf);
	parse_lines(&p, copy, len);
	free(copy);
	snprintf(p.file, sizeof p.file, "%s", file_name);
	end_section(&p);
	schema->rules->check(&p, p.conf);
	snprintf(errors, errors_size, "%s", buf_str(&p.errors));
	buf_free(&p.errors);
	if (p.error_count == 0)
		return p.conf;
	conf_free_by(schema, p.conf);
	return NULL;
}

void *
conf_load_by(const struct conf_schema *schema, const char *path, char *errors, size_t errors_size)
{
	struct buf text = {0};
	void *c = NULL;

	if (conf_read(path, &text, errors, errors_size))
		c = conf_parse_by(schema, path, buf_str(&text), text.len, errors, errors_size);
	buf_free(&text);
	return c;
}

static void
free_strings(const struct conf_schema *schema, unsigned section, void *element)
{
	for (size_t i = 0; i < schema->option_count; i++) {
		const struct conf_option *o = &schema->options[i];
		if (o->section == section && conf_value_is_string(o))
			free(*(char **)((char *)element + o->offset));
	}
	if (section != CONF_GENERAL && schema->rules->free_argument)
		schema->rules->free_argument(section, element);
}

void
conf_free_by(const struct conf_schema *schema, void *conf)
{
	if (!conf)
		return;
	for (unsigned s = CONF_GENERAL + 1; s < schema->section_count; s++) {
		const struct conf_section_row *row = &schema->sections[s];
		char *array = *(char **)((char *)conf + row->array);
		for (unsigned i = 0; i < *(unsigned *)((char *)conf + row->count); i++)
			free_strings(schema, s, array + i * row->size);
		free(array);
	}
	free_strings(schema, CONF_GENERAL, conf);
	free(conf);
}
