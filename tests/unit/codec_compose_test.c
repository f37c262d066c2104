/* What codec writes for the store: judged by xmlsec1, by our own inbound path, by what was asked. */
#include "codec_world.h"

#include "obmend/codec_details.h"

static const char details[] =
    "{\"number\":\"РД-1\",\"date\":\"2026-11-20\",\"kind\":\"Писмо\",\"about\":\"Относно & <нещо>\","
    "\"comment\":\"бележка\",\"message_comment\":\"N/A\",\"date_close\":\"2026-12-31\","
    "\"correspondents\":[{\"name\":\"Иван \\\"И.\\\" Иванов\",\"egn\":\"0000000000\"}],"
    "\"attachments\":[{\"file_name\":\"a.pdf\",\"mime_type\":\"application/pdf\",\"size\":5},"
    "{\"file_name\":\"b.txt\",\"size\":7}]}";

static const struct guid document = {{0xdd, 9}};

/* Sends the request; the descriptors are taken. */
static void
ask(struct world *w, const struct wire_compose *c, const int *fds, unsigned nfds)
{
	assert_true(wire_send(w->far[ROLE_STORE], WIRE_COMPOSE, ++w->next_id, c, fds, nfds));
}

static void
await_composed(struct world *w, struct wire_composed *c, int *fd)
{
	struct ipc_frame *f = world_await(w, WIRE_COMPOSED);

	assert_true(wire_unpack(f, WIRE_COMPOSED, c));
	assert_int_equal(f->id, w->next_id);
	*fd = f->nfds ? f->fds[0] : -1;
	assert_int_equal(world_in_flight(w), 0);
}

static struct wire_compose
document_to(enum who to)
{
	return (struct wire_compose){
	    .kind = DELIVERY_DOCUMENT,
	    .sender = who[A].guid,
	    .recipient = who[to].guid,
	    .details = {(const uint8_t *)details, strlen(details)},
	    .has_attachments = true,
	    .document = {.guid = document},
	};
}

static enum fault
keep_inner(void *arg, const void *data, size_t len)
{
	return buf_add(arg, data, len) ? FAULT_NONE : FAULT_INTERNAL;
}

/* The bare message, in a file that xmlsec1 judges with our certificate. */
static void
judge(struct world *w, struct wire_bytes soap)
{
	struct envelope *e = envelope_new();
	struct buf inner = {0};
	enum envelope_content content;
	char path[400], command[1200];

	assert_true(envelope_begin(e, ENVELOPE_REQUEST, keep_inner, &inner));
	assert_int_equal(envelope_feed(e, soap.data, soap.len), FAULT_NONE);
	assert_int_equal(envelope_end(e, &content), FAULT_NONE);
	envelope_free(e);
	snprintf(path, sizeof path, "%s/composed.xml", w->folder);
	FILE *f = fopen(path, "w");
	fwrite(inner.data, 1, inner.len, f);
	fclose(f);
	buf_free(&inner);
	snprintf(command, sizeof command,
	    "xmlsec1 --verify --pubkey-cert-pem %s/a.pem --node-xpath "
	    "\"/*/*[local-name()='Signature']\" %s >%s/xmlsec1.log 2>&1",
	    w->folder, path, w->folder);
	assert_int_equal(system(command), 0);
}

static void
a_document_is_written_and_signed(void **state)
{
	struct world *w = *state;
	struct wire_compose c = document_to(B);
	struct wire_composed r;
	struct message m = {0};
	int fd, files = wire_memfd("attachments", "%PDF-content", 12);

	ask(w, &c, &files, 1);
	await_composed(w, &r, &fd);
	assert_int_equal(r.outcome, OUTCOME_DONE);
	assert_int_equal(r.method, SIGNATURE_RSA_SHA1);
	assert_false(r.body.in_fd);
	read_signed(w, r.body.data, ENVELOPE_REQUEST, &m, SIGNATURE_RSA_SHA1);
	judge(w, r.body.data);
	assert_true(guid_equal(&m.guid, &r.message_guid));
	assert_string_equal(m.sender.name, who[A].name);
	assert_string_equal(m.recipient.name, who[B].name);
	assert_string_equal(m.recipient.eik, who[B].eik);
	assert_string_equal(m.document.about, "Относно & <нещо>");
	assert_string_equal(m.comment, "N/A");
	assert_string_equal(m.document.correspondents->name, "Иван \"И.\" Иванов");
	assert_int_equal(m.document.attachment_count, 2);
	assert_int_equal(m.document.attachments->size, 5);
	assert_string_equal(m.document.attachments->next->mime_type, "application/octet-stream");
	assert_true(guid_equal(&m.document.id.guid, &document));
	message_free(&m);
}

