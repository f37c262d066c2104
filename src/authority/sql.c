#include "authority/sql.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "authority/json.h"
#include "lib/log.h"

#define BLOB_MAX 128

static bool
complain(sqlite3 *db, const char *sql)
{
	log_error("ledger.sql", "statement=\"%.60s\" reason=\"%s\"", sql, sqlite3_errmsg(db));
	return false;
}

static int
bind_hex(sqlite3_stmt *s, int at, const char *hex)
{
	uint8_t bytes[BLOB_MAX];
	json_t *holder = json_pack("{s:s}", "h", hex ? hex : "");
	size_t len = holder ? json_get_hex(holder, "h", bytes, sizeof bytes) : 0;

	json_decref(holder);
	return sqlite3_bind_blob(s, at, bytes, (int)len, SQLITE_TRANSIENT);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql, const char *values, va_list ap)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	for (int at = 1; rc == SQLITE_OK && *values; values++, at++) {
		if (*values == 'i')
			rc = sqlite3_bind_int64(s, at, va_arg(ap, int64_t));
		else if (*values == 'h')
			rc = bind_hex(s, at, va_arg(ap, const char *));
		else
			rc = sqlite3_bind_text(s, at, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
	}
	if (rc == SQLITE_OK)
		return s;
	complain(db, sql);
	sqlite3_finalize(s);
	return NULL;
}

static json_t *
column(sqlite3_stmt *s, int i)
{
	switch (sqlite3_column_type(s, i)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(s, i));
	case SQLITE_TEXT:
		return json_string((const char *)sqlite3_column_text(s, i));
	case SQLITE_BLOB:
		return json_base64(sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
	default:
		return NULL;
	}
}

static json_t *
row(sqlite3_stmt *s)
{
	json_t *object = json_object();

	for (int i = 0; i < sqlite3_column_count(s); i++) {
		json_t *value = column(s, i);
		if (value)
			json_object_set_new(object, sqlite3_column_name(s, i), value);
	}
	return object;
}

bool
sql_run(sqlite3 *db, const char *sql, const char *values, ...)
{
	va_list ap;

	va_start(ap, values);
	sqlite3_stmt *s = prepare(db, sql, values, ap);
	va_end(ap);
	bool ok = s && (sqlite3_step(s) == SQLITE_DONE || complain(db, sql));
	sqlite3_finalize(s);
	return ok;
}

static json_t *
collect(sqlite3 *db, const char *sql, sqlite3_stmt *s, size_t most)
{
	json_t *rows = s ? json_array() : NULL;
	int rc = SQLITE_DONE;

	while (rows && json_array_size(rows) < most && (rc = sqlite3_step(s)) == SQLITE_ROW)
		json_array_append_new(rows, row(s));
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		complain(db, sql);
		json_decref(rows);
		rows = NULL;
	}
	sqlite3_finalize(s);
	return rows;
}

json_t *
sql_rows(sqlite3 *db, const char *sql, const char *values, ...)
{
	va_list ap;

	va_start(ap, values);
	sqlite3_stmt *s = prepare(db, sql, values, ap);
	va_end(ap);
	return collect(db, sql, s, SIZE_MAX);
}

json_t *
sql_row(sqlite3 *db, const char *sql, const char *values, ...)
{
	va_list ap;

	va_start(ap, values);
	sqlite3_stmt *s = prepare(db, sql, values, ap);
	va_end(ap);
	json_t *rows = collect(db, sql, s, 1), *first = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return first;
}

int64_t
sql_number(sqlite3 *db, int64_t none, const char *sql, const char *values, ...)
{
	int64_t n = none;
	va_list ap;

	va_start(ap, values);
	sqlite3_stmt *s = prepare(db, sql, values, ap);
	va_end(ap);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}
