/* Participants and the copy of their register. */
#include <string.h>

#include "obmenctl/ctl.h"

void
render_participant(struct ctl *ctl, const json_t *answer)
{
	const json_t *p = json_object_get(answer, "participant");
	char at[64];

	say_title(ctl, text_of(p, "name"));
	say_line(ctl, "GUID", text_of(p, "guid"));
	say_line(ctl, say(ctl, "ЕИК", "EIK"), text_of(p, "eik"));
	say_line(ctl, say(ctl, "Състояние", "Status"),
		 say_participant_status(ctl, text_of(p, "status")));
	say_line(ctl, say(ctl, "Адрес", "Address"), text_of(p, "uri"));
	say_line(ctl, say(ctl, "Сертификат", "Certificate"), text_of(p, "certificate_serial"));
	say_line(ctl, say(ctl, "Услуга", "Service"), text_of(p, "service_name"));
	say_line(ctl, say(ctl, "Версия", "Version"), text_of(p, "service_version"));
	say_line(ctl, say(ctl, "Телефон", "Phone"), text_of(p, "phone"));
	say_line(ctl, say(ctl, "Факс", "Fax"), text_of(p, "fax"));
	say_line(ctl, say(ctl, "Е-поща", "E-mail"), text_of(p, "email"));
	say_line(ctl, say(ctl, "Към", "Part of"), text_of(p, "parent"));
	say_line(ctl, say(ctl, "Променен", "Changed"),
		 say_moment(ctl, text_of(p, "last_change"), at));
	if (json_is_true(json_object_get(p, "own")))
		say_line(ctl, say(ctl, "Този възел", "This node"),
		    say(ctl, "да, обслужва се тук", "yes, served here"));
}

void
render_participants(struct ctl *ctl, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "participants");
	struct table *t = table_new(ctl);
	size_t i;
	json_t *p;

	table_column(t, say(ctl, "ЕИК", "EIK"), false);
	table_column(t, say(ctl, "Име", "Name"), true);
	table_column(t, say(ctl, "Състояние", "Status"), false);
	table_column(t, say(ctl, "Адрес", "Address"), true);
	json_array_foreach (list, i, p) {
		table_cell(t, text_of(p, "eik"));
		table_cell(t, text_of(p, "name"));
		table_cell(t, say_participant_status(ctl, text_of(p, "status")));
		table_cell(t, text_of(p, "uri"));
	}
	table_print(t, 0);
	if (number_of(answer, "total") > (long long)json_array_size(list))
		fprintf(ctl->err, SAY(ctl, "Показани %zu от %lld.\n", "Shown %zu of %lld.\n"),
		    json_array_size(list), number_of(answer, "total"));
}

static const char *
source_text(const struct ctl *ctl, const char *source)
{
	static const struct {
		const char *name, *bg, *en;
	} words[] = {{"full", "пълен списък", "full list"},
		     {"increment", "нови записи", "new records"},
		     {"lookup", "търсене на участник", "look-up of a participant"},
		     {"disk", "копие на диска", "copy on disk"},
		     {"accepted", "приет от човек", "accepted by a person"}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].name, source) == 0)
			return say(ctl, words[i].bg, words[i].en);
	}
	return source;
}

static void
say_held(struct ctl *ctl, const json_t *held)
{
	struct fault_text t = fault_text(FAULT_REGISTER_SHRINK, ctl->language);
	char text[1024];

	if (!held)
		return;
	snprintf(text, sizeof text, "%s. %s %s [%s]", t.what, t.means, t.todo, t.code);
	say_sentences(ctl, ctl->out, text);
	fprintf(
	    ctl->out,
	    SAY(ctl,
		"  Кандидат %lld: изчезват %lld, променят се %lld, нови %lld (беше %lld, става "
		"%lld)\n",
		"  Candidate %lld: %lld vanish, %lld change, %lld new (was %lld, becomes %lld)\n"),
	    number_of(held, "candidate"), number_of(held, "vanished"), number_of(held, "changed"),
	    number_of(held, "added"), number_of(held, "before"), number_of(held, "after"));
}

static void
say_trouble(struct ctl *ctl, const json_t *error)
{
	struct fault_text t = fault_text(fault_by_code(text_of(error, "fault")), ctl->language);
	char text[512];

	if (!error)
		return;
	snprintf(text, sizeof text, "%s (%s) [%s]", t.what, text_of(error, "detail"), t.code);
	say_line(ctl, say(ctl, "Последна грешка", "Last error"), text);
}

void
render_register(struct ctl *ctl, const json_t *answer)
{
	char text[128], at[64], age[64];

	say_title(ctl, say(ctl, "Регистър на участниците", "Register of participants"));
	say_held(ctl, json_object_get(answer, "held"));
	snprintf(text, sizeof text, "%lld", number_of(answer, "count"));
	say_line(ctl, say(ctl, "Участници", "Participants"), text);
	say_line(ctl, say(ctl, "Адрес", "Address"), text_of(answer, "url"));
	say_line(ctl, say(ctl, "Източник", "Source"), source_text(ctl, text_of(answer, "source")));
	say_line(ctl, say(ctl, "Пълен списък", "Full list"),
		 say_moment(ctl, text_of(answer, "fetched"), at));
	if (*text_of(answer, "checked")) {
		snprintf(text, sizeof text, "%s (%s %s)",
			 say_moment(ctl, text_of(answer, "checked"), at), say(ctl, "преди", "age"),
			 say_duration(ctl, number_of(answer, "age_seconds"), age));
		say_line(ctl, say(ctl, "Отговорил", "Last answer"), text);
	}
	say_line(ctl, say(ctl, "Следва", "Next"),
	    say_moment(ctl, text_of(json_object_get(answer, "next"), "at"), at));
	say_trouble(ctl, json_object_get(answer, "last_error"));
}

void
render_register_refresh(struct ctl *ctl, const json_t *answer)
{
	fprintf(ctl->out,
		SAY(ctl, "Регистърът е взет; участници: %lld.\n",
		    "The register was fetched; participants: %lld.\n"),
		number_of(answer, "count"));
	say_held(ctl, json_object_get(answer, "held"));
}

static void
say_changes(struct ctl *ctl, const char *mark, const json_t *list)
{
	size_t i, k;
	json_t *p, *field;

	json_array_foreach (list, i, p) {
		fprintf(ctl->out, "%s %-13s %s %s\n", mark, text_of(p, "eik"), text_of(p, "guid"),
		    text_of(p, "name"));
		json_array_foreach(json_object_get(p, "fields"), k, field)
		    fprintf(ctl->out, "    %s: %s -> %s\n", text_of(field, "field"),
			    text_of(field, "old"), text_of(field, "new"));
	}
}

void
render_register_diff(struct ctl *ctl, const json_t *answer)
{
	const json_t *held = json_object_get(answer, "held");

	if (!held) {
		fprintf(ctl->out, "%s\n",
			say(ctl, "Няма задържан регистър.", "No register is held."));
		return;
	}
	say_held(ctl, held);
	say_changes(ctl, "-", json_object_get(answer, "vanished"));
	say_changes(ctl, "~", json_object_get(answer, "changed"));
	say_changes(ctl, "+", json_object_get(answer, "added"));
	if (json_is_true(json_object_get(answer, "truncated")))
		fprintf(ctl->err, "%s\n", say(ctl, "Има още промени.", "There are more changes."));
}

void
render_register_accept(struct ctl *ctl, const json_t *answer)
{
	fprintf(ctl->out, SAY(ctl, "Приложен е; участници: %lld.\n", "Applied; participants: %lld.\n"),
	    number_of(answer, "count"));
}
