/*
 * Canonical XML while it is parsed: inclusive C14N 1.0 and exclusive C14N 1.0, without comments
 * (protocol.md section 4; W3C REC-xml-c14n-20010315, REC-xml-exc-c14n-20020718).
 *
 * Fed with what libxml2's SAX2 interface tells. The names and namespace URIs given must stay valid
 * until the next c14n_begin: libxml2 keeps them in its dictionary.
 */
#ifndef OBMEN_C14N_H
#define OBMEN_C14N_H

#include <libxml/parser.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/buf.h"

#define C14N_NAMESPACES_MAX 128 /* declarations in scope */
#define C14N_ATTRIBUTES_MAX 128 /* of one element */
#define C14N_OUT_SIZE 4096

typedef void (*c14n_sink)(void *arg, const void *data, size_t len);

/* A start tag as libxml2's startElementNs gives it. */
struct c14n_element {
	const char *name, *prefix, *uri;
	int namespace_count;
	const xmlChar **namespaces; /* pairs: prefix, URI */
	int attribute_count;
	const xmlChar **attributes; /* fives: name, prefix, URI, value, end of value; gets sorted */
};

struct c14n_namespace {
	const char *prefix; /* NULL = the default namespace */
	const char *uri;    /* "" = taken back */
	unsigned depth;
};

struct c14n {
	bool exclusive;
	bool split;   /* the inclusive and the exclusive form of what was written differ */
	bool failed;  /* more namespaces or attributes than fit, or memory */
	unsigned depth;
	unsigned first; /* depth of the first element that is written; above it only scope is kept */
	unsigned scope_count, rendered_count;
	struct c14n_namespace scope[C14N_NAMESPACES_MAX];    /* declared */
	struct c14n_namespace rendered[C14N_NAMESPACES_MAX]; /* written; exclusive form only */
	struct buf inherited; /* xml: attributes of elements above the first: name, NUL, value, NUL */
	c14n_sink sink;
	void *arg;
	bool root; /* the root element has begun */
	size_t out_len;
	char out[C14N_OUT_SIZE];
};

/* Starts a document. A zeroed struct is enough before. */
void c14n_begin(struct c14n *, bool exclusive, c14n_sink, void *arg);
/* Starts a part of the document that `whole` is canonicalizing: what is in scope there is in scope
 * here, but nothing is written yet (document subset). */
void c14n_begin_part(struct c14n *, const struct c14n *whole, bool exclusive, c14n_sink, void *arg);
void c14n_free(struct c14n *);

/* An element above the part: its declarations and xml: attributes count, it is not written. */
void c14n_outside(struct c14n *, const struct c14n_element *);
/* Remembers the xml: attributes of an element for parts that begin inside it. */
void c14n_inherit(struct c14n *, const struct c14n_element *);

/* The next event of the part: an element's start, its end, text as it reads unescaped. */
void c14n_start(struct c14n *, const struct c14n_element *);
void c14n_end(struct c14n *, const char *name, const char *prefix);
void c14n_text(struct c14n *, const char *text, size_t len);
/* Text that is known to hold nothing that is escaped. */
void c14n_plain(struct c14n *, const char *text, size_t len);
/* A processing instruction; data may be NULL. */
void c14n_instruction(struct c14n *, const char *target, const char *data);
/* Hands the rest to the sink. False when the canonical form could not be made. */
bool c14n_finish(struct c14n *);

#endif
