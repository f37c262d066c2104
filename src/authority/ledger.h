/*
 * The ledger role from within: all that the authority keeps, and all rules on who may do what.
 *
 * Questions are JSON: {"verb": ..., "actor": {...}, ...}; one table (ledger_verbs.c) says who may
 * use each verb and which function answers. A verb that changes something runs in one transaction
 * with its rows of history, and is answered after the commit reached the disk.
 *
 * ledger.c              the role: questions in, answers out, the register to desks
 * ledger_verbs.c        the table of verbs, permission, transactions
 * ledger_actor.c        who asks
 * ledger_db.c           SQLite: opening, schema, statements
 * ledger_history.c      the hash-chained history
 * ledger_record.c       records: what may stand in them, and their XML
 * ledger_participant.c  verbs: the register
 * ledger_import.c       verbs: the register as a whole
 * ledger_request.c      verbs: requests for change
 * ledger_officer.c      verbs: officers
 * ledger_state.c        verbs: status, the log
 */
#ifndef OBMEN_AUTHORITY_LEDGER_H
#define OBMEN_AUTHORITY_LEDGER_H

#include <jansson.h>
#include <sqlite3.h>
#include "authority/role.h"
#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/guid.h"
#include "lib/when.h"

#define LEDGER_DIGEST 32
#define LEDGER_LIST_MAX 500 /* rows of one answer */
#define LEDGER_STATEMENTS 128

/* What an actor may be allowed. The names of the first four are what officers are given. */
enum right {
	RIGHT_OFFICER = 1 << 0,   /* joining, approvals of participants, other officers */
	RIGHT_REGISTRAR = 1 << 1, /* records */
	RIGHT_CA = 1 << 2,        /* certificates */
	RIGHT_AUDITOR = 1 << 3,   /* reads everything, changes nothing */
	RIGHT_PARTICIPANT = 1 << 4,
	RIGHT_RA = 1 << 5,        /* the ra process on its own behalf */
	RIGHT_DESK = 1 << 6,      /* the desk process on its own behalf */
	RIGHT_ANYBODY = 1 << 7,   /* a certificate that is nobody's here; everybody has it */
};

#define RIGHT_STAFF (RIGHT_OFFICER | RIGHT_REGISTRAR | RIGHT_CA | RIGHT_AUDITOR)

/* "officer", "registrar", "ca-operator", "auditor"; 0 when unknown. */
unsigned right_by_name(const char *);
/* The names of the first four that are set, as an array. */
json_t *rights_json(unsigned rights);

struct actor {
	const char *kind;     /* "participant", "officer", "console", "ra", "desk", "unknown" */
	char name[160];       /* for the history: "ivan", "ivan (console, uid 0)", CN of a certificate */
	char person[80];      /* whose decision it is: two of them must differ */
	unsigned rights;
	char serial[41];      /* of the certificate, upper-case hex without leading zeros; "" */
	char fingerprint[65]; /* SHA-256, lower-case hex; "" */
};

struct statement {
	const char *sql; /* the literal's address is the key */
	sqlite3_stmt *stmt;
};

struct ledger {
	struct self *self; /* NULL in tests */
	const struct authority_conf *conf;
	sqlite3 *db;
	struct statement statements[LEDGER_STATEMENTS];
	int64_t entries;            /* of history */
	uint8_t head[LEDGER_DIGEST];
	when newest;                /* LastChange of the newest change: none goes below it */
	uint8_t session_secret[32];
	bool stale;                 /* the prepared register is older than the records */
	bool failed;                /* a statement of this call failed */
	when started;
	struct event *prepare;      /* makes the register ready after changes */
	int prepared;               /* the sealed register, or -1 */
	uint64_t served, refused, changed;
	struct ledger_ca *ca;       /* ledger_ca.c */
};

struct verb;

/* One question being answered. */
struct call {
	struct ledger *ledger;
	const struct verb *verb;
	json_t *in;
	json_t *out;        /* an object, to be filled */
	struct actor actor;
	when now;
	int fd_in;          /* came with the question; -1 */
	int fd_out;         /* goes with the answer; -1 */
	char detail[256];   /* of a refusal */
	const char *field;  /* the input to blame; NULL */
};

struct verb {
	const char *name;
	unsigned rights;    /* any of these */
	enum fault (*handle)(struct call *);
	bool changes;       /* runs in a transaction, with history */
};

/* -- ledger_db.c */

/* Opens or makes <directory>/ledger.db. False with a logged reason. */
bool ledger_open(struct ledger *, const char *directory);
void ledger_close(struct ledger *);

/*
 * Statements: sql must be a literal; binds by format, one letter per parameter: s text (NULL = NULL),
 * i int64_t, b pointer and size_t. db_begin returns a statement to be stepped with db_row until it
 * says false; db_run executes to the end. Trouble is logged and kept in ledger->failed; false then.
 */
