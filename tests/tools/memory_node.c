/*
 * The node itself with an allocator that the test commands: the file <state-directory>.memory holds two
 * numbers of four bytes, a role (1 front, 2 codec, ... as in role.h) and N; in that role one allocation
 * in N fails, in our code and in every library. It is mapped before the sandbox, so the test may change
 * its mind while the node runs.
 *
 *	memory_node -c FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "obmend/role.h"
#include "process/parent.h"

/* The C library's own, under the names that it keeps for such as us. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

struct order {
	uint32_t role, one_in;
};

/* Global because the allocator has no argument for it. */
static struct {
	const volatile struct order *order; /* NULL: before open, or there is no such file */
	uint32_t role, random;
	bool (*open)(struct self *);
} test;

static bool
fails(void)
{
	uint32_t one_in = test.order && test.order->role == test.role ? test.order->one_in : 0;

	if (one_in == 0)
		return false;
	test.random = test.random * 1664525 + 1013904223;
	if ((test.random >> 8) % one_in != 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return size > 0 && fails() ? NULL : __libc_realloc(old, size);
}

static void
map_order(const char *state_directory)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s.memory", state_directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	void *page = mmap(NULL, sizeof *test.order, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED)
		test.order = page;
	close(fd);
}

static bool
open_in_want(struct self *self)
{
	bool ok = !test.open || test.open(self);

	/* What cannot start is another matter: parent tries again. */
	test.role = self->role;
	test.random = (uint32_t)getpid();
	map_order(self_conf(self)->state_directory);
	return ok;
}

static int
run_role(const char *name, unsigned index)
{
	unsigned id = program_role_by_name(&obmend, name);

	if (id >= obmend.role_count || !obmend.roles[id])
		return 2;
	struct role role = *obmend.roles[id];
	test.open = role.open;
	role.open = open_in_want;
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
