/*
 * The CMP server (RFC 9810, profile RFC 9483) on OpenSSL's own: one message in, one message out.
 *
 * OpenSSL's server context lives in memory and calls back synchronously. Here decisions come from
 * another process, may take days, and must outlive a new start. So no context is kept: for every
 * message one is made, the transaction's first message is put through it again, the last nonce is set,
 * and only then the message at hand is processed. A message is run twice: first without a decision, to
 * have the library verify it and to learn what it asks for; then with the decision.
 */
#ifndef OBMEN_AUTHORITY_CMP_H
#define OBMEN_AUTHORITY_CMP_H

#include "authority/certify.h"
#include "lib/cmp_envelope.h"

struct cmp_bytes {
	const uint8_t *data;
	size_t len;
};

/* The authority's side. Borrowed. */
struct cmp_self {
	struct certify_signer signer; /* certificate for CMP (certify_service) and its key, or a remote one */
	X509 *ca;
};

/* By what the sender is known: a reference and its secret, or a certificate that the caller found valid. */
struct cmp_credentials {
	struct cmp_bytes reference, secret;
	X509 *sender;
};

/* What the transaction has seen so far; both empty at its first message. */
struct cmp_transaction {
	struct cmp_bytes request;  /* the first message */
	struct cmp_bytes nonce;    /* our senderNonce in the last answer */
};

enum cmp_verdict {
	CMP_UNDECIDED, /* first run */
	CMP_WAITING,   /* a person has to decide */
	CMP_GRANTED,   /* .certificate; or revoked; or confirmation noted */
	CMP_DENIED,    /* .fault, .detail */
};

struct cmp_decision {
	enum cmp_verdict verdict;
	X509 *certificate;  /* borrowed: of a granted request; in certConf, in every run, the one given out */
	enum fault fault;
	const char *detail; /* in its brackets; may be NULL */
	unsigned check_after; /* seconds, when waiting */
	/* The denial may be said although protection could not be verified: nothing else ever is. */
	bool unverified;
};

enum cmp_asks { CMP_ASKS_NOTHING, CMP_ASKS_CERTIFICATE, CMP_ASKS_REVOCATION, CMP_ASKS_POLL,
	CMP_ASKS_CONFIRMATION };

struct cmp_asked {
	enum cmp_asks what;
	/* certificate: */
	enum fault fault;   /* the request itself is bad; FAULT_NONE: .request is filled */
	char detail[CERTIFY_DETAIL];
	struct certify_request request;
	/* revocation, and the certificate to be replaced in kur (serial_len 0: not named) */
	uint8_t serial[CERTIFY_SERIAL_MAX];
	size_t serial_len;
	/* confirmation: */
	bool accepted;
};

enum cmp_result {
	CMP_ANSWERED,   /* *answer and *nonce are there */
	CMP_ASKED,      /* *asked says for what: decide, and run again */
	CMP_UNVERIFIED, /* protection does not hold: run again with a denial that may be said unverified */
	CMP_MALFORMED,  /* not a message that OpenSSL can read */
	CMP_BROKEN,     /* no memory, or our own key does not work: answer nothing */
};

/*
 * Runs one message. With CMP_UNDECIDED nothing is signed, and no answer is made that depends on a
 * decision. answer is appended to; nonce is ours in it.
 */
enum cmp_result cmp_run(const struct cmp_self *, struct cmp_bytes message, const struct cmp_credentials *,
    const struct cmp_transaction *, const struct cmp_decision *, struct cmp_asked *, struct buf *answer,
    struct cmp_id *nonce);

#endif
