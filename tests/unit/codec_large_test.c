/* Large messages: in slices, in turns, beside small ones. */
#include "codec_letter.h"

#include <malloc.h>
#include <sys/resource.h>

/* A letter with an attachment of this size. */
static void
write_large(struct world *w, struct buf *soap, struct signing *s, uint64_t size)
{
	struct message *m = peer_message(B, A, MESSAGE_REGISTRATION_REQUEST);
	int fd = memfd_create("attachment", MFD_CLOEXEC);
	struct attachment a = {
	    .file_name = "голям.bin", .mime_type = "application/octet-stream", .size = size, .fd = fd};

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	m->document.attachments = &a;
	m->document.attachment_count = 1;
	world_load(w, "b", s);
	peer_wrap(soap, ENVELOPE_REQUEST, peer_sign(m, s, SIGNATURE_RSA_SHA512));
	close(fd);
}

/* SHA-512 is not among the digests that run without a hint: the second reading is tested too. */
static void
small_messages_overtake_large_ones(void **state)
{
	struct world *w = *state;
	struct wire_receive in;
	struct wire_reply out;
	struct buf soap;
	struct signing s;

	write_large(w, &soap, &s, 8 << 20);
	uint64_t large = submit(w, &soap, &s), small = send_letter(w, &good);
	struct ipc_frame *first = world_await(w, WIRE_REPLY), *second = world_await(w, WIRE_REPLY);
	assert_int_equal(first->id, small);
	assert_int_equal(second->id, large);
	assert_true(wire_unpack(second, WIRE_REPLY, &out));
	assert_int_equal(out.http_status, 200);
	await_receive(w, &in);
	await_receive(w, &in);
	assert_true(in.body.in_fd);
	assert_int_equal(in.body.size, soap.len);
	json_t *details = json_loadb((const char *)in.details.data, in.details.len, 0, NULL);
	json_t *a = json_array_get(json_object_get(details, "attachments"), 0);
	assert_int_equal(json_integer_value(json_object_get(a, "size")), 8 << 20);
	json_decref(details);
	buf_free(&soap);
	signing_free(&s);
}

static void
more_large_messages_than_advance_at_once(void **state)
{
	struct world *w = *state;
	const struct codec *c = w->self.state;
	struct buf soap;
	struct signing s;

	write_large(w, &soap, &s, 1 << 20);
	for (int i = 0; i < 3 * SLICED_MAX; i++)
		submit(w, &soap, &s);
	for (int i = 0; i < 3 * SLICED_MAX; i++) {
		struct wire_reply out;
		assert_true(wire_unpack(world_await(w, WIRE_REPLY), WIRE_REPLY, &out));
		assert_int_equal(out.http_status, 200);
		assert_true(c->sliced <= SLICED_MAX);
	}
	assert_int_equal(c->sliced, 0);
	buf_free(&soap);
	signing_free(&s);
}

#if defined(__SANITIZE_ADDRESS__)
#define MEASURABLE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEASURABLE 0
#endif
#endif
#ifndef MEASURABLE
#define MEASURABLE 1
#endif

/* Bytes of this process that are in memory and its own. */
static long
resident(void)
{
	long pages = 0, shared = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld %ld", &pages, &shared), 2);
	fclose(f);
	return (pages - shared) * sysconf(_SC_PAGESIZE);
}

/* performance.md, goal 10: at most 2 MiB more while a large message is received. */
static void
memory_does_not_grow_with_the_message(void **state)
{
	struct world *w = *state;
	char path[300];
	struct buf soap, der = {0};
	struct signing s;
	long before, most = 0;

	if (!MEASURABLE)
		skip();
	write_large(w, &soap, &s, 24 << 20);
	snprintf(path, sizeof path, "%s/large.soap", w->folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, soap.data, soap.len), soap.len);
	struct wire_inbound in = {.received = when_now(), .peer_address = "x",
	    .tls_certificate = der_of(&s, &der),
	    .body = {.in_fd = true, .spooled = true, .size = soap.len}};
	buf_free(&soap);
	accepted(w, &good); /* what is built once is there */
	malloc_trim(0);
	before = resident();
	assert_true(wire_send(w->far[ROLE_FRONT], WIRE_INBOUND, ++w->next_id, &in, &fd, 1));
	do {
		event_base_loop(w->self.base, EVLOOP_ONCE);
		most = resident() > most ? resident() : most;
	} while (world_count(w, WIRE_REPLY) < 2);
	struct wire_reply out;
	assert_true(wire_unpack(world_await(w, WIRE_REPLY), WIRE_REPLY, &out));
	assert_int_equal(out.http_status, 200);
	if (most - before > 2 << 20)
		fail_msg("grew by %ld KiB", (most - before) >> 10);
	buf_free(&der);
	signing_free(&s);
}

static void
a_body_that_ends_early_is_our_trouble(void **state)
{
	struct world *w = *state;
	struct buf der = {0};
	struct wire_inbound in = {.received = when_now(),
	    .peer_address = "x",
	    .tls_certificate = der_of(&w->own, &der),
	    .body = {.in_fd = true, .size = 20000}};
	int fd = wire_memfd("soap", "<s", 2);

	assert_true(wire_send(w->far[ROLE_FRONT], WIRE_INBOUND, ++w->next_id, &in, &fd, 1));
	expect_unavailable(w, w->next_id);
	buf_free(&der);
}

#define TEST(name) cmocka_unit_test_setup(name, world_reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(small_messages_overtake_large_ones),
	    TEST(more_large_messages_than_advance_at_once),
	    TEST(memory_does_not_grow_with_the_message),
	    TEST(a_body_that_ends_early_is_our_trouble),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
