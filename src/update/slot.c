#include "update/slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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

bool
slot_esp_mount(void)
{
	char device[PATH_MAX];

	return partition("esp", device, sizeof device) &&
	    mount(device, ESP, "vfat", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS, "") == 0;
}

void
slot_esp_unmount(void)
{
	sync();
	umount(ESP);
}

bool
slot_entry(char slot, char *name)
{
	const char mark[] = {'-', slot, '\0'};
	DIR *d = opendir(ESP_ENTRIES);
	bool found = false;

	for (struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
		const char *at = strstr(e->d_name, mark);
		size_t len = strlen(e->d_name);
		found = strncmp(e->d_name, "obmen_", 6) == 0 && at && (at[2] == '.' || at[2] == '+') && len > 4 &&
		    strcmp(e->d_name + len - 4, ".efi") == 0;
		if (found)
			memcpy(name, e->d_name, len + 1);
	}
	if (d)
		closedir(d);
	return found;
}

/* Copies a part to a descriptor, syncs it, and reads it back from the medium. */
static const char *
write_part(int to, const struct bundle *b, enum bundle_part part)
{
	static uint8_t block[65536];
	uint64_t size = b->parts[part].size, done = 0;
	uint8_t found[32];

	while (done < size) {
		size_t want = size - done < sizeof block ? (size_t)(size - done) : sizeof block;
		ssize_t n = pread(b->fd, block, want, (off_t)(b->parts[part].offset + done));
		if (n <= 0 || pwrite(to, block, (size_t)n, (off_t)done) != n)
			return "writing failed";
		done += (uint64_t)n;
	}
	if (fsync(to) < 0 || posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED) != 0)
		return "writing failed";
	if (!bundle_digest(to, 0, size, found) || memcmp(found, b->parts[part].sha256, sizeof found) != 0)
		return "what was written does not read back the same";
	return NULL;
}

static const char *
write_file(const char *path, int flags, const struct bundle *b, enum bundle_part part)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);

	if (fd < 0)
		return strerror(errno);
	const char *why = write_part(fd, b, part);
	if (close(fd) < 0 && !why)
		why = "writing failed";
	return why;
}

static bool
remove_entries(char slot)
{
	char name[NAME_MAX + 1], path[PATH_MAX];

	while (slot_entry(slot, name)) {
		snprintf(path, sizeof path, ESP_ENTRIES "/%s", name);
		if (unlink(path) < 0)
			return false;
	}
	sync();
	return true;
}

const char *
slot_install(char slot, const struct bundle *b)
{
	char device[PATH_MAX], path[PATH_MAX];

	if (slot == slot_running())
		return "this slot runs";
	if (!partition(slot == 'A' ? "slot-a" : "slot-b", device, sizeof device))
		return "the slot's partition is missing";
	if (!remove_entries(slot))
		return "the old kernel file cannot be removed";
	const char *why = write_file(device, 0, b, PART_ROOT);
	if (!why)
		why = write_file(ESP_ENTRIES "/new.tmp", O_CREAT | O_TRUNC, b, slot == 'A' ? PART_A : PART_B);
	if (why)
		return why;
	sync();
	snprintf(path, sizeof path, ESP_ENTRIES "/obmen_%s-%c+3.efi", b->version, slot);
	if (rename(ESP_ENTRIES "/new.tmp", path) < 0)
		return strerror(errno);
	sync();
	return NULL;
}

bool
slot_mark(char slot, const char *count)
{
	char name[NAME_MAX + 1], from[PATH_MAX], to[PATH_MAX];

	if (!slot_entry(slot, name))
		return false;
	snprintf(from, sizeof from, ESP_ENTRIES "/%s", name);
	name[strcspn(name, "+")] = '\0';
	char *end = strstr(name, ".efi");
	if (end)
		*end = '\0';
	snprintf(to, sizeof to, ESP_ENTRIES "/%s%s.efi", name, count ? count : "");
	return strcmp(from, to) == 0 || rename(from, to) == 0;
}
