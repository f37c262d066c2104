#include "register/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

struct snapshot {
	const uint8_t *base;
	size_t size;
	const struct layout_header *header;
	const struct layout_record *records;
	const struct layout_slot *tables[TABLE_COUNT];
	const uint32_t *serial_order;
	const char *strings;
};

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* True when [offset, offset + count * width) lies in the file and is aligned for its type. */
static bool
region_fits(const struct snapshot *s, uint64_t offset, uint64_t count, size_t width, size_t align)
{
	return offset >= sizeof(struct layout_header) && offset <= s->size && offset % align == 0 &&
	    count <= (s->size - offset) / width;
}

static bool
check_header(const struct snapshot *s)
{
	const struct layout_header *h = s->header;

	return memcmp(h->magic, LAYOUT_MAGIC, sizeof h->magic) == 0 && h->version == LAYOUT_VERSION &&
	    h->order == LAYOUT_ORDER && h->size == s->size && h->count <= LAYOUT_COUNT_MAX &&
	    h->serials <= h->count && h->source <= SNAPSHOT_ACCEPTED && h->slots >= 2 &&
	    (h->slots & (h->slots - 1)) == 0 && h->slots / 2 >= h->count;
}

static bool
check_regions(struct snapshot *s)
{
	const struct layout_header *h = s->header;

	if (!region_fits(s, h->records, h->count, sizeof *s->records, 8) ||
	    !region_fits(s, h->serial_order, h->serials, sizeof *s->serial_order, 4) ||
	    !region_fits(s, h->strings, h->strings_size, 1, 1) || h->strings_size == 0)
		return false;
	for (size_t t = 0; t < TABLE_COUNT; t++) {
		if (!region_fits(s, h->tables[t], h->slots, sizeof *s->tables[t], 8))
			return false;
		s->tables[t] = (const void *)(s->base + h->tables[t]);
	}
	s->records = (const void *)(s->base + h->records);
	s->serial_order = (const void *)(s->base + h->serial_order);
	s->strings = (const char *)s->base + h->strings;
	/* So every offset into the pool is a terminated string, and offset 0 is the empty one. */
	return s->strings[0] == 0 && s->strings[h->strings_size - 1] == 0;
}

static bool
check_records(const struct snapshot *s)
{
	for (size_t i = 0; i < s->header->count; i++) {
		const struct layout_record *r = &s->records[i];
		if (i > 0 && memcmp(r[-1].guid.b, r->guid.b, sizeof r->guid.b) >= 0)
			return false;
		for (size_t f = 0; f < STRING_COUNT; f++) {
			if (r->strings[f] >= s->header->strings_size)
				return false;
		}
		if (r->entity_status > PARTICIPANT_TEMPORARILY_INACTIVE ||
		    r->service_status > PARTICIPANT_TEMPORARILY_INACTIVE ||
		    r->status > PARTICIPANT_TEMPORARILY_INACTIVE)
			return false;
	}
	return true;
}

/* Free slots are what ends an unsuccessful search: at least half of them must be. */
static bool
check_tables(const struct snapshot *s)
{
	const struct layout_header *h = s->header;

	for (size_t t = 0; t < TABLE_COUNT; t++) {
		uint32_t limit = t == TABLE_SERIAL ? h->serials : h->count, used = 0;
		for (size_t i = 0; i < h->slots; i++) {
			if (s->tables[t][i].value > limit)
				return false;
			used += s->tables[t][i].value != 0;
		}
		if (used > limit)
			return false;
	}
	for (size_t i = 0; i < h->serials; i++) {
		if (s->serial_order[i] >= h->count)
			return false;
	}
	return true;
}

static bool
check_digest(const struct snapshot *s)
{
	uint8_t digest[sizeof s->header->sha256];

	return layout_digest(s->base, s->size, digest) &&
	    memcmp(digest, s->header->sha256, sizeof digest) == 0;
}

/* Reads the whole file into memory of our own. */
static const uint8_t *
copy_file(int fd, size_t size)
{
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, p + at, size - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			munmap(p, size);
			return NULL;
		}
		at += (size_t)n;
	}
	return p;
}

/* Fills base and size; sets *sealed when nobody can change the bytes any more. NULL or the fault. */
static const char *
get_bytes(struct snapshot *s, int fd, bool *sealed)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (st.st_size < (off_t)sizeof(struct layout_header) || st.st_size > (off_t)LAYOUT_SIZE_MAX)
		return "impossible size";
	s->size = (size_t)st.st_size;
	*sealed = seals >= 0 && (seals & SEALS) == SEALS;
	if (*sealed) {
		/* private: kernels before 6.7 refuse any shared map of write-sealed memory */
		void *p = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
		s->base = p == MAP_FAILED ? NULL : p;
	} else {
		s->base = copy_file(fd, s->size);
	}
	return s->base ? NULL : "cannot be read into memory";
}

static const char *
load(struct snapshot *s, int fd)
{
	bool sealed = false;
	const char *fault = get_bytes(s, fd, &sealed);

	if (fault)
		return fault;
	s->header = (const void *)s->base;
	if (!check_header(s))
		return "not a snapshot of this version";
	if (!sealed && !check_digest(s))
		return "check sum differs";
	if (!check_regions(s) || !check_records(s) || !check_tables(s))
		return "structure is damaged";
	return NULL;
}

