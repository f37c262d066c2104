/* The ledger and certificates: verbs of certificates.h as rows of the table, questions to ca and its
 * answers, OCSP, the clock of lists. */
#ifndef OBMEN_AUTHORITY_LEDGER_CA_H
#define OBMEN_AUTHORITY_LEDGER_CA_H

#include "authority/certificates.h"
#include "authority/ledger.h"

/* After ledger_open: the certificate half on the same database. */
void ledger_ca_open(struct ledger *);
/* False without memory. */
bool ledger_ca_start(struct ledger *);
void ledger_ca_stop(struct ledger *);
/* Another configuration: policies from now on. */
void ledger_ca_reload(struct ledger *);
/* ca is up: it is asked for what is missing. */
void ledger_ca_up(struct ledger *);
/* Answers of ca: certificates, lists, OCSP for ra. */
void ledger_ca_reply(struct self *, struct peer, struct ipc_frame *);
/* Takes ra's OCSP question and answers it when ca has; true when it was one. */
bool ledger_ca_ocsp(struct ledger *, struct peer, uint64_t id, const json_t *query);
/* What the pages' overview says of certificates. */
void ledger_ca_status(struct ledger *, json_t *out);

#endif
