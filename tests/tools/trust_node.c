/*
 * The node itself, with one addition that the product does not have: a queued SIGUSR1 makes a running
 * role try something that it must not be able to do, in the midst of its work, with its own user,
 * filter and descriptors. The outcome is a line on its log; or the kernel ends the process.
 *
 *	trust_node -c FILE          runs the node
 *	trust_node --list           names of the trials, one a line
 *	trust_node --try N PID FILE tries one without any confinement, to show that the trial itself works
 *
 * The signal's value is the number of the trial and, above its eight bits, a process to try it on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "obmend/role.h"
#include "process/parent.h"
#include "obmend/role.h"

/* What the trials need to know; filled before the sandbox, read by the signal handler. */
static struct {
	char name[32];
	char key[PATH_MAX];
	char state[PATH_MAX];
	char own[PATH_MAX]; /* the role's own folder */
	pid_t other;
} known;

static bool (*real_open[ROLE_COUNT])(struct self *);

/* -- trials: 0, or errno */

static int
outcome(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
open_path(const char *path, int flags)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
	int result = outcome(fd);

	if (fd >= 0)
		close(fd);
	return result;
}

static int
open_of_other(const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)known.other, what);
	return open_path(path, flags);
}

static int
open_below_state(const char *what, int flags)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof path, "%s/%s", known.state, what);
	return open_path(path, flags);
}

static int read_key(void) { return open_path(known.key, O_RDONLY); }
static int read_passwd(void) { return open_path("/etc/passwd", O_RDONLY); }
static int write_tmp(void) { return open_path("/tmp", O_TMPFILE | O_RDWR); }
static int read_disk(void) { return open_path("/dev/null", O_RDWR); }
static int read_store(void) { return open_below_state("store/store.db", O_RDONLY); }
static int read_directory(void) { return open_below_state("directory", O_RDONLY | O_DIRECTORY); }
static int make_below_state(void) { return open_below_state(".", O_TMPFILE | O_RDWR); }
static int own_folder(void) { return open_path(known.own, O_RDONLY | O_DIRECTORY); }
static int memory_of_other(void) { return open_of_other("mem", O_RDONLY); }
static int maps_of_other(void) { return open_of_other("maps", O_RDONLY); }
static int environment_of_other(void) { return open_of_other("environ", O_RDONLY); }
static int descriptors_of_other(void) { return open_of_other("fd", O_RDONLY | O_DIRECTORY); }
static int memory_of_self(void) { return open_path("/proc/self/mem", O_RDWR); }
static int inet_socket(void) { return outcome(socket(AF_INET, SOCK_STREAM, 0)); }
static int inet6_socket(void) { return outcome(socket(AF_INET6, SOCK_DGRAM, 0)); }
static int unix_socket(void) { return outcome(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int netlink_socket(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)); }

static int
connect_inet(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	/* No socket is given: the call itself is what the filter judges. */
	return connect(-1, (struct sockaddr *)&a, sizeof a) < 0 && errno == EBADF ? 0 : errno;
}

static int
bind_inet(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	return bind(-1, (struct sockaddr *)&a, sizeof a) < 0 && errno == EBADF ? 0 : errno;
}

static int
accept_inet(void)
{
	return accept4(-1, NULL, NULL, 0) < 0 && errno == EBADF ? 0 : errno;
}

static int
run_program(void)
{
	char *argv[] = {"true", NULL}, *env[] = {NULL};

	return outcome(syscall(SYS_execve, "/bin/true", argv, env));
}

static int
new_process(void)
{
	long pid = syscall(SYS_clone, (unsigned long)SIGCHLD, 0L, 0L, 0L, 0L);

	if (pid == 0)
		syscall(SYS_exit_group, 0L);
	return outcome(pid);
}

static int trace_other(void) { return outcome(syscall(SYS_ptrace, PTRACE_SEIZE, known.other, 0L, 0L)); }
static int pidfd_of_other(void) { return outcome(syscall(SYS_pidfd_open, known.other, 0)); }

static int
steal_descriptor(void)
{
	return syscall(SYS_pidfd_getfd, -1, 0, 0) < 0 && errno == EBADF ? 0 : errno;
}

static int
copy_from_other(void)
{
	char here[8];
	struct iovec to = {here, sizeof here}, from = {known.key, sizeof here};
	long n = syscall(SYS_process_vm_readv, known.other, &to, 1UL, &from, 1UL, 0UL);

	/* EFAULT: it was let in, but the other has nothing at this address. */
	return n < 0 && errno == EFAULT ? 0 : outcome(n);
}

static int
write_to_other(void)
{
	char here[8] = "";
	struct iovec from = {here, 0}, to = {known.key, 0};

	return outcome(syscall(SYS_process_vm_writev, known.other, &from, 1UL, &to, 1UL, 0UL));
}

