/* The seccomp filter: lists of calls by group, by name, so that they hold on every architecture. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/sandbox_parts.h"

static const char *const base_calls[] = {"read", "write", "readv", "writev", "pread64", "pwrite64",
    "preadv", "pwritev", "recvmsg", "recvfrom", "recv", "recvmmsg", "sendmsg", "sendto", "send",
    "sendmmsg", "sendfile", "close", "close_range", "shutdown", "lseek", "fstat", "fadvise64",
    "munmap", "mremap", "madvise", "brk", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl",
    "epoll_create1", "poll", "ppoll", "select", "pselect6", "eventfd2", "timerfd_create",
    "timerfd_settime", "timerfd_gettime", "pipe2", "clock_gettime", "clock_getres", "gettimeofday",
    "time", "clock_nanosleep", "nanosleep", "getpid", "getppid", "gettid", "getuid", "geteuid",
    "getgid", "getegid", "futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    "exit", "exit_group", "getrandom", "getsockopt", "setsockopt", "getsockname", "getpeername",
    "restart_syscall", "getrusage", "sched_yield", "rseq", "set_robust_list", "membarrier", "uname",
    "sysinfo", "sched_getaffinity", "getcpu", "dup", "dup2", "dup3", "fcntl", NULL};

static const char *const file_calls[] = {"open", "openat", "creat", "unlink", "unlinkat", "rename",
    "renameat", "renameat2", "link", "linkat", "mkdir", "mkdirat", "rmdir", "stat", "lstat",
    "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
    "getdents64", "ftruncate", "fallocate", "fchmod", "fchown", "utimensat", "statfs", "fstatfs",
    "umask", "getcwd", "fsync", "fdatasync", NULL};

/* Refused with EACCES instead of death when a role has no files. */
static const char *const lookup_calls[] = {"open", "openat", "stat", "lstat", "newfstatat", "statx",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", NULL};

static const char *const connect_calls[] = {"connect", NULL};
static const char *const accept_calls[] = {"accept", "accept4", "listen", NULL};
static const char *const memfd_calls[] = {"memfd_create", "ftruncate", NULL};
static const char *const sync_calls[] = {"fsync", "fdatasync", "sync_file_range", "flock",
    "ftruncate", "fallocate", "copy_file_range", "fstatfs", NULL};
static const char *const sched_calls[] = {"sched_setattr", "sched_getattr", "sched_setscheduler",
    "sched_getscheduler", "sched_setparam", "setpriority", NULL};

/* Setting takes a capability that no role keeps. */
static const char *const clock_calls[] = {"adjtimex", "clock_adjtime", NULL};

static const struct group {
	unsigned bit;
	const char *const *calls;
} groups[] = {
    {SANDBOX_FILES, file_calls},
    {SANDBOX_CONNECT, connect_calls},
    {SANDBOX_ACCEPT, accept_calls},
    {SANDBOX_MEMFD, memfd_calls},
    {SANDBOX_UNIX, accept_calls},
    {SANDBOX_SYNC, sync_calls},
    {SANDBOX_SCHED, sched_calls},
    {SANDBOX_CLOCK, clock_calls},
};

/* Calls that this architecture does not have are left out. */
static int
allow_calls(scmp_filter_ctx ctx, const char *const *calls, uint32_t action)
{
	int rc = 0;

	for (; *calls && rc == 0; calls++) {
		int nr = seccomp_syscall_resolve_name(*calls);
		if (nr >= 0)
			rc = seccomp_rule_add_exact(ctx, action, nr, 0);
	}
	return rc;
}

static int
allow_if(scmp_filter_ctx ctx, const char *call, struct scmp_arg_cmp condition)
{
	int nr = seccomp_syscall_resolve_name(call);

	return nr < 0 ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, condition);
}

/* Calls that depend on an argument. */
static int
allow_conditional(scmp_filter_ctx ctx, unsigned allow)
{
	int rc = allow_if(ctx, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	rc = rc ? rc : allow_if(ctx, "mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc = rc ? rc : allow_if(ctx, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0));
	rc = rc ? rc : allow_if(ctx, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
	rc = rc ? rc : allow_if(ctx, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0, 0));
	/* abort(): a signal to oneself only */
	rc = rc ? rc : allow_if(ctx, "tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	if (allow & SANDBOX_CONNECT) {
		rc = rc ? rc : allow_if(ctx, "socket", SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
		rc = rc ? rc : allow_if(ctx, "socket", SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
	}
	return rc;
}

static int
add_rules(scmp_filter_ctx ctx, unsigned allow)
{
	int rc = allow_calls(ctx, base_calls, SCMP_ACT_ALLOW);

	for (size_t i = 0; i < sizeof groups / sizeof *groups && rc == 0; i++) {
		if (allow & groups[i].bit)
			rc = allow_calls(ctx, groups[i].calls, SCMP_ACT_ALLOW);
	}
	rc = rc ? rc : allow_conditional(ctx, allow);
	if (rc || allow & SANDBOX_FILES)
		return rc;
	/* glibc implements fstat(2) by this, too */
	rc = allow_if(ctx, "newfstatat", SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	for (const char *const *c = lookup_calls; *c && rc == 0; c++) {
		int nr = seccomp_syscall_resolve_name(*c);
		if (nr < 0)
			continue;
		if (strcmp(*c, "newfstatat") == 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), nr, 1,
			    SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0));
		else
			rc = seccomp_rule_add_exact(ctx, SCMP_ACT_ERRNO(EACCES), nr, 0);
	}
	return rc;
}

bool
sandbox_filter(unsigned allow)
{
	if (!SANDBOX_FILTER) {
		log_warning("sandbox.no-filter", "reason=\"built with a sanitizer\"");
		return true;
	}
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx) {
		log_error("sandbox.failed", "step=\"seccomp\" reason=\"out of memory\"");
		return false;
	}
	int rc = add_rules(ctx, allow);
	rc = rc ? rc : seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc)
		log_error("sandbox.failed", "step=\"seccomp\" reason=\"%s\"", strerror(-rc));
	return rc == 0;
}
