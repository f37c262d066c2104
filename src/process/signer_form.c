#include "process/signer_form.h"

#include <stdbool.h>
#include <string.h>

#define PADDING 64        /* spaces before the context string of TLS 1.3 */
#define RANDOMS 64        /* client and server random of TLS 1.2 */
#define SERVER_KEY_MAX 512
#define CURVE_NAMED 3

enum handshake {
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_SERVER_HELLO = 2,
	HANDSHAKE_CLIENT_KEY = 16,
};

static bool
known_hash(size_t len)
{
	return len == 32 || len == 48;
}

/* 64 spaces, the context string with its NUL, the hash of the transcript. */
static bool
is_verify(const uint8_t *tbs, size_t len, const char *context)
{
	size_t head = PADDING + strlen(context) + 1;

	if (len <= head || !known_hash(len - head))
		return false;
	for (size_t i = 0; i < PADDING; i++) {
		if (tbs[i] != ' ')
			return false;
	}
	return memcmp(tbs + PADDING, context, head - PADDING) == 0;
}

/* Both randoms, then curve type, curve, and one length-prefixed point that ends the bytes. */
static bool
is_server_key(const uint8_t *tbs, size_t len)
{
	const uint8_t *params = tbs + RANDOMS;

	return len > RANDOMS + 4 && len <= SERVER_KEY_MAX && params[0] == CURVE_NAMED &&
	    params[3] != 0 && len == RANDOMS + 4u + params[3];
}

/* Messages that fill the bytes exactly: ClientHello, ServerHello, ... ClientKeyExchange. */
static bool
is_transcript(const uint8_t *tbs, size_t len)
{
	size_t at = 0;
	uint8_t type = 0;

	for (unsigned n = 0; at < len; n++) {
		if (len - at < 4)
			return false;
		type = tbs[at];
		size_t size = (size_t)tbs[at + 1] << 16 | (size_t)tbs[at + 2] << 8 | tbs[at + 3];
		if ((n == 0 && type != HANDSHAKE_CLIENT_HELLO) ||
		    (n == 1 && type != HANDSHAKE_SERVER_HELLO) || size > len - at - 4)
			return false;
		at += 4 + size;
	}
	return type == HANDSHAKE_CLIENT_KEY;
}

enum tls_form
tls_form_of(const uint8_t *tbs, size_t len)
{
	if (len == 0)
		return TLS_FORM_NONE;
	if (is_verify(tbs, len, "TLS 1.3, server CertificateVerify"))
		return TLS_FORM_SERVER_VERIFY;
	if (is_verify(tbs, len, "TLS 1.3, client CertificateVerify"))
		return TLS_FORM_CLIENT_VERIFY;
	if (is_transcript(tbs, len))
		return TLS_FORM_TRANSCRIPT;
	/* Canonical XML could fill 64 random bytes, but has no byte 3 after them. */
	if (is_server_key(tbs, len))
		return TLS_FORM_SERVER_KEY;
	return TLS_FORM_NONE;
}
