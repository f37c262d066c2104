/* What a browser sends: queries, forms, files. Everything in here is hostile until it was read. */
#ifndef OBMEN_AUTHORITY_WEB_FORM_H
#define OBMEN_AUTHORITY_WEB_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/arena.h"

#define WEB_VALUES_MAX 48 /* values in one form */
#define WEB_NAME_MAX 64   /* bytes of a field's name */

/* Names and values are NUL-terminated; a text is UTF-8 without control characters but white space,
 * its line ends are LF, and it is cut of white space at both ends. A file is as it was sent. */
struct web_value {
	const char *name;
	const char *text;
	size_t len;
	bool file;
};

/* Zeroed = empty. */
struct web_form {
	struct arena memory;
	unsigned count;
	struct web_value values[WEB_VALUES_MAX];
};

/* Reads "a=1&b=2" (a query, or a body of application/x-www-form-urlencoded). False: it is not well
 * formed, has too many fields, or memory is exhausted; the form holds nothing to be used then. */
bool web_form_read(struct web_form *, const char *text, size_t len);
/* Reads a body of multipart/form-data (RFC 7578) with the boundary of its content type. */
bool web_form_read_parts(struct web_form *, const char *content_type, const uint8_t *body,
                         size_t len);
void web_form_free(struct web_form *);

/* The first text with this name; NULL when there is none. */
const char *web_form_text(const struct web_form *, const char *name);
/* The first file with this name that is not empty; NULL when there is none. */
const struct web_value *web_form_file(const struct web_form *, const char *name);
/* True when a text with this name and value was sent: a box was ticked. */
bool web_form_has(const struct web_form *, const char *name, const char *value);

/* The value of a cookie, into out; false when there is none or it does not fit. */
bool web_cookie(const char *field, const char *name, char *out, size_t size);
/* Decodes one part of a path; false when it is no text or does not fit. */
bool web_path_part(const char *part, size_t len, char *out, size_t size);

#endif
