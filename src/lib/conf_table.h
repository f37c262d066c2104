/* The tables of options and sections; private to conf*.c and their test. */
#ifndef OBMEN_CONF_TABLE_H
#define OBMEN_CONF_TABLE_H

#include "lib/conf.h"

enum conf_type {
	CONF_TEXT,    /* char * */
	CONF_PATH,    /* char * */
	CONF_URL,     /* char *, https */
	CONF_EIK,     /* char *, 9 or 13 digits */
	CONF_REFERENCE, /* char *, name of a [certificate] */
	CONF_FLAG,    /* bool */
	CONF_COUNT,   /* unsigned */
	CONF_NUMBER,  /* uint64_t */
	CONF_SECONDS, /* uint64_t */
	CONF_BYTES,   /* uint64_t */
	CONF_CHOICE,  /* an enum: index into .words */
	CONF_TYPE_COUNT
};

enum conf_section {
	CONF_GENERAL,
	CONF_CERTIFICATE,
	CONF_LISTEN,
	CONF_PARTICIPANT,
	CONF_PEER,
	CONF_SECTION_COUNT
};

struct conf_option {
	enum conf_section section;
	const char *key;
	enum conf_type type;
	size_t offset;       /* in struct conf, or in the section's struct */
	uint64_t min, max;   /* of numbers */
	const char *initial; /* as it would be written; NULL: not set */
	bool required;
	bool fixed;          /* changes with a new start of obmend only, not by reload */
	const char *const *words; /* CONF_CHOICE, ended by NULL */
	const char *text[2]; /* by enum language */
};

#define CONF_OPTIONS_MAX 128

extern const struct conf_option conf_options[];
extern const size_t conf_option_count;

/* Sections may come several times, each with an argument of its own: [name ARGUMENT]. */
struct conf_section_row {
	const char *name;
	const char *argument; /* what stands behind the name, for people; NULL: general options */
	size_t size;          /* of one element */
	size_t array, count;  /* offsets in struct conf of the elements and of their number */
	unsigned max;
	bool fixed;           /* these sections change with a new start of obmend only */
	const char *text[2];
};

extern const struct conf_section_row conf_sections[CONF_SECTION_COUNT];

#endif
