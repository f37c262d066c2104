/* Certificates of the profile, of the authority's own services, of the CA itself. */
#include "authority/certify.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

#define DAY ((when)86400 * WHEN_SECOND)

/* Extensions as OpenSSL's own configuration writes them: one page that shows each profile. */
static const char transport_extensions[] =
    "basicConstraints = critical, CA:FALSE\n"
    "keyUsage = critical, digitalSignature, keyEncipherment, dataEncipherment\n"
    "extendedKeyUsage = serverAuth, clientAuth\n"
    "subjectKeyIdentifier = hash\n"
    "authorityKeyIdentifier = keyid\n";
static const char *const service_extensions[] = {
	[CERTIFY_OCSP] = "[own]\n"
	                 "basicConstraints = critical, CA:FALSE\n"
	                 "keyUsage = critical, digitalSignature\n"
	                 "extendedKeyUsage = OCSPSigning\n"
	                 "noCheck = ignored\n"
	                 "subjectKeyIdentifier = hash\n"
	                 "authorityKeyIdentifier = keyid\n",
	[CERTIFY_CMP] = "[own]\n"
	                "basicConstraints = critical, CA:FALSE\n"
	                "keyUsage = critical, digitalSignature\n"
	                "extendedKeyUsage = cmcRA\n"
	                "subjectKeyIdentifier = hash\n"
	                "authorityKeyIdentifier = keyid\n",
};
static const char root_extensions[] = "[own]\n"
				      "basicConstraints = critical, CA:TRUE, pathlen:0\n"
				      "keyUsage = critical, keyCertSign, cRLSign\n"
				      "subjectKeyIdentifier = hash\n";

static X509 *
give_up(X509 *x, const char *what)
{
	char reason[160];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
	log_error("ca.certificate", "step=\"%s\" reason=\"%s\"", what, reason);
	ERR_clear_error();
	X509_free(x);
	return NULL;
}

/* What OpenSSL's configuration would take for more than a value. */
static bool
plain(const char *text)
{
	return !text || (*text && !text[strcspn(text, " \t\r\n,;#$\\\"'`[]")]);
}

const char *
certify_profile_fault(const struct certify_profile *p)
{
	ASN1_OBJECT *policy = p->policy ? OBJ_txt2obj(p->policy, 1) : NULL;
	bool policy_good = !p->policy || policy;

	ASN1_OBJECT_free(policy);
	ERR_clear_error();
	if (!policy_good)
		return "policy: not an object identifier";
	if (!plain(p->policy) || !plain(p->cps) || !plain(p->ocsp_url) || !plain(p->crl_url))
		return "URL: character that has no place in one";
	if (!p->country || strlen(p->country) != 2)
		return "country: two letters";
	return p->days == 0 || p->days > 3660 ? "days: 1 to 3660" : NULL;
}

bool
certify_serial(uint8_t serial[CERTIFY_SERIAL])
{
	do {
		if (RAND_bytes(serial, CERTIFY_SERIAL) != 1)
			return false;
		serial[0] &= 0x7f;
	} while (serial[0] == 0);
	return true;
}

static bool
add_extensions(X509 *x, X509 *issuer, const char *text)
{
	BIO *in = BIO_new_mem_buf(text, -1);
	CONF *conf = NCONF_new(NULL);
	X509V3_CTX ctx;
	long line;
	bool ok = in && conf && NCONF_load_bio(conf, in, &line) > 0;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	ok = ok && X509V3_EXT_add_nconf(conf, &ctx, "own", x);
	NCONF_free(conf);
	BIO_free(in);
	return ok;
}

/* False when the CA itself has ended. */
static bool
set_validity(X509 *x, const X509 *ca, when from, unsigned days)
{
	time_t start = (time_t)(from / WHEN_SECOND), end = start + (time_t)days * 86400;

	if (!ASN1_TIME_set(X509_getm_notBefore(x), start) || !ASN1_TIME_set(X509_getm_notAfter(x), end))
		return false;
	if (!ca)
		return true;
	if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(ca), start) <= 0)
		return false;
	return ASN1_TIME_cmp_time_t(X509_get0_notAfter(ca), end) >= 0 ||
	    X509_set1_notAfter(x, X509_get0_notAfter(ca));
}

static X509 *
start(X509_NAME *subject, X509 *ca, EVP_PKEY *key, const uint8_t serial[CERTIFY_SERIAL], when from,
    unsigned days)
{
	X509 *x = X509_new();
	BIGNUM *number = BN_bin2bn(serial, CERTIFY_SERIAL, NULL);
	bool ok = x && number && subject && X509_set_version(x, X509_VERSION_3) &&
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) && X509_set_subject_name(x, subject) &&
	    X509_set_issuer_name(x, ca ? X509_get_subject_name(ca) : subject) &&
	    X509_set_pubkey(x, key) && set_validity(x, ca, from, days);

	BN_free(number);
	return ok ? x : give_up(x, "fields");
}

static bool
add_part(X509_NAME *name, const char *part, const char *value)
{
	return !value || !*value ||
	    X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0);
}

/* In the order of the real ones (protocol.md section 8). */
static X509_NAME *
make_subject(const struct certify_subject *s, const char *country)
{
	X509_NAME *name = X509_NAME_new();
	char state[16];

	snprintf(state, sizeof state, "B:%s", s->eik);
	if (name && add_part(name, "emailAddress", s->email) && add_part(name, "CN", s->name) &&
	    add_part(name, "OU", s->unit) && add_part(name, "O", s->organisation) &&
	    add_part(name, "L", s->place) && add_part(name, "ST", state) && add_part(name, "C", country))
		return name;
	X509_NAME_free(name);
	return NULL;
}

