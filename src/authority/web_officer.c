/* Officers, the log, the state of the authority. */
#include <string.h>

#include "authority/web_page.h"

/* ---- officers ---- */

void
page_officers_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER, json_pack("{s:s}", "verb", "officer-list"));
}

static void
put_roles(struct web_exchange *x, const json_t *roles)
{
	json_t *role;
	size_t i;

	web_cell_begin(x);
	json_array_foreach (roles, i, role)
		PUT("{}{}", i ? ", " : "",
		    json_is_string(role) ? web_word(x, json_string_value(role)) : "");
	web_cell_end(x);
}

void
page_officers_show(struct web_exchange *x)
{
	static const enum web_text columns[] = {TEXT_OFFICER_NAME, TEXT_ROLES, TEXT_FINGERPRINT,
		TEXT_DEEDS};
	const json_t *list = json_object_get(web_answer(x, ASK_MAIN), "officers");
	bool may = x->who & WHO_OFFICER;
	json_t *o;
	size_t i;

	web_open(x, TEXT_OFFICERS, NULL);
	PUT("<p>{}</p>", T(OFFICERS_INTRO));
	if (may)
		PUT("<p class=\"do\"><a class=\"button\" href=\"/officers/new\">{}</a></p>",
		    T(OFFICER_NEW));
	web_table(x, T(OFFICERS), false, columns, may ? 4 : 3);
	json_array_foreach (list, i, o) {
		const char *name = web_string(o, "name");
		web_row(x);
		CELL("{}", name);
		put_roles(x, json_object_get(o, "roles"));
		CELL("<span class=\"mono\">{}</span>", web_string(o, "fingerprint"));
		if (may)
			CELL("<a href=\"/officers/{%}/remove\">{}<span class=\"aside\"> {}</span></a>",
			    name, T(REMOVE), name);
	}
	web_table_end(x);
}

void
page_officer_new_act(struct web_exchange *x)
{
	json_t *roles = json_array();

	for (unsigned i = 0; i < x->form.count; i++) {
		const struct web_value *v = &x->form.values[i];
		if (strcmp(v->name, "roles") == 0)
			json_array_append_new(roles, json_string(v->text));
	}
	web_ask(x, ASK_ACT, WEB_LEDGER,
	    json_pack("{s:s, s:s, s:s, s:o, s:s}", "verb", "officer-add", "name",
	        web_sent(x, "name"), "fingerprint", web_sent(x, "fingerprint"), "roles", roles,
	        "reason", web_sent(x, "reason")));
}

void
page_officer_new_show(struct web_exchange *x)
{
	web_open(x, TEXT_OFFICER_NEW, NULL);
	PUT("<p>{}</p>", T(OFFICER_NEW_INTRO));
	web_form_show(x, NULL, &(struct web_button){TEXT_ADD, false, "/officers"});
}

void
page_officer_removal_act(struct web_exchange *x)
{
	web_ask(x, ASK_ACT, WEB_LEDGER,
	    json_pack("{s:s, s:s, s:s}", "verb", "officer-remove", "name", x->parts[0], "reason",
	        web_sent(x, "reason")));
}

void
page_officer_removal_show(struct web_exchange *x)
{
	web_open(x, TEXT_OFFICER_REMOVAL, x->parts[0]);
	PUT("<p>{}</p>", T(OFFICER_REMOVAL_INTRO));
	web_form_show(x, NULL, &(struct web_button){TEXT_REMOVE, true, "/officers"});
}

/* ---- log ---- */

void
page_journal_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER, web_list_query(x, "log-list"));
}

static void
put_object(struct web_exchange *x, const json_t *e)
{
	const char *guid = web_string(e, "guid"), *name = web_string(e, "name");

	if (*guid)
		CELL("<a href=\"/participants/{%}\">{}</a>", web_short_guid(x, guid),
		    *name ? name : guid);
	else
		CELL("{}", *name ? name : "–");
}

static void
put_what(struct web_exchange *x, const json_t *e)
{
	const json_t *before = json_object_get(e, "before"), *after = json_object_get(e, "after");
	const char *reason = web_string(e, "reason");

	web_cell_begin(x);
	PUT("{}", web_word(x, web_string(e, "verb")));
	if (*reason)
		PUT("<br>{}: {}", T(REASON), web_word(x, reason));
	if (json_object_size(before) || json_object_size(after)) {
		PUT("<details><summary>{}<span class=\"aside\"> {} {}</span></summary>", T(CHANGES),
		    T(NUMBER), web_format(x, "%lld", web_integer(e, "number")));
		web_changes(x, before, after);
		PUT("</details>");
	}
	web_cell_end(x);
}

