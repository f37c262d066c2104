/*
 * The update bundle, all of it verified before anything is believed:
 *
 *   "OBMEN-UPDATE 1 <bytes of manifest> <bytes of signature>\n"
 *   manifest    lines "key value": version, board, security, store (two numbers: schema and reader, see
 *               release.h), and for root, A and B their size and SHA-256
 *   signature   CMS SignedData (RFC 5652), DER, detached, over the manifest
 *   root, A, B  the root file system with its hashes; the kernel file for either slot
 */
#ifndef OBMEN_UPDATE_BUNDLE_H
#define OBMEN_UPDATE_BUNDLE_H

#include "update/release.h"

#include <stdint.h>

enum bundle_part { PART_ROOT, PART_A, PART_B, PARTS };

struct bundle {
	int fd; /* borrowed */
	struct release release;
	struct {
		uint64_t offset, size; /* bytes, in the file */
		uint8_t sha256[32];
	} parts[PARTS];
};

/* Reads a bundle from a file and verifies its signature against the certificates in `authority` (PEM
 * file), and every part against its digest. FAULT_NONE, UPDATE_FORM, UPDATE_SIGNATURE or UPDATE_DAMAGED.
 * What is read from the file later must be verified again: its owner may still write to it. */
enum fault bundle_open(struct bundle *, int fd, const char *authority);

/* Hashes `size` bytes of a descriptor from `offset`. False when they cannot be read. */
bool bundle_digest(int fd, uint64_t offset, uint64_t size, uint8_t sha256[32]);

#endif
