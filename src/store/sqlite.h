/* The SQLite store's inside: shared by the sqlite_*.c files, by nobody else. */
#ifndef OBMEN_STORE_SQLITE_H
#define OBMEN_STORE_SQLITE_H

#include <openssl/evp.h>
#include <sqlite3.h>
#include "lib/arena.h"
#include "store/backend.h"
#include "store/journal.h"

#define BODY_IN_ROW (64 << 10) /* larger bodies are files */
#define BODY_FILE_NAME 24

enum statement {
#define STATEMENT(id, sql) SQL_##id,
#include "store/sqlite_statements.def"
#undef STATEMENT
	SQL_COUNT
};

/* The text of a statement: for the test that looks at query plans. */
const char *statement_text(enum statement);

/* Files that a batch made: synced before its commit, removed when it fails. */
struct body_file {
	int64_t id;
	int fd; /* open until synced */
};

struct body_files {
	struct body_file *items;
	size_t count, capacity;
};

struct store {
	struct store_options options;
	char *directory;
	sqlite3 *db;
	sqlite3 *copy;           /* a backup that is being made, and its maker; NULL */
	sqlite3_backup *backup;
	sqlite3_stmt *statements[SQL_COUNT];
	int spool;               /* directory of large bodies */
	when now;                /* moment of the batch */
	bool in_batch, in_operation;
	bool undone; /* nothing of a failed batch is left, here and in the database */
	enum fault broken;       /* why the batch can only be rolled back */
	enum fault why;          /* why the last statement failed */
	struct body_files made;  /* by this batch */
	struct body_files dead;  /* removed from disk after the commit */
	/* When this operation began (head_before too): */
	size_t made_before, dead_before;
	uint64_t refused_before, refused_bytes_before;
	struct arena scratch;    /* results of the last operation */
	int64_t next_body;       /* ids of bodies are never used twice */
	struct journal_bytes saved;                    /* the body that was saved last */
	uint8_t certificate_sha256[JOURNAL_HASH];      /* the certificate that was looked at last */
	struct journal_head { uint64_t sequence; uint8_t digest[JOURNAL_HASH]; } head, head_before;
	struct buf entry;        /* being written */
	const char *by;          /* who asked for this operation; NULL = nobody outside */
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	uint64_t refused, refused_bytes;
	int log_pages;
	bool full;
	when last_log;           /* of trouble with the disk: not every time */
};

/*
 * A statement in use: bound from left to right, read from left to right. Errors are kept: a chain
 * may be checked once, at its end.
 */
struct query {
	struct store *store;
	sqlite3_stmt *stmt;
	int at;   /* next parameter, then next column */
	int rc;
};

/* Takes a statement for use. put_* bind its next parameter. */
struct query sql(struct store *, enum statement);
void put_int(struct query *, int64_t);
void put_when(struct query *, when); /* WHEN_NONE = NULL */
void put_id(struct query *, int64_t); /* 0 = NULL */
void put_text(struct query *, const char *); /* NULL = NULL; not copied */
void put_bytes(struct query *, const void *, size_t); /* len 0 = NULL; not copied */
void put_guid(struct query *, const struct guid *);
/* Runs a statement without result; false (and store->why) when it failed. Ends the query. */
bool query_run(struct query *);
/* The next row; false at the end and on failure (query_end tells). */
bool query_row(struct query *);
/* False when it failed; store->why says why. Must be called after query_row unless query_run was. */
bool query_end(struct query *);
int64_t get_int(struct query *);
when get_when(struct query *);
const char *get_text(struct query *); /* a copy in the scratch arena; NULL for NULL */
void get_guid(struct query *, struct guid *);
struct wire_bytes get_bytes(struct query *); /* valid until the next row */

/* Runs a query that gives one number; false when there is no row or it failed (then s->why). */
bool query_number(struct query *, int64_t *out);

