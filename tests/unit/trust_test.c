/* Certificates: chain, times, revocation, serials, cache. */
#include "message_fixture.h"

#include <openssl/err.h>

#define DAY (86400 * WHEN_SECOND)


static char *
base64_of(X509 *x)
{
	struct identity id;

	assert_true(identity_from_x509(&id, x));
	char *text = strdup(id.base64);
	identity_free(&id);
	return text;
}

static enum fault
find(struct trust *t, X509 *x, when at, struct trusted *out)
{
	char *text = base64_of(x);
	struct trusted dummy;
	enum fault fault = trust_find(t, text, strlen(text), at, out ? out : &dummy);

	free(text);
	return fault;
}

static struct trust *
open_trust(const struct fixture *f, const char *ca, const char *crl)
{
	char ca_path[128], crl_path[128];
	struct trust *t = trust_new(&(struct trust_options){
	    .ca_file = ca ? fixture_path(f, ca, ca_path) : NULL,
	    .crl_file = crl ? fixture_path(f, crl, crl_path) : NULL});

	return t;
}

static X509 *
leaf(struct fixture *f, const char *serial, int from, int to)
{
	return make_certificate(
	    &(struct certificate_shape){"b.obmen.local", "990000024", serial, from, to, false}, f->key, &f->ca);
}

static void
test_facts(void **state)
{
	struct fixture *f = *state;
	struct trust *t = open_trust(f, "ca.pem", NULL);
	struct trusted out;

	assert_non_null(t);
	assert_fault(find(t, f->certificate, when_now(), &out), FAULT_NONE);
	assert_string_equal(out.common_name, "a.obmen.local");
	assert_string_equal(out.eik, "990000017");
	assert_string_equal(out.serial_hex, "0A1B2C3D4E5F6071");
	assert_true(out.serial == 0x0A1B2C3D4E5F6071u && !out.serial_long);
	assert_int_equal(out.not_after - out.not_before, 1010 * DAY);
	assert_int_equal(EVP_PKEY_eq(out.key, f->key), 1);
	uint8_t digest[32];
	unsigned len = 32;
	X509_digest(f->certificate, EVP_sha256(), digest, &len);
	assert_memory_equal(digest, out.sha256, 32);
	trust_free(t);
}

static void
test_times(void **state)
{
	struct fixture *f = *state;
	struct trust *t = open_trust(f, "ca.pem", NULL);
	when now = when_now();
	X509 *old = leaf(f, "02", -100, -1), *young = leaf(f, "03", 1, 100);

	assert_fault(find(t, old, now, NULL), FAULT_CERTIFICATE_EXPIRED);
	assert_fault(find(t, old, now - 2 * DAY, NULL), FAULT_NONE);
	assert_fault(find(t, old, now - 101 * DAY, NULL), FAULT_CERTIFICATE_NOT_YET);
	assert_fault(find(t, young, now, NULL), FAULT_CERTIFICATE_NOT_YET);
	assert_fault(find(t, young, now + 2 * DAY, NULL), FAULT_NONE);
	X509_free(old);
	X509_free(young);
	trust_free(t);
}

