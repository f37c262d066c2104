/*
 * The store of documents, messages and evidence, behind a struct of functions: SQLite with files is
 * the embedded implementation (sqlite_open.c); a shared database server may come beside it.
 *
 * Work is done in batches: begin, any number of operations, commit. What an operation reports counts
 * only once commit has returned FAULT_NONE: then it is on disk, with every body it refers to. An
 * operation that fails leaves nothing of itself in the batch; a commit that fails leaves nothing of
 * the batch. Reading outside a batch is allowed.
 *
 * Strings and bytes in results are valid until the next operation on the store.
 */
#ifndef OBMEN_STORE_BACKEND_H
#define OBMEN_STORE_BACKEND_H

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "obmend/wire.h"
#include "store/schedule.h"
#include "store/states.h"

struct store;

/* A delivery to this peer (row number) is due at this moment; also told for what is rolled back. */
typedef void (*store_due_cb)(void *arg, int64_t peer, when due);

#define STORE_RESERVE_DEFAULT ((uint64_t)256 << 20) /* as in src/lib/conf_table.c */
#define STORE_RESERVE_PART    4

struct store_options {
	const char *directory;    /* exists; the store lies in it and in `spool` below it */
	/* Bytes that must stay free when something new is accepted. STORE_RESERVE_DEFAULT means no more
	 * than one part in STORE_RESERVE_PART of the file system. */
	uint64_t disk_reserve;
	bool undurable;           /* no syncs at all: a power cut loses what was committed */
	uint64_t refused_count;   /* refused messages that are kept as evidence */
	uint64_t refused_bytes;   /* and their bodies together */
	struct schedule_times times;
	store_due_cb due;         /* may be NULL */
	void *due_arg;
};

/* A message's bytes: in memory, or in a descriptor (borrowed). */
struct store_bytes {
	const void *data;
	int fd;          /* used when data is NULL and size > 0 */
	uint64_t size;
	bool spooled;    /* fd is a file of store_backend.spool_file that nobody else needs */
};

struct store_incoming {
	const struct wire_receive *message;
	struct store_bytes body, details;
};

struct store_submission {
	const char *by; /* who submits, for the journal */
	struct guid sender, recipient;
	const char *recipient_name, *recipient_eik;
	struct wire_document_id id; /* own number or URI, and the GUID */
	const char *kind, *about;
	struct store_bytes details; /* JSON for codec and for people */
	const int *fds;             /* attachments, regular files, read from offset 0; borrowed */
	const uint64_t *sizes;
	unsigned count;
};

/* What an operator does with an incoming document. */
struct store_decision {
	const char *by; /* who decides, for the journal */
	int64_t document;
	enum document_state to;
	const char *number, *date, *reason, *date_close;
};

/* What an operator does with what waits to be sent, for a document or a status. */
enum queue_action {
	QUEUE_RETRY,   /* due now; ends a hold */
	QUEUE_HOLD,    /* not due until released, also over a restart */
	QUEUE_RELEASE, /* due as it was before the hold */
	QUEUE_DROP,    /* never: an outgoing document fails, unless the recipient has it already */
	QUEUE_ACTION_COUNT
};
const char *queue_action_name(enum queue_action);

struct store_queue_change {
	const char *by; /* who, for the journal */
	int64_t document;
	enum queue_action action;
	const char *reason; /* may be NULL */
};

/* A delivery that is due, lightly. */
struct store_due {
	int64_t document;
	when due;
};

/* A delivery with all that codec and courier need. */
struct store_work {
	int64_t document, peer;
	enum delivery_kind kind;
	uint64_t generation;   /* changes when the delivery is to be composed anew for another reason */
	struct guid sender, recipient;
	bool sha256_seen;
	int64_t message;       /* 0: to be composed */
	struct guid message_guid;
	int64_t body, details, attachments; /* bodies, 0 = none */
	uint64_t body_size, details_size;
	struct wire_document_id id;
	struct wire_status status; /* DELIVERY_STATUS */
};

/* A document in lists. */
struct store_document {
	int64_t id;
	enum direction direction;
	enum document_state state;
	when since, accepted;
	struct guid guid, own, peer;
	const char *peer_name, *peer_eik;
	const char *number, *date, *uri_register, *uri_sequence, *uri_date; /* ours */
	const char *peer_number, *peer_date;
	const char *peer_uri_register, *peer_uri_sequence, *peer_uri_date;
	const char *reason, *date_close, *kind, *about;
	enum fault fault;      /* why failed or held */
	const char *detail;
	bool on_hold;          /* by an operator: what is due waits until it is released */
	bool pending;          /* something is due: */
	enum delivery_kind next;
	when next_at;
	unsigned attempts, polls;
	int64_t details;       /* body */
};

