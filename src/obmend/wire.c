#include "obmend/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/catalogue.h"
#include "lib/outcome.h"
#include "message/message.h"
#include "message/signature.h"
#include "obmend/role.h"

#define TEXT_INLINE_MAX (16 << 10)
#define TEXT_FILE_MAX (32 << 20)

/*
 * Numbers travel in native order and full width: both ends are this program on this machine. Every
 * enumeration has its limit in the table, so that a captured role cannot make a neighbour index
 * beyond its tables.
 */
enum kind { K_BOOL, K_NUMBER, K_GUID, K_HASH, K_STRING, K_BYTES, K_STRUCT };

struct layout;

struct field {
	uint16_t offset;
	uint8_t kind; /* enum kind */
	uint64_t limit; /* numbers: must be below; 0 = none */
	const struct layout *inner;
};

struct layout {
	size_t size;
	const struct field *fields;
	size_t count;
};

#define AT(s, f) .offset = offsetof(struct s, f)
#define BOOL(s, f) {AT(s, f), .kind = K_BOOL}
#define NUMBER(s, f) {AT(s, f), .kind = K_NUMBER}
#define BELOW(s, f, n) {AT(s, f), .kind = K_NUMBER, .limit = (n)}
#define MOMENT(s, f) {AT(s, f), .kind = K_NUMBER}
#define GUID(s, f) {AT(s, f), .kind = K_GUID}
#define HASH(s, f) {AT(s, f), .kind = K_HASH}
#define STRING(s, f) {AT(s, f), .kind = K_STRING}
#define BYTES(s, f) {AT(s, f), .kind = K_BYTES}
#define STRUCT(s, f, l) {AT(s, f), .kind = K_STRUCT, .inner = &(l)}
#define LAYOUT(s, ...)                                                                             \
	static const struct field s##_fields[] = {__VA_ARGS__};                                        \
	static const struct layout s##_layout = {sizeof(struct s), s##_fields,                         \
	    sizeof s##_fields / sizeof *s##_fields}

LAYOUT(wire_body, BYTES(wire_body, data), BOOL(wire_body, in_fd), BOOL(wire_body, spooled),
    NUMBER(wire_body, size));
LAYOUT(wire_proof, STRING(wire_proof, peer_address), BYTES(wire_proof, tls_certificate),
    BYTES(wire_proof, certificate), BELOW(wire_proof, method, SIGNATURE_METHOD_COUNT),
    HASH(wire_proof, fingerprint));
LAYOUT(wire_document_id, STRING(wire_document_id, number), STRING(wire_document_id, date),
    STRING(wire_document_id, uri_register), STRING(wire_document_id, uri_sequence),
    STRING(wire_document_id, uri_date), GUID(wire_document_id, guid),
    STRING(wire_document_id, guid_text));
LAYOUT(wire_status, BELOW(wire_status, status, STATUS_COUNT),
    STRUCT(wire_status, id, wire_document_id_layout), STRING(wire_status, reason),
    STRING(wire_status, date_close));

LAYOUT(wire_conf, STRING(wire_conf, file_name), BELOW(wire_conf, codecs, ROLE_INDEX_MAX + 1));
LAYOUT(wire_peer, BELOW(wire_peer, role, ROLE_COUNT), BELOW(wire_peer, index, ROLE_INDEX_MAX));
LAYOUT(wire_reloaded, BOOL(wire_reloaded, ok), STRING(wire_reloaded, text));
LAYOUT(wire_trust, NUMBER(wire_trust, switched));
LAYOUT(wire_spool, NUMBER(wire_spool, size));
LAYOUT(wire_spool_reply, BELOW(wire_spool_reply, fault, FAULT_COUNT));
LAYOUT(wire_inbound, MOMENT(wire_inbound, received), STRING(wire_inbound, peer_address),
    BYTES(wire_inbound, tls_certificate), NUMBER(wire_inbound, certificate),
    STRUCT(wire_inbound, body, wire_body_layout));
