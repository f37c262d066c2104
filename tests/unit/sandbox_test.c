/* What a confined process can still do: every group of calls in a child of its own. */
#include "lib/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox_parts.h"

#define USER "nobody"

static char folder[] = "/tmp/sandbox-test-XXXXXX";

/* -- things to try; each ends with 0 when it worked, with errno otherwise */

static int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
open_other(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int
make_own(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/inside/file", folder);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	return fd < 0 ? errno : result(unlink(path));
}

static int
make_outside(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/file", folder);
	return result(open(path, O_RDWR | O_CREAT, 0600));
}

static int
execute(void)
{
	return result(execl("/bin/true", "true", NULL));
}

static int
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
inet_socket(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
unix_socket(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
connect_inet(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 ? errno : result(connect(fd, (struct sockaddr *)&a, sizeof a));
}

static int
accept_one(void)
{
	int rc = result(accept4(0, NULL, NULL, SOCK_CLOEXEC)); /* descriptor 0 is no socket */

	return rc == ENOTSOCK ? 0 : rc;
}

static int
make_memfd(void)
{
	return result(memfd_create("x", MFD_CLOEXEC));
}

static int
sync_file(void)
{
	int rc = result(fdatasync(0)); /* /dev/null: cannot, but the call is let through */

	return rc == EINVAL ? 0 : rc;
}

static int
set_priority(void)
{
	return result(setpriority(PRIO_PROCESS, 0, 19));
}

static int
executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	        MAP_FAILED ? errno : 0;
}

static int
trace(void)
{
	return result(syscall(SYS_ptrace, 0L, 0L, 0L, 0L));
}

static int
kill_parent(void)
{
	return result(kill(getppid(), 0));
}

static int
become_root(void)
{
	return result(setuid(0));
}

static int
harmless(void)
{
	struct stat st;
	char *p = malloc(1 << 20);

	memset(p, 1, 1 << 20);
	free(p);
	if (fstat(0, &st) < 0 || write(1, "", 0) < 0)
		return errno;
	void *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return m == MAP_FAILED ? errno : result(munmap(m, 4096));
}

/* -- trying them */

/* Runs f behind the sandbox in a child. Its errno, 0, or minus the signal that ended it. */
static int
confined(unsigned allow, const char *user, const char *directory, int (*f)(void))
{
	const struct sandbox s = {allow};
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (dup2(open("/dev/null", O_RDWR), 0) < 0 || !sandbox_enter(&s, user, directory))
			_exit(250);
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const struct trial {
	const char *name;
	int (*f)(void);
	unsigned needs; /* any of these groups lets it through; 0: nothing does */
	int refused;    /* what happens without */
} trials[] = {
	{"open", open_other, SANDBOX_FILES, EACCES},
	{"exec", execute, 0, -SIGSYS},
	{"fork", make_process, 0, -SIGSYS},
	{"socket", inet_socket, SANDBOX_CONNECT, -SIGSYS},
	{"unix socket", unix_socket, 0, -SIGSYS},
	{"connect", connect_inet, SANDBOX_CONNECT, -SIGSYS},
	{"accept", accept_one, SANDBOX_ACCEPT | SANDBOX_UNIX, -SIGSYS},
	{"memfd", make_memfd, SANDBOX_MEMFD, -SIGSYS},
	{"fdatasync", sync_file, SANDBOX_SYNC | SANDBOX_FILES, -SIGSYS},
	{"setpriority", set_priority, SANDBOX_SCHED, -SIGSYS},
	{"executable memory", executable_memory, 0, -SIGSYS},
	{"ptrace", trace, 0, -SIGSYS},
	{"kill", kill_parent, 0, -SIGSYS},
	{"setuid", become_root, 0, -SIGSYS},
};

static void
try_all(const char *user)
{
	for (unsigned bit = 0; bit <= 7; bit++) {
		unsigned allow = bit < 7 ? 1u << bit : 0;
		assert_int_equal(confined(allow, user, NULL, harmless), 0);
		for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
			const struct trial *t = &trials[i];
			int got = confined(allow, user, NULL, t->f);
			int wanted = allow & t->needs ? 0 : t->refused;
			/* The filter lets files through, but without a folder Landlock does not. */
			if (t->f == open_other && allow & SANDBOX_FILES)
				wanted = sandbox_landlock() ? EACCES : 0;
			if (got != wanted)
				print_error("%s with groups %#x as %s: %d instead of %d\n", t->name, allow,
				    user ? user : "itself", got, wanted);
			assert_int_equal(got, wanted);
		}
	}
}

static void
every_group_as_it_was_started(void **state)
{
	(void)state;
	if (!SANDBOX_FILTER)
		skip();
	try_all(NULL);
}

static void
every_group_as_an_unprivileged_user(void **state)
{
	(void)state;
	if (!SANDBOX_FILTER || geteuid() != 0)
		skip();
	try_all(USER);
}

static void
files_only_below_the_folder(void **state)
{
	const char *user = geteuid() == 0 ? USER : NULL;
	char inside[128];

	(void)state;
	snprintf(inside, sizeof inside, "%s/inside", folder);
	assert_int_equal(confined(SANDBOX_FILES, user, inside, make_own), 0);
	if (!sandbox_landlock())
		skip();
	assert_int_equal(confined(SANDBOX_FILES, user, inside, make_outside), EACCES);
	assert_int_equal(confined(SANDBOX_FILES, user, inside, open_other), EACCES);
	assert_int_equal(confined(SANDBOX_FILES, NULL, inside, make_outside), EACCES);
}

static int
check_identity(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];
	gid_t groups[8];

	if (syscall(SYS_capget, &h, d) < 0)
		return 1;
	if (d[0].effective | d[0].permitted | d[0].inheritable | d[1].effective | d[1].permitted)
		return 2;
	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		return 3;
	return getgroups(8, groups) == 0 ? 0 : 4;
}

/* The steps before the filter, which itself forbids to look. */
static void
becoming_a_user_leaves_nothing(void **state)
{
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	if (pid == 0) {
		_exit(!sandbox_become(USER, false) ? 9 : check_identity() ? check_identity() :
		      setuid(0) == 0 ? 10 : 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static int
bind_low_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(843)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return result(bind(fd, (struct sockaddr *)&a, sizeof a));
}

static void
low_ports_only_when_asked_for(void **state)
{
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int low = 0; low < 2; low++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(sandbox_become(USER, low) ? bind_low_port() : 250);
		waitpid(pid, &status, 0);
		/* Some containers let everybody bind; then only the permitted case says something. */
		if (low)
			assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EADDRINUSE);
		else
			assert_true(WEXITSTATUS(status) == EACCES || WEXITSTATUS(status) == 0);
	}
}

static int
look_at_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_CORE, &l) < 0 || l.rlim_cur || l.rlim_max)
		return 1;
	return 0;
}

static void
no_core_files(void **state)
{
	(void)state;
	assert_int_equal(confined(0, NULL, NULL, look_at_limits), 0);
}

static void
unknown_user_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(confined(0, "no-such-user-here", NULL, harmless), 250);
}

static int
setup(void **state)
{
	char inside[128];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(inside, sizeof inside, "%s/inside", folder);
	return mkdir(inside, 0777) < 0 || chmod(inside, 0777) < 0 || chmod(folder, 0777) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	char inside[128];

	(void)state;
	snprintf(inside, sizeof inside, "%s/inside", folder);
	rmdir(inside);
	rmdir(folder);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_group_as_it_was_started),
		cmocka_unit_test(every_group_as_an_unprivileged_user),
		cmocka_unit_test(files_only_below_the_folder),
		cmocka_unit_test(becoming_a_user_leaves_nothing),
		cmocka_unit_test(low_ports_only_when_asked_for),
		cmocka_unit_test(no_core_files),
		cmocka_unit_test(unknown_user_is_an_error),
	};

	log_init("sandbox_test", -1, LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
