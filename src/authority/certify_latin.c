/* Bulgarian in Latin letters, by the law on transliteration of 2009. */
#include "authority/certify.h"

#include <stdio.h>
#include <string.h>

/* From U+0430; capitals are 0x20 below. */
static const char *const letters[32] = {"a", "b", "v", "g", "d", "e", "zh", "z", "i", "y", "k", "l", "m",
    "n", "o", "p", "r", "s", "t", "u", "f", "h", "ts", "ch", "sh", "sht", "a", "", "y", "", "yu", "ya"};

static int
cyrillic(const char *text)
{
	const uint8_t *b = (const uint8_t *)text;
	int code = (b[0] & 0xfe) == 0xd0 && (b[1] & 0xc0) == 0x80 ? (b[0] & 0x1f) << 6 | (b[1] & 0x3f) : 0;

	return code >= 0x410 && code <= 0x44f ? code : 0;
}

/* Is the next letter a capital too? Then Ж is ZH, not Zh. */
static bool
shouting(const char *next)
{
	int code = cyrillic(next);

	return code && code < 0x430;
}

void
certify_latin(const char *text, char out[CERTIFY_NAME_MAX + 1])
{
	size_t used = 0, word = 0;
	bool cut = false;

	while (*text && !cut) {
		int code = cyrillic(text);
		char piece[8] = {*text, '\0'};
		if (code)
			snprintf(piece, sizeof piece, "%s", letters[code >= 0x430 ? code - 0x430 : code - 0x410]);
		for (size_t i = 0; code && code < 0x430 && piece[i] && (i == 0 || shouting(text + 2)); i++)
			piece[i] = (char)(piece[i] - 'a' + 'A');
		/* Other letters and quotes that no Latin text has are left out. */
		if (!code && (piece[0] == '"' || (piece[0] & 0x80)))
			piece[0] = '\0';
		size_t len = strlen(piece);
		cut = used + len > CERTIFY_NAME_MAX;
		if (!cut) {
			memcpy(out + used, piece, len);
			used += len;
			word = *text == ' ' ? used - 1 : word;
		}
		text += code ? 2 : 1;
	}
	out[cut && word ? word : used] = '\0';
}
