/* Is the machine's clock certainly wrong? A board without a battery starts in 1970. */
#ifndef OBMEN_CLOCK_H
#define OBMEN_CLOCK_H

#include <stdbool.h>
#include "lib/when.h"

struct conf;

/*
 * The earliest moment that can be now: when the first of the configuration's CA certificates came into
 * force, or the first of the node's own, whichever is later. Successors that are to come do not count.
 * 0 = not known (no file could be read). Reads files: before the sandbox.
 */
when clock_floor(const struct conf *);

/*
 * The clock stands before the floor: every certificate would look "not yet valid", and everything that
 * is dated now would be dated wrongly. Whatever is refused meanwhile is refused for a time only.
 */
bool clock_wrong(when floor);

#endif
