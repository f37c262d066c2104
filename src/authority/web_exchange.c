/* From request to answer. Every step runs when all answers of the one before are there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/web_page.h"
#include "lib/guid.h"

#define HTML_TYPE "text/html; charset=utf-8"
#define FAULT_TEXT 512

/* Nothing from elsewhere, no script at all, no frames; pages are for this reader only. */
static const char security[] =
    "Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n";

void *
web_user(const struct web_exchange *x)
{
	return x->user;
}

static void
exchange_free(struct web_exchange *x)
{
	for (unsigned i = 0; i < ASK_COUNT; i++)
		json_decref(x->asks[i].answer);
	web_form_free(&x->query);
	web_form_free(&x->form);
	arena_free(&x->memory);
	buf_free(&x->fields);
	buf_free(&x->page.out);
	free(x);
}

/* ---- questions ---- */

void
web_ask(struct web_exchange *x, unsigned slot, enum web_asked whom, json_t *query)
{
	if (!query) {
		web_refuse(x, 503, FAULT_WEB_INTERNAL, NULL);
		return;
	}
	json_object_set_new(query, "actor", web_actor(x));
	json_decref(x->asks[slot].answer);
	x->asks[slot] = (struct web_ask){.asked = true};
	x->waiting++;
	x->site->ask(x->site->arg, x, whom, slot, query);
	json_decref(query);
}

const json_t *
web_answer(const struct web_exchange *x, unsigned slot)
{
	const json_t *answer = x->asks[slot].answer;

	return answer && json_is_true(json_object_get(answer, "ok")) ? answer : NULL;
}

json_t *
web_query(const struct web_exchange *x, const char *verb)
{
	char text[GUID_TEXT_SIZE];
	struct guid g;

	if (!guid_parse_lenient(&g, x->parts[0]))
		return json_pack("{s:s, s:s}", "verb", verb, "guid", x->parts[0]);
	guid_format(&g, text);
	return json_pack("{s:s, s:s}", "verb", verb, "guid", text);
}

/* ---- answers ---- */

void
web_refuse(struct web_exchange *x, int status, enum fault fault, const char *detail)
{
	if (x->stage == STAGE_END)
		return;
	x->status = status;
	x->fault = fault;
	x->detail = detail ? web_format(x, "%.*s", FAULT_TEXT, detail) : NULL;
	x->stage = STAGE_END;
}

const char *
web_path(struct web_exchange *x, const char *pattern)
{
	struct buf out = {.max = 2048};
	const char *path;

	for (unsigned part = 0; *pattern; pattern++) {
		if (strncmp(pattern, "{}", 2) == 0 && part < WEB_PARTS) {
			web_markup_url(&out, x->parts[part++]);
			pattern++;
		} else {
			buf_addc(&out, *pattern);
		}
	}
	path = web_format(x, "%s", buf_str(&out));
	buf_free(&out);
	return path;
}

void
web_redirect(struct web_exchange *x, const char *path, enum web_text done)
{
	char mark[32] = "";

	if (done)
		snprintf(mark, sizeof mark, "%cdone=%d", strchr(path, '?') ? '&' : '?', (int)done);
	buf_addf(&x->fields, "Location: %s%s\r\n", path, mark);
	x->status = 303;
	x->stage = STAGE_END;
}

/* The refusal in an answer, as a fault of the catalogue. */
static void
take_refusal(struct web_exchange *x, const json_t *answer)
{
	const char *code = web_string(answer, "code"), *field = web_string(answer, "field");

	if (!*code)
		code = web_string(answer, "fault");
	x->fault = fault_by_code(code);
	if (x->fault == FAULT_NONE)
		x->fault = FAULT_WEB_INTERNAL;
	x->detail = web_format(x, "%.*s", FAULT_TEXT, web_string(answer, "detail"));
	for (unsigned i = 0; x->route && i < x->route->field_count; i++) {
		if (strcmp(x->route->fields[i].name, field) == 0)
			x->errors[i] = TEXT_WRONG_BLAMED;
	}
}

/* What a refusal of the ledger is to HTTP: no right to it, or no such thing. */
static int
status_of(enum fault f)
{
	const char *code = fault_code(f);

	return strcmp(code, "A-110") == 0 || strcmp(code, "A-111") == 0 ? 403 : 404;
}

