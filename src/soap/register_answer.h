/*
 * The register's side of SOAP 1.1 rpc/encoded: reading what is asked, writing answers in the form of
 * the register in use, a PHP SoapServer (protocol.md section 7).
 */
#ifndef OBMEN_SOAP_REGISTER_ANSWER_H
#define OBMEN_SOAP_REGISTER_ANSWER_H

#include "lib/buf.h"
#include "soap/register.h"

#define REGISTER_REQUEST_MAX (256 << 10) /* bytes of a request that is looked at */
#define REGISTER_ARGUMENT_MAX 256        /* bytes of its argument */

struct register_call {
	enum register_operation operation;
	char argument[REGISTER_ARGUMENT_MAX]; /* without outer white space; "" when it takes none */
};

/*
 * Reads a request in memory: any prefix, any name of the part, headers and signatures ignored; no
 * DTD, no network, UTF-8 only. FAULT_NONE, or the fault with a detail in English (64 bytes).
 */
enum fault register_call_read(struct register_call *, const void *data, size_t len,
                              char detail[64]);

/* Texts are UTF-8; NULL is written as nil where the contract has it (phone, fax, email), and as
 * empty elsewhere. */
struct register_service {
	const char *guid, *name, *uri, *status, *type, *version;
};

struct register_entity {
	const char *eik, *guid, *parent, *name, *phone, *fax, *email, *serial, *status;
	const char *last_change; /* xsd:dateTime */
	const struct register_service *services;
	size_t service_count;
};

/* Each appends; false when it does not fit. An answer is a head, `count` entities, and a tail;
 * last_change NULL: there is none. */
bool register_answer_head(struct buf *, enum register_operation, size_t count);
bool register_answer_entity(struct buf *, const struct register_entity *);
bool register_answer_tail(struct buf *, enum register_operation, const char *last_change);
/* A SOAP fault; caller is "Client" or "Server". */
bool register_answer_fault(struct buf *, const char *caller, const char *text);

/* The contract, with `location` (escaped here) as the service's address, and the schema that it
 * imports from LOCATION?xsd=encoding, so that no reader needs the Internet. */
bool register_wsdl(struct buf *, const char *location);
bool register_encoding_schema(struct buf *);

#endif
