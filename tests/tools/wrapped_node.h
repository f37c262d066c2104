/* The node itself, with something that happens when a role opens: what clock_node and memory_node share. */
#ifndef OBMEN_WRAPPED_NODE_H
#define OBMEN_WRAPPED_NODE_H

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "obmend/role.h"
#include "process/parent.h"

/* The file <state-directory><ending> of so many bytes, which the test writes while the node runs: mapped
 * before the sandbox, seen at once by all roles. NULL: there is none. */
static inline const volatile void *
map_orders(struct self *self, const char *ending, size_t size)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof path, "%s%s", self_conf(self)->state_directory, ending);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	void *page = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? NULL : page;
}

/* obmend's main, but that a role's open is `open`, which finds the role's own at *real. */
static inline int
wrapped_main(int argc, char **argv, bool (*open)(struct self *), bool (**real)(struct self *))
{
	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return parent_run(&obmend, argv[2]);
	if (argc != 5 || strcmp(argv[1], "--role") != 0)
		return 2;
	unsigned id = program_role_by_name(&obmend, argv[2]);
	if (id >= obmend.role_count || !obmend.roles[id])
		return 2;
	struct role role = *obmend.roles[id];
	*real = role.open;
	role.open = open;
	return role_run(&obmend, &role, (unsigned)strtoul(argv[4], NULL, 10));
}

#endif
