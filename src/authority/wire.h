/*
 * What the roles of the authority say to each other, beyond what all programs' roles do
 * (process/wire.h). Questions to the ledger are JSON in WIRE_QUERY: ledger.h.
 */
#ifndef OBMEN_AUTHORITY_WIRE_H
#define OBMEN_AUTHORITY_WIRE_H

#include "lib/when.h"
#include "process/wire.h"

enum authority_wire_type {
	/* front -> desk, ra; answered under the same id */
	WIRE_REQUEST = WIRE_OWN, /* struct wire_request; fd: body when body_in_fd */
	WIRE_RESPONSE,           /* struct wire_response; fd: body when body_in_fd */
	/* ledger -> desk */
	WIRE_REGISTER,           /* fd: sealed copy of the register (prepared.h) */
	AUTHORITY_WIRE_COUNT
};

#define WIRE_INLINE_BODY (16 << 10) /* larger bodies travel in sealed memory */

enum wire_listener {
	LISTENER_TLS,   /* mutual TLS: certificate is there */
	LISTENER_PLAIN, /* only what carries its own proof: CMP, CRL, OCSP */
};

/* One HTTP request whose head and body front has read whole. Absent fields are NULL. */
struct wire_request {
	uint64_t listener;          /* enum wire_listener */
	when received;
	const char *peer_address;
	struct wire_bytes certificate; /* DER of the client certificate, verified by front */
	const char *method, *path, *query, *host;
	const char *content_type, *soap_action, *cookie, *fetch_site, *accept_language;
	struct wire_bytes body;     /* unless body_in_fd */
	bool body_in_fd;            /* body_size bytes from offset 0 */
	uint64_t body_size;
};

struct wire_response {
	uint64_t status;           /* of HTTP; 0: close without an answer */
	const char *content_type;
	const char *fields;        /* more header lines, each ended by CRLF; may be NULL */
	struct wire_bytes body;    /* unless body_in_fd */
	bool body_in_fd;           /* body_size bytes from body_at on; the memory is sealed */
	uint64_t body_at, body_size;
};

#endif
