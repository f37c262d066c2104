/* Why a handshake failed, in words: the cause, not a line number of the library (complaints C2, C12). */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "lib/tls.h"

struct words {
	int code;
	const char *text;
};

static const struct words verify_words[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "certificate expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "certificate not yet valid"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate of an unknown CA"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate of an unknown CA"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate of an unknown CA"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate of an unknown CA (self-signed)"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate of an unknown CA"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate with a wrong signature of its CA"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another name"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another address"},
    {X509_V_ERR_CERT_REVOKED, "certificate revoked"},
    {X509_V_ERR_INVALID_PURPOSE, "certificate is not for this use"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "chain of certificates too long"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "key of the certificate too weak"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "digest of the certificate's signature too weak"},
};

static const struct words reason_words[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the peer sent no client certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers only older protocol versions"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS here"},
    {SSL_R_HTTP_REQUEST, "the peer sent plain HTTP"},
    {SSL_R_NO_SHARED_CIPHER, "no cipher in common"},
    {SSL_R_NO_SHARED_GROUPS, "no key exchange group in common"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no signature algorithm in common"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the peer closed the connection"},
    {SSL_R_DH_KEY_TOO_SMALL, "key exchange of the peer too weak"},
    {SSL_R_EE_KEY_TOO_SMALL, "key of the certificate too weak"},
    {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, "the peer has no secure renegotiation"},
    {SSL_R_LENGTH_MISMATCH, "malformed handshake"},
    {SSL_R_BAD_SIGNATURE, "the peer's signature of the handshake is wrong"},
};

/* RFC 8446 section 6; after "refused by the peer: ". */
static const struct words alert_words[] = {
    {SSL_AD_HANDSHAKE_FAILURE, "no common parameters or no certificate it accepts"},
    {SSL_AD_BAD_CERTIFICATE, "our certificate is not valid"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, "our certificate is of an unsupported kind"},
    {SSL_AD_CERTIFICATE_REVOKED, "our certificate is revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED, "our certificate is expired"},
    {SSL_AD_CERTIFICATE_UNKNOWN, "our certificate is not accepted"},
    {SSL_AD_UNKNOWN_CA, "our certificate is of a CA unknown to it"},
    {SSL_AD_ACCESS_DENIED, "access denied"},
    {SSL_AD_DECRYPT_ERROR, "our signature of the handshake is wrong"},
    {SSL_AD_PROTOCOL_VERSION, "protocol version"},
    {SSL_AD_INSUFFICIENT_SECURITY, "it wants stronger ciphers"},
    {SSL_AD_NO_RENEGOTIATION, "no renegotiation"},
    {SSL_AD_UNRECOGNIZED_NAME, "it does not know the name"},
    {TLS13_AD_CERTIFICATE_REQUIRED, "it wants a client certificate"},
};

#define COUNT(table) (sizeof table / sizeof *table)

static const char *
find_words(const struct words *table, size_t count, int code)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i].code == code)
			return table[i].text;
	}
	return NULL;
}

/* The alert's number, or -1 when the error is none that the peer sent. */
static int
alert_of(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET ||
	    reason > SSL_AD_REASON_OFFSET + 255)
		return -1;
	return reason - SSL_AD_REASON_OFFSET;
}

int
tls_alert_number(unsigned long error)
{
	int alert = alert_of(error);

	return alert > 0 ? alert : 0;
}

bool
tls_handshake_alert(unsigned long error)
{
	int alert = alert_of(error);

	return alert >= 0 && find_words(alert_words, COUNT(alert_words), alert);
}

static const char *
describe_error(unsigned long error, char *out, size_t size)
{
	int alert = alert_of(error);

	if (alert >= 0) {
		const char *text = find_words(alert_words, COUNT(alert_words), alert);
		if (!text)
			text = SSL_alert_desc_string_long(alert);
		snprintf(out, size, "refused by the peer: %s (alert %d)", text, alert);
		return out;
	}
	const char *text = NULL;
	if (ERR_GET_LIB(error) == ERR_LIB_SSL)
		text = find_words(reason_words, COUNT(reason_words), ERR_GET_REASON(error));
	if (!text && ERR_SYSTEM_ERROR(error))
		text = strerror(ERR_GET_REASON(error));
	if (!text)
		text = ERR_reason_error_string(error);
	snprintf(out, size, "%s", text ? text : "unknown TLS error");
	return out;
}

const char *
tls_reason_of(SSL *ssl, unsigned long error, char *out, size_t size)
{
	long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	/* An alert is the peer's own reason, whatever we think of its certificate. */
	if (verdict != X509_V_OK && alert_of(error) < 0) {
		const char *text = find_words(verify_words, COUNT(verify_words), (int)verdict);
		snprintf(out, size, "%s", text ? text : X509_verify_cert_error_string(verdict));
		return out;
	}
	if (error)
		return describe_error(error, out, size);
	snprintf(out, size, "the peer closed the connection");
	return out;
}

const char *
tls_reason(SSL *ssl, char *out, size_t size)
{
	unsigned long error = ERR_peek_error();

	ERR_clear_error();
	return tls_reason_of(ssl, error, out, size);
}
