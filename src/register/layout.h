/*
 * The bytes of a snapshot, shared by snapshot.c, snapshot_builder.c and snapshot_disk.c only.
 *
 * header | records, sorted by GUID | hash tables | serial order | strings
 *
 * All offsets count from the start of the file; numbers are in the byte order of the machine, which
 * `order` proves. The hash is seeded, so that nobody who can edit the register can build long
 * collision chains into the nodes of others.
 */
#ifndef OBMEN_REGISTER_LAYOUT_H
#define OBMEN_REGISTER_LAYOUT_H

#include "lib/hash.h"
#include "register/snapshot.h"

#define LAYOUT_MAGIC "OBMENREG"
#define LAYOUT_VERSION 1u
#define LAYOUT_ORDER 0x01020304u

#define LAYOUT_COUNT_MAX (1u << 20)          /* participants */
#define LAYOUT_STRINGS_MAX ((size_t)1 << 30) /* bytes of the string pool: offsets have 32 bits */
#define LAYOUT_SIZE_MAX ((size_t)2 << 30)

enum layout_table { TABLE_GUID, TABLE_EIK, TABLE_SERIAL, TABLE_COUNT };

struct layout_header {
	char magic[8];
	uint32_t version;
	uint32_t order;
	uint64_t size; /* of the whole file */
	int64_t mark, fetched, checked;
	uint64_t seed[2];
	uint32_t source;
	uint32_t count;  /* records */
	uint32_t slots;  /* in each table: a power of two, at least 2 * count */
	uint32_t serials;/* entries of the serial order: records whose serial is hex */
	uint64_t records, tables[TABLE_COUNT], serial_order, strings;
	uint64_t strings_size;
	uint8_t sha256[32]; /* of everything, with this field zero */
};

enum layout_string { STRING_EIK, STRING_NAME, STRING_PHONE, STRING_FAX, STRING_EMAIL, STRING_SERIAL,
	STRING_SERVICE_NAME, STRING_URI, STRING_VERSION, STRING_COUNT };

struct layout_record {
	struct guid guid, parent;
	int64_t last_change;
	uint32_t strings[STRING_COUNT]; /* offsets into the pool; 0 is the empty string */
	uint8_t entity_status, service_status, status, zero;
};

/* `value` is 1 + record number (GUID, EIK) or 1 + place in the serial order; 0 = free. The tag saves
 * a visit to a record that is not the one. */
struct layout_slot {
	uint32_t tag;
	uint32_t value;
};

/* The strings of a participant in the order of enum layout_string. */
void layout_get_strings(const struct participant *, const char *out[STRING_COUNT]);

#define LAYOUT_SERIAL_MAX 64
/* A serial as its significant hex digits in upper case; their number, 0 if it is not a serial. */
size_t layout_serial(const char *text, char out[LAYOUT_SERIAL_MAX]);

/* SHA-256 over `size` bytes of a snapshot as the header wants it. False without memory. */
bool layout_digest(const void *data, size_t size, uint8_t out[32]);

#endif
