/*
 * Time stamps of the journal's head, in batches: one stamp vouches for every entry before it. Nothing
 * waits for them. An authority that is silent is asked again after a pause; the next stamp then
 * covers what came meanwhile.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/stamp.h"
#include "obmend/store_role.h"

#define ANSWER_SECONDS 180  /* courier has its own, shorter limits */
#define PAUSE_FIRST 5       /* seconds to the next try after a failure; doubles */
#define PAUSE_MAX 600

static void
set_timer(struct store_role *r, uint64_t seconds)
{
	struct timeval t = {.tv_sec = (time_t)seconds};

	evtimer_add(r->stamps.timer, &t);
}

static void
failed(struct store_role *r, const char *detail)
{
	struct store_stamps *s = &r->stamps;
	uint64_t interval = self_conf(r->self)->timestamp_interval;

	s->asking = false;
	if (s->failures++ == 0)
		log_warning("store.stamp-failed", "detail=\"%s\"", detail);
	snprintf(s->detail, sizeof s->detail, "%s", detail);
	s->pause = s->pause ? s->pause * 2 : PAUSE_FIRST;
	if (s->pause > PAUSE_MAX)
		s->pause = PAUSE_MAX;
	set_timer(r, s->pause < interval ? s->pause : interval);
}

static bool
ask(struct store_role *r, const struct store_figures *f)
{
	struct wire_stamp m = {.sequence = f->journal};
	struct peer to;

	memcpy(m.digest, f->head, sizeof m.digest);
	return store_choose_codec(r, &to) &&
	       wire_send(r->self->peers[to.role][to.index], WIRE_STAMP, f->journal, &m, NULL, 0);
}

static void
on_stamp_timer(evutil_socket_t fd, short what, void *arg)
{
	struct store_role *r = arg;
	const struct conf *c = r->self->conf;
	struct store_figures f;

	(void)fd, (void)what;
	if (!c->timestamp_url || !*c->timestamp_url)
		return;
	if (r->stamps.asking) {
		failed(r, "no answer");
	} else if (r->backend->figures(r->store, &f)) {
		failed(r, "the store cannot be read");
	} else if (f.stamped == f.journal) {
		set_timer(r, c->timestamp_interval);
	} else if (ask(r, &f)) {
		r->stamps.asking = true;
		set_timer(r, ANSWER_SECONDS);
	} else {
		failed(r, "no codec");
	}
}

void
store_on_stamped(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct wire_stamped m;

	if (!wire_unpack(f, WIRE_STAMPED, &m)) {
		log_error("store.bad-frame", "type=stamped role=%s", role_name(from.role));
		return;
	}
	if (!r->stamps.asking)
		return; /* too late: it was asked for again */
	if (m.token.len == 0) {
		failed(r, m.detail ? m.detail : "");
		return;
	}
	enum fault fault = store_batch(r);
	if (!fault)
		fault = r->backend->stamp(r->store, m.sequence, m.digest, m.at, m.token.data, m.token.len);
	if (fault) {
		failed(r, fault_code(fault));
		return;
	}
	if (r->stamps.failures)
		log_info("store.stamped-again", "failures=%u", r->stamps.failures);
	r->stamps.asking = false;
	r->stamps.failures = 0;
	r->stamps.pause = 0;
	r->stamps.detail[0] = 0;
	set_timer(r, self_conf(self)->timestamp_interval);
}

bool
stamps_start(struct store_role *r)
{
	r->stamps.timer = evtimer_new(r->self->base, on_stamp_timer, r);
	if (!r->stamps.timer)
		return false;
	stamps_reload(r);
	return true;
}

void
stamps_reload(struct store_role *r)
{
	const char *url = self_conf(r->self)->timestamp_url;

	if (url && *url && !r->stamps.asking)
		set_timer(r, 1);
}

void
stamps_free(struct store_role *r)
{
	if (r->stamps.timer)
		event_free(r->stamps.timer);
}

json_t *
journal_status(const struct store_role *r, const struct store_figures *f)
{
	const char *url = self_conf(r->self)->timestamp_url;
	struct buf head = {0};
	char at[WHEN_TEXT_SIZE];

	buf_add_hex(&head, f->head, sizeof f->head);
	json_t *o = json_pack("{s:I, s:s, s:b, s:I, s:I}", "entries", (json_int_t)f->journal, "head",
	    buf_str(&head), "stamps", url && *url, "stamped", (json_int_t)f->stamped, "unstamped",
	    (json_int_t)(f->journal - f->stamped));
	buf_free(&head);
	if (f->stamped_at != WHEN_NONE) {
		when_format(f->stamped_at, at);
		json_object_set_new(o, "stamped_at", json_string(at));
		json_object_set_new(o, "stamp_age_seconds",
		    json_integer((when_now() - f->stamped_at) / WHEN_SECOND));
	}
	if (r->stamps.failures) {
		json_object_set_new(o, "stamp_failures", json_integer(r->stamps.failures));
		json_object_set_new(o, "stamp_detail", json_string(r->stamps.detail));
	}
	return o;
}
