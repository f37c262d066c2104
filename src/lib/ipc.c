#include "lib/ipc.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc_frame.h"
#include "lib/log.h"
#include "lib/when.h"

#define BATCH_BYTES (64 << 10) /* one datagram: holds the largest frame */
#define BATCH_FDS 64           /* the kernel allows 253 */
#define QUEUE_FDS 512          /* descriptors waiting for a slow reader */
#define READS_PER_WAKE 8       /* datagrams: then other channels have their turn */
#define RETRY_MS 10            /* when the kernel is short of memory or of descriptors in flight */


/* One datagram to be sent: frames one after the other, their descriptors in the same order. */
struct batch {
	TAILQ_ENTRY(batch) entry;
	size_t len;
	unsigned nfds;
	int fds[BATCH_FDS];
	uint8_t data[BATCH_BYTES];
};

struct ipc {
	int fd;
	ipc_frame_cb on_frame;
	ipc_down_cb on_down;
	void *arg;
	struct event *readable, *writable;
	struct event *turn; /* runs at the end of a turn: flushes, or reports the end */
	TAILQ_HEAD(batch_queue, batch) queue;
	struct batch *spare; /* saves an allocation per turn */
	size_t queued;
	unsigned queued_fds;
	bool blocked;  /* waiting for the peer to read */
	bool mute;     /* the peer reads no more; what it said before may still be here */
	bool down;     /* dead, on_down is due or done */
	bool reported; /* on_down was called */
	bool busy;     /* inside a callback: freeing waits */
	bool freed;
	uint8_t in[BATCH_BYTES];
};

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void
drop_queue(struct ipc *ipc)
{
	struct batch *b;

	while ((b = TAILQ_FIRST(&ipc->queue))) {
		TAILQ_REMOVE(&ipc->queue, b, entry);
		close_all(b->fds, b->nfds);
		free(b);
	}
	ipc->queued = 0;
	ipc->queued_fds = 0;
}

static void
destroy(struct ipc *ipc)
{
	drop_queue(ipc);
	free(ipc->spare);
	free(ipc);
}

/* The callback comes from the loop, never from inside a call of ours. */
static void
go_down(struct ipc *ipc, const char *reason)
{
	if (ipc->down)
		return;
	if (reason)
		log_error("ipc.broken", "reason=\"%s\"", reason);
	ipc->down = true;
	event_del(ipc->readable);
	event_del(ipc->writable);
	drop_queue(ipc);
	event_active(ipc->turn, EV_TIMEOUT, 0);
}

/* Fills the message header for one batch; control must hold CMSG_SPACE of its descriptors. */
static void
attach_fds(struct msghdr *msg, void *control, const int *fds, unsigned nfds)
{
	if (nfds == 0)
		return;
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	memset(control, 0, msg->msg_controllen);
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
}

static ssize_t
send_batch(int fd, struct batch *b)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(BATCH_FDS * sizeof(int))];
	struct iovec iov = {b->data, b->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	attach_fds(&msg, control, b->fds, b->nfds);
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

static void
batch_sent(struct ipc *ipc, struct batch *b)
{
	TAILQ_REMOVE(&ipc->queue, b, entry);
	ipc->queued -= b->len;
	ipc->queued_fds -= b->nfds;
	close_all(b->fds, b->nfds);
	if (ipc->spare) {
		free(b);
		return;
	}
	b->len = 0;
	b->nfds = 0;
	ipc->spare = b;
}

static void
wait_to_send(struct ipc *ipc, int error)
{
	struct timeval retry = {0, RETRY_MS * 1000};

	ipc->blocked = true;
	if (error == EAGAIN)
		event_add(ipc->writable, NULL);
	else
		event_add(ipc->turn, &retry);
}

void
ipc_flush(struct ipc *ipc)
{
	struct batch *b;

	if (ipc->blocked || ipc->mute || ipc->down)
		return;
	while ((b = TAILQ_FIRST(&ipc->queue))) {
		if (send_batch(ipc->fd, b) >= 0) {
			batch_sent(ipc, b);
			continue;
		}
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ||
		    errno == ETOOMANYREFS) {
			wait_to_send(ipc, errno);
			return;
		}
		/* Its last words may still be waiting: reading them ends in the end of file. */
		ipc->mute = true;
		drop_queue(ipc);
		return;
	}
}

static void
report_down(struct ipc *ipc)
{
	if (ipc->reported)
		return;
	ipc->reported = true;
	ipc->busy = true;
	ipc->on_down(ipc, ipc->arg);
	ipc->busy = false;
	if (ipc->freed)
		destroy(ipc);
}

static void
turn_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ipc *ipc = arg;

	(void)fd, (void)what;
	if (ipc->down) {
		report_down(ipc);
		return;
	}
	ipc->blocked = false;
	ipc_flush(ipc);
}

