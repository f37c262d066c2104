/* The register's questions and answers: every form that section 7 wants read, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libxml/parser.h>
#include <stdlib.h>

#include "lib/log.h"
#include "register_synthetic.h"
#include "soap/register.h"

#define GUID1 "{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}"
#define GUID2 "{0b0e7a52-1111-4222-8333-9a9a9a9a9a02}"
#define SERVICE(uri, status)                                                                       \
	"<Guid>{7060efa8-f1fa-4938-8b2b-12a78c86988f}</Guid><Name>х</Name><URI>" uri                   \
	"</URI><Status>" status "</Status><Type>service</Type><Version>188</Version>"
#define OPEN                                                                                       \
	"<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' "                             \
	"xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:n='uri:egovmsg'><s:Body>"
#define CLOSE "</s:Body></s:Envelope>"
#define ANSWER(entities)                                                                           \
	OPEN "<n:GetAllRecordsResponse><return><Entities>" entities                                    \
	     "</Entities></return></n:GetAllRecordsResponse>" CLOSE

/* Everything an answer gave, in its own memory. */
struct got {
	struct participant all[8];
	char text[8][9][128];
	unsigned count;
	struct register_answer answer;
	enum fault fault;
	char detail[512];
};

static void
keep(struct got *g, const struct participant *p)
{
	const char *from[] = {p->eik, p->name, p->phone, p->fax, p->email, p->certificate_serial,
		p->service_name, p->uri, p->service_version};
	char(*to)[128] = g->text[g->count];

	for (size_t i = 0; i < 9; i++)
		snprintf(to[i], sizeof to[i], "%s", from[i]);
	g->all[g->count] = *p;
	struct participant *q = &g->all[g->count++];
	q->eik = to[0], q->name = to[1], q->phone = to[2], q->fax = to[3], q->email = to[4];
	q->certificate_serial = to[5], q->service_name = to[6], q->uri = to[7];
	q->service_version = to[8];
}

static bool
take(void *arg, const struct participant *p)
{
	struct got *g = arg;

	if (g->count < 8)
		keep(g, p);
	return true;
}

static void
read_pieces(const char *text, size_t len, size_t piece, const struct register_limits *limits,
            struct got *g)
{
	struct register_reader *r = register_reader_new(limits);

	memset(g, 0, sizeof *g);
	assert_true(register_reader_begin(r, take, g));
	for (size_t at = 0; at < len; at += piece)
		register_reader_feed(r, text + at, len - at < piece ? len - at : piece);
	g->fault = register_reader_end(r, &g->answer);
	snprintf(g->detail, sizeof g->detail, "%s", register_reader_detail(r));
	register_reader_free(r);
}

/* As a whole and byte by byte: the outcome must be the same. */
static const struct got *
read_answer(const char *text)
{
	static struct got whole, bytes; /* the participants point into it */

	read_pieces(text, strlen(text), strlen(text), NULL, &whole);
	read_pieces(text, strlen(text), 1, NULL, &bytes);
	assert_int_equal(whole.fault, bytes.fault);
	assert_int_equal(whole.count, bytes.count);
	assert_memory_equal(whole.text, bytes.text, sizeof whole.text);
	return &whole;
}

static const struct got *
read_good(const char *text)
{
	const struct got *g = read_answer(text);

	if (g->fault != FAULT_NONE)
		print_message("%s\n", g->detail);
	assert_int_equal(g->fault, FAULT_NONE);
	assert_string_equal(g->detail, "");
	return g;
}

static void
assert_refused(const char *text, const char *words)
{
	const struct got *g = read_answer(text);

	assert_int_equal(g->fault, FAULT_REGISTER_ANSWER);
	if (!strstr(g->detail, words))
		print_message("%s\n", g->detail);
	assert_non_null(strstr(g->detail, words));
}

static void
as_published(void **state)
{
	struct synthetic s, t;
	struct buf b = {0};

	(void)state;
	synthetic_make(20, &s);
	synthetic_make(655, &t);
	buf_adds(&b, SYNTHETIC_HEAD);
	synthetic_entity(&b, &s);
	synthetic_entity(&b, &t);
	buf_adds(&b, SYNTHETIC_TAIL);
	const struct got *g = read_good(buf_str(&b));
	assert_int_equal(g->count, 2);
	assert_string_equal(g->all[0].name, s.name);
	assert_string_equal(g->all[0].uri, s.uri);
	assert_string_equal(g->all[0].fax, "");
	assert_int_equal(g->all[0].status, PARTICIPANT_ACTIVE);
	assert_int_equal(g->all[1].status, PARTICIPANT_INACTIVE);
	when mark;
	assert_true(when_parse(&mark, "2024-03-01T10:00:00+02:00", 25));
	assert_int_equal(g->answer.last_change, mark);
	buf_free(&b);
}

