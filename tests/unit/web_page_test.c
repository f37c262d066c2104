/* The authority's pages, answered by a ledger of cards. WEB_DUMP=FOLDER keeps every page there. */
#include "web_fixture.h"

static void
dump(const struct browser *b, const char *kind, const char *target, const char *language)
{
	const char *folder = getenv("WEB_DUMP");
	char path[1024], *name;
	FILE *file;

	if (!folder)
		return;
	snprintf(path, sizeof path, "%s/%s-%s%s.html", folder, language, kind, target);
	name = path + strlen(folder) + 1;
	for (char *p = name; *p; p++) {
		if (*p == '/' || *p == '?' || *p == '=' || *p == ':' || *p == '%')
			*p = '_';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(b->body, file);
	fclose(file);
}

/* Every start tag of these has its end. */
static void
assert_balanced(const char *body)
{
	static const char *const tags[] = {"div", "p", "ul", "ol", "li", "table", "tr", "td", "th",
	    "section", "form", "main", "nav", "header", "footer", "a", "span", "dl", "dd", "dt", "h1",
	    "h2", "fieldset", "label", "details", "thead", "tbody", "caption", "del", "ins"};

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
		int depth = 0;
		size_t len = strlen(tags[i]);
		for (const char *p = body; (p = strchr(p, '<')); p++) {
			bool ends = p[1] == '/';
			const char *name = p + 1 + ends;
			if (strncmp(name, tags[i], len) != 0 || !strchr(" >\n", name[len]))
				continue;
			depth += ends ? -1 : 1;
			if (depth < 0)
				fail_msg("</%s> too many in %s", tags[i], body);
		}
		if (depth != 0)
			fail_msg("<%s> is left open %d times in %s", tags[i], depth, body);
	}
}

static const char *const own_pages[] = {
    "/",
    "/participants",
    "/participants?q=%D0%B0%D0%B3&status=Active",
    OWN_PATH,
    OWN_PATH "?at=2026-11-21T09:30",
    OWN_PATH "/history",
    OWN_PATH "/contact",
    OWN_PATH "/service",
    OWN_PATH "/pause",
    OWN_PATH "/resume",
    OWN_PATH "/identity",
    OWN_PATH "/certificates",
    OWN_PATH "/certificates/new",
    "/requests",
    "/requests/7",
    "/certificates/0A1B2C3D4E5F6071",
    "/certificates/requests/4",
    "/accessibility",
    "/leave",
};

static const char *const staff_pages[] = {
    "/",
    "/participants",
    "/participants/new",
    OWN_PATH,
    OWN_PATH "/history",
    OWN_PATH "/contact",
    OWN_PATH "/identity",
    OWN_PATH "/state",
    OWN_PATH "/remove",
    OWN_PATH "/reference",
    OWN_PATH "/certificates",
    OWN_PATH "/certificates/register",
    "/requests",
    "/requests/7",
    "/requests/7/approve",
    "/requests/7/refuse",
    "/certificates",
    "/certificates/0A1B2C3D4E5F6071",
    "/certificates/0A1B2C3D4E5F6071/revoke",
    "/certificates/requests/4",
    "/certificates/requests/4/approve",
    "/certificates/requests/4/refuse",
    "/officers",
    "/officers/new",
    "/officers/m.ivanova/remove",
    "/log",
    "/log/check",
    "/status",
};

static void
look(struct browser *b, const char *kind, const char *const *pages, size_t count,
     const char *language)
{
	snprintf(b->cookie, sizeof b->cookie, "__Host-language=%s", language);
	for (size_t i = 0; i < count; i++) {
		char html[32];
		get(b, pages[i]);
		if (b->status != 200)
			fail_msg("%s: %d %s", pages[i], b->status, b->body);
		snprintf(html, sizeof html, "<html lang=\"%s\">", language);
		assert_true(shows(b, html));
		assert_balanced(b->body);
		assert_false(shows(b, "<script"));
		assert_false(shows(b, "style=\""));
		dump(b, kind, pages[i], language);
		snprintf(b->cookie, sizeof b->cookie, "__Host-language=%s", language);
	}
}

