/*
 * cert request, poll, renew, install: the node's transport certificate from the authority, by CMP
 * (RFC 9810, RFC 9483) over HTTP or in files. OpenSSL's own CMP client does the talking.
 *
 * The command runs as who may read the key (root, as a rule), not through signer: signer signs messages
 * of the exchange and TLS handshakes and nothing else, and a renewal is worth more than either.
 */
#ifndef OBMENCTL_ENROL_H
#define OBMENCTL_ENROL_H

#include <openssl/cmp.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/buf.h"
#include "obmenctl/ctl.h"

struct enrol {
	struct ctl *ctl;
	const char *server;     /* URL */
	const char *name;       /* canonical server name */
	const char *eik;        /* may be NULL */
	const char *reference;  /* NULL: by the old certificate */
	struct buf secret;
	const char *key_path, *certificate_path; /* of what is asked for */
	const char *ca_path;    /* read when it is there, else written; may be NULL */
	const char *user_prefix; /* of the node: whose signer will read the key; "": nobody else */
	const char *message_path; /* our message goes there instead of to a server; or comes from there */
	const char *answer_path;
	long wait;              /* seconds to wait for a decision */
	EVP_PKEY *key, *old_key;
	X509 *old;
	bool written;           /* the message is in its file */
	bool answered, waiting; /* the answer in its file was used; it said: wait */
	const char *unreachable; /* why no answer came */
};

/* -- enrol_key.c */

/* Reads the key, or makes one (RSA 2048, mode 0600, given to signer) when there is none and make is set.
 * NULL: said already. */
EVP_PKEY *enrol_key(struct enrol *, const char *path, bool make);
/* NULL: said already. */
X509 *enrol_certificate(struct enrol *, const char *path);
/* The secret's first line from a file, - is standard input. False: said already. */
bool enrol_secret(struct enrol *, const char *path);
/* Writes PEM beside the file and puts it in its place. False: said already. */
bool enrol_write(struct enrol *, const char *path, const STACK_OF(X509) *);

/* -- enrol_cmp.c */

enum enrol_result { ENROL_ISSUED, ENROL_WAITING, ENROL_WRITTEN, ENROL_FAILED };

/*
 * Asks for a certificate. ENROL_ISSUED: *certificate and *anchors are the caller's; ENROL_FAILED: said
 * already. ENROL_WAITING: nobody has decided within the time; asking again with the same key goes on.
 */
enum enrol_result enrol_ask(struct enrol *, X509 **certificate, STACK_OF(X509) **anchors);

#endif
