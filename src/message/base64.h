/* Strict base64, decoded as it arrives (xsd:base64Binary, RFC 4648 section 4). */
#ifndef OBMEN_BASE64_H
#define OBMEN_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is at the start of a text. */
struct base64 {
	uint32_t bits; /* of the incomplete group */
	uint8_t count; /* characters of the incomplete group, padding included */
	uint8_t pad;
	bool ended;    /* padding was seen and its group is complete: only white space may follow */
	bool bad;
};

/*
 * Decodes len characters; XML white space between them is skipped. out needs room for
 * base64_room(len) bytes. Returns the number of bytes written; sets .bad, for good, at the first
 * character that does not belong there.
 */
size_t base64_decode(struct base64 *, const char *text, size_t len, uint8_t *out);
/*
 * The same, but stops before the first character that is neither base64 nor white space, and before
 * CR: what was used up looks the same in the text, to an XML parser and in canonical form.
 */
size_t base64_decode_plain(struct base64 *, const char *text, size_t len, uint8_t *out, size_t *used);
/*
 * As base64_decode_plain when nobody wants the bytes, because most incoming attachments are only
 * checked and counted. Both may be used for one text.
 */
size_t base64_skip_plain(struct base64 *, const char *text, size_t len, size_t *used);
/* True when the text may end here: no bad character and no incomplete group. */
bool base64_complete(const struct base64 *);

static inline size_t
base64_room(size_t len)
{
	return len / 4 * 3 + 8;
}

#endif
