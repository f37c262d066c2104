/* What follows from each outcome, and when (protocol.md section 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/schedule.h"

#define MINUTE (60 * WHEN_SECOND)
#define T0     ((when)1800000000 * WHEN_SECOND)

static const struct schedule_times times = {.retry_first = 900, .retry_count = 10,
    .poll_first = 86400, .poll_interval = 43200, .expire_after = 30 * 86400, .hold_interval = 600};

static struct schedule
sending(unsigned attempts)
{
	return (struct schedule){DELIVERY_DOCUMENT, STATE_SENDING, T0, attempts, 0, attempts > 1};
}

static struct schedule_next
step(struct schedule from, enum schedule_outcome went, when now)
{
	struct schedule_next next;

	schedule_step(&times, &from, went, STATUS_UNKNOWN, WHEN_NONE, now, &next);
	return next;
}

/* One line per outcome of a first attempt. */
static void
test_first_attempt(void **state)
{
	static const struct {
		enum schedule_outcome went;
		bool pending, compose;
		enum delivery_kind kind;
		when after;
		unsigned attempts;
		enum document_state state;
	} rows[] = {
		{WENT_CONNECT, true, false, DELIVERY_DOCUMENT, 15 * MINUTE, 1, STATE_SIGNED},
		{WENT_HTTP, true, true, DELIVERY_DOCUMENT, 15 * MINUTE, 1, STATE_ACCEPTED},
		{WENT_FAULT, true, true, DELIVERY_DOCUMENT, 15 * MINUTE, 1, STATE_ACCEPTED},
		{WENT_AMBIGUOUS, true, true, DELIVERY_POLL, MINUTE, 1, STATE_UNSURE},
		{WENT_UNPROVEN, true, true, DELIVERY_POLL, MINUTE, 1, STATE_UNSURE},
		{WENT_STRANGE, true, true, DELIVERY_POLL, MINUTE, 1, STATE_UNSURE},
		{WENT_NOT_FOUND, true, true, DELIVERY_POLL, MINUTE, 1, STATE_UNSURE},
		{WENT_HELD, true, false, DELIVERY_DOCUMENT, 10 * MINUTE, 0, STATE_HELD},
		{WENT_AGAIN, true, false, DELIVERY_DOCUMENT, SCHEDULE_SOON, 0, STATE_SIGNED},
		{WENT_INACTIVE, false, false, DELIVERY_DOCUMENT, 0, 1, STATE_FAILED},
		{WENT_ERROR, false, false, DELIVERY_DOCUMENT, 0, 1, STATE_FAILED},
		{WENT_EMPTY, true, true, DELIVERY_POLL, 1440 * MINUTE, 1, STATE_WAITING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct schedule_next n = step(sending(1), rows[i].went, T0);
		assert_int_equal(n.pending, rows[i].pending);
		assert_int_equal(n.compose, rows[i].compose);
		assert_int_equal(n.kind, rows[i].kind);
		assert_int_equal(n.attempts, rows[i].attempts);
		assert_int_equal(n.state, rows[i].state);
		if (n.pending)
			assert_int_equal(n.due, T0 + rows[i].after);
		/* Whatever the step says, the table of states must allow. */
		assert_true(state_allows(DIRECTION_OUT, STATE_SENDING, n.state, n.cause));
	}
}

static void
test_error_on_resend_polls(void **state)
{
	(void)state;
	struct schedule_next n = step(sending(2), WENT_ERROR, T0);
	assert_true(n.pending);
	assert_int_equal(n.kind, DELIVERY_POLL);
	assert_int_equal(n.state, STATE_UNSURE);
	/* A resend after connects that never reached it is a first attempt for the peer. */
	struct schedule from = sending(3);
	from.reached = false;
	assert_int_equal(step(from, WENT_ERROR, T0).state, STATE_FAILED);
}

static void
test_due_from_due(void **state)
{
	(void)state;
	/* The attempt itself took 10 minutes. */
	assert_int_equal(step(sending(1), WENT_CONNECT, T0 + 10 * MINUTE).due, T0 + 15 * MINUTE);
	assert_int_equal(step(sending(2), WENT_CONNECT, T0).due, T0 + 30 * MINUTE);
	assert_int_equal(step(sending(10), WENT_CONNECT, T0).due, T0 + 15 * 512 * MINUTE);
	assert_false(step(sending(11), WENT_CONNECT, T0).pending);
	assert_int_equal(step(sending(11), WENT_CONNECT, T0).fault, FAULT_RETRIES_EXHAUSTED);
	/* After days off, tries do not follow one another without a pause. */
	assert_int_equal(step(sending(1), WENT_CONNECT, T0 + 5000 * MINUTE).due, T0 + 5001 * MINUTE);
}

static void
test_not_before(void **state)
{
	struct schedule from = sending(1);
	struct schedule_next n;

	(void)state;
	schedule_step(&times, &from, WENT_HELD, 0, T0 + 3 * MINUTE, T0, &n);
	assert_int_equal(n.due, T0 + 3 * MINUTE);
	schedule_step(&times, &from, WENT_CONNECT, 0, T0 + 20 * MINUTE, T0, &n);
	assert_int_equal(n.due, T0 + 20 * MINUTE);
	schedule_step(&times, &from, WENT_CONNECT, 0, T0 + 2 * MINUTE, T0, &n);
	assert_int_equal(n.due, T0 + 15 * MINUTE);
}

static void
test_news(void **state)
{
	static const enum document_status all[] = {STATUS_REGISTERED, STATUS_REJECTED, STATUS_STOPPED,
	    STATUS_CLOSED};
	struct schedule_next n;

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct schedule from = sending(1);
		schedule_step(&times, &from, WENT_STATUS, all[i], WHEN_NONE, T0, &n);
		assert_false(n.pending);
		assert_int_equal(n.state, state_of_status(all[i]));
		/* Also for documents that were given up. */
		from.state = STATE_FAILED;
		schedule_step(&times, &from, WENT_STATUS, all[i], WHEN_NONE, T0, &n);
		assert_int_equal(n.state, state_of_status(all[i]));
	}
	struct schedule known = {DELIVERY_POLL, STATE_REGISTERED, T0, 1, 1, true};
	schedule_step(&times, &known, WENT_STATUS, STATUS_WAIT_REGISTRATION, WHEN_NONE, T0, &n);
	assert_false(n.pending);
	assert_int_equal(n.state, STATE_NONE);
	known.state = STATE_EXPIRED;
	schedule_step(&times, &known, WENT_STATUS, STATUS_WAIT_REGISTRATION, WHEN_NONE, T0, &n);
	assert_true(n.pending);
	assert_int_equal(n.state, STATE_WAITING);
}

