/* Who asks: what the certificate says, and what the ledger knows about it. */
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "authority/web_page.h"
#include "lib/guid.h"

/* ---- the certificate ---- */

static const char *
serial_of(struct web_exchange *x, X509 *c)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c), NULL);
	char *hex = n ? BN_bn2hex(n) : NULL;
	const char *text = web_format(x, "%s", hex ? hex : "");

	OPENSSL_free(hex);
	BN_free(n);
	return text;
}

static const char *
name_of(struct web_exchange *x, X509 *c)
{
	X509_NAME *subject = X509_get_subject_name(c);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	uint8_t *utf8 = NULL;
	int len = at < 0 ? -1 : ASN1_STRING_to_UTF8(&utf8,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	const char *text = web_format(x, "%.*s", len > 0 ? len : 0, utf8 ? (const char *)utf8 : "");

	OPENSSL_free(utf8);
	return text;
}

static const char *
end_of(struct web_exchange *x, X509 *c)
{
	char text[WHEN_TEXT_SIZE];
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(c), &tm) != 1)
		return "";
	when_format(timegm(&tm) * WHEN_SECOND, text);
	return web_format(x, "%s", text);
}

bool
web_certificate(struct web_exchange *x, const uint8_t *der, size_t len)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	const uint8_t *at = der;
	X509 *c = len ? d2i_X509(NULL, &at, (long)len) : NULL;

	if (!c)
		return false;
	SHA256(der, len, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(x->fingerprint + 2 * i, 3, "%02x", digest[i]);
	x->serial = serial_of(x, c);
	x->name = name_of(x, c);
	x->not_after = end_of(x, c);
	X509_free(c);
	return true;
}

json_t *
web_actor(const struct web_exchange *x)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "kind", "certificate", "fingerprint",
	    x->fingerprint, "serial", x->serial, "name", x->name);
}

/* ---- roles ---- */

static const struct {
	const char *name;
	unsigned bit;
} roles[] = {
    {"officer", WHO_OFFICER},
    {"registrar", WHO_REGISTRAR},
    {"ca-operator", WHO_CA_OPERATOR},
    {"auditor", WHO_AUDITOR},
};

unsigned
web_who(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "roles");
	unsigned who = 0;
	json_t *role;
	size_t i;

	if (json_array_size(json_object_get(answer, "participants")) > 0 ||
	    strcmp(web_string(answer, "kind"), "participant") == 0)
		who = WHO_PARTICIPANT;
	json_array_foreach (list, i, role) {
		for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
			if (json_is_string(role) &&
			    strcmp(json_string_value(role), roles[r].name) == 0)
				who |= roles[r].bit;
		}
	}
	return who ? who : WHO_STRANGER;
}

bool
web_is_own(const struct web_exchange *x, const char *guid)
{
	const json_t *own = json_object_get(web_answer(x, ASK_WHO), "participants");
	struct guid wanted, g;
	json_t *p;
	size_t i;

	if (!guid_parse_lenient(&wanted, guid))
		return false;
	json_array_foreach (own, i, p) {
		if (guid_parse_lenient(&g, web_string(p, "guid")) && guid_equal(&g, &wanted))
			return true;
	}
	return false;
}
