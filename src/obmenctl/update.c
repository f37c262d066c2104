/* Updates of a box. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "obmenctl/ctl.h"

enum exit_status
run_update(struct ctl *ctl, struct command *c)
{
	const char *path = command_local(c, "file");
	int fd = *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	enum exit_status status;
	char detail[512];

	if (*path && fd < 0) {
		snprintf(detail, sizeof detail, "%s: %s", path, strerror(errno));
		print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
		return EXIT_REFUSED;
	}
	json_t *answer = ask_command(ctl, c, &fd, fd >= 0, NULL, &status);
	if (fd >= 0)
		close(fd);
	if (!answer)
		return status;
	if (ctl->json)
		print_json(ctl, answer);
	else
		c->verb->render(ctl, answer);
	json_decref(answer);
	return status;
}

static const char *
say_source(const struct ctl *ctl, const json_t *answer)
{
	const char *source = text_of(answer, "source");

	if (strcmp(source, "stick") == 0)
		return say(ctl, "носителя OBMEN-UPD", "the medium OBMEN-UPD");
	return strcmp(source, "url") == 0 ? "update-url" : say(ctl, "файла", "the file");
}

void
render_update_check(struct ctl *ctl, const json_t *answer)
{
	fprintf(ctl->out,
	    SAY(ctl, "Версия %s от %s е подписана, цяла и подходяща; сега работи %s.\n",
		"Version %s from %s is signed, whole and fit; %s runs now.\n"),
	    text_of(answer, "version"), say_source(ctl, answer), text_of(answer, "running"));
}

void
render_update_install(struct ctl *ctl, const json_t *answer)
{
	char text[512];

	snprintf(text, sizeof text,
	    SAY(ctl,
		"Версия %s от %s е записана в половина %s. Изпитва се при следващото пускане и остава, ако "
		"възелът тръгне; иначе устройството само се връща на сегашната.",
		"Version %s from %s is in slot %s. It is tried at the next start and kept if the node is "
		"well; otherwise the box returns to the present one by itself."),
	    text_of(answer, "version"), say_source(ctl, answer), text_of(answer, "slot"));
	say_sentences(ctl, ctl->out, text);
}

static void
say_slot(struct ctl *ctl, struct table *t, const json_t *slot)
{
	const char *state = text_of(slot, "state");
	char text[64];

	if (strcmp(state, "good") == 0)
		snprintf(text, sizeof text, "%s", say(ctl, "работи добре", "good"));
	else if (strcmp(state, "trial") == 0)
		snprintf(text, sizeof text, SAY(ctl, "на изпитание, опити: %lld", "on trial, tries left: %lld"),
		    number_of(slot, "tries"));
	else if (strcmp(state, "empty") == 0)
		snprintf(text, sizeof text, "%s", say(ctl, "празна", "empty"));
	else
		snprintf(text, sizeof text, "%s", say(ctl, "изоставена", "given up"));
	table_cell(t, text_of(slot, "slot"));
	table_cell(t, text_of(slot, "version"));
	table_cell(t, text);
	table_cell(t, json_is_true(json_object_get(slot, "running")) ? say(ctl, "върви сега", "runs now") : "");
}

void
render_update_status(struct ctl *ctl, const json_t *answer)
{
	struct table *t = table_new(ctl);
	const char *against = text_of(answer, "against");
	size_t i;
	json_t *slot;

	table_column(t, say(ctl, "Половина", "Slot"), false);
	table_column(t, say(ctl, "Версия", "Version"), false);
	table_column(t, say(ctl, "Състояние", "State"), false);
	table_column(t, "", false);
	json_array_foreach (json_object_get(answer, "slots"), i, slot)
		say_slot(ctl, t, slot);
	table_print(t, 0);
	if (json_is_true(json_object_get(answer, "trial")) && *against)
		fprintf(ctl->out, SAY(ctl, "Още не е приета заради: %s\n", "Not kept yet because of: %s\n"),
		    against);
}

void
render_update_back(struct ctl *ctl, const json_t *answer)
{
	fprintf(ctl->out,
	    SAY(ctl, "При следващото пускане тръгва версия %s.\n", "Version %s runs from the next start on.\n"),
	    text_of(answer, "version"));
}
