/* Participants: the list, one of them now or at a past moment, what became of it, a new one. */
#include <string.h>

#include "authority/web_page.h"

/* ---- the list ---- */

void
page_participants_load(struct web_exchange *x)
{
	const char *query = web_form_text(&x->query, "q"), *status = web_form_text(&x->query, "status");
	json_t *q = web_list_query(x, "participant-list");

	if (query && *query)
		json_object_set_new(q, "query", json_string(query));
	if (status && *status)
		json_object_set_new(q, "status", json_string(status));
	web_ask(x, ASK_MAIN, WEB_LEDGER, q);
}

static void
put_search(struct web_exchange *x)
{
	static const char *const states[] = {"Active", "TemporarilyInactive", "Inactive"};
	const char *query = web_form_text(&x->query, "q"), *chosen = web_form_text(&x->query, "status");

	PUT("<form method=\"get\" action=\"/participants\" class=\"search\" role=\"search\">"
	    "<div><label for=\"q\">{}</label><input type=\"search\" id=\"q\" name=\"q\" value=\"{}\" "
	    "maxlength=\"200\"></div><div><label for=\"status\">{}</label>"
	    "<select id=\"status\" name=\"status\"><option value=\"\">{}</option>",
	    T(SEARCH_LABEL), query, T(STATUS), T(STATUS_ANY));
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		PUT("<option value=\"{}\"", states[i]);
		if (chosen && strcmp(chosen, states[i]) == 0)
			PUT(" selected");
		PUT(">{}</option>", web_word(x, states[i]));
	}
	PUT("</select></div><button type=\"submit\" class=\"main\">{}</button></form>\n", T(SEARCH));
}

static void
put_participants(struct web_exchange *x, const json_t *list, const char *caption)
{
	static const enum web_text columns[] = {TEXT_NAME, TEXT_EIK, TEXT_STATUS, TEXT_LAST_CHANGE};
	json_t *p;
	size_t i;

	web_table(x, caption, true, columns, 4);
	json_array_foreach (list, i, p) {
		web_row(x);
		CELL("<a href=\"/participants/{%}\">{}</a>", web_short_guid(x, web_string(p, "guid")),
		    web_string(p, "name"));
		CELL("{}", web_string(p, "eik"));
		web_cell_begin(x);
		web_state(x, web_string(p, "status"));
		web_cell_end(x);
		CELL("{}", web_day(x, web_string(p, "last_change")));
	}
	web_table_end(x);
}

void
page_participants_show(struct web_exchange *x)
{
	const json_t *answer = web_answer(x, ASK_MAIN);
	const json_t *list = json_object_get(answer, "participants");
	long long total = web_integer(answer, "total");

	web_open(x, TEXT_PARTICIPANTS, NULL);
	if (x->who & WHO_RECORDS)
		PUT("<p class=\"do\"><a class=\"button\" href=\"/participants/new\">{}</a></p>",
		    T(PARTICIPANT_NEW));
	put_search(x);
	if (json_array_size(list) == 0) {
		web_empty(x, TEXT_PARTICIPANTS_NONE);
		return;
	}
	put_participants(x, list,
	    web_format(x, "%s: %s", T(FOUND), web_number(x, total)));
	web_paging(x, total);
}

/* ---- one participant ---- */

/* The moment that was asked for, as the ledger wants it; NULL: now. A moment without zone is in the
 * zone of the authority. */
static const char *
moment_asked(struct web_exchange *x)
{
	const char *at = web_form_text(&x->query, "at");
	char text[WHEN_TEXT_SIZE];
	when w;

	if (!at || !*at)
		return NULL;
	if (!when_parse(&w, at, strlen(at))) {
		at = web_format(x, "%s:00", at); /* browsers leave the seconds out */
		if (!when_parse(&w, at, strlen(at))) {
			web_refuse(x, 400, FAULT_WEB_MOMENT, at);
			return NULL;
		}
	}
	when_format(w, text);
	return web_format(x, "%s", text);
}

void
page_participant_load(struct web_exchange *x)
{
	json_t *q = web_query(x, "participant-show");
	const char *at = moment_asked(x);

	if (at)
		json_object_set_new(q, "at", json_string(at));
	web_ask(x, ASK_MAIN, WEB_LEDGER, q);
}

