/* A million documents: no statement of the running store may walk through a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "store/sqlite.h"
#include "store_fixture.h"

/* Walks on purpose: small tables, indexes of what is due or refused only, or from the newest until
 * the limit is reached. */
static const enum statement may_walk[] = {SQL_BODY_NEXT, SQL_REFUSED_FIGURES, SQL_REFUSED_OLDEST,
    SQL_EXPIRE_NEXT, SQL_DUE_PEERS, SQL_SENDING, SQL_QUEUE, SQL_TALLY};

static bool
walks_on_purpose(enum statement s)
{
	for (size_t i = 0; i < sizeof may_walk / sizeof may_walk[0]; i++)
		if (may_walk[i] == s)
			return true;
	return false;
}

static void
check_plan(sqlite3 *db, enum statement s)
{
	char text[8192];
	sqlite3_stmt *q;

	snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", statement_text(s));
	if (sqlite3_prepare_v2(db, text, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", statement_text(s), sqlite3_errmsg(db));
	while (sqlite3_step(q) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(q, 3);
		bool scan = strncmp(line, "SCAN ", 5) == 0 && !strstr(line, "CONSTANT ROW") &&
		            !strstr(line, "SCAN (");
		/* A walk over a partial or small index is named; a walk over a table never is. */
		if (scan && !(walks_on_purpose(s) && (strstr(line, "INDEX") || s == SQL_TALLY ||
		                                      s == SQL_BODY_NEXT)))
			fail_msg("%s\n  walks: %s", statement_text(s), line);
		if (strstr(line, "USE TEMP B-TREE") && s != SQL_EVIDENCE && s != SQL_LIST_ANY_STATE)
			fail_msg("%s\n  sorts: %s", statement_text(s), line);
	}
	sqlite3_finalize(q);
}

static void
test_plans(void **state)
{
	struct fixture f;

	(void)state;
	assert_true(fixture_open(&f));
	for (enum statement s = 0; s < SQL_COUNT; s++)
		if (s > SQL_ROLLBACK)
			check_plan(f.store->db, s);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans)};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
