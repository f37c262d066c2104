#include "obmend/control.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"

#define BACKLOG 16

/* Members of the group named like user-prefix may command the node. A folder that parent made gives
 * its group to the socket; elsewhere it is tried here. */
static void
give_to_group(const struct conf *c, const char *path)
{
	const struct group *g = *c->user_prefix ? getgrnam(c->user_prefix) : NULL;
	struct stat st;

	if (g && stat(path, &st) == 0 && st.st_gid != g->gr_gid &&
	    chown(path, (uid_t)-1, g->gr_gid) < 0)
		log_warning("control.group", "group=%s reason=\"%s\"", c->user_prefix,
			    strerror(errno));
}

static int
listen_on(const struct conf *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(c->control_socket) >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, c->control_socket, strlen(c->control_socket) + 1);
	/* What a control process that died left behind; never anything else. */
	if (lstat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(a.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	mode_t old = umask(0117);
	bool ok = bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, BACKLOG) == 0;
	umask(old);
	if (!ok) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	give_to_group(c, a.sun_path);
	return fd;
}

static bool
control_open(struct self *self)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c)
		return false;
	TAILQ_INIT(&c->clients);
	TAILQ_INIT(&c->questions);
	c->self = self;
	control_http_open(c);
	updater_open(c);
	c->socket = listen_on(self->conf);
	self->state = c;
	if (c->socket < 0)
		log_error("control.socket", "path=\"%s\" reason=\"%s\"", self_conf(self)->control_socket,
		    strerror(errno));
	return c->socket >= 0;
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)what;
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client < 0)
			return;
		client_new(c, client);
	}
}

static bool
control_start(struct self *self)
{
	struct control *c = self->state;

	c->listener = event_new(self->base, c->socket, EV_READ | EV_PERSIST, accept_cb, c);
	return c->listener && event_add(c->listener, NULL) == 0 && control_http_start(c) &&
	    updater_start(c);
}

static void
control_stop(struct self *self)
{
	struct control *c = self->state;
	struct client *client;

	control_http_stop(c);
	updater_stop(c);
	while ((client = TAILQ_FIRST(&c->clients)))
		client_free(client);
	if (c->listener)
		event_free(c->listener);
	close(c->socket);
	snapshot_free(c->snapshot);
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

	return json_pack("{s:i, s:I, s:I}", "clients", (int)c->client_count, "served",
	    (json_int_t)c->served, "refused", (json_int_t)c->refused);
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
