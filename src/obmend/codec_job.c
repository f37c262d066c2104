/* Jobs: their places, their turns, what they wait for. */
#include "obmend/codec.h"

#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#define JOB_MEMORY ((size_t)8 << 20)          /* most of it for large details */
#define KIND_PART offsetof(struct job, inbound) /* the union, which ends the struct */

static void
queue_add(struct job_queue *q, struct job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct job *
queue_take(struct job_queue *q)
{
	struct job *job = q->first;

	if (!job)
		return NULL;
	q->first = job->next;
	if (!q->first)
		q->last = &q->first;
	job->next = NULL;
	return job;
}

static void
queue_remove(struct job_queue *q, const struct job *job)
{
	struct job **at = &q->first;

	while (*at && *at != job)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = job->next;
	if (!*at)
		q->last = at;
}

/* One slice of one large job; then the loop looks at all channels before the next. */
static void
take_turn(evutil_socket_t fd, short what, void *arg)
{
	struct codec *c = arg;
	struct job *job = queue_take(&c->turns);

	(void)fd;
	(void)what;
	if (job) {
		/* "Not waiting" while it runs, so that ending it looks for it in no queue. */
		uint64_t id = job->id;
		job->wait = WAIT_NOTHING;
		log_trace(job->trace);
		if (job->kind->run(job)) {
			job->wait = WAIT_TURN;
			queue_add(&c->turns, job);
		} else if (job->kind && job->id == id && job->sliced) {
			job->sliced = false;
			c->sliced--;
		}
	}
	log_trace(0);
	while (c->sliced < SLICED_MAX && (job = queue_take(&c->waiting))) {
		job->sliced = true;
		c->sliced++;
		queue_add(&c->turns, job);
	}
	if (c->turns.first)
		evtimer_add(c->turn, &(struct timeval){0});
}

void
job_run(struct job *job, uint64_t size)
{
	struct codec *c = job->codec;

	if (size <= SLICE) {
		while (job->kind->run(job)) {
		}
		return;
	}
	job->wait = WAIT_TURN;
	queue_add(&c->waiting, job);
	evtimer_add(c->turn, &(struct timeval){0});
}

/* A role that lives but never answers must not keep places for ever. */
static void
end_overdue(evutil_socket_t fd, short what, void *arg)
{
	struct codec *c = arg;
	when limit = when_monotonic() - WAIT_SECONDS * WHEN_SECOND;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < JOBS_MAX; i++) {
		struct job *job = &c->jobs[i];
		if (!job->kind || job->wait <= WAIT_TURN || job->since >= limit)
			continue;
		log_trace(job->trace);
		job_trouble(job, FAULT_OVERLOADED, "no answer from another role");
	}
	log_trace(0);
}

bool
jobs_open(struct codec *c)
{
	c->turns.last = &c->turns.first;
	c->waiting.last = &c->waiting.first;
	for (unsigned i = JOBS_MAX; i-- > 0;) {
		struct job *job = &c->jobs[i];
		job->codec = c;
		job->memory.max = JOB_MEMORY;
		job->body = BODY_NONE;
		job->out.fd = -1;
		job->next = c->free;
		c->free = job;
	}
	c->turn = evtimer_new(c->self->base, take_turn, c);
	c->tick = event_new(c->self->base, -1, EV_PERSIST, end_overdue, c);
	return c->turn && c->tick && event_add(c->tick, &(struct timeval){.tv_sec = 1}) == 0;
}

void
jobs_close(struct codec *c)
{
	for (unsigned i = 0; i < JOBS_MAX; i++) {
		struct job *job = &c->jobs[i];
		if (job->kind)
			job_end(job);
		arena_free(&job->memory);
		message_free(&job->message);
		outgoing_free(&job->out);
	}
	if (c->turn)
		event_free(c->turn);
	if (c->tick)
		event_free(c->tick);
}

struct job *
job_new(struct codec *c, const struct job_kind *kind, struct peer origin, uint64_t origin_id)
{
	struct job *job = c->free;

	if (!job)
		return NULL;
	c->free = job->next;
	c->in_flight++;
	job->next = NULL;
	job->kind = kind;
	job->origin = origin;
	job->origin_id = origin_id;
	job->trace = log_trace_now();
	/* The place and a number that is never used again: a late frame finds no other job. */
	job->id = ++c->generation * JOBS_MAX + (uint64_t)(job - c->jobs);
	return job;
}

static const enum stage stages[] = {
    [WAIT_SIGNER] = STAGE_SIGN,
    [WAIT_STORE] = STAGE_STORE,
    [WAIT_DIRECTORY] = STAGE_LOOKUP,
};

struct job *
job_answered(struct codec *c, uint64_t id, enum job_wait wait)
{
	struct job *job = &c->jobs[id % JOBS_MAX];

	if (!job->kind || job->id != id || job->wait != wait)
		return NULL;
	stats_stage(&c->stats, stages[wait], when_monotonic() - job->since);
	c->signing -= wait == WAIT_SIGNER;
	job->wait = WAIT_NOTHING;
	log_trace(job->trace);
	return job;
}

