/*
 * The way of a Submit through front: memory for the body is reserved as a whole before the first
 * byte of it is read, so that half-read bodies can never lock each other out; a large one gets a
 * file from store; a complete one goes to the codec with the fewest jobs.
 */
#include "obmend/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

static void dispatch(struct front *);
static void grant_memory(struct front *);

/* ---- lists and memory ---- */

static struct front_jobs *
list_of(struct front_job *j)
{
	struct front *f = j->front;

	return j->stage == JOB_CODEC ? &f->lanes[j->codec].jobs : &f->stages[j->stage];
}

static void
leave_list(struct front_job *j)
{
	TAILQ_REMOVE(list_of(j), j, link);
	if (j->stage == JOB_CODEC)
		j->front->lanes[j->codec].count--;
}

static void
enter_stage(struct front_job *j, enum job_stage stage)
{
	leave_list(j);
	j->stage = stage;
	TAILQ_INSERT_TAIL(list_of(j), j, link);
	if (stage == JOB_CODEC)
		j->front->lanes[j->codec].count++;
}

static void
set_memory(struct front_job *j, uint64_t bytes)
{
	struct front *f = j->front;

	if (j->stage != JOB_MEMORY)
		f->memory = f->memory - j->memory + bytes;
	j->memory = bytes;
	if (f->memory > f->memory_peak)
		f->memory_peak = f->memory;
}

static void
job_free(struct front_job *j)
{
	struct front *f = j->front;

	set_memory(j, 0);
	leave_list(j);
	if (j->conn)
		http_set_data(j->conn, NULL);
	front_body_free(&j->body);
	free(j);
	grant_memory(f);
}

/* Closes without an answer: nothing was kept, or nobody knows. The sender asks or sends again. */
static void
job_drop(struct front_job *j)
{
	j->front->results[RESULT_DROPPED]++;
	if (j->conn)
		http_drop(j->conn);
	job_free(j);
}

/* The body was taken, and it is certain that nothing was kept. */
static void
job_unavailable(struct front_job *j, enum fault fault)
{
	if (j->conn)
		front_unavailable(j->front, j->conn, fault, NULL);
	job_free(j);
}

/* ---- before the body ---- */

static void
read_body(struct front_job *j)
{
	enter_stage(j, JOB_BODY);
	http_resume(j->conn);
}

/* Reading stops until store gives a file. */
static void
ask_spool(struct front_job *j)
{
	struct wire_spool m = {.size = j->announced};
	struct ipc *store = j->front->self->peers[ROLE_STORE][0];

	http_pause(j->conn);
	enter_stage(j, JOB_SPOOL);
	j->front->spooled++;
	if (!store || !wire_send(store, WIRE_SPOOL, j->id, &m, NULL, 0))
		job_drop(j);
}

/* Starts those that wait, in the order of their coming, while there is memory. */
static void
grant_memory(struct front *f)
{
	struct front_job *j;

	while ((j = TAILQ_FIRST(&f->stages[JOB_MEMORY])) &&
	    f->memory + j->memory <= self_conf(f->self)->memory_in_flight) {
		uint64_t bytes = j->memory;
		j->memory = 0;
		enter_stage(j, JOB_BODY);
		set_memory(j, bytes);
		if (j->announced > WIRE_MEMORY_BODY)
			ask_spool(j);
		else
			read_body(j);
	}
}

void
front_job_begin(struct front *f, struct http_conn *c, const struct http_head *h)
{
	struct front_job *j = calloc(1, sizeof *j);

	if (!j) {
		http_drop(c);
		return;
	}
	*j = (struct front_job){.front = f,
	    .conn = c,
	    .stage = JOB_MEMORY,
	    .id = ++f->last_id,
	    .announced = h->content_length,

	    .body = {.fd = -1}};
	/* Chunked may grow to the most that is kept in memory. Of a file little is in memory. */
	if (h->chunked)
		j->memory = WIRE_MEMORY_BODY;
	else
		j->memory = h->content_length <= WIRE_MEMORY_BODY ? h->content_length : FRONT_STAGE;
	http_set_data(c, j);
	http_pause(c);
	TAILQ_INSERT_TAIL(&f->stages[JOB_MEMORY], j, link);
	grant_memory(f);
}

static struct front_job *
find(struct front_jobs *list, uint64_t id)
{
	struct front_job *j;

	TAILQ_FOREACH (j, list, link) {
		if (j->id == id)
			break;
	}
	return j;
}

void
front_spool_reply(struct self *self, struct peer from, struct ipc_frame *frame)
{
	struct front *f = self->state;
	struct front_job *j = find(&f->stages[JOB_SPOOL], frame->id);
	struct wire_spool_reply m;
	int fd;

	(void)from;
	if (!j || !wire_unpack(frame, WIRE_SPOOL_REPLY, &m))
		return; /* the sender left meanwhile; the frame's file is closed with it */
	fd = m.fault == FAULT_NONE ? ipc_take_fd(frame, 0) : -1;
	if (fd < 0) {
		log_warning("front.no-file", "fault=%s bytes=%llu", fault_code((enum fault)m.fault),
		    (unsigned long long)j->announced);
		if (j->body.size)
			job_unavailable(j, (enum fault)m.fault);
		else
			job_drop(j);
		return;
	}
	if (!front_body_move(&j->body, fd)) {
		job_unavailable(j, FAULT_DISK_FULL);
		return;
	}
	set_memory(j, FRONT_STAGE);
	read_body(j);
	grant_memory(f);
}

