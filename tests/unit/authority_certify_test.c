/* Certificates, lists, OCSP answers, judged by the openssl command; requests, good and bad. */
#include "authority_fixture.h"

#include <openssl/ocsp.h>

static int
setup(void **state)
{
	*state = authority_fixture_new();
	return 0;
}

static int
teardown(void **state)
{
	authority_fixture_free(*state);
	return 0;
}

static void
certificate_has_the_profile(void **state)
{
	static const char *const lines[] = {"Version: 3 (0x2)", "sha256WithRSAEncryption",
	    "Issuer: CN = Test eDoc Exchange CA, O = Test, L = Sofia, C = BG",
	    "Subject: emailAddress = contact@example.invalid, CN = primer.obmen.local, OU = Example Agency, "
	    "O = Example Agency, L = Sofia, ST = B:990000017, C = BG",
	    "Public-Key: (2048 bit)", "X509v3 Basic Constraints: critical\n                CA:FALSE",
	    "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment, Data "
	    "Encipherment\n",
	    "TLS Web Server Authentication, TLS Web Client Authentication\n",
	    "Policy: 1.3.6.1.4.1.11290.1.2.3.1\n                  CPS: http://policy.example.invalid/",
	    "OCSP - URI:http://ocsp.example.invalid/ocsp", "URI:http://crl.example.invalid/crl"};
	struct authority_fixture *f = *state;
	X509 *x = issue(f, f->requester, when_now());
	char serial[2 * CERTIFY_SERIAL_MAX + 1];

	assert_non_null(x);
	save_certificate(f, "ca.pem", f->ca.certificate);
	save_certificate(f, "node.pem", x);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_says(f, lines[i], "openssl x509 -in node.pem -noout -text -nameopt oneline");
	assert_null(strstr(judged(f, "openssl x509 -in node.pem -noout -text"), "Alternative Name"));
	assert_says(f, "node.pem: OK", "openssl verify -x509_strict -CAfile ca.pem -purpose sslserver "
	                               "-verify_hostname " TEST_NAME " node.pem");
	assert_says(f, "node.pem: OK", "openssl verify -CAfile ca.pem -purpose sslclient node.pem");
	certify_serial_text(x, serial);
	assert_int_equal(strlen(serial), 16);
	assert_in_range(serial[0], '0', '7');
	X509_free(x);
}

static void
san_is_a_switch(void **state)
{
	struct authority_fixture *f = *state;

	f->profile.san = true;
	X509 *x = issue(f, f->requester, when_now());
	f->profile.san = false;
	save_certificate(f, "san.pem", x);
	assert_says(f, "DNS:" TEST_NAME, "openssl x509 -in san.pem -noout -ext subjectAltName");
	X509_free(x);
}

static void
no_certificate_outlives_the_ca(void **state)
{
	struct authority_fixture *f = *state;
	X509 *late = issue(f, f->requester, when_now() + (when)3500 * 86400 * WHEN_SECOND);

	assert_non_null(late);
	assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(late), X509_get0_notAfter(f->ca.certificate)), 0);
	X509_free(late);
	assert_null(issue(f, f->requester, when_now() + (when)3700 * 86400 * WHEN_SECOND));
}

static void
profile_faults_are_named(void **state)
{
	struct authority_fixture *f = *state;
	struct certify_profile p = f->profile;

	assert_null(certify_profile_fault(&p));
	p.crl_url = "http://a/\nsubjectAltName=DNS:other";
	assert_non_null(certify_profile_fault(&p));
	p = f->profile;
	p.policy = "1.2.x";
	assert_non_null(certify_profile_fault(&p));
	p = f->profile;
	p.days = 0;
	assert_non_null(certify_profile_fault(&p));
}

static void
names_are_canonical(void **state)
{
	(void)state;
	assert_true(certify_name_valid("primer.obmen.local", "obmen.local", CERTIFY_PRODUCTION));
	assert_true(certify_name_valid("a.ob.obmen.local", "obmen.local", CERTIFY_PRODUCTION));
	assert_true(certify_name_valid("primer-test.obmen.local", "obmen.local", CERTIFY_TEST));
	assert_true(certify_name_valid("register-t.obmen.local", "obmen.local", CERTIFY_TEST));
	assert_false(certify_name_valid("primer-test.obmen.local", "obmen.local", CERTIFY_PRODUCTION));
	assert_false(certify_name_valid("primer.obmen.local", "obmen.local", CERTIFY_TEST));
	static const char *const bad[] = {"obmen.local", ".obmen.local", "a..obmen.local", "primer.obmen.com",
	    "Primer.obmen.local", "a b.obmen.local", "*.obmen.local", "-a.obmen.local", "xobmen.local", ""};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(certify_name_valid(bad[i], "obmen.local", CERTIFY_PRODUCTION));
}