/* True when everything that the page was to show is there; otherwise the fault is the page. */
static bool
loaded(struct web_exchange *x)
{
	for (unsigned i = ASK_MAIN; i < ASK_COUNT; i++) {
		const struct web_ask *a = &x->asks[i];
		if (!a->asked || web_answer(x, i))
			continue;
		if (a->answer) {
			take_refusal(x, a->answer);
			web_refuse(x, status_of(x->fault), x->fault, x->detail);
		} else {
			web_refuse(x, 503, FAULT_WEB_SILENT, NULL);
		}
		return false;
	}
	return true;
}

/* ---- steps ---- */

static void
step_load(struct web_exchange *x)
{
	if (!x->asks[ASK_WHO].answer) {
		web_refuse(x, 503, FAULT_WEB_SILENT, NULL);
		return;
	}
	x->who = web_who(web_answer(x, ASK_WHO));
	if (x->fault) { /* of the request itself, see take_request */
		x->stage = STAGE_END;
	} else if (!x->route) {
		web_refuse(x, 404, FAULT_WEB_NOT_FOUND, x->path);
	} else if (!(x->route->who & x->who)) {
		web_refuse(x, 403, FAULT_WEB_FORBIDDEN, NULL);
	} else {
		x->stage = STAGE_ACT;
		x->done = x->route->done;
		if (x->route->load)
			x->route->load(x);
	}
}

static void
step_act(struct web_exchange *x)
{
	if (!loaded(x))
		return;
	x->stage = STAGE_SHOW;
	if (!x->post)
		return;
	if (!web_fields_check(x))
		x->status = 422;
	else
		x->route->act(x);
}

/* What was asked for was done, or is refused with a reason. True: the page is still to be shown. */
static bool
acted(struct web_exchange *x)
{
	const struct web_ask *a = &x->asks[ASK_ACT];

	if (!a->asked)
		return true;
	if (!a->answer) {
		x->status = 503;
		x->fault = FAULT_WEB_UNSURE;
	} else if (!web_answer(x, ASK_ACT)) {
		x->status = 422;
		take_refusal(x, a->answer);
	} else if (x->route->then) {
		web_redirect(x, web_path(x, x->route->then), x->done);
		return false;
	}
	return true;
}

static void
step_show(struct web_exchange *x)
{
	if (!acted(x))
		return;
	x->route->show(x);
	x->stage = STAGE_END;
}

static void
respond(struct web_exchange *x)
{
	char cookie[WEB_COOKIE_SIZE];
	struct web_response r = {.content_type = x->content_type ? x->content_type : HTML_TYPE};

	if (x->open)
		web_close(x);
	if (x->session.renew) {
		web_session_cookie(x, cookie);
		buf_addf(&x->fields, "Set-Cookie: __Host-session=%s; Path=/; Secure; HttpOnly; "
			 "SameSite=Strict\r\n", cookie);
	}
	if (!x->content_type)
		buf_adds(&x->fields, "Cache-Control: no-store\r\n");
	buf_adds(&x->fields, security);
	if (x->gone)
		*x->gone = NULL;
	r.status = x->status;
	r.fields = buf_str(&x->fields);
	r.body = buf_str(&x->page.out);
	r.len = x->page.out.len;
	if (x->page.wrong || x->page.out.failed || x->fields.failed)
		r = (struct web_response){.status = 503, .content_type = "text/plain",
		    .fields = security, .body = "503\n", .len = 4};
	x->site->respond(x->site->arg, x, &r);
	exchange_free(x);
}

static void
step_end(struct web_exchange *x)
{
	if (x->fault && !x->open && x->status >= 400 && x->page.out.len == 0)
		web_fault_show(x);
	respond(x);
}

/* Goes as far as it can without waiting. The exchange may be gone afterwards. */
static void
run(struct web_exchange *x)
{
	if (x->running)
		return;
	x->running = true;
	while (x->waiting == 0) {
		switch (x->stage) {
		case STAGE_WHO:
			x->stage = STAGE_LOAD;
			web_ask(x, ASK_WHO, WEB_LEDGER, json_pack("{s:s}", "verb", "whoami"));
			break;
		case STAGE_LOAD:
			step_load(x);
			break;
		case STAGE_ACT:
			step_act(x);
			break;
		case STAGE_SHOW:
			step_show(x);
			break;
		case STAGE_END:
			step_end(x);
			return;
		}
	}
	x->running = false;
}

