#include "obmend/codec_parse.h"

#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>

struct parser {
	struct envelope *envelope;
	struct reader *reader;
	struct parser *next;
};

static void
parser_free(struct parser *p)
{
	if (!p)
		return;
	envelope_free(p->envelope);
	reader_free(p->reader);
	free(p);
}

static struct parser *
parser_new(void)
{
	struct parser *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->envelope = envelope_new();
	p->reader = reader_new(&reader_default_limits);
	if (p->envelope && p->reader)
		return p;
	parser_free(p);
	return NULL;
}

static struct parser *
parser_take(struct parser_pool *pool)
{
	struct parser *p = pool->idle;

	if (!p)
		return parser_new();
	pool->idle = p->next;
	pool->idle_count--;
	return p;
}

static void
parser_give(struct parser_pool *pool, struct parser *p)
{
	if (pool->idle_count >= PARSERS_IDLE) {
		parser_free(p);
		return;
	}
	p->next = pool->idle;
	pool->idle = p;
	pool->idle_count++;
}

void
parser_pool_free(struct parser_pool *pool)
{
	while (pool->idle) {
		struct parser *p = pool->idle;
		pool->idle = p->next;
		parser_free(p);
	}
	pool->idle_count = 0;
}

/* What libxml2 has no parser's handler for; lack of memory is never told to one alone. */
static void
on_library_error(void *arg, xmlErrorPtr error)
{
	struct parser_pool *pool = arg;

	pool->memory_failures += error->code == XML_ERR_NO_MEMORY;
}

void
parser_pool_watch(struct parser_pool *pool)
{
	xmlSetStructuredErrorFunc(pool, on_library_error);
}

static bool
no_memory(const struct parse *p)
{
	return p->pool->memory_failures != p->memory_failures;
}

static enum fault
inner_text(void *arg, const void *data, size_t len)
{
	struct parse *p = arg;

	p->inner = reader_feed(p->parser->reader, data, len);
	return p->inner;
}

static bool
restart(struct parse *p, enum digest_method hint)
{
	body_rewind(p->body);
	p->inner = FAULT_NONE;
	return envelope_begin(p->parser->envelope, p->kind, inner_text, p) &&
	       reader_begin(p->parser->reader, p->message, hint, p->attachment, p->attachment_arg);
}

bool
parse_begin(struct parse *p, struct parser_pool *pool, struct body *body, struct message *message,
    enum envelope_kind kind, enum digest_method hint)
{
	parse_end(p, pool);
	*p = (struct parse){
	    .parser = parser_take(pool),
	    .pool = pool,
	    .memory_failures = pool->memory_failures,
	    .body = body,
	    .message = message,
	    .kind = kind,
	    .attachment = p->attachment,
	    .attachment_arg = p->attachment_arg,
	};
	return p->parser && restart(p, hint);
}

/* Our own trouble: says nothing about the message. */
static bool
trouble(struct parse *p, const char *what)
{
	p->fault = FAULT_INTERNAL;
	p->trouble = true;
	snprintf(p->detail, sizeof p->detail, "%s", what);
	return false;
}

static bool
refused(struct parse *p, enum fault fault)
{
	const struct reader *reader = p->parser->reader;
	bool inner = p->inner != FAULT_NONE;

	p->fault = no_memory(p) ? FAULT_INTERNAL : fault;
	p->trouble = p->fault == FAULT_INTERNAL;
	p->header_known = inner && reader_header_known(reader);
	snprintf(p->detail, sizeof p->detail, "%s",
	    inner ? reader_detail(reader) : envelope_detail(p->parser->envelope));
	return false;
}

/* The whole text was read. The other digest is tried once: a signature names one, and the reader
 * now knows which. */
static bool
finish(struct parse *p)
{
	enum fault fault = envelope_end(p->parser->envelope, &p->content);

	if (fault != FAULT_NONE)
		return refused(p, fault);
	if (p->content != ENVELOPE_MESSAGE)
		return false;
	fault = p->inner = reader_end(p->parser->reader);
	if (fault == FAULT_DIGEST_AGAIN && !p->again) {
		p->again = true;
		enum digest_method digest = reader_signature(p->parser->reader)->digest;
		return restart(p, digest) || trouble(p, "no memory");
	}
	if (fault == FAULT_DIGEST_AGAIN)
		return trouble(p, "digest");
	return fault != FAULT_NONE && refused(p, fault);
}

bool
parse_step(struct parse *p, uint8_t room[BODY_PIECE], size_t budget)
{
	const uint8_t *data;

	for (size_t done = 0; done < budget;) {
		long n = body_next(p->body, room, &data);
		if (n < 0)
			return trouble(p, "the body cannot be read");
		if (n == 0)
			return finish(p);
		enum fault fault = envelope_feed(p->parser->envelope, data, (size_t)n);
		if (fault != FAULT_NONE)
			return refused(p, fault);
		done += (size_t)n;
	}
	return p->body->at < p->body->size || finish(p);
}

const struct signature *
parse_signature(const struct parse *p)
{
	return reader_signature(p->parser->reader);
}

const char *
parse_schema_violation(const struct parse *p)
{
	return reader_schema_violation(p->parser->reader);
}

const char *
parse_fault_text(const struct parse *p)
{
	return envelope_fault_text(p->parser->envelope);
}

void
parse_end(struct parse *p, struct parser_pool *pool)
{
	if (p->parser)
		parser_give(pool, p->parser);
	p->parser = NULL;
}
