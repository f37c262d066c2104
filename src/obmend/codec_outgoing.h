/* A message of our own becoming a SOAP text: written, signed elsewhere, finished. */
#ifndef OBMEN_CODEC_OUTGOING_H
#define OBMEN_CODEC_OUTGOING_H

#include "message/writer.h"
#include "soap/envelope.h"

#define OUTGOING_MEMORY ((size_t)16 << 20) /* texts that do not go to a file: large details */

struct outgoing {
	struct message message; /* filled before outgoing_begin */
	struct draft *draft;
	unsigned certificate;   /* index into conf.certificates: who signs */
	enum signature_method method;
	enum envelope_kind kind;
	struct buf text;  /* the SOAP text; with a file, what was not yet written to it */
	int fd;           /* a file for the text, borrowed; -1 = memory */
	uint64_t size;    /* bytes in the file */
	enum fault fault; /* DISK_FULL, STORE_FAILED, INTERNAL: after DRAFT_FAILED */
	bool temporary;   /* after DRAFT_FAILED: nothing is wrong with the message */
	char detail[256];
};

/* Starts with the envelope's head. `max` bounds the text in memory. False: see fault. */
bool outgoing_begin(struct outgoing *, const struct identity *, size_t max);
/* Writes about `budget` bytes of attachments. DRAFT_UNSIGNED: see draft_digest(o->draft). */
enum draft_state outgoing_step(struct outgoing *, size_t budget);
/* Adds the signature and the envelope's tail: DRAFT_DONE or DRAFT_FAILED. */
enum draft_state outgoing_sign(struct outgoing *, const void *signature, size_t len);
/* Forgets everything but some memory for the next. */
void outgoing_reset(struct outgoing *);
void outgoing_free(struct outgoing *);

#endif
