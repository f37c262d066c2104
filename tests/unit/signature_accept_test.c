/* The accept list of protocol.md section 4: what xmlsec1 signs in any allowed form, we verify. */
#include "signature_templates.h"

static struct reader *reader;

static void
expect_good(struct fixture *f, const char *text, size_t len, const char *what)
{
	static const size_t chunks[] = {0, 1, 13, 4096};
	struct message m = {.type = MESSAGE_NONE};

	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		enum fault fault = judge_text(reader, &m, f->key, text, len, chunks[i]);
		if (fault)
			fail_msg("%s, chunk %zu: %s %s %s\n%s", what, chunks[i], fault_code(fault),
			    reader_detail(reader), reader_signature(reader)->fault_detail, text);
	}
	message_free(&m);
}

struct accepted {
	const char *what;
	const char *template;
	enum c14n_method c14n, body_c14n;
};

#define I C14N_INCLUSIVE
#define E C14N_EXCLUSIVE
#define XSI                                                                                        \
	" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""                                 \
	" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""
#define OPEN_XSI "<Message" XSI " xmlns=\"" NS_MESSAGE "\">"
#define WITH(c14n, method, transforms, digest)                                                     \
	SIGNATURE(SIGNED_INFO(c14n, method, REFERENCE(" URI=\"\"", transforms, digest)), X509_DATA)
#define STATUS(open, signature) open STATUS_MESSAGE signature MESSAGE_CLOSE

static const struct accepted accepted[] = {
	{"sha1", STATUS(MESSAGE_OPEN, WITH(URI_C14N, DSIG "rsa-sha1", ENVELOPED, DSIG "sha1")), I, I},
	{"sha256", STATUS(MESSAGE_OPEN, PLAIN_SIGNATURE), I, I},
	{"sha384", STATUS(MESSAGE_OPEN, WITH(URI_C14N, MORE "rsa-sha384", ENVELOPED, MORE "sha384")), I, I},
	{"sha512", STATUS(MESSAGE_OPEN,
	    WITH(URI_C14N, MORE "rsa-sha512", ENVELOPED, "http://www.w3.org/2001/04/xmlenc#sha512")), I, I},
	{"sha1 digest in sha256", STATUS(MESSAGE_OPEN,
	    WITH(URI_C14N, MORE "rsa-sha256", ENVELOPED, DSIG "sha1")), I, I},
	{"xsi", STATUS(OPEN_XSI, PLAIN_SIGNATURE), I, I},
	{"exclusive", STATUS(MESSAGE_OPEN, WITH(URI_EXC_C14N, MORE "rsa-sha256",
	    ENVELOPED TRANSFORM(URI_EXC_C14N), SHA256_URI)), E, E},
	{"exclusive, xsi", STATUS(OPEN_XSI, WITH(URI_EXC_C14N, MORE "rsa-sha256",
	    ENVELOPED TRANSFORM(URI_EXC_C14N), SHA256_URI)), E, E},
	{"exclusive sha512, xsi", STATUS(OPEN_XSI, WITH(URI_EXC_C14N, MORE "rsa-sha512",
	    ENVELOPED TRANSFORM(URI_EXC_C14N), "http://www.w3.org/2001/04/xmlenc#sha512")), E, E},
	{"exclusive SignedInfo, xsi", STATUS(OPEN_XSI,
	    WITH(URI_EXC_C14N, MORE "rsa-sha256", ENVELOPED, SHA256_URI)), E, I},
	{"exclusive content, xsi", STATUS(OPEN_XSI, WITH(URI_C14N, MORE "rsa-sha256",
	    ENVELOPED TRANSFORM(URI_EXC_C14N), SHA256_URI)), I, E},
	{"inclusive named", STATUS(OPEN_XSI, WITH(URI_C14N, MORE "rsa-sha256",
	    ENVELOPED TRANSFORM(URI_C14N), SHA256_URI)), I, I},
	{"xml:lang", "<Message xml:lang=\"bg\" xmlns=\"" NS_MESSAGE "\">" STATUS_MESSAGE
	    "<Signature xml:space=\"preserve\" xmlns=\"" DSIG "\">" PLAIN_INFO X509_DATA
	    "</Signature></Message>", I, I},
	{"Id", "<Message a=\"1\" xmlns=\"" NS_MESSAGE "\">" STATUS_MESSAGE "<Signature Id=\"s\" xmlns=\"" DSIG
	    "\">" SIGNED_INFO(URI_C14N, MORE "rsa-sha256",
	    REFERENCE(" Id=\"r\" URI=\"\"", ENVELOPED, SHA256_URI)) X509_DATA "</Signature></Message>", I, I},
	{"registration", MESSAGE_OPEN REQUEST_MESSAGE("") PLAIN_SIGNATURE MESSAGE_CLOSE, I, I},
	{"free content", MESSAGE_OPEN REQUEST_MESSAGE("<DocAddData x=\"1\">t<a xmlns=\"urn:x\"><b/>"
	    "<Message xmlns=\"" NS_MESSAGE "\"/></a></DocAddData>") PLAIN_SIGNATURE MESSAGE_CLOSE, I, I},
	{"entities, comments, instructions", "<?p before?><!-- c -->\n" MESSAGE_OPEN REQUEST_MESSAGE(
	    "<DocAbout>a<!-- x -->b<?pi?><![CDATA[<c>]]>&#13;&amp;&quot;\t\n</DocAbout>")
	    PLAIN_SIGNATURE "<!-- end -->\n" MESSAGE_CLOSE "\n<?p after?>", I, I},
	{"indented",
	    MESSAGE_OPEN "\n  " HEADER("MSG_DocumentStatusRequest") "\r\n  <Body>\n <DocumentStatusRequest>"
	    "\n\t<DocID>" DOC_GUID "\n</DocID></DocumentStatusRequest></Body>\n  <Signature xmlns=\"" DSIG
	    "\">\n <SignedInfo>\n  <CanonicalizationMethod Algorithm=\"" URI_C14N "\"/>\n"
	    "  <!-- c --><SignatureMethod Algorithm=\"" MORE "rsa-sha256\"/><?pi?>\n"
	    REFERENCE(" URI=\"\"", "\n" ENVELOPED "\n", SHA256_URI) "\n</SignedInfo>\n<SignatureValue/>\n"
	    X509_DATA "\n</Signature>\n" MESSAGE_CLOSE "\n", I, I},
	{"no KeyInfo", STATUS(MESSAGE_OPEN, SIGNATURE(PLAIN_INFO, "")), I, I},
	{"KeyValue first", STATUS(MESSAGE_OPEN, SIGNATURE(PLAIN_INFO,
	    "<KeyInfo><KeyName>n</KeyName><KeyValue/><X509Data><X509SubjectName/><X509Certificate/>"
	    "<X509IssuerSerial/></X509Data></KeyInfo>")), I, I},
	{"Signature with another default", "<Message xmlns=\"" NS_MESSAGE "\" xmlns:u=\"urn:u\" u:a=\"1\">"
	    STATUS_MESSAGE "<Signature xmlns=\"" DSIG "\" xmlns:v=\"urn:v\">" PLAIN_INFO X509_DATA
	    "</Signature></Message>", I, I},
};

