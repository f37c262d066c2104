/* Certificates as they are looked at: lists, one of them, its file. */
#include <string.h>

#include "authority/web_page.h"

#define WARN_DAYS 60 /* from here on the list says how many days are left */

/* ---- lists ---- */

static void
put_validity(struct web_exchange *x, const json_t *c)
{
	const char *end = web_string(c, "not_after");
	long long days;

	web_cell_begin(x);
	PUT("{}", web_day(x, end));
	if (strcmp(web_string(c, "state"), "issued") == 0 && web_days_left(x, end, &days) &&
	    days <= WARN_DAYS)
		PUT("<br><strong class=\"late\">{}</strong>", days < 0 ? T(EXPIRED) :
		    web_format(x, "%s %s", T(DAYS_LEFT), web_count(x, days, TEXT_DAY, TEXT_DAYS)));
	web_cell_end(x);
}

/* A request has a number, a certificate its serial. */
static void
put_name(struct web_exchange *x, const json_t *c)
{
	const char *serial = web_string(c, "serial");
	const char *id = web_format(x, "%lld", web_integer(c, "id"));

	if (*serial)
		CELL("<a class=\"mono\" href=\"/certificates/{%}\">{}</a>", serial, serial);
	else
		CELL("<a href=\"/certificates/requests/{%}\">{} {} {}</a>", id, T(CERTIFICATE_REQUEST),
		    T(NUMBER), id);
}

static void
put_certificates(struct web_exchange *x, const json_t *list, const char *caption)
{
	static const enum web_text columns[] = {TEXT_CERTIFICATE, TEXT_PARTICIPANT, TEXT_STATUS,
		TEXT_VALID_TO};
	json_t *c;
	size_t i;

	web_table(x, caption, false, columns, 4);
	json_array_foreach (list, i, c) {
		web_row(x);
		put_name(x, c);
		CELL("{}", web_string(c, "name"));
		web_cell_begin(x);
		web_state(x, web_string(c, "state"));
		web_cell_end(x);
		put_validity(x, c);
	}
	web_table_end(x);
}

static void
show_list(struct web_exchange *x)
{
	const json_t *answer = web_answer(x, ASK_MAIN);
	const json_t *list = json_object_get(answer, "certificates");

	if (json_array_size(list) == 0)
		web_empty(x, TEXT_CERTIFICATES_NONE);
	else
		put_certificates(x, list, T(CERTIFICATES));
	web_paging(x, web_integer(answer, "total"));
}

static const json_t *
own_entries(const struct web_exchange *x)
{
	return json_object_get(web_answer(x, ASK_WHO), "participants");
}

/* Staff sees all; a participant goes on to those of its entry, or chooses one. */
void
page_certificates_load(struct web_exchange *x)
{
	const char *state = web_form_text(&x->query, "state");
	const char *guid = web_string(json_array_get(own_entries(x), 0), "guid");
	json_t *q;

	if (!(x->who & WHO_STAFF)) {
		if (json_array_size(own_entries(x)) == 1)
			web_redirect(x, web_format(x, "/participants/%s/certificates",
			    web_short_guid(x, guid)), TEXT_NONE);
		return;
	}
	q = web_list_query(x, "certificate-list");
	if (state && *state)
		json_object_set_new(q, "state", json_string(state));
	web_ask(x, ASK_MAIN, WEB_LEDGER, q);
}

static void
put_states(struct web_exchange *x)
{
	static const struct {
		const char *state;
		enum web_text text;
	} states[] = {{"", TEXT_STATUS_ANY}, {"requested", TEXT_REQUESTS_OPEN},
	    {"issued", TEXT_TAB_ISSUED}, {"revoked", TEXT_TAB_REVOKED}, {"refused", TEXT_TAB_REFUSED}};
	const char *chosen = web_form_text(&x->query, "state");

	PUT("<nav class=\"tabs\" aria-label=\"{}\"><ul>", T(FILTER));
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		PUT("<li><a href=\"/certificates?state={%}\"", states[i].state);
		if (strcmp(chosen ? chosen : "", states[i].state) == 0)
			PUT(" aria-current=\"true\"");
		PUT(">{}</a></li>", web_text(x, states[i].text));
	}
	PUT("</ul></nav>\n");
}

static void
put_entries(struct web_exchange *x)
{
	json_t *p;
	size_t i;

	PUT("<ul>");
	json_array_foreach (own_entries(x), i, p)
		PUT("<li><a href=\"/participants/{%}/certificates\">{}</a></li>",
		    web_short_guid(x, web_string(p, "guid")), web_string(p, "name"));
	PUT("</ul>");
}

void
page_certificates_show(struct web_exchange *x)
{
	web_open(x, TEXT_CERTIFICATES, NULL);
	if (x->who & WHO_STAFF) {
		put_states(x);
		show_list(x);
	} else {
		put_entries(x);
	}
}

