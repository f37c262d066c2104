/* What a process may still do after it has opened what it needs. */
#ifndef OBMEN_SANDBOX_H
#define OBMEN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Groups of system calls; every role has the base (memory, time, poll, read, write, exit). */
enum sandbox_allow {
	SANDBOX_FILES = 1 << 0,   /* open, create, rename, link, unlink, stat: below .directory only */
	SANDBOX_CONNECT = 1 << 1, /* socket(AF_INET*), connect, UDP for DNS */
	SANDBOX_ACCEPT = 1 << 2,  /* accept on descriptors that are open already */
	SANDBOX_MEMFD = 1 << 3,   /* memory descriptors and their seals */
	SANDBOX_UNIX = 1 << 4,    /* accept and descriptors over unix sockets */
	SANDBOX_SYNC = 1 << 5,    /* fsync, fdatasync, locks, file mapping: for the store */
	SANDBOX_SCHED = 1 << 6,   /* setting its own scheduling */
	SANDBOX_CLOCK = 1 << 7,   /* asking whether the clock is synchronised */
};

struct sandbox {
	unsigned allow; /* enum sandbox_allow */
};

/*
 * Becomes the user with its own group and no other (NULL or "": stays who it is). low_ports keeps the one
 * capability that binding below 1024 needs, until sandbox_enter. Nothing can be undone. False with a
 * logged reason: the caller must exit.
 */
bool sandbox_become(const char *user, bool low_ports);

/*
 * Becomes the user as above, drops all capabilities, sets no_new_privs, no core files, not
 * dumpable; applies Landlock (only `directory` and what lies below, or nothing when NULL; left out
 * on kernels without it) and the seccomp filter. A forbidden call ends the process with SIGSYS,
 * except looking up or opening files by name, which libraries try on harmless occasions: without
 * SANDBOX_FILES that fails with EACCES. False with a logged reason: the caller must exit.
 * Builds with address or thread sanitizer have no filter, and say so.
 */
bool sandbox_enter(const struct sandbox *, const char *user, const char *directory);

/* The kernel's Landlock version, 0 when it has none. */
int sandbox_landlock(void);

/* Keeps these capabilities (a bit each) and no others, for itself and for what it starts. */
bool sandbox_limit(uint64_t capabilities);

/* Keeps only what starting other processes as other users needs; for parent. */
bool sandbox_parent(void);

#endif
