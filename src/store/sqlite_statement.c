/* Prepared statements: binding, reading, and what their errors mean. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include "lib/log.h"
#include "store/sqlite.h"

static const char *const texts[SQL_COUNT] = {
#define STATEMENT(id, sql) [SQL_##id] = sql,
#include "store/sqlite_statements.def"
#undef STATEMENT
};

const char *
statement_text(enum statement s)
{
	return texts[s];
}

#define TROUBLE_PAUSE (10 * WHEN_SECOND)

/* At most one line in a while: a full disk fails every message. */
static void
log_trouble(struct store *s, enum fault f, const char *what)
{
	when now = when_monotonic();

	if (s->last_log && now - s->last_log < TROUBLE_PAUSE)
		return;
	s->last_log = now;
	log_error("store.failed", "fault=%s detail=\"%s\"", fault_code(f), what);
}

static bool
means_full(int rc, int system)
{
	return (rc & 0xff) == SQLITE_FULL || system == ENOSPC || system == EDQUOT ||
	       system == EFBIG;
}

/* errno of the last call that failed on the log or the database: sqlite3_system_errno has often
 * forgotten it after the rollback. */
static int
system_error(sqlite3 *db)
{
	sqlite3_file *log = NULL;
	int e = 0;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
	    log && log->pMethods)
		log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &e);
	if (e == 0)
		sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &e);
	return e ? e : sqlite3_system_errno(db);
}