/* Those of one participant. */
void
page_own_certificates_load(struct web_exchange *x)
{
	json_t *q = web_query(x, "certificate-list");

	json_object_set_new(q, "offset", json_integer(web_offset(x)));
	json_object_set_new(q, "limit", json_integer(WEB_LIMIT));
	web_ask(x, ASK_MAIN, WEB_LEDGER, q);
	web_ask(x, ASK_MORE, WEB_LEDGER, web_query(x, "participant-show"));
}

void
page_own_certificates_show(struct web_exchange *x)
{
	const json_t *p = json_object_get(web_answer(x, ASK_MORE), "participant");
	bool own = web_is_own(x, web_string(p, "guid"));

	web_open(x, TEXT_CERTIFICATES, web_string(p, "name"));
	PUT("<p>{}</p>", T(CERTIFICATES_INTRO));
	if (own || (x->who & WHO_CA_OPERATOR))
		PUT("<p class=\"do\"><a class=\"button\" href=\"{}\">{}</a></p>",
		    web_path(x, "/participants/{}/certificates/new"), T(CERTIFICATE_NEW));
	if (x->who & WHO_CA_OPERATOR)
		PUT("<p class=\"do\"><a href=\"{}\">{}</a></p>",
		    web_path(x, "/participants/{}/certificates/register"), T(CERTIFICATE_REGISTER));
	show_list(x);
	PUT("<p><a href=\"{}\">{}</a></p>", web_path(x, "/participants/{}"), T(BACK_TO_PARTICIPANT));
}

/* ---- one of them ---- */

void
page_certificate_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER,
	    json_pack("{s:s, s:s}", "verb", "certificate-show", "serial", x->parts[0]));
}

static void
put_checks(struct web_exchange *x, const json_t *checks)
{
	static const enum web_text columns[] = {TEXT_CHECK, TEXT_CHECK_RESULT};
	json_t *c;
	size_t i;

	if (json_array_size(checks) == 0)
		return;
	web_table(x, T(CHECKS), true, columns, 2);
	json_array_foreach (checks, i, c) {
		bool good = json_is_true(json_object_get(c, "ok"));
		web_row(x);
		CELL("{}", web_word(x, web_string(c, "check")));
		CELL("<span class=\"state {}\">{}</span> <span class=\"mono\">{}</span>", good ? "good" : "bad",
		    good ? T(CHECK_GOOD) : T(CHECK_BAD), web_string(c, "text"));
	}
	web_table_end(x);
}

static void
put_approvals(struct web_exchange *x, const json_t *c)
{
	const json_t *list = json_object_get(c, "approvals");
	long long needed = web_integer(c, "approvals_needed");
	json_t *a;
	size_t i;

	if (needed > 1)
		PUT("<p class=\"note\">{}: {} {} {}.</p>", T(APPROVALS),
		    web_number(x, (long long)json_array_size(list)), T(PAGING_OF),
		    web_number(x, needed));
	if (json_array_size(list) == 0)
		return;
	PUT("<h2>{}</h2><ul>", T(APPROVALS));
	json_array_foreach (list, i, a)
		PUT("<li>{}, {}</li>", web_string(a, "by"), web_moment(x, web_string(a, "time")));
	PUT("</ul>");
}

static void
put_ends(struct web_exchange *x, const json_t *c)
{
	if (*web_string(c, "revoked_at")) {
		web_fact(x, TEXT_REVOKED_AT, web_moment(x, web_string(c, "revoked_at")));
		web_fact(x, TEXT_REASON, web_word(x, web_string(c, "revocation_reason")));
	}
	if (*web_string(c, "refusal_reason"))
		web_fact(x, TEXT_DECISION_REASON, web_string(c, "refusal_reason"));
	if (*web_string(c, "renewal_of"))
		PUT("<div><dt>{}</dt><dd class=\"mono\"><a href=\"/certificates/{%}\">{}</a></dd></div>",
		    T(RENEWAL_OF), web_string(c, "renewal_of"), web_string(c, "renewal_of"));
}

static void
put_certificate(struct web_exchange *x, const json_t *c)
{
	const char *end = web_string(c, "not_after");
	long long days;

	web_facts(x);
	PUT("<div><dt>{}</dt><dd><a href=\"/participants/{%}\">{}</a></dd></div>", T(PARTICIPANT),
	    web_short_guid(x, web_string(c, "guid")), web_string(c, "name"));
	web_fact_state(x, TEXT_STATUS, web_string(c, "state"));
	if (*web_string(c, "subject")) {
		web_fact_code(x, TEXT_SUBJECT, web_string(c, "subject"));
		web_fact(x, TEXT_KEY, web_string(c, "key"));
	} else {
		web_fact_code(x, TEXT_HOST, web_string(c, "asked_name"));
	}
	if (*end) {
		web_fact(x, TEXT_VALID_FROM, web_moment(x, web_string(c, "not_before")));
		web_fact(x, TEXT_VALID_TO, web_moment(x, end));
	}
	if (strcmp(web_string(c, "state"), "issued") == 0 && web_days_left(x, end, &days))
		web_fact(x, TEXT_LEFT, days < 0 ? T(EXPIRED) :
		    web_count(x, days, TEXT_DAY, TEXT_DAYS));
	web_fact(x, TEXT_VIA, json_is_true(json_object_get(c, "external")) ? T(VIA_EXTERNAL) :
	    web_word(x, web_string(c, "via")));
	web_fact(x, TEXT_ASKED_AT, web_moment(x, web_string(c, "asked_at")));
	web_fact(x, TEXT_ASKED_BY, web_string(c, "asked_by"));
	put_ends(x, c);
	if (*web_string(c, "fingerprint"))
		web_fact_code(x, TEXT_FINGERPRINT, web_string(c, "fingerprint"));
	web_facts_end(x);
	put_checks(x, json_object_get(c, "checks"));
	put_approvals(x, c);
}

