/* What the register is asked. */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "soap/envelope.h"
#include "soap/register_answer.h"

#define NS_SOAP12 "http://www.w3.org/2003/05/soap-envelope"
#define OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_COMPACT)

static const xmlNode *
next_element(const xmlNode *n)
{
	while (n && n->type != XML_ELEMENT_NODE)
		n = n->next;
	return n;
}

static bool
is(const xmlNode *n, const char *ns, const char *name)
{
	return n && n->ns && n->ns->href && strcmp((const char *)n->ns->href, ns) == 0 &&
	    (!name || strcmp((const char *)n->name, name) == 0);
}

static enum fault
refuse(char detail[64], enum fault f, const char *text)
{
	snprintf(detail, 64, "%.63s", text);
	return f;
}

/* The text of the first part; PHP does not look at its name. Nil is no text. */
static bool
read_argument(const xmlNode *call, char out[REGISTER_ARGUMENT_MAX])
{
	const xmlNode *part = next_element(call->children);
	xmlChar *text = part ? xmlNodeGetContent(part) : NULL;
	const char *s = text ? (const char *)text : "";

	s += strspn(s, " \t\r\n");
	size_t len = strlen(s);
	while (len && strchr(" \t\r\n", s[len - 1]))
		len--;
	bool fits = len < REGISTER_ARGUMENT_MAX;
	snprintf(out, REGISTER_ARGUMENT_MAX, "%.*s", fits ? (int)len : 0, s);
	xmlFree(text);
	return fits;
}

static enum fault
read_call(struct register_call *c, const xmlNode *call, char detail[64])
{
	if (!is(call, NS_REGISTER, NULL))
		return refuse(detail, FAULT_REGISTER_CALL, call ? (const char *)call->name : "empty Body");
	for (unsigned o = 0; o < REGISTER_OPERATION_COUNT; o++) {
		if (strcmp(register_operation_name(o), (const char *)call->name) != 0)
			continue;
		c->operation = o;
		c->argument[0] = 0;
		if (o == REGISTER_ALL)
			return FAULT_NONE;
		if (!read_argument(call, c->argument) || !*c->argument)
			return refuse(detail, FAULT_REGISTER_ARGUMENT, register_operation_name(o));
		return FAULT_NONE;
	}
	return refuse(detail, FAULT_REGISTER_CALL, (const char *)call->name);
}

static enum fault
read_envelope(struct register_call *c, const xmlDoc *doc, char detail[64])
{
	const xmlNode *root = xmlDocGetRootElement(doc);

	if (doc->intSubset)
		return refuse(detail, FAULT_SOAP_MALFORMED, "DTD");
	if (is(root, NS_SOAP12, NULL))
		return refuse(detail, FAULT_SOAP_VERSION, "SOAP 1.2");
	if (!is(root, NS_SOAP11, "Envelope"))
		return refuse(detail, FAULT_SOAP_MALFORMED, "no SOAP envelope");
	for (const xmlNode *n = next_element(root->children); n; n = next_element(n->next)) {
		if (is(n, NS_SOAP11, "Body"))
			return read_call(c, next_element(n->children), detail);
	}
	return refuse(detail, FAULT_SOAP_MALFORMED, "no Body");
}

enum fault
register_call_read(struct register_call *c, const void *data, size_t len, char detail[64])
{
	enum fault f;

	if (len > REGISTER_REQUEST_MAX)
		return refuse(detail, FAULT_HTTP_TOO_LARGE, "256 KiB");
	/* A DTD is refused before the parser could be made to work on it; in another encoding it could
	 * hide, so there is only UTF-8. */
	if (len == 0 || memmem(data, len, "<!DOCTYPE", 9))
		return refuse(detail, FAULT_SOAP_MALFORMED, len ? "DTD" : "empty");
	xmlDoc *doc = xmlReadMemory(data, (int)len, NULL, "UTF-8", OPTIONS);
	if (!doc)
		return refuse(detail, FAULT_SOAP_MALFORMED, "not well-formed");
	f = read_envelope(c, doc, detail);
	xmlFreeDoc(doc);
	return f;
}
