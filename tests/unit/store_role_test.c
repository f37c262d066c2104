/* The store role in its loop: the test plays front, codecs, courier and control over real channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "lib/sandbox.h"
#include "obmend/role.h"
#include "store_fixture.h"

#define FRAMES_MAX 256

struct node;

/* One end of a channel in the test's hands. */
struct end {
	struct node *node;
	struct peer peer;
	struct ipc *ours, *theirs;
};

struct frame {
	struct end *at;
	struct ipc_frame f;
	uint8_t *payload;
};

struct node {
	char directory[64];
	struct event_base *base;
	struct conf conf;
	struct conf_participant own;
	struct self self;
	struct end front, codecs[2], courier, control;
	struct frame frames[FRAMES_MAX];
	unsigned count, taken;
	uint64_t next_id;
};

/* As role.c does it: the frame goes to the handler of its row. */
static void
to_role(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct end *e = arg;

	(void)ipc;
	for (size_t i = 0; i < role_store.message_count; i++) {
		const struct role_message *m = &role_store.messages[i];
		if (m->from == e->peer.role && m->type == f->type) {
			m->handle(&e->node->self, e->peer, f);
			return;
		}
	}
	fail_msg("no handler for type %u", f->type);
}

static void
to_test(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct end *e = arg;
	struct node *n = e->node;

	(void)ipc;
	if (f->type == WIRE_MAINTENANCE) /* said on every new channel to front; care_test reads it */
		return;
	assert_true(n->count < FRAMES_MAX);
	struct frame *kept = &n->frames[n->count++];
	*kept = (struct frame){.at = e, .f = *f, .payload = malloc(f->len + 1)};
	memcpy(kept->payload, f->payload, f->len);
	kept->f.payload = kept->payload;
	for (unsigned i = 0; i < f->nfds; i++)
		kept->f.fds[i] = ipc_take_fd(f, i);
}

static void
down(struct ipc *ipc, void *arg)
{
	(void)ipc, (void)arg;
}

static void
connect_end(struct node *n, struct end *e, enum role_id role, unsigned index)
{
	int fds[2];

	*e = (struct end){.node = n, .peer = {role, index}};
	assert_true(ipc_pair(fds));
	e->theirs = ipc_new(n->base, fds[0], to_role, down, e);
	e->ours = ipc_new(n->base, fds[1], to_test, down, e);
	n->self.peers[role][index] = e->theirs;
	role_store.peer_up(&n->self, e->peer);
}

static void
disconnect_end(struct node *n, struct end *e)
{
	ipc_free(e->ours);
	ipc_free(e->theirs);
	e->ours = e->theirs = NULL;
	n->self.peers[e->peer.role][e->peer.index] = NULL;
	role_store.peer_down(&n->self, e->peer);
}

static void
role_up(struct node *n)
{
	n->self = (struct self){.role = ROLE_STORE, .workers = 2, .base = n->base, .conf = &n->conf,
	    .sync_signer = -1};
	assert_true(role_store.open(&n->self));
	assert_true(role_store.start(&n->self));
	connect_end(n, &n->front, ROLE_FRONT, 0);
	connect_end(n, &n->codecs[0], ROLE_CODEC, 0);
	connect_end(n, &n->courier, ROLE_COURIER, 0);
	connect_end(n, &n->control, ROLE_CONTROL, 0);
}

static void
forget_frames(struct node *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		for (unsigned k = 0; k < n->frames[i].f.nfds; k++)
			if (n->frames[i].f.fds[k] >= 0)
				close(n->frames[i].f.fds[k]);
		free(n->frames[i].payload);
	}
	n->count = n->taken = 0;
}

static int
setup(void **state)
{
	struct node *n = calloc(1, sizeof *n);

	*state = n;
	strcpy(n->directory, "/tmp/store-role-XXXXXX");
	assert_non_null(mkdtemp(n->directory));
	n->own.guid = OWN;
	n->conf = (struct conf){.state_directory = n->directory, .retry_first = 900, .retry_count = 10,
	    .poll_first = 86400, .poll_interval = 43200, .expire_after = 30 * 86400,
	    .hold_interval = 600, .send_timeout = 60, .peer_connections = 2, .send_window = 3,
	    .participants = &n->own, .participant_count = 1};
	n->base = event_base_new();
	role_up(n);
	return 0;
}

