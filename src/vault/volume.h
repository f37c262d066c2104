/*
 * The encrypted data partition: LUKS2 (libcryptsetup) with two key slots, one for the secret that the
 * TPM keeps, one for the recovery code. What the TPM sealed stands in the header as a token; the disk
 * carries all that its own machine needs.
 *
 * A header without that token was never finished, and nothing was kept behind it.
 */
#ifndef OBMEN_VAULT_VOLUME_H
#define OBMEN_VAULT_VOLUME_H

#include "vault/tpm.h"

#include <libcryptsetup.h>

#define VOLUME_LABEL "obmen-data"

enum volume_kind {
	VOLUME_EMPTY,      /* zeros, as a new disk has them */
	VOLUME_UNFINISHED, /* power was cut while it was made */
	VOLUME_ENCRYPTED,
	VOLUME_OTHER,      /* something else, plain data included */
	VOLUME_UNREADABLE,
};

/* What lies on a partition; reads only. */
enum volume_kind volume_kind(const char *device);

/* A new header with a new random key; nothing opens it yet but the context. NULL: failed. */
struct crypt_device *volume_format(const char *device);

/* The context of an encrypted volume; NULL: it is none. */
struct crypt_device *volume_load(const char *device);

/* Maps it as /dev/mapper/NAME with the key that the context has after volume_format(). */
bool volume_map(struct crypt_device *cd, const char *name);

/* Opens with a secret or code, and maps it as /dev/mapper/NAME, or only tries it when name is NULL. The
 * key slot, or -1. */
int volume_open(struct crypt_device *cd, const char *name, const void *key, size_t size);

/* A further slot, for one who can already open it with `old` (NULL after volume_format()). The slot, or
 * -1. */
int volume_add(struct crypt_device *cd, const void *old, size_t old_size, const void *key, size_t size);

/* Forgets every slot but these two: what opened it before does no more. */
bool volume_keep(struct crypt_device *cd, int tpm_slot, int code_slot);

/* What the TPM sealed and for which slot. One write of the header: old or new, never between. */
bool volume_set_sealed(struct crypt_device *cd, const struct sealed *sealed, int tpm_slot);
bool volume_sealed(struct crypt_device *cd, struct sealed *sealed, int *tpm_slot);

#endif