static void
the_method_follows_what_the_recipient_sent(void **state)
{
	static const struct {
		bool seen;
		enum signature_policy global, peer;
		enum signature_method expected;
	} cases[] = {
	    {false, SIGN_AUTO, SIGN_AUTO, SIGNATURE_RSA_SHA1},
	    {true, SIGN_AUTO, SIGN_AUTO, SIGNATURE_RSA_SHA256},
	    {false, SIGN_SHA256, SIGN_AUTO, SIGNATURE_RSA_SHA256},
	    {true, SIGN_SHA256, SIGN_SHA1, SIGNATURE_RSA_SHA1},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wire_compose c = {.kind = DELIVERY_POLL, .sender = who[A].guid,
		    .recipient = who[BRIDGE].guid, .sha256_seen = cases[i].seen,
		    .document = {.guid = document}};
		struct wire_composed r;
		int fd;
		w->conf.signature = cases[i].global;
		w->peers[0].signature = cases[i].peer;
		ask(w, &c, NULL, 0);
		await_composed(w, &r, &fd);
		assert_int_equal(r.outcome, OUTCOME_DONE);
		assert_int_equal(r.method, cases[i].expected);
		judge(w, r.body.data);
	}
}

static void
a_status_notification_echoes_the_peers_guid(void **state)
{
	struct world *w = *state;
	struct wire_compose c = {.kind = DELIVERY_STATUS, .sender = who[A].guid,
	    .recipient = who[B].guid,
	    .document = {.guid = document, .guid_text = "{DD090000-0000-0000-0000-000000000000}"},
	    .status = {.status = STATUS_REJECTED, .id = {.number = "ВХ-9", .date = "2026-11-21"},
	        .reason = "Липсва подпис"}};
	struct wire_composed r;
	struct message m = {0};
	int fd;

	ask(w, &c, NULL, 0);
	await_composed(w, &r, &fd);
	read_signed(w, r.body.data, ENVELOPE_REQUEST, &m, SIGNATURE_RSA_SHA1);
	judge(w, r.body.data);
	assert_int_equal(m.type, MESSAGE_STATUS_RESPONSE);
	assert_int_equal(m.status.status, STATUS_REJECTED);
	assert_string_equal(m.status.reason, "Липсва подпис");
	assert_string_equal(m.status.id.number, "ВХ-9");
	assert_string_equal(m.status.id.guid_text, "{DD090000-0000-0000-0000-000000000000}");
	message_free(&m);
}

static void
a_poll_asks_by_guid(void **state)
{
	struct world *w = *state;
	struct wire_compose c = {.kind = DELIVERY_POLL, .sender = who[A].guid, .recipient = who[B].guid,
	    .document = {.guid = document, .number = "наш номер"}};
	struct wire_composed r;
	struct message m = {0};
	int fd;

	ask(w, &c, NULL, 0);
	await_composed(w, &r, &fd);
	read_signed(w, r.body.data, ENVELOPE_REQUEST, &m, SIGNATURE_RSA_SHA1);
	assert_int_equal(m.type, MESSAGE_STATUS_REQUEST);
	assert_true(guid_equal(&m.asked.guid, &document));
	assert_null(m.asked.number);
	message_free(&m);
}

/* A to A: our own inbound path must accept what we write. */
static void
our_inbound_path_accepts_it(void **state)
{
	struct world *w = *state;
	struct wire_compose c = document_to(A);
	struct wire_composed r;
	struct wire_reply reply;
	struct wire_receive in;
	int fd, files = wire_memfd("attachments", "%PDF-content", 12);

	ask(w, &c, &files, 1);
	await_composed(w, &r, &fd);
	struct buf soap = {.data = (uint8_t *)(uintptr_t)r.body.data.data, .len = r.body.data.len};
	submit(w, &soap, &w->own);
	assert_true(wire_unpack(world_await(w, WIRE_REPLY), WIRE_REPLY, &reply));
	assert_int_equal(reply.http_status, 200);
	assert_true(wire_unpack(world_await(w, WIRE_RECEIVE), WIRE_RECEIVE, &in));
	assert_int_equal(in.fault, FAULT_NONE);
	assert_true(guid_equal(&in.message_guid, &r.message_guid));
}