static void
test_polls(void **state)
{
	struct schedule unsure = {DELIVERY_POLL, STATE_UNSURE, T0, 2, 1, true};
	struct schedule silent = {DELIVERY_POLL, STATE_WAITING, T0, 1, 3, true};

	(void)state;
	/* Unknown fate: by the schedule, then at the interval, never given up before it expires. */
	assert_int_equal(step(unsure, WENT_CONNECT, T0).due, T0 + 15 * MINUTE);
	unsure.polls = 4;
	assert_int_equal(step(unsure, WENT_HTTP, T0).due, T0 + 120 * MINUTE);
	unsure.polls = 40;
	assert_int_equal(step(unsure, WENT_UNPROVEN, T0).due, T0 + 720 * MINUTE);
	assert_true(step(unsure, WENT_UNPROVEN, T0).pending);
	/* Silent peer: at the interval. */
	assert_int_equal(step(silent, WENT_CONNECT, T0).due, T0 + 720 * MINUTE);
	assert_int_equal(step(silent, WENT_ERROR, T0).due, T0 + 720 * MINUTE);
	assert_true(step(silent, WENT_INACTIVE, T0).pending);
	assert_int_equal(step(unsure, WENT_INACTIVE, T0).state, STATE_FAILED);

	struct schedule_next n = step(unsure, WENT_NOT_FOUND, T0);
	assert_int_equal(n.kind, DELIVERY_DOCUMENT);
	assert_int_equal(n.due, T0);
	assert_true(n.compose);
	assert_false(n.reached);
	assert_int_equal(n.state, STATE_ACCEPTED);
	/* A peer that forgets again and again is not served forever. */
	unsure.attempts = 11;
	assert_int_equal(step(unsure, WENT_NOT_FOUND, T0).state, STATE_FAILED);
	/* Later unknown outcomes wait longer before they ask. */
	assert_int_equal(step(sending(3), WENT_AMBIGUOUS, T0).due, T0 + 30 * MINUTE);
}

