#include "message/reader_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The elements of section 3. An element that is missing here, comes twice, or lacks a required child
 * cannot be filled in and is refused; other breaches of the schema are only reported, because known
 * peers commit them.
 */

#define REQUIRED  1u
#define SEVERAL   2u
#define PAYLOAD   4u /* its content is not ours: digested, nothing else */
#define SEGMENT   8u /* in the namespace of the document URI */
#define SIGNATURE 16u

#define NS_SEGMENT "http://ereg.egov.bg/segment/0009-000001"

struct element_class;

struct element_rule {
	const char *name;
	unsigned flags;
	size_t offset;                     /* of the field, or of the container's struct, in the base */
	const struct element_class *class; /* for containers */
	/* Containers: the base for what is inside; NULL stops. Absent: base + offset. */
	void *(*open)(struct reader *, void *at);
	/* Texts: stores the text; false refuses the value. */
	bool (*store)(struct reader *, void *at, char *text, size_t len);
};

struct element_class {
	const char *name;
	const struct element_rule *rules;
	unsigned count;
	void (*close)(struct reader *, void *base);
};

#define CLASS(id, title, rules_, close_)                                                           \
	static const struct element_class id = {                                                   \
	    .name = title, .rules = rules_, .count = sizeof rules_ / sizeof rules_[0], .close = close_}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
trim(char **text, size_t *len)
{
	while (*len && is_space(**text)) {
		(*text)++;
		(*len)--;
	}
	while (*len && is_space((*text)[*len - 1]))
		(*len)--;
}

static const char *
keep(struct reader *r, const char *text, size_t len)
{
	const char *copy = arena_strndup(&r->m->arena, text, len);

	if (!copy)
		reader_fail(r, FAULT_INTERNAL, "memory");
	return copy;
}

static bool
store_text(struct reader *r, void *at, char *text, size_t len)
{
	*(const char **)at = keep(r, text, len);
	return true;
}

/* A date: white space around it means nothing; an empty one is none. Its form is the schema's
 * business. */
static bool
store_date(struct reader *r, void *at, char *text, size_t len)
{
	trim(&text, &len);
	*(const char **)at = len ? keep(r, text, len) : NULL;
	return true;
}

/* A GUID with the peer's spelling beside it. */
static bool
store_guid(struct reader *r, struct guid *guid, const char **spelling, const char *text, size_t len)
{
	if (!guid_parse(guid, text, len))
		return false;
	if (spelling)
		*spelling = keep(r, text, len);
	return true;
}

static bool
store_message_guid(struct reader *r, void *at, char *text, size_t len)
{
	struct message *m = at;

	return store_guid(r, &m->guid, &m->guid_text, text, len);
}

static bool
store_party_guid(struct reader *r, void *at, char *text, size_t len)
{
	struct party *p = at;

	return store_guid(r, &p->guid, &p->guid_text, text, len);
}

static bool
store_document_guid(struct reader *r, void *at, char *text, size_t len)
{
	struct document_id *id = at;

	return store_guid(r, &id->guid, &id->guid_text, text, len);
}

static bool
store_error_guid(struct reader *r, void *at, char *text, size_t len)
{
	struct error_report *e = at;

	e->has_message_guid = store_guid(r, &e->message_guid, NULL, text, len);
	return e->has_message_guid;
}

static bool
store_type(struct reader *r, void *at, char *text, size_t len)
{
	enum message_type *type = at;

	(void)r;
	trim(&text, &len);
	*type = message_type_parse(text, len);
	return *type != MESSAGE_NONE;
}

static bool
store_message_date(struct reader *r, void *at, char *text, size_t len)
{
	struct message *m = at;

	trim(&text, &len);
	m->date_text = keep(r, text, len);
	return when_parse(&m->date, text, len);
}

/* Anything but the seven statuses is STATUS_UNKNOWN: known peers write internal ones by accident. */
static bool
store_status(struct reader *r, void *at, char *text, size_t len)
{
	struct status_report *s = at;

	trim(&text, &len);
	s->status = document_status_parse(text, len);
	s->status_text = keep(r, text, len);
	return true;
}

