#include "message/reader_state.h"

#include <libxml/parserInternals.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "message/utf8.h"

#define SLICE ((size_t)16 << 10)          /* bytes given to the parser at once */
#define PENDING_MAX ((size_t)32 << 10)    /* bytes of one tag or instruction */
#define NAMES_MAX ((size_t)256 << 10)     /* of the parser's dictionary before it is made anew */

const struct reader_limits reader_default_limits = {
	.depth = 64,
	.attributes = 64,
	.text = (size_t)256 << 10,
	.fields = (size_t)2 << 20,
	.attachments = 1000,
	.correspondents = 1000,
};

/* The parser is not stopped here: within an event libxml2 still reads the buffer that
 * xmlStopParser frees. The rest of the slice is parsed, its events are ignored. */
void
reader_fail(struct reader *r, enum fault fault, const char *fmt, ...)
{
	va_list ap;

	if (r->fault)
		return;
	r->fault = fault;
	va_start(ap, fmt);
	vsnprintf(r->detail, sizeof r->detail, fmt, ap);
	va_end(ap);
	r->detail[strcspn(r->detail, "\n")] = 0;
}

static bool
make_parser(struct reader *r)
{
	if (r->xml)
		xmlFreeParserCtxt(r->xml);
	r->xml = xmlCreatePushParserCtxt(&r->sax, r, NULL, 0, NULL);
	return r->xml != NULL;
}

struct reader *
reader_new(const struct reader_limits *limits)
{
	struct reader *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->limits = *limits;
	if (r->limits.depth > READER_DEPTH_MAX)
		r->limits.depth = READER_DEPTH_MAX;
	if (r->limits.attributes > C14N_ATTRIBUTES_MAX)
		r->limits.attributes = C14N_ATTRIBUTES_MAX;
	reader_sax_init(&r->sax);
	r->schema = schema_new();
	bool ok = r->schema && make_parser(r);
	for (int i = DIGEST_NONE + 1; i < DIGEST_METHOD_COUNT; i++) {
		r->digests[i] = EVP_MD_CTX_new();
		ok = ok && r->digests[i] && digest_method_md((enum digest_method)i);
	}
	r->attachment_hash = EVP_MD_CTX_new();
	if (!ok || !r->attachment_hash) {
		reader_free(r);
		return NULL;
	}
	return r;
}

void
reader_free(struct reader *r)
{
	if (!r)
		return;
	xmlFreeParserCtxt(r->xml);
	schema_free(r->schema);
	for (int i = DIGEST_NONE + 1; i < DIGEST_METHOD_COUNT; i++)
		EVP_MD_CTX_free(r->digests[i]);
	EVP_MD_CTX_free(r->attachment_hash);
	c14n_free(&r->whole);
	for (int i = 0; i < 2; i++) {
		c14n_free(&r->info[i]);
		buf_free(&r->info_text[i]);
	}
	signature_free(&r->sig);
	signature_form_free(&r->form_state);
	buf_free(&r->text);
	free(r);
}

void
reader_hash_attachments(struct reader *r, bool on)
{
	r->hash_attachments = on;
}

static void
digest_sink(void *arg, const void *data, size_t len)
{
	struct reader *r = arg;

	for (int i = DIGEST_NONE + 1; i < DIGEST_METHOD_COUNT; i++) {
		if (r->running[i] && EVP_DigestUpdate(r->digests[i], data, len) != 1)
			reader_fail(r, FAULT_INTERNAL, "digest");
	}
}

/* A parser that met an error is not used again; nor is one that has learned too many names. */
static bool
prepare_parser(struct reader *r)
{
	bool worn = !r->ended || r->fault || xmlDictGetUsage(r->xml->dict) > NAMES_MAX;

	if (r->begun && worn && !make_parser(r))
		return false;
	if (xmlCtxtResetPush(r->xml, NULL, 0, NULL, NULL) != 0)
		return false;
	r->xml->nsNr = 0;
	/* No XML_PARSE_HUGE: the library's limits stay on. The declared encoding is ignored because
	 * the text was decoded already (protocol.md section 2). */
	xmlCtxtUseOptions(r->xml, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC);
	return true;
}

