/*
 * What changed between two snapshots, and whether a person must look at it first: the shrink guard
 * (design 3).
 */
#ifndef OBMEN_REGISTER_GUARD_H
#define OBMEN_REGISTER_GUARD_H

#include "register/snapshot.h"

enum change { CHANGE_ADDED, CHANGE_VANISHED, CHANGE_CHANGED };

struct change_totals {
	size_t before, after;
	size_t added, vanished, changed;
	size_t deactivated; /* of the changed: was Active, is no more */
};

/* before is NULL for CHANGE_ADDED, after for CHANGE_VANISHED. */
typedef void (*change_cb)(void *arg, enum change, const struct participant *before,
                          const struct participant *after);

/* Calls back for every difference, in GUID order, and counts. `before` may be NULL (nothing was
 * known), cb may be NULL. */
void snapshot_changes(const struct snapshot *before, const struct snapshot *after, change_cb,
                      void *arg, struct change_totals *);

/* The i-th field in which participants may differ, for people: its name, and its text in *text
 * (statuses by wire name). NULL beyond the last one. */
const char *participant_field(size_t i, const struct participant *, const char **text);

struct guard {
	unsigned percent; /* more than this share of the participants vanishes; 0 = any */
	unsigned count;   /* more than this number vanishes or is deactivated at once; 0 = any */
	const struct guid *own;
	size_t own_count;
};

struct guard_verdict {
	struct change_totals totals;
	size_t own;  /* own entries that change serial, status or address, or vanish */
	bool shrink; /* too many are lost */
	bool hold;   /* either: not to be applied without a person */
};

/* Compares two snapshots (before may be NULL: nothing can be lost) against the limits. */
void guard_judge(const struct guard *, const struct snapshot *before, const struct snapshot *after,
                 struct guard_verdict *);
/*
 * `base` with every participant of `change` added or replaced; never removes. base may be NULL. When
 * `guard` is given, own entries whose change a person must see stay as they are in base. A sealed
 * descriptor or -1.
 */
int snapshot_merge(const struct snapshot *base, const struct snapshot *change,
                   const struct guard *guard, when mark, when fetched, when checked,
                   enum snapshot_source);

#endif
