/* The control role: obmen-authority on the machine itself. It passes questions on to the ledger (and
 * ra), with the person who asks; the ledger decides. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "authority/role.h"
#include "authority/wire.h"
#include "lib/catalogue.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "process/local.h"

#define SILENCE_SECONDS 60

/* What goes to ra, because somebody must read it first; everything else is the ledger's. */
static const char *const ra_verbs[] = {"certificate-submit", "certificate-register", "cmp-file"};

struct request {
	TAILQ_ENTRY(request) link;
	struct control *control;
	struct local_client *client; /* NULL: went away */
	uint64_t id;
	struct peer asked;
	struct event *silence;
};

struct control {
	struct self *self;
	int socket; /* until local has it */
	struct local *local;
	TAILQ_HEAD(, request) requests;
	uint64_t last_id;
};

static void
request_free(struct request *r)
{
	TAILQ_REMOVE(&r->control->requests, r, link);
	if (r->silence)
		event_free(r->silence);
	free(r);
}

static void
refuse(struct local_client *client, enum fault f, const char *detail)
{
	json_t *j = json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(f), "detail", detail);

	if (client)
		local_answer(client, j, NULL, 0);
	json_decref(j);
}

/* Ends a request that nobody answers. */
static void
fail(struct request *r, enum fault f, const char *detail)
{
	struct local_client *client = r->client;

	request_free(r);
	refuse(client, f, detail);
}

static void
silence_cb(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd, (void)what;
	fail(r, FAULT_ROLE_SILENT, role_name(r->asked.role));
}

static unsigned
who_answers(const char *verb)
{
	for (size_t i = 0; i < sizeof ra_verbs / sizeof *ra_verbs; i++) {
		if (strcmp(ra_verbs[i], verb) == 0)
			return ROLE_RA;
	}
	return strcmp(verb, "reload") == 0 ? ROLE_PARENT : ROLE_LEDGER;
}

/* Who asks is what the kernel says, never what the question says. */
static void
set_actor(json_t *query, const struct local_client *client)
{
	const char *as = json_string_value(json_object_get(query, "as"));
	uid_t uid;
	pid_t pid;

	local_person(client, &uid, &pid);
	json_t *actor = json_pack("{s:s, s:I}", "kind", "console", "uid", (json_int_t)uid);
	if (as)
		json_object_set_new(actor, "as", json_string(as));
	json_object_set_new(query, "actor", actor);
	json_object_del(query, "as");
}

static bool
send_query(struct request *r, const json_t *query, const int *fds, unsigned nfds)
{
	struct ipc *to = r->control->self->peers[r->asked.role][0];

	if (r->asked.role != ROLE_PARENT)
		return wire_send_json(to, WIRE_QUERY, r->id, query, fds, nfds);
	for (unsigned i = 0; i < nfds; i++)
		close(fds[i]);
	return to && ipc_send(to, WIRE_RELOAD, r->id, NULL, 0, NULL, 0);
}

static void
on_request(void *arg, struct local_client *client, json_t *query, const int *fds, unsigned nfds)
{
	static const struct timeval patience = {SILENCE_SECONDS, 0};
	struct control *c = arg;
	const char *verb = json_string_value(json_object_get(query, "verb"));
	struct request *r = verb ? calloc(1, sizeof *r) : NULL;

	if (!r) {
		for (unsigned i = 0; i < nfds; i++)
			close(fds[i]);
		json_decref(query);
		local_reject(client, verb ? "out of memory" : "verb");
		return;
	}
	*r = (struct request){.control = c, .client = client, .id = ++c->last_id,
	    .asked = {who_answers(verb), 0}};
	TAILQ_INSERT_TAIL(&c->requests, r, link);
	local_set_data(client, r);
	r->silence = evtimer_new(c->self->base, silence_cb, r);
	if (r->silence)
		event_add(r->silence, &patience);
	set_actor(query, client);
	if (!send_query(r, query, fds, nfds))
		fail(r, FAULT_ROLE_SILENT, role_name(r->asked.role));
	json_decref(query);
}

static void
on_gone(void *arg, struct local_client *client)
{
	struct request *r = local_data(client);

	(void)arg;
	r->client = NULL;
}

static struct request *
find_request(struct control *c, uint64_t id)
{
	struct request *r;

	TAILQ_FOREACH (r, &c->requests, link) {
		if (r->id == id)
			break;
	}
	return r;
}

static void
finish(struct request *r, const json_t *answer, const int *fds, unsigned nfds)
{
	struct local_client *client = r->client;

	request_free(r);
	if (client) {
		local_answer(client, answer, fds, nfds);
		return;
	}
	for (unsigned i = 0; i < nfds; i++)
		close(fds[i]);
}

static void
on_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct request *r = find_request(self->state, f->id);
	json_t *answer = wire_get_json(f);
	int fds[IPC_FRAME_FDS];
	unsigned n = 0;

	if (r && r->asked.role == from.role && answer) {
		for (unsigned i = 0; i < f->nfds; i++)
			fds[n++] = ipc_take_fd(f, i);
		finish(r, answer, fds, n);
	}
	json_decref(answer);
}

static void
on_reloaded(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct request *r = find_request(self->state, f->id);
	struct wire_reloaded m;

	(void)from;
	if (!r || !wire_unpack(f, WIRE_RELOADED, &m))
		return;
	if (!m.ok) {
		fail(r, FAULT_CONF_INVALID, m.text ? m.text : "");
		return;
	}
	json_t *j = json_pack("{s:b, s:s}", "ok", 1, "needs_start", m.text ? m.text : "");
	finish(r, j, NULL, 0);
	json_decref(j);
}

static void
control_peer_down(struct self *self, struct peer p)
{
	struct control *c = self->state;
	struct request *r = TAILQ_FIRST(&c->requests), *next;

	for (; r; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->asked.role == p.role)
			fail(r, FAULT_ROLE_SILENT, role_name(p.role));
	}
}

static bool
control_open(struct self *self)
{
	const struct authority_conf *conf = self->conf;
	struct control *c = calloc(1, sizeof *c);

	if (!c)
		return false;
	TAILQ_INIT(&c->requests);
	c->self = self;
	self->state = c;
	c->socket = local_listen(conf->control_socket, conf->user_prefix);
	if (c->socket < 0)
		log_error("control.socket", "path=\"%s\" reason=\"%s\"", conf->control_socket,
		    strerror(errno));
	return c->socket >= 0;
}

static bool
control_start(struct self *self)
{
	static const struct local_callbacks calls = {on_request, on_gone};
	struct control *c = self->state;

	c->local = local_new(self->base, c->socket, &calls, c);
	return c->local;
}

static void
control_stop(struct self *self)
{
	struct control *c = self->state;
	struct request *r;

	local_free(c->local);
	while ((r = TAILQ_FIRST(&c->requests)))
		request_free(r);
	free(c);
	self->state = NULL;
}

static const struct role_message messages[] = {
    {ROLE_LEDGER, WIRE_QUERY_REPLY, on_reply},
    {ROLE_RA, WIRE_QUERY_REPLY, on_reply},
    {ROLE_PARENT, WIRE_RELOADED, on_reloaded},
};

static const struct sandbox sandbox = {.allow = SANDBOX_UNIX | SANDBOX_ACCEPT | SANDBOX_MEMFD};

const struct role role_control = {
    .id = ROLE_CONTROL,
    .name = "control",
    .control = true,
    .open = control_open,
    .start = control_start,
    .peer_down = control_peer_down,
    .stop = control_stop,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
