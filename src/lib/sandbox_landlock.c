/* Landlock by raw system calls: the C library has no wrappers, and headers lag behind kernels. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sandbox.h"
#include "lib/sandbox_parts.h"

/* Numbers are the same on all architectures. */
#define NR_CREATE_RULESET 444
#define NR_ADD_RULE 445
#define NR_RESTRICT_SELF 446
#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

/* linux/landlock.h of kernel 6.12; an older kernel reads as much of it as it knows. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

#define FS_EXECUTE ((uint64_t)1 << 0)
#define FS_MAKE_CHAR ((uint64_t)1 << 6)
#define FS_MAKE_BLOCK ((uint64_t)1 << 11)
#define NET_BIND_TCP ((uint64_t)1 << 0)
#define NET_CONNECT_TCP ((uint64_t)1 << 1)

static long
create_ruleset(const struct ruleset_attr *attr, size_t size, uint32_t flags)
{
	return syscall(NR_CREATE_RULESET, attr, size, flags);
}

int
sandbox_landlock(void)
{
	long abi = create_ruleset(NULL, 0, CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* All file rights that a version of Landlock knows. */
static uint64_t
file_rights(int abi)
{
	/* 13 in version 1, then refer, truncate, (4: network), ioctl on devices */
	static const unsigned counts[] = {0, 13, 14, 15, 15, 16};
	unsigned n = counts[abi < 5 ? abi : 5];

	return ((uint64_t)1 << n) - 1;
}

static bool
allow_below(int ruleset, const char *directory, uint64_t rights)
{
	struct path_beneath_attr rule = {
	    .allowed_access = rights & ~(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK),
	    .parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC),
	};

	if (rule.parent_fd < 0)
		return false;
	bool ok = syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
	int saved = errno;
	close(rule.parent_fd);
	errno = saved;
	return ok;
}

bool
sandbox_landlock_restrict(unsigned allow, const char *directory)
{
	int abi = sandbox_landlock();
	struct ruleset_attr attr = {.handled_access_fs = file_rights(abi)};
	size_t size = sizeof attr.handled_access_fs;

	if (abi == 0)
		return true;
	if (abi >= 4) {
		attr.handled_access_net =
		    NET_BIND_TCP | (allow & SANDBOX_CONNECT ? 0 : NET_CONNECT_TCP);
		size = offsetof(struct ruleset_attr, scoped);
	}
	if (abi >= 6) {
		attr.scoped = 3; /* no abstract unix sockets, no signals to others */
		size = sizeof attr;
	}
	int ruleset = (int)create_ruleset(&attr, size, 0);
	if (ruleset < 0)
		return false;
	bool ok = (!directory || allow_below(ruleset, directory, attr.handled_access_fs)) &&
	    syscall(NR_RESTRICT_SELF, ruleset, 0) == 0;
	int saved = errno;
	close(ruleset);
	errno = saved;
	return ok;
}
