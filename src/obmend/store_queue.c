/* The queue's verbs that change something: queue.retry, queue.hold, queue.release, queue.drop. */
#include <string.h>
#include "obmend/store_ask.h"

/* The verb is "queue." and the action. */
static bool
read_action(const char *verb, enum queue_action *action)
{
	const char *dot = verb ? strchr(verb, '.') : NULL;

	for (unsigned i = 0; dot && i < QUEUE_ACTION_COUNT; i++) {
		*action = (enum queue_action)i;
		if (strcmp(dot + 1, queue_action_name(*action)) == 0)
			return true;
	}
	return false;
}

static void
keep_document(void *arg, const struct store_document *d)
{
	*(json_t **)arg = store_json_document(d, false);
}

static void
skip_event(void *arg, const struct store_event *e)
{
	(void)arg, (void)e;
}

static void
skip_evidence(void *arg, const struct store_evidence *e)
{
	(void)arg, (void)e;
}

enum fault
verb_queue_change(struct ask *a)
{
	struct store_queue_change c = {.by = ask_text(a, "by"), .reason = ask_text(a, "reason")};
	json_t *document = NULL;

	if (!read_action(ask_text(a, "verb"), &c.action))
		return ask_wrong(a, FAULT_USAGE, "verb");
	enum fault f = ask_document(a, &c.document);
	if (!f)
		f = store_batch(a->role);
	if (!f)
		f = a->role->backend->queue_change(a->role->store, &c);
	if (!f)
		f = a->role->backend->show(a->role->store, c.document, keep_document, skip_event,
					   skip_evidence, &document);
	if (f)
		return f;
	json_object_set_new(a->out, "action", json_string(queue_action_name(c.action)));
	json_object_set_new(a->out, "document", document);
	return FAULT_NONE;
}
