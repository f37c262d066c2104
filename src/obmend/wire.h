/*
 * What the roles of the node say to each other, beyond what all programs' roles do
 * (process/wire.h). One struct per message; wire.c holds one table of fields per struct.
 *
 * Unpacked strings and bytes point into the frame: valid until the handler returns. Strings are
 * NUL-terminated; NULL travels as NULL. Descriptors are named in the comment of each message, in
 * order; a struct's `body` says whether its bytes are inline or in a descriptor.
 */
#ifndef OBMEN_WIRE_H
#define OBMEN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/guid.h"
#include "lib/ipc.h"
#include "lib/when.h"
#include "process/wire.h"

enum wire_type {
	/* front <-> store: a file for a large body */
	WIRE_SPOOL = WIRE_OWN, /* struct wire_spool */
	WIRE_SPOOL_REPLY,   /* struct wire_spool_reply; fd: empty file for writing and reading */
	/* store -> front: may the doors be open? First thing on every channel */
	WIRE_MAINTENANCE,   /* struct wire_maintenance */
	/* front <-> codec */
	WIRE_INBOUND,       /* struct wire_inbound; fd: body unless inline */
	WIRE_REPLY,         /* struct wire_reply */
	/* codec <-> store: an incoming message */
	WIRE_RECEIVE,       /* struct wire_receive; fds: body unless inline, details unless inline */
	WIRE_RECEIVE_REPLY, /* struct wire_receive_reply */
	/* codec <-> signer */
	WIRE_SIGN,          /* struct wire_sign */
	WIRE_SIGN_REPLY,    /* struct wire_sign_reply */
	/* codec <-> directory */
	WIRE_LOOKUP,        /* struct wire_lookup */
	WIRE_LOOKUP_REPLY,  /* struct wire_lookup_reply: comes after the new snapshot, if any */
	/* directory -> codec, courier, control */
	WIRE_SNAPSHOT,      /* fd: sealed snapshot (register/snapshot.h) */
	/* store <-> codec: writing an outgoing message */
	WIRE_COMPOSE,       /* struct wire_compose; fds as its flags say */
	WIRE_COMPOSED,      /* struct wire_composed; fd: body unless inline */
	/* store <-> courier */
	WIRE_DELIVER,       /* struct wire_deliver; fd: body unless inline */
	WIRE_UNDELIVERED,   /* struct wire_undelivered */
	/* courier -> codec -> store: what the peer answered */
	WIRE_ANSWER,        /* struct wire_answer; fd: body unless inline */
	WIRE_ANSWERED,      /* struct wire_answered; fd: body unless inline */
	/* store -> codec -> courier -> codec -> store: a time stamp of the journal's head */
	WIRE_STAMP,         /* struct wire_stamp */
	WIRE_STAMP_ASK,     /* struct wire_stamp_answer, without response */
	WIRE_STAMP_ANSWER,  /* struct wire_stamp_answer */
	WIRE_STAMPED,       /* struct wire_stamped */
	/* store -> codec -> store: the signature of an archive */
	WIRE_SEAL,          /* struct wire_seal */
	WIRE_SEALED,        /* struct wire_sealed */
	/* codec -> courier -> codec: a test of the way to a participant, under control's query id */
	WIRE_PROBE,         /* struct wire_probe */
	WIRE_PROBED,        /* struct wire_probed; fd: body unless inline */
	WIRE_TYPE_COUNT
};

#define WIRE_INLINE_BODY (16 << 10)    /* larger bodies travel as descriptors */
#define WIRE_INLINE_DETAILS (12 << 10) /* larger details (JSON) too */
#define WIRE_ANSWER_MAX (12 << 10)     /* our signed answers are always smaller: limits of the model */
#define WIRE_MEMORY_BODY (256 << 10)   /* above this a body lies in a file of the store, not in memory */

/* A message's SOAP text. in_fd: in the first descriptor, `size` bytes from offset 0. */
struct wire_body {
	struct wire_bytes data; /* inline bytes, when !in_fd */
	bool in_fd;
	bool spooled;           /* the descriptor is a file that WIRE_SPOOL or WIRE_COMPOSE gave */
	uint64_t size;
};

struct wire_spool { uint64_t size; };       /* 0 = unknown (chunked) */
struct wire_spool_reply { uint64_t fault; };/* enum fault; FAULT_NONE: the descriptor is there */

/* in: nothing comes in; reason: what peers are told, in the operator's words. */
struct wire_maintenance { bool in; const char *reason; };

