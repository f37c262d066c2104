#include <string.h>
#include "message/writer_text.h"

#define NS_SEGMENT "http://ereg.egov.bg/segment/0009-000001"

/* xsd:integer of at least 1. */
static bool
positive(const char *text)
{
	size_t zeros = strspn(text, "0"), digits = strspn(text, "0123456789");

	return digits > zeros && text[digits] == 0;
}

static bool
number_valid(const struct document_id *id)
{
	return id->number && id->date && date_valid(id->date, strlen(id->date));
}

static bool
uri_valid(const struct document_id *id)
{
	return (!id->uri_register || positive(id->uri_register)) &&
	    (!id->uri_sequence || positive(id->uri_sequence)) &&
	    (!id->uri_date || date_valid(id->uri_date, strlen(id->uri_date)));
}

static void
write_uri_part(struct writer *w, const char *name, const char *text)
{
	if (!text)
		return;
	buf_addf(&w->out, "<%s xmlns=\"" NS_SEGMENT "\">", name);
	write_escaped(w, text);
	buf_addf(&w->out, "</%s>", name);
}

static void
write_number(struct writer *w, const struct document_id *id)
{
	write_plain(w, "<DocumentNumber>");
	write_required(w, "DocNumber", id->number);
	write_required(w, "DocDate", id->date);
	write_plain(w, "</DocumentNumber>");
}

static void
write_uri(struct writer *w, const struct document_id *id)
{
	write_plain(w, "<DocumentURI>");
	write_uri_part(w, "RegisterIndex", id->uri_register);
	write_uri_part(w, "SequenceNumber", id->uri_sequence);
	write_uri_part(w, "ReceiptOrSigningDate", id->uri_date);
	write_plain(w, "</DocumentURI>");
}

/* In status messages a number that came from the peer in a form that the schema forbids is left
 * out: it is optional there, and without an answer the peer would learn nothing. */
static void
write_id(struct writer *w, const char *name, const struct document_id *id, bool echo)
{
	bool uri = id->has_uri, number = !uri && (id->number || id->date);
	bool valid = uri ? uri_valid(id) : number_valid(id);

	if ((uri || number) && !valid && !echo)
		write_wrong(w, name);
	buf_addf(&w->out, "<%s>", name);
	if (valid && uri)
		write_uri(w, id);
	else if (valid && number)
		write_number(w, id);
	write_guid(w, "DocumentGUID", &id->guid, id->guid_text);
	buf_addf(&w->out, "</%s>", name);
}

static void
write_party(struct writer *w, const char *name, const struct party *p)
{
	buf_addf(&w->out, "<%s>", name);
	write_required(w, "Identifier", p->eik);
	write_required(w, "AdministrativeBodyName", p->name);
	write_guid(w, "GUID", &p->guid, p->guid_text);
	buf_addf(&w->out, "</%s>", name);
}

static void
write_message_date(struct writer *w, const struct message *m)
{
	char text[WHEN_TEXT_SIZE];
	when parsed;

	when_format(m->date, text);
	if (m->date_text && !when_parse(&parsed, m->date_text, strlen(m->date_text)))
		write_wrong(w, "MessageDate");
	write_required(w, "MessageDate", m->date_text ? m->date_text : text);
}

static void
write_header(struct writer *w, const struct message *m)
{
	write_plain(w, "<Header>");
	write_required(w, "Version", m->version ? m->version : "1.0");
	write_required(w, "MessageType", message_type_name(m->type));
	write_message_date(w, m);
	write_party(w, "Sender", &m->sender);
	write_party(w, "Recipient", &m->recipient);
	write_guid(w, "MessageGUID", &m->guid, m->guid_text);
	write_plain(w, "</Header>");
}

static void
write_correspondent(struct writer *w, const struct correspondent *c)
{
	write_plain(w, "<Corespondent>");
	write_required(w, "CorName", c->name);
	write_required(w, "CorCity", c->city);
	write_optional(w, "CorAddress", c->address);
	write_optional(w, "CorEGN", c->egn);
	write_optional(w, "CorIDCard", c->id_card);
	write_optional(w, "CorBULSTAT", c->bulstat);
	write_optional(w, "CorEMail", c->email);
	write_optional(w, "CorPhone", c->phone);
	write_optional(w, "CorMobilePhone", c->mobile);
	write_optional(w, "CorMOL", c->mol);
	write_optional(w, "CorComment", c->comment);
	if (c->kind && strcmp(c->kind, "Corr_Applicant") != 0 && strcmp(c->kind, "Corr_Other") != 0)
		write_wrong(w, "CorKind");
	write_optional(w, "CorKind", c->kind);
	write_plain(w, "</Corespondent>");
}

