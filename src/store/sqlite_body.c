/* Exact bytes: small ones in rows, large ones in files that are durable before the row is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "store/sqlite.h"

#define PIECE (64 << 10)

static void
file_name(int64_t id, char out[BODY_FILE_NAME])
{
	snprintf(out, BODY_FILE_NAME, "%016llx", (unsigned long long)id);
}

bool
db_spool_open(struct store *s)
{
	int dir = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return false;
	if (mkdirat(dir, "spool", 0700) != 0 && errno != EEXIST) {
		close(dir);
		return false;
	}
	s->spool = openat(dir, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = s->spool >= 0 && fsync(dir) == 0;
	close(dir);
	return ok;
}

/* True unless a row refers to this file. */
static bool
unreferenced(struct store *s, const char *name)
{
	char *end, again[BODY_FILE_NAME];
	long long id = strtoll(name, &end, 16);
	int64_t one;

	file_name(id, again);
	if (*end || strcmp(name, again) != 0)
		return false; /* not ours: leave it alone */
	struct query q = sql(s, SQL_BODY_IS_FILE);
	put_int(&q, id);
	return !query_number(&q, &one) && s->why == FAULT_NONE;
}

bool
db_spool_drop_unreferenced(struct store *s)
{
	int fd = openat(s->spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned dropped = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.' || !unreferenced(s, e->d_name))
			continue;
		if (unlinkat(s->spool, e->d_name, 0) == 0)
			dropped++;
	}
	closedir(d);
	if (dropped)
		log_info("store.spool", "dropped=%u reason=\"no committed row\"", dropped);
	return true;
}

int
db_spool_file(struct store *s, uint64_t size, enum fault *why)
{
	if (store_is_full(s, size)) {
		*why = FAULT_DISK_FULL;
		return -1;
	}
	int fd = openat(s->spool, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* Blocks taken all at once cost half; a file system that cannot do it, takes them one by one. */
	bool full = fd >= 0 && size && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) != 0 &&
	    (errno == ENOSPC || errno == EDQUOT);
	if (fd < 0 || full) {
		*why = store_errno(s, "spool file");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*why = FAULT_NONE;
	return fd;
}

static bool
files_add(struct body_files *f, int64_t id, int fd)
{
	if (f->count == f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : 16;
		struct body_file *items = realloc(f->items, capacity * sizeof *items);
		if (!items)
			return false;
		f->items = items;
		f->capacity = capacity;
	}
	f->items[f->count++] = (struct body_file){id, fd};
	return true;
}

/* Gives an unnamed file its name. One that has it already is a left-over: ids are never reused. */
static bool
file_link(struct store *s, int fd, int64_t id)
{
	char from[32], name[BODY_FILE_NAME];

	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	file_name(id, name);
	if (linkat(AT_FDCWD, from, s->spool, name, AT_SYMLINK_FOLLOW) == 0)
		return true;
	if (errno != EEXIST || unlinkat(s->spool, name, 0) != 0)
		return false;
	return linkat(AT_FDCWD, from, s->spool, name, AT_SYMLINK_FOLLOW) == 0;
}

/* Takes fd. */
static bool
file_keep(struct store *s, int fd, int64_t id)
{
	if (!file_link(s, fd, id)) {
		store_errno(s, "spool link");
		close(fd);
		return false;
	}
	if (files_add(&s->made, id, fd))
		return true;
	char name[BODY_FILE_NAME];
	file_name(id, name);
	unlinkat(s->spool, name, 0);
	close(fd);
	s->why = FAULT_STORE_FAILED;
	return false;
}

static bool
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads size bytes of fd from its start through the digest, to `to` if that is not negative, and to
 * `copy` if that is not NULL. False when there are fewer. */
static bool
digest_fd(struct store *s, int fd, uint64_t size, int to, uint8_t *copy)
{
	uint8_t piece[PIECE];

	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < PIECE ? (size_t)(size - at) : PIECE;
		ssize_t n = pread(fd, piece, want, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENODATA;
		if (n <= 0 || (to >= 0 && !write_all(to, piece, (size_t)n)))
			return false;
		EVP_DigestUpdate(s->digest, piece, (size_t)n);
		if (copy)
			memcpy(copy + at, piece, (size_t)n);
		at += (uint64_t)n;
	}
	return true;
}

/* True when fd is an unnamed file of our own spool of exactly this size: it can be linked. */
static bool
linkable(const struct store *s, int fd, uint64_t size)
{
	struct stat file, spool;

	return fstat(fd, &file) == 0 && fstat(s->spool, &spool) == 0 && S_ISREG(file.st_mode) &&
	       file.st_dev == spool.st_dev && file.st_nlink == 0 && (uint64_t)file.st_size == size;
}

static bool
row_add(struct store *s, int64_t id, uint64_t size, const void *data)
{
	uint8_t sha256[32];

	if (!EVP_DigestFinal_ex(s->digest, sha256, NULL)) {
		s->why = FAULT_STORE_FAILED;
		return false;
	}
	s->saved.size = size;
	memcpy(s->saved.sha256, sha256, sizeof sha256);
	struct query q = sql(s, SQL_BODY_ADD);
	put_int(&q, id);
	put_int(&q, (int64_t)size);
	put_bytes(&q, sha256, sizeof sha256);
	put_bytes(&q, data, data ? (size_t)size : 0);
	return query_run(&q);
}

static bool
save_row(struct store *s, const int *fds, const uint64_t *sizes, unsigned n, uint64_t size,
	 int64_t id)
{
	uint8_t data[BODY_IN_ROW];
	uint64_t at = 0;

	for (unsigned i = 0; i < n; at += sizes[i], i++) {
		if (!digest_fd(s, fds[i], sizes[i], -1, data + at)) {
			store_errno(s, "reading a body");
			return false;
		}
	}
	return row_add(s, id, size, data);
}

static bool
save_file(struct store *s, const int *fds, const uint64_t *sizes, unsigned n, uint64_t size,
	  int64_t id)
{
	int fd = openat(s->spool, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) {
		store_errno(s, "spool file");
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!digest_fd(s, fds[i], sizes[i], fd, NULL)) {
			store_errno(s, "spool write");
			close(fd);
			return false;
		}
	}
	return file_keep(s, fd, id) && row_add(s, id, size, NULL);
}

