/*
 * The update bundle, all of it verified before anything is believed:
 *
 *   "OBMEN-UPDATE 1 <bytes of manifest> <bytes of signature>\n"
 *   manifest    lines "key value": version, board, security, and for root, A and B their size and SHA-256
 *   signature   CMS SignedData (RFC 5652), DER, detached, over the manifest
 *   root, A, B  the root file system with its hashes; the kernel file for either slot
 */
#ifndef OBMEN_UPDATE_BUNDLE_H
#define OBMEN_UPDATE_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

enum bundle_part { PART_ROOT, PART_A, PART_B, PARTS };

struct bundle {
	int fd;
	char version[32];
	char board[32];
	unsigned security; /* level; a box never goes below its own */
	struct {
		uint64_t offset, size; /* bytes, in the file */
		uint8_t sha256[32];
	} parts[PARTS];
};

/* Opens a bundle and verifies its signature against the certificates in `authority` (PEM), and every
 * part against its digest. False: nothing is open, `why` (an English sentence) says the reason. */
bool bundle_open(struct bundle *b, const char *path, const char *authority, const char **why);
void bundle_close(struct bundle *b);

/* Hashes `size` bytes of a descriptor from `offset`. False when they cannot be read. */
bool bundle_digest(int fd, uint64_t offset, uint64_t size, uint8_t sha256[32]);

#endif
