/* GUIDs as SEOS writes them: "{8-4-4-4-12}" in either case (protocol.md section 3). */
#ifndef OBMEN_GUID_H
#define OBMEN_GUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guid {
	uint8_t b[16]; /* in the order of the text: compares and sorts like the text */
};

#define GUID_TEXT_LEN 38                   /* with braces, without NUL */
#define GUID_TEXT_SIZE (GUID_TEXT_LEN + 1) /* with NUL */

/* Reads exactly the 38 characters with braces; false for anything else. */
bool guid_parse(struct guid *g, const char *text, size_t len);
/* As above, but braces may be missing: for what a person types. */
bool guid_parse_lenient(struct guid *g, const char *text);
/* Writes lower case with braces (the register's and eDelivery's spelling) and a NUL. */
void guid_format(const struct guid *g, char out[GUID_TEXT_SIZE]);
/* A random version 4 GUID; false when the system gives no randomness. */
bool guid_random(struct guid *g);
bool guid_equal(const struct guid *a, const struct guid *b);
bool guid_is_zero(const struct guid *g);

#endif
