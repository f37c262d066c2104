/*
 * What a peer answered to a message of ours: read, believed or not, told to the store. A reply that
 * cannot be verified proves nothing (section 6): the outcome stays unknown and is polled.
 */
#include <string.h>

#include "obmend/codec_checks.h"

#define HTTP_OK 200
#define TEXT_MAX_BYTES 2048
#define NUMBER_MAX_BYTES 512

static void
fill_status(struct job *job, struct wire_answered *w)
{
	const struct status_report *s = &job->message.status;

	w->status.status = s->status;
	receive_id(job, &w->status.id, &s->id);
	w->status.reason = job_strcut(job, s->reason, TEXT_MAX_BYTES);
	w->status.date_close = job_strcut(job, s->date_close, NUMBER_MAX_BYTES);
}

static void
fill_proof(const struct job *job, struct wire_proof *w)
{
	const struct proof *p = &job->proof;

	*w = (struct wire_proof){
	    .peer_address = p->address,
	    .tls_certificate = p->tls_certificate,
	    .certificate = p->certificate,
	    .method = p->method,
	};
	memcpy(w->fingerprint, p->fingerprint, sizeof p->fingerprint);
}

/* Tells the store, with the exact bytes. Fields of the reply travel only when it was believed. */
static void
tell(struct job *job, enum answer_kind kind, enum fault fault, const char *detail)
{
	struct codec *c = job->codec;
	const struct wire_answer *asked = &job->answer.asked;
	struct wire_answered w = {
	    .answer = kind,
	    .fault = fault,
	    .detail = job_strcut(job, detail, TEXT_MAX_BYTES),
	    .http_status = asked->http_status,
	    .sent = asked->sent,
	    .answered = asked->answered,
	};
	int fd = -1;

	if (job->answer.told) {
		job->answer.told(job, kind, fault, detail);
		return;
	}
	c->stats.answers[kind]++;
	stats_fault(&c->stats, fault);
	fill_proof(job, &w.proof);
	if (kind == ANSWER_STATUS)
		fill_status(job, &w);
	if (kind == ANSWER_ERROR)
		w.error_type = job->message.error.type;
	if (kind == ANSWER_STATUS || kind == ANSWER_ERROR)
		w.answer_guid = job->message.guid;
	bool sent = body_lend(&job->body, job->body.size <= WIRE_INLINE_BODY, &w.body, &fd) &&
	    codec_send(c, job->origin, WIRE_ANSWERED, job->origin_id, &w, &fd, fd >= 0);
	if (sent)
		return;
	/* The store takes a channel that broke for an outcome that is not known, and polls. */
	log_warning("codec.answered-lost", "url=\"%s\"", job->proof.address ? job->proof.address : "");
	ipc_break(c->self->peers[job->origin.role][job->origin.index]);
}

static void
finish(struct job *job, enum answer_kind kind, enum fault fault, const char *detail)
{
	tell(job, kind, fault, detail);
	job_end(job);
}

static void
answer_trouble(struct job *job, enum fault fault, const char *detail)
{
	tell(job, ANSWER_UNREADABLE, fault, detail);
}

/* A verified status response speaks of our document, or of nothing. */
static void
status_response(struct job *job)
{
	if (guid_equal(&job->message.status.id.guid, &job->answer.asked.document_guid))
		finish(job, ANSWER_STATUS, FAULT_NONE, job->message.status.status_text);
	else
		finish(job, ANSWER_UNVERIFIABLE, FAULT_PEER_UNVERIFIABLE, "DocumentGUID");
}

/* An Error that names another message is an old one. */
static void
error_response(struct job *job)
{
	const struct error_report *e = &job->message.error;

	if (!e->has_message_guid || guid_equal(&e->message_guid, &job->answer.asked.message_guid))
		finish(job, ANSWER_ERROR, FAULT_PEER_ERROR, e->description);
	else
		finish(job, ANSWER_UNVERIFIABLE, FAULT_PEER_UNVERIFIABLE, "MessageGUID");
}

static void
unexpected(struct job *job)
{
	finish(job, ANSWER_UNREADABLE, FAULT_MESSAGE_MISMATCH,
	    message_type_name(job->message.type));
}

static void (*const by_type[MESSAGE_TYPE_COUNT])(struct job *) = {
    [MESSAGE_NONE] = unexpected,
    [MESSAGE_REGISTRATION_REQUEST] = unexpected,
    [MESSAGE_STATUS_REQUEST] = unexpected,
    [MESSAGE_STATUS_RESPONSE] = status_response,
    [MESSAGE_ERROR] = error_response,
};

static void
check(struct job *job)
{
	struct codec *c = job->codec;
	struct verdict v = {
	    .codec = c,
	    .message = &job->message,
	    .signature = parse_signature(&job->parse),
	    .tls_certificate = job->proof.tls_certificate,
	    .asked = &job->answer.asked,
	};
	when started = when_monotonic();

	checks_run(&v);
	checks_keep_proof(job, &v);
	if (v.fault == FAULT_NONE)
		codec_remember(c, job->proof.tls_certificate, v.signature->digest);
	stats_stage(&c->stats, STAGE_VERIFY, when_monotonic() - started);
	parse_end(&job->parse, &c->parsers);
	if (v.fault == FAULT_NONE)
		by_type[job->message.type](job);
	else if (!v.look_up || job->answer.looked_up ||
	    !job_look_up(job, &job->message.sender.guid))
		finish(job, ANSWER_UNVERIFIABLE, v.fault, v.detail);
}

