#include "message/trust_entry.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static when
moment(const ASN1_TIME *t)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm))
		return WHEN_NONE;
	time_t seconds = timegm(&tm);
	/* the range of `when` */
	if (seconds > INT64_MAX / WHEN_SECOND)
		return INT64_MAX;
	if (seconds < 0)
		return 0;
	return (when)seconds * WHEN_SECOND;
}

static void
fill_name(const X509_NAME *name, int nid, char *out, size_t size)
{
	int i = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *text = NULL;

	out[0] = 0;
	if (i < 0)
		return;
	int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
	if (len > 0 && (size_t)len < size && !memchr(text, 0, (size_t)len)) {
		memcpy(out, text, (size_t)len);
		out[len] = 0;
	}
	OPENSSL_free(text);
}

/* ST = "B:<EIK>" (section 8). */
static void
fill_eik(const X509_NAME *name, char out[16])
{
	char state[64];

	out[0] = 0;
	fill_name(name, NID_stateOrProvinceName, state, sizeof state);
	size_t len = strlen(state);
	if (len < 3 || len > 17 || strncmp(state, "B:", 2) != 0)
		return;
	if (strspn(state + 2, "0123456789") == len - 2)
		memcpy(out, state + 2, len - 1);
}

/* Serials that are negative or over 32 bytes equal nothing: their text stays empty. */
static void
fill_serial(const ASN1_INTEGER *serial, struct trusted *t)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *bytes = ASN1_STRING_get0_data(serial);
	size_t len = (size_t)ASN1_STRING_length(serial);

	while (len > 0 && *bytes == 0) {
		bytes++;
		len--;
	}
	t->serial_long = len > 8;
	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER || len > 32) {
		t->serial_long = true;
		return;
	}
	for (size_t i = 0; i < len; i++) {
		t->serial = t->serial << 8 | bytes[i];
		t->serial_hex[2 * i] = digits[bytes[i] >> 4];
		t->serial_hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	if (len == 0)
		memcpy(t->serial_hex, "00", 3);
}

bool
trust_entry_fill(struct trust_entry *e, X509 *certificate)
{
	struct trusted *t = &e->facts;
	const X509_NAME *subject = X509_get_subject_name(certificate);
	unsigned len = sizeof t->sha256;

	t->certificate = certificate;
	t->key = e->checker.key = X509_get0_pubkey(certificate);
	t->checker = &e->checker;
	fill_serial(X509_get0_serialNumber(certificate), t);
	fill_name(subject, NID_commonName, t->common_name, sizeof t->common_name);
	fill_eik(subject, t->eik);
	t->not_before = moment(X509_get0_notBefore(certificate));
	t->not_after = moment(X509_get0_notAfter(certificate));
	return t->key && t->not_before != WHEN_NONE && t->not_after != WHEN_NONE &&
	    X509_digest(certificate, EVP_sha256(), t->sha256, &len) == 1;
}

void
trust_entry_free(struct trust_entry *e)
{
	if (!e)
		return;
	signature_checker_free(&e->checker);
	X509_free(e->facts.certificate);
	free(e->key);
	free(e);
}

/* Hex digits in upper case without separators and leading zeros; false for anything else. */
static bool
normalize_serial(const char *text, char out[65])
{
	size_t n = 0, digits = 0;

	for (const char *p = text; *p; p++) {
		if (strchr(" :\t\r\n", *p))
			continue;
		if (!strchr("0123456789abcdefABCDEF", *p) || n == 64)
			return false;
		digits++;
		if (n > 0 || *p != '0')
			out[n++] = *p >= 'a' ? (char)(*p - 'a' + 'A') : *p;
	}
	out[n] = 0;
	return digits > 0;
}

bool
trust_serial_equals(const struct trusted *t, const char *register_serial)
{
	char ours[65], theirs[65];

	return register_serial && normalize_serial(t->serial_hex, ours) &&
	    normalize_serial(register_serial, theirs) && strcmp(ours, theirs) == 0;
}
