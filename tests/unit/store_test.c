/* The SQLite store on a real disk: receiving, statuses, deliveries, batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/mman.h>
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

static int64_t
find(struct fixture *f, struct guid g)
{
	int64_t id = 0;

	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_NONE);
	return id;
}

static void
assert_text(struct wire_bytes b, const char *text)
{
	assert_int_equal(b.len, strlen(text));
	assert_memory_equal(b.data, text, b.len);
}

static void
assert_body(struct fixture *f, int64_t body, const void *data, size_t size)
{
	struct buf b = {0};

	assert_int_equal(f->backend->body_read(f->store, body, &b), FAULT_NONE);
	assert_int_equal(b.len, size);
	assert_memory_equal(b.data, data, size);
	buf_free(&b);
}

/* incoming */

static void
test_receive(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);

	assert_int_equal(receive_alone(f, &w).outcome, RECEIVE_STORED);
	assert_true(fixture_reopen(f));
	struct shown s = show(f, find(f, DOCUMENT(1)));
	assert_int_equal(s.d.state, STATE_WAITING);
	assert_int_equal(s.d.direction, DIRECTION_IN);
	assert_string_equal(s.peer_number, "A-7");
	assert_string_equal(s.number, "");
	assert_string_equal(s.events, "received answered");
	assert_string_equal(s.evidence, "message answer");
	assert_body(f, s.last.body, test_answer, sizeof test_answer - 1);
	assert_body(f, s.last.body - 1, test_body, sizeof test_body - 1);
	/* With one certificate for both, the signing one is the TLS one. */
	assert_true(s.first.has_certificate && s.first.has_tls_certificate);
	assert_memory_equal(s.first.certificate, s.first.tls_certificate, 32);
	assert_int_equal(s.first.method, SIGNATURE_RSA_SHA256);
	int fd = f->backend->certificate_open(f->store, s.first.certificate);
	char der[sizeof test_certificate + 1];
	assert_int_equal(pread(fd, der, sizeof der, 0), sizeof test_certificate);
	assert_memory_equal(der, test_certificate, sizeof test_certificate);
	close(fd);
}

static void
test_repeat_and_conflict(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);

	receive_alone(f, &w);
	struct wire_receive_reply r = receive_alone(f, &w);
	assert_int_equal(r.outcome, RECEIVE_REPEAT);
	assert_text(r.answer, test_answer);

	w.proof.fingerprint[5] ^= 1;
	r = receive_alone(f, &w);
	assert_int_equal(r.outcome, RECEIVE_CONFLICT);
	assert_int_equal(r.fault, FAULT_MESSAGE_DUPLICATE);

	w = registration(1, 1);
	w.sender = OTHER;
	assert_int_equal(receive_alone(f, &w).outcome, RECEIVE_CONFLICT);
}

/* A repeat within one batch is one too: nothing is committed yet. */
static void
test_repeat_in_batch(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);

	begin(f);
	assert_int_equal(receive(f, &w).outcome, RECEIVE_STORED);
	assert_int_equal(receive(f, &w).outcome, RECEIVE_REPEAT);
	commit(f);
}

static void
test_known(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1), again = registration(2, 1);

	receive_alone(f, &w);
	struct wire_receive_reply r = receive_alone(f, &again);
	assert_int_equal(r.outcome, RECEIVE_KNOWN);
	assert_int_equal(r.status.status, STATUS_WAIT_REGISTRATION);
	assert_string_equal(r.status.id.guid_text, "{SPELLED}");

	struct store_decision d = {.document = find(f, DOCUMENT(1)), .to = STATE_REGISTERED,
	    .number = "IN-1", .date = "2027-01-16"};
	begin(f);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
	commit(f);
	r = receive_alone(f, &again);
	assert_int_equal(r.outcome, RECEIVE_KNOWN);
	assert_int_equal(r.status.status, STATUS_REGISTERED);
	assert_string_equal(r.status.id.number, "IN-1");

	again.answered = true;
	assert_int_equal(receive_alone(f, &again).outcome, RECEIVE_STORED);
	struct shown s = show(f, d.document);
	assert_string_equal(s.evidence, "message answer message answer");
	again.answered = false;
	assert_int_equal(receive_alone(f, &again).outcome, RECEIVE_REPEAT);
}