/* ---- the body ---- */

static void
body_lost(struct front_job *j)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	log_warning("front.body-lost", "bytes=%llu reason=\"%s\"", (unsigned long long)j->body.size,
	    strerror(errno));
	job_unavailable(j, full ? FAULT_DISK_FULL : FAULT_OVERLOADED);
}

void
front_job_body(struct front_job *j, const void *data, size_t len)
{
	j->front->body_bytes += len;
	if (!front_body_add(&j->body, data, len))
		body_lost(j);
	else if (front_body_outgrown(&j->body))
		ask_spool(j);
}

void
front_job_complete(struct front_job *j)
{
	struct front *f = j->front;

	if (!front_body_seal(&j->body)) {
		body_lost(j);
		return;
	}
	j->received = when_now();
	j->trace = log_trace_new();
	f->bodies++;
	set_memory(j, j->body.spooled ? 0 : j->body.size);
	enter_stage(j, JOB_QUEUE);
	grant_memory(f);
	dispatch(f);
}

void
front_job_abandon(struct front_job *j)
{
	j->front->results[RESULT_GONE]++;
	j->conn = NULL;
	if (j->stage != JOB_CODEC)
		job_free(j);
}

/* ---- codecs ---- */

/* The codec with the fewest jobs that has room for one more, or -1. */
static int
choose(struct front *f)
{
	int best = -1;

	for (unsigned i = 0; i < f->self->workers; i++) {
		unsigned n = (f->turn + i) % f->self->workers;
		const struct codec_lane *l = &f->lanes[n];
		if (l->up && l->count < FRONT_WINDOW &&
		    (best < 0 || l->count < f->lanes[best].count))
			best = (int)n;
	}
	f->turn++;
	return best;
}

static bool
send_inbound(struct front_job *j, unsigned codec)
{
	struct front *f = j->front;
	size_t certificate_len;
	const uint8_t *certificate = http_conn_certificate(j->conn, &certificate_len);
	struct wire_inbound m = {.received = j->received,
	    .peer_address = http_conn_peer(j->conn)->address,
	    .tls_certificate = {certificate, certificate_len},
	    .certificate = front_tls_certificate(f, j->conn),
	    .body = {.in_fd = j->body.fd >= 0, .spooled = j->body.spooled, .size = j->body.size}};
	struct ipc *to = f->self->peers[ROLE_CODEC][codec];
	int fd = j->body.fd;

	log_trace(j->trace);
	log_debug("front.message", "peer=%s bytes=%llu codec=%u", m.peer_address,
	    (unsigned long long)j->body.size, codec);
	if (fd < 0)
		m.body.data = (struct wire_bytes){j->body.text.data, j->body.text.len};
	j->body.fd = -1;
	bool sent = wire_send(to, WIRE_INBOUND, j->id, &m, &fd, fd >= 0);
	log_trace(0);
	front_body_free(&j->body);
	return sent;
}

static void
dispatch(struct front *f)
{
	struct front_job *j;
	int codec;

	while ((j = TAILQ_FIRST(&f->stages[JOB_QUEUE])) && (codec = choose(f)) >= 0) {
		j->codec = (unsigned)codec;
		if (send_inbound(j, j->codec))
			enter_stage(j, JOB_CODEC);
		else
			job_unavailable(j, FAULT_OVERLOADED);
	}
}

static void
answer(struct front_job *j, const struct wire_reply *m)
{
	if (!j->conn)
		return;
	histogram_add(&j->front->request, when_now() - j->received);
	j->front->results[m->http_status == 200 ? RESULT_ANSWERED : RESULT_FAULT]++;
	http_respond(j->conn, &(struct http_answer){.status = (int)m->http_status,
	    .content_type = "text/xml; charset=utf-8",
	    .body = m->body.data,
	    .len = m->body.len});
}

void
front_reply(struct self *self, struct peer from, struct ipc_frame *frame)
{
	struct front *f = self->state;
	struct front_job *j = find(&f->lanes[from.index].jobs, frame->id);
	struct wire_reply m;

	if (!j)
		return;
	if (!wire_unpack(frame, WIRE_REPLY, &m) || m.http_status == 503) {
		job_drop(j);
	} else {
		answer(j, &m);
		job_free(j);
	}
	dispatch(f);
}

void
front_codec_up(struct front *f, unsigned index)
{
	f->lanes[index].up = true;
	dispatch(f);
}

/* What it had may be stored or not: only the sender can find out, by asking or sending again. */
void
front_codec_down(struct front *f, unsigned index)
{
	struct front_job *j;

	f->lanes[index].up = false;
	while ((j = TAILQ_FIRST(&f->lanes[index].jobs)))
		job_drop(j);
}

void
front_store_down(struct front *f)
{
	struct front_job *j;

	while ((j = TAILQ_FIRST(&f->stages[JOB_SPOOL])))
		job_drop(j);
}

void
front_jobs_free(struct front *f)
{
	struct front_job *j;

	for (int stage = 0; stage < JOB_CODEC; stage++) {
		while ((j = TAILQ_FIRST(&f->stages[stage])))
			job_drop(j);
	}
	for (unsigned i = 0; i < ROLE_INDEX_MAX; i++)
		front_codec_down(f, i);
}
