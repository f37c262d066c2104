/* What peers answer, classified: only what is verified is believed. */
#include "codec_world.h"

static const struct guid our_message = {{0x0a, 1}}, document = {{0xdd, 1, 2, 3}};

/* Courier hands codec an answer to something that A sent to B. */
static void
answer(struct world *w, const void *text, size_t len, unsigned http_status)
{
	struct buf der = {0};
	struct signing tls;

	world_load(w, "b", &tls);
	struct wire_answer a = {
	    .kind = DELIVERY_DOCUMENT,
	    .sender = who[A].guid,
	    .recipient = who[B].guid,
	    .message_guid = our_message,
	    .document_guid = document,
	    .url = "https://obrazets.ob.obmen.local/EGov",
	    .tls_certificate = der_of(&tls, &der),
	    .http_status = http_status,
	    .sent = when_now() - WHEN_SECOND,
	    .answered = when_now(),
	    .body = {.data = {text, len}, .size = len},
	};
	int fd = -1;
	if (len > WIRE_INLINE_BODY) {
		fd = wire_memfd("answer", text, len);
		a.body = (struct wire_body){.in_fd = true, .size = len};
	}
	wire_send(w->far[ROLE_COURIER], WIRE_ANSWER, ++w->next_id, &a, &fd, fd >= 0);
	signing_free(&tls);
	buf_free(&der);
}

static void
await_answered(struct world *w, struct wire_answered *a)
{
	struct ipc_frame *f = world_await(w, WIRE_ANSWERED);

	assert_true(wire_unpack(f, WIRE_ANSWERED, a));
	assert_int_equal(f->id, w->next_id);
	assert_int_equal(world_in_flight(w), 0);
}

/* Signs m with a certificate and hands it in. Takes m. */
static void
answer_signed(struct world *w, struct message *m, const char *certificate, struct wire_answered *a)
{
	struct signing s;
	struct buf soap;

	world_load(w, certificate, &s);
	peer_wrap(&soap, ENVELOPE_RESPONSE, peer_sign(m, &s, SIGNATURE_RSA_SHA1));
	answer(w, soap.data, soap.len, 200);
	await_answered(w, a);
	assert_int_equal(a->body.data.len, soap.len);
	assert_memory_equal(a->body.data.data, soap.data, soap.len);
	buf_free(&soap);
	signing_free(&s);
}

static void
a_verified_status(void **state)
{
	struct world *w = *state;
	struct wire_answered a;

	answer_signed(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "b", &a);
	assert_int_equal(a.answer, ANSWER_STATUS);
	assert_int_equal(a.fault, FAULT_NONE);
	assert_int_equal(a.status.status, STATUS_REGISTERED);
	assert_string_equal(a.status.id.number, "А-7");
	assert_false(guid_is_zero(&a.answer_guid));
	assert_int_equal(a.proof.method, SIGNATURE_RSA_SHA1);
	assert_string_equal(a.proof.peer_address, "https://obrazets.ob.obmen.local/EGov");
	assert_int_equal(a.http_status, 200);
}

static void
a_verified_error(void **state)
{
	struct world *w = *state;
	struct message *m = peer_message(B, A, MESSAGE_ERROR);
	struct wire_answered a;

	m->error.has_message_guid = true;
	m->error.message_guid = our_message;
	answer_signed(w, m, "b", &a);
	assert_int_equal(a.answer, ANSWER_ERROR);
	assert_int_equal(a.error_type, ERROR_EXTERNAL);
	assert_string_equal(a.detail, "отказ");

	answer_signed(w, peer_message(B, A, MESSAGE_ERROR), "b", &a); /* without MessageGUID */
	assert_int_equal(a.answer, ANSWER_ERROR);
}

static void
unverifiable(struct world *w, struct message *m, const char *certificate, enum fault fault)
{
	struct wire_answered a;

	answer_signed(w, m, certificate, &a);
	assert_int_equal(a.answer, ANSWER_UNVERIFIABLE);
	assert_int_equal(a.fault, fault);
	assert_int_equal(a.status.status, STATUS_UNKNOWN); /* nothing of it is passed on */
}

