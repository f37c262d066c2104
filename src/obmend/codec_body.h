/* A SOAP text on its way through codec: few bytes in memory, or a descriptor that is read piecewise
 * (never mapped: mapped pages would count as growth, performance.md goal 10). */
#ifndef OBMEN_CODEC_BODY_H
#define OBMEN_CODEC_BODY_H

#include "obmend/wire.h"

#define BODY_PIECE ((size_t)64 << 10) /* bytes read at a time */

struct body {
	uint8_t *data; /* when fd is -1 */
	int fd;
	bool spooled;  /* fd is a file of the store */
	bool borrowed; /* data and fd are somebody else's */
	uint64_t size;
	uint64_t at;   /* bytes read so far */
};

#define BODY_NONE ((struct body){.fd = -1})

/* Copies inline bytes, or takes descriptor i of the frame. False: no memory, or no descriptor. */
bool body_take(struct body *, const struct wire_body *, struct ipc_frame *, unsigned i);
/* A view of a text that somebody else keeps: bytes when fd is -1. */
void body_borrow(struct body *, uint8_t *data, int fd, uint64_t size);
/* Frees; BODY_NONE remains. */
void body_free(struct body *);
void body_rewind(struct body *);

/* The next bytes, at most BODY_PIECE, valid until the next call with the same room. 0 at the end,
 * -1 when the descriptor cannot be read or ends early. */
long body_next(struct body *, uint8_t room[BODY_PIECE], const uint8_t **data);

/* Describes the body for a wire struct; *fd becomes a duplicate for the frame, or -1 when inline.
 * False when descriptors or memory run out. inlined false forces a descriptor. */
bool body_lend(const struct body *, bool inlined, struct wire_body *, int *fd);

#endif
