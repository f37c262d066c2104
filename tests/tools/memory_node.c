/*
 * The node itself with an allocator that the test commands: the file <state-directory>.memory holds two
 * numbers of four bytes, a role (1 front, 2 codec, ... as in role.h) and N; in that role one allocation
 * in N fails, in our code and in every library. It is mapped before the sandbox, so the test may change
 * its mind while the node runs.
 *
 *	memory_node -c FILE
 */
#include <errno.h>
#include <stdint.h>

#include "wrapped_node.h"

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

static bool
open_in_want(struct self *self)
{
	bool ok = !test.open || test.open(self);

	/* What cannot start is another matter: parent tries again. */
	test.role = self->role;
	test.random = (uint32_t)getpid();
	test.order = map_orders(self, ".memory", sizeof *test.order);
	return ok;
}

int
main(int argc, char **argv)
{
	return wrapped_main(argc, argv, open_in_want, &test.open);
}
