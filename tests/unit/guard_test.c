/* What changed, the shrink guard, merging of increments; look-up limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory_limit.h"
#include "register/guard.h"
#include "register_synthetic.h"

/* A list of participants that a test may bend before it becomes a snapshot. */
struct list {
	struct synthetic all[100];
	unsigned count;
};

static void
list_make(struct list *l, unsigned count)
{
	l->count = count;
	for (unsigned i = 0; i < count; i++) {
		synthetic_make(i, &l->all[i]);
		l->all[i].p.entity_status = l->all[i].p.service_status = PARTICIPANT_ACTIVE;
	}
}

/* From number `from` on: so many vanish. */
static struct snapshot *
list_snapshot(const struct list *l, unsigned from)
{
	struct snapshot_builder *b = snapshot_builder_new();

	for (unsigned i = from; i < l->count; i++)
		assert_true(snapshot_builder_add(b, &l->all[i].p));
	struct snapshot *s = snapshot_open(snapshot_builder_finish(b, 5, 6, 7, SNAPSHOT_FULL));
	assert_non_null(s);
	snapshot_builder_free(b);
	return s;
}

static struct guard_verdict
judge(const struct guard *g, const struct list *before, unsigned from, const struct list *after)
{
	struct snapshot *a = list_snapshot(before, 0), *b = list_snapshot(after, from);
	struct guard_verdict v;

	guard_judge(g, a, b, &v);
	snapshot_free(a);
	snapshot_free(b);
	return v;
}

static void
share_that_vanishes(void **state)
{
	struct guard g = {.percent = 5, .count = 1000};
	struct list l;

	(void)state;
	list_make(&l, 100);
	assert_false(judge(&g, &l, 5, &l).hold);
	struct guard_verdict v = judge(&g, &l, 6, &l);
	assert_true(v.hold && v.shrink);
	assert_int_equal(v.totals.vanished, 6);
	assert_int_equal(v.totals.before, 100);
	assert_int_equal(v.totals.after, 94);
}

static void
number_that_vanishes(void **state)
{
	struct guard g = {.percent = 100, .count = 10};
	struct list l;

	(void)state;
	list_make(&l, 100);
	assert_false(judge(&g, &l, 10, &l).hold);
	assert_true(judge(&g, &l, 11, &l).hold);
	assert_true(judge(&g, &l, 100, &l).hold);
}

static void
many_turn_inactive(void **state)
{
	struct guard g = {.percent = 5, .count = 10};
	struct list before, after;

	(void)state;
	list_make(&before, 40);
	after = before;
	for (unsigned i = 0; i < 10; i++)
		after.all[i].p.entity_status = PARTICIPANT_TEMPORARILY_INACTIVE;
	for (unsigned i = 0; i < 40; i++) /* the strings live in the list: point into this one */
		after.all[i].p.name = "друго име";
	assert_false(judge(&g, &before, 0, &after).hold);
	after.all[10].p.service_status = PARTICIPANT_INACTIVE;
	struct guard_verdict v = judge(&g, &before, 0, &after);
	assert_true(v.hold && v.shrink);
	assert_int_equal(v.totals.deactivated, 11);
	assert_int_equal(v.totals.changed, 40);
	assert_false(judge(&g, &after, 0, &before).hold);
}

static void
growth_is_no_danger(void **state)
{
	struct guard g = {.percent = 0, .count = 0};
	struct list l;
	struct guard_verdict v;

	(void)state;
	list_make(&l, 100);
	struct snapshot *small = list_snapshot(&l, 90), *large = list_snapshot(&l, 0);
	guard_judge(&g, small, large, &v);
	assert_false(v.hold);
	assert_int_equal(v.totals.added, 90);
	guard_judge(&g, NULL, large, &v);
	assert_false(v.hold);
	guard_judge(&g, large, large, &v);
	assert_false(v.hold);
	assert_int_equal(v.totals.changed, 0);
	snapshot_free(small);
	snapshot_free(large);
}

/* Number 3 is ours. */
static struct guard_verdict
judge_own(void (*bend)(struct participant *))
{
	struct list before, after;

	list_make(&before, 50);
	list_make(&after, 50);
	bend(&after.all[3].p);
	struct guard g = {.percent = 5, .count = 10, .own = &before.all[3].p.guid, .own_count = 1};
	return judge(&g, &before, 0, &after);
}

