/* Comparing names as people do: case does not count, nor whether a letter that looks the same in
 * Latin and Cyrillic was typed on one keyboard or the other. */
#ifndef OBMEN_FOLD_H
#define OBMEN_FOLD_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the folded form of UTF-8 text, cut to whole letters that fit; returns out. */
char *fold_text(const char *text, char *out, size_t size);
/* True when text, folded, holds needle, which is folded already; an empty needle is everywhere. */
bool fold_contains(const char *text, const char *folded_needle);
/* True when text, folded, is folded_other. */
bool fold_equal(const char *text, const char *folded_other);

/* Columns that text takes on a terminal: wide and combining letters counted as such. */
size_t fold_columns(const char *text);

#endif
