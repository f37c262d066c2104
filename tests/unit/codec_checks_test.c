/* Every check of an incoming message: what is refused, with which fault, and what is tolerated. */
#include "codec_letter.h"

/* The peer's method is answered with the same; switches overrule. */
static void
answers_use_the_method_that_the_peer_used(void **state)
{
	static const struct {
		enum signature_method sent;
		enum signature_policy global, peer;
		enum signature_method answered;
	} cases[] = {
	    {SIGNATURE_RSA_SHA1, SIGN_AUTO, SIGN_AUTO, SIGNATURE_RSA_SHA1},
	    {SIGNATURE_RSA_SHA256, SIGN_AUTO, SIGN_AUTO, SIGNATURE_RSA_SHA256},
	    {SIGNATURE_RSA_SHA512, SIGN_AUTO, SIGN_AUTO, SIGNATURE_RSA_SHA256},
	    {SIGNATURE_RSA_SHA256, SIGN_SHA1, SIGN_AUTO, SIGNATURE_RSA_SHA1},
	    {SIGNATURE_RSA_SHA1, SIGN_SHA1, SIGN_SHA256, SIGNATURE_RSA_SHA256},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct letter l = good;
		struct wire_reply out;
		struct message m = {0};
		l.from = BRIDGE; /* the one with a [peer] section */
		l.certificate = "stranger";
		l.method = cases[i].sent;
		w->conf.signature = cases[i].global;
		w->peers[0].signature = cases[i].peer;
		await_reply(w, send_letter(w, &l), &out);
		assert_int_equal(out.http_status, 200);
		read_signed(w, out.body, ENVELOPE_RESPONSE, &m, cases[i].answered);
		assert_int_equal(m.type, MESSAGE_STATUS_RESPONSE);
		message_free(&m);
	}
}

/* One refusal: a signed Error that names the fault, stored as evidence with the exact bytes. */
static void
expect_refusal(struct world *w, uint64_t id, enum fault fault)
{
	struct wire_receive in;
	struct wire_reply out;
	struct message m = {0};
	char code[16];

	await_reply(w, id, &out);
	assert_int_equal(out.http_status, 200);
	read_signed(w, out.body, ENVELOPE_RESPONSE, &m, w->conf.signature == SIGN_SHA256
	    ? SIGNATURE_RSA_SHA256 : SIGNATURE_RSA_SHA1);
	assert_int_equal(m.type, MESSAGE_ERROR);
	assert_int_equal(m.error.type, ERROR_EXTERNAL);
	snprintf(code, sizeof code, "[%s]", fault_code(fault));
	if (!strstr(m.error.description, code))
		fail_msg("expected %s, got %s", code, m.error.description);
	assert_true(guid_equal(&m.sender.guid, &who[A].guid));
	await_receive(w, &in);
	assert_int_equal(in.fault, fault);
	assert_true(in.answered);
	assert_true(in.has_answer);
	assert_true(guid_equal(&m.error.message_guid, &in.message_guid));
	assert_true(in.body.data.len > 1000 || in.body.in_fd);
	assert_int_equal(in.details.len, 0);
	message_free(&m);
}

