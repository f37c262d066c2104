/*
 * The ledger's half that keeps certificates: requests, approvals, certificates, references, CMP
 * transactions, lists. What may be certified, revoked and renewed is decided here, on the database
 * and the register; ASN.1 is read elsewhere (ra) and made elsewhere (ca).
 */
#ifndef OBMEN_AUTHORITY_CERTIFICATES_H
#define OBMEN_AUTHORITY_CERTIFICATES_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "authority/certify.h"

struct certificates_policy {
	const char *domain;      /* of the canonical names */
	enum certify_kind kind;
	bool two_person;         /* two different officers approve, also what follows */
	bool reference_approves; /* a first request with reference and secret waits for nobody */
	unsigned renewal_days;   /* before the end, from when a successor may be asked for */
	uint64_t crl_interval, crl_validity; /* seconds */
	unsigned poll_seconds;   /* how soon a client may ask again while nobody has decided */
};

/* The ledger around it; functions are called within its transaction. */
struct certificates {
	sqlite3 *db;
	struct certificates_policy policy;
	/* {guid, name, eik, host, place?, email?, certificate_serial?}; a new reference, NULL: unknown. */
	json_t *(*participant)(void *arg, const char *guid);
	/* Enters the serial into the register's record. */
	bool (*set_serial)(void *arg, const char *guid, const char *serial, const char *by);
	/* One row of the history, in the transaction that is open. before and after may be NULL. */
	bool (*history)(void *arg, const char *by, const char *verb, const char *guid, const json_t *before,
	    const json_t *after, const char *reason);
	/* Sends a query to ca, consumed; certificates_from_ca gets the answer with the same context. False:
	 * ca is down; certificates_tick asks again. */
	bool (*ask_ca)(void *arg, json_t *query, int64_t context);
	void *arg;
	json_t *ca, *cmp;        /* what ca said of its certificates; NULL: nothing yet */
	bool listing;            /* a list is being made */
};

/* The statements that make the tables; they are a step of the ledger's schema. */
extern const char certificates_tables[];
/* Makes them; false with a logged reason. */
bool certificates_create(sqlite3 *);
/* Frees what ca said. */
void certificates_free(struct certificates *);
/* Once a minute, and when ca came up: what was approved and not yet made is asked for again, and a list
 * when half of the last one's time is over. */
void certificates_tick(struct certificates *, when now);
/* ca's answer, borrowed. */
void certificates_from_ca(struct certificates *, int64_t context, const json_t *answer, when now);

/*
 * Verbs. by: who acts, as the history names it. An answer is a new reference, {"ok":...}; permission to
 * use the verb was checked before, whose certificate it is about is checked here where it must be.
 * A verb that changes anything runs in one transaction and is committed when it returns.
 */
typedef json_t *certificates_verb(struct certificates *, const char *by, const json_t *query);

/* -- certificates_cmp.c: for ra */
/* {transaction, sender, body}: {ca, cmp, secret?, sender_good, request?, nonce?, certificate?} */
certificates_verb certificates_cmp_open;
/* {transaction, sender, name, eik, key, key_id, ignored, replaces, message}: {verdict, ...} */
certificates_verb certificates_cmp_request;
/* {transaction}: {verdict: waiting | granted, check_after, certificate}, or a refusal */
certificates_verb certificates_cmp_poll;
/* {transaction, accepted}, {transaction, nonce} */
certificates_verb certificates_cmp_confirm, certificates_cmp_keep;
/* {sender, serial, reason} */
certificates_verb certificates_cmp_revoke;
/* {guid, valid_for seconds}: {reference, secret, expires}: the only time that the secret is shown */
certificates_verb certificates_reference_create;

/* -- certificates_request.c: for people, pages, the CLI */
/* {guid, name, eik, key, key_id, ignored, via} from ra: {id, state} */
certificates_verb certificates_request;
/* {id}, {id, reason} */
certificates_verb certificates_approve, certificates_refuse;
/* {serial, reason} */
certificates_verb certificates_revoke;
/* {guid, certificate: json_certificate} of another CA */
certificates_verb certificates_record;
/* {serial}: the register shows it from now on */
certificates_verb certificates_use;
/* {guid?, state?, offset?, limit?}: {total, certificates}; {serial} or {id}: {certificate} */
certificates_verb certificates_list, certificates_show;

/* -- certificates_crl.c: for everybody */
/* {}: {ca, cmp}; {}: {der, number}; both public */
certificates_verb certificates_ca, certificates_crl_show;
/* Completes ra's OCSP question {items, nonce} to one for ca: a new reference. */
json_t *certificates_ocsp(struct certificates *, const json_t *query, when now);

#endif
