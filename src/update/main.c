/*
 * obmen-update: installs signed updates into the slot that does not run. Runs as root on the appliance.
 */
#include "update/bundle.h"
#include "update/slot.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTHORITY "/etc/obmen-update.pem"
#define RELEASE "/etc/os-release"

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "obmen-update: %s: %s; the running version is untouched\n", what, why);
	return 1;
}

/* The value of a key of os-release, "" when it is not there. */
static void
release_value(const char *key, char *value, size_t size)
{
	char line[256];
	size_t len = strlen(key);
	FILE *f = fopen(RELEASE, "re");

	value[0] = '\0';
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, key, len) == 0 && line[len] == '=')
			snprintf(value, size, "%s", line + len + 1);
	}
	if (f)
		fclose(f);
}

/* Why this bundle must not be installed here; NULL when it may. */
static const char *
unfit(const struct bundle *b)
{
	char value[64];

	release_value("BOARD_ID", value, sizeof value);
	if (strcmp(value, b->board) != 0)
		return "the bundle is for another board";
	release_value("SECURITY_LEVEL", value, sizeof value);
	if (b->security < strtoul(value, NULL, 10))
		return "the bundle is older than the security floor of this box";
	return NULL;
}

static int
check(const char *path)
{
	struct bundle b;
	const char *why;

	if (!bundle_open(&b, path, AUTHORITY, &why))
		return fail(path, why);
	why = unfit(&b);
	printf("version %s, security %u: %s\n", b.version, b.security, why ? why : "good");
	bundle_close(&b);
	return why != NULL;
}

static int
install(const char *path)
{
	struct bundle b;
	const char *why;
	char running = slot_running();
	char slot = running == 'A' ? 'B' : 'A';

	if (!running)
		return fail(path, "this is no box with two slots");
	if (!bundle_open(&b, path, AUTHORITY, &why))
		return fail(path, why);
	why = unfit(&b);
	if (!why && !slot_esp_mount())
		why = "the EFI partition cannot be mounted";
	else if (!why) {
		why = slot_install(slot, &b);
		slot_esp_unmount();
	}
	if (!why)
		printf("version %s is in slot %c; it is tried at the next start\n", b.version, slot);
	bundle_close(&b);
	return why ? fail(path, why) : 0;
}

static int
status(const char *unused)
{
	char version[64], name[NAME_MAX + 1];

	(void)unused;
	release_value("VERSION_ID", version, sizeof version);
	printf("running %s in slot %c\n", version, slot_running());
	if (!slot_esp_mount())
		return fail("status", "the EFI partition cannot be mounted");
	for (char slot = 'A'; slot <= 'B'; slot++)
		printf("slot %c: %s\n", slot, slot_entry(slot, name) ? name : "empty");
	slot_esp_unmount();
	return 0;
}

/* Marks a slot and tells. */
static int
mark(char slot, const char *count, const char *what)
{
	if (!slot_esp_mount())
		return fail(what, "the EFI partition cannot be mounted");
	bool done = slot_mark(slot, count);
	slot_esp_unmount();
	return done ? 0 : fail(what, "the slot's kernel file cannot be renamed");
}

static int
bless(const char *unused)
{
	(void)unused;
	return mark(slot_running(), NULL, "bless");
}

/* The running version is tried no more; the other slot starts next time, if it is good. */
static int
back(const char *unused)
{
	char name[NAME_MAX + 1];
	char running = slot_running();

	(void)unused;
	if (!slot_esp_mount())
		return fail("back", "the EFI partition cannot be mounted");
	bool other = slot_entry(running == 'A' ? 'B' : 'A', name) && !strchr(name, '+');
	bool done = other && slot_mark(running, "+0");
	slot_esp_unmount();
	return done ? 0 : fail("back", "there is no good version in the other slot");
}

static const struct verb {
	const char *name;
	int arguments;
	int (*run)(const char *argument);
} verbs[] = {
    {"check", 1, check}, {"install", 1, install}, {"status", 0, status},
    {"bless", 0, bless}, {"back", 0, back},
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (argc > 1 && strcmp(argv[1], verbs[i].name) == 0 && argc == 2 + verbs[i].arguments)
			return verbs[i].run(argv[2]);
	fputs("usage: obmen-update check FILE | install FILE | status | bless | back\n", stderr);
	return 2;
}
