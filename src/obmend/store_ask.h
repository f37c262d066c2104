/* One request of control's, inside the store role: shared by the files that answer verbs. */
#ifndef OBMEN_STORE_ASK_H
#define OBMEN_STORE_ASK_H

#include "obmend/store_role.h"

struct ask {
	struct store_role *role;
	json_t *in;
	struct ipc_frame *frame;
	json_t *out;     /* the reply's object, "ok" is added */
	int fd;          /* goes with the reply; -1 = none */
	char detail[160];
};

typedef enum fault (*verb_fn)(struct ask *);

/* store_query.c */
/* A text of the request, NULL when it is absent or empty. */
const char *ask_text(const struct ask *, const char *key);
/* The fault, with the key in its detail. */
enum fault ask_wrong(struct ask *, enum fault, const char *key);
/* The row of "document": a GUID or a decimal number. */
enum fault ask_document(struct ask *, int64_t *id);

/* store_evidence.c: verbs evidence.* */
/* store_backup.c */
enum fault verb_backup_begin(struct ask *);
enum fault verb_backup_state(struct ask *);
enum fault verb_backup_take(struct ask *);

/* store_maintenance.c */
enum fault verb_maintenance(struct ask *);

/* store_queue.c */
enum fault verb_queue_change(struct ask *);

/* store_evidence.c */
enum fault verb_evidence_check(struct ask *);
enum fault verb_evidence_body(struct ask *);
enum fault verb_evidence_export(struct ask *);
enum fault verb_evidence_note(struct ask *);
enum fault verb_evidence_archive(struct ask *); /* store_archive.c */

#endif
