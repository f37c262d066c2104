/* UTF-8 and the characters of XML 1.0 (section 2.2), checked as they arrive. */
#ifndef OBMEN_UTF8_H
#define OBMEN_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length of the longest prefix that is whole characters, all allowed in XML. *bad is set when the
 * byte after the prefix can never be right; otherwise the rest (at most 3 bytes) is the beginning
 * of a character that is cut off.
 */
size_t utf8_span(const char *text, size_t len, bool *bad);

/* Writes a character; returns 1 to 4 bytes. */
size_t utf8_put(uint32_t c, char out[4]);
/* True for characters that XML 1.0 can hold. */
bool xml_char(uint32_t c);

#endif