static void
every_page_in_both_languages(void **state)
{
	static const char *const languages[] = {"bg", "en"};
	struct browser *own = browser_new(WHO_OWN), *staff = browser_new(WHO_ALL_ROLES);

	(void)state;
	for (unsigned l = 0; l < 2; l++) {
		look(own, "own", own_pages, sizeof own_pages / sizeof *own_pages, languages[l]);
		look(staff, "staff", staff_pages, sizeof staff_pages / sizeof *staff_pages,
		    languages[l]);
	}
	browser_free(own);
	browser_free(staff);
}

static void
values_are_escaped(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	get(b, "/participants?q=%22%3E%3Cscript%3E");
	assert_true(shows(b, "&lt;script&gt;alert(1)&lt;/script&gt;"));
	assert_true(shows(b, "value=\"&quot;&gt;&lt;script&gt;\""));
	assert_true(shows(b, "А &amp; Б"));
	assert_true(shows(b, "from=50&amp;q=%22%3E%3Cscript%3E"));
	browser_free(b);
}

static void
headers(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	get(b, "/");
	assert_non_null(strstr(b->fields, "Content-Security-Policy: default-src 'none'; style-src 'self';"));
	assert_non_null(strstr(b->fields, "Cache-Control: no-store\r\n"));
	assert_non_null(strstr(b->fields, "Secure; HttpOnly; SameSite=Strict"));
	assert_non_null(strstr(b->fields, "X-Content-Type-Options: nosniff"));
	get(b, "/style.css");
	assert_string_equal(b->content_type, "text/css; charset=utf-8");
	assert_non_null(strstr(b->fields, "immutable"));
	assert_null(strstr(b->fields, "Set-Cookie"));
	browser_free(b);
}

static void
actor(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	const json_t *who;

	(void)state;
	get(b, "/participants");
	who = json_object_get(b->asked, "actor");
	assert_string_equal(json_string_value(json_object_get(who, "kind")), "certificate");
	assert_string_equal(json_string_value(json_object_get(who, "serial")), "0A1B2C3D");
	assert_string_equal(json_string_value(json_object_get(who, "name")), "primer.obmen.local");
	assert_int_equal(strlen(json_string_value(json_object_get(who, "fingerprint"))), 64);
	b->certificate_len--;
	get(b, "/participants");
	assert_int_equal(b->status, 403);
	assert_true(shows(b, "W-111"));
	browser_free(b);
}

static void
own_change(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	post(b, OWN_PATH "/contact", "phone=02+999&fax=&email=a%40primer.invalid&reason=");
	assert_int_equal(b->status, 303);
	assert_non_null(strstr(b->fields, "Location: " OWN_PATH "?done="));
	assert_string_equal(asked(b, "verb"), "participant-change");
	assert_string_equal(asked(b, "guid"), OWN_GUID);
	assert_string_equal(asked_field(b, "phone"), "02 999");
	assert_int_equal(json_object_size(json_object_get(b->asked, "fields")), 1);
	browser_free(b);
}

static void
nothing_to_change(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	post(b, OWN_PATH "/contact", "phone=02+000+111&fax=&email=a%40primer.invalid");
	assert_int_equal(b->status, 422);
	assert_true(shows(b, "W-109"));
	assert_string_equal(asked(b, "verb"), "participant-show");
	browser_free(b);
}

static void
wrong_fields_are_named(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	post(b, OWN_PATH "/identity", "name=&eik=12345&parent_guid=xx&reason=%0A+");
	assert_int_equal(b->status, 422);
	assert_string_equal(asked(b, "verb"), "participant-show");
	assert_true(shows(b, "<a href=\"#f-name\">"));
	assert_true(shows(b, "<a href=\"#f-eik\">"));
	assert_true(shows(b, "<a href=\"#f-parent_guid\">"));
	assert_true(shows(b, "<a href=\"#f-reason\">"));
	assert_true(shows(b, "value=\"12345\""));
	assert_true(shows(b, "aria-invalid=\"true\""));
	assert_balanced(b->body);
	dump(b, "own", "/wrong", "bg");
	browser_free(b);
}

