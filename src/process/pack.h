/*
 * Messages between processes as tables of fields: one row per field of a struct gives packing and
 * unpacking, with all bounds checks.
 *
 * Numbers travel in native order and full width: both ends are one program on one machine. Every
 * enumeration has its limit in the table, so that a captured role cannot make a neighbour index
 * beyond its tables.
 */
#ifndef OBMEN_PACK_H
#define OBMEN_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"
#include "process/wire.h"

/* bool, uint64_t (and when), struct guid, uint8_t [32], const char *, struct wire_bytes */
enum pack_kind { K_BOOL, K_NUMBER, K_GUID, K_HASH, K_STRING, K_BYTES, K_STRUCT };

struct field {
	uint16_t offset;
	uint8_t kind; /* enum pack_kind */
	uint64_t limit; /* numbers: must be below; 0 = none */
	const struct layout *inner;
};

struct layout {
	size_t size;
	const struct field *fields;
	size_t count;
};

#define PACK_AT(s, f) .offset = offsetof(struct s, f)
#define BOOL(s, f) {PACK_AT(s, f), .kind = K_BOOL}
#define NUMBER(s, f) {PACK_AT(s, f), .kind = K_NUMBER}
#define BELOW(s, f, n) {PACK_AT(s, f), .kind = K_NUMBER, .limit = (n)}
#define MOMENT(s, f) {PACK_AT(s, f), .kind = K_NUMBER}
#define GUID(s, f) {PACK_AT(s, f), .kind = K_GUID}
#define HASH(s, f) {PACK_AT(s, f), .kind = K_HASH}
#define STRING(s, f) {PACK_AT(s, f), .kind = K_STRING}
#define BYTES(s, f) {PACK_AT(s, f), .kind = K_BYTES}
#define STRUCT(s, f, l) {PACK_AT(s, f), .kind = K_STRUCT, .inner = &(l)}
#define LAYOUT(s, ...)                                                                             \
	static const struct field s##_fields[] = {__VA_ARGS__};                                        \
	static const struct layout s##_layout = {sizeof(struct s), s##_fields,                         \
	    sizeof s##_fields / sizeof *s##_fields}

/* At the end of out; false when it does not fit or a number is not below its limit. */
bool layout_pack(struct buf *out, const struct layout *, const void *message);
/* Strings and bytes point into data. False when it is not exactly one well-formed message. */
bool layout_unpack(const uint8_t *data, size_t len, const struct layout *, void *message);

#endif
