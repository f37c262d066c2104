/*
 * The codec role: everything that reads or writes XML. It holds no key, no file, no socket to the
 * outside; what it reads is hostile.
 */
#include "obmend/codec_probe.h"
#include "obmend/codec_seal.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/sandbox.h"

bool
codec_send(struct codec *c, struct peer to, unsigned type, uint64_t id, const void *message,
    const int *fds, unsigned nfds)
{
	struct ipc *ipc = c->self->peers[to.role][to.index];

	if (ipc)
		return wire_send(ipc, type, id, message, fds, nfds);
	for (unsigned i = 0; i < nfds; i++)
		close(fds[i]);
	return false;
}

enum signature_method
codec_method(const struct codec *c, const struct guid *to, bool sha256_seen)
{
	const struct conf_peer *peer = conf_peer(c->conf, to);
	enum signature_policy policy = c->conf->signature;

	if (peer && peer->signature != SIGN_AUTO)
		policy = peer->signature;
	if (policy == SIGN_AUTO)
		policy = sha256_seen ? SIGN_SHA256 : SIGN_SHA1;
	return policy == SIGN_SHA256 ? SIGNATURE_RSA_SHA256 : SIGNATURE_RSA_SHA1;
}

/* Eight bytes at a time: a wrong hint costs a second reading, nothing else. */
static uint64_t
hint_key(struct wire_bytes certificate)
{
	uint64_t h = certificate.len, word;

	for (size_t i = 0; i + sizeof word <= certificate.len; i += sizeof word) {
		memcpy(&word, certificate.data + i, sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15;
		h ^= h >> 32;
	}
	return h;
}

enum digest_method
codec_hint(const struct codec *c, struct wire_bytes tls_certificate)
{
	uint64_t key = hint_key(tls_certificate);
	const struct hint *h = &c->hints[key % HINTS];

	return h->key == key ? h->digest : DIGEST_NONE;
}

void
codec_remember(struct codec *c, struct wire_bytes tls_certificate, enum digest_method digest)
{
	uint64_t key = hint_key(tls_certificate);

	c->hints[key % HINTS] = (struct hint){key, digest};
}

static void
close_codec(struct codec *c)
{
	jobs_close(c);
	parser_pool_free(&c->parsers);
	trust_free(c->trust);
	X509_STORE_free(c->authorities);
	if (c->snapshot)
		snapshot_free(c->snapshot);
	for (unsigned i = 0; c->identities && i < c->conf->certificate_count; i++)
		identity_free(&c->identities[i]);
	free(c->identities);
	free(c);
}

/* Certificates only: the keys are the signer's. */
static bool
load_identities(struct codec *c)
{
	c->identities = calloc(c->conf->certificate_count + 1, sizeof *c->identities);
	if (!c->identities)
		return false;
	for (unsigned i = 0; i < c->conf->certificate_count; i++) {
		if (!identity_load(&c->identities[i], c->conf->certificates[i].file))
			return false;
	}
	return true;
}

static bool
codec_open(struct self *self)
{
	struct codec *c = calloc(1, sizeof *c);
	struct trust_options options = {self_conf(self)->ca_file, self_conf(self)->crl_file};

	if (!c)
		return false;
	c->self = self;
	c->conf = self->conf;
	self->clock_floor = clock_floor(self->conf);
	parser_pool_watch(&c->parsers);
	c->trust = trust_new(&options);
	if (!c->trust || !load_identities(c) || !stamps_open(c) || !jobs_open(c)) {
		close_codec(c);
		return false;
	}
	/* The first message pays for the schema and the digests now, before the sandbox. */
	struct parse warm = {0};
	struct body none = BODY_NONE;
	parse_begin(&warm, &c->parsers, &none, &c->jobs[0].message, ENVELOPE_REQUEST, DIGEST_NONE);
	parse_end(&warm, &c->parsers);
	self->state = c;
	return true;
}

static bool
codec_start(struct self *self)
{
	(void)self;
	return true;
}

static void
codec_stop(struct self *self)
{
	close_codec(self->state);
	self->state = NULL;
}

static void
codec_peer_down(struct self *self, struct peer peer)
{
	static const enum job_wait waits[ROLE_COUNT] = {
	    [ROLE_SIGNER] = WAIT_SIGNER,
	    [ROLE_STORE] = WAIT_STORE,
	    [ROLE_DIRECTORY] = WAIT_DIRECTORY,
	};

	if (self->state)
		jobs_lost(self->state, waits[peer.role], peer);
}

/* Frames. A reply whose job has ended meanwhile is dropped. */

unsigned
codec_certificate(const struct codec *c, unsigned certificate)
{
	return conf_certificate_now(c->conf, certificate, c->self->switched);
}

static void
bad_frame(const char *type)
{
	log_error("codec.bad-frame", "type=%s", type);
}

static void
on_inbound(struct self *self, struct peer from, struct ipc_frame *f)
{
	inbound_start(self->state, from, f);
}

static void
on_compose(struct self *self, struct peer from, struct ipc_frame *f)
{
	compose_start(self->state, from, f);
}

static void
on_answer(struct self *self, struct peer from, struct ipc_frame *f)
{
	answer_start(self->state, from, f);
}

static void
on_seal(struct self *self, struct peer from, struct ipc_frame *f)
{
	seal_start(self->state, from, f);
}

static void
on_stamp(struct self *self, struct peer from, struct ipc_frame *f)
{
	(void)from;
	stamp_start(self->state, f);
}

static void
on_stamp_answer(struct self *self, struct peer from, struct ipc_frame *f)
{
	(void)from;
	stamp_answered(self->state, f);
}

static void
on_probed(struct self *self, struct peer from, struct ipc_frame *f)
{
	(void)from;
	probe_answered(self->state, f);
}

static void
on_receive_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct wire_receive_reply r;
	struct job *job = job_answered(self->state, f->id, WAIT_STORE);

	(void)from;
	if (!job)
		return;
	if (wire_unpack(f, WIRE_RECEIVE_REPLY, &r)) {
		inbound_stored(job, &r);
	} else {
		bad_frame("receive-reply");
		job_trouble(job, FAULT_INTERNAL, "store");
	}
}

