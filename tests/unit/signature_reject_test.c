/* The reject list of protocol.md section 4: each refusal with its own fault. Where xmlsec1 can sign
 * the forbidden form, the signature is good, so that nothing but the rule refuses it. */
#include "signature_templates.h"

static struct reader *reader;

static void
expect(struct fixture *f, const char *what, const char *text, enum fault expected)
{
	static const size_t chunks[] = {0, 1, 17};
	struct message m = {.type = MESSAGE_NONE};

	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		enum fault fault = judge_text(reader, &m, f->key, text, strlen(text), chunks[i]);
		if (fault != expected)
			fail_msg("%s, chunk %zu: fault %s (%s), not %s", what, chunks[i], fault_code(fault),
			    reader_detail(reader), fault_code(expected));
	}
	message_free(&m);
}

struct rejected {
	const char *what;
	enum fault fault;
	const char *template;
};

#define SIGN_WITH(info) MESSAGE_OPEN STATUS_MESSAGE SIGNATURE(info, X509_DATA) MESSAGE_CLOSE
#define TRANSFORMED(list)                                                                          \
	SIGN_WITH(SIGNED_INFO(URI_C14N, MORE "rsa-sha256", REFERENCE(" URI=\"\"", list, SHA256_URI)))
#define ID_MESSAGE(signature)                                                                      \
	"<Message Id=\"m\" xmlns=\"" NS_MESSAGE "\">" STATUS_MESSAGE signature MESSAGE_CLOSE

