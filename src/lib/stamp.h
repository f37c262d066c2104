/* Time stamps by RFC 3161, by OpenSSL's client. */
#ifndef OBMEN_STAMP_H
#define OBMEN_STAMP_H

#include <openssl/x509.h>
#include <stdbool.h>
#include "lib/buf.h"
#include "lib/when.h"

#define STAMP_HASH 32
#define STAMP_TOKEN_MAX (32 << 10) /* bytes of a response: 3 to 8 KiB are usual */
#define STAMP_REQUEST_TYPE "application/timestamp-query"

/* Authorities that stamps must chain to; NULL with *why when the file cannot be used. */
X509_STORE *stamp_authorities(const char *pem_file, const char **why);

/* Appends a TimeStampReq for this SHA-256, with a random nonce, asking for the certificate. */
bool stamp_request(struct buf *out, const uint8_t digest[STAMP_HASH]);

struct stamp {
	when at;             /* moment that the authority vouches for */
	char authority[256]; /* subject of its certificate, "" when the response holds none */
	char serial[64];     /* of the stamp, hex */
	char why[256];       /* why it is not good, "" otherwise */
};

/*
 * Checks a TimeStampResp: granted, for this digest, with the nonce of the request (NULL: the nonce is
 * not looked at), signed by an authority that chains to `authorities` (NULL: not checked who signed).
 * The authority's certificate is judged at the moment of the stamp. Fills out as far as it came.
 */
bool stamp_check(const void *response, size_t len, const uint8_t digest[STAMP_HASH],
                 const void *request, size_t request_len, X509_STORE *authorities,
                 struct stamp *out);

#endif