LAYOUT(wire_reply, BELOW(wire_reply, http_status, 1000), BYTES(wire_reply, body));
LAYOUT(wire_receive, BOOL(wire_receive, answered), BELOW(wire_receive, fault, FAULT_COUNT),
    BELOW(wire_receive, message_type, MESSAGE_TYPE_COUNT), MOMENT(wire_receive, received),
    GUID(wire_receive, message_guid), STRING(wire_receive, message_guid_text),
    STRING(wire_receive, message_date), GUID(wire_receive, sender), GUID(wire_receive, recipient),
    STRING(wire_receive, sender_name), STRING(wire_receive, sender_eik),
    STRUCT(wire_receive, proof, wire_proof_layout),
    STRUCT(wire_receive, document, wire_document_id_layout), STRING(wire_receive, kind),
    STRING(wire_receive, about), BYTES(wire_receive, details), BOOL(wire_receive, details_in_fd),
    NUMBER(wire_receive, details_size), STRUCT(wire_receive, status, wire_status_layout),
    BOOL(wire_receive, error_has_guid), GUID(wire_receive, error_guid),
    BELOW(wire_receive, error_type, ERROR_EXTERNAL + 1), STRING(wire_receive, error_text),
    STRUCT(wire_receive, body, wire_body_layout), BOOL(wire_receive, has_answer),
    GUID(wire_receive, answer_guid), BYTES(wire_receive, answer));
LAYOUT(wire_receive_reply, BELOW(wire_receive_reply, outcome, RECEIVE_TEMPORARY + 1),
    BELOW(wire_receive_reply, fault, FAULT_COUNT), BYTES(wire_receive_reply, answer),
    STRUCT(wire_receive_reply, status, wire_status_layout));
LAYOUT(wire_sign, NUMBER(wire_sign, certificate),
    BELOW(wire_sign, method, SIGNATURE_METHOD_COUNT), BYTES(wire_sign, digest));
LAYOUT(wire_sign_reply, BYTES(wire_sign_reply, signature));
LAYOUT(wire_tls_sign, NUMBER(wire_tls_sign, certificate), STRING(wire_tls_sign, digest),
    BOOL(wire_tls_sign, pss), BYTES(wire_tls_sign, tbs));
LAYOUT(wire_lookup, GUID(wire_lookup, guid));
LAYOUT(wire_lookup_reply, BOOL(wire_lookup_reply, asked));
LAYOUT(wire_compose, BELOW(wire_compose, kind, DELIVERY_KIND_COUNT), GUID(wire_compose, sender),
    GUID(wire_compose, recipient), BOOL(wire_compose, sha256_seen), BYTES(wire_compose, details),
    BOOL(wire_compose, has_attachments), BOOL(wire_compose, has_output),
    BOOL(wire_compose, details_in_fd), NUMBER(wire_compose, details_size),
    STRUCT(wire_compose, document, wire_document_id_layout),
    STRUCT(wire_compose, status, wire_status_layout));
LAYOUT(wire_composed, BELOW(wire_composed, outcome, OUTCOME_PERMANENT + 1),
    BELOW(wire_composed, fault, FAULT_COUNT), STRING(wire_composed, detail),
    GUID(wire_composed, message_guid), BELOW(wire_composed, method, SIGNATURE_METHOD_COUNT),
    STRUCT(wire_composed, body, wire_body_layout));
LAYOUT(wire_deliver, BELOW(wire_deliver, kind, DELIVERY_KIND_COUNT), GUID(wire_deliver, sender),
    GUID(wire_deliver, recipient), GUID(wire_deliver, message_guid),
    GUID(wire_deliver, document_guid), STRUCT(wire_deliver, body, wire_body_layout));
LAYOUT(wire_undelivered, BELOW(wire_undelivered, class, UNDELIVERED_AGAIN + 1),
    BELOW(wire_undelivered, fault, FAULT_COUNT), STRING(wire_undelivered, detail),
    STRING(wire_undelivered, url), MOMENT(wire_undelivered, sent), MOMENT(wire_undelivered, ended),
    MOMENT(wire_undelivered, retry), BELOW(wire_undelivered, http_status, 1000));