static void
test_accept_list(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		size_t len;
		char *text = sign_template(f, accepted[i].template, "", &len);
		expect_good(f, text, len, accepted[i].what);
		assert_int_equal(reader_signature(reader)->c14n, accepted[i].c14n);
		assert_int_equal(reader_signature(reader)->body_c14n, accepted[i].body_c14n);
		free(text);
	}
}

/* The same with prefixes everywhere. */
static void
test_prefixes(void **state)
{
	struct fixture *f = *state;
	size_t len;
	struct buf b = {.max = 0};
	bool signature = false;

	for (const char *p = STATUS(MESSAGE_OPEN, PLAIN_SIGNATURE); *p; p++) {
		signature = strncmp(p, "<Signature ", 11) == 0 || (signature && strncmp(p, "</Message", 9));
		buf_addc(&b, *p);
		bool tag = *p == '<' || (*p == '/' && p[-1] == '<');
		if (tag && p[1] != '/')
			buf_adds(&b, signature ? "ds:" : "m:");
	}
	char *root = replaced(buf_str(&b), " xmlns=\"" NS_MESSAGE, " xmlns:m=\"" NS_MESSAGE);
	char *both = replaced(root, " xmlns=\"" DSIG, " xmlns:ds=\"" DSIG);
	char *text = sign_template(f, both, "", &len);
	assert_non_null(strstr(text, "<ds:SignedInfo>"));
	expect_good(f, text, len, "prefixes");
	free(text);
	free(both);
	free(root);
	buf_free(&b);
}

static char *
doubled_certificate(const char *text)
{
	const char *start = strstr(text, "<X509Certificate>");
	const char *end = strstr(text, "</X509Certificate>") + 18;
	char *one = strndup(start, (size_t)(end - start)), *two, *out;

	assert_true(asprintf(&two, "%s%s", one, one) > 0);
	out = replaced(text, one, two);
	free(one);
	free(two);
	return out;
}

