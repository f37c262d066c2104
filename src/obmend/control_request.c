/* A request on its way: questions to roles, their replies, and time. */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/control.h"

#define SILENCE_SECONDS 30

/* A question to a role that was not answered yet. */
struct question {
	uint64_t id;
	struct request *request;
	struct peer peer;
	control_reply_cb callback;
	struct event *silence;
	TAILQ_ENTRY(question) entry;
};

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

struct request *
request_new(struct control *control, struct local_client *client, json_t *arguments, const int *fds,
    unsigned nfds)
{
	struct request *r = calloc(1, sizeof *r);

	if (!r) {
		json_decref(arguments);
		close_all(fds, nfds);
		return NULL;
	}
	r->control = control;
	r->client = client;
	r->arguments = arguments;
	r->nfds = nfds;
	if (nfds)
		memcpy(r->fds, fds, nfds * sizeof *fds);
	return r;
}

static void
request_free(struct request *r)
{
	close_all(r->fds, r->nfds);
	json_decref(r->arguments);
	json_decref(r->state);
	free(r);
}

void
request_orphan(struct request *r)
{
	r->client = NULL;
}

static void
question_free(struct question *q)
{
	TAILQ_REMOVE(&q->request->control->questions, q, entry);
	q->request->waiting--;
	if (q->silence)
		event_free(q->silence);
	free(q);
}

/* Questions whose answers nobody needs any more. */
static void
drop_questions(struct request *r)
{
	struct question *q = TAILQ_FIRST(&r->control->questions);

	while (q && r->waiting) {
		struct question *next = TAILQ_NEXT(q, entry);
		if (q->request == r)
			question_free(q);
		q = next;
	}
}

void
request_answer(struct request *r, json_t *answer, const int *fds, unsigned nfds)
{
	if (r->client)
		local_answer(r->client, answer, fds, nfds);
	else
		close_all(fds, nfds);
	json_decref(answer);
	drop_questions(r);
	request_free(r);
}

void
request_refuse(struct request *r, enum fault f, const char *detail)
{
	r->control->refused++;
	request_answer(r,
		       json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(f), "detail",
				 detail ? detail : ""),
		       NULL, 0);
}

void
request_forward(struct request *r, json_t *answer, struct ipc_frame *f)
{
	int fds[IPC_FRAME_FDS];
	unsigned n = 0;

	if (!answer) {
		request_refuse(r, FAULT_ROLE_SILENT, role_name(r->verb->role));
		return;
	}
	for (unsigned i = 0; f && i < f->nfds; i++) {
		int fd = ipc_take_fd(f, i);
		if (fd >= 0)
			fds[n++] = fd;
	}
	request_answer(r, json_incref(answer), fds, n);
}

/* Ends a question with what came, or with nothing. */
static void
settle(struct question *q, json_t *answer, struct ipc_frame *f)
{
	struct request *r = q->request;
	control_reply_cb callback = q->callback;

	question_free(q);
	callback(r, answer, f);
}

static void
silence_cb(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;

	(void)fd, (void)what;
	log_warning("control.role-silent", "role=%s%u verb=%s", role_name(q->peer.role),
		    q->peer.index, q->request->verb ? q->request->verb->name : "");
	settle(q, NULL, NULL);
}

/* A question that waits for its answer; NULL without memory. */
static struct question *
question_new(struct request *r, enum role_id role, unsigned index, control_reply_cb callback)
{
	struct control *c = r->control;
	struct question *q = calloc(1, sizeof *q);
	struct timeval limit = {r->verb && r->verb->seconds ? r->verb->seconds : SILENCE_SECONDS,
				0};

	if (q)
		q->silence = evtimer_new(c->self->base, silence_cb, q);
	if (!q || !q->silence) {
		free(q);
		return NULL;
	}
	q->id = ++c->next_id;
	q->request = r;
	q->peer = (struct peer){role, index};
	q->callback = callback;
	r->waiting++;
	TAILQ_INSERT_TAIL(&c->questions, q, entry);
	event_add(q->silence, &limit);
	return q;
}

/* The journal keeps who asked for a change. */
static void
sign_query(const struct request *r, json_t *query)
{
	uid_t uid = 0;
	pid_t pid = 0;
	char by[32];

	if (!r->client)
		return;
	local_person(r->client, &uid, &pid);
	snprintf(by, sizeof by, "uid %u", (unsigned)uid);
	json_object_set_new(query, "by", json_string(by));
}

void
request_note(const struct request *r)
{
	struct ipc *store = r->control->self->peers[ROLE_STORE][0];
	json_t *query = json_pack("{s:s, s:s}", "verb", "evidence.note", "text", r->verb->name);

	if (store && query) {
		sign_query(r, query);
		wire_send_json(store, WIRE_QUERY, 0, query, NULL, 0); /* nobody waits for the answer */
	}
	json_decref(query);
}

void
request_ask(struct request *r, enum role_id role, unsigned index, json_t *query, const int *fds,
    unsigned nfds, control_reply_cb callback)
{
	struct question *q = question_new(r, role, index, callback);

	if (role == ROLE_STORE && r->verb->changes)
		sign_query(r, query);
	if (!q) {
		json_decref(query);
		close_all(fds, nfds);
		callback(r, NULL, NULL);
		return;
	}
	bool sent = wire_send_json(r->control->self->peers[role][index], WIRE_QUERY, q->id, query,
				   fds, nfds);
	json_decref(query);
	if (!sent)
		settle(q, NULL, NULL);
}

void
request_ask_reload(struct request *r, control_reply_cb callback)
{
	struct question *q = question_new(r, ROLE_PARENT, 0, callback);

	if (!q)
		callback(r, NULL, NULL);
	else if (!role_send(r->control->self, ROLE_PARENT, 0, WIRE_RELOAD, q->id, NULL, 0, NULL, 0))
		settle(q, NULL, NULL);
}

static struct question *
find_question(struct control *c, struct peer from, uint64_t id)
{
	struct question *q;

	TAILQ_FOREACH (q, &c->questions, entry) {
		if (q->id == id && q->peer.role == from.role && q->peer.index == from.index)
			break;
	}
	return q;
}

void
control_on_reloaded(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct question *q = find_question(self->state, from, f->id);
	struct wire_reloaded m;

	if (!q || !wire_unpack(f, WIRE_RELOADED, &m))
		return;
	const char *text = m.text ? m.text : "";
	json_t *answer = m.ok ? json_pack("{s:b, s:s}", "ok", 1, "needs_start", text)
			      : json_pack("{s:b, s:s, s:s}", "ok", 0, "fault",
					  fault_code(FAULT_CONF_KEPT), "detail", text);
	settle(q, answer, f);
	json_decref(answer);
}

void
control_on_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct question *q = find_question(self->state, from, f->id);

	if (!q) /* too late: nobody waits */
		return;
	json_t *answer = wire_get_json(f);
	if (!json_is_object(answer)) {
		log_error("control.bad-reply", "role=%s%u", role_name(from.role), from.index);
		json_decref(answer);
		answer = NULL;
	}
	settle(q, answer, f);
	json_decref(answer);
}

void
control_peer_gone(struct control *c, struct peer p)
{
	struct question *q;

	/* From the start each time: a callback may end other questions of its request. */
	do {
		TAILQ_FOREACH (q, &c->questions, entry) {
			if (q->peer.role == p.role && q->peer.index == p.index)
				break;
		}
		if (q)
			settle(q, NULL, NULL);
	} while (q);
}
