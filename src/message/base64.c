#include "message/base64.h"

#include <string.h>

#include <endian.h>
#include <string.h>

/* What each character is: a digit with its value, or one of the others; 0 belongs nowhere. */
#define DIGIT 0x40u
#define PAD   0x80u
#define SPACE 0x81u
#define CR    0x01u
/* Bits of what looks the same in the text and in its canonical form. */
#define PLAIN (DIGIT | PAD)

static const uint8_t values[256] = {
	['A'] = DIGIT | 0, ['B'] = DIGIT | 1, ['C'] = DIGIT | 2, ['D'] = DIGIT | 3,
	['E'] = DIGIT | 4, ['F'] = DIGIT | 5, ['G'] = DIGIT | 6, ['H'] = DIGIT | 7,
	['I'] = DIGIT | 8, ['J'] = DIGIT | 9, ['K'] = DIGIT | 10, ['L'] = DIGIT | 11,
	['M'] = DIGIT | 12, ['N'] = DIGIT | 13, ['O'] = DIGIT | 14, ['P'] = DIGIT | 15,
	['Q'] = DIGIT | 16, ['R'] = DIGIT | 17, ['S'] = DIGIT | 18, ['T'] = DIGIT | 19,
	['U'] = DIGIT | 20, ['V'] = DIGIT | 21, ['W'] = DIGIT | 22, ['X'] = DIGIT | 23,
	['Y'] = DIGIT | 24, ['Z'] = DIGIT | 25, ['a'] = DIGIT | 26, ['b'] = DIGIT | 27,
	['c'] = DIGIT | 28, ['d'] = DIGIT | 29, ['e'] = DIGIT | 30, ['f'] = DIGIT | 31,
	['g'] = DIGIT | 32, ['h'] = DIGIT | 33, ['i'] = DIGIT | 34, ['j'] = DIGIT | 35,
	['k'] = DIGIT | 36, ['l'] = DIGIT | 37, ['m'] = DIGIT | 38, ['n'] = DIGIT | 39,
	['o'] = DIGIT | 40, ['p'] = DIGIT | 41, ['q'] = DIGIT | 42, ['r'] = DIGIT | 43,
	['s'] = DIGIT | 44, ['t'] = DIGIT | 45, ['u'] = DIGIT | 46, ['v'] = DIGIT | 47,
	['w'] = DIGIT | 48, ['x'] = DIGIT | 49, ['y'] = DIGIT | 50, ['z'] = DIGIT | 51,
	['0'] = DIGIT | 52, ['1'] = DIGIT | 53, ['2'] = DIGIT | 54, ['3'] = DIGIT | 55,
	['4'] = DIGIT | 56, ['5'] = DIGIT | 57, ['6'] = DIGIT | 58, ['7'] = DIGIT | 59,
	['8'] = DIGIT | 60, ['9'] = DIGIT | 61, ['+'] = DIGIT | 62, ['/'] = DIGIT | 63,
	['='] = PAD, [' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = CR,
};

/* Eight digits as 48 bits. Their DIGIT bits fall on other bits, and are taken off at the end. */
#define DIGITS                                                                                     \
	((uint64_t)DIGIT << 42 ^ (uint64_t)DIGIT << 36 ^ (uint64_t)DIGIT << 30 ^                   \
	    (uint64_t)DIGIT << 24 ^ DIGIT << 18 ^ DIGIT << 12 ^ DIGIT << 6 ^ DIGIT)

/* Two whole groups at once, as many as come without anything else between: nearly all the bytes.
 * Writes up to two bytes more than it decodes. */
static size_t
decode_groups(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t done = 0;

	for (; len - done >= 8; done += 8) {
		const uint8_t *p = in + done;
		uint64_t a = values[p[0]], b = values[p[1]], c = values[p[2]], d = values[p[3]];
		uint64_t e = values[p[4]], f = values[p[5]], g = values[p[6]], h = values[p[7]];
		if (!(a & b & c & d & e & f & g & h & DIGIT))
			break;
		uint64_t bits = (a << 42 ^ b << 36 ^ c << 30 ^ d << 24 ^ e << 18 ^ f << 12 ^ g << 6 ^ h) ^
		    DIGITS;
		uint64_t bytes = htobe64(bits << 16);
		memcpy(out, &bytes, sizeof bytes);
		out += 6;
	}
	return done;
}

/* Takes one character into the incomplete group; returns the bytes that it completes. */
static size_t
decode_one(struct base64 *s, uint8_t v, uint8_t *out)
{
	if (v == PAD ? s->count < 2 : (!(v & DIGIT) || s->pad)) {
		s->bad = true;
		return 0;
	}
	s->bits = s->bits << 6 | (v & 63);
	s->pad = (uint8_t)(s->pad + (v == PAD));
	if (++s->count < 4)
		return 0;
	size_t n = 3 - (size_t)s->pad;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(s->bits >> (16 - 8 * i));
	s->ended = s->pad > 0;
	s->count = 0;
	s->bits = 0;
	return n;
}

size_t
base64_decode_plain(struct base64 *s, const char *text, size_t len, uint8_t *out, size_t *used)
{
	const uint8_t *in = (const uint8_t *)text;
	uint8_t *to = out;
	size_t i = 0;

	while (i < len && !s->bad) {
		if (s->count == 0 && !s->ended) {
			size_t n = decode_groups(in + i, len - i, to);
			to += n / 4 * 3;
			i += n;
			if (i == len)
				break;
		}
		uint8_t v = values[in[i]];
		if (!(v & PLAIN))
			break;
		i++;
		if (v == SPACE)
			continue;
		if (s->ended)
			s->bad = true;
		else
			to += decode_one(s, v, to);
	}
	*used = i;
	return (size_t)(to - out);
}

size_t
base64_decode(struct base64 *s, const char *text, size_t len, uint8_t *out)
{
	size_t n = 0, i = 0;

	while (i < len && !s->bad) {
		size_t used;
		n += base64_decode_plain(s, text + i, len - i, out + n, &used);
		i += used;
		if (i == len || s->bad)
			break;
		s->bad = values[(uint8_t)text[i++]] != CR;
	}
	return n;
}

/* Sixteen characters at a time, in whatever vector registers the machine has. */
typedef uint8_t vector __attribute__((vector_size(16)));

static bool
all_digits(const uint8_t *in)
{
	uint64_t half[2];
	vector v;

	memcpy(&v, in, sizeof v);
	vector letter = (vector)((v | 0x20) - 'a' < 26);
	vector digit = (vector)(v - '/' < 11); /* the slash stands before the digits */
	vector plus = (vector)(v == '+');
	vector all = letter | digit | plus;
	memcpy(half, &all, sizeof half);
	return (half[0] & half[1]) == UINT64_MAX;
}

size_t
base64_skip_plain(struct base64 *s, const char *text, size_t len, size_t *used)
{
	const uint8_t *in = (const uint8_t *)text;
	size_t n = 0, i = 0, part = 0, took = 0;
	uint8_t out[32];

	while (took == part && i < len && !s->bad) {
		/* Whole groups: what the incomplete one holds stays as it is. */
		while (!s->pad && !s->ended && len - i >= sizeof(vector) && all_digits(in + i)) {
			i += sizeof(vector);
			n += sizeof(vector) / 4 * 3;
		}
		part = len - i < sizeof(vector) ? len - i : sizeof(vector);
		n += base64_decode_plain(s, text + i, part, out, &took);
		i += took;
	}
	*used = i;
	return n;
}

bool
base64_complete(const struct base64 *s)
{
	return !s->bad && s->count == 0;
}
