#include "lib/conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf_table.h"
#include "lib/conf_value.h"
#include "lib/nearest.h"

#define ERRORS_MAX 32 /* more help nobody */

struct parser {
	struct conf *conf;
	char file[256]; /* of the current line */
	unsigned line;
	enum conf_section section;
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
	P_REFERENCE,
	P_NO_CERTIFICATE,
	P_NO_PARTICIPANT,
	P_NO_LISTEN,
	P_ADDRESS,
	P_MOMENT,
	P_HTTP,
	P_NOT_LOCAL,
	P_NOT_HTTP,
	P_NO_STAMP_CA,
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
    [P_REFERENCE] = {"няма такъв раздел [certificate]", "there is no such [certificate] section"},
    [P_NO_CERTIFICATE] = {"нужен е поне един раздел [certificate ИМЕ]",
			  "at least one [certificate NAME] section is needed"},
    [P_NO_PARTICIPANT] = {"нужен е поне един раздел [participant {GUID}]",
			  "at least one [participant {GUID}] section is needed"},
    [P_NO_LISTEN] = {"нужен е поне един раздел [listen АДРЕС:ПОРТ]",
		     "at least one [listen ADDRESS:PORT] section is needed"},
    [P_ADDRESS] = {"очаква се АДРЕС:ПОРТ", "ADDRESS:PORT is expected"},
    [P_NOT_HTTP] = {"очаква се адрес http://: удостоверението е подписано само по себе си",
	"an http:// address is expected: a time stamp carries its own signature"},
    [P_NO_STAMP_CA] = {"иска и timestamp-ca-file", "needs timestamp-ca-file too"},
    [P_MOMENT] = {"очаква се момент като 2026-11-30T08:00:00+02:00",
		  "a moment like 2026-11-30T08:00:00+02:00 is expected"},
    [P_HTTP] = {"очаква се адрес http://", "an address that begins with http:// is expected"},
    [P_NOT_LOCAL] = {"адресът не е локален; така е само с metrics-remote = yes",
		     "not a local address; that takes metrics-remote = yes"},
    [P_DID_YOU_MEAN] = {"; може би", "; perhaps"},
};

static const char *
problem_text(const struct parser *p, enum problem what)
{
	return problems[what][p->conf->language];
}

/* One line "file:line: key: what detail". key and detail may be NULL. */
static void
report(struct parser *p, unsigned line, const char *key, const char *what, const char *detail)
{
	if (p->error_count++ >= ERRORS_MAX)
		return;
	buf_addf(&p->errors, "%s:%u: %s%s%s%s%s\n", p->file, line, key ? key : "", key ? ": " : "",
	    what, detail ? " " : "", detail ? detail : "");
}

static void
problem(struct parser *p, enum problem what, const char *key, const char *detail)
{
	report(p, p->line, key, problem_text(p, what), detail);
}

static void
report_unknown(struct parser *p, enum problem what, const char *word, const char *best)
{
	char text[256];

	snprintf(text, sizeof text, "%s%s%s%s", problem_text(p, what),
	    best ? problem_text(p, P_DID_YOU_MEAN) : "", best ? " " : "", best ? best : "");
	report(p, p->line, word, text, NULL);
}

static const struct conf_option *
find_option(enum conf_section section, const char *key)
{
	for (size_t i = 0; i < conf_option_count; i++) {
		if (conf_options[i].section == section && strcmp(conf_options[i].key, key) == 0)
			return &conf_options[i];
	}
	return NULL;
}

static void
unknown_option(struct parser *p, const char *key)
{
	struct nearest n = {.word = key};

	for (enum conf_section s = 0; s < CONF_SECTION_COUNT; s++) {
		if (s != p->section && find_option(s, key)) {
			char where[80];
			snprintf(where, sizeof where, "[%s]", conf_sections[s].name);
			problem(p, P_WRONG_SECTION, key, s == CONF_GENERAL ? NULL : where);
			return;
		}
	}
	for (size_t i = 0; i < conf_option_count; i++) {
		if (conf_options[i].section == p->section)
			nearest_offer(&n, conf_options[i].key);
	}
	report_unknown(p, P_UNKNOWN_KEY, key, n.best);
}