LAYOUT(wire_answer, BELOW(wire_answer, kind, DELIVERY_KIND_COUNT), GUID(wire_answer, sender),
    GUID(wire_answer, recipient), GUID(wire_answer, message_guid), GUID(wire_answer, document_guid),
    STRING(wire_answer, url), BYTES(wire_answer, tls_certificate),
    BELOW(wire_answer, http_status, 1000), MOMENT(wire_answer, sent),
    MOMENT(wire_answer, answered), STRUCT(wire_answer, body, wire_body_layout));
LAYOUT(wire_answered, BELOW(wire_answered, answer, ANSWER_UNREADABLE + 1),
    BELOW(wire_answered, fault, FAULT_COUNT), STRING(wire_answered, detail),
    BELOW(wire_answered, error_type, ERROR_EXTERNAL + 1),
    STRUCT(wire_answered, status, wire_status_layout), GUID(wire_answered, answer_guid),
    STRUCT(wire_answered, proof, wire_proof_layout), BELOW(wire_answered, http_status, 1000),
    MOMENT(wire_answered, sent), MOMENT(wire_answered, answered),
    STRUCT(wire_answered, body, wire_body_layout));

LAYOUT(wire_seal, HASH(wire_seal, digest));
LAYOUT(wire_sealed, HASH(wire_sealed, digest), BYTES(wire_sealed, cms));
LAYOUT(wire_stamp, NUMBER(wire_stamp, sequence), HASH(wire_stamp, digest));
LAYOUT(wire_stamp_answer, NUMBER(wire_stamp_answer, sequence), HASH(wire_stamp_answer, digest),
    BYTES(wire_stamp_answer, request), BYTES(wire_stamp_answer, response),
    STRING(wire_stamp_answer, detail));
LAYOUT(wire_stamped, NUMBER(wire_stamped, sequence), HASH(wire_stamped, digest),
    MOMENT(wire_stamped, at), BYTES(wire_stamped, token), STRING(wire_stamped, detail));