/* Signed by xmlsec1, and good in its eyes. */
static const struct rejected signed_wrongly[] = {
	{"XPath", FAULT_SIGNATURE_TRANSFORM,
	    TRANSFORMED("<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">"
	                "<XPath>not(ancestor-or-self::*[local-name()='Signature'])</XPath></Transform>")},
	{"XPath after enveloped", FAULT_SIGNATURE_TRANSFORM,
	    TRANSFORMED(ENVELOPED "<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">"
	                          "<XPath>not(ancestor-or-self::*[local-name()='Body'])</XPath></Transform>")},
	{"XPath filter 2", FAULT_SIGNATURE_TRANSFORM,
	    TRANSFORMED(ENVELOPED "<Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\">"
	                          "<XPath xmlns=\"http://www.w3.org/2002/06/xmldsig-filter2\" "
	                          "Filter=\"subtract\">//*[local-name()='Body']</XPath></Transform>")},
	{"XSLT", FAULT_SIGNATURE_TRANSFORM,
	    TRANSFORMED(ENVELOPED "<Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\">"
	                          "<x:stylesheet version=\"1.0\" xmlns:x=\"http://www.w3.org/1999/XSL/"
	                          "Transform\"><x:template match=\"/\"><a/></x:template></x:stylesheet>"
	                          "</Transform>" TRANSFORM(URI_C14N))},
	{"c14n before enveloped", FAULT_SIGNATURE_TRANSFORM, TRANSFORMED(ENVELOPED TRANSFORM(URI_C14N)
	    TRANSFORM(URI_C14N))},
	{"enveloped twice", FAULT_SIGNATURE_TRANSFORM, TRANSFORMED(ENVELOPED ENVELOPED)},
	{"transform with comments", FAULT_SIGNATURE_C14N,
	    TRANSFORMED(ENVELOPED TRANSFORM(URI_C14N "#WithComments"))},
	{"exclusive transform with comments", FAULT_SIGNATURE_C14N,
	    TRANSFORMED(ENVELOPED TRANSFORM(URI_EXC_C14N "WithComments"))},
	{"C14N 1.1", FAULT_SIGNATURE_TRANSFORM,
	    TRANSFORMED(ENVELOPED TRANSFORM("http://www.w3.org/2006/12/xml-c14n11"))},
	{"PrefixList", FAULT_SIGNATURE_C14N,
	    TRANSFORMED(ENVELOPED "<Transform Algorithm=\"" URI_EXC_C14N "\"><InclusiveNamespaces "
	                          "PrefixList=\"xsi\" xmlns=\"" URI_EXC_C14N "\"/></Transform>")},
	{"SignedInfo with comments", FAULT_SIGNATURE_C14N,
	    SIGN_WITH(SIGNED_INFO(URI_C14N "#WithComments", MORE "rsa-sha256",
	        REFERENCE(" URI=\"\"", ENVELOPED, SHA256_URI)))},
	{"SignedInfo in C14N 1.1", FAULT_SIGNATURE_C14N,
	    SIGN_WITH(SIGNED_INFO("http://www.w3.org/2006/12/xml-c14n11", MORE "rsa-sha256",
	        REFERENCE(" URI=\"\"", ENVELOPED, SHA256_URI)))},
	{"#id", FAULT_SIGNATURE_REFERENCE,
	    ID_MESSAGE(SIGNATURE(SIGNED_INFO(URI_C14N, MORE "rsa-sha256",
	        REFERENCE(" URI=\"#m\"", ENVELOPED, SHA256_URI)), X509_DATA))},
	{"#xpointer(/)", FAULT_SIGNATURE_REFERENCE,
	    ID_MESSAGE(SIGNATURE(SIGNED_INFO(URI_C14N, MORE "rsa-sha256",
	        REFERENCE(" URI=\"#xpointer(/)\"", ENVELOPED, SHA256_URI)), X509_DATA))},
	{"two references", FAULT_SIGNATURE_REFERENCE,
	    ID_MESSAGE(SIGNATURE(SIGNED_INFO(URI_C14N, MORE "rsa-sha256",
	        REFERENCE(" URI=\"\"", ENVELOPED, SHA256_URI) REFERENCE(" URI=\"#m\"", ENVELOPED,
	            SHA256_URI)), X509_DATA))},
	{"Object", FAULT_SIGNATURE_OBJECT,
	    MESSAGE_OPEN STATUS_MESSAGE SIGNATURE(PLAIN_INFO, X509_DATA "<Object>x</Object>")
	    MESSAGE_CLOSE},
	{"empty Object", FAULT_SIGNATURE_OBJECT,
	    MESSAGE_OPEN STATUS_MESSAGE SIGNATURE(PLAIN_INFO, X509_DATA "<Object/>") MESSAGE_CLOSE},
	{"Type of Manifest", FAULT_SIGNATURE_OBJECT,
	    SIGN_WITH(SIGNED_INFO(URI_C14N, MORE "rsa-sha256",
	        REFERENCE(" URI=\"\" Type=\"" DSIG "Manifest\"", ENVELOPED, SHA256_URI)))},
	{"SHA-224", FAULT_SIGNATURE_ALGORITHM,
	    SIGN_WITH(SIGNED_INFO(URI_C14N, MORE "rsa-sha224", REFERENCE(" URI=\"\"", ENVELOPED, SHA256_URI)))},
	{"digest SHA-224", FAULT_SIGNATURE_ALGORITHM,
	    SIGN_WITH(SIGNED_INFO(URI_C14N, MORE "rsa-sha256",
	        REFERENCE(" URI=\"\"", ENVELOPED, MORE "sha224")))},
	{"signature first", FAULT_SIGNATURE_PLACE,
	    MESSAGE_OPEN PLAIN_SIGNATURE STATUS_MESSAGE MESSAGE_CLOSE},
	{"signature between Header and Body", FAULT_SIGNATURE_PLACE,
	    MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest") PLAIN_SIGNATURE STATUS_BODY MESSAGE_CLOSE},
	{"signature in Header", FAULT_SIGNATURE_PLACE,
	    MESSAGE_OPEN "<Header>" PLAIN_SIGNATURE "<Version>1</Version><MessageType>"
	    "MSG_DocumentStatusRequest</MessageType><MessageDate>2026-11-21T10:00:00Z</MessageDate>"
	    "<Sender><Identifier>1</Identifier><AdministrativeBodyName>A</AdministrativeBodyName><GUID>"
	    "{0B0E7A52-1111-4222-8333-9A9A9A9A9A01}</GUID></Sender><Recipient><Identifier>2</Identifier>"
	    "<AdministrativeBodyName>B</AdministrativeBodyName><GUID>"
	    "{0B0E7A52-1111-4222-8333-9A9A9A9A9A02}</GUID></Recipient><MessageGUID>"
	    "{0B0E7A52-1111-4222-8333-9A9A9A9A9A03}</MessageGUID></Header>" STATUS_BODY MESSAGE_CLOSE},
	{"signature in Body", FAULT_SIGNATURE_PLACE,
	    MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest") "<Body><DocumentStatusRequest><DocID>" DOC_GUID
	    "</DocID></DocumentStatusRequest>" PLAIN_SIGNATURE "</Body>" MESSAGE_CLOSE},
	{"signature in Document only", FAULT_SIGNATURE_MISSING,
	    MESSAGE_OPEN REQUEST_MESSAGE(PLAIN_SIGNATURE) MESSAGE_CLOSE},
	{"Message inside another root", FAULT_XML_ROOT,
	    "<Wrapper>" MESSAGE_OPEN STATUS_MESSAGE PLAIN_SIGNATURE MESSAGE_CLOSE "</Wrapper>"},
};

static void
test_signed_wrongly(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof signed_wrongly / sizeof signed_wrongly[0]; i++) {
		size_t len;
		bool by_id = strstr(signed_wrongly[i].template, "#m\"") != NULL;
		char *text = sign_template(f, signed_wrongly[i].template,
		    by_id ? "--id-attr:Id " NS_MESSAGE ":Message" : "", &len);
		expect(f, signed_wrongly[i].what, text, signed_wrongly[i].fault);
		free(text);
	}
}

