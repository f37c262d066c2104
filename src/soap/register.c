#include "soap/register.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soap/register_tree.h"

#define DEPTH_MAX 64 /* ceiling of register_limits.depth */
#define ID_MAX 256   /* bytes of an id or href */

const struct register_limits register_default_limits = {
	.depth = 24,
	.text = 8 << 10,
	.entity = 256 << 10,
	.kept = (size_t)64 << 20,
	.participants = (size_t)1 << 20,
};

/* Where in the answer an element stands. */
enum place { PLACE_ENVELOPE, PLACE_BODY, PLACE_RESPONSE, PLACE_RESULT, PLACE_ENTITIES, PLACE_ENTITY,
	PLACE_INSIDE, PLACE_SKIPPED };

struct frame {
	enum place place;
	struct tree *tree; /* NULL when skipped */
	bool kept;         /* the tree lives until the end of the answer, not only of the entity */
};

#define SLICE (64 << 10) /* bytes given to the parser at once */

struct register_reader {
	struct register_limits limits;
	register_participant_cb give;
	void *arg;
	xmlParserCtxtPtr parser;
	struct frame frames[DEPTH_MAX];
	unsigned depth;
	struct buf text;      /* characters since the last tag */
	struct arena scratch; /* the entity that is being read */
	struct arena kept;
	struct tree_ids ids;
	struct tree *response, *result, *soap_fault;
	struct register_answer answer;
	size_t entities;
	enum fault fault;
	char detail[512];
};

/* The parser is not stopped here: within an event libxml2 still reads the buffer that
 * xmlStopParser frees. The rest of the slice is parsed, its events are ignored. */
static void
fail(struct register_reader *r, enum fault fault, const char *detail)
{
	if (r->fault != FAULT_NONE)
		return;
	r->fault = fault;
	snprintf(r->detail, sizeof r->detail, "%s", detail);
}

static void
give(struct register_reader *r, struct tree *item)
{
	struct participant p;

	if (++r->entities > r->limits.participants) {
		fail(r, FAULT_REGISTER_ANSWER, "too many participants");
		return;
	}
	if (!tree_participant(&r->ids, item, &p)) {
		r->answer.skipped++;
		return;
	}
	r->answer.participants++;
	if (p.last_change != WHEN_NONE && p.last_change > r->answer.last_change)
		r->answer.last_change = p.last_change;
	if (!r->give(r->arg, &p))
		fail(r, FAULT_INTERNAL, "no memory");
}

/* The place of a new element below the given one. */
static enum place
place_below(struct register_reader *r, const struct frame *parent, enum tree_name name)
{
	switch (parent->place) {
	case PLACE_ENVELOPE:
		return name == NAME_BODY ? PLACE_BODY : PLACE_SKIPPED;
	case PLACE_BODY:
		return name != NAME_FAULT && !r->response ? PLACE_RESPONSE : PLACE_INSIDE;
	case PLACE_RESPONSE:
		return r->result ? PLACE_INSIDE : PLACE_RESULT;
	case PLACE_RESULT:
		return name == NAME_ENTITIES ? PLACE_ENTITIES : PLACE_INSIDE;
	case PLACE_ENTITIES:
		return PLACE_ENTITY;
	case PLACE_SKIPPED:
		return PLACE_SKIPPED;
	default:
		return PLACE_INSIDE;
	}
}

static bool
attribute_is(const xmlChar *const *a, const char *name)
{
	return strcmp((const char *)a[0], name) == 0;
}

/* Reads id, href and nil. Attributes come as name, prefix, namespace, value, end of value. */
static bool
read_attributes(struct register_reader *r, struct frame *f, int count, const xmlChar **attributes)
{
	bool nil = false;

	for (int i = 0; i < count; i++) {
		const xmlChar **a = attributes + (size_t)i * 5;
		const char *value = (const char *)a[3];
		size_t len = (size_t)(a[4] - a[3]);
		if (len > ID_MAX) {
			continue;
		} else if (!a[2] && attribute_is(a, "href") && len > 1 && value[0] == '#') {
			f->tree->href = arena_strndup(f->kept ? &r->kept : &r->scratch, value + 1, len - 1);
			if (!f->tree->href)
				return false;
		} else if (!a[2] && attribute_is(a, "id") && len > 0) {
			f->tree->id = arena_strndup(&r->kept, value, len);
			if (!f->tree->id || !tree_ids_add(&r->ids, &r->kept, f->tree))
				return false;
		} else if (a[2] && attribute_is(a, "nil")) {
			nil = len > 0 && (value[0] == 't' || value[0] == '1');
		}
	}
	if (nil)
		f->tree->href = NULL;
	return true;
}

