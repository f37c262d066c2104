/* Every message that we write: read back by ourselves, verified by xmlsec1, validated by xmllint. */
#include "message_fixture.h"

#include <unistd.h>

static struct reader *reader;

static void
assert_text(const char *a, const char *b)
{
	if (!a || !b)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void
check_read_back(const struct message *sent, const struct message *got)
{
	assert_int_equal(got->type, sent->type);
	assert_true(guid_equal(&got->guid, &sent->guid));
	assert_text(got->sender.eik, sent->sender.eik);
	assert_text(got->recipient.name, sent->recipient.name);
	assert_text(got->recipient.guid_text, sent->recipient.guid_text);
	assert_int_equal(got->date / 1000000, sent->date / 1000000);
	if (sent->type == MESSAGE_REGISTRATION_REQUEST) {
		const struct document *d = &got->document, *s = &sent->document;
		assert_text(d->id.number, s->id.number);
		assert_text(d->id.date, s->id.date);
		assert_true(d->has_parent && d->parent.has_uri);
		assert_text(d->parent.uri_register, "12");
		assert_text(d->parent.uri_sequence, "345");
		assert_text(d->parent.uri_date, "2026-11-20");
		assert_text(d->correspondents->name, s->correspondents->name);
		assert_text(d->correspondents->next->kind, "Corr_Other");
		assert_null(d->correspondents->next->next);
		assert_text(d->about, s->about);
		assert_text(d->attention_to, s->attention_to);
		assert_text(d->service_code, s->service_code);
		assert_text(got->comment, "N/A");
	} else if (sent->type == MESSAGE_STATUS_RESPONSE) {
		assert_int_equal(got->status.status, STATUS_REJECTED);
		assert_text(got->status.reason, sent->status.reason);
		assert_text(got->status.id.uri_sequence, "345");
	} else if (sent->type == MESSAGE_STATUS_REQUEST) {
		assert_text(got->asked.number, "12-34&5");
	} else {
		assert_true(got->error.has_message_guid);
		assert_text(got->error.description, "грешка   <1>");
	}
}

static void
check_with_tools(const struct fixture *f, const struct buf *text)
{
	char cwd[512];

	assert_non_null(getcwd(cwd, sizeof cwd));
	write_file(f, "m.xml", text->data, text->len);
	int status = run(f, "xmlsec1 --verify --pubkey-cert-pem cert.pem m.xml");
	if (status)
		show_log(f);
	assert_int_equal(status, 0);
	assert_int_equal(run(f, "xmlsec1 --verify --trusted-pem ca.pem m.xml"), 0);
	status = run(f, "xmllint --noout --nonet --schema %s/src/message/schema/message.xsd m.xml", cwd);
	if (status)
		show_log(f);
	assert_int_equal(status, 0);
}

static void
check_type(struct fixture *f, enum message_type type, enum signature_method method)
{
	struct message m = sample_message(type), got = {.type = MESSAGE_NONE};
	struct attachment second = {.file_name = "b.txt", .mime_type = "text/plain", .fd = -1};
	struct attachment first = {.file_name = "a & b.pdf", .mime_type = "application/pdf",
	    .comment = "к", .size = 100001, .offset = 0, .next = &second};
	struct buf text = {.max = 1 << 20};

	first.fd = pattern_fd(first.size);
	if (type == MESSAGE_REGISTRATION_REQUEST)
		m.document.attachments = &first;
	compose(f, &m, method, &text);
	assert_int_equal(draft_size(&m, &f->id, method), text.len);
	assert_fault(judge_text(reader, &got, f->key, (char *)text.data, text.len, 0), FAULT_NONE);
	assert_null(reader_schema_violation(reader));
	assert_int_equal(reader_signature(reader)->method, method);
	check_read_back(&m, &got);
	if (type == MESSAGE_REGISTRATION_REQUEST) {
		assert_int_equal(got.document.attachment_count, 2);
		assert_int_equal(got.document.attachments->size, 100001);
		assert_int_equal(got.document.attachments->next->size, 0);
	}
	check_with_tools(f, &text);
	close(first.fd);
	buf_free(&text);
	message_free(&got);
}

static void
test_every_type(void **state)
{
	for (int type = MESSAGE_REGISTRATION_REQUEST; type < MESSAGE_TYPE_COUNT; type++) {
		check_type(*state, (enum message_type)type, SIGNATURE_RSA_SHA1);
		check_type(*state, (enum message_type)type, SIGNATURE_RSA_SHA256);
	}
	check_type(*state, MESSAGE_ERROR, SIGNATURE_RSA_SHA384);
	check_type(*state, MESSAGE_ERROR, SIGNATURE_RSA_SHA512);
}

/* eDelivery's spelling of the issuer, and a decimal serial. */
static void
test_key_info(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(f->id.issuer, "C=BG, L=Sofia, O=\"Test Information, JSC\", "
	                                  "OID.2.5.4.97=NTRBG-990000001, CN=" CA_NAME);
	assert_string_equal(f->id.serial_decimal, "728224406569967729");
}

static void
expect_refusal(struct fixture *f, const struct message *m, const char *word)
{
	struct buf text = {.max = 0};
	struct draft *d = draft_new(m, &f->id, SIGNATURE_RSA_SHA256, collect_piece, &text);

	assert_int_equal(draft_step(d, 0), DRAFT_FAILED);
	if (!strstr(draft_detail(d), word))
		fail_msg("\"%s\" does not name %s", draft_detail(d), word);
	assert_int_equal(draft_sign(d, "x", 1), DRAFT_FAILED);
	draft_free(d);
	buf_free(&text);
	assert_int_equal(draft_size(m, &f->id, SIGNATURE_RSA_SHA256), 0);
}

static void
test_refuses_what_the_schema_forbids(void **state)
{
	struct message m = sample_message(MESSAGE_REGISTRATION_REQUEST);

#define REFUSED(change, word)                                                                      \
	do {                                                                                       \
		struct message bad = m;                                                            \
		bad.change;                                                                        \
		expect_refusal(*state, &bad, word);                                                \
	} while (0)
	REFUSED(document.kind = NULL, "DocKind");
	REFUSED(document.id.date = "21.11.2026", "DocID");
	REFUSED(document.id.number = NULL, "DocID");
	REFUSED(document.date_close = "later", "DocReqDateClose");
	REFUSED(document.parent.uri_sequence = "0", "DocParentID");
	REFUSED(document.parent.uri_register = "", "DocParentID");
	REFUSED(guid = (struct guid){.b = {0}}, "MessageGUID");
	REFUSED(sender.guid_text = "0b0e7a52-1111-4222-8333-9a9a9a9a9a01", "GUID");
	REFUSED(sender.name = NULL, "AdministrativeBodyName");
	REFUSED(type = MESSAGE_NONE, "MessageType");
	REFUSED(date_text = "today", "MessageDate");
	m.type = MESSAGE_STATUS_RESPONSE;
	REFUSED(status.status = STATUS_UNKNOWN, "DocRegStatus");
#undef REFUSED
}

/* A number that a peer wrote wrongly is left out of our answer instead of stopping it. */
static void
test_echo_of_a_bad_number(void **state)
{
	struct fixture *f = *state;
	struct message m = sample_message(MESSAGE_STATUS_RESPONSE), got = {.type = MESSAGE_NONE};
	struct buf text = {.max = 0};

	m.status.id = (struct document_id){.number = "7", .date = "yesterday",
	    .guid = m.guid, .guid_text = "{0B0E7A52-1111-4222-8333-9A9A9A9A9A09}"};
	compose(f, &m, SIGNATURE_RSA_SHA256, &text);
	assert_fault(judge_text(reader, &got, f->key, (char *)text.data, text.len, 0), FAULT_NONE);
	assert_null(got.status.id.number);
	assert_string_equal(got.status.id.guid_text, "{0B0E7A52-1111-4222-8333-9A9A9A9A9A09}");
	check_with_tools(f, &text);
	buf_free(&text);
	message_free(&got);
}

static void
test_unclean_text(void **state)
{
	struct fixture *f = *state;
	struct message m = sample_message(MESSAGE_ERROR), got = {.type = MESSAGE_NONE};
	struct buf text = {.max = 0};

	m.error.description = "a\x01" "b\xff" "c\r\nd\xed\xa0\x80" "e\xf0\x9f\x98\x80";
	compose(f, &m, SIGNATURE_RSA_SHA1, &text);
	assert_fault(judge_text(reader, &got, f->key, (char *)text.data, text.len, 0), FAULT_NONE);
	assert_string_equal(got.error.description, "a b c \nd   e\xf0\x9f\x98\x80");
	check_with_tools(f, &text);
	buf_free(&text);
	message_free(&got);
}

static void
test_steps_and_short_file(void **state)
{
	struct fixture *f = *state;
	struct message m = sample_message(MESSAGE_REGISTRATION_REQUEST);
	struct attachment a = {.file_name = "a", .mime_type = "b", .size = 200000};
	struct buf text = {.max = 1 << 20};
	unsigned steps = 1;

	a.fd = pattern_fd(a.size);
	m.document.attachments = &a;
	struct draft *d = draft_new(&m, &f->id, SIGNATURE_RSA_SHA1, collect_piece, &text);
	while (draft_step(d, 32768) == DRAFT_MORE)
		steps++;
	assert_in_range(steps, 4, 8);
	draft_free(d);
	a.size++;
	d = draft_new(&m, &f->id, SIGNATURE_RSA_SHA1, collect_piece, &text);
	assert_int_equal(draft_step(d, 0), DRAFT_FAILED);
	assert_non_null(strstr(draft_detail(d), "shorter"));
	draft_free(d);
	close(a.fd);
	buf_free(&text);
}

int
main(void)
{
	log_init("test", -1, LOG_ERROR);
	reader = reader_new(&reader_default_limits);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_type),
	    cmocka_unit_test(test_key_info),
	    cmocka_unit_test(test_refuses_what_the_schema_forbids),
	    cmocka_unit_test(test_echo_of_a_bad_number),
	    cmocka_unit_test(test_unclean_text),
	    cmocka_unit_test(test_steps_and_short_file),
	};
	int failed = cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
	reader_free(reader);
	return failed;
}
