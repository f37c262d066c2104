#include "register/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"

/* Additions and removals in the order they came; finish sorts them and the last one of each GUID
 * counts. */
struct entry {
	struct layout_record record;
	uint32_t number; /* when it came */
	bool removed;
};

struct snapshot_builder {
	struct entry *entries;
	size_t count, capacity;
	struct buf strings;
};

struct snapshot_builder *
snapshot_builder_new(void)
{
	struct snapshot_builder *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->strings.max = LAYOUT_STRINGS_MAX;
	if (!buf_addc(&b->strings, 0)) {
		snapshot_builder_free(b);
		return NULL;
	}
	return b;
}

void
snapshot_builder_free(struct snapshot_builder *b)
{
	if (!b)
		return;
	buf_free(&b->strings);
	free(b->entries);
	free(b);
}

/* Room for one more entry, or NULL. */
static struct entry *
entry_new(struct snapshot_builder *b)
{
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? b->capacity * 2 : 256;
		/* Twice the limit: every participant may be added once and replaced once. */
		if (b->count >= 2 * (size_t)LAYOUT_COUNT_MAX)
			return NULL;
		struct entry *entries = realloc(b->entries, capacity * sizeof *entries);
		if (!entries)
			return NULL;
		b->entries = entries;
		b->capacity = capacity;
	}
	struct entry *e = &b->entries[b->count];
	memset(e, 0, sizeof *e); /* padding too: it must not carry old memory into the file */
	e->number = (uint32_t)b->count;
	return e;
}

static bool
add_string(struct snapshot_builder *b, const char *s, uint32_t *offset)
{
	*offset = 0;
	if (!s || !*s)
		return true;
	*offset = (uint32_t)b->strings.len;
	return buf_add(&b->strings, s, strlen(s) + 1);
}

bool
snapshot_builder_add(struct snapshot_builder *b, const struct participant *p)
{
	struct entry *e = entry_new(b);
	const char *strings[STRING_COUNT];

	if (!e)
		return false;
	struct layout_record *r = &e->record;
	r->guid = p->guid;
	r->parent = p->parent;
	r->last_change = p->last_change;
	r->entity_status = (uint8_t)p->entity_status;
	r->service_status = (uint8_t)p->service_status;
	r->status = (uint8_t)participant_status_effective(p->entity_status, p->service_status);
	layout_get_strings(p, strings);
	for (size_t i = 0; i < STRING_COUNT; i++) {
		if (!add_string(b, strings[i], &r->strings[i]))
			return false;
	}
	b->count++;
	return true;
}

bool
snapshot_builder_add_all(struct snapshot_builder *b, const struct snapshot *s)
{
	struct participant p;

	for (size_t i = 0; i < snapshot_count(s); i++) {
		snapshot_at(s, i, &p);
		if (!snapshot_builder_add(b, &p))
			return false;
	}
	return true;
}

bool
snapshot_builder_remove(struct snapshot_builder *b, const struct guid *guid)
{
	struct entry *e = entry_new(b);

	if (!e)
		return false;
	e->record.guid = *guid;
	e->removed = true;
	b->count++;
	return true;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = memcmp(x->record.guid.b, y->record.guid.b, sizeof x->record.guid.b);

	return order ? order : x->number < y->number ? -1 : 1;
}

/* Sorts, and keeps the last entry of each GUID unless that is a removal. */
static void
settle(struct snapshot_builder *b)
{
	size_t kept = 0;

	if (b->count > 1)
		qsort(b->entries, b->count, sizeof *b->entries, compare_entries);
	for (size_t i = 0; i < b->count; i++) {
		struct entry *e = &b->entries[i];
		bool last = i + 1 == b->count || !guid_equal(&e->record.guid, &e[1].record.guid);
		if (last && !e->removed)
			b->entries[kept++] = *e;
	}
	b->count = kept;
}

/* A snapshot while it is being laid out. */
struct layout {
	const struct snapshot_builder *from;
	uint8_t *base;
	struct layout_header *header;
	struct layout_record *records;
	uint32_t *serial_order;
	struct layout_slot *tables[TABLE_COUNT];
};

struct serial_key {
	char digits[LAYOUT_SERIAL_MAX];
	uint32_t len;
	uint32_t record;
};

static int
compare_serials(const void *a, const void *b)
{
	const struct serial_key *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	int order = memcmp(x->digits, y->digits, x->len);
	return order ? order : x->record < y->record ? -1 : 1;
}

static const char *
record_string(const struct snapshot_builder *b, const struct layout_record *r, enum layout_string f)
{
	return (const char *)b->strings.data + r->strings[f];
}

