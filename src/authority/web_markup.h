/*
 * Writing HTML so that escaping cannot be forgotten: markup is only ever a string literal of ours,
 * which the compiler checks; everything else goes through a placeholder and is escaped.
 */
#ifndef OBMEN_AUTHORITY_WEB_MARKUP_H
#define OBMEN_AUTHORITY_WEB_MARKUP_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/buf.h"

struct web_markup {
	struct buf out;
	bool wrong; /* placeholders and values did not match: a bug of ours, the page is not sent */
};

/*
 * MARKUP(m, "<a href=\"/x/{%}\">{}</a>", id, name): {} is text of an element or of a quoted
 * attribute, {%} a part of a path or a value in a query. Values are UTF-8 strings; NULL is empty.
 */
#define MARKUP(m, literal, ...) \
	web_markup((m), "" literal, (const char *const[]){"", ##__VA_ARGS__}, \
	    sizeof((const char *const[]){"", ##__VA_ARGS__}) / sizeof(const char *) - 1)

/* Not to be called but through MARKUP. values[0] is not used. */
void web_markup(struct web_markup *, const char *literal, const char *const *values, size_t count);
/* Appends text with what has a meaning in HTML escaped; what is no UTF-8 or no character of a page
 * becomes U+FFFD. */
void web_markup_text(struct buf *, const char *text);
/* Appends text percent-encoded but for unreserved characters (RFC 3986 section 2.3). */
void web_markup_url(struct buf *, const char *text);

#endif
