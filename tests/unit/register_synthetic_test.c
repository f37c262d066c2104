/* The whole way of a full list: answer text, reader, snapshot, look-ups, at 1,312 and 100,000. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/log.h"
#include "register_synthetic.h"
#include "soap/register.h"

static bool
add(void *builder, const struct participant *p)
{
	return snapshot_builder_add(builder, p);
}

/* Feeds the answer as it is written, in pieces that never match the elements. */
static void
feed(struct register_reader *r, struct buf *b, bool last)
{
	while (b->len >= 4001 || (last && b->len > 0)) {
		size_t n = b->len < 4001 ? b->len : 4001;
		assert_int_equal(register_reader_feed(r, b->data, n), FAULT_NONE);
		memmove(b->data, b->data + n, b->len - n);
		b->len -= n;
	}
}

static struct snapshot *
read_list(unsigned count, size_t *bytes)
{
	struct register_reader *r = register_reader_new(NULL);
	struct snapshot_builder *builder = snapshot_builder_new();
	struct register_answer answer;
	struct synthetic s;
	struct buf b = {0};

	assert_true(register_reader_begin(r, add, builder));
	buf_adds(&b, SYNTHETIC_HEAD);
	*bytes = b.len;
	for (unsigned n = 0; n < count; n++) {
		size_t before = b.len;
		/* 7919 is prime: another order than that of the GUIDs and of the numbers */
		synthetic_make((unsigned)((uint64_t)n * 7919 % count), &s);
		synthetic_entity(&b, &s);
		*bytes += b.len - before;
		feed(r, &b, false);
	}
	buf_adds(&b, SYNTHETIC_TAIL);
	feed(r, &b, true);
	assert_int_equal(register_reader_end(r, &answer), FAULT_NONE);
	assert_int_equal(answer.participants, count);
	assert_int_equal(answer.skipped, 0);
	int fd = snapshot_builder_finish(builder, answer.last_change, 2, 3, SNAPSHOT_FULL);
	assert_true(fd >= 0);
	struct snapshot *snapshot = snapshot_open(fd);
	assert_non_null(snapshot);
	assert_int_equal(snapshot_mark(snapshot), answer.last_change);
	buf_free(&b);
	snapshot_builder_free(builder);
	register_reader_free(r);
	return snapshot;
}

static void
assert_same(const struct participant *found, const struct participant *wanted)
{
	assert_memory_equal(&found->guid, &wanted->guid, sizeof found->guid);
	assert_memory_equal(&found->parent, &wanted->parent, sizeof found->parent);
	assert_string_equal(found->eik, wanted->eik);
	assert_string_equal(found->name, wanted->name);
	assert_string_equal(found->phone, wanted->phone);
	assert_string_equal(found->fax, wanted->fax);
	assert_string_equal(found->email, wanted->email);
	assert_string_equal(found->certificate_serial, wanted->certificate_serial);
	assert_string_equal(found->service_name, wanted->service_name);
	assert_string_equal(found->uri, wanted->uri);
	assert_string_equal(found->service_version, wanted->service_version);
	assert_int_equal(found->entity_status, wanted->entity_status);
	assert_int_equal(found->service_status, wanted->service_status);
	assert_int_equal(found->status, wanted->status);
	assert_int_equal(found->last_change, wanted->last_change);
}

/* Finds one participant in every way. */
static void
check_one(const struct snapshot *snapshot, unsigned i, unsigned count)
{
	struct synthetic s;
	struct participant p;
	bool met = false;

	synthetic_make(i, &s);
	assert_true(snapshot_by_guid(snapshot, &s.p.guid, &p));
	assert_same(&p, &s.p);
	assert_true(snapshot_by_eik(snapshot, s.eik, &p));
	assert_same(&p, &s.p);
	size_t sharers = 0;
	for (; snapshot_by_serial(snapshot, s.serial, sharers, &p); sharers++) {
		assert_string_equal(p.certificate_serial, s.serial);
		met |= guid_equal(&p.guid, &s.p.guid);
	}
	assert_true(met);
	unsigned first = i - i % 1000, rest = count - first;
	assert_int_equal(sharers, i % 1000 >= 14 ? 1 : rest < 14 ? rest : 14);
}

static void
check_absent(const struct snapshot *snapshot, unsigned count)
{
	struct participant p;
	struct guid g;

	for (unsigned i = count; i < count + 1000; i++) {
		synthetic_guid(i, &g);
		assert_false(snapshot_by_guid(snapshot, &g, &p));
	}
	assert_false(snapshot_by_eik(snapshot, "", &p));
	assert_false(snapshot_by_eik(snapshot, "99999999999", &p));
	assert_false(snapshot_by_serial(snapshot, "", 0, &p));
	assert_false(snapshot_by_serial(snapshot, "0", 0, &p));
	assert_false(snapshot_by_serial(snapshot, "FFFFFFFFFFFFFFFF", 0, &p));
}

static void
check_order(const struct snapshot *snapshot)
{
	struct participant p;
	struct guid last = {0};

	for (size_t i = 0; i < snapshot_count(snapshot); i++) {
		snapshot_at(snapshot, i, &p);
		assert_true(memcmp(last.b, p.guid.b, sizeof last.b) < 0);
		last = p.guid;
	}
}

/* Look-ups as the receiver makes them: text of a GUID to a participant whose strings are touched. */
static void
measure(const struct snapshot *snapshot, unsigned count)
{
	enum { ROUNDS = 200000 };
	char (*texts)[GUID_TEXT_SIZE] = calloc(4096, sizeof *texts);
	struct participant p;
	struct guid g;
	unsigned touched = 0;

	for (unsigned i = 0; i < 4096; i++) {
		synthetic_guid((unsigned)(synthetic_mix(i) % count), &g);
		guid_format(&g, texts[i]);
	}
	when from = when_monotonic();
	for (unsigned i = 0; i < ROUNDS; i++) {
		assert_true(guid_parse(&g, texts[i * 2654435761u % 4096], GUID_TEXT_LEN));
		if (snapshot_by_guid(snapshot, &g, &p))
			touched += (unsigned char)p.eik[0] + (unsigned char)p.certificate_serial[0];
	}
	when took = when_monotonic() - from;
	assert_true(touched > 0);
	printf("look-up by GUID text among %u: %lld ns\n", count, (long long)(took / ROUNDS));
	free(texts);
}

static void
full_list(unsigned count)
{
	size_t bytes;
	when from = when_monotonic();
	struct snapshot *snapshot = read_list(count, &bytes);
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%u participants, %zu bytes: %lld ms, peak memory %ld KiB\n", count, bytes,
	    (long long)((when_monotonic() - from) / 1000000), usage.ru_maxrss);
	assert_int_equal(snapshot_count(snapshot), count);
	for (unsigned i = 0; i < count; i++)
		check_one(snapshot, i, count);
	check_absent(snapshot, count);
	check_order(snapshot);
	measure(snapshot, count);
	snapshot_free(snapshot);
}

static void
production_size(void **state)
{
	(void)state;
	full_list(1312);
}

static void
hundred_thousand(void **state)
{
	(void)state;
	full_list(100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(production_size),
		cmocka_unit_test(hundred_thousand),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
