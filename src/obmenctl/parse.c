/* A command line becomes a request, by the table of verbs. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nearest.h"
#include "obmenctl/ctl.h"

struct parsing {
	struct ctl *ctl;
	struct command *command;
	int argc;
	char **argv;
	int at;
	unsigned positional; /* rows used so far */
};

static bool complain(struct parsing *, const char *, ...) __attribute__((format(printf, 2, 3)));

/* The reason, then how to get help. Always false. */
static bool
complain(struct parsing *p, const char *fmt, ...)
{
	const struct verb_row *v = p->command->verb;
	va_list ap;

	fprintf(p->ctl->err, "%s: ", cli.name);
	va_start(ap, fmt);
	vfprintf(p->ctl->err, fmt, ap);
	va_end(ap);
	fprintf(p->ctl->err, "\n%s %s help%s%s%s%s\n", say(p->ctl, "Вижте", "See"), cli.name,
	    v ? " " : "", v ? v->words[0] : "", v && v->words[1] ? " " : "",
	    v && v->words[1] ? v->words[1] : "");
	return false;
}

static json_t *
place(struct command *c, enum option_place where)
{
	return where == PLACE_REQUEST    ? c->request
	       : where == PLACE_DOCUMENT ? c->document
					 : c->local;
}

static json_t *
new_text(struct parsing *p, const char *text)
{
	json_t *j = json_string(text);

	if (!j)
		complain(p, SAY(p->ctl, "„%s“ не е UTF-8", "\"%s\" is not UTF-8"), text);
	return j;
}

static bool
append(struct parsing *p, json_t *object, const char *key, const char *text)
{
	json_t *list = json_object_get(object, key), *value = new_text(p, text);

	if (!value)
		return false;
	if (!list) {
		list = json_array();
		json_object_set_new(object, key, list);
	}
	return json_array_append_new(list, value) == 0;
}

static bool
set_number(struct parsing *p, const struct option_row *o, const char *text)
{
	char *end;

	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (*end || end == text || errno || n < 0)
		return complain(
		    p,
		    SAY(p->ctl, "--%s очаква число, а не „%s“", "--%s takes a number, not \"%s\""),
		    o->name, text);
	json_object_set_new(place(p->command, o->place), o->key, json_integer(n));
	return true;
}

static bool
set_option(struct parsing *p, const struct option_row *o, const char *text)
{
	json_t *object = place(p->command, o->place), *value;

	switch (o->type) {
	case OPTION_FLAG:
		json_object_set_new(object, o->key, o->value ? json_string(o->value) : json_true());
		return true;
	case OPTION_NUMBER:
		return set_number(p, o, text);
	case OPTION_LIST:
		return append(p, object, o->key, text);
	default:
		value = new_text(p, text);
		return value && json_object_set_new(object, o->key, value) == 0;
	}
}

static const struct option_row *
find_in(const struct option_row *rows, const char *name, size_t len, struct nearest *n)
{
	for (; rows->name; rows++) {
		if (strlen(rows->name) == len && strncmp(rows->name, name, len) == 0)
			return rows;
		nearest_offer(n, rows->name);
	}
	return NULL;
}

/* "--name value", "--name=value", "--flag". */
static bool
long_option(struct parsing *p, const char *word)
{
	size_t len = strcspn(word, "=");
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)len, word);
	struct nearest n = {.word = name};
	const struct option_row *o = find_in(global_options, word, len, &n);
	if (!o && p->command->verb)
		o = find_in(p->command->verb->options, word, len, &n);
	if (!o && n.best)
		return complain(
		    p, SAY(p->ctl, "няма опция --%s; може би --%s", "no option --%s; perhaps --%s"),
		    name, n.best);
	if (!o)
		return complain(p, SAY(p->ctl, "няма опция --%s", "no option --%s"), name);
	const char *value = word[len] ? word + len + 1 : NULL;
	if (o->type == OPTION_FLAG) {
		if (value)
			return complain(
			    p, SAY(p->ctl, "--%s не приема стойност", "--%s takes no value"), name);
		return set_option(p, o, "");
	}
	if (!value) {
		if (p->at >= p->argc)
			return complain(
			    p, SAY(p->ctl, "--%s очаква стойност", "--%s needs a value"), name);
		value = p->argv[p->at++];
	}
	return set_option(p, o, value);
}

static bool
short_option(struct parsing *p, const char *word)
{
	if (strcmp(word, "-h") == 0)
		return long_option(p, "help");
	if (strcmp(word, "-s") == 0)
		return long_option(p, "socket");
	return complain(p, SAY(p->ctl, "няма опция %s", "no option %s"), word);
}

/* The verb that these words begin; *used words belong to it. */
static const struct verb_row *
find_verb(const char *first, const char *second, unsigned *used)
{
	for (size_t i = 0; i < verb_row_count; i++) {
		const struct verb_row *v = &verb_rows[i];
		if (strcmp(v->words[0], first) != 0)
			continue;
		*used = v->words[1] ? 2 : 1;
		if (!v->words[1] || (second && strcmp(v->words[1], second) == 0))
			return v;
	}
	return NULL;
}

