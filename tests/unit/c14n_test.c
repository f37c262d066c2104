/* Our canonicalizer against libxml2's own, on documents made at random and on chosen ones. */
#include "message_fixture.h"

#include <libxml/c14n.h>
#include <libxml/xpath.h>
#include "message/c14n.h"

#define DOCUMENTS 4000

/* --- ours ----------------------------------------------------------------------------------- */

struct ours {
	struct c14n whole, part;
	struct buf whole_text, part_text;
	unsigned depth, part_depth;
	bool exclusive;
};

static void
sink(void *arg, const void *data, size_t len)
{
	buf_add(arg, data, len);
}

static void
on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int nn,
    const xmlChar **namespaces, int na, int nd, const xmlChar **attributes)
{
	struct ours *o = arg;
	struct c14n_element e = {(const char *)name, (const char *)prefix, (const char *)uri, nn,
	    namespaces, na, attributes};

	(void)nd;
	o->depth++;
	if (o->depth == 2 && strcmp(e.name, "sig") == 0) {
		c14n_begin_part(&o->part, &o->whole, o->exclusive, sink, &o->part_text);
		c14n_outside(&o->part, &e);
	}
	if (o->depth == 3 && strcmp(e.name, "apex") == 0)
		o->part_depth = o->depth;
	if (o->part_depth)
		c14n_start(&o->part, &e);
	c14n_start(&o->whole, &e);
	if (o->depth == 1)
		c14n_inherit(&o->whole, &e);
}

static void
on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct ours *o = arg;

	(void)uri;
	if (o->part_depth)
		c14n_end(&o->part, (const char *)name, (const char *)prefix);
	if (o->part_depth == o->depth)
		o->part_depth = 0;
	c14n_end(&o->whole, (const char *)name, (const char *)prefix);
	o->depth--;
}

static void
on_text(void *arg, const xmlChar *text, int len)
{
	struct ours *o = arg;

	if (o->part_depth)
		c14n_text(&o->part, (const char *)text, (size_t)len);
	c14n_text(&o->whole, (const char *)text, (size_t)len);
}

static void
on_instruction(void *arg, const xmlChar *target, const xmlChar *data)
{
	struct ours *o = arg;

	if (o->part_depth)
		c14n_instruction(&o->part, (const char *)target, (const char *)data);
	c14n_instruction(&o->whole, (const char *)target, (const char *)data);
}

static void
canonicalize(struct ours *o, const char *text, size_t len, bool exclusive, size_t chunk)
{
	xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC, .startElementNs = on_start,
	    .endElementNs = on_end, .characters = on_text, .ignorableWhitespace = on_text,
	    .cdataBlock = on_text, .processingInstruction = on_instruction};
	xmlParserCtxtPtr p = xmlCreatePushParserCtxt(&sax, o, NULL, 0, NULL);

	o->exclusive = exclusive;
	o->depth = o->part_depth = 0;
	buf_reset(&o->whole_text);
	buf_reset(&o->part_text);
	c14n_begin(&o->part, exclusive, sink, &o->part_text);
	c14n_begin(&o->whole, exclusive, sink, &o->whole_text);
	xmlCtxtUseOptions(p, XML_PARSE_NONET | XML_PARSE_NOENT);
	for (size_t at = 0; at < len; at += chunk)
		xmlParseChunk(p, text + at, (int)(len - at < chunk ? len - at : chunk), 0);
	xmlParseChunk(p, NULL, 0, 1);
	if (!p->wellFormed)
		fail_msg("not well-formed: %.*s", (int)len, text);
	assert_true(c14n_finish(&o->whole));
	assert_true(c14n_finish(&o->part));
	xmlFreeParserCtxt(p);
}

/* --- theirs --------------------------------------------------------------------------------- */

static void
compare(const struct buf *mine, xmlDocPtr doc, xmlNodeSetPtr nodes, bool exclusive, const char *text)
{
	xmlChar *theirs = NULL;
	int len = xmlC14NDocDumpMemory(doc, nodes, exclusive ? XML_C14N_EXCLUSIVE_1_0 : XML_C14N_1_0,
	    NULL, 0, &theirs);

	assert_true(len >= 0);
	if ((size_t)len != mine->len || (len > 0 && memcmp(theirs, mine->data, mine->len) != 0))
	{
		fprintf(stderr, "source: %s\nours:   %s\ntheirs: %s\n", text, buf_str(mine), (char *)theirs);
		fail_msg("%s form differs", exclusive ? "exclusive" : "inclusive");
	}
	xmlFree(theirs);
}

