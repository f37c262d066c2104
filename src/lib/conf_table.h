/* The schema of obmen.conf; private to conf*.c and their test. */
#ifndef OBMEN_CONF_TABLE_H
#define OBMEN_CONF_TABLE_H

#include "lib/conf.h"

enum conf_section {
	CONF_CERTIFICATE = CONF_GENERAL + 1,
	CONF_LISTEN,
	CONF_PARTICIPANT,
	CONF_PEER,
	CONF_SECTION_COUNT
};

extern const struct conf_rules conf_rules; /* conf.c */

#endif
