/*
 * What all roles have in common: start, channels to the other roles, dispatch, shutdown.
 *
 * parent starts every role by executing the program again with `--role NAME --index N`; descriptor 3 is
 * the channel to parent. Parent then sends the configuration and, for every edge of the process
 * graph (program.h), one end of a channel. When a role dies it is started again and its neighbours
 * get a fresh channel: role_peer_up is called again.
 */
#ifndef OBMEN_PROCESS_ROLE_H
#define OBMEN_PROCESS_ROLE_H

#include <jansson.h>
#include "lib/ipc.h"
#include "lib/when.h"
#include "process/program.h"

struct event_base;
struct revocations;

#define ROLE_PARENT 0
#define ROLE_MAX 12       /* role ids of a program are below */
#define ROLE_INDEX_MAX 16 /* instances of one role */

/* The running process, handed to every callback. There is one per process; it is not global. */
struct self {
	unsigned role;
	unsigned index;
	unsigned workers;        /* instances of each role that is many */
	struct event_base *base;
	void *conf;              /* what the program's schema made; the program casts it in one place */
	struct ipc *peers[ROLE_MAX][ROLE_INDEX_MAX]; /* NULL while a peer is down; parent for control only */
	/* Raw descriptor for ipc_call to a signer, -1 if this role has none; here before open, and the
	 * same number when the signer was started again. In signer 0 the callers are peers. */
	int sync_signer;
	/* What WIRE_TRUST says about certificates (self_on_trust): */
	uint64_t switched;             /* own ones that gave way to their successors, a bit by index */
	struct revocations *revoked;   /* NULL: none is known */
	when clock_floor; /* lib/clock.h, for roles that ask; 0 = not known */
	void *state;     /* the role's own context */
};

struct peer {
	unsigned role;
	unsigned index;
};

typedef void (*role_handler)(struct self *, struct peer from, struct ipc_frame *);

/* One row per message that a role understands; anything else from that peer is a bug: it is logged,
 * the channel is closed, and parent makes a fresh one after a second. */
struct role_message {
	unsigned from;
	uint16_t type;
	role_handler handle;
};

struct role {
	unsigned id;
	const char *name;
	bool many;      /* as many processes as there are workers */
	bool low_ports; /* may bind ports below 1024 while it opens */
	bool control;   /* asks the others for people, and may talk to parent */
	/* Before the sandbox, with the rights of the role's user: open keys, files, sockets. False with
	 * a logged reason = the node does not start. */
	bool (*open)(struct self *);
	/* After the sandbox is on and the first channels are up: sending works, nothing is received
	 * before it returns. */
	bool (*start)(struct self *);
	/* A channel came up: once for each of the first ones, after start, and again for each fresh one.
	 * May be NULL. */
	void (*peer_up)(struct self *, struct peer);
	void (*peer_down)(struct self *, struct peer);
	/* The configuration was read again: self->conf holds the new values of what may change (the table
	 * of options says so), at the same address; what was made of the old ones is to be made again.
	 * May be NULL. */
	void (*reload)(struct self *);
	/* Orderly end: finish what is cheap to finish, free self->state. May be NULL. */
	void (*stop)(struct self *);
	/* Figures and state of this role for operators, an object; a new reference. May be NULL. The
	 * framework answers WIRE_QUERY {"verb":"status"} with it; such a query never comes to a handler. */
	json_t *(*status)(struct self *);
	const struct role_message *messages;
	size_t message_count;
	const struct sandbox *sandbox; /* lib/sandbox.h; with SANDBOX_FILES the files below
	                                * <state-directory>/<name>, which parent makes */
};

/* Runs a role until parent says stop or disappears. Returns the exit status. */
int role_run(const struct program *, const struct role *, unsigned index);

/* Sends to a peer; false when it is down or its queue is full. Takes the descriptors in any case. */
bool role_send(struct self *, unsigned role, unsigned index, uint16_t type, uint64_t id,
               const void *payload, size_t len, const int *fds, unsigned nfds);

/* Handler of WIRE_TRUST for the roles that use certificates. */
void self_on_trust(struct self *, struct peer, struct ipc_frame *);

#endif
