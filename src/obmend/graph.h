/*
 * Who talks to whom: the edges of the process graph as one table. Parent makes a channel for every
 * edge; two roles without an edge cannot reach each other.
 */
#ifndef OBMEN_GRAPH_H
#define OBMEN_GRAPH_H

#include "obmend/role.h"

enum edge_kind {
	EDGE_EACH, /* every instance of a with every instance of b */
	EDGE_SAME, /* instance i of a with instance i of b */
	EDGE_SYNC, /* a calls the first instance of b by ipc_call, for TLS handshakes */
};

struct edge {
	enum role_id a, b;
	enum edge_kind kind;
};

extern const struct edge graph_edges[];
extern const unsigned graph_edge_count;

/* How many processes of a role there are. */
unsigned graph_instances(enum role_id, unsigned codecs);
/* True when the edge joins these instances of its a and b. */
bool graph_joins(const struct edge *, unsigned a_index, unsigned b_index);

#endif
