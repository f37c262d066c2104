/* What a request for a TLS signature must look like before signer signs it. */
#ifndef OBMEN_SIGNER_FORM_H
#define OBMEN_SIGNER_FORM_H

#include <stddef.h>
#include <stdint.h>

enum tls_form {
	TLS_FORM_NONE,           /* not a handshake: refuse */
	TLS_FORM_SERVER_VERIFY,  /* TLS 1.3 server CertificateVerify (RFC 8446 section 4.4.3) */
	TLS_FORM_CLIENT_VERIFY,  /* the same of a client */
	TLS_FORM_SERVER_KEY,     /* TLS 1.2 ServerKeyExchange, named curve (RFC 8422 section 5.4) */
	TLS_FORM_TRANSCRIPT,     /* TLS 1.2 client: all messages so far (RFC 5246 7.4.8) */
};

/* The form of the bytes. None of the forms can be the start of a canonical SignedInfo. */
enum tls_form tls_form_of(const uint8_t *tbs, size_t len);

#endif