/* ErrorType tells nothing reliable (section 5), so an unknown one is no reason to lose an error. */
static bool
store_error_type(struct reader *r, void *at, char *text, size_t len)
{
	enum error_type *type = at;

	(void)r;
	trim(&text, &len);
	*type = len == 12 && memcmp(text, "ERR_INTERNAL", 12) == 0 ? ERROR_INTERNAL : ERROR_EXTERNAL;
	return true;
}

#define TEXT_FIELD(name, flags, type, field) {name, flags, offsetof(type, field), NULL, NULL, store_text}
#define DATE_FIELD(name, flags, type, field) {name, flags, offsetof(type, field), NULL, NULL, store_date}

/* --- identification ------------------------------------------------------------------------- */

static const struct element_rule number_rules[] = {
	TEXT_FIELD("DocNumber", REQUIRED, struct document_id, number),
	DATE_FIELD("DocDate", REQUIRED, struct document_id, date),
};
CLASS(number_class, "DocumentNumber", number_rules, NULL);

static const struct element_rule uri_rules[] = {
	DATE_FIELD("RegisterIndex", SEGMENT, struct document_id, uri_register),
	DATE_FIELD("SequenceNumber", SEGMENT, struct document_id, uri_sequence),
	DATE_FIELD("ReceiptOrSigningDate", SEGMENT, struct document_id, uri_date),
};
CLASS(uri_class, "DocumentURI", uri_rules, NULL);

static void *
open_uri(struct reader *r, void *at)
{
	struct document_id *id = at;

	(void)r;
	id->has_uri = true;
	return id;
}

static const struct element_rule id_rules[] = {
	{"DocumentNumber", 0, 0, &number_class, NULL, NULL},
	{"DocumentURI", 0, 0, &uri_class, open_uri, NULL},
	{"DocumentGUID", REQUIRED, 0, NULL, NULL, store_document_guid},
};
CLASS(id_class, "DocID", id_rules, NULL);

/* --- header --------------------------------------------------------------------------------- */

static const struct element_rule party_rules[] = {
	TEXT_FIELD("Identifier", REQUIRED, struct party, eik),
	TEXT_FIELD("AdministrativeBodyName", REQUIRED, struct party, name),
	{"GUID", REQUIRED, 0, NULL, NULL, store_party_guid},
};
CLASS(party_class, "Sender or Recipient", party_rules, NULL);

static const struct element_rule header_rules[] = {
	TEXT_FIELD("Version", REQUIRED, struct message, version),
	{"MessageType", REQUIRED, offsetof(struct message, type), NULL, NULL, store_type},
	{"MessageDate", REQUIRED, 0, NULL, NULL, store_message_date},
	{"Sender", REQUIRED, offsetof(struct message, sender), &party_class, NULL, NULL},
	{"Recipient", REQUIRED, offsetof(struct message, recipient), &party_class, NULL, NULL},
	{"MessageGUID", REQUIRED, 0, NULL, NULL, store_message_guid},
};

static void
close_header(struct reader *r, void *base)
{
	(void)base;
	r->header_known = true;
}
CLASS(header_class, "Header", header_rules, close_header);

/* --- document ------------------------------------------------------------------------------- */

#define COR(name, flags, field) TEXT_FIELD(name, flags, struct correspondent, field)
static const struct element_rule correspondent_rules[] = {
	COR("CorName", REQUIRED, name),
	COR("CorCity", REQUIRED, city),
	COR("CorAddress", 0, address),
	COR("CorEGN", 0, egn),
	COR("CorIDCard", 0, id_card),
	COR("CorBULSTAT", 0, bulstat),
	COR("CorEMail", 0, email),
	COR("CorPhone", 0, phone),
	COR("CorMobilePhone", 0, mobile),
	COR("CorMOL", 0, mol),
	COR("CorComment", 0, comment),
	COR("CorKind", 0, kind),
};
CLASS(correspondent_class, "Corespondent", correspondent_rules, NULL);