static void
on_sign_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct wire_sign_reply r;
	struct job *job = job_answered(self->state, f->id, WAIT_SIGNER);

	(void)from;
	if (!job)
		return;
	if (wire_unpack(f, WIRE_SIGN_REPLY, &r)) {
		job_signed(job, &r);
	} else {
		bad_frame("sign-reply");
		job_trouble(job, FAULT_INTERNAL, "signer");
	}
}

static void
on_lookup_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct wire_lookup_reply r;
	struct job *job = job_answered(self->state, f->id, WAIT_DIRECTORY);

	(void)from;
	if (!job)
		return;
	if (wire_unpack(f, WIRE_LOOKUP_REPLY, &r)) {
		job->kind->looked_up(job, r.asked);
	} else {
		bad_frame("lookup-reply");
		job_trouble(job, FAULT_INTERNAL, "directory");
	}
}

static void
on_snapshot(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct codec *c = self->state;
	int fd = ipc_take_fd(f, 0);
	struct snapshot *fresh = fd < 0 ? NULL : snapshot_open(fd);

	(void)from;
	if (!fresh) {
		log_error("codec.snapshot-refused", "kept=%d", c->snapshot != NULL);
		return;
	}
	if (c->snapshot)
		snapshot_free(c->snapshot);
	c->snapshot = fresh;
}

static void
on_trust(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct codec *c = self->state;

	self_on_trust(self, from, f);
	trust_set_revoked(c->trust, self->revoked);
}

static json_t *
codec_status(struct self *self)
{
	const struct codec *c = self->state;
	json_t *o = stats_json(&c->stats);

	json_object_set_new(o, "in_flight", json_integer((json_int_t)c->in_flight));
	json_object_set_new(o, "large_in_flight", json_integer((json_int_t)c->sliced));
	json_object_set_new(o, "participants",
	    json_integer(c->snapshot ? (json_int_t)snapshot_count(c->snapshot) : 0));
	return o;
}

/* "status" is answered by what all roles have in common. */
static void
on_query(struct self *self, struct peer from, struct ipc_frame *f)
{
	json_t *query = wire_get_json(f);
	const char *verb = json_string_value(json_object_get(query, "verb"));

	if (verb && strcmp(verb, "document.detach") == 0) {
		detach_start(self->state, from, f, query);
	} else if (verb && strcmp(verb, "backup.seal") == 0) {
		backup_start(self->state, from, f);
	} else if (verb && strcmp(verb, "participant.test") == 0) {
		probe_start(self->state, from, f, query);
	} else {
		json_t *reply = json_pack("{s:b, s:s}", "ok", 0, "fault", fault_code(FAULT_USAGE));
		wire_send_json(self->peers[from.role][from.index], WIRE_QUERY_REPLY, f->id, reply,
		    NULL, 0);
		json_decref(reply);
	}
	json_decref(query);
}

static const struct role_message messages[] = {
    {ROLE_FRONT, WIRE_INBOUND, on_inbound},
    {ROLE_STORE, WIRE_RECEIVE_REPLY, on_receive_reply},
    {ROLE_STORE, WIRE_COMPOSE, on_compose},
    {ROLE_SIGNER, WIRE_SIGN_REPLY, on_sign_reply},
    {ROLE_DIRECTORY, WIRE_LOOKUP_REPLY, on_lookup_reply},
    {ROLE_DIRECTORY, WIRE_SNAPSHOT, on_snapshot},
    {ROLE_DIRECTORY, WIRE_TRUST, on_trust},
    {ROLE_COURIER, WIRE_ANSWER, on_answer},
    {ROLE_STORE, WIRE_STAMP, on_stamp},
    {ROLE_STORE, WIRE_SEAL, on_seal},
    {ROLE_COURIER, WIRE_STAMP_ANSWER, on_stamp_answer},
    {ROLE_COURIER, WIRE_PROBED, on_probed},
    {ROLE_CONTROL, WIRE_QUERY, on_query},
};

static const struct sandbox sandbox = {.allow = SANDBOX_MEMFD};

const struct role role_codec = {
    .id = ROLE_CODEC,
    .name = "codec",
    .many = true,
    .open = codec_open,
    .start = codec_start,
    .peer_down = codec_peer_down,
    .stop = codec_stop,
    .status = codec_status,
    .messages = messages,
    .message_count = sizeof messages / sizeof messages[0],
    .sandbox = &sandbox,
};