/* Another sender's document with the same GUID is a document of its own. */
static void
test_same_guid_of_another_sender(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1), other = registration(2, 1);
	struct guid g = DOCUMENT(1);
	int64_t id;

	other.sender = OTHER;
	receive_alone(f, &w);
	assert_int_equal(receive_alone(f, &other).outcome, RECEIVE_STORED);
	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_DOCUMENT_SEVERAL);
}

static void
test_status_request(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1), ask = registration(2, 1);

	ask.message_type = MESSAGE_STATUS_REQUEST;
	struct wire_receive_reply r = receive_alone(f, &ask);
	assert_int_equal(r.outcome, RECEIVE_STATUS);
	assert_int_equal(r.status.status, STATUS_NOT_FOUND);
	assert_string_equal(r.status.id.guid_text, "{SPELLED}");

	receive_alone(f, &w);
	r = receive_alone(f, &ask);
	assert_int_equal(r.status.status, STATUS_WAIT_REGISTRATION);
	ask.answered = true;
	assert_int_equal(receive_alone(f, &ask).outcome, RECEIVE_STORED);

	/* Nobody else is told. */
	ask = registration(3, 1);
	ask.message_type = MESSAGE_STATUS_REQUEST;
	ask.sender = OTHER;
	r = receive_alone(f, &ask);
	assert_int_equal(r.status.status, STATUS_NOT_FOUND);
}

/* Refused messages are kept within bounds and do not occupy their GUID. */
static void
test_refused(void **in)
{
	struct fixture *f = *in;
	struct store_figures figures;

	for (unsigned i = 1; i <= 8; i++) {
		struct wire_receive w = registration(i, i);
		w.fault = FAULT_SIGNATURE_DIGEST;
		assert_int_equal(receive_alone(f, &w).outcome, RECEIVE_STORED);
	}
	f->backend->figures(f->store, &figures);
	assert_int_equal(figures.refused, 5);
	struct wire_receive good = registration(8, 8);
	assert_int_equal(receive_alone(f, &good).outcome, RECEIVE_STORED);
	assert_int_equal(state(f, find(f, DOCUMENT(8))), STATE_WAITING);
	assert_true(fixture_reopen(f));
	f->backend->figures(f->store, &figures);
	assert_int_equal(figures.refused, 5);
}

static void
test_decisions(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);

	receive_alone(f, &w);
	struct store_decision d = {.document = find(f, DOCUMENT(1)), .to = STATE_CLOSED};
	begin(f);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_TRANSITION);
	d.to = STATE_REFUSED;
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_REASON_MISSING);
	d.to = STATE_REGISTERED;
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_FIELD_MISSING);
	d.number = "IN-5";
	d.date = "2027-01-16";
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_TRANSITION);
	d.document = 999;
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_DOCUMENT_MISSING);
	commit(f);
	assert_int_equal(f->due, f->now);
	struct shown s = show(f, find(f, DOCUMENT(1)));
	assert_int_equal(s.d.state, STATE_REGISTERED);
	assert_string_equal(s.number, "IN-5");
	assert_true(s.d.pending);
	assert_int_equal(s.d.next, DELIVERY_STATUS);
}

