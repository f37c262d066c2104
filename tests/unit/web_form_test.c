/* What browsers send, and what only attackers send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "authority/web_form.h"
#include "authority/web_markup.h"

static bool
read_pairs(struct web_form *f, const char *text)
{
	memset(f, 0, sizeof *f);
	return web_form_read(f, text, strlen(text));
}

static void
pairs(void **state)
{
	struct web_form f;

	(void)state;
	assert_true(read_pairs(&f, "a=1&b=%D0%90+%26&c=&a=2&d=+x%0D%0Ay%0Dz+"));
	assert_int_equal(f.count, 5);
	assert_string_equal(web_form_text(&f, "a"), "1");
	assert_string_equal(web_form_text(&f, "b"), "А &");
	assert_string_equal(web_form_text(&f, "c"), "");
	assert_string_equal(web_form_text(&f, "d"), "x\ny\nz");
	assert_null(web_form_text(&f, "e"));
	assert_true(web_form_has(&f, "a", "2"));
	assert_false(web_form_has(&f, "a", "3"));
	web_form_free(&f);
	assert_true(read_pairs(&f, ""));
	assert_int_equal(f.count, 0);
}

static void
wrong_pairs(void **state)
{
	static const char *const rows[] = {"a=%00", "a=%ff", "a=%c3", "a=%ed%a0%80", "a=%01", "=x",
	    "%0=1&%00=2", "a=\x01"};
	char many[WEB_VALUES_MAX * 4 + 8] = "", name[WEB_NAME_MAX + 4];
	struct web_form f;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (read_pairs(&f, rows[i]))
			fail_msg("%s was taken", rows[i]);
		web_form_free(&f);
	}
	for (unsigned i = 0; i <= WEB_VALUES_MAX; i++)
		strcat(many, i ? "&a=" : "a=");
	assert_false(read_pairs(&f, many));
	web_form_free(&f);
	memset(name, 'n', sizeof name);
	strcpy(name + WEB_NAME_MAX + 1, "=");
	assert_false(read_pairs(&f, name));
	web_form_free(&f);
	memset(&f, 0, sizeof f);
	assert_false(web_form_read(&f, "a=1\0b", 5));
	web_form_free(&f);
}

#define TYPE "multipart/form-data; boundary=XyZ"
#define HEAD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"

static bool
read_parts(struct web_form *f, const char *type, const char *body, size_t len)
{
	memset(f, 0, sizeof *f);
	return web_form_read_parts(f, type, (const uint8_t *)body, len);
}

static void
parts(void **state)
{
	static const char body[] = "--XyZ\r\n" HEAD("a") "\r\n 1 \r\n--XyZ\r\n"
				   "content-disposition: form-data; name=\"f\"; filename=\"x\"\r\n"
				   "Content-Type: application/octet-stream\r\n\r\n"
				   "\0\xff\r\n--Xy\r\n\r\n--XyZ\r\n" HEAD("empty") "\r\n\r\n--XyZ\r\n"
				   "Content-Disposition: form-data; filename=\"\"; name=\"none\"\r\n\r\n"
				   "\r\n--XyZ--\r\n";
	const struct web_value *v;
	struct web_form f;

	(void)state;
	assert_true(read_parts(&f, TYPE, body, sizeof body - 1));
	assert_int_equal(f.count, 4);
	assert_string_equal(web_form_text(&f, "a"), "1");
	v = web_form_file(&f, "f");
	assert_non_null(v);
	assert_int_equal(v->len, 10);
	assert_memory_equal(v->text, "\0\xff\r\n--Xy\r\n", 10);
	assert_null(web_form_text(&f, "f"));
	assert_string_equal(web_form_text(&f, "empty"), "");
	assert_null(web_form_file(&f, "none"));
	web_form_free(&f);
	assert_true(read_parts(&f, "multipart/form-data; boundary=\"XyZ\"; x=y", body,
	    sizeof body - 1));
	web_form_free(&f);
	assert_true(read_parts(&f, TYPE, "--XyZ--\r\n", 9));
	web_form_free(&f);
}

/* Cut anywhere, it is not a form any more: nothing is acted on that was half sent. */
static void
cut_parts(void **state)
{
	static const char body[] = "--XyZ\r\n" HEAD("a") "\r\n1\r\n--XyZ\r\n" HEAD("b") "\r\n2\r\n"
				   "--XyZ--";
	struct web_form f;

	(void)state;
	for (size_t len = 0; len < sizeof body - 1; len++) {
		char *copy = malloc(len + 1);
		memcpy(copy, body, len);
		if (read_parts(&f, TYPE, copy, len))
			fail_msg("cut at %zu it was taken", len);
		web_form_free(&f);
		free(copy);
	}
}