/* --- a good message, changed afterwards ----------------------------------------------------- */

struct change {
	const char *what;
	enum fault fault;
	const char *from, *to;
};

static const struct change changes[] = {
	{"value changed", FAULT_SIGNATURE_DIGEST, "<DocNumber>12", "<DocNumber>13"},
	{"space added", FAULT_SIGNATURE_DIGEST, "<Body>", "<Body> "},
	{"attribute added", FAULT_SIGNATURE_DIGEST, "<Body>", "<Body a=\"1\">"},
	{"namespace added", FAULT_SIGNATURE_DIGEST, "<Body>", "<Body xmlns:x=\"urn:x\">"},
	{"attachment changed", FAULT_SIGNATURE_DIGEST, "YWJj", "YWJk"},
	{"attachment wrapped otherwise", FAULT_SIGNATURE_DIGEST, "\nYWJj\n", "YWJj\n"},
	{"instruction added", FAULT_SIGNATURE_DIGEST, "<DocKind>", "<?x?><DocKind>"},
	{"SignedInfo changed", FAULT_SIGNATURE_VALUE, "<SignedInfo>", "<SignedInfo> "},
	{"SignedInfo with an attribute", FAULT_SIGNATURE_VALUE, "<SignedInfo>", "<SignedInfo Id=\"a\">"},
	{"Reference Id", FAULT_SIGNATURE_VALUE, "<Reference URI=\"\"", "<Reference Id=\"x\" URI=\"\""},
	{"no URI", FAULT_SIGNATURE_REFERENCE, "<Reference URI=\"\"", "<Reference"},
	{"external URI", FAULT_SIGNATURE_REFERENCE, "URI=\"\"", "URI=\"http://example.invalid/\""},
	{"file URI", FAULT_SIGNATURE_REFERENCE, "URI=\"\"", "URI=\"file:///etc/passwd\""},
	{"prefixed URI", FAULT_SIGNATURE_REFERENCE, "URI=\"\"", "x:URI=\"\" xmlns:x=\"urn:x\""},
	{"base64 transform", FAULT_SIGNATURE_TRANSFORM, ENVELOPED, TRANSFORM(DSIG "base64")},
	{"no transform", FAULT_SIGNATURE_TRANSFORM, ENVELOPED, ""},
	{"only c14n", FAULT_SIGNATURE_TRANSFORM, ENVELOPED, TRANSFORM(URI_C14N)},
	{"c14n before enveloped", FAULT_SIGNATURE_TRANSFORM, ENVELOPED, TRANSFORM(URI_C14N) ENVELOPED},
	{"transform without name", FAULT_SIGNATURE_TRANSFORM, ENVELOPED, "<Transform/>"},
	{"enveloped with a child", FAULT_SIGNATURE_TRANSFORM, ENVELOPED,
	    "<Transform Algorithm=\"" URI_ENVELOPED "\"><XPath>1</XPath></Transform>"},
	{"HMAC", FAULT_SIGNATURE_ALGORITHM, MORE "rsa-sha256", DSIG "hmac-sha1"},
	{"HMAC of SHA-256", FAULT_SIGNATURE_ALGORITHM, MORE "rsa-sha256", MORE "hmac-sha256"},
	{"DSA", FAULT_SIGNATURE_ALGORITHM, MORE "rsa-sha256", DSIG "dsa-sha1"},
	{"ECDSA", FAULT_SIGNATURE_ALGORITHM, MORE "rsa-sha256", MORE "ecdsa-sha256"},
	{"RSA-PSS", FAULT_SIGNATURE_ALGORITHM, MORE "rsa-sha256",
	    "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"},
	{"MD5", FAULT_SIGNATURE_ALGORITHM, MORE "rsa-sha256", MORE "rsa-md5"},
	{"unknown digest", FAULT_SIGNATURE_ALGORITHM, "<DigestMethod Algorithm=\"" SHA256_URI,
	    "<DigestMethod Algorithm=\"" MORE "md5"},
	{"HMACOutputLength", FAULT_SIGNATURE_ALGORITHM, "rsa-sha256\"/>",
	    "rsa-sha256\"><HMACOutputLength>1</HMACOutputLength></SignatureMethod>"},
	{"another method", FAULT_SIGNATURE_VALUE, "more#rsa-sha256", "more#rsa-sha512"},
	{"weaker digest declared", FAULT_SIGNATURE_FORM, "<DigestMethod Algorithm=\"" SHA256_URI,
	    "<DigestMethod Algorithm=\"" DSIG "sha1"},
	{"longer digest", FAULT_SIGNATURE_FORM, "<DigestValue>", "<DigestValue>AAAA"},
	{"second SignedInfo", FAULT_SIGNATURE_FORM, "<SignatureValue>", PLAIN_INFO "<SignatureValue>"},
	{"second SignatureValue", FAULT_SIGNATURE_FORM, "<SignatureValue>",
	    "<SignatureValue>YQ==</SignatureValue><SignatureValue>"},
	{"no SignatureValue", FAULT_SIGNATURE_FORM, "<SignatureValue>", "<KeyInfo/><SignatureValue>"},
	{"text in Signature", FAULT_SIGNATURE_FORM, "<SignedInfo>", "x<SignedInfo>"},
	{"element in SignedInfo", FAULT_SIGNATURE_FORM, "<SignedInfo>", "<SignedInfo><x/>"},
	{"look-alike SignedInfo", FAULT_SIGNATURE_FORM,
	    "<SignedInfo>", "<SignedInfo xmlns=\"urn:x\"/><SignedInfo>"},
	{"value is no base64", FAULT_SIGNATURE_FORM, "<SignatureValue>", "<SignatureValue>*"},
	{"element in SignatureValue", FAULT_SIGNATURE_FORM, "<SignatureValue>", "<SignatureValue><x/>"},
	{"short value", FAULT_SIGNATURE_FORM, "<SignatureValue>", "<SignatureValue>AAAA=A"},
	{"longer value", FAULT_SIGNATURE_VALUE, "<SignatureValue>", "<SignatureValue>AAAA"},
	{"second signature", FAULT_SIGNATURE_SEVERAL, "</Message>", PLAIN_SIGNATURE "</Message>"},
	{"empty second signature", FAULT_SIGNATURE_SEVERAL, "</Message>",
	    "<x:Signature xmlns:x=\"" DSIG "\"/></Message>"},
	{"element behind", FAULT_XML_MODEL, "</Message>", "<Extra/></Message>"},
	{"second Body behind", FAULT_XML_MODEL, "</Message>", STATUS_BODY "</Message>"},
	{"text behind", FAULT_XML_MODEL, "</Message>", "x</Message>"},
	{"white space behind", FAULT_SIGNATURE_DIGEST, "</Message>", " </Message>"},
	{"something after the root", FAULT_XML_MALFORMED, "</Message>", "</Message><a/>"},
	{"text after the root", FAULT_XML_MALFORMED, "</Message>", "</Message>x"},
	{"instruction after the root", FAULT_SIGNATURE_DIGEST, "</Message>", "</Message><?x?>"},
	{"bytes after the root", FAULT_XML_MALFORMED, "</Message>", "</Message>\x01"},
	{"look-alike without namespace", FAULT_XML_MODEL, "<Signature xmlns=\"" DSIG "\">",
	    "<Signature xmlns=\"\">"},
	{"look-alike in a close namespace", FAULT_XML_MODEL, "<Signature xmlns=\"" DSIG "\">",
	    "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig\">"},
	{"look-alike prefix", FAULT_XML_MALFORMED, "<Signature xmlns=\"" DSIG "\">",
	    "<ds:Signature>"},
	{"DTD", FAULT_XML_DTD, "<Message", "<!DOCTYPE Message><Message"},
	{"entity", FAULT_XML_DTD, "<Message", "<!DOCTYPE Message [<!ENTITY e 'x'>]><Message"},
	{"external DTD", FAULT_XML_DTD, "<Message", "<!DOCTYPE Message SYSTEM 'file:///etc/passwd'><Message"},
	{"unknown entity", FAULT_XML_MALFORMED, "<DocKind>", "<DocKind>&nbsp;"},
};