static int
teardown(void **state)
{
	struct node *n = *state;
	struct end *ends[] = {&n->front, &n->codecs[0], &n->codecs[1], &n->courier, &n->control};

	if (n->self.state)
		role_store.stop(&n->self);
	forget_frames(n);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		ipc_free(ends[i]->ours);
		ipc_free(ends[i]->theirs);
	}
	event_base_free(n->base);
	remove_folder(n->directory);
	free(n);
	return 0;
}

/* Runs the loop until `count` frames are there that were not taken; fails after a minute. */
static void
await(struct node *n, unsigned count)
{
	when until = when_monotonic() + 60 * WHEN_SECOND;

	while (n->count - n->taken < count) {
		event_base_loop(n->base, EVLOOP_NONBLOCK);
		if (when_monotonic() > until)
			fail_msg("%u frames instead of %u", n->count - n->taken, count);
	}
}

/* Runs the loop for a while: nothing more may come. */
static void
quiet(struct node *n)
{
	when until = when_monotonic() + WHEN_SECOND / 20;

	while (when_monotonic() < until)
		event_base_loop(n->base, EVLOOP_NONBLOCK);
	assert_int_equal(n->count, n->taken);
}

/* The next frame, which must come over this channel and be of this type. */
static struct ipc_frame *
expect(struct node *n, struct end *e, unsigned type)
{
	await(n, 1);
	struct frame *got = &n->frames[n->taken++];
	assert_ptr_equal(got->at, e);
	assert_int_equal(got->f.type, type);
	return &got->f;
}

static json_t *
ask(struct node *n, json_t *request, const int *fds, unsigned nfds)
{
	assert_true(wire_send_json(n->control.ours, WIRE_QUERY, ++n->next_id, request, fds, nfds));
	json_decref(request);
	struct ipc_frame *f = expect(n, &n->control, WIRE_QUERY_REPLY);
	assert_int_equal(f->id, n->next_id);
	json_t *reply = wire_get_json(f);
	assert_non_null(reply);
	return reply;
}

static json_int_t
status_number(struct node *n, const char *key)
{
	json_t *s = role_store.status(&n->self);
	json_int_t v = json_integer_value(json_object_get(s, key));

	json_decref(s);
	return v;
}

static json_int_t
submit_document(struct node *n, struct guid recipient, size_t size)
{
	char text[GUID_TEXT_SIZE], own[GUID_TEXT_SIZE];
	int fd = memfd_create("a", MFD_CLOEXEC);
	json_t *attachment = json_pack("{s:s, s:s}", "file_name", "a.pdf", "mime_type", "application/pdf");

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	guid_format(&recipient, text);
	struct guid g = OWN;
	guid_format(&g, own);
	json_t *reply = ask(n, json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:[o]}}", "verb", "submit",
	    "sender", own, "recipient", text, "document", "number", "B-1", "date", "2027-01-15",
	    "about", "x", "attachments", attachment), &fd, 1);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_int_t id = json_integer_value(json_object_get(reply, "id"));
	json_decref(reply);
	return id;
}

static void
assert_state(struct node *n, json_int_t id, const char *state)
{
	json_t *reply = ask(n, json_pack("{s:s, s:I}", "verb", "document.show", "document", id), NULL, 0);
	json_t *d = json_object_get(reply, "document");

	assert_string_equal(json_string_value(json_object_get(d, "state")), state);
	json_decref(reply);
}

static void
send_composed(struct node *n, struct end *codec, uint64_t id, unsigned message)
{
	struct wire_composed c = {.message_guid = MESSAGE(message), .method = SIGNATURE_RSA_SHA1,
	    .body = {.data = {(const uint8_t *)test_body, sizeof test_body - 1},
	        .size = sizeof test_body - 1}};

	(void)n;
	assert_true(wire_send(codec->ours, WIRE_COMPOSED, id, &c, NULL, 0));
}

static void
send_receive_of(struct node *n, unsigned message, unsigned coming)
{
	struct wire_receive w = registration(message, message);

	w.coming = coming;
	w.body = (struct wire_body){.data = {(const uint8_t *)test_body, sizeof test_body - 1},
	    .size = sizeof test_body - 1};
	assert_true(wire_send(n->codecs[0].ours, WIRE_RECEIVE, message, &w, NULL, 0));
}

