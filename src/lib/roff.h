/* Text for manual pages in mdoc(7). */
#ifndef OBMEN_ROFF_H
#define OBMEN_ROFF_H

#include <stdio.h>

/* Text as lines of its own: every sentence begins one, none is wider than 78 bytes, none begins with
 * what would be a macro. */
void roff_write(FILE *, const char *text);

#endif
