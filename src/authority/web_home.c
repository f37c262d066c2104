/* The first page: what waits for whom. */
#include <string.h>

#include "authority/web_page.h"

#define WARN_DAYS 60

void
page_home_load(struct web_exchange *x)
{
	if (x->who & WHO_STAFF)
		web_ask(x, ASK_MAIN, WEB_LEDGER, json_pack("{s:s}", "verb", "overview"));
	if (x->who & WHO_PARTICIPANT)
		web_ask(x, ASK_MORE, WEB_LEDGER,
		    json_pack("{s:s, s:s, s:i}", "verb", "request-list", "state", "open", "limit",
		        WEB_LIMIT));
}

/* The certificate of this very connection: the one whose end is noticed first by an operator. */
static void
put_own_certificate(struct web_exchange *x)
{
	long long days;

	PUT("<section class=\"panel\"><h2>{}</h2>", T(OWN_CERTIFICATE));
	web_facts(x);
	web_fact_code(x, TEXT_CERTIFICATE_SERIAL, x->serial);
	web_fact(x, TEXT_VALID_TO, web_moment(x, x->not_after));
	if (web_days_left(x, x->not_after, &days))
		web_fact(x, TEXT_LEFT, web_count(x, days, TEXT_DAY, TEXT_DAYS));
	web_facts_end(x);
	if (web_days_left(x, x->not_after, &days) && days <= WARN_DAYS)
		PUT("<p class=\"note\">{}</p>", T(RENEW_NOW));
	PUT("</section>\n");
}

static void
put_entries(struct web_exchange *x)
{
	const json_t *own = json_object_get(web_answer(x, ASK_WHO), "participants");
	json_t *p;
	size_t i;

	PUT("<section><h2>{}</h2><ul class=\"cards\">", T(OWN_ENTRIES));
	json_array_foreach (own, i, p) {
		const char *guid = web_short_guid(x, web_string(p, "guid"));
		PUT("<li><h3><a href=\"/participants/{%}\">{}</a></h3><p>{} {}</p>"
		    "<p><a href=\"/participants/{%}/certificates\">{}<span class=\"aside\">: {}</span>"
		    "</a></p></li>\n", guid, web_string(p, "name"), T(EIK), web_string(p, "eik"), guid,
		    T(CERTIFICATES), web_string(p, "name"));
	}
	PUT("</ul></section>\n");
}

static void
put_own_requests(struct web_exchange *x)
{
	long long open = web_integer(web_answer(x, ASK_MORE), "total");

	if (open > 0)
		PUT("<p class=\"note\"><a href=\"/requests\">{} {}</a></p>\n", T(OWN_REQUESTS),
		    web_number(x, open));
}

/* A number that leads to what it counts; due: somebody has to do something about it. */
static void
put_figure(struct web_exchange *x, const char *path, long long n, enum web_text text, bool due)
{
	PUT("<li class=\"{}\"><a href=\"{}\"><strong>{}</strong> {}</a></li>\n",
	    due && n ? "due" : "", path, web_number(x, n), web_text(x, text));
}

static void
put_work(struct web_exchange *x)
{
	const json_t *s = web_answer(x, ASK_MAIN), *open = json_object_get(s, "open");
	const json_t *participants = json_object_get(s, "participants");
	const json_t *certificates = json_object_get(s, "certificates");

	PUT("<section><h2>{}</h2><ul class=\"figures\">", T(OPEN_WORK));
	put_figure(x, "/requests", web_integer(open, "requests"), TEXT_WORK_REQUESTS, true);
	put_figure(x, "/certificates?state=requested", web_integer(open, "certificates"),
	    TEXT_WORK_CERTIFICATES, true);
	put_figure(x, "/certificates?state=issued", web_integer(certificates, "expiring"),
	    TEXT_WORK_EXPIRING, true);
	PUT("</ul></section>\n<section><h2>{}</h2><ul class=\"figures\">", T(PARTICIPANTS));
	put_figure(x, "/participants?status=Active", web_integer(participants, "active"),
	    TEXT_STATE_ACTIVE, false);
	put_figure(x, "/participants?status=TemporarilyInactive",
	    web_integer(participants, "temporarily_inactive"), TEXT_STATE_PAUSED, false);
	put_figure(x, "/participants?status=Inactive", web_integer(participants, "inactive"),
	    TEXT_STATE_INACTIVE, false);
	PUT("</ul></section>\n");
}

static void
put_stranger(struct web_exchange *x)
{
	PUT("<p>{}</p><p>{}</p>", T(STRANGER), T(STRANGER_DO));
	web_facts(x);
	web_fact_code(x, TEXT_FINGERPRINT, x->fingerprint);
	web_facts_end(x);
}

void
page_home_show(struct web_exchange *x)
{
	web_open(x, TEXT_HOME, NULL);
	if (x->who & WHO_STRANGER)
		put_stranger(x);
	if (x->who & WHO_STAFF)
		put_work(x);
	if (x->who & WHO_PARTICIPANT) {
		put_own_requests(x);
		put_entries(x);
	}
	if (x->who & WHO_KNOWN)
		put_own_certificate(x);
}