static void
set_option(struct parser *p, const char *key, const char *value)
{
	const struct conf_option *o = find_option(p->section, key);
	char why[160];

	if (!o) {
		unknown_option(p, key);
		return;
	}
	size_t index = (size_t)(o - conf_options);
	uint64_t bit = (uint64_t)1 << index % 64, *seen = &p->seen[index / 64];
	if (*seen & bit) {
		problem(p, P_TWICE, key, NULL);
		return;
	}
	*seen |= bit;
	if (!p->element) /* of a section that was refused */
		return;
	if (!conf_value_set(o, p->element, value, p->conf->language, why, sizeof why))
		report(p, p->line, key, why, NULL);
}

/* Options that were not given, of the section that ends here. */
static void
end_section(struct parser *p)
{
	for (size_t i = 0; p->element && i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		if (o->section == p->section && o->required && !(p->seen[i / 64] >> i % 64 & 1))
			report(p, p->element_line, o->key, problem_text(p, P_MISSING), NULL);
	}
	memset(p->seen, 0, sizeof p->seen);
}

static void
set_initial(enum conf_section section, void *element)
{
	char why[160];

	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		if (o->section == section && o->initial)
			conf_value_set(o, element, o->initial, LANGUAGE_EN, why, sizeof why);
	}
}

/* host:port with a numeric host: 0.0.0.0:8443, [::]:8443. */
static bool
address_valid(const char *s)
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

static bool
name_valid(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len < CONF_NAME_MAX &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

/* Fills the field that identifies an element; false when the argument is not valid. */
static bool
set_argument(enum conf_section section, void *element, const char *argument)
{
	struct conf_certificate *certificate = element;
	struct conf_listen *l = element;
	struct conf_participant *participant = element;
	struct conf_peer *peer = element;

	switch (section) {
	case CONF_CERTIFICATE:
		if (name_valid(argument))
			snprintf(certificate->name, sizeof certificate->name, "%s", argument);
		return name_valid(argument);
	case CONF_LISTEN:
		return address_valid(argument) && (l->address = strdup(argument));
	case CONF_PARTICIPANT:
		return guid_parse_lenient(&participant->guid, argument) &&
		       !guid_is_zero(&participant->guid);
	case CONF_PEER:
		return guid_parse_lenient(&peer->guid, argument) && !guid_is_zero(&peer->guid);
	default:
		return false;
	}
}

/* True when an earlier element has the same name, address or GUID. */
static bool
is_repeated(const struct conf *c, enum conf_section section)
{
	unsigned n;

	switch (section) {
	case CONF_CERTIFICATE:
		n = c->certificate_count - 1;
		for (unsigned i = 0; i < n; i++) {
			if (strcmp(c->certificates[i].name, c->certificates[n].name) == 0)
				return true;
		}
		return false;
	case CONF_LISTEN:
		n = c->listen_count - 1;
		for (unsigned i = 0; i < n; i++) {
			/* an earlier one that was refused has no address */
			if (c->listens[i].address &&
			    strcmp(c->listens[i].address, c->listens[n].address) == 0)
				return true;
		}
		return false;
	case CONF_PARTICIPANT:
		return conf_participant(c, &c->participants[c->participant_count - 1].guid) !=
		    &c->participants[c->participant_count - 1];
	case CONF_PEER:
		return conf_peer(c, &c->peers[c->peer_count - 1].guid) !=
		       &c->peers[c->peer_count - 1];
	default:
		return false;
	}
}

/* A new zeroed element at the end of the section's array, or NULL. */
static void *
add_element(struct conf *c, const struct conf_section_row *row)
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
begin_section(struct parser *p, enum conf_section section, const char *argument)
{
	const struct conf_section_row *row = &conf_sections[section];
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
	set_initial(section, p->element);
	if (!set_argument(section, p->element, argument))
		problem(p, P_ARGUMENT, row->name, row->argument);
	else if (is_repeated(p->conf, section))
		problem(p, P_TWICE, argument, NULL);
}

/* "[name argument]", brackets removed already. */
static void
parse_section(struct parser *p, char *inside)
{
	struct nearest n = {.word = inside};
	char *argument = inside + strcspn(inside, " \t");

	if (*argument)
		*argument++ = 0;
	argument += strspn(argument, " \t");
	end_section(p);
	for (enum conf_section s = CONF_GENERAL + 1; s < CONF_SECTION_COUNT; s++) {
		if (strcmp(conf_sections[s].name, inside) == 0) {
			begin_section(p, s, argument);
			return;
		}
		nearest_offer(&n, conf_sections[s].name);
	}
	report_unknown(p, P_UNKNOWN_SECTION, inside, n.best);
	p->section = CONF_SECTION_COUNT; /* its keys are not looked at */
	p->element = NULL;
}

/* conf_read leaves "#@ LINE FILE" where another file begins or goes on. */
static void
parse_marker(struct parser *p, const char *s)
{
	char *end;
	unsigned long line = strtoul(s, &end, 10);

	if (*end != ' ' || line == 0)
		return;
	p->line = (unsigned)line - 1;
	snprintf(p->file, sizeof p->file, "%s", end + 1);
}

static void
parse_line(struct parser *p, char *s)
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
	if (p->section == CONF_SECTION_COUNT)
		return;
	conf_value_unquote(value);
	set_option(p, s, value);
}

