/* Opening, schema, batches. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/log.h"
#include "store/sqlite.h"
#include "store/sqlite_log.h"
#include "store/sqlite_schema.h"

#define LOG_PAGES_IDLE 256  /* 1 MiB: fewer are not worth the two fsyncs */
#define LOG_PAGES_BUSY 8192 /* 32 MiB: now it must be, also under load */

static bool
run(struct store *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		store_trouble(s, rc);
	return rc == SQLITE_OK;
}

static int
log_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db, (void)name;
	s->log_pages = pages;
	return SQLITE_OK;
}

/* A number that a statement gives, -1 when it cannot. */
static int64_t
number(struct store *s, const char *sql)
{
	sqlite3_stmt *q = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* A store of a newer program, which the updater of a box left behind when it went back: it says itself
 * whether we can use it. */
static bool
usable(struct store *s, int64_t version)
{
	int64_t reader = version > SCHEMA_VERSION ? number(s, "SELECT reader FROM compatible") : 0;

	if (version >= 0 && (version <= SCHEMA_VERSION || (reader > 0 && reader <= SCHEMA_VERSION)))
		return true;
	log_error("store.version", "version=%lld reader=%lld ours=%d reason=\"made by a newer obmend\"",
		  (long long)version, (long long)reader, SCHEMA_VERSION);
	return false;
}

/* Brings the schema forward, each step in a transaction of its own. */
static bool
migrate(struct store *s)
{
	int64_t version = number(s, "PRAGMA user_version");
	char bump[64], reader[64];

	if (!usable(s, version))
		return false;
	snprintf(reader, sizeof reader, "UPDATE compatible SET reader = %d", SCHEMA_READER);
	for (; version < SCHEMA_VERSION; version++) {
		snprintf(bump, sizeof bump, "PRAGMA user_version = %lld; COMMIT",
			 (long long)version + 1);
		if (!run(s, "BEGIN IMMEDIATE") || !run(s, schema_steps[version]) ||
		    (version + 1 >= SCHEMA_COMPATIBLE && !run(s, reader)) || !run(s, bump))
			return false;
		log_info("store.schema", "version=%lld", (long long)version + 1);
	}
	return true;
}

static bool
database_open(struct store *s)
{
	char path[4096];
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (snprintf(path, sizeof path, "%s/store.db", s->directory) >= (int)sizeof path)
		return false;
	const char *vfs = sqlite_log_vfs(!s->options.undurable);
	int rc = vfs ? sqlite3_open_v2(path, &s->db, flags, vfs) : SQLITE_NOMEM;
	if (rc != SQLITE_OK) {
		store_trouble(s, rc);
		return false;
	}
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_wal_hook(s->db, log_grew, s);
	/* The log is emptied by tidy, outside the commit path (performance.md E5). Exclusive: one
	 * writer, no shared memory file, no lock per transaction. */
	return run(s, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
	              "PRAGMA wal_autocheckpoint = 0;"
	              "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -5120;"
	              "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;"
	              "PRAGMA synchronous = FULL");
}

static bool
counters_load(struct store *s)
{
	struct query next = sql(s, SQL_BODY_NEXT);

	if (!query_number(&next, &s->next_body))
		return false;
	struct query q = sql(s, SQL_REFUSED_FIGURES);
	if (query_row(&q)) {
		s->refused = (uint64_t)get_int(&q);
		s->refused_bytes = (uint64_t)get_int(&q);
	}
	return query_end(&q) && db_journal_load(s);
}

static void
store_close(struct store *s)
{
	if (!s)
		return;
	db_files_undo(s, 0, 0);
	db_backup_end(s);
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	if (s->spool >= 0)
		close(s->spool);
	EVP_MD_CTX_free(s->digest);
	EVP_MD_free(s->sha256);
	arena_free(&s->scratch);
	free(s->made.items);
	free(s->dead.items);
	free(s->directory);
	buf_free(&s->entry);
	free(s);
}

/* One thread uses the store: SQLite's locks, and its count of each allocation, would take a tenth of
 * its time. SQLite refuses when it is in use already, which changes nothing. */
static void
settle_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static struct store *
store_open(const struct store_options *options)
{
	struct store *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	settle_sqlite();
	s->spool = -1;
	s->options = *options;
	s->directory = strdup(options->directory);
	s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->digest = EVP_MD_CTX_new();
	if (s->directory && s->sha256 && s->digest && db_spool_open(s) && database_open(s) &&
	    migrate(s) && counters_load(s) && db_journal_start(s) && db_spool_drop_unreferenced(s)) {
		s->undone = true;
		return s;
	}
	log_error("store.open", "directory=\"%s\" reason=\"%s\"", options->directory,
	    s->db ? sqlite3_errmsg(s->db) : "cannot be used");
	store_close(s);
	return NULL;
}

/* False when memory or disk do not even suffice for that: then the next batch begins with it. */
static bool
rollback(struct store *s)
{
	s->undone = true;
	if (!sqlite3_get_autocommit(s->db)) {
		struct query q = sql(s, SQL_ROLLBACK);
		s->undone = query_run(&q);
	}
	db_files_undo(s, 0, 0);
	s->undone = s->undone && counters_load(s);
	return s->undone;
}

static enum fault
begin(struct store *s, when now)
{
	s->now = now;
	s->broken = FAULT_NONE;
	s->why = FAULT_NONE;
	if (!s->undone && !rollback(s))
		return s->why ? s->why : FAULT_STORE_FAILED;
	struct query q = sql(s, SQL_BEGIN);
	if (!query_run(&q))
		return s->why;
	s->in_batch = true;
	return FAULT_NONE;
}

static enum fault
commit(struct store *s)
{
	enum fault f = s->broken;

	if (!s->in_batch)
		return FAULT_STORE_FAILED;
	if (!f && !db_files_sync(s))
		f = s->why;
	if (!f) {
		struct query q = sql(s, SQL_COMMIT);
		if (!query_run(&q))
			f = s->why;
	}
	s->in_batch = false;
	if (f)
		rollback(s);
	else
		db_files_committed(s);
	return f;
}

static void
tidy(struct store *s, bool idle)
{
	int pages = 0, moved = 0;

	if (s->log_pages < (idle ? LOG_PAGES_IDLE : LOG_PAGES_BUSY) || s->in_batch)
		return;
	if (sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved) ==
	    SQLITE_OK)
		s->log_pages = pages - moved;
}