static void
check(struct ours *o, const char *text, size_t len, bool exclusive, size_t chunk)
{
	static const char part[] = "/*/*[local-name()='sig']/*[local-name()='apex']/"
	                           "descendant-or-self::node()|/*/*[local-name()='sig']/"
	                           "*[local-name()='apex']/descendant-or-self::*/@*|"
	                           "/*/*[local-name()='sig']/*[local-name()='apex']/"
	                           "descendant-or-self::*/namespace::*";
	xmlDocPtr doc = xmlReadMemory(text, (int)len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOENT);
	xmlXPathContextPtr xpath = xmlXPathNewContext(doc);
	xmlXPathObjectPtr nodes = xmlXPathEvalExpression((const xmlChar *)part, xpath);

	canonicalize(o, text, len, exclusive, chunk);
	compare(&o->whole_text, doc, NULL, exclusive, text);
	if (nodes->nodesetval && nodes->nodesetval->nodeNr > 0)
		compare(&o->part_text, doc, nodes->nodesetval, exclusive, text);
	xmlXPathFreeObject(nodes);
	xmlXPathFreeContext(xpath);
	xmlFreeDoc(doc);
}

/* --- random documents ----------------------------------------------------------------------- */

struct source {
	struct buf text;
	uint64_t seed;
	const char *scope[16][4]; /* by depth: URI of p, q, r and the default namespace */
};

static unsigned
pick(struct source *s, unsigned below)
{
	s->seed ^= s->seed << 13;
	s->seed ^= s->seed >> 7;
	s->seed ^= s->seed << 17;
	return (unsigned)(s->seed >> 20) % below;
}

static const char *const prefixes[] = {"p", "q", "r"};
/* No & among them: libxml2 writes namespace URIs without the escape that the recommendation wants. */
static const char *const uris[] = {"urn:a", "urn:b", "http://c/?x=1", "urn:d:%20"};
static const char *const names[] = {"a", "b", "Z", "\xd0\xb6", "a-1", "_x"};
static const char *const texts[] = {"text", " ", "\n\t", "&amp;", "&lt;", "&gt;", "&#13;", "&#xD;\n",
	"\r\n", "\r", "&quot;'\"", "<![CDATA[<&>]]>", "<![CDATA[ ]] ]]>", "<!-- c -- -->", "<?pi?>",
	"<?pi  data  ?>", "\xd0\x90\xd0\xb1", "&#x10FFFF;", "]]&gt;", "<!--x-->"};
static const char *const values[] = {"", "v", " a  b ", "&#9;&#10;&#13;", "\t\n", "&lt;&amp;&gt;",
	"&quot;", "'", ">", "\xd0\xb6", "\r\n"};

static void
add_namespaces(struct source *s, unsigned depth)
{
	memcpy(s->scope[depth], s->scope[depth - 1], sizeof s->scope[0]);
	for (unsigned i = 0; i < 3; i++) {
		if (pick(s, 4))
			continue;
		s->scope[depth][i] = uris[pick(s, 4)];
		buf_addf(&s->text, " xmlns:%s=\"%s\"", prefixes[i], s->scope[depth][i]);
	}
	if (pick(s, 4) == 0) {
		s->scope[depth][3] = pick(s, 3) ? uris[pick(s, 4)] : "";
		buf_addf(&s->text, " xmlns=\"%s\"", s->scope[depth][3]);
	}
}

static void
add_attributes(struct source *s, unsigned depth)
{
	unsigned n = pick(s, 5);

	if (pick(s, 5) == 0)
		buf_addf(&s->text, " xml:lang=\"%s\"", pick(s, 2) ? "bg" : "en");
	if (pick(s, 8) == 0)
		buf_adds(&s->text, " xml:space='preserve'");
	for (unsigned i = 0; i < n; i++) {
		unsigned p = pick(s, 6);
		if (p < 3 && s->scope[depth][p])
			buf_addf(&s->text, " %s:", prefixes[p]);
		else
			buf_addc(&s->text, ' ');
		buf_addf(&s->text, "%s%u=\"%s\"", names[pick(s, 6)], i, values[pick(s, 11)]);
	}
}

static void
add_element(struct source *s, unsigned depth, const char *name)
{
	size_t at = s->text.len;
	char tag[64];

	/* Declarations first, because the prefix of the name may be among them. */
	struct buf before = s->text;
	s->text = (struct buf){.max = before.max};
	add_namespaces(s, depth);
	struct buf declarations = s->text;
	s->text = before;
	unsigned p = pick(s, 6);
	const char *prefix = p < 3 && s->scope[depth][p] ? prefixes[p] : NULL;
	snprintf(tag, sizeof tag, "%s%s%s", prefix ? prefix : "", prefix ? ":" : "", name);
	buf_addf(&s->text, "<%s", tag);
	bool first = pick(s, 2);
	if (first)
		buf_add(&s->text, declarations.data, declarations.len);
	add_attributes(s, depth);
	if (!first)
		buf_add(&s->text, declarations.data, declarations.len);
	buf_free(&declarations);
	buf_adds(&s->text, ">");
	bool sig = strcmp(name, "sig") == 0;
	unsigned children = depth > 6 ? 0 : sig ? 3 : pick(s, 4);
	for (unsigned i = 0; i < children; i++) {
		const char *text = texts[pick(s, 20)];
		/* "--" would end the comment wrongly */
		buf_adds(&s->text, strcmp(text, "<!-- c -- -->") ? text : "<!-- c -->");
		add_element(s, depth + 1, sig && i == 1 ? "apex" : names[pick(s, 6)]);
	}
	if (depth == 1)
		add_element(s, 2, "sig");
	buf_addf(&s->text, "</%s>", tag);
	assert_true(s->text.len > at);
}

