/*
 * Which certificates are revoked: a small sealed set that directory makes of CRLs and OCSP answers,
 * and that the other roles look into. What is not in the set is not revoked: not knowing is never the
 * same as revoked.
 */
#ifndef OBMEN_REVOCATION_H
#define OBMEN_REVOCATION_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/when.h"

#define REVOCATIONS_MAX ((size_t)1 << 20)

struct revocation {
	uint8_t key[32]; /* SHA-256 over the issuer's name and the serial, both in DER */
	when at;         /* since when */
};

struct revocations;

/* False when a part cannot be encoded. */
bool revocation_key(const X509_NAME *issuer, const ASN1_INTEGER *serial, uint8_t key[32]);
/* Sorts the entries and writes them into a sealed memory descriptor; -1 without one. */
int revocations_seal(struct revocation *, size_t n);
/* Reads a set; takes the descriptor. NULL when it is not one. */
struct revocations *revocations_open(int fd);
void revocations_free(struct revocations *);
size_t revocations_count(const struct revocations *);
/* The moment since which the certificate is revoked, WHEN_NONE when it is not in the set. The set may
 * be NULL. */
when revocations_find(const struct revocations *, const X509 *);

#endif
