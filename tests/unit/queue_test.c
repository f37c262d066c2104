/* What an operator does with the queue: retry, hold, release, drop, in the SQLite store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store_fixture.h"

static int
setup(void **state_out)
{
	struct fixture *f = malloc(sizeof *f);

	*state_out = f;
	return f && fixture_open(f) ? 0 : -1;
}

static int
teardown(void **state_in)
{
	fixture_close(*state_in);
	free(*state_in);
	return 0;
}

static enum fault
change(struct fixture *f, int64_t id, enum queue_action action, const char *reason)
{
	struct store_queue_change c = {
	    .by = "uid 7", .document = id, .action = action, .reason = reason};

	begin(f);
	enum fault fault = f->backend->queue_change(f->store, &c);
	commit(f);
	return fault;
}

static unsigned
due_count(struct fixture *f)
{
	struct store_due due[4];
	unsigned n;

	assert_int_equal(f->backend->due(f->store, f->due_peer, due, 4, &n), FAULT_NONE);
	return n;
}

/* A document whose first attempt found nobody. */
static int64_t
stuck(struct fixture *f)
{
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	undelivered(f, attempt(f, id), UNDELIVERED_CONNECT);
	assert_int_equal(f->due, START + 15 * MINUTE);
	return id;
}

static void
test_retry(void **in)
{
	struct fixture *f = *in;
	int64_t id = stuck(f);

	f->now += MINUTE;
	assert_int_equal(change(f, id, QUEUE_RETRY, NULL), FAULT_NONE);
	assert_int_equal(f->due, f->now);
	assert_int_equal(show(f, id).d.attempts, 1);
	undelivered(f, attempt(f, id), UNDELIVERED_CONNECT);
	assert_string_equal(show(f, id).events, "accepted signed retry hurried retry");
}

static void
test_hold_and_release(void **in)
{
	struct fixture *f = *in;
	int64_t id = stuck(f);

	assert_int_equal(due_count(f), 1);
	assert_int_equal(change(f, id, QUEUE_RELEASE, NULL), FAULT_QUEUE_FREE);
	assert_int_equal(change(f, id, QUEUE_HOLD, "waits"), FAULT_NONE);
	assert_int_equal(due_count(f), 0);
	assert_true(fixture_reopen(f));
	struct shown s = show(f, id);
	assert_true(s.d.pending && s.d.on_hold);
	assert_int_equal(due_count(f), 0);
	assert_int_equal(change(f, id, QUEUE_RELEASE, NULL), FAULT_NONE);
	assert_int_equal(f->due, START + 15 * MINUTE);
	assert_int_equal(due_count(f), 1);
	assert_false(show(f, id).d.on_hold);
	assert_string_equal(show(f, id).events, "accepted signed retry put-off released");
}

static void
test_retry_ends_a_hold(void **in)
{
	struct fixture *f = *in;
	int64_t id = stuck(f);

	assert_int_equal(change(f, id, QUEUE_HOLD, NULL), FAULT_NONE);
	assert_int_equal(change(f, id, QUEUE_RETRY, NULL), FAULT_NONE);
	assert_int_equal(due_count(f), 1);
}

static void
test_drop(void **in)
{
	struct fixture *f = *in;
	int64_t id = stuck(f);

	assert_int_equal(change(f, id, QUEUE_DROP, "by post"), FAULT_NONE);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_FAILED);
	assert_int_equal(s.d.fault, FAULT_QUEUE_DROPPED);
	assert_string_equal(s.detail, "by post");
	assert_false(s.d.pending);
	assert_int_equal(due_count(f), 0);
	assert_int_equal(change(f, id, QUEUE_RETRY, NULL), FAULT_QUEUE_NOTHING);
	assert_string_equal(show(f, id).events, "accepted signed retry dropped");
}

/* What the recipient has does not fail: we only stop asking about it. */
static void
test_drop_delivered(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	answered(f, attempt(f, id), ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	assert_int_equal(change(f, id, QUEUE_DROP, NULL), FAULT_NONE);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_WAITING);
	assert_false(s.d.pending);
}

static void
test_not_while_sending(void **in)
{
	static const enum queue_action actions[] = {QUEUE_RETRY, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DROP};
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	int64_t a = attempt(f, id);
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		assert_int_equal(change(f, id, actions[i], NULL), FAULT_QUEUE_SENDING);
	answered(f, a, ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	assert_string_equal(show(f, id).events, "accepted signed sent answered");
	assert_int_equal(change(f, 99, QUEUE_HOLD, NULL), FAULT_DOCUMENT_MISSING);
}

/* A message that was being written when the hold came is not sent, and nothing is lost. */
static void
test_hold_while_composing(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);
	struct store_work w = work(f, id);
	struct wire_composed c = {.message_guid = MESSAGE(1), .method = SIGNATURE_RSA_SHA1};
	struct store_bytes body = {.data = test_body, .size = sizeof test_body - 1};

	assert_int_equal(change(f, id, QUEUE_HOLD, NULL), FAULT_NONE);
	begin(f);
	assert_int_equal(f->backend->composed(f->store, &w, &c, &body), FAULT_DOCUMENT_MISSING);
	commit(f);
	assert_true(show(f, id).d.on_hold);
	assert_int_equal(change(f, id, QUEUE_RELEASE, NULL), FAULT_NONE);
	compose(f, id, 2);
	attempt(f, id);
}

/* The recipient speaks by itself: nothing is on hold any more. */
static void
test_notice_ends_a_hold(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	answered(f, attempt(f, id), ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	assert_int_equal(change(f, id, QUEUE_HOLD, NULL), FAULT_NONE);
	struct wire_receive notice = {.message_type = MESSAGE_STATUS_RESPONSE, .received = f->now,
	    .message_guid = MESSAGE(50), .sender = PEER, .recipient = OWN,
	    .status = {.status = STATUS_REGISTERED, .id = {.guid = DOCUMENT(1), .number = "9"}},
	    .proof = {.method = SIGNATURE_RSA_SHA256}};
	receive_alone(f, &notice);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_REGISTERED);
	assert_false(s.d.pending);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

static when
due_after_clock(struct fixture *f, when now, when by)
{
	struct store_due due;
	unsigned n;
	when last;

	f->now = now;
	begin(f);
	assert_int_equal(f->backend->clock_back(f->store, by), FAULT_NONE);
	assert_int_equal(f->backend->last_written(f->store, &last), FAULT_NONE);
	assert_int_equal(last, START);
	commit(f);
	assert_int_equal(f->backend->due(f->store, f->due_peer, &due, 1, &n), FAULT_NONE);
	assert_int_equal(n, 1);
	return due.due;
}

/* The next try stands at START + 15 minutes; the clock that said so goes back. */
static void
test_clock_back(void **in)
{
	struct fixture *f = *in;
	when year = 365 * 24 * 60 * MINUTE, longest = schedule_longest(&f->options.times);

	stuck(f);
	assert_true(longest < year);
	/* By a known step: moved with it, but not into the past. */
	assert_int_equal(due_after_clock(f, START - 10 * MINUTE, 10 * MINUTE), START + 5 * MINUTE);
	assert_int_equal(due_after_clock(f, START, year), START);
	/* At a start nobody knows by how much: nothing waits longer than the schedule could have meant. */
	assert_int_equal(due_after_clock(f, START - year, 0), START - year + longest);
	assert_int_equal(due_after_clock(f, START - year, 0), START - year + longest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(retry), T(hold_and_release), T(retry_ends_a_hold), T(drop), T(drop_delivered),
		T(not_while_sending), T(hold_while_composing), T(notice_ends_a_hold),
		T(clock_back),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