struct wire_inbound {
	when received;
	const char *peer_address;
	struct wire_bytes tls_certificate; /* DER; verified against the exchange CA by front */
	uint64_t certificate; /* index into conf.certificates: the listener's own */
	struct wire_body body;
};

struct wire_reply {
	uint64_t http_status; /* 200, 500 (SOAP fault), 503 (close without an answer) */
	struct wire_bytes body;
};

/* Who said it, with what proof: part of incoming messages and of answers. */
struct wire_proof {
	const char *peer_address;          /* or URL of the peer, for answers */
	struct wire_bytes tls_certificate; /* DER */
	struct wire_bytes certificate;     /* DER of the signing certificate; empty = the same */
	uint64_t method;                   /* enum signature_method */
	uint8_t fingerprint[32];           /* signature_fingerprint; zero when unsigned */
};

/* Number or URI of a document, and its GUID with the peer's spelling. */
struct wire_document_id {
	const char *number, *date;
	const char *uri_register, *uri_sequence, *uri_date;
	struct guid guid;
	const char *guid_text;
};

struct wire_status {
	uint64_t status; /* enum document_status */
	struct wire_document_id id;
	const char *reason;
	const char *date_close;
};

struct wire_receive {
	/* First try: `answered` false, and for a registration request the optimistic answer
	 * (DS_WAIT_REGISTRATION) in `answer`. When the reply asks for another answer, codec composes it
	 * and sends the same message again with `answered` true. Body descriptors travel each time. */
	bool answered;
	uint64_t fault;        /* enum fault: the message was refused; kept as evidence, never acted on */
	uint64_t message_type; /* enum message_type */
	when received;
	struct guid message_guid;
	const char *message_guid_text;
	const char *message_date;
	struct guid sender, recipient;
	const char *sender_name, *sender_eik;
	struct wire_proof proof;
	struct wire_document_id document; /* registration: the document; status request: what is asked */
	const char *kind, *about;         /* registration request, for lists */
	struct wire_bytes details;        /* JSON of all fields, for people (codec_details.h); inline or fd */
	bool details_in_fd;
	uint64_t details_size;
	struct wire_status status;        /* status response */
	bool error_has_guid;              /* error */
	struct guid error_guid;
	uint64_t error_type;
	const char *error_text;
	struct wire_body body;
	bool has_answer;
	struct guid answer_guid;          /* zero when the answer is the empty result */
	struct wire_bytes answer;         /* the SOAP text that will leave */
	uint64_t coming;                  /* messages that this codec has at its signer */
};

enum receive_outcome {
	RECEIVE_STORED,   /* committed with the answer: let it leave */
	RECEIVE_REPEAT,   /* exact repeat: send the stored answer */
	RECEIVE_CONFLICT, /* other content under this MessageGUID: answer an Error, then store */
	RECEIVE_KNOWN,    /* the document is known: answer `status` (or ALREADY_RECEIVED when it waits) */
	RECEIVE_STATUS,   /* a status request: answer `status` (NOT_FOUND when unknown), then store */
	RECEIVE_UNKNOWN,  /* a status response or error for something we never sent: answer an Error */
	RECEIVE_TEMPORARY,/* nothing was kept: fault says why (disk full, ...) */
};

struct wire_receive_reply {
	uint64_t outcome;
	uint64_t fault;
	struct wire_bytes answer;  /* RECEIVE_REPEAT */
	struct wire_status status; /* RECEIVE_KNOWN, RECEIVE_STATUS */
};

struct wire_sign {
	uint64_t certificate; /* index into conf.certificates */
	uint64_t method;      /* enum signature_method */
	struct wire_bytes digest;
};
struct wire_sign_reply { struct wire_bytes signature; }; /* empty: refused, logged by signer */

struct wire_lookup { struct guid guid; };
struct wire_lookup_reply { bool asked; }; /* false: not asked (rate limit) or register silent */

enum delivery_kind {
	DELIVERY_DOCUMENT, /* registration request */
	DELIVERY_STATUS,   /* status response: tells the sender what became of its document */
	DELIVERY_POLL,     /* status request: asks what became of ours */
	DELIVERY_KIND_COUNT
};

/* Work for codec: make the message of a delivery. fds: attachments (all bytes one after the other,
 * sizes in details), if has_attachments; then an empty file for a large result, if has_output. */