static void
identity_is_a_request(void **state)
{
	static const char fields[] = "name=Nova&eik=990000017&parent_guid="
				     "{00000000-0000-0000-0000-000000000000}&reason=12";
	struct browser *own = browser_new(WHO_OWN), *staff = browser_new(WHO_ALL_ROLES);

	(void)state;
	post(own, OWN_PATH "/identity", fields);
	assert_int_equal(own->status, 303);
	assert_string_equal(asked(own, "verb"), "change-request");
	assert_string_equal(asked_field(own, "name"), "Nova");
	post(staff, OWN_PATH "/identity", fields);
	assert_string_equal(asked(staff, "verb"), "participant-change");
	browser_free(own);
	browser_free(staff);
}

static void
a_refusal_is_explained(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	b->verb = "change-request";
	b->answer = "{\"ok\":false,\"code\":\"P-103\",\"detail\":\"<b>\",\"field\":\"eik\"}";
	post(b, OWN_PATH "/identity", "name=Nova&eik=990000025&parent_guid=&reason=12");
	assert_int_equal(b->status, 422);
	assert_true(shows(b, "[P-103]"));
	assert_true(shows(b, "(&lt;b&gt;)"));
	assert_true(shows(b, "<a href=\"#f-eik\">"));
	assert_true(shows(b, "value=\"Nova\""));
	browser_free(b);
}

static void
silence(void **state)
{
	struct browser *b = browser_new(NULL);

	(void)state;
	get(b, "/participants");
	assert_int_equal(b->status, 503);
	assert_true(shows(b, "W-107"));
	b->who = WHO_OWN;
	b->verb = "participant-list";
	get(b, "/participants");
	assert_int_equal(b->status, 503);
	b->verb = "participant-change";
	post(b, OWN_PATH "/contact", "phone=1&fax=&email=");
	assert_int_equal(b->status, 503);
	assert_true(shows(b, "W-108"));
	browser_free(b);
}

static void
roles_see_their_pages(void **state)
{
	static const struct {
		const char *who, *path;
		int status;
	} rows[] = {
	    {WHO_OWN, "/log", 403},
	    {WHO_OWN, "/officers", 403},
	    {WHO_OWN, "/status", 403},
	    {WHO_OWN, "/participants/new", 403},
	    {WHO_OWN, OWN_PATH "/remove", 403},
	    {WHO_OWN, OWN_PATH "/state", 403},
	    {WHO_OWN, "/requests/7/approve", 403},
	    {WHO_OWN, "/certificates/0A/revoke", 403},
	    {WHO_READER, "/log", 200},
	    {WHO_READER, "/officers", 200},
	    {WHO_READER, "/officers/new", 403},
	    {WHO_READER, OWN_PATH "/contact", 403},
	    {WHO_READER, "/certificates/requests/4/approve", 403},
	    {WHO_NOBODY, "/participants", 403},
	    {WHO_NOBODY, "/", 200},
	    {WHO_ALL_ROLES, "/nothing", 404},
	    {WHO_ALL_ROLES, "/participants//history", 404},
	    {WHO_ALL_ROLES, "/participants/%00/history", 404},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct browser *b = browser_new(rows[i].who);
		get(b, rows[i].path);
		if (b->status != rows[i].status)
			fail_msg("%s: %d", rows[i].path, b->status);
		browser_free(b);
	}
}

