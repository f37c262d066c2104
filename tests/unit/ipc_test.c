/* Channels: batching, descriptors, a slow reader, a dead one, and one that speaks nonsense. */
#include "lib/ipc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/wire.h"

struct side {
	struct ipc *ipc;
	unsigned frames, downs, bad;
	uint64_t next_id;
	unsigned free_after; /* frees the channel inside the handler of this frame */
	int kept;            /* a descriptor taken from the last frame that had one */
};

struct pair {
	struct event_base *base;
	struct side a, b;
};

static void
on_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct side *s = arg;

	s->frames++;
	if (f->id != s->next_id++)
		s->bad++;
	for (size_t i = 0; i < f->len; i++)
		s->bad += f->payload[i] != (uint8_t)(f->id + i);
	if (f->nfds) {
		if (s->kept >= 0)
			close(s->kept);
		s->kept = ipc_take_fd(f, f->nfds - 1);
	}
	if (s->free_after == s->frames) {
		ipc_free(ipc);
		s->ipc = NULL;
	}
}

static void
on_down(struct ipc *ipc, void *arg)
{
	struct side *s = arg;

	s->downs++;
	ipc_free(ipc);
	s->ipc = NULL;
}

static int
setup(void **state)
{
	struct pair *p = calloc(1, sizeof *p);
	int fds[2];

	assert_true(ipc_pair(fds));
	p->base = event_base_new();
	p->a.kept = p->b.kept = -1;
	p->a.ipc = ipc_new(p->base, fds[0], on_frame, on_down, &p->a);
	p->b.ipc = ipc_new(p->base, fds[1], on_frame, on_down, &p->b);
	*state = p;
	return 0;
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int
teardown(void **state)
{
	struct pair *p = *state;

	ipc_free(p->a.ipc);
	ipc_free(p->b.ipc);
	if (p->a.kept >= 0)
		close(p->a.kept);
	if (p->b.kept >= 0)
		close(p->b.kept);
	event_base_free(p->base);
	free(p);
	return 0;
}

static void
turn(struct pair *p, int times)
{
	while (times-- > 0)
		event_base_loop(p->base, EVLOOP_NONBLOCK);
}

static bool
send_test_frame(struct ipc *ipc, uint64_t id, size_t len, const int *fds, unsigned nfds)
{
	uint8_t *data = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(id + i);
	bool ok = ipc_send(ipc, 7, id, data, len, fds, nfds);
	free(data);
	return ok;
}

static void
frames_of_a_turn_are_one_datagram(void **state)
{
	struct pair *p = *state;
	int fds[2];
	static char in[128 << 10];
	struct side s = {.kept = -1};

	assert_true(ipc_pair(fds));
	s.ipc = ipc_new(p->base, fds[0], on_frame, on_down, &s);
	for (uint64_t i = 0; i < 20; i++)
		assert_true(send_test_frame(s.ipc, i, 100, NULL, 0));
	assert_true(ipc_queued(s.ipc) >= 2000);
	assert_int_equal(recv(fds[1], in, sizeof in, 0), -1);
	turn(p, 1);
	assert_int_equal(ipc_queued(s.ipc), 0);
	assert_int_equal(recv(fds[1], in, sizeof in, 0), 20 * 124);
	assert_int_equal(recv(fds[1], in, sizeof in, 0), -1);
	ipc_free(s.ipc);
	close(fds[1]);
}

static void
sizes_and_order(void **state)
{
	struct pair *p = *state;
	static const size_t sizes[] = {0, 1, 5000, IPC_PAYLOAD_MAX, 3, IPC_PAYLOAD_MAX, 30000, 30000};
	uint64_t id = 0;

	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
			assert_true(send_test_frame(p->a.ipc, id++, sizes[i], NULL, 0));
		turn(p, 20);
	}
	assert_int_equal(p->b.frames, id);
	assert_int_equal(p->b.bad, 0);
	assert_false(send_test_frame(p->a.ipc, 0, IPC_PAYLOAD_MAX + 1, NULL, 0));
}

