#include "authority/certificates.h"
#include "authority/ledger.h"

#include <stdarg.h>
#include <string.h>

#include "lib/log.h"

/* Each step brings the schema one version forward; a step that was published never changes. */
static const char *const steps[] = {
    "CREATE TABLE participant ("
    " guid TEXT PRIMARY KEY, eik TEXT NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL,"
    " parent TEXT NOT NULL, serial TEXT NOT NULL, status TEXT NOT NULL, record TEXT NOT NULL,"
    " xml TEXT NOT NULL, changed INTEGER NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX participant_serial ON participant (serial);"
    "CREATE INDEX participant_parent ON participant (parent);"
    "CREATE INDEX participant_eik ON participant (eik);"
    "CREATE TABLE history ("
    " number INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL,"
    " about TEXT NOT NULL, guid TEXT NOT NULL,"
    " before TEXT NOT NULL, after TEXT NOT NULL, reason TEXT NOT NULL,"
    " digest BLOB NOT NULL);"
    "CREATE INDEX history_guid ON history (guid, number);"
    "CREATE TRIGGER history_kept BEFORE DELETE ON history BEGIN"
    " SELECT RAISE(ABORT, 'history is only added to'); END;"
    "CREATE TRIGGER history_fixed BEFORE UPDATE ON history BEGIN"
    " SELECT RAISE(ABORT, 'history is only added to'); END;"
    "CREATE TABLE officer ("
    " name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, rights INTEGER NOT NULL,"
    " added INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE request ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT NOT NULL, fields TEXT NOT NULL,"
    " before TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, asked INTEGER NOT NULL,"
    " asked_by TEXT NOT NULL, decided INTEGER, decided_by TEXT, decision TEXT);"
    "CREATE INDEX request_state ON request (state, id);"
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",
    certificates_tables,
    NULL,
};

static void
trouble(struct ledger *l)
{
	log_error("ledger.database", "reason=\"%s\"", l->db ? sqlite3_errmsg(l->db) : "no memory");
	l->failed = true;
}

static bool
run(struct ledger *l, const char *sql)
{
	if (sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	trouble(l);
	return false;
}

static sqlite3_stmt *
statement(struct ledger *l, const char *sql)
{
	for (size_t i = 0; i < LEDGER_STATEMENTS; i++) {
		struct statement *s = &l->statements[i];
		if (s->sql == sql)
			return s->stmt;
		if (s->sql)
			continue;
		if (sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL) !=
		    SQLITE_OK)
			return NULL;
		s->sql = sql;
		return s->stmt;
	}
	return NULL;
}

static sqlite3_stmt *
begin(struct ledger *l, const char *sql, const char *format, va_list ap)
{
	sqlite3_stmt *q = statement(l, sql);
	int rc = q ? SQLITE_OK : SQLITE_NOMEM;

	for (int i = 1; rc == SQLITE_OK && *format; format++, i++) {
		if (*format == 's') {
			rc = sqlite3_bind_text(q, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
		} else if (*format == 'b') {
			const void *data = va_arg(ap, const void *);
			rc = sqlite3_bind_blob64(q, i, data, va_arg(ap, size_t), SQLITE_TRANSIENT);
		} else {
			rc = sqlite3_bind_int64(q, i, va_arg(ap, int64_t));
		}
	}
	if (rc == SQLITE_OK)
		return q;
	trouble(l);
	return NULL;
}

sqlite3_stmt *
db_begin(struct ledger *l, const char *sql, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	sqlite3_stmt *q = begin(l, sql, format, ap);
	va_end(ap);
	return q;
}

void
db_end(sqlite3_stmt *q)
{
	if (!q)
		return;
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
}

bool
db_row(struct ledger *l, sqlite3_stmt *q)
{
	int rc = q ? sqlite3_step(q) : SQLITE_DONE;

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		trouble(l);
	db_end(q);
	return false;
}

bool
db_run(struct ledger *l, const char *sql, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	sqlite3_stmt *q = begin(l, sql, format, ap);
	va_end(ap);
	while (db_row(l, q))
		;
	return q && !l->failed;
}

int64_t
db_number(struct ledger *l, int64_t fallback, const char *sql, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	sqlite3_stmt *q = begin(l, sql, format, ap);
	va_end(ap);
	if (!db_row(l, q))
		return fallback;
	int64_t n = sqlite3_column_type(q, 0) == SQLITE_NULL ? fallback : sqlite3_column_int64(q, 0);
	db_end(q);
	return n;
}

const char *
db_text(sqlite3_stmt *q, int column)
{
	const unsigned char *s = sqlite3_column_text(q, column);

	return s ? (const char *)s : "";
}

json_t *
db_json(sqlite3_stmt *q, int column)
{
	return json_loads(db_text(q, column), JSON_DECODE_ANY, NULL);
}

static bool
migrate(struct ledger *l)
{
	int64_t version = db_number(l, -1, "PRAGMA user_version", ""), newest = 0;
	char bump[64];

	while (steps[newest])
		newest++;
	if (version < 0 || version > newest) {
		log_error("ledger.version", "version=%lld newest=%lld", (long long)version,
		    (long long)newest);
		return false;
	}
	for (; version < newest; version++) {
		snprintf(bump, sizeof bump, "PRAGMA user_version = %lld; COMMIT",
		    (long long)version + 1);
		if (!run(l, "BEGIN IMMEDIATE") || !run(l, steps[version]) || !run(l, bump))
			return false;
	}
	return true;
}

bool
ledger_open(struct ledger *l, const char *directory)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	char path[4096];

	snprintf(path, sizeof path, "%s/ledger.db", directory);
	if (sqlite3_open_v2(path, &l->db, flags, NULL) != SQLITE_OK) {
		trouble(l);
		return false;
	}
	/* One process, one writer; FULL: a commit that was answered is on the disk. */
	bool ok = run(l, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
	                 "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
	                 "PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF") &&
	    migrate(l) && history_load(l);
	l->newest = db_number(l, 0, "SELECT max(changed) FROM participant", "");
	return ok && !l->failed;
}

void
ledger_close(struct ledger *l)
{
	for (size_t i = 0; i < LEDGER_STATEMENTS; i++)
		sqlite3_finalize(l->statements[i].stmt);
	memset(l->statements, 0, sizeof l->statements);
	sqlite3_close(l->db);
	l->db = NULL;
}
