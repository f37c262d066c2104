/* What may be typed into a field. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "authority/web_page.h"
#include "lib/guid.h"

static bool
all_of(const char *text, const char *set)
{
	return strspn(text, set) == strlen(text);
}

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static bool
is_email(const char *text)
{
	const char *at = strchr(text, '@');

	return at && at > text && !strchr(at + 1, '@') && at[1] && at[1] != '.' &&
	    !strpbrk(text, " \t\n<>\",;:()[]\\");
}

/* https, a host, an optional port, a path: what couriers can reach. */
static bool
is_url(const char *text)
{
	const char *host = text + strlen("https://");

	if (strncmp(text, "https://", strlen("https://")) != 0)
		return false;
	size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
	const char *rest = host + len;
	if (len == 0 || *host == '.' || *host == '-')
		return false;
	if (*rest == ':') {
		long port = strtol(rest + 1, NULL, 10);
		size_t digits = strspn(rest + 1, "0123456789");
		if (digits == 0 || digits > 5 || port < 1 || port > 65535)
			return false;
		rest += 1 + digits;
	}
	return (*rest == 0 || *rest == '/') && !strpbrk(rest, " \t\n<>\"{}|\\^`#");
}

static bool
is_eik(const char *text)
{
	size_t len = strlen(text);

	return (len == 9 || len == 13) && all_of(text, "0123456789");
}

static bool
is_guid(const char *text)
{
	struct guid g;

	return guid_parse_lenient(&g, text);
}

static bool
is_phone(const char *text)
{
	return all_of(text, "0123456789 +-/().,;") && strpbrk(text, "0123456789");
}

static bool
is_days(const char *text)
{
	return *text && strlen(text) <= 4 && all_of(text, "0123456789") && atoi(text) > 0;
}

static bool
is_fingerprint(const char *text)
{
	size_t hex = 0;

	for (; *text; text++) {
		if (isxdigit((unsigned char)*text))
			hex++;
		else if (*text != ':' && *text != ' ')
			return false;
	}
	return hex == 64;
}

static bool
is_host(const char *text)
{
	return all_of(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") &&
	    *text != '.' && *text != '-';
}

static const struct {
	bool (*holds)(const char *text);
	enum web_text wrong;
} forms[] = {
    [INPUT_EMAIL] = {is_email, TEXT_WRONG_EMAIL},
    [INPUT_PHONE] = {is_phone, TEXT_WRONG_PHONE},
    [INPUT_URL] = {is_url, TEXT_WRONG_URL},
    [INPUT_EIK] = {is_eik, TEXT_WRONG_EIK},
    [INPUT_GUID] = {is_guid, TEXT_WRONG_GUID},
    [INPUT_DAYS] = {is_days, TEXT_WRONG_DAYS},
    [INPUT_FINGERPRINT] = {is_fingerprint, TEXT_WRONG_FINGERPRINT},
    [INPUT_HOST] = {is_host, TEXT_WRONG_HOST},
};

static bool
is_choice(const struct web_field *f, const char *text)
{
	for (const struct web_choice *c = f->choices; c->value; c++) {
		if (strcmp(c->value, text) == 0)
			return true;
	}
	return false;
}

/* Every value sent under the name is one of the choices, and there is one. */
static enum web_text
check_choices(const struct web_exchange *x, const struct web_field *f)
{
	unsigned found = 0;

	for (unsigned i = 0; i < x->form.count; i++) {
		const struct web_value *v = &x->form.values[i];
		if (strcmp(v->name, f->name) != 0)
			continue;
		if (v->file || !is_choice(f, v->text))
			return TEXT_WRONG_CHOICE;
		found++;
	}
	return found || !f->required ? TEXT_NONE : TEXT_WRONG_CHOICE;
}

static enum web_text
check_file(const struct web_exchange *x, const struct web_field *f)
{
	const struct web_value *v = web_form_file(&x->form, f->name);

	if (!v)
		return f->required ? TEXT_WRONG_NO_FILE : TEXT_NONE;
	return v->len > WEB_UPLOAD_MAX ? TEXT_WRONG_FILE_LARGE : TEXT_NONE;
}

static enum web_text
check_text(const struct web_exchange *x, const struct web_field *f)
{
	const char *text = web_sent(x, f->name);

	if (!*text)
		return f->required ? TEXT_WRONG_EMPTY : TEXT_NONE;
	if (f->max && characters(text) > f->max)
		return TEXT_WRONG_LONG;
	if (f->input != INPUT_AREA && strpbrk(text, "\n\t"))
		return TEXT_WRONG_LINES;
	if (f->input == INPUT_CHOICE)
		return is_choice(f, text) ? TEXT_NONE : TEXT_WRONG_CHOICE;
	if (f->input < sizeof forms / sizeof *forms && forms[f->input].holds &&
	    !forms[f->input].holds(text))
		return forms[f->input].wrong;
	return TEXT_NONE;
}

bool
web_fields_check(struct web_exchange *x)
{
	bool good = true;

	for (unsigned i = 0; i < x->route->field_count; i++) {
		const struct web_field *f = &x->route->fields[i];
		x->errors[i] = f->input == INPUT_FILE    ? check_file(x, f)
			     : f->input == INPUT_CHOICES ? check_choices(x, f)
							 : check_text(x, f);
		good = good && x->errors[i] == TEXT_NONE;
	}
	return good;
}

const char *
web_sent(const struct web_exchange *x, const char *name)
{
	const char *text = web_form_text(&x->form, name);

	return text ? text : "";
}

/* No GUID and the GUID of zeros are the same to the register. */
bool
web_is_no_guid(const char *text)
{
	struct guid g;

	return !*text || (guid_parse_lenient(&g, text) && guid_is_zero(&g));
}

/* What is sent says the same as what is there. */
static bool
is_same(const struct web_field *f, const char *sent, const char *is)
{
	struct guid a, b;

	if (strcmp(sent, is) == 0)
		return true;
	if (f->input != INPUT_GUID)
		return false;
	return web_is_no_guid(sent) ? web_is_no_guid(is) :
	    guid_parse_lenient(&a, sent) && guid_parse_lenient(&b, is) && guid_equal(&a, &b);
}

json_t *
web_fields_json(const struct web_exchange *x, const json_t *before)
{
	json_t *fields = json_object();

	for (unsigned i = 0; i < x->route->field_count; i++) {
		const struct web_field *f = &x->route->fields[i];
		const char *text = web_sent(x, f->name);
		if (f->input == INPUT_FILE || strcmp(f->name, "reason") == 0 ||
		    (before && is_same(f, text, web_string(before, f->name))))
			continue;
		json_object_set_new(fields, f->name, json_string(text));
	}
	return fields;
}
