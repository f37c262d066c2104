#include "store/sqlite_log.h"

#include <sqlite3.h>
#include <string.h>

#define GATHERED (120 << 10) /* bytes: SQLite on Unix takes less than 128 KiB in one call */

/* Ours, as SQLite lists it. */
struct log_vfs {
	sqlite3_vfs base;
	sqlite3_vfs *system;
	bool durable;
};

/* A log file; SQLite allocates it, with room for the real file behind it. */
struct log_file {
	sqlite3_file base;
	sqlite3_file *real;
	bool durable;
	unsigned char *data; /* what comes at `at` and was not passed on yet */
	sqlite3_int64 at;
	int len;
};

static sqlite3_file *
real(sqlite3_file *f)
{
	return ((struct log_file *)f)->real;
}

/* What could not be written is forgotten: it belongs to a transaction that now fails, and must not
 * reach the disk later. */
static int
flush(sqlite3_file *f)
{
	struct log_file *l = (struct log_file *)f;
	int len = l->len;

	l->len = 0;
	return len ? l->real->pMethods->xWrite(l->real, l->data, len, l->at) : SQLITE_OK;
}

static int
log_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
	struct log_file *l = (struct log_file *)f;

	if (l->len > 0 && (at != l->at + l->len || len > GATHERED - l->len)) {
		int rc = flush(f);
		if (rc != SQLITE_OK)
			return rc;
	}
	if (len > GATHERED)
		return l->real->pMethods->xWrite(l->real, data, len, at);
	if (l->len == 0)
		l->at = at;
	memcpy(l->data + l->len, data, (size_t)len);
	l->len += len;
	return SQLITE_OK;
}

static int
log_read(sqlite3_file *f, void *data, int len, sqlite3_int64 at)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? real(f)->pMethods->xRead(real(f), data, len, at) : rc;
}

static int
log_sync(sqlite3_file *f, int how)
{
	int rc = flush(f);

	if (rc != SQLITE_OK || !((struct log_file *)f)->durable)
		return rc;
	return real(f)->pMethods->xSync(real(f), how);
}

static int
log_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? real(f)->pMethods->xTruncate(real(f), size) : rc;
}

static int
log_size(sqlite3_file *f, sqlite3_int64 *size)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? real(f)->pMethods->xFileSize(real(f), size) : rc;
}

static int
log_close(sqlite3_file *f)
{
	int flushed = flush(f), rc = real(f)->pMethods->xClose(real(f));

	sqlite3_free(((struct log_file *)f)->data);
	return flushed == SQLITE_OK ? rc : flushed;
}

static int
log_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int
log_lock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xLock(real(f), level);
}

static int
log_unlock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xUnlock(real(f), level);
}

static int
log_reserved(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int
log_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int
log_device(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* mapping and shared memory belong to the database's file */
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector,
    .xDeviceCharacteristics = log_device,
};

static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	const struct log_vfs *v = (struct log_vfs *)vfs;
	struct log_file *l = (struct log_file *)f;

	if (!(flags & SQLITE_OPEN_WAL))
		return v->system->xOpen(v->system, name, f, flags, out);
	*l = (struct log_file){.real = (sqlite3_file *)(l + 1), .durable = v->durable,
	    .data = sqlite3_malloc(GATHERED)};
	if (!l->data)
		return SQLITE_NOMEM;
	int rc = v->system->xOpen(v->system, name, l->real, flags, out);
	if (rc == SQLITE_OK)
		l->base.pMethods = &methods;
	else
		sqlite3_free(l->data);
	return rc;
}

static bool
add(sqlite3_vfs *system, const char *name, bool durable)
{
	struct log_vfs *v = sqlite3_malloc(sizeof *v);

	if (!v)
		return false;
	/* All calls but this one go to the system's functions, which look at nothing of ours. */
	*v = (struct log_vfs){.base = *system, .system = system, .durable = durable};
	v->base.zName = name;
	v->base.xOpen = open_file;
	v->base.szOsFile = (int)sizeof(struct log_file) + system->szOsFile;
	v->base.pNext = NULL;
	return sqlite3_vfs_register(&v->base, 0) == SQLITE_OK;
}

const char *
sqlite_log_vfs(bool durable)
{
	const char *name = durable ? "obmen" : "obmen-undurable";
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	if (sqlite3_vfs_find(name))
		return name;
	return system && add(system, name, durable) ? name : NULL;
}
