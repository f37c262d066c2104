/* One decoded certificate with everything about it that does not change: inside of trust.h. */
#ifndef OBMEN_TRUST_ENTRY_H
#define OBMEN_TRUST_ENTRY_H

#include "message/trust.h"

struct trust_entry {
	/* identity in the cache */
	void *key;   /* base64 text or DER, as it was asked for */
	size_t key_len;
	bool der;
	uint64_t hash;
	struct trust_entry *next;           /* in its hash chain */
	struct trust_entry *newer, *older;  /* by last use */
	/* what is known */
	struct trusted facts;
	struct signature_checker checker;
	bool chains;              /* to a configured CA, times left aside */
	when chain_from, chain_to;/* when all certificates above it were valid together */
	when revoked_at;          /* it or one above it; WHEN_NONE = not revoked */
};

/* Reads what a certificate says about itself. Takes the certificate also when it fails. */
bool trust_entry_fill(struct trust_entry *, X509 *);
void trust_entry_free(struct trust_entry *);

#endif