static void *
open_correspondent(struct reader *r, void *at)
{
	(void)at;
	if (r->correspondent_count++ == r->limits.correspondents) {
		reader_fail(r, FAULT_XML_LIMIT, "more than %u correspondents", r->limits.correspondents);
		return NULL;
	}
	struct correspondent *c = arena_alloc(&r->m->arena, sizeof *c);
	if (!c) {
		reader_fail(r, FAULT_INTERNAL, "memory");
		return NULL;
	}
	*r->next_correspondent = c;
	r->next_correspondent = &c->next;
	return c;
}

static const struct element_rule correspondents_rules[] = {
	{"Corespondent", REQUIRED | SEVERAL, 0, &correspondent_class, open_correspondent, NULL},
};
CLASS(correspondents_class, "DocCorrespondentList", correspondents_rules, NULL);

/* The content of AttBody is not a text: it is decoded as it comes. */
static const struct element_class body_class = {.name = "AttBody"};

static void *
open_attachment_body(struct reader *r, void *at)
{
	r->attachment = at;
	r->base64 = (struct base64){.bits = 0};
	if (r->hash_attachments &&
	    EVP_DigestInit_ex2(r->attachment_hash, digest_method_md(DIGEST_SHA256), NULL) != 1)
		reader_fail(r, FAULT_INTERNAL, "digest");
	return at;
}

static const struct element_rule attachment_rules[] = {
	TEXT_FIELD("AttFileName", REQUIRED, struct attachment, file_name),
	{"AttBody", REQUIRED, 0, &body_class, open_attachment_body, NULL},
	TEXT_FIELD("AttComment", 0, struct attachment, comment),
	TEXT_FIELD("AttMIMEType", REQUIRED, struct attachment, mime_type),
};
CLASS(attachment_class, "Attachment", attachment_rules, NULL);

static void *
open_attachment(struct reader *r, void *at)
{
	(void)at;
	if (r->m->document.attachment_count == r->limits.attachments) {
		reader_fail(r, FAULT_XML_LIMIT, "more than %u attachments", r->limits.attachments);
		return NULL;
	}
	struct attachment *a = arena_alloc(&r->m->arena, sizeof *a);
	if (!a) {
		reader_fail(r, FAULT_INTERNAL, "memory");
		return NULL;
	}
	a->fd = -1;
	*r->next_attachment = a;
	r->next_attachment = &a->next;
	r->m->document.attachment_count++;
	return a;
}

static const struct element_rule attachments_rules[] = {
	{"Attachment", REQUIRED | SEVERAL, 0, &attachment_class, open_attachment, NULL},
};
CLASS(attachments_class, "DocAttachmentList", attachments_rules, NULL);

#define DOC(name, flags, field) TEXT_FIELD(name, flags, struct document, field)
static const struct element_rule service_rules[] = {
	DOC("ServiceName", REQUIRED, service_name),
	DOC("ServiceType", REQUIRED, service_type),
	DOC("ServiceCode", REQUIRED, service_code),
};
CLASS(service_class, "DocService", service_rules, NULL);

static void *
open_parent(struct reader *r, void *at)
{
	(void)r;
	((struct document *)at)->has_parent = true;
	return &((struct document *)at)->parent;
}

static void *
open_document_signature(struct reader *r, void *at)
{
	(void)r;
	((struct document *)at)->has_signature = true;
	return at;
}