static void
wrong_parts(void **state)
{
	static const struct {
		const char *type, *body;
	} rows[] = {
	    {"multipart/form-data", "--XyZ--"},
	    {"multipart/form-data; boundary=", "----"},
	    {"multipart/form-data; boundary=\"XyZ", "--XyZ--"},
	    {TYPE, "preamble\r\n--XyZ--"},
	    {TYPE, "--XyZ\r\nContent-Type: text/plain\r\n\r\n1\r\n--XyZ--"},
	    {TYPE, "--XyZ\r\n" HEAD("") "\r\n1\r\n--XyZ--"},
	    {TYPE, "--XyZ\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XyZ--"},
	    {TYPE, "--XyZ\r\n" HEAD("a") "\r\n\x01\r\n--XyZ--"},
	    {TYPE, "--XyZ\r\n" HEAD("a") "\r\n\xff\r\n--XyZ--"},
	    {TYPE, "--XyZxx\r\n" HEAD("a") "\r\n1\r\n--XyZ--"},
	};
	struct web_form f;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (read_parts(&f, rows[i].type, rows[i].body, strlen(rows[i].body)))
			fail_msg("row %zu was taken", i);
		web_form_free(&f);
	}
}

static void
cookies(void **state)
{
	char out[8];

	(void)state;
	assert_true(web_cookie("x=1; name=value;", "name", out, sizeof out));
	assert_string_equal(out, "value");
	assert_true(web_cookie("name=", "name", out, sizeof out));
	assert_string_equal(out, "");
	assert_false(web_cookie("noname=value", "name", out, sizeof out));
	assert_false(web_cookie("name=too long a value", "name", out, sizeof out));
	assert_false(web_cookie("name", "name", out, sizeof out));
	assert_false(web_cookie(NULL, "name", out, sizeof out));
	assert_false(web_cookie("; ;;", "name", out, sizeof out));
}

static void
path_parts(void **state)
{
	char out[16];

	(void)state;
	assert_true(web_path_part("a%20b/c", 5, out, sizeof out));
	assert_string_equal(out, "a b");
	assert_false(web_path_part("", 0, out, sizeof out));
	assert_false(web_path_part("%00", 3, out, sizeof out));
	assert_false(web_path_part("%ff", 3, out, sizeof out));
	assert_false(web_path_part("0123456789abcdef", 16, out, sizeof out));
}

static void
markup(void **state)
{
	struct web_markup m = {0};

	(void)state;
	MARKUP(&m, "<a href=\"/{%}\" title='{}'>{}</a>", "a/б\"", "'\"&", "<b>\xff\x01ж\xd0");
	assert_false(m.wrong);
	assert_string_equal(buf_str(&m.out), "<a href=\"/a%2F%D0%B1%22\" title='&#39;&quot;&amp;'>"
	    "&lt;b&gt;\xef\xbf\xbd\xef\xbf\xbdж\xef\xbf\xbd</a>");
	buf_reset(&m.out);
	MARKUP(&m, "{}", (const char *)NULL);
	assert_string_equal(buf_str(&m.out), "");
	assert_false(m.wrong);
	MARKUP(&m, "{}{}", "one");
	assert_true(m.wrong);
	m.wrong = false;
	MARKUP(&m, "{}", "one", "two");
	assert_true(m.wrong);
	m.wrong = false;
	MARKUP(&m, "{x}", "one");
	assert_true(m.wrong);
	buf_free(&m.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pairs),
	    cmocka_unit_test(wrong_pairs),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(cut_parts),
	    cmocka_unit_test(wrong_parts),
	    cmocka_unit_test(cookies),
	    cmocka_unit_test(path_parts),
	    cmocka_unit_test(markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
