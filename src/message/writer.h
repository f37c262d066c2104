/*
 * Writes messages in the compatible form (protocol.md section 4, "emit"): default namespace, no
 * unused declarations, no indentation, already canonical, so that the digest is taken over what is
 * written and no canonicalizer runs.
 *
 * A draft gives its bytes in pieces: unsigned part, then it waits for the signature (made in
 * another process), then the end.
 */
#ifndef OBMEN_WRITER_H
#define OBMEN_WRITER_H

#include "message/message.h"
#include "message/signature.h"

struct draft;

/* Receives the bytes of the inner message (XML declaration included), in order. Pieces that are
 * pure base64 are marked, because they need no escaping in SOAP. False stops the draft. */
typedef bool (*draft_piece_cb)(void *arg, const void *data, size_t len, bool base64);

enum draft_state { DRAFT_MORE, DRAFT_UNSIGNED, DRAFT_DONE, DRAFT_FAILED };

/*
 * Starts writing m, signed by id with the method. Both are borrowed until draft_free. m must be
 * complete: the writer refuses (DRAFT_FAILED) what the schema would not allow. Characters that XML
 * cannot hold and CR are replaced by a space.
 */
struct draft *draft_new(const struct message *m, const struct identity *id, enum signature_method,
                        draft_piece_cb, void *arg);
void draft_free(struct draft *);

/* Writes on for at most about `budget` bytes of attachments (0 = all). DRAFT_UNSIGNED: the digest to sign is
 * ready. */
enum draft_state draft_step(struct draft *, size_t budget);
/* What the signer must sign: digest of SignedInfo. Returns its length; valid after DRAFT_UNSIGNED. */
size_t draft_digest(const struct draft *, uint8_t out[64]);
/* Appends Signature and the end of the message. DRAFT_DONE or DRAFT_FAILED. */
enum draft_state draft_sign(struct draft *, const void *signature, size_t len);
/* What went wrong, for people; "" before. */
const char *draft_detail(const struct draft *);
/* True when the message itself is at fault, and writing it again would fail again; false when memory
 * ran out or the receiver of the bytes stopped. */
bool draft_refused(const struct draft *);

/* Exact size of the inner message when attachment sizes are known (attachment.size); 0 when the
 * message cannot be written. */
uint64_t draft_size(const struct message *m, const struct identity *, enum signature_method);

#endif