/* A newer status takes the place of one that was not told yet, also while that one is under way. */
static void
test_newer_notice(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);
	static const enum document_state steps[] = {STATE_REGISTERED, STATE_STOPPED, STATE_CLOSED};

	receive_alone(f, &w);
	struct store_decision d = {.document = find(f, DOCUMENT(1)), .number = "N", .date = "2027-01-01"};
	for (unsigned i = 0; i < 3; i++) {
		d.to = steps[i];
		begin(f);
		assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
		commit(f);
		struct store_work now = work(f, d.document);
		assert_int_equal(now.message, 0);
		assert_int_equal(now.status.status, status_of_state(steps[i]));
		assert_string_equal(now.id.guid_text, "{SPELLED}");
		if (i == 0) /* stays composed, never sent */
			compose(f, d.document, 50);
		if (i == 1) {
			compose(f, d.document, 51);
			break;
		}
	}
	int64_t a = attempt(f, d.document);
	d.to = STATE_CLOSED;
	begin(f);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
	commit(f);
	answered(f, a, ANSWER_EMPTY, 0);
	struct store_work now = work(f, d.document);
	assert_int_equal(now.message, 0);
	assert_int_equal(now.status.status, STATUS_CLOSED);
	compose(f, d.document, 52);
	answered(f, attempt(f, d.document), ANSWER_EMPTY, 0);
	struct shown s = show(f, d.document);
	assert_false(s.d.pending);
	assert_string_equal(s.events, "received answered registered stopped closed notified");
	/* received + told twice */
	assert_string_equal(s.evidence,
	    "message answer status status status-answer status status-answer");
}

/* A composed message that is not wanted any more is not sent. */
static void
test_stale_compose(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);
	struct wire_composed c = {.message_guid = MESSAGE(60)};
	struct store_bytes body = {.data = "x", .size = 1};

	receive_alone(f, &w);
	struct store_decision d = {.document = find(f, DOCUMENT(1)), .to = STATE_REGISTERED,
	    .number = "N", .date = "2027-01-01"};
	begin(f);
	f->backend->decide(f->store, &d);
	commit(f);
	struct store_work old = work(f, d.document);
	d.to = STATE_STOPPED;
	begin(f);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
	assert_int_equal(f->backend->composed(f->store, &old, &c, &body), FAULT_DOCUMENT_MISSING);
	commit(f);
	assert_int_equal(work(f, d.document).message, 0);
}

/* outgoing */

static void
test_delivery(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	struct store_work w = work(f, id);
	assert_int_equal(w.kind, DELIVERY_DOCUMENT);
	assert_int_equal(w.message, 0);
	assert_false(w.sha256_seen);
	assert_body(f, w.attachments, "attachment!", 11);
	compose(f, id, 1);
	assert_int_equal(state(f, id), STATE_SIGNED);
	int64_t a = attempt(f, id);
	assert_int_equal(state(f, id), STATE_SENDING);
	answered(f, a, ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_WAITING);
	assert_string_equal(s.events, "accepted signed sent answered");
	assert_string_equal(s.evidence, "message answer");
	assert_int_equal(s.d.next, DELIVERY_POLL);
	assert_int_equal(s.d.next_at, START + DAY);

	/* The peer registers it and tells. */
	struct wire_receive notice = registration(9, 0);
	notice.message_type = MESSAGE_STATUS_RESPONSE;
	notice.status = (struct wire_status){.status = STATUS_REGISTERED,
	    .id = {.number = "P-1", .date = "2027-01-20", .guid = DOCUMENT(1)}};
	assert_int_equal(receive_alone(f, &notice).outcome, RECEIVE_STORED);
	s = show(f, id);
	assert_int_equal(s.d.state, STATE_REGISTERED);
	assert_string_equal(s.peer_number, "P-1");
	assert_false(s.d.pending);
	assert_string_equal(s.events, "accepted signed sent answered registered");
	assert_true(work(f, submit(f, 2)).sha256_seen);
}

