#include <string.h>

#include "soap/envelope.h"
#include "soap/register.h"

static const struct operation {
	const char *name, *action, *parameter, *type;
} operations[REGISTER_OPERATION_COUNT] = {
#define ROW(n, parameter, type) {n, NS_REGISTER "/" n, parameter, type}
	[REGISTER_ALL] = ROW("GetAllRecords", NULL, NULL),
	[REGISTER_NEW] = ROW("GetNewRecords", "date", "dateTime"),
	[REGISTER_BY_EIK] = ROW("GetByEntityIdentifier", "EntityIdentifier", "string"),
	[REGISTER_BY_GUID] = ROW("GetByGuid", "guid", "string"),
	[REGISTER_BY_SERIAL] = ROW("GetByCertificateSN", "CertificateSN", "string"),
#undef ROW
};

const char *
register_operation_name(enum register_operation o)
{
	return operations[o].name;
}

const char *
register_action(enum register_operation o)
{
	return operations[o].action;
}

bool
register_request(struct buf *b, enum register_operation o, const char *argument)
{
	const struct operation *op = &operations[o];

	buf_adds(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	            "<E:Envelope xmlns:E=\"" NS_SOAP11 "\" xmlns:u=\"" NS_REGISTER "\""
	            " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
	            " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">"
	            "<E:Body E:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">");
	buf_addf(b, "<u:%s>", op->name);
	if (op->parameter) {
		buf_addf(b, "<%s xsi:type=\"xsd:%s\">", op->parameter, op->type);
		buf_add_xml(b, argument, strlen(argument));
		buf_addf(b, "</%s>", op->parameter);
	}
	return buf_addf(b, "</u:%s></E:Body></E:Envelope>", op->name);
}

void
register_date(when w, char out[WHEN_TEXT_SIZE])
{
	when_format(w, out);
	/* The form of section 7 has no fraction; not every PHP reader wants one. */
	char *fraction = strchr(out, '.');
	if (fraction && strlen(fraction) > 4)
		memmove(fraction, fraction + 4, strlen(fraction + 4) + 1);
}
