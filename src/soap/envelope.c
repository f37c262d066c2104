#include "soap/envelope.h"

#include <libxml/parserInternals.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "message/utf8.h"
#include "soap/envelope_state.h"

#define FRAME_MAX ((size_t)256 << 10) /* bytes of everything but the text */
#define NAMES_MAX ((size_t)64 << 10)

enum place {
	PLACE_DOCUMENT,
	PLACE_ENVELOPE,
	PLACE_BODY,
	PLACE_OPERATION,
	PLACE_TEXT,
	PLACE_FAULT,
	PLACE_FAULT_TEXT,
	PLACE_IGNORED,
};

#define IN_REQUEST  (1u << ENVELOPE_REQUEST)
#define IN_RESPONSE (1u << ENVELOPE_RESPONSE)
#define IN_BOTH     (IN_REQUEST | IN_RESPONSE)

struct frame_rule {
	enum place inside;
	const char *name, *uri; /* uri NULL = any */
	unsigned kinds;
	enum place place;
};

static const struct frame_rule frame_rules[] = {
	{PLACE_DOCUMENT, "Envelope", NS_SOAP11, IN_BOTH, PLACE_ENVELOPE},
	{PLACE_ENVELOPE, "Header", NS_SOAP11, IN_BOTH, PLACE_IGNORED},
	{PLACE_ENVELOPE, "Body", NS_SOAP11, IN_BOTH, PLACE_BODY},
	{PLACE_BODY, "Submit", NS_SUBMIT, IN_REQUEST, PLACE_OPERATION},
	{PLACE_BODY, "SubmitResponse", NS_SUBMIT, IN_RESPONSE, PLACE_OPERATION},
	{PLACE_BODY, "Fault", NS_SOAP11, IN_RESPONSE, PLACE_FAULT},
	{PLACE_OPERATION, "request", NS_SUBMIT, IN_REQUEST, PLACE_TEXT},
	{PLACE_OPERATION, "SubmitResult", NS_SUBMIT, IN_RESPONSE, PLACE_TEXT},
	{PLACE_FAULT, "faultstring", NULL, IN_BOTH, PLACE_FAULT_TEXT},
};

/* The parser is not stopped here: within an event libxml2 still reads the buffer that
 * xmlStopParser frees. The rest of the slice is parsed, its events are ignored. */
void
envelope_fail(struct envelope *e, enum fault fault, const char *fmt, ...)
{
	va_list ap;

	if (e->fault)
		return;
	e->fault = fault;
	va_start(ap, fmt);
	vsnprintf(e->detail, sizeof e->detail, fmt, ap);
	va_end(ap);
	e->detail[strcspn(e->detail, "\n")] = 0;
}

/* --- frame ---------------------------------------------------------------------------------- */

static const struct frame_rule *
find_rule(const struct envelope *e, const char *name, const char *uri)
{
	for (size_t i = 0; i < sizeof frame_rules / sizeof frame_rules[0]; i++) {
		const struct frame_rule *r = &frame_rules[i];
		if (r->inside == e->place[e->depth] && (r->kinds & 1u << e->kind) &&
		    strcmp(r->name, name) == 0 && (!r->uri || (uri && strcmp(r->uri, uri) == 0)))
			return r;
	}
	return NULL;
}

/* An element that no rule knows: an answer to "what else could it be" where that helps. */
static void
unknown_element(struct envelope *e, const char *name, const char *uri)
{
	switch ((enum place)e->place[e->depth]) {
	case PLACE_DOCUMENT:
		if (strcmp(name, "Envelope") == 0)
			envelope_fail(e, FAULT_SOAP_VERSION, "namespace %.150s", uri ? uri : "is missing");
		else
			envelope_fail(e, FAULT_SOAP_UNEXPECTED, "root is %.100s", name);
		break;
	case PLACE_BODY:
		envelope_fail(e, FAULT_SOAP_UNEXPECTED, "{%.120s}%.80s in Body", uri ? uri : "", name);
		break;
	case PLACE_OPERATION:
		envelope_fail(e, FAULT_SOAP_UNEXPECTED, "{%.120s}%.80s", uri ? uri : "", name);
		break;
	default:
		break;
	}
}

/* What happens once, happens once. */
static void
enter(struct envelope *e, enum place place)
{
	bool *seen = place == PLACE_OPERATION ? &e->operation
	    : place == PLACE_TEXT             ? &e->text_seen
	    : place == PLACE_FAULT            ? &e->fault_seen
	                                      : NULL;

	if (seen && *seen)
		envelope_fail(e, FAULT_SOAP_UNEXPECTED, "more than one message");
	else if (seen)
		*seen = true;
	if (place == PLACE_TEXT && !e->fault)
		envelope_text_begin(e);
}