static void
head_request(struct writer *w, const struct message *m)
{
	const struct document *d = &m->document;

	write_plain(w, "<DocumentRegistrationRequest><Document>");
	write_id(w, "DocID", &d->id, false);
	if (d->has_parent)
		write_id(w, "DocParentID", &d->parent, false);
	write_required(w, "DocKind", d->kind);
	if (d->correspondents) {
		write_plain(w, "<DocCorrespondentList>");
		for (const struct correspondent *c = d->correspondents; c; c = c->next)
			write_correspondent(w, c);
		write_plain(w, "</DocCorrespondentList>");
	}
	if (d->attachments)
		write_plain(w, "<DocAttachmentList>");
}

static void
tail_request(struct writer *w, const struct message *m)
{
	const struct document *d = &m->document;

	if (d->attachments)
		write_plain(w, "</DocAttachmentList>");
	write_optional(w, "DocAbout", d->about);
	if (d->service_name || d->service_type || d->service_code) {
		write_plain(w, "<DocService>");
		write_required(w, "ServiceName", d->service_name ? d->service_name : "");
		write_required(w, "ServiceType", d->service_type ? d->service_type : "");
		write_required(w, "ServiceCode", d->service_code ? d->service_code : "");
		write_plain(w, "</DocService>");
	}
	write_optional(w, "DocComment", d->comment);
	write_date(w, "DocReqDateClose", d->date_close);
	write_optional(w, "DocAttentionTo", d->attention_to);
	write_plain(w, "</Document>");
	write_required(w, "Comment", m->comment ? m->comment : "");
	write_plain(w, "</DocumentRegistrationRequest>");
}

static void
head_status_request(struct writer *w, const struct message *m)
{
	write_plain(w, "<DocumentStatusRequest>");
	write_id(w, "DocID", &m->asked, true);
	write_plain(w, "</DocumentStatusRequest>");
}

static void
head_status_response(struct writer *w, const struct message *m)
{
	const struct status_report *s = &m->status;

	write_plain(w, "<DocumentStatusResponse>");
	write_id(w, "DocID", &s->id, true);
	if (!*document_status_name(s->status))
		write_wrong(w, "DocRegStatus");
	write_required(w, "DocRegStatus", document_status_name(s->status));
	write_optional(w, "RejectionReason", s->reason);
	write_date(w, "DocExpectCloseDate", s->date_close);
	write_plain(w, "</DocumentStatusResponse>");
}

static void
head_error(struct writer *w, const struct message *m)
{
	const struct error_report *e = &m->error;

	write_plain(w, "<Error>");
	if (e->has_message_guid)
		write_guid(w, "MessageGUID", &e->message_guid, NULL);
	write_required(w, "ErrorType", e->type == ERROR_INTERNAL ? "ERR_INTERNAL" : "ERR_EXTERNAL");
	write_required(w, "ErrorDescription", e->description);
	write_plain(w, "</Error>");
}

static const struct {
	void (*head)(struct writer *, const struct message *);
	void (*tail)(struct writer *, const struct message *);
} bodies[MESSAGE_TYPE_COUNT] = {
	[MESSAGE_REGISTRATION_REQUEST] = {head_request, tail_request},
	[MESSAGE_STATUS_REQUEST] = {head_status_request, NULL},
	[MESSAGE_STATUS_RESPONSE] = {head_status_response, NULL},
	[MESSAGE_ERROR] = {head_error, NULL},
};

void
write_message_head(struct writer *w, const struct message *m)
{
	if (m->type <= MESSAGE_NONE || m->type >= MESSAGE_TYPE_COUNT) {
		write_wrong(w, "MessageType");
		return;
	}
	write_plain(w, "<Message xmlns=\"" NS_MESSAGE "\">");
	write_header(w, m);
	write_plain(w, "<Body>");
	bodies[m->type].head(w, m);
}

void
write_attachment_head(struct writer *w, const struct message *m, const struct attachment *a)
{
	(void)m;
	write_plain(w, "<Attachment>");
	write_required(w, "AttFileName", a->file_name);
	write_plain(w, "<AttBody>");
}

void
write_attachment_tail(struct writer *w, const struct attachment *a)
{
	write_plain(w, "</AttBody>");
	write_optional(w, "AttComment", a->comment);
	write_required(w, "AttMIMEType", a->mime_type);
	write_plain(w, "</Attachment>");
}

void
write_message_tail(struct writer *w, const struct message *m)
{
	if (bodies[m->type].tail)
		bodies[m->type].tail(w, m);
	write_plain(w, "</Body>");
}