/* The hex serials of all records in numeric order; free with free(). */
static struct serial_key *
sort_serials(const struct snapshot_builder *b, uint32_t *count)
{
	struct serial_key *keys = calloc(b->count ? b->count : 1, sizeof *keys);
	uint32_t n = 0;

	for (size_t i = 0; keys && i < b->count; i++) {
		struct serial_key *k = &keys[n];
		k->len = (uint32_t)layout_serial(
		    record_string(b, &b->entries[i].record, STRING_SERIAL), k->digits);
		k->record = (uint32_t)i;
		n += k->len > 0;
	}
	if (n > 1)
		qsort(keys, n, sizeof *keys, compare_serials);
	*count = n;
	return keys;
}

static void
insert(struct layout *l, enum layout_table t, const void *key, size_t len, size_t entry)
{
	uint64_t hash = hash_seeded(l->header->seed, key, len);
	uint32_t mask = l->header->slots - 1, i = (uint32_t)hash & mask;

	while (l->tables[t][i].value != 0)
		i = (i + 1) & mask;
	l->tables[t][i] = (struct layout_slot){(uint32_t)(hash >> 32), (uint32_t)entry + 1};
}

/* Should two share an EIK, which no register in order has, then the active one is found. */
static void
insert_eiks(struct layout *l, bool active)
{
	for (size_t i = 0; i < l->header->count; i++) {
		const struct layout_record *r = &l->records[i];
		const char *eik = record_string(l->from, r, STRING_EIK);
		if (*eik && (r->status == PARTICIPANT_ACTIVE) == active)
			insert(l, TABLE_EIK, eik, strlen(eik), i);
	}
}

static void
fill(struct layout *l, const struct serial_key *serials)
{
	for (size_t i = 0; i < l->header->count; i++) {
		l->records[i] = l->from->entries[i].record;
		insert(l, TABLE_GUID, l->records[i].guid.b, sizeof l->records[i].guid.b, i);
	}
	insert_eiks(l, true);
	insert_eiks(l, false);
	for (size_t i = 0; i < l->header->serials; i++) {
		const struct serial_key *k = &serials[i];
		l->serial_order[i] = k->record;
		if (i == 0 || k->len != k[-1].len || memcmp(k->digits, k[-1].digits, k->len) != 0)
			insert(l, TABLE_SERIAL, k->digits, k->len, i);
	}
	memcpy(l->base + l->header->strings, l->from->strings.data, l->from->strings.len);
}

/* Offsets of all regions; the header's size is the result. */
static void
plan(struct layout_header *h, const struct snapshot_builder *b, uint32_t serials)
{
	uint64_t at = sizeof *h;

	memcpy(h->magic, LAYOUT_MAGIC, sizeof h->magic);
	h->version = LAYOUT_VERSION;
	h->order = LAYOUT_ORDER;
	h->count = (uint32_t)b->count;
	h->serials = serials;
	for (h->slots = 16; h->slots / 2 < h->count; h->slots *= 2)
		;
	h->records = at;
	at += (uint64_t)h->count * sizeof(struct layout_record);
	for (size_t t = 0; t < TABLE_COUNT; t++) {
		h->tables[t] = at;
		at += (uint64_t)h->slots * sizeof(struct layout_slot);
	}
	h->serial_order = at;
	at += (uint64_t)h->serials * sizeof(uint32_t);
	h->strings = at;
	h->strings_size = b->strings.len;
	h->size = at + b->strings.len;
}

static bool
write_layout(const struct snapshot_builder *b, const struct layout_header *h,
             const struct serial_key *serials, int fd)
{
	if (ftruncate(fd, (off_t)h->size) != 0)
		return false;
	uint8_t *base = mmap(NULL, h->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return false;
	struct layout l = {.from = b, .base = base, .header = (void *)base};
	*l.header = *h;
	l.records = (void *)(base + h->records);
	l.serial_order = (void *)(base + h->serial_order);
	for (size_t t = 0; t < TABLE_COUNT; t++)
		l.tables[t] = (void *)(base + h->tables[t]);
	fill(&l, serials);
	bool ok = layout_digest(base, h->size, l.header->sha256);
	munmap(base, h->size);
	return ok;
}

/* A memory descriptor with the layout in it, sealed; -1 on failure. */
static int
make_memory(const struct snapshot_builder *b, const struct layout_header *h,
            const struct serial_key *serials)
{
	int fd = memfd_create("register", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && write_layout(b, h, serials, fd) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return fd;
	log_warning("register.memory", "reason=\"%s\"", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int
snapshot_builder_finish(struct snapshot_builder *b, when mark, when fetched, when checked,
                        enum snapshot_source source)
{
	struct layout_header h = {
		.mark = mark, .fetched = fetched, .checked = checked, .source = source};
	uint32_t serials = 0;

	settle(b);
	if (b->strings.failed || b->count > LAYOUT_COUNT_MAX ||
	    RAND_bytes((uint8_t *)h.seed, sizeof h.seed) != 1)
		return -1;
	struct serial_key *keys = sort_serials(b, &serials);
	if (!keys)
		return -1;
	plan(&h, b, serials);
	int fd = make_memory(b, &h, keys);
	free(keys);
	return fd;
}