static void
bend_serial(struct participant *p)
{
	p->certificate_serial = "7777777777777777";
}

static void
bend_uri(struct participant *p)
{
	p->uri = "https://elsewhere.invalid/";
}

static void
bend_status(struct participant *p)
{
	p->service_status = PARTICIPANT_TEMPORARILY_INACTIVE;
}

static void
bend_guid(struct participant *p)
{
	memset(&p->guid, 0x77, sizeof p->guid);
}

static void
bend_name(struct participant *p)
{
	p->name = "ново име";
}

static void
bend_serial_spelling(struct participant *p)
{
	static char spelling[40];

	snprintf(spelling, sizeof spelling, "00%s", p->certificate_serial);
	for (char *c = spelling; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'F' ? *c + 'a' - 'A' : *c);
	p->certificate_serial = spelling;
}

static void
own_entry(void **state)
{
	void (*const dangerous[])(struct participant *) = {bend_serial, bend_uri, bend_status, bend_guid};
	void (*const harmless[])(struct participant *) = {bend_name, bend_serial_spelling};

	(void)state;
	for (size_t i = 0; i < sizeof dangerous / sizeof *dangerous; i++) {
		struct guard_verdict v = judge_own(dangerous[i]);
		assert_int_equal(v.own, 1);
		assert_true(v.hold);
		assert_false(v.shrink);
	}
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
		struct guard_verdict v = judge_own(harmless[i]);
		assert_int_equal(v.own, 0);
		assert_false(v.hold);
		assert_int_equal(v.totals.changed, 1);
	}
}

static struct snapshot *
merge(const struct snapshot *base, const struct snapshot *change, const struct guard *g)
{
	struct snapshot *s =
	    snapshot_open(snapshot_merge(base, change, g, 21, 22, 23, SNAPSHOT_INCREMENT));

	assert_non_null(s);
	return s;
}

static void
increments_add_and_replace(void **state)
{
	struct list l;
	struct participant p;

	(void)state;
	list_make(&l, 60);
	l.count = 50;
	struct snapshot *base = list_snapshot(&l, 0);
	l.count = 60;
	l.all[45].p.name = "ново име";
	struct snapshot *change = list_snapshot(&l, 45); /* one changed, four as they were, ten new */
	struct snapshot *s = merge(base, change, NULL);
	assert_int_equal(snapshot_count(s), 60);
	assert_int_equal(snapshot_mark(s), 21);
	assert_int_equal(snapshot_source(s), SNAPSHOT_INCREMENT);
	assert_true(snapshot_by_guid(s, &l.all[45].p.guid, &p));
	assert_string_equal(p.name, "ново име");
	for (unsigned i = 0; i < 60; i++)
		assert_true(snapshot_by_guid(s, &l.all[i].p.guid, &p));
	snapshot_free(s);
	s = merge(NULL, change, NULL);
	assert_int_equal(snapshot_count(s), 15);
	snapshot_free(s);
	snapshot_free(change);
	snapshot_free(base);
}

/* The change of our own entry stays out, those of others come in. */
static void
increments_leave_own_entries(void **state)
{
	struct list l;
	struct participant p;

	(void)state;
	list_make(&l, 10);
	struct guard g = {.percent = 5, .count = 10, .own = &l.all[3].p.guid, .own_count = 1};
	struct snapshot *base = list_snapshot(&l, 0);
	bend_serial(&l.all[3].p);
	bend_serial(&l.all[4].p);
	struct snapshot *change = list_snapshot(&l, 0), *s = merge(base, change, &g);
	assert_true(snapshot_by_guid(s, &l.all[3].p.guid, &p));
	assert_string_equal(p.certificate_serial, l.all[3].serial);
	assert_true(snapshot_by_guid(s, &l.all[4].p.guid, &p));
	assert_string_equal(p.certificate_serial, "7777777777777777");
	snapshot_free(s);
	snapshot_free(change);
	snapshot_free(base);
}

struct seen {
	unsigned added, vanished, changed;
};

