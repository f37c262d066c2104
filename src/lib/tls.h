/* TLS contexts of the node: mutual, 1.2 or newer, private keys in the signer process. */
#ifndef OBMEN_TLS_H
#define OBMEN_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

/*
 * A private key that lives in another process: an EVP_PKEY whose signing operation is a synchronous
 * call (ipc_call, WIRE_TLS_SIGN) over sync_fd. Built as an OpenSSL provider, so that libssl uses it
 * like any key. The public half comes from the certificate. NULL with a logged reason.
 */
EVP_PKEY *tls_remote_key(X509 *certificate, unsigned certificate_index, int sync_fd);

struct revocations;

/* What is wrong with a server's certificate: bits. */
enum {
	TLS_FOUND_CHAIN = 1,    /* not issued by an authority of ours */
	TLS_FOUND_EXPIRED = 2,
	TLS_FOUND_NOT_YET = 4,
	TLS_FOUND_NAME = 8,
	TLS_FOUND_REVOKED = 16,
	TLS_FOUND_OTHER = 32,   /* words holds which */
	TLS_FOUND_ALL = 64,     /* above every bit */
};

struct tls_findings {
	unsigned bits;
	char words[128]; /* of the first one */
};

enum tls_side { TLS_SERVER, TLS_CLIENT };

struct tls_options {
	enum tls_side side;
	const char *ca_file;
	const char *crl_file;   /* may be NULL */
	const char *ciphers;    /* may be NULL */
	bool legacy;            /* TLS 1.0 and security level 0: a per-peer exception */
	struct revocations *const *revoked; /* looked at in every handshake; may be NULL, and so may what it
	                                     * points to; must outlive the context */
	bool verify_chain;      /* off: any certificate is taken, still demanded from clients */
	/* For tests of a peer, NULL otherwise: whatever is wrong with its certificate is added here and the
	 * handshake goes on. The caller clears it before, and decides after. Must outlive the context. */
	struct tls_findings *findings;
};

/*
 * A context with the certificate (and chain) of this PEM file and its remote key; the signer knows
 * it by its index. Server side: client
 * certificate demanded and verified, session tickets and cache on, renegotiation off. Client side:
 * chain verified; the name by the caller (SSL_set1_host), CN counts when there is no SAN
 * (section 8). NULL with a logged reason.
 */
SSL_CTX *tls_context(const char *file, unsigned certificate, int sync_fd,
                     const struct tls_options *);

/* The reason of the last failed handshake in words for people: OpenSSL's queue (which it empties)
 * and the verify result. Never empty. */
const char *tls_reason(SSL *, char *out, size_t size);
/* The same when the error was taken off the queue already, as libevent does
 * (bufferevent_get_openssl_error); 0 = none is known. */
const char *tls_reason_of(SSL *, unsigned long error, char *out, size_t size);
/* True for a fatal alert by which the other side ends a handshake. On TLS 1.3 a server may send it
 * after the client is done: then nothing that the client had sent was read. */
bool tls_handshake_alert(unsigned long error);
/* The number of the alert that the other side sent (RFC 8446 section 6); 0 when it sent none. */
int tls_alert_number(unsigned long error);

#endif