enum fault
store_trouble(struct store *s, int rc)
{
	int system = (rc & 0xff) == SQLITE_IOERR && s->db ? system_error(s->db) : 0;

	s->why = means_full(rc, system) ? FAULT_DISK_FULL : FAULT_STORE_FAILED;
	log_trouble(s, s->why, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
	/* SQLite may have rolled back the whole batch by itself. */
	if (s->in_batch && s->db && sqlite3_get_autocommit(s->db))
		s->broken = s->why;
	return s->why;
}

enum fault
store_errno(struct store *s, const char *what)
{
	char line[256];
	int e = errno;

	snprintf(line, sizeof line, "%s: %s", what, strerror(e));
	s->why = means_full(0, e) ? FAULT_DISK_FULL : FAULT_STORE_FAILED;
	log_trouble(s, s->why, line);
	return s->why;
}

/* What is asked for, but on a small disk not the whole default, which would refuse everything. */
static uint64_t
reserve_of(const struct store *s, const struct statvfs *v)
{
	uint64_t part = (uint64_t)v->f_blocks * v->f_frsize / STORE_RESERVE_PART;
	uint64_t reserve = s->options.disk_reserve;

	return reserve == STORE_RESERVE_DEFAULT && part < reserve ? part : reserve;
}

bool
store_is_full(struct store *s, uint64_t size)
{
	struct statvfs v;

	if (fstatvfs(s->spool, &v) != 0)
		return false;
	uint64_t available = (uint64_t)v.f_bavail * v.f_frsize;
	uint64_t reserve = reserve_of(s, &v);
	bool full = available < size || available - size < reserve;
	if (full && !s->full)
		log_warning("store.full", "free=%llu reserve=%llu", (unsigned long long)available,
		    (unsigned long long)reserve);
	if (!full && s->full)
		log_info("store.free", "free=%llu", (unsigned long long)available);
	s->full = full;
	return full;
}

struct query
sql(struct store *s, enum statement id)
{
	struct query q = {.store = s, .at = 1, .rc = SQLITE_OK};

	if (!s->statements[id]) {
		q.rc = sqlite3_prepare_v3(s->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT,
		    &s->statements[id], NULL);
	}
	q.stmt = s->statements[id];
	return q;
}

static void
bound(struct query *q, int rc)
{
	q->at++;
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void
put_int(struct query *q, int64_t v)
{
	bound(q, q->stmt ? sqlite3_bind_int64(q->stmt, q->at, v) : SQLITE_MISUSE);
}

void
put_when(struct query *q, when w)
{
	if (w == WHEN_NONE)
		put_text(q, NULL);
	else
		put_int(q, w);
}

void
put_id(struct query *q, int64_t id)
{
	if (id == 0)
		put_text(q, NULL);
	else
		put_int(q, id);
}

void
put_text(struct query *q, const char *text)
{
	int rc = SQLITE_MISUSE;

	if (q->stmt && text)
		rc = sqlite3_bind_text(q->stmt, q->at, text, -1, SQLITE_STATIC);
	else if (q->stmt)
		rc = sqlite3_bind_null(q->stmt, q->at);
	bound(q, rc);
}

void
put_bytes(struct query *q, const void *data, size_t len)
{
	if (len == 0) {
		put_text(q, NULL);
		return;
	}
	bound(q, q->stmt ? sqlite3_bind_blob64(q->stmt, q->at, data, len, SQLITE_STATIC)
	                 : SQLITE_MISUSE);
}

void
put_guid(struct query *q, const struct guid *g)
{
	put_bytes(q, g->b, sizeof g->b);
}

bool
query_row(struct query *q)
{
	if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW)
		q->rc = sqlite3_step(q->stmt);
	q->at = 0;
	return q->rc == SQLITE_ROW;
}

bool
query_end(struct query *q)
{
	bool ok = q->rc == SQLITE_OK || q->rc == SQLITE_DONE || q->rc == SQLITE_ROW;

	if (!ok)
		store_trouble(q->store, q->rc);
	if (q->stmt) {
		sqlite3_reset(q->stmt);
		sqlite3_clear_bindings(q->stmt);
	}
	return ok;
}

bool
query_run(struct query *q)
{
	while (query_row(q))
		;
	return query_end(q);
}

int64_t
get_int(struct query *q)
{
	return sqlite3_column_int64(q->stmt, q->at++);
}

when
get_when(struct query *q)
{
	if (sqlite3_column_type(q->stmt, q->at) != SQLITE_NULL)
		return get_int(q);
	q->at++;
	return WHEN_NONE;
}

const char *
get_text(struct query *q)
{
	const char *text = (const char *)sqlite3_column_text(q->stmt, q->at);
	size_t len = (size_t)sqlite3_column_bytes(q->stmt, q->at++);

	if (!text)
		return NULL;
	const char *copy = arena_strndup(&q->store->scratch, text, len);
	if (!copy)
		q->rc = SQLITE_NOMEM;
	return copy;
}

struct wire_bytes
get_bytes(struct query *q)
{
	struct wire_bytes b = {sqlite3_column_blob(q->stmt, q->at), 0};

	b.len = (size_t)sqlite3_column_bytes(q->stmt, q->at++);
	return b;
}

void
get_guid(struct query *q, struct guid *g)
{
	struct wire_bytes b = get_bytes(q);

	memset(g, 0, sizeof *g);
	if (b.len == sizeof g->b)
		memcpy(g->b, b.data, sizeof g->b);
}

bool
query_number(struct query *q, int64_t *out)
{
	bool found = query_row(q);

	q->store->why = FAULT_NONE;
	if (found)
		*out = get_int(q);
	return query_end(q) && found;
}

bool
db_operation_begin(struct store *s)
{
	arena_reset(&s->scratch);
	s->why = FAULT_NONE;
	if (!s->in_batch || s->broken)
		return false;
	struct query q = sql(s, SQL_SAVEPOINT);
	s->in_operation = query_run(&q);
	s->made_before = s->made.count;
	s->dead_before = s->dead.count;
	s->refused_before = s->refused;
	s->refused_bytes_before = s->refused_bytes;
	s->head_before = s->head;
	s->by = NULL;
	return s->in_operation;
}

enum fault
db_operation_end(struct store *s, enum fault f)
{
	if (!s->in_operation)
		return s->broken ? s->broken : s->why ? s->why : FAULT_STORE_FAILED;
	s->in_operation = false;
	if (f && !s->broken) {
		struct query undo = sql(s, SQL_UNDO);
		if (!query_run(&undo))
			s->broken = s->why;
		db_files_undo(s, s->made_before, s->dead_before);
		s->refused = s->refused_before;
		s->refused_bytes = s->refused_bytes_before;
		s->head = s->head_before;
	}
	if (!s->broken) {
		struct query release = sql(s, SQL_RELEASE);
		if (!query_run(&release))
			s->broken = s->why;
	}
	return s->broken ? s->broken : f;
}
