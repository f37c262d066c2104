#include "obmend/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sandbox.h"

static bool
control_open(struct self *self)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c)
		return false;
	TAILQ_INIT(&c->questions);
	c->self = self;
	self->clock_floor = clock_floor(self->conf);
	self->state = c;
	c->log = control_log_new();
	if (!c->log)
		return false;
	control_http_open(c);
	updater_open(c);
	c->socket = local_listen(self_conf(self)->control_socket, self_conf(self)->user_prefix);
	if (c->socket < 0)
		log_error("control.socket", "path=\"%s\" reason=\"%s\"", self_conf(self)->control_socket,
		    strerror(errno));
	return c->socket >= 0;
}

static void
on_request(void *arg, struct local_client *client, json_t *j, const int *fds, unsigned nfds)
{
	struct request *r = request_new(arg, client, j, fds, nfds);

	if (!r) {
		local_reject(client, "out of memory");
		return;
	}
	local_set_data(client, r);
	control_dispatch(r);
}

static void
on_gone(void *arg, struct local_client *client)
{
	(void)arg;
	request_orphan(local_data(client));
}

static bool
control_start(struct self *self)
{
	static const struct local_callbacks calls = {on_request, on_gone};
	struct control *c = self->state;

	c->local = local_new(self->base, c->socket, &calls, c);
	return c->local && control_http_start(c) && updater_start(c);
}

static void
control_stop(struct self *self)
{
	struct control *c = self->state;

	control_http_stop(c);
	updater_stop(c);
	local_free(c->local);
	snapshot_free(c->snapshot);
	control_log_free(c->log);
	free(c);
	self->state = NULL;
}

static void
on_snapshot(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct control *c = self->state;
	int fd = ipc_take_fd(f, 0);

	(void)from;
	struct snapshot *s = fd < 0 ? NULL : snapshot_open(fd);
	if (!s)
		return;
	snapshot_free(c->snapshot);
	c->snapshot = s;
}

static void
peer_down(struct self *self, struct peer p)
{
	if (self->state)
		control_peer_gone(self->state, p);
}

static json_t *
control_own_status(struct self *self)
{
	const struct control *c = self->state;

	const struct local_figures *f = local_figures(c->local);

	return json_pack("{s:i, s:I, s:I}", "clients", (int)f->clients, "served",
	    (json_int_t)f->served, "refused", (json_int_t)(f->refused + c->refused));
}

static const struct role_message messages[] = {
    {ROLE_FRONT, WIRE_QUERY_REPLY, control_on_reply},
    {ROLE_CODEC, WIRE_QUERY_REPLY, control_on_reply},
    {ROLE_SIGNER, WIRE_QUERY_REPLY, control_on_reply},
    {ROLE_STORE, WIRE_QUERY_REPLY, control_on_reply},
    {ROLE_COURIER, WIRE_QUERY_REPLY, control_on_reply},
    {ROLE_DIRECTORY, WIRE_QUERY_REPLY, control_on_reply},
    {ROLE_DIRECTORY, WIRE_SNAPSHOT, on_snapshot},
    {ROLE_PARENT, WIRE_RELOADED, control_on_reloaded},
    {ROLE_PARENT, WIRE_LOG, control_on_log},
    {ROLE_FRONT, WIRE_LOG, control_on_log},
    {ROLE_CODEC, WIRE_LOG, control_on_log},
    {ROLE_SIGNER, WIRE_LOG, control_on_log},
    {ROLE_STORE, WIRE_LOG, control_on_log},
    {ROLE_COURIER, WIRE_LOG, control_on_log},
    {ROLE_DIRECTORY, WIRE_LOG, control_on_log},
};

static const struct sandbox sandbox =
    {.allow = SANDBOX_UNIX | SANDBOX_ACCEPT | SANDBOX_MEMFD | SANDBOX_CLOCK};

const struct role role_control = {
    .id = ROLE_CONTROL,
    .name = "control",
    .control = true,
    .open = control_open,
    .start = control_start,
    .peer_down = peer_down,
    .stop = control_stop,
    .status = control_own_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
