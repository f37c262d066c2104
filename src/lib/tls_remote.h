/* The two halves of the provider for remote keys: keys (tls_remote_key.c) and signatures
 * (tls_remote_sign.c). Nobody else includes this. */
#ifndef OBMEN_TLS_REMOTE_H
#define OBMEN_TLS_REMOTE_H

#include <openssl/bn.h>
#include <openssl/core.h>
#include <stdbool.h>
#include <stddef.h>

/* Counted references: libssl copies keys by reference only, signature contexts hold one each. */
struct remote_key {
	int references; /* atomic */
	BIGNUM *n, *e;
	int sync_fd;    /* -1: a public key only */
	unsigned certificate;
};

/* Bytes to be signed: on TLS 1.2 a client signs all handshake messages so far. */
#define REMOTE_TBS_MAX (40 << 10)
#define REMOTE_CALL_MS 5000

/* Counts a reference more, or one less and frees with the last; the modulus' bytes. */
struct remote_key *remote_key_ref(struct remote_key *);
void remote_key_unref(struct remote_key *);
size_t remote_key_size(const struct remote_key *);

extern const OSSL_DISPATCH remote_signature_functions[];

#endif
