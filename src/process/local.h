/*
 * The local socket of a program's control role: SOCK_STREAM; one JSON object per line each way,
 * descriptors by SCM_RIGHTS with the line. One request at a time on a connection.
 */
#ifndef OBMEN_LOCAL_H
#define OBMEN_LOCAL_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ipc.h"

#define LOCAL_CLIENTS_MAX 64
#define LOCAL_LINE_MAX ((size_t)1 << 20) /* bytes of a request */
#define LOCAL_FDS_MAX (IPC_FRAME_FDS - 1) /* descriptors of a request; one stays for large JSON */
#define LOCAL_IDLE_SECONDS 60

struct event_base;
struct local;
struct local_client;

struct local_callbacks {
	/* Takes the JSON (an object) and the descriptors. local_answer follows, at once or later. */
	void (*request)(void *arg, struct local_client *, json_t *, const int *fds, unsigned nfds);
	/* The client went away before it was answered. */
	void (*gone)(void *arg, struct local_client *);
};

struct local_figures {
	unsigned clients;
	uint64_t served, refused;
};

/* A listening socket, for its owner and the group of this name ("" or none such: for its owner). What
 * a process that died left behind is replaced. -1 with errno. */
int local_listen(const char *path, const char *group);
/* Takes the socket. NULL without memory. */
struct local *local_new(struct event_base *, int fd, const struct local_callbacks *, void *arg);
void local_free(struct local *);
const struct local_figures *local_figures(const struct local *);

/* Sends one line; takes the descriptors, not the JSON. The client then reads its next request. */
void local_answer(struct local_client *, const json_t *, const int *fds, unsigned nfds);
/* The same for what is no request: the fault USAGE. */
void local_reject(struct local_client *, const char *why);
/* Who asks, for the log. */
void local_person(const struct local_client *, uid_t *uid, pid_t *pid);
/* A pointer of the user's. */
void local_set_data(struct local_client *, void *);
void *local_data(const struct local_client *);

#endif
