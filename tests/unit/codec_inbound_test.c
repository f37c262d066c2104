/* Incoming messages through the codec role: every outcome of the store, own trouble, ends of roles. */
#include "codec_letter.h"

static void
a_document_is_stored_with_its_answer(void **state)
{
	struct world *w = *state;
	struct wire_receive in;
	struct wire_reply out;
	struct message m = {0};
	struct buf soap;
	struct signing s;

	write_letter(w, &good, &soap, &s);
	uint64_t id = submit(w, &soap, &s);
	await_receive(w, &in);
	assert_int_equal(in.fault, FAULT_NONE);
	assert_false(in.answered);
	assert_int_equal(in.message_type, MESSAGE_REGISTRATION_REQUEST);
	assert_true(guid_equal(&in.sender, &who[B].guid));
	assert_true(guid_equal(&in.recipient, &who[A].guid));
	assert_string_equal(in.sender_name, who[B].name);
	assert_string_equal(in.document.number, "РД-15/2026");
	assert_string_equal(in.document.guid_text, "{DD010203-0000-0000-0000-000000000000}");
	assert_string_equal(in.about, "Относно <проба> & \"друго\"");
	assert_string_equal(in.proof.peer_address, "127.0.0.1:4000");
	assert_int_equal(in.proof.method, SIGNATURE_RSA_SHA256);
	assert_int_equal(in.proof.certificate.len, 0); /* the same as the TLS certificate */
	assert_true(in.proof.tls_certificate.len > 500);
	assert_int_equal(in.body.data.len, soap.len);
	assert_memory_equal(in.body.data.data, soap.data, soap.len);
	json_t *details = json_loadb((const char *)in.details.data, in.details.len, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(details, "kind")), "Писмо");
	json_decref(details);

	await_reply(w, id, &out);
	assert_int_equal(out.http_status, 200);
	assert_true(in.has_answer);
	assert_int_equal(out.body.len, in.answer.len);
	assert_memory_equal(out.body.data, in.answer.data, in.answer.len);
	read_signed(w, out.body, ENVELOPE_RESPONSE, &m, SIGNATURE_RSA_SHA256);
	assert_int_equal(m.type, MESSAGE_STATUS_RESPONSE);
	assert_int_equal(m.status.status, STATUS_WAIT_REGISTRATION);
	assert_string_equal(m.status.id.guid_text, "{DD010203-0000-0000-0000-000000000000}");
	assert_true(guid_equal(&m.sender.guid, &who[A].guid));
	assert_true(guid_equal(&m.recipient.guid, &who[B].guid));
	assert_true(guid_equal(&m.guid, &in.answer_guid));
	message_free(&m);
	buf_free(&soap);
	signing_free(&s);
}

