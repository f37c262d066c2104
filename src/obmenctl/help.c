#include <stdlib.h>
#include <string.h>

#include "lib/fold.h"
#include "lib/roff.h"
#include "obmenctl/ctl.h"

#define HELP_COLUMN 28

static void
write_padded(FILE *f, const char *text, size_t columns)
{
	size_t n = fold_columns(text);

	fputs(text, f);
	do
		fputc(' ', f);
	while (++n < columns);
}

#define HELP_WIDTH 80

/* Sentences in a column of their own, broken between words. */
static void
write_hanging(FILE *f, const char *text, size_t column)
{
	size_t at = column;

	while (*text) {
		size_t len = strcspn(text, " ");
		char word[128];
		snprintf(word, sizeof word, "%.*s", (int)len, text);
		size_t wide = fold_columns(word);
		if (at > column && at + 1 + wide > HELP_WIDTH) {
			fprintf(f, "\n%*s", (int)column, "");
			at = column;
		} else if (at > column) {
			fputc(' ', f);
			at++;
		}
		fputs(word, f);
		at += wide;
		text += len + (text[len] == ' ');
	}
	fputc('\n', f);
}

static void
write_examples(FILE *f, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		fprintf(f, "  %.*s\n", (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static void
option_words(const struct option_row *o, enum language l, char *out, size_t size)
{
	snprintf(out, size, "--%s%s%s", o->name, o->metavar[l] ? " " : "",
		 o->metavar[l] ? o->metavar[l] : "");
}

static void
write_options(const struct ctl *ctl, FILE *f, const struct option_row *rows)
{
	char words[128], text[512];

	for (; rows->name; rows++) {
		fputs("  ", f);
		option_words(rows, ctl->language, words, sizeof words);
		write_padded(f, words, HELP_COLUMN);
		snprintf(text, sizeof text, "%s%s", rows->text[ctl->language],
		    rows->required ? say(ctl, " (задължително)", " (required)") : "");
		write_hanging(f, text, HELP_COLUMN + 2);
	}
}

void
help_all(struct ctl *ctl, FILE *f)
{
	char words[64];

	fprintf(f, "%s\n", say(ctl, "Примери:", "Examples:"));
	for (size_t i = 0; i < verb_row_count; i++) {
		const char *example = verb_rows[i].examples[ctl->language];
		if (i < 4)
			fprintf(f, "  %.*s\n", (int)strcspn(example, "\n"), example);
	}
	fprintf(f, "\n%s\n", say(ctl, "Команди:", "Commands:"));
	for (size_t i = 0; i < verb_row_count; i++) {
		const struct verb_row *v = &verb_rows[i];
		snprintf(words, sizeof words, "%s%s%s", v->words[0], v->words[1] ? " " : "",
		    v->words[1] ? v->words[1] : "");
		fputs("  ", f);
		write_padded(f, words, 21);
		write_hanging(f, v->text[ctl->language], 23);
	}
	fprintf(f, "\n%s\n", say(ctl, "Навсякъде:", "Everywhere:"));
	write_options(ctl, f, global_options);
	fprintf(f, SAY(ctl, "\nИзход: 0 направено, 1 отказано или неуспешно, 2 грешна употреба,\n"
	                    "       3 %s не отговаря.\n",
	               "\nExit status: 0 done, 1 refused or failed, 2 wrong use,\n"
	               "             3 %s does not answer.\n"), cli.silent[ctl->language]);
}

static void
write_synopsis(const struct ctl *ctl, const struct verb_row *v, FILE *f)
{
	enum language l = ctl->language;

	fprintf(f, "  %s %s%s%s", cli.name, v->words[0], v->words[1] ? " " : "",
		v->words[1] ? v->words[1] : "");
	for (const struct positional_row *p = v->positionals; p->key; p++)
		fprintf(f, " %s%s%s%s", p->required ? "" : "[", p->metavar[l],
			p->required ? "" : "]", p->several ? "..." : "");
	for (const struct option_row *o = v->options; o->name; o++) {
		if (o->required)
			fprintf(f, " --%s %s", o->name, o->metavar[l]);
	}
	fputs(v->options->name ? say(ctl, " [опции]\n", " [options]\n") : "\n", f);
}

void
help_verb(struct ctl *ctl, const struct verb_row *v, FILE *f)
{
	fprintf(f, "%s\n", say(ctl, "Примери:", "Examples:"));
	write_examples(f, v->examples[ctl->language]);
	fprintf(f, "\n%s: %s\n", say(ctl, "Какво прави", "What it does"), v->text[ctl->language]);
	write_synopsis(ctl, v, f);
	if (!v->options->name)
		return;
	fprintf(f, "\n%s\n", say(ctl, "Опции:", "Options:"));
	write_options(ctl, f, v->options);
}

static void
manual_verb(FILE *f, const struct verb_row *v, enum language l)
{
	fprintf(f, ".It Cm %s", v->words[0]);
	if (v->words[1])
		fprintf(f, " %s", v->words[1]);
	for (const struct positional_row *p = v->positionals; p->key; p++)
		fprintf(f, p->required ? " Ar %s" : " Op Ar %s", p->metavar[l]);
	fputc('\n', f);
	roff_write(f, v->text[l]);
	if (!v->options->name)
		return;
	fputs(".Bl -tag -width Ds -compact\n", f);
	for (const struct option_row *o = v->options; o->name; o++) {
		fprintf(f, ".It Fl -%s", o->name);
		if (o->metavar[l])
			fprintf(f, " Ar %s", o->metavar[l]);
		fprintf(f, "\n%s%s\n", o->text[l],
		    !o->required ? "" : l == LANGUAGE_BG ? " (задължително)" : " (required)");
	}
	fputs(".El\n", f);
}

void
help_manual(FILE *f, enum language l)
{
	fputs(".Bl -tag -width Ds\n", f);
	for (size_t i = 0; i < verb_row_count; i++)
		manual_verb(f, &verb_rows[i], l);
	fputs(".El\n", f);
}

static int
by_code(const void *a, const void *b)
{
	return strcmp(fault_code(*(const enum fault *)a), fault_code(*(const enum fault *)b));
}

void
help_codes(FILE *f, enum language l)
{
	enum fault order[FAULT_COUNT];
	size_t n = 0;

	for (enum fault i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
		order[n++] = i;
	qsort(order, n, sizeof *order, by_code);
	fputs(".Bl -tag -width S-121\n", f);
	for (size_t i = 0; i < n; i++) {
		struct fault_text t = fault_text(order[i], l);
		fprintf(f, ".It %s\n", t.code);
		roff_write(f, t.what);
		fputs(".br\n", f);
		roff_write(f, t.means);
		roff_write(f, t.todo);
	}
	fputs(".El\n", f);
}

/* help [words]: of one verb, or of all. */
enum exit_status
run_help(struct ctl *ctl, struct command *c)
{
	const json_t *words = json_object_get(c->local, "words");
	const char *first = json_string_value(json_array_get(words, 0));
	const char *second = json_string_value(json_array_get(words, 1));
	bool found = false;

	for (size_t i = 0; first && i < verb_row_count; i++) {
		const struct verb_row *v = &verb_rows[i];
		if (strcmp(v->words[0], first) != 0 ||
		    (second && (!v->words[1] || strcmp(v->words[1], second) != 0)))
			continue;
		if (found)
			fputc('\n', ctl->out);
		help_verb(ctl, v, ctl->out);
		found = true;
	}
	if (!found)
		help_all(ctl, ctl->out);
	return EXIT_DONE;
}
