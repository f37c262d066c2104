/*
 * What the register of participants is asked and how its answers are read: SOAP 1.1 rpc/encoded
 * (protocol.md section 7).
 */
#ifndef OBMEN_SOAP_REGISTER_H
#define OBMEN_SOAP_REGISTER_H

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "register/snapshot.h"

#define NS_REGISTER "uri:egovmsg"

enum register_operation {
	REGISTER_ALL,       /* GetAllRecords */
	REGISTER_NEW,       /* GetNewRecords(date) */
	REGISTER_BY_EIK,    /* GetByEntityIdentifier */
	REGISTER_BY_GUID,   /* GetByGuid */
	REGISTER_BY_SERIAL, /* GetByCertificateSN */
	REGISTER_OPERATION_COUNT
};

/* "GetAllRecords". */
const char *register_operation_name(enum register_operation);
/* SOAPAction, unquoted. */
const char *register_action(enum register_operation);
/* Appends the whole request. The argument is escaped; NULL for REGISTER_ALL. */
bool register_request(struct buf *, enum register_operation, const char *argument);
/* A moment as the argument of REGISTER_NEW: xsd:dateTime in whole seconds. */
void register_date(when, char out[WHEN_TEXT_SIZE]);

struct register_reader; /* parser state for one answer at a time; reusable */

struct register_limits {
	unsigned depth;      /* elements inside each other */
	size_t text;         /* bytes in one value */
	size_t entity;       /* bytes of memory for one participant while it is read */
	size_t kept;         /* bytes of memory for everything that must wait for a reference */
	size_t participants;
};

extern const struct register_limits register_default_limits;

/* One participant, in the order of the answer; strings are valid until the callback returns. False
 * stops the reading (no memory). */
typedef bool (*register_participant_cb)(void *arg, const struct participant *);

/* limits NULL = register_default_limits. NULL without memory. */
struct register_reader *register_reader_new(const struct register_limits *);
void register_reader_free(struct register_reader *);

/*
 * Reads an answer of any operation as it arrives. Tolerant as section 7 wants it: any prefix, any
 * order, nil, unknown elements, href/id references forwards and backwards, odd Versions; network
 * off, no DTD. Memory does not grow with the answer, but with what waits for a forward reference.
 */
bool register_reader_begin(struct register_reader *, register_participant_cb, void *arg);
/* FAULT_NONE, or FAULT_REGISTER_ANSWER, or FAULT_INTERNAL without memory. */
enum fault register_reader_feed(struct register_reader *, const void *data, size_t len);

struct register_answer {
	size_t participants; /* given to the callback */
	size_t skipped;      /* entities without a readable GUID */
	when last_change;    /* of the answer, else the newest participant's; WHEN_NONE */
};

/* The end of the answer: faults as above; else fills the figures. */
enum fault register_reader_end(struct register_reader *, struct register_answer *);
/* The parser's words, the limit, the register's own faultstring; "" when there is none. */
const char *register_reader_detail(const struct register_reader *);

#endif