static const struct element_rule document_rules[] = {
	{"DocID", REQUIRED, offsetof(struct document, id), &id_class, NULL, NULL},
	{"DocParentID", 0, 0, &id_class, open_parent, NULL},
	DOC("DocKind", REQUIRED, kind),
	{"DocCorrespondentList", SEVERAL, 0, &correspondents_class, NULL, NULL},
	/* An old PHP peer writes one list per file (section 3, deviations). */
	{"DocAttachmentList", SEVERAL, 0, &attachments_class, NULL, NULL},
	DOC("DocAbout", 0, about),
	{"DocService", 0, 0, &service_class, NULL, NULL},
	DOC("DocComment", 0, comment),
	{"DocAddData", PAYLOAD, 0, NULL, NULL, NULL},
	DATE_FIELD("DocReqDateClose", 0, struct document, date_close),
	DOC("DocAttentionTo", 0, attention_to),
	{"Signature", PAYLOAD | SIGNATURE, 0, NULL, open_document_signature, NULL},
};

/* eDelivery names the document itself as its parent: that means none. */
static void
close_document(struct reader *r, void *base)
{
	struct document *d = base;

	(void)r;
	if (d->has_parent && guid_equal(&d->parent.guid, &d->id.guid)) {
		d->has_parent = false;
		d->parent = (struct document_id){.number = NULL};
	}
}
CLASS(document_class, "Document", document_rules, close_document);

/* --- bodies --------------------------------------------------------------------------------- */

static const struct element_rule request_rules[] = {
	{"Document", REQUIRED, offsetof(struct message, document), &document_class, NULL, NULL},
	TEXT_FIELD("Comment", REQUIRED, struct message, comment),
};
CLASS(request_class, "DocumentRegistrationRequest", request_rules, NULL);

static const struct element_rule status_request_rules[] = {
	{"DocID", REQUIRED, offsetof(struct message, asked), &id_class, NULL, NULL},
};
CLASS(status_request_class, "DocumentStatusRequest", status_request_rules, NULL);

static const struct element_rule response_rules[] = {
	{"DocID", REQUIRED, offsetof(struct status_report, id), &id_class, NULL, NULL},
	{"DocRegStatus", REQUIRED, 0, NULL, NULL, store_status},
	TEXT_FIELD("RejectionReason", 0, struct status_report, reason),
	DATE_FIELD("DocExpectCloseDate", 0, struct status_report, date_close),
	{"DocAddData", PAYLOAD, 0, NULL, NULL, NULL},
};
CLASS(response_class, "DocumentStatusResponse", response_rules, NULL);

static const struct element_rule error_rules[] = {
	{"MessageGUID", 0, 0, NULL, NULL, store_error_guid},
	{"ErrorType", REQUIRED, offsetof(struct error_report, type), NULL, NULL, store_error_type},
	TEXT_FIELD("ErrorDescription", REQUIRED, struct error_report, description),
};
CLASS(error_class, "Error", error_rules, NULL);

/* Exactly one of the four; the place in struct message where each belongs. */
static void *
open_body(struct reader *r, enum message_type type, void *base)
{
	if (r->body != MESSAGE_NONE) {
		reader_fail(r, FAULT_XML_MODEL, "a second element in Body");
		return NULL;
	}
	r->body = type;
	return base;
}

static void *
open_request(struct reader *r, void *at)
{
	return open_body(r, MESSAGE_REGISTRATION_REQUEST, at);
}

static void *
open_status_request(struct reader *r, void *at)
{
	return open_body(r, MESSAGE_STATUS_REQUEST, at);
}

static void *
open_response(struct reader *r, void *at)
{
	return open_body(r, MESSAGE_STATUS_RESPONSE, at);
}

static void *
open_error(struct reader *r, void *at)
{
	return open_body(r, MESSAGE_ERROR, at);
}

static const struct element_rule body_rules[] = {
	{"DocumentRegistrationRequest", 0, 0, &request_class, open_request, NULL},
	{"DocumentStatusRequest", 0, 0, &status_request_class, open_status_request, NULL},
	{"DocumentStatusResponse", 0, offsetof(struct message, status), &response_class, open_response,
	    NULL},
	{"Error", 0, offsetof(struct message, error), &error_class, open_error, NULL},
};
CLASS(body_choice_class, "Body", body_rules, NULL);

