/* What the files of ra share. Nobody else includes this. */
#ifndef OBMEN_AUTHORITY_RA_INTERNAL_H
#define OBMEN_AUTHORITY_RA_INTERNAL_H

#include "authority/json.h"
#include "authority/ra_job.h"

struct ra_job {
	const struct ra_site *site;
	void *user;
	bool http;
	void (*next)(struct ra_job *, const json_t *answer); /* what the awaited answer is for */
	struct buf message;        /* the stranger's bytes */
	struct cmp_envelope envelope;
	/* CMP: */
	struct cmp_self self;
	X509 *ca, *cmp, *given;    /* given: the certificate of the transaction */
	struct buf first, secret;
	struct cmp_id nonce, answer_nonce;
	struct cmp_credentials who;
	struct cmp_asked asked;
	struct buf answer;
};

/* Asks the ledger; the query is consumed. Without memory the job ends. */
void ra_ask(struct ra_job *, json_t *query, void (*next)(struct ra_job *, const json_t *));
/* Ends the job. */
void ra_end(struct ra_job *, int status, const char *type, const void *data, size_t len);
/* Ends the job with a reply, consumed, or with a fault of the catalogue. Over HTTP: status 500. */
void ra_reply(struct ra_job *, json_t *answer);
void ra_refuse(struct ra_job *, enum fault, const char *detail);
/* A certificate in a member {der: base64}; the caller frees it. */
X509 *ra_certificate(const json_t *);

/* Each begins one kind of work on job->message. */
void ra_cmp(struct ra_job *);
void ra_ocsp(struct ra_job *);
void ra_crl(struct ra_job *);
void ra_ca(struct ra_job *);
void ra_submit(struct ra_job *, const json_t *query);
void ra_register(struct ra_job *, const json_t *query);

#endif
