/*
 * What the ra role does with strangers' ASN.1: CMP messages, PKCS#10, OCSP requests, certificates of
 * other CAs. It reads and verifies; what may be done is the ledger's decision, asked for in JSON.
 * Knows no sockets and no processes; the role carries its messages, tests play the ledger.
 */
#ifndef OBMEN_AUTHORITY_RA_JOB_H
#define OBMEN_AUTHORITY_RA_JOB_H

#include <jansson.h>

#include "authority/cmp.h"

struct ra_job;

/* What all jobs have in common; borrowed. */
struct ra_site {
	/* Puts a question to the ledger; ra_job_answered is called with the same job, never from inside.
	 * Borrows the query. */
	void (*ask)(void *arg, struct ra_job *, json_t *query);
	/* The end of a job over HTTP, and of one that came as a query; the job is gone afterwards. */
	void (*respond)(void *arg, struct ra_job *, int status, const char *type, const void *, size_t);
	void (*reply)(void *arg, struct ra_job *, json_t *answer);
	/* The private half of the CMP certificate, in the ca role; owned by the callee. NULL: there is none. */
	EVP_PKEY *(*key)(void *arg, X509 *cmp);
	void *arg;
};

struct ra_http {
	const char *method, *path, *query;
	const char *content_type;
	const uint8_t *body;
	size_t len;
};

/* True for the paths that ra answers: /cmp, /.well-known/cmp, /crl, /ocsp, /ca. */
bool ra_has_path(const char *path);
/* Begins a request; the user pointer is the caller's. Everything is copied. False without memory. */
bool ra_begin_http(const struct ra_site *, const struct ra_http *, void *user);
/* Begins a query: certificate-submit {guid, csr, via}, certificate-register {guid, certificate},
 * cmp-file {message}: {answer}. The query with its actor is borrowed. False without memory. */
bool ra_begin_query(const struct ra_site *, const json_t *query, void *user);
void *ra_job_user(const struct ra_job *);
/* The ledger's answer, borrowed; NULL: it is silent. */
void ra_job_answered(struct ra_job *, const json_t *answer);

#endif