struct store_event {
	when at;
	enum timeline_event event;
	const char *text;
};

/* One piece of evidence: exact bytes that came or went. */
struct store_evidence {
	const char *what; /* "message", "answer", "status", "status-answer", "poll", ... */
	struct guid message_guid;
	when at;
	int64_t body;
	uint64_t bytes;
	uint8_t sha256[32];
	bool in_file;
	bool has_certificate;
	uint8_t certificate[32]; /* SHA-256 of the signing certificate's DER */
	bool has_tls_certificate;
	uint8_t tls_certificate[32]; /* the same of what the peer showed in TLS */
	uint64_t method;         /* enum signature_method */
	const char *address;     /* peer's address or URL */
	enum fault fault;
};

#define STORE_CHECK_FILES 8

enum check_phase { CHECK_ENTRIES, CHECK_MESSAGES, CHECK_STAMPS, CHECK_DONE };

/* A slice of the walk along the journal. Begins zeroed; is given back as it is to go on. */
struct store_check {
	enum check_phase phase;
	int64_t next;       /* where the next slice begins */
	unsigned limit;     /* entries in one slice */
	uint64_t bytes;     /* of bodies, about */
	uint64_t checked;   /* in this slice */
	/* Files are left to the caller, whose time does not stop the store. */
	struct store_check_file { int64_t sequence, body; uint64_t size; uint8_t sha256[32]; }
	    files[STORE_CHECK_FILES];
	unsigned file_count;
	/* The first trouble ends the walk: */
	int64_t broken;     /* sequence of the entry; 0 = none */
	int64_t document;
	char why[160];
};

/* What an expert needs of the journal to judge one document. Strings and bytes are valid during the
 * call; NULL members are left out. */
struct store_export {
	/* An entry of the document; rows of the bodies that it names, 0 = none. */
	void (*entry)(void *arg, int64_t sequence, const char *text, const int64_t bodies[4]);
	/* A link of the chain, in order; entry NULL: only the digest, where a stretch begins. */
	void (*link)(void *arg, int64_t sequence, const uint8_t *entry, const uint8_t digest[32]);
	void (*stamp)(void *arg, int64_t sequence, when at, const uint8_t *token, size_t len);
	void (*certificate)(void *arg, const uint8_t sha256[32], const uint8_t *der, size_t len);
};

/* Entries first..last of the journal; first 0 = none. */
struct store_range {
	int64_t first, last;
};

enum { EXPORT_BODY, EXPORT_ANSWER, EXPORT_DETAILS, EXPORT_ATTACHMENTS };

struct store_filter {
	int direction;      /* enum direction or -1 */
	enum document_state state; /* STATE_NONE = any */
	bool has_peer;
	struct guid peer;
	unsigned limit;
	int64_t before;     /* only ids below this; 0 = from the newest */
};

struct store_figures {
	uint64_t documents[DIRECTION_COUNT][STATE_COUNT];
	uint64_t refused;
	when oldest;        /* when the oldest outgoing document that has not left was accepted; WHEN_NONE */
	uint64_t disk_free;
	uint64_t log_pages; /* of the write-ahead log, not yet in the database */
	bool full;          /* nothing new is accepted */
	uint64_t journal;   /* entries, and the digest of the last */
	uint8_t head[32];
	uint64_t stamped;   /* the newest entry with a time stamp; 0 = none */
	when stamped_at;
};

typedef void (*store_document_cb)(void *arg, const struct store_document *);
typedef void (*store_event_cb)(void *arg, const struct store_event *);
typedef void (*store_evidence_cb)(void *arg, const struct store_evidence *);

/* All operations return FAULT_NONE, a fault that is about the request (FAULT_DOCUMENT_MISSING, ...),
 * or FAULT_DISK_FULL / FAULT_STORE_FAILED: temporary. */
struct store_backend {
	const char *name;
	/* Opens, or makes, the store and brings an older one forward. NULL with a logged reason. */
	struct store *(*open)(const struct store_options *);
	void (*close)(struct store *);
	/* Other times and another reserve from now on; what is scheduled already stays. */
	void (*tune)(struct store *, const struct schedule_times *, uint64_t disk_reserve);

	enum fault (*begin)(struct store *, when now);
	enum fault (*commit)(struct store *);
	/* Moves committed pages from the log to the database, when they are worth it: soon when idle,
	 * late when not. */
	void (*tidy)(struct store *, bool idle);

	/* An incoming message (wire.h, WIRE_RECEIVE). */
	enum fault (*receive)(struct store *, const struct store_incoming *,
	                      struct wire_receive_reply *reply);
	/* An empty, unnamed file for a body; the caller closes it. Negative: *why says. */
	int (*spool_file)(struct store *, uint64_t size, enum fault *why);

