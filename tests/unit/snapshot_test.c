/* Snapshots: building, looking up, damage, the copy on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "register_synthetic.h"

static int
build(unsigned from, unsigned to)
{
	struct snapshot_builder *b = snapshot_builder_new();
	struct synthetic s;

	for (unsigned i = from; i < to; i++) {
		synthetic_make(i, &s);
		assert_true(snapshot_builder_add(b, &s.p));
	}
	int fd = snapshot_builder_finish(b, 11, 12, 13, SNAPSHOT_INCREMENT);
	assert_true(fd >= 0);
	snapshot_builder_free(b);
	return fd;
}

static struct snapshot *
finish(struct snapshot_builder *b)
{
	int fd = snapshot_builder_finish(b, 1, 2, 3, SNAPSHOT_FULL);

	assert_true(fd >= 0);
	struct snapshot *s = snapshot_open(fd);
	assert_non_null(s);
	snapshot_builder_free(b);
	return s;
}

static void
empty(void **state)
{
	struct snapshot *s = finish(snapshot_builder_new());
	struct participant p;
	struct guid g = {{1}};

	(void)state;
	assert_int_equal(snapshot_count(s), 0);
	assert_false(snapshot_by_guid(s, &g, &p));
	assert_false(snapshot_by_eik(s, "990000017", &p));
	assert_false(snapshot_by_serial(s, "0A", 0, &p));
	snapshot_free(s);
}

static void
header_is_kept(void **state)
{
	struct snapshot *s = snapshot_open(build(0, 3));

	(void)state;
	assert_non_null(s);
	assert_int_equal(snapshot_mark(s), 11);
	assert_int_equal(snapshot_fetched(s), 12);
	assert_int_equal(snapshot_checked(s), 13);
	assert_int_equal(snapshot_source(s), SNAPSHOT_INCREMENT);
	snapshot_free(s);
}

static void
later_entries_replace_and_removals_remove(void **state)
{
	struct snapshot_builder *b = snapshot_builder_new();
	struct synthetic s[4];
	struct participant p;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		synthetic_make(i, &s[i]);
		assert_true(snapshot_builder_add(b, &s[i].p));
	}
	s[1].p.name = "нов";
	assert_true(snapshot_builder_add(b, &s[1].p));
	assert_true(snapshot_builder_remove(b, &s[2].p.guid));
	assert_true(snapshot_builder_remove(b, &s[3].p.guid));
	s[3].p.name = "върнат";
	assert_true(snapshot_builder_add(b, &s[3].p));
	struct snapshot *r = finish(b);
	assert_int_equal(snapshot_count(r), 3);
	assert_true(snapshot_by_guid(r, &s[1].p.guid, &p));
	assert_string_equal(p.name, "нов");
	assert_false(snapshot_by_guid(r, &s[2].p.guid, &p));
	assert_true(snapshot_by_guid(r, &s[3].p.guid, &p));
	assert_string_equal(p.name, "върнат");
	snapshot_free(r);
}

static void
serials_compare_as_numbers(void **state)
{
	static const char *const published[] = {"0A1B2C3D4E5F6071", "a1b2c3d4e5f6071", "", "no hex", "00"};
	struct snapshot_builder *b = snapshot_builder_new();
	struct participant p;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		p = (struct participant){.certificate_serial = published[i]};
		synthetic_guid(i, &p.guid);
		assert_true(snapshot_builder_add(b, &p));
	}
	struct snapshot *s = finish(b);
	assert_true(snapshot_by_serial(s, "A1B2C3D4E5F6071", 0, &p));
	assert_true(snapshot_by_serial(s, "000a1b2c3d4e5f6071", 1, &p));
	assert_false(snapshot_by_serial(s, "0A1B2C3D4E5F6071", 2, &p));
	assert_false(snapshot_by_serial(s, "0A1B2C3D4E5F6071", SIZE_MAX, &p));
	assert_false(snapshot_by_serial(s, "no hex", 0, &p));
	assert_false(snapshot_by_serial(s, "0", 0, &p));
	assert_true(participant_serial_equal("00ab", "AB"));
	assert_false(participant_serial_equal("", "0"));
	assert_false(participant_serial_equal("xyz", "xyz"));
	snapshot_free(s);
}

/* Should a register ever show two with one EIK, the active one is found. */
static void
shared_eik(void **state)
{
	struct snapshot_builder *b = snapshot_builder_new();
	struct participant p;

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		p = (struct participant){.eik = "990000017", .entity_status = PARTICIPANT_INACTIVE};
		if (i == 5)
			p.entity_status = PARTICIPANT_ACTIVE;
		synthetic_guid(i, &p.guid);
		assert_true(snapshot_builder_add(b, &p));
	}
	struct snapshot *s = finish(b);
	assert_true(snapshot_by_eik(s, "990000017", &p));
	assert_int_equal(p.status, PARTICIPANT_ACTIVE);
	snapshot_free(s);
}