static void
test_changed(void **state)
{
	struct fixture *f = *state;
	size_t len;
	char *text = sign_template(f, MESSAGE_OPEN REQUEST_MESSAGE("") PLAIN_SIGNATURE MESSAGE_CLOSE, "",
	    &len);

	expect(f, "unchanged", text, FAULT_NONE);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		char *changed = replaced(text, changes[i].from, changes[i].to);
		expect(f, changes[i].what, changed, changes[i].fault);
		free(changed);
	}
	free(text);
}

/* --- signature wrapping --------------------------------------------------------------------- */

/* The signed original, without its XML declaration. */
static char *
original(struct fixture *f)
{
	size_t len;
	char *text = sign_template(f, MESSAGE_OPEN STATUS_MESSAGE PLAIN_SIGNATURE MESSAGE_CLOSE, "", &len);
	char *bare = strdup(strstr(text, "<Message"));

	free(text);
	return bare;
}

static __attribute__((format(printf, 4, 5))) void
expect_wrapped(struct fixture *f, const char *what, enum fault fault, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	assert_true(vasprintf(&text, fmt, ap) > 0);
	va_end(ap);
	expect(f, what, text, fault);
	free(text);
}

static void
test_wrapping(void **state)
{
	struct fixture *f = *state;
	char *good = original(f);
	char *signature = strdup(strstr(good, "<Signature"));
	char *evil = replaced(good, "990000017", "999999999");
	char *evil_unsigned = strdup(evil);

	strstr(signature, "</Message>")[0] = 0;
	strcpy(strstr(evil_unsigned, "<Signature"), "</Message>");
	*strstr(evil_unsigned, "</Message>") = 0;
	expect(f, "original", good, FAULT_NONE);
	expect_wrapped(f, "original in DocAddData, no signature of its own", FAULT_SIGNATURE_MISSING,
	    MESSAGE_OPEN REQUEST_MESSAGE("<DocAddData>%s</DocAddData>") MESSAGE_CLOSE, good);
	expect_wrapped(f, "original in DocAddData, its signature copied", FAULT_SIGNATURE_DIGEST,
	    MESSAGE_OPEN REQUEST_MESSAGE("<DocAddData>%s</DocAddData>") "%s" MESSAGE_CLOSE, good, signature);
	expect_wrapped(f, "original in Object of its signature", FAULT_SIGNATURE_OBJECT,
	    "%s%.*s<Object>%s</Object></Signature></Message>", evil_unsigned,
	    (int)(strlen(signature) - strlen("</Signature>")), signature, good);
	expect_wrapped(f, "original behind the signature", FAULT_XML_MODEL, "%s%s%s</Message>",
	    evil_unsigned, signature, good);
	expect_wrapped(f, "original before the signature", FAULT_XML_MODEL, "%s%s%s</Message>",
	    evil_unsigned, good, signature);
	expect_wrapped(f, "original in a wrapper of Header", FAULT_XML_MODEL,
	    MESSAGE_OPEN "<Header><Wrapper>%s</Wrapper></Header>%s</Message>", good, signature);
	expect_wrapped(f, "original as the root's sibling", FAULT_XML_MALFORMED, "%s%s", evil, good);
	expect_wrapped(f, "original under the same root name", FAULT_XML_MODEL,
	    MESSAGE_OPEN "%s%s</Message>", good, signature);
	expect_wrapped(f, "signature moved to a changed message", FAULT_SIGNATURE_DIGEST,
	    "%s%s</Message>", evil_unsigned, signature);
	expect_wrapped(f, "signature of a signature", FAULT_SIGNATURE_OBJECT,
	    "%s<Signature xmlns=\"" DSIG "\"><Object>%s</Object></Signature></Message>", evil_unsigned,
	    signature);
	free(good);
	free(signature);
	free(evil);
	free(evil_unsigned);
}

