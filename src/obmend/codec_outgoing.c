#include "obmend/codec_outgoing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_PIECE ((size_t)64 << 10) /* bytes gathered before they are written to a file */
#define TEXT_KEPT ((size_t)64 << 10)  /* memory worth keeping for the next message */

static bool
fail(struct outgoing *o, enum fault fault, bool temporary, const char *detail)
{
	if (o->fault == FAULT_NONE) {
		o->fault = fault;
		o->temporary = temporary;
		snprintf(o->detail, sizeof o->detail, "%s", detail);
	}
	return false;
}

/* Writes what was gathered to the file. */
static bool
drain(struct outgoing *o)
{
	for (size_t at = 0; at < o->text.len;) {
		ssize_t n = pwrite(o->fd, o->text.data + at, o->text.len - at, (off_t)o->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			bool full = errno == ENOSPC || errno == EDQUOT;
			return fail(o, full ? FAULT_DISK_FULL : FAULT_STORE_FAILED, true,
			    strerror(errno));
		}
		at += (size_t)n;
		o->size += (uint64_t)n;
	}
	buf_reset(&o->text);
	return true;
}

/* The inner message is escaped once as character data (section 2); base64 needs none. */
static bool
piece(void *arg, const void *data, size_t len, bool base64)
{
	struct outgoing *o = arg;

	if (base64)
		buf_add(&o->text, data, len);
	else
		buf_add_xml(&o->text, data, len);
	if (o->text.failed)
		return fail(o, FAULT_INTERNAL, true, "the text does not fit in memory");
	return o->fd < 0 || o->text.len < FILE_PIECE || drain(o);
}

bool
outgoing_begin(struct outgoing *o, const struct identity *identity, size_t max)
{
	o->fault = FAULT_NONE;
	o->temporary = false;
	o->size = 0;
	buf_reset(&o->text);
	o->text.max = o->fd < 0 ? max : 0;
	if (!buf_adds(&o->text, envelope_head(o->kind)))
		return fail(o, FAULT_INTERNAL, true, "no memory");
	o->draft = draft_new(&o->message, identity, o->method, piece, o);
	return o->draft || fail(o, FAULT_INTERNAL, true, "no memory");
}

static enum draft_state
checked(struct outgoing *o, enum draft_state state)
{
	bool refused = state == DRAFT_FAILED && draft_refused(o->draft);

	if (state == DRAFT_FAILED)
		fail(o, refused ? FAULT_FIELD_VALUE : FAULT_INTERNAL, !refused,
		    draft_detail(o->draft));
	return state;
}

enum draft_state
outgoing_step(struct outgoing *o, size_t budget)
{
	return checked(o, draft_step(o->draft, budget));
}

enum draft_state
outgoing_sign(struct outgoing *o, const void *signature, size_t len)
{
	enum draft_state state = checked(o, draft_sign(o->draft, signature, len));

	if (state != DRAFT_DONE)
		return state;
	if (!buf_adds(&o->text, envelope_tail(o->kind))) {
		fail(o, FAULT_INTERNAL, true, "the text does not fit in memory");
		return DRAFT_FAILED;
	}
	return o->fd < 0 || drain(o) ? DRAFT_DONE : DRAFT_FAILED;
}

void
outgoing_reset(struct outgoing *o)
{
	draft_free(o->draft);
	o->draft = NULL;
	message_reset(&o->message);
	if (o->text.cap > TEXT_KEPT)
		buf_free(&o->text);
	buf_reset(&o->text);
	o->fd = -1;
}

void
outgoing_free(struct outgoing *o)
{
	outgoing_reset(o);
	message_free(&o->message);
	buf_free(&o->text);
}
