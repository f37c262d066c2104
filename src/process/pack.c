#include "process/pack.h"

#include <string.h>

#include "lib/guid.h"
#include "lib/ipc.h"

#define ABSENT UINT32_MAX /* the length of a NULL string */

static bool
pack_bytes(struct buf *out, const void *data, size_t len)
{
	uint32_t n = (uint32_t)len;

	return len <= IPC_PAYLOAD_MAX && buf_add(out, &n, sizeof n) && buf_add(out, data, len);
}

static bool
pack_string(struct buf *out, const char *s)
{
	uint32_t absent = ABSENT;

	return s ? pack_bytes(out, s, strlen(s) + 1) : buf_add(out, &absent, sizeof absent);
}

static bool
pack_struct(struct buf *out, const struct layout *l, const uint8_t *base)
{
	bool ok = true;

	for (const struct field *f = l->fields; ok && f < l->fields + l->count; f++) {
		const void *p = base + f->offset;
		const struct wire_bytes *bytes = p;
		switch ((enum pack_kind)f->kind) {
		case K_BOOL:
			ok = buf_addc(out, *(const bool *)p);
			break;
		case K_NUMBER:
			ok = (!f->limit || *(const uint64_t *)p < f->limit) && buf_add(out, p, 8);
			break;
		case K_GUID:
			ok = buf_add(out, p, sizeof(struct guid));
			break;
		case K_HASH:
			ok = buf_add(out, p, 32);
			break;
		case K_STRING:
			ok = pack_string(out, *(const char *const *)p);
			break;
		case K_BYTES:
			ok = pack_bytes(out, bytes->data, bytes->len);
			break;
		case K_STRUCT:
			ok = pack_struct(out, f->inner, p);
			break;
		}
	}
	return ok;
}

/* What is left of a payload. */
struct cursor {
	const uint8_t *at, *end;
};

static const uint8_t *
take(struct cursor *c, size_t len)
{
	if (len > (size_t)(c->end - c->at))
		return NULL;
	c->at += len;
	return c->at - len;
}

static bool
take_copy(struct cursor *c, void *out, size_t len)
{
	const uint8_t *p = take(c, len);

	if (p)
		memcpy(out, p, len);
	return p;
}

static bool
unpack_bool(struct cursor *c, bool *out)
{
	const uint8_t *p = take(c, 1);

	if (!p || *p > 1)
		return false;
	*out = *p;
	return true;
}

static bool
unpack_number(struct cursor *c, uint64_t limit, uint64_t *out)
{
	return take_copy(c, out, sizeof *out) && (!limit || *out < limit);
}

static bool
unpack_string(struct cursor *c, const char **out)
{
	uint32_t len;

	if (!take_copy(c, &len, sizeof len))
		return false;
	*out = NULL;
	if (len == ABSENT)
		return true;
	*out = (const char *)take(c, len);
	return *out && len > 0 && strnlen(*out, len) == len - 1;
}

static bool
unpack_bytes(struct cursor *c, struct wire_bytes *out)
{
	uint32_t len;

	if (!take_copy(c, &len, sizeof len))
		return false;
	*out = (struct wire_bytes){take(c, len), len};
	return out->data;
}

static bool
unpack_struct(struct cursor *c, const struct layout *l, uint8_t *base)
{
	bool ok = true;

	for (const struct field *f = l->fields; ok && f < l->fields + l->count; f++) {
		void *p = base + f->offset;
		switch ((enum pack_kind)f->kind) {
		case K_BOOL:
			ok = unpack_bool(c, p);
			break;
		case K_NUMBER:
			ok = unpack_number(c, f->limit, p);
			break;
		case K_GUID:
			ok = take_copy(c, p, sizeof(struct guid));
			break;
		case K_HASH:
			ok = take_copy(c, p, 32);
			break;
		case K_STRING:
			ok = unpack_string(c, p);
			break;
		case K_BYTES:
			ok = unpack_bytes(c, p);
			break;
		case K_STRUCT:
			ok = unpack_struct(c, f->inner, p);
			break;
		}
	}
	return ok;
}

bool
layout_pack(struct buf *out, const struct layout *l, const void *message)
{
	size_t from = out->len; /* store packs a whole batch into one buffer */

	return pack_struct(out, l, message) && out->len - from <= IPC_PAYLOAD_MAX;
}

bool
layout_unpack(const uint8_t *data, size_t len, const struct layout *l, void *message)
{
	struct cursor c = {data, data + len};

	memset(message, 0, l->size);
	return unpack_struct(&c, l, message) && c.at == c.end;
}