static void
send_receive(struct node *n, unsigned message)
{
	send_receive_of(n, message, 0);
}

static enum receive_outcome
expect_outcome(struct node *n, uint64_t id, uint64_t *fault)
{
	struct ipc_frame *f = expect(n, &n->codecs[0], WIRE_RECEIVE_REPLY);
	struct wire_receive_reply r;

	assert_int_equal(f->id, id);
	assert_true(wire_unpack(f, WIRE_RECEIVE_REPLY, &r));
	if (fault)
		*fault = r.fault;
	return (enum receive_outcome)r.outcome;
}

/* All that came in one turn is one transaction. */
static void
test_group_commit(void **state)
{
	struct node *n = *state;
	json_int_t before = status_number(n, "batches");

	for (unsigned i = 1; i <= 40; i++)
		send_receive(n, i);
	send_receive(n, 7);
	for (unsigned i = 1; i <= 40; i++)
		assert_int_equal(expect_outcome(n, i, NULL), RECEIVE_STORED);
	assert_int_equal(expect_outcome(n, 7, NULL), RECEIVE_REPEAT);
	assert_true(status_number(n, "batches") - before <= 3);
	assert_int_equal(status_number(n, "received"), 40);
}

/* Five messages one by one, of ten that codec says it has; the number of commits. */
static json_int_t
receive_half(struct node *n, unsigned first)
{
	json_int_t before = status_number(n, "batches");

	for (unsigned i = 1; i <= 5; i++) {
		send_receive_of(n, first + i, 10 - i);
		ipc_flush(n->codecs[0].ours);
		event_base_loop(n->base, EVLOOP_NONBLOCK);
	}
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(expect_outcome(n, first + i, NULL), RECEIVE_STORED);
	return status_number(n, "batches") - before;
}

/* While codec has more at its signer the commit waits for some of it, not for all, and not for ever:
 * on a machine that sleeps meanwhile it does not wait, so it has several chances. */
static void
test_gathering(void **state)
{
	struct node *n = *state;
	unsigned message = 0;

	while (receive_half(n, message) > 1) {
		message += 5;
		assert_true(message < 500);
	}
	/* What was announced does not come. */
	send_receive_of(n, 1000, 1000);
	assert_int_equal(expect_outcome(n, 1000, NULL), RECEIVE_STORED);
}

static void
test_document_out(void **state)
{
	struct node *n = *state;
	json_int_t id = submit_document(n, PEER, 200000);

	struct ipc_frame *f = expect(n, &n->codecs[0], WIRE_COMPOSE);
	struct wire_compose c;
	assert_true(wire_unpack(f, WIRE_COMPOSE, &c));
	assert_int_equal(f->id, id);
	assert_int_equal(c.kind, DELIVERY_DOCUMENT);
	assert_true(c.has_attachments && c.has_output && !c.details_in_fd);
	assert_int_equal(f->nfds, 2);
	assert_int_equal(lseek(f->fds[0], 0, SEEK_END), 200000);
	json_t *details = json_loadb((const char *)c.details.data, c.details.len, 0, NULL);
	assert_non_null(json_object_get(details, "document_guid"));
	json_t *a = json_array_get(json_object_get(details, "attachments"), 0);
	assert_int_equal(json_integer_value(json_object_get(a, "size")), 200000);
	json_decref(details);

	/* The result comes in the file that store gave. */
	struct wire_composed done = {.message_guid = MESSAGE(1), .method = SIGNATURE_RSA_SHA1,
	    .body = {.in_fd = true, .spooled = true, .size = 270000}};
	assert_int_equal(ftruncate(f->fds[1], 270000), 0);
	int output = dup(f->fds[1]);
	assert_true(wire_send(n->codecs[0].ours, WIRE_COMPOSED, f->id, &done, &output, 1));
	f = expect(n, &n->courier, WIRE_DELIVER);
	struct wire_deliver d;
	assert_true(wire_unpack(f, WIRE_DELIVER, &d));
	assert_true(d.body.in_fd);
	assert_int_equal(d.body.size, 270000);
	assert_int_equal(lseek(f->fds[0], 0, SEEK_END), 270000);
	assert_state(n, id, "sending");

	struct wire_answered answered = {.answer = ANSWER_STATUS, .answer_guid = MESSAGE(2),
	    .status = {.status = STATUS_REGISTERED, .id = {.number = "P-1", .date = "2027-01-16"}},
	    .sent = when_now(), .answered = when_now(), .http_status = 200,
	    .body = {.data = {(const uint8_t *)test_answer, sizeof test_answer - 1},
	        .size = sizeof test_answer - 1}};
	assert_true(wire_send(n->codecs[0].ours, WIRE_ANSWERED, f->id, &answered, NULL, 0));
	quiet(n);
	assert_state(n, id, "registered");
	assert_int_equal(status_number(n, "under_way"), 0);

	json_t *reply = ask(n, json_pack("{s:s, s:I, s:s}", "verb", "document.body", "document", id,
	    "which", "answer"), NULL, 0);
	struct ipc_frame *last = &n->frames[n->taken - 1].f;
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(lseek(last->fds[0], 0, SEEK_END), sizeof test_answer - 1);
	json_decref(reply);
}

