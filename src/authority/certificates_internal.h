/* What the files of certificates share. Nobody else includes this. */
#ifndef OBMEN_AUTHORITY_CERTIFICATES_INTERNAL_H
#define OBMEN_AUTHORITY_CERTIFICATES_INTERNAL_H

#include <string.h>

#include "authority/certificates.h"
#include "authority/json.h"
#include "authority/sql.h"

#define CONTEXT_CRL      -1 /* contexts of questions to ca; a request's id otherwise */
#define CONTEXT_SERVICES -2

/* {"ok":false,...} with a fault of the catalogue. */
json_t *certificates_refusal(enum fault, const char *detail);
/* Begins a transaction, unless one is open: then *own is false and the end is not ours. */
bool certificates_begin(struct certificates *, bool *own);
/* Commits, or rolls back when answer is no success; a failed commit makes the answer a refusal. */
json_t *certificates_end(struct certificates *, bool own, json_t *answer);
/* This moment as the database keeps it. */
void certificates_now(char out[WHEN_TEXT_SIZE]);

/* A new request: {guid, name, eik, key, key_id, ignored, via}, checked against the participant's
 * record and the keys known. approved: it waits for nobody. Returns {ok, id, state}. */
json_t *certificates_add_request(struct certificates *, const char *by, const json_t *query,
				 const char *guid, const char *renewal_of, bool approved);
/* Sends an approved request to ca, now or with the next tick. */
void certificates_issue(struct certificates *, int64_t id);
/* Marks it revoked, writes history, has a list made. */
json_t *certificates_do_revoke(struct certificates *, const char *by, const char *serial,
			       const char *reason);
/* Has a list made when none is under way. */
void certificates_list_anew(struct certificates *, when now);
/* Keeps ca's list {der}. */
void certificates_keep_list(struct certificates *, const json_t *answer, when now);
/* One row of certificate: from json_certificate. request 0: none. */
bool certificates_insert(struct certificates *, const char *guid, int64_t request, const json_t *,
			 bool external);

#endif
