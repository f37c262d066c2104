#include "obmend/front.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COPY_SIZE (16 << 10)

static bool
write_at(int fd, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

/* From growing memory into a memory descriptor, which travels to codec without being copied. */
static bool
leave_text(struct front_body *b)
{
	b->fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (b->fd < 0 || !write_at(b->fd, b->text.data, b->text.len, 0))
		return false;
	buf_free(&b->text);
	return true;
}

/* Writes the first n of the bytes that wait. */
static bool
write_staged(struct front_body *b, size_t n)
{
	size_t left = b->text.len - n;

	if (!write_at(b->fd, b->text.data, n, b->size - b->text.len))
		return false;
	if (left)
		memmove(b->text.data, b->text.data + n, left);
	b->text.len = left;
	return true;
}

bool
front_body_add(struct front_body *b, const void *data, size_t len)
{
	errno = 0;
	if (b->fd < 0 && b->size + len > WIRE_INLINE_BODY && !leave_text(b))
		return false;
	b->size += len;
	if (b->fd >= 0 && !b->spooled)
		return write_at(b->fd, data, len, b->size - len);
	/* A file's pages are cheap when many come at once. */
	return buf_add(&b->text, data, len) &&
	    (!b->spooled || b->text.len < FRONT_STAGE || write_staged(b, FRONT_STAGE));
}

bool
front_body_outgrown(const struct front_body *b)
{
	return !b->spooled && b->size > WIRE_MEMORY_BODY;
}

static bool
copy_all(int from, int to, uint64_t size)
{
	uint8_t piece[COPY_SIZE];
	uint64_t at = 0;

	while (at < size) {
		ssize_t n = pread(from, piece, sizeof piece, (off_t)at);
		if (n <= 0 || !write_at(to, piece, (size_t)n, at))
			return false;
		at += (uint64_t)n;
	}
	return true;
}

bool
front_body_move(struct front_body *b, int fd)
{
	bool ok = b->fd < 0 || copy_all(b->fd, fd, b->size);

	if (b->fd >= 0)
		close(b->fd);
	b->fd = fd;
	b->spooled = true;
	return ok;
}

bool
front_body_seal(struct front_body *b)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

	errno = 0;
	if (!b->spooled)
		return b->fd < 0 || fcntl(b->fd, F_ADD_SEALS, seals) == 0;
	bool ok = write_staged(b, b->text.len);
	buf_free(&b->text);
	return ok;
}

void
front_body_free(struct front_body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	buf_free(&b->text);
}
