/* What goes before each frame in a datagram of a channel (ipc.h). Both ends are the same program on the
 * same machine: native byte order. */
#ifndef OBMEN_IPC_FRAME_H
#define OBMEN_IPC_FRAME_H

#include <stdint.h>

struct frame_header {
	uint32_t len;   /* bytes of payload that follow */
	uint16_t type;
	uint16_t nfds;  /* descriptors of the datagram that belong to this frame */
	uint64_t id;
	uint64_t trace; /* correlates log lines, 0 = none */
};

#endif
