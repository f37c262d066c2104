/*
 * What a CMP message says on its outside (RFC 9810 section 5.1): OpenSSL 3.0 reads and checks the
 * messages, but shows neither senderKID nor senderNonce, which a server needs to find the secret and
 * to go on with a transaction after a new start. Nothing that is read here is verified.
 */
#ifndef OBMEN_CMP_ENVELOPE_H
#define OBMEN_CMP_ENVELOPE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMP_MESSAGE_MAX   (64 << 10) /* bytes of a message that we read */
#define CMP_ID_MAX        64         /* bytes of identifiers and nonces in the header; RFC 9483: 16 */
#define CMP_CERTS_MAX     8          /* certificates that may come with a message */
#define CMP_CONTENT_TYPE  "application/pkixcmp" /* RFC 9811 section 3.4 */

/* Tags of PKIBody. OpenSSL keeps its own list of the same numbers to itself. */
enum cmp_body {
	CMP_IR = 0, CMP_IP = 1, CMP_CR = 2, CMP_CP = 3, CMP_P10CR = 4, CMP_KUR = 7, CMP_KUP = 8,
	CMP_RR = 11, CMP_RP = 12, CMP_PKICONF = 19, CMP_GENM = 21, CMP_GENP = 22, CMP_ERROR = 23,
	CMP_CERTCONF = 24, CMP_POLLREQ = 25, CMP_POLLREP = 26,
};

struct cmp_id {
	uint8_t bytes[CMP_ID_MAX];
	size_t len; /* 0: absent */
};

struct cmp_envelope {
	int body;            /* enum cmp_body, or a tag that is none of these */
	bool mac, unprotected;
	struct cmp_id transaction, sender_nonce, recipient_nonce;
	struct cmp_id sender_kid; /* the reference, when protected by a shared secret */
	X509 *sender;        /* the first extra certificate (RFC 9483 section 3.3); NULL without one */
	int revocation_reason; /* of rr; 0 (unspecified) when none is given */
};

/* Reads a whole message. False when it is none, or too large. Free in any case. */
bool cmp_envelope_read(const void *der, size_t len, struct cmp_envelope *);
void cmp_envelope_free(struct cmp_envelope *);
/* Body type by its name in messages for people ("ir", "pollRep"). */
const char *cmp_body_name(int body);

#endif
