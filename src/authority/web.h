/*
 * The authority's pages for participants and officers, seen from outside: a request comes in,
 * questions go to the ledger and to ra, a page comes out. It knows no sockets and no processes; the
 * desk role carries its messages, tests play the ledger.
 *
 * Pages decide nothing. Who may do what is the ledger's table; a page only leaves out what would be
 * refused.
 */
#ifndef OBMEN_AUTHORITY_WEB_H
#define OBMEN_AUTHORITY_WEB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"
#include "lib/when.h"

struct web_exchange;

#define WEB_BODY_MAX ((size_t)64 << 10)  /* bytes of a form; larger ones are refused */
#define WEB_UPLOAD_MAX ((size_t)16 << 10) /* bytes of one uploaded file */
#define WEB_PAGE_MAX ((size_t)2 << 20)   /* bytes of a page */

/* Strings are borrowed until web_begin returns; absent ones are NULL. */
struct web_request {
	const char *method;
	const char *path;  /* as sent, escapes untouched, without query */
	const char *query; /* after '?' */
	const char *content_type;
	const char *cookie;      /* the Cookie field */
	const char *fetch_site;  /* the Sec-Fetch-Site field */
	const uint8_t *certificate; /* DER of the TLS client certificate, verified by front */
	size_t certificate_len;
	const uint8_t *body;
	size_t body_len;
};

struct web_response {
	int status;
	const char *content_type;
	const char *fields; /* more header lines, each ended by CRLF */
	const void *body;
	size_t len;
};

/* Whom a question goes to. */
enum web_asked { WEB_LEDGER, WEB_RA };

/* What all requests have in common; borrowed, constant while exchanges are under way. */
struct web_site {
	const char *authority[2]; /* its name, by enum language */
	const char *address[2];
	const char *email;
	const char *domain;       /* suffix of the names of participants' hosts: "obmen.local" */
	bool test;                /* a banner says that this is a test environment */
	uint8_t secret[32];       /* the ledger's session-secret: cookies and tokens hang on it */
	when (*now)(void);        /* NULL = when_now */
	/* Puts a question; web_answered is called with the same slot, later or at once. The query is
	 * borrowed. */
	void (*ask)(void *arg, struct web_exchange *, enum web_asked, unsigned slot, json_t *query);
	/* The end of an exchange: its memory, the response's too, is gone when this returns. */
	void (*respond)(void *arg, struct web_exchange *, const struct web_response *);
	void *arg;
};

/*
 * Begins to answer a request. user is the caller's (web_user). `respond` is called exactly once,
 * unless the exchange is abandoned; when that happened before this returns, *x is NULL. False when
 * memory is exhausted: nothing was called then.
 */
bool web_begin(const struct web_site *, const struct web_request *, void *user,
               struct web_exchange **x);
void *web_user(const struct web_exchange *);
/* The answer to a question, borrowed; NULL: whoever was asked is silent. */
void web_answered(struct web_exchange *, unsigned slot, json_t *answer);
/* The reader is gone: frees everything without calling `respond`. No answer may come afterwards. */
void web_abandon(struct web_exchange *);

/* True when the path belongs to the pages. */
bool web_has_path(const char *path);

#endif