static bool
has_id(int count, const xmlChar **attributes)
{
	for (int i = 0; i < count; i++) {
		if (!attributes[(size_t)i * 5 + 2] && attribute_is(attributes + (size_t)i * 5, "id"))
			return true;
	}
	return false;
}

/* Opens an element of the tree. An entity and what lies in it is scratch, unless others may refer
 * to it. */
static bool
open_tree(struct register_reader *r, const struct frame *parent, struct frame *f,
          enum tree_name name, int count, const xmlChar **attributes)
{
	f->kept = (f->place != PLACE_ENTITY && parent->kept) || has_id(count, attributes);
	/* The list of entities keeps only those that wait: the rest must not be linked to it. */
	struct tree *above = f->place == PLACE_ENTITY ? NULL : parent->tree;
	f->tree = tree_add(f->kept ? &r->kept : &r->scratch, above, name);
	if (!f->tree || !read_attributes(r, f, count, attributes)) {
		fail(r, FAULT_REGISTER_ANSWER, f->kept ? "too much to keep in memory" : "an entity is too large");
		return false;
	}
	if (f->place == PLACE_RESPONSE)
		r->response = f->tree;
	else if (f->place == PLACE_RESULT)
		r->result = f->tree;
	else if (name == NAME_FAULT && parent->place == PLACE_BODY)
		r->soap_fault = f->tree;
	return true;
}

static void
on_start(void *ctx, const xmlChar *local_name, const xmlChar *prefix, const xmlChar *uri,
         int namespace_count, const xmlChar **namespaces, int count, int defaulted,
         const xmlChar **attributes)
{
	struct register_reader *r = ctx;
	enum tree_name name = tree_name_find((const char *)local_name);
	struct frame *f = &r->frames[r->depth];

	(void)prefix, (void)uri, (void)namespace_count, (void)namespaces, (void)defaulted;
	if (r->fault != FAULT_NONE)
		return;
	if (r->depth == r->limits.depth) {
		fail(r, FAULT_REGISTER_ANSWER, "elements are nested too deeply");
		return;
	}
	buf_reset(&r->text);
	r->depth++;
	if (r->depth == 1) {
		*f = (struct frame){.place = PLACE_ENVELOPE, .kept = true};
		if (name != NAME_ENVELOPE)
			fail(r, FAULT_REGISTER_ANSWER, "not a SOAP envelope");
		return;
	}
	*f = (struct frame){.place = place_below(r, f - 1, name)};
	if (f->place == PLACE_BODY)
		f->kept = true;
	else if (f->place != PLACE_SKIPPED)
		open_tree(r, f - 1, f, name, count, attributes);
}

static void
end_entity(struct register_reader *r, struct frame *f)
{
	struct tree *list = f[-1].tree;

	if (!tree_waits(&r->ids, f->tree))
		give(r, f->tree);
	else if (!tree_copy(&r->kept, list, f->tree))
		fail(r, FAULT_REGISTER_ANSWER, "too much to keep in memory");
	arena_reset(&r->scratch);
}

static void
on_end(void *ctx, const xmlChar *local_name, const xmlChar *prefix, const xmlChar *uri)
{
	struct register_reader *r = ctx;

	(void)local_name, (void)prefix, (void)uri;
	if (r->fault != FAULT_NONE)
		return;
	struct frame *f = &r->frames[r->depth - 1];
	if (f->tree && !f->tree->children && r->text.len > 0) {
		f->tree->text = arena_strndup(f->kept ? &r->kept : &r->scratch, buf_str(&r->text),
		    r->text.len);
		if (!f->tree->text)
			fail(r, FAULT_REGISTER_ANSWER, "an entity is too large");
	}
	buf_reset(&r->text);
	if (r->fault == FAULT_NONE && f->place == PLACE_ENTITY)
		end_entity(r, f);
	r->depth--;
}

static void
on_characters(void *ctx, const xmlChar *text, int len)
{
	struct register_reader *r = ctx;

	if (r->fault == FAULT_NONE && !buf_add(&r->text, text, (size_t)len))
		fail(r, FAULT_REGISTER_ANSWER, "a value is too long");
}

static void
on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	struct register_reader *r = ctx;

	(void)name, (void)external, (void)system;
	fail(r, FAULT_REGISTER_ANSWER, "the answer holds a DTD");
	/* Here it is safe, and needed: the declarations inside would make a document that nobody frees. */
	xmlStopParser(r->parser);
}