static void
what_cannot_be_verified_proves_nothing(void **state)
{
	struct world *w = *state;
	struct message *m;

	unverifiable(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "c", FAULT_CERTIFICATE_SERIAL);
	unverifiable(w, peer_message(C, A, MESSAGE_STATUS_RESPONSE), "c", FAULT_PEER_UNVERIFIABLE);
	unverifiable(w, peer_message(B, C, MESSAGE_STATUS_RESPONSE), "b", FAULT_PEER_UNVERIFIABLE);
	unverifiable(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "revoked",
	    FAULT_CERTIFICATE_REVOKED);
	m = peer_message(B, A, MESSAGE_STATUS_RESPONSE);
	m->status.id.guid.b[15] = 1;
	unverifiable(w, m, "b", FAULT_PEER_UNVERIFIABLE);
	m = peer_message(B, A, MESSAGE_ERROR);
	m->error.has_message_guid = true;
	m->error.message_guid = document; /* anything but our message */
	unverifiable(w, m, "b", FAULT_PEER_UNVERIFIABLE);
	w->conf.accept_sha1 = false;
	unverifiable(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "b", FAULT_SIGNATURE_SHA1);
}

static void
a_changed_answer_is_unverifiable(void **state)
{
	struct world *w = *state;
	struct signing s;
	struct buf soap;
	struct wire_answered a;

	world_load(w, "b", &s);
	peer_wrap(&soap, ENVELOPE_RESPONSE,
	    replace_once(peer_sign(peer_message(B, A, MESSAGE_STATUS_RESPONSE), &s, SIGNATURE_RSA_SHA256),
	        "DS_REGISTERED", "DS_REJECTED"));
	answer(w, soap.data, soap.len, 200);
	await_answered(w, &a);
	assert_int_equal(a.answer, ANSWER_UNVERIFIABLE);
	assert_int_equal(a.fault, FAULT_SIGNATURE_DIGEST);
	buf_free(&soap);
	signing_free(&s);
}

static void
a_bridge_answers_in_its_own_name_when_configured(void **state)
{
	struct world *w = *state;
	struct wire_answered a;

	unverifiable(w, peer_message(BRIDGE, A, MESSAGE_STATUS_RESPONSE), "stranger",
	    FAULT_PEER_UNVERIFIABLE);
	unverifiable(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "stranger",
	    FAULT_CERTIFICATE_SERIAL);
	w->peers[0].bridge = true;
	answer_signed(w, peer_message(BRIDGE, A, MESSAGE_STATUS_RESPONSE), "stranger", &a);
	assert_int_equal(a.answer, ANSWER_STATUS);
	answer_signed(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "stranger", &a);
	assert_int_equal(a.answer, ANSWER_STATUS);
}

/* eDelivery's internal statuses travel by accident (section 3): unknown, not an error. */
static void
an_internal_status_is_unknown(void **state)
{
	struct world *w = *state;
	char path[300], command[1600], *inner = calloc(1, 65536);
	struct signing s;
	struct wire_answered a;
	struct buf soap;

	/* Our writer would refuse it, so xmlsec1 signs the changed text. */
	world_load(w, "b", &s);
	snprintf(path, sizeof path, "%s/internal.xml", w->folder);
	char *text = peer_sign(peer_message(B, A, MESSAGE_STATUS_RESPONSE), &s, SIGNATURE_RSA_SHA256);
	text = replace_once(text, "DS_REGISTERED", "DS_SENT_FAILED");
	text = cut_out(text, "<DigestValue>", "</DigestValue>");
	text = cut_out(text, "<SignatureValue>", "</SignatureValue>");
	text = replace_once(text, "</Reference>", "<DigestValue/></Reference>");
	text = replace_once(text, "</SignedInfo>", "</SignedInfo><SignatureValue/>");
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	free(text);
	snprintf(command, sizeof command,
	    "cd '%s' && xmlsec1 --sign --privkey-pem b.key --node-xpath "
	    "\"/*/*[local-name()='Signature']\" --output signed.xml internal.xml >xmlsec1.log 2>&1",
	    w->folder);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof path, "%s/signed.xml", w->folder);
	f = fopen(path, "r");
	assert_true(fread(inner, 1, 65535, f) > 1000);
	fclose(f);
	peer_wrap(&soap, ENVELOPE_RESPONSE, inner);
	answer(w, soap.data, soap.len, 200);
	await_answered(w, &a);
	assert_int_equal(a.fault, FAULT_NONE);
	assert_int_equal(a.answer, ANSWER_STATUS);
	assert_int_equal(a.status.status, STATUS_UNKNOWN);
	buf_free(&soap);
	signing_free(&s);
}

#define ENVELOPE(body)                                                                             \
	"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>" body                \
	"</s:Body></s:Envelope>"
#define RESPONSE(result)                                                                           \
	ENVELOPE("<SubmitResponse xmlns='http://services.egov.bg/messaging/'>" result "</SubmitResponse>")