static void
offer_verbs(struct nearest *n, unsigned word, const char *first)
{
	for (size_t i = 0; i < verb_row_count; i++) {
		if ((word == 0 || strcmp(verb_rows[i].words[0], first) == 0) &&
		    verb_rows[i].words[word])
			nearest_offer(n, verb_rows[i].words[word]);
	}
}

static bool
unknown_verb(struct parsing *p, const char *first, const char *second)
{
	struct nearest n = {.word = first}, m = {.word = second ? second : ""};

	offer_verbs(&n, 0, first);
	offer_verbs(&m, 1, first);
	bool known = n.best && strcmp(n.best, first) == 0;
	if (!known && n.best)
		return complain(
		    p, SAY(p->ctl, "няма команда %s; може би %s", "no command %s; perhaps %s"),
		    first, n.best);
	if (!known)
		return complain(p, SAY(p->ctl, "няма команда %s", "no command %s"), first);
	if (!second)
		return complain(p, SAY(p->ctl, "%s: коя команда?", "%s: which command?"), first);
	if (m.best)
		return complain(
		    p,
		    SAY(p->ctl, "няма команда %s %s; може би %s", "no command %s %s; perhaps %s"),
		    first, second, m.best);
	return complain(p, SAY(p->ctl, "няма команда %s %s", "no command %s %s"), first, second);
}

static bool
set_positional(struct parsing *p, const char *text)
{
	const struct positional_row *row = &p->command->verb->positionals[p->positional];

	if (!row->key)
		return complain(p, SAY(p->ctl, "„%s“ е в повече", "\"%s\" is too much"), text);
	if (row->several)
		return append(p, place(p->command, row->place), row->key, text);
	p->positional++;
	json_t *value = new_text(p, text);
	return value && json_object_set_new(place(p->command, row->place), row->key, value) == 0;
}

/* Words until the verb is known, then its arguments. */
static bool
parse_words(struct parsing *p)
{
	const char *words[2] = {NULL, NULL};
	unsigned count = 0, used;
	bool only_words = false;

	while (p->at < p->argc) {
		const char *word = p->argv[p->at++];
		bool ok = true;
		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
		} else if (!only_words && strncmp(word, "--", 2) == 0) {
			ok = long_option(p, word + 2);
		} else if (!only_words && word[0] == '-' && word[1]) {
			ok = short_option(p, word);
		} else if (p->command->verb) {
			ok = set_positional(p, word);
		} else {
			words[count++] = word;
			p->command->verb = find_verb(words[0], words[1], &used);
			if (!p->command->verb && count == 2)
				return unknown_verb(p, words[0], words[1]);
		}
		if (!ok)
			return false;
	}
	if (p->command->verb || p->command->help)
		return true;
	if (json_is_true(json_object_get(p->command->local, "help")))
		return true;
	return count ? unknown_verb(p, words[0], NULL)
	             : complain(p, SAY(p->ctl, "коя команда?", "which command?"));
}

static bool
apply_globals(struct parsing *p)
{
	struct ctl *ctl = p->ctl;
	const json_t *local = p->command->local;
	const char *lang = text_of(local, "lang");

	p->command->help = json_is_true(json_object_get(local, "help"));
	ctl->json = json_is_true(json_object_get(local, "json"));
	if (*text_of(local, "socket"))
		ctl->socket = text_of(local, "socket");
	if (*lang && strcmp(lang, "bg") != 0 && strcmp(lang, "en") != 0)
		return complain(p, SAY(p->ctl, "--lang е bg или en", "--lang is bg or en"));
	if (*lang)
		ctl->language = strcmp(lang, "en") == 0 ? LANGUAGE_EN : LANGUAGE_BG;
	return true;
}

static bool
check_required(struct parsing *p)
{
	const struct verb_row *v = p->command->verb;

	for (const struct positional_row *row = v->positionals; row->key; row++) {
		if (row->required && !json_object_get(place(p->command, row->place), row->key))
			return complain(p, SAY(p->ctl, "липсва %s", "%s is missing"),
					row->metavar[p->ctl->language]);
	}
	for (const struct option_row *o = v->options; o->name; o++) {
		if (o->required && !json_object_get(place(p->command, o->place), o->key))
			return complain(p, SAY(p->ctl, "липсва --%s", "--%s is missing"), o->name);
	}
	return true;
}

/* --lang counts for what is said about words before it, too. */
static void
find_language(struct ctl *ctl, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = strncmp(argv[i], "--lang=", 7) == 0 ? argv[i] + 7 :
		    strcmp(argv[i], "--lang") == 0 && i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(value, "en") == 0)
			ctl->language = LANGUAGE_EN;
		else if (strcmp(value, "bg") == 0)
			ctl->language = LANGUAGE_BG;
	}
}

bool
command_parse(struct ctl *ctl, int argc, char **argv, struct command *c)
{
	struct parsing p = {.ctl = ctl, .command = c, .argc = argc, .argv = argv, .at = 1};

	*c = (struct command){
	    .request = json_object(), .document = json_object(), .local = json_object()};
	find_language(ctl, argc, argv);
	if (!parse_words(&p) || !apply_globals(&p))
		return false;
	return c->help || check_required(&p);
}

void
command_free(struct command *c)
{
	json_decref(c->request);
	json_decref(c->document);
	json_decref(c->local);
}

const char *
command_local(const struct command *c, const char *key)
{
	return text_of(c->local, key);
}
