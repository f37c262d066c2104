/* Details of a document: JSON to model and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "obmend/codec_details.h"

static const char full[] =
    "{\"number\":\"РД-1 \\\"а\\\"\\\\\\n\",\"date\":\"2026-11-20\",\"uri_register\":\"12\","
    "\"uri_sequence\":\"7\",\"uri_date\":\"2026-11-19\","
    "\"document_guid\":\"{dd090000-0000-0000-0000-000000000000}\","
    "\"parent\":{\"number\":\"П-2\",\"date\":\"2026-01-01\","
    "\"document_guid\":\"{ee090000-0000-0000-0000-000000000000}\"},"
    "\"kind\":\"Писмо\",\"about\":\"Относно\",\"comment\":\"к\",\"service_name\":\"у\","
    "\"service_type\":\"т\",\"service_code\":\"123\",\"date_close\":\"2026-12-31\","
    "\"attention_to\":\"Иванов\",\"message_comment\":\"N/A\","
    "\"correspondents\":[{\"name\":\"Иван\",\"city\":\"София\",\"address\":\"ул.\",\"egn\":\"1\","
    "\"id_card\":\"2\",\"bulstat\":\"3\",\"email\":\"a@example.invalid\",\"phone\":\"4\","
    "\"mobile\":\"5\",\"mol\":\"6\",\"comment\":\"7\",\"kind\":\"Corr_Other\"},"
    "{\"name\":\"Мария\",\"city\":\"Варна\"}],"
    "\"attachments\":[{\"file_name\":\"a.pdf\",\"mime_type\":\"application/pdf\",\"comment\":\"п\","
    "\"size\":5},{\"file_name\":\"b\",\"mime_type\":\"text/plain\",\"size\":0}]}";

static enum fault
read_text(const char *text, struct arena *arena, struct document *d, const char **comment,
    char detail[64])
{
	detail[0] = 0;
	return details_read(text, strlen(text), arena, d, comment, detail, 64);
}

static void
everything_survives_a_round_trip(void **state)
{
	struct arena arena = {0};
	struct document d;
	struct buf out = {0};
	const char *comment;
	char detail[64];

	(void)state;
	assert_int_equal(read_text(full, &arena, &d, &comment, detail), FAULT_NONE);
	assert_true(details_write(&out, &d, comment));
	json_t *before = json_loads(full, 0, NULL), *after = json_loads(buf_str(&out), 0, NULL);
	assert_non_null(before);
	assert_non_null(after);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	buf_free(&out);
	arena_free(&arena);
}

static void
attachments_follow_one_another(void **state)
{
	struct arena arena = {0};
	struct document d;
	const char *comment;
	char detail[64];

	(void)state;
	assert_int_equal(read_text("{\"attachments\":[{\"file_name\":\"a\",\"size\":5},"
	                           "{\"file_name\":\"b\",\"size\":9},{\"file_name\":\"c\",\"size\":1}]}",
	                     &arena, &d, &comment, detail),
	    FAULT_NONE);
	assert_int_equal(d.attachment_count, 3);
	assert_int_equal(d.attachments->offset, 0);
	assert_int_equal(d.attachments->next->offset, 5);
	assert_int_equal(d.attachments->next->next->offset, 14);
	assert_string_equal(d.kind, "");
	assert_null(comment);
	arena_free(&arena);
}

static void
control_characters_are_escaped(void **state)
{
	struct document d = {.about = "a\x01\tb"};
	struct buf out = {0};

	(void)state;
	assert_true(details_write(&out, &d, NULL));
	assert_string_equal(buf_str(&out), "{\"about\":\"a\\u0001\\u0009b\"}");
	buf_free(&out);
}

static void
bad_details_are_named(void **state)
{
	static const struct {
		const char *text;
		enum fault fault;
		const char *detail;
	} cases[] = {
	    {"", FAULT_INTERNAL, "no memory"}, /* what no memory looks like, too */
	    {"[]", FAULT_FIELD_VALUE, "details"},
	    {"{\"about\":5}", FAULT_FIELD_VALUE, "about"},
	    {"{\"number\":\"1\"}", FAULT_FIELD_MISSING, "date"},
	    {"{\"number\":\"1\",\"date\":\"20.11.2026\"}", FAULT_FIELD_VALUE, "date"},
	    {"{\"date_close\":\"2026-02-30\"}", FAULT_FIELD_VALUE, "date_close"},
	    {"{\"uri_register\":\"x\"}", FAULT_FIELD_VALUE, "uri_register"},
	    {"{\"document_guid\":\"{12}\"}", FAULT_FIELD_VALUE, "document_guid"},
	    {"{\"parent\":{\"number\":\"1\",\"date\":\"2026-01-01\"}}", FAULT_FIELD_MISSING,
	        "parent.document_guid"},
	    {"{\"correspondents\":{}}", FAULT_FIELD_VALUE, "correspondents"},
	    {"{\"correspondents\":[{\"city\":\"София\"}]}", FAULT_FIELD_MISSING, "correspondents.name"},
	    {"{\"attachments\":[5]}", FAULT_FIELD_VALUE, "attachments"},
	    {"{\"attachments\":[{\"size\":5}]}", FAULT_FIELD_MISSING, "attachments.file_name"},
	    {"{\"attachments\":[{\"file_name\":\"a\",\"size\":-1}]}", FAULT_FIELD_VALUE,
	        "attachments.size"},
	    {"{\"attachments\":[{\"file_name\":\"a\"}]}", FAULT_FIELD_VALUE, "attachments.size"},
	    {"{\"about\":\"a\\u0000b\"}", FAULT_FIELD_VALUE, "details"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena arena = {0};
		struct document d;
		const char *comment;
		char detail[64];
		enum fault fault = read_text(cases[i].text, &arena, &d, &comment, detail);
		if (fault != cases[i].fault || strcmp(detail, cases[i].detail) != 0)
			fail_msg("%s: %s %s", cases[i].text, fault_code(fault), detail);
		arena_free(&arena);
	}
}

static void
no_memory_is_no_verdict(void **state)
{
	struct arena arena = {.max = 64};
	struct document d;
	const char *comment;
	char detail[64];

	(void)state;
	assert_int_equal(read_text(full, &arena, &d, &comment, detail), FAULT_INTERNAL);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything_survives_a_round_trip),
	    cmocka_unit_test(attachments_follow_one_another),
	    cmocka_unit_test(control_characters_are_escaped),
	    cmocka_unit_test(bad_details_are_named),
	    cmocka_unit_test(no_memory_is_no_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