static void
the_answer_waits_for_the_store(void **state)
{
	struct world *w = *state;

	w->store_silent = true;
	send_letter(w, &good);
	struct ipc_frame *f = world_await(w, WIRE_RECEIVE);
	for (int i = 0; i < 50; i++)
		event_base_loop(w->self.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(world_count(w, WIRE_REPLY), 0);
	struct wire_receive_reply r = {.outcome = RECEIVE_STORED};
	wire_send(w->far[ROLE_STORE], WIRE_RECEIVE_REPLY, f->id, &r, NULL, 0);
	world_await(w, WIRE_REPLY);
}

/* The store's words. */

static void
read_reply(struct world *w, const struct letter *l, struct message *m)
{
	struct wire_reply out;

	await_reply(w, send_letter(w, l), &out);
	assert_int_equal(out.http_status, 200);
	read_signed(w, out.body, ENVELOPE_RESPONSE, m, l->method);
}

static void
second_receive(struct world *w, struct wire_receive *r)
{
	struct wire_receive first;

	await_receive(w, &first);
	assert_false(first.answered);
	await_receive(w, r);
	assert_true(r->answered);
	assert_true(r->has_answer);
	assert_int_equal(r->body.data.len, first.body.data.len);
}

static void
a_known_document_gets_its_status(void **state)
{
	static const struct {
		enum document_status stored, said;
	} cases[] = {
	    {STATUS_WAIT_REGISTRATION, STATUS_ALREADY_RECEIVED},
	    {STATUS_REGISTERED, STATUS_REGISTERED},
	    {STATUS_REJECTED, STATUS_REJECTED},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message m = {0};
		struct wire_receive again;
		world_reset(state);
		w->reply_count = 1;
		w->replies[0] = (struct wire_receive_reply){.outcome = RECEIVE_KNOWN,
		    .status = {.status = cases[i].stored, .id = {.number = "ВХ-3", .date = "2026-11-21"},
		        .reason = cases[i].stored == STATUS_REJECTED ? "без подпис" : NULL}};
		read_reply(w, &good, &m);
		assert_int_equal(m.status.status, cases[i].said);
		assert_string_equal(m.status.id.number, "ВХ-3");
		assert_string_equal(m.status.id.guid_text, "{DD010203-0000-0000-0000-000000000000}");
		if (cases[i].stored == STATUS_REJECTED)
			assert_string_equal(m.status.reason, "без подпис");
		second_receive(w, &again);
		assert_int_equal(again.fault, FAULT_NONE);
		message_free(&m);
	}
}

static void
a_repeat_gets_the_stored_answer(void **state)
{
	struct world *w = *state;
	struct wire_reply out;

	w->reply_count = 1;
	w->replies[0] = (struct wire_receive_reply){
	    .outcome = RECEIVE_REPEAT, .answer = {(const uint8_t *)"the first answer", 16}};
	await_reply(w, send_letter(w, &good), &out);
	assert_int_equal(out.body.len, 16);
	assert_memory_equal(out.body.data, "the first answer", 16);
}

static void
other_content_under_one_guid_is_refused(void **state)
{
	struct world *w = *state;
	struct wire_receive again;
	struct message m = {0};

	w->reply_count = 1;
	w->replies[0] = (struct wire_receive_reply){.outcome = RECEIVE_CONFLICT};
	read_reply(w, &good, &m);
	assert_int_equal(m.type, MESSAGE_ERROR);
	second_receive(w, &again);
	assert_int_equal(again.fault, FAULT_MESSAGE_DUPLICATE);
	message_free(&m);
}

static void
a_status_request_is_answered(void **state)
{
	struct world *w = *state;
	struct letter l = good;
	struct wire_receive again;
	struct message m = {0};

	l.type = MESSAGE_STATUS_REQUEST;
	w->reply_count = 1;
	w->replies[0] = (struct wire_receive_reply){.outcome = RECEIVE_STATUS,
	    .status = {.status = STATUS_CLOSED, .id = {.uri_register = "12", .uri_sequence = "7"},
	        .date_close = "2026-12-01"}};
	read_reply(w, &l, &m);
	assert_int_equal(m.status.status, STATUS_CLOSED);
	assert_string_equal(m.status.id.uri_sequence, "7");
	assert_string_equal(m.status.date_close, "2026-12-01");
	second_receive(w, &again);
	assert_int_equal(again.message_type, MESSAGE_STATUS_REQUEST);
	message_free(&m);

	world_reset(state);
	w->reply_count = 1;
	w->replies[0] = (struct wire_receive_reply){
	    .outcome = RECEIVE_STATUS, .status = {.status = STATUS_NOT_FOUND}};
	read_reply(w, &l, &m);
	assert_int_equal(m.status.status, STATUS_NOT_FOUND);
	assert_true(guid_equal(&m.status.id.guid, &again.document.guid));
	message_free(&m);
}

static void
notices_get_the_empty_result(void **state)
{
	static const enum message_type types[] = {MESSAGE_STATUS_RESPONSE, MESSAGE_ERROR};
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++) {
		struct letter l = good;
		struct wire_receive in;
		struct wire_reply out;
		l.type = types[i];
		await_reply(w, send_letter(w, &l), &out);
		assert_int_equal(out.http_status, 200);
		assert_null(memmem(out.body.data, out.body.len, "Message", 7));
		await_receive(w, &in);
		assert_true(in.has_answer);
		assert_true(guid_is_zero(&in.answer_guid));
		if (types[i] == MESSAGE_STATUS_RESPONSE) {
			assert_int_equal(in.status.status, STATUS_REGISTERED);
			assert_string_equal(in.status.id.number, "А-7");
		} else {
			assert_string_equal(in.error_text, "отказ");
		}
	}
}

static void
news_about_nothing_of_ours(void **state)
{
	struct world *w = *state;
	struct letter l = good;
	struct wire_receive again;
	struct wire_reply out;
	struct message m = {0};

	l.type = MESSAGE_STATUS_RESPONSE;
	w->reply_count = 1;
	w->replies[0] = (struct wire_receive_reply){.outcome = RECEIVE_UNKNOWN};
	read_reply(w, &l, &m);
	assert_int_equal(m.type, MESSAGE_ERROR);
	assert_non_null(strstr(m.error.description, "[D-103]"));
	second_receive(w, &again);
	assert_int_equal(again.fault, FAULT_DOCUMENT_UNKNOWN);
	message_free(&m);

	world_reset(state);
	l.type = MESSAGE_ERROR; /* an Error is never answered with an Error */
	w->reply_count = 1;
	w->replies[0] = (struct wire_receive_reply){.outcome = RECEIVE_UNKNOWN};
	await_reply(w, send_letter(w, &l), &out);
	assert_null(memmem(out.body.data, out.body.len, "Message", 7));
	second_receive(w, &again);
	assert_int_equal(again.fault, FAULT_DOCUMENT_UNKNOWN);
}

