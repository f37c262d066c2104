/*
 * From the bytes of an HTTP request to the verdict about its message: head, framing, envelope,
 * message, form of the signature, certificates, RSA value. Every input goes the way twice, in one
 * piece and in many: where the network cuts must not change what is accepted.
 */
#include "fuzz.h"

#include <string.h>

#include "lib/http_body.h"
#include "lib/http_head.h"
#include "lib/log.h"
#include "message/reader.h"
#include "message/trust.h"
#include "soap/envelope.h"

#define MOMENT ((when)1800000000 * WHEN_SECOND)

/* What must not depend on how the bytes came. */
struct verdict {
	bool accepted; /* up to the form of the signature */
	enum envelope_content content;
	enum digest_method digest;
	uint8_t computed[64];
	uint8_t fingerprint[32];
};

struct way {
	struct envelope *envelope;
	struct reader *reader;
	struct message message;
};

static struct way way;
static struct trust *trust;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	way.envelope = envelope_new();
	way.reader = reader_new(&reader_default_limits);
	trust = trust_new(&(struct trust_options){0});
	HOLDS(way.envelope && way.reader && trust);
	return 0;
}

static enum fault
take(void *arg, const void *data, size_t len)
{
	return reader_feed(arg, data, len);
}

/* Finds the head; 0 when there is none. */
static size_t
read_head(const uint8_t *data, size_t size, size_t piece, struct http_head **head)
{
	struct http_scan scan = {0};
	const char *why = NULL;
	size_t at = 0;
	enum http_scanned found = HTTP_SCAN_MORE;

	while (at < size && found == HTTP_SCAN_MORE) {
		size_t taken = 0, n = size - at < piece ? size - at : piece;
		found = http_scan(&scan, data + at, n, &taken);
		HOLDS(taken <= n);
		at += taken;
	}
	if (found != HTTP_SCAN_DONE)
		return 0;
	int status = http_head_parse(head, data, at, &why);
	HOLDS(status == 0 ? *head != NULL : status >= 400 && status < 600 && why);
	return status ? 0 : at;
}

/* Gives the content of the body to the envelope. FAULT_TRANSPORT-like trouble is a false. */
static bool
read_body(struct http_body *body, const uint8_t *data, size_t size, size_t piece)
{
	for (size_t at = 0; at < size && !body->done && !body->bad;) {
		const uint8_t *content = NULL;
		size_t len = 0, n = size - at < piece ? size - at : piece;
		size_t taken = http_body_take(body, data + at, n, &content, &len);
		HOLDS(taken <= n && len <= taken);
		HOLDS(taken > 0 || body->done || body->bad);
		at += taken;
		if (len && envelope_feed(way.envelope, content, len) != FAULT_NONE)
			return false;
	}
	return body->done && !body->bad;
}

static void
check_certificates(const struct signature *s)
{
	struct trusted t;

	for (unsigned i = 0; i < s->certificate_count; i++) {
		memset(&t, 0, sizeof t);
		enum fault f = trust_find(trust, (const char *)s->certificates[i].data,
		    s->certificates[i].len, MOMENT, &t);
		if (t.key)
			signature_check(s, t.key);
		HOLDS(f != FAULT_NONE || (t.key && t.certificate));
	}
}

static void
read_message(const struct http_head *head, const uint8_t *data, size_t size, size_t piece,
    struct verdict *v)
{
	enum digest_method hint = DIGEST_NONE;

	for (int pass = 0; pass < 2; pass++) {
		struct http_body body;
		http_body_begin(&body, head->chunked, head->content_length);
		HOLDS(reader_begin(way.reader, &way.message, hint, NULL, NULL));
		HOLDS(envelope_begin(way.envelope, ENVELOPE_REQUEST, take, way.reader));
		if (!read_body(&body, data, size, piece) ||
		    envelope_end(way.envelope, &v->content) != FAULT_NONE)
			return;
		enum fault fault = v->content == ENVELOPE_MESSAGE ? reader_end(way.reader) : FAULT_NONE;
		const struct signature *s = reader_signature(way.reader);
		if (fault == FAULT_DIGEST_AGAIN) {
			HOLDS(pass == 0);
			hint = s->digest;
			continue;
		}
		v->accepted = fault == FAULT_NONE && v->content == ENVELOPE_MESSAGE &&
		    s->fault == FAULT_NONE;
		if (v->accepted) {
			v->digest = s->digest;
			memcpy(v->computed, s->computed, s->digest_len);
			signature_fingerprint(s, v->fingerprint);
			check_certificates(s);
		}
		return;
	}
}

static void
go(const uint8_t *data, size_t size, size_t piece, struct verdict *v)
{
	struct http_head *head = NULL;
	size_t at = read_head(data, size, piece, &head);

	memset(v, 0, sizeof *v);
	if (at)
		read_message(head, data + at, size - at, piece, v);
	if (!v->accepted)
		v->content = 0;
	free(head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict whole, pieces;

	go(data, size, SIZE_MAX, &whole);
	go(data, size, 1 + size % 7, &pieces);
	HOLDS(whole.accepted == pieces.accepted && whole.content == pieces.content);
	HOLDS(whole.digest == pieces.digest);
	HOLDS(memcmp(whole.computed, pieces.computed, sizeof whole.computed) == 0);
	HOLDS(memcmp(whole.fingerprint, pieces.fingerprint, sizeof whole.fingerprint) == 0);
	return 0;
}
