/* A certificate for a client of the pages, signed by itself: front has verified real ones. */
#ifndef OBMEN_WEB_CERTIFICATE_H
#define OBMEN_WEB_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>

/* DER, to be freed with free; NULL when OpenSSL fails. */
static uint8_t *
web_certificate_new(const char *name, long serial, size_t *len)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *c = X509_new();
	X509_NAME *subject = X509_get_subject_name(c);
	uint8_t *der = NULL, *copy = NULL;

	ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(c, subject);
	ASN1_TIME_set_string_X509(X509_getm_notBefore(c), "20260101000000Z");
	ASN1_TIME_set_string_X509(X509_getm_notAfter(c), "20261220080000Z");
	X509_set_pubkey(c, key);
	X509_sign(c, key, EVP_sha256());
	int n = i2d_X509(c, &der);
	*len = n > 0 ? (size_t)n : 0;
	copy = n > 0 ? malloc(*len) : NULL;
	if (copy)
		memcpy(copy, der, *len);
	OPENSSL_free(der);
	X509_free(c);
	EVP_PKEY_free(key);
	return copy;
}

#endif