void
web_answered(struct web_exchange *x, unsigned slot, json_t *answer)
{
	x->asks[slot].answer = json_incref(answer);
	x->waiting--;
	run(x);
}

void
web_abandon(struct web_exchange *x)
{
	exchange_free(x);
}

/* ---- the request ---- */

static bool
read_body(struct web_exchange *x, const struct web_request *r)
{
	static const char parts[] = "multipart/form-data";
	static const char pairs[] = "application/x-www-form-urlencoded";
	const char *type = r->content_type ? r->content_type : "";

	if (r->body_len > WEB_BODY_MAX) {
		web_refuse(x, 413, FAULT_WEB_FORM_LARGE, NULL);
		return false;
	}
	if (strncasecmp(type, parts, sizeof parts - 1) == 0 ?
	        web_form_read_parts(&x->form, type, r->body, r->body_len) :
	        strncasecmp(type, pairs, sizeof pairs - 1) == 0 &&
	            web_form_read(&x->form, (const char *)r->body, r->body_len))
		return true;
	web_refuse(x, 400, FAULT_WEB_FORM_BAD, NULL);
	return false;
}

/* A form counts only when it was made for this session, and comes from a page of ours. */
static void
take_form(struct web_exchange *x, const struct web_request *r)
{
	if (!read_body(x, r))
		return;
	if (r->fetch_site && strcmp(r->fetch_site, "same-origin") != 0 &&
	    strcmp(r->fetch_site, "none") != 0)
		web_refuse(x, 403, FAULT_WEB_SESSION, r->fetch_site);
	else if (!web_session_owns(x, web_form_text(&x->form, "token")))
		web_refuse(x, 403, FAULT_WEB_SESSION, NULL);
}

static void
take_language(struct web_exchange *x, const char *cookie_field)
{
	char language[8];

	x->language = LANGUAGE_BG;
	if (web_cookie(cookie_field, "__Host-language", language, sizeof language) &&
	    strcmp(language, "en") == 0)
		x->language = LANGUAGE_EN;
}

static void
take_request(struct web_exchange *x, const struct web_request *r)
{
	bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;

	x->post = strcmp(r->method, "POST") == 0;
	x->path = web_format(x, "%s", r->path);
	x->raw_query = web_format(x, "%s", r->query ? r->query : "");
	x->route = web_route_find(r->path, x->parts);
	take_language(x, r->cookie);
	if (!web_certificate(x, r->certificate, r->certificate_len)) {
		web_refuse(x, 403, FAULT_WEB_CERTIFICATE, NULL);
		return;
	}
	if (!web_session_take(x, r->cookie))
		web_refuse(x, 503, FAULT_WEB_INTERNAL, NULL);
	else if (r->query && !web_form_read(&x->query, r->query, strlen(r->query)))
		web_refuse(x, 400, FAULT_WEB_FORM_BAD, NULL);
	else if (!reads && (!x->post || (x->route && !x->route->act)))
		web_refuse(x, 405, FAULT_WEB_METHOD, r->method);
	else if (x->post && x->route)
		take_form(x, r);
	/* The page that says what is wrong has the usual links on it, so who asks is found out first. */
	x->stage = x->route && x->route->bare && !x->fault ? STAGE_SHOW : STAGE_WHO;
}

bool
web_begin(const struct web_site *site, const struct web_request *r, void *user,
          struct web_exchange **out)
{
	struct web_exchange *x = calloc(1, sizeof *x);

	*out = x;
	if (!x)
		return false;
	x->site = site;
	x->user = user;
	x->status = 200;
	x->page.out.max = WEB_PAGE_MAX;
	x->fields.max = 16 << 10;
	take_request(x, r);
	x->gone = out;
	run(x);
	/* respond has set *out to NULL when it was called meanwhile. */
	if (*out)
		x->gone = NULL;
	return true;
}
