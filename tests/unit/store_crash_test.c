/*
 * The power goes: a process that receives and commits is killed at random instants, many times over
 * one and the same store. What it acknowledged must be there, byte for byte; what it had begun must
 * be there whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "store_fixture.h"

#define KILLS 60
#define BATCH 7

/* Sizes on both sides of what fits a row. */
static size_t
size_of(unsigned n)
{
	static const size_t sizes[] = {300, 5000, 64 << 10, (64 << 10) + 1, 200000};

	return sizes[n % (sizeof sizes / sizeof sizes[0])];
}

/* Bytes that only message n has. */
static void
fill_body(uint8_t *out, size_t size, unsigned n)
{
	uint64_t x = n * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		out[i] = (uint8_t)x;
	}
}

static size_t
fill_answer(char *out, size_t size, unsigned n)
{
	return (size_t)snprintf(out, size, "<answer to=\"%u\"/>", n);
}

static bool
receive_one(struct fixture *f, unsigned n, uint8_t *bytes)
{
	struct wire_receive w = registration(n, n);
	size_t size = size_of(n);
	char answer[64];
	enum fault why;
	struct store_bytes body = {.data = bytes, .size = size};

	memcpy(w.proof.fingerprint, &n, sizeof n);
	fill_body(bytes, size, n);
	w.answer = (struct wire_bytes){(const uint8_t *)answer, fill_answer(answer, sizeof answer, n)};
	if (n % 2 && size > 64 << 10) { /* as front does it: a file of the store's */
		body = (struct store_bytes){.size = size, .spooled = true};
		body.fd = f->backend->spool_file(f->store, size, &why);
		if (body.fd < 0 || pwrite(body.fd, bytes, size, 0) != (ssize_t)size)
			return false;
	}
	bool ok = receive_bytes(f, &w, body).outcome == RECEIVE_STORED;
	if (!body.data)
		close(body.fd);
	return ok;
}

/* Receives until it is killed; each committed number goes through the pipe. */
static void
child(struct fixture *f, int out, unsigned next)
{
	uint8_t *bytes = malloc(300000);

	if (!fixture_reopen(f))
		_exit(2);
	for (;;) {
		unsigned first = next;
		if (f->backend->begin(f->store, f->now))
			_exit(3);
		for (; next < first + BATCH; next++)
			if (!receive_one(f, next, bytes))
				_exit(4);
		if (f->backend->commit(f->store))
			_exit(5);
		for (unsigned n = first; n < next; n++)
			if (write(out, &n, sizeof n) != sizeof n)
				_exit(6);
		f->backend->tidy(f->store, true);
	}
}

/* Runs one life of the child; returns the number after the last acknowledged one. */
static unsigned
one_life(struct fixture *f, unsigned next, unsigned life, bool *ended_by_us)
{
	int fds[2], status;
	unsigned n, after = next;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		child(f, fds[1], next);
	}
	close(fds[1]);
	/* Some die while opening, most in the middle of the batches that follow. */
	for (unsigned wait = life % 4 * BATCH; after < next + wait; after++) {
		assert_int_equal(read(fds[0], &n, sizeof n), sizeof n);
		assert_int_equal(n, after);
	}
	usleep((useconds_t)(life * 7919u % 20011u));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ended_by_us = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	while (read(fds[0], &n, sizeof n) == sizeof n) {
		assert_int_equal(n, after);
		after = n + 1;
	}
	close(fds[0]);
	return after;
}

static void
check_integrity(const struct fixture *f)
{
	char path[128];
	sqlite3 *db;
	sqlite3_stmt *q;

	snprintf(path, sizeof path, "%s/store.db", f->directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(q, 0), "ok");
	sqlite3_finalize(q);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_DONE);
	sqlite3_finalize(q);
	sqlite3_close(db);
}