/* A comment must not cut what is used off from what was signed. */
static void
test_comment_in_values(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	size_t len;
	char *text = sign_template(f, MESSAGE_OPEN REQUEST_MESSAGE("") PLAIN_SIGNATURE MESSAGE_CLOSE, "", &len);
	char *split = replaced(text, "<DocNumber>12<", "<DocNumber>1<!-- -->2<");
	char *guid = replaced(split, "{0B0E7A52-1111-4222-8333-9A9A9A9A9A01}",
	    "{0B0E7A52-1111-4222-<!---->8333-9A9A9A9A9A01}");

	/* comments are not signed: the signature stays good and the values stay whole */
	assert_fault(judge_text(reader, &m, f->key, guid, strlen(guid), 0), FAULT_NONE);
	assert_string_equal(m.document.id.number, "12");
	assert_string_equal(m.sender.guid_text, "{0B0E7A52-1111-4222-8333-9A9A9A9A9A01}");
	free(guid);
	free(split);
	free(text);
	message_free(&m);
}

static void
test_wrong_keys(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	char *good = original(f);
	EVP_PKEY *other = make_key(), *small = EVP_RSA_gen(1024), *ec = EVP_EC_gen("P-256");

	assert_fault(read_text(reader, &m, good, strlen(good), 0), FAULT_NONE);
	const struct signature *sig = reader_signature(reader);
	assert_fault(signature_check(sig, f->key), FAULT_NONE);
	assert_fault(signature_check(sig, other), FAULT_SIGNATURE_VALUE);
	assert_fault(signature_check(sig, small), FAULT_SIGNATURE_VALUE);
	assert_fault(signature_check(sig, ec), FAULT_SIGNATURE_VALUE);
	assert_fault(signature_check(sig, f->key), FAULT_NONE);
	EVP_PKEY_free(other);
	EVP_PKEY_free(small);
	EVP_PKEY_free(ec);
	free(good);
	message_free(&m);
}

