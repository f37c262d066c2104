#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "register/layout.h"

#define PIECE (1u << 20)

/* Copies all bytes of one descriptor into another. */
static bool
copy(int from, int to, off_t size)
{
	uint8_t *map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, from, 0);
	bool ok = map != MAP_FAILED;

	for (off_t at = 0; ok && at < size;) {
		size_t rest = (size_t)(size - at);
		ssize_t n = write(to, map + at, rest < PIECE ? rest : PIECE);
		if (n > 0)
			at += n;
		else
			ok = n < 0 && errno == EINTR;
	}
	if (map != MAP_FAILED)
		munmap(map, (size_t)size);
	return ok;
}

static bool
write_file(int fd, int dir_fd, const char *name)
{
	struct stat st;
	int out = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (out < 0)
		return false;
	bool ok = fstat(fd, &st) == 0 && copy(fd, out, st.st_size) && fsync(out) == 0;
	int saved = errno;
	close(out);
	errno = saved;
	return ok;
}

bool
snapshot_save(int fd, int dir_fd, const char *name)
{
	char beside[64];

	snprintf(beside, sizeof beside, "%s.new", name);
	if (write_file(fd, dir_fd, beside) && renameat(dir_fd, beside, dir_fd, name) == 0 &&
	    fsync(dir_fd) == 0)
		return true;
	log_warning("register.save-failed", "file=%s reason=\"%s\"", name, strerror(errno));
	unlinkat(dir_fd, beside, 0);
	return false;
}

/* Copies the file's bytes with read(2): a file may shrink under a map. */
static bool
read_file(int from, int to)
{
	uint8_t piece[64 << 10];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(from, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		total += (size_t)n;
		if (total > LAYOUT_SIZE_MAX || write(to, piece, (size_t)n) != n)
			return false;
	}
}

/* True when the sealed bytes carry their own check sum. */
static bool
digest_holds(int fd)
{
	struct stat st;
	uint8_t digest[32];

	if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct layout_header))
		return false;
	size_t size = (size_t)st.st_size;
	const struct layout_header *h = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (h == MAP_FAILED)
		return false;
	bool ok = layout_digest(h, size, digest) && memcmp(digest, h->sha256, sizeof digest) == 0;
	munmap((void *)(uintptr_t)h, size);
	return ok;
}

int
snapshot_load(int dir_fd, const char *name)
{
	int file = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (file < 0 && errno == ENOENT)
		return -1;
	int fd = memfd_create("register", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool ok = file >= 0 && fd >= 0 && read_file(file, fd) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
	const char *reason = ok ? "check sum differs" : strerror(errno);
	if (file >= 0)
		close(file);
	if (ok && digest_holds(fd))
		return fd;
	log_warning("register.copy-unusable", "file=%s reason=\"%s\"", name, reason);
	if (fd >= 0)
		close(fd);
	return -1;
}