static void
bulgarian_becomes_latin(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {{"Община Велико Търново", "Obshtina Veliko Tarnovo"}, {"ЖИТО Щука Юли", "ZHITO Shtuka Yuli"},
	    {"Агенция „Пример“", "Agentsiya Primer"}, {"Plain 1", "Plain 1"}, {"", ""}};
	char out[CERTIFY_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		certify_latin(rows[i].from, out);
		assert_string_equal(out, rows[i].to);
	}
	certify_latin("Министерство на регионалното развитие и благоустройството на Република", out);
	assert_string_equal(out, "Ministerstvo na regionalnoto razvitie i blagoustroystvoto na");
}

/* -- requests */

static enum fault
read_file(struct authority_fixture *f, const char *name, struct certify_request *r)
{
	static uint8_t data[64 << 10];
	char path[256], detail[CERTIFY_DETAIL];

	snprintf(path, sizeof path, "%s/%s", f->folder, name);
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("%s was not made", name);
	size_t len = fread(data, 1, sizeof data, file);
	fclose(file);
	return certify_read_csr(data, len, r, detail);
}

static void
requests_are_judged(void **state)
{
	static const struct {
		const char *how;
		enum fault fault;
	} rows[] = {
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME, FAULT_NONE},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME " -outform DER", FAULT_NONE},
		{"-newkey rsa:2048 -subj /CN=Primer.Obmen.Local/ST=B:" TEST_EIK, FAULT_NONE},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME "/ST=Sofia", FAULT_NONE},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME " -addext subjectAltName=DNS:" TEST_NAME, FAULT_NONE},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME " -addext keyUsage=keyCertSign", FAULT_NONE},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME " -addext subjectAltName=DNS:other.obmen.local",
		    FAULT_CSR_EXTENSION},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME " -addext subjectAltName=IP:10.0.0.1",
		    FAULT_CSR_EXTENSION},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME " -addext basicConstraints=CA:TRUE", FAULT_CSR_EXTENSION},
		{"-newkey rsa:2048 -subj /O=x", FAULT_CSR_NAME},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME "/CN=other.obmen.local", FAULT_CSR_NAME},
		{"-newkey rsa:2048 -subj '/CN=a b.obmen.local'", FAULT_CSR_NAME},
		{"-newkey rsa:2048 -subj /CN=" TEST_NAME "/ST=B:12", FAULT_CSR_NAME},
		{"-newkey rsa:1024 -subj /CN=" TEST_NAME, FAULT_CSR_KEY},
		{"-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3 -subj /CN=" TEST_NAME, FAULT_CSR_KEY},
		{"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=" TEST_NAME, FAULT_CSR_KEY},
		{"-newkey rsa:2048 -sha1 -subj /CN=" TEST_NAME, FAULT_CSR_SIGNATURE},
	};
	struct authority_fixture *f = *state;
	struct certify_request r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		judged(f, "rm -f r.csr; openssl req -new -nodes -keyout /dev/null -out r.csr %s", rows[i].how);
		enum fault fault = read_file(f, "r.csr", &r);
		if (fault != rows[i].fault)
			fail_msg("%s: %s", rows[i].how, fault_code(fault));
		if (!fault)
			assert_string_equal(r.name, TEST_NAME);
	}
	judged(f, "openssl req -new -nodes -newkey rsa:2048 -keyout /dev/null -out r.csr -subj /CN=" TEST_NAME
	          " -addext keyUsage=keyCertSign");
	assert_int_equal(read_file(f, "r.csr", &r), FAULT_NONE);
	assert_string_equal(r.ignored, "X509v3 Key Usage");
}

/* A bit that is turned is noticed by the form or by the signature; the few that are not signed (parameters
 * of the signature's algorithm) change nothing that is used. */