/* Finds the certificate that a name means; without a name the only one there is. */
static void
resolve(struct parser *p, const char *section, const char *name, unsigned *index)
{
	const struct conf *c = p->conf;

	if (!name && c->certificate_count == 1) {
		*index = 0;
		return;
	}
	for (unsigned i = 0; name && i < c->certificate_count; i++) {
		if (strcmp(c->certificates[i].name, name) == 0) {
			*index = i;
			return;
		}
	}
	buf_addf(&p->errors, "%s: [%s] certificate: %s%s%s\n", p->file, section,
	    problem_text(p, name ? P_REFERENCE : P_MISSING), name ? " " : "", name ? name : "");
	p->error_count++;
}

static void
need_one(struct parser *p, unsigned count, enum problem what)
{
	if (count > 0)
		return;
	buf_addf(&p->errors, "%s: %s\n", p->file, problem_text(p, what));
	p->error_count++;
}

/* Figures leave the machine only when that was said on purpose. */
static void
check_metrics(struct parser *p)
{
	const struct conf *c = p->conf;
	const char *s = c->metrics_listen;

	if (!s || !*s)
		return;
	bool local = strncmp(s, "127.", 4) == 0 || strncmp(s, "[::1]:", 6) == 0;
	if (address_valid(s) && (local || c->metrics_remote))
		return;
	buf_addf(&p->errors, "%s: metrics-listen: %s\n", p->file,
	    problem_text(p, address_valid(s) ? P_NOT_LOCAL : P_ADDRESS));
	p->error_count++;
}

/* Whom to believe must be known before anybody is asked. */
static void
check_stamps(struct parser *p)
{
	const char *url = p->conf->timestamp_url, *ca = p->conf->timestamp_ca_file;

	if (!url || !*url)
		return;
	bool http = strncmp(url, "http://", 7) == 0 && url[7];
	if (http && ca && *ca)
		return;
	buf_addf(&p->errors, "%s: timestamp-url: %s\n", p->file,
	    problem_text(p, http ? P_NO_STAMP_CA : P_NOT_HTTP));
	p->error_count++;
}

static void
whole_problem(struct parser *p, const char *where, enum problem what)
{
	buf_addf(&p->errors, "%s: %s: %s\n", p->file, where, problem_text(p, what));
	p->error_count++;
}

/* CRLs and OCSP answers are signed themselves; authorities serve them over plain http. */
static void
check_revocation(struct parser *p)
{
	const char *const urls[][2] = {{"crl-url", p->conf->crl_url}, {"ocsp-url", p->conf->ocsp_url}};

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		if (urls[i][1] && *urls[i][1] && strncmp(urls[i][1], "http://", 7) != 0)
			whole_problem(p, urls[i][0], P_HTTP);
	}
}

static void resolve(struct parser *, const char *section, const char *name, unsigned *index);