void
page_journal_show(struct web_exchange *x)
{
	static const enum web_text columns[] = {TEXT_ENTRY, TEXT_WHAT, TEXT_ABOUT, TEXT_WHO, TEXT_WHEN};
	const json_t *answer = web_answer(x, ASK_MAIN);
	json_t *e;
	size_t i;

	web_open(x, TEXT_LOG, NULL);
	PUT("<p>{}</p>", T(LOG_INTRO));
	PUT("<p class=\"do\"><a class=\"button\" href=\"/log/check\">{}</a></p>", T(LOG_CHECK));
	web_table(x, T(LOG), false, columns, 5);
	json_array_foreach (json_object_get(answer, "entries"), i, e) {
		web_row(x);
		CELL("{}", web_format(x, "%lld", web_integer(e, "number")));
		put_what(x, e);
		put_object(x, e);
		CELL("{}", web_string(e, "actor"));
		CELL("{}", web_moment(x, web_string(e, "time")));
	}
	web_table_end(x);
	web_paging(x, web_integer(answer, "total"));
}

void
page_journal_check_act(struct web_exchange *x)
{
	web_ask(x, ASK_ACT, WEB_LEDGER, json_pack("{s:s}", "verb", "log-check"));
}

void
page_journal_check_show(struct web_exchange *x)
{
	const json_t *result = web_answer(x, ASK_ACT);
	bool intact = json_is_true(json_object_get(result, "intact"));

	web_open(x, TEXT_LOG_CHECK, NULL);
	PUT("<p>{}</p>", T(LOG_CHECK_INTRO));
	if (result) {
		PUT("<p class=\"{}\" role=\"status\">{}</p>", intact ? "done" : "problem",
		    intact ? T(LOG_INTACT) : T(LOG_BROKEN));
		web_facts(x);
		web_fact(x, TEXT_ENTRIES, web_number(x, web_integer(result, "entries")));
		if (!intact)
			web_fact(x, TEXT_FIRST_BAD, web_number(x, web_integer(result, "first_bad")));
		web_fact_code(x, TEXT_HEAD, web_string(result, "head"));
		web_facts_end(x);
	}
	web_form_small(x, "/log/check", TEXT_LOG_CHECK_DO);
	PUT("<p><a href=\"/log\">{}</a></p>", T(LOG));
}

/* ---- status ---- */

void
page_status_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER, json_pack("{s:s}", "verb", "overview"));
}

/* Numbers of an object, each under its name. */
static void
put_numbers(struct web_exchange *x, enum web_text title, const json_t *numbers)
{
	const char *key;
	json_t *value;

	if (json_object_size(numbers) == 0)
		return;
	PUT("<section><h2>{}</h2>", web_text(x, title));
	web_facts(x);
	json_object_foreach ((json_t *)(uintptr_t)numbers, key, value) {
		if (json_is_integer(value))
			PUT("<div><dt>{}</dt><dd>{}</dd></div>", web_word(x, key),
			    web_number(x, json_integer_value(value)));
	}
	web_facts_end(x);
	PUT("</section>\n");
}

static void
put_crl(struct web_exchange *x, const json_t *crl)
{
	PUT("<section><h2>{}</h2>", T(CRL));
	if (!json_is_object(crl)) {
		web_empty(x, TEXT_CRL_NONE);
	} else {
		web_facts(x);
		web_fact(x, TEXT_CRL_NUMBER, web_number(x, web_integer(crl, "number")));
		web_fact(x, TEXT_CRL_REVOKED, web_number(x, web_integer(crl, "revoked")));
		web_fact(x, TEXT_CRL_THIS, web_moment(x, web_string(crl, "this_update")));
		web_fact(x, TEXT_CRL_NEXT, web_moment(x, web_string(crl, "next_update")));
		web_facts_end(x);
	}
	PUT("</section>\n");
}

static void
put_ca(struct web_exchange *x, const json_t *ca)
{
	if (!json_is_object(ca))
		return;
	PUT("<section><h2>{}</h2>", T(CA));
	web_facts(x);
	web_fact_code(x, TEXT_SUBJECT, web_string(ca, "subject"));
	web_fact(x, TEXT_KEY, web_string(ca, "key"));
	web_fact(x, TEXT_VALID_TO, web_moment(x, web_string(ca, "not_after")));
	web_facts_end(x);
	PUT("</section>\n");
}

void
page_status_show(struct web_exchange *x)
{
	const json_t *s = web_answer(x, ASK_MAIN), *ledger = json_object_get(s, "ledger");

	web_open(x, TEXT_NAV_STATUS, NULL);
	PUT("<div class=\"panels\">");
	put_numbers(x, TEXT_PARTICIPANTS, json_object_get(s, "participants"));
	put_numbers(x, TEXT_OPEN_WORK, json_object_get(s, "open"));
	put_numbers(x, TEXT_CERTIFICATES, json_object_get(s, "certificates"));
	put_crl(x, json_object_get(s, "crl"));
	put_ca(x, json_object_get(s, "ca"));
	put_numbers(x, TEXT_LEDGER, ledger);
	PUT("</div>\n");
	web_facts(x);
	if (*web_string(s, "version"))
		web_fact(x, TEXT_VERSION, web_string(s, "version"));
	web_fact(x, TEXT_STARTED, web_moment(x, web_string(s, "started")));
	web_fact_code(x, TEXT_HEAD, web_string(ledger, "head"));
	web_facts_end(x);
}