/* The parser's words are asked for once, at the end. */
static void
on_error(void *ctx, xmlErrorPtr error)
{
	(void)ctx, (void)error;
}

struct register_reader *
register_reader_new(const struct register_limits *limits)
{
	struct register_reader *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->limits = limits ? *limits : register_default_limits;
	if (r->limits.depth > DEPTH_MAX)
		r->limits.depth = DEPTH_MAX;
	r->text.max = r->limits.text;
	r->scratch.max = r->limits.entity;
	r->kept.max = r->limits.kept;
	return r;
}

/* Gives back everything of the last answer. */
static void
forget(struct register_reader *r)
{
	xmlFreeParserCtxt(r->parser);
	r->parser = NULL;
	arena_free(&r->scratch);
	arena_free(&r->kept);
	tree_ids_free(&r->ids);
	buf_free(&r->text);
}

void
register_reader_free(struct register_reader *r)
{
	if (!r)
		return;
	forget(r);
	free(r);
}

bool
register_reader_begin(struct register_reader *r, register_participant_cb cb, void *arg)
{
	xmlSAXHandler sax = {
		.initialized = XML_SAX2_MAGIC,
		.startElementNs = on_start,
		.endElementNs = on_end,
		.characters = on_characters,
		.ignorableWhitespace = on_characters,
		.cdataBlock = on_characters,
		.internalSubset = on_doctype,
		.serror = on_error,
	};

	forget(r);
	r->give = cb;
	r->arg = arg;
	r->depth = 0;
	r->entities = 0;
	r->response = r->result = r->soap_fault = NULL;
	r->answer = (struct register_answer){.last_change = WHEN_NONE};
	r->fault = FAULT_NONE;
	r->detail[0] = 0;
	r->parser = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
	if (!r->parser)
		return false;
	xmlCtxtUseOptions(r->parser, XML_PARSE_NONET);
	return true;
}

static void
fail_with_parser(struct register_reader *r)
{
	const xmlError *e = xmlCtxtGetLastError(r->parser);
	char words[256];

	snprintf(words, sizeof words, "line %d: %s", e ? e->line : 0,
	    e && e->message ? e->message : "not well-formed XML");
	words[strcspn(words, "\n")] = 0;
	fail(r, e && e->code == XML_ERR_NO_MEMORY ? FAULT_INTERNAL : FAULT_REGISTER_ANSWER, words);
}

enum fault
register_reader_feed(struct register_reader *r, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0 && r->fault == FAULT_NONE) {
		int piece = len < SLICE ? (int)len : SLICE;
		xmlParseChunk(r->parser, p, piece, 0);
		if (r->fault == FAULT_NONE && !r->parser->wellFormed)
			fail_with_parser(r);
		p += piece;
		len -= (size_t)piece;
	}
	return r->fault;
}

/* What waited for references that have all come by now, or never will. */
static void
give_waiting(struct register_reader *r)
{
	struct tree *result = tree_follow(&r->ids, r->result);
	struct tree *list = tree_child(&r->ids, result, NAME_ENTITIES);
	struct tree *changed = tree_child(&r->ids, result, NAME_LAST_CHANGE);
	const char *text = tree_trim(changed ? changed->text : NULL);
	when stated;

	for (struct tree *c = list ? list->children : NULL; c && r->fault == FAULT_NONE; c = c->next)
		give(r, c);
	if (when_parse(&stated, text, strlen(text)))
		r->answer.last_change = stated;
}

enum fault
register_reader_end(struct register_reader *r, struct register_answer *answer)
{
	if (r->fault == FAULT_NONE) {
		xmlParseChunk(r->parser, "", 0, 1);
		if (r->fault == FAULT_NONE && !r->parser->wellFormed)
			fail_with_parser(r);
	}
	if (r->fault == FAULT_NONE && r->soap_fault) {
		struct tree *text = tree_child(&r->ids, r->soap_fault, NAME_FAULT_STRING);
		const char *words = tree_trim(text ? text->text : NULL);
		fail(r, FAULT_REGISTER_ANSWER, *words ? words : "SOAP fault");
	}
	if (r->fault == FAULT_NONE && !r->response)
		fail(r, FAULT_REGISTER_ANSWER, "the SOAP body is empty");
	if (r->fault == FAULT_NONE)
		give_waiting(r);
	*answer = r->answer;
	return r->fault;
}

const char *
register_reader_detail(const struct register_reader *r)
{
	return r->detail;
}
