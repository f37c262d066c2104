/*
 * Writing an outgoing message for the store: details and attachments -> signed SOAP text.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "obmend/codec.h"
#include "obmend/codec_details.h"

/*
 * What was written is read and verified again before it may leave (section 6, step 2). Above this
 * size it is not: the digest was taken over the very bytes that were written, reading twice would
 * cost as much as writing, and a mistake of ours in the form would show in small messages too.
 */
#define VERIFY_MAX ((uint64_t)1 << 20)

static void
send_composed(struct job *job, const struct wire_composed *w, int fd)
{
	struct codec *c = job->codec;
	uint64_t kind = job->compose.asked.kind < DELIVERY_KIND_COUNT ? job->compose.asked.kind : 0;

	c->stats.composed[kind][w->outcome]++;
	if (job->compose.told) {
		job->compose.told(job, w, fd);
	} else if (!codec_send(c, job->origin, WIRE_COMPOSED, job->origin_id, w, &fd, fd >= 0)) {
		log_warning("codec.composed-lost", "job=%s", job->kind->name);
		ipc_break(c->self->peers[job->origin.role][job->origin.index]);
	}
}

static void
fail(struct job *job, enum outcome outcome, enum fault fault, const char *detail)
{
	struct wire_composed w = {.outcome = outcome, .fault = fault, .detail = detail};

	send_composed(job, &w, -1);
}

/* Nothing will change by trying again. */
static void
refuse(struct job *job, enum fault fault, const char *detail)
{
	stats_fault(&job->codec->stats, fault);
	fail(job, OUTCOME_PERMANENT, fault, detail);
	job_end(job);
}

static void
compose_trouble(struct job *job, enum fault fault, const char *detail)
{
	bool unwritable = job->out.fault != FAULT_NONE && !job->out.temporary;

	fail(job, unwritable ? OUTCOME_PERMANENT : OUTCOME_TEMPORARY, fault, detail);
}

static void
done(struct job *job)
{
	struct wire_composed w = {
	    .outcome = OUTCOME_DONE,
	    .message_guid = job->out.message.guid,
	    .method = job->out.method,
	};
	int fd;

	if (!body_lend(&job->body, job->body.size <= WIRE_INLINE_BODY, &w.body, &fd)) {
		job_trouble(job, FAULT_INTERNAL, "no memory");
		return;
	}
	send_composed(job, &w, fd);
	job_end(job);
}

/* The end of our own reading: is it what we meant, and does our certificate verify it? FAULT_INTERNAL:
 * no memory to tell. */
static enum fault
verified(struct job *job)
{
	const struct parse *p = &job->parse;
	const struct identity *own = &job->codec->identities[job->out.certificate];

	if (p->fault != FAULT_NONE)
		return p->fault;
	if (p->content != ENVELOPE_MESSAGE || parse_schema_violation(p) ||
	    !guid_equal(&job->message.guid, &job->out.message.guid))
		return FAULT_XML_MODEL;
	return signature_check(parse_signature(p), X509_get0_pubkey(own->certificate));
}

static bool
verify_on(struct job *job)
{
	struct parse *p = &job->parse;

	if (parse_step(p, job->codec->room, SLICE))
		return true;
	enum fault fault = verified(job);
	if (p->trouble || fault == FAULT_INTERNAL) {
		job_trouble(job, FAULT_INTERNAL, p->detail);
	} else if (fault != FAULT_NONE) {
		const char *violation = parse_schema_violation(p);
		log_error("codec.self-check", "fault=%s detail=\"%s\" schema=\"%s\"",
		    fault_code(fault), p->detail, violation ? violation : "");
		refuse(job, FAULT_INTERNAL, "self-check");
	} else {
		done(job);
	}
	return false;
}

static bool
compose_run(struct job *job)
{
	if (job->compose.verifying)
		return verify_on(job);
	return job->out.draft ? job_write_on(job) : job_write(job, OUTGOING_MEMORY);
}

static void
compose_sealed(struct job *job)
{
	struct codec *c = job->codec;
	struct outgoing *o = &job->out;
	bool in_file = o->fd >= 0;

	draft_free(o->draft);
	o->draft = NULL;
	body_borrow(&job->body, o->text.data, o->fd, in_file ? o->size : o->text.len);
	job->body.spooled = in_file;
	if (job->body.size > VERIFY_MAX) {
		done(job);
		return;
	}
	job->compose.verifying = true;
	if (parse_begin(&job->parse, &c->parsers, &job->body, &job->message, ENVELOPE_REQUEST,
	        signature_method_digest(o->method)))
		job_run(job, job->body.size);
	else
		job_trouble(job, FAULT_INTERNAL, "no memory");
}

