/*
 * obmenctl: one table of verbs (verbs.c) gives parsing, help, requests and output.
 *
 * Data goes to standard output, talk to standard error. Exit status: 0 done, 1 refused or failed,
 * 2 wrong use, 3 the node does not answer.
 */
#ifndef OBMENCTL_CTL_H
#define OBMENCTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/catalogue.h"

#define CTL_FDS_MAX 30

enum exit_status { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE };

struct ctl {
	enum language language;
	bool json;         /* print the node's own objects */
	bool bold;         /* standard output is a terminal that wants colour */
	unsigned width;    /* columns; 0: lines are not cut */
	const char *socket;
	FILE *out, *err;
};

/* -- verbs.c: what can be said */

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_FLAG, OPTION_LIST };
enum option_place {
	PLACE_REQUEST,  /* a field of the request */
	PLACE_DOCUMENT, /* a field of its "document" */
	PLACE_LOCAL,    /* for obmenctl itself */
};

struct option_row {
	const char *name;        /* "to": written --to; NULL ends the list */
	const char *key;         /* JSON field */
	enum option_place place;
	enum option_type type;
	const char *value;       /* flags: what the field becomes; NULL = true */
	const char *metavar[2];  /* by language; NULL for flags */
	const char *text[2];
	bool required;
};

struct positional_row {
	const char *key; /* NULL ends the list */
	enum option_place place;
	const char *metavar[2];
	bool required;
	bool several; /* the last one only: a list */
};

/* What was said. */
struct command {
	const struct verb_row *verb;
	json_t *request, *document, *local;
	bool help;
};

struct verb_row {
	const char *words[2];    /* second may be NULL */
	const struct option_row *options;
	const struct positional_row *positionals;
	const char *ask;         /* control's verb; NULL: local */
	/* NULL: ask, then render */
	enum exit_status (*run)(struct ctl *, struct command *);
	void (*render)(struct ctl *, const json_t *answer);
	const char *text[2];
	const char *examples[2]; /* lines */
};

/* What a program is called and whom it asks: obmenctl the node, obmen-authority the authority. Each
 * program defines these four. */
struct cli {
	const char *name;
	const char *socket;
	const char *silent[2];    /* who does not answer, for the list of exit statuses */
	enum fault down;          /* the same as a refusal */
};
extern const struct cli cli;
extern const struct verb_row verb_rows[];
extern const size_t verb_row_count;
extern const struct option_row global_options[];

/* -- parse.c */

/* Reads the words of a command line; global options may stand anywhere and go to ctl. False with
 * the reason already written to ctl->err. Free with command_free in any case. */
bool command_parse(struct ctl *, int argc, char **argv, struct command *);
void command_free(struct command *);
const char *command_local(const struct command *, const char *key);

/* -- help.c */

/* Examples first, then what there is. */
void help_all(struct ctl *, FILE *);
void help_verb(struct ctl *, const struct verb_row *, FILE *);
/* The list of verbs for obmenctl(1), in mdoc(7). */
void help_manual(FILE *, enum language);
/* The codes of the catalogue for obmen-codes(7), in mdoc(7). */
void help_codes(FILE *, enum language);

/* -- ask.c */

/* Sends a request and waits for its answer; descriptors are borrowed. The answer's descriptor, if
 * any, goes to *fd (-1: none; fd may be NULL). NULL when the node cannot be reached: said already. */
json_t *ask(struct ctl *, const json_t *request, const int *fds, unsigned nfds, int *fd);
/* ask, for a command's own request. Prints refusals; NULL then, with *status. */
json_t *ask_command(struct ctl *, struct command *, const int *fds, unsigned nfds, int *fd,
                    enum exit_status *status);
/* Prints a refusal of the node, or one of our own, for people or as JSON. */
void print_refusal(struct ctl *, const json_t *answer);
void print_fault(struct ctl *, enum fault, const char *detail);
void print_json(struct ctl *, const json_t *);

/* -- table.c */

#define TABLE_COLUMNS 10

/* Columns that line up; a flexible one is cut when the line would be longer than ctl->width. */
struct table;
struct table *table_new(struct ctl *);
void table_column(struct table *, const char *title, bool flexible);
void table_cell(struct table *, const char *text); /* row by row; NULL counts as "" */
void table_print(struct table *, unsigned indent); /* and frees */

/* -- say.c: words and values for people */

