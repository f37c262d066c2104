/*
 * Channels between processes: typed frames with descriptors over a SOCK_SEQPACKET socketpair.
 *
 * Frames that are sent within one turn of the event loop travel in one datagram, so that under load
 * the number of system calls falls with the number of messages waiting (performance.md E1).
 */
#ifndef OBMEN_IPC_H
#define OBMEN_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct ipc;

#define IPC_PAYLOAD_MAX (48 << 10) /* bytes in one frame; larger things travel as descriptors */
#define IPC_FRAME_FDS 32         /* descriptors that one frame may carry */
#define IPC_QUEUE_MAX (4 << 20)    /* bytes waiting for a slow reader before ipc_send refuses */

/* A received frame. Payload is valid until the handler returns; a handler that wants to keep a
 * descriptor takes it with ipc_take_fd, the rest are closed after the handler. */
struct ipc_frame {
	uint16_t type;
	uint64_t id; /* correlates a request with its reply */
	uint64_t trace; /* the sender's correlation id, in force while the handler runs (lib/log.h) */
	const uint8_t *payload;
	size_t len;
	int fds[IPC_FRAME_FDS];
	unsigned nfds;
};

typedef void (*ipc_frame_cb)(struct ipc *, struct ipc_frame *, void *arg);
/* The other side is gone (or spoke nonsense: then the reason is logged). The channel is dead; the
 * callback normally calls ipc_free. */
typedef void (*ipc_down_cb)(struct ipc *, void *arg);

/* Takes the descriptor. NULL when memory is exhausted (the descriptor is closed). */
struct ipc *ipc_new(struct event_base *, int fd, ipc_frame_cb, ipc_down_cb, void *arg);
/* Closes at once; what was not sent is lost. NULL is allowed. Safe inside callbacks. */
void ipc_free(struct ipc *);

/*
 * Queues a frame; it leaves at the end of this turn of the loop. Takes the descriptors in every
 * case (they are closed once sent, or at once on failure). False when the queue is full, the
 * payload too large or the channel dead: a temporary failure of that message.
 */
bool ipc_send(struct ipc *, uint16_t type, uint64_t id, const void *payload, size_t len,
              const int *fds, unsigned nfds);
/* Gives the channel up as if the other side were gone: for when ipc_send refused what the other waits for
 * and nobody would say again. The down callback follows. NULL is allowed. */
void ipc_break(struct ipc *);
/* Sends what is queued now, without waiting for the end of the turn. */
void ipc_flush(struct ipc *);
/* Bytes queued and not yet sent. */
size_t ipc_queued(const struct ipc *);

/* Removes descriptor i from the frame and returns it: now the caller closes it. -1 if none. */
int ipc_take_fd(struct ipc_frame *, unsigned i);

/* A socketpair for a channel, close-on-exec; false when out of descriptors. */
bool ipc_pair(int fds[2]);

/*
 * A synchronous call for the one place that cannot wait in the loop: a TLS handshake that needs the
 * private key. Sends one frame on a raw channel descriptor (no struct ipc on it) and waits for one
 * reply, at most timeout_ms. Returns the reply's length in out, or -1.
 */
long ipc_call(int fd, uint16_t type, const void *payload, size_t len, void *out, size_t size,
              int timeout_ms);
/* The answering side of ipc_call uses an ordinary struct ipc and ipc_send with the same type + 1. */

#endif
