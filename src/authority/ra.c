/*
 * ra: the process that reads strangers' ASN.1. It carries messages between front, desk, control and the
 * ledger for ra_job.c, and has the protection of CMP answers signed by ca, through a key that is there.
 */
#include "authority/ra_job.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "authority/json.h"
#include "authority/role.h"
#include "authority/wire.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/tls.h"

#define JOBS_MAX 256 /* under way; front has fewer connections waiting than that, or they are refused */

/* Whom a job is for, and what it waits for. */
struct errand {
	struct ra_job *job;    /* while it waits for an answer */
	struct peer from;
	uint64_t id;           /* of the request */
	bool busy, http, asked;
};

struct ra {
	struct ra_site site;
	struct errand errands[JOBS_MAX]; /* by question number modulo JOBS_MAX */
	struct self *self;
	EVP_PKEY *key;         /* of .serial */
	char serial[48];
	uint64_t requests, refused;
};

static struct errand *
errand_new(struct ra *ra, struct peer from, uint64_t id, bool http)
{
	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct errand *e = &ra->errands[i];
		if (e->busy)
			continue;
		*e = (struct errand){.from = from, .id = id, .busy = true, .http = http};
		return e;
	}
	return NULL;
}

static void
errand_end(struct errand *e)
{
	*e = (struct errand){.busy = false};
}

/* -- answers */

static void
send_response(struct ra *ra, struct peer to, uint64_t id, int status, const char *type, const void *data,
    size_t len)
{
	struct ipc *ipc = ra->self->peers[to.role][to.index];
	struct wire_response r = {.status = (uint64_t)status, .content_type = type, .body = {data, len},
	    .body_size = len};
	int fd = -1;

	if (!ipc)
		return;
	if (len > WIRE_INLINE_BODY) {
		fd = wire_memfd("response", data, len);
		r.body = (struct wire_bytes){NULL, 0};
		r.body_in_fd = true;
		if (fd < 0)
			r = (struct wire_response){.status = 503, .content_type = "text/plain"};
	}
	wire_send(ipc, WIRE_RESPONSE, id, &r, &fd, fd >= 0);
}

static void
on_respond(void *arg, struct ra_job *job, int status, const char *type, const void *data, size_t len)
{
	struct ra *ra = arg;
	struct errand *e = ra_job_user(job);

	send_response(ra, e->from, e->id, status, type, data, len);
	errand_end(e);
}

static void
on_reply(void *arg, struct ra_job *job, json_t *answer)
{
	struct ra *ra = arg;
	struct errand *e = ra_job_user(job);
	struct ipc *ipc = ra->self->peers[e->from.role][e->from.index];

	if (ipc)
		wire_send_json(ipc, WIRE_QUERY_REPLY, e->id, answer, NULL, 0);
	errand_end(e);
}

/* -- questions */

static void
on_ask(void *arg, struct ra_job *job, json_t *query)
{
	struct ra *ra = arg;
	struct errand *e = ra_job_user(job);
	struct ipc *ipc = ra->self->peers[ROLE_LEDGER][0];

	if (!json_object_get(query, "actor"))
		json_object_set_new(query, "actor", json_pack("{s:s}", "kind", "ra"));
	e->job = job;
	e->asked = ipc && wire_send_json(ipc, WIRE_QUERY, (uint64_t)(e - ra->errands) + 1, query, NULL, 0);
}

/* What could not be asked is answered at the end of the turn: never from inside. */
static void
settle(struct ra *ra)
{
	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct errand *e = &ra->errands[i];
		while (e->job && !e->asked) {
			struct ra_job *job = e->job;
			e->job = NULL;
			ra_job_answered(job, NULL);
		}
	}
}

static void
on_answer(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ra *ra = self->state;
	json_t *answer = wire_get_json(f);
	struct errand *e = f->id >= 1 && f->id <= JOBS_MAX ? &ra->errands[f->id - 1] : NULL;

	(void)from;
	if (e && e->job && e->asked) {
		struct ra_job *job = e->job;
		e->job = NULL;
		e->asked = false;
		ra_job_answered(job, answer);
	}
	json_decref(answer);
	settle(ra);
}

/* The ledger is gone: whoever waits is told to come again. */
static void
ra_peer_down(struct self *self, struct peer peer)
{
	struct ra *ra = self->state;

	if (peer.role != ROLE_LEDGER)
		return;
	for (size_t i = 0; i < JOBS_MAX; i++)
		ra->errands[i].asked = false;
	settle(ra);
}

