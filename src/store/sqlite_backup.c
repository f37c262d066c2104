/*
 * A consistent copy of the database while it works: the library copies page after page between the
 * batches, and what this connection writes meanwhile goes to the copy, too. Large bodies are files
 * that never change once they are committed: whoever makes the backup reads them one by one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite.h"

#define COPY "backup.db"
#define PAGES_PER_STEP 256

static bool
copy_path(const struct store *s, char *out, size_t size)
{
	return snprintf(out, size, "%s/" COPY, s->directory) < (int)size;
}

void
db_backup_end(struct store *s)
{
	char path[4096];

	if (s->backup)
		sqlite3_backup_finish(s->backup);
	s->backup = NULL;
	if (s->copy)
		sqlite3_close(s->copy);
	s->copy = NULL;
	if (copy_path(s, path, sizeof path))
		unlink(path);
}

enum fault
db_backup_begin(struct store *s)
{
	char path[4096];

	db_backup_end(s);
	if (store_is_full(s, 0))
		return FAULT_DISK_FULL;
	if (!copy_path(s, path, sizeof path) ||
	    sqlite3_open_v2(path, &s->copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
	        SQLITE_OPEN_NOMUTEX, "unix") != SQLITE_OK ||
	    sqlite3_exec(s->copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL,
	        NULL) != SQLITE_OK ||
	    !(s->backup = sqlite3_backup_init(s->copy, "main", s->db, "main"))) {
		db_backup_end(s);
		return FAULT_STORE_FAILED;
	}
	return FAULT_NONE;
}

enum fault
db_backup_step(struct store *s, bool *done, uint64_t *left)
{
	*done = false;
	if (!s->backup)
		return FAULT_STORE_FAILED;
	int rc = sqlite3_backup_step(s->backup, PAGES_PER_STEP);
	*left = (uint64_t)sqlite3_backup_remaining(s->backup);
	*done = rc == SQLITE_DONE;
	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return FAULT_NONE;
	db_backup_end(s);
	return store_is_full(s, 0) ? FAULT_DISK_FULL : FAULT_STORE_FAILED;
}

/* The copy as it is at this moment; then it has no name any more. */
int
db_backup_take(struct store *s)
{
	char path[4096];
	int fd = -1;

	if (!s->backup || !copy_path(s, path, sizeof path))
		return -1;
	bool whole = sqlite3_backup_finish(s->backup) == SQLITE_OK;
	s->backup = NULL;
	whole = sqlite3_close(s->copy) == SQLITE_OK && whole;
	s->copy = NULL;
	if (whole)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unlink(path);
	return fd;
}

bool
db_backup_files(struct store *s, void (*each)(void *arg, int64_t body, const char *name), void *arg)
{
	int fd = openat(s->spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	char *end;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *e; (e = readdir(d));) {
		long long id = strtoll(e->d_name, &end, 16);
		if (e->d_name[0] != '.' && !*end)
			each(arg, id, e->d_name);
	}
	closedir(d);
	return true;
}
