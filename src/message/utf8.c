#include "message/utf8.h"

#include <string.h>

bool
xml_char(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	return c < 0xd800 || (c >= 0xe000 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

size_t
utf8_put(uint32_t c, char out[4])
{
	static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(lead[n] | c);
	return n;
}

/* Bytes of printable ASCII from here on, eight at a time. */
static size_t
ascii_span(const uint8_t *in, size_t len)
{
	size_t i = 0;

	for (; len - i >= 8; i += 8) {
		uint64_t w;
		memcpy(&w, in + i, 8);
		/* a high bit anywhere, or a byte below 0x20 */
		if ((w | (w - 0x2020202020202020u)) & 0x8080808080808080u)
			break;
	}
	return i;
}

/* One character at in: its length; 0 when it is cut off; -1 when it is wrong. */
static int
character(const uint8_t *in, size_t len)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t b = in[0];
	size_t n = b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 0;

	if (n == 0)
		return -1;
	if (n == 1)
		return xml_char(b) ? 1 : -1;
	uint32_t c = b & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (i == len)
			return 0;
		if ((in[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (in[i] & 0x3f);
	}
	return c >= least[n] && xml_char(c) ? (int)n : -1;
}

size_t
utf8_span(const char *text, size_t len, bool *bad)
{
	const uint8_t *in = (const uint8_t *)text;
	size_t i = 0;

	*bad = false;
	while (i < len) {
		i += ascii_span(in + i, len - i);
		if (i == len)
			break;
		int n = character(in + i, len - i);
		if (n <= 0) {
			*bad = n < 0;
			break;
		}
		i += (size_t)n;
	}
	return i;
}