static void
test_clerk_registers(void **state)
{
	struct node *n = *state;
	struct wire_compose c;

	send_receive(n, 1);
	assert_int_equal(expect_outcome(n, 1, NULL), RECEIVE_STORED);
	json_t *reply = ask(n, json_pack("{s:s, s:s, s:s}", "verb", "document.status", "document", "1",
	    "to", "refused"), NULL, 0);
	assert_string_equal(json_string_value(json_object_get(reply, "fault")), "D-106");
	json_decref(reply);
	reply = ask(n, json_pack("{s:s, s:s, s:s, s:s}", "verb", "document.status", "document", "1",
	    "to", "registered", "number", "IN-9"), NULL, 0);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	struct ipc_frame *f = expect(n, &n->codecs[0], WIRE_COMPOSE);
	assert_true(wire_unpack(f, WIRE_COMPOSE, &c));
	assert_int_equal(c.kind, DELIVERY_STATUS);
	assert_int_equal(c.status.status, STATUS_REGISTERED);
	assert_string_equal(c.document.number, "IN-9");
	assert_string_equal(c.document.guid_text, "{SPELLED}");
}

/* Not more than the window, not more to one peer than its connections; the rest waits its turn. */
static void
test_windows(void **state)
{
	struct node *n = *state;
	json_int_t ids[4];

	for (unsigned i = 0; i < 4; i++) {
		ids[i] = submit_document(n, PEER, 10);
		if (i < 2)
			assert_int_equal(expect(n, &n->codecs[0], WIRE_COMPOSE)->id, ids[i]);
	}
	quiet(n);
	json_int_t other = submit_document(n, OTHER, 10);
	assert_int_equal(expect(n, &n->codecs[0], WIRE_COMPOSE)->id, other);
	submit_document(n, OTHER, 10); /* the window is full */
	quiet(n);
	struct wire_composed never = {.outcome = OUTCOME_PERMANENT, .fault = FAULT_FIELD_VALUE,
	    .detail = "kind"};
	wire_send(n->codecs[0].ours, WIRE_COMPOSED, (uint64_t)ids[0], &never, NULL, 0);
	expect(n, &n->codecs[0], WIRE_COMPOSE);
	quiet(n);
	assert_state(n, ids[0], "failed");
}

/* Composing is given to another codec; an attempt at a dead courier is ambiguous. */
static void
test_neighbours_die(void **state)
{
	struct node *n = *state;
	json_int_t id = submit_document(n, PEER, 10);

	expect(n, &n->codecs[0], WIRE_COMPOSE);
	connect_end(n, &n->codecs[1], ROLE_CODEC, 1);
	disconnect_end(n, &n->codecs[0]);
	struct ipc_frame *f;
	/* Not at once: what killed one codec should not run through all of them in a row. */
	when until = when_monotonic() + 5 * WHEN_SECOND;
	while (n->count == n->taken && when_monotonic() < until)
		event_base_loop(n->base, EVLOOP_ONCE);
	f = expect(n, &n->codecs[1], WIRE_COMPOSE);
	assert_int_equal(f->id, id);
	send_composed(n, &n->codecs[1], f->id, 5);
	expect(n, &n->courier, WIRE_DELIVER);
	assert_state(n, id, "sending");
	disconnect_end(n, &n->courier);
	quiet(n);
	assert_state(n, id, "unsure");
}

