#include "lib/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox_parts.h"

#define BIT(capability) ((uint64_t)1 << (capability))

static bool
fail(const char *step)
{
	log_error("sandbox.failed", "step=\"%s\" reason=\"%s\"", step, strerror(errno));
	return false;
}

/* Makes these the permitted and effective capabilities. */
static bool
set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
	    {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)}};

	return syscall(SYS_capset, &header, data) == 0;
}

/* The bounding set decides what an executed program may get. Without CAP_SETPCAP it cannot shrink,
 * but then there is nothing to get either: no_new_privs is on. */
static void
limit_bounding(uint64_t keep)
{
	for (unsigned c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++) {
		if (!(keep & BIT(c)))
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static bool
change_user(const struct passwd *pw)
{
	return setgroups(0, NULL) == 0 && setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) == 0 &&
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == 0;
}

bool
sandbox_become(const char *user, bool low_ports)
{
	if (!user || !*user)
		return true;
	errno = ENOENT;
	const struct passwd *pw = getpwnam(user);
	if (!pw)
		return fail("user");
	if (geteuid() == pw->pw_uid && getuid() == pw->pw_uid)
		return true;
	/* While the bounding set may still be changed; CAP_SETPCAP empties it in sandbox_enter. */
	uint64_t keep = low_ports ? BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETPCAP) : 0;
	limit_bounding(keep);
	if (low_ports && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail("keep capabilities");
	if (!change_user(pw))
		return fail("change user");
	if (!set_capabilities(keep))
		return fail("capabilities");
	return true;
}

bool
sandbox_enter(const struct sandbox *s, const char *user, const char *directory)
{
	struct rlimit no_core = {0, 0};

	if (!sandbox_become(user, false))
		return false;
	limit_bounding(0);
	if (!set_capabilities(0))
		return fail("capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return fail("no new privileges");
	/* A sanitizer's leak check traces its own process. */
	if (SANDBOX_FILTER && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail("not dumpable");
	if (!sandbox_landlock_restrict(s->allow, directory))
		return fail("landlock");
	return sandbox_filter(s->allow);
}

bool
sandbox_parent(void)
{
	return sandbox_limit(BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_KILL) |
	    BIT(CAP_NET_BIND_SERVICE));
}

bool
sandbox_limit(uint64_t keep)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail("no new privileges");
	if (geteuid() != 0)
		return true;
	limit_bounding(keep);
	return set_capabilities(keep) || fail("capabilities");
}