static void
check_successors(struct parser *p)
{
	char section[CONF_NAME_MAX + 16];

	for (unsigned i = 0; i < p->conf->certificate_count; i++) {
		struct conf_certificate *c = &p->conf->certificates[i];
		const char *text = c->switch_text;
		snprintf(section, sizeof section, "certificate %s", c->name);
		c->successor = i;
		c->switch_at = WHEN_NONE;
		if (c->successor_name)
			resolve(p, section, c->successor_name, &c->successor);
		if (text && *text && !when_parse(&c->switch_at, text, strlen(text)))
			whole_problem(p, section, P_MOMENT);
	}
}

/* What can be said only when the whole text was read. */
static void
check_whole(struct parser *p)
{
	struct conf *c = p->conf;
	char section[GUID_TEXT_SIZE + 16], guid[GUID_TEXT_SIZE];

	need_one(p, c->certificate_count, P_NO_CERTIFICATE);
	need_one(p, c->participant_count, P_NO_PARTICIPANT);
	need_one(p, c->listen_count, P_NO_LISTEN);
	check_metrics(p);
	check_stamps(p);
	check_revocation(p);
	check_successors(p);
	if (p->error_count > 0) /* what follows would only be their echo */
		return;
	for (unsigned i = 0; i < c->listen_count; i++) {
		snprintf(section, sizeof section, "listen %.40s", c->listens[i].address);
		resolve(p, section, c->listens[i].certificate_name, &c->listens[i].certificate);
	}
	for (unsigned i = 0; i < c->participant_count; i++) {
		guid_format(&c->participants[i].guid, guid);
		snprintf(section, sizeof section, "participant %s", guid);
		resolve(p, section, c->participants[i].certificate_name,
			&c->participants[i].certificate);
	}
}

/* Cuts the text into lines, each with a NUL of its own. */
static void
parse_lines(struct parser *p, char *text, size_t len)
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

struct conf *
conf_parse(const char *file_name, const char *text, size_t len, char *errors, size_t errors_size)
{
	struct parser p = {.conf = calloc(1, sizeof *p.conf), .element_line = 1};
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
	set_initial(CONF_GENERAL, p.conf);
	parse_lines(&p, copy, len);
	free(copy);
	snprintf(p.file, sizeof p.file, "%s", file_name);
	end_section(&p);
	check_whole(&p);
	snprintf(errors, errors_size, "%s", buf_str(&p.errors));
	buf_free(&p.errors);
	if (p.error_count == 0)
		return p.conf;
	conf_free(p.conf);
	return NULL;
}

struct conf *
conf_load(const char *path, char *errors, size_t errors_size)
{
	struct buf text = {0};
	struct conf *c = NULL;

	if (conf_read(path, &text, errors, errors_size))
		c = conf_parse(path, buf_str(&text), text.len, errors, errors_size);
	buf_free(&text);
	return c;
}

static void
free_strings(enum conf_section section, void *element)
{
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		if (o->section == section && conf_value_is_string(o))
			free(*(char **)((char *)element + o->offset));
	}
}

void
conf_free(struct conf *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->listen_count; i++)
		free(c->listens[i].address);
	for (enum conf_section s = CONF_GENERAL + 1; s < CONF_SECTION_COUNT; s++) {
		const struct conf_section_row *row = &conf_sections[s];
		char *array = *(char **)((char *)c + row->array);
		for (unsigned i = 0; i < *(unsigned *)((char *)c + row->count); i++)
			free_strings(s, array + i * row->size);
		free(array);
	}
	free_strings(CONF_GENERAL, c);
	free(c);
}

unsigned
conf_certificate_now(const struct conf *c, unsigned certificate, uint64_t switched)
{
	/* A ring of successors ends after as many steps as there are certificates. */
	for (unsigned n = 0; n < c->certificate_count && switched >> certificate & 1; n++)
		certificate = c->certificates[certificate].successor;
	return certificate;
}

const struct conf_participant *
conf_participant(const struct conf *c, const struct guid *g)
{
	for (unsigned i = 0; i < c->participant_count; i++) {
		if (guid_equal(&c->participants[i].guid, g))
			return &c->participants[i];
	}
	return NULL;
}

const struct conf_peer *
conf_peer(const struct conf *c, const struct guid *g)
{
	for (unsigned i = 0; i < c->peer_count; i++) {
		if (guid_equal(&c->peers[i].guid, g))
			return &c->peers[i];
	}
	return NULL;
}
