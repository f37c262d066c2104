/*
 * The node itself under a clock that the test sets: every call for the time of day that the node or one
 * of its libraries makes gets the true time plus what stands in the file <state-directory>.clock, eight
 * bytes, seconds, native order. The file is mapped before the sandbox: a jump is there at once, in all
 * roles. What measures durations is left alone.
 *
 *	clock_node -c FILE
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "process/parent.h"
#include "obmend/role.h"

/* Global because the C library's functions have no argument for it. */
static struct {
	const volatile int64_t *seconds; /* NULL: before open, or there is no such file */
	int (*gettime)(clockid_t, struct timespec *);
	bool (*open)(struct self *);
} fake;

static int
true_time(clockid_t id, struct timespec *t)
{
	if (!fake.gettime)
		fake.gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	return fake.gettime(id, t);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = true_time(id, t);

	if (rc == 0 && fake.seconds && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += *fake.seconds;
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	*out = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
	return 0;
}

static void
map_clock(const char *state_directory)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s.clock", state_directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	void *page = mmap(NULL, sizeof *fake.seconds, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED)
		fake.seconds = page;
	close(fd);
}

static bool
open_by_the_clock(struct self *self)
{
	map_clock(self_conf(self)->state_directory);
	return !fake.open || fake.open(self);
}

static int
run_role(const char *name, unsigned index)
{
	unsigned id = program_role_by_name(&obmend, name);

	if (id >= obmend.role_count || !obmend.roles[id])
		return 2;
	struct role role = *obmend.roles[id];
	fake.open = role.open;
	role.open = open_by_the_clock;
	return role_run(&obmend, &role, index);
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--role") == 0)
		return run_role(argv[2], (unsigned)strtoul(argv[4], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return parent_run(&obmend, argv[2]);
	return 2;
}
