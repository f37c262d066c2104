#include "message/reader_state.h"

#include <string.h>

static void
info_sink(void *arg, const void *data, size_t len)
{
	buf_add(arg, data, len);
}

static bool
is_signature(const struct c14n_element *e)
{
	return e->uri && strcmp(e->name, "Signature") == 0 && strcmp(e->uri, NS_DSIG) == 0;
}

/* The start tag of a signature that is a child of Message: from here to its end nothing is part of
 * the signed content. */
static void
open_signature(struct reader *r, const struct c14n_element *e)
{
	r->signature_depth = r->depth;
	if (r->signatures++ > 0) {
		signature_refuse(&r->sig, FAULT_SIGNATURE_SEVERAL, "");
		return;
	}
	signature_form_begin(&r->form_state, &r->sig);
	for (int i = 0; i < 2; i++) {
		buf_reset(&r->info_text[i]);
		r->info_text[i].max = (size_t)64 << 10;
		c14n_begin_part(&r->info[i], &r->whole, i == 1, info_sink, &r->info_text[i]);
		c14n_outside(&r->info[i], e);
	}
}

static void
start_in_signature(struct reader *r, const struct c14n_element *e)
{
	signature_form_start(&r->form_state, e);
	for (int i = 0; i < 2; i++) {
		if (r->form_state.signed_info && !r->sig.fault)
			c14n_start(&r->info[i], e);
	}
}

static void
end_in_signature(struct reader *r, const char *name, const char *prefix)
{
	bool signed_info = r->form_state.signed_info && !r->sig.fault;

	for (int i = 0; signed_info && i < 2; i++)
		c14n_end(&r->info[i], name, prefix);
	signature_form_end(&r->form_state);
	for (int i = 0; signed_info && !r->form_state.signed_info && i < 2; i++)
		c14n_finish(&r->info[i]);
}

/* An element of the message itself: model, then schema. */
static bool
start_in_message(struct reader *r, const struct c14n_element *e)
{
	if (r->depth == 2 && r->signatures > 0)
		signature_refuse(&r->sig, FAULT_SIGNATURE_PLACE, "an element follows the signature");
	switch (model_start(r, e)) {
	case MODEL_REFUSED:
		return false;
	case MODEL_MISPLACED_SIGNATURE:
		signature_refuse(&r->sig, FAULT_SIGNATURE_PLACE, "a signature below Message's children");
		r->payload_depth = r->depth;
		break;
	case MODEL_PAYLOAD:
		r->payload_depth = r->depth;
		break;
	case MODEL_ELEMENT:
		break;
	}
	return true;
}

/* Namespace URIs that are not absolute make the canonical form undefined (C14N section 1.3). */
static bool
absolute(const char *uri)
{
	return !uri || !*uri || uri[strcspn(uri, ":/?#")] == ':';
}

static bool
within_limits(struct reader *r, const struct c14n_element *e)
{
	unsigned max = r->limits.attributes;

	if (r->depth > r->limits.depth)
		reader_fail(r, FAULT_XML_LIMIT, "depth over %u", r->limits.depth);
	else if ((unsigned)e->attribute_count > max)
		reader_fail(r, FAULT_XML_LIMIT, "more than %u attributes of one element", max);
	else if ((unsigned)e->namespace_count > max || r->whole.scope_count > max)
		reader_fail(r, FAULT_XML_LIMIT, "more than %u namespaces in scope", max);
	for (int i = 0; i < e->namespace_count; i++) {
		if (!absolute((const char *)e->namespaces[2 * i + 1]))
			reader_fail(r, FAULT_XML_MALFORMED, "namespace %.100s is relative",
			    (const char *)e->namespaces[2 * i + 1]);
	}
	return !r->fault;
}