/* Notes what SQLite or the system said and turns it into a fault. */
enum fault store_trouble(struct store *, int rc);
enum fault store_errno(struct store *, const char *what);
/* True when there is too little disk left to accept `size` bytes more. */
bool store_is_full(struct store *, uint64_t size);

/* An operation within the batch: all of it or nothing. Empties the scratch arena. */
bool db_operation_begin(struct store *);
/* Keeps it when f is FAULT_NONE, takes it back otherwise; returns what has become of it. */
enum fault db_operation_end(struct store *, enum fault f);

/* sqlite_body.c */
bool db_spool_open(struct store *);
bool db_spool_drop_unreferenced(struct store *);
int db_spool_file(struct store *, uint64_t size, enum fault *why);
/* Keeps the bytes; *id 0 when size is 0. */
bool db_body_save(struct store *, const struct store_bytes *, int64_t *id);
/* Several descriptors one after the other as one body. */
bool db_body_save_parts(struct store *, const int *fds, const uint64_t *sizes, unsigned n, int64_t *id);
bool db_body_delete(struct store *, int64_t id);
int db_body_open(struct store *, int64_t id);
enum fault db_body_read(struct store *, int64_t id, struct buf *out);
/* On commit: makes the batch's files durable / forgets them, and removes the dead ones. On rollback:
 * removes what was made after the first `keep`. */
bool db_files_sync(struct store *);
void db_files_committed(struct store *);
void db_files_undo(struct store *, size_t keep_made, size_t keep_dead);

/* sqlite_fact.c: small facts about others */
bool db_party_id(struct store *, const struct guid *, const char *name, const char *eik, int64_t *id);
/* *id 0 when we have never met it. */
bool db_party_find(struct store *, const struct guid *, int64_t *id);
bool db_party_heard(struct store *, int64_t party, uint64_t method);
/* The row of a certificate; 0 for an empty one. */
bool db_certificate_id(struct store *, struct wire_bytes der, int64_t *id);

/* store_backend.certificate_open. */
int db_certificate_open(struct store *, const uint8_t sha256[32]);

/* sqlite_journal.c */
/* Adds an entry (at: the batch's moment); rows of message and attempt, 0 = none. */
bool db_journal_add(struct store *, struct journal_entry *, int64_t message, int64_t attempt,
                    enum document_state);
/* The sequence that the next entry will have: rows that it vouches for name it. */
int64_t db_journal_next(const struct store *);
bool db_journal_load(struct store *);
/* The first entry of a journal that has none. */
bool db_journal_start(struct store *);
enum fault db_note(struct store *, const char *by, const char *text);
enum fault db_stamp(struct store *, uint64_t sequence, const uint8_t digest[JOURNAL_HASH], when at,
                    const void *token, size_t len);

/* sqlite_export.c */
enum fault db_export(struct store *, int64_t document, const struct store_export *, void *arg);
enum fault db_archive_read(struct store *, int64_t sequence, bool first,
                           const struct store_export *, void *arg);

/* sqlite_archive.c */
enum fault db_archive_plan(struct store *, when cutoff, unsigned limit, struct store_range *);
enum fault db_archive_remove(struct store *, const struct store_range *, const char *file,
                             uint64_t size, const uint8_t sha256[JOURNAL_HASH]);

/* sqlite_check.c */
enum fault db_check(struct store *, struct store_check *);

/* The certificates of a proof: of the connection, and of the signature (the same when it has none of
 * its own). */
struct proven {
	int64_t tls, certificate;
	uint8_t tls_sha256[JOURNAL_HASH], sha256[JOURNAL_HASH];
};
/* Keeps the certificates and names them in the entry, which then points into out. */
bool db_proof_save(struct store *, const struct wire_proof *, struct proven *out,
                   struct journal_entry *);

/* sqlite_document.c */
struct document_row {
	int64_t id, peer;
	enum direction direction;
	enum document_state state;
};
bool db_event_add(struct store *, int64_t document, when at, enum timeline_event, const char *text);
/* False without a fault in s->why: there is no such document. */
bool db_document_row(struct store *, int64_t id, struct document_row *);
bool db_document_find(struct store *, enum direction, int64_t own, int64_t peer, const struct guid *,
                      struct document_row *);
