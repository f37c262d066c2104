/* Lines of the log: fields as JSON, warnings that repeat themselves. */
#include "lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>
#include <unistd.h>

static void
assert_json(const char *fields, const char *expected)
{
	char out[1024];

	log_fields_json(fields, out, sizeof out);
	assert_string_equal(out, expected);
}

static void
fields_become_members(void **state)
{
	(void)state;
	assert_json("", "");
	assert_json("a=1 b=\"two words\" c=", ",\"a\":\"1\",\"b\":\"two words\",\"c\":\"\"");
	assert_json("reason=\"he said \"no\" twice\" n=5", ",\"reason\":\"he said \\\"no\\\" twice\",\"n\":\"5\"");
	assert_json("path=\"a\\b\"", ",\"path\":\"a\\\\b\"");
	assert_json("now", ",\"text\":\"now\"");
	assert_json("a=\"not closed", ",\"a\":\"not closed\"");
}

/* Runs what f logs with standard error in a pipe; gives the text. */
static size_t
capture(void (*f)(void), char *out, size_t size)
{
	int fds[2], saved = dup(STDERR_FILENO);

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	f();
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t n = read(fds[0], out, size - 1);
	close(fds[0]);
	out[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static void
log_json_line(void)
{
	log_set_format(LOG_JSON);
	log_info("some.event", "peer=%s text=\"%s\"", "1.2.3.4", "a \"b\" \x01 \\ й");
	log_set_format(LOG_LOGFMT);
}

static void
lines_are_json(void **state)
{
	char text[1024];

	(void)state;
	log_init("tester", 3, LOG_INFO);
	capture(log_json_line, text, sizeof text);
	json_t *j = json_loads(text, 0, NULL);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "role")), "tester3");
	assert_string_equal(json_string_value(json_object_get(j, "event")), "some.event");
	assert_string_equal(json_string_value(json_object_get(j, "text")), "a \"b\" ? \\ й");
	json_decref(j);
}

static void
log_repeats(void)
{
	for (int i = 0; i < 5; i++) {
		log_warning("w.one", "peer=a n=%d", i);
		log_warning("w.one", "peer=b n=%d", i);
		log_error("e.one", "peer=a n=%d", i);
	}
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void
warnings_are_not_repeated(void **state)
{
	char text[4096];

	(void)state;
	capture(log_repeats, text, sizeof text);
	assert_int_equal(count(text, "event=w.one peer=a"), 1);
	assert_int_equal(count(text, "event=w.one peer=b"), 1);
	assert_int_equal(count(text, "event=e.one peer=a"), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_become_members),
		cmocka_unit_test(lines_are_json),
		cmocka_unit_test(warnings_are_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
