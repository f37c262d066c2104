/* The reader: malformed and hostile text, limits, deviations of known peers, sizes, chunking. */
#include "signature_templates.h"

#include <malloc.h>

static struct reader *reader;

static void
expect(const char *what, const char *text, size_t len, enum fault expected)
{
	static const size_t chunks[] = {0, 1, 5, 64};
	struct message m = {.type = MESSAGE_NONE};

	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		enum fault fault = read_text(reader, &m, text, len, chunks[i]);
		if (fault != expected)
			fail_msg("%s, chunk %zu: fault %s (%s), not %s", what, chunks[i], fault_code(fault),
			    reader_detail(reader), fault_code(expected));
	}
	message_free(&m);
}

#define GOOD MESSAGE_OPEN STATUS_MESSAGE MESSAGE_CLOSE

static const struct {
	const char *what;
	enum fault fault;
	const char *text;
} malformed[] = {
	{"empty", FAULT_XML_MALFORMED, ""},
	{"white space", FAULT_XML_MALFORMED, " \r\n"},
	{"text", FAULT_XML_MALFORMED, "hello"},
	{"only a mark", FAULT_XML_MALFORMED, "\xef\xbb\xbf"},
	{"half a mark", FAULT_XML_MALFORMED, "\xef\xbb<a/>"},
	{"UTF-16 with a mark", FAULT_XML_ENCODING, "\xff\xfe<"},
	{"UTF-16 the other way", FAULT_XML_ENCODING, "\xfe\xff"},
	{"Latin 1", FAULT_XML_ENCODING, MESSAGE_OPEN "<Header><Version>\xe9t\xe9"},
	{"windows-1251 as it says", FAULT_XML_ENCODING,
	    "<?xml version='1.0' encoding='windows-1251'?>" MESSAGE_OPEN "<Header><Version>\xcf\xf0\xe8"},
	{"overlong slash", FAULT_XML_ENCODING, MESSAGE_OPEN "\xc0\xaf"},
	{"surrogate", FAULT_XML_ENCODING, MESSAGE_OPEN "\xed\xa0\x80"},
	{"U+FFFE", FAULT_XML_ENCODING, MESSAGE_OPEN "\xef\xbf\xbe"},
	{"beyond Unicode", FAULT_XML_ENCODING, MESSAGE_OPEN "\xf4\x90\x80\x80"},
	{"cut character", FAULT_XML_ENCODING, MESSAGE_OPEN "\xd0"},
	{"control character", FAULT_XML_MALFORMED, MESSAGE_OPEN "\x02"},
	{"reference to nothing", FAULT_XML_MALFORMED, MESSAGE_OPEN "&#0;"},
	{"bare ampersand", FAULT_XML_MALFORMED, MESSAGE_OPEN "<Header><Version>A & B</Version>"},
	{"open root", FAULT_XML_MALFORMED, MESSAGE_OPEN STATUS_MESSAGE},
	{"open tag", FAULT_XML_MALFORMED, MESSAGE_OPEN STATUS_MESSAGE "</Message"},
	{"crossed tags", FAULT_XML_MALFORMED, MESSAGE_OPEN "<Header></Body></Header>"},
	{"attribute twice", FAULT_XML_MALFORMED, MESSAGE_OPEN "<Header a='1' a='2'/>"},
	{"attribute twice by namespace", FAULT_XML_MALFORMED,
	    MESSAGE_OPEN "<Header xmlns:p='urn:1' xmlns:q='urn:1' p:a='1' q:a='2'/>"},
	{"unbound prefix", FAULT_XML_MALFORMED, MESSAGE_OPEN "<x:Header/>"},
	{"relative namespace", FAULT_XML_MALFORMED, "<Message xmlns='" NS_MESSAGE "' xmlns:x='a/b'/>"},
	{"CDATA not closed", FAULT_XML_MALFORMED, MESSAGE_OPEN "<Header><![CDATA[ "},
	{"second declaration", FAULT_XML_MALFORMED, MESSAGE_OPEN "<?xml version='1.0'?>"},
	{"other root", FAULT_XML_ROOT, "<Messages xmlns='" NS_MESSAGE "'/>"},
	{"root without namespace", FAULT_XML_ROOT, "<Message/>"},
	{"root in another namespace", FAULT_XML_ROOT, "<Message xmlns='" NS_MESSAGE "/'/>"},
	{"billion laughs", FAULT_XML_DTD, "<!DOCTYPE a [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><a>&b;</a>"},
	{"parameter entity", FAULT_XML_DTD, "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://x/'> %p;]><a/>"},
	{"nothing inside", FAULT_XML_MODEL, MESSAGE_OPEN MESSAGE_CLOSE},
	{"no Header", FAULT_XML_MODEL, MESSAGE_OPEN STATUS_BODY MESSAGE_CLOSE},
	{"no Body", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_Error") MESSAGE_CLOSE},
	{"empty Body", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_Error") "<Body/>" MESSAGE_CLOSE},
	{"two bodies", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest")
	    "<Body><DocumentStatusRequest><DocID>" DOC_GUID "</DocID></DocumentStatusRequest>"
	    "<Error><ErrorType>ERR_INTERNAL</ErrorType><ErrorDescription/></Error></Body></Message>"},
	{"the same body twice", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest")
	    "<Body><DocumentStatusRequest><DocID>" DOC_GUID "</DocID></DocumentStatusRequest>"
	    "<DocumentStatusRequest/></Body></Message>"},
	{"type of another body", FAULT_MESSAGE_MISMATCH,
	    MESSAGE_OPEN HEADER("MSG_Error") STATUS_BODY MESSAGE_CLOSE},
	{"unknown type", FAULT_XML_VALUE, MESSAGE_OPEN HEADER("MSG_Other") STATUS_BODY MESSAGE_CLOSE},
	{"second Header", FAULT_XML_MODEL,
	    MESSAGE_OPEN HEADER("MSG_Error") HEADER("MSG_Error") MESSAGE_CLOSE},
	{"second DocID", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest")
	    "<Body><DocumentStatusRequest><DocID>" DOC_GUID "</DocID><DocID>" DOC_GUID "</DocID>"},
	{"second GUID", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest")
	    "<Body><DocumentStatusRequest><DocID>" DOC_GUID DOC_GUID "</DocID>"},
	{"GUID without braces", FAULT_XML_VALUE, MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest")
	    "<Body><DocumentStatusRequest><DocID><DocumentGUID>0B0E7A52-1111-4222-8333-9A9A9A9A9A04"
	    "</DocumentGUID></DocID>"},
	{"GUID with a space", FAULT_XML_VALUE, MESSAGE_OPEN HEADER("MSG_DocumentStatusRequest")
	    "<Body><DocumentStatusRequest><DocID><DocumentGUID> {0B0E7A52-1111-4222-8333-9A9A9A9A9A04}"
	    "</DocumentGUID></DocID>"},
	{"element in a text", FAULT_XML_MODEL, MESSAGE_OPEN "<Header><Version>1<b/></Version>"},
	{"text in Header", FAULT_XML_MODEL, MESSAGE_OPEN "<Header>1<Version>1</Version>"},
	{"unknown element", FAULT_XML_MODEL, MESSAGE_OPEN "<Header><Versio>1</Versio>"},
	{"known element, wrong namespace", FAULT_XML_MODEL,
	    MESSAGE_OPEN "<Header xmlns='" NS_MESSAGE "2'/>"},
	{"bad base64", FAULT_XML_BASE64, MESSAGE_OPEN HEADER("MSG_DocumentRegistrationRequest")
	    "<Body><DocumentRegistrationRequest><Document><DocAttachmentList><Attachment><AttFileName>a"
	    "</AttFileName><AttBody>YWJj*</AttBody>"},
	{"base64 cut off", FAULT_XML_BASE64, MESSAGE_OPEN HEADER("MSG_DocumentRegistrationRequest")
	    "<Body><DocumentRegistrationRequest><Document><DocAttachmentList><Attachment><AttFileName>a"
	    "</AttFileName><AttBody>YWJjZ</AttBody>"},
	{"base64 after its end", FAULT_XML_BASE64, MESSAGE_OPEN HEADER("MSG_DocumentRegistrationRequest")
	    "<Body><DocumentRegistrationRequest><Document><DocAttachmentList><Attachment><AttFileName>a"
	    "</AttFileName><AttBody>YQ==YQ==</AttBody>"},
	{"element in AttBody", FAULT_XML_MODEL, MESSAGE_OPEN HEADER("MSG_DocumentRegistrationRequest")
	    "<Body><DocumentRegistrationRequest><Document><DocAttachmentList><Attachment><AttFileName>a"
	    "</AttFileName><AttBody>YWJj<b/></AttBody>"},
};

static void
test_malformed(void **state)
{
	(void)state;
	expect("good", GOOD, strlen(GOOD), FAULT_NONE);
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		expect(malformed[i].what, malformed[i].text, strlen(malformed[i].text),
		    malformed[i].fault);
		/* the reader is good for the next message */
		expect("good", GOOD, strlen(GOOD), FAULT_NONE);
	}
	expect("UTF-16", "<\0M\0", 4, FAULT_XML_MALFORMED);
	expect("zero first", "\0<\0M", 4, FAULT_XML_ENCODING);
	expect("zero inside", MESSAGE_OPEN "a\0b", strlen(MESSAGE_OPEN) + 3, FAULT_XML_MALFORMED);
}

static void
test_header_known(void **state)
{
	struct message m = {.type = MESSAGE_NONE};
	const char *no_header = MESSAGE_OPEN "<Header><Version/></Header>";
	const char *bad_body = MESSAGE_OPEN HEADER("MSG_Error") "<Body><Other/></Body>";

	(void)state;
	read_text(reader, &m, no_header, strlen(no_header), 0);
	assert_false(reader_header_known(reader));
	assert_fault(read_text(reader, &m, bad_body, strlen(bad_body), 0), FAULT_XML_MODEL);
	assert_true(reader_header_known(reader));
	assert_string_equal(m.sender.eik, "990000017");
	assert_non_null(strstr(reader_detail(reader), "Other in Body"));
	assert_fault(read_text(reader, &m, "<", 1, 0), FAULT_XML_MALFORMED);
	assert_false(reader_header_known(reader));
	message_free(&m);
}

static void
test_unsigned(void **state)
{
	struct message m = {.type = MESSAGE_NONE};

	(void)state;
	assert_fault(read_text(reader, &m, GOOD, strlen(GOOD), 0), FAULT_NONE);
	assert_fault(reader_signature(reader)->fault, FAULT_SIGNATURE_MISSING);
	message_free(&m);
}

/* --- deviations of known peers (section 3) -------------------------------------------------- */

static const struct {
	const char *what;
	const char *from, *to; /* in a good registration request */
	bool violates;
} deviations[] = {
	{"none", "<Version>1<", "<Version>1<", false},
	{"any version", "<Version>1<", "<Version>188<", false},
	{"seven digits", "10:00:00.1234567+02:00", "10:00:00.1234567+02:00", false},
	{"no zone", "10:00:00.1234567+02:00", "10:00:00", false},
	{"Z", "10:00:00.1234567+02:00", "10:00:00.000Z", false},
	/* valid, but libxml2 does not strip the spaces */
	{"spaces round the date", "2026-11-21T10:00:00.1234567+02:00", " 2026-11-21T10:00:00Z\n", true},
	{"date with a zone", "<DocDate>2026-11-21<", "<DocDate>2026-11-21+02:00<", false},
	{"empty number", "<DocNumber>12<", "<DocNumber/><!-- <", false},
	{"one list per file", "</DocAttachmentList>",
	    "</DocAttachmentList><DocAttachmentList><Attachment><AttFileName>b</AttFileName><AttBody/>"
	    "<AttMIMEType>text/unknown</AttMIMEType></Attachment></DocAttachmentList>", true},
	{"empty sequence", "<DocumentNumber><DocNumber>12</DocNumber><DocDate>2026-11-21</DocDate>"
	    "</DocumentNumber>", "<DocumentURI><n:RegisterIndex xmlns:n=\"http://ereg.egov.bg/segment/"
	    "0009-000001\">1</n:RegisterIndex><SequenceNumber xmlns=\"http://ereg.egov.bg/segment/"
	    "0009-000001\"/></DocumentURI>", true},
	{"other order", "<AttMIMEType>text/plain</AttMIMEType></Attachment>",
	    "<AttMIMEType>text/plain</AttMIMEType><AttComment/></Attachment>", true},
	{"empty close date", "</DocAttachmentList>", "</DocAttachmentList><DocReqDateClose/>", true},
	{"date and time for a date", "<DocDate>2026-11-21<", "<DocDate>2026-11-21T00:00:00<", true},
};

static void
test_deviations(void **state)
{
	struct message m = {.type = MESSAGE_NONE};

	(void)state;
	for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++) {
		char *text = replaced(MESSAGE_OPEN REQUEST_MESSAGE("") MESSAGE_CLOSE, deviations[i].from,
		    deviations[i].to);
		if (strstr(text, "<!-- <")) {
			char *closed = replaced(text, "<!-- </DocNumber>", "");
			free(text);
			text = closed;
		}
		expect(deviations[i].what, text, strlen(text), FAULT_NONE);
		read_text(reader, &m, text, strlen(text), 0);
		const char *violation = reader_schema_violation(reader);
		if ((violation != NULL) != deviations[i].violates)
			fail_msg("%s: %s", deviations[i].what, violation ? violation : "no violation");
		free(text);
	}
	assert_string_equal(m.document.id.date, "2026-11-21T00:00:00");
	message_free(&m);
}

