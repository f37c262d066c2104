/* Deliveries under way: what codec writes and courier carries. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/outcome.h"
#include "obmend/store_role.h"

#define COMPOSE_DEADLINE (600 * WHEN_SECOND)  /* codec lives but never answered */
#define SENDING_DEADLINE (7200 * WHEN_SECOND) /* courier has its own, shorter limits */
#define OUTPUT_FROM (128 << 10) /* attachments from this size get a file for the message */
#define LOST_PAUSE (30 * WHEN_SECOND)

static struct store_job *
job_of(struct store_role *r, int64_t document)
{
	for (unsigned i = 0; i < r->window; i++)
		if (r->jobs[i].used && r->jobs[i].document == document)
			return &r->jobs[i];
	return NULL;
}

static struct store_job *
job_of_attempt(struct store_role *r, int64_t attempt)
{
	for (unsigned i = 0; i < r->window; i++)
		if (r->jobs[i].used && r->jobs[i].sending && r->jobs[i].attempt == attempt)
			return &r->jobs[i];
	return NULL;
}

static struct store_job *
job_new(struct store_role *r, const struct store_work *w)
{
	struct store_recipient *p = recipients_find(r, w->peer);

	for (unsigned i = 0; p && i < r->window; i++) {
		struct store_job *j = &r->jobs[i];
		if (j->used)
			continue;
		*j = (struct store_job){.used = true, .document = w->document, .peer = w->peer,
		    .kind = w->kind, .generation = w->generation, .sender = w->sender,
		    .recipient = w->recipient};
		p->busy++;
		r->under_way++;
		return j;
	}
	return NULL;
}

static void
job_end(struct store_role *r, struct store_job *j)
{
	struct store_recipient *p = recipients_find(r, j->peer);

	if (p && p->busy > 0)
		p->busy--;
	r->under_way--;
	j->used = false;
	store_wake(r);
}

static void
job_later(struct store_role *r, struct store_job *j)
{
	int64_t peer = j->peer;

	job_end(r, j);
	recipients_due(r, peer, when_now() + SCHEDULE_SOON);
}

/* This attempt's outcome must be written later, as unknown. */
static void
lose(struct store_role *r, int64_t attempt)
{
	if (r->lost_count < r->window)
		r->lost[r->lost_count++] = attempt;
	else
		log_error("store.lost", "attempt=%lld reason=\"too many; until the next start\"",
		    (long long)attempt);
}

void
store_job_undone(struct store_role *r, int64_t document, bool committed)
{
	struct store_job *j = job_of(r, document);

	if (!j)
		return;
	/* The delivery is marked as sending, and only an outcome takes that back. */
	if (j->sending && committed)
		lose(r, j->attempt);
	job_later(r, j);
}

bool
store_choose_codec(struct store_role *r, struct peer *to)
{
	unsigned n = r->self->workers < ROLE_INDEX_MAX ? r->self->workers : ROLE_INDEX_MAX;

	for (unsigned i = 0; i < n; i++) {
		unsigned index = (r->next_codec + i) % n;
		if (!r->self->peers[ROLE_CODEC][index])
			continue;
		r->next_codec = index + 1;
		*to = (struct peer){ROLE_CODEC, index};
		return true;
	}
	return false;
}

static void
letter_of_job(struct store_role *r, const struct store_job *j)
{
	r->outbox.letters[r->outbox.count - 1].document = j->document;
}

/* Descriptors of a compose job in their order; false when one that is needed cannot be had. */
static bool
compose_files(struct store_role *r, const struct store_work *w, struct wire_compose *m, int *fds,
              unsigned *nfds, struct buf *details)
{
	struct stat st;
	enum fault why;

	if (w->kind != DELIVERY_DOCUMENT)
		return true;
	if (w->attachments) {
		int fd = r->backend->body_open(r->store, w->attachments);
		if (fd < 0)
			return false;
		fds[(*nfds)++] = fd;
		m->has_attachments = true;
		if (fstat(fd, &st) == 0 && st.st_size >= OUTPUT_FROM) {
			fd = r->backend->spool_file(r->store, (uint64_t)st.st_size / 3 * 4, &why);
			if (fd < 0)
				return false;
			fds[(*nfds)++] = fd;
			m->has_output = true;
		}
	}
	if (w->details_size <= WIRE_INLINE_DETAILS) {
		if (w->details && r->backend->body_read(r->store, w->details, details))
			return false;
		m->details = (struct wire_bytes){details->data, details->len};
		return true;
	}
	int fd = r->backend->body_open(r->store, w->details);
	if (fd < 0)
		return false;
	fds[(*nfds)++] = fd;
	m->details_in_fd = true;
	m->details_size = w->details_size;
	return true;
}

