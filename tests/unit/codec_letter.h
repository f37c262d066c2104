/* Letters to the codec role of codec_world.h: an acceptable registration request, changed by a test. */
#ifndef OBMEN_CODEC_LETTER_H
#define OBMEN_CODEC_LETTER_H

#include "codec_world.h"

/* What a test sends: changed from an acceptable registration request. */
struct letter {
	enum who from, to;
	enum message_type type;
	const char *certificate;
	enum signature_method method;
	const char *find, *put; /* in the signed text, first occurrence */
	const char *eik;        /* another Identifier of the sender */
	const char *to_eik;     /* of the recipient */
	const char *tls;        /* TLS certificate, when it is not the signing one */
};

static inline void
write_letter(struct world *w, const struct letter *l, struct buf *soap, struct signing *s)
{
	struct message *m = peer_message(l->from, l->to, l->type);

	world_load(w, l->certificate, s);
	if (l->eik)
		m->sender.eik = l->eik;
	if (l->to_eik)
		m->recipient.eik = l->to_eik;
	char *inner = peer_sign(m, s, l->method);
	if (l->find)
		inner = replace_once(inner, l->find, l->put);
	peer_wrap(soap, ENVELOPE_REQUEST, inner);
}

static inline uint64_t
send_letter(struct world *w, const struct letter *l)
{
	struct buf soap;
	struct signing s, tls;

	write_letter(w, l, &soap, &s);
	world_load(w, l->tls ? l->tls : l->certificate, &tls);
	uint64_t id = submit(w, &soap, &tls);
	buf_free(&soap);
	signing_free(&s);
	signing_free(&tls);
	return id;
}

static const struct letter good = {
    .from = B,
    .to = A,
    .type = MESSAGE_REGISTRATION_REQUEST,
    .certificate = "b",
    .method = SIGNATURE_RSA_SHA256,
};

static inline void
await_reply(struct world *w, uint64_t id, struct wire_reply *r)
{
	struct ipc_frame *f = world_await(w, WIRE_REPLY);

	assert_true(wire_unpack(f, WIRE_REPLY, r));
	assert_int_equal(f->id, id);
	assert_int_equal(world_in_flight(w), 0);
}

static inline void
await_receive(struct world *w, struct wire_receive *r)
{
	assert_true(wire_unpack(world_await(w, WIRE_RECEIVE), WIRE_RECEIVE, r));
}

static inline void
accepted(struct world *w, const struct letter *l)
{
	struct wire_receive in;
	struct wire_reply out;

	await_reply(w, send_letter(w, l), &out);
	await_receive(w, &in);
	assert_int_equal(in.fault, FAULT_NONE);
	assert_int_equal(out.http_status, 200);
}

static inline void
expect_unavailable(struct world *w, uint64_t id)
{
	struct wire_reply out;

	await_reply(w, id, &out);
	assert_int_equal(out.http_status, 503);
	assert_int_equal(out.body.len, 0);
}

#endif
