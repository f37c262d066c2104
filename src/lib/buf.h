/* A growable byte buffer with a ceiling. */
#ifndef OBMEN_BUF_H
#define OBMEN_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The bytes at .data are followed by a NUL that .len does not count, so text can be used as a C
 * string. A zeroed struct buf is an empty buffer with the ceiling BUF_DEFAULT_MAX.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;   /* ceiling in bytes; 0 = BUF_DEFAULT_MAX */
	bool failed;  /* an append did not fit or memory ran out: contents are not to be used */
};

#define BUF_DEFAULT_MAX ((size_t)16 << 20)

/* Every append returns false, and sets .failed, when memory or the ceiling is exhausted; after that
 * all appends fail. A long chain of appends may therefore be checked once, at its end. */
bool buf_add(struct buf *b, const void *data, size_t len);
bool buf_adds(struct buf *b, const char *s);
bool buf_addc(struct buf *b, char c);
bool buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Appends text with & < > (and, in attributes, the quote) written as XML entities. */
bool buf_add_xml(struct buf *b, const char *text, size_t len);
/* Appends base64 without line breaks. */
bool buf_add_base64(struct buf *b, const void *data, size_t len);
/* Appends lower-case hex. */
bool buf_add_hex(struct buf *b, const void *data, size_t len);

/* Makes room for extra bytes and returns where they may be written, or NULL. */
uint8_t *buf_room(struct buf *b, size_t extra);

/* Empties, keeping the memory (and clears .failed). */
void buf_reset(struct buf *b);
/* Frees the memory; the buffer is empty and usable afterwards. */
void buf_free(struct buf *b);
/* Gives the bytes to the caller, who frees them with free(); NULL if failed or empty. */
char *buf_take(struct buf *b, size_t *len);
/* NUL-terminated view, "" when empty. Valid until the next change. */
const char *buf_str(const struct buf *b);

#endif