static void
put_contact(struct web_exchange *x, const json_t *p)
{
	PUT("<section><h2>{}</h2>", T(CONTACT));
	web_facts(x);
	web_fact(x, TEXT_PHONE, web_string(p, "phone"));
	web_fact(x, TEXT_FAX, web_string(p, "fax"));
	web_fact(x, TEXT_EMAIL, web_string(p, "email"));
	web_facts_end(x);
	PUT("</section>\n");
}

static void
put_services(struct web_exchange *x, const json_t *p)
{
	json_t *s;
	size_t i;

	PUT("<section><h2>{}</h2>", T(SERVICES));
	json_array_foreach (json_object_get(p, "services"), i, s) {
		web_facts(x);
		web_fact(x, TEXT_SERVICE_NAME, web_string(s, "name"));
		web_fact_code(x, TEXT_URI, web_string(s, "uri"));
		web_fact_state(x, TEXT_STATUS, web_string(s, "status"));
		web_facts_end(x);
	}
	if (json_array_size(json_object_get(p, "services")) == 0)
		web_empty(x, TEXT_SERVICES_NONE);
	PUT("</section>\n");
}

static void
put_parent(struct web_exchange *x, const json_t *p)
{
	const char *guid = web_string(p, "parent_guid"), *name = web_string(p, "parent_name");

	if (web_is_no_guid(guid))
		web_fact(x, TEXT_PARENT, NULL);
	else
		PUT("<div><dt>{}</dt><dd><a href=\"/participants/{%}\">{}</a></dd></div>", T(PARENT),
		    web_short_guid(x, guid), *name ? name : guid);
}

static void
put_identity(struct web_exchange *x, const json_t *p, bool whole)
{
	const char *serial = web_string(p, "certificate_serial");

	web_facts(x);
	web_fact(x, TEXT_EIK, web_string(p, "eik"));
	web_fact_state(x, TEXT_STATUS, web_string(p, "status"));
	put_parent(x, p);
	if (whole) {
		web_fact_code(x, TEXT_HOST, web_string(p, "host_name"));
		web_fact_code(x, TEXT_GUID, web_string(p, "guid"));
		if (*serial)
			PUT("<div><dt>{}</dt><dd class=\"mono\"><a href=\"/certificates/{%}\">{}</a>"
			    "</dd></div>", T(CERTIFICATE_SERIAL), serial, serial);
		else
			web_fact(x, TEXT_CERTIFICATE_SERIAL, NULL);
	}
	web_fact(x, TEXT_LAST_CHANGE, web_moment(x, web_string(p, "last_change")));
	web_facts_end(x);
}

/* What can be done with an entry, and who is shown it. OWN stands for the participant itself. */
#define OWN WHO_PARTICIPANT

static const struct deed {
	const char *path;
	enum web_text text;
	unsigned who;
	const char *state; /* that the entry must have for it; NULL: any */
} deeds[] = {
    {"/participants/{}/contact", TEXT_CONTACT_CHANGE, OWN | WHO_RECORDS, NULL},
    {"/participants/{}/service", TEXT_SERVICE_CHANGE, OWN | WHO_RECORDS, NULL},
    {"/participants/{}/pause", TEXT_PAUSE, OWN, "Active"},
    {"/participants/{}/resume", TEXT_RESUME, OWN, "TemporarilyInactive"},
    {"/participants/{}/identity", TEXT_IDENTITY_CHANGE, OWN | WHO_RECORDS, NULL},
    {"/participants/{}/state", TEXT_STATE_CHANGE, WHO_RECORDS, NULL},
    {"/participants/{}/certificates", TEXT_NAV_CERTIFICATES, OWN | WHO_STAFF, NULL},
    {"/participants/{}/reference", TEXT_REFERENCE_NEW, WHO_OFFICER | WHO_CA_OPERATOR, NULL},
    {"/participants/{}/history", TEXT_HISTORY, OWN | WHO_STAFF, NULL},
    {"/participants/{}/remove", TEXT_REMOVAL, WHO_RECORDS, NULL},
};

static void
put_deeds(struct web_exchange *x, unsigned who, const char *state)
{
	PUT("<nav class=\"deeds\" aria-label=\"{}\"><ul>", T(DEEDS));
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		bool fits = !deeds[i].state || strcmp(deeds[i].state, state) == 0;
		if ((deeds[i].who & who) && fits)
			PUT("<li><a href=\"{}\">{}</a></li>", web_path(x, deeds[i].path),
			    web_text(x, deeds[i].text));
	}
	PUT("</ul></nav>\n");
}

