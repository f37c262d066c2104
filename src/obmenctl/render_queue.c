/* The queue: what waits to be sent, one entry of it, and what an operator did with it. */
#include <string.h>
#include <unistd.h>

#include "obmenctl/ctl.h"

void
render_queue(struct ctl *ctl, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "documents");
	char text[64], id[32], tries[32];
	size_t i;
	json_t *d;

	if (json_array_size(list) == 0) {
		fprintf(ctl->err, "%s\n",
			say(ctl, "Нищо не чака за изпращане.", "Nothing waits to be sent."));
		return;
	}
	struct table *t = table_new(ctl);
	table_column(t, "№", false);
	table_column(t, say(ctl, "Състояние", "State"), false);
	table_column(t, say(ctl, "Следващ опит", "Next try"), false);
	table_column(t, say(ctl, "Опити", "Tries"), false);
	table_column(t, say(ctl, "Участник", "Participant"), true);
	table_column(t, say(ctl, "Пречка", "Trouble"), true);
	json_array_foreach (list, i, d) {
		const json_t *peer = json_object_get(d, "peer"), *next = json_object_get(d, "next");
		struct fault_text f = fault_text(fault_by_code(text_of(d, "fault")), ctl->language);
		snprintf(id, sizeof id, "%lld", number_of(d, "id"));
		snprintf(tries, sizeof tries, "%lld", number_of(next, "attempts"));
		table_cell(t, id);
		table_cell(t, say_state(ctl, text_of(d, "state")));
		bool on_hold = json_is_true(json_object_get(next, "on_hold"));
		table_cell(t, on_hold ? say(ctl, "задържан", "on hold")
				      : say_moment(ctl, text_of(next, "at"), text));
		table_cell(t, tries);
		table_cell(t,
			   *text_of(peer, "name") ? text_of(peer, "name") : text_of(peer, "guid"));
		table_cell(t, f.what);
	}
	table_print(t, 0);
}

void
render_queue_entry(struct ctl *ctl, const json_t *answer)
{
	const json_t *d = json_object_get(answer, "document");
	char text[512], at[64];

	snprintf(text, sizeof text, "%s %lld  %s", say(ctl, "Документ", "Document"),
		 number_of(d, "id"), text_of(d, "guid"));
	say_title(ctl, text);
	snprintf(text, sizeof text, "%s, %s %s", say_state(ctl, text_of(d, "state")),
		 say(ctl, "от", "since"), say_moment(ctl, text_of(d, "since"), at));
	say_line(ctl, say(ctl, "Състояние", "State"), text);
	say_line(ctl, say(ctl, "В опашката от", "Queued since"),
		 say_moment(ctl, text_of(d, "at"), at));
	say_peer(ctl, d);
	say_line(ctl, say(ctl, "Относно", "About"), text_of(d, "about"));
	say_reason(ctl, d);
	if (json_object_get(d, "next"))
		say_next(ctl, d);
	else
		say_line(ctl, say(ctl, "Следва", "Next"),
			 say(ctl, "нищо не чака за изпращане", "nothing waits to be sent"));
	say_acts(ctl, d);
}

void
render_queue_changed(struct ctl *ctl, const json_t *answer)
{
	static const struct {
		const char *action, *text[2];
	} rows[] = {
	    {"retry", {"Опитът е насрочен за сега.", "It is tried now."}},
	    {"hold", {"Задържано е, докато не го освободите.", "It is on hold until you release it."}},
	    {"release", {"Освободено е.", "It is released."}},
	    {"drop", {"Свалено е от опашката; възелът не опитва повече.",
		         "It is off the queue; the node tries no more."}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(text_of(answer, "action"), rows[i].action) == 0)
			fprintf(ctl->out, "%s\n", rows[i].text[ctl->language]);
	}
	render_queue_entry(ctl, answer);
}

/* True when the person at the terminal typed the word. */
static bool
typed(struct ctl *ctl, const struct command *c, const char *word)
{
	char line[128];

	if (!isatty(STDIN_FILENO))
		return false;
	fprintf(ctl->err,
		SAY(ctl, "%s %s: не може да се върне. Въведете %s за потвърждение: ",
		    "%s %s cannot be undone. Type %s to confirm: "),
		c->verb->words[0], c->verb->words[1], word);
	fflush(ctl->err);
	if (!fgets(line, sizeof line, stdin))
		return false;
	line[strcspn(line, "\n")] = 0;
	return strcmp(line, word) == 0;
}

enum exit_status
run_confirmed(struct ctl *ctl, struct command *c)
{
	const char *word = text_of(c->request, "document");
	enum exit_status status;

	if (!json_is_true(json_object_get(c->local, "yes")) && !typed(ctl, c, word)) {
		print_fault(ctl, FAULT_CONFIRM, word);
		return EXIT_REFUSED;
	}
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);
	if (answer && ctl->json)
		print_json(ctl, answer);
	else if (answer)
		c->verb->render(ctl, answer);
	json_decref(answer);
	return status;
}