static void
certificates_of_own_entries(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	get(b, "/certificates");
	assert_int_equal(b->status, 303);
	assert_non_null(strstr(b->fields, "Location: " OWN_PATH "/certificates\r\n"));
	b->who = "{\"ok\":true,\"kind\":\"participant\",\"participants\":[{\"guid\":\"" OWN_GUID "\","
		 "\"name\":\"A\"},{\"guid\":\"" OTHER_GUID "\",\"name\":\"B\"}]}";
	get(b, "/certificates");
	assert_int_equal(b->status, 200);
	assert_true(shows(b, OWN_PATH "/certificates"));
	assert_true(shows(b, "9a9a9a9a9a02/certificates"));
	browser_free(b);
}

static void
foreign_entries_show_no_deeds(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	b->verb = "participant-show";
	b->answer = "{\"ok\":true,\"participant\":{\"guid\":\"" OTHER_GUID "\",\"name\":\"Друга\","
		    "\"eik\":\"990000025\",\"status\":\"Active\"}}";
	get(b, "/participants/0b0e7a52-1111-4222-8333-9a9a9a9a9a02");
	assert_int_equal(b->status, 200);
	assert_true(shows(b, "990000025"));
	assert_false(shows(b, "/contact"));
	assert_false(shows(b, "class=\"deeds\""));
	browser_free(b);
}

/* ---- forms belong to sessions, sessions to certificates ---- */

#define CHANGE "phone=02+999&fax=&email="

static void
send_with(struct browser *b, const char *token)
{
	char body[512];

	snprintf(body, sizeof body, "token=%s&" CHANGE, token);
	browse(b, "POST", OWN_PATH "/contact", "application/x-www-form-urlencoded", body,
	    strlen(body));
}

static void
tokens(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	char token[65], other[65], cookie[512];

	(void)state;
	send_with(b, "");
	assert_int_equal(b->status, 403);
	assert_true(shows(b, "W-105"));
	get(b, OWN_PATH "/contact");
	token_of(b, token);
	snprintf(cookie, sizeof cookie, "%s", b->cookie);
	other[0] = 0;
	strcpy(other, token);
	other[3] = other[3] == 'a' ? 'b' : 'a';
	send_with(b, other);
	assert_int_equal(b->status, 403);
	/* the token of one session under the cookie of another */
	*b->cookie = 0;
	get(b, "/");
	send_with(b, token);
	assert_int_equal(b->status, 403);
	assert_string_equal(asked(b, "verb"), "request-list");
	/* and under its own */
	strcpy(b->cookie, cookie);
	send_with(b, token);
	assert_int_equal(b->status, 303);
	assert_string_equal(asked(b, "verb"), "participant-change");
	browser_free(b);
}

static void
another_certificate_is_another_session(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	char token[65];

	(void)state;
	get(b, OWN_PATH "/contact");
	token_of(b, token);
	free(b->certificate);
	b->certificate = web_certificate_new("primer.obmen.local", 7, &b->certificate_len);
	send_with(b, token);
	assert_int_equal(b->status, 403);
	assert_non_null(strstr(b->fields, "Set-Cookie: __Host-session="));
	browser_free(b);
}

static void
sessions_end(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	char token[65];

	(void)state;
	get(b, OWN_PATH "/contact");
	token_of(b, token);
	/* used every 25 minutes it lives on, for twelve hours */
	for (unsigned i = 0; i < 28; i++) {
		fixture_now += 25 * 60 * WHEN_SECOND;
		send_with(b, token);
		assert_int_equal(b->status, 303);
	}
	fixture_now += 25 * 60 * WHEN_SECOND;
	send_with(b, token);
	assert_int_equal(b->status, 403);
	get(b, OWN_PATH "/contact");
	token_of(b, token);
	fixture_now += 31 * 60 * WHEN_SECOND;
	send_with(b, token);
	assert_int_equal(b->status, 403);
	browser_free(b);
}

static void
from_elsewhere(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	char token[65], body[512];

	(void)state;
	get(b, OWN_PATH "/contact");
	snprintf(body, sizeof body, "token=%s&" CHANGE, token_of(b, token));
	struct web_request r = {.method = "POST",
	    .path = OWN_PATH "/contact",
	    .content_type = "application/x-www-form-urlencoded",
	    .cookie = b->cookie,
	    .fetch_site = "cross-site",
	    .certificate = b->certificate,
	    .certificate_len = b->certificate_len,
	    .body = (const uint8_t *)body,
	    .body_len = strlen(body)};
	assert_true(web_begin(&b->site, &r, b, &b->exchange));
	assert_int_equal(b->status, 403);
	browser_free(b);
}