void
job_wait_for(struct job *job, enum job_wait wait)
{
	job->wait = wait;
	job->since = when_monotonic();
	job->codec->signing += wait == WAIT_SIGNER;
}

void
job_end(struct job *job)
{
	struct codec *c = job->codec;

	if (job->wait == WAIT_TURN)
		queue_remove(job->sliced ? &c->turns : &c->waiting, job);
	c->sliced -= job->sliced;
	c->signing -= job->wait == WAIT_SIGNER;
	if (job->kind->clean)
		job->kind->clean(job);
	parse_end(&job->parse, &c->parsers);
	body_free(&job->body);
	message_reset(&job->message);
	outgoing_reset(&job->out);
	arena_reset(&job->memory);
	memset(&job->parse, 0, sizeof job->parse);
	memset(&job->proof, 0, sizeof job->proof);
	memset((char *)job + KIND_PART, 0, sizeof *job - KIND_PART);
	job->kind = NULL;
	job->wait = WAIT_NOTHING;
	job->sliced = false;
	job->spent = 0;
	job->no_memory = false;
	job->next = c->free;
	c->free = job;
	c->in_flight--;
}

void
job_trouble(struct job *job, enum fault fault, const char *detail)
{
	log_warning("codec.trouble", "job=%s fault=%s detail=\"%s\"", job->kind->name,
	    fault_code(fault), detail ? detail : "");
	stats_fault(&job->codec->stats, fault);
	job->kind->trouble(job, fault, detail);
	job_end(job);
}

void
jobs_lost(struct codec *c, enum job_wait wait, struct peer peer)
{
	for (unsigned i = 0; i < JOBS_MAX; i++) {
		struct job *job = &c->jobs[i];
		if (!job->kind)
			continue;
		if (job->origin.role == peer.role && job->origin.index == peer.index)
			job_end(job);
		else if (wait != WAIT_NOTHING && job->wait == wait)
			job_trouble(job, FAULT_OVERLOADED, role_name(peer.role));
	}
}

char *
job_strdup(struct job *job, const char *s)
{
	return job_strcut(job, s, SIZE_MAX - 1);
}

char *
job_strcut(struct job *job, const char *s, size_t max)
{
	if (!s)
		return NULL;
	size_t len = strlen(s);
	if (len > max) {
		for (len = max; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80; len--) {
		}
	}
	char *copy = arena_strndup(&job->memory, s, len);
	if (!copy)
		job->no_memory = true;
	return copy;
}

struct wire_bytes
job_bytes(struct job *job, struct wire_bytes b)
{
	char *copy = arena_strndup(&job->memory, b.len ? (const char *)b.data : "", b.len);

	if (!copy) {
		job->no_memory = true;
		return (struct wire_bytes){0};
	}
	return (struct wire_bytes){(const uint8_t *)copy, b.len};
}

bool
job_look_up(struct job *job, const struct guid *guid)
{
	struct codec *c = job->codec;
	struct wire_lookup lookup = {.guid = *guid};

	job_wait_for(job, WAIT_DIRECTORY);
	return codec_send(c, (struct peer){ROLE_DIRECTORY, 0}, WIRE_LOOKUP, job->id, &lookup, NULL,
	    0);
}

/* Sends what WAIT_SIGNER waits for. False: that role is down or busy. */
static bool
job_sign(struct job *job)
{
	struct codec *c = job->codec;
	uint8_t digest[64];
	size_t len = draft_digest(job->out.draft, digest);
	struct wire_sign sign = {
	    .certificate = job->out.certificate,
	    .method = job->out.method,
	    .digest = {digest, len},
	};

	job_wait_for(job, WAIT_SIGNER);
	return codec_send(c, (struct peer){ROLE_SIGNER, c->self->index}, WIRE_SIGN, job->id, &sign,
	    NULL, 0);
}

static void
failed(struct job *job)
{
	job_trouble(job, job->out.fault, job->out.detail);
}

bool
job_write_on(struct job *job)
{
	enum draft_state state = outgoing_step(&job->out, SLICE);

	if (state == DRAFT_MORE)
		return true;
	if (state != DRAFT_UNSIGNED)
		failed(job);
	else if (!job_sign(job))
		job_trouble(job, FAULT_OVERLOADED, "signer");
	return false;
}

bool
job_write(struct job *job, size_t max)
{
	const struct identity *identity = &job->codec->identities[job->out.certificate];

	if (!job->no_memory && outgoing_begin(&job->out, identity, max))
		return job_write_on(job);
	job_trouble(job, FAULT_INTERNAL, "no memory");
	return false;
}

void
job_signed(struct job *job, const struct wire_sign_reply *r)
{
	if (job->kind->signature && r->signature.len > 0)
		job->kind->signature(job, r);
	else if (r->signature.len == 0)
		job_trouble(job, FAULT_OVERLOADED, "signer refused");
	else if (outgoing_sign(&job->out, r->signature.data, r->signature.len) != DRAFT_DONE)
		failed(job);
	else
		job->kind->sealed(job);
}
