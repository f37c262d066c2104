/*
 * Certificates of the exchange: chain, validity, revocation, and the registered serial
 * (protocol.md section 4 and 8). Decoded certificates are cached by their base64 text, because
 * decoding one costs a third of a signature (performance.md B5).
 */
#ifndef OBMEN_TRUST_H
#define OBMEN_TRUST_H

#include <openssl/x509.h>
#include "lib/catalogue.h"
#include "lib/revocation.h"
#include "lib/when.h"
#include "message/signature.h"

struct trust;

#define TRUST_CACHE_ENTRIES 4096

struct trust_options {
	const char *ca_file;  /* PEM, one or more CA certificates; NULL = no chain is checked */
	const char *crl_file; /* PEM or DER CRLs; NULL = none */
};

struct trusted {
	X509 *certificate;   /* borrowed from the cache: valid until the next trust_find */
	EVP_PKEY *key;
	struct signature_checker *checker; /* with this key; borrowed like the certificate */
	uint64_t serial;     /* numeric; serial_long when it has more than 8 bytes */
	bool serial_long;
	char serial_hex[65]; /* upper-case, no leading zeros beyond whole bytes */
	char common_name[256];
	char eik[16];        /* digits of ST=B:<EIK>, "" when absent (section 8) */
	when not_before, not_after;
	uint8_t sha256[32];  /* fingerprint of the DER */
};

/* NULL with a logged reason when a file cannot be read or holds no certificate. */
struct trust *trust_new(const struct trust_options *);
void trust_free(struct trust *);

/*
 * Finds or decodes the certificate with this base64 text (no white space) and checks it at the
 * given moment. FAULT_NONE, or: undecodable, not chaining, not yet valid, expired, revoked. `out`
 * is filled whenever the certificate could be decoded at all.
 */
enum fault trust_find(struct trust *, const char *base64, size_t len, when at, struct trusted *out);
/* The same for DER. */
enum fault trust_find_der(struct trust *, const void *der, size_t len, when at, struct trusted *out);

/* Certificates that directory knows to be revoked, beside those of the CRL file; borrowed until the next
 * call, NULL = none. */
void trust_set_revoked(struct trust *, const struct revocations *);

/* Reads the register's CertificateSN (hex of any case, leading zeros) and compares numerically. */
bool trust_serial_equals(const struct trusted *, const char *register_serial);

#endif
