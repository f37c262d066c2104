/* Offline verification of files: what `obmenctl verify` reports. */
#include "signature_templates.h"

#include <fcntl.h>
#include "message/verify.h"
#include "soap/envelope.h"

static bool
verify(struct fixture *f, const char *name, const char *ca, when at, struct verify_report *r)
{
	char path[128], ca_path[128];
	int fd = open(fixture_path(f, name, path), O_RDONLY | O_CLOEXEC);
	struct verify_options o = {.ca_file = ca ? fixture_path(f, ca, ca_path) : NULL, .at = at};

	assert_true(fd >= 0);
	bool ok = verify_file(fd, &o, r);
	close(fd);
	return ok;
}

static void
expect(struct fixture *f, const char *name, const char *ca, when at, enum fault fault)
{
	struct verify_report r;

	assert_true(verify(f, name, ca, at, &r));
	if (r.fault != fault)
		fail_msg("%s: %s (%s), not %s", name, fault_code(r.fault), r.detail, fault_code(fault));
	assert_int_equal(r.valid, fault == FAULT_NONE);
	verify_report_free(&r);
}

static void
wrap(struct fixture *f, const char *name, enum envelope_kind kind, const char *inner, size_t len)
{
	struct buf b = {.max = 1 << 20};

	buf_adds(&b, envelope_head(kind));
	buf_add_xml(&b, inner, len);
	buf_adds(&b, envelope_tail(kind));
	write_file(f, name, b.data, b.len);
	buf_free(&b);
}

static void
test_good(void **state)
{
	struct fixture *f = *state;
	struct message m = sample_message(MESSAGE_REGISTRATION_REQUEST);
	struct buf text = {.max = 0};
	struct verify_report r;
	uint8_t fingerprint[32];

	compose(f, &m, SIGNATURE_RSA_SHA512, &text);
	write_file(f, "good.xml", text.data, text.len);
	assert_true(verify(f, "good.xml", "ca.pem", when_now(), &r));
	assert_true(r.valid && r.intact && r.chain_checked && r.header_known && !r.wrapped);
	assert_int_equal(r.bytes, text.len);
	assert_int_equal(r.method, SIGNATURE_RSA_SHA512);
	assert_int_equal(r.digest, DIGEST_SHA512);
	assert_int_equal(r.body_c14n, C14N_INCLUSIVE);
	assert_string_equal(r.common_name, "a.obmen.local");
	assert_string_equal(r.serial_hex, "0A1B2C3D4E5F6071");
	assert_string_equal(r.eik, "990000017");
	assert_non_null(strstr(r.subject, "CN=a.obmen.local"));
	assert_non_null(strstr(r.issuer, "CN=" CA_NAME));
	assert_string_equal(r.schema_violation, "");
	assert_string_equal(r.message.sender.name, "Примерна агенция");
	memcpy(fingerprint, r.fingerprint, sizeof fingerprint);
	verify_report_free(&r);

	wrap(f, "request.xml", ENVELOPE_REQUEST, (char *)text.data, text.len);
	wrap(f, "response.xml", ENVELOPE_RESPONSE, (char *)text.data, text.len);
	static const char *const names[] = {"request.xml", "response.xml"};
	for (int i = 0; i < 2; i++) {
		assert_true(verify(f, names[i], "ca.pem", WHEN_NONE, &r));
		assert_true(r.valid && r.wrapped);
		assert_int_equal(r.bytes, text.len);
		assert_int_equal(r.at, r.message.date);
		assert_memory_equal(r.fingerprint, fingerprint, sizeof fingerprint);
		verify_report_free(&r);
	}
	buf_free(&text);
}

