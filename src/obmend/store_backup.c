/* Verbs backup.begin, backup.state, backup.take: a copy of the database, made between other work. */
#include "obmend/store_ask.h"

#include <event2/event.h>

static const struct timeval soon = {0, 1000};

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct store_role *r = arg;
	struct store_copy *c = &r->copy;

	(void)fd, (void)what;
	/* Between two batches: the copy holds whole transactions. */
	if (!r->batch)
		c->fault = r->backend->backup_step(r->store, &c->done, &c->left);
	if (!c->done && !c->fault)
		event_add(c->timer, &soon);
}

void
copies_free(struct store_role *r)
{
	if (r->copy.timer)
		event_free(r->copy.timer);
}

enum fault
verb_backup_begin(struct ask *a)
{
	struct store_role *r = a->role;
	struct store_copy *c = &r->copy;

	if (!c->timer)
		c->timer = evtimer_new(r->self->base, on_step, r);
	if (!c->timer)
		return FAULT_STORE_FAILED;
	c->done = false;
	c->fault = r->backend->backup_begin(r->store);
	if (!c->fault)
		event_add(c->timer, &soon);
	return c->fault;
}

static void
add_file(void *arg, int64_t body, const char *name)
{
	json_array_append_new(arg, json_pack("{s:I, s:s}", "row", (json_int_t)body, "name", name));
}

enum fault
verb_backup_state(struct ask *a)
{
	const struct store_copy *c = &a->role->copy;

	json_object_set_new(a->out, "done", json_boolean(c->done));
	json_object_set_new(a->out, "pages_left", json_integer((json_int_t)c->left));
	return c->fault;
}

/* The copy goes along as a descriptor; files: the large bodies, for evidence.body. */
enum fault
verb_backup_take(struct ask *a)
{
	struct store_role *r = a->role;
	json_t *files = json_array();

	if (!r->copy.done || r->batch)
		return ask_wrong(a, FAULT_USAGE, "backup.begin");
	r->copy.done = false;
	a->fd = r->backend->backup_take(r->store);
	if (a->fd < 0 || !r->backend->backup_files(r->store, add_file, files)) {
		json_decref(files);
		return FAULT_STORE_FAILED;
	}
	json_object_set_new(a->out, "files", files);
	return FAULT_NONE;
}
