/* Where a bundle comes from. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "update/tool.h"
#include "update/updater.h"

#define STICK "OBMEN-UPD" /* label of the medium */
#define STICK_MOUNT "/run/update"
#define STICK_FILE STICK_MOUNT "/obmen.update"
#define FETCH_MAX ((uint64_t)128 << 20) /* bytes: two slots could not hold more */

static const char *
text_of(const json_t *request, const char *key)
{
	const char *s = json_string_value(json_object_get(request, key));

	return s ? s : "";
}

static enum fault
trouble(struct source *s, enum fault fault, const char *what)
{
	snprintf(s->detail, sizeof s->detail, "%s", what);
	return fault;
}

/* What was handed over: a file, so that it can be read twice. */
static enum fault
from_descriptor(struct source *s)
{
	struct stat st;

	s->name = "file";
	if (fstat(s->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return trouble(s, FAULT_UPDATE_FORM, "not a file");
	return FAULT_NONE;
}

static bool
stick_device(char *device, size_t size)
{
	const char *const argv[] = {"/usr/bin/findfs", "LABEL=" STICK, NULL};

	return tool_run(argv, device, size) == 0 && device[0] == '/';
}

static enum fault
from_stick(struct source *s, const char *device)
{
	s->name = "stick";
	mkdir(STICK_MOUNT, 0700);
	if (mount(device, STICK_MOUNT, "vfat", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "") < 0)
		return trouble(s, FAULT_UPDATE_NO_SOURCE, strerror(errno));
	s->mounted = true;
	s->fd = open(STICK_FILE, O_RDONLY | O_CLOEXEC);
	return s->fd < 0 ? trouble(s, FAULT_UPDATE_NO_SOURCE, "obmen.update") : FAULT_NONE;
}

/* A nameless file: a power cut leaves nothing of it. */
static int
spool_open(uint64_t *room)
{
	struct statvfs v;
	int fd;

	mkdir(UPDATE_FOLDER, 0700);
	fd = open(UPDATE_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	*room = fd >= 0 && fstatvfs(fd, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
	return fd;
}

/* Fetched by a program of its own, which may use the network and write to this one descriptor. */
static enum fault
from_address(struct source *s, const json_t *request)
{
	uint64_t room;
	char most[32];

	s->name = "url";
	s->fd = spool_open(&room);
	if (s->fd < 0)
		return trouble(s, FAULT_UPDATE_FETCH, strerror(errno));
	snprintf(most, sizeof most, "%" PRIu64, room < FETCH_MAX ? room : FETCH_MAX);
	const char *const argv[] = {"/usr/sbin/obmen-fetch", text_of(request, "address"), most,
	    text_of(request, "ca"), text_of(request, "hosts"), NULL};
	return tool_run_to(argv, s->fd, s->detail, sizeof s->detail) == 0 ? FAULT_NONE : FAULT_UPDATE_FETCH;
}

enum fault
source_open(struct source *s, const json_t *request, int fd)
{
	const char *from = text_of(request, "from");
	char device[64];

	*s = (struct source){.fd = fd, .name = ""};
	if (fd >= 0)
		return from_descriptor(s);
	if (strcmp(from, "url") != 0 && stick_device(device, sizeof device))
		return from_stick(s, device);
	if (strcmp(from, "stick") != 0 && *text_of(request, "address"))
		return from_address(s, request);
	return trouble(s, FAULT_UPDATE_NO_SOURCE, from);
}

void
source_close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->mounted)
		umount(STICK_MOUNT);
	s->fd = -1;
	s->mounted = false;
}
