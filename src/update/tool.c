#include "update/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE 3

/* Reads to the end; keeps the last line that is not empty. */
static void
last_line(int fd, char *line, size_t size)
{
	char data[512];
	size_t len = 0;
	bool fresh = true;
	ssize_t n;

	while ((n = read(fd, data, sizeof data)) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < n; i++) {
			if (data[i] == '\n') {
				fresh = true;
				continue;
			}
			len = fresh ? 0 : len;
			fresh = false;
			if (len + 1 < size)
				line[len++] = data[i];
			line[len] = '\0';
		}
	}
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 127;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

int
tool_run_to(const char *const *argv, int output, char *line, size_t size)
{
	posix_spawn_file_actions_t actions;
	char nowhere[2];
	int pipe_fds[2];
	pid_t pid;

	if (line && size)
		line[0] = '\0';
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return 127;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output < 0 ? pipe_fds[1] : output, 1);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_FREE);
	bool started = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(size_t)argv, NULL) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	last_line(pipe_fds[0], line ? line : nowhere, line ? size : sizeof nowhere);
	close(pipe_fds[0]);
	return started ? wait_for(pid) : 127;
}

int
tool_run(const char *const *argv, char *line, size_t size)
{
	return tool_run_to(argv, -1, line, size);
}
