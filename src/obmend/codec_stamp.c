/* Time stamps: the request is written and the authority's answer judged here, because it is input
 * from outside. Nothing is kept between the two: the request comes back with the answer. */
#include "lib/log.h"
#include "lib/stamp.h"
#include "obmend/codec.h"

bool
stamps_open(struct codec *c)
{
	const char *file = c->conf->timestamp_ca_file, *why;

	if (!file || !*file)
		return true;
	c->authorities = stamp_authorities(file, &why);
	if (!c->authorities)
		log_error("codec.timestamp-ca", "file=\"%s\" reason=\"%s\"", file, why);
	return c->authorities;
}

static void
tell(struct codec *c, const struct wire_stamp_answer *m, when at, const char *detail)
{
	struct wire_stamped s = {.sequence = m->sequence, .at = at, .detail = detail};

	memcpy(s.digest, m->digest, sizeof s.digest);
	if (!detail)
		s.token = m->response;
	codec_send(c, (struct peer){ROLE_STORE, 0}, WIRE_STAMPED, m->sequence, &s, NULL, 0);
}

void
stamp_start(struct codec *c, struct ipc_frame *f)
{
	struct wire_stamp m;
	struct buf request = {0};

	if (!wire_unpack(f, WIRE_STAMP, &m)) {
		log_error("codec.bad-frame", "type=stamp");
		return;
	}
	struct wire_stamp_answer ask = {.sequence = m.sequence};
	memcpy(ask.digest, m.digest, sizeof ask.digest);
	if (!stamp_request(&request, m.digest)) {
		tell(c, &ask, WHEN_NONE, "the request cannot be written");
	} else {
		ask.request = (struct wire_bytes){request.data, request.len};
		if (!codec_send(c, (struct peer){ROLE_COURIER, 0}, WIRE_STAMP_ASK, m.sequence, &ask, NULL, 0))
			tell(c, &ask, WHEN_NONE, "courier is down");
	}
	buf_free(&request);
}

void
stamp_answered(struct codec *c, struct ipc_frame *f)
{
	struct wire_stamp_answer m;
	struct stamp s = {.at = WHEN_NONE};

	if (!wire_unpack(f, WIRE_STAMP_ANSWER, &m)) {
		log_error("codec.bad-frame", "type=stamp-answer");
		return;
	}
	if (!c->authorities)
		tell(c, &m, WHEN_NONE, "timestamp-ca-file is not set");
	else if (m.response.len == 0)
		tell(c, &m, WHEN_NONE, m.detail ? m.detail : "no answer");
	else if (!stamp_check(m.response.data, m.response.len, m.digest, m.request.data, m.request.len,
	             c->authorities, &s))
		tell(c, &m, WHEN_NONE, s.why);
	else
		tell(c, &m, s.at, NULL);
}
