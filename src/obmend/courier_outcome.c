/* From the end of a call to what store or codec is told. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/log.h"
#include "message/utf8.h"
#include "obmend/courier.h"

static void
tell_store(struct self *self, uint64_t id, const struct wire_undelivered *m)
{
	struct courier *c = self->state;

	c->undelivered++;
	if (m->fault < FAULT_COUNT)
		c->faults[m->fault]++;
	/* A store that is not there polls what it had marked as being sent when it is back. */
	if (!wire_send(self->peers[ROLE_STORE][0], WIRE_UNDELIVERED, id, m, NULL, 0)) {
		log_warning("courier.lost", "attempt=%llu reason=\"store is not there\"",
		    (unsigned long long)id);
		ipc_break(self->peers[ROLE_STORE][0]);
	}
}

void
courier_turn_away(struct self *self, uint64_t id, enum undelivered_class class, enum fault fault,
    const char *detail, const char *url, when retry)
{
	struct courier *c = self->state;
	when now = when_now();
	struct wire_undelivered m = {.class = class, .fault = fault, .detail = detail, .url = url,
	    .sent = WHEN_NONE, .ended = now, .retry = retry};

	c->turned_away++;
	tell_store(self, id, &m);
}

/* How a failure is called, by the step at which it happened. Bytes that left decide whether the
 * message may have arrived. */
static const struct step {
	enum undelivered_class class;
	enum fault fault;
	enum link_result link;
} steps[] = {
    [HTTP_NAME] = {UNDELIVERED_CONNECT, FAULT_PEER_NAME, LINK_FAILED},
    [HTTP_CONNECT] = {UNDELIVERED_CONNECT, FAULT_PEER_CONNECT, LINK_FAILED},
    [HTTP_TLS] = {UNDELIVERED_CONNECT, FAULT_PEER_TLS, LINK_FAILED},
    [HTTP_SEND] = {UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, LINK_REACHED},
    [HTTP_WAIT] = {UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, LINK_REACHED},
};

static struct step
step_of(const struct http_result *r)
{
	if (r->stage == HTTP_ANSWERED)
		return r->status >= 200 && r->status < 300 ?
		    /* It took it and said nothing that counts: section 2 wants a body. */
		    (struct step){UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, LINK_ANSWERED} :
		    (struct step){UNDELIVERED_HTTP, FAULT_PEER_HTTP, LINK_ANSWERED};
	if (r->stage == HTTP_SEND && !r->body_left)
		return (struct step){UNDELIVERED_CONNECT, FAULT_PEER_CONNECT, LINK_REACHED};
	return steps[r->stage];
}

static void
undelivered(struct delivery *d, const struct http_result *r, struct step s, const char *detail)
{
	struct courier *c = d->self->state;
	struct wire_undelivered m = {.class = s.class, .fault = s.fault, .detail = detail,
	    .url = d->link->url, .sent = r->sent, .ended = r->ended, .retry = WHEN_NONE,
	    .http_status = (uint64_t)r->status};

	log_info("courier.undelivered", "attempt=%llu url=\"%s\" fault=%s detail=\"%s\"",
	    (unsigned long long)d->id, d->link->url, fault_code(s.fault), detail);
	link_end(&c->links, d->link, s.link, when_monotonic(), s.fault, detail);
	c->sent[d->kind % DELIVERY_KIND_COUNT][0]++;
	tell_store(d->self, d->id, &m);
}

/* The codec with the least waiting for it, in turn among equals; `tried` are left out. */
static struct ipc *
pick_codec(struct self *self, unsigned tried, unsigned *index)
{
	struct courier *c = self->state;
	struct ipc *best = NULL;

	for (unsigned n = 0; n < self->workers; n++) {
		unsigned i = (c->next_codec + n) % self->workers;
		struct ipc *ipc = self->peers[ROLE_CODEC][i];
		if (!ipc || tried & 1u << i || (best && ipc_queued(ipc) >= ipc_queued(best)))
			continue;
		best = ipc;
		*index = i;
	}
	return best;
}

static bool
send_answer(struct ipc *codec, uint64_t id, struct wire_answer *m, const struct http_result *r)
{
	int fd = -1;

	m->body = (struct wire_body){.data = {r->body, r->body_len}, .size = r->body_len};
	if (r->body_len > WIRE_INLINE_BODY) {
		fd = wire_memfd("answer", r->body, r->body_len);
		if (fd < 0)
			return false;
		m->body.data = (struct wire_bytes){0};
		m->body.in_fd = true;
	}
	return wire_send(codec, WIRE_ANSWER, id, m, &fd, fd >= 0);
}

static bool
hand_to_codec(struct delivery *d, const struct http_result *r)
{
	struct courier *c = d->self->state;
	struct wire_answer m = {.kind = d->kind, .sender = d->sender, .recipient = d->recipient,
	    .message_guid = d->message_guid, .document_guid = d->document_guid, .url = d->link->url,
	    .tls_certificate = {r->peer_certificate, r->peer_certificate_len},
	    .http_status = (uint64_t)r->status, .sent = r->sent, .answered = r->ended};
	unsigned tried = 0, i = 0;
	struct ipc *codec;

	while ((codec = pick_codec(d->self, tried, &i))) {
		if (send_answer(codec, d->id, &m, r)) {
			c->next_codec = (i + 1) % d->self->workers;
			return true;
		}
		tried |= 1u << i;
	}
	return false;
}

/* "HTTP 404: ..." with what a peer says to people, as far as it is a line of plain text. */
static void
describe_refusal(const struct http_result *r, char *out, size_t size)
{
	const char *text = (const char *)r->body;
	bool bad = false;
	size_t len = 0, head = (size_t)snprintf(out, size, "HTTP %d%s", r->status,
				 r->body_len ? "" : " without a body");

	if (strncasecmp(r->content_type, "text/plain", strlen("text/plain")) != 0)
		return;
	while (len < r->body_len && (uint8_t)text[len] >= ' ' && text[len] != 0x7f)
		len++;
	if (len == 0 || len + head + sizeof ": " > size || utf8_span(text, len, &bad) != len)
		return;
	snprintf(out + head, size - head, ": %.*s", (int)len, text);
}

void
courier_outcome(struct delivery *d, const struct http_result *r)
{
	struct courier *c = d->self->state;
	char detail[640];

	if (r->secured != WHEN_NONE) /* once for each connection */
		link_certificate(d->link, r->peer_certificate, r->peer_certificate_len, r->ended);
	if (r->stage == HTTP_ANSWERED && (r->status == 200 || r->status == 500) && r->body_len) {
		if (hand_to_codec(d, r)) {
			c->answered++;
			log_info("courier.answered", "attempt=%llu url=\"%s\" status=%d ms=%lld",
			    (unsigned long long)d->id, d->link->url, r->status,
			    (long long)((r->ended - r->started) / 1000000));
			c->sent[d->kind % DELIVERY_KIND_COUNT][1]++;
			link_end(&c->links, d->link, LINK_ANSWERED, when_monotonic(), FAULT_NONE, NULL);
			return;
		}
		/* It answered, and nobody here can read it: asking again is safe, sending is not. */
		undelivered(d, r, (struct step){UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS,
		    LINK_ANSWERED}, "no codec for the answer");
		return;
	}
	if (r->stage == HTTP_ANSWERED)
		describe_refusal(r, detail, sizeof detail);
	else
		snprintf(detail, sizeof detail, "%s", r->detail);
	undelivered(d, r, step_of(r), detail);
}