static void
test_unknown_notices(void **in)
{
	struct fixture *f = *in;
	struct wire_receive notice = registration(9, 0);

	submit(f, 1);
	notice.message_type = MESSAGE_STATUS_RESPONSE;
	notice.status = (struct wire_status){.status = STATUS_REGISTERED, .id = {.guid = DOCUMENT(5)}};
	assert_int_equal(receive_alone(f, &notice).outcome, RECEIVE_UNKNOWN);
	/* Ours, but it never left. */
	notice.status.id.guid = DOCUMENT(1);
	assert_int_equal(receive_alone(f, &notice).outcome, RECEIVE_UNKNOWN);
	/* Ours and sent, but somebody else speaks. */
	int64_t id = submit(f, 2);
	compose(f, id, 1);
	attempt(f, id);
	notice.status.id.guid = DOCUMENT(2);
	notice.sender = OTHER;
	assert_int_equal(receive_alone(f, &notice).outcome, RECEIVE_UNKNOWN);
	assert_int_equal(state(f, id), STATE_SENDING);

	struct wire_receive error = registration(10, 0);
	error.message_type = MESSAGE_ERROR;
	assert_int_equal(receive_alone(f, &error).outcome, RECEIVE_UNKNOWN);
	error.error_has_guid = true;
	error.error_guid = MESSAGE(55);
	assert_int_equal(receive_alone(f, &error).outcome, RECEIVE_UNKNOWN);
}

/* An Error that comes later by itself (a bridge that could not deliver). */
static void
test_late_error(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	answered(f, attempt(f, id), ANSWER_EMPTY, 0);
	assert_int_equal(state(f, id), STATE_WAITING);
	struct wire_receive error = registration(10, 0);
	error.message_type = MESSAGE_ERROR;
	error.error_has_guid = true;
	error.error_guid = MESSAGE(1);
	error.error_text = "AS4 node is silent";
	assert_int_equal(receive_alone(f, &error).outcome, RECEIVE_STORED);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_FAILED);
	assert_int_equal(s.d.fault, FAULT_PEER_ERROR);
	assert_string_equal(s.detail, "AS4 node is silent");
	assert_false(s.d.pending);

	/* Late good news wins; a second Error does not. */
	struct wire_receive notice = registration(11, 0);
	notice.message_type = MESSAGE_STATUS_RESPONSE;
	notice.status = (struct wire_status){.status = STATUS_REGISTERED,
	    .id = {.number = "P-1", .date = "2027-01-20", .guid = DOCUMENT(1)}};
	receive_alone(f, &notice);
	assert_int_equal(state(f, id), STATE_REGISTERED);
	assert_int_equal(show(f, id).d.fault, FAULT_NONE);
	error.message_guid = MESSAGE(12);
	assert_int_equal(receive_alone(f, &error).outcome, RECEIVE_STORED);
	assert_int_equal(state(f, id), STATE_REGISTERED);
}

/* The peers' schedule: +15 m, 45 m, 1 h 45 ... 10 d 15 h 45, then failed (section 6.4). */
static void
test_retry_times(void **in)
{
	static const when at[] = {15 * MINUTE, 45 * MINUTE, 105 * MINUTE, 225 * MINUTE, 465 * MINUTE,
	    945 * MINUTE, DAY + 465 * MINUTE, 2 * DAY + 945 * MINUTE, 5 * DAY + 465 * MINUTE,
	    10 * DAY + 945 * MINUTE};
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	struct store_work first = work(f, id);
	for (unsigned i = 0; i < 10; i++) {
		int64_t a = attempt(f, id);
		f->now += 90 * WHEN_SECOND; /* attempts take time; the schedule does not slip */
		undelivered(f, a, UNDELIVERED_CONNECT);
		assert_int_equal(f->due, START + at[i]);
		assert_int_equal(state(f, id), STATE_SIGNED);
		assert_int_equal(work(f, id).message, first.message); /* the same bytes */
		f->now = f->due;
	}
	undelivered(f, attempt(f, id), UNDELIVERED_CONNECT);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_FAILED);
	assert_int_equal(s.d.fault, FAULT_RETRIES_EXHAUSTED);
	assert_string_equal(s.detail, "words");
	assert_false(s.d.pending);
}

