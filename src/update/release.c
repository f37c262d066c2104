#include "update/release.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RELEASE "/etc/os-release"
#define TEXT_MAX 4096u
#define SECTIONS_MAX 64u

static const struct key {
	const char *name;
	size_t offset;
	bool text;
} keys[] = {
    {"VERSION_ID", offsetof(struct release, version), true},
    {"BOARD_ID", offsetof(struct release, board), true},
    {"SECURITY_LEVEL", offsetof(struct release, security), false},
    {"STORE_SCHEMA", offsetof(struct release, schema), false},
    {"STORE_READER", offsetof(struct release, reader), false},
    {"TRIAL_SECONDS", offsetof(struct release, trial), false},
};

static void
take(struct release *r, const char *name, size_t len, const char *value)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strlen(keys[i].name) != len || strncmp(keys[i].name, name, len) != 0)
			continue;
		char *field = (char *)r + keys[i].offset;
		if (keys[i].text)
			snprintf(field, sizeof r->version, "%s", value);
		else
			*(unsigned *)(void *)field = (unsigned)strtoul(value, NULL, 10);
	}
}

bool
release_parse(struct release *r, const char *text, size_t len)
{
	char copy[TEXT_MAX + 1], *rest = copy;

	*r = (struct release){.trial = 600};
	if (len > TEXT_MAX)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *equals = strchr(line, '=');
		if (equals)
			take(r, line, (size_t)(equals - line), equals + 1);
	}
	return r->version[0] && r->board[0];
}

bool
release_running(struct release *r)
{
	char text[TEXT_MAX];
	int fd = open(RELEASE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (fd >= 0)
		close(fd);
	return n > 0 && release_parse(r, text, (size_t)n);
}

static uint32_t
le(const uint8_t *at, unsigned bytes)
{
	uint32_t n = 0;

	for (unsigned i = bytes; i-- > 0;)
		n = n << 8 | at[i];
	return n;
}

/* Where the table of sections lies and how many there are; false: no PE file. */
static bool
find_sections(int fd, off_t *at, unsigned *count)
{
	uint8_t head[64], pe[24];

	if (pread(fd, head, sizeof head, 0) != sizeof head || memcmp(head, "MZ", 2) != 0)
		return false;
	off_t start = (off_t)le(head + 60, 4);
	if (pread(fd, pe, sizeof pe, start) != sizeof pe || memcmp(pe, "PE\0\0", 4) != 0)
		return false;
	*count = le(pe + 6, 2);
	*at = start + 24 + (off_t)le(pe + 20, 2);
	return *count <= SECTIONS_MAX;
}

bool
release_of_kernel(struct release *r, int fd)
{
	unsigned count;
	uint8_t row[40];
	off_t at;

	*r = (struct release){.trial = 0};
	if (!find_sections(fd, &at, &count))
		return false;
	for (; count > 0; count--, at += (off_t)sizeof row) {
		if (pread(fd, row, sizeof row, at) != sizeof row)
			return false;
		if (memcmp(row, ".osrel\0", 8) != 0)
			continue;
		char text[TEXT_MAX];
		uint32_t size = le(row + 8, 4);
		return size <= sizeof text && pread(fd, text, size, (off_t)le(row + 20, 4)) == (ssize_t)size &&
		    release_parse(r, text, size);
	}
	return false;
}

enum fault
release_change(const struct release *running, const struct release *other, char detail[64])
{
	detail[0] = '\0';
	if (strcmp(running->board, other->board) != 0) {
		snprintf(detail, 64, "%s", other->board);
		return FAULT_UPDATE_BOARD;
	}
	if (other->security < running->security) {
		snprintf(detail, 64, "%u < %u", other->security, running->security);
		return FAULT_UPDATE_FLOOR;
	}
	/* Forth: we must be able to read what it writes. Back: it must be able to read what is there. */
	if (other->reader > running->schema || other->schema < running->reader) {
		snprintf(detail, 64, "%u/%u, %u/%u", running->schema, running->reader, other->schema,
		    other->reader);
		return FAULT_UPDATE_STORE;
	}
	return FAULT_NONE;
}