static void
each_check_refuses(void **state)
{
	static const struct {
		struct letter l;
		enum fault fault;
	} cases[] = {
	    {{.from = B, .to = C, .certificate = "b"}, FAULT_RECIPIENT_NOT_HERE},
	    {{.from = B, .to = A, .certificate = "b", .to_eik = "990000031"}, FAULT_RECIPIENT_NOT_HERE},
	    {{.from = GONE, .to = A, .certificate = "b"}, FAULT_SENDER_UNKNOWN},
	    {{.from = SLEEPING, .to = A, .certificate = "b"}, FAULT_SENDER_INACTIVE},
	    {{.from = INACTIVE, .to = A, .certificate = "b"}, FAULT_SENDER_INACTIVE},
	    {{.from = B, .to = A, .certificate = "b", .eik = "990000031"}, FAULT_SENDER_INCONSISTENT},
	    {{.from = B, .to = A, .certificate = "b", .find = "Писмо", .put = "Письмо"},
	        FAULT_SIGNATURE_DIGEST},
	    {{.from = B, .to = A, .certificate = "c"}, FAULT_CERTIFICATE_SERIAL},
	    {{.from = C, .to = A, .certificate = "renewed"}, FAULT_CERTIFICATE_SERIAL},
	    {{.from = C, .to = A, .certificate = "otherca"}, FAULT_CERTIFICATE_CHAIN},
	    {{.from = C, .to = A, .certificate = "selfsigned"}, FAULT_CERTIFICATE_CHAIN},
	    {{.from = C, .to = A, .certificate = "expired"}, FAULT_CERTIFICATE_EXPIRED},
	    {{.from = C, .to = A, .certificate = "notyet", .tls = "c"}, FAULT_CERTIFICATE_NOT_YET},
	    {{.from = C, .to = A, .certificate = "revoked"}, FAULT_CERTIFICATE_REVOKED},
	    {{.from = B, .to = A, .certificate = "b", .find = "<X509Data>", .put = "<X509Date>"},
	        FAULT_XML_MALFORMED},
	    {{.from = B, .to = A, .certificate = "b", .find = "<Reference URI=\"\">",
	         .put = "<Reference URI=\"#a\">"},
	        FAULT_SIGNATURE_REFERENCE},
	    {{.from = B, .to = A, .certificate = "b", .find = "MSG_DocumentRegistrationRequest",
	         .put = "MSG_DocumentStatusRequest"},
	        FAULT_MESSAGE_MISMATCH},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct letter l = cases[i].l;
		l.type = MESSAGE_REGISTRATION_REQUEST;
		l.method = SIGNATURE_RSA_SHA1;
		expect_refusal(w, send_letter(w, &l), cases[i].fault);
		world_reset(state);
	}
}

/* What only time, or setting the clock, can mend is refused for a time: 503, and nothing is kept. */
static void
a_clock_that_is_behind_refuses_nothing_for_good(void **state)
{
	struct world *w = *state;
	struct wire_reply out;
	struct letter l = {.from = C, .to = A, .certificate = "notyet",
	    .type = MESSAGE_REGISTRATION_REQUEST, .method = SIGNATURE_RSA_SHA1};

	/* The very certificate that the handshake let pass. */
	await_reply(w, send_letter(w, &l), &out);
	assert_int_equal(out.http_status, 503);
	world_reset(state);
	l.certificate = "c";
	w->self.clock_floor = when_now() + WHEN_SECOND * 86400;
	await_reply(w, send_letter(w, &l), &out);
	assert_int_equal(out.http_status, 503);
	for (unsigned i = 0; i < w->seen_count; i++)
		assert_int_not_equal(w->seen[i].frame.type, WIRE_RECEIVE);
	w->self.clock_floor = 0;
	world_reset(state);
	await_reply(w, send_letter(w, &l), &out);
	assert_int_equal(out.http_status, 200);
}

static void
an_unsigned_message_is_refused(void **state)
{
	struct world *w = *state;
	struct buf soap;
	struct signing s;

	world_load(w, "b", &s);
	peer_wrap(&soap, ENVELOPE_REQUEST,
	    cut_out(peer_sign(peer_message(B, A, MESSAGE_STATUS_REQUEST), &s, SIGNATURE_RSA_SHA1),
	        "<Signature", "</Signature>"));
	expect_refusal(w, submit(w, &soap, &s), FAULT_SIGNATURE_MISSING);
	buf_free(&soap);
	signing_free(&s);
}

