/* Incoming messages, and files for large bodies. */
#include <unistd.h>
#include "lib/log.h"
#include "message/message.h"
#include "obmend/store_role.h"

void
store_on_spool(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct wire_spool w;
	enum fault why = FAULT_INTERNAL;

	if (!wire_unpack(f, WIRE_SPOOL, &w)) {
		log_error("store.bad-frame", "type=spool");
		return;
	}
	int fd = r->backend->spool_file(r->store, w.size, &why);
	struct wire_spool_reply reply = {.fault = fd < 0 ? why : FAULT_NONE};
	wire_send(self->peers[from.role][from.index], WIRE_SPOOL_REPLY, f->id, &reply, &fd,
		  fd >= 0);
}

/* Descriptors come in order: body, details. False when one that was announced is missing. */
static bool
take_bytes(const struct wire_receive *w, const struct ipc_frame *f, struct store_incoming *in)
{
	unsigned next = 0;

	in->message = w;
	in->body = (struct store_bytes){.data = w->body.data.data, .size = w->body.data.len};
	if (w->body.in_fd && next < f->nfds)
		in->body = (struct store_bytes){.fd = f->fds[next++], .size = w->body.size,
		    .spooled = w->body.spooled};
	else if (w->body.in_fd)
		return false;
	in->details = (struct store_bytes){.data = w->details.data, .size = w->details.len};
	if (w->details_in_fd && next < f->nfds)
		in->details = (struct store_bytes){.fd = f->fds[next], .size = w->details_size};
	else if (w->details_in_fd)
		return false;
	return true;
}

static void
count(struct store_counts *c, const struct wire_receive *w, const struct wire_receive_reply *reply)
{
	if (reply->outcome == RECEIVE_REPEAT)
		c->repeated++;
	else if (reply->outcome == RECEIVE_TEMPORARY)
		c->temporary++;
	else if (reply->outcome == RECEIVE_STORED && w->fault)
		c->refused++;
	else if (reply->outcome == RECEIVE_STORED)
		c->received++;
}

/* Once for each message: the second time codec comes with the answer. */
static void
log_received(const struct wire_receive *w, const struct wire_receive_reply *reply)
{
	static const char *const outcomes[] = {[RECEIVE_STORED] = "stored", [RECEIVE_REPEAT] = "repeat",
	    [RECEIVE_CONFLICT] = "conflict", [RECEIVE_KNOWN] = "known", [RECEIVE_STATUS] = "status",
	    [RECEIVE_UNKNOWN] = "unknown", [RECEIVE_TEMPORARY] = "temporary"};
	char message[GUID_TEXT_SIZE], document[GUID_TEXT_SIZE];

	if (reply->outcome > RECEIVE_TEMPORARY || w->answered)
		return;
	guid_format(&w->message_guid, message);
	guid_format(&w->document.guid, document);
	log_info("store.received", "message=%s guid=%s type=%s outcome=%s", message, document,
	    message_type_name((enum message_type)w->message_type), outcomes[reply->outcome]);
}

void
store_on_receive(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct wire_receive_reply reply = {.outcome = RECEIVE_TEMPORARY, .fault = FAULT_INTERNAL};
	struct store_incoming in;
	struct wire_receive w;

	if (!wire_unpack(f, WIRE_RECEIVE, &w) || !take_bytes(&w, f, &in)) {
		log_error("store.bad-frame", "type=receive codec=%u", from.index);
		wire_send(self->peers[from.role][from.index], WIRE_RECEIVE_REPLY, f->id, &reply,
			  NULL, 0);
		return;
	}
	reply.fault = store_batch(r);
	r->gathered++;
	r->coming[from.index] = (unsigned)w.coming;
	if (!reply.fault)
		r->backend->receive(r->store, &in, &reply);
	count(&r->counts, &w, &reply);
	log_received(&w, &reply);
	outbox_add(r, from, WIRE_RECEIVE_REPLY, f->id, &reply, NULL, 0);
}
