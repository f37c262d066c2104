/* log: the newest lines of the node; with --follow those that come. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "obmenctl/ctl.h"

#define FOLLOW_US 500000

struct event_row {
	const char *code;
	const char *text[2];
};

static const struct event_row events[] = {
#define EVENT(code, level, bg, en, todo) {code, {bg, en}},
#include "lib/events.def"
#undef EVENT
};

static const char *
event_text(const struct ctl *ctl, const char *code)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		if (strcmp(events[i].code, code) == 0)
			return events[i].text[ctl->language];
	}
	return "";
}

static const char *
level_text(const struct ctl *ctl, const char *level)
{
	static const struct {
		const char *name, *text[2];
	} levels[] = {{"debug", {"подробност", "debug"}}, {"info", {"сведение", "info"}},
	    {"warning", {"внимание", "warning"}}, {"error", {"ГРЕШКА", "ERROR"}}};

	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (strcmp(levels[i].name, level) == 0)
			return levels[i].text[ctl->language];
	}
	return level;
}

/* Moment, level, process, what happened; then the fields. */
static void
say_log_line(struct ctl *ctl, const json_t *line)
{
	static const char *const head[] = {"time", "level", "role", "event", "number"};
	const char *event = text_of(line, "event"), *text = event_text(ctl, event), *key;
	char at[64];
	json_t *value;

	fprintf(ctl->out, "%s %s %s: %s%s[%s]", say_moment(ctl, text_of(line, "time"), at),
	    level_text(ctl, text_of(line, "level")), text_of(line, "role"), text, *text ? " " : "", event);
	json_object_foreach ((json_t *)line, key, value) {
		bool in_head = false;
		for (size_t i = 0; i < sizeof head / sizeof *head; i++)
			in_head |= strcmp(key, head[i]) == 0;
		if (!in_head)
			fprintf(ctl->out, " %s=%s", key, json_string_value(value));
	}
	fputc('\n', ctl->out);
}

static void
say_lines(struct ctl *ctl, const json_t *answer)
{
	size_t i;
	json_t *line;

	json_array_foreach (json_object_get(answer, "lines"), i, line) {
		if (ctl->json) {
			json_dumpf(line, ctl->out, JSON_COMPACT | JSON_PRESERVE_ORDER);
			fputc('\n', ctl->out);
		} else {
			say_log_line(ctl, line);
		}
	}
	fflush(ctl->out);
}

enum exit_status
run_log(struct ctl *ctl, struct command *c)
{
	bool follow = json_is_true(json_object_get(c->local, "follow"));
	enum exit_status status;
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);

	if (!answer)
		return status;
	if (ctl->json && !follow)
		print_json(ctl, answer);
	else
		say_lines(ctl, answer);
	if (!follow && !ctl->json && json_array_size(json_object_get(answer, "lines")) == 0)
		fprintf(ctl->err, "%s\n", say(ctl, "Няма такива редове.", "No such lines."));
	while (follow && answer && !ferror(ctl->out)) {
		json_object_set(c->request, "after", json_object_get(answer, "last"));
		json_object_set_new(c->request, "lines", json_integer(4000));
		json_decref(answer);
		usleep(FOLLOW_US);
		if ((answer = ask_command(ctl, c, NULL, 0, NULL, &status)))
			say_lines(ctl, answer);
	}
	json_decref(answer);
	return status;
}