/* After an unknown outcome: poll, NOT_FOUND, send again with a new message of the same document. */
static void
test_ambiguous(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	undelivered(f, attempt(f, id), UNDELIVERED_AMBIGUOUS);
	assert_int_equal(state(f, id), STATE_UNSURE);
	assert_int_equal(f->due, START + MINUTE);
	struct store_work w = work(f, id);
	assert_int_equal(w.kind, DELIVERY_POLL);
	assert_int_equal(w.message, 0);
	f->now = f->due;
	compose(f, id, 2);
	answered(f, attempt(f, id), ANSWER_STATUS, STATUS_NOT_FOUND);
	w = work(f, id);
	assert_int_equal(w.kind, DELIVERY_DOCUMENT);
	assert_int_equal(w.message, 0);
	assert_int_equal(f->due, f->now);
	compose(f, id, 3);
	answered(f, attempt(f, id), ANSWER_STATUS, STATUS_ALREADY_RECEIVED);
	assert_int_equal(state(f, id), STATE_WAITING);
	assert_string_equal(show(f, id).events,
	    "accepted signed sent unsure polled signed sent answered");
}

/* The store went down while courier had the message. */
static void
test_abandon(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	int64_t a = attempt(f, id);
	assert_true(fixture_reopen(f));
	begin(f);
	assert_int_equal(f->backend->abandon(f->store), FAULT_NONE);
	commit(f);
	assert_int_equal(state(f, id), STATE_UNSURE);
	/* And then the answer comes after all. */
	answered(f, a, ANSWER_STATUS, STATUS_REGISTERED);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_REGISTERED);
	assert_string_equal(s.peer_number, "P-9");
	assert_false(s.d.pending);
}

static void
test_error_first_and_on_resend(void **in)
{
	struct fixture *f = *in;
	int64_t first = submit(f, 1), second = submit(f, 2);

	compose(f, first, 1);
	answered(f, attempt(f, first), ANSWER_ERROR, 0);
	struct shown s = show(f, first);
	assert_int_equal(s.d.state, STATE_FAILED);
	assert_int_equal(s.d.fault, FAULT_PEER_ERROR);
	assert_string_equal(s.detail, "peer's words");

	compose(f, second, 2);
	undelivered(f, attempt(f, second), UNDELIVERED_HTTP);
	assert_int_equal(work(f, second).message, 0); /* composed anew */
	compose(f, second, 3);
	answered(f, attempt(f, second), ANSWER_ERROR, 0);
	assert_int_equal(state(f, second), STATE_UNSURE);
	assert_int_equal(work(f, second).kind, DELIVERY_POLL);
	/* It does not have it: then an Error is final. */
	compose(f, second, 4);
	answered(f, attempt(f, second), ANSWER_STATUS, STATUS_NOT_FOUND);
	compose(f, second, 5);
	answered(f, attempt(f, second), ANSWER_ERROR, 0);
	assert_int_equal(state(f, second), STATE_FAILED);
}

static void
test_held_and_inactive(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	for (unsigned i = 0; i < 30; i++) { /* more often than there are tries */
		f->now = f->due;
		undelivered(f, attempt(f, id), UNDELIVERED_HELD);
		assert_int_equal(state(f, id), STATE_HELD);
		assert_int_equal(f->due, f->now + 600 * WHEN_SECOND);
	}
	assert_string_equal(show(f, id).events, "accepted signed held");
	assert_int_equal(show(f, id).d.attempts, 0);
	f->now = f->due;
	undelivered(f, attempt(f, id), UNDELIVERED_INACTIVE);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_FAILED);
	assert_int_equal(s.d.fault, FAULT_RECIPIENT_INACTIVE);
	assert_false(s.d.pending);
}

static void
test_again_is_not_counted(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	undelivered(f, attempt(f, id), UNDELIVERED_AGAIN);
	assert_int_equal(f->due, f->now + SCHEDULE_SOON);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_SIGNED);
	assert_int_equal(s.d.attempts, 0);
}