static void
test_bad(void **state)
{
	struct fixture *f = *state;
	struct message m = sample_message(MESSAGE_STATUS_REQUEST);
	struct buf text = {.max = 0};
	struct verify_report r;
	const when day = 86400 * WHEN_SECOND;

	compose(f, &m, SIGNATURE_RSA_SHA1, &text);
	write_file(f, "m.xml", text.data, text.len);
	expect(f, "m.xml", "ca.pem", when_now(), FAULT_NONE);
	expect(f, "m.xml", "ca.pem", when_now() + 1001 * day, FAULT_CERTIFICATE_EXPIRED);
	expect(f, "m.xml", "ca.pem", when_now() - 11 * day, FAULT_CERTIFICATE_NOT_YET);
	/* the certificate is its own authority only when it is named so */
	struct authority other = {.key = make_key()};
	other.certificate = make_certificate(
	    &(struct certificate_shape){"Other", NULL, "01", -1, 1, true}, other.key, &other);
	write_certificate(f, "other.pem", other.certificate);
	expect(f, "m.xml", "other.pem", when_now(), FAULT_CERTIFICATE_CHAIN);
	assert_true(verify(f, "m.xml", "other.pem", when_now(), &r));
	assert_true(r.intact && !r.valid);
	verify_report_free(&r);
	expect(f, "m.xml", NULL, when_now(), FAULT_NONE);

	char *changed = replaced(buf_str(&text), "990000017", "990000018");
	write_file(f, "changed.xml", changed, strlen(changed));
	expect(f, "changed.xml", "ca.pem", when_now(), FAULT_SIGNATURE_DIGEST);
	assert_true(verify(f, "changed.xml", "ca.pem", when_now(), &r));
	assert_true(!r.intact && r.has_certificate);
	verify_report_free(&r);
	free(changed);
	changed = replaced(buf_str(&text), "<SignatureValue>", "<SignatureValue>AAAA");
	write_file(f, "changed.xml", changed, strlen(changed));
	expect(f, "changed.xml", "ca.pem", when_now(), FAULT_SIGNATURE_VALUE);
	free(changed);
	changed = replaced(buf_str(&text), "<X509Certificate>", "<X509SKI/><X509Certificate>AAAA");
	write_file(f, "changed.xml", changed, strlen(changed));
	expect(f, "changed.xml", "ca.pem", when_now(), FAULT_CERTIFICATE_UNREADABLE);
	free(changed);
	write_file(f, "changed.xml", MESSAGE_OPEN STATUS_MESSAGE MESSAGE_CLOSE,
	    strlen(MESSAGE_OPEN STATUS_MESSAGE MESSAGE_CLOSE));
	expect(f, "changed.xml", "ca.pem", when_now(), FAULT_SIGNATURE_MISSING);
	write_file(f, "changed.xml", "hello", 5);
	expect(f, "changed.xml", "ca.pem", when_now(), FAULT_XML_MALFORMED);
	wrap(f, "changed.xml", ENVELOPE_RESPONSE, "", 0);
	expect(f, "changed.xml", "ca.pem", when_now(), FAULT_SOAP_UNEXPECTED);
	assert_false(verify(f, "m.xml", "missing.pem", when_now(), &r));
	assert_int_equal(r.fault, FAULT_FILE_UNREADABLE);
	verify_report_free(&r);
	assert_false(verify(f, ".", "ca.pem", when_now(), &r));
	assert_int_equal(r.fault, FAULT_FILE_UNREADABLE);
	verify_report_free(&r);
	X509_free(other.certificate);
	EVP_PKEY_free(other.key);
	buf_free(&text);
}

/* Chain certificates beside the signer's, in any order; and none at all. */
static void
test_certificates(void **state)
{
	struct fixture *f = *state;
	struct message m = sample_message(MESSAGE_STATUS_REQUEST);
	struct buf text = {.max = 0};
	struct identity ca;
	char *before, *after;

	compose(f, &m, SIGNATURE_RSA_SHA256, &text);
	assert_true(identity_from_x509(&ca, f->ca.certificate));
	assert_true(asprintf(&before, "<X509Certificate>%s</X509Certificate><X509Certificate>", ca.base64) > 0);
	after = replaced(buf_str(&text), "<X509Certificate>", before);
	write_file(f, "chain.xml", after, strlen(after));
	expect(f, "chain.xml", "ca.pem", when_now(), FAULT_NONE);
	free(after);
	free(before);
	before = strdup(strstr(buf_str(&text), "<KeyInfo>"));
	*strstr(before, "</Signature>") = 0;
	after = replaced(buf_str(&text), before, "");
	write_file(f, "none.xml", after, strlen(after));
	expect(f, "none.xml", "ca.pem", when_now(), FAULT_CERTIFICATE_MISSING);
	free(after);
	free(before);
	identity_free(&ca);
	buf_free(&text);
}

int
main(void)
{
	log_init("test", -1, LOG_ERROR + 1);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_certificates),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
