/*
 * The store role: nothing is answered as accepted, and nothing is sent, before it is on disk. SQL
 * lives only behind store/backend.h.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sandbox.h"
#include "obmend/store_role.h"

#define TICK_SECONDS 2 /* nobody tells when the wall clock is set, or that no outcome came */
#define TIMER_MAX (60 * WHEN_SECOND)
#define IDLE_PAUSE_MS 100            /* the log is looked at this long after a commit */
#define GATHER_MS 3                  /* the longest that a message waits for others */
#define REFUSED_COUNT 1000
#define REFUSED_BYTES (256ull << 20)
#define WRITER_SLICE_NS 100000 /* performance.md A1 */

/* As the kernel has it since 3.14; C libraries got it late. */
struct writer_schedule {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* Every commit waits for one wake-up after its fsync: beside busy processes that wake-up costs more
 * than the disk does, unless the writer may preempt them (performance.md A1). */
static void
writer_schedule(void)
{
	struct writer_schedule fifo = {.size = sizeof fifo, .policy = SCHED_FIFO, .priority = 1};
	struct writer_schedule slice = {.size = sizeof slice, .policy = SCHED_OTHER,
	    .runtime = WRITER_SLICE_NS};

	fifo.flags = slice.flags = SCHED_FLAG_RESET_ON_FORK;
	if (syscall(SYS_sched_setattr, 0, &fifo, 0) == 0)
		log_info("store.schedule", "policy=fifo");
	else if (syscall(SYS_sched_setattr, 0, &slice, 0) == 0)
		log_info("store.schedule", "policy=other slice_us=%d", WRITER_SLICE_NS / 1000);
}

static const struct timeval idle_pause = {0, IDLE_PAUSE_MS * 1000};

void
store_wake(struct store_role *r)
{
	r->pump = true;
	if (r->turn)
		event_active(r->turn, EV_TIMEOUT, 0);
}

enum fault
store_batch(struct store_role *r)
{
	r->counts.batched++;
	if (r->batch)
		return FAULT_NONE;
	/* Runs after all handlers of this turn: events that become active are appended. */
	event_active(r->turn, EV_TIMEOUT, 0);
	store_clock_look(r);
	enum fault f = r->backend->begin(r->store, when_now());
	r->batch = f == FAULT_NONE;
	r->begun = when_monotonic();
	r->troubled = f != FAULT_NONE;
	return f;
}

/* For the next delivery, to the millisecond; everything else is looked at by the tick. */
static void
set_timer(struct store_role *r)
{
	when next = recipients_next(r), pause = next - when_now();

	if (next == WHEN_NONE || !r->recovered || !r->self->peers[ROLE_COURIER][0]) {
		evtimer_del(r->timer);
		return;
	}
	if (pause > TIMER_MAX)
		pause = TIMER_MAX;
	when least = r->troubled ? WHEN_SECOND : WHEN_SECOND / 1000;
	if (pause < least)
		pause = least;
	struct timeval t = {pause / WHEN_SECOND, pause % WHEN_SECOND / 1000};
	evtimer_add(r->timer, &t);
}

/* Outcomes that were in a batch which failed: their attempts are still "sending" on disk. */
static void
batch_settled(struct store_role *r, enum fault f)
{
	for (unsigned i = 0; f && i < r->ended_count && r->lost_count < r->window; i++)
		r->lost[r->lost_count++] = r->ended[i];
	r->ended_count = 0;
	if (r->recovering) {
		r->recovering = false;
		r->recovered = f == FAULT_NONE;
		store_wake(r);
	}
}

static void
commit(struct store_role *r)
{
	when started = when_monotonic();
	enum fault f = r->backend->commit(r->store);

	histogram_add(&r->commit, when_monotonic() - started);
	r->batch = false;
	r->gathered = 0;
	r->counts.batches++;
	r->counts.commits_failed += f != FAULT_NONE;
	r->troubled = f != FAULT_NONE;
	batch_settled(r, f);
	outbox_send(r, f);
	if (!evtimer_pending(r->idle, NULL)) {
		r->idle_batches = r->counts.batches;
		evtimer_add(r->idle, &idle_pause);
	}
}

/*
 * A sync costs as much as several messages. While the codecs have more messages at their signers than
 * the batch holds, it waits for some of them: never for all, so that signers and disk work at the same
 * time; never long; and not when anything else is in it. Who sends one message at a time never waits.
 */
static bool
more_is_coming(struct store_role *r)
{
	static const struct timeval wait = {0, GATHER_MS * 1000};
	unsigned coming = 0;

	for (unsigned i = 0; i < ROLE_INDEX_MAX; i++)
		coming += r->coming[i];
	if (r->gathered == 0 || coming <= r->gathered || r->gathered != r->outbox.count)
		return false;
	if (when_monotonic() - r->begun < GATHER_MS * WHEN_SECOND / 1000)
		return evtimer_pending(r->gather, NULL) || evtimer_add(r->gather, &wait) == 0;
	memset(r->coming, 0, sizeof r->coming); /* they did not come */
	return false;
}

/* The end of a turn: start what is due, commit everything at once, let the answers leave. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct store_role *r = arg;

	(void)fd, (void)what;
	when now = when_now(), next = recipients_next(r);
	bool due = r->pump && r->recovered && next != WHEN_NONE && next <= now &&
		   r->self->peers[ROLE_COURIER][0];
	if (due && !store_batch(r))
		store_pump(r, now);
	r->pump = false;
	if (r->batch && more_is_coming(r))
		return;
	if (r->batch)
		commit(r);
	else
		outbox_send(r, FAULT_NONE); /* what needed no batch, or says that there was none */
	set_timer(r);
}

