#include "authority/desk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"

/* ---- the end of a request ---- */

static void
job_free(struct desk_job *j)
{
	struct question *q, *next;

	for (q = TAILQ_FIRST(&j->desk->questions); q; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->job != j)
			continue;
		TAILQ_REMOVE(&j->desk->questions, q, link);
		free(q);
	}
	TAILQ_REMOVE(&j->desk->jobs, j, link);
	if (j->body)
		munmap(j->body, j->body_len);
	free(j->frame);
	free(j);
}

static void
send_response(struct desk_job *j, struct wire_response *m, int fd)
{
	struct ipc *front = j->desk->self->peers[ROLE_FRONT][0];

	if (!wire_send(front, WIRE_RESPONSE, j->id, m, &fd, fd >= 0) && front) {
		struct wire_response none = {.status = 0};
		wire_send(front, WIRE_RESPONSE, j->id, &none, NULL, 0);
	}
	job_free(j);
}

void
desk_respond_fd(struct desk_job *j, const char *content_type, int fd, uint64_t at, uint64_t size)
{
	struct wire_response m = {.status = fd >= 0 ? 200 : 0, .content_type = content_type,
	    .body_in_fd = fd >= 0, .body_at = at, .body_size = size};

	send_response(j, &m, fd);
}

void
desk_respond(struct desk_job *j, unsigned status, const char *content_type, const char *fields,
    const void *body, size_t len)
{
	struct wire_response m = {.status = status, .content_type = content_type, .fields = fields,
	    .body = {body, len}};
	int fd = -1;

	if (len > WIRE_INLINE_BODY) {
		fd = wire_memfd("response", body, len);
		m.body = (struct wire_bytes){0};
		m.body_in_fd = true;
		m.body_size = len;
		m.status = fd >= 0 ? status : 0;
	}
	send_response(j, &m, fd);
}

void
desk_refuse(struct desk_job *j, unsigned status, enum fault f, const char *detail)
{
	char text[2048];

	fault_describe(f, detail, text, sizeof text);
	j->desk->faults++;
	desk_respond(j, status, NULL, status == 503 ? "Retry-After: 30\r\n" : NULL, text, strlen(text));
}

/* ---- questions ---- */

void
desk_ask(struct desk_job *j, unsigned role, unsigned slot, const json_t *query, desk_answer_cb callback)
{
	struct desk *d = j->desk;
	struct question *q = calloc(1, sizeof *q);

	if (!q || !wire_send_json(d->self->peers[role][0], WIRE_QUERY, d->last_question + 1, query, NULL, 0)) {
		free(q);
		callback(j, slot, NULL);
		return;
	}
	*q = (struct question){.id = ++d->last_question, .job = j, .role = role, .slot = slot,
	    .callback = callback};
	TAILQ_INSERT_TAIL(&d->questions, q, link);
}

/* Takes the question off the list: the callback may free its job. */
static void
give_answer(struct desk *d, struct question *q, json_t *answer)
{
	struct question copy = *q;

	TAILQ_REMOVE(&d->questions, q, link);
	free(q);
	copy.callback(copy.job, copy.slot, answer);
}

static void
on_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct desk *d = self->state;
	struct question *q;

	(void)from;
	TAILQ_FOREACH (q, &d->questions, link) {
		if (q->id == f->id)
			break;
	}
	json_t *answer = wire_get_json(f);
	if (q)
		give_answer(d, q, answer);
	else if (f->id == DESK_SECRET)
		desk_page_secret(d, answer);
	json_decref(answer);
}

static struct question *
asked_of(struct desk *d, unsigned role)
{
	struct question *q;

	TAILQ_FOREACH (q, &d->questions, link) {
		if (q->role == role)
			break;
	}
	return q;
}

/* ---- requests ---- */

