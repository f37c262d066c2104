/*
 * The role that the network talks to. A request whose process is not there, or for which there is no
 * room, is answered with 503: what the authority is asked can be asked again.
 */
#include "authority/front.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/tls.h"

#define HEAD_BYTES (16 << 10)
#define ANSWER_TIME (120 * WHEN_SECOND)

static void
on_event(void *arg, enum http_event e, const struct http_peer *peer, const char *detail)
{
	static const char *const names[] = {[HTTP_EVENT_HANDSHAKE_FAILED] = "front.tls-refused",
	    [HTTP_EVENT_REFUSED] = "front.http-refused",
	    [HTTP_EVENT_TIMEOUT] = "front.timeout",
	    [HTTP_EVENT_ADDRESS_LIMIT] = "front.too-many-connections",
	    [HTTP_EVENT_FULL] = "front.full"};

	(void)arg;
	if (e != HTTP_EVENT_HANDSHAKE)
		log_info(names[e], "peer=%s reason=\"%s\"", peer->address, detail ? detail : "");
}

static bool
listen_all(struct front *f)
{
	const struct authority_conf *conf = f->self->conf;
	const char *why;

	f->listening = calloc(conf->listen_count + 1, sizeof *f->listening);
	if (!f->listening)
		return false;
	for (unsigned i = 0; i < conf->listen_count; i++) {
		f->listening[i] = http_listen(conf->listens[i].address, &why);
		if (f->listening[i] < 0) {
			log_error("front.listen", "address=%s reason=\"%s\"",
			    conf->listens[i].address, why);
			return false;
		}
	}
	return true;
}

static bool
front_open(struct self *self)
{
	const struct authority_conf *conf = self->conf;
	struct front *f = calloc(1, sizeof *f);
	struct tls_options o = {.side = TLS_SERVER, .ca_file = conf->clients_file,
	    .ciphers = conf->tls_ciphers, .revoked = &self->revoked, .verify_chain = true};

	if (!f)
		return false;
	f->self = self;
	self->state = f;
	TAILQ_INIT(&f->ra.jobs);
	for (unsigned i = 0; i < ROLE_INDEX_MAX; i++)
		TAILQ_INIT(&f->desks[i].jobs);
	f->tls = tls_context(conf->tls_file, 0, self->sync_signer, &o);
	return f->tls && listen_all(f);
}

static struct http_limits
limits(const struct authority_conf *c)
{
	uint64_t total = c->body_rate ? c->request_max / c->body_rate + 600 : 86400;

	return (struct http_limits){.connections = (unsigned)c->connections_max,
	    .connections_per_address = (unsigned)c->connections_per_address,
	    .head_bytes = HEAD_BYTES,
	    .head_fields = HTTP_FIELDS_MAX,
	    .body_max = c->request_max,
	    .head_time = (when)c->header_timeout * WHEN_SECOND,
	    .body_time = (when)c->body_timeout * WHEN_SECOND,
	    .body_rate = c->body_rate,
	    .total_time = (when)total * WHEN_SECOND,
	    .idle_time = (when)c->idle_timeout * WHEN_SECOND,
	    .answer_time = ANSWER_TIME};
}

static bool
front_start(struct self *self)
{
	static const struct http_callbacks calls = {front_request, front_body, front_complete,
	    front_end, on_event};
	const struct authority_conf *conf = self->conf;
	struct front *f = self->state;
	struct http_limits l = limits(conf);

	f->server = http_server_new(self->base, &l, &calls, f);
	for (unsigned i = 0; f->server && i < conf->listen_count; i++) {
		int fd = f->listening[i];
		f->listening[i] = -1;
		if (!http_server_add(f->server, fd, conf->listens[i].tls ? f->tls : NULL))
			return false;
	}
	return f->server;
}

static void
front_peer_up(struct self *self, struct peer p)
{
	struct front *f = self->state;

	if (p.role == ROLE_DESK)
		f->desks[p.index].up = true;
	else if (p.role == ROLE_RA)
		f->ra.up = true;
}

static void
front_peer_down(struct self *self, struct peer p)
{
	struct front *f = self->state;

	if (p.role == ROLE_DESK)
		front_lane_down(f, &f->desks[p.index]);
	else if (p.role == ROLE_RA)
		front_lane_down(f, &f->ra);
}

static void
front_reload(struct self *self)
{
	struct front *f = self->state;
	struct http_limits l = limits(self->conf);

	http_server_limit(f->server, &l);
}

static void
front_stop(struct self *self)
{
	struct front *f = self->state;

	for (unsigned i = 0; i < ROLE_INDEX_MAX; i++)
		front_lane_down(f, &f->desks[i]);
	front_lane_down(f, &f->ra);
	http_server_free(f->server);
	for (unsigned i = 0; f->listening && i < authority_conf(self)->listen_count; i++) {
		if (f->listening[i] >= 0)
			close(f->listening[i]);
	}
	free(f->listening);
	SSL_CTX_free(f->tls);
	free(f);
	self->state = NULL;
}

static json_t *
front_status(struct self *self)
{
	const struct front *f = self->state;
	const struct http_stats *s = http_server_stats(f->server);

	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connections", (int)s->open,
	    "accepted", (json_int_t)s->accepted, "handshakes_failed", (json_int_t)s->handshakes_failed,
	    "requests", (json_int_t)s->requests, "answered", (json_int_t)f->answered, "refused",
	    (json_int_t)(f->refused + s->refused), "gone", (json_int_t)f->gone, "bytes_out",
	    (json_int_t)s->bytes_out, "memory_in_flight", (json_int_t)f->memory);
}

static const struct role_message messages[] = {
    {ROLE_DESK, WIRE_RESPONSE, front_response},
    {ROLE_RA, WIRE_RESPONSE, front_response},
    {ROLE_RA, WIRE_TRUST, self_on_trust},
};

static const struct sandbox sandbox = {.allow = SANDBOX_ACCEPT | SANDBOX_MEMFD};

const struct role role_front = {
    .id = ROLE_FRONT,
    .name = "front",
    .low_ports = true,
    .open = front_open,
    .start = front_start,
    .peer_up = front_peer_up,
    .peer_down = front_peer_down,
    .reload = front_reload,
    .stop = front_stop,
    .status = front_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof *messages,
    .sandbox = &sandbox,
};
