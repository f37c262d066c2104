/* Every message survives the way; no bytes, however wrong, do harm. */
#include "obmend/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/pack.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t
any(uint64_t below)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return below ? seed % below : seed;
}

static const char *const strings[] = {NULL, "", "x", "АдминистрациЯ „Пример“", "{0123}"};

static void
fill(const struct layout *l, uint8_t *base)
{
	for (const struct field *f = l->fields; f < l->fields + l->count; f++) {
		void *p = base + f->offset;
		struct wire_bytes *bytes = p;
		switch ((enum pack_kind)f->kind) {
		case K_BOOL:
			*(bool *)p = any(2);
			break;
		case K_NUMBER:
			*(uint64_t *)p = any(f->limit);
			break;
		case K_GUID:
		case K_HASH:
			for (size_t i = 0; i < (f->kind == K_GUID ? 16 : 32); i++)
				((uint8_t *)p)[i] = (uint8_t)any(256);
			break;
		case K_STRING:
			*(const char **)p = strings[any(sizeof strings / sizeof *strings)];
			break;
		case K_BYTES:
			*bytes = (struct wire_bytes){(const uint8_t *)"a\0b\xff" "cdefgh", any(11)};
			break;
		case K_STRUCT:
			fill(f->inner, p);
			break;
		}
	}
}

static void
assert_same(const struct layout *l, const uint8_t *a, const uint8_t *b)
{
	for (const struct field *f = l->fields; f < l->fields + l->count; f++) {
		const void *p = a + f->offset, *q = b + f->offset;
		const char *s = NULL, *t = NULL;
		const struct wire_bytes *x = p, *y = q;
		switch ((enum pack_kind)f->kind) {
		case K_BOOL:
			assert_int_equal(*(const bool *)p, *(const bool *)q);
			break;
		case K_NUMBER:
			assert_int_equal(*(const uint64_t *)p, *(const uint64_t *)q);
			break;
		case K_GUID:
			assert_memory_equal(p, q, 16);
			break;
		case K_HASH:
			assert_memory_equal(p, q, 32);
			break;
		case K_STRING:
			memcpy(&s, p, sizeof s), memcpy(&t, q, sizeof t);
			assert_int_equal(s == NULL, t == NULL);
			if (s)
				assert_string_equal(s, t);
			break;
		case K_BYTES:
			assert_int_equal(x->len, y->len);
			assert_memory_equal(x->data, y->data, x->len);
			break;
		case K_STRUCT:
			assert_same(f->inner, p, q);
			break;
		}
	}
}

union any_message {
	uint8_t bytes[sizeof(struct wire_receive) + 64];
	uint64_t align;
};

static void
each_struct_survives(void **state)
{
	union any_message in, out;
	struct buf b = {0};

	(void)state;
	for (int t = 0; t < WIRE_TYPE_COUNT; t++) {
		for (int i = 0; wire_layout((unsigned)t) && i < 200; i++) {
			assert_true(wire_layout((unsigned)t)->size <= sizeof in);
			memset(&in, 0, sizeof in);
			memset(&out, 0xaa, sizeof out);
			fill(wire_layout((unsigned)t), in.bytes);
			buf_reset(&b);
			assert_true(wire_pack(&b, (unsigned)t, &in));
			struct ipc_frame f = {.type = (uint16_t)t, .payload = b.data, .len = b.len};
			assert_true(wire_unpack(&f, (unsigned)t, &out));
			assert_same(wire_layout((unsigned)t), in.bytes, out.bytes);
		}
	}
	buf_free(&b);
}

static size_t
field_size(const struct field *f)
{
	static const size_t sizes[] = {[K_BOOL] = sizeof(bool), [K_NUMBER] = 8, [K_GUID] = 16,
	    [K_HASH] = 32, [K_STRING] = sizeof(char *), [K_BYTES] = sizeof(struct wire_bytes)};

	return f->kind == K_STRUCT ? f->inner->size : sizes[f->kind];
}

/* A member that the table forgot would leave a hole larger than alignment explains, or its place
 * would be out of order. */
static void
tables_forget_nothing(void **state)
{
	(void)state;
	for (int t = 0; t < WIRE_TYPE_COUNT; t++) {
		const struct layout *l = wire_layout((unsigned)t);
		size_t end = 0;
		for (size_t i = 0; l && i < l->count; i++) {
			assert_true(l->fields[i].offset >= end);
			assert_in_range(l->fields[i].offset - end, 0, 7);
			end = l->fields[i].offset + field_size(&l->fields[i]);
		}
		if (l)
			assert_in_range(l->size - end, 0, 7);
	}
}