/* By what came instead of a message. HTTP 500 is a fault even when it cannot be read as one. */
static void
classify(struct job *job)
{
	const struct parse *p = &job->parse;
	bool http_ok = job->answer.asked.http_status == HTTP_OK;

	if (p->trouble)
		job_trouble(job, p->fault, p->detail);
	else if (p->fault == FAULT_NONE && p->content == ENVELOPE_FAULT)
		finish(job, ANSWER_FAULT, FAULT_PEER_FAULT, parse_fault_text(p));
	else if (p->fault == FAULT_NONE && p->content == ENVELOPE_MESSAGE)
		check(job);
	else if (!http_ok)
		finish(job, ANSWER_FAULT, FAULT_PEER_FAULT, p->detail);
	else if (p->fault != FAULT_NONE)
		finish(job, ANSWER_UNREADABLE, p->fault, p->detail);
	else
		finish(job, ANSWER_EMPTY, FAULT_NONE, NULL);
}

static bool
answer_run(struct job *job)
{
	struct codec *c = job->codec;
	when started = when_monotonic();
	bool more = parse_step(&job->parse, c->room, SLICE);

	job->spent += when_monotonic() - started;
	if (more)
		return true;
	stats_stage(&c->stats, STAGE_PARSE, job->spent);
	classify(job);
	return false;
}

static void
read_body(struct job *job)
{
	struct codec *c = job->codec;
	enum digest_method hint = codec_hint(c, job->proof.tls_certificate);

	if (!c->snapshot)
		finish(job, ANSWER_UNVERIFIABLE, FAULT_REGISTER_EMPTY, NULL);
	else if (!parse_begin(&job->parse, &c->parsers, &job->body, &job->message,
	    ENVELOPE_RESPONSE, hint))
		job_trouble(job, FAULT_INTERNAL, "no memory");
	else
		job_run(job, job->body.size);
}

/* Read again even when the register was not asked: the verdict is then by the last copy. */
static void
answer_looked_up(struct job *job, bool asked)
{
	(void)asked;
	job->answer.looked_up = true;
	read_body(job);
}

static void
answer_clean(struct job *job)
{
	json_decref(job->answer.report);
}

static const struct job_kind answer_kind = {
    .name = "answer",
    .run = answer_run,
    .looked_up = answer_looked_up,
    .trouble = answer_trouble,
    .clean = answer_clean,
};

/* No place for a job: the outcome is unknown, which is what the store is told. */
static void
pass_on(struct codec *c, const struct wire_answer *a, struct ipc_frame *f)
{
	struct wire_answered w = {
	    .answer = ANSWER_UNREADABLE,
	    .fault = FAULT_OVERLOADED,
	    .proof = {.peer_address = a->url, .tls_certificate = a->tls_certificate},
	    .http_status = a->http_status,
	    .sent = a->sent,
	    .answered = a->answered,
	    .body = a->body,
	};
	int fd = a->body.in_fd ? ipc_take_fd(f, 0) : -1;

	stats_fault(&c->stats, FAULT_OVERLOADED);
	codec_send(c, (struct peer){ROLE_STORE, 0}, WIRE_ANSWERED, f->id, &w, &fd, fd >= 0);
}

static void
start(struct job *job, const struct wire_answer *w, struct ipc_frame *f)
{
	job->answer.asked = *w;
	job->answer.asked.body = (struct wire_body){0};
	job->answer.asked.url = job->proof.address = job_strdup(job, w->url);
	job->answer.asked.tls_certificate = job->proof.tls_certificate =
	    job_bytes(job, w->tls_certificate);
	if (!body_take(&job->body, &w->body, f, 0) || job->no_memory)
		job_trouble(job, FAULT_INTERNAL, "no memory");
	else
		read_body(job);
}

bool
answer_for(struct codec *c, struct peer origin, uint64_t id, const struct wire_answer *w,
    struct ipc_frame *f, answered_cb told, json_t *report)
{
	struct job *job = job_new(c, &answer_kind, origin, id);

	if (!job)
		return false;
	job->answer.told = told;
	job->answer.report = report;
	start(job, w, f);
	return true;
}

void
answer_start(struct codec *c, struct peer from, struct ipc_frame *f)
{
	struct wire_answer w;

	if (!wire_unpack(f, WIRE_ANSWER, &w)) {
		log_error("codec.bad-frame", "type=answer");
		return;
	}
	/* For the store: what courier sent is worth telling even when courier is gone by then. */
	struct job *job = job_new(c, &answer_kind, (struct peer){ROLE_STORE, 0}, f->id);

	(void)from;
	if (!job) {
		pass_on(c, &w, f);
		return;
	}
	start(job, &w, f);
}