static void
test_silence_and_expiry(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);
	when next;

	compose(f, id, 1);
	answered(f, attempt(f, id), ANSWER_EMPTY, 0);
	assert_int_equal(f->due, START + DAY);
	f->now = f->due;
	compose(f, id, 2);
	answered(f, attempt(f, id), ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	assert_int_equal(f->due, START + DAY + DAY / 2);
	begin(f);
	assert_int_equal(f->backend->expire(f->store, 10, &next), FAULT_NONE);
	commit(f);
	assert_int_equal(next, START + 30 * DAY);
	assert_int_equal(state(f, id), STATE_WAITING);
	f->now = next;
	begin(f);
	assert_int_equal(f->backend->expire(f->store, 10, &next), FAULT_NONE);
	commit(f);
	assert_int_equal(next, WHEN_NONE);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_EXPIRED);
	assert_int_equal(s.d.fault, FAULT_EXPIRED);
	assert_false(s.d.pending);
	/* Late good news, without an end: a new term begins. */
	struct wire_receive notice = registration(11, 0);
	notice.message_type = MESSAGE_STATUS_RESPONSE;
	notice.status = (struct wire_status){.status = STATUS_WAIT_REGISTRATION,
	    .id = {.guid = DOCUMENT(1)}};
	receive_alone(f, &notice);
	assert_int_equal(state(f, id), STATE_WAITING);
	begin(f);
	f->backend->expire(f->store, 10, &next);
	commit(f);
	assert_int_equal(next, f->now + 30 * DAY);
}

/* A bridge answers WAIT to a status request without knowing. */
static void
test_wait_does_not_downgrade(void **in)
{
	struct fixture *f = *in;
	int64_t id = submit(f, 1);

	compose(f, id, 1);
	int64_t a = attempt(f, id);
	struct wire_receive notice = registration(11, 0);
	notice.message_type = MESSAGE_STATUS_RESPONSE;
	notice.status = (struct wire_status){.status = STATUS_REGISTERED,
	    .id = {.number = "P-1", .date = "2027-01-20", .guid = DOCUMENT(1)}};
	receive_alone(f, &notice); /* overtakes the answer */
	answered(f, a, ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	struct shown s = show(f, id);
	assert_int_equal(s.d.state, STATE_REGISTERED);
	assert_string_equal(s.peer_number, "P-1");
	assert_false(s.d.pending);
}

static void
test_same_document_to_two(void **in)
{
	struct fixture *f = *in;
	int64_t first = submit(f, 1), second = submit_to(f, 1, OTHER), third;
	struct store_submission s = {.sender = OWN, .recipient = PEER, .id = {.guid = DOCUMENT(1)},
	    .details = {.data = "{}", .size = 2}};

	assert_true(first != second);
	begin(f);
	assert_int_equal(f->backend->submit(f->store, &s, &third), FAULT_DOCUMENT_EXISTS);
	commit(f);
}

/* batches and bodies */

/* Nothing of a batch that was not committed is there after a crash, files included. */
static void
test_batch_is_atomic(void **in)
{
	struct fixture *f = *in;
	uint8_t *large = malloc(300000);
	struct guid g = DOCUMENT(2);
	int64_t id;

	memset(large, 'x', 300000);
	struct wire_receive a = registration(1, 1), b = registration(2, 2), c = registration(3, 3);
	receive_alone(f, &a);
	begin(f);
	receive_bytes(f, &b, (struct store_bytes){.data = large, .size = 300000});
	receive(f, &c);
	/* Read by another connection to the same files: what a crash now would leave. */
	assert_true(fixture_reopen(f));
	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_DOCUMENT_MISSING);
	find(f, DOCUMENT(1));
	char spool[128];
	snprintf(spool, sizeof spool, "%s/spool", f->directory);
	assert_int_equal(rmdir(spool), 0); /* empty */
	mkdir(spool, 0700);
	free(large);
}

