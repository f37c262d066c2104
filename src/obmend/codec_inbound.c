/*
 * An incoming message: read, believed or not, answered, stored.
 *
 *	read -> check -(unknown sender, other serial)-> look up, once, and read again
 *	     -> answer -> sign -> store -> reply
 * The store may ask for another answer than the one it was given: then sign and store again.
 */
#include "lib/clock.h"
#include "obmend/codec_checks.h"
#include "obmend/codec_details.h"

#define STORE_TRIES 3 /* first word, the answer it wants, and one change of mind (a race it lost) */

enum { HTTP_OK = 200, HTTP_SERVER_ERROR = 500, HTTP_UNAVAILABLE = 503 };

static void
send_reply(struct codec *c, struct peer to, uint64_t id, unsigned status, struct wire_bytes body)
{
	struct wire_reply r = {.http_status = status, .body = body};

	if (!codec_send(c, to, WIRE_REPLY, id, &r, NULL, 0))
		log_warning("codec.reply-lost", "status=%u", status);
}

/* The last word: counted, sent, and the job is over. */
static void
finish(struct job *job, enum inbound_result result, unsigned status, struct wire_bytes body)
{
	struct codec *c = job->codec;

	c->stats.inbound[job->message.type][result]++;
	send_reply(c, job->origin, job->origin_id, status, body);
	job_end(job);
}

static struct wire_bytes
answer_text(const struct job *job)
{
	return (struct wire_bytes){job->out.text.data, job->out.text.len};
}

static void
inbound_trouble(struct job *job, enum fault fault, const char *detail)
{
	(void)fault;
	(void)detail;
	job->codec->stats.inbound[job->message.type][INBOUND_TEMPORARY]++;
	send_reply(job->codec, job->origin, job->origin_id, HTTP_UNAVAILABLE,
	    (struct wire_bytes){0});
}

/* No header, so nobody to address a signed Error to: a SOAP fault, and nothing is kept. */
static void
soap_fault(struct job *job, enum fault fault, const char *detail)
{
	char text[2048];

	stats_fault(&job->codec->stats, fault);
	log_info("codec.unreadable", "fault=%s detail=\"%s\" peer=\"%s\"", fault_code(fault),
	    detail, job->proof.address ? job->proof.address : "");
	outgoing_reset(&job->out);
	fault_describe(fault, detail, text, sizeof text);
	if (envelope_add_fault(&job->out.text, "Client", text))
		finish(job, INBOUND_UNREADABLE, HTTP_SERVER_ERROR, answer_text(job));
	else
		job_trouble(job, FAULT_INTERNAL, "no memory");
}

static void
refuse(struct job *job, enum fault fault, const char *detail)
{
	job->inbound.fault = fault;
	job->inbound.answered = true;
	stats_fault(&job->codec->stats, fault);
	reply_error(job, fault, detail);
}

static void
tell_store(struct job *job)
{
	if (!receive_send(job))
		job_trouble(job, FAULT_OVERLOADED, "store");
}

/* What kind of message it is decides what it is answered; section 2's table. */

/* The optimistic answer, so that message and answer are committed together: nearly every document
 * is new. */
static void
accept_registration(struct job *job)
{
	const struct document_id *id = &job->message.document.id;
	struct status_report waiting = {
	    .id = {.guid = id->guid, .guid_text = id->guid_text},
	    .status = STATUS_WAIT_REGISTRATION,
	};

	job->inbound.details.max = DETAILS_MAX;
	if (!details_write(&job->inbound.details, &job->message.document, job->message.comment)) {
		refuse(job, FAULT_XML_LIMIT, "details");
		return;
	}
	reply_status(job, &waiting);
}

static void
accept_status_request(struct job *job)
{
	tell_store(job);
}

/* Status responses and Errors are answered with the empty result. */
static void
accept_notice(struct job *job)
{
	job->inbound.empty_answer = true;
	if (envelope_add_empty_result(&job->out.text))
		tell_store(job);
	else
		job_trouble(job, FAULT_INTERNAL, "no memory");
}

