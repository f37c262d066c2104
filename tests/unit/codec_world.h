/*
 * For tests of the codec role: the role in this process, and around it front, store, signer,
 * directory, courier and control played by the test over real channels. The certificates are those
 * of the demo and hostile tables; node A is ours.
 */
#ifndef OBMEN_CODEC_WORLD_H
#define OBMEN_CODEC_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/writer.h"
#include "obmend/codec.h"

#define SEEN_MAX 1024

/* Participants: ours is A; B is the peer. BRIDGE may sign for others. GONE is in no register. */
enum who { A, B, C, BRIDGE, SLEEPING, INACTIVE, GONE, WHO_COUNT };

static const struct who_row {
	struct guid guid;
	const char *eik, *name, *uri, *serial;
	enum participant_status status;
} who[WHO_COUNT] = {
    [A] = {{{0xa1}}, "990000017", "Примерна агенция", "https://primer.obmen.local:8443/X",
        "0A1B2C3D4E5F6071", PARTICIPANT_ACTIVE},
    [B] = {{{0xb2}}, "990000024", "Община \"Образец\" & Ко", "https://obrazets.ob.obmen.local/EGov",
        "2B1C3D4E5F607182", PARTICIPANT_ACTIVE},
    [C] = {{{0xc3}}, "990000031", "Институт за проби", "https://other-name.obmen.local:4449/",
        "7C2D3E4F50617283", PARTICIPANT_ACTIVE},
    [BRIDGE] = {{{0xd4}}, "990000048", "Мост", "https://nepoznat.obmen.local/", "3d3e4f5061728394",
        PARTICIPANT_ACTIVE},
    [SLEEPING] = {{{0xe5}}, "990000055", "Спящ", "https://x.obmen.local/", "2B1C3D4E5F607182",
        PARTICIPANT_TEMPORARILY_INACTIVE},
    [INACTIVE] = {{{0xf6}}, "990000062", "Закрит", "https://x.obmen.local/", "2B1C3D4E5F607182",
        PARTICIPANT_INACTIVE},
    [GONE] = {{{0x77}}, "990000079", "Никой", "https://x.obmen.local/", "2B1C3D4E5F607182",
        PARTICIPANT_ACTIVE},
};

/* A certificate with its key: what signs. */
struct signing {
	struct identity identity;
	EVP_PKEY *key;
};

struct seen {
	enum role_id role;
	struct ipc_frame frame; /* payload copied; descriptors are ours */
	bool taken;
};

struct world {
	char folder[256];
	struct conf conf;
	struct conf_certificate certificates[1];
	struct conf_participant participants[1];
	struct conf_peer peers[1];
	struct self self;
	struct ipc *far[ROLE_COUNT];
	struct seen seen[SEEN_MAX];
	unsigned seen_count;
	uint64_t next_id;
	/* how the others behave */
	bool signer_silent, store_silent, directory_silent;
	struct wire_receive_reply replies[4]; /* the store's words, in order; then STORED */
	unsigned reply_count, reply_at;
	bool lookup_asked;
	bool lookup_publishes; /* GONE enters the register */
	struct signing own;
};

static inline void
world_load(const struct world *w, const char *name, struct signing *s)
{
	char path[400];

	snprintf(path, sizeof path, "%s/%s.pem", w->folder, name);
	assert_true(identity_load(&s->identity, path));
	snprintf(path, sizeof path, "%s/%s.key", w->folder, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	s->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(s->key);
}

static inline void
signing_free(struct signing *s)
{
	identity_free(&s->identity);
	EVP_PKEY_free(s->key);
}

static inline size_t
raw_sign(EVP_PKEY *key, enum signature_method method, const uint8_t *digest, size_t len,
    uint8_t out[1024])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = 1024;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
	assert_int_equal(
	    EVP_PKEY_CTX_set_signature_md(ctx, digest_method_md(signature_method_digest(method))), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, out, &n, digest, len), 1);
	EVP_PKEY_CTX_free(ctx);
	return n;
}