static void
slow_reader_fills_a_bounded_queue(void **state)
{
	struct pair *p = *state;
	uint64_t id = 0;

	/* Only sends; the reader has no turn. */
	while (send_test_frame(p->a.ipc, id, 10000, NULL, 0)) {
		id++;
		ipc_flush(p->a.ipc);
		assert_true(ipc_queued(p->a.ipc) <= IPC_QUEUE_MAX);
	}
	assert_true(id > IPC_QUEUE_MAX / 11000);
	turn(p, 500);
	assert_int_equal(p->b.frames, id);
	assert_int_equal(p->b.bad, 0);
	assert_int_equal(ipc_queued(p->a.ipc), 0);
	assert_true(send_test_frame(p->a.ipc, id, 10, NULL, 0));
	turn(p, 3);
	assert_int_equal(p->b.frames, id + 1);
}

static void
descriptors_travel_and_none_is_lost(void **state)
{
	struct pair *p = *state;
	unsigned before = open_descriptors();
	uint64_t id = 0;

	for (int round = 0; round < 10; round++) {
		for (unsigned n = 0; n <= IPC_FRAME_FDS; n++) {
			int fds[IPC_FRAME_FDS];
			for (unsigned i = 0; i < n; i++)
				fds[i] = wire_memfd("t", &id, sizeof id);
			assert_true(send_test_frame(p->a.ipc, id++, 20, fds, n));
			if (n % 8 == 0)
				turn(p, 2);
		}
		turn(p, 10);
	}
	assert_int_equal(p->b.frames, id);
	uint64_t got = 0;
	assert_int_equal(pread(p->b.kept, &got, sizeof got, 0), sizeof got);
	assert_int_equal(got, id - 1);
	assert_int_equal(fcntl(p->b.kept, F_GETFD), FD_CLOEXEC);
	close(p->b.kept);
	p->b.kept = -1;
	assert_int_equal(open_descriptors(), before);
}

static void
unsent_descriptors_are_closed(void **state)
{
	struct pair *p = *state;
	unsigned before = open_descriptors();
	int fds[IPC_FRAME_FDS + 1];

	for (unsigned i = 0; i <= IPC_FRAME_FDS; i++)
		fds[i] = dup(2);
	assert_false(ipc_send(p->a.ipc, 1, 0, NULL, 0, fds, IPC_FRAME_FDS + 1));
	assert_int_equal(open_descriptors(), before);
	for (int i = 0; i < 2000; i++) {
		int fd = dup(2);
		ipc_send(p->a.ipc, 1, 0, NULL, 0, &fd, 1); /* refused when too many wait */
	}
	assert_in_range(open_descriptors(), before + 1, before + 512);
	ipc_free(p->a.ipc);
	p->a.ipc = NULL;
	assert_int_equal(open_descriptors(), before - 1);
}

static void
last_words_arrive_before_the_end(void **state)
{
	struct pair *p = *state;

	assert_true(send_test_frame(p->a.ipc, 0, 10, NULL, 0));
	ipc_flush(p->a.ipc);
	ipc_free(p->a.ipc);
	p->a.ipc = NULL;
	/* Writing to a dead peer must not hide what it said. */
	assert_true(send_test_frame(p->b.ipc, 0, 10, NULL, 0));
	ipc_flush(p->b.ipc);
	turn(p, 3);
	assert_int_equal(p->b.frames, 1);
	assert_int_equal(p->b.downs, 1);
}

static void
freeing_inside_a_handler(void **state)
{
	struct pair *p = *state;
	unsigned before = open_descriptors();

	for (uint64_t i = 0; i < 5; i++) {
		int fd = dup(2);
		assert_true(send_test_frame(p->a.ipc, i, 10, &fd, 1));
	}
	p->b.free_after = 2;
	turn(p, 4);
	assert_int_equal(p->b.frames, 2);
	assert_int_equal(p->b.downs, 0);
	assert_int_equal(p->a.downs, 1);
	close(p->b.kept);
	p->b.kept = -1;
	assert_int_equal(open_descriptors(), before - 2);
}

