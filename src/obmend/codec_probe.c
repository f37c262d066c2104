#include "obmend/codec_probe.h"

#include <unistd.h>

#include "lib/http_client.h"

/* Takes the answer. */
static void
reply(struct codec *c, struct peer to, uint64_t id, json_t *answer)
{
	struct ipc *ipc = c->self->peers[to.role][to.index];

	if (ipc && answer)
		wire_send_json(ipc, WIRE_QUERY_REPLY, id, answer, NULL, 0);
	json_decref(answer);
}

static void
refuse(struct codec *c, struct peer to, uint64_t id, enum fault fault, const char *detail)
{
	reply(c, to, id, json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(fault), "detail",
	    detail ? detail : ""));
}

/* The request is written and signed, or could not be. */
static void
composed(struct job *job, const struct wire_composed *w, int fd)
{
	struct codec *c = job->codec;
	const struct wire_compose *asked = &job->compose.asked;
	struct wire_probe m = {.sender = asked->sender, .recipient = asked->recipient,
	    .message_guid = w->message_guid, .document_guid = asked->document.guid, .body = w->body};

	if (fd >= 0)
		close(fd);
	if (w->outcome != OUTCOME_DONE)
		refuse(c, job->origin, job->origin_id, (enum fault)w->fault, w->detail);
	else if (w->body.in_fd || !codec_send(c, (struct peer){ROLE_COURIER, 0}, WIRE_PROBE,
	             job->origin_id, &m, NULL, 0))
		refuse(c, job->origin, job->origin_id, FAULT_OVERLOADED, "courier");
}

void
probe_start(struct codec *c, struct peer from, struct ipc_frame *f, const json_t *query)
{
	const char *to = json_string_value(json_object_get(query, "participant"));
	const char *own = json_string_value(json_object_get(query, "from"));
	struct wire_compose w = {.kind = DELIVERY_POLL};

	if (c->conf->participant_count)
		w.sender = c->conf->participants[0].guid;
	if (!to || !guid_parse_lenient(&w.recipient, to) ||
	    (own && !guid_parse_lenient(&w.sender, own)) || !conf_participant(c->conf, &w.sender))
		refuse(c, from, f->id, FAULT_FIELD_VALUE, own ? "from" : "participant");
	else if (!guid_random(&w.document.guid))
		refuse(c, from, f->id, FAULT_INTERNAL, NULL);
	else
		compose_for(c, from, f->id, &w, composed);
}

static void
read_answer(struct job *job, enum answer_kind kind, enum fault fault, const char *detail)
{
	json_t *report = job->answer.report;

	job->answer.report = NULL;
	probe_report_answer(report, kind, fault, detail);
	probe_report_end(report);
	reply(job->codec, job->origin, job->origin_id, report);
}

void
probe_answered(struct codec *c, struct ipc_frame *f)
{
	const struct peer control = {ROLE_CONTROL, 0};
	struct wire_probed m;

	if (!wire_unpack(f, WIRE_PROBED, &m)) {
		log_error("codec.bad-frame", "type=probed");
		return;
	}
	json_t *report = c->snapshot ? probe_report(c, &m) : NULL;
	if (!report) {
		refuse(c, control, f->id, FAULT_REGISTER_EMPTY, NULL);
		return;
	}
	if (!json_object_get(report, "submit_ms")) { /* no answer to be read */
		probe_report_end(report);
		reply(c, control, f->id, report);
		return;
	}
	struct wire_answer w = {.kind = DELIVERY_POLL, .sender = m.sender, .recipient = m.recipient,
	    .message_guid = m.message_guid, .document_guid = m.document_guid, .url = m.url,
	    .tls_certificate = m.tls_certificate, .http_status = m.http_status, .sent = m.sent,
	    .answered = m.ended, .body = m.body};
	if (answer_for(c, control, f->id, &w, f, read_answer, report))
		return;
	json_decref(report);
	refuse(c, control, f->id, FAULT_OVERLOADED, NULL);
}
