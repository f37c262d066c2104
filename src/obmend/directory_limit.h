/* How often the register may be asked about single participants (design 3). */
#ifndef OBMEN_DIRECTORY_LIMIT_H
#define OBMEN_DIRECTORY_LIMIT_H

#include <stdbool.h>
#include "lib/guid.h"
#include "lib/when.h"

#define LIMIT_GUIDS 1024 /* remembered; beyond that the oldest is forgotten: the budget holds still */
#define LIMIT_BURST 20   /* questions about different participants at once */

struct limit {
	when interval; /* between questions about one participant */
	when refill;   /* one more question each */
	when budget;   /* in time: a question costs `refill` */
	when last;
	struct {
		struct guid guid;
		when at;
	} asked[LIMIT_GUIDS];
	unsigned count, next;
};

/* Begins with the whole burst. `now` is monotonic. */
void limit_init(struct limit *, when interval, when refill, when now);
/* True, and counted, when a question about this participant may be asked now. `now` is monotonic. */
bool limit_allows(struct limit *, const struct guid *, when now);

#endif