/* The register with everybody but GONE. */
static inline int
world_snapshot(bool with_gone)
{
	struct snapshot_builder *b = snapshot_builder_new();

	for (int i = 0; i < WHO_COUNT; i++) {
		struct participant p = {
		    .guid = who[i].guid,
		    .eik = who[i].eik,
		    .name = who[i].name,
		    .uri = who[i].uri,
		    .certificate_serial = who[i].serial,
		    .entity_status = who[i].status,
		    .service_status = PARTICIPANT_ACTIVE,
		    .status = who[i].status,
		};
		if (i != GONE || with_gone)
			assert_true(snapshot_builder_add(b, &p));
	}
	int fd = snapshot_builder_finish(b, when_now(), when_now(), when_now(), SNAPSHOT_FULL);
	snapshot_builder_free(b);
	assert_true(fd >= 0);
	return fd;
}

/* The others. */

static inline void
play_signer(struct world *w, struct ipc_frame *f)
{
	struct wire_sign s;
	uint8_t out[1024];

	assert_true(wire_unpack(f, WIRE_SIGN, &s));
	assert_int_equal(s.certificate, 0);
	struct wire_sign_reply r = {.signature = {out,
	    raw_sign(w->own.key, (enum signature_method)s.method, s.digest.data, s.digest.len, out)}};
	wire_send(w->far[ROLE_SIGNER], WIRE_SIGN_REPLY, f->id, &r, NULL, 0);
}

static inline void
play_store(struct world *w, struct ipc_frame *f)
{
	struct wire_receive_reply r = {.outcome = RECEIVE_STORED};

	if (w->reply_at < w->reply_count)
		r = w->replies[w->reply_at++];
	wire_send(w->far[ROLE_STORE], WIRE_RECEIVE_REPLY, f->id, &r, NULL, 0);
}

static inline void
play_directory(struct world *w, struct ipc_frame *f)
{
	struct wire_lookup_reply r = {.asked = w->lookup_asked};

	if (w->lookup_publishes) {
		int fd = world_snapshot(true);
		ipc_send(w->far[ROLE_DIRECTORY], WIRE_SNAPSHOT, 0, NULL, 0, &fd, 1);
	}
	wire_send(w->far[ROLE_DIRECTORY], WIRE_LOOKUP_REPLY, f->id, &r, NULL, 0);
}

static inline void
world_saw(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct world *w = arg;
	struct seen *s = &w->seen[w->seen_count++];

	assert_true(w->seen_count < SEEN_MAX);
	*s = (struct seen){.frame = *f};
	while (w->far[s->role] != ipc)
		s->role++;
	uint8_t *copy = malloc(f->len + 1);
	memcpy(copy, f->payload, f->len);
	s->frame.payload = copy;
	for (unsigned i = 0; i < f->nfds; i++)
		s->frame.fds[i] = ipc_take_fd(f, i);
	if (f->type == WIRE_SIGN && !w->signer_silent)
		play_signer(w, f);
	if (f->type == WIRE_RECEIVE && !w->store_silent)
		play_store(w, f);
	if (f->type == WIRE_LOOKUP && !w->directory_silent)
		play_directory(w, f);
}

static inline void
world_far_down(struct ipc *ipc, void *arg)
{
	(void)ipc;
	(void)arg;
}

/* The side of the role: what role.c does. */

static inline struct peer
world_peer(const struct self *self, const struct ipc *ipc)
{
	struct peer p = {0};

	while (self->peers[p.role][0] != ipc)
		p.role++;
	return p;
}

static inline void
world_dispatch(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct self *self = arg;
	struct peer from = world_peer(self, ipc);

	for (size_t i = 0; i < role_codec.message_count; i++) {
		const struct role_message *m = &role_codec.messages[i];
		if (m->from == from.role && m->type == f->type) {
			m->handle(self, from, f);
			return;
		}
	}
	fail_msg("codec does not know message %u", f->type);
}

