/*
 * The desk role from within: requests that front has framed, answered from the sealed copy of the
 * register, or by asking the ledger. It reads XML and forms of strangers: it has no network, no files
 * and no keys.
 *
 * desk.c       the role: requests in, responses out, questions on their way
 * desk_soap.c  the register's five operations and their WSDL
 * desk_page.c  the pages (web.h)
 */
#ifndef OBMEN_AUTHORITY_DESK_H
#define OBMEN_AUTHORITY_DESK_H

#include <jansson.h>
#include <sys/queue.h>
#include "authority/prepared.h"
#include "authority/role.h"
#include "authority/wire.h"
#include "lib/buf.h"
#include "lib/catalogue.h"

#define DESK_SECRET 0 /* the id of the desk's own question for the session secret */

struct desk;

/* One request; answered exactly once by desk_respond*, which frees it. */
struct desk_job {
	TAILQ_ENTRY(desk_job) link;
	struct desk *desk;
	uint64_t id;
	uint8_t *frame;              /* the packed request: its strings point in here */
	struct wire_request request; /* body: always in memory */
	void *body;                  /* mapped; NULL: it was inline */
	size_t body_len;
	void *page;                  /* of desk_page.c */
};

/* The answer to a question, borrowed; NULL: whoever was asked is silent. */
typedef void (*desk_answer_cb)(struct desk_job *, unsigned slot, json_t *answer);

struct question {
	TAILQ_ENTRY(question) link;
	uint64_t id;
	struct desk_job *job;
	unsigned role;
	unsigned slot;
	desk_answer_cb callback;
};

struct desk {
	struct self *self;
	struct prepared *prepared; /* NULL until the ledger gave one */
	TAILQ_HEAD(, desk_job) jobs;
	TAILQ_HEAD(, question) questions;
	uint64_t last_question;
	void *pages;               /* of desk_page.c */
	uint64_t soap, pages_served, faults;
};

/* -- desk.c */

/* Asks the ledger or ra; query is borrowed. The callback may come before this returns. */
void desk_ask(struct desk_job *, unsigned role, unsigned slot, const json_t *query, desk_answer_cb);
/* Answers and frees the job. The body is copied; fields may be NULL. */
void desk_respond(struct desk_job *, unsigned status, const char *content_type, const char *fields,
                  const void *body, size_t len);
/* The same with bytes of sealed memory; takes the descriptor. */
void desk_respond_fd(struct desk_job *, const char *content_type, int fd, uint64_t at, uint64_t size);
/* A fault as plain text, in both languages. */
void desk_refuse(struct desk_job *, unsigned status, enum fault, const char *detail);

/* -- desk_soap.c */

/* True when the path is the register's. */
bool desk_soap_has_path(const char *path);
void desk_soap(struct desk_job *);

/* -- desk_page.c */

/* The pages' own part of the desk; false without memory. A page answers its job in its own time. */
bool desk_page_open(struct desk *);
void desk_page_free(struct desk *);
void desk_page(struct desk_job *);
/* The ledger's answer to DESK_SECRET; NULL: it is silent. */
void desk_page_secret(struct desk *, const json_t *answer);
/* The job ends without a response of the page's. */
void desk_page_abandon(struct desk_job *);
/* The ledger is there (again): what all pages need is asked for. */
void desk_page_ledger_up(struct desk *);

#endif
