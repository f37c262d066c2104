#include "obmend/codec_details.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "message/reader.h"

/* A text field: its name in JSON and its place in the struct. */
struct field {
	const char *key;
	size_t offset;
};

#define FIELD(type, key, member) {key, offsetof(struct type, member)}
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct field id_fields[] = {
    FIELD(document_id, "number", number),
    FIELD(document_id, "date", date),
    FIELD(document_id, "uri_register", uri_register),
    FIELD(document_id, "uri_sequence", uri_sequence),
    FIELD(document_id, "uri_date", uri_date),
};

static const struct field document_fields[] = {
    FIELD(document, "kind", kind),
    FIELD(document, "about", about),
    FIELD(document, "comment", comment),
    FIELD(document, "service_name", service_name),
    FIELD(document, "service_type", service_type),
    FIELD(document, "service_code", service_code),
    FIELD(document, "date_close", date_close),
    FIELD(document, "attention_to", attention_to),
};

static const struct field correspondent_fields[] = {
    FIELD(correspondent, "name", name),
    FIELD(correspondent, "city", city),
    FIELD(correspondent, "address", address),
    FIELD(correspondent, "egn", egn),
    FIELD(correspondent, "id_card", id_card),
    FIELD(correspondent, "bulstat", bulstat),
    FIELD(correspondent, "email", email),
    FIELD(correspondent, "phone", phone),
    FIELD(correspondent, "mobile", mobile),
    FIELD(correspondent, "mol", mol),
    FIELD(correspondent, "comment", comment),
    FIELD(correspondent, "kind", kind),
};

static const struct field attachment_fields[] = {
    FIELD(attachment, "file_name", file_name),
    FIELD(attachment, "mime_type", mime_type),
    FIELD(attachment, "comment", comment),
};

/* Writing. A separator is due unless the last byte opened an object or a list. */

static void
add_string(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	for (const char *from = s;; s++) {
		unsigned char c = (unsigned char)*s;
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, from, (size_t)(s - from));
		if (!c)
			break;
		if (c < 0x20)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addf(out, "\\%c", c);
		from = s + 1;
	}
	buf_addc(out, '"');
}

static void
add_comma(struct buf *out)
{
	if (out->len && !out->failed && !strchr("{[", out->data[out->len - 1]))
		buf_addc(out, ',');
}

static void
add_key(struct buf *out, const char *key)
{
	add_comma(out);
	buf_addc(out, '"');
	buf_adds(out, key);
	buf_adds(out, "\":");
}

static void
add_text(struct buf *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	add_key(out, key);
	add_string(out, value);
}

static void
add_fields(struct buf *out, const struct field *fields, size_t n, const void *base)
{
	for (size_t i = 0; i < n; i++)
		add_text(out, fields[i].key,
		    *(const char *const *)((const char *)base + fields[i].offset));
}

static void
add_id(struct buf *out, const struct document_id *id)
{
	char guid[GUID_TEXT_SIZE];

	add_fields(out, id_fields, COUNT(id_fields), id);
	if (guid_is_zero(&id->guid))
		return;
	guid_format(&id->guid, guid);
	add_text(out, "document_guid", guid);
}

static void
add_correspondents(struct buf *out, const struct correspondent *c)
{
	if (!c)
		return;
	add_key(out, "correspondents");
	buf_addc(out, '[');
	for (; c; c = c->next) {
		add_comma(out);
		buf_addc(out, '{');
		add_fields(out, correspondent_fields, COUNT(correspondent_fields), c);
		buf_addc(out, '}');
	}
	buf_addc(out, ']');
}

static void
add_attachments(struct buf *out, const struct attachment *a)
{
	if (!a)
		return;
	add_key(out, "attachments");
	buf_addc(out, '[');
	for (; a; a = a->next) {
		add_comma(out);
		buf_addc(out, '{');
		add_fields(out, attachment_fields, COUNT(attachment_fields), a);
		add_key(out, "size");
		buf_addf(out, "%llu}", (unsigned long long)a->size);
	}
	buf_addc(out, ']');
}

bool
details_write(struct buf *out, const struct document *d, const char *comment)
{
	buf_addc(out, '{');
	add_id(out, &d->id);
	if (d->has_parent) {
		add_key(out, "parent");
		buf_addc(out, '{');
		add_id(out, &d->parent);
		buf_addc(out, '}');
	}
	add_fields(out, document_fields, COUNT(document_fields), d);
	add_text(out, "message_comment", comment);
	add_correspondents(out, d->correspondents);
	add_attachments(out, d->attachments);
	return buf_addc(out, '}');
}

/* Reading: a cursor that remembers the first fault. */

struct reading {
	struct arena *arena;
	enum fault fault;
	char *detail;
	size_t detail_size;
};

static void
refuse(struct reading *r, enum fault fault, const char *field)
{
	if (r->fault != FAULT_NONE)
		return;
	r->fault = fault;
	snprintf(r->detail, r->detail_size, "%s", field);
}

/* NULL when absent or empty. */
static const char *
get_text(struct reading *r, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return NULL;
	size_t len = json_string_length(value);
	if (!json_is_string(value) || len > reader_default_limits.text ||
	    memchr(json_string_value(value), 0, len)) {
		refuse(r, FAULT_FIELD_VALUE, key);
		return NULL;
	}
	if (len == 0)
		return NULL;
	const char *copy = arena_strndup(r->arena, json_string_value(value), len);
	if (!copy)
		refuse(r, FAULT_INTERNAL, "no memory");
	return copy;
}

static void
get_fields(struct reading *r, const json_t *object, const struct field *fields, size_t n,
    void *base)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = get_text(r, object, fields[i].key);
		memcpy((char *)base + fields[i].offset, &value, sizeof value);
	}
}

