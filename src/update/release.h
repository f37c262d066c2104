/*
 * What a version says of itself in os-release(5): in the running root, and in the section .osrel of a
 * kernel file, so that the version in the other slot can be judged without starting it.
 *
 * Two rules decide what may be installed or gone back to. Security: a version never makes way for one of
 * a lower level. Store: versions of the two slots can always read each other's store, or a box could not
 * roll back. A version names the schema that it writes and the oldest schema whose program may still use
 * the store then (obmen-store(5)); a change that older programs cannot read takes two versions, one that
 * knows the new form and a later one that writes it.
 */
#ifndef OBMEN_UPDATE_RELEASE_H
#define OBMEN_UPDATE_RELEASE_H

#include "lib/catalogue.h"

#include <stdbool.h>
#include <stddef.h>

struct release {
	char version[32], board[32];
	unsigned security; /* level */
	unsigned schema;   /* of the store that it writes */
	unsigned reader;   /* the oldest schema that can use this store */
	unsigned trial;    /* seconds in which it must be well on its first starts */
};

/* Reads the lines of os-release. False: version or board is missing. */
bool release_parse(struct release *, const char *text, size_t len);
/* The running version. */
bool release_running(struct release *);
/* The version of a kernel file (PE/COFF with a section .osrel). False: it is no whole kernel file. */
bool release_of_kernel(struct release *, int fd);

/* Whether a box with `running` may change to `other`: FAULT_NONE, or the reason, with a detail such as
 * "1 < 2" in `detail`. */
enum fault release_change(const struct release *running, const struct release *other, char detail[64]);

#endif
