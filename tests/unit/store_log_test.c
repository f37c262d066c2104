/* The VFS that writes the log in few large pieces: how few, and what a disk that fails leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "store/sqlite_log.h"

static struct {
	unsigned writes, syncs;
	bool fail; /* writes find the disk full */
} disk;

/* These take the place of libc's, for SQLite too. */

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	disk.writes++;
	if (disk.fail) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, data, len, at);
}

int
fdatasync(int fd)
{
	disk.syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

static char directory[] = "/tmp/store-log-XXXXXX";

static sqlite3 *
open_base(const char *vfs)
{
	char path[64];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/a.db", directory);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), 0);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	    "PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, b BLOB)",
	    NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static int
run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int
count(sqlite3 *db)
{
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*), sum(length(b)) FROM t", -1, &q, NULL), 0);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	int n = sqlite3_column_int(q, 0);
	assert_int_equal(sqlite3_column_int(q, 1), n * 3000);
	sqlite3_finalize(q);
	return n;
}

#define ADD(n) \
	"WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < " n ")" \
	" INSERT INTO t(b) SELECT randomblob(3000) FROM s"

/* What one process committed, another one that knows nothing of this VFS reads at once. */
static void
check_commits(bool durable)
{
	sqlite3 *db = open_base(sqlite_log_vfs(durable)), *other = open_base(NULL);
	int before = count(other);

	memset(&disk, 0, sizeof disk);
	assert_int_equal(run(db, ADD("40")), SQLITE_OK);
	assert_in_range(disk.writes, 1, 4); /* SQLite alone: more than 80 */
	assert_int_equal(disk.syncs, durable);
	assert_int_equal(count(other), before + 40);
	assert_int_equal(run(db, "BEGIN;" ADD("500") ";ROLLBACK;" ADD("7")), SQLITE_OK);
	assert_int_equal(count(other), before + 47);
	assert_int_equal(run(db, "PRAGMA wal_checkpoint(RESTART);" ADD("3")), SQLITE_OK);
	assert_int_equal(count(other), before + 50);
	assert_int_equal(count(db), before + 50);
	sqlite3_close(db);
	assert_int_equal(run(other, "PRAGMA integrity_check"), SQLITE_OK);
	sqlite3_close(other);
}

static void
test_commits(void **state)
{
	(void)state;
	check_commits(true);
	check_commits(false);
}

/* A transaction that could not be written is not there, then or after a crash. */
static void
check_failure(bool durable)
{
	sqlite3 *db = open_base(sqlite_log_vfs(durable));
	int before = count(db);

	disk.fail = true;
	assert_int_not_equal(run(db, ADD("5")), SQLITE_OK);
	assert_int_not_equal(run(db, ADD("100")), SQLITE_OK); /* more than is gathered */
	disk.fail = false;
	sqlite3 *other = open_base(NULL);
	assert_int_equal(count(other), before);
	assert_int_equal(run(db, ADD("2")), SQLITE_OK);
	assert_int_equal(count(db), before + 2);
	assert_int_equal(count(other), before + 2);
	sqlite3_close(other);
	sqlite3_close(db);
}

static void
test_failure(void **state)
{
	(void)state;
	check_failure(true);
	check_failure(false);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int
teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "%s/a.db", directory);
	unlink(path);
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_commits), cmocka_unit_test(test_failure)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
