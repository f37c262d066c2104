/* "Did you mean ...?" */
#ifndef OBMEN_NEAREST_H
#define OBMEN_NEAREST_H

#include <stddef.h>

/* Edit distance of two words, letters swapped count once; words are cut at 63 bytes. */
unsigned nearest_distance(const char *a, const char *b);

/* A running choice of the nearest word: begin with {.word = what was written}, offer every
 * candidate; .best is the nearest one, or NULL when none is near enough to be a slip. */
struct nearest {
	const char *word;
	const char *best;
	unsigned distance;
};
void nearest_offer(struct nearest *, const char *candidate);

#endif