/* Own trouble: nothing was accepted, and nothing is said. */

static void
own_trouble_is_temporary(void **state)
{
	struct world *w = *state;

	w->reply_count = 1;
	w->replies[0] =
	    (struct wire_receive_reply){.outcome = RECEIVE_TEMPORARY, .fault = FAULT_DISK_FULL};
	expect_unavailable(w, send_letter(w, &good));

	static const enum role_id others[] = {ROLE_SIGNER, ROLE_STORE};
	for (size_t i = 0; i < 2; i++) {
		world_reset(state);
		w->signer_silent = w->store_silent = true;
		if (others[i] == ROLE_STORE)
			w->signer_silent = false;
		uint64_t id = send_letter(w, &good);
		world_await(w, others[i] == ROLE_STORE ? WIRE_RECEIVE : WIRE_SIGN);
		world_kill(w, others[i]);
		expect_unavailable(w, id);                        /* it died while we waited */
		expect_unavailable(w, send_letter(w, &good));     /* it is not back yet */
	}
	world_reset(state);
	accepted(w, &good);
}

static void
a_store_without_end_is_not_asked_for_ever(void **state)
{
	struct world *w = *state;

	w->reply_count = 4;
	for (int i = 0; i < 4; i++)
		w->replies[i] = (struct wire_receive_reply){
		    .outcome = RECEIVE_KNOWN, .status = {.status = STATUS_REGISTERED}};
	expect_unavailable(w, send_letter(w, &good));
	assert_int_equal(world_count(w, WIRE_RECEIVE), 3);
}

/* A role that lives and never answers: its jobs do not stay for ever. */
static void
overdue_jobs_end(void **state)
{
	struct world *w = *state;
	struct codec *c = w->self.state;

	w->store_silent = true;
	uint64_t id = send_letter(w, &good);
	world_await(w, WIRE_RECEIVE);
	for (int i = 0; i < JOBS_MAX; i++)
		c->jobs[i].since -= (WAIT_SECONDS + 1) * WHEN_SECOND;
	expect_unavailable(w, id);
}

static void
jobs_of_a_dead_front_end_silently(void **state)
{
	struct world *w = *state;

	w->store_silent = true;
	send_letter(w, &good);
	struct ipc_frame *f = world_await(w, WIRE_RECEIVE);
	assert_int_equal(world_in_flight(w), 1);
	world_kill(w, ROLE_FRONT);
	assert_int_equal(world_in_flight(w), 0);
	struct wire_receive_reply r = {.outcome = RECEIVE_STORED};
	wire_send(w->far[ROLE_STORE], WIRE_RECEIVE_REPLY, f->id, &r, NULL, 0); /* too late: ignored */
	world_reset(state);
	accepted(w, &good);
}

static void
the_table_of_jobs_is_bounded(void **state)
{
	struct world *w = *state;
	struct buf soap;
	struct signing s;

	w->signer_silent = true;
	write_letter(w, &good, &soap, &s);
	for (int i = 0; i < JOBS_MAX + 1; i++)
		submit(w, &soap, &s);
	struct wire_reply out;
	assert_true(wire_unpack(world_await(w, WIRE_REPLY), WIRE_REPLY, &out));
	assert_int_equal(out.http_status, 503);
	while (world_count(w, WIRE_SIGN) < JOBS_MAX)
		event_base_loop(w->self.base, EVLOOP_ONCE);
	assert_int_equal(world_in_flight(w), JOBS_MAX);
	world_kill(w, ROLE_SIGNER);
	assert_int_equal(world_in_flight(w), 0);
	buf_free(&soap);
	signing_free(&s);
}

#define TEST(name) cmocka_unit_test_setup(name, world_reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_document_is_stored_with_its_answer),
	    TEST(the_answer_waits_for_the_store),
	    TEST(a_known_document_gets_its_status),
	    TEST(a_repeat_gets_the_stored_answer),
	    TEST(other_content_under_one_guid_is_refused),
	    TEST(a_status_request_is_answered),
	    TEST(notices_get_the_empty_result),
	    TEST(news_about_nothing_of_ours),
	    TEST(own_trouble_is_temporary),
	    TEST(a_store_without_end_is_not_asked_for_ever),
	    TEST(overdue_jobs_end),
	    TEST(jobs_of_a_dead_front_end_silently),
	    TEST(the_table_of_jobs_is_bounded),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
