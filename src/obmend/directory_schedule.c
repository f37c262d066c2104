#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"

#define BACKOFF_FIRST 5.0 /* seconds after the first failure; doubles up to the interval */
#define JITTER 0.1        /* so that a thousand nodes do not ask in the same second */
#define OVERLAP (3600 * WHEN_SECOND)
#define REFRESH_PATIENCE 10 /* seconds that a person waits for the outcome */

double
schedule_delay(uint64_t interval, unsigned failures)
{
	double most = (double)interval, delay = most;
	uint16_t noise = 0;

	if (failures > 0) {
		delay = BACKOFF_FIRST;
		for (unsigned i = 1; i < failures && delay < most; i++)
			delay *= 2;
	}
	if (delay > most)
		delay = most;
	RAND_bytes((uint8_t *)&noise, sizeof noise);
	return delay * (1 - JITTER + 2 * JITTER * noise / UINT16_MAX);
}

/* A date to ask from: the mark, less an overlap for changes that were slow to show. */
static when
schedule_since(when mark)
{
	return mark - OVERLAP;
}

static void
trouble_set(struct directory *d, enum fault fault, const char *detail)
{
	struct trouble *t = &d->trouble;

	t->fault = fault;
	t->at = when_now();
	t->failures++;
	snprintf(t->detail, sizeof t->detail, "%s", detail);
	d->figures.failures++;
	log_warning("register.failed", "code=%s failures=%u detail=\"%s\"", fault_code(fault),
	    t->failures, t->detail);
}

static void
trouble_clear(struct directory *d)
{
	if (d->trouble.failures > 0)
		log_info("register.answers", "failures=%u", d->trouble.failures);
	d->trouble = (struct trouble){.fault = FAULT_NONE};
	d->checked = when_now();
	d->stale_said = false;
}

static void
warn_if_stale(struct directory *d)
{
	if (d->stale_said || d->checked == WHEN_NONE || when_now() - d->checked < DIRECTORY_STALE)
		return;
	d->stale_said = true;
	log_warning("register.stale", "hours=%lld",
	    (long long)((when_now() - d->checked) / (3600 * WHEN_SECOND)));
}

static void
arm(struct directory *d, double seconds)
{
	struct schedule *s = &d->schedule;
	struct timeval t = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};

	s->next = when_now() + (when)(seconds * (double)WHEN_SECOND);
	event_add(s->timer, &t);
}

/* Arms the timer for what comes after the list that just ended. */
static void
plan(struct directory *d)
{
	struct schedule *s = &d->schedule;

	warn_if_stale(d);
	arm(d, s->full_wanted ? 0 : schedule_delay(d->conf->register_interval, d->trouble.failures));
}

static const char *
applied_name(enum applied a)
{
	static const char *const names[] = {"applied", "unchanged", "held", "failed"};

	return names[a];
}

static json_t *
refresh_json(const struct directory *d, const char *outcome)
{
	const struct snapshot *s = d->current.snapshot;
	json_t *j = json_pack("{s:b, s:s, s:I}", "ok", 1, "outcome", outcome, "count",
	    (json_int_t)(s ? snapshot_count(s) : 0));

	if (d->held.version.snapshot)
		json_object_set_new(j, "held", query_held(d));
	return j;
}

/* Tells everybody who asked for a refresh. */
static void
answer_refresh(struct directory *d, const char *outcome)
{
	struct waiters *w = &d->schedule.refresh;
	const struct trouble *t = &d->trouble;

	evtimer_del(d->schedule.refresh_timer);
	for (unsigned i = 0; i < w->count; i++) {
		if (!outcome)
			query_refused(d, w->all[i], t->fault, t->detail);
		else
			query_reply(d, w->all[i], refresh_json(d, outcome));
	}
	w->count = 0;
}

static void
refresh_too_slow(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	answer_refresh(arg, "started");
}