static void
statuses(void **state)
{
	(void)state;
	assert_int_equal(participant_status_parse("Active"), PARTICIPANT_ACTIVE);
	assert_int_equal(participant_status_parse("TemporarilyInactive"), PARTICIPANT_TEMPORARILY_INACTIVE);
	assert_int_equal(participant_status_parse("Inactive"), PARTICIPANT_INACTIVE);
	assert_int_equal(participant_status_parse("active"), PARTICIPANT_INACTIVE);
	assert_int_equal(participant_status_parse(""), PARTICIPANT_INACTIVE);
	assert_int_equal(participant_status_parse(NULL), PARTICIPANT_INACTIVE);
	assert_int_equal(participant_status_effective(PARTICIPANT_ACTIVE, PARTICIPANT_TEMPORARILY_INACTIVE),
	    PARTICIPANT_TEMPORARILY_INACTIVE);
	assert_int_equal(participant_status_effective(PARTICIPANT_TEMPORARILY_INACTIVE, PARTICIPANT_INACTIVE),
	    PARTICIPANT_TEMPORARILY_INACTIVE);
	assert_string_equal(participant_status_name(PARTICIPANT_TEMPORARILY_INACTIVE), "TemporarilyInactive");
}

/* The bytes of a snapshot; free with free(). */
static uint8_t *
bytes_of(int fd, size_t *size)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	uint8_t *p = malloc(*size);
	assert_int_equal(pread(fd, p, *size, 0), st.st_size);
	return p;
}

/* An ordinary file with these bytes. */
static int
file_with(const uint8_t *bytes, size_t size)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fflush(f), 0);
	int fd = dup(fileno(f));
	fclose(f);
	return fd;
}

static int
sealed_with(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

static void
files_work_like_memory(void **state)
{
	size_t size;
	int fd = build(0, 50);
	uint8_t *bytes = bytes_of(fd, &size);
	struct snapshot *s = snapshot_open(file_with(bytes, size));
	struct synthetic wanted;
	struct participant p;

	(void)state;
	assert_non_null(s);
	synthetic_make(33, &wanted);
	assert_true(snapshot_by_guid(s, &wanted.p.guid, &p));
	assert_string_equal(p.name, wanted.name);
	snapshot_free(s);
	free(bytes);
	close(fd);
}

static void
sealed(void **state)
{
	int fd = build(0, 5);

	(void)state;
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 10), -1);
	close(fd);
}

/* Every byte of a file counts: whichever is flipped, the file is refused. */
static void
flipped_bytes(void **state)
{
	size_t size;
	int fd = build(0, 20);
	uint8_t *bytes = bytes_of(fd, &size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= (uint8_t)(1u << (i % 8));
		assert_null(snapshot_open(file_with(bytes, size)));
		bytes[i] ^= (uint8_t)(1u << (i % 8));
	}
	free(bytes);
	close(fd);
}

static void
wrong_length(void **state)
{
	size_t size;
	int fd = build(0, 20);
	uint8_t *bytes = bytes_of(fd, &size);

	(void)state;
	for (size_t cut = 0; cut < size; cut += 1 + cut / 16)
		assert_null(snapshot_open(file_with(bytes, cut)));
	bytes = realloc(bytes, size + 8);
	memset(bytes + size, 0, 8);
	assert_null(snapshot_open(file_with(bytes, size + 8)));
	free(bytes);
	close(fd);
}

