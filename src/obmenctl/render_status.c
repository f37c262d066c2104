#include <string.h>

#include "obmenctl/ctl.h"

/* What is to be said of the node, the gravest first, each with its next step. */
static void
say_conditions(struct ctl *ctl, const json_t *conditions)
{
	size_t i;
	json_t *c;
	char text[1024], at[64];

	json_array_foreach (conditions, i, c) {
		struct fault_text t = fault_text(fault_by_code(text_of(c, "fault")), ctl->language);
		const char *detail = text_of(c, "detail");
		snprintf(text, sizeof text, "%s%s%s%s. %s %s [%s]", t.what, *detail ? " (" : "",
		    say_moment(ctl, detail, at), *detail ? ")" : "", t.means, t.todo, t.code);
		fputs(ctl->bold && i == 0 ? "\033[1m" : "", ctl->out);
		say_sentences(ctl, ctl->out, text);
		fputs(ctl->bold && i == 0 ? "\033[0m" : "", ctl->out);
	}
}

static void
say_participants(struct ctl *ctl, const json_t *list)
{
	struct table *t = table_new(ctl);
	size_t i;
	json_t *p;

	say_title(ctl, say(ctl, "Участници на този възел", "Participants of this node"));
	table_column(t, "", false);
	table_column(t, "", true);
	table_column(t, "", false);
	table_column(t, "", true);
	json_array_foreach (list, i, p) {
		table_cell(t, text_of(p, "eik"));
		table_cell(t, text_of(p, "name"));
		table_cell(t, *text_of(p, "status")
				  ? say_participant_status(ctl, text_of(p, "status"))
				  : say(ctl, "не е в регистъра", "not in the register"));
		table_cell(t, text_of(p, "uri"));
	}
	table_print(t, 2);
}

/* "Очаква регистрация 3, Регистрирано 12" */
static void
say_states(struct ctl *ctl, const char *label, const json_t *states)
{
	char text[512] = "";
	const char *name;
	json_t *count;

	json_object_foreach ((json_t *)states, name, count) {
		size_t n = strlen(text);
		snprintf(text + n, sizeof text - n, "%s%s %lld", n ? ", " : "",
			 say_state(ctl, name), (long long)json_integer_value(count));
	}
	say_line(ctl, label, *text ? text : say(ctl, "няма", "none"));
}

/* Time stamps that do not come are said where the documents are; without an authority nothing is. */
static void
say_stamps(struct ctl *ctl, const json_t *journal)
{
	char text[300], age[64];

	if (number_of(journal, "stamp_failures") > 0) {
		snprintf(text, sizeof text, SAY(ctl, "ЗАКЪСНЯВАТ, неуспешни опити: %lld (%s)",
		    "LATE, failed tries: %lld (%s)"), number_of(journal, "stamp_failures"),
		    text_of(journal, "stamp_detail"));
		say_line(ctl, say(ctl, "Удост. за време", "Time stamps"), text);
	} else if (json_object_get(journal, "stamp_age_seconds")) {
		snprintf(text, sizeof text, SAY(ctl, "последното отпреди %s", "the last one %s ago"),
		    say_duration(ctl, number_of(journal, "stamp_age_seconds"), age));
		say_line(ctl, say(ctl, "Удост. за време", "Time stamps"), text);
	}
}

static void
say_store(struct ctl *ctl, const json_t *store)
{
	char size[32];

	if (!json_is_object(store))
		return;
	say_title(ctl, say(ctl, "Документи", "Documents"));
	say_states(ctl, say(ctl, "Входящи", "Incoming"), json_object_get(store, "in"));
	say_states(ctl, say(ctl, "Изходящи", "Outgoing"), json_object_get(store, "out"));
	if (json_object_get(store, "disk_free"))
		say_line(ctl, say(ctl, "Свободен диск", "Free disk"),
		    say_size(ctl, number_of(store, "disk_free"), size));
	say_stamps(ctl, json_object_get(store, "journal"));
}

static void
say_certificates(struct ctl *ctl, const json_t *signer)
{
	size_t i;
	json_t *k;
	char text[256], day[64];

	json_array_foreach (json_object_get(signer, "keys"), i, k) {
		if (i == 0)
			say_title(ctl,
				  say(ctl, "Транспортни сертификати", "Transport certificates"));
		long long days = number_of(k, "days_left");
		snprintf(text, sizeof text, "%s %s (%lld %s)", say(ctl, "до", "until"),
		    say_day(ctl, text_of(k, "not_after"), day), days,
		    days == 1 ? say(ctl, "ден", "day") : say(ctl, "дни", "days"));
		say_line(ctl, text_of(k, "name"), text);
	}
}

static void
say_register(struct ctl *ctl, const json_t *r)
{
	char text[128], at[64];

	if (!json_is_object(r))
		return;
	say_title(ctl, say(ctl, "Регистър", "Register"));
	snprintf(text, sizeof text, "%lld", number_of(r, "count"));
	say_line(ctl, say(ctl, "Участници", "Participants"), text);
	say_line(ctl, say(ctl, "Отговорил", "Last answer"),
		 say_moment(ctl, text_of(r, "checked"), at));
}

static void
say_roles(struct ctl *ctl, const json_t *roles)
{
	struct table *t = table_new(ctl);
	const char *name;
	json_t *r;
	char at[64], size[32];

	say_title(ctl, say(ctl, "Процеси", "Processes"));
	table_column(t, "", false);
	table_column(t, "", false);
	table_column(t, "", false);
	json_object_foreach ((json_t *)roles, name, r) {
		table_cell(t, name);
		if (json_is_object(r)) {
			snprintf(at, sizeof at, "%s ", say(ctl, "от", "since"));
			char moment[64];
			strncat(at, say_moment(ctl, text_of(r, "since"), moment),
				sizeof at - strlen(at) - 1);
			table_cell(t, at);
			table_cell(t, say_size(ctl, number_of(r, "memory_peak"), size));
		} else {
			table_cell(t, say(ctl, "НЕ ОТГОВАРЯ", "DOES NOT ANSWER"));
			table_cell(t, "");
		}
	}
	table_print(t, 2);
}

void
render_status(struct ctl *ctl, const json_t *answer)
{
	const json_t *roles = json_object_get(answer, "roles");

	say_conditions(ctl, json_object_get(answer, "conditions"));
	say_participants(ctl, json_object_get(answer, "participants"));
	say_store(ctl, json_object_get(roles, "store"));
	say_register(ctl, json_object_get(answer, "register"));
	say_certificates(ctl, json_object_get(roles, "signer0"));
	say_roles(ctl, roles);
}

void
render_status_brief(struct ctl *ctl, const json_t *answer)
{
	say_conditions(ctl, json_object_get(answer, "conditions"));
	say_store(ctl, json_object_get(json_object_get(answer, "roles"), "store"));
	say_register(ctl, json_object_get(answer, "register"));
}

void
render_reload(struct ctl *ctl, const json_t *answer)
{
	const char *kept = text_of(answer, "needs_start");

	fputs(SAY(ctl, "Новите настройки са в сила; връзките не са прекъснати.\n",
	          "The new configuration is in force; no connection was dropped.\n"), ctl->out);
	if (*kept)
		fprintf(ctl->out, SAY(ctl, "Чакат ново пускане на obmend: %s\n",
		    "Waiting for a new start of obmend: %s\n"), kept);
}