static const json_t *
certificate_of(const struct web_exchange *x)
{
	return json_object_get(web_answer(x, ASK_MAIN), "certificate");
}

void
page_certificate_show(struct web_exchange *x)
{
	const json_t *c = certificate_of(x);
	bool issued = strcmp(web_string(c, "state"), "issued") == 0;

	web_open(x, TEXT_CERTIFICATE, web_string(c, "serial"));
	put_certificate(x, c);
	PUT("<p class=\"actions\">");
	if (*web_string(c, "pem"))
		PUT("<a class=\"button\" href=\"{}\">{}</a> ", web_path(x, "/certificates/{}/file"),
		    T(DOWNLOAD));
	if (issued && (x->who & WHO_CA_OPERATOR))
		PUT("<a class=\"button danger\" href=\"{}\">{}</a>",
		    web_path(x, "/certificates/{}/revoke"), T(REVOCATION));
	PUT("</p>\n");
}

void
page_certificate_file_show(struct web_exchange *x)
{
	const char *serial = web_string(certificate_of(x), "serial");
	const char *pem = web_string(certificate_of(x), "pem");
	size_t hex = strspn(serial, "0123456789ABCDEFabcdef");

	if (!*pem) {
		web_refuse(x, 404, FAULT_WEB_NOT_FOUND, x->path);
		return;
	}
	x->content_type = "application/x-pem-file";
	buf_addf(&x->fields, "Content-Disposition: attachment; filename=\"%.*s.pem\"\r\n"
	    "Cache-Control: no-store\r\n", hex > 64 ? 64 : (int)hex, serial);
	buf_adds(&x->page.out, pem);
}

/* ---- a request for one ---- */

void
page_certificate_request_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER,
	    json_pack("{s:s, s:I}", "verb", "certificate-show", "id",
	        (json_int_t)strtoll(x->parts[0], NULL, 10)));
}

static bool
is_waiting(const json_t *c)
{
	const char *state = web_string(c, "state");

	return strcmp(state, "requested") == 0 || strcmp(state, "approved") == 0;
}

void
page_certificate_request_show(struct web_exchange *x)
{
	const json_t *c = certificate_of(x);
	const char *serial = web_string(c, "serial");

	web_open(x, TEXT_CERTIFICATE_REQUEST, web_format(x, "%s %s", T(NUMBER), x->parts[0]));
	put_certificate(x, c);
	if (*serial)
		PUT("<p><a href=\"/certificates/{%}\">{} {}</a></p>", serial, T(CERTIFICATE), serial);
	if (is_waiting(c) && (x->who & WHO_CA_OPERATOR))
		PUT("<p class=\"actions\"><a class=\"button\" href=\"{}\">{}</a> "
		    "<a class=\"button danger\" href=\"{}\">{}</a></p>",
		    web_path(x, "/certificates/requests/{}/approve"), T(APPROVE),
		    web_path(x, "/certificates/requests/{}/refuse"), T(REFUSE));
}

static void
show_decision(struct web_exchange *x, enum web_text title, enum web_text intro,
              enum web_text button, bool danger)
{
	web_open(x, title, web_format(x, "%s %s", T(NUMBER), x->parts[0]));
	PUT("<p>{}</p>", web_text(x, intro));
	put_certificate(x, certificate_of(x));
	if (is_waiting(certificate_of(x)))
		web_form_show(x, NULL,
		    &(struct web_button){button, danger, web_path(x, "/certificates/requests/{}")});
	else
		PUT("<p class=\"note\">{}</p>", T(DECIDED));
}

void
page_certificate_approval_show(struct web_exchange *x)
{
	show_decision(x, TEXT_CERTIFICATE_APPROVAL, TEXT_CERTIFICATE_APPROVAL_INTRO, TEXT_APPROVE,
	    false);
}

void
page_certificate_refusal_show(struct web_exchange *x)
{
	show_decision(x, TEXT_CERTIFICATE_REFUSAL, TEXT_CERTIFICATE_REFUSAL_INTRO, TEXT_REFUSE, true);
}

void
page_revocation_show(struct web_exchange *x)
{
	const json_t *c = certificate_of(x);

	web_open(x, TEXT_REVOCATION, web_string(c, "serial"));
	PUT("<p>{}</p>", T(REVOCATION_INTRO));
	put_certificate(x, c);
	web_form_show(x, NULL,
	    &(struct web_button){TEXT_REVOCATION_DO, true, web_path(x, "/certificates/{}")});
}