static void
compose_clean(struct job *job)
{
	if (job->compose.attachments >= 0)
		close(job->compose.attachments);
	if (job->compose.output >= 0)
		close(job->compose.output);
}

static const struct job_kind compose_kind = {
    .name = "compose",
    .run = compose_run,
    .sealed = compose_sealed,
    .trouble = compose_trouble,
    .clean = compose_clean,
};

/* The header: ourselves from the configuration, the recipient as the register has it now. */
static enum fault
fill_header(struct job *job)
{
	const struct codec *c = job->codec;
	const struct wire_compose *asked = &job->compose.asked;
	const struct conf_participant *own = conf_participant(c->conf, &asked->sender);
	struct message *m = &job->out.message;
	struct participant to;
	char date[WHEN_TEXT_SIZE];

	if (!own)
		return FAULT_CONF_INVALID;
	if (!snapshot_by_guid(c->snapshot, &asked->recipient, &to))
		return FAULT_RECIPIENT_UNKNOWN;
	if (!guid_random(&m->guid))
		return FAULT_INTERNAL;
	m->version = "1.0";
	m->date = when_now();
	when_format(m->date, date);
	m->date_text = job_strdup(job, date);
	m->sender = (struct party){.eik = own->eik, .name = own->name, .guid = own->guid};
	m->recipient = (struct party){
	    .eik = job_strdup(job, to.eik), .name = job_strdup(job, to.name), .guid = to.guid};
	job->out.kind = ENVELOPE_REQUEST;
	job->out.certificate = codec_certificate(c, own->certificate);
	job->out.method = codec_method(c, &asked->recipient, asked->sha256_seen);
	job->out.fd = job->compose.output;
	return FAULT_NONE;
}

static enum fault
fill_document(struct job *job, char *detail, size_t size)
{
	const struct wire_compose *asked = &job->compose.asked;
	struct message *m = &job->out.message;
	struct document *d = &m->document;
	enum fault fault = details_read((const char *)asked->details.data, asked->details.len,
	    &m->arena, d, &m->comment, detail, size);

	if (fault != FAULT_NONE)
		return fault;
	m->type = MESSAGE_REGISTRATION_REQUEST;
	if (!m->comment)
		m->comment = "";
	if (!guid_is_zero(&asked->document.guid))
		d->id.guid = asked->document.guid;
	if (guid_is_zero(&d->id.guid)) {
		snprintf(detail, size, "document_guid");
		return FAULT_FIELD_MISSING;
	}
	for (struct attachment *a = d->attachments; a; a = a->next)
		a->fd = job->compose.attachments;
	if (d->attachments && job->compose.attachments < 0) {
		snprintf(detail, size, "attachments");
		return FAULT_FIELD_MISSING;
	}
	return FAULT_NONE;
}

static enum fault
fill_status(struct job *job, char *detail, size_t size)
{
	const struct wire_compose *asked = &job->compose.asked;
	const struct wire_document_id *id = &asked->status.id;
	struct message *m = &job->out.message;

	(void)detail;
	(void)size;
	m->type = MESSAGE_STATUS_RESPONSE;
	m->status = (struct status_report){
	    .id = {.number = id->number,
	        .date = id->date,
	        .uri_register = id->uri_register,
	        .uri_sequence = id->uri_sequence,
	        .uri_date = id->uri_date,
	        .has_uri = id->uri_register || id->uri_sequence || id->uri_date,
	        .guid = asked->document.guid,
	        .guid_text = asked->document.guid_text},
	    .status = (enum document_status)asked->status.status,
	    .reason = asked->status.reason,
	    .date_close = asked->status.date_close,
	};
	return FAULT_NONE;
}

/* The GUID alone: a number in a request would have to be the recipient's, and known peers look the
 * document up by its GUID (section 3). */
static enum fault
fill_poll(struct job *job, char *detail, size_t size)
{
	const struct wire_document_id *id = &job->compose.asked.document;
	struct message *m = &job->out.message;

	(void)detail;
	(void)size;
	m->type = MESSAGE_STATUS_REQUEST;
	m->asked = (struct document_id){.guid = id->guid, .guid_text = id->guid_text};
	return FAULT_NONE;
}

