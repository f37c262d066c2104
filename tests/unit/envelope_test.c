/* SOAP envelopes of every make, and broken ones; zeep reads our WSDL and our answers. */
#include "message_fixture.h"

#include "soap/envelope.h"

static struct envelope *envelope;

static enum fault
take(void *arg, const void *data, size_t len)
{
	buf_add(arg, data, len);
	return FAULT_NONE;
}

static enum fault
read_envelope(enum envelope_kind kind, const char *text, size_t len, size_t chunk, struct buf *out,
    enum envelope_content *content)
{
	enum fault fault = FAULT_NONE;

	buf_reset(out);
	assert_true(envelope_begin(envelope, kind, take, out));
	for (size_t at = 0; at < len && !fault;) {
		size_t n = chunk && len - at > chunk ? chunk : len - at;
		fault = envelope_feed(envelope, text + at, n);
		at += n;
	}
	enum fault end = envelope_end(envelope, content);
	return fault ? fault : end;
}

struct sample {
	const char *what;
	const char *text;
	const char *inner; /* NULL = none */
	enum fault fault;
	enum envelope_content content;
};

#define ENV(body) "<s:Envelope xmlns:s=\"" NS_SOAP11 "\"><s:Body>" body "</s:Body></s:Envelope>"
#define SUBMIT(request) ENV("<Submit xmlns=\"" NS_SUBMIT "\">" request "</Submit>")
#define REQ(text) SUBMIT("<request>" text "</request>")
#define M ENVELOPE_MESSAGE

