/*
 * The transport CA's crafts on OpenSSL: reading requests, making certificates, lists of revoked ones
 * and OCSP answers. Knows nothing of processes, files or databases; every moment, serial number and
 * decision comes from the caller.
 *
 * A certificate is always built from vetted fields and the profile (protocol.md section 8); nothing
 * that a requester encoded is copied into it but the public key.
 */
#ifndef OBMEN_AUTHORITY_CERTIFY_H
#define OBMEN_AUTHORITY_CERTIFY_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/when.h"

#define CERTIFY_CSR_MAX    (16 << 10) /* bytes of a request in DER */
#define CERTIFY_PEM_MAX    (32 << 10) /* and in PEM */
#define CERTIFY_KEY_MAX    1100       /* bytes of a SubjectPublicKeyInfo: RSA 8192 fits */
#define CERTIFY_NAME_MAX   64         /* X.520 ub-common-name, also for O, OU, L */
#define CERTIFY_SERIAL     8          /* bytes of every serial (protocol.md section 8) */
#define CERTIFY_SERIAL_MAX 20         /* of a foreign one (RFC 5280 section 4.1.2.2) */
#define CERTIFY_DETAIL     256

/* -- certify_request.c: what strangers ask for */

/* What was asked for, checked by its form. */
struct certify_request {
	char name[CERTIFY_NAME_MAX + 1];  /* CN: the canonical server name, lower case */
	char eik[14];                     /* from ST=B:<EIK>; "" when the subject names none */
	uint8_t key[CERTIFY_KEY_MAX];     /* SubjectPublicKeyInfo in DER */
	size_t key_len;
	uint8_t key_id[32];               /* SHA-256 of it: finds a key that was used before */
	char ignored[CERTIFY_DETAIL];     /* extensions that were asked for and will not be there, for people */
};

/*
 * Reads a PKCS#10 in DER, or in PEM, and checks it: form, name, key strength, proof of possession,
 * extensions. FAULT_NONE, or the fault with a detail for people. detail has CERTIFY_DETAIL bytes.
 */
enum fault certify_read_csr(const void *data, size_t len, struct certify_request *, char *detail);
/*
 * The same checks for the parts of a CMP certificate template, whose proof of possession the CMP
 * library has checked. extensions may be NULL.
 */
enum fault certify_read_parts(const X509_NAME *subject, const X509_PUBKEY *key,
    const STACK_OF(X509_EXTENSION) *extensions, struct certify_request *, char *detail);
/* Does it ask for what was assigned to the participant? An EIK that the request leaves out is not
 * missed: it is filled in from the register. */
enum fault certify_check_assigned(const struct certify_request *, const char *name, const char *eik,
    char *detail);

enum certify_kind { CERTIFY_PRODUCTION, CERTIFY_TEST };

/* A canonical server name: lower-case letters, digits and hyphens below the exchange's domain. Test
 * names have a first label that ends in -test or -t, others do not (protocol.md section 1). */
bool certify_name_valid(const char *name, const char *domain, enum certify_kind);
/* 9 or 13 digits. */
bool certify_eik_valid(const char *eik);

/* -- certify_issue.c: certificates */

/* A certificate and its private key, wherever that is. Borrowed by every function here. */
struct certify_signer {
	X509 *certificate;
	EVP_PKEY *key;
};

struct certify_profile {
	enum certify_kind kind;
	unsigned days;          /* validity */
	bool san;               /* subjectAltName with the name; peers of 2017 know CN only */
	const char *country;    /* two letters */
	const char *policy;     /* object identifier, NULL: none; and its CPS URI, NULL: none */
	const char *cps;
	const char *ocsp_url;   /* NULL: none */
	const char *crl_url;    /* NULL: none */
};

/* UTF-8; Latin letters by custom (certify_latin). Only name and eik must be there, others may be NULL. */
struct certify_subject {
	const char *name, *eik;
	const char *organisation, *unit, *place, *email;
};

/* What is wrong with a profile, for people; NULL when it is good. */
const char *certify_profile_fault(const struct certify_profile *);

