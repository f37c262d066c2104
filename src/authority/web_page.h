/*
 * The pages from within: a request on its way, and what pages are made with.
 *
 * web_exchange.c  from request to answer: who asks, what is loaded, what is done, what is shown
 * web_who.c       certificate and roles of who asks
 * web_route.c     the table of routes
 * web_session.c   session cookie and the tokens of forms
 * web_field.c     fields: what may be typed; web_field_show.c: how they are shown
 * web_layout.c    what surrounds every page; web_part.c: tables, facts, paging
 * web_say.c       words, dates, numbers
 * the others      pages, one subject each
 */
#ifndef OBMEN_AUTHORITY_WEB_PAGE_H
#define OBMEN_AUTHORITY_WEB_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include "authority/web.h"
#include "authority/web_form.h"
#include "authority/web_markup.h"
#include "lib/arena.h"
#include "lib/catalogue.h"
#include "lib/when.h"

/* ---- web_say.c ---- */

/* What pages say, in both languages; rows of web_texts.def: TEXT(ID, "bg", "en"). */
enum web_text {
	TEXT_NONE = 0,
#define TEXT(id, bg, en) TEXT_##id,
#include "authority/web_texts.def"
#undef TEXT
	TEXT_COUNT
};

/* In the reader's language; "" for TEXT_NONE. */
const char *web_text(const struct web_exchange *, enum web_text);
#define T(id) web_text(x, TEXT_##id) /* x is the exchange, here and below */