static const struct sample requests[] = {
	{"plain", REQ("&lt;a&gt;x &amp;amp; y&lt;/a&gt;"), "<a>x &amp; y</a>", 0, M},
	{"declared", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n" REQ("&lt;a/>"), "<a/>", 0, M},
	{"mark", "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>" REQ("&lt;a/>"), "<a/>", 0, M},
	{"inner mark", REQ("\xef\xbb\xbf&lt;a/>"), "<a/>", 0, M},
	{"inner mark as reference", REQ("&#xFEFF;\r\n&lt;a/>"), "<a/>", 0, M},
	{"indented", REQ("\n\t  &lt;?xml version='1.0'?>&lt;a/>\n"), "<?xml version='1.0'?><a/>\n", 0, M},
	{"CDATA", REQ("<![CDATA[<a b=\"1\">&amp;</a>]]>"), "<a b=\"1\">&amp;</a>", 0, M},
	{"CDATA mixed", REQ("&lt;a><![CDATA[<b>]]]]><![CDATA[></b>]]>x]]]<![CDATA[]]]>&lt;/a>"),
	    "<a><b>]]></b>x]]]]</a>", 0, M},
	{"references", REQ("&#60;a&#x3E;&#x416;&#1046;&#x10FFFF;&#x9;&lt;/a&gt;"),
	    "<a>\xd0\x96\xd0\x96\xf4\x8f\xbf\xbf\t</a>", 0, M},
	{"quotes", REQ("&lt;a b=&quot;&apos;&quot;/&gt;"), "<a b=\"'\"/>", 0, M},
	{"comments and instructions", REQ("&lt;a<!-- < & ' --><?x y?>/><!---->"), "<a/>", 0, M},
	{"line ends", REQ("&lt;a>\r\n\r1&#13;\n&#13;&#10;<![CDATA[\r\n]]>&lt;/a>"),
	    "<a>\n\n1\r\n\r\n\n</a>", 0, M},
	{"prefixes", "<E:Envelope xmlns:E='" NS_SOAP11 "' xmlns:q='" NS_SUBMIT "'><E:Header><x a='>'><y/></x>"
	    "</E:Header><E:Body a='1'><q:Submit><q:request x='2>1'>&lt;a/></q:request></q:Submit></E:Body>"
	    "<z xmlns='urn:x'/></E:Envelope><!-- c -->\n", "<a/>", 0, M},
	{"header with the same names", "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Header><Submit xmlns='" NS_SUBMIT
	    "'><request>no</request></Submit><s:Body><Submit xmlns='" NS_SUBMIT "'><request>no</request>"
	    "</Submit></s:Body></s:Header><s:Body><Submit xmlns='" NS_SUBMIT "'><request>&lt;a/></request>"
	    "</Submit></s:Body></s:Envelope>", "<a/>", 0, M},
	{"empty", REQ(""), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"white space", REQ(" \r\n"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"self-closed", SUBMIT("<request/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"nil", SUBMIT("<request xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>"), NULL,
	    FAULT_SOAP_UNEXPECTED, 0},
	{"no request", SUBMIT(""), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"no Submit", ENV(""), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"no Body", "<s:Envelope xmlns:s='" NS_SOAP11 "'/>", NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"other operation", ENV("<Other xmlns='" NS_SUBMIT "'/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"Submit without namespace", ENV("<Submit><request>&lt;a/></request></Submit>"), NULL,
	    FAULT_SOAP_UNEXPECTED, 0},
	{"namespace without slash", ENV("<Submit xmlns='http://services.egov.bg/messaging'><request>x"
	    "</request></Submit>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"request without namespace", ENV("<q:Submit xmlns:q='" NS_SUBMIT "'><request>x</request></q:Submit>"),
	    NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"two requests", SUBMIT("<request>&lt;a/></request><request>&lt;b/></request>"), NULL,
	    FAULT_SOAP_UNEXPECTED, 0},
	{"two Submits", ENV("<Submit xmlns='" NS_SUBMIT "'><request>a</request></Submit><Submit xmlns='"
	    NS_SUBMIT "'/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"elements", REQ("<Message xmlns='x'/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"element behind text", REQ("x<b/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"a response", ENV("<SubmitResponse xmlns='" NS_SUBMIT "'/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"a fault", ENV("<s:Fault/>"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"no envelope", "<a/>", NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"HTML", "<html><body><p>x", NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"SOAP 1.2", "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body/></s:Envelope>",
	    NULL, FAULT_SOAP_VERSION, 0},
	{"wrong namespace", "<Envelope xmlns='urn:x'/>", NULL, FAULT_SOAP_VERSION, 0},
	{"no namespace", "<Envelope/>", NULL, FAULT_SOAP_VERSION, 0},
	{"DTD", "<!DOCTYPE a [<!ENTITY x 'y'>]>" REQ("&x;"), NULL, FAULT_XML_DTD, 0},
	{"own entity", REQ("&x;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"bare ampersand", REQ("a & b"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"ampersand at the end", REQ("a &"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"two ampersands", REQ("&&amp;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"long entity", REQ("&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"empty reference", REQ("&#;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"empty hex reference", REQ("&#x;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"reference to zero", REQ("&#0;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"reference to a surrogate", REQ("&#xD800;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"reference too large", REQ("&#x110000;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"reference that overflows", REQ("&#x100000041;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"reference with hex digits", REQ("&#6A;"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"comment with dashes", REQ("<!-- -- -->"), NULL, FAULT_SOAP_MALFORMED, 0},
	{"wrong end tag", ENV("<Submit xmlns='" NS_SUBMIT "'><request>a</Submit>"), NULL,
	    FAULT_SOAP_MALFORMED, 0},
	{"cut in the text", "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Body><Submit xmlns='" NS_SUBMIT
	    "'><request>&lt;a", NULL, FAULT_SOAP_MALFORMED, 0},
	{"cut behind the text", "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Body><Submit xmlns='" NS_SUBMIT
	    "'><request>&lt;a/></request>", NULL, FAULT_SOAP_MALFORMED, 0},
	{"cut in a tag", "<s:Envelope xmlns:s='" NS_SOAP11, NULL, FAULT_SOAP_MALFORMED, 0},
	{"nothing", "", NULL, FAULT_SOAP_MALFORMED, 0},
	{"trailing garbage", REQ("&lt;a/>") "x", NULL, FAULT_SOAP_MALFORMED, 0},
	{"second root", REQ("&lt;a/>") "<a/>", NULL, FAULT_SOAP_MALFORMED, 0},
	{"unbound prefix", "<s:Envelope/>", NULL, FAULT_SOAP_MALFORMED, 0},
	{"bad byte in the frame",
	    "<s:Envelope xmlns:s='" NS_SOAP11 "' a='\xff'/>", NULL, FAULT_SOAP_MALFORMED, 0},
	{"declared otherwise", "<?xml version=\"1.0\" encoding=\"windows-1251\"?>" REQ("&lt;a/>"), NULL,
	    FAULT_XML_ENCODING, 0},
	{"declared as Latin 1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" REQ("&lt;a/>"), NULL,
	    FAULT_XML_ENCODING, 0},
	{"declared as unknown", "<?xml version=\"1.0\" encoding=\"x-none\"?>" REQ("&lt;a/>"), NULL,
	    FAULT_XML_ENCODING, 0},
	{"UTF-16", "\xff\xfe<", NULL, FAULT_XML_ENCODING, 0},
	{"JSON", "{\"a\":1}", NULL, FAULT_SOAP_MALFORMED, 0},
};

#define ANSWER(result) ENV("<SubmitResponse xmlns=\"" NS_SUBMIT "\">" result "</SubmitResponse>")

static const struct sample responses[] = {
	{"message", ANSWER("<SubmitResult>&lt;a/&gt;</SubmitResult>"), "<a/>", 0, M},
	{"empty", ANSWER("<SubmitResult/>"), NULL, 0, ENVELOPE_EMPTY},
	{"empty pair", ANSWER("<SubmitResult></SubmitResult>"), NULL, 0, ENVELOPE_EMPTY},
	{"white space", ANSWER("<SubmitResult>\r\n </SubmitResult>"), NULL, 0, ENVELOPE_EMPTY},
	{"nil", ANSWER("<SubmitResult xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>"), NULL,
	    0, ENVELOPE_EMPTY},
	{"absent", ANSWER(""), NULL, 0, ENVELOPE_EMPTY},
	{"self-closed response", ENV("<SubmitResponse xmlns='" NS_SUBMIT "'/>"), NULL, 0, ENVELOPE_EMPTY},
	{"fault", ENV("<s:Fault><faultcode>s:Server</faultcode><faultstring xml:lang='bg'>Гре&lt;шка"
	    "</faultstring><detail><x/></detail></s:Fault>"), "Гре<шка", 0, ENVELOPE_FAULT},
	{"fault without words", ENV("<s:Fault/>"), "", 0, ENVELOPE_FAULT},
	{"empty Body", ENV(""), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"a request", REQ("x"), NULL, FAULT_SOAP_UNEXPECTED, 0},
	{"cut fault", "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Body><s:Fault><faultstring>x", NULL,
	    FAULT_SOAP_MALFORMED, 0},
	{"HTML", "<html>Bad Gateway</html>", NULL, FAULT_SOAP_UNEXPECTED, 0},
};

static void
check(enum envelope_kind kind, const struct sample *s)
{
	struct buf out = {.max = 0};
	enum envelope_content content;

	for (size_t chunk = 0; chunk < 12; chunk++) {
		enum fault fault = read_envelope(kind, s->text, strlen(s->text), chunk, &out, &content);
		if (fault != s->fault)
			fail_msg("%s, chunk %zu: fault %s (%s), not %s", s->what, chunk, fault_code(fault),
			    envelope_detail(envelope), fault_code(s->fault));
		if (fault)
			continue;
		if (content != s->content)
			fail_msg("%s, chunk %zu: content %d", s->what, chunk, content);
		if (content == ENVELOPE_MESSAGE)
			assert_string_equal(buf_str(&out), s->inner);
		else if (content == ENVELOPE_FAULT)
			assert_string_equal(envelope_fault_text(envelope), s->inner);
	}
	buf_free(&out);
}

static void
test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		check(ENVELOPE_REQUEST, &requests[i]);
}

static void
test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof responses / sizeof responses[0]; i++)
		check(ENVELOPE_RESPONSE, &responses[i]);
}

static void
test_limits(void **state)
{
	struct buf text = {.max = 8 << 20}, out = {.max = 8 << 20};
	enum envelope_content content;

	(void)state;
	buf_adds(&text, "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Header>");
	for (int i = 0; i < 40; i++)
		buf_adds(&text, "<a>");
	assert_fault(read_envelope(ENVELOPE_REQUEST, buf_str(&text), text.len, 0, &out, &content),
	    FAULT_XML_LIMIT);
	buf_reset(&text);
	buf_adds(&text, "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Header>");
	for (int i = 0; i < 40000; i++)
		buf_adds(&text, "<a>b</a>");
	assert_fault(read_envelope(ENVELOPE_REQUEST, buf_str(&text), text.len, 0, &out, &content),
	    FAULT_XML_LIMIT);
	/* one endless tag or comment */
	for (int comment = 0; comment < 2; comment++) {
		buf_reset(&text);
		buf_adds(&text, comment ? "<!-- " : "<s:Envelope a='");
		for (int i = 0; i < 40000; i++)
			buf_adds(&text, "12345678");
		assert_fault(read_envelope(ENVELOPE_REQUEST, buf_str(&text), text.len, 1000, &out, &content),
		    FAULT_XML_LIMIT);
	}
	buf_reset(&text);
	buf_adds(&text, "<s:Envelope xmlns:s='" NS_SOAP11 "'><s:Body><s:Fault><faultstring>x");
	for (int i = 0; i < 3000; i++)
		buf_adds(&text, "ж");
	buf_adds(&text, "</faultstring></s:Fault></s:Body></s:Envelope>");
	assert_fault(read_envelope(ENVELOPE_RESPONSE, buf_str(&text), text.len, 1, &out, &content),
	    FAULT_NONE);
	assert_in_range(strlen(envelope_fault_text(envelope)), 1000, 1024);
	assert_int_equal(strlen(envelope_fault_text(envelope)) % 2, 1); /* no half character */
	buf_free(&text);
	buf_free(&out);
}

static enum fault
refuse(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	return FAULT_XML_BASE64;
}

static void
test_refusal_of_the_text(void **state)
{
	enum envelope_content content;

	(void)state;
	assert_true(envelope_begin(envelope, ENVELOPE_REQUEST, refuse, NULL));
	assert_fault(envelope_feed(envelope, REQ("&lt;a/>"), strlen(REQ("&lt;a/>"))), FAULT_XML_BASE64);
	assert_fault(envelope_end(envelope, &content), FAULT_XML_BASE64);
}

/* What we write is read back, by both. */
static void
test_own_envelopes(void **state)
{
	static const char inner[] = "<?xml version=\"1.0\"?><a b=\"1\">x &amp; y</a>";
	struct buf text = {.max = 0}, out = {.max = 0};
	enum envelope_content content;

	(void)state;
	for (int kind = ENVELOPE_REQUEST; kind <= ENVELOPE_RESPONSE; kind++) {
		buf_reset(&text);
		buf_adds(&text, envelope_head((enum envelope_kind)kind));
		buf_add_xml(&text, inner, sizeof inner - 1);
		buf_adds(&text, envelope_tail((enum envelope_kind)kind));
		assert_fault(read_envelope((enum envelope_kind)kind, buf_str(&text), text.len, 3, &out,
		    &content), FAULT_NONE);
		assert_string_equal(buf_str(&out), inner);
	}
	buf_reset(&text);
	assert_true(envelope_add_empty_result(&text));
	assert_fault(read_envelope(ENVELOPE_RESPONSE, buf_str(&text), text.len, 0, &out, &content),
	    FAULT_NONE);
	assert_int_equal(content, ENVELOPE_EMPTY);
	buf_reset(&text);
	assert_true(envelope_add_fault(&text, "Client", "a <b> & \x01\xff \"c\""));
	assert_fault(read_envelope(ENVELOPE_RESPONSE, buf_str(&text), text.len, 0, &out, &content),
	    FAULT_NONE);
	assert_int_equal(content, ENVELOPE_FAULT);
	assert_string_equal(envelope_fault_text(envelope), "a <b> &    \"c\"");
	buf_free(&text);
	buf_free(&out);
}

/* Python's zeep builds its request from our WSDL and reads our three kinds of answer. */
static void
test_zeep(void **state)
{
	static const char script[] =
	    "import zeep, requests, sys\n"
	    "class T(zeep.transports.Transport):\n"
	    "    def post(self, address, message, headers):\n"
	    "        open('request.xml', 'wb').write(message)\n"
	    "        open('headers', 'w').write(address + ' ' + headers['SOAPAction'])\n"
	    "        r = requests.Response(); r.status_code = 500 if self.f == 'fault.xml' else 200\n"
	    "        r.headers['Content-Type'] = 'text/xml; charset=utf-8'\n"
	    "        r._content = open(self.f, 'rb').read(); return r\n"
	    "t = T(); c = zeep.Client('w.wsdl', transport=t)\n"
	    "t.f = 'answer.xml'; assert c.service.Submit(request='<a>Ж &amp; \"</a>') == '<b>&amp;Ж</b>'\n"
	    "t.f = 'empty.xml'; assert not c.service.Submit('x')\n"
	    "t.f = 'fault.xml'\n"
	    "try: c.service.Submit('<a>Ж &amp; \"</a>'); sys.exit(1)\n"
	    "except zeep.exceptions.Fault as e: assert e.message == 'не <става>', e.message\n";
	struct fixture *f = *state;
	struct buf text = {.max = 0}, out = {.max = 0};
	enum envelope_content content;
	size_t len;

	assert_true(envelope_add_wsdl(&text, "https://a.obmen.local:8443/X?a=1&b=2"));
	write_file(f, "w.wsdl", text.data, text.len);
	buf_reset(&text);
	buf_adds(&text, envelope_head(ENVELOPE_RESPONSE));
	buf_adds(&text, "&lt;b&gt;&amp;amp;Ж&lt;/b&gt;");
	buf_adds(&text, envelope_tail(ENVELOPE_RESPONSE));
	write_file(f, "answer.xml", text.data, text.len);
	buf_reset(&text);
	envelope_add_empty_result(&text);
	write_file(f, "empty.xml", text.data, text.len);
	buf_reset(&text);
	envelope_add_fault(&text, "Server", "не <става>");
	write_file(f, "fault.xml", text.data, text.len);
	write_file(f, "z.py", script, sizeof script - 1);
	int status = run(f, "/usr/bin/python3 z.py");
	if (status)
		show_log(f);
	assert_int_equal(status, 0);
	char *request = read_file(f, "request.xml", &len);
	assert_fault(read_envelope(ENVELOPE_REQUEST, request, len, 0, &out, &content), FAULT_NONE);
	assert_string_equal(buf_str(&out), "<a>Ж &amp; \"</a>");
	char *headers = read_file(f, "headers", NULL);
	assert_string_equal(headers, "https://a.obmen.local:8443/X?a=1&b=2 \"" SUBMIT_ACTION "\"");
	free(headers);
	free(request);
	buf_free(&text);
	buf_free(&out);
}

int
main(void)
{
	log_init("test", -1, LOG_ERROR);
	envelope = envelope_new();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_responses),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_refusal_of_the_text),
	    cmocka_unit_test(test_own_envelopes),
	    cmocka_unit_test_setup_teardown(test_zeep, fixture_setup, fixture_teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	envelope_free(envelope);
	return failed;
}
