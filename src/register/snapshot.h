/*
 * The register of participants as one immutable memory map (design 3, protocol.md section 7).
 *
 * The directory builds a snapshot, seals it and hands the descriptor to every reader; a reader maps
 * it read-only. Look-ups take no lock, no system call and no message between processes. The layout
 * is position-independent and checked as a whole when it is opened, so that a damaged file on disk
 * is refused and never followed.
 */
#ifndef OBMEN_SNAPSHOT_H
#define OBMEN_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/guid.h"
#include "lib/when.h"

enum participant_status {
	PARTICIPANT_ACTIVE,
	PARTICIPANT_INACTIVE, /* also any string that we do not know */
	PARTICIPANT_TEMPORARILY_INACTIVE,
};

/* One participant. Strings are NUL-terminated, "" when the register has none; borrowed from the
 * snapshot. */
struct participant {
	struct guid guid;
	struct guid parent; /* zero = top level; display only, never routing */
	const char *eik;
	const char *name;
	const char *phone, *fax, *email;
	const char *certificate_serial; /* CertificateSN as published */
	const char *service_name;       /* of the document exchange service */
	const char *uri;                /* its endpoint, "" when the service is missing */
	const char *service_version;
	enum participant_status entity_status;
	enum participant_status service_status; /* INACTIVE when the service is missing */
	enum participant_status status;         /* effective (section 7); the builder computes it */
	when last_change;
};

struct snapshot;

enum snapshot_source { SNAPSHOT_FULL, SNAPSHOT_INCREMENT, SNAPSHOT_LOOKUP, SNAPSHOT_DISK, SNAPSHOT_ACCEPTED };

/*
 * Checks a snapshot as a whole and gives access to it; takes the descriptor. NULL with a logged
 * reason when it is damaged. Sealed memory is mapped, and every offset in it checked, so that no
 * look-up can leave it. Anything else (a file) could still change or shrink: it is copied first,
 * and its SHA-256 checked too.
 */
struct snapshot *snapshot_open(int fd);
/* Unmaps. Participants found in it are gone. */
void snapshot_free(struct snapshot *);

/* How many participants, of when, and from where. */
size_t snapshot_count(const struct snapshot *);
when snapshot_mark(const struct snapshot *);    /* newest LastChange: what GetNewRecords continues from */
when snapshot_fetched(const struct snapshot *); /* when a full list was last received */
when snapshot_checked(const struct snapshot *); /* when the register last answered anything */
enum snapshot_source snapshot_source(const struct snapshot *);

/* Each fills `out` and returns true when found. By text GUID: at most 500 ns at 100,000. */
bool snapshot_by_guid(const struct snapshot *, const struct guid *, struct participant *out);
bool snapshot_by_eik(const struct snapshot *, const char *eik, struct participant *out);
/* The n-th participant (from 0) that has this certificate serial: one certificate may serve many. */
bool snapshot_by_serial(const struct snapshot *, const char *serial_hex, size_t n,
                        struct participant *out);
/* The i-th participant, i < snapshot_count, in GUID order. */
void snapshot_at(const struct snapshot *, size_t i, struct participant *out);

/* Building: add everything, then finish. Strings are copied; NULL counts as "". Later entries with
 * the same GUID replace earlier ones. */
struct snapshot_builder *snapshot_builder_new(void);
void snapshot_builder_free(struct snapshot_builder *);
bool snapshot_builder_add(struct snapshot_builder *, const struct participant *);
bool snapshot_builder_add_all(struct snapshot_builder *, const struct snapshot *);
bool snapshot_builder_remove(struct snapshot_builder *, const struct guid *);
/* A sealed memory descriptor, or -1. */
int snapshot_builder_finish(struct snapshot_builder *, when mark, when fetched, when checked,
                            enum snapshot_source);

/* The copy on disk: `name` in the folder dir_fd, replaced as a whole (write beside, fsync, rename,
 * fsync the folder). False with a logged reason: then the old copy is still there. */
bool snapshot_save(int fd, int dir_fd, const char *name);
/* The copy on disk as a sealed memory descriptor, its SHA-256 checked; -1 when there is none or,
 * with a logged reason, when it is damaged. */
int snapshot_load(int dir_fd, const char *name);

/* Effective status (section 7): the entity's, unless that is Active; then the service's. */
enum participant_status participant_status_effective(enum participant_status entity,
                                                     enum participant_status service);
/* True when both are serial numbers in hex and have the same value: case and leading zeros do not
 * count. */
bool participant_serial_equal(const char *a, const char *b);
const char *participant_status_name(enum participant_status); /* wire spelling */
enum participant_status participant_status_parse(const char *);

/* The URI of the one service that counts: {7060efa8-f1fa-4938-8b2b-12a78c86988f} (section 7). */
#define SERVICE_DOCUMENT_EXCHANGE "{7060efa8-f1fa-4938-8b2b-12a78c86988f}"

#endif
