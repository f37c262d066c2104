/*
 * The signature profile of SEOS (protocol.md section 4): what is accepted, what is emitted.
 */
#ifndef OBMEN_SIGNATURE_H
#define OBMEN_SIGNATURE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include "lib/buf.h"
#include "lib/catalogue.h"

enum signature_method {
	SIGNATURE_NONE,
	SIGNATURE_RSA_SHA1,
	SIGNATURE_RSA_SHA256,
	SIGNATURE_RSA_SHA384,
	SIGNATURE_RSA_SHA512,
	SIGNATURE_METHOD_COUNT
};

enum digest_method { DIGEST_NONE, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512,
	DIGEST_METHOD_COUNT };

enum c14n_method { C14N_NONE, C14N_INCLUSIVE, C14N_EXCLUSIVE };

#define SIGNATURE_CERTIFICATES_MAX 8

/*
 * What the reader found in /Message/ds:Signature. `fault` is set when the form itself is refused;
 * then nothing else counts. Filled by the reader, owned by it, valid until its next reader_begin.
 */
struct signature {
	enum fault fault;
	const char *fault_detail;
	enum c14n_method c14n;     /* of SignedInfo */
	enum c14n_method body_c14n;/* of the reference (inclusive when no transform names one) */
	enum signature_method method;
	enum digest_method digest;
	struct buf signed_info;    /* canonical SignedInfo */
	struct buf value;          /* decoded SignatureValue */
	uint8_t declared[64];      /* decoded DigestValue */
	uint8_t computed[64];      /* digest of the canonical message without the signature */
	size_t digest_len;
	/* base64 text of each X509Certificate, white space removed; .len 0 when there is none */
	struct buf certificates[SIGNATURE_CERTIFICATES_MAX];
	unsigned certificate_count;
};

/* The public half of an own transport certificate, made once at start. */
struct identity {
	X509 *certificate;
	char *base64;         /* DER in base64, one line */
	char *issuer;         /* X509IssuerName as eDelivery writes it (section 4) */
	char *serial_decimal; /* X509SerialNumber, non-negative */
};

/* Loads the first certificate of a PEM file. False with a logged reason. */
bool identity_load(struct identity *, const char *pem_file);
/* From memory; takes a reference of its own on the certificate. */
bool identity_from_x509(struct identity *, X509 *);
void identity_free(struct identity *);

/*
 * Checks digest and RSA value with this key. FAULT_NONE when the signature is good. The certificate
 * that goes with the key is the caller's business (message/trust.h).
 */
enum fault signature_check(const struct signature *, EVP_PKEY *key);

/* A public key for many checks: to prepare OpenSSL's context for it costs as much as a check, so it is
 * kept. */
struct signature_checker {
	EVP_PKEY *key;             /* borrowed */
	EVP_PKEY_CTX *ctx;         /* NULL: none yet */
	enum digest_method digest; /* that ctx is for */
};
/* The same as signature_check with its key. */
enum fault signature_check_again(const struct signature *, struct signature_checker *);
/* Frees what was kept; the key stays. */
void signature_checker_free(struct signature_checker *);

/* A stable name of the signed content: SHA-256 over SignedInfo and SignatureValue. Two messages with
 * one fingerprint are the same signed message, however they were wrapped. */
void signature_fingerprint(const struct signature *, uint8_t out[32]);

const char *signature_method_name(enum signature_method); /* "rsa-sha1", ... */
const char *signature_method_uri(enum signature_method);
enum digest_method signature_method_digest(enum signature_method);
const char *digest_method_uri(enum digest_method);
const EVP_MD *digest_method_md(enum digest_method); /* borrowed, fetched once per process */

#endif
