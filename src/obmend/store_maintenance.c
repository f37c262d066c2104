/*
 * Maintenance: nothing comes in, or nothing goes out, until a person says otherwise; over restarts
 * too. Incoming: front closes its doors, because a refused connection is the one thing that every
 * known sender tries again, while any answer, a fault with a reason as well, ends its try for good
 * (protocol.md section 10). Outgoing: nothing due is given to codec and courier; what is under way
 * ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/store_ask.h"

#define FILE_NAME "maintenance.json"
#define FRESH_NAME "maintenance.new"
#define SIZE_MAX_BYTES 4096

bool
maintenance_open(struct store_role *r, const char *directory)
{
	struct store_maintenance *m = &r->maintenance;
	char text[SIZE_MAX_BYTES];

	m->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dir < 0)
		return false;
	int fd = openat(m->dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT;
	ssize_t n = read(fd, text, sizeof text);
	close(fd);
	m->state = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
	return true;
}

void
maintenance_free(struct store_role *r)
{
	json_decref(r->maintenance.state);
	if (r->maintenance.dir >= 0)
		close(r->maintenance.dir);
}

static bool
is_on(const struct store_role *r, const char *side)
{
	return json_is_object(json_object_get(r->maintenance.state, side));
}

bool
maintenance_out(const struct store_role *r)
{
	return is_on(r, "out");
}

void
maintenance_tell(struct store_role *r)
{
	struct wire_maintenance m = {.in = is_on(r, "in"),
	    .reason = json_string_value(json_object_get(
		json_object_get(r->maintenance.state, "in"), "reason"))};
	struct ipc *front = r->self->peers[ROLE_FRONT][0];

	if (front)
		wire_send(front, WIRE_MAINTENANCE, 0, &m, NULL, 0);
}

json_t *
maintenance_status(const struct store_role *r)
{
	return r->maintenance.state ? json_incref(r->maintenance.state) : json_object();
}

/* On disk, or the old state stays. */
static bool
save(struct store_role *r, json_t *state)
{
	int dir = r->maintenance.dir;
	char *text = json_dumps(state, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	int fd = text && len < SIZE_MAX_BYTES ?
	    openat(dir, FRESH_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(text);
	return ok && renameat(dir, FRESH_NAME, dir, FILE_NAME) == 0 && fsync(dir) == 0;
}

static void
set_side(struct ask *a, json_t *state, const char *side, bool on)
{
	char now[WHEN_TEXT_SIZE];

	if (!on) {
		json_object_del(state, side);
		return;
	}
	when_format(when_now(), now);
	json_object_set_new(state, side, json_pack("{s:s, s:s*, s:s*}", "since", now, "reason",
	    ask_text(a, "reason"), "by", ask_text(a, "by")));
}

/* {"action": "on" or "off", "side": "in", "out" or absent for both, "reason"} */
enum fault
verb_maintenance(struct ask *a)
{
	struct store_role *r = a->role;
	const char *action = ask_text(a, "action"), *side = ask_text(a, "side");
	bool on = action && strcmp(action, "on") == 0;
	json_t *fresh = r->maintenance.state ? json_deep_copy(r->maintenance.state) : json_object();

	if (!side || strcmp(side, "out") != 0)
		set_side(a, fresh, "in", on);
	if (!side || strcmp(side, "in") != 0)
		set_side(a, fresh, "out", on);
	if (!fresh || !save(r, fresh)) {
		json_decref(fresh);
		return FAULT_STORE_FAILED;
	}
	json_decref(r->maintenance.state);
	r->maintenance.state = fresh;
	enum fault f = store_batch(r);
	if (!f)
		f = r->backend->note(r->store, ask_text(a, "by"), on ? "maintenance.on" : "maintenance.off");
	log_info("store.maintenance", "in=%s out=%s reason=\"%s\"", is_on(r, "in") ? "on" : "off",
	    is_on(r, "out") ? "on" : "off", ask_text(a, "reason") ? ask_text(a, "reason") : "");
	maintenance_tell(r);
	store_wake(r);
	json_object_set_new(a->out, "maintenance", maintenance_status(r));
	return f;
}
