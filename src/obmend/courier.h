/* Inside courier. */
#ifndef OBMEN_COURIER_H
#define OBMEN_COURIER_H

#include <openssl/ssl.h>
#include "lib/catalogue.h"
#include "lib/histogram.h"
#include "lib/http_client.h"
#include "lib/tls.h"
#include "obmend/courier_link.h"
#include "obmend/role.h"
#include "obmend/wire.h"
#include "register/snapshot.h"

/* Contexts by own certificate and by the peer's need of old TLS; those of tests refuse nothing. */
enum { COURIER_TLS, COURIER_PROBE, COURIER_TLS_LEGACY, COURIER_PROBE_LEGACY, COURIER_TLS_COUNT };

TAILQ_HEAD(delivery_list, delivery);

struct courier {
	struct http_client *http;
	SSL_CTX *(*tls)[COURIER_TLS_COUNT]; /* [index of conf.certificates]; NULL where not needed */
	struct snapshot *snapshot;          /* NULL until directory has sent one */
	struct links links;
	struct delivery_list deliveries;
	unsigned in_flight;
	unsigned next_codec;                /* among equals */
	uint64_t answered, undelivered, turned_away;
	struct stamp_call *stamp;           /* under way, or NULL */
	struct probe *probe;                /* under way, or NULL: one at a time */
	struct tls_findings findings;       /* of its handshake */
	uint64_t sent[DELIVERY_KIND_COUNT][2]; /* undelivered, answered */
	uint64_t faults[FAULT_COUNT];
	struct histogram exchange; /* from the beginning of a call to its end */
};

/* One attempt, from WIRE_DELIVER to WIRE_ANSWER or WIRE_UNDELIVERED. */
struct delivery {
	TAILQ_ENTRY(delivery) entry;
	struct self *self;
	uint64_t id;
	uint64_t kind;
	struct guid sender, recipient, message_guid, document_guid;
	struct link *link;
	when began; /* monotonic */
	uint64_t trace;
	char serial[64]; /* as registered, when the certificate's name does not count */
	struct http_call *call;
};

/* courier_delivery.c: handler of WIRE_DELIVER. */
void courier_on_deliver(struct self *, struct peer, struct ipc_frame *);
/* The process ends. Store hears of the deliveries that had not begun to leave; it polls the others. */
void courier_drop_deliveries(struct self *);

/* courier_stamp.c: handler of WIRE_STAMP_ASK. */
void courier_on_stamp(struct self *, struct peer, struct ipc_frame *);
void courier_drop_stamp(struct courier *);

/* courier_probe.c: handler of WIRE_PROBE. */
void courier_on_probe(struct self *, struct peer, struct ipc_frame *);
void courier_drop_probe(struct courier *);

/* courier_outcome.c: what became of it. */
void courier_outcome(struct delivery *, const struct http_result *);
/* Tells store that nothing was sent. */
void courier_turn_away(struct self *, uint64_t id, enum undelivered_class, enum fault,
                       const char *detail, const char *url, when retry);

#endif
