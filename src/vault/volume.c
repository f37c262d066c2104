#include "vault/volume.h"

#include <jansson.h>
#include <openssl/crypto.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_TYPE   "obmen-tpm2"
#define TOKEN        0
#define KEY_SIZE     64 /* AES-256 in XTS mode */
#define SECTOR       512
#define DATA_OFFSET  ((2 << 20) / SECTOR)
#define LOOKED_AT    (64 << 10)

/* Secrets have 128 bits and more: stretching them would cost time at every start, and gain nothing. */
static const struct crypt_pbkdf_type quick = {.type = CRYPT_KDF_PBKDF2, .hash = "sha256",
    .iterations = 1000, .flags = CRYPT_PBKDF_NO_BENCHMARK};

/* Its messages are about slots and metadata; ours say what an outcome means. */
static void
silent(int level, const char *message, void *unused)
{
	(void)level;
	(void)message;
	(void)unused;
}

static bool
all_zeros(const char *device, bool *read_well)
{
	static uint8_t bytes[LOOKED_AT];
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	*read_well = fd >= 0 && read(fd, bytes, sizeof bytes) == sizeof bytes;
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < sizeof bytes; i++)
		if (bytes[i] != 0)
			return false;
	return *read_well;
}

enum volume_kind
volume_kind(const char *device)
{
	bool read_well;

	if (all_zeros(device, &read_well))
		return VOLUME_EMPTY;
	if (!read_well)
		return VOLUME_UNREADABLE;
	struct crypt_device *cd = volume_load(device);
	if (!cd)
		return VOLUME_OTHER;
	const char *label = crypt_get_label(cd);
	enum volume_kind kind = VOLUME_OTHER;
	if (label && strcmp(label, VOLUME_LABEL) == 0)
		kind = crypt_token_status(cd, TOKEN, NULL) == CRYPT_TOKEN_INACTIVE ? VOLUME_UNFINISHED
										   : VOLUME_ENCRYPTED;
	crypt_free(cd);
	return kind;
}

static struct crypt_device *
context(const char *device)
{
	struct crypt_device *cd = NULL;

	crypt_set_log_callback(NULL, silent, NULL);
	if (crypt_init(&cd, device) < 0)
		return NULL;
	if (crypt_set_pbkdf_type(cd, &quick) == 0)
		return cd;
	crypt_free(cd);
	return NULL;
}

struct crypt_device *
volume_format(const char *device)
{
	struct crypt_params_luks2 params = {.sector_size = 4096, .label = VOLUME_LABEL, .pbkdf = &quick};
	struct crypt_device *cd = context(device);

	if (!cd)
		return NULL;
	/* A small header: the usual one takes 16 MiB, most of a small disk. */
	if (crypt_set_metadata_size(cd, 16 << 10, 1 << 20) == 0 &&
	    crypt_set_data_offset(cd, DATA_OFFSET) == 0 &&
	    crypt_format(cd, CRYPT_LUKS2, "aes", "xts-plain64", NULL, NULL, KEY_SIZE, &params) == 0)
		return cd;
	crypt_free(cd);
	return NULL;
}

struct crypt_device *
volume_load(const char *device)
{
	struct crypt_device *cd = context(device);

	if (!cd || crypt_load(cd, CRYPT_LUKS2, NULL) == 0)
		return cd;
	crypt_free(cd);
	return NULL;
}

bool
volume_map(struct crypt_device *cd, const char *name)
{
	return crypt_activate_by_volume_key(cd, name, NULL, 0, 0) >= 0;
}

int
volume_open(struct crypt_device *cd, const char *name, const void *key, size_t size)
{
	int slot = crypt_activate_by_passphrase(cd, name, CRYPT_ANY_SLOT, key, size, 0);

	return slot < 0 ? -1 : slot;
}

int
volume_add(struct crypt_device *cd, const void *old, size_t old_size, const void *key, size_t size)
{
	int slot;

	if (old)
		slot = crypt_keyslot_add_by_passphrase(cd, CRYPT_ANY_SLOT, old, old_size, key, size);
	else
		slot = crypt_keyslot_add_by_volume_key(cd, CRYPT_ANY_SLOT, NULL, 0, key, size);
	return slot < 0 ? -1 : slot;
}

bool
volume_keep(struct crypt_device *cd, int tpm_slot, int code_slot)
{
	bool done = true;

	for (int slot = 0; slot < crypt_keyslot_max(CRYPT_LUKS2); slot++) {
		if (slot == tpm_slot || slot == code_slot ||
		    crypt_keyslot_status(cd, slot) <= CRYPT_SLOT_INACTIVE)
			continue;
		done = crypt_keyslot_destroy(cd, slot) == 0 && done;
	}
	return done;
}

bool
volume_set_sealed(struct crypt_device *cd, const struct sealed *sealed, int tpm_slot)
{
	char slot[12];
	char *hex = OPENSSL_buf2hexstr(sealed->bytes, (long)sealed->size);

	snprintf(slot, sizeof slot, "%d", tpm_slot);
	json_t *token = json_pack("{s:s, s:[s], s:s}", "type", TOKEN_TYPE, "keyslots", slot, "sealed",
	    hex ? hex : "");
	char *text = json_dumps(token, JSON_COMPACT);
	bool done = hex && text && crypt_token_json_set(cd, TOKEN, text) == TOKEN;
	json_decref(token);
	free(text);
	OPENSSL_free(hex);
	return done;
}

bool
volume_sealed(struct crypt_device *cd, struct sealed *sealed, int *tpm_slot)
{
	const char *text = NULL, *hex, *slot;

	if (crypt_token_json_get(cd, TOKEN, &text) < 0)
		return false;
	json_t *token = json_loads(text, 0, NULL);
	bool done = json_unpack(token, "{s:[s], s:s}", "keyslots", &slot, "sealed", &hex) == 0 &&
	    OPENSSL_hexstr2buf_ex(sealed->bytes, sizeof sealed->bytes, &sealed->size, hex, ':') == 1;
	if (done)
		*tpm_slot = atoi(slot);
	json_decref(token);
	return done;
}
