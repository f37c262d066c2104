/* Values of options: what may be written, what it becomes. Private to conf*.c. */
#ifndef OBMEN_CONF_VALUE_H
#define OBMEN_CONF_VALUE_H

#include "lib/conf_schema.h"

/* Removes a comment and trailing white space; false when a quote is not closed. */
bool conf_value_strip(char *line);
/* Removes quotes around the value and the backslashes inside them. */
void conf_value_unquote(char *value);

/* Reads text as the option's type and stores it in element; false with the reason in words. */
bool conf_value_set(const struct conf_option *, void *element, const char *text, enum language,
                    char *why, size_t why_size);
/* True for options that hold a malloc'ed string. */
bool conf_value_is_string(const struct conf_option *);
/* What may be written, for people: "seconds, 1-86400". */
void conf_value_describe(const struct conf_option *, enum language, char *out, size_t size);

#endif
