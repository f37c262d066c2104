/* One transport key of the node, as signer holds it. */
#ifndef OBMEN_SIGNER_KEY_H
#define OBMEN_SIGNER_KEY_H

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include "lib/conf.h"
#include "lib/when.h"
#include "message/signature.h"

#define SIGNER_KEY_BITS_MIN 2048
#define SIGNER_SIGNATURE_MAX (OPENSSL_RSA_MAX_MODULUS_BITS / 8)

struct signer_key {
	const char *name; /* of conf.certificates */
	EVP_PKEY *key;
	EVP_PKEY_CTX *methods[SIGNATURE_METHOD_COUNT]; /* made once: performance.md B6 */
	when not_after;   /* of its certificate */
	uint64_t messages, handshakes, refused;
};

/* Opens and checks the key: owner only, RSA, strong, the one of the certificate. False with a
 * logged reason. name stays borrowed. */
bool signer_key_load(struct signer_key *, const struct conf_certificate *);
void signer_key_free(struct signer_key *);

/* PKCS#1 v1.5 over a digest of exactly the method's length. Returns the signature's length, 0 =
 * refused. */
size_t signer_key_sign(struct signer_key *, enum signature_method, const uint8_t *digest,
                       size_t len, uint8_t out[SIGNER_SIGNATURE_MAX]);
/* Hashes and signs a handshake whose form was checked. digest is OpenSSL's name. */
size_t signer_key_sign_tls(struct signer_key *, const char *digest, bool pss, const uint8_t *tbs,
                           size_t len, uint8_t out[SIGNER_SIGNATURE_MAX]);

#endif
