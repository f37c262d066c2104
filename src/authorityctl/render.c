/* Answers for people. */
#include <stdlib.h>
#include <string.h>

#include "authorityctl/authorityctl.h"

void
render_done(struct ctl *ctl, const json_t *answer)
{
	const json_t *id = json_object_get(answer, "id");
	const char *guid = text_of(answer, "guid"), *state = text_of(answer, "state");

	fprintf(ctl->out, "%s", say(ctl, "Направено.", "Done."));
	if (json_is_integer(id))
		fprintf(ctl->out, " %s %lld", say(ctl, "Номер", "Number"), (long long)json_integer_value(id));
	if (*guid)
		fprintf(ctl->out, " %s", guid);
	if (*state)
		fprintf(ctl->out, " (%s)", state);
	fputc('\n', ctl->out);
}

static void
say_number(struct ctl *ctl, const char *label, const json_t *object, const char *key)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", number_of(object, key));
	say_line(ctl, label, text);
}

void
render_overview(struct ctl *ctl, const json_t *answer)
{
	const json_t *p = json_object_get(answer, "participants"), *open = json_object_get(answer, "open");
	const json_t *ledger = json_object_get(answer, "ledger");
	char since[64];

	say_title(ctl, say(ctl, "Участници", "Participants"));
	say_number(ctl, say(ctl, "активни", "active"), p, "active");
	say_number(ctl, say(ctl, "временно неактивни", "temporarily inactive"), p, "temporarily_inactive");
	say_number(ctl, say(ctl, "неактивни", "inactive"), p, "inactive");
	say_title(ctl, say(ctl, "Чакат решение", "Wait for a decision"));
	say_number(ctl, say(ctl, "искания за промяна", "requests for change"), open, "requests");
	say_number(ctl, say(ctl, "заявки за сертификат", "requests for certificates"), open, "certificates");
	say_title(ctl, say(ctl, "История", "History"));
	say_number(ctl, say(ctl, "записи", "entries"), ledger, "entries");
	say_line(ctl, say(ctl, "последен отпечатък", "last digest"), text_of(ledger, "head"));
	say_line(ctl, say(ctl, "работи от", "runs since"),
	    say_moment(ctl, text_of(answer, "started"), since));
}

/* A table of some members of each object of a list. */
static void
render_list(struct ctl *ctl, const json_t *list, const char *const titles[], const char *const keys[])
{
	struct table *t = table_new(ctl);
	size_t i;
	const json_t *item;
	char text[64];

	for (size_t n = 0; keys[n]; n++)
		table_column(t, titles[n], strcmp(keys[n], "name") == 0 || strcmp(keys[n], "reason") == 0 ||
		    strcmp(keys[n], "subject") == 0 || strcmp(keys[n], "actor") == 0);
	json_array_foreach (list, i, item) {
		for (size_t n = 0; keys[n]; n++) {
			const json_t *v = json_object_get(item, keys[n]);
			snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
			bool moment = strcmp(keys[n], "time") == 0 || strstr(keys[n], "_at") ||
			    strncmp(keys[n], "not_", 4) == 0;
			table_cell(t, json_is_integer(v) ? text :
			    moment ? say_moment(ctl, text_of(item, keys[n]), text) : text_of(item, keys[n]));
		}
	}
	table_print(t, 0);
}

static void
render_total(struct ctl *ctl, const json_t *answer, const json_t *list)
{
	long long total = number_of(answer, "total");

	if ((long long)json_array_size(list) < total)
		fprintf(ctl->err, SAY(ctl, "Показани са %zu от %lld.\n", "%zu of %lld are shown.\n"),
		    json_array_size(list), total);
}

void
render_records(struct ctl *ctl, const json_t *answer)
{
	static const char *const keys[] = {"guid", "eik", "status", "name", NULL};
	const char *const titles[] = {"GUID", say(ctl, "ЕИК", "EIK"), say(ctl, "Състояние", "Status"),
	    say(ctl, "Име", "Name")};
	const json_t *list = json_object_get(answer, "participants");

	render_list(ctl, list, titles, keys);
	render_total(ctl, answer, list);
}

void
render_record(struct ctl *ctl, const json_t *answer)
{
	const json_t *r = json_object_get(answer, "participant"), *s;
	size_t i;
	const struct {
		const char *key, *label[2];
	} rows[] = {{"guid", {"GUID", "GUID"}}, {"eik", {"ЕИК", "EIK"}},
	    {"parent_name", {"по-горна", "above it"}}, {"host_name", {"име на сървъра", "server name"}},
	    {"status", {"състояние", "status"}}, {"certificate_serial", {"сертификат", "certificate"}},
	    {"phone", {"телефон", "phone"}}, {"fax", {"факс", "fax"}}, {"email", {"поща", "e-mail"}},
	    {"last_change", {"променен", "changed"}}};

	say_title(ctl, text_of(r, "name"));
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		say_line(ctl, rows[i].label[ctl->language], text_of(r, rows[i].key));
	json_array_foreach (json_object_get(r, "services"), i, s) {
		say_line(ctl, say(ctl, "услуга", "service"), text_of(s, "name"));
		say_line(ctl, say(ctl, "адрес", "address"), text_of(s, "uri"));
		say_line(ctl, say(ctl, "състояние на услугата", "status of the service"), text_of(s, "status"));
	}
}

void
render_history(struct ctl *ctl, const json_t *answer)
{
	static const char *const keys[] = {"number", "time", "verb", "actor", "name", "reason", NULL};
	const char *const titles[] = {"№", say(ctl, "Кога", "When"), say(ctl, "Какво", "What"),
	    say(ctl, "Кой", "Who"), say(ctl, "Участник", "Participant"), say(ctl, "Причина", "Reason")};
	const json_t *list = json_object_get(answer, "entries");

	render_list(ctl, list, titles, keys);
	render_total(ctl, answer, list);
}

