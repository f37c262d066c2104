/* Plain tar files (POSIX ustar): what evidence and archives are packed into. */
#ifndef OBMEN_TAR_H
#define OBMEN_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_NAME_MAX 99
#define TAR_BLOCK 512
#define TAR_SIZE_MAX ((uint64_t)077777777777) /* bytes of one file: 8 GiB - 1 */

/* Fills a header for a regular file of mode 0644 that belongs to nobody; the same arguments give the
 * same bytes. False when name or size do not fit. */
bool tar_header(char out[TAR_BLOCK], const char *name, uint64_t size, int64_t seconds);
/* Bytes of zeros that follow a file of this size. */
size_t tar_padding(uint64_t size);

/* Writes one file from memory, or from fd (size bytes from offset 0) when data is NULL. False: errno. */
bool tar_add(int tar, const char *name, const void *data, int fd, uint64_t size, int64_t seconds);
/* The two empty blocks at the end. */
bool tar_end(int tar);

/* One file in a tar file that is being read. */
struct tar_file {
	char name[TAR_NAME_MAX + 1];
	uint64_t size;
	uint64_t at; /* offset of its first byte */
};

enum tar_read { TAR_FILE, TAR_END, TAR_DAMAGED };

/* Reads the header at *offset and moves it behind the file. Anything but regular files is damage. */
enum tar_read tar_next(int tar, uint64_t *offset, struct tar_file *out);

#endif