static void (*const accept_by_type[MESSAGE_TYPE_COUNT])(struct job *) = {
    [MESSAGE_REGISTRATION_REQUEST] = accept_registration,
    [MESSAGE_STATUS_REQUEST] = accept_status_request,
    [MESSAGE_STATUS_RESPONSE] = accept_notice,
    [MESSAGE_ERROR] = accept_notice,
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
	};
	when started = when_monotonic();

	c->stats.schema += parse_schema_violation(&job->parse) != NULL;
	checks_run(&v);
	checks_keep_proof(job, &v);
	if (v.fault == FAULT_NONE)
		codec_remember(c, job->proof.tls_certificate, v.signature->digest);
	stats_stage(&c->stats, STAGE_VERIFY, when_monotonic() - started);
	parse_end(&job->parse, &c->parsers);
	if (v.fault == FAULT_NONE) {
		accept_by_type[job->message.type](job);
	} else if (v.look_up && !job->inbound.looked_up) {
		job->inbound.fault = v.fault;
		job->inbound.detail = job_strdup(job, v.detail);
		if (!job_look_up(job, &job->message.sender.guid))
			job_trouble(job, FAULT_OVERLOADED, "directory");
	} else if (v.fault == FAULT_INTERNAL ||
	    (v.fault == FAULT_CERTIFICATE_NOT_YET && checks_signer_connects(&v))) {
		/* No memory; or the handshake has believed it, and since then the clock went back. */
		job_trouble(job, v.fault, v.detail);
	} else {
		refuse(job, v.fault, v.detail);
	}
}

static bool
inbound_run(struct job *job)
{
	struct codec *c = job->codec;
	struct parse *p = &job->parse;
	when started = when_monotonic();
	bool more = parse_step(p, c->room, SLICE);

	job->spent += when_monotonic() - started;
	if (more)
		return true;
	stats_stage(&c->stats, STAGE_PARSE, job->spent);
	if (p->trouble)
		job_trouble(job, p->fault, p->detail);
	else if (p->fault != FAULT_NONE && p->header_known)
		refuse(job, p->fault, p->detail);
	else if (p->fault != FAULT_NONE)
		soap_fault(job, p->fault, p->detail);
	else if (p->content != ENVELOPE_MESSAGE)
		soap_fault(job, FAULT_SOAP_UNEXPECTED, "request");
	else
		check(job);
	return false;
}

static void
read_body(struct job *job)
{
	struct codec *c = job->codec;
	enum digest_method hint = codec_hint(c, job->proof.tls_certificate);

	if (clock_wrong(c->self->clock_floor))
		job_trouble(job, FAULT_CLOCK_WRONG, NULL);
	else if (!c->snapshot)
		job_trouble(job, FAULT_REGISTER_EMPTY, NULL);
	else if (!parse_begin(&job->parse, &c->parsers, &job->body, &job->message, ENVELOPE_REQUEST,
	    hint))
		job_trouble(job, FAULT_INTERNAL, "no memory");
	else
		job_run(job, job->body.size);
}

/* The register was asked about the sender: read again with what it now says, or refuse by the last
 * copy. */
static void
inbound_looked_up(struct job *job, bool asked)
{
	job->inbound.looked_up = true;
	if (!asked) {
		refuse(job, job->inbound.fault, job->inbound.detail);
		return;
	}
	job->inbound.fault = FAULT_NONE;
	read_body(job);
}

static void
inbound_clean(struct job *job)
{
	buf_free(&job->inbound.details);
}

static const struct job_kind inbound_kind = {
    .name = "inbound",
    .run = inbound_run,
    .sealed = tell_store,
    .looked_up = inbound_looked_up,
    .trouble = inbound_trouble,
    .clean = inbound_clean,
};

void
inbound_start(struct codec *c, struct peer from, struct ipc_frame *f)
{
	struct wire_inbound w;

	if (!wire_unpack(f, WIRE_INBOUND, &w)) {
		log_error("codec.bad-frame", "type=inbound");
		return;
	}
	struct job *job = job_new(c, &inbound_kind, from, f->id);
	if (!job) {
		stats_fault(&c->stats, FAULT_OVERLOADED);
		c->stats.inbound[MESSAGE_NONE][INBOUND_TEMPORARY]++;
		send_reply(c, from, f->id, HTTP_UNAVAILABLE, (struct wire_bytes){0});
		return;
	}
	job->inbound.received = w.received;
	job->inbound.certificate = (unsigned)w.certificate;
	job->proof.tls_certificate = job_bytes(job, w.tls_certificate);
	job->proof.address = job_strdup(job, w.peer_address);
	if (!body_take(&job->body, &w.body, f, 0) || job->no_memory)
		job_trouble(job, FAULT_INTERNAL, "no memory");
	else
		read_body(job);
}