/* The store itself dies while courier has the message. */
static void
test_restart(void **state)
{
	struct node *n = *state;
	json_int_t id = submit_document(n, PEER, 10);
	struct ipc_frame *f = expect(n, &n->codecs[0], WIRE_COMPOSE);
	json_int_t kept = submit_document(n, OTHER, 10);

	expect(n, &n->codecs[0], WIRE_COMPOSE);
	send_composed(n, &n->codecs[0], f->id, 5);
	expect(n, &n->courier, WIRE_DELIVER);
	role_store.stop(&n->self);
	struct end *ends[] = {&n->front, &n->codecs[0], &n->courier, &n->control};
	for (size_t i = 0; i < 4; i++) {
		ipc_free(ends[i]->ours);
		ipc_free(ends[i]->theirs);
	}
	role_up(n);
	assert_int_equal(expect(n, &n->codecs[0], WIRE_COMPOSE)->id, kept);
	assert_state(n, id, "unsure");
}

static void
test_spool(void **state)
{
	struct node *n = *state;
	struct wire_spool ask_file = {.size = 500000};
	struct wire_spool_reply reply;

	assert_true(wire_send(n->front.ours, WIRE_SPOOL, 3, &ask_file, NULL, 0));
	struct ipc_frame *f = expect(n, &n->front, WIRE_SPOOL_REPLY);
	assert_true(wire_unpack(f, WIRE_SPOOL_REPLY, &reply));
	assert_int_equal(reply.fault, FAULT_NONE);
	assert_int_equal(f->nfds, 1);
	assert_int_equal(ftruncate(f->fds[0], 500000), 0);
	struct wire_receive w = registration(1, 1);
	w.body = (struct wire_body){.in_fd = true, .spooled = true, .size = 500000};
	int fd = dup(f->fds[0]);
	assert_true(wire_send(n->codecs[0].ours, WIRE_RECEIVE, 1, &w, &fd, 1));
	assert_int_equal(expect_outcome(n, 1, NULL), RECEIVE_STORED);
	/* A descriptor that was announced and did not come. */
	w = registration(2, 2);
	w.body = (struct wire_body){.in_fd = true, .size = 10};
	assert_true(wire_send(n->codecs[0].ours, WIRE_RECEIVE, 2, &w, NULL, 0));
	assert_int_equal(expect_outcome(n, 2, NULL), RECEIVE_TEMPORARY);
}