static inline void
world_near_down(struct ipc *ipc, void *arg)
{
	struct self *self = arg;
	struct peer from = world_peer(self, ipc);

	ipc_free(ipc);
	self->peers[from.role][0] = NULL;
	role_codec.peer_down(self, from);
}

static inline void
world_connect(struct world *w, enum role_id role)
{
	int pair[2];

	assert_true(ipc_pair(pair));
	w->self.peers[role][0] =
	    ipc_new(w->self.base, pair[0], world_dispatch, world_near_down, &w->self);
	w->far[role] = ipc_new(w->self.base, pair[1], world_saw, world_far_down, w);
}

/* This role dies; codec has noticed when the function returns. */
static inline void
world_kill(struct world *w, enum role_id role)
{
	ipc_free(w->far[role]);
	w->far[role] = NULL;
	while (w->self.peers[role][0])
		event_base_loop(w->self.base, EVLOOP_ONCE);
}

static inline void
world_publish(struct world *w)
{
	struct codec *c = w->self.state;
	int fd = world_snapshot(false);

	ipc_send(w->far[ROLE_DIRECTORY], WIRE_SNAPSHOT, 0, NULL, 0, &fd, 1);
	while (!c->snapshot)
		event_base_loop(w->self.base, EVLOOP_ONCE);
}

static inline char *
world_path(const struct world *w, const char *name)
{
	char path[400];

	snprintf(path, sizeof path, "%s/%s", w->folder, name);
	return strdup(path);
}

static inline void
world_configure(struct world *w)
{
	snprintf(w->certificates[0].name, CONF_NAME_MAX, "main");
	w->certificates[0].file = world_path(w, "a.pem");
	w->participants[0] = (struct conf_participant){
	    .guid = who[A].guid, .eik = strdup(who[A].eik), .name = strdup(who[A].name)};
	w->conf = (struct conf){
	    .accept_sha1 = true,
	    .ca_file = world_path(w, "ca.pem"),
	    .crl_file = world_path(w, "crl.pem"),
	    .codecs = 1,
	    .certificates = w->certificates,
	    .certificate_count = 1,
	    .participants = w->participants,
	    .participant_count = 1,
	    .peers = w->peers,
	    .peer_count = 1,
	};
}

static inline int
world_open(void **state)
{
	static const enum role_id roles[] = {ROLE_FRONT, ROLE_STORE, ROLE_SIGNER, ROLE_DIRECTORY,
	    ROLE_COURIER, ROLE_CONTROL};
	struct world *w = calloc(1, sizeof *w);
	const char *tmp = getenv("TMPDIR");
	char command[800];

	log_init("test", -1, getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR + 1);
	snprintf(w->folder, sizeof w->folder, "%s/obmen-codec-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	snprintf(command, sizeof command,
	    "CA_BITS=2048 tests/pki/make-pki '%s' tests/pki/demo.table tests/pki/hostile.table",
	    w->folder);
	assert_int_equal(system(command), 0);
	world_configure(w);
	world_load(w, "a", &w->own);
	w->self = (struct self){
	    .role = ROLE_CODEC, .workers = 1, .base = event_base_new(), .conf = &w->conf, .sync_signer = -1};
	assert_true(role_codec.open(&w->self));
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		world_connect(w, roles[i]);
	assert_true(role_codec.start(&w->self));
	world_publish(w);
	*state = w;
	return 0;
}

static inline void
world_forget(struct world *w)
{
	for (unsigned i = 0; i < w->seen_count; i++) {
		struct seen *s = &w->seen[i];
		free((void *)(uintptr_t)s->frame.payload);
		for (unsigned k = 0; k < s->frame.nfds; k++)
			close(s->frame.fds[k]);
	}
	w->seen_count = 0;
}