static const struct element_rule message_rules[] = {
	{"Header", REQUIRED, 0, &header_class, NULL, NULL},
	{"Body", REQUIRED, 0, &body_choice_class, NULL, NULL},
};

/* The schema does not tie the body to MessageType, so it is done here (section 3). */
static void
close_message(struct reader *r, void *base)
{
	(void)base;
	if (r->body == MESSAGE_NONE)
		reader_fail(r, FAULT_XML_MODEL, "Body is empty");
	else if (r->body != r->m->type)
		reader_fail(r, FAULT_MESSAGE_MISMATCH, "%s", message_type_name(r->m->type));
}
CLASS(message_class, "Message", message_rules, close_message);

static const struct element_rule root_rules[] = {
	{"Message", REQUIRED, 0, &message_class, NULL, NULL},
};
CLASS(root_class, "", root_rules, NULL);

/* --- walking -------------------------------------------------------------------------------- */

static bool
push(struct reader *r, const struct element_class *class, void *base)
{
	if (r->frame_count == sizeof r->frames / sizeof r->frames[0]) {
		reader_fail(r, FAULT_INTERNAL, "model depth");
		return false;
	}
	r->frames[r->frame_count++] = (struct model_frame){.class = class, .base = base};
	return true;
}

void
model_begin(struct reader *r)
{
	r->frame_count = 0;
	r->field = NULL;
	r->fields = 0;
	r->body = MESSAGE_NONE;
	r->header_known = false;
	r->correspondent_count = 0;
	r->next_correspondent = &r->m->document.correspondents;
	r->next_attachment = &r->m->document.attachments;
	r->attachment = NULL;
	buf_reset(&r->text);
	r->text.max = r->limits.text;
	push(r, &root_class, r->m);
}

static const char *
rule_namespace(const struct element_rule *rule)
{
	return rule->flags & SIGNATURE ? NS_DSIG : rule->flags & SEGMENT ? NS_SEGMENT : NS_MESSAGE;
}

static const struct element_rule *
find_rule(const struct element_class *class, const struct c14n_element *e)
{
	for (unsigned i = 0; i < class->count; i++) {
		const struct element_rule *rule = &class->rules[i];
		if (strcmp(rule->name, e->name) == 0)
			return e->uri && strcmp(e->uri, rule_namespace(rule)) == 0 ? rule : NULL;
	}
	return NULL;
}

static enum model_entry
refuse_element(struct reader *r, const struct c14n_element *e, const char *inside)
{
	if (r->frame_count == 1) {
		reader_fail(r, FAULT_XML_ROOT, "{%.120s}%.80s", e->uri ? e->uri : "", e->name);
		return MODEL_REFUSED;
	}
	if (e->uri && strcmp(e->uri, NS_DSIG) == 0 && strcmp(e->name, "Signature") == 0)
		return MODEL_MISPLACED_SIGNATURE;
	reader_fail(r, FAULT_XML_MODEL, "%.80s in %s", e->name, inside);
	return MODEL_REFUSED;
}

static enum model_entry
open_container(struct reader *r, const struct element_rule *rule, void *at)
{
	void *base = rule->open ? rule->open(r, at) : at;

	if (!base)
		return MODEL_REFUSED;
	if (rule->flags & PAYLOAD)
		return MODEL_PAYLOAD;
	return push(r, rule->class, base) ? MODEL_ELEMENT : MODEL_REFUSED;
}

enum model_entry
model_start(struct reader *r, const struct c14n_element *e)
{
	struct model_frame *f = &r->frames[r->frame_count - 1];

	if (r->field)
		return refuse_element(r, e, r->field->name);
	const struct element_rule *rule = find_rule(f->class, e);
	if (!rule)
		return refuse_element(r, e, f->class->name);
	unsigned bit = 1u << (rule - f->class->rules);
	if ((f->seen & bit) && !(rule->flags & SEVERAL)) {
		reader_fail(r, FAULT_XML_MODEL, "a second %s", rule->name);
		return MODEL_REFUSED;
	}
	f->seen |= bit;
	void *at = (char *)f->base + rule->offset;
	if (!rule->store)
		return open_container(r, rule, at);
	r->field = rule;
	buf_reset(&r->text);
	return MODEL_ELEMENT;
}