static bool
save_linked(struct store *s, const struct store_bytes *b, int64_t id)
{
	int fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0 || !digest_fd(s, fd, b->size, -1, NULL)) {
		store_errno(s, "reading a body");
		if (fd >= 0)
			close(fd);
		return false;
	}
	return file_keep(s, fd, id) && row_add(s, id, b->size, NULL);
}

static bool
body_new(struct store *s, int64_t *id)
{
	*id = s->next_body++;
	if (EVP_DigestInit_ex2(s->digest, s->sha256, NULL))
		return true;
	s->why = FAULT_STORE_FAILED;
	return false;
}

bool
db_body_save_parts(struct store *s, const int *fds, const uint64_t *sizes, unsigned n, int64_t *id)
{
	uint64_t size = 0;

	*id = 0;
	s->saved.size = 0;
	for (unsigned i = 0; i < n; i++)
		size += sizes[i];
	if (size == 0)
		return true;
	if (!body_new(s, id))
		return false;
	return size <= BODY_IN_ROW ? save_row(s, fds, sizes, n, size, *id)
	                           : save_file(s, fds, sizes, n, size, *id);
}

/* Bytes in memory that are too many for a row: no role sends such, but nothing forbids it. */
static bool
save_memory(struct store *s, const struct store_bytes *b, int64_t id)
{
	EVP_DigestUpdate(s->digest, b->data, (size_t)b->size);
	if (b->size <= BODY_IN_ROW)
		return row_add(s, id, b->size, b->data);
	int fd = openat(s->spool, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || !write_all(fd, b->data, (size_t)b->size)) {
		store_errno(s, "spool write");
		if (fd >= 0)
			close(fd);
		return false;
	}
	return file_keep(s, fd, id) && row_add(s, id, b->size, NULL);
}