static void
damaged_requests_are_refused(void **state)
{
	struct authority_fixture *f = *state;
	static uint8_t der[CERTIFY_CSR_MAX];
	struct certify_request r, whole;
	char path[256], detail[CERTIFY_DETAIL];

	judged(f, "openssl req -new -nodes -newkey rsa:2048 -keyout /dev/null -outform DER -out d.csr -subj "
	          "/CN=" TEST_NAME);
	snprintf(path, sizeof path, "%s/d.csr", f->folder);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t len = fread(der, 1, sizeof der - 1, file);
	fclose(file);
	assert_int_equal(certify_read_csr(der, len, &whole, detail), FAULT_NONE);
	for (size_t i = 0; i < len; i++) {
		der[i] ^= (uint8_t)(1 << i % 8);
		enum fault fault = certify_read_csr(der, len, &r, detail);
		if (!fault && memcmp(&r, &whole, sizeof r) != 0)
			fail_msg("byte %zu", i);
		der[i] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t cut = 0; cut < len; cut += 7)
		assert_int_equal(certify_read_csr(der, cut, &r, detail), FAULT_CSR_MALFORMED);
	der[len] = 0;
	assert_int_equal(certify_read_csr(der, len + 1, &r, detail), FAULT_CSR_MALFORMED);
}

static void
only_what_is_assigned(void **state)
{
	struct certify_request r = {.name = TEST_NAME, .eik = ""};
	char detail[CERTIFY_DETAIL];

	(void)state;
	assert_int_equal(certify_check_assigned(&r, TEST_NAME, TEST_EIK, detail), FAULT_NONE);
	assert_int_equal(certify_check_assigned(&r, "other.obmen.local", TEST_EIK, detail),
	    FAULT_CSR_NOT_ASSIGNED);
	snprintf(r.eik, sizeof r.eik, "990000025");
	assert_int_equal(certify_check_assigned(&r, TEST_NAME, TEST_EIK, detail), FAULT_CSR_NOT_ASSIGNED);
}

/* -- revocation */

static struct certify_revoked
revoked_entry(const X509 *x, int reason)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	struct certify_revoked r = {.serial_len = (size_t)ASN1_STRING_length(serial), .at = when_now(),
	    .reason = reason};

	memcpy(r.serial, ASN1_STRING_get0_data(serial), r.serial_len);
	return r;
}

static void
list_revokes_what_it_names(void **state)
{
	struct authority_fixture *f = *state;
	X509 *good = issue(f, f->requester, when_now()), *bad = issue(f, f->requester, when_now());
	struct certify_revoked entry = revoked_entry(bad, CRL_REASON_KEY_COMPROMISE);
	struct buf der = {0};
	when now = when_now();

	assert_true(certify_crl(&f->ca, 4711, now, now + 86400 * WHEN_SECOND, &entry, 1, &der));
	save(f, "crl.der", der.data, der.len);
	save_certificate(f, "ca.pem", f->ca.certificate);
	save_certificate(f, "good.pem", good);
	save_certificate(f, "bad.pem", bad);
	judged(f, "openssl crl -inform DER -in crl.der -out crl.pem");
	assert_says(f, "verify OK", "openssl crl -in crl.pem -noout -CAfile ca.pem");
	assert_says(f, "4711", "openssl crl -in crl.pem -noout -text | grep -A1 'CRL Number'");
	assert_says(f, "Key Compromise", "openssl crl -in crl.pem -noout -text");
	assert_says(f, "good.pem: OK",
	    "openssl verify -x509_strict -crl_check -CAfile ca.pem -CRLfile crl.pem good.pem");
	assert_says(f, "certificate revoked",
	    "openssl verify -x509_strict -crl_check -CAfile ca.pem -CRLfile crl.pem bad.pem");
	buf_reset(&der);
	assert_true(certify_crl(&f->ca, 1, now, now + 86400 * WHEN_SECOND, NULL, 0, &der));
	save(f, "empty.der", der.data, der.len);
	assert_says(f, "verify OK", "openssl crl -inform DER -in empty.der -noout -CAfile ca.pem");
	buf_free(&der);
	X509_free(good);
	X509_free(bad);
}