static int signal_other(void) { return outcome(kill(known.other, 0)); }

static int
executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	        MAP_FAILED ? errno : 0;
}

static int
make_executable(void)
{
	void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return m == MAP_FAILED ? errno : outcome(mprotect(m, 4096, PROT_READ | PROT_EXEC));
}

static int become_root(void) { return outcome(syscall(SYS_setuid, 0L)); }
static int undo_dumpable(void) { return outcome(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }
static int new_namespace(void) { return outcome(unshare(CLONE_NEWUSER)); }
static int mount_something(void) { return outcome(mount("none", "/proc", "proc", 0, NULL)); }

static int
ring(void)
{
	uint8_t params[120] = {0};

	return outcome(syscall(SYS_io_uring_setup, 1L, params));
}

static int
bpf_program(void)
{
	union bpf_attr a;

	memset(&a, 0, sizeof a);
	return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a));
}

static int harmless(void) { return outcome(getpid()); }

#define TRIAL(f) {#f, f}
static const struct trial {
	const char *name;
	int (*f)(void);
} trials[] = {TRIAL(harmless), TRIAL(own_folder), TRIAL(read_key), TRIAL(read_passwd), TRIAL(write_tmp),
    TRIAL(read_disk), TRIAL(read_store), TRIAL(read_directory), TRIAL(make_below_state),
    TRIAL(memory_of_other), TRIAL(maps_of_other), TRIAL(environment_of_other),
    TRIAL(descriptors_of_other), TRIAL(memory_of_self), TRIAL(inet_socket), TRIAL(inet6_socket),
    TRIAL(unix_socket), TRIAL(netlink_socket), TRIAL(connect_inet), TRIAL(bind_inet),
    TRIAL(accept_inet), TRIAL(run_program), TRIAL(new_process), TRIAL(trace_other),
    TRIAL(pidfd_of_other), TRIAL(steal_descriptor), TRIAL(copy_from_other), TRIAL(write_to_other),
    TRIAL(signal_other), TRIAL(executable_memory), TRIAL(make_executable), TRIAL(become_root),
    TRIAL(undo_dumpable), TRIAL(new_namespace), TRIAL(mount_something), TRIAL(ring),
    TRIAL(bpf_program)};

#define TRIALS (sizeof trials / sizeof *trials)

static void
on_signal(int number, siginfo_t *info, void *context)
{
	unsigned value = (unsigned)info->si_value.sival_int, n = value & 0xff;
	char line[128];
	int saved = errno;

	(void)number, (void)context;
	known.other = (pid_t)(value >> 8);
	if (n >= TRIALS)
		return;
	int result = trials[n].f();
	int len = snprintf(line, sizeof line, "trial %s %d %s %d\n", known.name, (int)getpid(),
	    trials[n].name, result);
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		abort();
	errno = saved;
}

/* Before the sandbox, as the product's open; then the product's. */
static bool
open_and_listen(struct self *self)
{
	struct sigaction on = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	snprintf(known.name, sizeof known.name, "%s%u", role_name(self->role), self->index);
	if (self_conf(self)->certificate_count)
		snprintf(known.key, sizeof known.key, "%s", self_conf(self)->certificates[0].key);
	snprintf(known.state, sizeof known.state, "%s", self_conf(self)->state_directory);
	snprintf(known.own, sizeof known.own, "%.4000s/%s", known.state, role_name(self->role));
	return sigaction(SIGUSR1, &on, NULL) == 0 &&
	    (!real_open[self->role] || real_open[self->role](self));
}

static int
run_role(const char *name, unsigned index)
{
	unsigned id = program_role_by_name(&obmend, name);

	if (id >= ROLE_COUNT || !obmend.roles[id])
		return 2;
	struct role with_trials = *obmend.roles[id];
	real_open[id] = with_trials.open;
	with_trials.open = open_and_listen;
	return role_run(&obmend, &with_trials, index);
}

static int
list(void)
{
	for (size_t i = 0; i < TRIALS; i++)
		puts(trials[i].name);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--role") == 0)
		return run_role(argv[2], (unsigned)strtoul(argv[4], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return parent_run(&obmend, argv[2]);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc != 5 || strcmp(argv[1], "--try") != 0 || strtoul(argv[2], NULL, 10) >= TRIALS)
		return 2;
	known.other = (pid_t)strtol(argv[3], NULL, 10);
	snprintf(known.key, sizeof known.key, "%s", argv[4]);
	snprintf(known.own, sizeof known.own, "/");
	int result = trials[strtoul(argv[2], NULL, 10)].f();
	if (result)
		fprintf(stderr, "%s\n", strerror(result));
	return result != 0;
}
