/* The journal: its canonical form, its growth with the store, and that no change goes unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include "store/sqlite.h"
#include "store/sqlite_schema.h"
#include "store_fixture.h"

static int
setup(void **state_out)
{
	struct fixture *f = malloc(sizeof *f);

	*state_out = f;
	return f && fixture_open(f) ? 0 : -1;
}

static int
teardown(void **state_in)
{
	fixture_close(*state_in);
	free(*state_in);
	return 0;
}

/* Walks along everything as obmenctl does; the last slice. */
static struct store_check
walk(struct fixture *f, uint64_t *checked)
{
	struct store_check c = {.limit = 3};
	uint64_t all = 0;

	while (c.phase != CHECK_DONE) {
		assert_int_equal(f->backend->check(f->store, &c), FAULT_NONE);
		all += c.checked;
		for (unsigned i = 0; i < c.file_count; i++) {
			struct buf b = {0};
			uint8_t sha256[32];
			assert_int_equal(f->backend->body_read(f->store, c.files[i].body, &b), FAULT_NONE);
			EVP_Digest(b.data, b.len, sha256, NULL, EVP_sha256(), NULL);
			if (b.len != c.files[i].size || memcmp(sha256, c.files[i].sha256, 32) != 0)
				c.broken = c.files[i].sequence;
			buf_free(&b);
			if (c.broken)
				return c;
		}
	}
	if (checked)
		*checked = all;
	return c;
}

static void
assert_sound(struct fixture *f)
{
	struct store_check c = walk(f, NULL);

	if (c.broken)
		fail_msg("entry %lld: %s", (long long)c.broken, c.why);
}

static void
execute(struct fixture *f, const char *text)
{
	if (sqlite3_exec(f->store->db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(f->store->db));
}

static int64_t
number(struct fixture *f, const char *text)
{
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(f->store->db, text, -1, &q, NULL), SQLITE_OK);
	int64_t n = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;
	sqlite3_finalize(q);
	return n;
}

/* A bit of everything: received, refused, decided, sent, answered, a body in a file. */
static void
fill(struct fixture *f)
{
	struct wire_receive in = registration(1, 1), refused = registration(2, 2), large = registration(3, 3);
	static uint8_t data[BODY_IN_ROW + 1000];
	struct store_decision d = {.to = STATE_REGISTERED, .number = "A-1", .date = "2027-01-15",
	    .by = "uid 1000"};

	receive_alone(f, &in);
	refused.fault = FAULT_CERTIFICATE_EXPIRED;
	receive_alone(f, &refused);
	memset(data, 'x', sizeof data);
	begin(f);
	receive_bytes(f, &large, (struct store_bytes){.data = data, .size = sizeof data});
	commit(f);
	struct guid g = DOCUMENT(1);
	assert_int_equal(f->backend->find(f->store, &g, &d.document), FAULT_NONE);
	begin(f);
	assert_int_equal(f->backend->decide(f->store, &d), FAULT_NONE);
	assert_int_equal(f->backend->note(f->store, "uid 0", "register.accept"), FAULT_NONE);
	commit(f);
	int64_t out = submit(f, 10);
	compose(f, out, 20);
	undelivered(f, attempt(f, out), UNDELIVERED_CONNECT);
	f->now += HOUR;
	answered(f, attempt(f, out), ANSWER_STATUS, STATUS_REGISTERED);
}

static void
test_form(void **in)
{
	static const char expected[] =
	    "obmen-entry 1\n"
	    "at 2027-01-15T08:00:00.000000000Z\n"
	    "kind received\n"
	    "document 5\n"
	    "direction in\n"
	    "guid {02ab0000-0000-0000-0000-000000000001}\n"
	    "message {03ab0000-0000-0000-0000-000000000009}\n"
	    "body 0101010101010101010101010101010101010101010101010101010101010101 12\n"
	    "certificate 0202020202020202020202020202020202020202020202020202020202020202\n"
	    "state waiting\n"
	    "text 100%25 %0Asecond line\n";
	uint8_t certificate[32], hash[32], digest[32], again[32];
	struct journal_entry e = {.at = START, .kind = JOURNAL_RECEIVED, .document = 5,
	    .direction = "in", .guid = DOCUMENT(1), .message = MESSAGE(9), .body = {.size = 12},
	    .certificate = certificate, .sent = WHEN_NONE, .ended = WHEN_NONE, .state = "waiting",
	    .text = "100% \nsecond line"};
	char link[JOURNAL_LINK_SIZE];
	struct journal_bytes body;
	struct buf b = {0};

	(void)in;
	memset(e.body.sha256, 1, 32);
	memset(certificate, 2, 32);
	assert_true(journal_write(&b, &e));
	assert_string_equal(buf_str(&b), expected);
	assert_true(journal_bytes_of(buf_str(&b), "body", &body));
	assert_int_equal(body.size, 12);
	assert_memory_equal(body.sha256, e.body.sha256, 32);
	assert_false(journal_bytes_of(buf_str(&b), "answer", &body));
	assert_int_equal(journal_at(buf_str(&b)), START);
	/* The link by hand. */
	EVP_Digest(b.data, b.len, hash, NULL, EVP_sha256(), NULL);
	size_t len = journal_link(link, 7, certificate, hash);
	assert_memory_equal(link, "obmen-link 1\nsequence 7\nprevious 0202", 37);
	EVP_Digest(link, len, again, NULL, EVP_sha256(), NULL);
	assert_true(journal_digest(7, certificate, buf_str(&b), b.len, hash, digest));
	assert_memory_equal(digest, again, 32);
	buf_free(&b);
}

