#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "obmend/directory.h"

#define PIECE (64 << 10)
#define SLICE (4 * WHEN_SECOND / 1000) /* of reading, before others get their turn */

struct fetch {
	struct directory *directory;
	enum register_operation operation;
	fetch_cb cb;
	void *arg;
	struct http_call *call;
	struct register_reader *reader;
	struct snapshot_builder *builder;
	struct event *slice; /* reads the answer file on */
	uint64_t at;
	when received; /* monotonic */
	struct fetch_result result;
	int status; /* HTTP */
	char detail[256];
};

static bool
is_list(enum register_operation o)
{
	return o == REGISTER_ALL || o == REGISTER_NEW;
}

static void
fetch_free(struct fetch *f)
{
	if (f->slice)
		event_free(f->slice);
	register_reader_free(f->reader);
	snapshot_builder_free(f->builder);
	free(f);
}

void
fetch_cancel(struct fetch *f)
{
	if (!f)
		return;
	if (f->call)
		http_call_cancel(f->call);
	fetch_free(f);
}

static void
finish(struct fetch *f, enum fault fault, const char *detail)
{
	struct fetch_result r = f->result;
	struct directory *d = f->directory;
	fetch_cb cb = f->cb;
	void *arg = f->arg;
	char copy[sizeof f->detail];

	snprintf(copy, sizeof copy, "%s", detail);
	r.fault = fault;
	r.detail = copy;
	r.read_time = f->received ? when_monotonic() - f->received : 0;
	fetch_free(f);
	cb(d, arg, &r);
}

static bool
on_participant(void *arg, const struct participant *p)
{
	struct fetch *f = arg;

	return snapshot_builder_add(f->builder, p);
}

/* The mark must not lie in the future: a wrong clock over there would hide all later changes. */
static when
mark_of(const struct fetch *f)
{
	when mark = f->result.answer.last_change;

	return mark == WHEN_NONE || mark > f->result.asked ? f->result.asked : mark;
}

static void
build(struct fetch *f)
{
	struct fetch_result *r = &f->result;
	when now = when_now();

	r->fd = snapshot_builder_finish(f->builder, mark_of(f), now, now, SNAPSHOT_FULL);
	int copy = r->fd < 0 ? -1 : dup(r->fd);
	r->snapshot = copy < 0 ? NULL : snapshot_open(copy);
	if (!r->snapshot) {
		if (r->fd >= 0)
			close(r->fd);
		r->fd = -1;
		finish(f, FAULT_INTERNAL, "no memory for the register");
		return;
	}
	finish(f, FAULT_NONE, "");
}

static void
end_of_answer(struct fetch *f)
{
	enum fault fault = register_reader_end(f->reader, &f->result.answer);

	if (f->status != 200) {
		const char *words = register_reader_detail(f->reader);
		snprintf(f->detail, sizeof f->detail, "HTTP %d%s%s", f->status, *words ? ": " : "", words);
		finish(f, FAULT_REGISTER_ANSWER, f->detail);
	} else if (fault != FAULT_NONE) {
		snprintf(f->detail, sizeof f->detail, "%s", register_reader_detail(f->reader));
		finish(f, fault, f->detail);
	} else {
		build(f);
	}
}

static void
read_slice(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;
	struct timeval soon = {0, 0};
	when until = when_monotonic() + SLICE;
	char piece[PIECE];

	(void)fd, (void)what;
	do {
		ssize_t n = pread(f->directory->answer_fd, piece, sizeof piece, (off_t)f->at);
		if (n <= 0 || register_reader_feed(f->reader, piece, (size_t)n) != FAULT_NONE) {
			end_of_answer(f);
			return;
		}
		f->at += (uint64_t)n;
	} while (when_monotonic() < until);
	event_add(f->slice, &soon);
}

static bool
begin_reading(struct fetch *f)
{
	f->reader = register_reader_new(NULL);
	f->builder = snapshot_builder_new();
	return f->reader && f->builder && register_reader_begin(f->reader, on_participant, f);
}

static void
on_answer(struct fetch *f, const struct http_result *h)
{
	struct timeval soon = {0, 0};

	f->status = h->status;
	f->received = when_monotonic();
	f->result.bytes = h->body_len;
	if (h->status != 200 && h->status != 500) {
		snprintf(f->detail, sizeof f->detail, "HTTP %d", h->status);
		finish(f, FAULT_REGISTER_ANSWER, f->detail);
	} else if (!begin_reading(f)) {
		finish(f, FAULT_INTERNAL, "no memory");
	} else if (!is_list(f->operation)) {
		register_reader_feed(f->reader, h->body, h->body_len);
		end_of_answer(f);
	} else {
		f->slice = evtimer_new(f->directory->self->base, read_slice, f);
		if (!f->slice || event_add(f->slice, &soon) != 0)
			finish(f, FAULT_INTERNAL, "no memory");
	}
}

static enum link
link_of(const struct http_result *h)
{
	if (h->stage == HTTP_ANSWERED || h->too_large)
		return LINK_ANSWERED;
	return h->timed_out || h->stage == HTTP_NAME || h->stage == HTTP_CONNECT ? LINK_OUTSIDE : LINK_FAILED;
}

static void
on_done(void *arg, const struct http_result *h)
{
	struct fetch *f = arg;

	f->call = NULL;
	f->directory->link = link_of(h);
	if (h->too_large)
		finish(f, FAULT_REGISTER_ANSWER, "the answer is too large");
	else if (h->stage != HTTP_ANSWERED)
		finish(f, FAULT_REGISTER_UNREACHABLE, h->detail);
	else
		on_answer(f, h);
}

/* The answer is written from the file's current place on. */
static bool
empty_answer_file(const struct directory *d)
{
	return ftruncate(d->answer_fd, 0) == 0 && lseek(d->answer_fd, 0, SEEK_SET) == 0;
}

static struct http_call *
ask(struct fetch *f, const char *argument, const char **why)
{
	struct directory *d = f->directory;
	struct buf body = {0};
	bool list = is_list(f->operation);
	struct http_call *call = NULL;

	*why = "no memory";
	if (list && !empty_answer_file(d)) {
		*why = "the file for the answer cannot be emptied";
	} else if (register_request(&body, f->operation, argument)) {
		const struct http_request request = {
			.url = d->conf->register_url,
			.tls = d->tls[directory_certificate(d)],
			.content_type = "text/xml; charset=utf-8",
			.soap_action = register_action(f->operation),
			.body = body.data,
			.body_fd = -1,
			.body_size = body.len,
			.answer_max = list ? DIRECTORY_LIST_MAX : DIRECTORY_SINGLE_MAX,
			.answer_fd = list ? d->answer_fd : -1,
		};
		call = http_call_new(d->http, &request, on_done, f, why);
	}
	buf_free(&body);
	return call;
}

struct fetch *
fetch_new(struct directory *d, enum register_operation operation, const char *argument, fetch_cb cb,
          void *arg, const char **why)
{
	struct fetch *f = calloc(1, sizeof *f);

	*why = "no memory";
	if (!f)
		return NULL;
	*f = (struct fetch){.directory = d, .operation = operation, .cb = cb, .arg = arg};
	f->result = (struct fetch_result){.fd = -1, .asked = when_now()};
	f->call = ask(f, argument, why);
	if (f->call)
		return f;
	fetch_free(f);
	return NULL;
}
