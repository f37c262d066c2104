#include "message/schema.h"

#include <libxml/parserInternals.h>
#include <libxml/xmlschemas.h>
#include <stdlib.h>
#include <string.h>
#include "lib/log.h"

struct schema_file {
	const char *name;
	const char *text;
};

static const char message_xsd[] =
#include "message/schema/message.xsd.h"
    ;
static const char segment_xsd[] =
#include "message/schema/segment.xsd.h"
    ;
static const char signature_xsd[] =
#include "message/schema/signature.xsd.h"
    ;

static const struct schema_file files[] = {
	{"message.xsd", message_xsd},
	{"segment.xsd", segment_xsd},
	{"signature.xsd", signature_xsd},
};

struct schema {
	xmlSchemaPtr schema;
	xmlSchemaValidCtxtPtr validator;
	xmlSAXHandler none; /* the validator wants a handler to stand before */
	xmlSAXHandlerPtr sax;
	void *sax_arg;
	xmlSchemaSAXPlugPtr plug;
	bool violated;
	char violation[256];
};

/* Imports are served from memory; nothing is ever loaded from disk or network. */
static xmlParserInputPtr
load_builtin(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
	(void)id;
	for (size_t i = 0; url && i < sizeof files / sizeof files[0]; i++) {
		if (strcmp(url, files[i].name) == 0)
			return xmlNewStringInputStream(ctxt, (const xmlChar *)files[i].text);
	}
	return NULL;
}

static void
parse_error(void *arg, xmlErrorPtr error)
{
	(void)arg;
	log_error("schema.unusable", "line=%d error=\"%s\"", error->line,
	    error->message ? error->message : "");
}

static xmlSchemaPtr
parse_builtin(void)
{
	xmlExternalEntityLoader before = xmlGetExternalEntityLoader();
	xmlSchemaParserCtxtPtr parser =
	    xmlSchemaNewMemParserCtxt(message_xsd, (int)sizeof message_xsd - 1);

	if (!parser)
		return NULL;
	xmlSchemaSetParserStructuredErrors(parser, parse_error, NULL);
	xmlSetExternalEntityLoader(load_builtin);
	xmlSchemaPtr schema = xmlSchemaParse(parser);
	xmlSetExternalEntityLoader(before);
	xmlSchemaFreeParserCtxt(parser);
	return schema;
}

static void
note_violation(void *arg, xmlErrorPtr error)
{
	struct schema *s = arg;

	if (s->violated)
		return;
	s->violated = true;
	snprintf(s->violation, sizeof s->violation, "%s", error->message ? error->message : "");
	s->violation[strcspn(s->violation, "\n")] = 0;
}

struct schema *
schema_new(void)
{
	struct schema *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->none.initialized = XML_SAX2_MAGIC;
	s->schema = parse_builtin();
	s->validator = s->schema ? xmlSchemaNewValidCtxt(s->schema) : NULL;
	if (!s->validator) {
		log_error("schema.unusable", "error=\"the built-in schema was not loaded\"");
		schema_free(s);
		return NULL;
	}
	xmlSchemaSetValidStructuredErrors(s->validator, note_violation, s);
	return s;
}

void
schema_free(struct schema *s)
{
	if (!s)
		return;
	schema_end(s);
	xmlSchemaFreeValidCtxt(s->validator);
	xmlSchemaFree(s->schema);
	free(s);
}

bool
schema_begin(struct schema *s)
{
	schema_end(s);
	s->violated = false;
	s->sax = &s->none;
	s->sax_arg = s;
	s->plug = xmlSchemaSAXPlug(s->validator, &s->sax, &s->sax_arg);
	return s->plug != NULL;
}

void
schema_start(struct schema *s, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
    int namespace_count, const xmlChar **namespaces, int attribute_count, int defaulted,
    const xmlChar **attributes)
{
	if (!s->violated && s->plug)
		s->sax->startElementNs(s->sax_arg, name, prefix, uri, namespace_count, namespaces,
		    attribute_count, defaulted, attributes);
}

void
schema_finish_element(struct schema *s, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri)
{
	if (!s->violated && s->plug)
		s->sax->endElementNs(s->sax_arg, name, prefix, uri);
}

void
schema_text(struct schema *s, const char *text, int len)
{
	if (!s->violated && s->plug)
		s->sax->characters(s->sax_arg, (const xmlChar *)text, len);
}

void
schema_end(struct schema *s)
{
	if (s->plug)
		xmlSchemaSAXUnplug(s->plug);
	s->plug = NULL;
}

const char *
schema_violation(const struct schema *s)
{
	return s->violated ? s->violation : NULL;
}