struct snapshot *
snapshot_open(int fd)
{
	struct snapshot *s = calloc(1, sizeof *s);
	const char *fault = s ? load(s, fd) : "no memory";

	close(fd);
	if (!fault)
		return s;
	log_warning("register.damaged", "reason=\"%s\"", fault);
	snapshot_free(s);
	return NULL;
}

void
snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	if (s->base)
		munmap((void *)(uintptr_t)s->base, s->size);
	free(s);
}

size_t
snapshot_count(const struct snapshot *s)
{
	return s->header->count;
}

when
snapshot_mark(const struct snapshot *s)
{
	return s->header->mark;
}

when
snapshot_fetched(const struct snapshot *s)
{
	return s->header->fetched;
}

when
snapshot_checked(const struct snapshot *s)
{
	return s->header->checked;
}

enum snapshot_source
snapshot_source(const struct snapshot *s)
{
	return s->header->source;
}

void
snapshot_at(const struct snapshot *s, size_t i, struct participant *out)
{
	const struct layout_record *r = &s->records[i];
	const uint32_t *at = r->strings;

	*out = (struct participant){
		.guid = r->guid,
		.parent = r->parent,
		.eik = s->strings + at[STRING_EIK],
		.name = s->strings + at[STRING_NAME],
		.phone = s->strings + at[STRING_PHONE],
		.fax = s->strings + at[STRING_FAX],
		.email = s->strings + at[STRING_EMAIL],
		.certificate_serial = s->strings + at[STRING_SERIAL],
		.service_name = s->strings + at[STRING_SERVICE_NAME],
		.uri = s->strings + at[STRING_URI],
		.service_version = s->strings + at[STRING_VERSION],
		.entity_status = r->entity_status,
		.service_status = r->service_status,
		.status = r->status,
		.last_change = r->last_change,
	};
}

/* True when the entry with this value is the one that is looked for. */
typedef bool (*match_fn)(const struct snapshot *, uint32_t value, const void *key);

/* The value found (counted from 0), or -1. Visits every slot at most once. */
static int64_t
find(const struct snapshot *s, enum layout_table t, uint64_t hash, match_fn match, const void *key)
{
	const struct layout_slot *slots = s->tables[t];
	uint32_t mask = s->header->slots - 1, tag = (uint32_t)(hash >> 32);

	for (uint32_t i = (uint32_t)hash & mask; slots[i].value != 0; i = (i + 1) & mask) {
		if (slots[i].tag == tag && match(s, slots[i].value - 1, key))
			return slots[i].value - 1;
	}
	return -1;
}

static bool
guid_matches(const struct snapshot *s, uint32_t record, const void *key)
{
	const struct layout_record *r = &s->records[record];

	/* The end of the record may lie in the next cache line: fetch both at once. */
	__builtin_prefetch(&r->status);
	return guid_equal(&r->guid, key);
}

bool
snapshot_by_guid(const struct snapshot *s, const struct guid *guid, struct participant *out)
{
	uint64_t hash = hash_seeded(s->header->seed, guid->b, sizeof guid->b);
	int64_t i = find(s, TABLE_GUID, hash, guid_matches, guid);

	if (i < 0)
		return false;
	snapshot_at(s, (size_t)i, out);
	return true;
}

static bool
eik_matches(const struct snapshot *s, uint32_t record, const void *key)
{
	return strcmp(s->strings + s->records[record].strings[STRING_EIK], key) == 0;
}

bool
snapshot_by_eik(const struct snapshot *s, const char *eik, struct participant *out)
{
	uint64_t hash = hash_seeded(s->header->seed, eik, strlen(eik));
	int64_t i = *eik ? find(s, TABLE_EIK, hash, eik_matches, eik) : -1;

	if (i < 0)
		return false;
	snapshot_at(s, (size_t)i, out);
	return true;
}

struct serial {
	char digits[LAYOUT_SERIAL_MAX];
	size_t len;
};

static bool
serial_matches(const struct snapshot *s, uint32_t place, const void *key)
{
	const struct layout_record *r = &s->records[s->serial_order[place]];
	const struct serial *wanted = key;
	struct serial own;

	own.len = layout_serial(s->strings + r->strings[STRING_SERIAL], own.digits);
	return own.len == wanted->len && memcmp(own.digits, wanted->digits, own.len) == 0;
}

bool
snapshot_by_serial(const struct snapshot *s, const char *serial_hex, size_t n,
                   struct participant *out)
{
	struct serial key;

	key.len = layout_serial(serial_hex, key.digits);
	if (key.len == 0)
		return false;
	uint64_t hash = hash_seeded(s->header->seed, key.digits, key.len);
	int64_t first = find(s, TABLE_SERIAL, hash, serial_matches, &key);
	/* Records of one serial stand side by side in the serial order; the table knows the first. */
	if (first < 0 || n >= s->header->serials - (size_t)first ||
	    !serial_matches(s, (uint32_t)((size_t)first + n), &key))
		return false;
	snapshot_at(s, s->serial_order[(size_t)first + n], out);
	return true;
}