static void
methods_and_bodies(void **state)
{
	static const struct {
		const char *method, *path, *type, *body;
		int status;
	} rows[] = {
	    {"PUT", "/", NULL, NULL, 405},
	    {"POST", "/participants", "application/x-www-form-urlencoded", "a=b", 405},
	    {"POST", OWN_PATH "/contact", "text/plain", "a=b", 400},
	    {"POST", OWN_PATH "/contact", NULL, "a=b", 400},
	    {"POST", OWN_PATH "/contact", "application/x-www-form-urlencoded", "a=%00", 400},
	    {"POST", OWN_PATH "/contact", "application/x-www-form-urlencoded", "a=%ff", 400},
	    {"POST", OWN_PATH "/contact", "multipart/form-data", "a=b", 400},
	};
	struct browser *b = browser_new(WHO_OWN);
	char *large = calloc(1, WEB_BODY_MAX + 1);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		browse(b, rows[i].method, rows[i].path, rows[i].type, rows[i].body,
		    rows[i].body ? strlen(rows[i].body) : 0);
		if (b->status != rows[i].status)
			fail_msg("row %zu: %d", i, b->status);
	}
	memset(large, 'a', WEB_BODY_MAX + 1);
	browse(b, "POST", OWN_PATH "/contact", "application/x-www-form-urlencoded", large,
	    WEB_BODY_MAX + 1);
	assert_int_equal(b->status, 413);
	free(large);
	browser_free(b);
}

/* ---- uploads, secrets, files ---- */

static void
upload(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	char token[65], body[1024];

	(void)state;
	get(b, OWN_PATH "/certificates/new");
	snprintf(body, sizeof body,
	    "--xyz\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n%s\r\n--xyz\r\n"
	    "Content-Disposition: form-data; name=\"file\"; filename=\"a.csr\"\r\n"
	    "Content-Type: application/pkcs10\r\n\r\nhello\r\n\r\n--xyz\r\n"
	    "Content-Disposition: form-data; name=\"pem\"\r\n\r\n\r\n--xyz--\r\n",
	    token_of(b, token));
	browse(b, "POST", OWN_PATH "/certificates/new", "multipart/form-data; boundary=xyz", body,
	    strlen(body));
	assert_int_equal(b->status, 303);
	assert_int_equal(b->whom, WEB_RA);
	assert_string_equal(asked(b, "verb"), "certificate-submit");
	assert_string_equal(asked(b, "csr"), "aGVsbG8NCg==");
	assert_string_equal(asked(b, "guid"), OWN_GUID);
	post(b, OWN_PATH "/certificates/new", "pem=");
	assert_int_equal(b->status, 422);
	assert_true(shows(b, "aria-invalid"));
	browser_free(b);
}

static void
secret_is_shown_once(void **state)
{
	struct browser *b = browser_new(WHO_ALL_ROLES);

	(void)state;
	post(b, OWN_PATH "/reference", "days=7");
	assert_int_equal(b->status, 200);
	assert_true(shows(b, "tajna-duma"));
	assert_int_equal(json_integer_value(json_object_get(b->asked, "valid_for")), 7 * 86400);
	dump(b, "staff", "/secret", "bg");
	get(b, OWN_PATH "/reference");
	assert_false(shows(b, "tajna-duma"));
	browser_free(b);
}

static void
certificate_as_file(void **state)
{
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	get(b, "/certificates/0A1B2C3D4E5F6071/file");
	assert_int_equal(b->status, 200);
	assert_non_null(strstr(b->fields, "attachment; filename=\"0A1B2C3D4E5F6071.pem\""));
	assert_ptr_equal(strstr(b->body, "-----BEGIN CERTIFICATE"), b->body);
	browser_free(b);
}

