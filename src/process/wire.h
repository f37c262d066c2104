/*
 * What roles and their parent say to each other in every program, and how messages are packed. A
 * program adds its own messages from WIRE_OWN on, with their layouts in wire_own.
 *
 * Unpacked strings and bytes point into the frame: valid until the handler returns. Strings are
 * NUL-terminated; NULL travels as NULL. Descriptors are named in the comment of each message, in
 * order.
 */
#ifndef OBMEN_PROCESS_WIRE_H
#define OBMEN_PROCESS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/ipc.h"

struct layout; /* process/pack.h */

struct wire_bytes {
	const uint8_t *data;
	size_t len;
};

enum wire_base {
	/* parent -> role */
	WIRE_CONF = 1,   /* fd: sealed text of the configuration; payload: struct wire_conf. The first
	                  * one is what the program was started with, a further one a reload */
	WIRE_PEER,       /* fd: channel; struct wire_peer */
	WIRE_SYNC,       /* fd: raw channel to a signer for ipc_call */
	WIRE_GO,         /* all first channels were sent: enter sandbox and start */
	WIRE_STOP,
	/* role -> parent */
	WIRE_READY,
	/* any -> any: JSON request and reply; large JSON in a descriptor (wire_send_json) */
	WIRE_QUERY,
	WIRE_QUERY_REPLY,
	/* a role with TLS -> signer, by ipc_call: a TLS handshake */
	WIRE_TLS_SIGN,      /* struct wire_tls_sign */
	WIRE_TLS_SIGN_REPLY,/* the signature, nothing else; empty = refused */
	/* who keeps the lists of revoked certificates -> roles with TLS */
	WIRE_TRUST,         /* struct wire_trust; fd: sealed set of revoked certificates (lib/revocation.h) */
	/* any -> control: a line of its log, in logfmt; the frame's id is the line's number (lib/log.h) */
	WIRE_LOG,
	/* control <-> parent: read the configuration again */
	WIRE_RELOAD,        /* nothing */
	WIRE_RELOADED,      /* struct wire_reloaded */
	WIRE_BASE_COUNT
};

#define WIRE_OWN 32 /* the first type of a program's own */

struct wire_conf { const char *file_name; uint64_t workers; };
struct wire_peer { uint64_t role; uint64_t index; };
/* text: the problems, one a line, when not ok; otherwise what needs a new start to change. */
struct wire_reloaded { bool ok; const char *text; };

/* Signer hashes the bytes itself and signs only what is a TLS handshake by its form, so that a
 * captured front cannot have a document signed. */
struct wire_tls_sign {
	uint64_t certificate;
	const char *digest;  /* "SHA256", ... */
	bool pss;
	struct wire_bytes tbs;
};

/* switched: a bit for each of our own certificates that has given way to its successor. */
struct wire_trust { uint64_t switched; };

/* The layouts of WIRE_OWN and what follows; NULL: a message without a struct. Each program defines
 * its one. */
struct wire_family {
	const struct layout *const *layouts;
	unsigned count;
};
extern const struct wire_family wire_own;

/* NULL for types without a struct, and for unknown ones. */
const struct layout *wire_layout(unsigned type);
/* Packs a struct of the given type at the end of out / unpacks it; false when it does not fit, or
 * when the bytes are not a well-formed message of that type. */
bool wire_pack(struct buf *out, unsigned type, const void *message);
bool wire_unpack(const struct ipc_frame *, unsigned type, void *message);
/* pack + ipc_send. Takes the descriptors in any case. */
bool wire_send(struct ipc *, unsigned type, uint64_t id, const void *message, const int *fds,
               unsigned nfds);

/* JSON in WIRE_QUERY and WIRE_QUERY_REPLY: inline, or in a sealed descriptor appended after fds. */
struct json_t;
bool wire_send_json(struct ipc *, unsigned type, uint64_t id, const struct json_t *, const int *fds,
                    unsigned nfds);
/* A new reference, or NULL. The JSON's own descriptor, if any, is consumed; the others stay. */
struct json_t *wire_get_json(struct ipc_frame *);

/* The body's bytes in a sealed memory descriptor, or -1. */
int wire_memfd(const char *name, const void *data, size_t len);

#endif