bool
db_body_save(struct store *s, const struct store_bytes *b, int64_t *id)
{
	*id = 0;
	s->saved.size = 0;
	if (b->size == 0)
		return true;
	if (!b->data && !(b->spooled && b->size > BODY_IN_ROW && linkable(s, b->fd, b->size)))
		return db_body_save_parts(s, &b->fd, &b->size, 1, id);
	if (!body_new(s, id))
		return false;
	return b->data ? save_memory(s, b, *id) : save_linked(s, b, *id);
}

bool
db_body_delete(struct store *s, int64_t id)
{
	int64_t in_file = 0;
	struct query q = sql(s, SQL_BODY_DELETE);

	put_int(&q, id);
	while (query_row(&q))
		in_file = get_int(&q);
	if (!query_end(&q))
		return false;
	if (!in_file || files_add(&s->dead, id, -1))
		return true;
	s->why = FAULT_STORE_FAILED;
	return false;
}

static int
file_open(struct store *s, int64_t id)
{
	char name[BODY_FILE_NAME];

	file_name(id, name);
	return openat(s->spool, name, O_RDONLY | O_CLOEXEC);
}

int
db_body_open(struct store *s, int64_t id)
{
	int fd = -1;
	struct query q = sql(s, SQL_BODY_GET);

	put_int(&q, id);
	if (query_row(&q)) {
		(void)get_int(&q);
		bool in_file = get_int(&q);
		struct wire_bytes b = get_bytes(&q);
		fd = in_file ? file_open(s, id) : wire_memfd("body", b.data, b.len);
	}
	query_end(&q);
	return fd;
}

static enum fault
file_read(struct store *s, int64_t id, uint64_t size, struct buf *out)
{
	int fd = file_open(s, id);
	uint8_t *room = buf_room(out, (size_t)size);
	size_t at = 0;

	while (fd >= 0 && room && at < size) {
		ssize_t n = pread(fd, room + at, (size_t)size - at, (off_t)at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (!room || at < size)
		return FAULT_STORE_FAILED;
	out->len += at;
	out->data[out->len] = 0;
	return FAULT_NONE;
}

enum fault
db_body_read(struct store *s, int64_t id, struct buf *out)
{
	enum fault f = FAULT_STORE_FAILED;
	struct query q = sql(s, SQL_BODY_GET);

	put_int(&q, id);
	if (query_row(&q)) {
		uint64_t size = (uint64_t)get_int(&q);
		bool in_file = get_int(&q);
		struct wire_bytes b = get_bytes(&q);
		if (in_file)
			f = file_read(s, id, size, out);
		else
			f = buf_add(out, b.data, b.len) ? FAULT_NONE : FAULT_STORE_FAILED;
	}
	return query_end(&q) ? f : s->why;
}

bool
db_files_sync(struct store *s)
{
	if (s->made.count == 0 || s->options.undurable)
		return true;
	for (size_t i = 0; i < s->made.count; i++) {
		struct body_file *f = &s->made.items[i];
		if (fdatasync(f->fd) != 0) {
			store_errno(s, "spool fdatasync");
			return false;
		}
	}
	if (fsync(s->spool) == 0)
		return true;
	store_errno(s, "spool directory fsync");
	return false;
}

static void
file_remove(struct store *s, int64_t id)
{
	char name[BODY_FILE_NAME];

	file_name(id, name);
	unlinkat(s->spool, name, 0);
}

void
db_files_committed(struct store *s)
{
	for (size_t i = 0; i < s->made.count; i++)
		close(s->made.items[i].fd);
	for (size_t i = 0; i < s->dead.count; i++)
		file_remove(s, s->dead.items[i].id);
	s->made.count = s->dead.count = 0;
}

void
db_files_undo(struct store *s, size_t keep_made, size_t keep_dead)
{
	while (s->made.count > keep_made) {
		struct body_file *f = &s->made.items[--s->made.count];
		close(f->fd);
		file_remove(s, f->id);
	}
	if (s->dead.count > keep_dead)
		s->dead.count = keep_dead;
}
