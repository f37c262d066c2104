#include "lib/nearest.h"

#include <string.h>

#define WORD_MAX 63

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned
nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t la = strnlen(a, WORD_MAX), lb = strnlen(b, WORD_MAX);
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *free_row = before;
		before = above;
		above = row;
		row = free_row;
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(above[j] + 1, row[j - 1] + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1, row[j]);
		}
	}
	return row[lb];
}

void
nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned d = nearest_distance(n->word, candidate);
	size_t len = strlen(n->word);

	if (d > 1 + len / 4 || (n->best && d >= n->distance))
		return;
	n->best = candidate;
	n->distance = d;
}