static void
tune(struct store *s, const struct schedule_times *times, uint64_t disk_reserve)
{
	s->options.times = *times;
	s->options.disk_reserve = disk_reserve;
}

const struct store_backend store_sqlite = {
	.name = "sqlite",
	.open = store_open,
	.close = store_close,
	.tune = tune,
	.begin = begin,
	.commit = commit,
	.tidy = tidy,
	.receive = db_receive,
	.spool_file = db_spool_file,
	.submit = db_submit,
	.decide = db_decide,
	.queue_change = db_queue_change,
	.note = db_note,
	.check = db_check,
	.export = db_export,
	.archive_plan = db_archive_plan,
	.archive_read = db_archive_read,
	.archive_remove = db_archive_remove,
	.stamp = db_stamp,
	.load_due = db_load_due,
	.clock_back = db_clock_back,
	.last_written = db_last_written,
	.due = db_due,
	.work = db_work,
	.composed = db_composed,
	.attempt = db_attempt,
	.undelivered = db_undelivered,
	.answered = db_answered,
	.abandon = db_abandon,
	.expire = db_expire,
	.find = db_find,
	.list = db_list,
	.show = db_show,
	.queue = db_queue,
	.figures = db_figures,
	.body_open = db_body_open,
	.certificate_open = db_certificate_open,
	.body_read = db_body_read,
	.backup_begin = db_backup_begin,
	.backup_step = db_backup_step,
	.backup_take = db_backup_take,
	.backup_files = db_backup_files,
};