struct document_new {
	enum direction direction;
	enum document_state state;
	when accepted;
	const struct wire_document_id *id;
	int64_t own, peer;
	const char *kind, *about;
	int64_t details, attachments;
};
bool db_document_add(struct store *, const struct document_new *, int64_t *id);
/* Changes the state if the table allows it, with its event. *changed tells. */
bool db_document_to(struct store *, struct document_row *, enum document_state, enum cause,
                    const char *text, bool *changed);
/* What the peer says of our document: number, reason, closing date. */
bool db_document_particulars(struct store *, int64_t document, const struct wire_status *);
bool db_document_fault(struct store *, int64_t document, enum fault, const char *detail);
enum fault db_submit(struct store *, const struct store_submission *, int64_t *document);
enum fault db_decide(struct store *, const struct store_decision *);

/* sqlite_receive.c */
enum fault db_receive(struct store *, const struct store_incoming *, struct wire_receive_reply *);

/* sqlite_delivery.c */
enum fault db_due(struct store *, int64_t peer, struct store_due *, unsigned max, unsigned *count);
enum fault db_load_due(struct store *);
enum fault db_clock_back(struct store *, when by);
enum fault db_last_written(struct store *, when *);
enum fault db_work(struct store *, int64_t document, struct store_work *);
enum fault db_composed(struct store *, const struct store_work *, const struct wire_composed *,
                       const struct store_bytes *);
enum fault db_attempt(struct store *, int64_t document, int64_t *attempt);
/* A new or renewed delivery: composed anew, due now, counted from the start. */
bool db_delivery_renew(struct store *, int64_t document, int64_t peer, enum delivery_kind);
/* The peer spoke by itself: polls a waiting document later, stops at an end. */
bool db_delivery_after_notice(struct store *, const struct document_row *);

/* sqlite_outcome.c */
enum fault db_undelivered(struct store *, int64_t attempt, const struct wire_undelivered *);
enum fault db_answered(struct store *, int64_t attempt, const struct wire_answered *,
                       const struct store_bytes *);
enum fault db_abandon(struct store *);
enum fault db_expire(struct store *, unsigned limit, when *next);
/* Numbers lie in the database: never renumber. */
enum delivery_phase { PHASE_DONE, PHASE_PENDING, PHASE_SENDING, PHASE_ON_HOLD };

/* Where a delivery stands, and where it goes. */
struct delivery {
	int64_t document, peer, message, attempt;
	uint64_t generation;
	enum delivery_phase phase;
	bool sending;
	bool renewed; /* the attempt under way is of an older generation */
	struct schedule at;
};
bool db_delivery_load(struct store *, int64_t document, struct delivery *);
bool db_delivery_apply(struct store *, struct delivery *, const struct schedule_next *, enum fault,
                       const char *detail);

/* sqlite_queue.c */
enum fault db_queue_change(struct store *, const struct store_queue_change *);

/* sqlite_query.c */
enum fault db_find(struct store *, const struct guid *, int64_t *document);
enum fault db_list(struct store *, const struct store_filter *, store_document_cb, void *);
enum fault db_show(struct store *, int64_t, store_document_cb, store_event_cb, store_evidence_cb, void *);
enum fault db_queue(struct store *, unsigned limit, store_document_cb, void *);
enum fault db_figures(struct store *, struct store_figures *);

/* -- sqlite_backup.c: backend.h says what they do */
enum fault db_backup_begin(struct store *);
enum fault db_backup_step(struct store *, bool *done, uint64_t *left);
int db_backup_take(struct store *);
void db_backup_end(struct store *); /* forgets one that was not taken */
bool db_backup_files(struct store *, void (*)(void *arg, int64_t body, const char *name), void *arg);

#endif
