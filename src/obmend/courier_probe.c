/*
 * One test of the way to a participant: a connection of its own, a whole handshake in which nothing
 * about the certificate is refused but everything noted, then the message that codec wrote, unless
 * a note speaks against it. Breakers and figures of the traffic are left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "obmend/courier.h"
#include "soap/envelope.h"

#define CONTENT_TYPE "text/xml; charset=utf-8"
#define ANSWER_MAX (1 << 20)

struct probe {
	struct self *self;
	struct http_call *call;
	uint64_t id;
	unsigned codec;
	struct wire_probe asked; /* without the body */
	char url[512];
};

static void
tell(struct self *self, unsigned codec, uint64_t id, const struct wire_probe *asked,
    struct wire_probed *m, int fd)
{
	m->sender = asked->sender;
	m->recipient = asked->recipient;
	m->message_guid = asked->message_guid;
	m->document_guid = asked->document_guid;
	wire_send(self->peers[ROLE_CODEC][codec], WIRE_PROBED, id, m, &fd, fd >= 0);
}

static void
refuse(struct self *self, unsigned codec, uint64_t id, const struct wire_probe *asked, enum fault f,
    const char *detail, const char *url)
{
	struct wire_probed m = {.fault = f, .detail = detail, .url = url, .started = WHEN_NONE,
	    .named = WHEN_NONE, .connected = WHEN_NONE, .secured = WHEN_NONE, .sent = WHEN_NONE,
	    .ended = when_now()};

	tell(self, codec, id, asked, &m, -1);
}

static void
on_done(void *arg, const struct http_result *r)
{
	struct probe *p = arg;
	struct courier *c = p->self->state;
	struct wire_probed m = {.stage = r->stage, .findings = c->findings.bits,
	    .error = (uint64_t)r->error, .alert = (uint64_t)r->alert, .timed_out = r->timed_out,
	    .detail = c->findings.bits ? c->findings.words : r->detail, .url = p->url,
	    .address = r->address, .http_status = (uint64_t)r->status, .started = r->started,
	    .named = r->named, .connected = r->connected, .secured = r->secured, .sent = r->sent,
	    .ended = r->ended, .tls_certificate = {r->peer_certificate, r->peer_certificate_len},
	    .body = {.data = {r->body, r->body_len}, .size = r->body_len}};
	int fd = -1;

	if (r->body_len > WIRE_INLINE_BODY) {
		fd = wire_memfd("probe", r->body, r->body_len);
		m.body.data = (struct wire_bytes){0};
		m.body.in_fd = fd >= 0;
	}
	log_info("courier.probed", "url=\"%s\" stage=%d detail=\"%s\"", p->url, (int)r->stage, m.detail);
	tell(p->self, p->codec, p->id, &p->asked, &m, fd);
	c->probe = NULL;
	free(p);
}

/* Nothing leaves over a connection on which traffic would not leave. */
static bool
certificate_sound(void *arg, const uint8_t *der, size_t len)
{
	const struct probe *p = arg;
	const struct courier *c = p->self->state;

	(void)der, (void)len;
	return c->findings.bits == 0;
}

void
courier_drop_probe(struct courier *c)
{
	if (!c->probe)
		return;
	http_call_cancel(c->probe->call);
	free(c->probe);
	c->probe = NULL;
}

static struct http_call *
post(struct probe *p, const struct wire_probe *m, const char **why)
{
	struct self *self = p->self;
	struct courier *c = self->state;
	const struct conf_peer *peer = conf_peer(self_conf(self), &m->recipient);
	unsigned certificate = conf_certificate_now(self_conf(self),
	    conf_participant(self_conf(self), &m->sender)->certificate, self->switched);
	struct http_request r = {.url = p->url,
	    .tls = c->tls[certificate][peer && peer->tls_legacy ? COURIER_PROBE_LEGACY : COURIER_PROBE],
	    .name_mismatch = peer && peer->tls_name_mismatch, .accept = certificate_sound, .fresh = true,
	    .content_type = CONTENT_TYPE, .soap_action = SUBMIT_ACTION, .body = m->body.data.data,
	    .body_fd = -1, .body_size = m->body.data.len, .answer_max = ANSWER_MAX, .answer_fd = -1};

	c->findings = (struct tls_findings){0};
	return http_call_new(c->http, &r, on_done, p, why);
}

void
courier_on_probe(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct courier *c = self->state;
	struct wire_probe m;
	struct participant to;
	const char *why = "out of memory";

	if (!wire_unpack(f, WIRE_PROBE, &m) || m.body.in_fd) {
		log_error("courier.bad-frame", "type=probe");
		return;
	}
	if (!conf_participant(self_conf(self), &m.sender) || !c->snapshot ||
	    !snapshot_by_guid(c->snapshot, &m.recipient, &to)) {
		refuse(self, from.index, f->id, &m, FAULT_RECIPIENT_UNKNOWN, NULL, NULL);
		return;
	}
	struct probe *p = c->probe ? NULL : calloc(1, sizeof *p);
	if (!p) {
		refuse(self, from.index, f->id, &m, FAULT_OVERLOADED, NULL, NULL);
		return;
	}
	*p = (struct probe){.self = self, .id = f->id, .codec = from.index, .asked = m};
	p->asked.body = (struct wire_body){0};
	snprintf(p->url, sizeof p->url, "%s", to.uri);
	p->call = post(p, &m, &why);
	if (p->call) {
		c->probe = p;
		return;
	}
	refuse(self, from.index, f->id, &m, FAULT_PROBE_URL, why, p->url);
	free(p);
}
