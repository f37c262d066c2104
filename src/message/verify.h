/*
 * Verifies one signed message offline: what `obmenctl verify` prints.
 */
#ifndef OBMEN_VERIFY_H
#define OBMEN_VERIFY_H

#include "message/message.h"
#include "message/signature.h"
#include "message/trust.h"

struct verify_options {
	const char *ca_file;  /* PEM; NULL = the chain is not checked */
	const char *crl_file; /* PEM or DER; NULL = none */
	when at;              /* moment of the check; WHEN_NONE = the message's own MessageDate */
};

struct verify_report {
	bool valid;        /* the signature is good and, if asked for, the certificate was trusted */
	enum fault fault;  /* why not; FAULT_NONE when valid */
	char detail[512];  /* words to the fault, "" when there is none */
	bool wrapped;      /* the file was a SOAP envelope around the message */
	bool header_known; /* sender, recipient and dates in `message` can be shown */
	struct message message;
	uint64_t bytes; /* of the inner message */
	/* signature; NONE where it could not be read */
	enum signature_method method;
	enum digest_method digest;
	enum c14n_method c14n, body_c14n;
	bool intact; /* digest and RSA value match, whoever signed */
	/* certificate */
	bool has_certificate;
	bool chain_checked;
	char subject[512]; /* RFC 2253 */
	char issuer[512];
	char common_name[256];
	char serial_hex[65];
	char eik[16];
	when not_before, not_after;
	uint8_t certificate_sha256[32];
	when at; /* the moment that was used */
	char schema_violation[256]; /* first deviation from the schema, "" = none; not a reason to refuse */
	uint8_t fingerprint[32];    /* signature_fingerprint */
};

/*
 * Reads the file (regular, seekable; borrowed, any offset) and fills the report: a bare message
 * or one inside a SOAP envelope, request or response. False only when the file could not be read
 * or memory ran out; then fault says which. Free with verify_report_free in any case.
 */
bool verify_file(int fd, const struct verify_options *, struct verify_report *);
void verify_report_free(struct verify_report *);

#endif