static void
test_chain(void **state)
{
	struct fixture *f = *state;
	struct trust *t = open_trust(f, "ca.pem", NULL), *any = open_trust(f, NULL, NULL);
	struct authority other = {.key = make_key()};
	when now = when_now();

	/* the same name, another key */
	other.certificate = make_certificate(
	    &(struct certificate_shape){CA_NAME, NULL, "01", -10, 100, true}, other.key, &other);
	X509 *foreign = make_certificate(
	    &(struct certificate_shape){"a.obmen.local", "1", "0A1B2C3D4E5F6071", -1, 10, false}, f->key,
	    &other);
	/* signed by itself, with the registered serial */
	struct authority self = {.key = f->key};
	X509 *own = make_certificate(
	    &(struct certificate_shape){"a.obmen.local", "1", "0A1B2C3D4E5F6071", -1, 10, false}, f->key, &self);
	/* a transport certificate is no authority */
	struct authority leaf_as_ca = {.key = f->key, .certificate = f->certificate};
	X509 *below = make_certificate(
	    &(struct certificate_shape){"c.obmen.local", "1", "05", -1, 10, false}, other.key, &leaf_as_ca);

	struct trusted out;
	assert_fault(find(t, foreign, now, &out), FAULT_CERTIFICATE_CHAIN);
	assert_non_null(out.certificate);
	assert_fault(find(t, own, now, NULL), FAULT_CERTIFICATE_CHAIN);
	assert_fault(find(t, below, now, NULL), FAULT_CERTIFICATE_CHAIN);
	assert_fault(find(any, foreign, now, NULL), FAULT_NONE);
	assert_fault(find(any, foreign, now + 50 * DAY, NULL), FAULT_CERTIFICATE_EXPIRED);
	X509_free(foreign);
	X509_free(own);
	X509_free(below);
	X509_free(other.certificate);
	EVP_PKEY_free(other.key);
	trust_free(t);
	trust_free(any);
}

/* An exchange CA below a root that is not configured, and one that has run out. */
static void
test_intermediate(void **state)
{
	struct fixture *f = *state;
	when now = when_now();
	struct authority root = {.key = make_key()}, middle = {.key = make_key()};

	root.certificate = make_certificate(
	    &(struct certificate_shape){"Root", NULL, "01", -100, 100, true}, root.key, &root);
	middle.certificate = make_certificate(
	    &(struct certificate_shape){"Middle", NULL, "02", -50, 10, true}, middle.key, &root);
	X509 *x = make_certificate(
	    &(struct certificate_shape){"x.obmen.local", "1", "03", -60, 60, false}, f->key, &middle);
	write_certificate(f, "middle.pem", middle.certificate);
	struct trust *t = open_trust(f, "middle.pem", NULL);
	assert_fault(find(t, x, now, NULL), FAULT_NONE);
	trust_free(t);
	write_certificate(f, "root.pem", root.certificate);
	assert_int_equal(run(f, "cat root.pem middle.pem > both.pem"), 0);
	t = open_trust(f, "both.pem", NULL);
	assert_fault(find(t, x, now, NULL), FAULT_NONE);
	assert_fault(find(t, x, now + 20 * DAY, NULL), FAULT_CERTIFICATE_CHAIN);
	trust_free(t);
	t = open_trust(f, "root.pem", NULL);
	assert_fault(find(t, x, now, NULL), FAULT_CERTIFICATE_CHAIN);
	trust_free(t);
	X509_free(x);
	X509_free(root.certificate);
	X509_free(middle.certificate);
	EVP_PKEY_free(root.key);
	EVP_PKEY_free(middle.key);
}

static void
write_crl(struct fixture *f, const char *name, EVP_PKEY *key, const char *serial, bool der)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *row = X509_REVOKED_new();
	ASN1_TIME *time = ASN1_TIME_new();
	BIGNUM *number = NULL;
	char path[128];

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(f->ca.certificate));
	X509_gmtime_adj(time, -5 * 86400L);
	X509_CRL_set1_lastUpdate(crl, time);
	X509_REVOKED_set_revocationDate(row, time);
	BN_hex2bn(&number, serial);
	ASN1_INTEGER *integer = BN_to_ASN1_INTEGER(number, NULL);
	X509_REVOKED_set_serialNumber(row, integer);
	X509_CRL_add0_revoked(crl, row);
	X509_gmtime_adj(time, -86400L); /* overdue: still believed */
	X509_CRL_set1_nextUpdate(crl, time);
	X509_CRL_sign(crl, key, EVP_sha256());
	FILE *out = fopen(fixture_path(f, name, path), "w");
	assert_true(der ? i2d_X509_CRL_fp(out, crl) : PEM_write_X509_CRL(out, crl));
	fclose(out);
	ASN1_INTEGER_free(integer);
	BN_free(number);
	ASN1_TIME_free(time);
	X509_CRL_free(crl);
}

