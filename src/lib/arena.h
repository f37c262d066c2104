/* Many small allocations that are freed together. */
#ifndef OBMEN_ARENA_H
#define OBMEN_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* A zeroed struct arena is empty and holds at most ARENA_DEFAULT_MAX bytes. */
struct arena {
	struct arena_chunk *chunks;
	size_t used;
	size_t max; /* ceiling in bytes; 0 = ARENA_DEFAULT_MAX */
};

#define ARENA_DEFAULT_MAX ((size_t)4 << 20)

/* Zeroed memory aligned for any type, or NULL when memory or the ceiling is exhausted. */
void *arena_alloc(struct arena *, size_t size);
/* A NUL-terminated copy of len bytes. */
char *arena_strndup(struct arena *, const char *s, size_t len);
/* Frees everything; keeps one chunk for the next use. */
void arena_reset(struct arena *);
/* Frees everything. */
void arena_free(struct arena *);

#endif