/* What was under way when the store went down has an unknown outcome: it is polled first. On a full
 * disk this waits; the node starts all the same, to say so. */
static void
recover(struct store_role *r)
{
	enum fault f = store_batch(r);

	if (!f)
		f = store_clock_start(r);
	if (!f)
		f = r->backend->abandon(r->store);
	if (!f)
		f = r->backend->load_due(r->store);
	if (f)
		log_error("store.recover", "fault=%s", fault_code(f));
	r->recovering = f == FAULT_NONE;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	store_wake(arg);
}

/* Comes however busy the role is: a timer that every turn sets anew would be put off for ever. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct store_role *r = arg;

	(void)fd, (void)what;
	if (!r->recovered && !r->recovering)
		recover(r);
	store_overdue(r);
	store_clock_look(r);
	store_clock_mend(r);
	if (r->recovered)
		store_expire(r, when_now());
	store_wake(r);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct store_role *r = arg;

	(void)fd, (void)what;
	bool idle = r->idle_batches == r->counts.batches;
	r->backend->tidy(r->store, idle);
	r->idle_batches = r->counts.batches;
	if (!idle)
		evtimer_add(r->idle, &idle_pause);
}

static unsigned
clamp(unsigned v, unsigned max)
{
	return v == 0 ? 1 : v > max ? max : v;
}

static bool
allocate(struct store_role *r)
{
	const struct conf *c = r->self->conf;

	r->window = clamp(c->send_window, STORE_WINDOW_MAX);
	r->per_peer = clamp(c->peer_connections, STORE_PEER_MAX);
	r->jobs = calloc(r->window, sizeof *r->jobs);
	r->lost = calloc(r->window, sizeof *r->lost);
	r->ended = calloc(r->window, sizeof *r->ended);
	r->outbox.bytes.max = 64 << 20;
	return r->jobs && r->lost && r->ended && recipients_init(r);
}

static void
release(struct store_role *r)
{
	if (r->turn)
		event_free(r->turn);
	if (r->timer)
		event_free(r->timer);
	if (r->tick)
		event_free(r->tick);
	if (r->idle)
		event_free(r->idle);
	if (r->gather)
		event_free(r->gather);
	stamps_free(r);
	archive_free(r);
	outbox_free(&r->outbox);
	if (r->store)
		r->backend->close(r->store);
	maintenance_free(r);
	copies_free(r);
	free(r->recipients);
	free(r->jobs);
	free(r->lost);
	free(r->ended);
	free(r);
}

static bool
open_backend(struct store_role *r)
{
	const struct conf *c = r->self->conf;
	char directory[4096];
	struct store_options options = {
		.directory = directory,
		.disk_reserve = c->disk_reserve,
		.undurable = !c->durable,
		.refused_count = REFUSED_COUNT,
		.refused_bytes = REFUSED_BYTES,
		.due = recipients_due,
		.due_arg = r,
	};

	schedule_times_from_conf(&options.times, c);
	if (snprintf(directory, sizeof directory, "%s/store", c->state_directory) >=
	    (int)sizeof directory)
		return false;
	if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
		log_error("store.open", "directory=\"%s\" reason=\"%s\"", directory,
			  strerror(errno));
		return false;
	}
	if (options.undurable)
		log_warning("store.not-durable", "option=durable value=no meaning=\"a power cut loses "
		            "documents that were accepted; for measurements only\"");
	if (!archive_open(r, directory) || !maintenance_open(r, directory))
		return false;
	r->store = r->backend->open(&options);
	return r->store;
}

static bool
store_open(struct self *self)
{
	struct store_role *r = calloc(1, sizeof *r);

	if (!r)
		return false;
	r->self = self;
	r->backend = &store_sqlite;
	r->maintenance.dir = -1;
	if (!allocate(r) || !open_backend(r)) {
		release(r);
		return false;
	}
	writer_schedule();
	self->state = r;
	return true;
}

static bool
store_start(struct self *self)
{
	struct store_role *r = self->state;

	r->turn = event_new(self->base, -1, 0, on_turn, r);
	r->timer = evtimer_new(self->base, on_timer, r);
	r->idle = evtimer_new(self->base, on_idle, r);
	r->gather = evtimer_new(self->base, on_turn, r);
	r->tick = event_new(self->base, -1, EV_PERSIST, on_tick, r);
	if (!r->turn || !r->timer || !r->idle || !r->gather || !r->tick ||
	    event_add(r->tick, &(struct timeval){.tv_sec = TICK_SECONDS}) < 0 || !stamps_start(r) ||
	    !archive_start(r))
		return false;
	recover(r);
	return true;
}

static void
store_peer_up(struct self *self, struct peer p)
{
	struct store_role *r = self->state;

	if (r && r->store && p.role == ROLE_FRONT)
		maintenance_tell(r);
	if (r && r->turn && (p.role == ROLE_CODEC || p.role == ROLE_COURIER))
		store_wake(r);
}

static void
store_reload(struct self *self)
{
	struct store_role *r = self->state;
	struct schedule_times times;

	schedule_times_from_conf(&times, self->conf);
	r->backend->tune(r->store, &times, self_conf(self)->disk_reserve);
	r->per_peer = clamp(self_conf(self)->peer_connections, STORE_PEER_MAX);
	stamps_reload(r);
	store_wake(r);
}

static void
store_stop(struct self *self)
{
	struct store_role *r = self->state;

	if (!r)
		return;
	if (r->batch)
		commit(r);
	r->backend->tidy(r->store, true);
	self->state = NULL;
	release(r);
}

static const struct role_message messages[] = {
	{ROLE_FRONT, WIRE_SPOOL, store_on_spool},
	{ROLE_CODEC, WIRE_RECEIVE, store_on_receive},
	{ROLE_CODEC, WIRE_COMPOSED, store_on_composed},
	{ROLE_CODEC, WIRE_ANSWERED, store_on_answered},
	{ROLE_COURIER, WIRE_UNDELIVERED, store_on_undelivered},
	{ROLE_CODEC, WIRE_STAMPED, store_on_stamped},
	{ROLE_CODEC, WIRE_SEALED, store_on_sealed},
	{ROLE_CONTROL, WIRE_QUERY, store_on_query},
};

static const struct sandbox store_sandbox = {SANDBOX_FILES | SANDBOX_SYNC | SANDBOX_MEMFD};

const struct role role_store = {
	.id = ROLE_STORE,
	.name = "store",
	.open = store_open,
	.start = store_start,
	.peer_up = store_peer_up,
	.peer_down = store_peer_down,
	.reload = store_reload,
	.stop = store_stop,
	.status = store_status,
	.messages = messages,
	.message_count = sizeof messages / sizeof messages[0],
	.sandbox = &store_sandbox,
};