/* Section 4: without a certificate only when the registered one is known: from the connection. */
static void
a_signature_without_certificate_needs_the_registered_one(void **state)
{
	struct world *w = *state;
	struct buf soap;
	struct signing s, other;
	struct wire_reply out;
	struct wire_receive in;

	world_load(w, "b", &s);
	peer_wrap(&soap, ENVELOPE_REQUEST,
	    cut_out(peer_sign(peer_message(B, A, MESSAGE_STATUS_RESPONSE), &s, SIGNATURE_RSA_SHA256),
	        "<X509Certificate>", "</X509Certificate>"));
	await_reply(w, submit(w, &soap, &s), &out);
	await_receive(w, &in);
	assert_int_equal(in.fault, FAULT_NONE);
	world_reset(state);
	w->conf.signature = SIGN_SHA256;
	world_load(w, "c", &other);
	expect_refusal(w, submit(w, &soap, &other), FAULT_CERTIFICATE_MISSING);
	buf_free(&soap);
	signing_free(&s);
	signing_free(&other);
}

static void
switches_refuse(void **state)
{
	struct world *w = *state;
	struct letter l = good;

	l.method = SIGNATURE_RSA_SHA1;
	w->conf.accept_sha1 = false;
	expect_refusal(w, send_letter(w, &l), FAULT_SIGNATURE_SHA1);
	world_reset(state);

	l.tls = "c";
	w->conf.tls_client_binding = true;
	expect_refusal(w, send_letter(w, &l), FAULT_CERTIFICATE_TLS);
	world_reset(state);

	l = (struct letter){.from = C, .to = A, .type = MESSAGE_REGISTRATION_REQUEST, .certificate = "c",
	    .method = SIGNATURE_RSA_SHA1};
	w->conf.certificate_name_check = true;
	expect_refusal(w, send_letter(w, &l), FAULT_CERTIFICATE_NAME);
}

static void
tolerances_accept(void **state)
{
	struct world *w = *state;
	const struct codec *c = w->self.state;
	struct letter l = {.from = C, .to = A, .type = MESSAGE_REGISTRATION_REQUEST, .certificate = "c",
	    .method = SIGNATURE_RSA_SHA1};
	uint64_t before = c->stats.name_mismatch, sha1 = c->stats.sha1;

	accepted(w, &l); /* the name is another: only counted */
	assert_int_equal(c->stats.name_mismatch, before + 1);
	assert_int_equal(c->stats.sha1, sha1 + 1);
	world_reset(state);
	l = good;
	l.tls = "c";
	accepted(w, &l); /* another TLS certificate */
	world_reset(state);
	l = good;
	l.eik = " 990000024 ";
	accepted(w, &l);
	world_reset(state);
	w->conf.tls_client_binding = w->conf.certificate_name_check = true;
	accepted(w, &good);
}

static void
a_bridge_signs_for_others_only_when_configured(void **state)
{
	struct world *w = *state;
	struct letter l = good;

	l.certificate = "stranger"; /* BRIDGE's registered certificate, B's message */
	l.method = SIGNATURE_RSA_SHA1;
	expect_refusal(w, send_letter(w, &l), FAULT_CERTIFICATE_SERIAL);
	world_reset(state);
	w->peers[0].bridge = true;
	accepted(w, &l);

	/* A bridge that is no active participant signs for nobody. INACTIVE has B's serial. */
	world_reset(state);
	l.from = C;
	l.certificate = "b";
	w->peers[0] = (struct conf_peer){.guid = who[INACTIVE].guid, .bridge = true};
	expect_refusal(w, send_letter(w, &l), FAULT_CERTIFICATE_SERIAL);
}

static void
an_unknown_sender_is_looked_up_once(void **state)
{
	struct world *w = *state;
	struct letter l = good;

	l.from = GONE;
	l.method = SIGNATURE_RSA_SHA1;
	w->lookup_asked = true; /* and the register does not know it either */
	expect_refusal(w, send_letter(w, &l), FAULT_SENDER_UNKNOWN);
	assert_int_equal(world_count(w, WIRE_LOOKUP), 1);
	world_reset(state);
	w->lookup_asked = w->lookup_publishes = true;
	accepted(w, &l);
	assert_int_equal(world_count(w, WIRE_LOOKUP), 1);
	world_reset(state);
	/* back to the register of the other tests */
	int fd = world_snapshot(false);
	ipc_send(w->far[ROLE_DIRECTORY], WIRE_SNAPSHOT, 0, NULL, 0, &fd, 1);
	while (snapshot_count(((struct codec *)w->self.state)->snapshot) != GONE)
		event_base_loop(w->self.base, EVLOOP_ONCE);
}

