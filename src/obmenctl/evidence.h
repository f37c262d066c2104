/* The file of evidence: a tar file with fixed names; obmen-evidence(5) describes it. */
#ifndef OBMENCTL_EVIDENCE_H
#define OBMENCTL_EVIDENCE_H

#include <stdint.h>

#include "obmenctl/ctl.h"

#define EVIDENCE_README "README.txt"
#define EVIDENCE_SUMS "SHA256SUMS"
#define EVIDENCE_CHAIN "journal/chain.txt"
#define EVIDENCE_ENTRY "journal/entry-%020lld.txt"  /* sequence */
#define EVIDENCE_BYTES "messages/%020lld-%s"        /* sequence, body.xml, answer.xml, details.json */
#define EVIDENCE_CERTIFICATE "certificates/%s.der"  /* SHA-256 in hex */
#define EVIDENCE_STAMP "stamps/%020lld.tsr"         /* sequence */
#define EVIDENCE_DOCUMENT "document.json"

/* What the expert reads first, Bulgarian and English. */
extern const char evidence_readme[];

/* SHA-256 of size bytes of fd from its start, in hex. False when they cannot be read. */
bool evidence_hash_fd(int fd, uint64_t from, uint64_t size, char out[65]);

/* Verbs. */
/* Judges the detached CMS signature in FILE.p7s, if there is one. False with *why; *present tells. ca
 * NULL: not checked who signed. signer: common name. */
bool evidence_seal_check(const char *file, const char *ca, bool *present, char signer[256],
                         const char **why);

/* The verbs. */
enum exit_status run_evidence_export(struct ctl *, struct command *);
enum exit_status run_evidence_verify(struct ctl *, struct command *);
enum exit_status run_evidence_check(struct ctl *, struct command *);
void render_evidence_archive(struct ctl *, const json_t *);

#endif