static struct buf
load(struct authority_fixture *f, const char *name)
{
	struct buf b = {0};
	char path[256];

	snprintf(path, sizeof path, "%s/%s", f->folder, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	b.len = fread(buf_room(&b, 8192), 1, 8192, file);
	fclose(file);
	return b;
}

static void
ocsp_answers_are_believed(void **state)
{
	struct authority_fixture *f = *state;
	X509 *good = issue(f, f->requester, when_now()), *bad = issue(f, f->requester, when_now());
	EVP_PKEY *key = EVP_RSA_gen(2048);
	uint8_t serial[CERTIFY_SERIAL];
	struct buf der = {0};
	when now = when_now();

	assert_true(certify_serial(serial));
	struct certify_signer responder = {certify_service(&f->ca, CERTIFY_OCSP, key, serial, now, 30), key};
	assert_non_null(responder.certificate);
	save_certificate(f, "ca.pem", f->ca.certificate);
	save_certificate(f, "good.pem", good);
	save_certificate(f, "bad.pem", bad);
	judged(f, "openssl ocsp -issuer ca.pem -cert good.pem -sha256 -cert bad.pem -reqout ask.der");
	struct buf ask = load(f, "ask.der");
	struct certify_ocsp o;
	assert_int_equal(certify_ocsp_read(ask.data, ask.len, f->ca.certificate, &o),
	    OCSP_RESPONSE_STATUS_SUCCESSFUL);
	assert_int_equal(o.count, 2);
	assert_true(o.nonce_len > 0);
	o.items[0].state = CERTIFY_GOOD;
	o.items[1].state = CERTIFY_REVOKED;
	o.items[1].revoked_at = now;
	o.items[1].reason = CRL_REASON_SUPERSEDED;
	assert_true(certify_ocsp_answer(&o, f->ca.certificate, &responder, now, now + 3600 * WHEN_SECOND, &der));
	save(f, "answer.der", der.data, der.len);
	const char *verdict = judged(f, "openssl ocsp -issuer ca.pem -CAfile ca.pem -cert good.pem -sha256 -cert "
	                             "bad.pem -no_nonce -respin answer.der");
	if (!strstr(verdict, "Response verify OK"))
		fail_msg("%s", verdict);
	assert_non_null(strstr(verdict, "good.pem: good"));
	assert_non_null(strstr(verdict, "bad.pem: revoked"));
	assert_non_null(strstr(verdict, "Reason: superseded"));

	assert_says(f, "Nonce", "openssl ocsp -respin answer.der -noverify -resp_text");

	/* about another CA; cut; with something behind it */
	X509_NAME *name = X509_NAME_new();
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"Other", -1, -1, 0);
	X509 *other = X509_dup(f->ca.certificate);
	X509_set_subject_name(other, name);
	assert_int_equal(certify_ocsp_read(ask.data, ask.len, other, &o), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
	for (size_t cut = 0; cut < ask.len; cut++)
		assert_int_equal(certify_ocsp_read(ask.data, cut, f->ca.certificate, &o),
		    OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
	buf_addc(&ask, 'x');
	assert_int_equal(certify_ocsp_read(ask.data, ask.len, f->ca.certificate, &o),
	    OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
	X509_NAME_free(name);
	X509_free(other);
	buf_free(&ask);
	buf_free(&der);
	X509_free(responder.certificate);
	EVP_PKEY_free(key);
	X509_free(good);
	X509_free(bad);
}

static void
weak_cas_are_refused(void **state)
{
	struct authority_fixture *f = *state;
	X509 *leaf = issue(f, f->requester, when_now());
	struct certify_signer mixed = {f->ca.certificate, f->requester}, no_ca = {leaf, f->requester};

	assert_null(certify_ca_fault(&f->ca));
	assert_non_null(certify_ca_fault(&mixed));
	assert_non_null(certify_ca_fault(&no_ca));
	X509_free(leaf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_has_the_profile),
		cmocka_unit_test(san_is_a_switch),
		cmocka_unit_test(no_certificate_outlives_the_ca),
		cmocka_unit_test(profile_faults_are_named),
		cmocka_unit_test(names_are_canonical),
		cmocka_unit_test(bulgarian_becomes_latin),
		cmocka_unit_test(requests_are_judged),
		cmocka_unit_test(damaged_requests_are_refused),
		cmocka_unit_test(only_what_is_assigned),
		cmocka_unit_test(list_revokes_what_it_names),
		cmocka_unit_test(ocsp_answers_are_believed),
		cmocka_unit_test(weak_cas_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
