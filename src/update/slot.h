/*
 * Slots of the disk and their kernel files on the EFI partition. systemd-boot counts tries in the file's
 * name: obmen_<version>-<slot>+<left>-<done>.efi; without a count the slot is known to be good.
 */
#ifndef OBMEN_UPDATE_SLOT_H
#define OBMEN_UPDATE_SLOT_H

#include "update/bundle.h"

#include <limits.h>

#define ESP "/boot"
#define ESP_ENTRIES ESP "/EFI/Linux"

/* The kernel file of a slot. */
struct slot {
	char name[NAME_MAX + 1]; /* without folder */
	bool good;               /* no count in the name */
	unsigned left;           /* tries, when there is a count */
	struct release release;
};

/* 'A' or 'B': the slot that runs; 0 when this is no box. */
char slot_running(void);

/* Mounts the EFI partition at ESP; for writing it is first repaired of what power cuts left: FAT has no
 * journal, and renaming in it leaves two names of one file for a moment. */
bool slot_esp_mount(bool writing);
void slot_esp_unmount(void);

/* The whole kernel file of a slot; of several the one without a count. False: there is none. The EFI
 * partition is mounted. */
bool slot_look(char slot, struct slot *);

/*
 * Writes the bundle into a slot that does not run: takes its kernel files away, writes and reads back
 * the root, then the kernel file. Its first sector is written last, alone: until then nothing takes it
 * for a kernel, so that the power may go at any moment. The slot that runs is never touched. FAULT_NONE or
 * UPDATE_WRITE with what went wrong. The EFI partition is mounted for writing.
 */
enum fault slot_install(char slot, const struct bundle *, const char **why);

/* Renames a slot's kernel file: with a count ("+0") or, for NULL, as good. */
bool slot_mark(char slot, const char *count);

#endif
