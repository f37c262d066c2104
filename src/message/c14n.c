#include "message/c14n.h"

#include <stdlib.h>
#include <string.h>

#define XML_PREFIX "xml"
#define NAMESPACE_XML "http://www.w3.org/XML/1998/namespace"

enum attribute_part { ATTR_NAME, ATTR_PREFIX, ATTR_URI, ATTR_VALUE, ATTR_END, ATTR_PARTS };

static void
flush(struct c14n *c)
{
	if (c->out_len)
		c->sink(c->arg, c->out, c->out_len);
	c->out_len = 0;
}

static void
put(struct c14n *c, const char *text, size_t len)
{
	if (len > sizeof c->out - c->out_len) {
		flush(c);
		if (len > sizeof c->out / 2) {
			c->sink(c->arg, text, len);
			return;
		}
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
}

static void
puts_(struct c14n *c, const char *text)
{
	put(c, text, strlen(text));
}

#define PUT(c, literal) put((c), (literal), sizeof(literal) - 1)

/* What is escaped in text and in attribute values (C14N section 2.3). */
static const char *const text_escapes[256] = {
	['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['\r'] = "&#xD;"};
static const char *const value_escapes[256] = {['&'] = "&amp;", ['<'] = "&lt;", ['"'] = "&quot;",
	['\t'] = "&#x9;", ['\n'] = "&#xA;", ['\r'] = "&#xD;"};

static void
put_escaped(struct c14n *c, const char *text, size_t len, const char *const escapes[256])
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *escape = escapes[(unsigned char)text[i]];
		if (!escape)
			continue;
		put(c, text + from, i - from);
		puts_(c, escape);
		from = i + 1;
	}
	put(c, text + from, len - from);
}

void
c14n_begin(struct c14n *c, bool exclusive, c14n_sink sink, void *arg)
{
	c->exclusive = exclusive;
	c->split = c->failed = c->root = false;
	c->depth = 0;
	c->first = 1;
	c->scope_count = c->rendered_count = 0;
	buf_reset(&c->inherited);
	c->sink = sink;
	c->arg = arg;
	c->out_len = 0;
}

void
c14n_begin_part(struct c14n *c, const struct c14n *whole, bool exclusive, c14n_sink sink, void *arg)
{
	c14n_begin(c, exclusive, sink, arg);
	c->depth = whole->depth;
	c->first = whole->depth + 1;
	c->scope_count = whole->scope_count;
	memcpy(c->scope, whole->scope, whole->scope_count * sizeof c->scope[0]);
	buf_add(&c->inherited, whole->inherited.data, whole->inherited.len);
	c->failed = c->inherited.failed;
}

void
c14n_free(struct c14n *c)
{
	buf_free(&c->inherited);
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The value that prefix has within the first count entries; "" when it has none. */
static const char *
lookup(const struct c14n_namespace *list, unsigned count, const char *prefix)
{
	while (count-- > 0) {
		if (same(list[count].prefix, prefix))
			return list[count].uri;
	}
	return "";
}

static bool
push(struct c14n *c, struct c14n_namespace *list, unsigned *count, const char *prefix,
    const char *uri)
{
	if (*count == C14N_NAMESPACES_MAX) {
		c->failed = true;
		return false;
	}
	list[(*count)++] =
	    (struct c14n_namespace){.prefix = prefix, .uri = uri ? uri : "", .depth = c->depth};
	return true;
}

static void
declare(struct c14n *c, const struct c14n_element *e)
{
	for (int i = 0; i < e->namespace_count; i++) {
		const xmlChar **n = e->namespaces + 2 * i;
		if (!push(c, c->scope, &c->scope_count, (const char *)n[0], (const char *)n[1]))
			return;
	}
}

void
c14n_inherit(struct c14n *c, const struct c14n_element *e)
{
	for (int i = 0; i < e->attribute_count; i++) {
		const xmlChar **a = e->attributes + ATTR_PARTS * i;
		if (!same((const char *)a[ATTR_PREFIX], XML_PREFIX))
			continue;
		buf_adds(&c->inherited, (const char *)a[ATTR_NAME]);
		buf_addc(&c->inherited, 0);
		buf_add(&c->inherited, a[ATTR_VALUE], (size_t)(a[ATTR_END] - a[ATTR_VALUE]));
		buf_addc(&c->inherited, 0);
	}
	c->failed |= c->inherited.failed;
}

void
c14n_outside(struct c14n *c, const struct c14n_element *e)
{
	c->depth++;
	c->first = c->depth + 1;
	declare(c, e);
	c14n_inherit(c, e);
}

static int
compare_namespaces(const void *a, const void *b)
{
	const struct c14n_namespace *x = a, *y = b;

	if (!x->prefix || !y->prefix)
		return (x->prefix != NULL) - (y->prefix != NULL);
	return strcmp(x->prefix, y->prefix);
}

struct namespace_list {
	unsigned count;
	struct c14n_namespace item[C14N_NAMESPACES_MAX];
};

static void
list_add(struct namespace_list *l, const char *prefix, const char *uri)
{
	for (unsigned i = 0; i < l->count; i++) {
		if (same(l->item[i].prefix, prefix))
			return;
	}
	if (l->count < C14N_NAMESPACES_MAX)
		l->item[l->count++] = (struct c14n_namespace){.prefix = prefix, .uri = uri};
}

/* True when the element's own name or one of its attributes uses the prefix. */
static bool
utilized(const struct c14n_element *e, const char *prefix)
{
	if (same(e->prefix, prefix))
		return true;
	for (int i = 0; prefix && i < e->attribute_count; i++) {
		if (same((const char *)e->attributes[ATTR_PARTS * i + ATTR_PREFIX], prefix))
			return true;
	}
	return false;
}

/* Inclusive: every declaration that changes what the nearest written ancestor has. */
static void
collect_inclusive(struct c14n *c, const struct c14n_element *e, unsigned outer,
    struct namespace_list *l)
{
	bool apex = c->depth == c->first;
	unsigned from = apex ? 0 : outer;

	for (unsigned i = c->scope_count; i-- > from;) {
		const struct c14n_namespace *n = &c->scope[i];
		const char *now = lookup(c->scope, c->scope_count, n->prefix);
		const char *before = apex ? "" : lookup(c->scope, outer, n->prefix);
		if (strcmp(now, before) == 0)
			continue;
		list_add(l, n->prefix, now);
		c->split |= !utilized(e, n->prefix);
	}
}

static void
collect_prefix(struct c14n *c, const char *prefix, struct namespace_list *l)
{
	if (same(prefix, XML_PREFIX))
		return;
	const char *uri = lookup(c->scope, c->scope_count, prefix);
	if (strcmp(uri, lookup(c->rendered, c->rendered_count, prefix)) != 0)
		list_add(l, prefix, uri);
}

/* Exclusive: what the tag itself uses and no written ancestor has rendered so. */
static void
collect_exclusive(struct c14n *c, const struct c14n_element *e, struct namespace_list *l)
{
	collect_prefix(c, e->prefix, l);
	for (int i = 0; i < e->attribute_count; i++) {
		const xmlChar *prefix = e->attributes[ATTR_PARTS * i + ATTR_PREFIX];
		if (prefix)
			collect_prefix(c, (const char *)prefix, l);
	}
	for (unsigned i = 0; i < l->count; i++)
		push(c, c->rendered, &c->rendered_count, l->item[i].prefix, l->item[i].uri);
}

static void
put_namespaces(struct c14n *c, struct namespace_list *l)
{
	if (l->count > 1)
		qsort(l->item, l->count, sizeof l->item[0], compare_namespaces);
	for (unsigned i = 0; i < l->count; i++) {
		PUT(c, " xmlns");
		if (l->item[i].prefix) {
			PUT(c, ":");
			puts_(c, l->item[i].prefix);
		}
		PUT(c, "=\"");
		put_escaped(c, l->item[i].uri, strlen(l->item[i].uri), value_escapes);
		PUT(c, "\"");
	}
}

struct attribute {
	const char *name, *prefix, *uri, *value;
	size_t len;
};

static int
compare_attributes(const void *a, const void *b)
{
	const struct attribute *x = a, *y = b;
	int order = strcmp(x->uri, y->uri);

	return order ? order : strcmp(x->name, y->name);
}

static unsigned
own_attributes(const struct c14n_element *e, struct attribute *list)
{
	for (int i = 0; i < e->attribute_count; i++) {
		const xmlChar **a = e->attributes + ATTR_PARTS * i;
		list[i] = (struct attribute){
		    .name = (const char *)a[ATTR_NAME],
		    .prefix = (const char *)a[ATTR_PREFIX],
		    .uri = a[ATTR_URI] ? (const char *)a[ATTR_URI] : "",
		    .value = (const char *)a[ATTR_VALUE],
		    .len = (size_t)(a[ATTR_END] - a[ATTR_VALUE]),
		};
	}
	return (unsigned)e->attribute_count;
}

/* The first element of a part takes over the xml: attributes of what lies above it, the nearest
 * first, unless it has its own (C14N section 2.4). */
static unsigned
inherited_attributes(struct c14n *c, struct attribute *list, unsigned count)
{
	const char *p = buf_str(&c->inherited), *end = p + c->inherited.len;
	unsigned own = count;

	while (p < end) {
		const char *name = p, *value = p + strlen(p) + 1;
		p = value + strlen(value) + 1;
		struct attribute a = {.name = name, .prefix = XML_PREFIX, .uri = NAMESPACE_XML,
		    .value = value, .len = strlen(value)};
		unsigned i;
		for (i = 0; i < count; i++) {
			if (compare_attributes(&list[i], &a) == 0)
				break;
		}
		if (i < own)
			continue;
		if (i == 2 * C14N_ATTRIBUTES_MAX) {
			c->failed = true;
			break;
		}
		list[i] = a; /* a later one lies nearer */
		count += i == count;
	}
	return count;
}

static void
put_attributes(struct c14n *c, const struct c14n_element *e)
{
	struct attribute list[2 * C14N_ATTRIBUTES_MAX];
	bool inherit = c->depth == c->first && !c->exclusive && c->inherited.len;

	if (e->attribute_count == 0 && !inherit)
		return;
	if (e->attribute_count > C14N_ATTRIBUTES_MAX) {
		c->failed = true;
		return;
	}
	unsigned count = own_attributes(e, list);
	if (inherit)
		count = inherited_attributes(c, list, count);
	if (count > 1)
		qsort(list, count, sizeof list[0], compare_attributes);
	for (unsigned i = 0; i < count; i++) {
		PUT(c, " ");
		if (list[i].prefix) {
			puts_(c, list[i].prefix);
			PUT(c, ":");
		}
		puts_(c, list[i].name);
		PUT(c, "=\"");
		put_escaped(c, list[i].value, list[i].len, value_escapes);
		PUT(c, "\"");
	}
}

static void
put_name(struct c14n *c, const char *name, const char *prefix)
{
	if (prefix) {
		puts_(c, prefix);
		PUT(c, ":");
	}
	puts_(c, name);
}

void
c14n_start(struct c14n *c, const struct c14n_element *e)
{
	struct namespace_list l;
	unsigned outer = c->scope_count;

	l.count = 0;
	c->root = true;
	c->depth++;
	declare(c, e);
	if (c->exclusive)
		collect_exclusive(c, e, &l);
	else if (c->scope_count > outer || c->depth == c->first)
		collect_inclusive(c, e, outer, &l);
	PUT(c, "<");
	put_name(c, e->name, e->prefix);
	put_namespaces(c, &l);
	put_attributes(c, e);
	PUT(c, ">");
}

static void
pop(const struct c14n_namespace *list, unsigned *count, unsigned depth)
{
	while (*count > 0 && list[*count - 1].depth >= depth)
		(*count)--;
}

void
c14n_end(struct c14n *c, const char *name, const char *prefix)
{
	PUT(c, "</");
	put_name(c, name, prefix);
	PUT(c, ">");
	pop(c->scope, &c->scope_count, c->depth);
	pop(c->rendered, &c->rendered_count, c->depth);
	c->depth--;
}

void
c14n_text(struct c14n *c, const char *text, size_t len)
{
	put_escaped(c, text, len, text_escapes);
}

void
c14n_plain(struct c14n *c, const char *text, size_t len)
{
	put(c, text, len);
}

void
c14n_instruction(struct c14n *c, const char *target, const char *data)
{
	bool outside = c->depth == 0;

	if (outside && c->root)
		PUT(c, "\n");
	PUT(c, "<?");
	puts_(c, target);
	if (data && *data) {
		PUT(c, " ");
		puts_(c, data);
	}
	PUT(c, "?>");
	if (outside && !c->root)
		PUT(c, "\n");
}

bool
c14n_finish(struct c14n *c)
{
	flush(c);
	return !c->failed;
}
