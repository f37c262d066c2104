#include "lib/cmp_envelope.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define PASSWORD_BASED_MAC "1.2.840.113533.7.66.13"

typedef struct {
	ASN1_INTEGER *version;
	GENERAL_NAME *sender, *recipient;
	ASN1_GENERALIZEDTIME *time;
	X509_ALGOR *protection;
	ASN1_OCTET_STRING *sender_kid, *recipient_kid, *transaction, *sender_nonce, *recipient_nonce;
	ASN1_TYPE *free_text, *general_info;
} HEADER;

typedef struct {
	HEADER *header;
	ASN1_TYPE *body;
	ASN1_BIT_STRING *protection;
	STACK_OF(X509) *certificates;
} MESSAGE;

/* RFC 9810 appendix F. What we do not look into is any value. */
ASN1_SEQUENCE(HEADER) = {
    ASN1_SIMPLE(HEADER, version, ASN1_INTEGER),
    ASN1_SIMPLE(HEADER, sender, GENERAL_NAME),
    ASN1_SIMPLE(HEADER, recipient, GENERAL_NAME),
    ASN1_EXP_OPT(HEADER, time, ASN1_GENERALIZEDTIME, 0),
    ASN1_EXP_OPT(HEADER, protection, X509_ALGOR, 1),
    ASN1_EXP_OPT(HEADER, sender_kid, ASN1_OCTET_STRING, 2),
    ASN1_EXP_OPT(HEADER, recipient_kid, ASN1_OCTET_STRING, 3),
    ASN1_EXP_OPT(HEADER, transaction, ASN1_OCTET_STRING, 4),
    ASN1_EXP_OPT(HEADER, sender_nonce, ASN1_OCTET_STRING, 5),
    ASN1_EXP_OPT(HEADER, recipient_nonce, ASN1_OCTET_STRING, 6),
    ASN1_EXP_OPT(HEADER, free_text, ASN1_ANY, 7),
    ASN1_EXP_OPT(HEADER, general_info, ASN1_ANY, 8),
} static_ASN1_SEQUENCE_END(HEADER)

ASN1_SEQUENCE(MESSAGE) = {
    ASN1_SIMPLE(MESSAGE, header, HEADER),
    ASN1_SIMPLE(MESSAGE, body, ASN1_ANY),
    ASN1_EXP_OPT(MESSAGE, protection, ASN1_BIT_STRING, 0),
    ASN1_EXP_SEQUENCE_OF_OPT(MESSAGE, certificates, X509, 1),
} static_ASN1_SEQUENCE_END(MESSAGE)

static bool
copy_id(const ASN1_OCTET_STRING *from, struct cmp_id *to)
{
	int len = from ? ASN1_STRING_length(from) : 0;

	if (len > CMP_ID_MAX)
		return false;
	if (len > 0)
		memcpy(to->bytes, ASN1_STRING_get0_data(from), (size_t)len);
	to->len = (size_t)len;
	return true;
}

/* Steps into, or over, one element; its tag, or -1. */
static int
element(const uint8_t **at, const uint8_t *end, bool into, const uint8_t **begin, const uint8_t **stop)
{
	const uint8_t *p = *at;
	long len;
	int tag, class;

	if (p >= end || ASN1_get_object(&p, &len, &tag, &class, end - p) & 0x81)
		return -1;
	if (begin) {
		*begin = *at;
		*stop = p + len;
	}
	*at = into ? p : p + len;
	return tag;
}

/* The CRL entry extensions behind the first RevDetails' template (RFC 9810 section 5.3.9). */
static int
read_reason(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *begin, *stop;
	int reason = 0;

	if (element(&at, end, true, NULL, NULL) != CMP_RR || element(&at, end, true, NULL, NULL) < 0 ||
	    element(&at, end, true, &begin, &stop) < 0 || element(&at, stop, false, NULL, NULL) < 0)
		return 0;
	STACK_OF(X509_EXTENSION) *all = at < stop ? d2i_X509_EXTENSIONS(NULL, &at, stop - at) : NULL;
	ASN1_ENUMERATED *e = X509V3_get_d2i(all, NID_crl_reason, NULL, NULL);
	if (e)
		reason = (int)ASN1_ENUMERATED_get(e);
	ASN1_ENUMERATED_free(e);
	sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
	return reason;
}

static bool
read_body(const ASN1_TYPE *body, struct cmp_envelope *e)
{
	if (body->type != V_ASN1_OTHER)
		return false;
	const uint8_t *at = ASN1_STRING_get0_data(body->value.asn1_string), *p = at;
	const uint8_t *end = at + ASN1_STRING_length(body->value.asn1_string);
	e->body = element(&p, end, true, NULL, NULL);
	if (e->body == CMP_RR)
		e->revocation_reason = read_reason(at, end);
	return e->body >= 0 && p <= end;
}

static bool
read_message(const MESSAGE *m, struct cmp_envelope *e)
{
	const HEADER *h = m->header;
	char algorithm[64] = "";

	if (sk_X509_num(m->certificates) > CMP_CERTS_MAX || !copy_id(h->sender_kid, &e->sender_kid) ||
	    !copy_id(h->transaction, &e->transaction) || !copy_id(h->sender_nonce, &e->sender_nonce) ||
	    !copy_id(h->recipient_nonce, &e->recipient_nonce) || !read_body(m->body, e))
		return false;
	e->unprotected = !h->protection || !m->protection;
	if (h->protection)
		OBJ_obj2txt(algorithm, sizeof algorithm, h->protection->algorithm, 1);
	e->mac = strcmp(algorithm, PASSWORD_BASED_MAC) == 0;
	if (sk_X509_num(m->certificates) > 0) {
		e->sender = sk_X509_value(m->certificates, 0);
		X509_up_ref(e->sender);
	}
	return true;
}

bool
cmp_envelope_read(const void *der, size_t len, struct cmp_envelope *e)
{
	const uint8_t *at = der;
	MESSAGE *m = NULL;
	bool ok = false;

	*e = (struct cmp_envelope){.body = -1};
	if (len > 0 && len <= CMP_MESSAGE_MAX)
		m = (MESSAGE *)ASN1_item_d2i(NULL, &at, (long)len, ASN1_ITEM_rptr(MESSAGE));
	if (m && at == (const uint8_t *)der + len)
		ok = read_message(m, e);
	ASN1_item_free((ASN1_VALUE *)m, ASN1_ITEM_rptr(MESSAGE));
	ERR_clear_error();
	return ok;
}

void
cmp_envelope_free(struct cmp_envelope *e)
{
	X509_free(e->sender);
	e->sender = NULL;
}

const char *
cmp_body_name(int body)
{
	static const char *const names[] = {[CMP_IR] = "ir", [CMP_IP] = "ip", [CMP_CR] = "cr", [CMP_CP] = "cp",
	    [CMP_P10CR] = "p10cr", [CMP_KUR] = "kur", [CMP_KUP] = "kup", [CMP_RR] = "rr", [CMP_RP] = "rp",
	    [CMP_PKICONF] = "pkiConf", [CMP_GENM] = "genm", [CMP_GENP] = "genp", [CMP_ERROR] = "error",
	    [CMP_CERTCONF] = "certConf", [CMP_POLLREQ] = "pollReq", [CMP_POLLREP] = "pollRep"};

	return body >= 0 && body < (int)(sizeof names / sizeof *names) && names[body] ? names[body] : "?";
}