static bool
start_compose(struct store_role *r, struct store_job *j, const struct store_work *w)
{
	struct wire_compose m = {.kind = w->kind, .sender = w->sender, .recipient = w->recipient,
	    .sha256_seen = w->sha256_seen, .document = w->id, .status = w->status};
	struct buf details = {0};
	struct peer to;
	int fds[4];
	unsigned nfds = 0;

	if (!store_choose_codec(r, &to))
		return false;
	if (!compose_files(r, w, &m, fds, &nfds, &details)) {
		while (nfds > 0)
			close(fds[--nfds]);
		buf_free(&details);
		return false;
	}
	bool ok = outbox_add(r, to, WIRE_COMPOSE, (uint64_t)j->document, &m, fds, nfds);
	buf_free(&details);
	if (!ok)
		return false;
	letter_of_job(r, j);
	j->codec = to.index;
	j->deadline = when_monotonic() + COMPOSE_DEADLINE;
	return true;
}

/* The line that ties a document to the correlation id under which this attempt runs. */
static void
log_sending(const struct store_job *j, const struct store_work *w)
{
	char document[GUID_TEXT_SIZE], message[GUID_TEXT_SIZE];

	guid_format(&w->id.guid, document);
	guid_format(&w->message_guid, message);
	log_info("store.sending", "document=%lld guid=%s message=%s attempt=%lld kind=%d",
	    (long long)w->document, document, message, (long long)j->attempt, (int)w->kind);
}

static bool
start_delivery(struct store_role *r, struct store_job *j, const struct store_work *w)
{
	struct wire_deliver m = {.kind = w->kind, .sender = w->sender, .recipient = w->recipient,
	    .message_guid = w->message_guid, .document_guid = w->id.guid};
	struct peer to = {ROLE_COURIER, 0};
	struct buf body = {.max = WIRE_INLINE_BODY};
	int fd = -1;

	if (w->body_size > WIRE_INLINE_BODY) {
		fd = r->backend->body_open(r->store, w->body);
		m.body = (struct wire_body){.in_fd = true, .size = w->body_size};
	} else if (r->backend->body_read(r->store, w->body, &body) == FAULT_NONE) {
		m.body = (struct wire_body){.data = {body.data, body.len}, .size = body.len};
	}
	bool ok = fd >= 0 || !m.body.in_fd;
	ok = ok && m.body.size > 0 && !r->backend->attempt(r->store, w->document, &j->attempt);
	if (ok) {
		j->sending = true;
		j->deadline = when_monotonic() + SENDING_DEADLINE;
		ok = outbox_add(r, to, WIRE_DELIVER, (uint64_t)j->attempt, &m, &fd, fd >= 0);
		if (ok) {
			letter_of_job(r, j);
			log_sending(j, w);
		} else {
			store_job_undone(r, w->document, true); /* began, and never left */
		}
	} else if (fd >= 0) {
		close(fd);
	}
	buf_free(&body);
	return ok;
}

/* Compose or deliver. False: not now. */
static bool
start(struct store_role *r, int64_t document)
{
	struct store_work w;
	enum fault f = r->backend->work(r->store, document, &w);

	if (f)
		return f == FAULT_DOCUMENT_MISSING; /* not pending any more: nothing to start */
	struct store_job *j = job_new(r, &w);
	if (!j)
		return false;
	log_trace(log_trace_new());
	bool started = w.message ? start_delivery(r, j, &w) : start_compose(r, j, &w);
	log_trace(0);
	if (started)
		return true;
	if (j->used)
		job_end(r, j);
	return false;
}

static void
pump_peer(struct store_role *r, struct store_recipient *p, when now)
{
	struct store_due items[STORE_PEER_MAX + 1];
	int64_t peer = p->peer;
	unsigned count = 0, max = r->per_peer + 1;
	when next = WHEN_NONE;

	if (r->backend->due(r->store, peer, items, max, &count))
		next = now + SCHEDULE_SOON;
	p->due = WHEN_NONE;
	for (unsigned i = 0; i < count && next == WHEN_NONE; i++) {
		if (job_of(r, items[i].document))
			continue;
		/* The table may have moved while it grew. */
		p = recipients_find(r, peer);
		if (items[i].due > now || p->busy >= r->per_peer || r->under_way >= r->window)
			next = items[i].due;
		else if (!start(r, items[i].document))
			next = now + SCHEDULE_SOON;
	}
	if (next != WHEN_NONE)
		recipients_due(r, peer, next);
}

/* Each call begins with another peer, so that nobody is always the last. */
void
store_pump(struct store_role *r, when now)
{
	size_t slots = r->recipient_slots;

	r->pump = false;
	if (!r->self->peers[ROLE_COURIER][0] || maintenance_out(r))
		return;
	for (size_t i = 0; i < slots && slots == r->recipient_slots; i++) {
		struct store_recipient *p = &r->recipients[(r->recipient_next + i) & (slots - 1)];
		if (r->under_way >= r->window)
			break;
		if (p->peer && p->due != WHEN_NONE && p->due <= now && p->busy < r->per_peer)
			pump_peer(r, p, now);
	}
	r->recipient_next++;
}

/* Descriptor or inline bytes of a body that came in a frame. */
static bool
frame_body(const struct wire_body *w, const struct ipc_frame *f, struct store_bytes *out)
{
	*out = (struct store_bytes){.data = w->data.data, .size = w->data.len};
	if (!w->in_fd)
		return true;
	if (f->nfds == 0)
		return false;
	*out = (struct store_bytes){.fd = f->fds[0], .size = w->size, .spooled = w->spooled};
	return true;
}