/* Random, positive, first byte not zero: 16 hex digits in the register. False without randomness. */
bool certify_serial(uint8_t serial[CERTIFY_SERIAL]);
/*
 * A transport certificate, valid from `from` for the profile's days but never longer than the CA.
 * NULL with a logged reason. The caller frees it.
 */
X509 *certify_issue(const struct certify_signer *ca, const struct certify_profile *,
    const struct certify_subject *, const uint8_t *key, size_t key_len,
    const uint8_t serial[CERTIFY_SERIAL], when from);

enum certify_service { CERTIFY_OCSP, CERTIFY_CMP };

/* A certificate for the authority's own service: OCSP answers (with nocheck, RFC 6960 section
 * 4.2.2.2.1), protection of CMP messages (id-kp-cmcRA, RFC 9483 section 1.7). NULL with a logged reason. */
X509 *certify_service(const struct certify_signer *ca, enum certify_service, EVP_PKEY *,
    const uint8_t serial[CERTIFY_SERIAL], when from, unsigned days);
/* A self-signed CA. name: as in OpenSSL's one-line form, /CN=.../O=... NULL with a logged reason. */
X509 *certify_root(EVP_PKEY *, const char *name, const uint8_t serial[CERTIFY_SERIAL], when from,
    unsigned days);
/* Is this certificate a CA that may sign certificates and lists, with this key? NULL, or what is wrong. */
const char *certify_ca_fault(const struct certify_signer *);

/* Writes text in Latin letters by the law on transliteration, cut at a word to CERTIFY_NAME_MAX bytes. */
void certify_latin(const char *text, char out[CERTIFY_NAME_MAX + 1]);
/* Upper-case hex of a serial as the register shows it. */
void certify_serial_text(const X509 *, char out[2 * CERTIFY_SERIAL_MAX + 1]);

/* -- certify_crl.c: what is revoked */

struct certify_revoked {
	uint8_t serial[CERTIFY_SERIAL_MAX];
	size_t serial_len;
	when at;
	int reason; /* CRL_REASON_... of OpenSSL, RFC 5280 section 5.3.1 */
};

/* Reasons that people may give, by the names of RFC 5280: "keyCompromise"; -1 when there is no such. */
int certify_reason(const char *name);
const char *certify_reason_name(int reason);

/* A signed list; entries in any order. False with a logged reason. */
bool certify_crl(const struct certify_signer *ca, uint64_t number, when from, when until,
    const struct certify_revoked *, size_t n, struct buf *der);

/* -- certify_ocsp.c: one certificate's state */

#define CERTIFY_OCSP_MAX     4096 /* bytes of a request */
#define CERTIFY_OCSP_ITEMS   16   /* certificates in one request */
#define CERTIFY_OCSP_NONCE   32   /* bytes, RFC 9654 section 2.1 lets us refuse longer ones */

enum certify_state { CERTIFY_GOOD, CERTIFY_REVOKED, CERTIFY_UNKNOWN };

struct certify_ocsp {
	size_t count;
	struct certify_ocsp_item {
		int digest; /* NID of the digest by which the issuer was named */
		uint8_t serial[CERTIFY_SERIAL_MAX];
		size_t serial_len;
		/* filled by who knows: */
		enum certify_state state;
		when revoked_at;
		int reason;
	} items[CERTIFY_OCSP_ITEMS];
	uint8_t nonce[CERTIFY_OCSP_NONCE];
	size_t nonce_len; /* 0: none was sent */
};

/* Reads a request about certificates of this CA. Returns OCSP_RESPONSE_STATUS_SUCCESSFUL, or the
 * status to refuse it with (another issuer: UNAUTHORIZED, RFC 5019 section 2.2.3). */
int certify_ocsp_read(const void *der, size_t len, X509 *ca, struct certify_ocsp *);
/* The signed answer; the issuer's names are computed from ca, not taken from the request. False with a
 * logged reason. */
bool certify_ocsp_answer(const struct certify_ocsp *, X509 *ca, const struct certify_signer *, when from,
    when until, struct buf *der);
/* An answer that is only a status; it is not signed. */
bool certify_ocsp_refusal(int status, struct buf *der);

#endif