static const struct layout *const layouts[WIRE_TYPE_COUNT] = {
	[WIRE_CONF] = &wire_conf_layout,
	[WIRE_PEER] = &wire_peer_layout,
	[WIRE_RELOADED] = &wire_reloaded_layout,
	[WIRE_TRUST] = &wire_trust_layout,
	[WIRE_SPOOL] = &wire_spool_layout,
	[WIRE_SPOOL_REPLY] = &wire_spool_reply_layout,
	[WIRE_INBOUND] = &wire_inbound_layout,
	[WIRE_REPLY] = &wire_reply_layout,
	[WIRE_RECEIVE] = &wire_receive_layout,
	[WIRE_RECEIVE_REPLY] = &wire_receive_reply_layout,
	[WIRE_SIGN] = &wire_sign_layout,
	[WIRE_SIGN_REPLY] = &wire_sign_reply_layout,
	[WIRE_TLS_SIGN] = &wire_tls_sign_layout,
	[WIRE_LOOKUP] = &wire_lookup_layout,
	[WIRE_LOOKUP_REPLY] = &wire_lookup_reply_layout,
	[WIRE_COMPOSE] = &wire_compose_layout,
	[WIRE_COMPOSED] = &wire_composed_layout,
	[WIRE_DELIVER] = &wire_deliver_layout,
	[WIRE_UNDELIVERED] = &wire_undelivered_layout,
	[WIRE_ANSWER] = &wire_answer_layout,
	[WIRE_ANSWERED] = &wire_answered_layout,
	[WIRE_SEAL] = &wire_seal_layout,
	[WIRE_SEALED] = &wire_sealed_layout,
	[WIRE_STAMP] = &wire_stamp_layout,
	[WIRE_STAMP_ASK] = &wire_stamp_answer_layout,
	[WIRE_STAMP_ANSWER] = &wire_stamp_answer_layout,
	[WIRE_STAMPED] = &wire_stamped_layout,
};

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
		switch ((enum kind)f->kind) {
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
		switch ((enum kind)f->kind) {
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

static const struct layout *
layout_of(enum wire_type type)
{
	return (unsigned)type < WIRE_TYPE_COUNT ? layouts[type] : NULL;
}

bool
wire_pack(struct buf *out, enum wire_type type, const void *message)
{
	const struct layout *l = layout_of(type);
	size_t from = out->len; /* store packs a whole batch into one buffer */

	return l && pack_struct(out, l, message) && out->len - from <= IPC_PAYLOAD_MAX;
}

bool
wire_unpack(const struct ipc_frame *f, enum wire_type type, void *message)
{
	const struct layout *l = layout_of(type);
	struct cursor c = {f->payload, f->payload + f->len};

	if (!l || f->type != type)
		return false;
	memset(message, 0, l->size);
	return unpack_struct(&c, l, message) && c.at == c.end;
}

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

bool
wire_send(struct ipc *ipc, enum wire_type type, uint64_t id, const void *message, const int *fds,
    unsigned nfds)
{
	struct buf b = {.max = IPC_PAYLOAD_MAX};
	bool ok = ipc && wire_pack(&b, type, message);

	if (ok)
		ok = ipc_send(ipc, (uint16_t)type, id, b.data, b.len, fds, nfds);
	else
		close_all(fds, nfds);
	buf_free(&b);
	return ok;
}

int
wire_memfd(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const uint8_t *p = data, *end = p + len;

	while (fd >= 0 && p < end) {
		ssize_t n = write(fd, p, (size_t)(end - p));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		p += n;
	}
	if (fd >= 0 && (p < end || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* JSON frames begin with one byte that says where the text is. */
#define TEXT_INLINE 'i'
#define TEXT_IN_FD 'f'

static bool
send_json_fd(struct ipc *ipc, enum wire_type type, uint64_t id, const char *text, size_t len,
    const int *fds, unsigned nfds)
{
	int all[IPC_FRAME_FDS];
	int fd = nfds < IPC_FRAME_FDS && len <= TEXT_FILE_MAX ? wire_memfd("json", text, len) : -1;

	if (fd < 0) {
		close_all(fds, nfds);
		return false;
	}
	if (nfds)
		memcpy(all, fds, nfds * sizeof *fds);
	all[nfds] = fd;
	return ipc_send(ipc, (uint16_t)type, id, (char[]){TEXT_IN_FD}, 1, all, nfds + 1);
}

bool
wire_send_json(struct ipc *ipc, enum wire_type type, uint64_t id, const struct json_t *json,
    const int *fds, unsigned nfds)
{
	struct buf b = {.max = TEXT_INLINE_MAX + 1};
	char *text = ipc && json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (!text) {
		close_all(fds, nfds);
		return false;
	}
	size_t len = strlen(text);
	bool ok;
	if (len > TEXT_INLINE_MAX) {
		ok = send_json_fd(ipc, type, id, text, len, fds, nfds);
	} else if (buf_addc(&b, TEXT_INLINE) && buf_add(&b, text, len)) {
		ok = ipc_send(ipc, (uint16_t)type, id, b.data, b.len, fds, nfds);
	} else {
		close_all(fds, nfds);
		ok = false;
	}
	free(text);
	buf_free(&b);
	return ok;
}

static json_t *
read_json_fd(int fd)
{
	struct stat st;
	char *text = NULL;
	json_t *json = NULL;

	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= TEXT_FILE_MAX)
		text = malloc((size_t)st.st_size);
	if (text && pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		json = json_loadb(text, (size_t)st.st_size, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	return json;
}

json_t *
wire_get_json(struct ipc_frame *f)
{
	if (f->len > 1 && f->payload[0] == TEXT_INLINE)
		return json_loadb((const char *)f->payload + 1, f->len - 1, JSON_REJECT_DUPLICATES, NULL);
	if (f->len != 1 || f->payload[0] != TEXT_IN_FD || f->nfds == 0)
		return NULL;
	int fd = ipc_take_fd(f, f->nfds - 1);
	f->nfds--;
	json_t *json = read_json_fd(fd);
	close(fd);
	return json;
}
