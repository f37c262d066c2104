/* Evidence for obmenctl: slices of the check, a document's part of the journal. The tar file and all
 * judging is the client's work; here only what the database knows is read. */
#include <stdlib.h>
#include <string.h>

#include "obmend/store_ask.h"

#define CHECK_LIMIT 200          /* entries in one slice: some milliseconds */
#define CHECK_BYTES (512u << 10) /* of bodies in one slice */

static json_t *
hex_json(const uint8_t *data, size_t len)
{
	struct buf hex = {0};
	json_t *text = buf_add_hex(&hex, data, len) ? json_string(buf_str(&hex)) : NULL;

	buf_free(&hex);
	return text;
}

static json_t *
base64_json(const uint8_t *data, size_t len)
{
	struct buf text = {0};
	json_t *value = buf_add_base64(&text, data, len) ? json_string(buf_str(&text)) : NULL;

	buf_free(&text);
	return value;
}

static json_int_t
number(const struct ask *a, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(a->in, key));

	return n > 0 ? n : 0;
}

enum fault
verb_evidence_check(struct ask *a)
{
	struct store_check c = {.limit = CHECK_LIMIT, .bytes = CHECK_BYTES, .next = number(a, "next")};
	json_int_t phase = number(a, "phase");
	json_t *files = json_array();

	c.phase = phase < CHECK_DONE ? (enum check_phase)phase : CHECK_DONE;
	json_object_set_new(a->out, "files", files);
	enum fault f = a->role->backend->check(a->role->store, &c);
	if (f)
		return f;
	json_object_set_new(a->out, "phase", json_integer(c.phase));
	json_object_set_new(a->out, "next", json_integer(c.next));
	json_object_set_new(a->out, "checked", json_integer((json_int_t)c.checked));
	json_object_set_new(a->out, "done", json_boolean(c.phase == CHECK_DONE));
	for (unsigned i = 0; i < c.file_count; i++)
		json_array_append_new(files, json_pack("{s:I, s:I, s:I, s:o}", "sequence",
		    (json_int_t)c.files[i].sequence, "row", (json_int_t)c.files[i].body, "size",
		    (json_int_t)c.files[i].size, "sha256", hex_json(c.files[i].sha256, 32)));
	if (c.broken)
		json_object_set_new(a->out, "broken", json_pack("{s:I, s:I, s:s}", "sequence",
		    (json_int_t)c.broken, "document", (json_int_t)c.document, "why", c.why));
	return FAULT_NONE;
}

/* The bytes of a row that evidence.check or evidence.export named. */
enum fault
verb_evidence_body(struct ask *a)
{
	json_int_t row = number(a, "row");

	a->fd = row ? a->role->backend->body_open(a->role->store, row) : -1;
	return a->fd < 0 ? ask_wrong(a, FAULT_DOCUMENT_MISSING, "row") : FAULT_NONE;
}

struct collecting {
	json_t *entries, *chain, *stamps, *certificates;
};

static void
collect_entry(void *arg, int64_t sequence, const char *text, const int64_t bodies[4])
{
	static const char *const names[] = {"body", "answer", "details", "attachments"};
	json_t *o = json_pack("{s:I, s:s}", "sequence", (json_int_t)sequence, "text", text);

	for (int i = 0; o && i < 4; i++)
		if (bodies[i])
			json_object_set_new(o, names[i], json_integer(bodies[i]));
	json_array_append_new(((struct collecting *)arg)->entries, o);
}

static void
collect_link(void *arg, int64_t sequence, const uint8_t *entry, const uint8_t digest[32])
{
	json_array_append_new(((struct collecting *)arg)->chain, json_pack("[I, o, o]",
	    (json_int_t)sequence, entry ? hex_json(entry, 32) : json_null(), hex_json(digest, 32)));
}

static void
collect_stamp(void *arg, int64_t sequence, when at, const uint8_t *token, size_t len)
{
	char text[WHEN_TEXT_SIZE];

	when_format(at, text);
	json_array_append_new(((struct collecting *)arg)->stamps, json_pack("{s:I, s:s, s:o}",
	    "sequence", (json_int_t)sequence, "at", text, "token", base64_json(token, len)));
}

static void
collect_certificate(void *arg, const uint8_t sha256[32], const uint8_t *der, size_t len)
{
	json_array_append_new(((struct collecting *)arg)->certificates,
	    json_pack("{s:o, s:o}", "sha256", hex_json(sha256, 32), "der", base64_json(der, len)));
}

enum fault
verb_evidence_export(struct ask *a)
{
	static const struct store_export to = {collect_entry, collect_link, collect_stamp,
	    collect_certificate};
	struct collecting c = {json_array(), json_array(), json_array(), json_array()};
	int64_t id;

	json_object_set_new(a->out, "entries", c.entries);
	json_object_set_new(a->out, "chain", c.chain);
	json_object_set_new(a->out, "stamps", c.stamps);
	json_object_set_new(a->out, "certificates", c.certificates);
	enum fault f = ask_document(a, &id);
	if (f)
		return f;
	json_object_set_new(a->out, "document", json_integer(id));
	return a->role->backend->export(a->role->store, id, &to, &c);
}

/* Control tells what somebody did that concerns no document. */
enum fault
verb_evidence_note(struct ask *a)
{
	const char *by = ask_text(a, "by"), *what = ask_text(a, "text");

	if (!what)
		return ask_wrong(a, FAULT_FIELD_MISSING, "text");
	enum fault f = store_batch(a->role);
	return f ? f : a->role->backend->note(a->role->store, by, what);
}
