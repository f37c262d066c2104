/* Words, moments and numbers as people read them. */
#include <stdio.h>
#include <string.h>

#include "authority/web_page.h"
#include "lib/guid.h"

static const char *const texts[TEXT_COUNT][2] = {
    [TEXT_NONE] = {"", ""},
#define TEXT(id, bg, en) [TEXT_##id] = {bg, en},
#include "authority/web_texts.def"
#undef TEXT
};

const char *
web_text(const struct web_exchange *x, enum web_text id)
{
	return texts[id][x->language];
}

const char *
web_format(struct web_exchange *x, const char *fmt, ...)
{
	struct buf out = {.max = 64 << 10};
	const char *copy = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (buf_vaddf(&out, fmt, ap))
		copy = arena_strndup(&x->memory, buf_str(&out), out.len);
	va_end(ap);
	buf_free(&out);
	return copy ? copy : "";
}

const char *
web_moment(struct web_exchange *x, const char *iso)
{
	char text[WHEN_TEXT_SIZE];
	when w;

	if (!when_parse(&w, iso, strlen(iso)))
		return web_format(x, "%s", iso);
	when_format_human(w, x->language == LANGUAGE_BG, text);
	return web_format(x, "%s", text);
}

const char *
web_day(struct web_exchange *x, const char *iso)
{
	char text[WHEN_TEXT_SIZE];
	when w;

	if (!when_parse(&w, iso, strlen(iso)))
		return web_format(x, "%s", iso);
	when_format_human(w, false, text);
	return web_format(x, "%.10s%s", text, x->language == LANGUAGE_BG ? " г." : "");
}

const char *
web_number(struct web_exchange *x, long long n)
{
	char digits[32], out[64], *to = out;
	int len = snprintf(digits, sizeof digits, "%lld", n);

	for (int i = 0; i < len; i++) {
		bool gap = i > 0 && digits[i - 1] != '-' && (len - i) % 3 == 0;
		if (gap && x->language == LANGUAGE_EN)
			*to++ = ',';
		else if (gap)
			to += snprintf(to, 3, "\xc2\xa0"); /* no line break */
		*to++ = digits[i];
	}
	*to = 0;
	return web_format(x, "%s", out);
}

const char *
web_count(struct web_exchange *x, long long n, enum web_text one, enum web_text many)
{
	return web_format(x, "%s\xc2\xa0%s", web_number(x, n), web_text(x, n == 1 ? one : many));
}

bool
web_days_left(struct web_exchange *x, const char *iso, long long *days)
{
	const when day = 86400 * WHEN_SECOND;
	when w, now = x->site->now ? x->site->now() : when_now();

	if (!when_parse(&w, iso, strlen(iso)))
		return false;
	*days = w >= now ? (w - now) / day : -((now - w) / day) - 1;
	return true;
}

static const struct {
	const char *value;
	enum web_text text;
} words[] = {
#define WORD(value, id) {value, TEXT_##id},
#include "authority/web_words.def"
#undef WORD
};

const char *
web_word(struct web_exchange *x, const char *value)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].value, value) == 0)
			return web_text(x, words[i].text);
	}
	return value;
}

const char *
web_string(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

long long
web_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *
web_short_guid(struct web_exchange *x, const char *text)
{
	char braced[GUID_TEXT_SIZE];
	struct guid g;

	if (!guid_parse_lenient(&g, text))
		return text;
	guid_format(&g, braced);
	return web_format(x, "%.36s", braced + 1);
}
