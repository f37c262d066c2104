#include "lib/fold.h"

#include <stdint.h>
#include <string.h>

#define NAME_MAX_BYTES 2048

/* The next letter of UTF-8 text; a byte that is none stands for itself. Moves *s on. */
static uint32_t
next_letter(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	unsigned more = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : p[0] < 0xf5 ? 3 : 0;
	uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];

	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*s += 1;
			return p[0];
		}
		c = c << 6 | (p[i] & 0x3f);
	}
	*s += more + 1;
	return c;
}

static size_t
put_letter(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static uint32_t
lower(uint32_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c + 32;
	if (c >= 0x410 && c <= 0x42f) /* А-Я */
		return c + 32;
	if (c >= 0x400 && c <= 0x40f) /* Ѐ-Џ */
		return c + 80;
	if (c >= 0xc0 && c <= 0xde && c != 0xd7) /* À-Þ */
		return c + 32;
	return c;
}

/* Cyrillic letters that look like a Latin one, small or capital, become it. */
static uint32_t
look_alike(uint32_t c)
{
	static const struct {
		uint16_t cyrillic;
		char latin;
	} pairs[] = {{0x430, 'a'}, {0x432, 'b'}, {0x435, 'e'}, {0x43a, 'k'},
		     {0x43c, 'm'}, {0x43d, 'h'}, {0x43e, 'o'}, {0x440, 'p'},
		     {0x441, 'c'}, {0x442, 't'}, {0x443, 'y'}, {0x445, 'x'}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (pairs[i].cyrillic == c)
			return (unsigned char)pairs[i].latin;
	}
	return c;
}

char *
fold_text(const char *text, char *out, size_t size)
{
	size_t n = 0;

	while (*text && n + 5 <= size)
		n += put_letter(look_alike(lower(next_letter(&text))), out + n);
	if (size)
		out[n] = 0;
	return out;
}

bool
fold_contains(const char *text, const char *folded_needle)
{
	char folded[NAME_MAX_BYTES];

	return strstr(fold_text(text, folded, sizeof folded), folded_needle);
}

bool
fold_equal(const char *text, const char *folded_other)
{
	char folded[NAME_MAX_BYTES];

	return strcmp(fold_text(text, folded, sizeof folded), folded_other) == 0;
}

static size_t
letter_columns(uint32_t c)
{
	if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || c == 0xfeff)
		return 0;
	if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
	    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
	    (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
	    (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd))
		return 2;
	return 1;
}

size_t
fold_columns(const char *text)
{
	size_t n = 0;

	while (*text)
		n += letter_columns(next_letter(&text));
	return n;
}