static void
put_moment_form(struct web_exchange *x)
{
	const char *at = web_form_text(&x->query, "at");

	PUT("<form method=\"get\" action=\"{}\" class=\"search\"><div><label for=\"at\">{}</label>"
	    "<input type=\"datetime-local\" id=\"at\" name=\"at\" value=\"{}\"></div>"
	    "<button type=\"submit\">{}</button></form>\n",
	    web_path(x, "/participants/{}"), T(AT_MOMENT), at, T(SHOW));
}

static void
put_notice_of_past(struct web_exchange *x)
{
	const char *at = moment_asked(x);

	if (at)
		PUT("<p class=\"note\">{} {}. <a href=\"{}\">{}</a></p>", T(AS_OF), web_moment(x, at),
		    web_path(x, "/participants/{}"), T(AS_OF_NOW));
}

void
page_participant_show(struct web_exchange *x)
{
	const json_t *answer = web_answer(x, ASK_MAIN), *p = json_object_get(answer, "participant");
	bool own = web_is_own(x, web_string(p, "guid"));
	unsigned who = (x->who & WHO_STAFF) | (own ? OWN : 0);

	web_open(x, TEXT_PARTICIPANT, web_string(p, "name"));
	put_notice_of_past(x);
	PUT("<div class=\"split\"><div>");
	put_identity(x, p, who != 0);
	if (who) {
		put_contact(x, p);
		put_services(x, p);
		put_moment_form(x);
	} else {
		PUT("<p class=\"note\">{}</p>", T(PUBLIC_ONLY));
	}
	PUT("</div>");
	if (who && !moment_asked(x))
		put_deeds(x, who, web_string(p, "status"));
	PUT("</div>\n");
}

/* ---- history ---- */

void
page_history_load(struct web_exchange *x)
{
	json_t *q = web_query(x, "participant-history");

	json_object_set_new(q, "offset", json_integer(web_offset(x)));
	json_object_set_new(q, "limit", json_integer(WEB_LIMIT));
	web_ask(x, ASK_MAIN, WEB_LEDGER, q);
	web_ask(x, ASK_MORE, WEB_LEDGER, web_query(x, "participant-show"));
}

static void
put_entry(struct web_exchange *x, const json_t *e)
{
	const char *reason = web_string(e, "reason");

	PUT("<li><h2>{}</h2><p>{}, {}</p>", web_word(x, web_string(e, "verb")),
	    web_moment(x, web_string(e, "time")), web_string(e, "actor"));
	if (*reason)
		PUT("<p>{}: {}</p>", T(REASON), web_word(x, reason));
	web_changes(x, json_object_get(e, "before"), json_object_get(e, "after"));
	PUT("<p><a href=\"{}?at={%}\">{}</a></p></li>\n", web_path(x, "/participants/{}"),
	    web_string(e, "time"), T(ENTRY_AFTER));
}

void
page_history_show(struct web_exchange *x)
{
	const json_t *answer = web_answer(x, ASK_MAIN);
	const json_t *p = json_object_get(web_answer(x, ASK_MORE), "participant");
	json_t *e;
	size_t i;

	web_open(x, TEXT_HISTORY, web_string(p, "name"));
	PUT("<ol class=\"history\">");
	json_array_foreach (json_object_get(answer, "entries"), i, e)
		put_entry(x, e);
	PUT("</ol>");
	web_paging(x, web_integer(answer, "total"));
	PUT("<p><a href=\"{}\">{}</a></p>", web_path(x, "/participants/{}"), T(BACK_TO_PARTICIPANT));
}

/* ---- a new one ---- */

void
page_participant_new_act(struct web_exchange *x)
{
	json_t *record = web_fields_json(x, NULL);

	web_ask(x, ASK_ACT, WEB_LEDGER,
	    json_pack("{s:s, s:o, s:s}", "verb", "participant-add", "record", record, "reason",
	        web_sent(x, "reason")));
}

void
page_participant_new_show(struct web_exchange *x)
{
	json_t *values = json_pack("{s:s}", "status", "Inactive");

	web_open(x, TEXT_PARTICIPANT_NEW, NULL);
	PUT("<p>{}</p>", T(PARTICIPANT_NEW_INTRO));
	web_form_show(x, values, &(struct web_button){TEXT_ADD, false, "/participants"});
	json_decref(values);
}