static bool
prepare_digests(struct reader *r, enum digest_method hint)
{
	for (int i = DIGEST_NONE + 1; i < DIGEST_METHOD_COUNT; i++) {
		enum digest_method d = (enum digest_method)i;
		r->running[d] = hint ? d == hint : d == DIGEST_SHA1 || d == DIGEST_SHA256;
		if (r->running[d] && EVP_DigestInit_ex2(r->digests[d], digest_method_md(d), NULL) != 1)
			return false;
	}
	r->form = r->next_form ? r->next_form : C14N_INCLUSIVE;
	r->next_form = C14N_NONE;
	c14n_begin(&r->whole, r->form == C14N_EXCLUSIVE, digest_sink, r);
	return true;
}

bool
reader_begin(struct reader *r, struct message *m, enum digest_method hint, reader_attachment_cb cb,
    void *arg)
{
	message_reset(m);
	signature_reset(&r->sig);
	if (!prepare_parser(r) || !prepare_digests(r, hint) || !schema_begin(r->schema)) {
		r->fault = FAULT_INTERNAL;
		return false;
	}
	r->m = m;
	r->cb = cb;
	r->arg = arg;
	r->fault = FAULT_NONE;
	r->detail[0] = 0;
	r->begun = true;
	r->ended = r->started = false;
	r->bom = r->carry_len = 0;
	r->depth = r->signature_depth = r->payload_depth = r->signatures = 0;
	model_begin(r);
	return true;
}

static void
parse(struct reader *r, const char *data, size_t len)
{
	if (r->fault || len == 0)
		return;
	xmlParseChunk(r->xml, data, (int)len, 0);
	if (r->fault)
		return;
	if (!r->xml->wellFormed || !r->xml->nsWellFormed)
		reader_fail(r, FAULT_XML_MALFORMED, "line %d", xmlSAX2GetLineNumber(r->xml));
	else if ((size_t)(r->xml->input->end - r->xml->input->cur) > PENDING_MAX)
		reader_fail(r, FAULT_XML_LIMIT, "a tag, comment or instruction over %zu KiB",
		    PENDING_MAX >> 10);
}

static void
bad_character(struct reader *r, unsigned char c)
{
	if (c < 0x20)
		reader_fail(r, FAULT_XML_MALFORMED, "control character 0x%02x", c);
	else
		reader_fail(r, FAULT_XML_ENCODING, "byte 0x%02x", c);
}

/* Completes the character that the last bytes cut off. Returns how many bytes it took. */
static size_t
parse_carried(struct reader *r, const char *data, size_t len)
{
	size_t taken = 0;
	bool bad = false;

	while (r->carry_len && taken < len && !bad) {
		r->carry[r->carry_len++] = data[taken++];
		size_t n = utf8_span(r->carry, r->carry_len, &bad);
		if (n == 0)
			continue;
		parse(r, r->carry, r->carry_len);
		r->carry_len = 0;
	}
	if (bad)
		bad_character(r, (unsigned char)r->carry[0]);
	return taken;
}

/* Gives checked UTF-8 to the parser, whole characters only. */
static void
parse_checked(struct reader *r, const char *data, size_t len)
{
	size_t taken = parse_carried(r, data, len);
	bool bad;

	data += taken;
	len -= taken;
	if (r->fault || len == 0)
		return;
	size_t n = utf8_span(data, len, &bad);
	parse(r, data, n);
	if (bad) {
		bad_character(r, (unsigned char)data[n]);
	} else {
		r->carry_len = (unsigned)(len - n);
		memcpy(r->carry, data + n, len - n);
	}
}

/* Everything so far has gone through the parser and its last event opened an AttBody: then base64
 * means the same to the parser, the digest and the decoder, and need not pass the parser. */
static bool
may_bypass(const struct reader *r)
{
	return r->attachment && r->carry_len == 0 && !r->fault && r->xml->instate == XML_PARSER_CONTENT &&
	       r->xml->input->cur == r->xml->input->end;
}