static void
test_self_parent_and_unknown_status(void **state)
{
	struct message m = {.type = MESSAGE_NONE};
	char *text = replaced(MESSAGE_OPEN REQUEST_MESSAGE("") MESSAGE_CLOSE, "<DocKind>",
	    "<DocParentID><DocumentGUID>{0b0e7a52-1111-4222-8333-9a9a9a9a9a04}</DocumentGUID>"
	    "</DocParentID><DocKind>");
	static const char status[] = MESSAGE_OPEN HEADER("MSG_DocumentStatusResponse")
	    "<Body><DocumentStatusResponse><DocID>" DOC_GUID "</DocID><DocRegStatus>DS_TRY_SEND"
	    "</DocRegStatus><DocAddData>x<y/></DocAddData></DocumentStatusResponse></Body></Message>";

	(void)state;
	assert_fault(read_text(reader, &m, text, strlen(text), 0), FAULT_NONE);
	assert_false(m.document.has_parent);
	assert_fault(read_text(reader, &m, status, strlen(status), 0), FAULT_NONE);
	assert_int_equal(m.status.status, STATUS_UNKNOWN);
	assert_string_equal(m.status.status_text, "DS_TRY_SEND");
	assert_non_null(reader_schema_violation(reader));
	free(text);
	message_free(&m);
}

