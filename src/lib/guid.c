#include "lib/guid.h"

#include <string.h>
#include <sys/random.h>

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads 8-4-4-4-12 without braces: 36 characters. */
static bool
parse_bare(struct guid *g, const char *s)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof g->b; i++) {
		if (at == 8 || at == 13 || at == 18 || at == 23) {
			if (s[at++] != '-')
				return false;
		}
		int high = hex_value(s[at]), low = high < 0 ? -1 : hex_value(s[at + 1]);
		if (low < 0)
			return false;
		g->b[i] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	return true;
}

bool
guid_parse(struct guid *g, const char *text, size_t len)
{
	return len == GUID_TEXT_LEN && text[0] == '{' && text[37] == '}' && parse_bare(g, text + 1);
}

bool
guid_parse_lenient(struct guid *g, const char *text)
{
	size_t len = strlen(text);

	return guid_parse(g, text, len) || (len == GUID_TEXT_LEN - 2 && parse_bare(g, text));
}

void
guid_format(const struct guid *g, char out[GUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	*p++ = '{';
	for (size_t i = 0; i < sizeof g->b; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[g->b[i] >> 4];
		*p++ = digits[g->b[i] & 15];
	}
	*p++ = '}';
	*p = 0;
}

bool
guid_random(struct guid *g)
{
	/* Nobody's secret: the kernel's generator, at a tenth of the price of OpenSSL's. */
	if (getrandom(g->b, sizeof g->b, 0) != (ssize_t)sizeof g->b)
		return false;
	g->b[6] = (uint8_t)((g->b[6] & 0x0f) | 0x40);
	g->b[8] = (uint8_t)((g->b[8] & 0x3f) | 0x80);
	return true;
}

bool
guid_equal(const struct guid *a, const struct guid *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool
guid_is_zero(const struct guid *g)
{
	static const struct guid zero;

	return guid_equal(g, &zero);
}