/* The frame is gone when the handler returns: the job keeps a copy. */
static bool
keep_request(struct desk_job *j, const struct ipc_frame *f, int fd)
{
	struct ipc_frame copy = {.type = f->type, .len = f->len};

	j->frame = malloc(f->len ? f->len : 1);
	if (!j->frame)
		return false;
	memcpy(j->frame, f->payload, f->len);
	copy.payload = j->frame;
	if (!wire_unpack(&copy, WIRE_REQUEST, &j->request) || !j->request.method || !j->request.path)
		return false;
	if (!j->request.body_in_fd)
		return true;
	j->body_len = (size_t)j->request.body_size;
	j->body = fd < 0 || !j->body_len ? MAP_FAILED : mmap(NULL, j->body_len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (j->body == MAP_FAILED)
		j->body = NULL;
	j->request.body = (struct wire_bytes){j->body, j->body_len};
	return j->body;
}

static void
on_request(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct desk *d = self->state;
	struct desk_job *j = calloc(1, sizeof *j);
	int fd = ipc_take_fd(f, 0);

	(void)from;
	if (j) {
		j->desk = d;
		j->id = f->id;
		TAILQ_INSERT_TAIL(&d->jobs, j, link);
		if (!keep_request(j, f, fd))
			desk_refuse(j, 503, FAULT_OVERLOADED, "memory");
		else if (desk_soap_has_path(j->request.path))
			desk_soap(j);
		else
			desk_page(j);
	} else {
		struct wire_response none = {.status = 0};
		wire_send(self->peers[ROLE_FRONT][0], WIRE_RESPONSE, f->id, &none, NULL, 0);
	}
	if (fd >= 0)
		close(fd);
}

static void
on_register(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct desk *d = self->state;
	int fd = ipc_take_fd(f, 0);
	struct prepared *fresh = fd < 0 ? NULL : prepared_open(fd);

	(void)from;
	if (!fresh)
		return;
	prepared_free(d->prepared);
	d->prepared = fresh;
}

/* ---- the role ---- */

static bool
desk_open(struct self *self)
{
	struct desk *d = calloc(1, sizeof *d);

	if (!d)
		return false;
	d->self = self;
	self->state = d;
	TAILQ_INIT(&d->jobs);
	TAILQ_INIT(&d->questions);
	return desk_page_open(d);
}

static void
desk_peer_up(struct self *self, struct peer p)
{
	if (p.role == ROLE_LEDGER)
		desk_page_ledger_up(self->state);
}

/* front's requests are gone with it; questions that nobody answers any more are answered with NULL. */
static void
desk_peer_down(struct self *self, struct peer p)
{
	struct desk *d = self->state;
	struct question *q;
	struct desk_job *j;

	if (p.role == ROLE_FRONT) {
		while ((j = TAILQ_FIRST(&d->jobs))) {
			desk_page_abandon(j);
			job_free(j);
		}
	}
	while (p.role != ROLE_FRONT && (q = asked_of(d, p.role)))
		give_answer(d, q, NULL);
}

static void
desk_stop(struct self *self)
{
	struct desk *d = self->state;
	struct desk_job *j;

	while ((j = TAILQ_FIRST(&d->jobs))) {
		desk_page_abandon(j);
		job_free(j);
	}
	desk_page_free(d);
	prepared_free(d->prepared);
	free(d);
	self->state = NULL;
}

static json_t *
desk_status(struct self *self)
{
	const struct desk *d = self->state;

	return json_pack("{s:I, s:I, s:I, s:I}", "soap", (json_int_t)d->soap, "pages",
	    (json_int_t)d->pages_served, "faults", (json_int_t)d->faults, "entries",
	    (json_int_t)(d->prepared ? d->prepared->count : 0));
}

static const struct role_message messages[] = {
    {ROLE_FRONT, WIRE_REQUEST, on_request},
    {ROLE_LEDGER, WIRE_REGISTER, on_register},
    {ROLE_LEDGER, WIRE_QUERY_REPLY, on_reply},
    {ROLE_RA, WIRE_QUERY_REPLY, on_reply},
};

static const struct sandbox sandbox = {.allow = SANDBOX_MEMFD};

const struct role role_desk = {
    .id = ROLE_DESK,
    .name = "desk",
    .many = true,
    .open = desk_open,
    .peer_up = desk_peer_up,
    .peer_down = desk_peer_down,
    .stop = desk_stop,
    .status = desk_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
