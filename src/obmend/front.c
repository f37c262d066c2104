/*
 * The role that peers talk to: TLS, limits, HTTP framing; never a look into the XML.
 *
 * What a sender sees when we cannot take a message (protocol.md section 10: eDelivery tries again
 * after a refused connection, and gives up after a 5xx or a connection that breaks in the
 * exchange):
 *   - no codec or no store is there, the machine's clock is certainly wrong, or the connections are
 *     used up: listening stops, so that TCP connections are refused, and idle ones are closed;
 *   - a request that comes all the same, or for which there is no room on the disk: the connection
 *     is closed before anything of the body is taken;
 *   - trouble after the body was taken, and it is certain that nothing was kept: HTTP 503;
 *   - a codec died, or says that it does not know: the connection is closed without an answer. The
 *     sender must ask or send again, and the message's GUID keeps it from counting twice.
 */
#include "obmend/front.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sandbox.h"

#define HEAD_BYTES (16 << 10)
#define ANSWER_TIME (600 * WHEN_SECOND) /* eDelivery waits ten minutes (section 2) */
#define LOG_LINES 20 /* per second about peers that misbehave; the rest is only counted */

bool
front_ready(const struct front *f)
{
	bool codec = false;

	for (unsigned i = 0; i < ROLE_INDEX_MAX; i++)
		codec |= f->lanes[i].up;
	return codec && f->store_up && !f->clock_wrong && !f->maintenance;
}

/* ---- what the HTTP server says ---- */

static void
on_body(void *arg, struct http_conn *c, const void *data, size_t len)
{
	struct front_job *j = http_data(c);

	(void)arg;
	if (j)
		front_job_body(j, data, len);
}

static void
on_complete(void *arg, struct http_conn *c)
{
	struct front_job *j = http_data(c);

	(void)arg;
	if (j)
		front_job_complete(j);
}

static void
on_end(void *arg, struct http_conn *c, const char *why)
{
	struct front_job *j = http_data(c);

	(void)arg;
	log_debug("front.end", "peer=%s result=\"%s\"", http_conn_peer(c)->address,
	    why ? why : "answered");
	if (j)
		front_job_abandon(j);
}

static void
count_reason(struct front *f, const char *text)
{
	for (unsigned i = 0; i < FRONT_REASONS; i++) {
		struct front_reason *r = &f->reasons[i];
		bool last = i == FRONT_REASONS - 1;
		if (!*r->text)
			snprintf(r->text, sizeof r->text, "%s", last ? "other reasons" : text);
		if (last || strncmp(r->text, text, sizeof r->text - 1) == 0) {
			r->count++;
			return;
		}
	}
}

/* A flood of bad connections must not become a flood of lines. */
static bool
may_log(struct front *f)
{
	when second = when_monotonic() / WHEN_SECOND;

	if (second != f->log_second) {
		if (f->log_skipped)
			log_warning("front.lines-left-out", "count=%llu",
			    (unsigned long long)f->log_skipped);
		f->log_second = second;
		f->log_lines = 0;
		f->log_skipped = 0;
	}
	if (f->log_lines++ < LOG_LINES)
		return true;
	f->log_skipped++;
	return false;
}

static void
on_event(void *arg, enum http_event e, const struct http_peer *peer, const char *detail)
{
	static const char *const names[] = {[HTTP_EVENT_HANDSHAKE_FAILED] = "front.tls-refused",
	    [HTTP_EVENT_REFUSED] = "front.http-refused",
	    [HTTP_EVENT_TIMEOUT] = "front.timeout",
	    [HTTP_EVENT_ADDRESS_LIMIT] = "front.too-many-connections",
	    [HTTP_EVENT_FULL] = "front.full"};
	struct front *f = arg;

	if (e == HTTP_EVENT_HANDSHAKE)
		return;
	if (e == HTTP_EVENT_HANDSHAKE_FAILED)
		count_reason(f, detail);
	if (may_log(f))
		log_info(names[e], "peer=%s reason=\"%s\"", peer->address, detail ? detail : "");
}

