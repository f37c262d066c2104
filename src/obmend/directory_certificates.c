/* cert.show: our own certificates beside what the register says of them and what is known of revoked
 * ones. */
#include <openssl/bn.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "obmend/directory.h"

#define DAY ((when)86400 * WHEN_SECOND)

static when
moment_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) ? (when)timegm(&tm) * WHEN_SECOND : WHEN_NONE;
}

static void
set_moment(json_t *j, const char *key, when w)
{
	char text[WHEN_TEXT_SIZE];

	if (w == WHEN_NONE)
		return;
	when_format(w, text);
	json_object_set_new(j, key, json_string(text));
}

static void
set_name(json_t *j, const char *key, const X509_NAME *name)
{
	char text[256] = "";

	X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof text);
	json_object_set_new(j, key, json_string(text));
}

/* Serials are compared as numbers: the register pads and mixes case (section 7). */
static bool
same_serial(const char *registered, const BIGNUM *serial)
{
	BIGNUM *n = NULL;
	bool same = *registered && BN_hex2bn(&n, registered) == (int)strlen(registered) &&
	    BN_cmp(n, serial) == 0;

	BN_free(n);
	return same;
}

/* Who uses the certificate, and with which serial the register shows them. */
static json_t *
users(const struct directory *d, unsigned certificate, const BIGNUM *serial)
{
	const struct conf *c = d->conf;
	json_t *list = json_array();

	for (unsigned i = 0; i < c->participant_count; i++) {
		struct participant p;
		if (conf_certificate_now(c, c->participants[i].certificate, d->keeper.switched) != certificate)
			continue;
		bool known = d->current.snapshot &&
		    snapshot_by_guid(d->current.snapshot, &c->participants[i].guid, &p);
		json_t *j = json_pack("{s:s, s:s*}", "name", c->participants[i].name, "registered_serial",
		    known ? p.certificate_serial : NULL);
		if (j && known)
			json_object_set_new(j, "same", json_boolean(same_serial(p.certificate_serial, serial)));
		json_array_append_new(list, j);
	}
	return list;
}

/* The moment since which a list or an answer says that it is revoked. */
static when
revoked_since(const struct directory *d, const X509 *x)
{
	int fd = d->keeper.fd < 0 ? -1 : dup(d->keeper.fd);
	struct revocations *set = fd < 0 ? NULL : revocations_open(fd);
	when at = revocations_find(set, x);

	revocations_free(set);
	return at;
}

static json_t *
one(const struct directory *d, unsigned n)
{
	const struct conf_certificate *c = &d->conf->certificates[n];
	const X509 *x = d->keeper.own[n];
	when until = moment_of(X509_get0_notAfter(x));
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = serial ? BN_bn2hex(serial) : NULL;
	json_t *used = serial ? users(d, n, serial) : json_array();
	json_t *j = json_pack("{s:s, s:s, s:i, s:I, s:b, s:o}", "name", c->name, "serial", hex ? hex : "",
	    "bits", EVP_PKEY_get_bits(X509_get0_pubkey(x)), "days_left",
	    (json_int_t)((until - when_now()) / DAY), "in_use", json_array_size(used) > 0,
	    "participants", used);

	OPENSSL_free(hex);
	BN_free(serial);
	if (!j)
		return NULL;
	set_name(j, "subject", X509_get_subject_name(x));
	set_name(j, "issuer", X509_get_issuer_name(x));
	set_moment(j, "not_before", moment_of(X509_get0_notBefore(x)));
	set_moment(j, "not_after", until);
	set_moment(j, "revoked_since", revoked_since(d, x));
	if (c->successor != n) {
		json_object_set_new(j, "successor", json_string(d->conf->certificates[c->successor].name));
		json_object_set_new(j, "switched", json_boolean(d->keeper.switched >> n & 1));
		set_moment(j, "switch_at", c->switch_at);
	}
	return j;
}

json_t *
certificates_json(const struct directory *d)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < d->conf->certificate_count; i++)
		json_array_append_new(list, one(d, i));
	return json_pack("{s:b, s:o, s:o}", "ok", 1, "certificates", list, "revocation", keeper_status(d));
}
