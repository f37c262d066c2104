/* SQL in one line: a statement, its values by letters, its rows as JSON. For the ledger, where a
 * statement is run a few times a second at most. */
#ifndef OBMEN_AUTHORITY_SQL_H
#define OBMEN_AUTHORITY_SQL_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

/*
 * Values by letter: s const char * (NULL = null; "" stays), i int64_t, h const char * of hex digits, kept
 * as a blob. Names of columns become members; text, numbers; null as absent; blobs in base64.
 * sql_rows: an array, sql_row: the first row or NULL when there is none; new references. Failures are
 * logged, and then the answers are NULL and false.
 */
bool sql_run(sqlite3 *, const char *sql, const char *values, ...);
json_t *sql_rows(sqlite3 *, const char *sql, const char *values, ...);
json_t *sql_row(sqlite3 *, const char *sql, const char *values, ...);
/* The first column of the first row as a number; none = when there is no row. */
int64_t sql_number(sqlite3 *, int64_t none, const char *sql, const char *values, ...);

#endif
