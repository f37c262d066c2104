/* The role that keeps everything: questions in, answers out. */
#include "authority/ledger.h"

#include <event2/event.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "authority/ledger_ca.h"
#include "authority/wire.h"
#include "lib/log.h"
#include "lib/sandbox.h"

static bool
ledger_role_open(struct self *self)
{
	const struct authority_conf *conf = self->conf;
	struct ledger *l = calloc(1, sizeof *l);
	char path[4096];

	self->state = l;
	if (!l)
		return false;
	prctl(PR_SET_DUMPABLE, 0); /* secrets of first contact are in this memory */
	l->self = self;
	l->conf = conf;
	l->prepared = -1;
	l->started = when_now();
	snprintf(path, sizeof path, "%s/ledger", conf->state_directory);
	if (RAND_bytes(l->session_secret, sizeof l->session_secret) != 1 || !ledger_open(l, path))
		return false;
	ledger_ca_open(l);
	return l->ca;
}

static void
give_register(struct ledger *l, unsigned desk)
{
	struct ipc *ipc = l->self->peers[ROLE_DESK][desk];
	int fd = ipc && l->prepared >= 0 ? dup(l->prepared) : -1;

	if (fd >= 0)
		ipc_send(ipc, WIRE_REGISTER, 0, NULL, 0, &fd, 1);
}

/* After the answers of this turn have left: several changes in a row cost one copy. */
static void
prepare_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ledger *l = arg;
	int fresh = register_prepare(l);

	(void)fd, (void)what;
	if (fresh < 0) {
		log_error("ledger.prepare", "reason=\"no memory\"");
		return;
	}
	if (l->prepared >= 0)
		close(l->prepared);
	l->prepared = fresh;
	l->stale = false;
	for (unsigned i = 0; i < l->self->workers; i++)
		give_register(l, i);
}

static bool
ledger_role_start(struct self *self)
{
	static const struct timeval now;
	struct ledger *l = self->state;

	l->prepare = evtimer_new(self->base, prepare_cb, l);
	return l->prepare && event_add(l->prepare, &now) == 0 && ledger_ca_start(l);
}

static void
ledger_peer_up(struct self *self, struct peer p)
{
	if (p.role == ROLE_DESK)
		give_register(self->state, p.index);
	if (p.role == ROLE_CA)
		ledger_ca_up(self->state);
}

void
ledger_refresh(struct ledger *l)
{
	static const struct timeval now;

	if (l->stale && !event_pending(l->prepare, EV_TIMEOUT, NULL))
		event_add(l->prepare, &now);
}

static void
on_query(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ledger *l = self->state;
	json_t *in = wire_get_json(f);
	int out = -1;

	if (ledger_ca_ocsp(l, from, f->id, in)) {
		json_decref(in);
		return;
	}
	json_t *answer = ledger_answer(l, from.role, in, ipc_take_fd(f, 0), &out);

	wire_send_json(self->peers[from.role][from.index], WIRE_QUERY_REPLY, f->id, answer, &out,
	    out >= 0);
	json_decref(answer);
	json_decref(in);
	ledger_refresh(l);
}

static void
ledger_reload(struct self *self)
{
	ledger_ca_reload(self->state);
}

static void
ledger_role_stop(struct self *self)
{
	struct ledger *l = self->state;

	if (l->prepare)
		event_free(l->prepare);
	if (l->prepared >= 0)
		close(l->prepared);
	ledger_ca_stop(l);
	ledger_close(l);
	free(l);
	self->state = NULL;
}

static json_t *
ledger_role_status(struct self *self)
{
	const struct ledger *l = self->state;

	return json_pack("{s:I, s:I, s:I, s:I}", "served", (json_int_t)l->served, "refused",
	    (json_int_t)l->refused, "changed", (json_int_t)l->changed, "entries",
	    (json_int_t)l->entries);
}

static const struct role_message messages[] = {
    {ROLE_DESK, WIRE_QUERY, on_query},
    {ROLE_RA, WIRE_QUERY, on_query},
    {ROLE_CONTROL, WIRE_QUERY, on_query},
    {ROLE_CA, WIRE_QUERY_REPLY, ledger_ca_reply},
};

static const struct sandbox sandbox = {.allow = SANDBOX_FILES | SANDBOX_SYNC | SANDBOX_MEMFD};

const struct role role_ledger = {
    .id = ROLE_LEDGER,
    .name = "ledger",
    .open = ledger_role_open,
    .start = ledger_role_start,
    .peer_up = ledger_peer_up,
    .reload = ledger_reload,
    .stop = ledger_role_stop,
    .status = ledger_role_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