static void
any_order_and_unknown_elements(void **state)
{
	(void)state;
	const struct got *g = read_good(ANSWER(
	    "<e><Status>Active</Status><Region><Guid>" GUID2 "</Guid><Services><item>" SERVICE(
	        "https://wrong.invalid/", "Active") "</item></Services></Region>"
	    "<Services><x><Status>Active</Status><Other>1</Other><URI> https://a.invalid/x?wsdl\n</URI>"
	    "<Version>many</Version><Guid>{7060EFA8-F1FA-4938-8B2B-12A78C86988F}</Guid></x></Services>"
	    "<Contact><Fax/><Pager>1</Pager><EmailAddress>a@b</EmailAddress></Contact>"
	    "<LastChange>2024-03-01T10:00:00Z</LastChange><CertificateSN> 0a1B </CertificateSN>"
	    "<Guid>" GUID1 "</Guid><AdministrativeBodyName>\tА &amp; <![CDATA[<Б>]]> </AdministrativeBodyName>"
	    "<EntityIdentifier>000000017</EntityIdentifier></e>"));
	assert_int_equal(g->count, 1);
	assert_string_equal(g->all[0].uri, "https://a.invalid/x?wsdl");
	assert_string_equal(g->all[0].service_version, "many");
	assert_string_equal(g->all[0].name, "\tА & <Б> ");
	assert_string_equal(g->all[0].eik, "000000017");
	assert_string_equal(g->all[0].certificate_serial, "0a1B");
	assert_string_equal(g->all[0].email, "a@b");
	assert_string_equal(g->all[0].fax, "");
	assert_int_equal(g->all[0].status, PARTICIPANT_ACTIVE);
	assert_int_equal(g->answer.last_change, g->all[0].last_change);
}

static void
the_service_is_chosen_by_guid(void **state)
{
	(void)state;
	const struct got *g = read_good(ANSWER(
	    "<i><Guid>" GUID1 "</Guid><Status>Active</Status><Services>"
	    "<i><Guid>{11111111-f1fa-4938-8b2b-12a78c86988f}</Guid><Name>Документооборот</Name>"
	    "<URI>https://other.invalid/</URI><Status>Active</Status></i>"
	    "<i>" SERVICE("https://right.invalid/", "TemporarilyInactive") "</i></Services></i>"
	    "<i><Guid>" GUID2 "</Guid><Status>Active</Status><Services>"
	    "<i><Guid>{11111111-f1fa-4938-8b2b-12a78c86988f}</Guid><URI>https://other.invalid/</URI>"
	    "<Status>Active</Status></i></Services></i>"));
	assert_int_equal(g->count, 2);
	assert_string_equal(g->all[0].uri, "https://right.invalid/");
	assert_int_equal(g->all[0].status, PARTICIPANT_TEMPORARILY_INACTIVE);
	assert_string_equal(g->all[1].uri, "");
	assert_int_equal(g->all[1].service_status, PARTICIPANT_INACTIVE);
	assert_int_equal(g->all[1].status, PARTICIPANT_INACTIVE);
}

static void
unknown_status_is_inactive(void **state)
{
	(void)state;
	const struct got *g = read_good(ANSWER("<i><Guid>" GUID1 "</Guid><Status>Perhaps</Status><Services><i>"
	    SERVICE("https://a.invalid/", "Active") "</i></Services></i><i><Guid>" GUID2
	    "</Guid><Services><i>" SERVICE("https://a.invalid/", "Active") "</i></Services></i>"));
	assert_int_equal(g->all[0].status, PARTICIPANT_INACTIVE);
	assert_int_equal(g->all[1].status, PARTICIPANT_INACTIVE);
}

static void
unreadable_entities_are_counted(void **state)
{
	(void)state;
	const struct got *g = read_good(ANSWER("<i><Guid>nobody</Guid></i><i xsi:nil='true'/><i/>"
	    "<i><Guid>{00000000-0000-0000-0000-000000000000}</Guid></i><i><Guid>" GUID1 "</Guid></i>"));
	assert_int_equal(g->count, 1);
	assert_int_equal(g->answer.skipped, 4);
}

static void
nobody_found(void **state)
{
	static const char *const answers[] = {
		ANSWER(""),
		OPEN "<n:R><return><Entities xsi:nil='true'/><LastChange xsi:nil='1'/></return></n:R>" CLOSE,
		OPEN "<n:R><return xsi:nil='true'/></n:R>" CLOSE,
		OPEN "<n:R/>" CLOSE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct got *g = read_good(answers[i]);
		assert_int_equal(g->count, 0);
		assert_int_equal(g->answer.last_change, WHEN_NONE);
	}
}

