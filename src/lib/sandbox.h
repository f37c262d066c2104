/* What a process may still do after it has opened what it needs. */
#ifndef OBMEN_SANDBOX_H
#define OBMEN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Groups of system calls; every role has the base (memory, time, poll, read, write, exit). */
enum sandbox_allow {
	SANDBOX_FILES = 1 << 0,   /* open, create, rename, link, unlink, stat: below .directory only */
	SANDBOX_CONNECT = 1 << 1, /* socket(AF_INET*), connect, UDP for DNS */
	SANDBOX_ACCEPT = 1 << 2,  /* accept on descriptors that are open already */
	SANDBOX_MEMFD = 1 << 3,   /* memory descriptors and their seals */
	SANDBOX_UNIX = 1 << 4,    /* accept and descriptors over unix sockets */
	SANDBOX_SYNC = 1 << 5,    /* fsync, fdatasync, locks, file mapping: for the store */
	SANDBOX_SCHED = 1 << 6,   /* setting its own scheduling */
};

struct sandbox {
	unsigned allow; /* enum sandbox_allow */
};

/*
 * Becomes the user (when root; user NULL = stays), drops all capabilities, sets no_new_privs,
 * applies Landlock (only `directory` and what lies below, or nothing when NULL; skipped with a
 * logged warning on kernels without it) and the seccomp filter. A forbidden call ends the process
 * with SIGSYS. False with a logged reason: the caller must exit.
 */
bool sandbox_enter(const struct sandbox *, const char *user, const char *directory);

#endif
