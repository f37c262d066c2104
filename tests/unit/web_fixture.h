/* A ledger of cards: it answers every verb with what was laid out for it. */
#ifndef OBMEN_WEB_FIXTURE_H
#define OBMEN_WEB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/web.h"
#include "web_certificate.h"

#define OWN_GUID "{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}"
#define OTHER_GUID "{0b0e7a52-1111-4222-8333-9a9a9a9a9a02}"
#define OWN_PATH "/participants/0b0e7a52-1111-4222-8333-9a9a9a9a9a01"
#define MOMENT ((when)1795600800 * WHEN_SECOND) /* 25.11.2026 */

#define RECORD                                                                                     \
	"{\"guid\":\"" OWN_GUID "\",\"parent_guid\":\"{00000000-0000-0000-0000-000000000000}\","       \
	"\"name\":\"Примерна агенция „А & Б“\",\"eik\":\"990000017\",\"status\":\"Active\","          \
	"\"phone\":\"02 000 111\",\"fax\":\"\",\"email\":\"a@primer.invalid\","                        \
	"\"certificate_serial\":\"0A1B2C3D4E5F6071\",\"last_change\":\"2026-11-20T10:00:00+02:00\","   \
	"\"services\":[{\"guid\":\"{7060efa8-f1fa-4938-8b2b-12a78c86988f}\",\"name\":\"Документооборот\"," \
	"\"uri\":\"https://primer.obmen.local:8443/service\",\"status\":\"Active\",\"type\":\"service\","  \
	"\"version\":\"1\"}]}"

#define ENTRIES                                                                                    \
	"{\"ok\":true,\"total\":2,\"entries\":[{\"number\":2,\"time\":\"2026-11-20T10:00:00+02:00\","  \
	"\"actor\":\"m.ivanova\",\"verb\":\"participant-change\",\"guid\":\"" OWN_GUID "\","           \
	"\"name\":\"Примерна агенция\",\"before\":{\"phone\":\"02 000 000\"},"                         \
	"\"after\":{\"phone\":\"02 000 111\"},\"reason\":\"Писмо № 12\"},"                             \
	"{\"number\":1,\"time\":\"2026-10-01T09:00:00+03:00\",\"actor\":\"m.ivanova\","                \
	"\"verb\":\"participant-add\",\"guid\":\"" OWN_GUID "\",\"name\":\"Примерна агенция\","        \
	"\"before\":null,\"after\":{\"name\":\"Примерна агенция\",\"eik\":\"990000017\"},"             \
	"\"reason\":\"Заповед № 3\"}]}"

#define CERTIFICATE                                                                                \
	"\"guid\":\"" OWN_GUID "\",\"name\":\"Примерна агенция\",\"subject\":"                         \
	"\"CN=primer.obmen.local, OU=Primerna agentsiya, ST=B:990000017, C=BG\",\"key\":\"RSA 2048\"," \
	"\"not_before\":\"2023-12-01T10:00:00+02:00\",\"not_after\":\"2026-12-20T10:00:00+02:00\","    \
	"\"via\":\"upload\",\"asked_at\":\"2026-11-24T15:00:00+02:00\",\"asked_by\":\"primer\","       \
	"\"fingerprint\":\"aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899\","        \
	"\"approvals_needed\":2,\"approvals\":[{\"by\":\"p.petrov\",\"time\":\"2026-11-24T16:00:00+02:00\"}]," \
	"\"checks\":[{\"check\":\"proof\",\"ok\":true,\"text\":\"\"},"                                 \
	"{\"check\":\"assigned-name\",\"ok\":false,\"text\":\"drug.obmen.local\"}]"

struct card {
	const char *verb, *answer;
};

