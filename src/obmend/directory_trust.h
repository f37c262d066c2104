/*
 * What directory knows about certificates beyond the register: which are revoked (CRLs fetched or
 * imported, answers of OCSP), and which of our own have given way to their successors. front, codec
 * and courier get it as one message (WIRE_TRUST).
 *
 * Everything here only ever adds knowledge: a list that cannot be fetched, is too old or answers
 * "unknown" changes nothing.
 *
 *	directory_trust.c  the whole: start, clock, publishing, successors
 *	directory_crl.c    lists: import, fetching, keeping
 *	directory_ocsp.c   questions to a responder
 */
#ifndef OBMEN_DIRECTORY_TRUST_H
#define OBMEN_DIRECTORY_TRUST_H

#include <jansson.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include "lib/catalogue.h"
#include "lib/http_client.h"
#include "lib/ipc.h"
#include "lib/revocation.h"
#include "obmend/role.h"

#define TRUST_CRLS 8                        /* issuers */
#define TRUST_CRL_BYTES ((size_t)16 << 20)
#define TRUST_OCSP_BATCH 32                 /* certificates in one question */

struct directory;
struct event;

struct held_crl {
	X509_CRL *crl;
	when fetched;
};

struct ocsp_state {
	struct http_call *call;
	OCSP_REQUEST *request;       /* under way */
	int authority;               /* whose certificates are asked about */
	size_t next;                 /* participant from which the next question begins */
	struct revocation *revoked;
	size_t revoked_count;
	uint64_t good, unknown, failures;
	when answered;               /* WHEN_NONE: never */
	char trouble[200];           /* of the last failure; "" after an answer */
};

struct keeper {
	STACK_OF(X509) *authorities;
	X509_STORE *store;
	X509 **own;                  /* by index of conf.certificates */
	struct held_crl crls[TRUST_CRLS];
	unsigned crl_count;
	struct http_call *crl_call;
	uint64_t crl_failures;
	char crl_trouble[200];
	struct ocsp_state ocsp;
	uint64_t switched;
	int *said;                   /* days of the last alert about each own certificate; INT_MAX: none */
	int fd;                      /* the sealed set; -1: none */
	size_t count;                /* of revoked certificates in it */
	struct event *timer;
	when next_fetch;             /* monotonic */
};

/* Before the sandbox: reads the CA and our certificates. False with a logged reason. */
bool keeper_open(struct directory *);
/* Reads what was kept on disk, publishes, begins to fetch. */
bool keeper_start(struct directory *);
void keeper_stop(struct directory *);
void keeper_publish_to(struct directory *, enum role_id, unsigned index);
/* Makes the set anew and tells everybody. */
void keeper_changed(struct directory *);
/* The register changed, or a moment came: looks whether a successor takes over. */
void keeper_look(struct directory *);
json_t *keeper_status(const struct directory *);
/* Writes a whole file below directory's folder; true when it is on disk. */
bool keeper_save(const struct directory *, const char *name, const void *data, size_t len);

/* -- directory_certificates.c */

/* The answer to cert.show; a new reference. */
json_t *certificates_json(const struct directory *);

/* -- directory_crl.c */

/* Takes lists in PEM or DER. FAULT_NONE, or CRL_REFUSED with *why. */
enum fault crl_import(struct directory *, const void *data, size_t len, const char **why);
void crl_load(struct directory *);
void crl_fetch(struct directory *);
/* Appends what the lists revoke; gives the new count. */
size_t crl_collect(const struct directory *, struct revocation *out, size_t count, size_t max);
json_t *crl_status(const struct directory *);
void crl_free(struct keeper *);

/* -- directory_ocsp.c */

/* The answers that were kept on disk. */
void ocsp_load(struct directory *);
/* Asks about all certificates of the register, one batch after the other. */
void ocsp_begin(struct directory *);
json_t *ocsp_status(const struct directory *);
void ocsp_free(struct keeper *);

#endif