static void
test_revocation(void **state)
{
	struct fixture *f = *state;
	when now = when_now();
	X509 *other = leaf(f, "0A1B2C3D4E5F6072", -20, 20);

	for (int der = 0; der < 2; der++) {
		write_crl(f, "crl", f->ca.key, "0A1B2C3D4E5F6071", der);
		struct trust *t = open_trust(f, "ca.pem", "crl");
		assert_non_null(t);
		assert_fault(find(t, f->certificate, now, NULL), FAULT_CERTIFICATE_REVOKED);
		assert_fault(find(t, f->certificate, now - 6 * DAY, NULL), FAULT_NONE);
		assert_fault(find(t, other, now, NULL), FAULT_NONE);
		trust_free(t);
	}
	/* a list that somebody else signed is no list */
	write_crl(f, "crl", f->key, "0A1B2C3D4E5F6071", false);
	assert_null(open_trust(f, "ca.pem", "crl"));
	X509_free(other);
}

static void
test_files(void **state)
{
	struct fixture *f = *state;

	assert_null(open_trust(f, "missing.pem", NULL));
	write_file(f, "empty.pem", "", 0);
	assert_null(open_trust(f, "empty.pem", NULL));
	assert_null(open_trust(f, "key.pem", NULL));
	assert_null(open_trust(f, "ca.pem", "missing.crl"));
	assert_null(open_trust(f, "ca.pem", "empty.pem"));
	struct identity id;
	char path[128];
	assert_false(identity_load(&id, fixture_path(f, "empty.pem", path)));
	assert_true(identity_load(&id, fixture_path(f, "cert.pem", path)));
	assert_string_equal(id.base64, f->id.base64);
	identity_free(&id);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
test_unreadable(void **state)
{
	struct fixture *f = *state;
	struct trust *t = open_trust(f, "ca.pem", NULL);
	struct trusted out;
	char *text = base64_of(f->certificate), *huge = malloc(100000);
	size_t len = strlen(text);

	memset(huge, 'A', 100000);
	assert_fault(trust_find(t, "", 0, 0, &out), FAULT_CERTIFICATE_UNREADABLE);
	assert_fault(trust_find(t, "****", 4, 0, &out), FAULT_CERTIFICATE_UNREADABLE);
	assert_fault(trust_find(t, "AAAA", 4, 0, &out), FAULT_CERTIFICATE_UNREADABLE);
	assert_fault(trust_find(t, huge, 100000, 0, &out), FAULT_CERTIFICATE_UNREADABLE);
	assert_fault(trust_find(t, text, len - 4, 0, &out), FAULT_CERTIFICATE_UNREADABLE);
	assert_null(out.certificate);
	char *longer = malloc(len + 8);
	snprintf(longer, len + 8, "%.*sAAAA", (int)len, text); /* bytes behind the DER */
	assert_fault(trust_find(t, longer, len + 4, 0, &out), FAULT_CERTIFICATE_UNREADABLE);
	text[len / 2] = text[len / 2] == 'A' ? 'B' : 'A';
	enum fault fault = trust_find(t, text, len, when_now(), &out);
	assert_true(fault == FAULT_CERTIFICATE_UNREADABLE || fault == FAULT_CERTIFICATE_CHAIN);
	assert_int_equal(ERR_peek_error(), 0);
	free(longer);
	free(huge);
	free(text);
	trust_free(t);
}

static void
test_serials(void **state)
{
	static const struct {
		const char *serial, *registered;
		bool equal;
	} cases[] = {
	    {"0A1B2C3D4E5F6071", "0A1B2C3D4E5F6071", true},
	    {"0A1B2C3D4E5F6071", "a1b2c3d4e5f6071", true},
	    {"0A1B2C3D4E5F6071", "0x", false},
	    {"0A1B2C3D4E5F6071", "000000000A1b2C3d4E5f6071", true},
	    {"0A1B2C3D4E5F6071", " 0A:1B:2C:3D:4E:5F:60:71\n", true},
	    {"0A1B2C3D4E5F6071", "0A1B2C3D4E5F6072", false},
	    {"0A1B2C3D4E5F6071", "0A1B2C3D4E5F607", false},
	    {"0A1B2C3D4E5F6071", "0A1B2C3D4E5F60711", false},
	    {"0A1B2C3D4E5F6071", "728224406569967729", false}, /* decimal is not hex */
	    {"0A1B2C3D4E5F6071", "", false},
	    {"0A1B2C3D4E5F6071", "  ", false},
	    {"0A1B2C3D4E5F6071", "0A1B2C3D4E5F6071G", false},
	    {"FFEEDDCCBBAA9988", "ffeeddccbbaa9988", true},
	    {"FFEEDDCCBBAA9988", "00FFEEDDCCBBAA9988", true},
	    {"0102030405060708090A0B0C0D0E0F1011121314", "102030405060708090A0B0C0D0E0F1011121314", true},
	    {"0102030405060708090A0B0C0D0E0F1011121314", "0D0E0F1011121314", false},
	    {"00", "0", true},
	    {"00", "00000000", true},
	    {"00", "1", false},
	    {"10", "1", false},
	};
	struct fixture *f = *state;
	struct trust *t = open_trust(f, "ca.pem", NULL);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		X509 *x = leaf(f, cases[i].serial, -1, 10);
		struct trusted out;
		assert_fault(find(t, x, when_now(), &out), FAULT_NONE);
		if (trust_serial_equals(&out, cases[i].registered) != cases[i].equal)
			fail_msg("%s and %s", out.serial_hex, cases[i].registered);
		assert_int_equal(out.serial_long, strlen(cases[i].serial) > 16);
		X509_free(x);
	}
	struct trusted none = {.serial = 0};
	assert_false(trust_serial_equals(&none, "0"));
	assert_false(trust_serial_equals(&none, NULL));
	/* a negative serial equals nothing */
	X509 *x = X509_dup(f->certificate);
	ASN1_INTEGER_set(X509_get_serialNumber(x), -5);
	X509_sign(x, f->ca.key, EVP_sha256());
	find(t, x, when_now(), &none);
	assert_false(trust_serial_equals(&none, "5"));
	assert_false(trust_serial_equals(&none, "FB"));
	X509_free(x);
	trust_free(t);
}