/* The message is written: store it, and send it in the same turn. */
static void
composed(struct store_role *r, struct store_job *j, const struct wire_composed *m,
         const struct store_bytes *body)
{
	struct store_work w = {.document = j->document, .peer = j->peer, .kind = j->kind,
	    .generation = j->generation, .sender = j->sender, .recipient = j->recipient};
	enum fault f = store_batch(r);

	if (!f)
		f = r->backend->composed(r->store, &w, m, body);
	if (!f)
		r->counts.composed++;
	if (f || m->outcome != OUTCOME_DONE || !r->self->peers[ROLE_COURIER][0] ||
	    r->backend->work(r->store, w.document, &w) || !w.message || !start_delivery(r, j, &w)) {
		if (j->used)
			job_later(r, j);
	}
}

void
store_on_composed(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct wire_composed m;
	struct store_bytes body;
	struct store_job *j = job_of(r, (int64_t)f->id);

	if (!wire_unpack(f, WIRE_COMPOSED, &m) || !frame_body(&m.body, f, &body)) {
		log_error("store.bad-frame", "type=composed codec=%u", from.index);
		if (j && !j->sending)
			job_later(r, j);
		return;
	}
	if (!j || j->sending || j->codec != from.index)
		return; /* given to another codec meanwhile */
	composed(r, j, &m, &body);
}

/* The outcome is in the batch; if that fails it is lost, and looked at again. */
static void
attempt_over(struct store_role *r, int64_t attempt, enum fault f)
{
	struct store_job *j = job_of_attempt(r, attempt);

	if (f && j)
		lose(r, attempt);
	else if (!f && j && r->ended_count < r->window)
		r->ended[r->ended_count++] = attempt;
	if (j)
		job_end(r, j);
}

void
store_on_undelivered(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct wire_undelivered m;

	if (!wire_unpack(f, WIRE_UNDELIVERED, &m)) {
		log_error("store.bad-frame", "type=undelivered role=%s", role_name(from.role));
		return;
	}
	enum fault why = store_batch(r);
	if (!why)
		why = r->backend->undelivered(r->store, (int64_t)f->id, &m);
	r->counts.undelivered++;
	attempt_over(r, (int64_t)f->id, why);
}

void
store_on_answered(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct wire_answered m;
	struct store_bytes body;

	if (!wire_unpack(f, WIRE_ANSWERED, &m) || !frame_body(&m.body, f, &body)) {
		log_error("store.bad-frame", "type=answered codec=%u", from.index);
		return;
	}
	enum fault why = store_batch(r);
	if (!why)
		why = r->backend->answered(r->store, (int64_t)f->id, &m, &body);
	r->counts.answered++;
	attempt_over(r, (int64_t)f->id, why);
}

static void
give_up(struct store_role *r, int64_t attempt, const char *why)
{
	struct wire_undelivered m = {.class = UNDELIVERED_AMBIGUOUS, .fault = FAULT_PEER_AMBIGUOUS,
	    .detail = why, .sent = WHEN_NONE, .ended = when_now(), .retry = WHEN_NONE};
	enum fault f = store_batch(r);

	if (!f)
		f = r->backend->undelivered(r->store, attempt, &m);
	if (f && !job_of_attempt(r, attempt))
		lose(r, attempt);
	attempt_over(r, attempt, f);
}

/* Codec is gone: its compose jobs are given again; answers that it was reading may be lost. */
static void
codec_down(struct store_role *r, unsigned index)
{
	when soon = when_monotonic() + LOST_PAUSE + (when)self_conf(r->self)->send_timeout * WHEN_SECOND;

	for (unsigned i = 0; i < r->window; i++) {
		struct store_job *j = &r->jobs[i];
		if (!j->used)
			continue;
		if (!j->sending && j->codec == index)
			job_later(r, j);
		else if (j->sending && j->deadline > soon)
			j->deadline = soon;
	}
}

static void
courier_down(struct store_role *r)
{
	for (unsigned i = 0; i < r->window; i++)
		if (r->jobs[i].used && r->jobs[i].sending)
			give_up(r, r->jobs[i].attempt, "courier ended");
}

void
store_peer_down(struct self *self, struct peer p)
{
	struct store_role *r = self->state;

	if (!r || !r->store)
		return;
	if (p.role == ROLE_CODEC)
		codec_down(r, p.index);
	else if (p.role == ROLE_COURIER)
		courier_down(r);
}

void
store_overdue(struct store_role *r)
{
	when now = when_monotonic();

	for (unsigned i = 0; i < r->window; i++) {
		struct store_job *j = &r->jobs[i];
		if (!j->used || j->deadline > now)
			continue;
		if (j->sending)
			give_up(r, j->attempt, "no outcome in time");
		else
			job_later(r, j);
	}
	/* What is lost again is written behind what was read. */
	unsigned lost = r->lost_count;
	r->lost_count = 0;
	for (unsigned i = 0; i < lost; i++)
		give_up(r, r->lost[i], "outcome not written");
}
