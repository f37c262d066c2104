/* What came in, as the store is told. */
#include <string.h>
#include <unistd.h>

#include "obmend/codec.h"

/* The longest texts for lists and states; the whole text is in the message. Together with body,
 * details and answer they stay below IPC_PAYLOAD_MAX. */
#define NAME_MAX_BYTES 512
#define NUMBER_MAX_BYTES 512
#define TEXT_MAX_BYTES 2048
/* For body, details, answer and certificates. */
#define INLINE_ROOM ((size_t)IPC_PAYLOAD_MAX - (16 << 10))

void
receive_id(struct job *job, struct wire_document_id *w, const struct document_id *id)
{
	*w = (struct wire_document_id){
	    .number = job_strcut(job, id->number, NUMBER_MAX_BYTES),
	    .date = job_strcut(job, id->date, NUMBER_MAX_BYTES),
	    .uri_register = job_strcut(job, id->uri_register, NUMBER_MAX_BYTES),
	    .uri_sequence = job_strcut(job, id->uri_sequence, NUMBER_MAX_BYTES),
	    .uri_date = job_strcut(job, id->uri_date, NUMBER_MAX_BYTES),
	    .guid = id->guid,
	    .guid_text = id->guid_text,
	};
}

static void
fill_header(struct job *job, struct wire_receive *r)
{
	const struct message *m = &job->message;
	const struct proof *p = &job->proof;

	r->answered = job->inbound.answered;
	r->fault = job->inbound.fault;
	r->message_type = m->type;
	r->received = job->inbound.received;
	r->message_guid = m->guid;
	r->message_guid_text = m->guid_text;
	r->message_date = job_strcut(job, m->date_text, NUMBER_MAX_BYTES);
	r->sender = m->sender.guid;
	r->recipient = m->recipient.guid;
	r->sender_name = job_strcut(job, m->sender.name, NAME_MAX_BYTES);
	r->sender_eik = job_strcut(job, m->sender.eik, NAME_MAX_BYTES);
	r->proof = (struct wire_proof){
	    .peer_address = p->address,
	    .tls_certificate = p->tls_certificate,
	    .certificate = p->certificate,
	    .method = p->method,
	};
	memcpy(r->proof.fingerprint, p->fingerprint, sizeof p->fingerprint);
}

static void
fill_registration(struct job *job, struct wire_receive *r)
{
	const struct document *d = &job->message.document;

	receive_id(job, &r->document, &d->id);
	r->kind = job_strcut(job, d->kind, NAME_MAX_BYTES);
	r->about = job_strcut(job, d->about, TEXT_MAX_BYTES);
}

static void
fill_status_request(struct job *job, struct wire_receive *r)
{
	receive_id(job, &r->document, &job->message.asked);
}

static void
fill_status_response(struct job *job, struct wire_receive *r)
{
	const struct status_report *s = &job->message.status;

	r->status.status = s->status;
	receive_id(job, &r->status.id, &s->id);
	r->status.reason = job_strcut(job, s->reason, TEXT_MAX_BYTES);
	r->status.date_close = job_strcut(job, s->date_close, NUMBER_MAX_BYTES);
}

static void
fill_error(struct job *job, struct wire_receive *r)
{
	const struct error_report *e = &job->message.error;

	r->error_has_guid = e->has_message_guid;
	r->error_guid = e->message_guid;
	r->error_type = e->type;
	r->error_text = job_strcut(job, e->description, TEXT_MAX_BYTES);
}

static void (*const fill_body[MESSAGE_TYPE_COUNT])(struct job *, struct wire_receive *) = {
    [MESSAGE_REGISTRATION_REQUEST] = fill_registration,
    [MESSAGE_STATUS_REQUEST] = fill_status_request,
    [MESSAGE_STATUS_RESPONSE] = fill_status_response,
    [MESSAGE_ERROR] = fill_error,
};

static void
fill_answer(struct job *job, struct wire_receive *r)
{
	if (job->out.text.len == 0)
		return;
	r->has_answer = true;
	r->answer = (struct wire_bytes){job->out.text.data, job->out.text.len};
	if (!job->inbound.empty_answer)
		r->answer_guid = job->out.message.guid;
}

/* Puts details and body inline or into descriptors. Inline is the rule; a small body beside much
 * else gives way. */
static bool
fill_large(struct job *job, struct wire_receive *r, int fds[2], unsigned *nfds)
{
	const struct buf *details = &job->inbound.details;
	size_t used = r->answer.len + r->proof.tls_certificate.len + r->proof.certificate.len;
	int fd;

	r->details_size = details->len;
	r->details_in_fd = details->len > WIRE_INLINE_DETAILS || used + details->len > INLINE_ROOM;
	if (!r->details_in_fd) {
		r->details = (struct wire_bytes){details->data, details->len};
		used += details->len;
	}
	if (!body_lend(&job->body, used + job->body.size <= INLINE_ROOM, &r->body, &fd))
		return false;
	if (fd >= 0)
		fds[(*nfds)++] = fd;
	if (!r->details_in_fd)
		return true;
	fd = wire_memfd("details", details->data, details->len);
	if (fd >= 0)
		fds[(*nfds)++] = fd;
	return fd >= 0;
}

bool
receive_send(struct job *job)
{
	struct wire_receive r = {0};
	int fds[2];
	unsigned nfds = 0;

	fill_header(job, &r);
	/* What was refused is not believed: its fields go nowhere, its bytes are evidence. */
	if (r.fault == FAULT_NONE && fill_body[job->message.type])
		fill_body[job->message.type](job, &r);
	fill_answer(job, &r);
	r.coming = job->codec->signing;
	bool ok = fill_large(job, &r, fds, &nfds) && !job->no_memory;
	if (!ok) {
		while (nfds > 0)
			close(fds[--nfds]);
		return false;
	}
	job->inbound.tries++;
	job_wait_for(job, WAIT_STORE);
	return codec_send(job->codec, (struct peer){ROLE_STORE, 0}, WIRE_RECEIVE, job->id, &r, fds,
	    nfds);
}