static void
officers(void **state)
{
	static const char print[] = "aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899";
	struct browser *b = browser_new(WHO_ALL_ROLES);
	char fields[512];

	(void)state;
	snprintf(fields, sizeof fields, "name=p.petrov&fingerprint=%s&roles=officer&roles=auditor"
	    "&reason=1", print);
	post(b, "/officers/new", fields);
	assert_int_equal(b->status, 303);
	assert_int_equal(json_array_size(json_object_get(b->asked, "roles")), 2);
	post(b, "/officers/new", "name=p.petrov&fingerprint=aa&roles=king&reason=1");
	assert_int_equal(b->status, 422);
	browser_free(b);
}

static void
language(void **state)
{
	static const struct {
		const char *query, *location;
	} rows[] = {
	    {"/language?to=en&back=/participants%3Fq%3Da%2526b", "Location: /participants?q=a%26b\r\n"},
	    {"/language?to=en&back=//evil.invalid/", "Location: /\r\n"},
	    {"/language?to=en&back=https://evil.invalid/", "Location: /\r\n"},
	    {"/language?to=en&back=/%5Cevil.invalid", "Location: /\r\n"},
	    {"/language?to=en&back=/a%0D%0ASet-Cookie:x", "Location: /\r\n"},
	    {"/language", "Location: /\r\n"},
	};
	struct browser *b = browser_new(WHO_OWN);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		get(b, rows[i].query);
		assert_int_equal(b->status, 303);
		if (!strstr(b->fields, rows[i].location))
			fail_msg("%s: %s", rows[i].query, b->fields);
	}
	browser_free(b);
}

static void
late_answers_and_leaving_readers(void **state)
{
	struct browser *b = browser_new(WHO_OWN);
	json_t *answer;

	(void)state;
	b->late = true;
	get(b, OWN_PATH "/history");
	assert_int_equal(b->late_count, 1);
	answer = card_answer(b, "whoami");
	web_answered(b->exchange, b->late_slots[0], answer);
	json_decref(answer);
	assert_int_equal(b->late_count, 3);
	answer = card_answer(b, b->late_verbs[2]);
	web_answered(b->exchange, b->late_slots[2], answer);
	json_decref(answer);
	assert_int_equal(b->answers, 0);
	answer = card_answer(b, b->late_verbs[1]);
	web_answered(b->exchange, b->late_slots[1], answer);
	json_decref(answer);
	assert_int_equal(b->answers, 1);
	assert_int_equal(b->status, 200);
	get(b, "/");
	web_abandon(b->exchange);
	assert_int_equal(b->answers, 1);
	browser_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_page_in_both_languages),
	    cmocka_unit_test(values_are_escaped),
	    cmocka_unit_test(headers),
	    cmocka_unit_test(actor),
	    cmocka_unit_test(own_change),
	    cmocka_unit_test(nothing_to_change),
	    cmocka_unit_test(wrong_fields_are_named),
	    cmocka_unit_test(identity_is_a_request),
	    cmocka_unit_test(a_refusal_is_explained),
	    cmocka_unit_test(silence),
	    cmocka_unit_test(roles_see_their_pages),
	    cmocka_unit_test(certificates_of_own_entries),
	    cmocka_unit_test(foreign_entries_show_no_deeds),
	    cmocka_unit_test(tokens),
	    cmocka_unit_test(another_certificate_is_another_session),
	    cmocka_unit_test(sessions_end),
	    cmocka_unit_test(from_elsewhere),
	    cmocka_unit_test(methods_and_bodies),
	    cmocka_unit_test(upload),
	    cmocka_unit_test(secret_is_shown_once),
	    cmocka_unit_test(certificate_as_file),
	    cmocka_unit_test(officers),
	    cmocka_unit_test(language),
	    cmocka_unit_test(late_answers_and_leaving_readers),
	};

	setenv("TZ", "Europe/Sofia", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