/* A large document into the file that the store gave, then read, verified, and taken apart. */
static void
a_large_document_goes_to_a_file(void **state)
{
	struct world *w = *state;
	const uint64_t size = (3 << 20) + 17;
	char text[200];
	struct wire_compose c = document_to(A);
	struct wire_composed r;
	struct wire_receive in;
	int fd, fds[2] = {memfd_create("attachments", MFD_CLOEXEC), memfd_create("out", MFD_CLOEXEC)};

	for (uint64_t i = 0; i < size; i += 4096) {
		uint32_t block[1024];
		for (size_t k = 0; k < 1024; k++)
			block[k] = (uint32_t)(i * 2654435761u + k * 40503u);
		assert_int_equal(pwrite(fds[0], block, sizeof block, (off_t)i), sizeof block);
	}
	int source = dup(fds[0]);
	snprintf(text, sizeof text,
	    "{\"kind\":\"Писмо\",\"attachments\":[{\"file_name\":\"a\",\"size\":3},"
	    "{\"file_name\":\"b\",\"size\":%llu}]}",
	    (unsigned long long)size - 3);
	c.details = (struct wire_bytes){(const uint8_t *)text, strlen(text)};
	c.has_output = true;
	ask(w, &c, fds, 2);
	await_composed(w, &r, &fd);
	assert_int_equal(r.outcome, OUTCOME_DONE);
	assert_true(r.body.in_fd && r.body.spooled);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal((uint64_t)st.st_size, r.body.size);
	assert_true(r.body.size > size / 3 * 4);

	struct buf soap = {.max = 100 << 20}, der = {0};
	assert_int_equal(pread(fd, buf_room(&soap, r.body.size), r.body.size, 0), r.body.size);
	soap.len = r.body.size;
	judge(w, (struct wire_bytes){soap.data, soap.len});
	struct wire_inbound inbound = {.received = when_now(), .peer_address = "x",
	    .tls_certificate = der_of(&w->own, &der),
	    .body = {.in_fd = true, .size = r.body.size, .spooled = true}};
	int body = dup(fd);
	wire_send(w->far[ROLE_FRONT], WIRE_INBOUND, ++w->next_id, &inbound, &body, 1);
	assert_true(wire_unpack(world_await(w, WIRE_RECEIVE), WIRE_RECEIVE, &in));
	assert_int_equal(in.fault, FAULT_NONE);
	assert_true(in.body.in_fd && in.body.spooled);
	world_await(w, WIRE_REPLY);

	int detach[2] = {dup(fd), memfd_create("detached", MFD_CLOEXEC)}, result = dup(detach[1]);
	json_t *query = json_pack("{s:s, s:i}", "verb", "document.detach", "index", 1);
	wire_send_json(w->far[ROLE_CONTROL], WIRE_QUERY, 77, query, detach, 2);
	json_decref(query);
	json_t *answer = wire_get_json(world_await(w, WIRE_QUERY_REPLY));
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_integer_value(json_object_get(answer, "size")), size - 3);
	assert_string_equal(json_string_value(json_object_get(answer, "file_name")), "b");
	json_decref(answer);
	for (uint64_t at = 0; at < size - 3; at += 4096) {
		char x[4096], y[4096];
		size_t n = size - 3 - at < 4096 ? (size_t)(size - 3 - at) : 4096;
		assert_int_equal(pread(result, x, n, (off_t)at), n);
		assert_int_equal(pread(source, y, n, (off_t)at + 3), n);
		assert_memory_equal(x, y, n);
	}
	close(result);
	close(source);
	buf_free(&soap);
	buf_free(&der);
}

/* Between inline and a file: a memory descriptor. Details in a descriptor of their own. */
static void
a_middling_document_travels_in_memory(void **state)
{
	struct world *w = *state;
	struct wire_compose c = document_to(B);
	struct wire_composed r;
	struct message m = {0};
	char *text = malloc(80000);
	int fd, fds[2];

	memset(text, 0, 80000);
	strcpy(text, "{\"kind\":\"Писмо\",\"about\":\"");
	memset(text + strlen(text), 'x', 20000);
	strcat(text, "\",\"attachments\":[{\"file_name\":\"a\",\"size\":50000}]}");
	fds[0] = memfd_create("attachments", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fds[0], 50000), 0);
	fds[1] = wire_memfd("details", text, strlen(text));
	c.details = (struct wire_bytes){0};
	c.details_in_fd = true;
	c.details_size = strlen(text);
	ask(w, &c, fds, 2);
	await_composed(w, &r, &fd);
	assert_int_equal(r.outcome, OUTCOME_DONE);
	assert_true(r.body.in_fd && !r.body.spooled);
	struct buf soap = {0};
	assert_int_equal(pread(fd, buf_room(&soap, r.body.size), r.body.size, 0), r.body.size);
	read_signed(w, (struct wire_bytes){soap.data, r.body.size}, ENVELOPE_REQUEST, &m,
	    SIGNATURE_RSA_SHA1);
	assert_int_equal(strlen(m.document.about), 20000);
	message_free(&m);
	buf_free(&soap);
	free(text);
}