static const struct card cards[] = {
    {"participant-list",
	"{\"ok\":true,\"total\":120,\"participants\":[" RECORD ",{\"guid\":\"" OTHER_GUID "\","
	"\"name\":\"<script>alert(1)</script>\",\"eik\":\"9900000170001\",\"status\":\"Inactive\","
	"\"last_change\":\"2026-11-21T10:00:00+02:00\"}]}"},
    {"participant-show", "{\"ok\":true,\"participant\":" RECORD "}"},
    {"participant-history", ENTRIES},
    {"log-list", ENTRIES},
    {"log-check", "{\"ok\":true,\"intact\":true,\"entries\":1234,\"head\":\"ab12\"}"},
    {"request-list",
	"{\"ok\":true,\"total\":1,\"requests\":[{\"id\":7,\"guid\":\"" OWN_GUID "\","
	"\"name\":\"Примерна агенция\",\"state\":\"open\",\"asked_at\":\"2026-11-24T15:00:00+02:00\"}]}"},
    {"request-show",
	"{\"ok\":true,\"request\":{\"id\":7,\"guid\":\"" OWN_GUID "\",\"name\":\"Примерна агенция\","
	"\"state\":\"open\",\"fields\":{\"name\":\"Нова агенция\"},\"before\":{\"name\":\"Примерна "
	"агенция\"},\"reason\":\"ДВ, бр. 80\",\"asked_at\":\"2026-11-24T15:00:00+02:00\","
	"\"asked_by\":\"primer\"}}"},
    {"certificate-list",
	"{\"ok\":true,\"total\":2,\"certificates\":[{\"id\":3,\"serial\":\"0A1B2C3D4E5F6071\","
	"\"state\":\"issued\"," CERTIFICATE "},{\"id\":4,\"state\":\"requested\"," CERTIFICATE "}]}"},
    {"certificate-show",
	"{\"ok\":true,\"certificate\":{\"id\":3,\"serial\":\"0A1B2C3D4E5F6071\",\"state\":\"issued\","
	"\"pem\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"," CERTIFICATE
	"}}"},
    {"reference-create",
	"{\"ok\":true,\"reference\":\"12345678\",\"secret\":\"tajna-duma\","
	"\"expires\":\"2026-12-02T10:00:00+02:00\"}"},
    {"officer-list",
	"{\"ok\":true,\"officers\":[{\"name\":\"m.ivanova\",\"roles\":[\"officer\",\"registrar\"],"
	"\"fingerprint\":\"aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899\"}]}"},
    {"overview",
	"{\"ok\":true,\"version\":\"1.0.0\",\"started\":\"2026-11-25T08:00:00+02:00\","
	"\"participants\":{\"active\":1310,\"temporarily_inactive\":0,\"inactive\":2},"
	"\"open\":{\"requests\":1,\"certificates\":2},"
	"\"certificates\":{\"issued\":1400,\"revoked\":12,\"expiring\":31},"
	"\"crl\":{\"number\":44,\"revoked\":12,\"this_update\":\"2026-11-25T06:00:00+02:00\","
	"\"next_update\":\"2026-11-26T06:00:00+02:00\"},"
	"\"ca\":{\"subject\":\"CN=Obmen Test CA\",\"key\":\"RSA 4096\","
	"\"not_after\":\"2036-01-01T00:00:00+02:00\"},"
	"\"ledger\":{\"entries\":1234,\"bytes\":4567890,\"head\":\"ab12\"}}"},
};

#define WHO_OWN                                                                                    \
	"{\"ok\":true,\"kind\":\"participant\",\"name\":\"Примерна агенция\",\"roles\":[],"            \
	"\"participants\":[{\"guid\":\"" OWN_GUID "\",\"name\":\"Примерна агенция\","                  \
	"\"eik\":\"990000017\"}]}"
#define WHO_ALL_ROLES                                                                              \
	"{\"ok\":true,\"kind\":\"officer\",\"name\":\"m.ivanova\",\"roles\":[\"officer\","             \
	"\"registrar\",\"ca-operator\",\"auditor\"],\"participants\":[]}"
#define WHO_READER                                                                                 \
	"{\"ok\":true,\"kind\":\"officer\",\"name\":\"odit\",\"roles\":[\"auditor\"],"                 \
	"\"participants\":[]}"
#define WHO_NOBODY "{\"ok\":true,\"kind\":\"unknown\",\"roles\":[],\"participants\":[]}"

struct browser {
	struct web_site site;
	const char *who;          /* the answer to whoami; NULL: silence */
	const char *verb, *answer; /* what one verb is answered instead of its card */
	bool late;                /* answers come when `deliver` is called */
	uint8_t *certificate;
	size_t certificate_len;
	char cookie[512];
	when now;
	/* what was asked last, of whom */
	json_t *asked;
	enum web_asked whom;
	unsigned questions;
	struct web_exchange *exchange;
	unsigned late_slots[8], late_count;
	char late_verbs[8][40];
	/* the answer */
	unsigned answers;
	int status;
	char *body;
	char fields[4096];
	char content_type[128];
};

static when fixture_now = MOMENT;

static when
fixture_clock(void)
{
	return fixture_now;
}

static json_t *
card_answer(const struct browser *b, const char *verb)
{
	const char *text = NULL;
	json_t *j;

	if (strcmp(verb, "whoami") == 0)
		text = b->who;
	else if (b->verb && strcmp(verb, b->verb) == 0)
		text = b->answer;
	else {
		text = "{\"ok\":true}";
		for (size_t i = 0; i < sizeof cards / sizeof *cards; i++) {
			if (strcmp(cards[i].verb, verb) == 0)
				text = cards[i].answer;
		}
	}
	if (!text)
		return NULL;
	j = json_loads(text, 0, NULL);
	assert_non_null(j);
	return j;
}