/* ---- the role ---- */

static bool
listen_all(struct front *f)
{
	const struct conf *conf = f->self->conf;
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
	struct front *f = calloc(1, sizeof *f);

	if (!f)
		return false;
	f->self = self;
	self->state = f;
	self->clock_floor = clock_floor(self->conf);
	for (int i = 0; i < JOB_STAGE_COUNT; i++)
		TAILQ_INIT(&f->stages[i]);
	for (int i = 0; i < ROLE_INDEX_MAX; i++)
		TAILQ_INIT(&f->lanes[i].jobs);
	return front_tls_open(f) && listen_all(f);
}

static struct http_limits
limits(const struct conf *c)
{
	/* As long as the largest message may take at the lowest rate. */
	uint64_t total = c->body_rate ? c->message_max / c->body_rate + 3600 : 86400;

	return (struct http_limits){.connections = (unsigned)c->connections_max,
	    .connections_per_address = (unsigned)c->connections_per_address,
	    .head_bytes = HEAD_BYTES,
	    .head_fields = HTTP_FIELDS_MAX,
	    .body_max = c->message_max,
	    .head_time = (when)c->header_timeout * WHEN_SECOND,
	    .body_time = (when)c->body_timeout * WHEN_SECOND,
	    .body_rate = c->body_rate,
	    .total_time = (when)total * WHEN_SECOND,
	    .idle_time = (when)c->idle_timeout * WHEN_SECOND,
	    .answer_time = ANSWER_TIME};
}

static void
update_doors(struct front *f)
{
	/* Under maintenance everybody is told so: front_request. */
	bool open = front_ready(f) || (f->maintenance && f->store_up && !f->clock_wrong);

	http_server_open(f->server, open);
	log_info("front.doors", "open=%s", open ? "yes" : "no");
}

/* Every certificate would be refused as not yet valid, in the handshake or, where a session goes on,
 * for good by codec. */
static void
look_at_clock(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;
	bool wrong = clock_wrong(f->self->clock_floor);
	char floor[WHEN_TEXT_SIZE];

	(void)fd, (void)what;
	if (wrong == f->clock_wrong)
		return;
	f->clock_wrong = wrong;
	when_format(f->self->clock_floor, floor);
	if (wrong)
		log_warning("front.clock", "code=%s certificates_from=%s",
		    fault_code(FAULT_CLOCK_WRONG), floor);
	else
		log_info("front.clock-set", "certificates_from=%s", floor);
	update_doors(f);
}

static bool
front_start(struct self *self)
{
	static const struct http_callbacks calls = {front_request, on_body, on_complete, on_end,
	    on_event};
	struct front *f = self->state;
	struct http_limits l = limits(self->conf);

	f->server = http_server_new(self->base, &l, &calls, f);
	if (!f->server)
		return false;
	http_server_open(f->server, false); /* until codec and store are there */
	for (unsigned i = 0; i < self_conf(self)->listen_count; i++) {
		SSL_CTX *tls = f->identities[self_conf(self)->listens[i].certificate].tls;
		int fd = f->listening[i];
		f->listening[i] = -1;
		if (!http_server_add(f->server, fd, tls))
			return false;
	}
	f->clock_timer = event_new(self->base, -1, EV_PERSIST, look_at_clock, f);
	if (!f->clock_timer || event_add(f->clock_timer, &(struct timeval){.tv_sec = 1}) < 0)
		return false;
	look_at_clock(-1, 0, f);
	return true;
}