/* The one of the two texts that is in the user's language. */
const char *say(const struct ctl *, const char *bg, const char *en);
/* For formats: the compiler sees and checks both literals. */
#define SAY(ctl, bg, en) ((ctl)->language == LANGUAGE_BG ? (bg) : (en))
const char *text_of(const json_t *object, const char *key); /* "" when absent */
long long number_of(const json_t *object, const char *key);
/* Each writes to out and returns it; "" for an absent value. */
char *say_moment(const struct ctl *, const char *iso, char out[64]);
char *say_day(const struct ctl *, const char *iso, char out[64]); /* the day only */
char *say_size(const struct ctl *, long long bytes, char out[32]);
char *say_duration(const struct ctl *, long long seconds, char out[64]);
const char *say_state(const struct ctl *, const char *state);
const char *say_event(const struct ctl *, const char *event);
const char *say_participant_status(const struct ctl *, const char *status);
/* "label   value" lines that line up in one column; nothing when the value is empty. */
void say_line(const struct ctl *, const char *label, const char *value);
void say_title(const struct ctl *, const char *title);
/* Sentences, broken between words at ctl->width. */
void say_sentences(const struct ctl *, FILE *, const char *text);

/* -- render_document.c: lines that other pages need too */

/* Who the other side is; the trouble, what it means and what to do; what the node does next; whose
 * turn it is. */
void say_peer(const struct ctl *, const json_t *document);
void say_reason(const struct ctl *, const json_t *document);
void say_next(const struct ctl *, const json_t *document);
void say_acts(const struct ctl *, const json_t *document);

/* -- runners and renderers */

/* Verbs that do more than ask and print; each returns obmenctl's exit status. */
enum exit_status run_send(struct ctl *, struct command *);
enum exit_status run_import_crl(struct ctl *, struct command *);
/* The node's certificate from the authority (enrol.c). */
enum exit_status run_cert_request(struct ctl *, struct command *);
enum exit_status run_cert_poll(struct ctl *, struct command *);
enum exit_status run_cert_renew(struct ctl *, struct command *);
enum exit_status run_cert_install(struct ctl *, struct command *);
enum exit_status run_save(struct ctl *, struct command *);
enum exit_status run_body(struct ctl *, struct command *);
enum exit_status run_verify(struct ctl *, struct command *);
/* Asks on the terminal for the document's name, unless --yes; then like any other verb. */
enum exit_status run_confirmed(struct ctl *, struct command *);
/* The file, if one is named, goes along as a descriptor. */
enum exit_status run_update(struct ctl *, struct command *);
/* With --follow until it is interrupted, or the node is gone; JSON is then one object a line. */
enum exit_status run_log(struct ctl *, struct command *);
/* Again and again, on a terminal over the whole of it; the last answer decides. */
enum exit_status run_watch(struct ctl *, struct command *);
/* The verb's second word is on or off. */
enum exit_status run_maintenance(struct ctl *, struct command *);
enum exit_status run_completion(struct ctl *, struct command *);
/* Fails when a check failed. */
enum exit_status run_diag(struct ctl *, struct command *);
enum exit_status run_diag_collect(struct ctl *, struct command *);
/* {"ok", "passed", "checks": [...]}; NULL when the node cannot be reached: said already. */
json_t *diag_run(struct ctl *);
/* Fails when a step of the way failed. */
enum exit_status run_participant_test(struct ctl *, struct command *);
enum exit_status run_help(struct ctl *, struct command *);

/* Each prints the answer of its verb for people. */
void render_status(struct ctl *, const json_t *);
/* Conditions and documents only. */
void render_status_brief(struct ctl *, const json_t *);
void render_document(struct ctl *, const json_t *);
void render_documents(struct ctl *, const json_t *);
void render_queue(struct ctl *, const json_t *);
/* One entry of the queue: what is stuck, why, since when, what comes next, who must act. */
void render_queue_entry(struct ctl *, const json_t *);
void render_queue_changed(struct ctl *, const json_t *);
void render_changed(struct ctl *, const json_t *);
void render_participant(struct ctl *, const json_t *);
void render_participants(struct ctl *, const json_t *);
void render_register(struct ctl *, const json_t *);
void render_register_refresh(struct ctl *, const json_t *);
void render_register_diff(struct ctl *, const json_t *);
void render_register_accept(struct ctl *, const json_t *);
/* Our own certificates, and what is known of revoked ones. */
void render_certificates(struct ctl *, const json_t *);
void render_reload(struct ctl *, const json_t *);
void render_update_check(struct ctl *, const json_t *);
void render_update_install(struct ctl *, const json_t *);
void render_update_status(struct ctl *, const json_t *);
void render_update_back(struct ctl *, const json_t *);

#endif