static void
nonsense_closes_the_channel(void **state)
{
	struct pair *p = *state;
	static const struct {
		uint32_t len;
		uint16_t type, nfds;
		uint64_t id;
	} bad[] = {{10, 1, 0, 0}, {0, 0, 0, 0}, {0, 1, 1, 0}, {UINT32_MAX, 1, 0, 0}, {0, 1, 999, 0}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct side s = {.kept = -1};
		int fds[2];
		assert_true(ipc_pair(fds));
		s.ipc = ipc_new(p->base, fds[0], on_frame, on_down, &s);
		assert_int_equal(send(fds[1], &bad[i], i ? sizeof bad[i] : 5, 0), i ? sizeof bad[i] : 5);
		turn(p, 3);
		assert_int_equal(s.frames, 0);
		assert_int_equal(s.downs, 1);
		close(fds[1]);
	}
}

static void
on_call(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	(void)arg;
	if (f->type == 99) { /* silence */
		event_base_loopbreak(arg);
		return;
	}
	ipc_send(ipc, 1, f->id + 1, "other", 5, NULL, 0);
	ipc_send(ipc, (uint16_t)(f->type + 1), f->id, f->payload, f->len, NULL, 0);
}

static void
call_down(struct ipc *ipc, void *arg)
{
	ipc_free(ipc);
	event_base_loopbreak(arg);
}

static void *
answering(void *arg)
{
	struct event_base *base = event_base_new();
	struct ipc *ipc = ipc_new(base, *(int *)arg, on_call, call_down, base);

	(void)ipc;
	event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
	event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
	event_base_free(base);
	return NULL;
}

static void
synchronous_call(void **state)
{
	char out[16];
	int fds[2];
	pthread_t thread;

	(void)state;
	assert_true(ipc_pair(fds));
	pthread_create(&thread, NULL, answering, &fds[1]);
	assert_int_equal(ipc_call(fds[0], 20, "question", 8, out, sizeof out, 5000), 8);
	assert_memory_equal(out, "question", 8);
	assert_int_equal(ipc_call(fds[0], 20, "too long for it..", 17, out, sizeof out, 50), -1);
	assert_int_equal(ipc_call(fds[0], 20, "", 0, out, sizeof out, 5000), 0);
	assert_int_equal(ipc_call(fds[0], 99, "?", 1, out, sizeof out, 50), -1);
	close(fds[0]);
	pthread_join(thread, NULL);
}

static void
on_json(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	json_t *j = wire_get_json(f);
	size_t *len = arg;

	(void)ipc;
	*len = strlen(json_string_value(json_object_get(j, "text")));
	assert_int_equal(f->nfds, 1);
	json_decref(j);
}

static void
json_of_any_size(void **state)
{
	struct pair *p = *state;
	size_t got = 0;
	int fds[2];

	assert_true(ipc_pair(fds));
	struct ipc *a = ipc_new(p->base, fds[0], on_frame, on_down, &p->a);
	struct ipc *b = ipc_new(p->base, fds[1], on_json, call_down, &got);
	for (size_t len = 1; len < 5000000; len *= 11) {
		char *text = malloc(len + 1);
		memset(text, 'x', len);
		text[len] = 0;
		json_t *j = json_pack("{s:s}", "text", text);
		int fd = dup(2);
		assert_true(wire_send_json(a, WIRE_QUERY, 1, j, &fd, 1));
		json_decref(j);
		turn(p, 3);
		assert_int_equal(got, len);
		free(text);
	}
	ipc_free(a);
	ipc_free(b);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(frames_of_a_turn_are_one_datagram),
		T(sizes_and_order),
		T(slow_reader_fills_a_bounded_queue),
		T(descriptors_travel_and_none_is_lost),
		T(unsent_descriptors_are_closed),
		T(last_words_arrive_before_the_end),
		T(freeing_inside_a_handler),
		T(nonsense_closes_the_channel),
		T(synchronous_call),
		T(json_of_any_size),
	};

	log_init("ipc_test", -1, LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