/* Visits everything: under a sanitizer or valgrind no look-up may leave the map. */
static void
use_all(const struct snapshot *s)
{
	struct participant p, q;

	for (size_t i = 0; i < snapshot_count(s); i++) {
		snapshot_at(s, i, &p);
		size_t n = strlen(p.name) + strlen(p.uri) + strlen(p.email);
		snapshot_by_guid(s, &p.guid, &q);
		snapshot_by_eik(s, p.eik, &q);
		for (size_t k = 0; snapshot_by_serial(s, p.certificate_serial, k, &q); k++)
			n++;
		assert_true(n < 1000);
	}
	snapshot_by_eik(s, "nobody", &q);
	snapshot_by_serial(s, "ABCDEF", 0, &q);
}

/* Sealed memory from a process that went wrong: no check sum, so the structure itself must hold. */
static void
hostile_memory(void **state)
{
	size_t size, refused = 0;
	int fd = build(0, 20);
	uint8_t *bytes = bytes_of(fd, &size);
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

	(void)state;
	for (size_t i = 0; i < size; i++) {
		for (size_t v = 0; v < sizeof values; v++) {
			uint8_t old = bytes[i];
			bytes[i] = values[v];
			struct snapshot *s = snapshot_open(sealed_with(bytes, size));
			if (s)
				use_all(s);
			refused += !s;
			snapshot_free(s);
			bytes[i] = old;
		}
	}
	assert_true(refused > 0);
	free(bytes);
	close(fd);
}

static void
disk_copy(void **state)
{
	char folder[] = "/tmp/obmen-snapshot-XXXXXX";
	struct participant p;
	struct synthetic wanted;
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(folder));
	int dir = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(snapshot_load(dir, "register"), -1);
	int fd = build(0, 100);
	assert_true(snapshot_save(fd, dir, "register"));
	close(fd);
	fd = build(0, 120); /* replaces the first */
	assert_true(snapshot_save(fd, dir, "register"));
	assert_int_equal(faccessat(dir, "register.new", F_OK, 0), -1);
	int copy = snapshot_load(dir, "register");
	assert_true(copy >= 0);
	assert_true((fcntl(copy, F_GET_SEALS) & F_SEAL_WRITE) != 0);
	struct snapshot *s = snapshot_open(copy);
	assert_int_equal(snapshot_count(s), 120);
	synthetic_make(119, &wanted);
	assert_true(snapshot_by_eik(s, wanted.eik, &p));
	assert_string_equal(p.name, wanted.name);
	snapshot_free(s);
	uint8_t *bytes = bytes_of(fd, &size);
	int file = openat(dir, "register", O_WRONLY);
	bytes[size / 2] ^= 4;
	assert_int_equal(pwrite(file, &bytes[size / 2], 1, (off_t)(size / 2)), 1);
	close(file);
	assert_int_equal(snapshot_load(dir, "register"), -1);
	file = openat(dir, "register", O_WRONLY | O_TRUNC);
	close(file);
	assert_int_equal(snapshot_load(dir, "register"), -1);
	free(bytes);
	close(fd);
	unlinkat(dir, "register", 0);
	close(dir);
	rmdir(folder);
}

/* The folder is gone or full: the save fails and says so. */
static void
unwritable(void **state)
{
	int fd = build(0, 3), dir = open("/proc", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_false(snapshot_save(fd, dir, "register"));
	close(dir);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(header_is_kept),
		cmocka_unit_test(later_entries_replace_and_removals_remove),
		cmocka_unit_test(serials_compare_as_numbers),
		cmocka_unit_test(shared_eik),
		cmocka_unit_test(statuses),
		cmocka_unit_test(files_work_like_memory),
		cmocka_unit_test(sealed),
		cmocka_unit_test(flipped_bytes),
		cmocka_unit_test(wrong_length),
		cmocka_unit_test(hostile_memory),
		cmocka_unit_test(disk_copy),
		cmocka_unit_test(unwritable),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
