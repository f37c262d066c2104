/* Requests of participants to have identity fields changed: list, one, approve, refuse. */
#include <stdlib.h>
#include <string.h>

#include "authority/web_page.h"

/* ---- the list ---- */

void
page_requests_load(struct web_exchange *x)
{
	const char *state = web_form_text(&x->query, "state");
	json_t *q = web_list_query(x, "request-list");

	if (!state)
		state = x->who & WHO_STAFF ? "open" : "";
	if (*state)
		json_object_set_new(q, "state", json_string(state));
	web_ask(x, ASK_MAIN, WEB_LEDGER, q);
}

static void
put_states(struct web_exchange *x)
{
	static const struct {
		const char *state;
		enum web_text text;
	} states[] = {{"open", TEXT_REQUESTS_OPEN}, {"", TEXT_REQUESTS_ALL}};
	const char *chosen = web_form_text(&x->query, "state");

	if (!chosen)
		chosen = x->who & WHO_STAFF ? "open" : "";
	PUT("<nav class=\"tabs\" aria-label=\"{}\"><ul>", T(FILTER));
	for (size_t i = 0; i < 2; i++) {
		PUT("<li><a href=\"/requests?state={%}\"", states[i].state);
		if (strcmp(chosen, states[i].state) == 0)
			PUT(" aria-current=\"true\"");
		PUT(">{}</a></li>", web_text(x, states[i].text));
	}
	PUT("</ul></nav>\n");
}

static void
put_requests(struct web_exchange *x, const json_t *list)
{
	static const enum web_text columns[] = {TEXT_REQUEST, TEXT_PARTICIPANT, TEXT_STATUS,
		TEXT_ASKED_AT};
	json_t *r;
	size_t i;

	web_table(x, T(REQUESTS), false, columns, 4);
	json_array_foreach (list, i, r) {
		const char *id = web_format(x, "%lld", web_integer(r, "id"));
		web_row(x);
		CELL("<a href=\"/requests/{%}\">{} {}</a>", id, T(NUMBER), id);
		CELL("{}", web_string(r, "name"));
		web_cell_begin(x);
		web_state(x, web_string(r, "state"));
		web_cell_end(x);
		CELL("{}", web_moment(x, web_string(r, "asked_at")));
	}
	web_table_end(x);
}

void
page_requests_show(struct web_exchange *x)
{
	const json_t *answer = web_answer(x, ASK_MAIN), *list = json_object_get(answer, "requests");

	web_open(x, TEXT_REQUESTS, NULL);
	PUT("<p>{}</p>", T(REQUESTS_INTRO));
	put_states(x);
	if (json_array_size(list) == 0)
		web_empty(x, TEXT_REQUESTS_NONE);
	else
		put_requests(x, list);
	web_paging(x, web_integer(answer, "total"));
}

/* ---- one request ---- */

static json_t *
query_by_id(const struct web_exchange *x, const char *verb)
{
	return json_pack("{s:s, s:I}", "verb", verb, "id",
	    (json_int_t)strtoll(x->parts[0], NULL, 10));
}

static const json_t *
request_of(const struct web_exchange *x)
{
	return json_object_get(web_answer(x, ASK_MAIN), "request");
}

void
page_request_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER, query_by_id(x, "request-show"));
}

static void
put_request(struct web_exchange *x, const json_t *r)
{
	const char *decided = web_string(r, "decided_at");

	web_facts(x);
	PUT("<div><dt>{}</dt><dd><a href=\"/participants/{%}\">{}</a></dd></div>", T(PARTICIPANT),
	    web_short_guid(x, web_string(r, "guid")), web_string(r, "name"));
	web_fact_state(x, TEXT_STATUS, web_string(r, "state"));
	web_fact(x, TEXT_ASKED_AT, web_moment(x, web_string(r, "asked_at")));
	web_fact(x, TEXT_ASKED_BY, web_string(r, "asked_by"));
	web_fact(x, TEXT_REASON, web_string(r, "reason"));
	if (*decided) {
		web_fact(x, TEXT_DECIDED_AT, web_moment(x, decided));
		web_fact(x, TEXT_DECIDED_BY, web_string(r, "decided_by"));
		web_fact(x, TEXT_DECISION_REASON, web_string(r, "decision_reason"));
	}
	web_facts_end(x);
	PUT("<h2>{}</h2>", T(REQUESTED_CHANGES));
	web_changes(x, json_object_get(r, "before"), json_object_get(r, "fields"));
}

static const char *
request_name(struct web_exchange *x)
{
	return web_format(x, "%s %s", T(NUMBER), x->parts[0]);
}

void
page_request_show(struct web_exchange *x)
{
	const json_t *r = request_of(x);

	web_open(x, TEXT_REQUEST, request_name(x));
	put_request(x, r);
	if ((x->who & WHO_OFFICER) && strcmp(web_string(r, "state"), "open") == 0)
		PUT("<p class=\"actions\"><a class=\"button\" href=\"{}\">{}</a> "
		    "<a class=\"button danger\" href=\"{}\">{}</a></p>",
		    web_path(x, "/requests/{}/approve"), T(APPROVE),
		    web_path(x, "/requests/{}/refuse"), T(REFUSE));
}

/* ---- decisions ---- */

static void
decide(struct web_exchange *x, const char *verb)
{
	const char *reason = web_sent(x, "reason");
	json_t *q = query_by_id(x, verb);

	if (*reason)
		json_object_set_new(q, "reason", json_string(reason));
	web_ask(x, ASK_ACT, WEB_LEDGER, q);
}

static void
show_decision(struct web_exchange *x, enum web_text title, enum web_text intro,
              enum web_text button, bool danger)
{
	web_open(x, title, request_name(x));
	PUT("<p>{}</p>", web_text(x, intro));
	put_request(x, request_of(x));
	if (strcmp(web_string(request_of(x), "state"), "open") == 0)
		web_form_show(x, NULL,
		    &(struct web_button){button, danger, web_path(x, "/requests/{}")});
	else
		PUT("<p class=\"note\">{}</p>", T(DECIDED));
}

void
page_approval_act(struct web_exchange *x)
{
	decide(x, "request-approve");
}

void
page_approval_show(struct web_exchange *x)
{
	show_decision(x, TEXT_APPROVAL, TEXT_APPROVAL_INTRO, TEXT_APPROVE, false);
}

void
page_refusal_act(struct web_exchange *x)
{
	decide(x, "request-refuse");
}

void
page_refusal_show(struct web_exchange *x)
{
	show_decision(x, TEXT_REFUSAL, TEXT_REFUSAL_INTRO, TEXT_REFUSE, true);
}
