/*
 * The power goes at every single call by which the store changes its disk: writes, syncs, lengths and
 * names, SQLite's own included. Each time the same scenario runs in a child until that call; then the
 * disk is made what it may look like after a power cut, and the store is opened again. What was
 * acknowledged must be there byte for byte, and the books must agree.
 *
 * Three disks after the cut: everything that was written (a killed process); only what was synced,
 * names included (a disk with a cache); and some of the rest by chance, a half-written block among it.
 * Deletions are taken as durable at once: nothing here may depend on a deleted file.
 *
 * time-limit: 400
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "store_fixture.h"

#define FILES_MAX 64
#define CHANGES_MAX 4096
#define NAMES_MAX 64
#define LARGE 100000 /* does not fit a row */
#define BLOCK 4096   /* of a disk: between two of them a write can be cut, too */

/* The sanitizers are there for the cleaning up, which is the same after many cuts. */
#ifdef __SANITIZE_ADDRESS__
#define STEP 7
#else
#define STEP 1
#endif

enum disk { DISK_KILLED, DISK_CACHED, DISK_MIXED, DISK_COUNT };

/* -- the disk as it would be without what was not synced; only in the child */

struct change {
	unsigned file;
	off_t at, old_size;
	size_t len;
	uint8_t *old; /* what stood there */
	size_t old_len;
};

static struct {
	bool on;
	enum disk disk;
	unsigned calls, cut_at; /* the cut comes instead of this call, counted from 1; 0: never */
	uint64_t chance;
	char directory[128];
	ino_t inodes[FILES_MAX];
	int fds[FILES_MAX]; /* duplicates */
	unsigned files;
	struct change changes[CHANGES_MAX];
	unsigned count;
	char names[2][NAMES_MAX][NAME_MAX + 1]; /* durable names: of the folder, of spool */
	unsigned name_count[2];
} power;

static const char *const folders[2] = {".", "spool"};

static void
folder_path(unsigned folder, char out[200])
{
	snprintf(out, 200, "%s/%s", power.directory, folders[folder]);
}

static bool
is_durable(unsigned folder, const char *name)
{
	for (unsigned i = 0; i < power.name_count[folder]; i++) {
		if (strcmp(power.names[folder][i], name) == 0)
			return true;
	}
	return false;
}

/* For each name in the folder. */
static void
each_name(unsigned folder, void (*f)(unsigned folder, int dir, const char *name))
{
	char path[200];

	folder_path(folder, path);
	DIR *d = opendir(path);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_type == DT_REG)
			f(folder, dirfd(d), e->d_name);
	}
	closedir(d);
}

static void
remember_name(unsigned folder, int dir, const char *name)
{
	(void)dir;
	if (is_durable(folder, name))
		return;
	if (power.name_count[folder] == NAMES_MAX)
		abort();
	strcpy(power.names[folder][power.name_count[folder]++], name);
}

static bool
by_chance(void)
{
	power.chance ^= power.chance << 13, power.chance ^= power.chance >> 7;
	power.chance ^= power.chance << 17;
	return power.chance >> 40 & 1;
}

static void
forget_name(unsigned folder, int dir, const char *name)
{
	if (!is_durable(folder, name) && (power.disk == DISK_CACHED || by_chance()))
		syscall(SYS_unlinkat, dir, name, 0);
}

/* Puts back what stood there before the change; half of it when the block was torn. */
static void
take_back(const struct change *c)
{
	size_t len = power.disk == DISK_MIXED && by_chance() ? c->old_len / 2 : c->old_len;
	long n = syscall(SYS_pwrite64, power.fds[c->file], c->old, len, c->at);

	if (n != (long)len || (len == c->old_len &&
	    syscall(SYS_ftruncate, power.fds[c->file], c->old_size) < 0))
		_exit(90);
}