static void
on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
    int namespace_count, const xmlChar **namespaces, int attribute_count, int defaulted,
    const xmlChar **attributes)
{
	struct envelope *e = arg;

	(void)prefix;
	(void)namespace_count;
	(void)namespaces;
	(void)attribute_count;
	(void)defaulted;
	(void)attributes;
	if (e->fault)
		return;
	const struct frame_rule *r = find_rule(e, (const char *)name, (const char *)uri);
	if (!r)
		unknown_element(e, (const char *)name, (const char *)uri);
	if (e->depth == FRAME_DEPTH)
		envelope_fail(e, FAULT_XML_LIMIT, "depth over %u", FRAME_DEPTH);
	if (e->fault)
		return;
	e->place[++e->depth] = r ? (unsigned char)r->place : PLACE_IGNORED;
	if (r)
		enter(e, r->place);
}

static void
on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct envelope *e = arg;

	(void)name;
	(void)prefix;
	(void)uri;
	if (e->fault)
		return;
	e->in_text = false; /* <request/>: its text has ended before it began */
	e->depth--;
}

static void
on_text(void *arg, const xmlChar *text, int len)
{
	struct envelope *e = arg;
	size_t room = FAULT_TEXT_MAX - e->fault_text.len;

	if (!e->fault && e->place[e->depth] == PLACE_FAULT_TEXT)
		buf_add(&e->fault_text, text, (size_t)len < room ? (size_t)len : room);
}

static void
on_doctype(void *arg, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	struct envelope *e = arg;

	(void)name;
	(void)external;
	(void)system;
	envelope_fail(e, FAULT_XML_DTD, "DOCTYPE");
	/* Here it is safe, and needed: the declarations inside would make a document that nobody frees. */
	xmlStopParser(e->xml);
}

/* The text goes past the parser and its decoder, so only one encoding is possible. */
static void
on_document(void *arg)
{
	struct envelope *e = arg;
	const char *name = (const char *)e->xml->encoding;

	if (name && strcasecmp(name, "utf-8") != 0)
		envelope_fail(e, FAULT_XML_ENCODING, "%.60s", name);
}

static void
on_error(void *arg, xmlErrorPtr error)
{
	if (error->level < XML_ERR_ERROR)
		return;
	enum fault fault = FAULT_SOAP_MALFORMED;
	if (error->code == XML_ERR_NO_MEMORY)
		fault = FAULT_INTERNAL;
	else if (error->code == XML_ERR_UNSUPPORTED_ENCODING)
		fault = FAULT_XML_ENCODING;
	envelope_fail(arg, fault, "line %d: %s", error->line, error->message ? error->message : "");
}

/* --- interface ------------------------------------------------------------------------------ */

static bool
make_parser(struct envelope *e)
{
	if (e->xml)
		xmlFreeParserCtxt(e->xml);
	e->xml = xmlCreatePushParserCtxt(&e->sax, e, NULL, 0, NULL);
	return e->xml != NULL;
}

struct envelope *
envelope_new(void)
{
	struct envelope *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->sax = (xmlSAXHandler){
	    .initialized = XML_SAX2_MAGIC,
	    .startDocument = on_document,
	    .startElementNs = on_start,
	    .endElementNs = on_end,
	    .characters = on_text,
	    .ignorableWhitespace = on_text,
	    .cdataBlock = on_text,
	    .internalSubset = on_doctype,
	    .serror = on_error,
	};
	if (!make_parser(e)) {
		envelope_free(e);
		return NULL;
	}
	return e;
}

void
envelope_free(struct envelope *e)
{
	if (!e)
		return;
	xmlFreeParserCtxt(e->xml);
	buf_free(&e->fault_text);
	free(e);
}

bool
envelope_begin(struct envelope *e, enum envelope_kind kind, envelope_text_cb cb, void *arg)
{
	bool worn = e->begun && (!e->ended || e->fault || xmlDictGetUsage(e->xml->dict) > NAMES_MAX);

	if ((worn && !make_parser(e)) || xmlCtxtResetPush(e->xml, NULL, 0, NULL, NULL) != 0) {
		e->fault = FAULT_INTERNAL;
		return false;
	}
	e->xml->nsNr = 0;
	xmlCtxtUseOptions(e->xml, XML_PARSE_NONET | XML_PARSE_NOENT);
	e->kind = kind;
	e->cb = cb;
	e->arg = arg;
	e->fault = FAULT_NONE;
	e->detail[0] = 0;
	e->begun = true;
	e->ended = e->started = e->in_text = e->any = false;
	e->operation = e->text_seen = e->fault_seen = false;
	e->bom = e->depth = 0;
	e->frame_bytes = e->out_len = 0;
	e->place[0] = PLACE_DOCUMENT;
	buf_reset(&e->fault_text);
	return true;
}

