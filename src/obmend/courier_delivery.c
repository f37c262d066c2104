/* From a message of store's to a call: who the recipient is today, and whether it may be tried. */
#include <openssl/bn.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "obmend/courier.h"
#include "soap/envelope.h"

#define CONTENT_TYPE "text/xml; charset=utf-8"
#define ANSWER_MAX (1 << 20)       /* known peers answer with 6 KiB */
#define EXPECT_MIN (64 << 10)      /* below, an invitation costs more than a refused body */
#define AGAIN_SOON (2 * WHEN_SECOND)
#define AGAIN_LATER (30 * WHEN_SECOND)

/* Why a delivery does not go out; fault FAULT_NONE = it does. */
struct verdict {
	enum undelivered_class class;
	enum fault fault;
	const char *detail;
	when retry;
};

#define GO ((struct verdict){.fault = FAULT_NONE})

static struct verdict
look_up(struct self *self, const struct wire_deliver *m, struct participant *p)
{
	struct courier *c = self->state;
	when now = when_now();

	if (!conf_participant(self->conf, &m->sender))
		return (struct verdict){UNDELIVERED_AGAIN, FAULT_INTERNAL,
		    "the sender is not a participant of this node", now + AGAIN_LATER};
	if (clock_wrong(self->clock_floor))
		return (struct verdict){UNDELIVERED_AGAIN, FAULT_CLOCK_WRONG, NULL, now + AGAIN_SOON};
	/* Directory sends it a moment after either of the two has started. */
	if (!c->snapshot)
		return (struct verdict){UNDELIVERED_AGAIN, FAULT_REGISTER_EMPTY, NULL, now + AGAIN_SOON};
	if (!snapshot_by_guid(c->snapshot, &m->recipient, p))
		return (struct verdict){UNDELIVERED_INACTIVE, FAULT_RECIPIENT_UNKNOWN, NULL,
		    WHEN_NONE};
	if (p->status == PARTICIPANT_TEMPORARILY_INACTIVE)
		return (struct verdict){UNDELIVERED_HELD, FAULT_RECIPIENT_HELD, p->name,
		    now + (when)self_conf(self)->hold_interval * WHEN_SECOND};
	if (p->status != PARTICIPANT_ACTIVE)
		return (struct verdict){UNDELIVERED_INACTIVE, FAULT_RECIPIENT_INACTIVE, p->name,
		    WHEN_NONE};
	if (c->in_flight >= 2 * self_conf(self)->send_window)
		return (struct verdict){UNDELIVERED_AGAIN, FAULT_OVERLOADED,
		    "too many deliveries under way", now + AGAIN_SOON};
	return GO;
}

/* The register's serial is hexadecimal text with leading zeros; the value counts (section 7). */
static bool
registered_certificate(void *arg, const uint8_t *der, size_t len)
{
	const struct delivery *d = arg;
	X509 *x = der ? d2i_X509(NULL, &der, (long)len) : NULL;
	BIGNUM *found = x ? ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL) : NULL;
	BIGNUM *registered = NULL;
	size_t digits = strlen(d->serial);

	bool same = found && digits && (size_t)BN_hex2bn(&registered, d->serial) == digits &&
	    BN_cmp(found, registered) == 0;
	BN_free(registered);
	BN_free(found);
	X509_free(x);
	return same;
}

static void
done_cb(void *arg, const struct http_result *r)
{
	struct delivery *d = arg;
	struct courier *c = d->self->state;

	d->call = NULL;
	histogram_add(&c->exchange, when_monotonic() - d->began);
	log_trace(d->trace);
	courier_outcome(d, r);
	log_trace(0);
	TAILQ_REMOVE(&c->deliveries, d, entry);
	c->in_flight--;
	free(d);
}