/* Every struct behind a reference, forwards, as Axis writes it. */
static void
forward_references(void **state)
{
	(void)state;
	const struct got *g = read_good(
	    OPEN "<n:R><return href='#d'/></n:R>"
	    "<multiRef id='d'><LastChange>2024-03-01T10:00:00Z</LastChange><Entities href='#l'/></multiRef>"
	    "<multiRef id='l'><item href='#1'/><item href='#2'/></multiRef>"
	    "<multiRef id='1'><Guid href='#g'/><Status>Active</Status><Services href='#s'/>"
	    "<Contact href='#c'/></multiRef>"
	    "<multiRef id='2'><Guid>" GUID2 "</Guid><Status>Active</Status><Services href='#s'/></multiRef>"
	    "<multiRef id='g'>" GUID1 "</multiRef><multiRef id='c'><Phone>02</Phone></multiRef>"
	    "<multiRef id='s'><item href='#x'/></multiRef>"
	    "<multiRef id='x'>" SERVICE("https://a.invalid/", "Active") "</multiRef>" CLOSE);
	assert_int_equal(g->count, 2);
	assert_int_equal(g->answer.participants, 2);
	assert_string_equal(g->all[0].phone, "02");
	assert_string_equal(g->all[0].uri, "https://a.invalid/");
	assert_string_equal(g->all[1].uri, "https://a.invalid/");
	assert_int_equal(g->all[1].status, PARTICIPANT_ACTIVE);
}

/* A list inline whose members refer backwards (PHP, for equal objects) and forwards. */
static void
mixed_references(void **state)
{
	(void)state;
	const struct got *g = read_good(ANSWER(
	    "<i><Guid>" GUID1 "</Guid><Contact id='ref1'><Phone>02</Phone></Contact></i>"
	    "<i><Guid>" GUID2 "</Guid><Contact href='#ref1'/></i>"
	    "<i><Guid>{0b0e7a52-1111-4222-8333-9a9a9a9a9a03}</Guid><Contact href='#later'/></i>"
	    "<i id='self'><Guid>{0b0e7a52-1111-4222-8333-9a9a9a9a9a04}</Guid>"
	    "<Contact id='later'><Phone>04</Phone></Contact></i>"));
	assert_int_equal(g->count, 4);
	assert_string_equal(g->all[1].phone, "02");
	assert_string_equal(g->all[2].phone, "04"); /* 04 itself came first */
	assert_string_equal(g->all[3].phone, "04");
}

static void
broken_references(void **state)
{
	(void)state;
	const struct got *g = read_good(ANSWER(
	    "<i href='#nowhere'/><i href='http://x.invalid/#a'/><i id='a' href='#b'/><i id='b' href='#a'/>"
	    "<i id='c' href='#c'/><i><Guid>" GUID1 "</Guid><Contact href='#gone'/><Services href='#c'/></i>"));
	assert_int_equal(g->count, 1);
	assert_int_equal(g->answer.skipped, 5);
	assert_string_equal(g->all[0].phone, "");
}

static void
soap_faults(void **state)
{
	(void)state;
	assert_refused(OPEN "<s:Fault><faultcode>s:Server</faultcode><faultstring>Procedure &lt;x&gt; "
	                    "failed</faultstring></s:Fault>" CLOSE, "Procedure <x> failed");
	assert_refused(OPEN "<s:Fault/>" CLOSE, "SOAP fault");
}

static void
not_an_answer(void **state)
{
	(void)state;
	assert_refused("", "");
	assert_refused("<html><body>Welcome</body></html>", "not a SOAP envelope");
	assert_refused(OPEN CLOSE, "empty");
	assert_refused("<Envelope/>", "empty");
	assert_refused("\x89PNG\r\n\x1a\n", "line 1");
	assert_refused(ANSWER("<i><Guid>" GUID1 "</Guid></i>") "<more/>", "line 1");
	assert_refused(ANSWER("<i>&nbsp;</i>"), "nbsp");
}

/* Cut anywhere: refused, whatever was read before. */
static void
truncated(void **state)
{
	static const char text[] = ANSWER("<i><Guid>" GUID1 "</Guid></i><i><Guid>" GUID2 "</Guid></i>");
	struct got g;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		read_pieces(text, n, 64, NULL, &g);
		assert_int_equal(g.fault, FAULT_REGISTER_ANSWER);
	}
}