static enum fault (*const fill_by_kind[DELIVERY_KIND_COUNT])(struct job *, char *, size_t) = {
    [DELIVERY_DOCUMENT] = fill_document,
    [DELIVERY_STATUS] = fill_status,
    [DELIVERY_POLL] = fill_poll,
};

static struct wire_document_id
copy_id(struct job *job, const struct wire_document_id *id)
{
	return (struct wire_document_id){
	    .number = job_strdup(job, id->number),
	    .date = job_strdup(job, id->date),
	    .uri_register = job_strdup(job, id->uri_register),
	    .uri_sequence = job_strdup(job, id->uri_sequence),
	    .uri_date = job_strdup(job, id->uri_date),
	    .guid = id->guid,
	    .guid_text = job_strdup(job, id->guid_text),
	};
}

/* Details that came in a descriptor. */
static struct wire_bytes
read_details(struct job *job, int fd, uint64_t size)
{
	uint8_t *data = size <= DETAILS_MAX ? arena_alloc(&job->memory, (size_t)size + 1) : NULL;
	size_t at = 0;
	ssize_t n;

	while (data && fd >= 0 && at < size && (n = pread(fd, data + at, size - at, (off_t)at)) > 0)
		at += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (!data || at < size)
		job->no_memory = true;
	return (struct wire_bytes){data, at};
}

static void
take(struct job *job, const struct wire_compose *w, struct ipc_frame *f)
{
	struct compose *s = &job->compose;
	unsigned next = 0;

	s->asked = *w;
	s->attachments = w->has_attachments ? ipc_take_fd(f, next++) : -1;
	s->output = w->has_output ? ipc_take_fd(f, next++) : -1;
	s->asked.details = w->details_in_fd
	    ? read_details(job, ipc_take_fd(f, next), w->details_size)
	    : job_bytes(job, w->details);
	s->asked.document = copy_id(job, &w->document);
	s->asked.status.id = copy_id(job, &w->status.id);
	s->asked.status.reason = job_strdup(job, w->status.reason);
	s->asked.status.date_close = job_strdup(job, w->status.date_close);
}

static void
begin(struct job *job)
{
	char detail[128] = "";
	uint64_t size = 0;
	enum fault fault = fill_header(job);

	if (fault == FAULT_NONE)
		fault = fill_by_kind[job->compose.asked.kind](job, detail, sizeof detail);
	if (fault == FAULT_INTERNAL || job->no_memory) {
		job_trouble(job, FAULT_INTERNAL, "no memory");
	} else if (fault != FAULT_NONE) {
		refuse(job, fault, detail);
	} else {
		for (const struct attachment *a = job->out.message.document.attachments; a;
		    a = a->next)
			size += a->size;
		job_run(job, size);
	}
}

static void
start(struct job *job, const struct wire_compose *w, struct ipc_frame *f)
{
	take(job, w, f);
	if (job->no_memory)
		job_trouble(job, FAULT_INTERNAL, "no memory");
	else if (clock_wrong(job->codec->self->clock_floor))
		job_trouble(job, FAULT_CLOCK_WRONG, NULL); /* its date would be wrong */
	else if (!job->codec->snapshot)
		job_trouble(job, FAULT_REGISTER_EMPTY, NULL);
	else
		begin(job);
}

void
compose_for(struct codec *c, struct peer origin, uint64_t id, const struct wire_compose *w,
    composed_cb told)
{
	struct ipc_frame none = {.nfds = 0};
	struct job *job = job_new(c, &compose_kind, origin, id), nobody = {.codec = c, .origin = origin,
	    .origin_id = id};
	struct wire_composed busy = {.outcome = OUTCOME_TEMPORARY, .fault = FAULT_OVERLOADED};

	if (!job) {
		told(&nobody, &busy, -1);
		return;
	}
	job->compose.told = told;
	start(job, w, &none);
}

void
compose_start(struct codec *c, struct peer from, struct ipc_frame *f)
{
	struct wire_compose w;

	if (!wire_unpack(f, WIRE_COMPOSE, &w) || w.kind >= DELIVERY_KIND_COUNT) {
		log_error("codec.bad-frame", "type=compose");
		return;
	}
	struct job *job = job_new(c, &compose_kind, from, f->id);
	if (!job) {
		struct wire_composed busy = {.outcome = OUTCOME_TEMPORARY,
		    .fault = FAULT_OVERLOADED};
		codec_send(c, from, WIRE_COMPOSED, f->id, &busy, NULL, 0);
		return;
	}
	start(job, &w, f);
}
