/* Starting a role as a process of its own: fork, close everything, execute this program again. */
#ifndef OBMEND_PROCESS_H
#define OBMEND_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/conf.h"
#include "obmend/role.h"

/* Starts a role; *channel is the parent's end of its channel. -1 with errno. */
pid_t process_start(enum role_id, unsigned index, int *channel);

/* Makes the folders below state-directory and that of the control socket, owned by the users of
 * their roles. False with a logged reason. */
bool process_make_folders(const struct conf *);

#endif
