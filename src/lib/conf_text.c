/* The sample file and the manual's list of options, from the tables. */
#include <string.h>

#include "lib/conf_table.h"
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

static const char *const sample_values[][2] = {
	{"ca-file", "/etc/obmen/ca.pem"},
	{"register-url", "https://register.example/service/"},
	{"file", "/etc/obmen/transport.pem"},
	{"key", "/etc/obmen/transport.key"},
	{"certificate", "main"},
	{"eik", "000000000"},
	{"name", "\"...\""},
};

static void
write_sample_option(FILE *f, const struct conf_option *o, enum language l)
{
	const char *value = o->initial ? o->initial : "";
	bool active = o->required;

	for (size_t i = 0; i < sizeof sample_values / sizeof *sample_values; i++) {
		if (strcmp(sample_values[i][0], o->key) == 0)
			value = sample_values[i][1];
	}
	write_comment(f, o->text[l]);
	fprintf(f, "%s%s = %s\n\n", active ? "" : "#", o->key, value);
}

void
conf_write_sample(FILE *f, enum language l)
{
	static const char *const arguments[CONF_SECTION_COUNT] = {
	    [CONF_CERTIFICATE] = "main", [CONF_LISTEN] = "0.0.0.0:8443",
	    [CONF_PARTICIPANT] = "{00000000-0000-0000-0000-000000000001}",
	    [CONF_PEER] = "{00000000-0000-0000-0000-000000000002}"};

	for (enum conf_section s = 0; s < CONF_SECTION_COUNT; s++) {
		if (s != CONF_GENERAL) {
			write_comment(f, conf_sections[s].text[l]);
			fprintf(f, "%s[%s %s]\n", s == CONF_PEER ? "#" : "", conf_sections[s].name,
				arguments[s]);
		}
		for (size_t i = 0; i < conf_option_count; i++) {
			if (conf_options[i].section == s)
				write_sample_option(f, &conf_options[i], l);
		}
	}
}

static void
write_manual_option(FILE *f, const struct conf_option *o, enum language l)
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
	if (o->fixed || conf_sections[o->section].fixed)
		fputs(l == LANGUAGE_BG ? "; променя се само с ново пускане"
				       : "; changes with a new start only",
		      f);
	fputc('\n', f);
}

void
conf_write_manual(FILE *f, enum language l)
{
	for (enum conf_section s = 0; s < CONF_SECTION_COUNT; s++) {
		const struct conf_section_row *row = &conf_sections[s];
		if (s == CONF_GENERAL)
			fprintf(f, ".Ss %s\n",
				l == LANGUAGE_BG ? "Общи настройки" : "General options");
		else
			fprintf(f, ".Ss [%s %s]\n", row->name, row->argument),
			    roff_write(f, row->text[l]);
		fputs(".Bl -tag -width Ds\n", f);
		for (size_t i = 0; i < conf_option_count; i++) {
			if (conf_options[i].section == s)
				write_manual_option(f, &conf_options[i], l);
		}
		fputs(".El\n", f);
	}
}
