/*
 * The inner message alone. Whatever is accepted is judged by libxml2 too: it parses the same bytes
 * into a tree, takes the signature out, writes the canonical form, and the digest must be ours.
 */
#include "fuzz.h"

#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "lib/log.h"
#include "message/reader.h"

static struct reader *reader;
static struct message message;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	reader = reader_new(&reader_default_limits);
	HOLDS(reader);
	return 0;
}

static xmlNodePtr
find_signature(xmlDocPtr doc)
{
	xmlNodePtr found = NULL;

	for (xmlNodePtr n = xmlDocGetRootElement(doc)->children; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE || !n->ns ||
		    strcmp((const char *)n->name, "Signature") != 0 ||
		    strcmp((const char *)n->ns->href, NS_DSIG) != 0)
			continue;
		HOLDS(!found); /* two would be two meanings */
		found = n;
	}
	return found;
}

/* libxml2's opinion about the digest of the message without its signature. */
static void
judge(const uint8_t *data, size_t size, const struct signature *s)
{
	xmlDocPtr doc = xmlReadMemory((const char *)data, (int)size, NULL, NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE |
	        XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC); /* the text came inside another: it is UTF-8 */
	xmlChar *form = NULL;
	uint8_t digest[64];

	HOLDS(doc && xmlDocGetRootElement(doc));
	xmlNodePtr signature = find_signature(doc);
	HOLDS(signature);
	xmlUnlinkNode(signature);
	xmlFreeNode(signature);
	int mode = s->body_c14n == C14N_EXCLUSIVE ? XML_C14N_EXCLUSIVE_1_0 : XML_C14N_1_0;
	int len = xmlC14NDocDumpMemory(doc, NULL, mode, NULL, 0, &form);
	if (len >= 0) { /* libxml2 itself refuses relative namespace URIs */
		HOLDS(EVP_Digest(form, (size_t)len, digest, NULL, digest_method_md(s->digest), NULL));
		HOLDS(memcmp(digest, s->computed, s->digest_len) == 0);
	}
	xmlFree(form);
	xmlFreeDoc(doc);
}

static enum fault
read_all(const uint8_t *data, size_t size, size_t piece, enum digest_method hint)
{
	HOLDS(reader_begin(reader, &message, hint, NULL, NULL));
	for (size_t at = 0; at < size;) {
		size_t n = size - at < piece ? size - at : piece;
		enum fault f = reader_feed(reader, data + at, n);
		if (f != FAULT_NONE)
			return f;
		at += n;
	}
	return reader_end(reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size % 3 ? SIZE_MAX : 1 + size % 11;
	enum fault fault = read_all(data, size, piece, DIGEST_NONE);
	const struct signature *s = reader_signature(reader);

	if (fault == FAULT_DIGEST_AGAIN)
		fault = read_all(data, size, piece, s->digest);
	HOLDS(fault != FAULT_DIGEST_AGAIN);
	if (fault == FAULT_NONE && s->fault == FAULT_NONE)
		judge(data, size, s);
	return 0;
}
