#include "lib/tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields of a ustar header: offset and width. */
enum {
	NAME_AT = 0, MODE_AT = 100, UID_AT = 108, GID_AT = 116, SIZE_AT = 124, TIME_AT = 136,
	SUM_AT = 148, TYPE_AT = 156, MAGIC_AT = 257
};
#define PIECE (64 << 10)

static unsigned
checksum(const char *header)
{
	unsigned sum = 0;

	for (int i = 0; i < TAR_BLOCK; i++)
		sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : (unsigned char)header[i];
	return sum;
}

bool
tar_header(char out[TAR_BLOCK], const char *name, uint64_t size, int64_t seconds)
{
	size_t len = strlen(name);

	memset(out, 0, TAR_BLOCK);
	if (len == 0 || len > TAR_NAME_MAX || size > TAR_SIZE_MAX)
		return false;
	memcpy(out + NAME_AT, name, len);
	memcpy(out + MODE_AT, "0000644", 8);
	memcpy(out + UID_AT, "0000000", 8);
	memcpy(out + GID_AT, "0000000", 8);
	snprintf(out + SIZE_AT, 12, "%011llo", (unsigned long long)size);
	snprintf(out + TIME_AT, 12, "%011llo",
	    (unsigned long long)(seconds > 0 ? (uint64_t)seconds & TAR_SIZE_MAX : 0));
	out[TYPE_AT] = '0';
	memcpy(out + MAGIC_AT, "ustar\00000", 8);
	snprintf(out + SUM_AT, 8, "%06o", checksum(out) & 0777777);
	out[SUM_AT + 7] = ' ';
	return true;
}

size_t
tar_padding(uint64_t size)
{
	return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

static bool
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
copy(int to, int from, uint64_t size)
{
	char piece[PIECE];

	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
		ssize_t n = pread(from, piece, want, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA;
		if (n <= 0 || !write_all(to, piece, (size_t)n))
			return false;
		at += (uint64_t)n;
	}
	return true;
}

bool
tar_add(int tar, const char *name, const void *data, int fd, uint64_t size, int64_t seconds)
{
	static const char zeros[TAR_BLOCK];
	char header[TAR_BLOCK];

	if (!tar_header(header, name, size, seconds)) {
		errno = EFBIG;
		return false;
	}
	return write_all(tar, header, sizeof header) &&
	       (data ? write_all(tar, data, (size_t)size) : copy(tar, fd, size)) &&
	       write_all(tar, zeros, tar_padding(size));
}

bool
tar_end(int tar)
{
	static const char zeros[2 * TAR_BLOCK];

	return write_all(tar, zeros, sizeof zeros);
}

static bool
octal(const char *field, size_t width, uint64_t *out)
{
	char text[16], *end;

	memcpy(text, field, width);
	text[width] = 0;
	*out = strtoull(text, &end, 8);
	return end > text && (*end == 0 || *end == ' ');
}

enum tar_read
tar_next(int tar, uint64_t *offset, struct tar_file *out)
{
	static const char zeros[TAR_BLOCK];
	char header[TAR_BLOCK];
	uint64_t sum;

	ssize_t n = pread(tar, header, sizeof header, (off_t)*offset);
	if (n == sizeof header && memcmp(header, zeros, sizeof zeros) == 0)
		return TAR_END;
	if (n != sizeof header || memcmp(header + MAGIC_AT, "ustar", 5) != 0 ||
	    header[TYPE_AT] != '0' || header[NAME_AT] == 0 || header[NAME_AT + TAR_NAME_MAX] != 0 ||
	    !octal(header + SUM_AT, 7, &sum) || sum != checksum(header) ||
	    !octal(header + SIZE_AT, 12, &out->size) || out->size > TAR_SIZE_MAX)
		return TAR_DAMAGED;
	memcpy(out->name, header + NAME_AT, TAR_NAME_MAX + 1);
	out->at = *offset + TAR_BLOCK;
	*offset = out->at + out->size + tar_padding(out->size);
	return TAR_FILE;
}
