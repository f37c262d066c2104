/*
 * SOAP 1.1 around the inner message: Submit and SubmitResponse (protocol.md section 2).
 */
#ifndef OBMEN_ENVELOPE_H
#define OBMEN_ENVELOPE_H

#include "lib/buf.h"
#include "lib/catalogue.h"

#define NS_SOAP11 "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_SUBMIT "http://services.egov.bg/messaging/"
#define SUBMIT_ACTION "http://services.egov.bg/messaging/IEGovService/Submit"

enum envelope_kind {
	ENVELOPE_REQUEST,  /* expects Submit/request */
	ENVELOPE_RESPONSE, /* expects SubmitResponse/SubmitResult, or Fault */
};

enum envelope_content {
	ENVELOPE_MESSAGE, /* an inner text was given to the callback */
	ENVELOPE_EMPTY,   /* empty, nil or absent: "no reply message" */
	ENVELOPE_FAULT,   /* a SOAP Fault: see envelope_fault_text */
};

struct envelope; /* reusable parser state */

/* Inner text, unescaped, in order. Returns FAULT_NONE to go on. */
typedef enum fault (*envelope_text_cb)(void *arg, const void *data, size_t len);

/* NULL without memory. */
struct envelope *envelope_new(void);
void envelope_free(struct envelope *);
/*
 * Reads an envelope as it arrives: any prefix, escaped text or CDATA, headers ignored, a leading
 * BOM of the envelope or of the inner text dropped, no DTD, UTF-8 only. The frame is parsed by
 * libxml2; only the text itself is unescaped here, because it is most of the bytes.
 */
bool envelope_begin(struct envelope *, enum envelope_kind, envelope_text_cb, void *arg);
enum fault envelope_feed(struct envelope *, const void *data, size_t len);
enum fault envelope_end(struct envelope *, enum envelope_content *content);
const char *envelope_detail(const struct envelope *);
const char *envelope_fault_text(const struct envelope *); /* faultstring, cut at 1 KiB */

/* Fixed text before and after the escaped inner message. */
const char *envelope_head(enum envelope_kind);
const char *envelope_tail(enum envelope_kind);
/* Appends a SubmitResponse with an empty result. */
bool envelope_add_empty_result(struct buf *);
/* Appends a SOAP Fault; caller is "Client" or "Server". */
bool envelope_add_fault(struct buf *, const char *caller, const char *text);
/* Our WSDL, with `location` as the endpoint address. */
bool envelope_add_wsdl(struct buf *, const char *location);

#endif
