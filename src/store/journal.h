/*
 * The journal's entries: their canonical text and the chain over them. No database here: obmenctl
 * checks exported evidence with the same functions.
 *
 * An entry is text: one `name value` a line, each ended by a line feed, names in the order of struct
 * journal_entry, what is absent left out. Control characters and % in values are written %XX. The
 * digest of entry N is the SHA-256 of its link, a text too, so that printf and sha256sum can follow:
 *
 *	obmen-link 1
 *	sequence N
 *	previous <digest of entry N - 1 in hex; 64 zeros before the first>
 *	entry <SHA-256 of the entry's text in hex>
 *
 * A chain can so be shown without the entries that are about other documents.
 */
#ifndef OBMEN_JOURNAL_H
#define OBMEN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/guid.h"
#include "lib/when.h"

#define JOURNAL_HASH 32
#define JOURNAL_LINK_SIZE 256
#define JOURNAL_TEXT_MAX 1024 /* bytes of one free text; what is longer is cut */

enum journal_kind {
	JOURNAL_START,    /* the journal begins: what was stored before has no entries */
	JOURNAL_RECEIVED, /* a message came in and was answered */
	JOURNAL_REFUSED,  /* the same, refused; its bytes are kept for a time only */
	JOURNAL_ACCEPTED, /* a document of our own was taken for sending */
	JOURNAL_SIGNED,   /* a message of our own was written and signed */
	JOURNAL_ATTEMPT,  /* an attempt to send it ended */
	JOURNAL_STATE,    /* a document came to another state */
	JOURNAL_OPERATOR, /* somebody changed something that is not a document */
	JOURNAL_ARCHIVED, /* older entries were moved to an archive file */
	JOURNAL_KIND_COUNT
};

/* Bytes that an entry vouches for; absent when size is 0. */
struct journal_bytes {
	uint64_t size;
	uint8_t sha256[JOURNAL_HASH];
};

struct journal_entry {
	when at;
	enum journal_kind kind;
	int64_t document;               /* row; 0 = none */
	uint64_t before;                /* the document's entry before this one; 0 = its first */
	bool first;                     /* known to be its first: not written, not looked up */
	const char *direction;          /* "in", "out" */
	struct guid guid, own, peer;    /* of the document and its two sides; zero = absent */
	const char *type;               /* of the message */
	struct guid message;            /* its GUID */
	struct journal_bytes body, answer, details, attachments;
	const uint8_t *certificate;     /* SHA-256 of the signer's certificate; NULL = absent */
	const uint8_t *connection;      /* of the connection's */
	const char *address;            /* peer's address or URL */
	when sent, ended;               /* WHEN_NONE = absent; zero too */
	uint64_t http_status;
	const char *state, *cause;      /* the state that the document came to, and why */
	const char *fault;              /* code */
	const char *by;                 /* who asked for it */
	const char *text;
};

/* The word of the line `kind`: "received". */
const char *journal_kind_name(enum journal_kind);

/* Appends the canonical text. */
bool journal_write(struct buf *out, const struct journal_entry *);
/* Writes the link's text; returns its length. */
size_t journal_link(char out[JOURNAL_LINK_SIZE], uint64_t sequence,
                    const uint8_t previous[JOURNAL_HASH], const uint8_t entry[JOURNAL_HASH]);
/* SHA-256 of the entry's text, then of the link. False when OpenSSL refuses. */
bool journal_digest(uint64_t sequence, const uint8_t previous[JOURNAL_HASH], const char *text,
                    size_t len, uint8_t entry[JOURNAL_HASH], uint8_t digest[JOURNAL_HASH]);

/* The value of the line with this name, not ended by NUL; NULL when there is none. */
const char *journal_field(const char *text, const char *name, size_t *len);
/* The same for lines of bytes ("body"); false when the line is absent or malformed. */
bool journal_bytes_of(const char *text, const char *name, struct journal_bytes *out);
/* Reads 64 hex digits of either case. */
bool journal_hex(const char *text, uint8_t out[JOURNAL_HASH]);
void journal_hex_write(const uint8_t hash[JOURNAL_HASH], char out[2 * JOURNAL_HASH + 1]);
/* Reads the line `at`; WHEN_NONE when it is malformed. */
when journal_at(const char *text);

#endif
