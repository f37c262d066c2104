#include "soap/register_answer.h"

#include <string.h>

#include "message/writer_text.h"
#include "soap/envelope.h"

#define ENCODING "http://schemas.xmlsoap.org/soap/encoding/"

static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"" NS_SOAP11 "\" xmlns:ns1=\"" NS_REGISTER "\""
    " xmlns:tns=\"" NS_REGISTER "\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""
    " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:SOAP-ENC=\"" ENCODING "\"";
static const char encoded[] = " SOAP-ENV:encodingStyle=\"" ENCODING "\"";
static const char tail[] = "</SOAP-ENV:Body></SOAP-ENV:Envelope>\n";

static const char wsdl_text[] =
#include "soap/register.wsdl.h"
    ;
static const char schema_text[] =
#include "soap/encoding.xsd.h"
    ;

static bool
add_leaf(struct buf *b, const char *name, const char *type, const char *text)
{
	if (!text)
		return buf_addf(b, "<%s xsi:nil=\"true\"/>", name);
	buf_addf(b, "<%s xsi:type=\"xsd:%s\">", name, type);
	buf_add_xml(b, text, strlen(text));
	return buf_addf(b, "</%s>", name);
}

static bool
add_text(struct buf *b, const char *name, const char *text)
{
	return add_leaf(b, name, "string", text ? text : "");
}

static bool
begin_array(struct buf *b, const char *name, const char *type, size_t count)
{
	return buf_addf(b, "<%s SOAP-ENC:arrayType=\"tns:%s[%zu]\" xsi:type=\"SOAP-ENC:Array\">", name,
	    type, count);
}

bool
register_answer_head(struct buf *b, enum register_operation o, size_t count)
{
	buf_adds(b, head);
	buf_adds(b, encoded);
	buf_addf(b, "><SOAP-ENV:Body><ns1:%sResponse><return xsi:type=\"tns:EGovMessageDir\">",
	    register_operation_name(o));
	return begin_array(b, "Entities", "Entity", count);
}

static void
add_service(struct buf *b, const struct register_service *s)
{
	buf_adds(b, "<item xsi:type=\"tns:Service\">");
	add_text(b, "Guid", s->guid);
	add_text(b, "Name", s->name);
	add_leaf(b, "URI", "anyURI", s->uri ? s->uri : "");
	add_text(b, "Status", s->status);
	add_text(b, "Type", s->type);
	add_leaf(b, "Version", "integer", s->version ? s->version : "0");
	buf_adds(b, "</item>");
}

bool
register_answer_entity(struct buf *b, const struct register_entity *e)
{
	buf_adds(b, "<item xsi:type=\"tns:Entity\">");
	add_text(b, "EntityIdentifier", e->eik);
	add_text(b, "Guid", e->guid);
	add_text(b, "ParentGuid", e->parent);
	add_text(b, "AdministrativeBodyName", e->name);
	buf_adds(b, "<Contact xsi:type=\"tns:Contact\">");
	add_leaf(b, "Phone", "string", e->phone);
	add_leaf(b, "Fax", "string", e->fax);
	add_leaf(b, "EmailAddress", "string", e->email);
	buf_adds(b, "</Contact>");
	add_text(b, "CertificateSN", e->serial);
	begin_array(b, "Services", "Service", e->service_count);
	for (size_t i = 0; i < e->service_count; i++)
		add_service(b, &e->services[i]);
	buf_adds(b, "</Services>");
	add_leaf(b, "LastChange", "dateTime", e->last_change);
	add_text(b, "Status", e->status);
	return buf_adds(b, "</item>");
}

bool
register_answer_tail(struct buf *b, enum register_operation o, const char *last_change)
{
	buf_adds(b, "</Entities>");
	add_leaf(b, "LastChange", "dateTime", last_change);
	buf_addf(b, "</return></ns1:%sResponse>", register_operation_name(o));
	return buf_adds(b, tail);
}

bool
register_answer_fault(struct buf *b, const char *caller, const char *text)
{
	struct writer w = {.wrong = NULL};

	/* The text may quote bytes of a peer: they must not break our own XML. */
	write_escaped(&w, text);
	b->failed |= w.out.failed;
	buf_adds(b, head);
	buf_addf(b, "><SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>SOAP-ENV:%s</faultcode><faultstring>",
	    caller);
	buf_add(b, w.out.data, w.out.len);
	buf_free(&w.out);
	buf_adds(b, "</faultstring></SOAP-ENV:Fault>");
	return buf_adds(b, tail);
}

bool
register_wsdl(struct buf *b, const char *location)
{
	static const char mark[] = "@LOCATION@";
	const char *from = wsdl_text, *at;

	while ((at = strstr(from, mark))) {
		buf_add(b, from, (size_t)(at - from));
		buf_add_xml(b, location, strlen(location));
		from = at + sizeof mark - 1;
	}
	return buf_adds(b, from);
}

bool
register_encoding_schema(struct buf *b)
{
	return buf_adds(b, schema_text);
}