static void
check_date(struct reading *r, const char *value, const char *field)
{
	if (value && !date_valid(value, strlen(value)))
		refuse(r, FAULT_FIELD_VALUE, field);
}

static void
check_digits(struct reading *r, const char *value, const char *field)
{
	if (value && value[strspn(value, "0123456789")])
		refuse(r, FAULT_FIELD_VALUE, field);
}

static void
get_id(struct reading *r, const json_t *object, struct document_id *id)
{
	get_fields(r, object, id_fields, COUNT(id_fields), id);
	check_date(r, id->date, "date");
	check_date(r, id->uri_date, "uri_date");
	check_digits(r, id->uri_register, "uri_register");
	check_digits(r, id->uri_sequence, "uri_sequence");
	id->has_uri = id->uri_register || id->uri_sequence || id->uri_date;
	if (id->number && !id->date)
		refuse(r, FAULT_FIELD_MISSING, "date");
	if (id->date && !id->number)
		id->number = "";
	const char *guid = get_text(r, object, "document_guid");
	if (guid && !guid_parse_lenient(&id->guid, guid))
		refuse(r, FAULT_FIELD_VALUE, "document_guid");
}

/* The list under this key when it is one of at most max objects; an empty or absent one is NULL. */
static const json_t *
get_list(struct reading *r, const json_t *object, const char *key, size_t max)
{
	const json_t *list = json_object_get(object, key);

	if (!list || json_is_null(list))
		return NULL;
	if (!json_is_array(list) || json_array_size(list) > max) {
		refuse(r, FAULT_FIELD_VALUE, key);
		return NULL;
	}
	return list;
}

static void *
get_item(struct reading *r, const json_t *list, size_t i, const char *key, size_t size)
{
	if (!json_is_object(json_array_get(list, i))) {
		refuse(r, FAULT_FIELD_VALUE, key);
		return NULL;
	}
	void *item = arena_alloc(r->arena, size);
	if (!item)
		refuse(r, FAULT_INTERNAL, "no memory");
	return item;
}

static void
get_correspondents(struct reading *r, const json_t *object, struct document *d)
{
	const json_t *list =
	    get_list(r, object, "correspondents", reader_default_limits.correspondents);
	struct correspondent **tail = &d->correspondents;

	for (size_t i = 0; i < json_array_size(list) && r->fault == FAULT_NONE; i++) {
		struct correspondent *c = get_item(r, list, i, "correspondents", sizeof *c);
		if (!c)
			return;
		get_fields(r, json_array_get(list, i), correspondent_fields,
		    COUNT(correspondent_fields), c);
		if (!c->name)
			refuse(r, FAULT_FIELD_MISSING, "correspondents.name");
		if (!c->city)
			c->city = ""; /* required on the wire, not by people */
		*tail = c;
		tail = &c->next;
	}
}

static void
get_attachment(struct reading *r, const json_t *object, struct attachment *a)
{
	const json_t *size = json_object_get(object, "size");

	get_fields(r, object, attachment_fields, COUNT(attachment_fields), a);
	if (!a->file_name)
		refuse(r, FAULT_FIELD_MISSING, "attachments.file_name");
	if (!a->mime_type)
		a->mime_type = "application/octet-stream";
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		refuse(r, FAULT_FIELD_VALUE, "attachments.size");
	else
		a->size = (uint64_t)json_integer_value(size);
	a->fd = -1;
}

static void
get_attachments(struct reading *r, const json_t *object, struct document *d)
{
	const json_t *list = get_list(r, object, "attachments", reader_default_limits.attachments);
	struct attachment **tail = &d->attachments;
	uint64_t offset = 0;

	for (size_t i = 0; i < json_array_size(list) && r->fault == FAULT_NONE; i++) {
		struct attachment *a = get_item(r, list, i, "attachments", sizeof *a);
		if (!a)
			return;
		get_attachment(r, json_array_get(list, i), a);
		a->offset = offset;
		if (__builtin_add_overflow(offset, a->size, &offset))
			refuse(r, FAULT_FIELD_VALUE, "attachments.size");
		*tail = a;
		tail = &a->next;
		d->attachment_count++;
	}
}

static void
get_document(struct reading *r, const json_t *object, struct document *d)
{
	const json_t *parent = json_object_get(object, "parent");

	get_id(r, object, &d->id);
	get_fields(r, object, document_fields, COUNT(document_fields), d);
	check_date(r, d->date_close, "date_close");
	if (!d->kind)
		d->kind = ""; /* required on the wire, where it may be empty */
	if (json_is_object(parent)) {
		d->has_parent = true;
		get_id(r, parent, &d->parent);
		if (guid_is_zero(&d->parent.guid))
			refuse(r, FAULT_FIELD_MISSING, "parent.document_guid");
	}
	get_correspondents(r, object, d);
	get_attachments(r, object, d);
}

enum fault
details_read(const char *json, size_t len, struct arena *arena, struct document *d,
    const char **comment, char *detail, size_t detail_size)
{
	struct reading r = {.arena = arena, .detail = detail, .detail_size = detail_size};
	json_error_t error = {.text = ""};

	memset(d, 0, sizeof *d);
	*comment = NULL;
	json_t *object = len > DETAILS_MAX ? NULL : json_loadb(json, len, 0, &error);
	if (!object && len <= DETAILS_MAX && json_error_code(&error) != json_error_null_character) {
		/* Our own text, which was read before it was kept: jansson calls lack of memory a bad token. */
		refuse(&r, FAULT_INTERNAL, "no memory");
	} else if (!json_is_object(object)) {
		refuse(&r, FAULT_FIELD_VALUE, "details");
	} else {
		get_document(&r, object, d);
		*comment = get_text(&r, object, "message_comment");
	}
	json_decref(object);
	return r.fault;
}