sqlite3_stmt *db_begin(struct ledger *, const char *sql, const char *format, ...);
bool db_row(struct ledger *, sqlite3_stmt *);
void db_end(sqlite3_stmt *); /* before the last row was read */
bool db_run(struct ledger *, const char *sql, const char *format, ...);
/* The first column of the first row; fallback when there is none. */
int64_t db_number(struct ledger *, int64_t fallback, const char *sql, const char *format, ...);
const char *db_text(sqlite3_stmt *, int column); /* "" for NULL */
json_t *db_json(sqlite3_stmt *, int column);     /* parsed; NULL when it is none */

/* -- ledger_verbs.c */

/* Answers a question: an object, a new reference. from: the role that asks. fd: see struct call, taken.
 * *fd_out: -1 or a descriptor for the answer. */
json_t *ledger_answer(struct ledger *, unsigned from, json_t *in, int fd, int *fd_out);

/* Arguments; NULL or 0 when they are absent or of another type. */
const char *arg_text(const struct call *, const char *key);
int64_t arg_number(const struct call *, const char *key, int64_t fallback);
/* The text of an argument as a GUID in the ledger's spelling; false when it is none: call refused. */
bool arg_guid(struct call *, const char *key, char out[GUID_TEXT_SIZE]);
/* A refusal: sets field and detail, returns the fault. */
enum fault refuse(struct call *, enum fault, const char *field, const char *detail);
/* An array added to an answer, for lists. */
json_t *out_list(struct call *, const char *key);
void out_moment(json_t *object, const char *key, when); /* nothing for WHEN_NONE and 0 */

/* -- ledger_actor.c */

/* Who asks, by what the asking role says of it. False: the role may not say that. */
bool actor_find(struct ledger *, unsigned from, const json_t *said, struct actor *);
/* Officers and auditors see all; a participant what is its own. */
bool actor_owns(struct ledger *, const struct actor *, const char *guid);
enum fault verb_whoami(struct call *);

/* -- ledger_history.c */

/* Adds a row in this call's transaction. about: what before and after are: "participant" (records),
 * "request", "certificate", "reference", "officer". guid, before, after may be NULL. */
bool history_add(struct call *, const char *about, const char *guid, const json_t *before,
                 const json_t *after);
bool history_load(struct ledger *);
enum fault verb_participant_history(struct call *);
enum fault verb_log_list(struct call *);
enum fault verb_log_check(struct call *);

/* -- ledger_record.c */

/*
 * base (NULL: a new record) with fields set, each checked; a new reference. NULL: call refused, with
 * *fault. Known fields: see record_fields in ledger_record.c; "uri", "service_name",
 * "service_status", "service_version" set the document exchange service.
 */
json_t *record_with(struct call *, const json_t *base, const json_t *fields, enum fault *);
/* The entity's XML, malloc'ed; NULL without memory. */
char *record_xml(const json_t *record);
const char *record_text(const json_t *record, const char *key); /* "" when absent */
/* Upper-case hex without leading zeros, so that serials compare as numbers. False: not hex. */
bool serial_key(const char *serial, char out[41]);
/* True when a participant may change this field of its record itself / must ask for it. */
bool field_is_own(const char *key);
bool field_is_identity(const char *key);

/* -- ledger_participant.c */

/* The record of a GUID that was not removed; a new reference, or NULL. */
json_t *participant_record(struct ledger *, const char *guid);
/* Writes a record (with the moment of this call) and its row of history. */
enum fault participant_write(struct call *, const char *guid, json_t *record, bool removed);
/* Applies fields to a record, checks it and its neighbours, writes it. */
enum fault participant_set(struct call *, const char *guid, const json_t *fields);
enum fault verb_participant_list(struct call *);
enum fault verb_participant_show(struct call *);
enum fault verb_participant_add(struct call *);
enum fault verb_participant_change(struct call *);
enum fault verb_participant_remove(struct call *);

/* -- ledger_import.c */

/* Handlers of ledger_verbs.c; each fills call->out. */
enum fault verb_register_import(struct call *);
enum fault verb_register_export(struct call *);
/* The register in sealed memory (prepared.h), or -1. */
int register_prepare(struct ledger *);

/* -- ledger_request.c */

/* Handlers of ledger_verbs.c; each fills call->out. */
enum fault verb_change_request(struct call *);
enum fault verb_request_list(struct call *);
enum fault verb_request_show(struct call *);
enum fault verb_request_approve(struct call *);
enum fault verb_request_refuse(struct call *);

/* -- ledger_officer.c */

/* Handlers of ledger_verbs.c; each fills call->out. */
enum fault verb_officer_list(struct call *);
enum fault verb_officer_add(struct call *);
enum fault verb_officer_remove(struct call *);

/* -- ledger.c */

/* Makes the register ready anew when a record has changed. */
void ledger_refresh(struct ledger *);

/* -- ledger_ca.c */

/* All verbs of certificates.h, found by the name of the call's verb. */
enum fault verb_certificates(struct call *);

/* -- ledger_state.c */

/* Handlers of ledger_verbs.c; each fills call->out. */
enum fault verb_overview(struct call *);
enum fault verb_session_secret(struct call *);

#endif