static void
what_cannot_be_written_is_refused_for_good(void **state)
{
	struct world *w = *state;
	struct {
		struct wire_compose c;
		enum fault fault;
	} cases[] = {
	    {document_to(GONE), FAULT_RECIPIENT_UNKNOWN},
	    {document_to(B), FAULT_FIELD_VALUE},
	    {document_to(B), FAULT_CONF_INVALID},
	    {document_to(B), FAULT_FIELD_MISSING},
	};
	const char bad[] = "{\"number\":\"1\",\"date\":\"утре\"}", half[] = "{\"number\":\"1\"}";

	cases[1].c.details = (struct wire_bytes){(const uint8_t *)bad, strlen(bad)};
	cases[2].c.sender = who[C].guid;
	cases[3].c.details = (struct wire_bytes){(const uint8_t *)half, strlen(half)};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wire_composed r;
		int fd, files = wire_memfd("attachments", "%PDF-content", 12);
		ask(w, &cases[i].c, &files, 1);
		await_composed(w, &r, &fd);
		assert_int_equal(r.outcome, OUTCOME_PERMANENT);
		assert_int_equal(r.fault, cases[i].fault);
	}
}

/* Attachments shorter than the details say: the message must not be sent. */
static void
short_attachments_fail(void **state)
{
	struct world *w = *state;
	struct wire_compose c = document_to(B);
	struct wire_composed r;
	int fd, files = wire_memfd("attachments", "%PDF", 4);

	ask(w, &c, &files, 1);
	await_composed(w, &r, &fd);
	assert_int_equal(r.outcome, OUTCOME_PERMANENT);
	assert_int_equal(r.fault, FAULT_FIELD_VALUE);
}

static void
own_trouble_is_temporary(void **state)
{
	struct world *w = *state;
	struct wire_compose c = {.kind = DELIVERY_POLL, .sender = who[A].guid, .recipient = who[B].guid,
	    .document = {.guid = document}};
	struct wire_composed r;
	int fd;

	w->signer_silent = true;
	ask(w, &c, NULL, 0);
	world_await(w, WIRE_SIGN);
	world_kill(w, ROLE_SIGNER);
	await_composed(w, &r, &fd);
	assert_int_equal(r.outcome, OUTCOME_TEMPORARY);
	ask(w, &c, NULL, 0);
	await_composed(w, &r, &fd);
	assert_int_equal(r.outcome, OUTCOME_TEMPORARY);

	world_reset(state);
	w->signer_silent = true;
	ask(w, &c, NULL, 0);
	world_await(w, WIRE_SIGN);
	world_kill(w, ROLE_STORE); /* who asked is gone: silence */
	assert_int_equal(world_in_flight(w), 0);
	assert_int_equal(world_count(w, WIRE_COMPOSED), 0);
}

static void
detach_refuses_what_is_not_there(void **state)
{
	struct world *w = *state;
	int pipes[2], fds[2];
	json_t *query = json_pack("{s:s, s:i}", "verb", "document.detach", "index", 5), *answer;

	fds[0] = wire_memfd("body", "<x/>", 4);
	fds[1] = memfd_create("out", MFD_CLOEXEC);
	wire_send_json(w->far[ROLE_CONTROL], WIRE_QUERY, 1, query, fds, 2);
	answer = wire_get_json(world_await(w, WIRE_QUERY_REPLY));
	assert_string_equal(json_string_value(json_object_get(answer, "fault")), "X-102");
	json_decref(answer);

	assert_int_equal(pipe(pipes), 0); /* a reader who never reads must not keep us waiting */
	fds[0] = wire_memfd("body", "<x/>", 4);
	fds[1] = pipes[1];
	wire_send_json(w->far[ROLE_CONTROL], WIRE_QUERY, 2, query, fds, 2);
	answer = wire_get_json(world_await(w, WIRE_QUERY_REPLY));
	assert_string_equal(json_string_value(json_object_get(answer, "fault")), "U-102");
	json_decref(answer);
	json_decref(query);
	close(pipes[0]);
}

#define TEST(name) cmocka_unit_test_setup(name, world_reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_document_is_written_and_signed),
	    TEST(the_method_follows_what_the_recipient_sent),
	    TEST(a_status_notification_echoes_the_peers_guid),
	    TEST(a_poll_asks_by_guid),
	    TEST(our_inbound_path_accepts_it),
	    TEST(a_large_document_goes_to_a_file),
	    TEST(a_middling_document_travels_in_memory),
	    TEST(what_cannot_be_written_is_refused_for_good),
	    TEST(short_attachments_fail),
	    TEST(own_trouble_is_temporary),
	    TEST(detach_refuses_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
