/*
 * The SEOS message: Header and one of four bodies (protocol.md section 3).
 *
 * Strings are UTF-8 and NUL-terminated; NULL means that the element is absent. Everything is owned
 * by the arena: a message is freed as a whole.
 */
#ifndef OBMEN_MESSAGE_H
#define OBMEN_MESSAGE_H

#include <stdint.h>
#include "lib/arena.h"
#include "lib/guid.h"
#include "lib/when.h"

#define NS_MESSAGE "http://schemas.egov.bg/messaging/v1"
#define NS_DSIG "http://www.w3.org/2000/09/xmldsig#"

enum message_type {
	MESSAGE_NONE,
	MESSAGE_REGISTRATION_REQUEST, /* MSG_DocumentRegistrationRequest */
	MESSAGE_STATUS_REQUEST,       /* MSG_DocumentStatusRequest */
	MESSAGE_STATUS_RESPONSE,      /* MSG_DocumentStatusResponse */
	MESSAGE_ERROR,                /* MSG_Error */
	MESSAGE_TYPE_COUNT
};

/* The seven that are valid on the wire; UNKNOWN stands for anything else a peer may write. */
enum document_status {
	STATUS_UNKNOWN,
	STATUS_WAIT_REGISTRATION,
	STATUS_REGISTERED,
	STATUS_STOPPED,
	STATUS_CLOSED,
	STATUS_NOT_FOUND,
	STATUS_ALREADY_RECEIVED,
	STATUS_REJECTED,
	STATUS_COUNT
};

enum error_type { ERROR_INTERNAL, ERROR_EXTERNAL }; /* ERR_INTERNAL, ERR_EXTERNAL */

/* Sender and Recipient (EntityNodeType). */
struct party {
	const char *eik;       /* Identifier */
	const char *name;      /* AdministrativeBodyName */
	struct guid guid;
	const char *guid_text; /* the peer's own spelling; NULL when we write: then guid is used */
};

/* DocumentIdentificationType: a number with a date, or a URI, or neither; then the GUID. */
struct document_id {
	const char *number;       /* DocNumber: opaque text */
	const char *date;         /* DocDate: xsd:date */
	const char *uri_register; /* DocumentURI/RegisterIndex, digits */
	const char *uri_sequence; /* DocumentURI/SequenceNumber, digits */
	const char *uri_date;     /* DocumentURI/ReceiptOrSigningDate */
	bool has_uri;
	struct guid guid;         /* DocumentGUID: always the original sender's */
	const char *guid_text;    /* as the peer spelled it: echoed exactly (section 10, IB) */
};

struct correspondent {
	const char *name, *city; /* required */
	const char *address, *egn, *id_card, *bulstat, *email, *phone, *mobile, *mol, *comment;
	const char *kind; /* Corr_Applicant, Corr_Other */
	struct correspondent *next;
};

struct attachment {
	const char *file_name;
	const char *comment;
	const char *mime_type;
	uint64_t size;  /* decoded bytes */
	uint8_t sha256[32]; /* of the decoded bytes; reader fills it only when asked to */
	int fd;          /* writer: source of the bytes, borrowed; reader: -1 */
	uint64_t offset; /* writer: where in fd the bytes start */
	struct attachment *next;
};

struct document {
	struct document_id id;
	bool has_parent;
	struct document_id parent; /* a parent equal to the document itself is read as none */
	const char *kind;
	struct correspondent *correspondents;
	struct attachment *attachments;
	unsigned attachment_count;
	const char *about;
	const char *service_name, *service_type, *service_code;
	const char *comment;
	const char *date_close; /* DocReqDateClose */
	const char *attention_to;
	bool has_signature; /* a document-level ds:Signature: payload, never trust (section 4) */
};

struct status_report {
	struct document_id id;  /* number or URI are the recipient's */
	enum document_status status;
	const char *status_text; /* as received */
	const char *reason;      /* RejectionReason */
	const char *date_close;  /* DocExpectCloseDate */
};

struct error_report {
	bool has_message_guid;
	struct guid message_guid; /* the message that caused the error */
	enum error_type type;
	const char *description;
};

struct message {
	struct arena arena;
	const char *version;
	enum message_type type;
	when date;
	const char *date_text;
	struct party sender, recipient;
	struct guid guid; /* MessageGUID */
	const char *guid_text;
	/* by type: */
	struct document document; /* registration request */
	const char *comment;      /* registration request: Comment */
	struct document_id asked; /* status request */
	struct status_report status;
	struct error_report error;
};

/* Empties m for the next use; m may be zeroed memory. */
void message_reset(struct message *m);
void message_free(struct message *m);

/* Wire names. The parsers return MESSAGE_NONE / STATUS_UNKNOWN for anything else. */
const char *message_type_name(enum message_type);
enum message_type message_type_parse(const char *, size_t);
const char *document_status_name(enum document_status);
enum document_status document_status_parse(const char *, size_t);

#endif
