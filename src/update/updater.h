/*
 * obmen-update: the box's updater, the only program that writes to slots. It runs as root, because it
 * mounts and writes partitions, with no right beyond that. It opens no socket that others could talk to:
 * it calls on the node's control role (lib/packet.h) at UPDATER_SOCKET and does what it is asked there.
 *
 *	main.c     command line
 *	service.c  the link to control, verbs
 *	source.c   where a bundle comes from: a descriptor, a stick, an address
 *	trial.c    whether the running version, started on trial, is kept
 *	bundle.c   the file of an update; release.c what a version says of itself; slot.c the disk
 *	tool.c     other programs
 *
 * Verbs, as JSON objects with "verb"; answers have "ok", and otherwise "fault" and "detail":
 *	update.check    the version of a bundle, and whether it may be installed
 *	update.install  "ailing": what is wrong with the node as it is, an array of texts
 *	update.status   versions and states of both slots
 *	update.back     the other slot's version from the next start on
 * check and install: "from" ("file" with the descriptor; "stick", "url"; absent: what there is),
 * "address", "ca", "hosts" of the configuration. install and back: "restart" ("yes").
 * To control: {"ask":"judge"}; its answer is {"judged":[TEXT...]}, what speaks against this version.
 */
#ifndef OBMEN_UPDATE_UPDATER_H
#define OBMEN_UPDATE_UPDATER_H

#include "update/release.h"

#include <jansson.h>
#include <stdint.h>

#define UPDATER_SOCKET "/run/obmen/control.updater"
#define UPDATE_AUTHORITY "/etc/obmen-update.pem"
#define UPDATE_FOLDER "/data/update"
#define UPDATE_BEFORE UPDATE_FOLDER "/before" /* ailments of the version before, a line each */

struct trial {
	bool on;             /* the running version has not been marked good yet */
	bool given_up;
	uint64_t deadline;   /* seconds since the machine started */
	uint64_t next;       /* when control is asked again */
	unsigned well;       /* times in a row that nothing spoke against it */
	char against[512];   /* what did, last */
};

struct updater {
	int link;  /* -1: control is not there */
	char slot; /* that runs */
	bool restart;
	struct release running;
	struct trial trial;
};

/* -- service.c */

/* Serves until the end of the machine. Returns only when this is no box. */
int updater_serve(void);
/* Seconds since the machine started. */
uint64_t updater_uptime(void);
/* A line on the console. */
void updater_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Restarts in an orderly way: services stop first. */
void updater_restart(void);

/* -- source.c */

struct source {
	int fd;           /* the bundle */
	const char *name; /* "file", "stick" or "url" */
	bool mounted;
	char detail[256];
};

/* Finds the bundle that a request means; takes fd (-1: none). FAULT_NONE, UPDATE_NO_SOURCE, UPDATE_FETCH or
 * UPDATE_FORM with a detail. To be closed in any case. */
enum fault source_open(struct source *, const json_t *request, int fd);
void source_close(struct source *);

/* -- trial.c */

/* Looks whether the running version is on trial. */
void trial_begin(struct updater *);
/* What is to be done now: asks control, gives up when the time is over. */
void trial_step(struct updater *);
/* Control's answer. */
void trial_judged(struct updater *, const json_t *reasons);
/* Keeps what ails the node before an update, so that the next version is not blamed for it. */
bool trial_note_before(const json_t *ailing);

#endif