/* Before each test: everybody lives and behaves. */
static inline int
world_reset(void **state)
{
	struct world *w = *state;

	world_forget(w);
	for (int r = 0; r < ROLE_COUNT; r++) {
		bool used = r != ROLE_PARENT && r != ROLE_CODEC;
		if (used && !w->far[r])
			world_connect(w, (enum role_id)r);
	}
	w->signer_silent = w->store_silent = w->directory_silent = false;
	w->reply_count = w->reply_at = 0;
	w->lookup_asked = w->lookup_publishes = false;
	w->conf.accept_sha1 = true;
	w->conf.certificate_name_check = w->conf.tls_client_binding = false;
	w->conf.signature = SIGN_AUTO;
	w->peers[0] = (struct conf_peer){.guid = who[BRIDGE].guid};
	return 0;
}

static inline int
world_close(void **state)
{
	struct world *w = *state;
	char command[400];

	world_forget(w);
	role_codec.stop(&w->self);
	for (int r = 0; r < ROLE_COUNT; r++) {
		ipc_free(w->self.peers[r][0]);
		ipc_free(w->far[r]);
	}
	event_base_free(w->self.base);
	signing_free(&w->own);
	free(w->certificates[0].file);
	free(w->participants[0].eik);
	free(w->participants[0].name);
	free(w->conf.ca_file);
	free(w->conf.crl_file);
	snprintf(command, sizeof command, "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

/* Runs the loop until codec has sent such a message; each is given out once, in order. */
static inline struct ipc_frame *
world_await(struct world *w, unsigned type)
{
	when limit = when_monotonic() + 20 * WHEN_SECOND;

	while (when_monotonic() < limit) {
		for (unsigned i = 0; i < w->seen_count; i++) {
			struct seen *s = &w->seen[i];
			if (s->frame.type == type && !s->taken) {
				s->taken = true;
				return &s->frame;
			}
		}
		event_base_loop(w->self.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	fail_msg("message %d did not come", type);
	return NULL;
}

static inline unsigned
world_count(const struct world *w, unsigned type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->seen_count; i++)
		n += w->seen[i].frame.type == type;
	return n;
}

static inline unsigned
world_in_flight(const struct world *w)
{
	return ((const struct codec *)w->self.state)->in_flight;
}

/* Messages of peers. */

static inline struct message *
peer_message(enum who from, enum who to, enum message_type type)
{
	static const struct guid document = {{0xdd, 1, 2, 3}};
	struct message *m = calloc(1, sizeof *m);

	m->version = "1.0";
	m->type = type;
	m->date = when_now();
	m->date_text = "2026-11-21T09:30:00.1234567+02:00";
	m->sender = (struct party){.eik = who[from].eik, .name = who[from].name, .guid = who[from].guid};
	m->recipient = (struct party){.eik = who[to].eik, .name = who[to].name, .guid = who[to].guid};
	assert_true(guid_random(&m->guid));
	m->document.id = (struct document_id){.number = "РД-15/2026", .date = "2026-11-20",
	    .guid = document, .guid_text = "{DD010203-0000-0000-0000-000000000000}"};
	m->document.kind = "Писмо";
	m->document.about = "Относно <проба> & \"друго\"";
	m->comment = "N/A";
	m->asked = (struct document_id){.guid = document};
	m->status = (struct status_report){.id = {.number = "А-7", .date = "2026-11-21", .guid = document},
	    .status = STATUS_REGISTERED};
	m->error = (struct error_report){.type = ERROR_EXTERNAL, .description = "отказ"};
	return m;
}

static inline bool
gather(void *arg, const void *data, size_t len, bool base64)
{
	(void)base64;
	return buf_add(arg, data, len);
}

/* The signed inner message; the caller frees it. Takes m. */
static inline char *
peer_sign(struct message *m, const struct signing *s, enum signature_method method)
{
	struct buf text = {.max = (size_t)200 << 20};
	uint8_t digest[64], signature[1024];
	struct draft *d = draft_new(m, &s->identity, method, gather, &text);
	enum draft_state state;

	assert_non_null(d);
	while ((state = draft_step(d, SLICE)) == DRAFT_MORE) {
	}
	if (state != DRAFT_UNSIGNED)
		fail_msg("draft: %s", draft_detail(d));
	size_t n = raw_sign(s->key, method, digest, draft_digest(d, digest), signature);
	assert_int_equal(draft_sign(d, signature, n), DRAFT_DONE);
	draft_free(d);
	message_free(m);
	free(m);
	return buf_take(&text, NULL);
}

/* The text with the first `find` replaced. Takes text. */
static inline char *
replace_once(char *text, const char *find, const char *put)
{
	struct buf out = {.max = (size_t)200 << 20};
	char *at = strstr(text, find);

	assert_non_null(at);
	buf_add(&out, text, (size_t)(at - text));
	buf_adds(&out, put);
	assert_true(buf_adds(&out, at + strlen(find)));
	free(text);
	return buf_take(&out, NULL);
}

/* The text without everything from `from` to the end of `to`. Takes text. */
static inline char *
cut_out(char *text, const char *from, const char *to)
{
	char *a = strstr(text, from), *b = a ? strstr(a, to) : NULL;

	assert_non_null(b);
	b += strlen(to);
	memmove(a, b, strlen(b) + 1);
	return text;
}

/* SOAP around it. Takes inner. */
static inline void
peer_wrap(struct buf *out, enum envelope_kind kind, char *inner)
{
	*out = (struct buf){.max = (size_t)300 << 20};
	buf_adds(out, envelope_head(kind));
	buf_add_xml(out, inner, strlen(inner));
	assert_true(buf_adds(out, envelope_tail(kind)));
	free(inner);
}

static inline struct wire_bytes
der_of(const struct signing *s, struct buf *keep)
{
	int len = i2d_X509(s->identity.certificate, NULL);
	uint8_t *p = buf_room(keep, (size_t)len);

	i2d_X509(s->identity.certificate, &p);
	keep->len = (size_t)len;
	return (struct wire_bytes){keep->data, keep->len};
}

/* Front hands codec a body, in a descriptor when it is large. Returns the frame's id. */
static inline uint64_t
submit(struct world *w, const struct buf *soap, const struct signing *tls)
{
	struct buf der = {0};
	struct wire_inbound in = {
	    .received = when_now(), .peer_address = "127.0.0.1:4000", .tls_certificate = der_of(tls, &der)};
	bool large = soap->len > WIRE_INLINE_BODY;
	int fd = large ? wire_memfd("soap", soap->data, soap->len) : -1;

	in.body = (struct wire_body){.in_fd = large, .size = soap->len};
	if (!large)
		in.body.data = (struct wire_bytes){soap->data, soap->len};
	assert_true(wire_send(w->far[ROLE_FRONT], WIRE_INBOUND, ++w->next_id, &in, &fd, large));
	buf_free(&der);
	return w->next_id;
}

/* Reads one of our signed answers and verifies it with our certificate. */
static inline void
read_signed(struct world *w, struct wire_bytes text, enum envelope_kind kind, struct message *m,
    enum signature_method method)
{
	struct parser_pool pool = {0};
	struct parse p = {0};
	struct body body;
	uint8_t *room = malloc(BODY_PIECE);

	body_borrow(&body, (uint8_t *)(uintptr_t)text.data, -1, text.len);
	assert_true(parse_begin(&p, &pool, &body, m, kind, DIGEST_NONE));
	while (parse_step(&p, room, SLICE)) {
	}
	assert_string_equal(p.detail, "");
	assert_int_equal(p.fault, FAULT_NONE);
	assert_int_equal(p.content, ENVELOPE_MESSAGE);
	assert_null(parse_schema_violation(&p));
	assert_int_equal(parse_signature(&p)->fault, FAULT_NONE);
	assert_int_equal(parse_signature(&p)->method, method);
	assert_int_equal(signature_check(parse_signature(&p), w->own.key), FAULT_NONE);
	parse_end(&p, &pool);
	parser_pool_free(&pool);
	free(room);
}

#endif
