/*
 * What the ca role does for the ledger, one JSON question at a time; no process knowledge.
 *
 * The ledger alone asks, and it has decided and committed before. A certificate is built here from the
 * fields it gives and the profile; no encoded certificate, list or answer is ever signed as it comes.
 */
#ifndef OBMEN_AUTHORITY_CA_WORK_H
#define OBMEN_AUTHORITY_CA_WORK_H

#include <jansson.h>

#include "authority/certify.h"

#define CA_SERVICE_DAYS 30 /* validity of the service certificates; made anew at half of it */

/*
 * The service keys live in memory only and are made anew at every start: nothing to keep, back up or
 * forget to renew. What was signed with an earlier one stays valid, its certificate travels with it.
 */
struct ca_work {
	struct certify_signer ca;
	struct certify_signer services[2]; /* by enum certify_service */
	struct certify_profile profile;
	when services_until;
	uint64_t issued, lists, answers, refused;
};

/* Makes the service certificates when there are none, or half of their time is over. ca and profile
 * are there. False with a logged reason. */
bool ca_work_services(struct ca_work *, when now);
void ca_work_free(struct ca_work *);
/*
 * Answers {"verb":...}; a new reference, NULL without memory.
 *	services {}: {ca, cmp}: certificates (json_certificate)
 *	issue {name, eik, organisation?, unit?, place?, email?, key}: {certificate}
 *	crl {number, from, until, revoked:[{serial, at, reason}]}: {der}; moments in nanoseconds
 *	ocsp {from, until, items:[{digest, serial, state, at?, reason?}], nonce?}: {der}
 */
json_t *ca_work_answer(struct ca_work *, const json_t *query);
/* Signs the protection of a CMP answer (SHA-256, PKCS#1 v1.5): bytes that are a ProtectedPart with a
 * body that an authority sends, nothing else. The signature's length, 0 = refused. out has 1024 bytes. */
size_t ca_work_protect(struct ca_work *, const uint8_t *tbs, size_t len, uint8_t *out);

#endif
