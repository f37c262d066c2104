/*
 * The register in sealed memory: the whole answer to GetAllRecords, ready to be sent, and an index of
 * the entities in it and of those that were removed. The ledger makes it after every change and hands
 * it to each desk; a desk answers from it without asking anybody, so readers never wait for writers.
 */
#ifndef OBMEN_AUTHORITY_PREPARED_H
#define OBMEN_AUTHORITY_PREPARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/guid.h"
#include "lib/when.h"

#define PREPARED_SERIAL_MAX 40 /* hex digits of a certificate's serial, 20 bytes (RFC 5280) */

/* One entity: where its XML lies. */
struct prepared_entry {
	struct guid guid;
	when changed;
	uint64_t at;
	uint32_t len;
	bool removed; /* not in the whole answer: only those hear of it who ask what is new, or by GUID */
	char eik[16];
	char serial[PREPARED_SERIAL_MAX + 1];
};

/* -- writing */

struct prepared_writer {
	struct buf text;
	struct buf index;
	when newest;
	size_t left;       /* entities that the head announced and that have not come */
	size_t answer_len;
};

/* entities: how many there are that were not removed; they must be added first. */
bool prepared_begin(struct prepared_writer *, size_t entities);
/* The entity's XML; .at and .len of the entry are filled here. */
bool prepared_add(struct prepared_writer *, const struct prepared_entry *, const char *xml);
/* A sealed memory descriptor, or -1; frees the writer in any case. */
int prepared_finish(struct prepared_writer *);

/* -- reading */

struct prepared {
	int fd;
	const uint8_t *map;
	size_t size;
	size_t answer_len; /* the whole answer: bytes from 0 */
	const struct prepared_entry *entries;
	size_t count;      /* of entries, removed ones too */
	when newest;       /* LastChange of the whole; WHEN_NONE when it is empty */
};

/* Takes the descriptor; checks that it is sealed and that nothing points outside. NULL with a logged
 * reason. */
struct prepared *prepared_open(int fd);
void prepared_free(struct prepared *);

#endif
