/* Documents as JSON, for obmenctl, console and desk. */
#include <stdio.h>
#include "message/signature.h"
#include "obmend/store_role.h"

static void
set_text(json_t *o, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(o, key, json_string_nocheck(text));
}

static void
set_when(json_t *o, const char *key, when w)
{
	char text[WHEN_TEXT_SIZE];

	if (w == WHEN_NONE)
		return;
	when_format(w, text);
	json_object_set_new(o, key, json_string(text));
}

static void
set_guid(json_t *o, const char *key, const struct guid *g)
{
	char text[GUID_TEXT_SIZE];

	if (guid_is_zero(g))
		return;
	guid_format(g, text);
	json_object_set_new(o, key, json_string(text));
}

static void
set_hex(json_t *o, const char *key, const uint8_t *data, size_t len)
{
	struct buf hex = {0};

	if (buf_add_hex(&hex, data, len))
		json_object_set_new(o, key, json_string(buf_str(&hex)));
	buf_free(&hex);
}

/* Who has to do something for the document to move on. */
static const char *
acts(const struct store_document *d)
{
	if (d->on_hold)
		return "us";
	if (d->direction == DIRECTION_IN)
		return d->state == STATE_WAITING ? "us" : "nobody";
	if (d->state == STATE_WAITING || d->state == STATE_HELD)
		return "peer";
	return state_is_end(d->state) ? "nobody" : "us";
}

static json_t *
next_step(const struct store_document *d)
{
	static const char *const names[DELIVERY_KIND_COUNT] = {
	    [DELIVERY_DOCUMENT] = "send", [DELIVERY_STATUS] = "notify", [DELIVERY_POLL] = "poll"};
	json_t *next = json_object();

	set_text(next, "what", names[d->next]);
	if (d->on_hold)
		json_object_set_new(next, "on_hold", json_true());
	else
		set_when(next, "at", d->next_at);
	json_object_set_new(next, "attempts", json_integer(d->attempts));
	if (d->polls)
		json_object_set_new(next, "polls", json_integer(d->polls));
	return next;
}

static json_t *
peer(const struct store_document *d)
{
	json_t *o = json_object();

	set_guid(o, "guid", &d->peer);
	set_text(o, "name", d->peer_name);
	set_text(o, "eik", d->peer_eik);
	return o;
}

static void
set_uri(json_t *o, const char *prefix, const char *reg, const char *sequence, const char *date)
{
	char key[64];

	snprintf(key, sizeof key, "%suri_register", prefix);
	set_text(o, key, reg);
	snprintf(key, sizeof key, "%suri_sequence", prefix);
	set_text(o, key, sequence);
	snprintf(key, sizeof key, "%suri_date", prefix);
	set_text(o, key, date);
}

static void
set_fault(json_t *o, const struct store_document *d)
{
	if (!d->fault)
		return;
	set_text(o, "fault", fault_code(d->fault));
	set_text(o, "detail", d->detail);
}

json_t *
store_json_document(const struct store_document *d, bool whole)
{
	json_t *o = json_object(), *own = json_object();

	json_object_set_new(o, "id", json_integer(d->id));
	set_guid(o, "guid", &d->guid);
	set_text(o, "direction", direction_name(d->direction));
	set_text(o, "state", state_name(d->state));
	set_when(o, "since", d->since);
	set_when(o, "at", d->accepted);
	json_object_set_new(o, "peer", peer(d));
	set_guid(own, "guid", &d->own);
	json_object_set_new(o, "own", own);
	set_text(o, "number", d->number);
	set_text(o, "date", d->date);
	set_text(o, "peer_number", d->peer_number);
	set_text(o, "peer_date", d->peer_date);
	set_text(o, "reason", d->reason);
	set_text(o, "date_close", d->date_close);
	set_text(o, "kind", d->kind);
	set_text(o, "about", d->about);
	set_fault(o, d);
	set_text(o, "acts", acts(d));
	if (d->pending)
		json_object_set_new(o, "next", next_step(d));
	if (whole) {
		set_uri(o, "", d->uri_register, d->uri_sequence, d->uri_date);
		set_uri(o, "peer_", d->peer_uri_register, d->peer_uri_sequence, d->peer_uri_date);
	}
	return o;
}

json_t *
store_json_event(const struct store_event *e)
{
	json_t *o = json_object();

	set_when(o, "at", e->at);
	set_text(o, "event", event_name(e->event));
	set_text(o, "text", e->text);
	return o;
}

json_t *
store_json_evidence(const struct store_evidence *e)
{
	json_t *o = json_object();
	char file[32];

	set_text(o, "what", e->what);
	set_guid(o, "message_guid", &e->message_guid);
	set_when(o, "at", e->at);
	json_object_set_new(o, "bytes", json_integer((json_int_t)e->bytes));
	set_hex(o, "sha256", e->sha256, sizeof e->sha256);
	if (e->in_file) {
		snprintf(file, sizeof file, "spool/%016llx", (unsigned long long)e->body);
		set_text(o, "file", file);
	}
	json_object_set_new(o, "row", json_integer(e->body));
	if (e->has_certificate)
		set_hex(o, "certificate_sha256", e->certificate, sizeof e->certificate);
	if (e->has_tls_certificate)
		set_hex(o, "tls_certificate_sha256", e->tls_certificate, sizeof e->tls_certificate);
	if (e->method)
		set_text(o, "algorithm", signature_method_name((enum signature_method)e->method));
	set_text(o, "address", e->address);
	if (e->fault)
		set_text(o, "fault", fault_code(e->fault));
	return o;
}

json_t *
store_json_fault(enum fault f, const char *detail)
{
	json_t *o = json_object();

	json_object_set_new(o, "ok", json_false());
	set_text(o, "fault", fault_code(f));
	set_text(o, "detail", detail);
	return o;
}
