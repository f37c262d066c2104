/* A disk that is really full: a small file system of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include "store_fixture.h"

#define DISK_SIZE "size=6m"

/* A file system of our own, gone with this process: as root, or in a user namespace. */
static bool
small_disk(const char *at)
{
	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
		return false;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return mount("tmpfs", at, "tmpfs", 0, DISK_SIZE) == 0;
}

static char *
make_disk(void)
{
	static char at[64];

	strcpy(at, "/tmp/store-disk-XXXXXX");
	assert_non_null(mkdtemp(at));
	if (small_disk(at))
		return at;
	rmdir(at);
	return NULL;
}

/* Receives one by one until it is refused; the number that were stored. */
static unsigned
receive_until_full(struct fixture *f, unsigned from, size_t size, uint64_t *fault)
{
	uint8_t *bytes = calloc(1, size);

	for (unsigned n = from;; n++) {
		struct wire_receive w = registration(n, n);
		memcpy(w.proof.fingerprint, &n, sizeof n);
		enum fault begun = f->backend->begin(f->store, f->now);
		struct wire_receive_reply r = {.outcome = RECEIVE_TEMPORARY, .fault = begun};
		if (!begun)
			r = receive_bytes(f, &w, (struct store_bytes){.data = bytes, .size = size});
		enum fault f1 = begun ? begun : f->backend->commit(f->store);
		if (r.outcome != RECEIVE_STORED || f1) {
			*fault = r.fault ? r.fault : f1;
			free(bytes);
			return n;
		}
		assert_true(n - from < 10000);
	}
}

static void
check_all(struct fixture *f, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		struct guid g = DOCUMENT(n);
		struct buf b = {0};
		int64_t id;
		assert_int_equal(f->backend->find(f->store, &g, &id), FAULT_NONE);
		assert_int_equal(f->backend->body_read(f->store, show(f, id).last.body - 1, &b), FAULT_NONE);
		buf_free(&b);
	}
}

static void
test_full(void **state)
{
	char *at = make_disk(), ballast[128];
	struct fixture f;
	uint64_t fault;

	(void)state;
	if (!at)
		skip();
	snprintf(ballast, sizeof ballast, "%s/ballast", at);
	int fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 3 << 20), 0);
	close(fd);
	assert_true(fixture_open_at(&f, at));
	unsigned small = receive_until_full(&f, 1, 5000, &fault);
	assert_true(small > 20);
	assert_int_equal(fault, FAULT_DISK_FULL);
	check_all(&f, 1, small);
	/* It stays refused, and recovers by itself once there is room; large bodies as well. */
	assert_int_equal(receive_until_full(&f, small, 5000, &fault), small);
	assert_int_equal(unlink(ballast), 0);
	unsigned large = receive_until_full(&f, small, 150000, &fault);
	assert_true(large > small + 5);
	assert_int_equal(fault, FAULT_DISK_FULL);
	f.backend->tidy(f.store, true);
	assert_true(fixture_reopen(&f) || fixture_reopen(&f));
	check_all(&f, 1, large);
	fixture_close(&f);
	umount(at);
	rmdir(at);
}

/* With a reserve, what was accepted can still be worked on when nothing new is accepted. */
static void
test_reserve(void **state)
{
	char *at = make_disk();
	struct fixture f;
	uint64_t fault;

	(void)state;
	if (!at)
		skip();
	assert_true(fixture_open_at(&f, at));
	f.options.disk_reserve = 2 << 20;
	assert_true(fixture_reopen(&f));
	unsigned end = receive_until_full(&f, 1, 5000, &fault);
	assert_int_equal(fault, FAULT_DISK_FULL);
	struct guid g = DOCUMENT(1);
	int64_t id;
	assert_int_equal(f.backend->find(f.store, &g, &id), FAULT_NONE);
	struct store_decision d = {.document = id, .to = STATE_REGISTERED, .number = "N",
	    .date = "2027-01-01"};
	begin(&f);
	assert_int_equal(f.backend->decide(f.store, &d), FAULT_NONE);
	commit(&f);
	compose(&f, id, 900000);
	answered(&f, attempt(&f, id), ANSWER_EMPTY, 0);
	assert_false(show(&f, id).d.pending);
	struct store_figures figures;
	f.backend->figures(f.store, &figures);
	assert_true(figures.full);
	assert_true(end > 10);
	fixture_close(&f);
	umount(at);
	rmdir(at);
}

/* The default reserve is larger than this disk: a part of the disk is kept free instead. */
static void
test_small_disk(void **state)
{
	char *at = make_disk();
	struct fixture f;
	uint64_t fault;
	struct statvfs v;

	(void)state;
	if (!at)
		skip();
	assert_true(fixture_open_at(&f, at));
	f.options.disk_reserve = STORE_RESERVE_DEFAULT;
	assert_true(fixture_reopen(&f));
	assert_true(receive_until_full(&f, 1, 5000, &fault) > 10);
	assert_int_equal(fault, FAULT_DISK_FULL);
	assert_int_equal(statvfs(at, &v), 0);
	assert_true(v.f_bavail >= v.f_blocks / STORE_RESERVE_PART / 2);
	fixture_close(&f);
	umount(at);
	rmdir(at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_small_disk),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
