/*
 * Slots of the disk and their kernel files on the EFI partition. systemd-boot counts tries in the file's
 * name: obmen_<version>-<slot>+<left>-<done>.efi; without a count the slot is known to be good.
 */
#ifndef OBMEN_UPDATE_SLOT_H
#define OBMEN_UPDATE_SLOT_H

#include "update/bundle.h"

#include <stdbool.h>

#define ESP "/boot"
#define ESP_ENTRIES ESP "/EFI/Linux"

/* 'A' or 'B': the slot that runs; 0 when this is no box. */
char slot_running(void);

/* Mounts and unmounts the EFI partition at ESP. */
bool slot_esp_mount(void);
void slot_esp_unmount(void);

/* The kernel file of a slot, name only; the bytes of `name` hold NAME_MAX + 1. False: there is none. */
bool slot_entry(char slot, char *name);

/* Writes the bundle into a slot that does not run: takes its kernel file away, writes and reads back the
 * root, then the kernel file with three tries. After a power cut at any moment the running slot's kernel
 * file is as it was. NULL, or what went wrong. The EFI partition is mounted. */
const char *slot_install(char slot, const struct bundle *b);

/* Renames a slot's kernel file: with a count ("+0") or, for NULL, as good. */
bool slot_mark(char slot, const char *count);

#endif