	enum fault (*submit)(struct store *, const struct store_submission *, int64_t *document);
	enum fault (*decide)(struct store *, const struct store_decision *);
	/* FAULT_QUEUE_NOTHING, FAULT_QUEUE_SENDING, FAULT_QUEUE_FREE: when it cannot be. */
	enum fault (*queue_change)(struct store *, const struct store_queue_change *);
	/* An operator's action that changes no document. */
	enum fault (*note)(struct store *, const char *by, const char *text);
	/* Walks a slice of the journal; reading only. */
	enum fault (*check)(struct store *, struct store_check *);
	enum fault (*export)(struct store *, int64_t document, const struct store_export *, void *arg);
	/* The oldest entries, at most limit, that are older than cutoff and about documents whose way is
	 * over and that nothing younger is about. */
	enum fault (*archive_plan)(struct store *, when cutoff, unsigned limit, struct store_range *);
	/* One entry with its link, stamp and certificates; first: with the digest before it too. */
	enum fault (*archive_read)(struct store *, int64_t sequence, bool first,
	                           const struct store_export *, void *arg);
	/* Removes the range, which this file now holds; the chain goes on behind it. */
	enum fault (*archive_remove)(struct store *, const struct store_range *, const char *file,
	                             uint64_t size, const uint8_t sha256[32]);
	/* Keeps a time stamp of the head that figures told. */
	enum fault (*stamp)(struct store *, uint64_t sequence, const uint8_t digest[32], when at,
	                    const void *token, size_t len);

	/* The peers that have deliveries pending, with the first due time: through the due callback. */
	enum fault (*load_due)(struct store *);
	/* The wall clock went back by so much, or by nobody knows how much (0). What waits comes forward
	 * by it, to now at most; nothing waits longer than the longest pause of the schedule. */
	enum fault (*clock_back)(struct store *, when by);
	/* When something last happened to a document; WHEN_NONE: never. */
	enum fault (*last_written)(struct store *, when *);
	/* At most max pending deliveries to a peer in the order of their due times; *count of them. */
	enum fault (*due)(struct store *, int64_t peer, struct store_due *, unsigned max,
	                  unsigned *count);
	enum fault (*work)(struct store *, int64_t document, struct store_work *);
	/* Codec made (or could not make) the message. FAULT_DOCUMENT_MISSING: it is not wanted any more. */
	enum fault (*composed)(struct store *, const struct store_work *, const struct wire_composed *,
	                       const struct store_bytes *body);
	/* Before the bytes are handed to courier: from now on a crash makes the outcome ambiguous. */
	enum fault (*attempt)(struct store *, int64_t document, int64_t *attempt);
	enum fault (*undelivered)(struct store *, int64_t attempt, const struct wire_undelivered *);
	enum fault (*answered)(struct store *, int64_t attempt, const struct wire_answered *,
	                       const struct store_bytes *body);
	/* Attempts that were under way when the store went down: their outcome is ambiguous. */
	enum fault (*abandon)(struct store *);
	/* Ends documents whose time is over, at most limit. *next: the moment of the next one, WHEN_NONE
	 * if there is none. */
	enum fault (*expire)(struct store *, unsigned limit, when *next);

	/* By GUID: FAULT_DOCUMENT_SEVERAL when more than one has it. */
	enum fault (*find)(struct store *, const struct guid *, int64_t *document);
	enum fault (*list)(struct store *, const struct store_filter *, store_document_cb, void *arg);
	enum fault (*show)(struct store *, int64_t document, store_document_cb, store_event_cb,
	                   store_evidence_cb, void *arg);
	enum fault (*queue)(struct store *, unsigned limit, store_document_cb, void *arg);
	enum fault (*figures)(struct store *, struct store_figures *);

	/* A descriptor for reading the exact bytes of a body: a sealed memory file or the file itself. -1
	 * if there is no such body or no descriptor to be had. */
	int (*body_open)(struct store *, int64_t body);
	/* The same for the DER of a certificate that evidence names. */
	int (*certificate_open)(struct store *, const uint8_t sha256[32]);
	/* Appends the bytes to out. */
	enum fault (*body_read)(struct store *, int64_t body, struct buf *out);

	/* A copy of the database, begun, made in steps outside of batches, and taken when it is done: a
	 * descriptor for reading, -1 when it is not whole. It holds every batch up to that moment. */
	enum fault (*backup_begin)(struct store *);
	enum fault (*backup_step)(struct store *, bool *done, uint64_t *left);
	int (*backup_take)(struct store *);
	/* The bodies that lie in files of their own; false when they cannot be listed. */
	bool (*backup_files)(struct store *, void (*each)(void *arg, int64_t body, const char *name),
	                     void *arg);
};

extern const struct store_backend store_sqlite;

#endif
