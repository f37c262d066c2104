/* Our answers to an incoming message: Sender and Recipient swapped, a fresh MessageGUID, the peer's
 * own spelling of GUIDs (protocol.md sections 2 and 10). */
#include <string.h>

#include "obmend/codec.h"

/* An answer fits one frame together with the message (WIRE_ANSWER_MAX); what peers and clerks wrote
 * at length is cut here, and stays whole in the evidence and in the notification. */
#define NAME_MAX_BYTES 512
#define NUMBER_MAX_BYTES 512
#define REASON_MAX_BYTES 2048

/* Who answers: the recipient; when it is not served here, the first of ours whose certificate the
 * connection was made with (section 5, row 5); NULL when the node serves nobody. */
static const struct conf_participant *
own_side(const struct job *job)
{
	const struct conf *conf = job->codec->conf;
	const struct conf_participant *own = conf_participant(conf, &job->message.recipient.guid);

	for (unsigned i = 0; !own && i < conf->participant_count; i++) {
		unsigned certificate = conf->participants[i].certificate;
		if (certificate == job->inbound.certificate ||
		    codec_certificate(job->codec, certificate) == job->inbound.certificate)
			own = &conf->participants[i];
	}
	return own || conf->participant_count == 0 ? own : &conf->participants[0];
}

static bool
sha2_used(enum signature_method m)
{
	/* 384 and 512 count too: who can make them can read rsa-sha256. */
	return m == SIGNATURE_RSA_SHA256 || m == SIGNATURE_RSA_SHA384 || m == SIGNATURE_RSA_SHA512;
}

static bool
header(struct job *job, enum message_type type)
{
	const struct message *in = &job->message;
	const struct conf_participant *own = own_side(job);
	struct message *m = &job->out.message;
	char date[WHEN_TEXT_SIZE];

	outgoing_reset(&job->out);
	if (!own || !guid_random(&m->guid))
		return false;
	m->type = type;
	m->version = "1.0";
	m->date = when_now();
	when_format(m->date, date);
	m->date_text = job_strdup(job, date);
	m->sender = (struct party){.eik = own->eik, .name = own->name, .guid = own->guid};
	if (guid_equal(&own->guid, &in->recipient.guid))
		m->sender.guid_text = in->recipient.guid_text;
	m->recipient = (struct party){
	    .eik = job_strcut(job, in->sender.eik, NAME_MAX_BYTES),
	    .name = job_strcut(job, in->sender.name, NAME_MAX_BYTES),
	    .guid = in->sender.guid,
	    .guid_text = in->sender.guid_text,
	};
	job->out.certificate = codec_certificate(job->codec, own->certificate);
	job->out.kind = ENVELOPE_RESPONSE;
	job->out.method = codec_method(job->codec, &in->sender.guid, sha2_used(job->proof.method));
	return true;
}

/* Answers are small: one call writes them. */
static void
begin(struct job *job)
{
	while (job_write(job, WIRE_ANSWER_MAX)) {
		if (!job_write_on(job))
			return;
	}
}

void
reply_status(struct job *job, const struct status_report *report)
{
	struct status_report *s = &job->out.message.status;

	if (!header(job, MESSAGE_STATUS_RESPONSE)) {
		job_trouble(job, FAULT_INTERNAL, "answer");
		return;
	}
	*s = *report;
	s->status_text = NULL;
	s->id.number = job_strcut(job, report->id.number, NUMBER_MAX_BYTES);
	s->id.date = job_strdup(job, report->id.date);
	s->id.uri_register = job_strcut(job, report->id.uri_register, NUMBER_MAX_BYTES);
	s->id.uri_sequence = job_strcut(job, report->id.uri_sequence, NUMBER_MAX_BYTES);
	s->id.uri_date = job_strdup(job, report->id.uri_date);
	s->reason = job_strcut(job, report->reason, REASON_MAX_BYTES);
	s->date_close = job_strdup(job, report->date_close);
	begin(job);
}

void
reply_error(struct job *job, enum fault fault, const char *detail)
{
	struct error_report *e = &job->out.message.error;
	char text[REASON_MAX_BYTES];

	if (!header(job, MESSAGE_ERROR)) {
		job_trouble(job, FAULT_INTERNAL, "answer");
		return;
	}
	e->has_message_guid = true;
	e->message_guid = job->message.guid;
	e->type = fault == FAULT_INTERNAL ? ERROR_INTERNAL : ERROR_EXTERNAL;
	e->description = job_strdup(job, fault_describe(fault, detail, text, sizeof text));
	begin(job);
}
