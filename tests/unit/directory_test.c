/* What answers of the register change in the directory role: guard, hold, release, accept, disk
 * copy. The network part is tested by tests/network/register_test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"
#include "register_synthetic.h"

#define COUNT 100
#define OWN 3

struct bench {
	struct self self;
	struct conf conf; /* without certificates of our own */
	struct directory d;
	char folder[32];
	struct guid own;
	struct synthetic all[COUNT + 10];
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	for (unsigned i = 0; i < COUNT + 10; i++) {
		synthetic_make(i, &b->all[i]);
		b->all[i].p.entity_status = b->all[i].p.service_status = PARTICIPANT_ACTIVE;
	}
	b->own = b->all[OWN].p.guid;
	snprintf(b->folder, sizeof b->folder, "/tmp/obmen-directory-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->d = (struct directory){.self = &b->self, .conf = &b->conf, .keeper.fd = -1, .current.fd = -1, .held.version.fd = -1,
		.checked = 33, .dir_fd = open(b->folder, O_RDONLY | O_DIRECTORY),
		.guard = {.percent = 5, .count = 10, .own = &b->own, .own_count = 1}};
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	version_clear(&b->d.current);
	version_clear(&b->d.held.version);
	unlinkat(b->d.dir_fd, DIRECTORY_COPY, 0);
	close(b->d.dir_fd);
	assert_int_equal(rmdir(b->folder), 0);
	free(b);
	return 0;
}

/* The participants [from, to) as they stand now, the way a fetch hands them over. */
static struct snapshot *
answer_of(struct bench *b, unsigned from, unsigned to, int *fd)
{
	struct snapshot_builder *builder = snapshot_builder_new();

	for (unsigned i = from; i < to; i++)
		assert_true(snapshot_builder_add(builder, &b->all[i].p));
	*fd = snapshot_builder_finish(builder, 100, 200, 300, SNAPSHOT_FULL);
	snapshot_builder_free(builder);
	struct snapshot *s = snapshot_open(dup(*fd));
	assert_non_null(s);
	return s;
}

static enum applied
full(struct bench *b, unsigned from, unsigned to, size_t skipped)
{
	const struct register_answer answer = {.participants = to - from, .skipped = skipped};
	int fd;
	struct snapshot *s = answer_of(b, from, to, &fd);

	return apply_full(&b->d, s, fd, &answer);
}

static enum applied
change(struct bench *b, unsigned from, unsigned to)
{
	int fd;
	struct snapshot *s = answer_of(b, from, to, &fd);

	close(fd);
	return apply_change(&b->d, s, 150, SNAPSHOT_INCREMENT);
}

static size_t
count(const struct bench *b)
{
	return b->d.current.snapshot ? snapshot_count(b->d.current.snapshot) : 0;
}

static bool
holds(const struct bench *b)
{
	return b->d.held.version.snapshot != NULL;
}

static const char *
serial(const struct bench *b, unsigned i, struct participant *p)
{
	assert_true(snapshot_by_guid(b->d.current.snapshot, &b->all[i].p.guid, p));
	return p->certificate_serial;
}

static void
few_vanish(void **state)
{
	struct bench *b = *state;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	assert_int_equal(full(b, 0, COUNT - 5, 0), APPLIED);
	assert_int_equal(count(b), COUNT - 5);
	assert_false(holds(b));
}

static void
many_vanish_and_are_accepted(void **state)
{
	struct bench *b = *state;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	assert_int_equal(full(b, 0, COUNT / 2, 0), HELD);
	assert_int_equal(count(b), COUNT);
	assert_int_equal(b->d.held.number, 1);
	assert_int_equal(full(b, 0, COUNT / 2, 0), HELD); /* the same: not announced again */
	assert_int_equal(b->d.held.number, 1);
	assert_int_equal(b->d.figures.holds, 1);
	assert_int_equal(full(b, 0, COUNT / 4, 0), HELD);
	assert_int_equal(b->d.held.number, 2);
	assert_true(apply_held(&b->d));
	assert_int_equal(count(b), COUNT / 4);
	assert_int_equal(snapshot_source(b->d.current.snapshot), SNAPSHOT_ACCEPTED);
	assert_false(holds(b));
}

static void
a_good_list_releases(void **state)
{
	struct bench *b = *state;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	assert_int_equal(full(b, 0, 1, 0), HELD);
	assert_int_equal(full(b, 0, COUNT + 1, 0), APPLIED);
	assert_int_equal(count(b), COUNT + 1);
	assert_false(holds(b));
}

/* Who could not be read is not gone. */
static void
unreadable_entries_remove_nobody(void **state)
{
	struct bench *b = *state;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	b->all[0].p.name = "ново име";
	assert_int_equal(full(b, 0, COUNT - 4, 4), APPLIED);
	assert_int_equal(count(b), COUNT);
	struct participant p;
	assert_true(snapshot_by_guid(b->d.current.snapshot, &b->all[0].p.guid, &p));
	assert_string_equal(p.name, "ново име");
}