static void
parse(struct envelope *e, const char *data, size_t len)
{
	e->frame_bytes += len;
	if (e->frame_bytes > FRAME_MAX) {
		envelope_fail(e, FAULT_XML_LIMIT, "envelope over %zu KiB", FRAME_MAX >> 10);
		return;
	}
	xmlParseChunk(e->xml, data, (int)len, 0);
	if (!e->fault && (!e->xml->wellFormed || !e->xml->nsWellFormed))
		envelope_fail(e, FAULT_SOAP_MALFORMED, "%s", "");
}

/* Up to the next '>', so that nothing behind the tag that opens the text reaches the parser. */
static size_t
take_frame(struct envelope *e, const char *data, size_t len)
{
	const char *end = memchr(data, '>', len);
	size_t n = end ? (size_t)(end - data) + 1 : len;

	parse(e, data, n);
	if (e->in_text && !e->fault && e->xml->input->cur != e->xml->input->end)
		envelope_fail(e, FAULT_INTERNAL, "the parser holds bytes of the text");
	return n;
}

/* Skips a byte order mark; refuses what cannot be UTF-8 before the parser starts to guess. */
static size_t
skip_start(struct envelope *e, const char *data, size_t len)
{
	static const char mark[3] = "\xef\xbb\xbf";
	size_t i = 0;

	while (i < len && e->bom < 3 && data[i] == mark[e->bom]) {
		e->bom++;
		i++;
	}
	if (i == len)
		return i;
	unsigned char c = (unsigned char)data[i];
	if (c == 0 || c >= 0xfe)
		envelope_fail(e, FAULT_XML_ENCODING, "byte 0x%02x at the start", c);
	else if (c != '<' && c != ' ' && c != '\t' && c != '\n' && c != '\r')
		envelope_fail(e, FAULT_SOAP_MALFORMED, "it does not begin with a tag");
	else if (e->bom > 0 && e->bom < 3)
		envelope_fail(e, FAULT_SOAP_MALFORMED, "it does not begin with a tag");
	e->started = true;
	return i;
}

enum fault
envelope_feed(struct envelope *e, const void *bytes, size_t len)
{
	const char *data = bytes;
	size_t i = e->started || e->fault ? 0 : skip_start(e, data, len);

	while (i < len && !e->fault) {
		bool was_text = e->in_text;
		i += was_text ? envelope_take_text(e, data + i, len - i)
		              : take_frame(e, data + i, len - i);
		if (was_text && !e->in_text && !e->fault)
			parse(e, "</", 2);
	}
	return e->fault;
}

/* The cut may have gone through a character. */
static void
cut_fault_text(struct envelope *e)
{
	bool bad;

	if (!e->fault_text.len)
		return;
	e->fault_text.len = utf8_span((char *)e->fault_text.data, e->fault_text.len, &bad);
	e->fault_text.data[e->fault_text.len] = 0;
}

enum fault
envelope_end(struct envelope *e, enum envelope_content *content)
{
	if (!e->fault && e->in_text)
		envelope_fail(e, FAULT_SOAP_MALFORMED, "it ends inside the message");
	if (!e->fault) {
		xmlParseChunk(e->xml, NULL, 0, 1);
		if (!e->xml->wellFormed || e->depth > 0)
			envelope_fail(e, FAULT_SOAP_MALFORMED, "it ends too early");
	}
	e->ended = true;
	cut_fault_text(e);
	*content = e->fault_seen ? ENVELOPE_FAULT : e->any ? ENVELOPE_MESSAGE : ENVELOPE_EMPTY;
	if (e->fault || e->fault_seen || e->any)
		return e->fault;
	if (e->kind == ENVELOPE_REQUEST || !e->operation)
		envelope_fail(e, FAULT_SOAP_UNEXPECTED,
		    e->text_seen ? "request is empty" : "Body or request is missing");
	return e->fault;
}

const char *
envelope_detail(const struct envelope *e)
{
	return e->detail;
}

const char *
envelope_fault_text(const struct envelope *e)
{
	return buf_str(&e->fault_text);
}
