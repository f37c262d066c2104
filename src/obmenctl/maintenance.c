/* maintenance: stops and resumes what comes in and what goes out. */
#include <string.h>

#include "obmenctl/ctl.h"

enum exit_status
run_maintenance(struct ctl *ctl, struct command *c)
{
	const char *side = text_of(c->request, "side");
	enum exit_status status;

	json_object_set_new(c->request, "action", json_string(c->verb->words[1]));
	if (strcmp(side, "both") == 0)
		json_object_del(c->request, "side");
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);
	if (!answer)
		return status;
	const json_t *m = json_object_get(answer, "maintenance");
	if (ctl->json) {
		print_json(ctl, answer);
	} else {
		fprintf(ctl->out, "%s: %s\n", say(ctl, "Приемане", "Incoming"),
		    json_object_get(m, "in") ? say(ctl, "СПРЯНО; участниците опитват пак сами",
		        "STOPPED; participants try again by themselves") : say(ctl, "работи", "works"));
		fprintf(ctl->out, "%s: %s\n", say(ctl, "Изпращане", "Outgoing"),
		    json_object_get(m, "out") ? say(ctl, "СПРЯНО; документите чакат в опашката",
		        "STOPPED; documents wait in the queue") : say(ctl, "работи", "works"));
	}
	json_decref(answer);
	return status;
}