/* Memory that lives as long as the exchange; "" when it is exhausted. */
const char *web_format(struct web_exchange *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A moment or a day of the ledger (xsd:dateTime) as people read it; "" stays empty. */
const char *web_moment(struct web_exchange *, const char *iso);
const char *web_day(struct web_exchange *, const char *iso);
/* "1 234" with the language's space or comma. */
const char *web_number(struct web_exchange *, long long);
/* "5 дни": the number with the form of the word that it asks for. */
const char *web_count(struct web_exchange *, long long, enum web_text one, enum web_text many);
/* Whole days from now to a moment, negative when it is over; false when it cannot be read. */
bool web_days_left(struct web_exchange *, const char *iso, long long *days);
/* The word for a value of the ledger ("TemporarilyInactive", "revoked", "ca-operator", a verb, the
 * key of a field); the value itself when there is none. */
const char *web_word(struct web_exchange *, const char *value);
/* A string of an object, "" when it is absent; a number, 0. */
const char *web_string(const json_t *object, const char *key);
long long web_integer(const json_t *object, const char *key);
/* A GUID without braces, as it stands in our paths; text itself when it is none. */
const char *web_short_guid(struct web_exchange *, const char *text);

/* ---- web_field.c ---- */

enum web_input {
	INPUT_LINE, INPUT_EMAIL, INPUT_PHONE, INPUT_URL, INPUT_EIK, INPUT_GUID, INPUT_DAYS,
	INPUT_FINGERPRINT, INPUT_HOST,
	INPUT_AREA,
	INPUT_FILE,
	INPUT_CHOICE,  /* exactly one of the choices */
	INPUT_CHOICES, /* one or more of them */
};

struct web_choice {
	const char *value;
	enum web_text text; /* TEXT_NONE: web_word(value) */
};

/* One field of a form. What a browser can check it is told, what it sends is checked again here. */
struct web_field {
	const char *name; /* also its key in the ledger's JSON */
	enum web_text label, hint;
	enum web_input input;
	bool required;
	unsigned max; /* characters */
	const struct web_choice *choices; /* the last one has no value */
	const char *autocomplete;
};

#define WEB_FIELDS_MAX 12

/* Checks what was sent against the fields of the route; false when x->errors says of any what is
 * wrong. */
bool web_fields_check(struct web_exchange *);
/* What was sent in a field, "" when nothing was. */
const char *web_sent(const struct web_exchange *, const char *name);
/* {name: what was sent} for all fields but files, reason, and what equals `before` (may be NULL). */
json_t *web_fields_json(const struct web_exchange *, const json_t *before);
/* True for "" and for the GUID of zeros, which the register writes for "none". */
bool web_is_no_guid(const char *text);

/* ---- web_field_show.c ---- */

/* The form of the route: error summary, token, all fields with values sent or, before that, of
 * `values` (may be NULL), and a button. `danger` marks what cannot be taken back. Cancel leads to
 * a path below. */
struct web_button {
	enum web_text text;
	bool danger;
	const char *cancel; /* a path of ours, percent-encoded; NULL: no link */
};
void web_form_show(struct web_exchange *, const json_t *values, const struct web_button *);
/* A form of one button without fields, such as one that asks for a check. */
void web_form_small(struct web_exchange *, const char *action, enum web_text button);
/* What keeps the form from being done; called by web_form_show. */
void web_errors_show(struct web_exchange *);

/* ---- web_layout.c ---- */

/* From the doctype to the heading: "subject" goes into the title before the text; both may stand
 * alone. To be called first by every page. */
void web_open(struct web_exchange *, enum web_text title, const char *subject);
/* From the end of the page's own content to the last byte. */
void web_close(struct web_exchange *);

/* ---- web_part.c ---- */

#define WEB_COLUMNS_MAX 8

/* A table; on narrow screens its rows become cards, each value with its column's name. The first
 * cell of a row is its heading. The caption is shown only when `shown`. */
void web_table(struct web_exchange *, const char *caption, bool shown, const enum web_text *columns,
               unsigned count);
void web_row(struct web_exchange *);
void web_table_end(struct web_exchange *);
void web_cell_begin(struct web_exchange *);
void web_cell_end(struct web_exchange *);
#define CELL(literal, ...) \
	(web_cell_begin(x), MARKUP(&x->page, literal, ##__VA_ARGS__), web_cell_end(x))
#define PUT(literal, ...) MARKUP(&x->page, literal, ##__VA_ARGS__)

/* A list of names and values: facts begin, one line each, end. Empty values say "–". */
void web_facts(struct web_exchange *);
void web_fact(struct web_exchange *, enum web_text name, const char *value);
void web_fact_code(struct web_exchange *, enum web_text name, const char *value);
void web_fact_state(struct web_exchange *, enum web_text name, const char *state);
void web_facts_end(struct web_exchange *);
/* A state as a coloured word; the word alone says everything. */
void web_state(struct web_exchange *, const char *state);
/* What is shown instead of an empty list. */
void web_empty(struct web_exchange *, enum web_text);

#define WEB_LIMIT 50 /* rows of a page */
/* The first row that was asked for, from the query. */
long long web_offset(const struct web_exchange *);
/* Links to the pages before and after; they keep the query's other values. */
void web_paging(struct web_exchange *, long long total);
/* {"verb": verb, "offset": ..., "limit": ...} */
json_t *web_list_query(const struct web_exchange *, const char *verb);
/* Rows of changes: before and after of an entry of the history, field by field. */
void web_changes(struct web_exchange *, const json_t *before, const json_t *after);

/* ---- web_exchange.c ---- */

/* Who asks, in bits; one person may have several roles. */
enum {
	WHO_PARTICIPANT = 1, WHO_OFFICER = 2, WHO_REGISTRAR = 4, WHO_CA_OPERATOR = 8,
	WHO_AUDITOR = 16, WHO_STRANGER = 32,
	WHO_STAFF = WHO_OFFICER | WHO_REGISTRAR | WHO_CA_OPERATOR | WHO_AUDITOR,
	WHO_RECORDS = WHO_OFFICER | WHO_REGISTRAR, /* changes records */
	WHO_KNOWN = WHO_STAFF | WHO_PARTICIPANT,
	WHO_ANYONE = WHO_KNOWN | WHO_STRANGER,
};

/*
 * One row of the table of routes. GET: load, show. POST: load, check of the fields, act; what it
 * asked having been granted, the browser is sent to `then`, otherwise show again with the reason.
 */
struct web_route {
	const char *path; /* "/participants/{}/contact": {} takes one part */
	unsigned who;     /* who sees it at all; the ledger decides what is done */
	void (*load)(struct web_exchange *);
	void (*show)(struct web_exchange *);
	const struct web_field *fields;
	unsigned field_count;
	void (*act)(struct web_exchange *); /* NULL: the page only shows */
	const char *then; /* {} stand for the same parts; NULL: show does it */
	enum web_text done; /* what the page that follows says on top */
	bool bare;          /* no page: nothing is asked, not even who it is for */
};

/* Questions that one exchange may put, by slot. */
enum { ASK_WHO, ASK_ACT, ASK_MAIN, ASK_MORE, ASK_OTHER, ASK_COUNT };
#define WEB_PARTS 2
#define WEB_PART_SIZE 128
#define WEB_COOKIE_SIZE 160

struct web_session {
	uint8_t id[16];
	when born, seen;
	bool renew;     /* the cookie is to be sent */
	char token[65]; /* of forms, hex */
};

struct web_ask {
	bool asked;
	json_t *answer; /* NULL: not yet, or silence */
};

enum web_stage { STAGE_WHO, STAGE_LOAD, STAGE_ACT, STAGE_SHOW, STAGE_END };

struct web_exchange {
	const struct web_site *site;
	void *user;
	enum web_stage stage;
	bool running;
	struct web_exchange **gone; /* set to NULL at the end; NULL: nobody wants to know */
	unsigned waiting; /* answers that are to come */
	/* the request */
	bool post;
	const char *path, *raw_query; /* as sent; the query "" when there is none */
	char parts[WEB_PARTS][WEB_PART_SIZE]; /* what {} took, decoded */
	struct web_form query, form;
	enum language language;
	/* of the certificate: SHA-256 and serial in hex, CN, xsd:dateTime */
	char fingerprint[65];
	const char *serial, *name, *not_after;
	struct web_session session;
	const struct web_route *route;
	/* what is known of it */
	unsigned who;
	struct web_ask asks[ASK_COUNT];
	enum web_text errors[WEB_FIELDS_MAX]; /* by index of the route's fields */
	enum fault fault;   /* why what was asked is refused */
	const char *detail; /* more about it, or NULL */
	enum web_text done; /* what the page that follows says on top */
	/* the answer */
	int status;
	bool open; /* the layout has begun */
	const char *content_type;
	struct buf fields;
	struct web_markup page;
	const enum web_text *columns;
	unsigned column_count, column;
	struct arena memory;
};

/* Puts a question under a slot; takes the query and adds the actor. */
void web_ask(struct web_exchange *, unsigned slot, enum web_asked, json_t *query);
/* The answer that came under a slot; NULL when there is none or it is a refusal. */
const json_t *web_answer(const struct web_exchange *, unsigned slot);
/* Ends the page with a fault instead: nothing else will be shown. */
void web_refuse(struct web_exchange *, int status, enum fault, const char *detail);
/* Sends the browser on. path is percent-encoded; done, if any, is said there. */
void web_redirect(struct web_exchange *, const char *path, enum web_text done);
/* A path of ours with {} filled by the parts of this request, percent-encoded. */
const char *web_path(struct web_exchange *, const char *pattern);
/* {"verb": verb, "guid": the first part of the path, with braces} */
json_t *web_query(const struct web_exchange *, const char *verb);

/* ---- web_who.c ---- */

/* Takes what is needed of the certificate; false when it is none. */
bool web_certificate(struct web_exchange *, const uint8_t *der, size_t len);
/* Who asks, as the ledger wants to hear it. */
json_t *web_actor(const struct web_exchange *);
/* The bits of WHO_ for the ledger's answer to whoami. */
unsigned web_who(const json_t *answer);
/* True when this certificate stands for the participant. */
bool web_is_own(const struct web_exchange *, const char *guid);

/* ---- web_session.c ---- */

/* Takes the session of the cookie, or makes a new one when there is none, when it is too old, or
 * when it was made for another certificate. False: the system gives no randomness. */
bool web_session_take(struct web_exchange *, const char *cookie_field);
/* The value of the cookie. */
void web_session_cookie(const struct web_exchange *, char out[WEB_COOKIE_SIZE]);
/* True when the form was made in this session. */
bool web_session_owns(const struct web_exchange *, const char *token);

/* ---- web_route.c ---- */

/* The row of a path, and in parts what its {} took; NULL when there is none. */
const struct web_route *web_route_find(const char *path, char parts[WEB_PARTS][WEB_PART_SIZE]);
/* All rows. */
const struct web_route *web_routes(size_t *count);

/* ---- pages ---- */

#define PAGE(name) void page_##name##_load(struct web_exchange *), \
	page_##name##_show(struct web_exchange *), page_##name##_act(struct web_exchange *)
/* load asks, show shows, act changes; a page has those that its route names. */
PAGE(home);
PAGE(language);
PAGE(style);
PAGE(icon);
PAGE(leave);
PAGE(accessibility);
PAGE(participants);
PAGE(participant);
PAGE(participant_new);
PAGE(contact);
PAGE(service);
PAGE(pause);
PAGE(resume);
PAGE(state);
PAGE(identity);
PAGE(removal);
PAGE(history);
PAGE(requests);
PAGE(request);
PAGE(approval);
PAGE(refusal);
PAGE(certificates);
PAGE(own_certificates);
PAGE(certificate);
PAGE(certificate_file);
PAGE(certificate_request);
PAGE(certificate_approval);
PAGE(certificate_refusal);
PAGE(certificate_new);
PAGE(certificate_register);
PAGE(revocation);
PAGE(reference);
PAGE(officers);
PAGE(officer_new);
PAGE(officer_removal);
PAGE(journal);
PAGE(journal_check);
PAGE(status);

/* The page of a fault, with what to do. */
void web_fault_show(struct web_exchange *);
/* Path of the style sheet; it changes with its content, so that it may be kept for ever. */
const char *web_style_path(struct web_exchange *);

#endif