/* Up to the end of the tag that opens an AttBody, so that the parser's buffer is empty there. */
static size_t
next_slice(const char *data, size_t len)
{
	size_t n = len < SLICE ? len : SLICE;
	const char *tag = memmem(data, n, "AttBody", 7);
	const char *end = tag ? memchr(tag, '>', n - (size_t)(tag - data)) : NULL;

	return end ? (size_t)(end - data) + 1 : n;
}

/* Skips a byte order mark and white space before the first tag. */
static size_t
skip_start(struct reader *r, const char *data, size_t len)
{
	static const char mark[3] = "\xef\xbb\xbf";
	size_t i = 0;

	while (i < len && !r->started) {
		char c = data[i];
		if (r->bom < 3 && c == mark[r->bom])
			r->bom++;
		else if (r->bom != 0 && r->bom < 3)
			break;
		else if (c == '<')
			r->started = true;
		else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			r->bom = 3;
		else
			break;
		i += !r->started;
	}
	if (i < len && !r->started) {
		bool utf16 = data[i] == 0 || (unsigned char)data[i] >= 0xfe;
		reader_fail(r, utf16 ? FAULT_XML_ENCODING : FAULT_XML_MALFORMED,
		    "the text does not begin with a tag");
	}
	return i;
}

enum fault
reader_feed(struct reader *r, const void *bytes, size_t len)
{
	const char *data = bytes;
	size_t i = r->started || r->fault ? 0 : skip_start(r, data, len);

	while (i < len && !r->fault) {
		if (may_bypass(r)) {
			i += model_attachment_plain(r, data + i, len - i);
			if (i == len || r->fault)
				break;
		}
		size_t n = next_slice(data + i, len - i);
		parse_checked(r, data + i, n);
		i += n;
	}
	return r->fault;
}

/* Takes the digest in the form that the signature names, or tells that it was not made. */
static enum fault
choose_digest(struct reader *r)
{
	struct signature *sig = &r->sig;
	bool same_form = sig->body_c14n == r->form || (r->form == C14N_INCLUSIVE && !r->whole.split);

	if (!r->running[sig->digest] || !same_form) {
		r->next_form = same_form ? r->form : sig->body_c14n;
		return FAULT_DIGEST_AGAIN;
	}
	if (EVP_DigestFinal_ex(r->digests[sig->digest], sig->computed, NULL) != 1)
		return FAULT_INTERNAL;
	struct buf *info = &r->info_text[sig->c14n == C14N_EXCLUSIVE];
	if (info->failed)
		signature_refuse(sig, FAULT_SIGNATURE_FORM, "SignedInfo is too long");
	else if (!buf_add(&sig->signed_info, info->data, info->len))
		return FAULT_INTERNAL;
	return FAULT_NONE;
}

enum fault
reader_end(struct reader *r)
{
	if (!r->fault && r->carry_len)
		reader_fail(r, FAULT_XML_ENCODING, "the text ends inside a character");
	if (!r->fault) {
		xmlParseChunk(r->xml, NULL, 0, 1);
		if (!r->fault && (!r->xml->wellFormed || r->depth))
			reader_fail(r, FAULT_XML_MALFORMED, "the text ends too early");
	}
	schema_end(r->schema);
	if (r->fault)
		return r->fault;
	if (!c14n_finish(&r->whole) || r->info[0].failed || r->info[1].failed)
		reader_fail(r, FAULT_XML_LIMIT, "namespaces or attributes");
	if (r->signatures == 0)
		signature_refuse(&r->sig, FAULT_SIGNATURE_MISSING, "");
	enum fault fault = r->fault || r->sig.fault ? r->fault : choose_digest(r);
	r->ended = true;
	return fault;
}

const char *
reader_detail(const struct reader *r)
{
	return r->detail;
}

const struct signature *
reader_signature(const struct reader *r)
{
	return &r->sig;
}

const char *
reader_schema_violation(const struct reader *r)
{
	return schema_violation(r->schema);
}

bool
reader_header_known(const struct reader *r)
{
	return r->header_known;
}
