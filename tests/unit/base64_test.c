/* Our base64 decoder against OpenSSL's encoder, and UTF-8 against every code point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "message/base64.h"
#include "message/utf8.h"

static void
test_every_length_and_chunk(void **state)
{
	uint8_t in[100], out[200];
	unsigned char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 37 + (i << 5));
	for (size_t len = 0; len <= sizeof in; len++) {
		size_t chars = (size_t)EVP_EncodeBlock(text, in, (int)len);
		for (size_t chunk = 1; chunk <= chars + 1; chunk++) {
			struct base64 s = {.bits = 0};
			size_t n = 0;
			for (size_t at = 0; at < chars; at += chunk) {
				size_t part = chars - at < chunk ? chars - at : chunk;
				uint8_t *exact = malloc(base64_room(part)); /* sanitizers watch its end */
				size_t got = base64_decode(&s, (char *)text + at, part, exact);
				memcpy(out + n, exact, got);
				free(exact);
				n += got;
			}
			assert_true(base64_complete(&s));
			assert_int_equal(n, len);
			assert_memory_equal(out, in, len);
		}
	}
}

static bool
accepts(const char *text, size_t len)
{
	struct base64 s = {.bits = 0};
	uint8_t out[64];

	base64_decode(&s, text, len, out);
	return base64_complete(&s);
}

static void
test_alphabet(void **state)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char *const bad[] = {"A", "AB", "ABC", "A===", "====", "=", "AB=C", "AB==C", "AB==AAAA",
	    "AB===", "ABCDE"};

	(void)state;
	for (int c = 0; c < 256; c++) {
		for (int at = 0; at < 12; at++) {
			char text[13] = "AAAAAAAAAAAA";
			text[at] = (char)c;
			bool digit = c && strchr(good, c);
			bool end = c == '=' && at == 11;
			assert_int_equal(accepts(text, 12), digit || end);
		}
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(accepts(bad[i], strlen(bad[i])));
	assert_true(accepts(" A\tB\r\nC D AB = = \n", 18));
}

static void
test_plain_stops(void **state)
{
	struct base64 s = {.bits = 0};
	uint8_t out[64];
	size_t used;

	(void)state;
	assert_int_equal(base64_decode_plain(&s, "AAAA AAAA\n\rAAAA", 15, out, &used), 6);
	assert_int_equal(used, 10);
	assert_int_equal(base64_decode_plain(&s, "AAAAAAAAAAAA</x>", 16, out, &used), 9);
	assert_int_equal(used, 12);
	assert_true(base64_complete(&s));
}

/* Counting only agrees with decoding, wherever something else stands and however the text is cut. */
static void
test_skip_agrees(void **state)
{
	static const char others[] = "= \n\r<&-_";

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char text[96];
		size_t len = round % sizeof text, at = 0, cut = len ? round * 7 % len : 0;
		for (size_t i = 0; i < len; i++)
			text[i] = "ABCXYZabcxyz019+/mNo"[(i * 31 + round) % 20];
		if (len && round % 3)
			text[round * 13 % len] = others[round % (sizeof others - 1)];
		struct base64 a = {.bits = 0}, b = a;
		for (int part = 0; part < 2; part++) {
			size_t n = part ? len - at : cut, used_a, used_b;
			uint8_t out[96];
			size_t got = base64_decode_plain(&a, text + at, n, out, &used_a);
			assert_int_equal(base64_skip_plain(&b, text + at, n, &used_b), got);
			assert_int_equal(used_a, used_b);
			assert_int_equal(a.bad, b.bad);
			assert_int_equal(base64_complete(&a), base64_complete(&b));
			at += n;
		}
	}
}

static void
test_every_character(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++) {
		char text[8] = "        ";
		bool bad, surrogate = c >= 0xd800 && c < 0xe000;
		size_t n = utf8_put(c, text);
		size_t span = utf8_span(text, 8, &bad);
		if (xml_char(c))
			assert_true(span == 8 && !bad);
		else
			assert_true(span == 0 && bad);
		assert_false(surrogate && xml_char(c));
		if (n == 1)
			continue;
		/* cut off: not bad yet, unless it can never be right */
		span = utf8_span(text, n - 1, &bad);
		assert_int_equal(span, 0);
		assert_false(bad);
		text[n - 1] = 'x';
		span = utf8_span(text, n, &bad);
		assert_true(span == 0 && bad);
	}
	assert_true(xml_char('\t') && xml_char('\n') && xml_char('\r') && !xml_char(0x1f));
	assert_true(!xml_char(0xfffe) && !xml_char(0xffff) && xml_char(0xfffd));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_length_and_chunk),
	    cmocka_unit_test(test_alphabet),
	    cmocka_unit_test(test_plain_stops),
	    cmocka_unit_test(test_skip_agrees),
	    cmocka_unit_test(test_every_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