static bool
profile_text(const struct certify_profile *p, const char *name, struct buf *out)
{
	buf_addf(out, "[own]\n%s", transport_extensions);
	if (p->policy)
		buf_addf(out, "certificatePolicies = %s\n", p->cps ? "@policy" : p->policy);
	if (p->ocsp_url)
		buf_addf(out, "authorityInfoAccess = OCSP;URI:%s\n", p->ocsp_url);
	if (p->crl_url)
		buf_addf(out, "crlDistributionPoints = URI:%s\n", p->crl_url);
	if (p->san)
		buf_addf(out, "subjectAltName = DNS:%s\n", name);
	if (p->policy && p->cps)
		buf_addf(out, "[policy]\npolicyIdentifier = %s\nCPS.1 = %s\n", p->policy, p->cps);
	return !out->failed;
}

X509 *
certify_issue(const struct certify_signer *ca, const struct certify_profile *p,
    const struct certify_subject *s, const uint8_t *key, size_t key_len,
    const uint8_t serial[CERTIFY_SERIAL], when from)
{
	struct buf text = {0};
	EVP_PKEY *public = d2i_PUBKEY(NULL, &key, (long)key_len);
	X509_NAME *subject = make_subject(s, p->country);
	X509 *x = NULL;

	if (!public || !subject)
		give_up(NULL, "key or subject");
	else if (certify_profile_fault(p) || !plain(s->name) || !certify_eik_valid(s->eik))
		give_up(NULL, "profile");
	else if ((x = start(subject, ca->certificate, public, serial, from, p->days)) &&
	    (!profile_text(p, s->name, &text) ||
	        !add_extensions(x, ca->certificate, buf_str(&text)) ||
	        X509_sign(x, ca->key, EVP_sha256()) <= 0))
		x = give_up(x, "extensions or signature");
	X509_NAME_free(subject);
	EVP_PKEY_free(public);
	buf_free(&text);
	return x;
}

X509 *
certify_service(const struct certify_signer *ca, enum certify_service service, EVP_PKEY *key,
    const uint8_t serial[CERTIFY_SERIAL], when from, unsigned days)
{
	X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(ca->certificate));
	X509 *x = NULL;

	/* The CA's own name and one part more: whose service it is can be read off. */
	if (!subject || !add_part(subject, "OU", service == CERTIFY_OCSP ? "OCSP" : "CMP"))
		give_up(NULL, "subject");
	else if ((x = start(subject, ca->certificate, key, serial, from, days)) &&
	    (!add_extensions(x, ca->certificate, service_extensions[service]) ||
	        X509_sign(x, ca->key, EVP_sha256()) <= 0))
		x = give_up(x, "extensions or signature");
	X509_NAME_free(subject);
	return x;
}

/* Reads /TYPE=value/TYPE=value; a backslash takes the meaning of what follows. */
static X509_NAME *
parse_name(const char *text)
{
	X509_NAME *name = X509_NAME_new();
	char part[32], value[256];

	while (name && *text == '/') {
		size_t len = strcspn(++text, "="), n = 0;
		if (!text[len] || len >= sizeof part)
			break;
		snprintf(part, sizeof part, "%.*s", (int)len, text);
		for (text += len + 1; *text && *text != '/' && n + 1 < sizeof value; text++)
			value[n++] = *text == '\\' && text[1] ? *++text : *text;
		value[n] = '\0';
		if (!n || !add_part(name, part, value))
			break;
	}
	if (name && !*text && X509_NAME_entry_count(name) > 0)
		return name;
	X509_NAME_free(name);
	return NULL;
}

X509 *
certify_root(EVP_PKEY *key, const char *text, const uint8_t serial[CERTIFY_SERIAL], when from,
    unsigned days)
{
	X509_NAME *name = parse_name(text);
	X509 *x = name ? start(name, NULL, key, serial, from, days) : give_up(NULL, "name");

	if (x && (!add_extensions(x, x, root_extensions) || X509_sign(x, key, EVP_sha256()) <= 0))
		x = give_up(x, "extensions or signature");
	X509_NAME_free(name);
	return x;
}

const char *
certify_ca_fault(const struct certify_signer *ca)
{
	const char *fault = NULL;

	if (!EVP_PKEY_is_a(ca->key, "RSA") || EVP_PKEY_get_bits(ca->key) < 3072)
		fault = "the CA's key must be RSA of 3072 bits or more";
	else if (EVP_PKEY_eq(X509_get0_pubkey(ca->certificate), ca->key) != 1)
		fault = "the key does not belong to the CA's certificate";
	else if (X509_check_ca(ca->certificate) != 1)
		fault = "the certificate is not one of a CA";
	else if ((X509_get_key_usage(ca->certificate) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) !=
	    (KU_KEY_CERT_SIGN | KU_CRL_SIGN))
		fault = "the certificate may not sign certificates and lists";
	ERR_clear_error();
	return fault;
}

void
certify_serial_text(const X509 *x, char out[2 * CERTIFY_SERIAL_MAX + 1])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	const uint8_t *b = ASN1_STRING_get0_data(serial);
	int len = ASN1_STRING_length(serial);

	out[0] = '\0';
	for (int i = 0; i < len && i < CERTIFY_SERIAL_MAX; i++)
		snprintf(out + 2 * i, 3, "%02X", b[i]);
}
