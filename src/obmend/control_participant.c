/* Participants as people look for them, from the snapshot of the register. */
#include <string.h>

#include "lib/fold.h"
#include "obmend/control.h"

#define FIND_DEFAULT 100

static void
set_text(json_t *j, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(j, key, json_string(text));
}

static json_t *
participant_json(const struct control *c, const struct participant *p)
{
	char guid[GUID_TEXT_SIZE], at[WHEN_TEXT_SIZE];
	json_t *j = json_object();

	guid_format(&p->guid, guid);
	set_text(j, "guid", guid);
	set_text(j, "name", p->name);
	set_text(j, "eik", p->eik);
	set_text(j, "status", participant_status_name(p->status));
	set_text(j, "entity_status", participant_status_name(p->entity_status));
	set_text(j, "service_status", participant_status_name(p->service_status));
	set_text(j, "uri", p->uri);
	set_text(j, "service_name", p->service_name);
	set_text(j, "service_version", p->service_version);
	set_text(j, "certificate_serial", p->certificate_serial);
	set_text(j, "phone", p->phone);
	set_text(j, "fax", p->fax);
	set_text(j, "email", p->email);
	if (!guid_is_zero(&p->parent)) {
		guid_format(&p->parent, guid);
		set_text(j, "parent", guid);
	}
	if (p->last_change != WHEN_NONE) {
		when_format(p->last_change, at);
		set_text(j, "last_change", at);
	}
	json_object_set_new(j, "own",
			    json_boolean(conf_participant(c->self->conf, &p->guid) != NULL));
	return j;
}

/* The host of an https URL, folded into out. */
static void
url_host(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://");
	char raw[256];

	host = host ? host + 3 : url;
	snprintf(raw, sizeof raw, "%.*s", (int)strcspn(host, "/:"), host);
	fold_text(raw, out, size);
}

static bool
matches(const struct participant *p, const char *folded)
{
	char host[256];

	if (fold_contains(p->name, folded) || strcmp(p->eik, folded) == 0)
		return true;
	url_host(p->uri, host, sizeof host);
	return *host && strstr(host, folded);
}

/* By name: exactly one participant, or several, or none. */
static enum fault
resolve_name(const struct snapshot *s, const char *text, struct participant *out)
{
	char folded[1100];
	unsigned found = 0;
	size_t count = snapshot_count(s);

	fold_text(text, folded, sizeof folded);
	for (size_t i = 0; i < count && found < 2; i++) {
		struct participant p;
		snapshot_at(s, i, &p);
		if (fold_equal(p.name, folded)) {
			*out = p;
			found++;
		}
	}
	return found == 1 ? FAULT_NONE
	       : found    ? FAULT_PARTICIPANT_SEVERAL
			  : FAULT_RECIPIENT_UNKNOWN;
}

enum fault
participant_resolve(const struct snapshot *s, const char *text, struct participant *out)
{
	struct guid g;

	if (!s)
		return FAULT_REGISTER_EMPTY;
	if (guid_parse_lenient(&g, text))
		return snapshot_by_guid(s, &g, out) ? FAULT_NONE : FAULT_RECIPIENT_UNKNOWN;
	if (strspn(text, "0123456789") == strlen(text))
		return snapshot_by_eik(s, text, out) ? FAULT_NONE : FAULT_RECIPIENT_UNKNOWN;
	return resolve_name(s, text, out);
}

static json_int_t
number(const struct request *r, const char *key, json_int_t absent)
{
	const json_t *j = json_object_get(r->arguments, key);

	return j ? json_integer_value(j) : absent;
}

static void
answer_list(struct request *r, json_t *list, size_t total)
{
	const struct snapshot *s = r->control->snapshot;
	char checked[WHEN_TEXT_SIZE] = "";

	if (s && snapshot_checked(s) != WHEN_NONE)
		when_format(snapshot_checked(s), checked);
	request_answer(r,
	    json_pack("{s:b, s:o, s:I, s:s}", "ok", 1, "participants", list, "total",
	        (json_int_t)total, "checked", checked),
	    NULL, 0);
}

void
participant_list(struct request *r)
{
	const struct snapshot *s = r->control->snapshot;
	json_t *list = json_array();
	size_t count = s ? snapshot_count(s) : 0;
	size_t from = (size_t)number(r, "offset", 0);
	size_t limit = (size_t)number(r, "limit", CONTROL_SCAN_MAX);

	if (!s) {
		json_decref(list);
		request_refuse(r, FAULT_REGISTER_EMPTY, NULL);
		return;
	}
	for (size_t i = from; i < count && i - from < limit; i++) {
		struct participant p;
		snapshot_at(s, i, &p);
		json_array_append_new(list, participant_json(r->control, &p));
	}
	answer_list(r, list, count);
}

void
participant_show(struct request *r)
{
	const char *text = json_string_value(json_object_get(r->arguments, "participant"));
	struct participant p;
	enum fault f = participant_resolve(r->control->snapshot, text, &p);

	if (f != FAULT_NONE) {
		request_refuse(r, f, text);
		return;
	}
	request_answer(
	    r, json_pack("{s:b, s:o}", "ok", 1, "participant", participant_json(r->control, &p)),
	    NULL, 0);
}

void
participant_find(struct request *r)
{
	const struct snapshot *s = r->control->snapshot;
	const char *text = json_string_value(json_object_get(r->arguments, "text"));
	size_t limit = (size_t)number(r, "limit", FIND_DEFAULT), total = 0;
	json_t *list = json_array();
	char folded[4200];
	struct participant p;
	struct guid g;

	if (!s) {
		json_decref(list);
		request_refuse(r, FAULT_REGISTER_EMPTY, NULL);
		return;
	}
	if (guid_parse_lenient(&g, text)) {
		if (snapshot_by_guid(s, &g, &p)) {
			json_array_append_new(list, participant_json(r->control, &p));
			total = 1;
		}
		answer_list(r, list, total);
		return;
	}
	fold_text(text, folded, sizeof folded);
	for (size_t i = 0; i < snapshot_count(s); i++) {
		snapshot_at(s, i, &p);
		if (!matches(&p, folded))
			continue;
		if (total++ < limit)
			json_array_append_new(list, participant_json(r->control, &p));
	}
	answer_list(r, list, total);
}
