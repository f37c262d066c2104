#include "process/spawn.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "process/role.h"

#define CHILD_FD 3

/* What a role may need from the environment; nothing else is passed on. */
static const char *const environment[] = {"TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
    "TSAN_OPTIONS", "OPENSSL_CONF", "PKCS11_MODULE_PATH", "SOFTHSM2_CONF"};

#define ENVIRONMENT_COUNT (sizeof environment / sizeof *environment)

static void
keep_environment(char *out[ENVIRONMENT_COUNT + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < ENVIRONMENT_COUNT; i++) {
		const char *value = getenv(environment[i]);
		size_t size = value ? strlen(environment[i]) + strlen(value) + 2 : 0;
		char *pair = value ? malloc(size) : NULL;
		if (!pair)
			continue;
		snprintf(pair, size, "%s=%s", environment[i], value);
		out[n++] = pair;
	}
	out[n] = NULL;
}

/* In the child: descriptors 0 to 3 and nothing else, then the program again. */
static _Noreturn void
become_role(const struct program *p, unsigned role, unsigned index, int fd, char **env)
{
	char number[16];
	char *argv[] = {(char *)p->name, "--role", (char *)program_role_name(p, role), "--index", number,
	    NULL};

	snprintf(number, sizeof number, "%u", index);
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(1);
	if (fd == CHILD_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, CHILD_FD) < 0)
		_exit(1);
	if (close_range(CHILD_FD + 1, ~0U, 0) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	execve("/proc/self/exe", argv, env);
	_exit(1);
}

pid_t
spawn_role(const struct program *p, unsigned role, unsigned index, int *channel)
{
	char *env[ENVIRONMENT_COUNT + 1];
	int fds[2];

	if (!ipc_pair(fds))
		return -1;
	keep_environment(env);
	pid_t pid = fork();
	if (pid == 0)
		become_role(p, role, index, fds[1], env);
	int saved = errno;
	for (char **e = env; *e; e++)
		free(*e);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		errno = saved;
		return -1;
	}
	*channel = fds[0];
	return pid;
}

/* The user of a role as role.c finds it; NULL: roles run as this process does. */
static const struct passwd *
user_of(const struct program_settings *c, const char *role)
{
	char name[64];

	if (geteuid() != 0 || !*c->user_prefix)
		return NULL;
	snprintf(name, sizeof name, "%s-%s", c->user_prefix, role);
	const struct passwd *pw = getpwnam(name);
	return pw ? pw : getpwnam(c->user_prefix);
}

static bool
make_folder(const char *path, mode_t mode, const struct passwd *owner)
{
	struct stat st;
	bool made = mkdir(path, mode) == 0;

	if (!made && errno != EEXIST) {
		log_error("parent.folder", "path=\"%s\" reason=\"%s\"", path, strerror(errno));
		return false;
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		log_error("parent.folder", "path=\"%s\" reason=\"not a folder\"", path);
		return false;
	}
	if (owner && st.st_uid != owner->pw_uid && chown(path, owner->pw_uid, owner->pw_gid) < 0) {
		log_error("parent.folder", "path=\"%s\" reason=\"%s\"", path, strerror(errno));
		return false;
	}
	return !made || chmod(path, mode) == 0;
}

/* The socket inherits the folder's group: members of the group <user-prefix> may use it. */
static bool
share_folder(const struct program_settings *c, const char *path)
{
	const struct group *g = geteuid() == 0 && *c->user_prefix ? getgrnam(c->user_prefix) : NULL;

	return !g || (chown(path, (uid_t)-1, g->gr_gid) == 0 && chmod(path, 02755) == 0);
}

/* Only a folder that was not there becomes control's own: /run itself stays as it is. */
static bool
make_socket_folder(const struct program_settings *c, const char *control)
{
	char path[4096];

	snprintf(path, sizeof path, "%s", c->control_socket);
	char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return true;
	*slash = 0;
	return access(path, F_OK) == 0 ||
	    (make_folder(path, 0755, user_of(c, control)) && share_folder(c, path));
}

/* Roles must be able to pass through the state folder, and to see nothing else there. */
bool
spawn_make_folders(const struct program *p, const struct program_settings *c)
{
	char path[4096];

	if (!make_folder(c->state_directory, 0711, NULL))
		return false;
	for (unsigned i = 0; i < p->role_count; i++) {
		const struct role *r = p->roles[i];
		if (r && r->control && !make_socket_folder(c, r->name))
			return false;
		if (!r || !r->sandbox || !(r->sandbox->allow & SANDBOX_FILES))
			continue;
		snprintf(path, sizeof path, "%s/%s", c->state_directory, r->name);
		if (!make_folder(path, 0700, user_of(c, r->name)))
			return false;
	}
	return true;
}
