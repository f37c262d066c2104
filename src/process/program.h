/*
 * A program of several processes: what a program says about itself, and what the framework makes of
 * it. obmend and obmen-authorityd are two such programs.
 */
#ifndef OBMEN_PROGRAM_H
#define OBMEN_PROGRAM_H

#include <stddef.h>

#include "lib/conf_table.h"
#include "lib/log.h"

struct role;

enum edge_kind {
	EDGE_EACH, /* every instance of a with every instance of b */
	EDGE_SAME, /* instance i of a with instance i of b */
	EDGE_SYNC, /* a calls the first instance of b by ipc_call, for TLS handshakes */
};

/* Who talks to whom: parent makes a channel for every edge; two roles without an edge cannot reach
 * each other. */
struct edge {
	unsigned a, b; /* role ids */
	enum edge_kind kind;
};

/* What the framework needs of a configuration; strings belong to the configuration. */
struct program_settings {
	const char *state_directory;
	const char *control_socket;
	/* Started as root, roles run as <prefix>-<role>, or all as <prefix> when those are missing;
	 * empty: they stay root. */
	const char *user_prefix;
	enum log_level log_level;
	enum log_format log_format;
	unsigned workers; /* instances of roles that are many; 0 = one per core, fewer with little memory */
};

struct program {
	const char *name;                /* "obmend" */
	const char *default_conf;
	const char *usage;               /* for people, both languages */
	const struct role *const *roles; /* by id; NULL where there is none, as for 0, the parent */
	unsigned role_count;             /* ids are below */
	const struct edge *edges;
	unsigned edge_count;
	const unsigned *stop_order;      /* sets of role ids (bits), one after the other */
	unsigned stop_steps;
	const struct conf_schema *conf;
	void (*settings)(const void *conf, struct program_settings *);
	/* All roles are ready for the first time: says so in the log, with what people look for. */
	void (*up)(const void *conf, unsigned workers);
};

/* The whole of main(): options, then parent_run or role_run (parent.h, role.h). */
int program_main(const struct program *, int argc, char **argv);

/* As in `--role` and in status: "codec"; 0 is "parent"; "?" for others. */
const char *program_role_name(const struct program *, unsigned role);
unsigned program_role_by_name(const struct program *, const char *); /* role_count when unknown */
/* How many processes of a role there are, with so many workers. */
unsigned program_instances(const struct program *, unsigned role, unsigned workers);
/* True when the edge joins these instances of its a and b. */
bool edge_joins(const struct edge *, unsigned a_index, unsigned b_index);

#endif
