#include <string.h>
#include "message/writer_text.h"
#include "soap/envelope.h"

#define OPEN "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"" NS_SOAP11 "\"><s:Body>"
#define CLOSE "</s:Body></s:Envelope>"
#define LOCATION "@LOCATION@"

static const char *const heads[] = {
	[ENVELOPE_REQUEST] = OPEN "<Submit xmlns=\"" NS_SUBMIT "\"><request>",
	[ENVELOPE_RESPONSE] = OPEN "<SubmitResponse xmlns=\"" NS_SUBMIT "\"><SubmitResult>",
};

static const char *const tails[] = {
	[ENVELOPE_REQUEST] = "</request></Submit>" CLOSE,
	[ENVELOPE_RESPONSE] = "</SubmitResult></SubmitResponse>" CLOSE,
};

static const char wsdl[] =
#include "soap/submit.wsdl.h"
    ;

const char *
envelope_head(enum envelope_kind kind)
{
	return heads[kind];
}

const char *
envelope_tail(enum envelope_kind kind)
{
	return tails[kind];
}

bool
envelope_add_empty_result(struct buf *out)
{
	buf_adds(out, heads[ENVELOPE_RESPONSE]);
	return buf_adds(out, tails[ENVELOPE_RESPONSE]);
}

bool
envelope_add_fault(struct buf *out, const char *caller, const char *text)
{
	struct writer w = {.wrong = NULL};

	/* The text may quote bytes of a peer: they must not break our own XML. */
	write_escaped(&w, text);
	if (w.out.failed)
		out->failed = true;
	buf_adds(out, OPEN "<s:Fault><faultcode>s:");
	buf_adds(out, caller);
	buf_adds(out, "</faultcode><faultstring>");
	buf_add(out, w.out.data, w.out.len);
	buf_free(&w.out);
	return buf_adds(out, "</faultstring></s:Fault>" CLOSE);
}

bool
envelope_add_wsdl(struct buf *out, const char *location)
{
	const char *place = strstr(wsdl, LOCATION);

	buf_add(out, wsdl, (size_t)(place - wsdl));
	buf_add_xml(out, location, strlen(location));
	return buf_adds(out, place + sizeof LOCATION - 1);
}