/* What the store said. */

static void
on_stored(struct job *job, const struct wire_receive_reply *r)
{
	bool refused = job->inbound.fault != FAULT_NONE;

	(void)r;
	if (job->out.text.len == 0) {
		job_trouble(job, FAULT_INTERNAL, "stored without an answer");
		return;
	}
	finish(job, refused ? INBOUND_REFUSED : INBOUND_ACCEPTED, HTTP_OK, answer_text(job));
}

static void
on_repeat(struct job *job, const struct wire_receive_reply *r)
{
	finish(job, INBOUND_REPEATED, HTTP_OK, r->answer);
}

static void
on_conflict(struct job *job, const struct wire_receive_reply *r)
{
	(void)r;
	refuse(job, FAULT_MESSAGE_DUPLICATE, job->message.guid_text);
}

/* The status that the store gives, in the words of section 5: the peer's own spelling of the GUID;
 * for an unknown document an echo of what was asked. */
static void
answer_status(struct job *job, const struct document_id *about, const struct wire_status *w)
{
	struct status_report s = {
	    .status = (enum document_status)w->status,
	    .id = {.number = w->id.number,
	        .date = w->id.date,
	        .uri_register = w->id.uri_register,
	        .uri_sequence = w->id.uri_sequence,
	        .uri_date = w->id.uri_date,
	        .has_uri = w->id.uri_register || w->id.uri_sequence || w->id.uri_date,
	        .guid = about->guid,
	        .guid_text = about->guid_text},
	    .reason = w->reason,
	    .date_close = w->date_close,
	};

	if (s.status == STATUS_NOT_FOUND)
		s.id = *about;
	job->inbound.answered = true;
	reply_status(job, &s);
}

static void
on_known(struct job *job, const struct wire_receive_reply *r)
{
	struct wire_status status = r->status;

	if (status.status == STATUS_WAIT_REGISTRATION)
		status.status = STATUS_ALREADY_RECEIVED;
	answer_status(job, &job->message.document.id, &status);
}

static void
on_status(struct job *job, const struct wire_receive_reply *r)
{
	answer_status(job, &job->message.asked, &r->status);
}

/* A status response about nothing of ours is answered with an Error; an Error never is (section 2):
 * it keeps its empty result. */
static void
on_unknown(struct job *job, const struct wire_receive_reply *r)
{
	(void)r;
	if (job->message.type != MESSAGE_ERROR) {
		refuse(job, FAULT_DOCUMENT_UNKNOWN, job->message.status.id.guid_text);
		return;
	}
	job->inbound.fault = FAULT_DOCUMENT_UNKNOWN;
	job->inbound.answered = true;
	stats_fault(&job->codec->stats, FAULT_DOCUMENT_UNKNOWN);
	tell_store(job);
}

static void
on_temporary(struct job *job, const struct wire_receive_reply *r)
{
	job_trouble(job, r->fault ? (enum fault)r->fault : FAULT_STORE_FAILED, "store");
}

static void (*const by_outcome[])(struct job *, const struct wire_receive_reply *) = {
    [RECEIVE_STORED] = on_stored,
    [RECEIVE_REPEAT] = on_repeat,
    [RECEIVE_CONFLICT] = on_conflict,
    [RECEIVE_KNOWN] = on_known,
    [RECEIVE_STATUS] = on_status,
    [RECEIVE_UNKNOWN] = on_unknown,
    [RECEIVE_TEMPORARY] = on_temporary,
};

void
inbound_stored(struct job *job, const struct wire_receive_reply *r)
{
	bool final = r->outcome == RECEIVE_STORED || r->outcome == RECEIVE_REPEAT;

	if (r->outcome >= sizeof by_outcome / sizeof by_outcome[0] ||
	    (!final && job->inbound.tries >= STORE_TRIES))
		job_trouble(job, FAULT_STORE_FAILED, "no end with the store");
	else
		by_outcome[r->outcome](job, r);
}