struct wire_compose {
	uint64_t kind;
	struct guid sender, recipient;
	bool sha256_seen;          /* the recipient has itself sent rsa-sha256 */
	struct wire_bytes details; /* DELIVERY_DOCUMENT: JSON of the document (codec_details.h) */
	bool has_attachments;
	bool has_output;
	bool details_in_fd;        /* then the last descriptor */
	uint64_t details_size;
	struct wire_document_id document;
	struct wire_status status; /* DELIVERY_STATUS */
};

struct wire_composed {
	uint64_t outcome; /* enum outcome */
	uint64_t fault;   /* when not DONE */
	const char *detail;
	struct guid message_guid;
	uint64_t method;
	struct wire_body body; /* the SOAP text that will be sent */
};

struct wire_deliver {
	uint64_t kind;
	struct guid sender, recipient;
	struct guid message_guid, document_guid;
	struct wire_body body;
};

enum undelivered_class {
	UNDELIVERED_CONNECT,   /* name, route, TCP or TLS: no byte of the message left */
	UNDELIVERED_HTTP,      /* an HTTP status that is neither 200 nor a SOAP fault */
	UNDELIVERED_AMBIGUOUS, /* the message may have arrived: poll before sending again */
	UNDELIVERED_HELD,      /* the recipient is TemporarilyInactive, or its breaker is open */
	UNDELIVERED_INACTIVE,  /* the recipient is Inactive or not in the register: stop */
	UNDELIVERED_AGAIN,     /* trouble of our own (memory, codec down): not an attempt */
};

struct wire_undelivered {
	uint64_t class;
	uint64_t fault;
	const char *detail;  /* the failing step in words, peer's status line */
	const char *url;
	when sent, ended;
	when retry;          /* not before this moment; WHEN_NONE = by the schedule */
	uint64_t http_status;
};

struct wire_answer {
	uint64_t kind;
	struct guid sender, recipient; /* of what we sent */
	struct guid message_guid, document_guid;
	const char *url;
	struct wire_bytes tls_certificate;
	uint64_t http_status;
	when sent, answered;
	struct wire_body body;
};

enum answer_kind {
	ANSWER_STATUS,       /* a verified status response */
	ANSWER_ERROR,        /* a verified Error */
	ANSWER_EMPTY,        /* no reply message: accepted */
	ANSWER_FAULT,        /* a SOAP fault, or HTTP 500 */
	ANSWER_UNVERIFIABLE, /* a message that proves nothing: outcome unknown, poll */
	ANSWER_UNREADABLE,   /* no message could be read from it: outcome unknown, poll */
};

struct wire_answered {
	uint64_t answer;           /* enum answer_kind */
	uint64_t fault;            /* why unverifiable or unreadable */
	const char *detail;        /* Error's description, fault string, parser's words */
	uint64_t error_type;
	struct wire_status status;
	struct guid answer_guid;   /* its MessageGUID */
	struct wire_proof proof;
	uint64_t http_status;
	when sent, answered;
	struct wire_body body;     /* the exact reply */
};

struct wire_seal { uint8_t digest[32]; }; /* SHA-256 of the file */
struct wire_sealed {
	uint8_t digest[32];
	struct wire_bytes cms; /* detached CMS signature, DER; empty: it could not be made */
};

/* The message is written, where it goes is courier's to find: in its own copy of the register. */
struct wire_probe {
	struct guid sender, recipient;
	struct guid message_guid, document_guid;
	struct wire_body body; /* inline */
};

struct wire_probed {
	struct guid sender, recipient;
	struct guid message_guid, document_guid;
	uint64_t fault;        /* it was not even begun: busy, not in the register, no usable URL */
	uint64_t stage;        /* enum http_stage */
	uint64_t findings;     /* TLS_FOUND_*, about the certificate below */
	uint64_t error, alert; /* errno of connect(2); the peer's TLS alert; 0 = none */
	bool timed_out;
	const char *detail;
	const char *url, *address;
	uint64_t http_status;
	when started, named, connected, secured, sent, ended;
	struct wire_bytes tls_certificate;
	struct wire_body body;
};

struct wire_stamp {
	uint64_t sequence;  /* of the journal's entry */
	uint8_t digest[32]; /* of that entry */
};

/* The request travels along, so that nobody has to remember it. */
struct wire_stamp_answer {
	uint64_t sequence;
	uint8_t digest[32];
	struct wire_bytes request;
	struct wire_bytes response; /* empty: detail says why there is none */
	const char *detail;
};

struct wire_stamped {
	uint64_t sequence;
	uint8_t digest[32];
	when at;                 /* what the authority says */
	struct wire_bytes token; /* the verified response; empty: detail says why there is none */
	const char *detail;
};

#endif