static void
cut_and_random_bytes_are_refused(void **state)
{
	union any_message in, out;
	struct buf b = {0};

	(void)state;
	for (int t = 0; t < WIRE_TYPE_COUNT; t++) {
		if (!wire_layout((unsigned)t))
			continue;
		memset(&in, 0, sizeof in);
		fill(wire_layout((unsigned)t), in.bytes);
		buf_reset(&b);
		assert_true(wire_pack(&b, (unsigned)t, &in));
		for (size_t len = 0; len < b.len; len++) {
			uint8_t *exact = malloc(len + 1); /* so that sanitizers see a step beyond */
			memcpy(exact, b.data, len);
			struct ipc_frame f = {.type = (uint16_t)t, .payload = exact, .len = len};
			assert_false(wire_unpack(&f, (unsigned)t, &out));
			free(exact);
		}
		buf_addc(&b, 0);
		struct ipc_frame longer = {.type = (uint16_t)t, .payload = b.data, .len = b.len};
		assert_false(wire_unpack(&longer, (unsigned)t, &out));
		for (int i = 0; i < 2000; i++) {
			size_t len = b.len - 1;
			uint8_t *exact = malloc(len + 1);
			memcpy(exact, b.data, len);
			for (int k = 0; k < 4; k++)
				exact[any(len)] = (uint8_t)any(256);
			struct ipc_frame f = {.type = (uint16_t)t, .payload = exact, .len = len};
			if (wire_unpack(&f, (unsigned)t, &out)) {
				buf_reset(&b);
				assert_true(wire_pack(&b, (unsigned)t, &out));
				assert_int_equal(b.len, len);
				assert_memory_equal(b.data, exact, len);
				buf_addc(&b, 0);
			}
			free(exact);
		}
	}
	buf_free(&b);
}

static void
enumerations_have_limits(void **state)
{
	struct wire_receive_reply r = {.outcome = RECEIVE_TEMPORARY + 1}, out;
	struct buf b = {0};

	(void)state;
	assert_false(wire_pack(&b, WIRE_RECEIVE_REPLY, &r));
	buf_reset(&b);
	r.outcome = RECEIVE_TEMPORARY;
	assert_true(wire_pack(&b, WIRE_RECEIVE_REPLY, &r));
	b.data[0]++;
	struct ipc_frame f = {.type = WIRE_RECEIVE_REPLY, .payload = b.data, .len = b.len};
	assert_false(wire_unpack(&f, WIRE_RECEIVE_REPLY, &out));
	buf_free(&b);
}

static void
too_large_does_not_pack(void **state)
{
	static uint8_t big[IPC_PAYLOAD_MAX];
	struct wire_reply r = {.http_status = 200, .body = {big, sizeof big}};
	struct buf b = {0};

	(void)state;
	assert_false(wire_pack(&b, WIRE_REPLY, &r));
	buf_reset(&b);
	r.body.len = sizeof big - 12;
	assert_true(wire_pack(&b, WIRE_REPLY, &r));
	buf_free(&b);
}

/* Store packs all that a batch lets go into one buffer: each message has the limit for itself. */
static void
many_fit_into_one_buffer(void **state)
{
	static uint8_t bytes[IPC_PAYLOAD_MAX / 2];
	struct wire_sign_reply m = {{bytes, sizeof bytes}};
	struct buf b = {.max = 8 * IPC_PAYLOAD_MAX};

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(wire_pack(&b, WIRE_SIGN_REPLY, &m));
	buf_free(&b);
}

static void
memory_descriptor_is_sealed(void **state)
{
	char got[5];
	int fd = wire_memfd("test", "hello", 5);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, 5), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 1), -1);
	close(fd);
}

static void
json_that_is_none_is_refused(void **state)
{
	static const char *const texts[] = {"", "i", "f", "x{}", "i{", "i{\"a\":1,\"a\":2}", "i[1,"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct ipc_frame f = {.type = WIRE_QUERY, .payload = (const uint8_t *)texts[i],
		    .len = strlen(texts[i])};
		assert_null(wire_get_json(&f));
	}
	struct ipc_frame f = {.type = WIRE_QUERY, .payload = (const uint8_t *)"i{\"a\":1}", .len = 8};
	json_t *j = wire_get_json(&f);
	assert_int_equal(json_integer_value(json_object_get(j, "a")), 1);
	json_decref(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_struct_survives),
		cmocka_unit_test(tables_forget_nothing),
		cmocka_unit_test(cut_and_random_bytes_are_refused),
		cmocka_unit_test(enumerations_have_limits),
		cmocka_unit_test(too_large_does_not_pack),
		cmocka_unit_test(many_fit_into_one_buffer),
		cmocka_unit_test(memory_descriptor_is_sealed),
		cmocka_unit_test(json_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
