/*
 * Reads one message as its bytes arrive: one parse gives the canonical digest, the schema verdict
 * and the model, so that what is used is what was verified (protocol.md section 4, performance.md B).
 *
 * Memory does not grow with attachments: runs of base64 inside AttBody go straight to the digest
 * and the decoder.
 */
#ifndef OBMEN_READER_H
#define OBMEN_READER_H

#include "lib/catalogue.h"
#include "message/message.h"
#include "message/signature.h"

struct reader; /* parser, digest and validator state; reusable, one message at a time */

struct reader_limits {
	unsigned depth;          /* elements inside each other */
	unsigned attributes;     /* of one element, and namespaces in scope */
	size_t text;             /* bytes in one text field */
	size_t fields;           /* bytes in all text fields together */
	unsigned attachments;
	unsigned correspondents;
};

/* Limits for which the contract of the product is tested. */
extern const struct reader_limits reader_default_limits;

/* Called with decoded attachment bytes, in order; index counts from 0. False stops the reading with
 * FAULT_INTERNAL. */
typedef bool (*reader_attachment_cb)(void *arg, unsigned index, const void *data, size_t len);

/* A parser for one message after the other; limits are copied. NULL without memory. */
struct reader *reader_new(const struct reader_limits *);
void reader_free(struct reader *);
/* From the next message on, whether attachment.sha256 is filled. */
void reader_hash_attachments(struct reader *, bool on);

/*
 * Starts a message. `m` is reset and filled. `hint` is the digest that this sender used last
 * (DIGEST_NONE if unknown: then SHA-1 and SHA-256 both run). `cb` may be NULL.
 */
bool reader_begin(struct reader *, struct message *m, enum digest_method hint,
                  reader_attachment_cb cb, void *arg);
/* The next bytes of the inner message, already unescaped. FAULT_NONE or the first fault. */
enum fault reader_feed(struct reader *, const void *data, size_t len);
/*
 * The end of the message. FAULT_NONE: well-formed, no DTD, and the model could be filled.
 * FAULT_DIGEST_AGAIN: the signature uses a digest, or a canonical form, that did not run: the caller
 * begins again with reader_signature()->digest as the hint and feeds the same bytes. The reader
 * itself remembers the form for that one repetition; a caller that gives up need not do anything.
 */
enum fault reader_end(struct reader *);

/* Detail for the fault (element, limit, parser's words); "" when there is none. */
const char *reader_detail(const struct reader *);
/* The signature, with .fault set if its form is refused. */
const struct signature *reader_signature(const struct reader *);
/* The first violation of the XML schema, or NULL. Known peers break it (section 3, deviations): it
 * is reported and counted, and refused only where the model cannot be filled. */
const char *reader_schema_violation(const struct reader *);
/* True when the header could be read although reader_end returned a fault: then the answer can be
 * a signed Error instead of a SOAP fault (section 2). */
bool reader_header_known(const struct reader *);

#endif
