#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/log.h"
#include "message/signature.h"

/* The names that .NET gives to the parts of a distinguished name; others appear as OID.<dotted>. */
static const struct {
	int nid;
	const char *name;
} name_parts[] = {
	{NID_commonName, "CN"},
	{NID_countryName, "C"},
	{NID_localityName, "L"},
	{NID_stateOrProvinceName, "S"},
	{NID_organizationName, "O"},
	{NID_organizationalUnitName, "OU"},
	{NID_pkcs9_emailAddress, "E"},
	{NID_serialNumber, "SERIALNUMBER"},
	{NID_domainComponent, "DC"},
};

static bool
add_part_name(struct buf *out, const ASN1_OBJECT *object)
{
	char oid[80];
	int nid = OBJ_obj2nid(object);

	for (size_t i = 0; i < sizeof name_parts / sizeof name_parts[0]; i++) {
		if (name_parts[i].nid == nid)
			return buf_adds(out, name_parts[i].name);
	}
	OBJ_obj2txt(oid, sizeof oid, object, 1);
	return buf_addf(out, "OID.%s", oid);
}

/* Values that hold a separator are quoted, quotes in them doubled. */
static bool
add_part_value(struct buf *out, const char *value, size_t len)
{
	bool quote = len == 0 || value[0] == ' ' || value[len - 1] == ' ';

	for (size_t i = 0; i < len; i++)
		quote |= strchr(",+=\"\n<>#;", value[i]) != NULL;
	if (!quote)
		return buf_add(out, value, len);
	buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, value[i]);
	}
	return buf_addc(out, '"');
}

/* X509IssuerName as eDelivery writes it: the last part of the name first (section 4). */
static char *
issuer_name(const X509_NAME *name)
{
	struct buf out = {.max = 4096};

	for (int i = X509_NAME_entry_count(name) - 1; i >= 0; i--) {
		const X509_NAME_ENTRY *part = X509_NAME_get_entry(name, i);
		unsigned char *value = NULL;
		int len = ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(part));
		if (len < 0) {
			out.failed = true;
			break;
		}
		if (out.len)
			buf_adds(&out, ", ");
		add_part_name(&out, X509_NAME_ENTRY_get_object(part));
		buf_addc(&out, '=');
		add_part_value(&out, (const char *)value, (size_t)len);
		OPENSSL_free(value);
	}
	return buf_take(&out, NULL);
}

static char *
serial_decimal(const X509 *certificate)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *text = NULL, *copy = NULL;

	if (number) {
		BN_set_negative(number, 0);
		text = BN_bn2dec(number);
	}
	if (text)
		copy = strdup(text);
	OPENSSL_free(text);
	BN_free(number);
	return copy;
}

static char *
certificate_base64(X509 *certificate)
{
	struct buf out = {.max = 64 << 10};
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);

	if (len > 0)
		buf_add_base64(&out, der, (size_t)len);
	OPENSSL_free(der);
	return buf_take(&out, NULL);
}

bool
identity_from_x509(struct identity *id, X509 *certificate)
{
	*id = (struct identity){
	    .base64 = certificate_base64(certificate),
	    .issuer = issuer_name(X509_get_issuer_name(certificate)),
	    .serial_decimal = serial_decimal(certificate),
	};
	if (X509_up_ref(certificate))
		id->certificate = certificate;
	if (!id->certificate || !id->base64 || !id->issuer || !id->serial_decimal) {
		identity_free(id);
		return false;
	}
	return true;
}

bool
identity_load(struct identity *id, const char *pem_file)
{
	*id = (struct identity){.certificate = NULL};
	FILE *f = fopen(pem_file, "re");
	X509 *certificate = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	if (f)
		fclose(f);
	bool ok = certificate && identity_from_x509(id, certificate);
	if (!ok)
		log_error("identity.unreadable", "file=\"%s\"", pem_file);
	X509_free(certificate);
	ERR_clear_error();
	return ok;
}

void
identity_free(struct identity *id)
{
	X509_free(id->certificate);
	free(id->base64);
	free(id->issuer);
	free(id->serial_decimal);
	*id = (struct identity){.certificate = NULL};
}
