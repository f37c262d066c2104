/* Bytes in JSON: base64 for what machines read, hex for serials and digests. */
#ifndef OBMEN_AUTHORITY_JSON_H
#define OBMEN_AUTHORITY_JSON_H

#include <jansson.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/* A string of base64, or of hex in capitals; NULL without memory. */
json_t *json_base64(const void *data, size_t len);
json_t *json_hex(const uint8_t *data, size_t len);
/* Appends the decoded base64 of a member to out; false when it is absent or not base64. */
bool json_get_base64(const json_t *object, const char *key, struct buf *out);
/* Decodes a member of hex digits, either case, of at most size bytes; 0 when it is none. */
size_t json_get_hex(const json_t *object, const char *key, uint8_t *out, size_t size);
/* A string member, "" when absent. */
const char *json_text(const json_t *object, const char *key);
/* A certificate as everybody here describes it: der, serial, fingerprint, key_id, subject, name (CN),
 * key ("RSA 2048"), not_before, not_after. NULL without memory. */
json_t *json_certificate(X509 *);

#endif
