/* The courier role between a store and codecs of the test, towards the peer of http_peer.py. */
#include "http_peer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/http_client_internal.h"
#include "obmend/courier.h"

enum { CODECS = 2 };

/* What one delivery led to. */
struct outcome {
	unsigned frames;
	uint16_t type;
	uint64_t id;
	int codec; /* index, or -1: store */
	union {
		struct wire_undelivered undelivered;
		struct wire_answer answer;
	};
	char detail[300], url[300], address[64];
	char *body;
};

static struct fixture fixture;
static struct http_peer peer;
static struct event_base *base;
static struct self self;
static struct ipc *far_store, *far_codec[CODECS]; /* the ends of the test */
static struct outcome last;

static const struct guid own_a = {{1}}, own_b = {{2}};
static unsigned next_recipient = 100;

static void
keep_text(char *out, const char *text)
{
	snprintf(out, 300, "%s", text ? text : "");
}

static char *
keep_body(const struct wire_body *body, struct ipc_frame *f)
{
	char *copy = calloc(1, body->size + 1);

	if (body->in_fd)
		assert_int_equal(pread(f->fds[0], copy, body->size, 0), body->size);
	else
		memcpy(copy, body->data.data, body->size);
	return copy;
}

static void
on_outcome(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	(void)arg;
	last.frames++;
	last.type = f->type;
	last.id = f->id;
	last.codec = ipc == far_codec[0] ? 0 : ipc == far_codec[1] ? 1 : -1;
	if (f->type == WIRE_UNDELIVERED) {
		assert_true(wire_unpack(f, WIRE_UNDELIVERED, &last.undelivered));
		keep_text(last.detail, last.undelivered.detail);
		keep_text(last.url, last.undelivered.url);
	} else {
		assert_true(wire_unpack(f, WIRE_ANSWER, &last.answer));
		keep_text(last.url, last.answer.url);
		free(last.body);
		last.body = keep_body(&last.answer.body, f);
	}
	event_base_loopbreak(base);
}

static void
far_down(struct ipc *ipc, void *arg)
{
	(void)ipc, (void)arg;
}

static void
on_near(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < role_courier.message_count; i++) {
		const struct role_message *m = &role_courier.messages[i];
		if (m->from == ROLE_STORE && ipc == self.peers[ROLE_STORE][0] && m->type == f->type)
			m->handle(&self, (struct peer){ROLE_STORE, 0}, f);
	}
}

static void
connect_role(enum role_id role, unsigned index, struct ipc **far)
{
	int pair[2];

	assert_true(ipc_pair(pair));
	self.peers[role][index] = ipc_new(base, pair[0], on_near, far_down, NULL);
	*far = ipc_new(base, pair[1], on_outcome, far_down, NULL);
}

static void
disconnect_role(enum role_id role, unsigned index, struct ipc **far)
{
	ipc_free(self.peers[role][index]);
	self.peers[role][index] = NULL;
	ipc_free(*far);
	*far = NULL;
}

