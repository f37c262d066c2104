/* Carries requests for time stamps: one at a time, over plain HTTP, because the answer is signed. */
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/stamp.h"
#include "obmend/courier.h"

struct stamp_call {
	struct self *self;
	struct http_call *call;
	unsigned codec;
	uint64_t sequence;
	uint8_t digest[32];
	size_t request_len;
	uint8_t request[256]; /* a request has about 60 bytes */
};

static void
answer(struct stamp_call *s, const void *response, size_t len, const char *detail)
{
	struct wire_stamp_answer m = {.sequence = s->sequence, .request = {s->request, s->request_len},
	    .response = {response, len}, .detail = detail};

	memcpy(m.digest, s->digest, sizeof m.digest);
	wire_send(s->self->peers[ROLE_CODEC][s->codec], WIRE_STAMP_ANSWER, s->sequence, &m, NULL, 0);
}

static void
on_done(void *arg, const struct http_result *r)
{
	struct stamp_call *s = arg;
	struct courier *c = s->self->state;
	char detail[64];

	if (r->stage == HTTP_ANSWERED && r->status == 200) {
		answer(s, r->body, r->body_len, r->body_len ? NULL : "an empty answer");
	} else if (r->stage == HTTP_ANSWERED) {
		snprintf(detail, sizeof detail, "HTTP %d", r->status);
		answer(s, NULL, 0, detail);
	} else {
		answer(s, NULL, 0, r->detail);
	}
	c->stamp = NULL;
	free(s);
}

void
courier_drop_stamp(struct courier *c)
{
	if (!c->stamp)
		return;
	http_call_cancel(c->stamp->call);
	free(c->stamp);
	c->stamp = NULL;
}

void
courier_on_stamp(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct courier *c = self->state;
	struct wire_stamp_answer m;
	const char *why = "no memory";

	if (!wire_unpack(f, WIRE_STAMP_ASK, &m) || m.request.len > sizeof c->stamp->request) {
		log_error("courier.bad-frame", "type=stamp");
		return;
	}
	courier_drop_stamp(c); /* store gave it up, or it would not ask again */
	struct stamp_call *s = calloc(1, sizeof *s);
	if (!s)
		return; /* store asks again */
	*s = (struct stamp_call){.self = self, .codec = from.index, .sequence = m.sequence,
	    .request_len = m.request.len};
	memcpy(s->digest, m.digest, sizeof s->digest);
	memcpy(s->request, m.request.data, m.request.len);
	struct http_request r = {.url = self_conf(self)->timestamp_url, .content_type = STAMP_REQUEST_TYPE,
	    .body = s->request, .body_fd = -1, .body_size = s->request_len, .answer_max = STAMP_TOKEN_MAX,
	    .answer_fd = -1};
	s->call = self_conf(self)->timestamp_url ? http_call_new(c->http, &r, on_done, s, &why) : NULL;
	c->stamp = s;
	if (s->call)
		return;
	answer(s, NULL, 0, why);
	c->stamp = NULL;
	free(s);
}