static void
make_document(struct source *s)
{
	buf_reset(&s->text);
	memset(s->scope, 0, sizeof s->scope);
	if (pick(s, 2))
		buf_adds(&s->text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n");
	if (pick(s, 3) == 0)
		buf_adds(&s->text, "<?before a?><!-- c --><?second?>\n");
	add_element(s, 1, "root");
	if (pick(s, 3) == 0)
		buf_adds(&s->text, "\n<?after b?> <!-- d --><?last?>");
}

static void
test_random_documents(void **state)
{
	struct source s = {.seed = 88172645463325252u};
	struct ours *o = calloc(1, sizeof *o);

	(void)state;
	for (unsigned i = 0; i < DOCUMENTS; i++) {
		make_document(&s);
		assert_false(s.text.failed);
		size_t chunk = i % 3 == 0 ? 1 : i % 3 == 1 ? 7 : s.text.len;
		check(o, buf_str(&s.text), s.text.len, i & 1, chunk);
	}
	buf_free(&s.text);
	buf_free(&o->whole_text);
	buf_free(&o->part_text);
	c14n_free(&o->whole);
	c14n_free(&o->part);
	free(o);
}

static void
test_chosen_documents(void **state)
{
	static const char *const chosen[] = {
	    "<a/>",
	    "<a xmlns=''><b xmlns='urn:x'><c xmlns=''/><d/></b></a>",
	    ("<r xmlns:p='urn:1' xml:lang='bg'><sig xml:lang='en' xml:space='preserve' xmlns='urn:s'>"
	     "<apex><p:x/></apex></sig></r>"),
	    "<r xml:lang='bg' xml:base='x'><sig><apex xml:lang='de'/></sig></r>",
	    "<r xmlns='urn:1'><sig xmlns=''><apex><a xmlns='urn:1'/></apex></sig></r>",
	    "<r xmlns='urn:1' xmlns:p='urn:1'><sig><p:apex><a/><p:a p:b='1' b='2'/></p:apex></sig></r>",
	    "<r xmlns:p='urn:2' xmlns:q='urn:1'><a q:x='1' p:a='2' a='3' xml:lang='x'/></r>",
	    "<r xmlns:p='urn:1'><a xmlns:p='urn:2'><b xmlns:p='urn:1'><p:c/></b></a></r>",
	    "<r xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:id='i'/>",
	};
	struct ours *o = calloc(1, sizeof *o);

	(void)state;
	for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
		check(o, chosen[i], strlen(chosen[i]), false, 1);
		check(o, chosen[i], strlen(chosen[i]), true, 1000);
	}
	buf_free(&o->whole_text);
	buf_free(&o->part_text);
	c14n_free(&o->whole);
	c14n_free(&o->part);
	free(o);
}

/* The flag that lets the reader use an inclusive digest for an exclusive signature. */
static void
test_split(void **state)
{
	static const struct {
		const char *text;
		bool split;
	} cases[] = {
	    {"<a xmlns='urn:1'><b/></a>", false},
	    {"<a xmlns='urn:1' xmlns:x='urn:2'><b/></a>", true},
	    {"<x:a xmlns:x='urn:2'><x:b/></x:a>", false},
	    {"<a xmlns:x='urn:2' x:y='1'><x:b/></a>", false},
	    {"<a xmlns='urn:1'><b xmlns=''/></a>", false},
	    {"<x:a xmlns='urn:1' xmlns:x='urn:2'/>", true},
	};
	struct ours *o = calloc(1, sizeof *o);
	struct buf inclusive = {.max = 0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].text);
		canonicalize(o, cases[i].text, len, false, len);
		assert_int_equal(o->whole.split, cases[i].split);
		buf_reset(&inclusive);
		buf_add(&inclusive, o->whole_text.data, o->whole_text.len);
		canonicalize(o, cases[i].text, len, true, len);
		bool same = strcmp(buf_str(&inclusive), buf_str(&o->whole_text)) == 0;
		assert_int_equal(same, !cases[i].split);
	}
	buf_free(&inclusive);
	buf_free(&o->whole_text);
	buf_free(&o->part_text);
	c14n_free(&o->whole);
	c14n_free(&o->part);
	free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chosen_documents),
	    cmocka_unit_test(test_random_documents),
	    cmocka_unit_test(test_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