/* --- limits --------------------------------------------------------------------------------- */

static void
repeat(struct buf *b, const char *text, unsigned times)
{
	while (times-- > 0)
		buf_adds(b, text);
}

static void
expect_limit(const char *what, struct buf *b)
{
	struct message m = {.type = MESSAGE_NONE};

	assert_false(b->failed);
	enum fault fault = read_text(reader, &m, buf_str(b), b->len, 4000);
	if (fault != FAULT_XML_LIMIT)
		fail_msg("%s: %s %s", what, fault_code(fault), reader_detail(reader));
	buf_reset(b);
	message_free(&m);
}

#define DOCUMENT_OPEN                                                                              \
	MESSAGE_OPEN HEADER("MSG_DocumentRegistrationRequest")                                     \
	"<Body><DocumentRegistrationRequest><Document>"

static void
test_limits(void **state)
{
	struct buf b = {.max = 64 << 20};
	char name[64];

	(void)state;
	buf_adds(&b, DOCUMENT_OPEN "<DocAddData>");
	repeat(&b, "<a>", 62);
	expect_limit("depth", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocAddData><a");
	for (int i = 0; i < 65; i++)
		buf_addf(&b, " a%d=''", i);
	buf_adds(&b, ">");
	expect_limit("attributes", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocAddData><a");
	for (int i = 0; i < 65; i++)
		buf_addf(&b, " xmlns:a%d='urn:x'", i);
	buf_adds(&b, ">");
	expect_limit("namespaces", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocAddData>");
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "<a xmlns:a%d='urn:x' xmlns:b%d='urn:x'>", i, i);
		buf_adds(&b, name);
	}
	expect_limit("namespaces in scope", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocKind>");
	repeat(&b, "0123456789abcdef", (256 << 10) / 16 + 1);
	expect_limit("text", &b);
	buf_adds(&b, MESSAGE_OPEN "<a b='");
	repeat(&b, "0123456789abcdef", 5000);
	expect_limit("a tag", &b);
	buf_adds(&b, MESSAGE_OPEN "<!-- ");
	repeat(&b, "0123456789abcdef", 5000);
	expect_limit("a comment", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocAttachmentList>");
	repeat(&b, "<Attachment><AttFileName/><AttBody/><AttMIMEType/></Attachment>", 1001);
	expect_limit("attachments", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocCorrespondentList>");
	repeat(&b, "<Corespondent><CorName/><CorCity/></Corespondent>", 1001);
	expect_limit("correspondents", &b);
	buf_adds(&b, DOCUMENT_OPEN "<DocCorrespondentList>");
	for (int i = 0; i < 20; i++) {
		buf_adds(&b, "<Corespondent><CorName>");
		repeat(&b, "0123456789abcdef", 8000);
		buf_adds(&b, "</CorName><CorCity/></Corespondent>");
	}
	expect_limit("all fields", &b);
	buf_free(&b);
}

/* --- size ----------------------------------------------------------------------------------- */

struct sink {
	EVP_MD_CTX *hash;
	uint64_t bytes;
};

static bool
take_attachment(void *arg, unsigned index, const void *data, size_t len)
{
	struct sink *s = arg;

	s->bytes += len;
	return index == 0 && EVP_DigestUpdate(s->hash, data, len) == 1;
}

struct pipe_state {
	struct reader *reader;
	enum fault fault;
};

static bool
pipe_piece(void *arg, const void *data, size_t len, bool base64)
{
	struct pipe_state *p = arg;

	(void)base64;
	p->fault = reader_feed(p->reader, data, len);
	return p->fault == FAULT_NONE;
}

static size_t
resident(void)
{
	long pages = 0, skip;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &skip, &pages), 2);
	fclose(f);
	return (size_t)pages * 4096;
}

/* Writer and reader joined: neither holds the message. */
static void
pass_through(struct fixture *f, uint64_t size)
{
	struct message m = sample_message(MESSAGE_REGISTRATION_REQUEST), got = {.type = MESSAGE_NONE};
	struct attachment a = {.file_name = "a", .mime_type = "b", .size = size};
	struct pipe_state p = {.reader = reader};
	struct sink s = {.hash = EVP_MD_CTX_new()};
	uint8_t digest[64], value[512], sent[32], taken[32];
	size_t len = sizeof value;

	a.fd = pattern_fd(size);
	m.document.attachments = &a;
	reader_hash_attachments(reader, true);
	EVP_DigestInit_ex2(s.hash, EVP_sha256(), NULL);
	assert_true(reader_begin(reader, &got, DIGEST_SHA256, take_attachment, &s));
	struct draft *d = draft_new(&m, &f->id, SIGNATURE_RSA_SHA256, pipe_piece, &p);
	while (draft_step(d, 1 << 20) == DRAFT_MORE)
		;
	sign_digest(f->key, SIGNATURE_RSA_SHA256, digest, draft_digest(d, digest), value, &len);
	assert_int_equal(draft_sign(d, value, len), DRAFT_DONE);
	draft_free(d);
	assert_fault(reader_end(reader), FAULT_NONE);
	assert_fault(signature_check(reader_signature(reader), f->key), FAULT_NONE);
	assert_int_equal(s.bytes, size);
	assert_int_equal(got.document.attachments->size, size);
	EVP_DigestFinal_ex(s.hash, taken, NULL);
	assert_memory_equal(taken, got.document.attachments->sha256, 32);
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, a.fd, 0);
	EVP_Digest(map, size, sent, NULL, EVP_sha256(), NULL);
	munmap(map, size);
	assert_memory_equal(taken, sent, 32);
	reader_hash_attachments(reader, false);
	close(a.fd);
	EVP_MD_CTX_free(s.hash);
	message_free(&got);
}

static void
test_constant_memory(void **state)
{
	if (getenv("VALGRIND"))
		skip(); /* resident memory says nothing there, and it takes minutes */
	pass_through(*state, 1 << 20);
	malloc_trim(0);
	size_t before = resident();
	pass_through(*state, (uint64_t)10 << 20);
	pass_through(*state, (uint64_t)100 << 20);
	size_t after = resident();

	if (after > before + (2 << 20))
		fail_msg("%zu KiB more than before", (after - before) >> 10);
}

/* The same attachment, written by others: line breaks, references, CDATA, comments. */
static void
test_attachment_forms(void **state)
{
	static const char *const forms[] = {"YWJjZGVm", "YW\nJj\tZG Vm", "YWJj\r\nZGVm\r\n",
	    "YWJj&#13;\nZGVm", "<![CDATA[YWJj]]>ZGVm", "YW<!-- x -->JjZG<?pi?>Vm", "&#89;WJjZGVm"};
	struct message m = {.type = MESSAGE_NONE};
	static const uint8_t expected[32] = {0xbe, 0xf5, 0x7e, 0xc7, 0xf5, 0x3a, 0x6d, 0x40};

	(void)state;
	reader_hash_attachments(reader, true);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		char *text = replaced(MESSAGE_OPEN REQUEST_MESSAGE("") MESSAGE_CLOSE, "\nYWJj\nZGVm\n",
		    forms[i]);
		for (size_t chunk = 0; chunk < 40; chunk++) {
			assert_fault(read_text(reader, &m, text, strlen(text), chunk), FAULT_NONE);
			assert_int_equal(m.document.attachments->size, 6);
			assert_memory_equal(m.document.attachments->sha256, expected, 8);
		}
		free(text);
	}
	reader_hash_attachments(reader, false);
	message_free(&m);
}