static void
increments_never_remove(void **state)
{
	struct bench *b = *state;

	assert_int_equal(change(b, 0, 1), NOT_APPLIED); /* there is no list yet */
	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	assert_int_equal(change(b, 5, 5), UNCHANGED);
	assert_int_equal(change(b, 5, 6), UNCHANGED);
	assert_int_equal(b->d.figures.published, 1);
	assert_int_equal(change(b, COUNT - 1, COUNT + 2), APPLIED);
	assert_int_equal(count(b), COUNT + 2);
	assert_int_equal(snapshot_mark(b->d.current.snapshot), 150);
	assert_int_equal(snapshot_fetched(b->d.current.snapshot), 200);
	assert_int_equal(b->d.figures.published, 2);
}

/* Our own entry waits for a person; what others changed does not. */
static void
own_change_in_an_increment(void **state)
{
	struct bench *b = *state;
	struct participant p;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	b->all[OWN].p.certificate_serial = "7777777777777777";
	b->all[OWN + 1].p.certificate_serial = "8888888888888888";
	assert_int_equal(change(b, OWN, OWN + 2), HELD);
	assert_string_equal(serial(b, OWN, &p), b->all[OWN].serial);
	assert_string_equal(serial(b, OWN + 1, &p), "8888888888888888");
	b->all[OWN + 2].p.certificate_serial = "9999999999999999";
	assert_int_equal(change(b, OWN + 2, OWN + 3), APPLIED);
	assert_true(holds(b));
	assert_true(apply_held(&b->d));
	assert_string_equal(serial(b, OWN, &p), "7777777777777777");
	assert_string_equal(serial(b, OWN + 1, &p), "8888888888888888");
	assert_string_equal(serial(b, OWN + 2, &p), "9999999999999999"); /* came while it waited */
}

static void
own_change_undone(void **state)
{
	struct bench *b = *state;
	struct participant p;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	b->all[OWN].p.uri = "https://elsewhere.invalid/";
	assert_int_equal(change(b, OWN, OWN + 1), HELD);
	b->all[OWN].p.uri = b->all[OWN].uri;
	assert_int_equal(change(b, OWN, OWN + 1), UNCHANGED);
	assert_false(holds(b));
	serial(b, OWN, &p);
	assert_string_equal(p.uri, b->all[OWN].uri);
}

static void
mass_deactivation_in_an_increment(void **state)
{
	struct bench *b = *state;
	struct participant p;

	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	for (unsigned i = 20; i < 40; i++)
		b->all[i].p.entity_status = PARTICIPANT_INACTIVE;
	assert_int_equal(change(b, 20, 40), HELD);
	assert_true(snapshot_by_guid(b->d.current.snapshot, &b->all[25].p.guid, &p));
	assert_int_equal(p.status, PARTICIPANT_ACTIVE);
}

static void
starts_from_the_copy(void **state)
{
	struct bench *b = *state;
	struct participant p;

	apply_disk(&b->d);
	assert_int_equal(count(b), 0);
	assert_int_equal(full(b, 0, COUNT, 0), APPLIED);
	version_clear(&b->d.current);
	b->d.checked = WHEN_NONE;
	apply_disk(&b->d);
	assert_int_equal(count(b), COUNT);
	assert_int_equal(snapshot_source(b->d.current.snapshot), SNAPSHOT_DISK);
	assert_int_equal(snapshot_mark(b->d.current.snapshot), 100);
	assert_int_equal(snapshot_fetched(b->d.current.snapshot), 200);
	assert_int_equal(b->d.checked, 300);
	assert_string_equal(serial(b, 7, &p), b->all[7].serial);
	/* The guard compares with the copy too. */
	assert_int_equal(full(b, 0, 10, 0), HELD);
}

static void
back_off(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		double d = schedule_delay(600, 0);
		assert_true(d >= 540 && d <= 660);
		d = schedule_delay(600, 1);
		assert_true(d >= 4.5 && d <= 5.5);
		d = schedule_delay(600, 3);
		assert_true(d >= 18 && d <= 22);
		d = schedule_delay(600, 4000000000u);
		assert_true(d >= 540 && d <= 660);
		d = schedule_delay(1, 9);
		assert_true(d >= 0.9 && d <= 1.1);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(few_vanish),
		T(many_vanish_and_are_accepted),
		T(a_good_list_releases),
		T(unreadable_entries_remove_nobody),
		T(increments_never_remove),
		T(own_change_in_an_increment),
		T(own_change_undone),
		T(mass_deactivation_in_an_increment),
		T(starts_from_the_copy),
		T(back_off),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