/* Hands one frame to its owner and closes the descriptors that it left. */
static void
deliver(struct ipc *ipc, struct ipc_frame *f)
{
	ipc->on_frame(ipc, f, ipc->arg);
	close_all(f->fds, f->nfds);
}

/* Cuts the next frame from data; false when the bytes are no frame. */
static bool
next_frame(const uint8_t *data, size_t len, size_t *at, const int *fds, unsigned nfds,
    unsigned *fd_at, struct ipc_frame *f)
{
	struct frame_header h;

	if (len - *at < sizeof h)
		return false;
	memcpy(&h, data + *at, sizeof h);
	if (h.type == 0 || h.len > IPC_PAYLOAD_MAX || h.len > len - *at - sizeof h ||
	    h.nfds > IPC_FRAME_FDS || h.nfds > nfds - *fd_at)
		return false;
	*f = (struct ipc_frame){.type = h.type, .id = h.id, .trace = h.trace, .payload = data + *at + sizeof h,
	    .len = h.len, .nfds = h.nfds};
	if (h.nfds)
		memcpy(f->fds, fds + *fd_at, h.nfds * sizeof(int));
	*at += sizeof h + h.len;
	*fd_at += h.nfds;
	return true;
}

static void
deliver_all(struct ipc *ipc, size_t len, const int *fds, unsigned nfds)
{
	struct ipc_frame f;
	size_t at = 0;
	unsigned fd_at = 0;

	while (at < len && !ipc->down && !ipc->freed) {
		if (!next_frame(ipc->in, len, &at, fds, nfds, &fd_at, &f)) {
			go_down(ipc, "malformed frame");
			break;
		}
		log_trace(f.trace);
		deliver(ipc, &f);
		log_trace(0);
	}
	close_all(fds + fd_at, nfds - fd_at);
}

/* Gathers the descriptors of a received datagram. */
static unsigned
received_fds(struct msghdr *msg, int fds[BATCH_FDS])
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned here = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
			if (n < BATCH_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

/* Receives one datagram. 1: read on, 0: nothing is there, -1: the end. */
static int
receive(struct ipc *ipc, size_t *len, int fds[BATCH_FDS], unsigned *nfds)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(BATCH_FDS * sizeof(int))];
	struct iovec iov = {ipc->in, sizeof ipc->in};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof control};
	ssize_t n = recvmsg(ipc->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		go_down(ipc, errno == ECONNRESET ? NULL : strerror(errno));
		return -1;
	}
	*nfds = received_fds(&msg, fds);
	if (n == 0 || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_all(fds, *nfds);
		go_down(ipc, n == 0 ? NULL : "truncated datagram, or out of descriptors");
		return -1;
	}
	*len = (size_t)n;
	return 1;
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ipc *ipc = arg;
	int fds[BATCH_FDS];
	unsigned nfds;
	size_t len;

	(void)fd, (void)what;
	ipc->busy = true;
	for (int i = 0; i < READS_PER_WAKE && !ipc->down && !ipc->freed; i++) {
		if (receive(ipc, &len, fds, &nfds) <= 0)
			break;
		deliver_all(ipc, len, fds, nfds);
	}
	ipc->busy = false;
	if (ipc->freed)
		destroy(ipc);
}

struct ipc *
ipc_new(struct event_base *base, int fd, ipc_frame_cb on_frame, ipc_down_cb on_down, void *arg)
{
	struct ipc *ipc = calloc(1, sizeof *ipc);

	if (!ipc) {
		close(fd);
		return NULL;
	}
	ipc->fd = fd;
	ipc->on_frame = on_frame;
	ipc->on_down = on_down;
	ipc->arg = arg;
	TAILQ_INIT(&ipc->queue);
	evutil_make_socket_nonblocking(fd);
	ipc->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, ipc);
	ipc->writable = event_new(base, fd, EV_WRITE, turn_cb, ipc);
	ipc->turn = event_new(base, -1, 0, turn_cb, ipc);
	if (!ipc->readable || !ipc->writable || !ipc->turn || event_add(ipc->readable, NULL) < 0) {
		ipc_free(ipc);
		return NULL;
	}
	return ipc;
}

void
ipc_free(struct ipc *ipc)
{
	struct event *events[3];

	if (!ipc || ipc->freed)
		return;
	memcpy(events, (struct event *[]){ipc->readable, ipc->writable, ipc->turn}, sizeof events);
	for (int i = 0; i < 3; i++) {
		if (events[i])
			event_free(events[i]);
	}
	close(ipc->fd);
	ipc->down = true;
	ipc->freed = true;
	if (!ipc->busy)
		destroy(ipc);
}