static void
on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
    int namespace_count, const xmlChar **namespaces, int attribute_count, int defaulted,
    const xmlChar **attributes)
{
	struct reader *r = arg;
	struct c14n_element e = {(const char *)name, (const char *)prefix, (const char *)uri,
	    namespace_count, namespaces, attribute_count, attributes};

	if (r->fault)
		return;
	r->depth++;
	if (!within_limits(r, &e))
		return;
	if (r->signature_depth) {
		start_in_signature(r, &e);
		return;
	}
	if (r->depth == 2 && is_signature(&e)) {
		open_signature(r, &e);
		return;
	}
	bool inside_payload = r->payload_depth > 0;
	if (!inside_payload && !start_in_message(r, &e))
		return;
	c14n_start(&r->whole, &e);
	if (r->depth == 1)
		c14n_inherit(&r->whole, &e);
	if (!inside_payload)
		schema_start(r->schema, name, prefix, uri, namespace_count, namespaces, attribute_count,
		    defaulted, attributes);
}

static void
on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct reader *r = arg;

	if (r->fault)
		return;
	if (r->signature_depth) {
		end_in_signature(r, (const char *)name, (const char *)prefix);
		if (r->signature_depth == r->depth)
			r->signature_depth = 0;
	} else {
		c14n_end(&r->whole, (const char *)name, (const char *)prefix);
		if (r->payload_depth == 0)
			model_end(r);
		if (r->payload_depth == 0 || r->payload_depth == r->depth)
			schema_finish_element(r->schema, name, prefix, uri);
		if (r->payload_depth == r->depth)
			r->payload_depth = 0;
	}
	r->depth--;
}

static void
on_text(void *arg, const xmlChar *text, int len)
{
	struct reader *r = arg;
	const char *t = (const char *)text;

	if (r->fault)
		return;
	if (r->signature_depth) {
		for (int i = 0; r->form_state.signed_info && !r->sig.fault && i < 2; i++)
			c14n_text(&r->info[i], t, (size_t)len);
		signature_form_text(&r->form_state, t, (size_t)len);
		return;
	}
	c14n_text(&r->whole, t, (size_t)len);
	if (r->payload_depth)
		return;
	if (r->attachment) {
		model_attachment_text(r, t, (size_t)len);
		return;
	}
	model_text(r, t, (size_t)len);
	schema_text(r->schema, t, len);
}

static void
on_instruction(void *arg, const xmlChar *target, const xmlChar *data)
{
	struct reader *r = arg;

	if (r->fault)
		return;
	if (!r->signature_depth)
		c14n_instruction(&r->whole, (const char *)target, (const char *)data);
	for (int i = 0; r->signature_depth && r->form_state.signed_info && !r->sig.fault && i < 2; i++)
		c14n_instruction(&r->info[i], (const char *)target, (const char *)data);
}

static void
on_doctype(void *arg, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	struct reader *r = arg;

	(void)name;
	(void)external;
	(void)system;
	reader_fail(r, FAULT_XML_DTD, "DOCTYPE");
	/* Here it is safe, and needed: the declarations inside would make a document that nobody frees. */
	xmlStopParser(r->xml);
}

static void
on_error(void *arg, xmlErrorPtr error)
{
	struct reader *r = arg;

	if (error->level < XML_ERR_ERROR)
		return;
	enum fault fault = FAULT_XML_MALFORMED;
	if (error->code == XML_ERR_NO_MEMORY)
		fault = FAULT_INTERNAL;
	else if (error->code == XML_ERR_INVALID_ENCODING)
		fault = FAULT_XML_ENCODING;
	reader_fail(r, fault, "line %d: %s", error->line, error->message ? error->message : "");
}

void
reader_sax_init(xmlSAXHandler *sax)
{
	*sax = (xmlSAXHandler){
	    .initialized = XML_SAX2_MAGIC,
	    .startElementNs = on_start,
	    .endElementNs = on_end,
	    .characters = on_text,
	    .ignorableWhitespace = on_text,
	    .cdataBlock = on_text,
	    .processingInstruction = on_instruction,
	    .internalSubset = on_doctype,
	    .serror = on_error,
	};
}