static void
what_is_no_message(void **state)
{
	static const struct {
		const char *text;
		unsigned http_status;
		enum answer_kind answer;
		enum fault fault;
	} cases[] = {
	    {RESPONSE("<SubmitResult/>"), 200, ANSWER_EMPTY, FAULT_NONE},
	    {RESPONSE("<SubmitResult xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>"),
	        200, ANSWER_EMPTY, FAULT_NONE},
	    {RESPONSE(""), 200, ANSWER_EMPTY, FAULT_NONE},
	    {RESPONSE("<SubmitResult/>"), 500, ANSWER_FAULT, FAULT_PEER_FAULT},
	    {ENVELOPE("<s:Fault><faultcode>s:Client</faultcode><faultstring>no good</faultstring></s:Fault>"),
	        500, ANSWER_FAULT, FAULT_PEER_FAULT},
	    {ENVELOPE("<s:Fault><faultcode>s:Client</faultcode><faultstring>no good</faultstring></s:Fault>"),
	        200, ANSWER_FAULT, FAULT_PEER_FAULT},
	    {"<html>Service unavailable</html>", 500, ANSWER_FAULT, FAULT_PEER_FAULT},
	    {"<html>It works!</html>", 200, ANSWER_UNREADABLE, FAULT_SOAP_UNEXPECTED},
	    {"", 200, ANSWER_UNREADABLE, FAULT_SOAP_MALFORMED},
	    {"garbage", 200, ANSWER_UNREADABLE, FAULT_SOAP_MALFORMED},
	    {RESPONSE("<SubmitResult>&lt;Message a=&gt;</SubmitResult>"), 200, ANSWER_UNREADABLE,
	        FAULT_XML_MALFORMED},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wire_answered a;
		answer(w, cases[i].text, strlen(cases[i].text), cases[i].http_status);
		await_answered(w, &a);
		if (a.answer != cases[i].answer || a.fault != cases[i].fault)
			fail_msg("case %zu: answer %d fault %s (%s)", i, (int)a.answer,
			    fault_code((enum fault)a.fault), a.detail ? a.detail : "");
		if (strstr(cases[i].text, "no good"))
			assert_string_equal(a.detail, "no good");
	}
}

static void
a_message_that_is_no_answer(void **state)
{
	struct world *w = *state;
	struct wire_answered a;

	answer_signed(w, peer_message(B, A, MESSAGE_REGISTRATION_REQUEST), "b", &a);
	assert_int_equal(a.answer, ANSWER_UNREADABLE);
	assert_int_equal(a.fault, FAULT_MESSAGE_MISMATCH);
}

static void
an_unknown_certificate_is_looked_up(void **state)
{
	struct world *w = *state;

	w->lookup_asked = true;
	unverifiable(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "c", FAULT_CERTIFICATE_SERIAL);
	assert_int_equal(world_count(w, WIRE_LOOKUP), 1);
	world_kill(w, ROLE_DIRECTORY); /* without a directory the last copy decides */
	unverifiable(w, peer_message(B, A, MESSAGE_STATUS_RESPONSE), "c", FAULT_CERTIFICATE_SERIAL);
}

static void
an_answer_outlives_its_courier(void **state)
{
	struct world *w = *state;
	struct signing s;
	struct buf soap;
	struct wire_answered a;

	w->directory_silent = true;
	world_load(w, "c", &s);
	peer_wrap(&soap, ENVELOPE_RESPONSE,
	    peer_sign(peer_message(B, A, MESSAGE_STATUS_RESPONSE), &s, SIGNATURE_RSA_SHA1));
	answer(w, soap.data, soap.len, 200);
	world_await(w, WIRE_LOOKUP);
	world_kill(w, ROLE_COURIER);
	world_kill(w, ROLE_DIRECTORY);
	await_answered(w, &a);
	assert_int_equal(a.answer, ANSWER_UNREADABLE);
	buf_free(&soap);
	signing_free(&s);
}

#define TEST(name) cmocka_unit_test_setup(name, world_reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_verified_status),
	    TEST(a_verified_error),
	    TEST(what_cannot_be_verified_proves_nothing),
	    TEST(a_changed_answer_is_unverifiable),
	    TEST(a_bridge_answers_in_its_own_name_when_configured),
	    TEST(an_internal_status_is_unknown),
	    TEST(what_is_no_message),
	    TEST(a_message_that_is_no_answer),
	    TEST(an_unknown_certificate_is_looked_up),
	    TEST(an_answer_outlives_its_courier),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