static void
test_grows_and_checks(void **in)
{
	struct fixture *f = *in;
	struct store_figures figures;
	uint64_t checked = 0;

	fill(f);
	struct store_check c = walk(f, &checked);
	assert_int_equal(c.broken, 0);
	assert_int_equal(f->backend->figures(f->store, &figures), FAULT_NONE);
	assert_int_equal(checked, figures.journal);
	/* start, three in, state, operator, accepted, signed, sending, attempt, ... */
	assert_true(checked >= 12);
	assert_int_equal(number(f, "SELECT count(*) FROM journal WHERE entry LIKE '%by uid 1000%'"), 1);
	assert_int_equal(number(f, "SELECT count(*) FROM journal WHERE entry LIKE '%kind operator%'"), 1);
	assert_true(fixture_reopen(f));
	struct wire_receive more = registration(50, 50);
	receive_alone(f, &more);
	assert_sound(f);
}

/* What does not happen is not in the journal. */
static void
test_undone(void **in)
{
	struct fixture *f = *in;
	struct wire_receive w = registration(1, 1);
	struct store_decision bad = {.document = 999, .to = STATE_CLOSED};

	fill(f);
	int64_t before = number(f, "SELECT max(sequence) FROM journal");
	begin(f);
	assert_int_not_equal(f->backend->decide(f->store, &bad), FAULT_NONE);
	commit(f);
	assert_int_equal(number(f, "SELECT max(sequence) FROM journal"), before);
	/* A repeat changes nothing; a batch that is given up leaves nothing. */
	receive_alone(f, &w);
	assert_int_equal(number(f, "SELECT max(sequence) FROM journal"), before);
	begin(f);
	struct wire_receive lost = registration(60, 60);
	receive(f, &lost);
	f->store->broken = FAULT_STORE_FAILED;
	assert_int_equal(f->backend->commit(f->store), FAULT_STORE_FAILED);
	assert_int_equal(number(f, "SELECT max(sequence) FROM journal"), before);
	receive_alone(f, &lost);
	assert_int_equal(number(f, "SELECT max(sequence) FROM journal"), before + 1);
	assert_sound(f);
}

/* Flips one bit of one byte of a column. */
static void
flip(struct fixture *f, const char *table, const char *column, int64_t row, int at)
{
	sqlite3_blob *blob;
	uint8_t byte;

	assert_int_equal(sqlite3_blob_open(f->store->db, "main", table, column, row, 1, &blob), SQLITE_OK);
	assert_int_equal(sqlite3_blob_read(blob, &byte, 1, at), SQLITE_OK);
	byte ^= 1;
	assert_int_equal(sqlite3_blob_write(blob, &byte, 1, at), SQLITE_OK);
	sqlite3_blob_close(blob);
}

/* Every byte of the column, one after the other. */
static void
flip_all(struct fixture *f, const char *table, const char *column, int step)
{
	char text[200];
	int64_t row = 0;
	unsigned flips = 0;

	execute(f, "BEGIN"); /* thousands of changes need not reach the disk */
	for (;;) {
		snprintf(text, sizeof text, "SELECT min(rowid) FROM %s WHERE rowid > %lld AND %s IS NOT NULL",
		    table, (long long)row, column);
		row = number(f, text);
		if (row <= 0)
			break;
		snprintf(text, sizeof text, "SELECT length(CAST(%s AS BLOB)) FROM %s WHERE rowid = %lld", column,
		    table, (long long)row);
		int64_t len = number(f, text);
		for (int at = 0; at < len; at += step, flips++) {
			flip(f, table, column, row, at);
			if (walk(f, NULL).broken == 0)
				fail_msg("%s.%s row %lld byte %d: not noticed", table, column, (long long)row, at);
			flip(f, table, column, row, at);
		}
	}
	assert_true(flips > 0);
	execute(f, "COMMIT");
	assert_sound(f);
}

