/* Changes of an entry of the register: by the participant itself, or by the registrar. */
#include "authority/web_page.h"

/* All these pages show the entry as it is. */
static void
load_record(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER, web_query(x, "participant-show"));
}

static const json_t *
record(const struct web_exchange *x)
{
	return json_object_get(web_answer(x, ASK_MAIN), "participant");
}

/* The service that documents are exchanged with is the only one in practice. */
static const json_t *
service(const struct web_exchange *x)
{
	return json_array_get(json_object_get(record(x), "services"), 0);
}

static void
ask_change(struct web_exchange *x, const char *verb, json_t *fields)
{
	const char *reason = web_sent(x, "reason");
	json_t *q = web_query(x, verb);

	json_object_set_new(q, "fields", fields);
	if (*reason)
		json_object_set_new(q, "reason", json_string(reason));
	web_ask(x, ASK_ACT, WEB_LEDGER, q);
}

/* A change that changes nothing is not asked for: the page says so instead. */
static void
ask_if_changed(struct web_exchange *x, const char *verb, json_t *fields)
{
	if (json_object_size(fields) > 0) {
		ask_change(x, verb, fields);
		return;
	}
	json_decref(fields);
	x->status = 422;
	x->fault = FAULT_WEB_UNCHANGED;
}

static void
show_form(struct web_exchange *x, enum web_text title, enum web_text intro, const json_t *values,
          enum web_text button, bool danger)
{
	web_open(x, title, web_string(record(x), "name"));
	PUT("<p>{}</p>", web_text(x, intro));
	web_form_show(x, values,
	    &(struct web_button){button, danger, web_path(x, "/participants/{}")});
}

/* ---- contact ---- */

void
page_contact_load(struct web_exchange *x)
{
	load_record(x);
}

void
page_contact_act(struct web_exchange *x)
{
	ask_if_changed(x, "participant-change", web_fields_json(x, record(x)));
}

void
page_contact_show(struct web_exchange *x)
{
	show_form(x, TEXT_CONTACT_CHANGE, TEXT_CONTACT_INTRO, record(x), TEXT_SAVE, false);
}

/* ---- the address of the service ---- */

void
page_service_load(struct web_exchange *x)
{
	load_record(x);
}

void
page_service_act(struct web_exchange *x)
{
	ask_if_changed(x, "participant-change", web_fields_json(x, service(x)));
}

void
page_service_show(struct web_exchange *x)
{
	show_form(x, TEXT_SERVICE_CHANGE, TEXT_SERVICE_INTRO, service(x), TEXT_SAVE, false);
}

/* ---- temporary inactivity: two pages, so that a form sent twice does not undo itself ---- */

void
page_pause_load(struct web_exchange *x)
{
	load_record(x);
}

void
page_pause_act(struct web_exchange *x)
{
	ask_change(x, "participant-change", json_pack("{s:s}", "status", "TemporarilyInactive"));
}

void
page_pause_show(struct web_exchange *x)
{
	show_form(x, TEXT_PAUSE, TEXT_PAUSE_INTRO, NULL, TEXT_PAUSE, false);
}

void
page_resume_act(struct web_exchange *x)
{
	ask_change(x, "participant-change", json_pack("{s:s}", "status", "Active"));
}

void
page_resume_show(struct web_exchange *x)
{
	show_form(x, TEXT_RESUME, TEXT_RESUME_INTRO, NULL, TEXT_RESUME, false);
}

/* ---- status, by the registrar ---- */

void
page_state_load(struct web_exchange *x)
{
	load_record(x);
}

void
page_state_act(struct web_exchange *x)
{
	ask_if_changed(x, "participant-change", web_fields_json(x, record(x)));
}

void
page_state_show(struct web_exchange *x)
{
	show_form(x, TEXT_STATE_CHANGE, TEXT_STATE_INTRO, record(x), TEXT_SAVE, false);
}

/* ---- name, EIK, place in the hierarchy ---- */

void
page_identity_load(struct web_exchange *x)
{
	load_record(x);
}

/* A participant asks, the registrar does. */
void
page_identity_act(struct web_exchange *x)
{
	bool registrar = x->who & WHO_RECORDS;

	if (!registrar)
		x->done = TEXT_DONE_REQUEST;
	ask_if_changed(x, registrar ? "participant-change" : "change-request",
	    web_fields_json(x, record(x)));
}

void
page_identity_show(struct web_exchange *x)
{
	bool registrar = x->who & WHO_RECORDS;

	show_form(x, TEXT_IDENTITY_CHANGE,
	    registrar ? TEXT_IDENTITY_INTRO_REGISTRAR : TEXT_IDENTITY_INTRO, record(x),
	    registrar ? TEXT_SAVE : TEXT_SEND_REQUEST, false);
}

/* ---- removal ---- */

void
page_removal_load(struct web_exchange *x)
{
	load_record(x);
}

void
page_removal_act(struct web_exchange *x)
{
	json_t *q = web_query(x, "participant-remove");

	json_object_set_new(q, "reason", json_string(web_sent(x, "reason")));
	web_ask(x, ASK_ACT, WEB_LEDGER, q);
}

void
page_removal_show(struct web_exchange *x)
{
	show_form(x, TEXT_REMOVAL, TEXT_REMOVAL_INTRO, NULL, TEXT_REMOVAL_DO, true);
}
