/*
 * What all roles have in common: start, channels to the other roles, dispatch, shutdown.
 *
 * parent starts every role by executing obmend again with `--role NAME --index N`; descriptor 3 is
 * the channel to parent. Parent then sends the configuration and, for every edge of the process
 * graph (graph.h), one end of a channel. When a role dies it is started again and its neighbours
 * get a fresh channel: role_peer_up is called again.
 */
#ifndef OBMEN_ROLE_H
#define OBMEN_ROLE_H

#include <jansson.h>
#include "lib/conf.h"
#include "lib/ipc.h"

struct event_base;
struct revocations;

enum role_id { ROLE_PARENT, ROLE_FRONT, ROLE_CODEC, ROLE_SIGNER, ROLE_STORE, ROLE_COURIER,
	ROLE_DIRECTORY, ROLE_CONTROL, ROLE_COUNT };

#define ROLE_INDEX_MAX 16 /* instances of one role */

/* The running process, handed to every callback. There is one per process; it is not global. */
struct self {
	enum role_id role;
	unsigned index;
	unsigned codecs;         /* instances of codec, and of signer */
	struct event_base *base;
	struct conf *conf;
	struct ipc *peers[ROLE_COUNT][ROLE_INDEX_MAX]; /* NULL while a peer is down; parent for control only */
	/* Raw descriptor for ipc_call to a signer, -1 if this role has none; here before open, and the
	 * same number when the signer was started again. In signer 0 the callers are peers. */
	int sync_signer;
	/* What directory says about certificates, in front, codec and courier (self_on_trust): */
	uint64_t switched;             /* own ones that gave way to their successors, a bit by index */
	struct revocations *revoked;   /* NULL: none is known */
	void *state;     /* the role's own context */
};

struct peer {
	enum role_id role;
	unsigned index;
};

typedef void (*role_handler)(struct self *, struct peer from, struct ipc_frame *);

/* One row per message that a role understands; anything else from that peer is a bug: it is logged,
 * the channel is closed, and parent makes a fresh one after a second. */
struct role_message {
	enum role_id from;
	uint16_t type;
	role_handler handle;
};

struct role {
	enum role_id id;
	const char *name;
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

extern const struct role role_front, role_codec, role_signer, role_store, role_courier,
    role_directory, role_control;

/* Runs a role until parent says stop or disappears. Returns the exit status. */
int role_run(const struct role *, unsigned index);

/* Sends to a peer; false when it is down or its queue is full. Takes the descriptors in any case. */
bool role_send(struct self *, enum role_id, unsigned index, uint16_t type, uint64_t id,
               const void *payload, size_t len, const int *fds, unsigned nfds);

/* Handler of WIRE_TRUST for the roles that use certificates. */
void self_on_trust(struct self *, struct peer, struct ipc_frame *);

/* As in `--role` and in status: "codec". */
const char *role_name(enum role_id);
enum role_id role_by_name(const char *); /* ROLE_COUNT when unknown */

#endif
