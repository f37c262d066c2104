/*
 * What a configuration may say, as tables: options, sections, and rules in code for what a table
 * cannot say. A schema gives the parser's checks, what may change while running, the sample file and
 * the manual page. obmen.conf (conf_table.h) and obmen-authority.conf are two schemas.
 */
#ifndef OBMEN_CONF_SCHEMA_H
#define OBMEN_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/buf.h"
#include "lib/catalogue.h"

enum conf_type {
	CONF_TEXT,    /* char * */
	CONF_PATH,    /* char * */
	CONF_URL,     /* char *, https */
	CONF_EIK,     /* char *, 9 or 13 digits */
	CONF_REFERENCE, /* char *, the argument of another section */
	CONF_FLAG,    /* bool */
	CONF_COUNT,   /* unsigned */
	CONF_NUMBER,  /* uint64_t */
	CONF_SECONDS, /* uint64_t */
	CONF_BYTES,   /* uint64_t */
	CONF_CHOICE,  /* an enum: index into .words */
	CONF_TYPE_COUNT
};

#define CONF_GENERAL 0 /* the section of the options before all sections */

struct conf_option {
	unsigned section;    /* index into the schema's sections; CONF_GENERAL: none */
	const char *key;
	enum conf_type type;
	size_t offset;       /* in the configuration, or in the section's struct */
	uint64_t min, max;   /* of numbers */
	const char *initial; /* as it would be written; NULL: not set */
	bool required;
	bool fixed;          /* changes with a new start only, not by reload */
	const char *const *words; /* CONF_CHOICE, ended by NULL */
	const char *text[2]; /* by enum language */
};

#define CONF_OPTIONS_MAX 128

/* Sections may come several times, each with an argument of its own: [name ARGUMENT]. */
struct conf_section_row {
	const char *name;
	const char *argument; /* what stands behind the name, for people; NULL: general options */
	size_t size;          /* of one element */
	size_t array, count;  /* offsets in the configuration of the elements and of their number */
	unsigned max;
	bool fixed;           /* these sections change with a new start only */
	const char *text[2];
	const char *sample;   /* argument in the sample file */
	bool optional;        /* the sample file has it as a comment */
};

/* A text being read, in the hands of rules.check. */
struct conf_parser;

struct conf_rules {
	/* Fills the field that [name ARGUMENT] gives; false when the argument is not valid. */
	bool (*set_argument)(unsigned section, void *element, const char *argument);
	bool (*same_argument)(unsigned section, const void *a, const void *b);
	/* What set_argument allocated; may be NULL. */
	void (*free_argument)(unsigned section, void *element);
	/* For people, of sections that are not fixed; may be NULL when there are none. */
	void (*argument_text)(unsigned section, const void *element, char *out, size_t size);
	/* What can be said only when the whole text was read: says conf_problem. */
	void (*check)(struct conf_parser *, void *conf);
};

struct conf_sample {
	const char *key, *value; /* NULL ends the list */
};

struct conf_schema {
	const struct conf_option *options;
	size_t option_count; /* at most CONF_OPTIONS_MAX */
	const struct conf_section_row *sections; /* the first is CONF_GENERAL */
	unsigned section_count;
	size_t size;     /* of the configuration's struct */
	size_t language; /* offset of its enum language, for messages */
	const struct conf_rules *rules;
	const struct conf_sample *samples; /* values of the sample file that are not the initial ones */
};

/*
 * Parses text (the whole file, or what conf_read made). On failure NULL, and errors names file, line,
 * key, what is wrong and the nearest known key, one problem a line, in the file's own `language`.
 * Free with conf_free_by.
 */
void *conf_parse_by(const struct conf_schema *, const char *file_name, const char *text, size_t len,
                    char *errors, size_t errors_size);
/* Reads a file of at most 1 MiB and what it includes into one text that conf_parse_by understands: no
 * other process needs the files. False with errors filled. */
bool conf_read(const char *path, struct buf *text, char *errors, size_t errors_size);
/* conf_read, then conf_parse_by. */
void *conf_load_by(const struct conf_schema *, const char *path, char *errors, size_t errors_size);
void conf_free_by(const struct conf_schema *, void *conf);

/*
 * Moves from fresh into running what may change while the program runs; running stays where it is, so
 * that pointers to it hold, but not those to its strings and to elements of sections that are not
 * fixed. What differs and needs a new start keeps its value and is named at the end of kept:
 * "codecs, [listen]". The rest of fresh is freed.
 */
void conf_reload_by(const struct conf_schema *, void *running, void *fresh, struct buf *kept);

/* Writes the commented sample file / the OPTIONS part of the manual page in mdoc(7). */
void conf_sample_by(const struct conf_schema *, FILE *, enum language);
void conf_manual_by(const struct conf_schema *, FILE *, enum language);

/* -- for rules */

/* Of the messages to people. */
enum language conf_parser_language(const struct conf_parser *);
bool conf_parser_failed(const struct conf_parser *); /* problems were found already */
/* "file: where: what detail"; where and detail may be NULL. */
void conf_problem(struct conf_parser *, const char *where, const char *what, const char *detail);
/* host:port with a numeric host: 0.0.0.0:8443, [::]:8443. */
bool conf_address_valid(const char *);
/* Letters, digits, "-_."; fewer than CONF_NAME_MAX. */
bool conf_name_valid(const char *);
#define CONF_NAME_MAX 64

#endif