static void
an_error_reaches_whoever_is_not_served_here(void **state)
{
	struct world *w = *state;
	struct wire_receive in;
	struct wire_reply out;
	struct letter l = good;

	l.to = C;
	await_reply(w, send_letter(w, &l), &out);
	await_receive(w, &in);
	assert_true(guid_equal(&in.recipient, &who[C].guid)); /* as it was addressed */
}

static void
unreadable_input_gets_a_soap_fault_and_is_not_stored(void **state)
{
	static const struct {
		const char *text;
		enum fault fault;
	} cases[] = {
	    {"", FAULT_SOAP_MALFORMED},
	    {"not xml", FAULT_SOAP_MALFORMED},
	    {"<a/>", FAULT_SOAP_UNEXPECTED},
	    {"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>"
	     "<Submit xmlns='http://services.egov.bg/messaging/'><request/></Submit></s:Body></s:Envelope>",
	        FAULT_SOAP_UNEXPECTED},
	    {"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>"
	     "<Submit xmlns='http://services.egov.bg/messaging/'><request>&lt;Message a=&gt;</request>"
	     "</Submit></s:Body></s:Envelope>",
	        FAULT_XML_MALFORMED},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf soap = {0};
		struct wire_reply out;
		char code[16];
		buf_adds(&soap, cases[i].text);
		await_reply(w, submit(w, &soap, &w->own), &out);
		assert_int_equal(out.http_status, 500);
		snprintf(code, sizeof code, "[%s]", fault_code(cases[i].fault));
		if (!memmem(out.body.data, out.body.len, code, strlen(code)))
			fail_msg("case %zu: %.*s", i, (int)out.body.len, (const char *)out.body.data);
		assert_non_null(memmem(out.body.data, out.body.len, "Fault", 5));
		buf_free(&soap);
	}
	assert_int_equal(world_count(w, WIRE_RECEIVE), 0);
}

static void
figures_are_shown(void **state)
{
	struct world *w = *state;
	json_t *status;

	accepted(w, &good);
	status = role_codec.status(&w->self);
	json_t *requests = json_object_get(json_object_get(status, "inbound"), "registration_request");
	assert_true(json_integer_value(json_object_get(requests, "accepted")) > 0);
	assert_true(json_integer_value(json_object_get(requests, "refused")) > 0);
	assert_true(json_integer_value(json_object_get(json_object_get(status, "faults"), "P-104")) > 0);
	json_t *parse = json_object_get(json_object_get(status, "stages"), "parse");
	assert_true(json_integer_value(json_object_get(parse, "microseconds")) > 0);
	assert_int_equal(json_integer_value(json_object_get(status, "participants")), GONE);
	json_decref(status);
}

#define TEST(name) cmocka_unit_test_setup(name, world_reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(answers_use_the_method_that_the_peer_used),
	    TEST(each_check_refuses),
	    TEST(a_clock_that_is_behind_refuses_nothing_for_good),
	    TEST(an_unsigned_message_is_refused),
	    TEST(a_signature_without_certificate_needs_the_registered_one),
	    TEST(switches_refuse),
	    TEST(tolerances_accept),
	    TEST(a_bridge_signs_for_others_only_when_configured),
	    TEST(an_unknown_sender_is_looked_up_once),
	    TEST(an_error_reaches_whoever_is_not_served_here),
	    TEST(unreadable_input_gets_a_soap_fault_and_is_not_stored),
	    TEST(figures_are_shown),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
