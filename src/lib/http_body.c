#include "lib/http_body.h"

enum { CONTENT, SIZE_FIRST, SIZE, SIZE_PAD, EXTENSION, SIZE_LF, CHUNK, CHUNK_CR, CHUNK_LF,
	TRAILER_FIRST, TRAILER, TRAILER_LF, END_LF };

void
http_body_begin(struct http_body *b, bool chunked, uint64_t content_length)
{
	*b = (struct http_body){.state = chunked ? SIZE_FIRST : CONTENT,
	    .left = content_length,
	    .done = !chunked && content_length == 0};
}

static int
hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of the size line after its first digit; false = bad. */
static bool
take_size(struct http_body *b, uint8_t c)
{
	int digit = b->state == SIZE_PAD ? -1 : hex(c);

	if (digit >= 0) {
		b->state = SIZE;
		if (b->left >> 56)
			return false;
		b->left = b->left << 4 | (unsigned)digit;
		return true;
	}
	if (b->state == SIZE_FIRST)
		return false;
	b->state = c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : SIZE_PAD;
	return c == '\r' || c == ';' || c == ' ' || c == '\t'; /* some servers pad the size */
}

/* Text of an extension or a trailer, up to CR. */
static bool
take_text(struct http_body *b, uint8_t c, uint8_t after)
{
	if (c == '\r')
		b->state = after;
	return c == '\r' || c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool
take_exactly(struct http_body *b, uint8_t c, uint8_t expected, uint8_t after)
{
	b->state = after;
	return c == expected;
}

/* A trailer line, or the empty line that ends everything. A fold would begin with white space. */
static bool
take_trailer_first(struct http_body *b, uint8_t c)
{
	b->state = c == '\r' ? END_LF : TRAILER;
	return c == '\r' || (c > 0x20 && c < 0x7f && c != ':');
}

/* One byte of framing; false = bad. */
static bool
take_framing(struct http_body *b, uint8_t c)
{
	switch (b->state) {
	case SIZE_FIRST:
	case SIZE:
	case SIZE_PAD:
		return take_size(b, c);
	case EXTENSION:
		return take_text(b, c, SIZE_LF);
	case SIZE_LF:
		return take_exactly(b, c, '\n', b->left ? CHUNK : TRAILER_FIRST);
	case CHUNK_CR:
		return take_exactly(b, c, '\r', CHUNK_LF);
	case CHUNK_LF:
		return take_exactly(b, c, '\n', SIZE_FIRST);
	case TRAILER_FIRST:
		return take_trailer_first(b, c);
	case TRAILER:
		return take_text(b, c, TRAILER_LF);
	case TRAILER_LF:
		return take_exactly(b, c, '\n', TRAILER_FIRST);
	default:
		b->done = c == '\n';
		return b->done;
	}
}

static size_t
take_content(struct http_body *b, size_t len)
{
	size_t n = b->left < len ? (size_t)b->left : len;

	b->left -= n;
	b->total += n;
	b->line = 0;
	if (b->left == 0 && b->state == CHUNK)
		b->state = CHUNK_CR;
	else if (b->left == 0)
		b->done = true;
	return n;
}

static unsigned
line_limit(const struct http_body *b)
{
	return b->state >= TRAILER_FIRST ? HTTP_TRAILERS_MAX : HTTP_CHUNK_LINE_MAX;
}

size_t
http_body_take(struct http_body *b, const uint8_t *data, size_t len, const uint8_t **content,
               size_t *content_len)
{
	size_t i = 0;

	*content = NULL;
	*content_len = 0;
	while (i < len && !b->done && !b->bad) {
		if (b->state == CONTENT || b->state == CHUNK) {
			*content = data + i;
			*content_len = take_content(b, len - i);
			return i + *content_len;
		}
		b->bad = !take_framing(b, data[i++]) || ++b->line > line_limit(b);
	}
	return i;
}