static struct guid
guid_of(unsigned n)
{
	return (struct guid){{0x77, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* Publishes a register of one participant more, and returns its GUID. */
static struct guid
registered(const char *uri, enum participant_status status, const char *serial)
{
	struct snapshot_builder *b = snapshot_builder_new();
	struct participant p = {.guid = guid_of(next_recipient++), .eik = "990000031", .name = "Получател",
	    .uri = uri, .certificate_serial = serial, .entity_status = status,
	    .service_status = PARTICIPANT_ACTIVE, .status = status};
	struct courier *c = self.state;

	assert_true(snapshot_builder_add(b, &p));
	int fd = snapshot_builder_finish(b, 0, when_now(), when_now(), SNAPSHOT_FULL);
	snapshot_builder_free(b);
	assert_true(fd >= 0);
	struct ipc_frame f = {.type = WIRE_SNAPSHOT, .fds = {fd}, .nfds = 1};
	for (size_t i = 0; i < role_courier.message_count; i++) {
		if (role_courier.messages[i].type == WIRE_SNAPSHOT)
			role_courier.messages[i].handle(&self, (struct peer){ROLE_DIRECTORY, 0}, &f);
	}
	assert_non_null(c->snapshot);
	return p.guid;
}

static struct guid
at(const char *listener, const char *path)
{
	char uri[200];

	snprintf(uri, sizeof uri, "https://primer.obmen.local:%d%s", http_peer_port(&peer, listener),
	    path);
	return registered(uri, PARTICIPANT_ACTIVE, "0A1B2C3D4E5F6071");
}

static void
submit(struct guid sender, struct guid recipient, const void *body, size_t len, bool in_fd)
{
	static uint64_t id;
	struct wire_deliver m = {.kind = DELIVERY_DOCUMENT, .sender = sender, .recipient = recipient,
	    .message_guid = guid_of(1), .document_guid = guid_of(2)};
	int fd = in_fd ? wire_memfd("body", body, len) : -1;

	m.body = (struct wire_body){.data = {in_fd ? NULL : body, in_fd ? 0 : len}, .in_fd = in_fd,
	    .size = len};
	last.frames = 0;
	assert_true(wire_send(far_store, WIRE_DELIVER, ++id, &m, &fd, in_fd));
}

static void
deliver_body(struct guid sender, struct guid recipient, const void *body, size_t len, bool in_fd)
{
	submit(sender, recipient, body, len, in_fd);
	event_base_dispatch(base);
	assert_int_equal(last.frames, 1);
}

static void
deliver(struct guid recipient)
{
	deliver_body(own_a, recipient, "<x/>", 4, false);
}

static void
expect_undelivered(enum undelivered_class class, enum fault fault)
{
	assert_int_equal(last.type, WIRE_UNDELIVERED);
	assert_int_equal(last.codec, -1);
	assert_int_equal(last.undelivered.class, class);
	assert_string_equal(fault_code((enum fault)last.undelivered.fault), fault_code(fault));
}

static void
test_answer(void **state)
{
	(void)state;
	struct guid to = at("good", "/egov?wsdl");
	deliver(to);
	assert_int_equal(last.type, WIRE_ANSWER);
	assert_int_equal(last.answer.http_status, 200);
	assert_int_equal(last.answer.kind, DELIVERY_DOCUMENT);
	assert_true(guid_equal(&last.answer.sender, &own_a));
	assert_true(guid_equal(&last.answer.recipient, &to));
	assert_true(last.answer.tls_certificate.len > 500);
	assert_true(last.answer.sent > 0 && last.answer.answered >= last.answer.sent);
	assert_non_null(strstr(last.url, "/egov?wsdl"));
	assert_non_null(strstr(last.body, "\"path\": \"/egov?wsdl\""));
	assert_non_null(strstr(last.body, "\"content-type\": \"text/xml; charset=utf-8\""));
	assert_non_null(strstr(last.body,
	    "\"soapaction\": \"\\\"http://services.egov.bg/messaging/IEGovService/Submit\\\"\""));
	/* Each of our participants shows its own certificate. */
	assert_non_null(strstr(last.body, "\"client\": \"0A1B2C3D4E5F6071\""));
	deliver_body(own_b, to, "<x/>", 4, false);
	assert_non_null(strstr(last.body, "\"client\": \"2B1C3D4E5F607182\""));
	deliver(at("good", "/status/500"));
	assert_int_equal(last.type, WIRE_ANSWER);
	assert_int_equal(last.answer.http_status, 500);
	assert_string_equal(last.body, "<fault/>");
}

static void
test_large(void **state)
{
	enum { SIZE = 3 << 20 };
	char *body = malloc(SIZE), hex[65];
	uint8_t digest[32];

	(void)state;
	for (int i = 0; i < SIZE; i++)
		body[i] = (char)(i * 7 + i / 1000);
	EVP_Q_digest(NULL, "SHA256", NULL, body, SIZE, digest, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	deliver_body(own_a, at("good", "/"), body, SIZE, true);
	assert_int_equal(last.type, WIRE_ANSWER);
	assert_non_null(strstr(last.body, hex));
	assert_non_null(strstr(last.body, "\"expect\": \"100-continue\""));
	/* A peer that chokes on it is not asked. */
	struct guid shy = at("good", "/");
	self_conf(&self)->peers[0].guid = shy;
	self_conf(&self)->peers[0].expect_continue = false;
	deliver_body(own_a, shy, body, SIZE, true);
	assert_null(strstr(last.body, "expect"));
	free(body);
	/* An answer too large for a frame. */
	deliver(at("good", "/huge"));
	assert_int_equal(last.type, WIRE_ANSWER);
	assert_true(last.answer.body.in_fd);
	assert_int_equal(strlen(last.body), 1000000);
}

static void
test_recipients(void **state)
{
	(void)state;
	deliver_body(guid_of(9), at("good", "/"), "<x/>", 4, false);
	expect_undelivered(UNDELIVERED_AGAIN, FAULT_INTERNAL);
	deliver(guid_of(8));
	expect_undelivered(UNDELIVERED_INACTIVE, FAULT_RECIPIENT_UNKNOWN);
	deliver(registered("https://primer.obmen.local:1/", PARTICIPANT_INACTIVE, ""));
	expect_undelivered(UNDELIVERED_INACTIVE, FAULT_RECIPIENT_INACTIVE);
	when now = when_now();
	deliver(registered("https://primer.obmen.local:1/", PARTICIPANT_TEMPORARILY_INACTIVE, ""));
	expect_undelivered(UNDELIVERED_HELD, FAULT_RECIPIENT_HELD);
	assert_true(last.undelivered.retry >= now + 60 * WHEN_SECOND);
	deliver(registered("http://primer.obmen.local/", PARTICIPANT_ACTIVE, ""));
	expect_undelivered(UNDELIVERED_CONNECT, FAULT_PEER_NAME);
	assert_string_equal(last.detail, "the URL is not https");
}

static void
test_no_register(void **state)
{
	struct courier *c = self.state;
	struct snapshot *kept = c->snapshot;

	(void)state;
	c->snapshot = NULL;
	deliver(guid_of(8));
	expect_undelivered(UNDELIVERED_AGAIN, FAULT_REGISTER_EMPTY);
	c->snapshot = kept;
}

static void
test_failures(void **state)
{
	static const struct {
		const char *listener, *path;
		enum undelivered_class class;
		enum fault fault;
		const char *detail; /* part of it */
		uint64_t status;
	} rows[] = {
	    {"good", "/status/404", UNDELIVERED_HTTP, FAULT_PEER_HTTP, "HTTP 404", 404},
	    {"good", "/status/503", UNDELIVERED_HTTP, FAULT_PEER_HTTP, "HTTP 503", 503},
	    {"good", "/status/202", UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, "HTTP 202", 202},
	    {"good", "/413", UNDELIVERED_HTTP, FAULT_PEER_HTTP, "HTTP 413", 413},
	    {"good", "/reset-body", UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, "", 0},
	    {"good", "/reset-answer", UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, "", 0},
	    {"good", "/garbage", UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, "not HTTP", 0},
	    {"good", "/silent", UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS, "nothing moved", 0},
	    {"expired", "/", UNDELIVERED_CONNECT, FAULT_PEER_TLS, "certificate", 0},
	    {"strange", "/", UNDELIVERED_CONNECT, FAULT_PEER_TLS, "unknown CA", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		deliver(at(rows[i].listener, rows[i].path));
		expect_undelivered(rows[i].class, rows[i].fault);
		assert_int_equal(last.undelivered.http_status, rows[i].status);
		assert_non_null(strstr(last.detail, rows[i].detail));
		assert_non_null(strstr(last.url, rows[i].path));
	}
}

static void
test_breaker(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char uri[100];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(uri, sizeof uri, "https://primer.obmen.local:%d/", ntohs(a.sin_port));
	struct guid to = registered(uri, PARTICIPANT_ACTIVE, "");
	for (int i = 0; i < 3; i++) {
		deliver(to);
		expect_undelivered(UNDELIVERED_CONNECT, FAULT_PEER_CONNECT);
	}
	when now = when_now();
	deliver(to);
	expect_undelivered(UNDELIVERED_HELD, FAULT_BREAKER_OPEN);
	assert_true(last.undelivered.retry > now && last.undelivered.retry <= now + WHEN_SECOND);
	json_t *status = role_courier.status(&self);
	const json_t *link = json_array_get(json_object_get(status, "peers"), 0);
	assert_string_equal(json_string_value(json_object_get(link, "url")), uri);
	assert_string_equal(json_string_value(json_object_get(link, "breaker")), "open");
	assert_string_equal(json_string_value(json_object_get(link, "last_detail")),
	    "Connection refused");
	json_decref(status);
	usleep(1100000);
	deliver(to); /* the probe */
	expect_undelivered(UNDELIVERED_CONNECT, FAULT_PEER_CONNECT);
	now = when_now();
	deliver(to);
	expect_undelivered(UNDELIVERED_HELD, FAULT_BREAKER_OPEN);
	assert_true(last.undelivered.retry > now + WHEN_SECOND); /* doubled */
	close(fd);
}

/* The clockwork alone: doubling, its end, one probe at a time, recovery. */
static void
test_breaker_times(void **state)
{
	struct conf conf = {.breaker_failures = 2, .breaker_pause = 1000};
	struct links links;
	when now = 1000 * WHEN_SECOND, retry;

	(void)state;
	links_init(&links, &conf);
	struct link *l = link_find(&links, "https://x/");
	for (int i = 0; i < 3; i++)
		assert_true(link_begin(l, now, &retry));
	for (int i = 0; i < 3; i++) /* the third was under way already: it opens nothing wider */
		link_end(&links, l, LINK_FAILED, now, FAULT_PEER_CONNECT, "refused");
	when pauses[] = {1000, 2000, 3600, 3600};
	for (int i = 0; i < 4; i++) {
		assert_false(link_begin(l, now + pauses[i] * WHEN_SECOND - 1, &retry));
		assert_int_equal(retry, now + pauses[i] * WHEN_SECOND);
		now = retry;
		assert_true(link_begin(l, now, &retry));
		assert_false(link_begin(l, now, &retry)); /* one probe */
		assert_true(retry > now);
		link_end(&links, l, LINK_FAILED, now, FAULT_PEER_CONNECT, "refused");
	}
	now += 3600 * WHEN_SECOND;
	assert_true(link_begin(l, now, &retry));
	link_end(&links, l, LINK_UNTRIED, now, FAULT_NONE, NULL); /* the next one is the probe */
	assert_true(link_begin(l, now, &retry));
	link_end(&links, l, LINK_ANSWERED, now, FAULT_NONE, NULL);
	assert_int_equal(l->state, LINK_CLOSED);
	assert_int_equal(l->in_flight, 0);
	for (unsigned i = 0; i < LINKS_MAX + 10; i++) {
		char url[32];
		snprintf(url, sizeof url, "https://x/%u", i);
		assert_non_null(link_find(&links, url));
	}
	assert_int_equal(links.count, LINKS_MAX);
	links_free(&links);
}

/* Another name is tolerated when the serial is the registered one; otherwise nothing is sent. */
static void
test_name_mismatch(void **state)
{
	char uri[100];

	(void)state;
	snprintf(uri, sizeof uri, "https://drug.obmen.local:%d/", http_peer_port(&peer, "good"));
	deliver(registered(uri, PARTICIPANT_ACTIVE, "0A1B2C3D4E5F6071"));
	expect_undelivered(UNDELIVERED_CONNECT, FAULT_PEER_TLS);
	assert_string_equal(last.detail, "certificate is for another name");
	static const char *const serials[] = {"0A1B2C3D4E5F6071", "a1b2c3d4e5f6071",
	    "0A1B2C3D4E5F6072", "", "zz"};
	for (int i = 0; i < 5; i++) {
		struct guid to = registered(uri, PARTICIPANT_ACTIVE, serials[i]);
		self_conf(&self)->peers[0].guid = to;
		self_conf(&self)->peers[0].tls_name_mismatch = true;
		deliver(to);
		if (i < 2) {
			assert_int_equal(last.type, WIRE_ANSWER);
			continue;
		}
		expect_undelivered(UNDELIVERED_CONNECT, FAULT_PEER_TLS);
		assert_string_equal(last.detail, "the server's certificate is not the registered one");
		assert_int_equal(last.undelivered.sent, WHEN_NONE);
	}
	self_conf(&self)->peers[0].tls_name_mismatch = false;
}

static void
test_codecs(void **state)
{
	bool seen[CODECS] = {false};

	(void)state;
	struct guid to = at("good", "/");
	for (int i = 0; i < 4; i++) {
		deliver(to);
		seen[last.codec] = true;
	}
	assert_true(seen[0] && seen[1]);
	disconnect_role(ROLE_CODEC, 0, &far_codec[0]);
	for (int i = 0; i < 3; i++) {
		deliver(to);
		assert_int_equal(last.codec, 1);
	}
	disconnect_role(ROLE_CODEC, 1, &far_codec[1]);
	deliver(to);
	expect_undelivered(UNDELIVERED_AMBIGUOUS, FAULT_PEER_AMBIGUOUS);
	connect_role(ROLE_CODEC, 0, &far_codec[0]);
	connect_role(ROLE_CODEC, 1, &far_codec[1]);
}

static void
test_window(void **state)
{
	unsigned window = 2 * self_conf(&self)->send_window;

	(void)state;
	struct guid to = at("good", "/sip");
	for (unsigned i = 0; i < window + 1; i++)
		submit(own_a, to, "<x/>", 4, false);
	event_base_dispatch(base);
	expect_undelivered(UNDELIVERED_AGAIN, FAULT_OVERLOADED);
	while (((struct courier *)self.state)->in_flight > 0) {
		event_base_dispatch(base);
		assert_int_equal(last.type, WIRE_ANSWER);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* An orderly end: what had not begun to leave goes out after the next start, unasked; the rest is polled.
 * The last case: nothing works after it. */
static void
test_stop(void **state)
{
	int deaf = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	struct courier *c = self.state;
	char uri[100];
	unsigned told = 0;

	(void)state;
	assert_int_equal(bind(deaf, (struct sockaddr *)&a, len) | listen(deaf, 8), 0);
	getsockname(deaf, (struct sockaddr *)&a, &len);
	snprintf(uri, sizeof uri, "https://drug.obmen.local:%d/", ntohs(a.sin_port));
	submit(own_a, at("good", "/silent"), "<x/>", 4, false);
	while (!TAILQ_FIRST(&c->deliveries) || !http_call_body_left(TAILQ_FIRST(&c->deliveries)->call))
		event_base_loop(base, EVLOOP_ONCE);
	/* Two get a connection, the third waits for one. */
	struct guid to = registered(uri, PARTICIPANT_ACTIVE, "");
	for (int i = 0; i < 3; i++)
		submit(own_a, to, "<x/>", 4, false);
	while (c->in_flight < 4)
		event_base_loop(base, EVLOOP_ONCE);
	last.frames = 0;
	role_courier.stop(&self);
	ipc_flush(self.peers[ROLE_STORE][0]);
	while (told < 3) {
		event_base_dispatch(base);
		told += last.frames;
		last.frames = 0;
		expect_undelivered(UNDELIVERED_AGAIN, FAULT_INTERNAL);
		assert_string_equal(last.url, uri);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(last.frames, 0);
	close(deaf);
}

static void
write_file(char *path, size_t size, const char *name, const char *text)
{
	snprintf(path, size, "%s/%s", fixture.folder, name);
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static int
setup(void **state)
{
	static struct conf_participant own[2];
	static char hosts[300];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_init("test", -1, LOG_ERROR);
	fixture_open(&fixture);
	http_peer_open(&peer, fixture.folder);
	write_file(hosts, sizeof hosts, "hosts",
	    "127.0.0.1 primer.obmen.local\n127.0.0.1 drug.obmen.local\n");
	base = event_base_new();
	own[0] = (struct conf_participant){.guid = own_a, .certificate = CERT_A};
	own[1] = (struct conf_participant){.guid = own_b, .certificate = CERT_B};
	fixture.conf.participants = own;
	fixture.conf.participant_count = 2;
	fixture.conf.hosts_file = hosts;
	fixture.conf.peer_connections = 2;
	fixture.conf.send_window = 4;
	fixture.conf.send_timeout = 1;
	fixture.conf.hold_interval = 60;
	fixture.conf.breaker_failures = 3;
	fixture.conf.breaker_pause = 1;
	self = (struct self){.role = ROLE_COURIER, .base = base, .conf = &fixture.conf,
	    .workers = CODECS, .sync_signer = fixture.sync[ROLE_COURIER]};
	assert_true(role_courier.open(&self));
	connect_role(ROLE_STORE, 0, &far_store);
	connect_role(ROLE_CODEC, 0, &far_codec[0]);
	connect_role(ROLE_CODEC, 1, &far_codec[1]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	role_courier.stop(&self);
	disconnect_role(ROLE_STORE, 0, &far_store);
	disconnect_role(ROLE_CODEC, 0, &far_codec[0]);
	disconnect_role(ROLE_CODEC, 1, &far_codec[1]);
	event_base_free(base);
	free(last.body);
	http_peer_close(&peer);
	fixture_close(&fixture);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_recipients),
	    cmocka_unit_test(test_no_register),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_breaker),
	    cmocka_unit_test(test_breaker_times),
	    cmocka_unit_test(test_name_mismatch),
	    cmocka_unit_test(test_codecs),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
