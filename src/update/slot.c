#include "update/slot.h"

#include "update/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536u
#define SECTOR 512u

char
slot_running(void)
{
	char text[4096] = "";
	FILE *f = fopen("/proc/cmdline", "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	const char *at = strstr(text, " slot=");
	return at && (at[6] == 'A' || at[6] == 'B') ? at[6] : 0;
}

/* Whether a line of a small text file is `line`. */
static bool
file_has(const char *path, const char *line)
{
	char text[256];
	FILE *f = fopen(path, "re");
	bool found = false;

	while (f && !found && fgets(text, sizeof text, f)) {
		text[strcspn(text, "\n")] = '\0';
		found = strcmp(text, line) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

/* The device of the partition with this GPT name. */
static bool
partition(const char *name, char *device, size_t size)
{
	char wanted[64], path[PATH_MAX];
	DIR *d = opendir("/sys/class/block");
	bool found = false;

	snprintf(wanted, sizeof wanted, "PARTNAME=%s", name);
	for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
		snprintf(path, sizeof path, "/sys/class/block/%s/uevent", e->d_name);
		found = e->d_name[0] != '.' && file_has(path, wanted);
		if (found)
			snprintf(device, size, "/dev/%s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* What fsck.fat saves of clusters that belong to no file is of no use to anybody. */
static void
remove_salvage(void)
{
	DIR *d = opendir(ESP);

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (strncasecmp(e->d_name, "FSCK", 4) == 0)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

bool
slot_esp_mount(bool writing)
{
	char device[PATH_MAX];
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (!partition("esp", device, sizeof device))
		return false;
	if (writing && tool_run((const char *const[]){"/usr/sbin/fsck.fat", "-a", device, NULL}, NULL, 0) > 1)
		return false;
	/* Names change in the order of the calls; contents are synced where it counts. */
	flags |= writing ? MS_DIRSYNC : MS_RDONLY;
	if (mount(device, ESP, "vfat", flags, "") != 0)
		return false;
	if (writing)
		remove_salvage();
	return true;
}

void
slot_esp_unmount(void)
{
	sync();
	umount(ESP);
}

/* Whether a name is that of a kernel file of this slot. */
static bool
is_entry(const char *name, char slot)
{
	const char mark[] = {'-', slot, '\0'};
	const char *at = strstr(name, mark);
	size_t len = strlen(name);

	return strncmp(name, "obmen_", 6) == 0 && at && (at[2] == '.' || at[2] == '+') && len > 4 &&
	    strcmp(name + len - 4, ".efi") == 0;
}

/* Reads a kernel file; false: it is not whole. */
static bool
look(int folder, const char *name, struct slot *s)
{
	const char *plus = strchr(name, '+');
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	bool whole = fd >= 0 && release_of_kernel(&s->release, fd);

	if (fd >= 0)
		close(fd);
	snprintf(s->name, sizeof s->name, "%s", name);
	s->good = !plus;
	s->left = plus ? (unsigned)strtoul(plus + 1, NULL, 10) : 0;
	return whole;
}

bool
slot_look(char slot, struct slot *s)
{
	DIR *d = opendir(ESP_ENTRIES);
	bool found = false;

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		struct slot other;
		if (!is_entry(e->d_name, slot) || !look(dirfd(d), e->d_name, &other))
			continue;
		if (!found || other.good)
			*s = other;
		found = true;
	}
	if (d)
		closedir(d);
	return found;
}

/* Copies bytes of a part; false with errno, ENODATA when the bundle ends early. */
static bool
copy(int to, const struct bundle *b, enum bundle_part part, uint64_t from, uint64_t until)
{
	uint8_t block[BLOCK];

	while (from < until) {
		size_t want = until - from < sizeof block ? (size_t)(until - from) : sizeof block;
		ssize_t n = pread(b->fd, block, want, (off_t)(b->parts[part].offset + from));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : ENODATA;
			return false;
		}
		for (ssize_t done = 0, m; done < n; done += m) {
			m = pwrite(to, block + done, (size_t)(n - done), (off_t)from + done);
			if (m < 0)
				return false;
		}
		from += (uint64_t)n;
	}
	return true;
}

/* Reads back from the medium, not from memory. */
static bool
reads_back(int fd, const struct bundle *b, enum bundle_part part)
{
	uint8_t found[32];

	return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 &&
	    bundle_digest(fd, 0, b->parts[part].size, found) &&
	    memcmp(found, b->parts[part].sha256, sizeof found) == 0;
}

static const char *
write_root(const char *device, const struct bundle *b)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);
	const char *why = NULL;

	if (fd < 0)
		return strerror(errno);
	if (!copy(fd, b, PART_ROOT, 0, b->parts[PART_ROOT].size) || fsync(fd) < 0)
		why = strerror(errno);
	else if (!reads_back(fd, b, PART_ROOT))
		why = "the slot does not read back what was written";
	close(fd);
	return why;
}

/* The kernel file, whose first sector makes it one. */
static const char *
write_kernel(const char *path, const struct bundle *b, enum bundle_part part)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const char *why = NULL;

	if (fd < 0)
		return strerror(errno);
	if (!copy(fd, b, part, SECTOR, b->parts[part].size) || syncfs(fd) < 0 ||
	    !copy(fd, b, part, 0, SECTOR) || syncfs(fd) < 0)
		why = strerror(errno);
	else if (!reads_back(fd, b, part))
		why = "the kernel file does not read back what was written";
	close(fd);
	if (why)
		unlink(path);
	return why;
}

/* All kernel files of a slot, whole or not. */
static bool
remove_entries(char slot)
{
	DIR *d = opendir(ESP_ENTRIES);
	bool good = d != NULL;

	for (struct dirent *e; good && (e = readdir(d)) != NULL;)
		good = !is_entry(e->d_name, slot) || unlinkat(dirfd(d), e->d_name, 0) == 0;
	if (d) {
		good = syncfs(dirfd(d)) == 0 && good;
		closedir(d);
	}
	return good;
}

/* The slot's partition is there and large enough. */
static const char *
slot_device(char slot, uint64_t size, char device[PATH_MAX])
{
	if (slot == slot_running())
		return "this slot runs";
	if (!partition(slot == 'A' ? "slot-a" : "slot-b", device, PATH_MAX))
		return "the slot's partition is missing";
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	off_t room = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (fd >= 0)
		close(fd);
	return room >= 0 && (uint64_t)room >= size ? NULL : "the version does not fit the slot";
}

enum fault
slot_install(char slot, const struct bundle *b, const char **why)
{
	char device[PATH_MAX], path[PATH_MAX];

	snprintf(path, sizeof path, ESP_ENTRIES "/obmen_%s-%c+3.efi", b->release.version, slot);
	*why = slot_device(slot, b->parts[PART_ROOT].size, device);
	if (!*why && !remove_entries(slot))
		*why = "the old kernel file cannot be removed";
	if (!*why)
		*why = write_root(device, b);
	if (!*why)
		*why = write_kernel(path, b, slot == 'A' ? PART_A : PART_B);
	return *why ? FAULT_UPDATE_WRITE : FAULT_NONE;
}

bool
slot_mark(char slot, const char *count)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct slot s;

	if (!slot_look(slot, &s))
		return false;
	snprintf(from, sizeof from, ESP_ENTRIES "/%s", s.name);
	s.name[strcspn(s.name, "+")] = '\0';
	char *end = strstr(s.name, ".efi");
	if (end)
		*end = '\0';
	snprintf(to, sizeof to, ESP_ENTRIES "/%s%s.efi", s.name, count ? count : "");
	return strcmp(from, to) == 0 || rename(from, to) == 0;
}
