/* obmen-authority: verbs that do more than ask, and what is shown to people. */
#ifndef OBMEN_AUTHORITYCTL_H
#define OBMEN_AUTHORITYCTL_H

#include "obmenctl/ctl.h"

/* -- run.c: each returns the exit status */

/* Fields of a record are given one by one and travel as an object "record" or "fields". */
enum exit_status run_participant_add(struct ctl *, struct command *);
enum exit_status run_participant_change(struct ctl *, struct command *);
/* Reads an answer of GetAllRecords, or JSON records; the whole travels as a descriptor. */
enum exit_status run_register_import(struct ctl *, struct command *);
enum exit_status run_register_export(struct ctl *, struct command *);
/* Sends a file (PKCS#10, certificate, CMP) in base64. */
enum exit_status run_file(struct ctl *, struct command *);
/* A message of a node that has no network: the answer goes to --output. */
enum exit_status run_cmp(struct ctl *, struct command *);

/* -- render.c: each prints the answer of its verb for people */

/* "Done.", with the number and GUID that the answer may name. */
void render_done(struct ctl *, const json_t *);
void render_overview(struct ctl *, const json_t *);
void render_records(struct ctl *, const json_t *);
void render_record(struct ctl *, const json_t *);
void render_history(struct ctl *, const json_t *);
void render_log_check(struct ctl *, const json_t *);
void render_requests(struct ctl *, const json_t *);
void render_request(struct ctl *, const json_t *);
void render_officers(struct ctl *, const json_t *);
void render_whoami(struct ctl *, const json_t *);
void render_certificates(struct ctl *, const json_t *);
void render_certificate(struct ctl *, const json_t *);
void render_reference(struct ctl *, const json_t *);
void render_import(struct ctl *, const json_t *);

#endif