static void
fixture_ask(void *arg, struct web_exchange *x, enum web_asked whom, unsigned slot, json_t *query)
{
	struct browser *b = arg;
	const char *verb = json_string_value(json_object_get(query, "verb"));

	assert_non_null(verb);
	assert_non_null(json_object_get(query, "actor"));
	b->questions++;
	if (strcmp(verb, "whoami") != 0) {
		json_decref(b->asked);
		b->asked = json_deep_copy(query);
		b->whom = whom;
	}
	if (b->late) {
		snprintf(b->late_verbs[b->late_count], 40, "%s", verb);
		b->late_slots[b->late_count++] = slot;
		return;
	}
	json_t *answer = card_answer(b, verb);
	web_answered(x, slot, answer);
	json_decref(answer);
}

static void
fixture_respond(void *arg, struct web_exchange *x, const struct web_response *r)
{
	struct browser *b = arg;
	const char *cookie;

	assert_ptr_equal(web_user(x), b);
	b->answers++;
	b->status = r->status;
	free(b->body);
	b->body = strndup(r->body, r->len);
	snprintf(b->fields, sizeof b->fields, "%s", r->fields);
	snprintf(b->content_type, sizeof b->content_type, "%s", r->content_type);
	cookie = strstr(b->fields, "Set-Cookie: __Host-session=");
	if (cookie)
		snprintf(b->cookie, sizeof b->cookie, "%.*s", (int)strcspn(cookie + 12, ";"),
		    cookie + 12);
}

static struct browser *
browser_new(const char *who)
{
	struct browser *b = calloc(1, sizeof *b);

	b->who = who;
	b->certificate = web_certificate_new("primer.obmen.local", 0x0a1b2c3d, &b->certificate_len);
	b->site = (struct web_site){
	    .authority = {"Примерна агенция за електронно управление", "Example e-Government Agency"},
	    .address = {"София", "Sofia"},
	    .email = "register@primer.invalid",
	    .domain = "obmen.local",
	    .test = true,
	    .secret = "a secret of thirty-two bytes....",
	    .now = fixture_clock,
	    .ask = fixture_ask,
	    .respond = fixture_respond,
	    .arg = b};
	fixture_now = MOMENT;
	return b;
}

static void
browser_free(struct browser *b)
{
	json_decref(b->asked);
	free(b->body);
	free(b->certificate);
	free(b);
}

/* Sends a request; the answer is in the browser unless it is late. */
static void
browse(struct browser *b, const char *method, const char *target, const char *type,
       const char *body, size_t len)
{
	char path[1024];
	const char *query = strchr(target, '?');

	snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
	struct web_request r = {.method = method,
	    .path = path,
	    .query = query ? query + 1 : NULL,
	    .content_type = type,
	    .cookie = *b->cookie ? b->cookie : NULL,
	    .certificate = b->certificate,
	    .certificate_len = b->certificate_len,
	    .body = (const uint8_t *)body,
	    .body_len = len};
	b->status = 0;
	assert_true(web_begin(&b->site, &r, b, &b->exchange));
	if (!b->late)
		assert_null(b->exchange);
}

static void
get(struct browser *b, const char *target)
{
	browse(b, "GET", target, NULL, NULL, 0);
}

/* The token of the form on the page that was read last. */
static const char *
token_of(const struct browser *b, char out[65])
{
	const char *at = strstr(b->body, "name=\"token\" value=\"");

	assert_non_null(at);
	snprintf(out, 65, "%s", at + strlen("name=\"token\" value=\""));
	return out;
}

/* Reads the page, fills in its form, sends it. */
static void
post(struct browser *b, const char *path, const char *fields)
{
	char token[65], body[8192];

	get(b, path);
	assert_int_equal(b->status, 200);
	snprintf(body, sizeof body, "token=%s&%s", token_of(b, token), fields);
	browse(b, "POST", path, "application/x-www-form-urlencoded", body, strlen(body));
}

static bool
shows(const struct browser *b, const char *text)
{
	return strstr(b->body, text) != NULL;
}

static const char *
asked(const struct browser *b, const char *key)
{
	const char *s = json_string_value(json_object_get(b->asked, key));

	return s ? s : "";
}

static const char *
asked_field(const struct browser *b, const char *key)
{
	const char *s =
	    json_string_value(json_object_get(json_object_get(b->asked, "fields"), key));

	return s ? s : "";
}

#endif
