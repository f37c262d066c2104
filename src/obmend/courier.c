/*
 * courier: connections to peers. It posts what store gives it to the URL that the register names at
 * that moment, and hands what comes back to a codec. It never looks into a message.
 */
#include "obmend/courier.h"

#include <event2/event.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/tls.h"

#define IDLE_SECONDS 60      /* keep-alive of our side; servers drop theirs as they like */
#define CONNECT_SECONDS 20   /* name, TCP, TLS */
#define TOTAL_SECONDS 3600   /* a large body over a slow line; send-timeout guards the rest */
#define STATUS_PEERS_MAX 200

static SSL_CTX *
make_context(struct self *self, unsigned certificate, int kind)
{
	struct courier *c = self->state;
	bool probe = kind == COURIER_PROBE || kind == COURIER_PROBE_LEGACY;
	struct tls_options o = {.side = TLS_CLIENT, .ca_file = self_conf(self)->ca_file,
	    .crl_file = self_conf(self)->crl_file, .ciphers = self_conf(self)->tls_ciphers,
	    .legacy = kind >= COURIER_TLS_LEGACY, .revoked = &self->revoked, .verify_chain = true,
	    .findings = probe ? &c->findings : NULL};

	return tls_context(self_conf(self)->certificates[certificate].file, certificate,
	    self->sync_signer, &o);
}

static bool
wants_legacy(const struct conf *conf)
{
	for (unsigned i = 0; i < conf->peer_count; i++) {
		if (conf->peers[i].tls_legacy)
			return true;
	}
	return false;
}

/* One context for each certificate: participants send with theirs or with its successor. */
static bool
make_contexts(struct self *self)
{
	struct courier *c = self->state;
	const struct conf *conf = self_conf(self);

	int kinds = wants_legacy(conf) ? COURIER_TLS_COUNT : COURIER_TLS_LEGACY;

	c->tls = calloc(conf->certificate_count + 1, sizeof *c->tls);
	if (!c->tls)
		return false;
	for (unsigned n = 0; n < conf->certificate_count; n++) {
		for (int kind = 0; kind < kinds; kind++) {
			if (!(c->tls[n][kind] = make_context(self, n, kind)))
				return false;
		}
	}
	return true;
}

static bool
courier_open(struct self *self)
{
	const struct conf *conf = self_conf(self);
	struct http_client_options o = {.hosts_file = conf->hosts_file,
	    .connections_per_origin = conf->peer_connections, .idle_seconds = IDLE_SECONDS,
	    .connect_seconds = CONNECT_SECONDS, .progress_seconds = (unsigned)conf->send_timeout,
	    .total_seconds = TOTAL_SECONDS};
	struct courier *c = calloc(1, sizeof *c);

	self->state = c;
	if (!c)
		return false;
	self->clock_floor = clock_floor(conf);
	TAILQ_INIT(&c->deliveries);
	links_init(&c->links, conf);
	c->http = http_client_new(self->base, &o);
	return c->http && make_contexts(self);
}

static void
on_snapshot(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct courier *c = self->state;
	int fd = ipc_take_fd(f, 0);
	struct snapshot *fresh = fd < 0 ? NULL : snapshot_open(fd);

	(void)from;
	if (!fresh) {
		log_error("courier.bad-frame", "type=snapshot");
		return;
	}
	if (c->snapshot)
		snapshot_free(c->snapshot);
	c->snapshot = fresh;
}

static void
courier_stop(struct self *self)
{
	struct courier *c = self->state;

	if (!c)
		return;
	courier_drop_deliveries(self);
	courier_drop_stamp(c);
	courier_drop_probe(c);
	if (c->http)
		http_client_free(c->http);
	for (unsigned i = 0; c->tls && i < self_conf(self)->certificate_count; i++) {
		for (int kind = 0; kind < COURIER_TLS_COUNT; kind++)
			SSL_CTX_free(c->tls[i][kind]);
	}
	free(c->tls);
	links_free(&c->links);
	if (c->snapshot)
		snapshot_free(c->snapshot);
	free(c);
	self->state = NULL;
}

static void
courier_reload(struct self *self)
{
	struct courier *c = self->state;

	links_reload(&c->links, self_conf(self));
	http_client_limit(c->http, self_conf(self)->peer_connections, (unsigned)self_conf(self)->send_timeout);
}

/* The peers used last; the rest is only counted. */
static json_t *
peers_status(const struct courier *c)
{
	const struct link *l;
	json_t *peers = json_array();
	unsigned n = 0;

	TAILQ_FOREACH(l, &c->links.list, entry) {
		if (n++ == STATUS_PEERS_MAX)
			break;
		json_array_append_new(peers, link_status(l));
	}
	return peers;
}

static json_t *
sent_status(const struct courier *c)
{
	static const char *const names[DELIVERY_KIND_COUNT] = {[DELIVERY_DOCUMENT] = "document",
	    [DELIVERY_STATUS] = "status", [DELIVERY_POLL] = "poll"};
	json_t *o = json_object();

	for (int i = 0; i < DELIVERY_KIND_COUNT; i++)
		json_object_set_new(o, names[i], json_pack("{s:I, s:I}", "answered",
		    (json_int_t)c->sent[i][1], "undelivered", (json_int_t)c->sent[i][0]));
	return o;
}

static json_t *
faults_status(const struct courier *c)
{
	json_t *o = json_object();

	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		if (c->faults[f])
			json_object_set_new(o, fault_code(f), json_integer((json_int_t)c->faults[f]));
	}
	return o;
}

static json_t *
courier_status(struct self *self)
{
	const struct courier *c = self->state;

	return json_pack("{s:i, s:i, s:I, s:I, s:I, s:b, s:i, s:o, s:o, s:o, s:o}",
	    "in_flight", (int)c->in_flight,
	    "window", (int)self_conf(self)->send_window, "answered", (json_int_t)c->answered,
	    "undelivered", (json_int_t)c->undelivered, "turned_away", (json_int_t)c->turned_away,
	    "register", c->snapshot != NULL, "peer_count", (int)c->links.count, "peers",
	    peers_status(c), "sent", sent_status(c), "faults", faults_status(c), "exchange",
	    histogram_json(&c->exchange));
}

static const struct role_message messages[] = {
    {ROLE_STORE, WIRE_DELIVER, courier_on_deliver},
    {ROLE_CODEC, WIRE_STAMP_ASK, courier_on_stamp},
    {ROLE_CODEC, WIRE_PROBE, courier_on_probe},
    {ROLE_DIRECTORY, WIRE_SNAPSHOT, on_snapshot},
    {ROLE_DIRECTORY, WIRE_TRUST, self_on_trust},
};

static const struct sandbox sandbox = {.allow = SANDBOX_CONNECT | SANDBOX_MEMFD};

const struct role role_courier = {
    .id = ROLE_COURIER,
    .name = "courier",
    .open = courier_open,
    .reload = courier_reload,
    .stop = courier_stop,
    .status = courier_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
