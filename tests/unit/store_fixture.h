/* A store of its own in a temporary folder, with a clock that tests move. */
#ifndef OBMEN_STORE_FIXTURE_H
#define OBMEN_STORE_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/outcome.h"
#include "message/signature.h"
#include "store/backend.h"

#define MINUTE (60 * WHEN_SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define START  ((when)1800000000 * WHEN_SECOND)

struct fixture {
	char directory[64];
	struct store_options options;
	const struct store_backend *backend;
	struct store *store;
	when now;
	int64_t due_peer; /* the last that was told */
	when due;
};

static inline void
fixture_due(void *arg, int64_t peer, when due)
{
	struct fixture *f = arg;

	f->due_peer = peer;
	f->due = due;
}

static inline bool
fixture_reopen(struct fixture *f)
{
	if (f->store)
		f->backend->close(f->store);
	f->store = f->backend->open(&f->options);
	return f->store != NULL;
}

static inline bool
fixture_open_at(struct fixture *f, const char *parent)
{
	*f = (struct fixture){.backend = &store_sqlite, .now = START};
	snprintf(f->directory, sizeof f->directory, "%s/store-test-XXXXXX", parent);
	if (!mkdtemp(f->directory))
		return false;
	f->options = (struct store_options){
		.directory = f->directory,
		.refused_count = 5,
		.refused_bytes = 1 << 20,
		.times = {.retry_first = 900, .retry_count = 10, .poll_first = 86400,
			.poll_interval = 43200, .expire_after = 30 * 86400, .hold_interval = 600},
		.due = fixture_due,
		.due_arg = f,
	};
	return fixture_reopen(f);
}

static inline bool
fixture_open(struct fixture *f)
{
	return fixture_open_at(f, "/tmp");
}

