#include "authority/json.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "authority/certify.h"
#include "lib/when.h"
#include "message/base64.h"

json_t *
json_base64(const void *data, size_t len)
{
	struct buf b = {0};
	json_t *j = NULL;

	if (len == 0 || buf_add_base64(&b, data, len))
		j = json_string(buf_str(&b));
	buf_free(&b);
	return j;
}

json_t *
json_hex(const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	struct buf b = {0};

	for (size_t i = 0; i < len; i++) {
		buf_addc(&b, digits[data[i] >> 4]);
		buf_addc(&b, digits[data[i] & 15]);
	}
	json_t *j = b.failed ? NULL : json_string(buf_str(&b));
	buf_free(&b);
	return j;
}

const char *
json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

bool
json_get_base64(const json_t *object, const char *key, struct buf *out)
{
	const json_t *j = json_object_get(object, key);
	size_t len = json_string_length(j);
	struct base64 decoder = {0};
	uint8_t *room = json_is_string(j) ? buf_room(out, base64_room(len)) : NULL;

	if (!room)
		return false;
	size_t n = base64_decode(&decoder, json_string_value(j), len, room);
	if (!base64_complete(&decoder))
		return false;
	out->len += n;
	return true;
}

static int
digit(char c)
{
	const char *at = c ? strchr("0123456789abcdef", c | 0x20) : NULL;

	return at ? (int)(at - "0123456789abcdef") : -1;
}

size_t
json_get_hex(const json_t *object, const char *key, uint8_t *out, size_t size)
{
	const char *text = json_text(object, key);
	size_t len = strlen(text);

	if (len % 2 || len / 2 > size)
		return 0;
	for (size_t i = 0; i < len; i += 2) {
		int high = digit(text[i]), low = digit(text[i + 1]);
		if (high < 0 || low < 0)
			return 0;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return len / 2;
}

static void
set_moment(json_t *c, const char *key, const ASN1_TIME *t)
{
	char text[WHEN_TEXT_SIZE];
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm))
		return;
	when_format((when)timegm(&tm) * WHEN_SECOND, text);
	json_object_set_new(c, key, json_string(text));
}

static void
set_subject(json_t *c, X509 *x)
{
	/* In the order of the certificate, letters as they are. */
	const unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)(XN_FLAG_DN_REV | ASN1_STRFLGS_ESC_MSB);
	BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL, name[CERTIFY_NAME_MAX + 1] = "";

	if (out && X509_NAME_print_ex(out, X509_get_subject_name(x), 0, form) >= 0) {
		long len = BIO_get_mem_data(out, &text);
		json_object_set_new(c, "subject", json_stringn(text, (size_t)len));
	}
	BIO_free(out);
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
	json_object_set_new(c, "name", json_string(name));
}

static void
set_key(json_t *c, X509 *x)
{
	uint8_t *der = NULL, digest[EVP_MAX_MD_SIZE];
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	const EVP_PKEY *key = X509_get0_pubkey(x);

	if (len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL))
		json_object_set_new(c, "key_id", json_hex(digest, 32));
	if (key)
		json_object_set_new(c, "key", json_sprintf("%s %d", EVP_PKEY_get0_type_name(key),
		    EVP_PKEY_get_bits(key)));
	OPENSSL_free(der);
}

/* In lower case, as TLS clients are named everywhere here. */
static json_t *
json_fingerprint(const uint8_t digest[32])
{
	struct buf b = {0};
	json_t *j = buf_add_hex(&b, digest, 32) ? json_string(buf_str(&b)) : NULL;

	buf_free(&b);
	return j;
}

json_t *
json_certificate(X509 *x)
{
	uint8_t *der = NULL, digest[EVP_MAX_MD_SIZE];
	char serial[2 * CERTIFY_SERIAL_MAX + 1];
	int len = i2d_X509(x, &der);
	json_t *c = len > 0 ? json_object() : NULL;

	if (!c)
		return NULL;
	certify_serial_text(x, serial);
	json_object_set_new(c, "der", json_base64(der, (size_t)len));
	json_object_set_new(c, "serial", json_string(serial));
	if (EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL))
		json_object_set_new(c, "fingerprint", json_fingerprint(digest));
	set_subject(c, x);
	set_key(c, x);
	set_moment(c, "not_before", X509_get0_notBefore(x));
	set_moment(c, "not_after", X509_get0_notAfter(x));
	OPENSSL_free(der);
	return c;
}
