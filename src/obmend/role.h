/* The roles of obmend: what program.c makes of them is in process/role.h and process/program.h. */
#ifndef OBMEN_ROLE_H
#define OBMEN_ROLE_H

#include "lib/conf.h"
#include "process/role.h"

enum role_id { ROLE_FRONT = ROLE_PARENT + 1, ROLE_CODEC, ROLE_SIGNER, ROLE_STORE, ROLE_COURIER,
	ROLE_DIRECTORY, ROLE_CONTROL, ROLE_COUNT };

extern const struct role role_front, role_codec, role_signer, role_store, role_courier,
    role_directory, role_control;

/* The process graph of the node, its order of stopping, its configuration. */
extern const struct program obmend;

/* As in `--role` and in status: "codec". */
const char *role_name(unsigned role);

static inline struct conf *
self_conf(const struct self *self)
{
	return self->conf;
}

#endif