/* The power is gone. */
static _Noreturn void
cut(void)
{
	for (unsigned i = power.count; power.disk != DISK_KILLED && i-- > 0;) {
		if (power.disk == DISK_CACHED || by_chance())
			take_back(&power.changes[i]);
	}
	for (unsigned i = 0; power.disk != DISK_KILLED && i < 2; i++)
		each_name(i, forget_name);
	_exit(77);
}

/* Counts one call, or ends everything before it. */
static void
one_call(void)
{
	if (power.on && ++power.calls == power.cut_at) {
		power.on = false;
		cut();
	}
}

/* The number of the file behind fd, -1 if it is none of the store's. */
static int
file_of(int fd)
{
	struct stat st;
	char link[64], path[256];

	if (!power.on || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	for (unsigned i = 0; i < power.files; i++) {
		if (power.inodes[i] == st.st_ino)
			return (int)i;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n < 0 ? 0 : n] = 0;
	/* The index of the log is made anew when the store is opened; sockets and memory are no files. */
	if (strncmp(path, power.directory, strlen(power.directory)) != 0 || strstr(path, "-shm"))
		return -1;
	if (power.files == FILES_MAX)
		abort();
	power.inodes[power.files] = st.st_ino;
	power.fds[power.files] = dup(fd);
	return (int)power.files++;
}

static void
note_change(int file, off_t at, size_t len)
{
	struct stat st;

	if (power.count == CHANGES_MAX || fstat(power.fds[file], &st) < 0)
		abort();
	struct change *c = &power.changes[power.count++];
	*c = (struct change){.file = (unsigned)file, .at = at, .len = len, .old_size = st.st_size};
	if (at < st.st_size)
		c->old_len = len < (size_t)(st.st_size - at) ? len : (size_t)(st.st_size - at);
	c->old = malloc(c->old_len + 1);
	if (!c->old || pread(power.fds[file], c->old, c->old_len, at) != (ssize_t)c->old_len)
		abort();
}

/* The file's bytes are durable now: there is nothing to take back. */
static void
made_durable(int fd)
{
	struct stat st;

	if (!power.on || fstat(fd, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		struct stat here;
		char path[200];
		for (unsigned i = 0; i < 2; i++) {
			folder_path(i, path);
			if (stat(path, &here) == 0 && here.st_ino == st.st_ino)
				each_name(i, remember_name);
		}
		return;
	}
	unsigned kept = 0;
	for (unsigned i = 0; i < power.count; i++) {
		if (power.inodes[power.changes[i].file] == st.st_ino)
			free(power.changes[i].old);
		else
			power.changes[kept++] = power.changes[i];
	}
	power.count = kept;
}

/* -- these take the place of libc's, for SQLite too */

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	int file = file_of(fd);

	if (file < 0)
		return syscall(SYS_pwrite64, fd, data, len, at);
	for (size_t done = 0; done < len;) {
		size_t piece = BLOCK - (size_t)((at + (off64_t)done) % BLOCK);
		piece = piece < len - done ? piece : len - done;
		one_call();
		note_change(file, at + (off64_t)done, piece);
		long n = syscall(SYS_pwrite64, fd, (const char *)data + done, piece, at + (off64_t)done);
		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)len;
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	return pwrite64(fd, data, len, at);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	int file = file_of(fd);

	if (file >= 0) {
		one_call();
		note_change(file, lseek(fd, 0, SEEK_CUR), len);
	}
	return syscall(SYS_write, fd, data, len);
}

int
ftruncate64(int fd, off64_t size)
{
	struct stat st;
	int file = file_of(fd);

	if (file >= 0 && fstat(fd, &st) == 0) {
		one_call();
		note_change(file, size, size < st.st_size ? (size_t)(st.st_size - size) : 0);
	}
	return (int)syscall(SYS_ftruncate, fd, size);
}

int
ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

/* What is durable is reckoned here: the real disk under the test need not hurry. */
static int
sync_call(int fd)
{
	one_call();
	made_durable(fd);
	return 0;
}

int
fsync(int fd)
{
	return sync_call(fd);
}

int
fdatasync(int fd)
{
	return sync_call(fd);
}

int
linkat(int from, const char *path, int to, const char *name, int flags)
{
	one_call();
	return (int)syscall(SYS_linkat, from, path, to, name, flags);
}

int
unlinkat(int dir, const char *name, int flags)
{
	one_call();
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

/* -- the scenario */

/* What the child says when the store has said it: a step and a number. */
enum step { STEP_RECEIVED = 1, STEP_SUBMITTED, STEP_COMPOSED, STEP_ATTEMPTED, STEP_ANSWERED, STEP_DECIDED };

struct said {
	enum step step;
	unsigned n;
};

static void
say(int out, enum step step, unsigned n)
{
	struct said s = {step, n};

	if (syscall(SYS_write, out, &s, sizeof s) != sizeof s)
		_exit(91);
}

static void
fill(uint8_t *out, size_t size, unsigned n)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(i * 7 + n * 31 + (i >> 9));
}

static size_t
size_of(unsigned n)
{
	return n % 3 == 2 ? LARGE : 700 + n;
}

static bool
receive_one(struct fixture *f, unsigned n, uint8_t *bytes)
{
	struct wire_receive w = registration(n, n);
	size_t size = size_of(n);
	struct store_bytes body = {.data = bytes, .size = size};
	enum fault why;

	memcpy(w.proof.fingerprint, &n, sizeof n);
	fill(bytes, size, n);
	if (size == LARGE) {
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

static void
receive_batch(struct fixture *f, int out, unsigned first, unsigned count)
{
	static uint8_t bytes[LARGE];

	begin(f);
	for (unsigned n = first; n < first + count; n++)
		assert_true(receive_one(f, n, bytes));
	commit(f);
	for (unsigned n = first; n < first + count; n++)
		say(out, STEP_RECEIVED, n);
}

static void
decide_first(struct fixture *f, int out)
{
	struct guid g = DOCUMENT(1);
	int64_t id;

	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_NONE);
	struct store_decision d = {.document = id, .to = STATE_REGISTERED, .number = "N-1",
	    .date = "2027-01-01"};
	begin(f);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
	commit(f);
	say(out, STEP_DECIDED, 1);
}

/* A batch in, a document out and its answer, a decision, a large batch, and the log written back. */
static void
scenario(struct fixture *f, int out)
{
	receive_batch(f, out, 1, 3);
	int64_t id = submit(f, 500);
	say(out, STEP_SUBMITTED, 500);
	compose(f, id, 600);
	say(out, STEP_COMPOSED, 500);
	int64_t a = attempt(f, id);
	say(out, STEP_ATTEMPTED, 500);
	answered(f, a, ANSWER_STATUS, STATUS_WAIT_REGISTRATION);
	say(out, STEP_ANSWERED, 500);
	decide_first(f, out);
	f->backend->tidy(f->store, true);
	receive_batch(f, out, 10, 5);
	f->backend->tidy(f->store, true);
}

/* In the child: opens the store, runs, and ends by the cut (77) or at the end (0). */
static _Noreturn void
live(struct fixture *f, int out, enum disk disk, unsigned cut_at)
{
	power.disk = disk;
	power.cut_at = cut_at;
	power.chance = cut_at * 0x9e3779b97f4a7c15u + 1;
	snprintf(power.directory, sizeof power.directory, "%s", f->directory);
	each_name(0, remember_name);
	each_name(1, remember_name);
	power.on = true;
	if (!fixture_reopen(f))
		_exit(92);
	scenario(f, out);
	unsigned calls = power.calls;
	power.on = false;
	say(out, 0, calls);
	_exit(0);
}

/* -- what must be there */

static void
check_integrity(const struct fixture *f)
{
	static const char *const questions[] = {"PRAGMA integrity_check", "PRAGMA foreign_key_check"};
	char path[200];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/store.db", f->directory);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *q;
		assert_int_equal(sqlite3_prepare_v2(db, questions[i], -1, &q, NULL), SQLITE_OK);
		int rc = sqlite3_step(q);
		if (i == 0)
			assert_string_equal((const char *)sqlite3_column_text(q, 0), "ok");
		else
			assert_int_equal(rc, SQLITE_DONE);
		sqlite3_finalize(q);
	}
	sqlite3_close(db);
}

static void
check_body(struct fixture *f, int64_t body, const void *expected, size_t size)
{
	struct buf b = {.max = 1 << 20};

	assert_int_equal(f->backend->body_read(f->store, body, &b), FAULT_NONE);
	assert_int_equal(b.len, size);
	assert_memory_equal(b.data, expected, size);
	buf_free(&b);
}

/* Message and answer as they were; true when the message is there. */
static bool
check_received(struct fixture *f, unsigned n)
{
	static uint8_t expected[LARGE];
	struct guid g = DOCUMENT(n);
	int64_t id;

	if (f->backend->find(f->store, &g, &id) != FAULT_NONE)
		return false;
	struct shown s = show(f, id);
	fill(expected, size_of(n), n);
	check_body(f, s.first.body, expected, size_of(n));
	return true;
}

/* All of a batch or nothing, whether acknowledged or not. */
static void
check_batch(struct fixture *f, unsigned first, unsigned count)
{
	bool there = check_received(f, first);

	for (unsigned n = first; n < first + count; n++)
		assert_int_equal(check_received(f, n), there);
}

static void
check_said(struct fixture *f, const struct said *s)
{
	static const enum document_state least[] = {[STEP_SUBMITTED] = STATE_ACCEPTED,
	    [STEP_COMPOSED] = STATE_SIGNED, [STEP_ATTEMPTED] = STATE_SENDING,
	    [STEP_ANSWERED] = STATE_WAITING, [STEP_DECIDED] = STATE_REGISTERED};
	struct guid g = DOCUMENT(s->n);
	int64_t id;

	assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_NONE);
	if (s->step == STEP_RECEIVED) {
		assert_true(check_received(f, s->n));
		return;
	}
	enum document_state now = state(f, id);
	if (s->step == STEP_DECIDED || s->step == STEP_ANSWERED)
		assert_int_equal(now, least[s->step]);
	else
		assert_true(now >= least[s->step] || now == STATE_UNSURE);
}