/* Every way of cutting a message in two gives the same digest and the same model. */
static void
test_every_cut(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	size_t len;
	char *text = sign_template(f, "<Message xmlns=\"" NS_MESSAGE "\" xmlns:x=\"urn:x\">" REQUEST_MESSAGE(
	    "<DocAbout>\xd0\x90&amp;\xf0\x9f\x98\x80<![CDATA[]]]]>]]&gt;</DocAbout>") PLAIN_SIGNATURE
	    MESSAGE_CLOSE, "", &len);

	for (size_t cut = 0; cut <= len; cut += getenv("VALGRIND") ? 7 : 1) {
		assert_true(reader_begin(reader, &m, DIGEST_SHA256, NULL, NULL));
		assert_fault(reader_feed(reader, text, cut), FAULT_NONE);
		assert_fault(reader_feed(reader, text + cut, len - cut), FAULT_NONE);
		assert_fault(reader_end(reader), FAULT_NONE);
		const struct signature *sig = reader_signature(reader);
		assert_memory_equal(sig->computed, sig->declared, 32);
		assert_string_equal(m.document.about, "\xd0\x90&\xf0\x9f\x98\x80]]]]>");
		assert_int_equal(m.document.attachments->size, 6);
	}
	free(text);
	message_free(&m);
}

