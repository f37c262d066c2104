/*
 * What a captured role could say to another: a datagram of frames over a real channel, every frame
 * unpacked. What is a message must come out the same when it is packed again.
 */
#include "fuzz.h"

#include <event2/event.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "process/signer_form.h"
#include "obmend/wire.h"

/* Larger than every message. */
union any {
	struct wire_receive receive;
	struct wire_answered answered;
	struct wire_compose compose;
	uint8_t room[4096];
};

static struct event_base *base;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	base = event_base_new();
	HOLDS(base);
	return 0;
}

static void
frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	union any m;
	struct buf again = {.max = IPC_PAYLOAD_MAX};

	(void)ipc;
	*(unsigned *)arg += 1;
	HOLDS(f->len <= IPC_PAYLOAD_MAX && f->nfds <= IPC_FRAME_FDS);
	if (wire_unpack(f, f->type, &m)) {
		HOLDS(wire_pack(&again, f->type, &m));
		HOLDS(again.len == f->len && memcmp(again.data, f->payload, f->len) == 0);
	}
	buf_free(&again);
	json_decref(wire_get_json(f));
	tls_form_of(f->payload, f->len);
}

static void
down(struct ipc *ipc, void *arg)
{
	(void)ipc;
	((unsigned *)arg)[1] += 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned seen[2] = {0, 0};
	int pair[2];

	if (size == 0 || size > (64 << 10))
		return 0;
	HOLDS(ipc_pair(pair));
	struct ipc *ipc = ipc_new(base, pair[0], frame, down, seen);
	HOLDS(ipc);
	HOLDS(send(pair[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
	close(pair[1]);
	while (!seen[1])
		HOLDS(event_base_loop(base, EVLOOP_ONCE) == 0);
	HOLDS(seen[0] <= size / 16);
	ipc_free(ipc);
	return 0;
}