/* The datagram that takes a frame of this size next, or NULL. */
static struct batch *
batch_for(struct ipc *ipc, size_t size, unsigned nfds)
{
	struct batch *b = TAILQ_LAST(&ipc->queue, batch_queue);

	if (b && size <= BATCH_BYTES - b->len && nfds <= BATCH_FDS - b->nfds)
		return b;
	b = ipc->spare;
	ipc->spare = NULL;
	if (!b)
		b = malloc(sizeof *b);
	if (!b)
		return NULL;
	b->len = 0;
	b->nfds = 0;
	TAILQ_INSERT_TAIL(&ipc->queue, b, entry);
	return b;
}

static bool
enqueue(struct ipc *ipc, const struct frame_header *h, const void *payload, const int *fds)
{
	size_t size = sizeof *h + h->len;

	if (ipc->down || ipc->mute || h->len > IPC_PAYLOAD_MAX || h->nfds > IPC_FRAME_FDS ||
	    ipc->queued + size > IPC_QUEUE_MAX || ipc->queued_fds + h->nfds > QUEUE_FDS)
		return false;
	bool first = ipc->queued == 0;
	struct batch *b = batch_for(ipc, size, h->nfds);
	if (!b)
		return false;
	memcpy(b->data + b->len, h, sizeof *h);
	if (h->len)
		memcpy(b->data + b->len + sizeof *h, payload, h->len);
	if (h->nfds)
		memcpy(b->fds + b->nfds, fds, h->nfds * sizeof(int));
	b->len += size;
	b->nfds += h->nfds;
	ipc->queued += size;
	ipc->queued_fds += h->nfds;
	if (first && !ipc->blocked)
		event_active(ipc->turn, EV_TIMEOUT, 0);
	return true;
}

bool
ipc_send(struct ipc *ipc, uint16_t type, uint64_t id, const void *payload, size_t len,
    const int *fds, unsigned nfds)
{
	struct frame_header h = {
	    .len = (uint32_t)len, .type = type, .nfds = (uint16_t)nfds, .id = id,
	    .trace = log_trace_now()};

	if (len <= IPC_PAYLOAD_MAX && nfds <= IPC_FRAME_FDS && enqueue(ipc, &h, payload, fds))
		return true;
	close_all(fds, nfds);
	return false;
}

void
ipc_break(struct ipc *ipc)
{
	if (ipc)
		go_down(ipc, "no room for a frame that the other side waits for");
}

size_t
ipc_queued(const struct ipc *ipc)
{
	return ipc->queued;
}

int
ipc_take_fd(struct ipc_frame *f, unsigned i)
{
	if (i >= f->nfds)
		return -1;
	int fd = f->fds[i];
	f->fds[i] = -1;
	return fd;
}

bool
ipc_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0;
}

/* Waits until the descriptor is ready or the moment has come. */
static bool
wait_ready(int fd, short events, when deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do {
		when left = (deadline - when_monotonic()) / 1000000;
		n = poll(&p, 1, left > 0 ? (int)left + 1 : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool
call_send(int fd, const struct frame_header *h, const void *payload, when deadline)
{
	struct iovec iov[2] = {{(void *)h, sizeof *h}, {(void *)payload, h->len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	for (;;) {
		if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno != EINTR && (errno != EAGAIN || !wait_ready(fd, POLLOUT, deadline)))
			return false;
	}
}

/* The reply to `id` among the frames of a datagram; -1 when only older replies, that nobody waits
 * for any more, are in it. */
static long
call_reply(const uint8_t *in, size_t n, uint16_t type, uint64_t id, void *out, size_t size)
{
	struct ipc_frame f;
	size_t at = 0;
	unsigned fd_at = 0;

	while (at < n && next_frame(in, n, &at, NULL, 0, &fd_at, &f)) {
		if (f.id != id || f.type != type || f.len > size)
			continue;
		if (f.len)
			memcpy(out, f.payload, f.len);
		return (long)f.len;
	}
	return -1;
}

long
ipc_call(int fd, uint16_t type, const void *payload, size_t len, void *out, size_t size,
    int timeout_ms)
{
	when now = when_monotonic(), deadline = now + (when)timeout_ms * 1000000;
	struct frame_header h = {.len = (uint32_t)len, .type = type, .id = (uint64_t)now};
	long got = -1;

	uint8_t *in = len <= IPC_PAYLOAD_MAX ? malloc(BATCH_BYTES) : NULL;
	if (!in || !call_send(fd, &h, payload, deadline)) {
		free(in);
		return -1;
	}
	while (got < 0 && wait_ready(fd, POLLIN, deadline)) {
		ssize_t n = recv(fd, in, BATCH_BYTES, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (n > 0)
			got = call_reply(in, (size_t)n, (uint16_t)(type + 1), h.id, out, size);
	}
	free(in);
	return got;
}