static void
see(void *arg, enum change kind, const struct participant *before, const struct participant *after)
{
	struct seen *s = arg;

	assert_true((kind == CHANGE_ADDED) == !before);
	assert_true((kind == CHANGE_VANISHED) == !after);
	if (kind == CHANGE_CHANGED)
		assert_true(guid_equal(&before->guid, &after->guid));
	s->added += kind == CHANGE_ADDED;
	s->vanished += kind == CHANGE_VANISHED;
	s->changed += kind == CHANGE_CHANGED;
}

static void
changes_are_told(void **state)
{
	struct list l;
	struct seen seen = {0};
	struct change_totals t;

	(void)state;
	list_make(&l, 30);
	l.count = 25;
	struct snapshot *before = list_snapshot(&l, 0);
	l.count = 30;
	l.all[7].p.email = "";
	l.all[8].p.last_change += WHEN_SECOND; /* alone no change */
	struct snapshot *after = list_snapshot(&l, 3);
	snapshot_changes(before, after, see, &seen, &t);
	assert_int_equal(seen.added, 5);
	assert_int_equal(seen.vanished, 3);
	assert_int_equal(seen.changed, 1);
	assert_int_equal(t.added, 5);
	assert_int_equal(t.vanished, 3);
	assert_int_equal(t.changed, 1);
	snapshot_free(before);
	snapshot_free(after);
}

static void
one_participant_is_asked_for_once(void **state)
{
	static struct limit l;
	struct guid a = {{1}}, b = {{2}};

	(void)state;
	limit_init(&l, 300 * WHEN_SECOND, WHEN_SECOND, 0);
	assert_true(limit_allows(&l, &a, WHEN_SECOND));
	assert_false(limit_allows(&l, &a, 2 * WHEN_SECOND));
	assert_true(limit_allows(&l, &b, 2 * WHEN_SECOND));
	assert_false(limit_allows(&l, &a, 300 * WHEN_SECOND));
	assert_true(limit_allows(&l, &a, 301 * WHEN_SECOND));
	assert_false(limit_allows(&l, &a, 302 * WHEN_SECOND));
}

/* However many senders are invented: the register is asked at the given pace. */
static void
all_together_are_limited(void **state)
{
	static struct limit l;
	struct guid g;
	unsigned asked = 0;

	(void)state;
	limit_init(&l, 300 * WHEN_SECOND, WHEN_SECOND, 0);
	for (unsigned i = 0; i < 50000; i++) {
		synthetic_guid(i, &g);
		asked += limit_allows(&l, &g, (when)i * WHEN_SECOND / 1000); /* 1000 a second for 50 s */
	}
	assert_in_range(asked, LIMIT_BURST + 45, LIMIT_BURST + 50);
}

static void
limit_table_is_bounded(void **state)
{
	static struct limit l;
	struct guid g;

	(void)state;
	limit_init(&l, 1000000 * WHEN_SECOND, WHEN_SECOND, 0);
	for (unsigned i = 0; i < LIMIT_GUIDS + 10; i++) {
		synthetic_guid(i, &g);
		assert_true(limit_allows(&l, &g, (when)(i + 1) * WHEN_SECOND));
	}
	assert_int_equal(l.count, LIMIT_GUIDS);
	when now = (when)(LIMIT_GUIDS + 100) * WHEN_SECOND;
	synthetic_guid(LIMIT_GUIDS + 5, &g); /* still known */
	assert_false(limit_allows(&l, &g, now));
	synthetic_guid(3, &g); /* the oldest were forgotten */
	assert_true(limit_allows(&l, &g, now));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_that_vanishes),
		cmocka_unit_test(number_that_vanishes),
		cmocka_unit_test(many_turn_inactive),
		cmocka_unit_test(growth_is_no_danger),
		cmocka_unit_test(own_entry),
		cmocka_unit_test(increments_add_and_replace),
		cmocka_unit_test(increments_leave_own_entries),
		cmocka_unit_test(changes_are_told),
		cmocka_unit_test(one_participant_is_asked_for_once),
		cmocka_unit_test(all_together_are_limited),
		cmocka_unit_test(limit_table_is_bounded),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
