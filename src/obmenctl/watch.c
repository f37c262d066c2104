/* watch: what the node has to say, again and again: conditions, states, the head of the queue. */
#include <time.h>
#include <unistd.h>

#include "lib/when.h"
#include "obmenctl/ctl.h"

#define INTERVAL 2 /* seconds */

static json_t *
question(struct ctl *ctl, const char *verb, int limit)
{
	json_t *request = limit ? json_pack("{s:s, s:i}", "verb", verb, "limit", limit)
				: json_pack("{s:s}", "verb", verb);
	json_t *answer = ask(ctl, request, NULL, 0, NULL);

	json_decref(request);
	return answer;
}

/* One picture; false when the node did not answer. */
static bool
picture(struct ctl *ctl, bool screen)
{
	json_t *status = question(ctl, "status", 0), *queue = question(ctl, "queue.list", 8);
	char at[WHEN_TEXT_SIZE];

	if (screen)
		fputs("\033[H\033[J", ctl->out);
	if (status && ctl->json) {
		json_dumpf(status, ctl->out, JSON_COMPACT | JSON_PRESERVE_ORDER);
		fputc('\n', ctl->out);
	} else if (status) {
		when_format_human(when_now(), ctl->language == LANGUAGE_BG, at);
		say_title(ctl, at);
		render_status_brief(ctl, status);
		fputc('\n', ctl->out);
		say_title(ctl, say(ctl, "Опашка", "Queue"));
		if (queue)
			render_queue(ctl, queue);
	}
	bool ok = status && fflush(ctl->out) == 0;
	json_decref(status);
	json_decref(queue);
	return ok;
}

enum exit_status
run_watch(struct ctl *ctl, struct command *c)
{
	long long interval = number_of(c->local, "interval"), count = number_of(c->local, "count");
	bool screen = isatty(STDOUT_FILENO) && !ctl->json, ok = true;

	/* A node that does not answer is worth watching, too: it may come back. */
	for (long long n = 0; count == 0 || n < count; n++) {
		if (n > 0)
			sleep((unsigned)(interval ? interval : INTERVAL));
		ok = picture(ctl, screen);
		if (ferror(ctl->out))
			break;
	}
	return ok ? EXIT_DONE : EXIT_UNREACHABLE;
}
