/* Which requests are taken (protocol.md section 2), and how the others are refused. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "obmend/front.h"
#include "soap/envelope.h"

#define XML_TYPE "text/xml; charset=utf-8"

/* ---- answers of our own ---- */

static void
refuse(struct front *f, struct http_conn *c, enum front_result result, int status,
       const char *fields, enum fault fault, const char *detail)
{
	char text[2048];

	f->results[result]++;
	fault_describe(fault, detail, text, sizeof text);
	http_respond(c, &(struct http_answer){.status = status,
	    .fields = fields,
	    .body = text,
	    .len = strlen(text)});
}

static void
soap_fault(struct http_conn *c, int status, const char *fields, const char *caller,
           enum fault fault, const char *detail)
{
	struct buf out = {0};
	char text[2048];

	fault_describe(fault, detail, text, sizeof text);
	if (envelope_add_fault(&out, caller, text))
		http_respond(c, &(struct http_answer){.status = status,
		    .content_type = XML_TYPE,
		    .fields = fields,
		    .body = out.data,
		    .len = out.len});
	else
		http_drop(c);
	buf_free(&out);
}

void
front_unavailable(struct front *f, struct http_conn *c, enum fault fault, const char *detail)
{
	f->results[RESULT_UNAVAILABLE]++;
	soap_fault(c, 503, "Retry-After: 60\r\n", "Server", fault, detail);
}

/* 404, because it is the only answer that eDelivery tries again after (protocol.md section 6): a 503 is
 * final for it. */
static void
under_maintenance(struct front *f, struct http_conn *c)
{
	refuse(f, c, RESULT_UNAVAILABLE, 404, "Retry-After: 900\r\n", FAULT_HTTP_MAINTENANCE,
	    *f->maintenance ? f->maintenance : NULL);
}

static void
describe_service(struct front *f, struct http_conn *c, const struct http_head *h)
{
	struct buf out = {0};
	char location[2048];
	const char *host = *h->host ? h->host : f->identities[front_tls_certificate(f, c)].name;

	snprintf(location, sizeof location, "https://%s%s", host, h->path);
	f->results[RESULT_WSDL]++;
	if (envelope_add_wsdl(&out, location))
		http_respond(c, &(struct http_answer){.status = 200,
		    .content_type = XML_TYPE,
		    .body = out.data,
		    .len = out.len});
	else
		http_drop(c);
	buf_free(&out);
}

/* ---- checks of the head ---- */

static bool
wants_wsdl(const struct http_head *h)
{
	bool reads = strcmp(h->method, "GET") == 0 || strcmp(h->method, "HEAD") == 0;

	return reads && h->query &&
	    (strcasecmp(h->query, "wsdl") == 0 || strcasecmp(h->query, "singleWsdl") == 0);
}

/* Peers name the type in many ways; what is no XML at all is refused. A missing type is
 * tolerated. */
static bool
type_is_xml(const struct http_head *h)
{
	const char *type = http_head_find(h, "Content-Type");
	const char *coding = http_head_find(h, "Content-Encoding");
	char media[64];

	if (coding && *coding && strcasecmp(coding, "identity") != 0)
		return false;
	if (!type || !*type)
		return true;
	snprintf(media, sizeof media, "%.*s", (int)strcspn(type, ";"), type);
	return strcasestr(media, "xml") && !strcasestr(media, "xop");
}

/* Quoted, unquoted, empty or missing. */
static bool
action_is_ours(const struct http_head *h)
{
	const char *action = http_head_find(h, "SOAPAction");
	size_t len = action ? strlen(action) : 0;

	if (len >= 2 && action[0] == '"' && action[len - 1] == '"') {
		action++;
		len -= 2;
	}
	return len == 0 ||
	    (len == strlen(SUBMIT_ACTION) && memcmp(action, SUBMIT_ACTION, len) == 0);
}

void
front_request(void *arg, struct http_conn *c, const struct http_head *h)
{
	struct front *f = arg;

	if (wants_wsdl(h)) {
		describe_service(f, c, h);
	} else if (strcmp(h->method, "POST") != 0) {
		refuse(f, c, RESULT_METHOD, 405, "Allow: POST\r\n", FAULT_HTTP_METHOD, h->method);
	} else if (!type_is_xml(h)) {
		refuse(f, c, RESULT_TYPE, 415, NULL, FAULT_HTTP_CONTENT_TYPE,
		    http_head_find(h, "Content-Type"));
	} else if (!action_is_ours(h)) {
		f->results[RESULT_ACTION]++;
		soap_fault(c, 500, NULL, "Client", FAULT_SOAP_ACTION,
		    http_head_find(h, "SOAPAction"));
	} else if (f->maintenance) {
		under_maintenance(f, c);
	} else if (!front_ready(f)) {
		f->results[RESULT_DROPPED]++;
		http_drop(c);
	} else {
		front_job_begin(f, c, h);
	}
}
