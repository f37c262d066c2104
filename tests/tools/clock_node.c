/*
 * The node itself under a clock that the test sets: every call for the time of day that the node or one
 * of its libraries makes gets the true time plus what stands in the file <state-directory>.clock, eight
 * bytes, seconds, native order. The file is mapped before the sandbox: a jump is there at once, in all
 * roles. What measures durations is left alone.
 *
 *	clock_node -c FILE
 */
#include <dlfcn.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "wrapped_node.h"

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

static bool
open_by_the_clock(struct self *self)
{
	fake.seconds = map_orders(self, ".clock", sizeof *fake.seconds);
	return !fake.open || fake.open(self);
}

int
main(int argc, char **argv)
{
	return wrapped_main(argc, argv, open_by_the_clock, &fake.open);
}