/* Notices use the same schedule; telling twice does no harm, so nothing is polled. */
static void
test_notices(void **state)
{
	struct schedule notice = {DELIVERY_STATUS, STATE_REGISTERED, T0, 1, 0, false};

	(void)state;
	for (enum schedule_outcome went = 0; went < WENT_COUNT; went++) {
		struct schedule_next n = step(notice, went, T0);
		assert_int_equal(n.kind, DELIVERY_STATUS);
		assert_int_equal(n.state, STATE_NONE); /* ours stays registered */
	}
	assert_int_equal(step(notice, WENT_AMBIGUOUS, T0).due, T0 + 15 * MINUTE);
	assert_true(step(notice, WENT_AMBIGUOUS, T0).compose);
	assert_false(step(notice, WENT_EMPTY, T0).pending);
	assert_false(step(notice, WENT_ERROR, T0).pending);
	notice.attempts = 11;
	assert_false(step(notice, WENT_HTTP, T0).pending);
}

/* No outcome in any state asks for a transition that the table forbids and that would be needed. */
static void
test_all_outcomes_end(void **state)
{
	static const enum document_state states[] = {STATE_SENDING, STATE_UNSURE, STATE_WAITING};

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		for (enum schedule_outcome went = 0; went < WENT_COUNT; went++) {
			struct schedule from = {s ? DELIVERY_POLL : DELIVERY_DOCUMENT, states[s], T0, 1, 1, true};
			struct schedule_next n;
			schedule_step(&times, &from, went, STATUS_REGISTERED, WHEN_NONE, T0, &n);
			if (n.state != STATE_NONE)
				assert_true(state_allows(DIRECTION_OUT, states[s], n.state, n.cause));
			if (n.pending)
				assert_true(n.due >= T0);
			else
				assert_true(state_is_end(n.state));
		}
	}
}

static void
test_outcomes(void **state)
{
	(void)state;
	assert_int_equal(schedule_outcome_of_class(UNDELIVERED_AGAIN), WENT_AGAIN);
	assert_int_equal(schedule_outcome_of_class(999), WENT_AMBIGUOUS);
	assert_int_equal(schedule_outcome_of_answer(ANSWER_EMPTY, 0), WENT_EMPTY);
	assert_int_equal(schedule_outcome_of_answer(ANSWER_STATUS, STATUS_NOT_FOUND), WENT_NOT_FOUND);
	assert_int_equal(schedule_outcome_of_answer(ANSWER_STATUS, STATUS_UNKNOWN), WENT_STRANGE);
	assert_int_equal(schedule_outcome_of_answer(ANSWER_STATUS, 12345), WENT_STRANGE);
	assert_int_equal(schedule_outcome_of_answer(999, 0), WENT_UNPROVEN);
	struct schedule_times huge = {.retry_first = UINT64_MAX, .retry_count = 10};
	assert_true(schedule_interval(&huge, 10) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_attempt),
		cmocka_unit_test(test_error_on_resend_polls),
		cmocka_unit_test(test_due_from_due),
		cmocka_unit_test(test_not_before),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_polls),
		cmocka_unit_test(test_notices),
		cmocka_unit_test(test_all_outcomes_end),
		cmocka_unit_test(test_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
