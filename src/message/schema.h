/* The XML schema of a message, checked while it is parsed. */
#ifndef OBMEN_SCHEMA_H
#define OBMEN_SCHEMA_H

#include <libxml/parser.h>
#include <stdbool.h>

struct schema;

/* Parses the schemas that are built in. NULL with a logged reason. */
struct schema *schema_new(void);
void schema_free(struct schema *);

/*
 * One document: begin, then what the parser tells, then end. After the first violation nothing more
 * is looked at, so a document full of violations costs no more than one with a single one.
 */
bool schema_begin(struct schema *);
void schema_start(struct schema *, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
    int namespace_count, const xmlChar **namespaces, int attribute_count, int defaulted,
    const xmlChar **attributes);
void schema_finish_element(struct schema *, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri);
void schema_text(struct schema *, const char *text, int len);
/* Ends the document, whether complete or given up. */
void schema_end(struct schema *);
/* The first violation in words, or NULL. Valid until the next schema_begin. */
const char *schema_violation(const struct schema *);

#endif