/* What may change outside the signed bytes. */
static void
test_harmless_changes(void **state)
{
	struct fixture *f = *state;
	size_t len;
	char *text = sign_template(f, STATUS(OPEN_XSI, PLAIN_SIGNATURE), "", &len);
	const char *declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
	static const char *const starts[] = {"", "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>",
	    "<?xml version=\"1.0\" encoding=\"windows-1251\"?>\r\n\r\n",
	    "<?xml version=\"1.0\" encoding=\"utf-16\"?>", "\xef\xbb\xbf\r\n", " \n",
	    "\n<?xml version='1.0' standalone='yes'?>", "<?xml version=\"1.0\" encoding=\"no-such\"?>"};

	if (!strstr(text, declaration))
		declaration = "<?xml version=\"1.0\"?>\n";
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		char *changed = replaced(text, declaration, starts[i]);
		expect_good(f, changed, strlen(changed), starts[i]);
		free(changed);
	}
	char *twice = doubled_certificate(text);
	expect_good(f, twice, strlen(twice), "the certificate twice");
	assert_int_equal(reader_signature(reader)->certificate_count, 1);
	free(twice);
	char *value = strstr(text, "<SignatureValue>");
	char *line = strchr(value, '\n');
	line[0] = '\r'; /* one line end becomes CR: base64 is the same */
	expect_good(f, text, len, "CR in SignatureValue");
	char *crlf = replaced(text, "</SignatureValue>", "&#13;\r\n \t</SignatureValue>");
	expect_good(f, crlf, strlen(crlf), "CRLF in SignatureValue");
	free(crlf);
	free(text);
}

/* A signature inside Document is payload: signed over, never looked at. */
static void
test_document_signature(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	size_t len;
	char *text = sign_template(f, MESSAGE_OPEN REQUEST_MESSAGE(SIGNATURE(
	    "<SignedInfo>anything<HMAC/></SignedInfo>", "<Object>x</Object>")) PLAIN_SIGNATURE MESSAGE_CLOSE,
	    "--node-xpath \"/*/*[local-name()='Signature']\"", &len);

	expect_good(f, text, len, "document signature");
	assert_fault(read_text(reader, &m, text, len, 0), FAULT_NONE);
	assert_true(m.document.has_signature);
	assert_null(reader_schema_violation(reader));
	char *changed = replaced(text, "anything", "something");
	assert_fault(judge_text(reader, &m, f->key, changed, strlen(changed), 0), FAULT_SIGNATURE_DIGEST);
	free(changed);
	free(text);
	message_free(&m);
}

static void
test_fingerprint(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	uint8_t first[32], second[32];
	size_t len;
	char *text = sign_template(f, STATUS(MESSAGE_OPEN, PLAIN_SIGNATURE), "", &len);

	assert_fault(read_text(reader, &m, text, len, 0), FAULT_NONE);
	signature_fingerprint(reader_signature(reader), first);
	char *wrapped = doubled_certificate(text);
	assert_fault(read_text(reader, &m, wrapped, strlen(wrapped), 1), FAULT_NONE);
	signature_fingerprint(reader_signature(reader), second);
	assert_memory_equal(first, second, sizeof first);
	free(wrapped);
	free(text);
	text = sign_template(f, STATUS(OPEN_XSI, PLAIN_SIGNATURE), "", &len);
	assert_fault(read_text(reader, &m, text, len, 0), FAULT_NONE);
	signature_fingerprint(reader_signature(reader), second);
	assert_memory_not_equal(first, second, sizeof first);
	free(text);
	message_free(&m);
}

/* A good hint saves the second reading; a wrong one costs it, with the same result. */
static void
test_hints(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	size_t len;
	char *text = sign_template(f, STATUS(OPEN_XSI, PLAIN_SIGNATURE), "", &len);

	for (int hint = DIGEST_NONE; hint < DIGEST_METHOD_COUNT; hint++) {
		assert_true(reader_begin(reader, &m, (enum digest_method)hint, NULL, NULL));
		assert_fault(reader_feed(reader, text, len), FAULT_NONE);
		bool right = hint == DIGEST_NONE || hint == DIGEST_SHA256;
		assert_fault(reader_end(reader), right ? FAULT_NONE : FAULT_DIGEST_AGAIN);
		assert_int_equal(reader_signature(reader)->digest, DIGEST_SHA256);
		if (right)
			assert_fault(signature_check(reader_signature(reader), f->key), FAULT_NONE);
	}
	free(text);
	message_free(&m);
}

int
main(void)
{
	log_init("test", -1, LOG_ERROR);
	reader = reader_new(&reader_default_limits);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accept_list),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_harmless_changes),
	    cmocka_unit_test(test_document_signature),
	    cmocka_unit_test(test_fingerprint),
	    cmocka_unit_test(test_hints),
	};
	int failed = cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
	reader_free(reader);
	return failed;
}