static void
test_no_byte_changes_unnoticed(void **in)
{
	struct fixture *f = *in;

	fill(f);
	flip_all(f, "journal", "entry", 1);
	flip_all(f, "journal", "digest", 7);
	/* Details of what came in are our own reading of it: only what we sent is vouched for. */
	execute(f, "DELETE FROM body WHERE id IN (SELECT details FROM document WHERE direction = 0)");
	flip_all(f, "body", "data", 1);
	flip_all(f, "body", "sha256", 5);
	flip_all(f, "certificate", "der", 1);
}

/* Changed rows, and which entry is named. */
static void
test_changed_rows(void **in)
{
	static const char *const changes[] = {
	    "UPDATE document SET state = 9 WHERE direction = 0 AND state = 7",
	    "UPDATE document SET guid = x'00112233445566778899aabbccddeeff' WHERE direction = 1",
	    "UPDATE message SET guid = x'00112233445566778899aabbccddeeff' WHERE direction = 1",
	    "UPDATE message SET body = (SELECT body FROM message WHERE id = 3) WHERE id = 1",
	    "UPDATE message SET answer = NULL WHERE id = 1",
	    "UPDATE attempt SET answer = NULL",
	    "UPDATE body SET size = size + 1 WHERE data IS NULL",
	    "DELETE FROM attempt",
	    "DELETE FROM message WHERE id = 1",
	    "DELETE FROM document WHERE direction = 1",
	    "DELETE FROM journal WHERE sequence = 3",
	    "DELETE FROM journal WHERE sequence > 8",
	    "UPDATE journal SET document = document + 1 WHERE sequence = 4",
	    "UPDATE journal SET message = NULL WHERE sequence = 2",
	    "UPDATE journal SET sequence = 1000 WHERE sequence = 5",
	    ("INSERT INTO message(direction, type, guid, own, peer, at)"
	     " VALUES(0, 1, x'0112233445566778899aabbccddeeff0', 1, 1, 1)"),
	};
	struct fixture *f = *in;

	fill(f);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		execute(f, "SAVEPOINT change");
		execute(f, changes[i]);
		if (sqlite3_changes(f->store->db) == 0)
			fail_msg("%s: changes nothing", changes[i]);
		struct store_check c = walk(f, NULL);
		if (c.broken == 0 || !*c.why)
			fail_msg("%s: not noticed", changes[i]);
		if (strstr(changes[i], "WHERE sequence = 3"))
			assert_int_equal(c.broken, 3);
		if (strstr(changes[i], "WHERE sequence = 5"))
			assert_int_equal(c.broken, 5);
		execute(f, "ROLLBACK TO change; RELEASE change");
	}
	assert_sound(f);
}

static void
test_changed_file(void **in)
{
	struct fixture *f = *in;
	char path[256];

	fill(f);
	int64_t id = number(f, "SELECT id FROM body WHERE data IS NULL");
	snprintf(path, sizeof path, "%s/spool/%016llx", f->directory, (unsigned long long)id);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "y", 1, 500), 1);
	close(fd);
	assert_int_equal(walk(f, NULL).broken,
	    number(f, "SELECT entry FROM message WHERE body = (SELECT id FROM body WHERE data IS NULL)"));
}

/* A store of version 1 with a message in it. */
static void
test_migration(void **in)
{
	struct fixture *f = *in;
	char path[256];
	sqlite3 *db;

	f->backend->close(f->store);
	f->store = NULL;
	snprintf(path, sizeof path, "%s/store.db", f->directory);
	unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, schema_steps[0], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	    "INSERT INTO message(direction, type, guid, own, peer, at) VALUES(0, 1, x'00', 1, 1, 1);"
	    "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(fixture_reopen(f));
	assert_int_equal(number(f, "SELECT count(*) FROM journal"), 1);
	fill(f);
	assert_sound(f);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_form),
	    TEST(test_grows_and_checks),
	    TEST(test_undone),
	    TEST(test_no_byte_changes_unnoticed),
	    TEST(test_changed_rows),
	    TEST(test_changed_file),
	    TEST(test_migration),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