static void
no_dtd(void **state)
{
	(void)state;
	assert_refused("<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><x>&b;</x>", "DTD");
	assert_refused("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" ANSWER(""), "DTD");
	assert_refused("<!DOCTYPE x [<!ENTITY e SYSTEM 'http://127.0.0.1:1/'>]>" ANSWER("&e;"), "DTD");
}

/* head, then `unit` n times, then tail. */
static void
read_repeated(const char *head, const char *unit, size_t n, const char *tail, struct got *g)
{
	struct buf b = {.max = (size_t)256 << 20};

	buf_adds(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, unit);
	buf_adds(&b, tail);
	assert_false(b.failed);
	read_pieces(buf_str(&b), b.len, 65536, NULL, g);
	buf_free(&b);
}

#define LIST_HEAD OPEN "<n:R><return><Entities>"

static void
limits(void **state)
{
	struct got g;

	(void)state;
	read_repeated(LIST_HEAD "<i>", "<x>", 100, "", &g);
	assert_non_null(strstr(g.detail, "deep"));
	read_repeated(LIST_HEAD "<i><Guid>", "0123456789", 1000, "", &g);
	assert_non_null(strstr(g.detail, "too long"));
	read_repeated(LIST_HEAD "<i>", "<x/>", 100000, "", &g);
	assert_non_null(strstr(g.detail, "too large"));
	read_repeated(LIST_HEAD, "<i id='a'><Guid>x</Guid></i>", 1000000, "", &g);
	assert_non_null(strstr(g.detail, "too much"));
	read_repeated(LIST_HEAD, "<i href='#later'/>", 1000000, "", &g);
	assert_non_null(strstr(g.detail, "too much"));
	read_repeated(OPEN "<n:R/>", "<x><y/></x>", 1000000, "", &g);
	assert_non_null(strstr(g.detail, "too much"));
}

static void
too_many_participants(void **state)
{
	struct register_limits few = register_default_limits;
	static const char text[] = ANSWER("<i/><i/><i/>");
	struct got g;

	(void)state;
	few.participants = 3;
	read_pieces(text, sizeof text - 1, 100, &few, &g);
	assert_int_equal(g.fault, FAULT_NONE);
	few.participants = 2;
	read_pieces(text, sizeof text - 1, 100, &few, &g);
	assert_int_equal(g.fault, FAULT_REGISTER_ANSWER);
}

/* References that multiply work must not multiply time: a list of services that all share. */
static void
shared_giant(void **state)
{
	struct buf b = {.max = (size_t)64 << 20};
	struct got g;

	(void)state;
	if (getenv("VALGRIND"))
		skip(); /* it measures time */
	buf_adds(&b, OPEN "<n:R><return><Entities>");
	for (unsigned i = 0; i < 20000; i++)
		buf_adds(&b, "<i><Guid>" GUID1 "</Guid><Services href='#s'/></i>");
	buf_adds(&b, "</Entities></return></n:R><m id='s'>");
	for (unsigned i = 0; i < 100000; i++)
		buf_adds(&b, "<i href='#v'/>");
	buf_adds(&b, "</m><m id='v'><Guid>x</Guid></m>" CLOSE);
	when from = when_monotonic();
	read_pieces(buf_str(&b), b.len, 65536, NULL, &g);
	assert_int_equal(g.fault, FAULT_NONE);
	assert_int_equal(g.answer.participants, 20000);
	assert_true(when_monotonic() - from < 20 * WHEN_SECOND); /* unbounded it would take minutes */
	buf_free(&b);
}

/* Damage of every kind: whatever comes out, nothing may crash, hang or leak. */
static void
mutations(void **state)
{
	static const char good[] = ANSWER(
	    "<i id='a'><Guid>" GUID1 "</Guid><Contact href='#c'/><Services><i>" SERVICE(
	        "https://a.invalid/", "Active") "</i></Services><Status>Active</Status></i>"
	    "<i href='#a'/><i><Guid>" GUID2 "</Guid><Contact id='c'><Phone>1</Phone></Contact></i>");
	static const char bytes[] = "<>/&'\"#= \n]a\x80";
	char text[sizeof good];
	struct got g;
	unsigned read = 0, rounds = getenv("VALGRIND") ? 1000 : 20000;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t r = synthetic_mix(i + 1);
		memcpy(text, good, sizeof good);
		for (unsigned n = 0; n <= r % 3; n++) {
			r = synthetic_mix(r);
			text[r % (sizeof good - 1)] = bytes[(r >> 32) % (sizeof bytes - 1)];
		}
		read_pieces(text, sizeof text - 1, 1 + r % 200, NULL, &g);
		assert_true(g.fault == FAULT_NONE || g.fault == FAULT_REGISTER_ANSWER);
		assert_true((g.fault == FAULT_NONE) == !g.detail[0]);
		read += g.fault == FAULT_NONE;
	}
	assert_in_range(read, 1, rounds - 1);
}

