/*
 * A box keeps two versions, and the older one must be able to use the store that the newer one left. Here
 * this program is the older one: a newer one is played by the SQL that it would run. And the promise of
 * SCHEMA_READER is held against the steps themselves: what older programs know may not go away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "store/sqlite_schema.h"
#include "store_fixture.h"

static int
setup(void **in)
{
	struct fixture *f = calloc(1, sizeof *f);

	*in = f;
	return f && fixture_open(f) ? 0 : -1;
}

static int
teardown(void **in)
{
	fixture_close(*in);
	free(*in);
	return 0;
}

static int64_t
number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

static sqlite3 *
open_database(const struct fixture *f)
{
	char path[160];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/store.db", f->directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void
execute(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* What a newer program does to the store: a step that adds, and a row of its own. */
static void
newer_program(struct fixture *f, int reader)
{
	char sql[512];

	f->backend->close(f->store);
	f->store = NULL;
	sqlite3 *db = open_database(f);
	snprintf(sql, sizeof sql,
	    "BEGIN; ALTER TABLE document ADD COLUMN colour TEXT; ALTER TABLE message ADD COLUMN weight "
	    "INTEGER NOT NULL DEFAULT 7; CREATE TABLE later(id INTEGER PRIMARY KEY); CREATE INDEX "
	    "document_colour ON document(colour); UPDATE document SET colour = 'red'; UPDATE compatible SET "
	    "reader = %d; PRAGMA user_version = %d; COMMIT", reader, SCHEMA_VERSION + 1);
	execute(db, sql);
	sqlite3_close(db);
}

static void
test_used_and_left_alone(void **in)
{
	struct fixture *f = *in;

	struct wire_receive w = registration(1, 1);
	assert_int_equal(receive_alone(f, &w).outcome, RECEIVE_STORED);
	newer_program(f, SCHEMA_VERSION);
	assert_true(fixture_reopen(f));
	/* All of it works: what came before is known, new documents come and go. */
	assert_int_equal(receive_alone(f, &w).outcome, RECEIVE_REPEAT);
	w = registration(2, 2);
	assert_int_equal(receive_alone(f, &w).outcome, RECEIVE_STORED);
	int64_t id = submit(f, 3);
	compose(f, id, 3);
	answered(f, attempt(f, id), ANSWER_STATUS, STATUS_REGISTERED);
	assert_int_equal(state(f, id), STATE_REGISTERED);
	f->backend->close(f->store);
	f->store = NULL;
	sqlite3 *db = open_database(f);
	assert_int_equal(number(db, "PRAGMA user_version"), SCHEMA_VERSION + 1);
	assert_int_equal(number(db, "SELECT reader FROM compatible"), SCHEMA_VERSION);
	assert_int_equal(number(db, "SELECT count(*) FROM document"), 3);
	assert_int_equal(number(db, "SELECT count(*) FROM document WHERE colour = 'red'"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM message WHERE weight = 7") > 0, 1);
	sqlite3_close(db);
}

/* Refused, not harmed. */
static void
test_refused(void **in)
{
	struct fixture *f = *in;

	newer_program(f, SCHEMA_VERSION + 1);
	assert_false(fixture_reopen(f));
	sqlite3 *db = open_database(f);
	assert_int_equal(number(db, "PRAGMA user_version"), SCHEMA_VERSION + 1);
	execute(db, "DROP TABLE compatible");
	sqlite3_close(db);
	assert_false(fixture_reopen(f)); /* nor what does not say */
}

/* -- the promise of SCHEMA_READER */

static sqlite3 *
at_version(int version, const char *more)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (int i = 0; i < version; i++)
		execute(db, schema_steps[i]);
	execute(db, more);
	return db;
}

/* All columns as text "table.column type notnull default pk", one a row. */
#define COLUMNS                                                                                              \
	"SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || "                \
	"ifnull(c.dflt_value, '-') || ' ' || c.pk, c.\"notnull\" AND c.dflt_value IS NULL AND NOT c.pk, "   \
	"m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"

static bool
has(sqlite3 *db, const char *sql, const char *text)
{
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	sqlite3_bind_text(q, 1, text, -1, SQLITE_STATIC);
	bool found = sqlite3_step(q) == SQLITE_ROW;
	sqlite3_finalize(q);
	return found;
}

/* Every column of `part` is in `whole` as it is; when `added`, a further one must need no value of its
 * own, or be of a further table. */
static bool
contains(sqlite3 *whole, sqlite3 *part, bool added)
{
	static const char column[] = "WITH c(t, must, tab) AS (" COLUMNS ") SELECT 1 FROM c WHERE t = ?1";
	sqlite3_stmt *q;
	bool good = true;

	assert_int_equal(sqlite3_prepare_v2(part, COLUMNS, -1, &q, NULL), SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(q, 0);
		const char *table = (const char *)sqlite3_column_text(q, 2);
		bool new_table = !has(whole, "SELECT 1 FROM sqlite_master WHERE name = ?1", table);
		if (!has(whole, column, text) && !(added && (new_table || !sqlite3_column_int(q, 1))))
			good = false;
	}
	sqlite3_finalize(q);
	return good;
}

/* A program of the old schema can go on with the new one. */
static bool
additive(sqlite3 *old, sqlite3 *fresh)
{
	bool good = contains(fresh, old, false) && contains(old, fresh, true);

	sqlite3_close(old);
	sqlite3_close(fresh);
	return good;
}

static void
test_steps_keep_the_promise(void **in)
{
	(void)in;
	for (int i = SCHEMA_READER; i < SCHEMA_VERSION; i++)
		assert_true(additive(at_version(i, ""), at_version(SCHEMA_VERSION, "")));
	assert_in_range(SCHEMA_READER, SCHEMA_COMPATIBLE, SCHEMA_VERSION);
}

/* The comparison above sees what it has to see. */
static void
test_comparison(void **in)
{
	static const struct {
		const char *step;
		bool good;
	} cases[] = {
	    {"CREATE TABLE later(id INTEGER PRIMARY KEY, must TEXT NOT NULL)", true},
	    {"ALTER TABLE document ADD COLUMN colour TEXT", true},
	    {"ALTER TABLE document ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'", true},
	    {"ALTER TABLE document RENAME COLUMN about TO subject", false},
	    {"DROP TABLE event", false},
	    {"DROP TABLE tally; CREATE TABLE tally(direction INTEGER NOT NULL, state INTEGER NOT NULL, n INTEGER "
	     "NOT NULL, must TEXT NOT NULL, PRIMARY KEY(direction, state)) WITHOUT ROWID", false},
	};

	(void)in;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(additive(at_version(SCHEMA_VERSION, ""), at_version(SCHEMA_VERSION,
		    cases[i].step)), cases[i].good);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_used_and_left_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	    cmocka_unit_test(test_steps_keep_the_promise),
	    cmocka_unit_test(test_comparison),
	};

	log_init("test", -1, LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