static struct http_call *
post(struct delivery *d, const struct wire_deliver *m, const struct participant *p, int fd,
    const char **why)
{
	struct self *self = d->self;
	struct courier *c = self->state;
	const struct conf_peer *peer = conf_peer(self->conf, &m->recipient);
	unsigned certificate = conf_certificate_now(self->conf,
	    conf_participant(self->conf, &m->sender)->certificate, self->switched);
	bool legacy = peer && peer->tls_legacy, serial = peer && peer->tls_name_mismatch;
	struct http_request r = {.url = p->uri,
	    .tls = c->tls[certificate][legacy ? COURIER_TLS_LEGACY : COURIER_TLS],
	    .name_mismatch = serial, .accept = serial ? registered_certificate : NULL,
	    .content_type = CONTENT_TYPE, .soap_action = SUBMIT_ACTION,
	    .expect_continue = (!peer || peer->expect_continue) && m->body.size >= EXPECT_MIN,
	    .body = fd < 0 ? m->body.data.data : NULL, .body_fd = fd, .body_size = m->body.size,
	    .answer_max = ANSWER_MAX, .answer_fd = -1};

	snprintf(d->serial, sizeof d->serial, "%s", p->certificate_serial);
	return http_call_new(c->http, &r, done_cb, d, why);
}

/* Everything speaks for it: out it goes. Takes the descriptor. */
static struct verdict
send_out(struct self *self, uint64_t id, const struct wire_deliver *m, const struct participant *p,
    int fd)
{
	struct courier *c = self->state;
	struct verdict trouble = {UNDELIVERED_AGAIN, FAULT_INTERNAL, "out of memory",
	    when_now() + AGAIN_SOON};
	struct link *link = link_find(&c->links, p->uri);
	struct delivery *d = calloc(1, sizeof *d);
	when retry = WHEN_NONE;

	if (!d || !link || !link_begin(link, when_monotonic(), &retry)) {
		if (retry != WHEN_NONE)
			trouble = (struct verdict){UNDELIVERED_HELD, FAULT_BREAKER_OPEN,
			    link->last_detail, when_now() + retry - when_monotonic()};
		free(d);
		if (fd >= 0)
			close(fd);
		return trouble;
	}
	*d = (struct delivery){.self = self, .id = id, .kind = m->kind, .sender = m->sender,
	    .recipient = m->recipient, .message_guid = m->message_guid,
	    .document_guid = m->document_guid, .link = link, .began = when_monotonic(),
	    .trace = log_trace_now()};
	d->call = post(d, m, p, fd, &trouble.detail);
	if (!d->call) {
		/* A useless URL is the register's trouble, and lasts until it is changed. */
		trouble.class = UNDELIVERED_CONNECT;
		trouble.fault = FAULT_PEER_NAME;
		trouble.retry = WHEN_NONE;
		link_end(&c->links, link, LINK_UNTRIED, when_monotonic(), trouble.fault, trouble.detail);
		free(d);
		return trouble;
	}
	TAILQ_INSERT_TAIL(&c->deliveries, d, entry);
	c->in_flight++;
	return GO;
}

void
courier_on_deliver(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct wire_deliver m;
	struct participant p = {0};
	int fd = -1;

	(void)from;
	if (!wire_unpack(f, WIRE_DELIVER, &m) ||
	    (m.body.in_fd && (fd = ipc_take_fd(f, 0)) < 0)) {
		log_error("courier.bad-frame", "type=deliver");
		courier_turn_away(self, f->id, UNDELIVERED_AGAIN, FAULT_INTERNAL,
		    "malformed request", NULL, when_now() + AGAIN_LATER);
		return;
	}
	if (!m.body.in_fd)
		m.body.size = m.body.data.len;
	struct verdict v = look_up(self, &m, &p);
	if (v.fault) {
		if (fd >= 0)
			close(fd);
	} else {
		v = send_out(self, f->id, &m, &p, fd);
	}
	if (v.fault)
		courier_turn_away(self, f->id, v.class, v.fault, v.detail, p.uri, v.retry);
}

void
courier_drop_deliveries(struct self *self)
{
	struct courier *c = self->state;
	struct delivery *d;

	while ((d = TAILQ_FIRST(&c->deliveries))) {
		TAILQ_REMOVE(&c->deliveries, d, entry);
		if (!http_call_cancel(d->call))
			courier_turn_away(self, d->id, UNDELIVERED_AGAIN, FAULT_INTERNAL,
			    "the node is stopping", d->link->url, when_now() + AGAIN_SOON);
		free(d);
	}
	c->in_flight = 0;
}
