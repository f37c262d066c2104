/* Where the CA's private key is: in a file, or in a token behind PKCS#11. */
#ifndef OBMEN_AUTHORITY_CA_KEY_H
#define OBMEN_AUTHORITY_CA_KEY_H

#include "authority/certify.h"

/*
 * Opens key and certificate and checks that they belong together and may sign (certify_ca_fault).
 * key: a PEM file that others may not read, or a pkcs11: URI (RFC 7512), with the PIN in pin_file, or
 * in the URI's pin-value or pin-source.
 * The URI goes to OpenSSL's engine "pkcs11", which Debian 12 and 13 both have
 * (libengine-pkcs11-openssl); the provider of the same purpose is only in 13. False with a logged reason.
 */
bool ca_key_open(struct certify_signer *, const char *certificate, const char *key,
    const char *pin_file);
/* Frees both. */
void ca_key_close(struct certify_signer *);

#endif
