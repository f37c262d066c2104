/* Running another program and waiting for it: fsck.fat, findfs, the fetcher. */
#ifndef OBMEN_UPDATE_TOOL_H
#define OBMEN_UPDATE_TOOL_H

#include <stddef.h>

/* Starts argv (ended by NULL; argv[0] is a path), with no descriptors but its output, and waits. The last
 * line of its output goes to `line` (NULL: nowhere). Returns its exit status, 127 when it did not start or
 * was ended by a signal. */
int tool_run(const char *const *argv, char *line, size_t size);

/* The same with its standard output on a file; `line` is of its standard error. */
int tool_run_to(const char *const *argv, int output, char *line, size_t size);

#endif