/* A store that speaks is there, and says whether people want anything to come in. */
static void
on_maintenance(struct self *self, struct peer from, struct ipc_frame *frame)
{
	struct front *f = self->state;
	struct wire_maintenance m;

	(void)from;
	if (!wire_unpack(frame, WIRE_MAINTENANCE, &m))
		return;
	f->store_up = true;
	free(f->maintenance);
	f->maintenance = m.in ? strdup(m.reason ? m.reason : "") : NULL;
	if (m.in && !f->maintenance)
		f->store_up = false; /* no memory: the doors stay shut */
	update_doors(f);
}

static void
front_peer_up(struct self *self, struct peer p)
{
	struct front *f = self->state;

	if (p.role == ROLE_CODEC)
		front_codec_up(f, p.index);
	else if (p.role != ROLE_STORE)
		return; /* the store itself says when: on_maintenance */
	update_doors(f);
}

static void
front_peer_down(struct self *self, struct peer p)
{
	struct front *f = self->state;

	if (p.role == ROLE_CODEC) {
		front_codec_down(f, p.index);
	} else if (p.role == ROLE_STORE) {
		f->store_up = false;
		front_store_down(f);
	} else {
		return;
	}
	update_doors(f);
}

static void
front_stop(struct self *self)
{
	struct front *f = self->state;

	front_jobs_free(f);
	if (f->clock_timer)
		event_free(f->clock_timer);
	http_server_free(f->server);
	for (unsigned i = 0; f->listening && i < self_conf(self)->listen_count; i++) {
		if (f->listening[i] >= 0)
			close(f->listening[i]);
	}
	free(f->listening);
	free(f->maintenance);
	front_tls_free(f);
	free(f);
	self->state = NULL;
}

static void
front_reload(struct self *self)
{
	struct front *f = self->state;
	struct http_limits l = limits(self->conf);

	http_server_limit(f->server, &l);
}

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
connections(const struct front *f)
{
	const struct http_stats *s = http_server_stats(f->server);
	json_t *failed = json_object();

	for (unsigned i = 0; i < FRONT_REASONS && *f->reasons[i].text; i++)
		json_object_set_new(failed, f->reasons[i].text, number(f->reasons[i].count));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "open", number(s->open),
	    "accepted", number(s->accepted),
	    "refused_address", number(s->address_limited),
	    "full", number(s->full),
	    "handshakes", number(s->handshakes),
	    "resumed", number(s->resumed),
	    "timeouts", number(s->timeouts),
	    "handshakes_failed", failed);
}

static json_t *
front_status(struct self *self)
{
	static const char *const names[RESULT_COUNT] = {"answered", "fault", "wsdl", "method",
	    "type", "action", "dropped", "unavailable", "gone"};
	struct front *f = self->state;
	const struct http_stats *s = http_server_stats(f->server);
	json_t *results = json_object();
	json_int_t at_codecs = 0;

	for (int i = 0; i < RESULT_COUNT; i++)
		json_object_set_new(results, names[i], number(f->results[i]));
	json_object_set_new(results, "malformed", number(s->refused));
	for (unsigned i = 0; i < ROLE_INDEX_MAX; i++)
		at_codecs += f->lanes[i].count;
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
	    "ready", front_ready(f),
	    "connections", connections(f),
	    "requests", number(s->requests),
	    "results", results,
	    "bodies", number(f->bodies),
	    "body_bytes", number(f->body_bytes),
	    "spooled", number(f->spooled),
	    "bytes_in", number(s->bytes_in),
	    "bytes_out", number(s->bytes_out),
	    "memory_in_flight", number(f->memory),
	    "memory_in_flight_peak", number(f->memory_peak),
	    "at_codecs", at_codecs,
	    "request", histogram_json(&f->request));
}

static const struct role_message messages[] = {
    {ROLE_STORE, WIRE_MAINTENANCE, on_maintenance},
    {ROLE_CODEC, WIRE_REPLY, front_reply},
    {ROLE_STORE, WIRE_SPOOL_REPLY, front_spool_reply},
    {ROLE_DIRECTORY, WIRE_TRUST, self_on_trust},
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