/* Runs the scenario with one cut; the number of calls when it ran to the end, else 0. */
static unsigned
one_cut(enum disk disk, unsigned cut_at)
{
	struct fixture f;
	struct said said[64];
	int fds[2], status;
	unsigned count = 0, calls = 0;

	/* The real disk plays no part: memory is a disk as good as any, and faster. */
	assert_true(fixture_open_at(&f, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"));
	f.backend->close(f.store);
	f.store = NULL;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		live(&f, fds[1], disk, cut_at);
	close(fds[1]);
	while (count < 64 && read(fds[0], &said[count], sizeof said[0]) == sizeof said[0])
		count++;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		calls = said[--count].n;
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
	assert_true(fixture_reopen(&f));
	for (unsigned i = 0; i < count; i++)
		check_said(&f, &said[i]);
	check_batch(&f, 1, 3);
	check_batch(&f, 10, 5);
	/* It goes on: the same messages are repeats or news, never a conflict. */
	f.backend->tidy(f.store, true);
	f.backend->close(f.store);
	f.store = NULL;
	check_integrity(&f);
	fixture_close(&f);
	return calls;
}

static void
cut_everywhere(enum disk disk)
{
	unsigned cuts = 0, calls = 0;

	while ((calls = one_cut(disk, 1 + cuts * STEP)) == 0)
		cuts++;
	assert_int_equal((calls + STEP - 1) / STEP, cuts); /* at each call there is */
	assert_true(calls > 100);
}

static void
test_killed(void **state)
{
	(void)state;
	cut_everywhere(DISK_KILLED);
}

static void
test_cached(void **state)
{
	(void)state;
	cut_everywhere(DISK_CACHED);
}

static void
test_mixed(void **state)
{
	(void)state;
	cut_everywhere(DISK_MIXED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_mixed),
	};

	log_init("test", -1, LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