static EVP_PKEY *
protection_key(void *arg, X509 *cmp)
{
	struct ra *ra = arg;
	json_t *c = json_certificate(cmp);
	const char *serial = json_text(c, "serial");

	/* ca makes a fresh key at every start. */
	if (strcmp(serial, ra->serial) != 0) {
		EVP_PKEY_free(ra->key);
		ra->key = tls_remote_key(cmp, 0, ra->self->sync_signer);
		snprintf(ra->serial, sizeof ra->serial, "%s", ra->key ? serial : "");
	}
	json_decref(c);
	return ra->key;
}

/* -- what comes in */

static void
on_request(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ra *ra = self->state;
	struct wire_request m;
	void *mapped = MAP_FAILED;

	if (!wire_unpack(f, WIRE_REQUEST, &m) || !m.method || !m.path) {
		send_response(ra, from, f->id, 400, "text/plain", NULL, 0);
		return;
	}
	struct ra_http r = {.method = m.method, .path = m.path, .query = m.query, .content_type = m.content_type,
	    .body = m.body.data, .len = m.body.len};
	if (m.body_in_fd && f->nfds && m.body_size && m.body_size <= CMP_MESSAGE_MAX) {
		mapped = mmap(NULL, m.body_size, PROT_READ, MAP_PRIVATE, f->fds[0], 0);
		r.body = mapped == MAP_FAILED ? NULL : mapped;
		r.len = mapped == MAP_FAILED ? 0 : m.body_size;
	} else if (m.body_in_fd) {
		r.len = CMP_MESSAGE_MAX + 1; /* too large for any of the paths */
	}
	struct errand *e = errand_new(ra, from, f->id, true);
	ra->requests++;
	if (!e || !ra_begin_http(&ra->site, &r, e)) {
		ra->refused++;
		send_response(ra, from, f->id, 503, "text/plain", NULL, 0);
		if (e)
			errand_end(e);
	}
	if (mapped != MAP_FAILED)
		munmap(mapped, m.body_size);
	settle(ra);
}

static void
on_query(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ra *ra = self->state;
	json_t *query = wire_get_json(f);
	struct errand *e = errand_new(ra, from, f->id, false);

	if (!e || !ra_begin_query(&ra->site, query, e)) {
		json_t *busy = json_pack("{s:b, s:s}", "ok", 0, "fault", fault_code(FAULT_OVERLOADED));
		if (self->peers[from.role][from.index])
			wire_send_json(self->peers[from.role][from.index], WIRE_QUERY_REPLY, f->id, busy, NULL, 0);
		json_decref(busy);
		if (e)
			errand_end(e);
	}
	json_decref(query);
	settle(ra);
}

static bool
ra_open(struct self *self)
{
	struct ra *ra = calloc(1, sizeof *ra);

	self->state = ra;
	if (!ra)
		return false;
	ra->self = self;
	ra->site = (struct ra_site){.ask = on_ask, .respond = on_respond, .reply = on_reply,
	    .key = protection_key, .arg = ra};
	return true;
}

static bool
ra_start(struct self *self)
{
	(void)self;
	return true;
}

static void
ra_stop(struct self *self)
{
	struct ra *ra = self->state;

	for (size_t i = 0; i < JOBS_MAX; i++)
		ra->errands[i].asked = false;
	settle(ra);
	EVP_PKEY_free(ra->key);
	free(ra);
	self->state = NULL;
}

static json_t *
ra_status(struct self *self)
{
	const struct ra *ra = self->state;
	int waiting = 0;

	for (size_t i = 0; i < JOBS_MAX; i++)
		waiting += ra->errands[i].job != NULL;
	return json_pack("{s:I, s:I, s:i}", "requests", (json_int_t)ra->requests, "refused",
	    (json_int_t)ra->refused, "waiting", waiting);
}

static const struct role_message messages[] = {
    {ROLE_FRONT, WIRE_REQUEST, on_request},
    {ROLE_DESK, WIRE_QUERY, on_query},
    {ROLE_CONTROL, WIRE_QUERY, on_query},
    {ROLE_LEDGER, WIRE_QUERY_REPLY, on_answer},
};

static const struct sandbox sandbox = {.allow = SANDBOX_MEMFD};

const struct role role_ra = {
    .id = ROLE_RA,
    .name = "ra",
    .open = ra_open,
    .start = ra_start,
    .peer_down = ra_peer_down,
    .stop = ra_stop,
    .status = ra_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