/* The message and its answer, as they were acknowledged. */
static void
check_message(struct fixture *f, unsigned n, uint8_t *expected)
{
	struct guid g = DOCUMENT(n);
	struct buf body = {0}, answer = {0};
	char text[64];
	size_t size = size_of(n), len = fill_answer(text, sizeof text, n);
	int64_t id;

	fill_body(expected, size, n);
	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_NONE);
	struct shown s = show(f, id);
	assert_string_equal(s.evidence, "message answer");
	assert_int_equal(f->backend->body_read(f->store, s.last.body - 1, &body), FAULT_NONE);
	assert_int_equal(body.len, size);
	assert_memory_equal(body.data, expected, size);
	assert_int_equal(f->backend->body_read(f->store, s.last.body, &answer), FAULT_NONE);
	assert_int_equal(answer.len, len);
	assert_memory_equal(answer.data, text, len);
	buf_free(&body);
	buf_free(&answer);
}

/* Files of bodies, and nothing that no row knows. */
static unsigned
count_files(const struct fixture *f)
{
	char path[128];
	unsigned n = 0;

	snprintf(path, sizeof path, "%s/spool", f->directory);
	DIR *d = opendir(path);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
test_kills(void **state)
{
	struct fixture f;
	unsigned next = 0, kills = 0, working = 0;
	uint8_t *bytes = malloc(300000);

	(void)state;
	assert_true(fixture_open(&f));
	for (unsigned life = 0; kills < KILLS; life++) {
		bool killed;
		f.backend->close(f.store);
		f.store = NULL;
		unsigned after = one_life(&f, next, life, &killed);
		assert_true(killed);
		kills++;
		working += after > next;
		assert_true(fixture_reopen(&f));
		for (unsigned n = next; n < after; n++)
			check_message(&f, n, bytes);
		/* A batch may be committed and not acknowledged: then the next life meets its messages. */
		struct guid g = DOCUMENT(after);
		int64_t id;
		bool whole = f.backend->find(f.store, &g, &id) == FAULT_NONE;
		for (unsigned n = after; n < after + BATCH; n++) {
			g = DOCUMENT(n);
			if (after % BATCH == 0)
				assert_int_equal(f.backend->find(f.store, &g, &id) == FAULT_NONE, whole);
		}
		next = after;
		while (g = DOCUMENT(next), f.backend->find(f.store, &g, &id) == FAULT_NONE)
			next++;
	}
	assert_true(working > KILLS / 4);
	f.backend->close(f.store);
	f.store = NULL;
	check_integrity(&f);
	assert_true(fixture_reopen(&f));
	unsigned files = 0;
	for (unsigned n = 0; n < next; n++) {
		check_message(&f, n, bytes);
		files += size_of(n) > 64 << 10;
	}
	assert_int_equal(count_files(&f), files);
	free(bytes);
	fixture_close(&f);
}

/* What a kill cannot show, because the page cache survives it: the order in which things are made
 * durable. These take the place of libc's, for SQLite too, and note what was synced. */
static char order[512];

static void
note(int fd, const char *what)
{
	char link[64], path[256];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n < 0 ? 0 : n] = 0;
	const char *name = strrchr(path, '/');
	size_t len = strlen(order);
	snprintf(order + len, sizeof order - len, "%s:%s ", what,
	    !name ? "?" : strstr(path, "/spool/") ? "file" : name + 1);
}

int
fsync(int fd)
{
	note(fd, "sync");
	return (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	note(fd, "sync");
	return (int)syscall(SYS_fdatasync, fd);
}

int
linkat(int from, const char *path, int to, const char *name, int flags)
{
	note(to, "link");
	return (int)syscall(SYS_linkat, from, path, to, name, flags);
}

/* Bodies, then the folder that names them, then the log that refers to them; the log once. */
static void
test_order(void **state)
{
	struct fixture f;
	uint8_t *bytes = malloc(300000);

	(void)state;
	assert_true(fixture_open(&f));
	assert_int_equal(f.backend->begin(f.store, f.now), FAULT_NONE);
	assert_true(receive_one(&f, 9, bytes));
	assert_int_equal(f.backend->commit(f.store), FAULT_NONE); /* the log's own header */
	order[0] = 0;
	assert_int_equal(f.backend->begin(f.store, f.now), FAULT_NONE);
	for (unsigned n = 10; n < 15; n++) /* two of them are files */
		assert_true(receive_one(&f, n, bytes));
	assert_string_equal(order, "link:spool link:spool ");
	order[0] = 0;
	assert_int_equal(f.backend->commit(f.store), FAULT_NONE);
	assert_string_equal(order, "sync:file sync:file sync:spool sync:store.db-wal ");
	free(bytes);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_order),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