static bool
refuse(void *arg, const struct participant *p)
{
	(void)arg, (void)p;
	return false;
}

static void
the_callback_can_stop(void **state)
{
	static const char text[] = ANSWER("<i><Guid>" GUID1 "</Guid></i>");
	struct register_reader *r = register_reader_new(NULL);
	struct register_answer a;

	(void)state;
	assert_true(register_reader_begin(r, refuse, NULL));
	register_reader_feed(r, text, sizeof text - 1);
	assert_int_equal(register_reader_end(r, &a), FAULT_INTERNAL);
	register_reader_free(r);
}

static void
a_reader_is_reusable(void **state)
{
	static const char good[] = ANSWER("<i><Guid>" GUID1 "</Guid></i>");
	struct register_reader *r = register_reader_new(NULL);
	struct register_answer a;
	static struct got g;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		g.count = 0;
		assert_true(register_reader_begin(r, take, &g));
		register_reader_feed(r, "<x", 2);
		assert_int_equal(register_reader_end(r, &a), FAULT_REGISTER_ANSWER);
		assert_true(register_reader_begin(r, take, &g));
		assert_int_equal(register_reader_feed(r, good, sizeof good - 1), FAULT_NONE);
		assert_int_equal(register_reader_end(r, &a), FAULT_NONE);
		assert_int_equal(g.count, 1);
	}
	register_reader_free(r);
}

/* Text of the only element below the operation, in a request that libxml2 has parsed. */
static void
check_request(enum register_operation o, const char *argument, const char *parameter)
{
	struct buf b = {0};

	assert_true(register_request(&b, o, argument));
	xmlDocPtr doc = xmlReadMemory(buf_str(&b), (int)b.len, NULL, NULL, XML_PARSE_NONET);
	assert_non_null(doc);
	xmlNodePtr call = xmlFirstElementChild(xmlFirstElementChild(xmlDocGetRootElement(doc)));
	assert_string_equal((const char *)call->name, register_operation_name(o));
	assert_string_equal((const char *)call->ns->href, NS_REGISTER);
	xmlNodePtr part = xmlFirstElementChild(call);
	assert_int_equal(part != NULL, parameter != NULL);
	if (part) {
		assert_string_equal((const char *)part->name, parameter);
		assert_null(part->ns);
		xmlChar *text = xmlNodeGetContent(part);
		assert_string_equal((const char *)text, argument);
		xmlFree(text);
	}
	xmlFreeDoc(doc);
	buf_free(&b);
}

static void
requests(void **state)
{
	char date[WHEN_TEXT_SIZE];
	when w, back;

	(void)state;
	check_request(REGISTER_ALL, NULL, NULL);
	check_request(REGISTER_NEW, "2024-03-01T00:00:00+02:00", "date");
	check_request(REGISTER_BY_EIK, "990000017", "EntityIdentifier");
	check_request(REGISTER_BY_GUID, GUID1, "guid");
	check_request(REGISTER_BY_SERIAL, "<&\">", "CertificateSN");
	assert_string_equal(register_action(REGISTER_NEW), "uri:egovmsg/GetNewRecords");
	assert_true(when_parse(&w, "2024-07-01T12:30:45.678+03:00", 29));
	register_date(w, date);
	assert_null(strchr(date, '.'));
	assert_true(when_parse(&back, date, strlen(date)));
	assert_int_equal(back, w - 678 * (WHEN_SECOND / 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_published),
		cmocka_unit_test(any_order_and_unknown_elements),
		cmocka_unit_test(the_service_is_chosen_by_guid),
		cmocka_unit_test(unknown_status_is_inactive),
		cmocka_unit_test(unreadable_entities_are_counted),
		cmocka_unit_test(nobody_found),
		cmocka_unit_test(forward_references),
		cmocka_unit_test(mixed_references),
		cmocka_unit_test(broken_references),
		cmocka_unit_test(soap_faults),
		cmocka_unit_test(not_an_answer),
		cmocka_unit_test(truncated),
		cmocka_unit_test(no_dtd),
		cmocka_unit_test(limits),
		cmocka_unit_test(too_many_participants),
		cmocka_unit_test(shared_giant),
		cmocka_unit_test(mutations),
		cmocka_unit_test(the_callback_can_stop),
		cmocka_unit_test(a_reader_is_reusable),
		cmocka_unit_test(requests),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