/* The PHP library that declares inclusive C14N and computes exclusive (section 4): refused. */
static void
test_declares_one_form_computes_the_other(void **state)
{
	struct fixture *f = *state;
	size_t len;
	char *text = sign_template(f,
	    "<Message xmlns=\"" NS_MESSAGE "\" xmlns:ns2=\"urn:x\">" STATUS_MESSAGE SIGNATURE(
	        SIGNED_INFO(URI_EXC_C14N, MORE "rsa-sha256",
	            REFERENCE(" URI=\"\"", ENVELOPED TRANSFORM(URI_EXC_C14N), SHA256_URI)), X509_DATA)
	    MESSAGE_CLOSE, "", &len);
	char *lying = replaced(text, TRANSFORM(URI_EXC_C14N), TRANSFORM(URI_C14N));

	expect(f, "as signed", text, FAULT_NONE);
	expect(f, "as declared", lying, FAULT_SIGNATURE_DIGEST);
	free(lying);
	free(text);
}

int
main(void)
{
	log_init("test", -1, LOG_ERROR);
	reader = reader_new(&reader_default_limits);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signed_wrongly),
	    cmocka_unit_test(test_changed),
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_comment_in_values),
	    cmocka_unit_test(test_wrong_keys),
	    cmocka_unit_test(test_declares_one_form_computes_the_other),
	};
	int failed = cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
	reader_free(reader);
	return failed;
}
