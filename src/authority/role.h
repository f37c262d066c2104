/* The roles of obmen-authorityd: program.c says who talks to whom. */
#ifndef OBMEN_AUTHORITY_ROLE_H
#define OBMEN_AUTHORITY_ROLE_H

#include "authority/conf.h"
#include "process/role.h"

enum authority_role { ROLE_FRONT = ROLE_PARENT + 1, ROLE_DESK, ROLE_RA, ROLE_CA, ROLE_SIGNER,
	ROLE_LEDGER, ROLE_CONTROL, ROLE_COUNT };

extern const struct role role_front, role_desk, role_ra, role_ca, role_signer, role_ledger, role_control;

extern const struct program authority;

/* As in `--role` and in status: "ledger". */
const char *role_name(unsigned role);

static inline struct authority_conf *
authority_conf(const struct self *self)
{
	return self->conf;
}

#endif