/* Random damage must never crash, nor ever verify with other content. */
static void
test_random_damage(void **state)
{
	struct fixture *f = *state;
	struct message m = {.type = MESSAGE_NONE};
	size_t len;
	char *text = sign_template(f, MESSAGE_OPEN REQUEST_MESSAGE("<DocAbout>a &amp; b</DocAbout>")
	    PLAIN_SIGNATURE MESSAGE_CLOSE, "", &len);
	static const char bytes[] = "<>&;\"'=/!?-[]xA1 \n\r\t\x01\xd0\xff";
	uint32_t seed = 7;
	int rounds = getenv("VALGRIND") ? 1000 : 20000;

	for (int i = 0; i < rounds; i++) {
		char *copy = strndup(text, len);
		unsigned n = 1 + (seed >> 28) % 4;
		while (n-- > 0) {
			seed = seed * 1664525u + 1013904223u;
			copy[(seed >> 8) % len] = bytes[(seed >> 4) % (sizeof bytes - 1)];
		}
		if (!judge_text(reader, &m, f->key, copy, len, i % 2 ? 0 : 37) &&
		    strcmp(m.document.about, "a & b") != 0)
			fail_msg("verified with about = %s", m.document.about);
		free(copy);
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
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_header_known),
	    cmocka_unit_test(test_unsigned),
	    cmocka_unit_test(test_deviations),
	    cmocka_unit_test(test_self_parent_and_unknown_status),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_constant_memory),
	    cmocka_unit_test(test_attachment_forms),
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_random_damage),
	};
	int failed = cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
	reader_free(reader);
	return failed;
}