static enum applied
use_full(struct directory *d, struct fetch_result *r)
{
	d->figures.fulls++;
	d->figures.bytes = r->bytes;
	d->figures.read_time = r->read_time;
	d->schedule.next_full = when_monotonic() +
	    (when)(schedule_delay(d->conf->register_full_interval, 0) * (double)WHEN_SECOND);
	return apply_full(d, r->snapshot, r->fd, &r->answer);
}

static enum applied
use_increment(struct directory *d, struct fetch_result *r)
{
	d->figures.increments++;
	close(r->fd);
	enum applied a = apply_change(d, r->snapshot, snapshot_mark(r->snapshot), SNAPSHOT_INCREMENT);
	apply_save(d);
	return a;
}

static void
on_list(struct directory *d, void *arg, struct fetch_result *r)
{
	struct schedule *s = &d->schedule;
	bool full = s->full;
	enum applied a = NOT_APPLIED;

	(void)arg;
	s->fetch = NULL;
	d->figures.skipped += r->answer.skipped;
	if (r->fault == FAULT_NONE && full && r->answer.participants == 0) {
		/* Not even the shrink guard could tell at the first start. */
		snapshot_free(r->snapshot);
		close(r->fd);
		r->fault = FAULT_REGISTER_ANSWER;
		r->detail = "the list is empty";
	}
	if (r->fault == FAULT_NONE) {
		trouble_clear(d);
		a = full ? use_full(d, r) : use_increment(d, r);
	} else {
		trouble_set(d, r->fault, r->detail);
	}
	if (r->fault == FAULT_NONE && a == NOT_APPLIED)
		trouble_set(d, FAULT_INTERNAL, "no memory for the register");
	if (full)
		answer_refresh(d, a == NOT_APPLIED ? NULL : applied_name(a));
	plan(d);
}

static void
begin(struct directory *d)
{
	struct schedule *s = &d->schedule;
	char since[WHEN_TEXT_SIZE] = "";
	const char *why;

	s->full = s->full_wanted || !d->current.snapshot || when_monotonic() >= s->next_full;
	s->full_wanted = false;
	if (!s->full)
		register_date(schedule_since(snapshot_mark(d->current.snapshot)), since);
	s->fetch = fetch_new(d, s->full ? REGISTER_ALL : REGISTER_NEW, since, on_list, NULL, &why);
	if (s->fetch)
		return;
	trouble_set(d, FAULT_REGISTER_UNREACHABLE, why);
	if (s->full)
		answer_refresh(d, NULL);
	plan(d);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct directory *d = arg;

	(void)fd, (void)what;
	if (!d->schedule.fetch)
		begin(d);
}

bool
schedule_refresh(struct directory *d, struct waiter waiter)
{
	struct schedule *s = &d->schedule;
	struct timeval patience = {REFRESH_PATIENCE, 0};

	if (s->refresh.count == DIRECTORY_WAITERS)
		return false;
	s->refresh.all[s->refresh.count++] = waiter;
	if (s->refresh.count == 1)
		event_add(s->refresh_timer, &patience);
	/* A full list that is under way may be older than what the person has in mind: ask again. */
	s->full_wanted = true;
	if (!s->fetch)
		arm(d, 0);
	return true;
}

bool
schedule_start(struct directory *d)
{
	struct schedule *s = &d->schedule;

	s->timer = evtimer_new(d->self->base, on_timer, d);
	s->refresh_timer = evtimer_new(d->self->base, refresh_too_slow, d);
	if (!s->timer || !s->refresh_timer)
		return false;
	s->next_full = when_monotonic();
	arm(d, 0);
	return true;
}

void
schedule_reload(struct directory *d)
{
	struct schedule *s = &d->schedule;
	when full = when_monotonic() + (when)d->conf->register_full_interval * WHEN_SECOND;

	if (s->next_full > full)
		s->next_full = full;
	if (!s->fetch)
		plan(d);
}

void
schedule_stop(struct directory *d)
{
	struct schedule *s = &d->schedule;

	fetch_cancel(s->fetch);
	s->fetch = NULL;
	if (s->timer)
		event_free(s->timer);
	if (s->refresh_timer)
		event_free(s->refresh_timer);
	s->timer = s->refresh_timer = NULL;
}
