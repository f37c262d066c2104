#include "obmend/codec_body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
body_take(struct body *b, const struct wire_body *w, struct ipc_frame *f, unsigned i)
{
	*b = BODY_NONE;
	if (w->in_fd) {
		b->fd = ipc_take_fd(f, i);
		b->size = w->size;
		b->spooled = w->spooled;
		return b->fd >= 0;
	}
	b->size = w->data.len;
	b->data = malloc(w->data.len + 1);
	if (!b->data)
		return false;
	if (w->data.len)
		memcpy(b->data, w->data.data, w->data.len);
	return true;
}

void
body_borrow(struct body *b, uint8_t *data, int fd, uint64_t size)
{
	*b = (struct body){.data = data, .fd = fd, .size = size, .borrowed = true};
}

void
body_free(struct body *b)
{
	if (!b->borrowed) {
		if (b->fd >= 0)
			close(b->fd);
		free(b->data);
	}
	*b = BODY_NONE;
}

void
body_rewind(struct body *b)
{
	b->at = 0;
}

long
body_next(struct body *b, uint8_t room[BODY_PIECE], const uint8_t **data)
{
	size_t want = b->size - b->at < BODY_PIECE ? (size_t)(b->size - b->at) : BODY_PIECE;
	ssize_t got = (ssize_t)want;

	if (want == 0)
		return 0;
	if (b->fd < 0) {
		*data = b->data + b->at;
	} else {
		do
			got = pread(b->fd, room, want, (off_t)b->at);
		while (got < 0 && errno == EINTR);
		*data = room;
	}
	if (got <= 0)
		return -1;
	b->at += (uint64_t)got;
	return got;
}

bool
body_lend(const struct body *b, bool inlined, struct wire_body *w, int *fd)
{
	*fd = -1;
	*w = (struct wire_body){.size = b->size};
	if (b->fd < 0 && inlined) {
		w->data = (struct wire_bytes){b->data, (size_t)b->size};
		return true;
	}
	w->in_fd = true;
	w->spooled = b->spooled;
	if (b->fd >= 0)
		*fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 3);
	else
		*fd = wire_memfd("body", b->data, (size_t)b->size);
	return *fd >= 0;
}
