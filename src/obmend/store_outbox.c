/* What leaves after the commit. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/log.h"
#include "obmend/store_role.h"

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static struct store_letter *
letter_new(struct store_role *r, struct peer to, unsigned type, uint64_t id, const int *fds,
           unsigned nfds)
{
	struct store_outbox *o = &r->outbox;

	if (o->count == o->capacity) {
		size_t capacity = o->capacity ? o->capacity * 2 : 64;
		struct store_letter *letters = realloc(o->letters, capacity * sizeof *letters);
		if (!letters)
			return NULL;
		o->letters = letters;
		o->capacity = capacity;
	}
	struct store_letter *l = &o->letters[o->count++];
	*l = (struct store_letter){.role = to.role, .index = to.index, .type = (uint16_t)type,
	    .id = id, .trace = log_trace_now(), .nfds = nfds};
	if (nfds)
		memcpy(l->fds, fds, nfds * sizeof *fds);
	event_active(r->turn, EV_TIMEOUT, 0);
	return l;
}

bool
outbox_add(struct store_role *r, struct peer to, unsigned type, uint64_t id,
           const void *message, const int *fds, unsigned nfds)
{
	struct store_outbox *o = &r->outbox;
	size_t at = o->bytes.len;

	if (nfds <= sizeof o->letters->fds / sizeof *fds && wire_pack(&o->bytes, type, message)) {
		struct store_letter *l = letter_new(r, to, type, id, fds, nfds);
		if (l) {
			l->at = at;
			l->len = o->bytes.len - at;
			return true;
		}
	}
	/* The others' bytes stay as they are. */
	o->bytes.failed = false;
	o->bytes.len = at;
	close_all(fds, nfds);
	log_warning("store.outbox", "type=%d reason=\"no memory\"", (int)type);
	return false;
}

bool
outbox_add_json(struct store_role *r, struct peer to, uint64_t id, json_t *reply, const int *fds,
                unsigned nfds)
{
	struct store_letter *l = letter_new(r, to, WIRE_QUERY_REPLY, id, fds, nfds);

	if (l) {
		l->json = reply;
		return true;
	}
	/* Empty: who asked hears that something is wrong, not nothing for minutes. */
	role_send(r->self, to.role, to.index, WIRE_QUERY_REPLY, id, NULL, 0, NULL, 0);
	json_decref(reply);
	close_all(fds, nfds);
	return false;
}

/* Sends as it is; false when it could not. */
static bool
letter_send(struct store_role *r, struct store_letter *l)
{
	struct ipc *to = r->self->peers[l->role][l->index];

	if (!l->json)
		return role_send(r->self, l->role, l->index, l->type, l->id,
				 r->outbox.bytes.data + l->at, l->len, l->fds, l->nfds);
	if (to)
		return wire_send_json(to, WIRE_QUERY_REPLY, l->id, l->json, l->fds, l->nfds);
	close_all(l->fds, l->nfds);
	return false;
}

/* The batch failed: whoever asked hears that nothing was kept. */
static void
letter_fail(struct store_role *r, struct store_letter *l, enum fault f)
{
	struct wire_receive_reply no = {.outcome = RECEIVE_TEMPORARY, .fault = f};
	struct ipc *to = r->self->peers[l->role][l->index];

	close_all(l->fds, l->nfds);
	if (l->type == WIRE_RECEIVE_REPLY) {
		r->counts.temporary++;
		wire_send(to, WIRE_RECEIVE_REPLY, l->id, &no, NULL, 0);
	} else if (l->json) {
		json_t *reply = store_json_fault(f, NULL);
		wire_send_json(to, WIRE_QUERY_REPLY, l->id, reply, NULL, 0);
		json_decref(reply);
	}
}

void
outbox_send(struct store_role *r, enum fault f)
{
	struct store_outbox *o = &r->outbox;

	for (size_t i = 0; i < o->count; i++) {
		struct store_letter *l = &o->letters[i];
		log_trace(l->trace);
		bool left = !f && letter_send(r, l);
		if (f)
			letter_fail(r, l, f);
		if (!left && l->document)
			store_job_undone(r, l->document, !f);
		json_decref(l->json);
	}
	log_trace(0);
	o->count = 0;
	if (o->bytes.cap > (1 << 20))
		buf_free(&o->bytes);
	buf_reset(&o->bytes);
}

void
outbox_free(struct store_outbox *o)
{
	for (size_t i = 0; i < o->count; i++) {
		close_all(o->letters[i].fds, o->letters[i].nfds);
		json_decref(o->letters[i].json);
	}
	free(o->letters);
	buf_free(&o->bytes);
}