/* An operation that fails takes only itself back. */
static void
test_operation_is_atomic(void **in)
{
	struct fixture *f = *in;
	struct wire_receive a = registration(1, 1), b = registration(2, 2);
	struct guid g = DOCUMENT(2);
	int64_t id;

	begin(f);
	receive(f, &a);
	int null = open("/dev/null", O_RDONLY);
	struct wire_receive_reply r =
	    receive_bytes(f, &b, (struct store_bytes){.fd = null, .size = 5000}); /* too short */
	close(null);
	assert_int_equal(r.outcome, RECEIVE_TEMPORARY);
	assert_int_equal(r.fault, FAULT_STORE_FAILED);
	commit(f);
	find(f, DOCUMENT(1));
	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_DOCUMENT_MISSING);
}

static void
test_spooled_body(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);
	enum fault why;
	size_t size = 200000;
	uint8_t *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7);
	int fd = f->backend->spool_file(f->store, size, &why);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	begin(f);
	receive_bytes(f, &w, (struct store_bytes){.fd = fd, .size = size, .spooled = true});
	commit(f);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 1); /* linked, not copied */
	close(fd);
	assert_true(fixture_reopen(f));
	struct shown s = show(f, find(f, DOCUMENT(1)));
	assert_body(f, s.last.body - 1, bytes, size);
	fd = f->backend->body_open(f->store, s.last.body - 1);
	assert_int_equal(lseek(fd, 0, SEEK_END), size);
	close(fd);
	free(bytes);
}

static void
count_documents(void *arg, const struct store_document *d)
{
	(void)d;
	++*(unsigned *)arg;
}

static void
test_lists(void **in)
{
	struct fixture *f = *in;
	unsigned n = 0;

	for (unsigned i = 1; i <= 5; i++) {
		struct wire_receive w = registration(i, i);
		receive_alone(f, &w);
		submit(f, 100 + i);
	}
	const struct {
		struct store_filter filter;
		unsigned expected;
	} cases[] = {
		{{.direction = -1, .limit = 100}, 10},
		{{.direction = -1, .limit = 4}, 4},
		{{.direction = DIRECTION_IN, .limit = 100}, 5},
		{{.direction = DIRECTION_OUT, .state = STATE_ACCEPTED, .limit = 100}, 5},
		{{.direction = DIRECTION_OUT, .state = STATE_WAITING, .limit = 100}, 0},
		{{.direction = -1, .state = STATE_WAITING, .limit = 100}, 5},
		{{.direction = -1, .has_peer = true, .peer = PEER, .limit = 100}, 10},
		{{.direction = DIRECTION_IN, .has_peer = true, .peer = PEER, .limit = 100}, 5},
		{{.direction = -1, .has_peer = true, .peer = OTHER, .limit = 100}, 0},
		{{.direction = -1, .limit = 100, .before = 4}, 3},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		n = 0;
		assert_int_equal(f->backend->list(f->store, &cases[i].filter, count_documents, &n),
		    FAULT_NONE);
		assert_int_equal(n, cases[i].expected);
	}
	n = 0;
	f->backend->queue(f->store, 3, count_documents, &n);
	assert_int_equal(n, 3);
	struct store_figures figures;
	f->backend->figures(f->store, &figures);
	assert_int_equal(figures.documents[DIRECTION_IN][STATE_WAITING], 5);
	assert_int_equal(figures.documents[DIRECTION_OUT][STATE_ACCEPTED], 5);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(receive), T(repeat_and_conflict), T(repeat_in_batch), T(known),
		T(same_guid_of_another_sender), T(status_request), T(refused), T(decisions),
		T(newer_notice), T(stale_compose), T(delivery), T(unknown_notices), T(late_error),
		T(retry_times), T(ambiguous), T(abandon), T(error_first_and_on_resend),
		T(held_and_inactive), T(again_is_not_counted), T(silence_and_expiry),
		T(wait_does_not_downgrade), T(same_document_to_two), T(batch_is_atomic),
		T(operation_is_atomic), T(spooled_body), T(lists),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