/* The disk refuses to grow: nothing is accepted, nobody is told otherwise, and it recovers. */
static void
test_disk_refuses(void **state)
{
	struct node *n = *state;
	struct rlimit was, none;
	uint64_t fault;

	send_receive(n, 1);
	expect_outcome(n, 1, NULL);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	for (unsigned i = 2; i < 6; i++)
		send_receive(n, i);
	for (unsigned i = 2; i < 6; i++) {
		assert_int_equal(expect_outcome(n, i, &fault), RECEIVE_TEMPORARY);
		assert_int_equal(fault, FAULT_DISK_FULL);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	for (unsigned i = 2; i < 6; i++)
		send_receive(n, i);
	for (unsigned i = 2; i < 6; i++)
		assert_int_equal(expect_outcome(n, i, NULL), RECEIVE_STORED);
	/* Below the reserve. */
	role_store.stop(&n->self);
	struct end *ends[] = {&n->front, &n->codecs[0], &n->courier, &n->control};
	for (size_t i = 0; i < 4; i++) {
		ipc_free(ends[i]->ours);
		ipc_free(ends[i]->theirs);
	}
	n->conf.disk_reserve = (uint64_t)1 << 60;
	role_up(n);
	send_receive(n, 9);
	assert_int_equal(expect_outcome(n, 9, &fault), RECEIVE_TEMPORARY);
	assert_int_equal(fault, FAULT_DISK_FULL);
}

static void
test_queries(void **state)
{
	struct node *n = *state;
	static const struct {
		const char *request, *fault;
	} wrong[] = {
		{"{\"verb\":\"nonsense\"}", "U-102"},
		{"{}", "U-102"},
		{"{\"verb\":\"document.show\"}", "D-107"},
		{"{\"verb\":\"document.show\",\"document\":\"abc\"}", "D-104"},
		{"{\"verb\":\"document.show\",\"document\":77}", "D-104"},
		{"{\"verb\":\"document.show\",\"document\":\"{00000000-0000-0000-0000-000000000001}\"}",
			"D-104"},
		{"{\"verb\":\"document.list\",\"state\":\"lost\"}", "D-108"},
		{"{\"verb\":\"document.list\",\"direction\":\"up\"}", "D-108"},
		{"{\"verb\":\"submit\"}", "D-107"},
		{"{\"verb\":\"submit\",\"document\":{},\"sender\":\"x\"}", "D-108"},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		json_t *reply = ask(n, json_loads(wrong[i].request, 0, NULL), NULL, 0);
		assert_true(json_is_false(json_object_get(reply, "ok")));
		assert_string_equal(json_string_value(json_object_get(reply, "fault")), wrong[i].fault);
		json_decref(reply);
	}
	for (unsigned i = 1; i <= 30; i++) {
		send_receive(n, i);
		expect_outcome(n, i, NULL);
	}
	json_t *reply = ask(n, json_pack("{s:s, s:s, s:i}", "verb", "document.list", "direction", "in",
	    "limit", 20), NULL, 0);
	json_t *list = json_object_get(reply, "documents");
	assert_int_equal(json_array_size(list), 20);
	json_t *first = json_array_get(list, 0);
	assert_int_equal(json_integer_value(json_object_get(first, "id")), 30);
	assert_string_equal(json_string_value(json_object_get(first, "acts")), "us");
	json_decref(reply);
}

/* A document of after the start ends when its term is over, also when the role is never idle. */
static void
test_expires_while_busy(void **state)
{
	struct node *n = *state;
	when until = when_monotonic() + 120 * WHEN_SECOND;
	bool expired = false;

	n->conf.expire_after = 1;
	role_store.reload(&n->self);
	json_int_t id = submit_document(n, PEER, 100);
	expect(n, &n->codecs[0], WIRE_COMPOSE);
	while (!expired && when_monotonic() < until) {
		forget_frames(n);
		json_t *reply = ask(n, json_pack("{s:s, s:I}", "verb", "document.show", "document", id), NULL,
		    0);
		json_t *d = json_object_get(reply, "document");
		const char *now = json_string_value(json_object_get(d, "state"));
		expired = now && strcmp(now, "expired") == 0;
		json_decref(reply);
	}
	assert_true(expired);
}

/* All that the role does on disk passes its own sandbox. */
static void
test_sandbox(void **state)
{
	struct node *n = *state;
	int status;

	role_store.stop(&n->self);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct fixture f = {.backend = &store_sqlite, .now = START};
		char directory[128];
		uint8_t *large = calloc(1, 300000);
		struct wire_receive a = registration(1, 1), b = registration(2, 2);
		struct store_figures figures;
		enum fault why;
		snprintf(directory, sizeof directory, "%s/store", n->directory);
		f.options = (struct store_options){.directory = directory, .refused_count = 5,
		    .refused_bytes = 1 << 20};
		if (!fixture_reopen(&f) || !sandbox_enter(role_store.sandbox, NULL, directory))
			_exit(2);
		int fd = f.backend->spool_file(f.store, 300000, &why);
		if (fd < 0 || write(fd, large, 300000) != 300000)
			_exit(3);
		begin(&f);
		if (receive_bytes(&f, &a, (struct store_bytes){.fd = fd, .size = 300000,
		    .spooled = true}).outcome != RECEIVE_STORED || receive_bytes(&f, &b,
		    (struct store_bytes){.data = large, .size = 300000}).outcome != RECEIVE_STORED)
			_exit(4);
		commit(&f);
		f.backend->tidy(f.store, true);
		f.backend->figures(f.store, &figures);
		if (f.backend->body_open(f.store, 1) < 0 || f.backend->body_open(f.store, 3) < 0)
			_exit(5);
		f.backend->close(f.store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(group_commit), T(gathering), T(document_out), T(clerk_registers), T(windows), T(neighbours_die),
		T(restart), T(spool), T(disk_refuses), T(queries), T(sandbox),
		T(expires_while_busy),
	};

	log_init("test", -1, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
