/* The sample file and the manual's list of options, from the tables. */
#include <string.h>

#include "lib/conf_schema.h"
#include "lib/conf_value.h"
#include "lib/roff.h"

#define WIDTH 78

/* Columns that UTF-8 text takes when every letter takes one: enough for Cyrillic and Latin. */
static size_t
columns(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

/* Comment lines no wider than WIDTH. */
static void
write_comment(FILE *f, const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		size_t wide = columns(text, len);
		if (at == 0 || at + 1 + wide > WIDTH) {
			fputs(at == 0 ? "# " : "\n# ", f);
			at = 2;
		} else {
			fputc(' ', f);
			at++;
		}
		fwrite(text, 1, len, f);
		at += wide;
		text += len + (text[len] == ' ');
	}
	fputc('\n', f);
}

static void
write_sample_option(const struct conf_schema *schema, FILE *f, const struct conf_option *o,
    enum language l)
{
	const char *value = o->initial ? o->initial : "";
	bool active = o->required;

	for (const struct conf_sample *s = schema->samples; s->key; s++) {
		if (strcmp(s->key, o->key) == 0)
			value = s->value;
	}
	write_comment(f, o->text[l]);
	fprintf(f, "%s%s = %s\n\n", active ? "" : "#", o->key, value);
}

void
conf_sample_by(const struct conf_schema *schema, FILE *f, enum language l)
{
	for (unsigned s = 0; s < schema->section_count; s++) {
		const struct conf_section_row *row = &schema->sections[s];
		if (s != CONF_GENERAL) {
			write_comment(f, row->text[l]);
			fprintf(f, "%s[%s %s]\n", row->optional ? "#" : "", row->name, row->sample);
		}
		for (size_t i = 0; i < schema->option_count; i++) {
			if (schema->options[i].section == s)
				write_sample_option(schema, f, &schema->options[i], l);
		}
	}
}

static void
write_manual_option(const struct conf_schema *schema, FILE *f, const struct conf_option *o,
    enum language l)
{
	char kind[128];

	conf_value_describe(o, l, kind, sizeof kind);
	fprintf(f, ".It Cm %s\n", o->key);
	roff_write(f, o->text[l]);
	fprintf(f, ".Pq %s", kind);
	if (o->initial && *o->initial)
		fprintf(f, l == LANGUAGE_BG ? "; по подразбиране %s" : "; default %s", o->initial);
	if (o->required)
		fputs(l == LANGUAGE_BG ? "; задължително" : "; required", f);
	if (o->fixed || schema->sections[o->section].fixed)
		fputs(l == LANGUAGE_BG ? "; променя се само с ново пускане"
				       : "; changes with a new start only",
		      f);
	fputc('\n', f);
}

void
conf_manual_by(const struct conf_schema *schema, FILE *f, enum language l)
{
	for (unsigned s = 0; s < schema->section_count; s++) {
		const struct conf_section_row *row = &schema->sections[s];
		if (s == CONF_GENERAL)
			fprintf(f, ".Ss %s\n",
				l == LANGUAGE_BG ? "Общи настройки" : "General options");
		else
			fprintf(f, ".Ss [%s %s]\n", row->name, row->argument),
			    roff_write(f, row->text[l]);
		fputs(".Bl -tag -width Ds\n", f);
		for (size_t i = 0; i < schema->option_count; i++) {
			if (schema->options[i].section == s)
				write_manual_option(schema, f, &schema->options[i], l);
		}
		fputs(".El\n", f);
	}
}
