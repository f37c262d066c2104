/* Detached CMS signatures of files by the node: of archives (codec_seal.c) and backups
 * (codec_backup.c). */
#ifndef OBMEN_CODEC_SEAL_H
#define OBMEN_CODEC_SEAL_H

#include "obmend/codec.h"

#define SEAL_MAX 8192 /* bytes; real ones have 2 to 3 KiB with a certificate and a 4096-bit key */

/* The structure around a signature of our first certificate over this digest; its length, 0 when the
 * signature is not one. */
size_t seal_cms(const struct codec *, const uint8_t digest[32], const struct wire_bytes *signature,
                uint8_t out[SEAL_MAX]);

/* Handler of the query backup.seal; the file is the frame's first descriptor. */
void backup_start(struct codec *, struct peer, struct ipc_frame *);

#endif
