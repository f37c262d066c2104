/* Starting a role as a process of its own: fork, close everything, execute this program again. */
#ifndef OBMEN_SPAWN_H
#define OBMEN_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/program.h"

/* Starts a role; *channel is the parent's end of its channel. -1 with errno. */
pid_t spawn_role(const struct program *, unsigned role, unsigned index, int *channel);

/* Makes the folders below state-directory and that of the control socket, owned by the users of
 * their roles. False with a logged reason. */
bool spawn_make_folders(const struct program *, const struct program_settings *);

#endif
