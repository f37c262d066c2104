#include "lib/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE ((size_t)16 << 10)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* usable bytes */
	size_t used;
	max_align_t data[];
};

static struct arena_chunk *
chunk_new(struct arena *a, size_t size)
{
	size_t usable = size > CHUNK_SIZE ? size : CHUNK_SIZE;
	struct arena_chunk *c = malloc(sizeof *c + usable);

	if (!c)
		return NULL;
	*c = (struct arena_chunk){.next = a->chunks, .size = usable};
	a->chunks = c;
	return c;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	size_t max = a->max ? a->max : ARENA_DEFAULT_MAX;
	const size_t align = sizeof(max_align_t);

	if (size > max - align)
		return NULL;
	size = (size + align - 1) / align * align;
	if (a->used > max - size)
		return NULL;
	struct arena_chunk *c = a->chunks;
	if (!c || c->size - c->used < size)
		c = chunk_new(a, size);
	if (!c)
		return NULL;
	void *p = (char *)c->data + c->used;
	c->used += size;
	a->used += size;
	return memset(p, 0, size);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = len == SIZE_MAX ? NULL : arena_alloc(a, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *keep = NULL, *next;

	for (struct arena_chunk *c = a->chunks; c; c = next) {
		next = c->next;
		if (!keep && c->size == CHUNK_SIZE)
			keep = c;
		else
			free(c);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->chunks = keep;
	a->used = 0;
}

void
arena_free(struct arena *a)
{
	arena_reset(a);
	free(a->chunks);
	a->chunks = NULL;
}