void
model_text(struct reader *r, const char *text, size_t len)
{
	if (r->field) {
		r->fields += len;
		if (!buf_add(&r->text, text, len) || r->fields > r->limits.fields)
			reader_fail(r, FAULT_XML_LIMIT, "%s is too long", r->field->name);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_space(text[i])) {
			reader_fail(r, FAULT_XML_MODEL, "text in %s",
			    r->frames[r->frame_count - 1].class->name);
			return;
		}
	}
}

static void
close_attachment_body(struct reader *r)
{
	if (!base64_complete(&r->base64))
		reader_fail(r, FAULT_XML_BASE64, "%s",
		    r->attachment->file_name ? r->attachment->file_name : "");
	if (r->hash_attachments &&
	    EVP_DigestFinal_ex(r->attachment_hash, r->attachment->sha256, NULL) != 1)
		reader_fail(r, FAULT_INTERNAL, "digest");
	r->attachment = NULL;
}

static void
close_container(struct reader *r)
{
	struct model_frame *f = &r->frames[--r->frame_count];

	if (f->class == &body_class)
		close_attachment_body(r);
	for (unsigned i = 0; i < f->class->count; i++) {
		if ((f->class->rules[i].flags & REQUIRED) && !(f->seen & 1u << i)) {
			reader_fail(r, FAULT_XML_MODEL, "%s lacks %s", f->class->name,
			    f->class->rules[i].name);
			return;
		}
	}
	if (f->class->close)
		f->class->close(r, f->base);
}

void
model_end(struct reader *r)
{
	const struct element_rule *rule = r->field;

	if (!rule) {
		close_container(r);
		return;
	}
	void *at = (char *)r->frames[r->frame_count - 1].base + rule->offset;
	r->field = NULL;
	char empty[1] = "";
	char *text = r->text.data ? (char *)r->text.data : empty;
	if (!rule->store(r, at, text, r->text.len))
		reader_fail(r, FAULT_XML_VALUE, "%s = %.100s", rule->name, text);
}

/* Decoded bytes of the attachment that is open. */
static void
take_attachment(struct reader *r, const uint8_t *data, size_t len)
{
	unsigned index = r->m->document.attachment_count - 1;

	r->attachment->size += len;
	if (r->base64.bad)
		reader_fail(r, FAULT_XML_BASE64, "%s",
		    r->attachment->file_name ? r->attachment->file_name : "");
	else if (r->hash_attachments && EVP_DigestUpdate(r->attachment_hash, data, len) != 1)
		reader_fail(r, FAULT_INTERNAL, "digest");
	else if (len && r->cb && !r->cb(r->arg, index, data, len))
		reader_fail(r, FAULT_INTERNAL, "attachment %u", index);
}

#define PART ((size_t)16000) /* characters decoded at once */

void
model_attachment_text(struct reader *r, const char *text, size_t len)
{
	uint8_t out[PART];

	while (len > 0 && !r->fault) {
		size_t part = len < PART ? len : PART;
		size_t n = base64_decode(&r->base64, text, part, out);
		take_attachment(r, out, n);
		text += part;
		len -= part;
	}
}

size_t
model_attachment_plain(struct reader *r, const char *text, size_t len)
{
	bool wanted = r->cb || r->hash_attachments;
	uint8_t out[PART];
	size_t done = 0, part, used;

	do {
		part = len - done < PART ? len - done : PART;
		size_t n = wanted ? base64_decode_plain(&r->base64, text + done, part, out, &used)
		    : base64_skip_plain(&r->base64, text + done, part, &used);
		c14n_plain(&r->whole, text + done, used);
		done += used;
		take_attachment(r, out, n);
	} while (used == part && done < len && !r->fault);
	return done;
}