static inline int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void
remove_folder(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
fixture_close(struct fixture *f)
{
	if (f->store)
		f->backend->close(f->store);
	remove_folder(f->directory);
}

/* GUIDs that tests can name by a number. */
static inline struct guid
guid_of(unsigned kind, unsigned n)
{
	struct guid g = {{(uint8_t)kind, 0xab, [12] = (uint8_t)(n >> 24), (uint8_t)(n >> 16),
	    (uint8_t)(n >> 8), (uint8_t)n}};

	return g;
}
#define OWN        guid_of(1, 1)
#define PEER       guid_of(1, 2)
#define OTHER      guid_of(1, 3)
#define DOCUMENT(n) guid_of(2, n)
#define MESSAGE(n) guid_of(3, n)

static inline void
begin(struct fixture *f)
{
	assert_int_equal(f->backend->begin(f->store, f->now), FAULT_NONE);
}

static inline void
commit(struct fixture *f)
{
	assert_int_equal(f->backend->commit(f->store), FAULT_NONE);
}

static const char test_certificate[] = "0\202 a certificate in DER, as far as the store can tell";
static const char test_body[] = "<Envelope>the exact bytes</Envelope>";
static const char test_answer[] = "<Envelope>the answer</Envelope>";

/* A registration request from PEER to OWN with an optimistic answer. */
static inline struct wire_receive
registration(unsigned message, unsigned document)
{
	struct wire_receive w = {
		.message_type = MESSAGE_REGISTRATION_REQUEST,
		.received = START,
		.message_guid = MESSAGE(message),
		.sender = PEER,
		.recipient = OWN,
		.sender_name = "Примерна агенция",
		.sender_eik = "990000017",
		.proof = {.peer_address = "127.0.0.2:1", .method = SIGNATURE_RSA_SHA256,
			.tls_certificate = {(const uint8_t *)test_certificate, sizeof test_certificate}},
		.document = {.number = "A-7", .date = "2027-01-15", .guid = DOCUMENT(document),
			.guid_text = "{SPELLED}"},
		.kind = "писмо",
		.about = "относно",
		.has_answer = true,
		.answer_guid = MESSAGE(message + 100000),
		.answer = {(const uint8_t *)test_answer, sizeof test_answer - 1},
	};

	w.proof.fingerprint[0] = (uint8_t)(message + 1);
	w.proof.fingerprint[1] = 1;
	return w;
}

/* Receives with the ordinary small body; the outcome. */
static inline struct wire_receive_reply
receive_bytes(struct fixture *f, const struct wire_receive *w, struct store_bytes body)
{
	struct store_incoming in = {.message = w, .body = body,
	    .details = {.data = "{\"about\":\"x\"}", .size = 13}};
	struct wire_receive_reply reply;

	f->backend->receive(f->store, &in, &reply);
	return reply;
}

static inline struct wire_receive_reply
receive(struct fixture *f, const struct wire_receive *w)
{
	return receive_bytes(f, w, (struct store_bytes){.data = test_body, .size = sizeof test_body - 1});
}

static inline struct wire_receive_reply
receive_alone(struct fixture *f, const struct wire_receive *w)
{
	begin(f);
	struct wire_receive_reply r = receive(f, w);
	commit(f);
	return r;
}

/* Submits document n with one attachment. */
static inline int64_t
submit_to(struct fixture *f, unsigned n, struct guid recipient)
{
	int fd = memfd_create("attachment", MFD_CLOEXEC);
	uint64_t size = 11;
	int64_t id = 0;
	static const char details[] = "{\"number\":\"B-1\"}";
	struct store_submission s = {.sender = OWN, .recipient = recipient, .recipient_name = "Peer",
	    .recipient_eik = "000000001", .kind = "письмо", .about = "about",
	    .id = {.number = "B-1", .date = "2027-01-15", .guid = DOCUMENT(n)},
	    .details = {.data = details, .size = sizeof details - 1}, .fds = &fd, .sizes = &size,
	    .count = 1};

	assert_int_equal(write(fd, "attachment!", 11), 11);
	begin(f);
	assert_int_equal(f->backend->submit(f->store, &s, &id), FAULT_NONE);
	commit(f);
	close(fd);
	return id;
}

static inline int64_t
submit(struct fixture *f, unsigned n)
{
	return submit_to(f, n, PEER);
}

static inline struct store_work
work(struct fixture *f, int64_t id)
{
	struct store_work w;

	assert_int_equal(f->backend->work(f->store, id, &w), FAULT_NONE);
	return w;
}

/* Composes what is due as message n. */
static inline void
compose(struct fixture *f, int64_t id, unsigned n)
{
	struct store_work w = work(f, id);
	struct wire_composed c = {.outcome = 0, .message_guid = MESSAGE(n),
	    .method = SIGNATURE_RSA_SHA1};
	struct store_bytes body = {.data = test_body, .size = sizeof test_body - 1};

	assert_int_equal(w.message, 0);
	begin(f);
	assert_int_equal(f->backend->composed(f->store, &w, &c, &body), FAULT_NONE);
	commit(f);
}

static inline int64_t
attempt(struct fixture *f, int64_t id)
{
	int64_t a;

	begin(f);
	assert_int_equal(f->backend->attempt(f->store, id, &a), FAULT_NONE);
	commit(f);
	return a;
}

static inline void
undelivered(struct fixture *f, int64_t a, enum undelivered_class class)
{
	struct wire_undelivered u = {.class = class, .detail = "words", .url = "https://peer/",
	    .sent = f->now, .ended = f->now, .retry = WHEN_NONE};

	begin(f);
	assert_int_equal(f->backend->undelivered(f->store, a, &u), FAULT_NONE);
	commit(f);
}

static inline void
answered(struct fixture *f, int64_t a, enum answer_kind kind, enum document_status status)
{
	struct wire_answered w = {.answer = kind, .detail = "peer's words", .sent = f->now,
	    .answered = f->now, .http_status = 200, .answer_guid = MESSAGE(77),
	    .status = {.status = status, .id = {.number = "P-9", .date = "2027-01-16"}},
	    .proof = {.peer_address = "https://peer/", .method = SIGNATURE_RSA_SHA1}};
	struct store_bytes body = {.data = test_answer, .size = sizeof test_answer - 1};

	begin(f);
	assert_int_equal(f->backend->answered(f->store, a, &w, &body), FAULT_NONE);
	commit(f);
}

/* What show tells, kept. */
struct shown {
	struct store_document d;
	char number[64], peer_number[64], reason[64], detail[64];
	char events[512]; /* names joined by spaces */
	char evidence[512];
	struct store_evidence first, last;
};

static inline void
copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static inline void
shown_document(void *arg, const struct store_document *d)
{
	struct shown *s = arg;

	s->d = *d;
	copy_text(s->number, sizeof s->number, d->number);
	copy_text(s->peer_number, sizeof s->peer_number, d->peer_number);
	copy_text(s->reason, sizeof s->reason, d->reason);
	copy_text(s->detail, sizeof s->detail, d->detail);
}

static inline void
append_word(char *to, size_t size, const char *word)
{
	size_t n = strlen(to);

	snprintf(to + n, size - n, "%s%s", n ? " " : "", word);
}

static inline void
shown_event(void *arg, const struct store_event *e)
{
	struct shown *s = arg;

	append_word(s->events, sizeof s->events, event_name(e->event));
}

static inline void
shown_evidence(void *arg, const struct store_evidence *e)
{
	struct shown *s = arg;

	append_word(s->evidence, sizeof s->evidence, e->what);
	s->last = *e;
	if (!strchr(s->evidence, ' '))
		s->first = *e;
}

static inline struct shown
show(struct fixture *f, int64_t id)
{
	struct shown s = {0};

	assert_int_equal(f->backend->show(f->store, id, shown_document, shown_event, shown_evidence, &s),
	    FAULT_NONE);
	return s;
}

static inline enum document_state
state(struct fixture *f, int64_t id)
{
	return show(f, id).d.state;
}

#endif