void
render_log_check(struct ctl *ctl, const json_t *answer)
{
	if (json_is_true(json_object_get(answer, "intact")))
		fprintf(ctl->out, SAY(ctl, "Веригата е цяла: %lld записа, последен отпечатък %s.\n",
		    "The chain is whole: %lld entries, last digest %s.\n"), number_of(answer, "entries"),
		    text_of(answer, "head"));
	else
		fprintf(ctl->out, SAY(ctl, "ВЕРИГАТА Е ПРЕКЪСНАТА при запис %lld от %lld.\n",
		    "THE CHAIN IS BROKEN at entry %lld of %lld.\n"), number_of(answer, "first_bad"),
		    number_of(answer, "entries"));
}

void
render_requests(struct ctl *ctl, const json_t *answer)
{
	static const char *const keys[] = {"id", "state", "asked_at", "name", "reason", NULL};
	const char *const titles[] = {"№", say(ctl, "Състояние", "State"), say(ctl, "Поискано", "Asked"),
	    say(ctl, "Участник", "Participant"), say(ctl, "Причина", "Reason")};
	const json_t *list = json_object_get(answer, "requests");

	render_list(ctl, list, titles, keys);
	render_total(ctl, answer, list);
}

void
render_request(struct ctl *ctl, const json_t *answer)
{
	const json_t *r = json_object_get(answer, "request"), *value;
	const char *key;
	char moment[64];

	say_title(ctl, text_of(r, "name"));
	say_line(ctl, say(ctl, "състояние", "state"), text_of(r, "state"));
	say_line(ctl, say(ctl, "поискано", "asked"), say_moment(ctl, text_of(r, "asked_at"), moment));
	say_line(ctl, say(ctl, "от", "by"), text_of(r, "asked_by"));
	say_line(ctl, say(ctl, "причина", "reason"), text_of(r, "reason"));
	json_object_foreach (json_object_get(r, "fields"), key, value)
		fprintf(ctl->out, "  %s: %s → %s\n", key, text_of(json_object_get(r, "before"), key),
		    json_string_value(value) ? json_string_value(value) : "");
	say_line(ctl, say(ctl, "решение на", "decided by"), text_of(r, "decided_by"));
	say_line(ctl, say(ctl, "защо", "why"), text_of(r, "decision_reason"));
}

static void
join_roles(const json_t *officer, char out[128])
{
	size_t i, used = 0;
	const json_t *role;

	*out = 0;
	json_array_foreach (json_object_get(officer, "roles"), i, role) {
		int n = snprintf(out + used, 128 - used, "%s%s", i ? ", " : "", json_string_value(role));
		used += n > 0 && (size_t)n < 128 - used ? (size_t)n : 0;
	}
}

void
render_officers(struct ctl *ctl, const json_t *answer)
{
	struct table *t = table_new(ctl);
	size_t i;
	const json_t *o;
	char roles[128];

	table_column(t, say(ctl, "Име", "Name"), true);
	table_column(t, say(ctl, "Роли", "Roles"), false);
	table_column(t, say(ctl, "Отпечатък", "Fingerprint"), true);
	json_array_foreach (json_object_get(answer, "officers"), i, o) {
		join_roles(o, roles);
		table_cell(t, text_of(o, "name"));
		table_cell(t, roles);
		table_cell(t, text_of(o, "fingerprint"));
	}
	table_print(t, 0);
}

void
render_whoami(struct ctl *ctl, const json_t *answer)
{
	char roles[128];

	join_roles(answer, roles);
	say_line(ctl, say(ctl, "име", "name"), text_of(answer, "name"));
	say_line(ctl, say(ctl, "роли", "roles"), roles);
}

void
render_certificates(struct ctl *ctl, const json_t *answer)
{
	static const char *const keys[] = {"id", "serial", "state", "not_after", "name", NULL};
	const char *const titles[] = {"№", say(ctl, "Сериен номер", "Serial"),
	    say(ctl, "Състояние", "State"), say(ctl, "Важи до", "Valid until"),
	    say(ctl, "Участник", "Participant")};
	const json_t *list = json_object_get(answer, "certificates");

	render_list(ctl, list, titles, keys);
	render_total(ctl, answer, list);
}

void
render_certificate(struct ctl *ctl, const json_t *answer)
{
	static const char *const keys[] = {"serial", "state", "subject", "key", "not_before", "not_after",
	    "fingerprint", "via", "asked_by", "revoked_at", "revocation_reason", "refusal_reason"};
	const json_t *c = json_object_get(answer, "certificate");

	say_title(ctl, text_of(c, "name"));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		say_line(ctl, keys[i], text_of(c, keys[i]));
	fputs(text_of(c, "pem"), ctl->out);
}

void
render_reference(struct ctl *ctl, const json_t *answer)
{
	say_line(ctl, say(ctl, "номер", "reference"), text_of(answer, "reference"));
	say_line(ctl, say(ctl, "тайна", "secret"), text_of(answer, "secret"));
	say_line(ctl, say(ctl, "важи до", "valid until"), text_of(answer, "expires"));
}

void
render_import(struct ctl *ctl, const json_t *answer)
{
	fprintf(ctl->out, SAY(ctl, "Добавени %lld, променени %lld, премахнати %lld, без промяна %lld.\n",
	    "Added %lld, changed %lld, removed %lld, unchanged %lld.\n"), number_of(answer, "added"),
	    number_of(answer, "changed"), number_of(answer, "removed"), number_of(answer, "same"));
}