/* The cache holds what it says and no more, and answers from memory. */
static void
test_cache(void **state)
{
	struct fixture *f = *state;
	struct trust *t = open_trust(f, "ca.pem", NULL);
	struct trusted out;
	when now = when_now();
	X509 *x = X509_dup(f->certificate);
	X509 *first = NULL;

	assert_fault(find(t, f->certificate, now, &out), FAULT_NONE);
	first = out.certificate;
	assert_fault(find(t, f->certificate, now, &out), FAULT_NONE);
	assert_ptr_equal(out.certificate, first);
	unsigned char *der = NULL;
	int len = i2d_X509(f->certificate, &der);
	assert_fault(trust_find_der(t, der, (size_t)len, now, &out), FAULT_NONE);
	assert_ptr_not_equal(out.certificate, first);
	assert_string_equal(out.common_name, "a.obmen.local");
	OPENSSL_free(der);
	/* many others, ours in use all the time */
	for (long i = 1; i < TRUST_CACHE_ENTRIES + 50; i++) {
		if (i % 64 == 0) {
			assert_fault(find(t, f->certificate, now, &out), FAULT_NONE);
			assert_ptr_equal(out.certificate, first);
		}
		ASN1_INTEGER_set(X509_get_serialNumber(x), i);
		X509_sign(x, f->ca.key, EVP_sha256());
		assert_fault(find(t, x, now, &out), FAULT_NONE);
		assert_int_equal(out.serial, i);
	}
	assert_fault(find(t, f->certificate, now, &out), FAULT_NONE);
	assert_ptr_equal(out.certificate, first);
	X509_free(x);
	trust_free(t);
}

int
main(void)
{
	log_init("test", -1, LOG_ERROR + 1);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_facts),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_intermediate),
	    cmocka_unit_test(test_revocation),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_serials),
	    cmocka_unit_test(test_cache),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
