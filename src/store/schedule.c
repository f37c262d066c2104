#include "store/schedule.h"

/* What an outcome leads to. */
enum action {
	RETRY_SAME,  /* by the schedule, the same bytes: none of them had left */
	RETRY_NEW,   /* by the schedule, composed anew: same DocumentGUID, new MessageGUID */
	ASK,         /* the peer may have it: poll before sending again */
	HOLD,        /* look again later, not an attempt */
	FAIL,
	SOON,        /* trouble of our own, not an attempt */
	NEWS,        /* the peer told a status */
	DELIVERED,
	FINISH,
	SEND_AGAIN,  /* the peer does not have it */
	REFUSED,     /* an Error: the end on a first attempt, else it may mean "I have it": poll */
	ASK_AGAIN,
	ASK_OR_STOP, /* the recipient is gone: keeps asking only about what was delivered */
	ASK_OR_SEND, /* the peer cannot say: send again what was perhaps never delivered */
	ACTION_COUNT
};

static const enum action actions[DELIVERY_KIND_COUNT][WENT_COUNT] = {
	[DELIVERY_DOCUMENT] = {
		[WENT_CONNECT] = RETRY_SAME,
		[WENT_HTTP] = RETRY_NEW,
		[WENT_AMBIGUOUS] = ASK,
		[WENT_HELD] = HOLD,
		[WENT_INACTIVE] = FAIL,
		[WENT_AGAIN] = SOON,
		[WENT_STATUS] = NEWS,
		[WENT_NOT_FOUND] = ASK,
		[WENT_STRANGE] = ASK,
		[WENT_ERROR] = REFUSED,
		[WENT_EMPTY] = DELIVERED,
		[WENT_FAULT] = RETRY_NEW, /* never the same bytes: they may be what it chokes on */
		[WENT_UNPROVEN] = ASK,
	},
	[DELIVERY_STATUS] = {
		[WENT_CONNECT] = RETRY_SAME,
		[WENT_HTTP] = RETRY_NEW,
		[WENT_AMBIGUOUS] = RETRY_NEW, /* telling a status twice does no harm */
		[WENT_HELD] = HOLD,
		[WENT_INACTIVE] = FAIL,
		[WENT_AGAIN] = SOON,
		[WENT_STATUS] = FINISH,
		[WENT_NOT_FOUND] = FINISH,
		[WENT_STRANGE] = FINISH,
		[WENT_ERROR] = FAIL,
		[WENT_EMPTY] = FINISH,
		[WENT_FAULT] = RETRY_NEW,
		[WENT_UNPROVEN] = RETRY_NEW,
	},
	[DELIVERY_POLL] = {
		[WENT_CONNECT] = ASK_AGAIN,
		[WENT_HTTP] = ASK_AGAIN,
		[WENT_AMBIGUOUS] = ASK_AGAIN,
		[WENT_HELD] = HOLD,
		[WENT_INACTIVE] = ASK_OR_STOP,
		[WENT_AGAIN] = SOON,
		[WENT_STATUS] = NEWS,
		[WENT_NOT_FOUND] = SEND_AGAIN,
		[WENT_STRANGE] = ASK_AGAIN,
		[WENT_ERROR] = ASK_OR_SEND,
		[WENT_EMPTY] = ASK_AGAIN,
		[WENT_FAULT] = ASK_AGAIN,
		[WENT_UNPROVEN] = ASK_AGAIN,
	},
};

/* One step under construction. */
struct step {
	const struct schedule_times *times;
	const struct schedule *from;
	enum schedule_outcome went;
	enum document_status status;
	when not_before, now;
	struct schedule_next *next;
};

#define INTERVAL_MAX_SECONDS (365ull * 86400)

static when
seconds(uint64_t s)
{
	return (when)(s < 100 * INTERVAL_MAX_SECONDS ? s : 100 * INTERVAL_MAX_SECONDS) *
	       WHEN_SECOND;
}

static when
later(when a, when b)
{
	return a > b ? a : b;
}

when
schedule_interval(const struct schedule_times *t, unsigned n)
{
	uint64_t s = t->retry_first;

	for (; n > 1 && s < INTERVAL_MAX_SECONDS; n--)
		s *= 2;
	return seconds(s < INTERVAL_MAX_SECONDS ? s : INTERVAL_MAX_SECONDS);
}

when
schedule_longest(const struct schedule_times *t)
{
	const uint64_t pauses[] = {t->poll_first, t->poll_interval, t->hold_interval};
	when longest = schedule_interval(t, t->retry_count + 1);

	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
		longest = later(longest, seconds(pauses[i]));
	return longest;
}

/* The shortest pause before the peer is troubled again. */
static when
breath(const struct schedule_times *t)
{
	when first = seconds(t->retry_first);

	return first < SCHEDULE_BREATH ? first : SCHEDULE_BREATH;
}

/* The due time of the n-th retry. */
static when
retry_due(const struct step *s, unsigned n)
{
	when due = s->from->due + schedule_interval(s->times, n);

	due = later(due, s->now + breath(s->times));
	return s->not_before == WHEN_NONE ? due : later(due, s->not_before);
}

static void
set_state(struct step *s, enum document_state state, enum cause cause)
{
	if (s->from->kind == DELIVERY_STATUS || state == s->from->state)
		return;
	s->next->state = state;
	s->next->cause = cause;
}

/* Where the answer came from decides whom the table of states holds responsible. */
static enum cause
cause_of(enum schedule_outcome went)
{
	return went < WENT_STATUS ? CAUSE_TRANSPORT : CAUSE_ANSWER;
}

static void
end_failed(struct step *s, enum fault why)
{
	s->next->pending = false;
	s->next->fault = why;
	s->next->event = EVENT_FAILED;
	set_state(s, STATE_FAILED, cause_of(s->went));
}

static void
retry(struct step *s, bool compose)
{
	struct schedule_next *n = s->next;

	if (s->from->attempts > s->times->retry_count) {
		end_failed(s, FAULT_RETRIES_EXHAUSTED);
		return;
	}
	n->compose = compose;
	n->due = retry_due(s, s->from->attempts);
	n->event = EVENT_RETRY;
	n->reached = n->reached || s->went != WENT_CONNECT;
	set_state(s, compose ? STATE_ACCEPTED : STATE_SIGNED, cause_of(s->went));
}

static void
act_retry_same(struct step *s)
{
	retry(s, false);
}

static void
act_retry_new(struct step *s)
{
	retry(s, true);
}

/* The first question comes after a short breath; later ones wait longer each time, so that a peer
 * which loses every message is not flooded. */
static void
act_ask(struct step *s)
{
	struct schedule_next *n = s->next;
	unsigned tries = s->from->attempts;
	when pause = tries < 2 ? breath(s->times) : schedule_interval(s->times, tries - 1);

	n->kind = DELIVERY_POLL;
	n->compose = true;
	n->polls = 0;
	n->reached = true;
	n->due = s->now + pause;
	set_state(s, STATE_UNSURE, cause_of(s->went));
}

/* The attempt did not take place: it is not counted. */
static void
uncount(struct step *s)
{
	unsigned *count = s->from->kind == DELIVERY_POLL ? &s->next->polls : &s->next->attempts;

	if (*count > 0)
		--*count;
}

static void
act_hold(struct step *s)
{
	uncount(s);
	s->next->due = s->not_before != WHEN_NONE ? s->not_before
	                                          : s->now + seconds(s->times->hold_interval);
	s->next->event = EVENT_HELD;
	if (s->from->kind == DELIVERY_DOCUMENT)
		set_state(s, STATE_HELD, CAUSE_TRANSPORT);
}

static void
act_fail(struct step *s)
{
	end_failed(s, FAULT_NONE);
}

static void
act_soon(struct step *s)
{
	uncount(s);
	s->next->due =
	    s->not_before != WHEN_NONE ? later(s->not_before, s->now) : s->now + SCHEDULE_SOON;
	if (s->from->kind == DELIVERY_DOCUMENT)
		set_state(s, STATE_SIGNED, CAUSE_TRANSPORT);
}

/* Delivered, and not decided yet: the next thing is to ask, after a long silence. */
static void
await(struct step *s)
{
	uint64_t pause = s->from->kind == DELIVERY_POLL ? s->times->poll_interval
	                                                : s->times->poll_first;

	s->next->kind = DELIVERY_POLL;
	s->next->compose = true;
	s->next->due = s->now + seconds(pause);
	set_state(s, STATE_WAITING, CAUSE_ANSWER);
}

static void
act_delivered(struct step *s)
{
	s->next->event = EVENT_ANSWERED;
	s->next->reached = true;
	await(s);
}

static void
act_news(struct step *s)
{
	enum document_state state = state_of_status(s->status);

	s->next->event = s->from->kind == DELIVERY_POLL ? EVENT_POLLED : EVENT_ANSWERED;
	s->next->reached = true;
	/* A bridge may answer WAIT without knowing: that takes nothing back (section 10). */
	bool said = state_is_peer(s->from->state) && s->from->state != STATE_WAITING;
	if (state == STATE_WAITING && !said) {
		await(s);
		return;
	}
	s->next->pending = false;
	if (state != STATE_WAITING) {
		s->next->state = state; /* also when it is the same: its number may be new */
		s->next->cause = CAUSE_ANSWER;
	}
}

static void
act_finish(struct step *s)
{
	s->next->pending = false;
	s->next->event = EVENT_NOTIFIED;
}

static void
act_send_again(struct step *s)
{
	struct schedule_next *n = s->next;

	if (s->from->attempts > s->times->retry_count) {
		end_failed(s, FAULT_RETRIES_EXHAUSTED);
		return;
	}
	n->kind = DELIVERY_DOCUMENT;
	n->compose = true;
	n->due = s->now;
	n->polls = 0;
	n->reached = false; /* the peer has said so */
	n->event = EVENT_POLLED;
	set_state(s, STATE_ACCEPTED, CAUSE_ANSWER);
}

static void
act_refused(struct step *s)
{
	if (s->from->reached)
		act_ask(s);
	else
		act_fail(s);
}

static void
act_ask_again(struct step *s)
{
	struct schedule_next *n = s->next;
	when pause = seconds(s->times->poll_interval);

	if (s->from->state == STATE_UNSURE && s->from->polls <= s->times->retry_count)
		pause = schedule_interval(s->times, s->from->polls);
	n->compose = s->went != WENT_CONNECT;
	n->due = later(s->from->due + pause, s->now + breath(s->times));
	if (s->not_before != WHEN_NONE)
		n->due = later(n->due, s->not_before);
	n->event = EVENT_POLLED;
}

static void
act_ask_or_stop(struct step *s)
{
	if (s->from->state == STATE_WAITING)
		act_ask_again(s);
	else
		act_fail(s);
}

static void
act_ask_or_send(struct step *s)
{
	if (s->from->state == STATE_UNSURE)
		act_send_again(s);
	else
		act_ask_again(s);
}

static void (*const steps[ACTION_COUNT])(struct step *) = {
	[RETRY_SAME] = act_retry_same,
	[RETRY_NEW] = act_retry_new,
	[ASK] = act_ask,
	[HOLD] = act_hold,
	[FAIL] = act_fail,
	[SOON] = act_soon,
	[NEWS] = act_news,
	[DELIVERED] = act_delivered,
	[FINISH] = act_finish,
	[SEND_AGAIN] = act_send_again,
	[REFUSED] = act_refused,
	[ASK_AGAIN] = act_ask_again,
	[ASK_OR_STOP] = act_ask_or_stop,
	[ASK_OR_SEND] = act_ask_or_send,
};

void
schedule_step(const struct schedule_times *times, const struct schedule *from,
              enum schedule_outcome went, enum document_status status, when not_before, when now,
              struct schedule_next *next)
{
	*next = (struct schedule_next){
		.pending = true,
		.kind = from->kind,
		.due = now,
		.attempts = from->attempts,
		.polls = from->polls,
		.reached = from->reached,
		.state = STATE_NONE,
		.fault = FAULT_NONE,
	};
	struct step s = {times, from, went, status, not_before, now, next};
	/* The document met its end while this attempt was under way: only news counts. */
	if (from->kind != DELIVERY_STATUS && state_is_end(from->state) && went != WENT_STATUS) {
		next->pending = false;
		return;
	}
	/* It told us by itself that it has the document, before its answer came. */
	if (from->kind == DELIVERY_DOCUMENT && from->state == STATE_WAITING && went != WENT_STATUS)
		act_delivered(&s);
	else
		steps[actions[from->kind][went]](&s);
}

enum schedule_outcome
schedule_outcome_of_class(uint64_t class)
{
	return class <= UNDELIVERED_AGAIN ? (enum schedule_outcome)class : WENT_AMBIGUOUS;
}

enum schedule_outcome
schedule_outcome_of_answer(uint64_t answer, uint64_t status)
{
	static const enum schedule_outcome outcomes[] = {
		[ANSWER_ERROR] = WENT_ERROR,
		[ANSWER_EMPTY] = WENT_EMPTY,
		[ANSWER_FAULT] = WENT_FAULT,
		[ANSWER_UNVERIFIABLE] = WENT_UNPROVEN,
		[ANSWER_UNREADABLE] = WENT_UNPROVEN,
	};

	if (answer > ANSWER_UNREADABLE)
		return WENT_UNPROVEN;
	if (answer != ANSWER_STATUS)
		return outcomes[answer];
	if (status == STATUS_NOT_FOUND)
		return WENT_NOT_FOUND;
	return state_of_status((enum document_status)status) != STATE_NONE ? WENT_STATUS
									   : WENT_STRANGE;
}

when
schedule_first_poll(const struct schedule_times *t, when now)
{
	return now + seconds(t->poll_first);
}

when
schedule_expiry(const struct schedule_times *t, when accepted)
{
	return accepted + seconds(t->expire_after);
}

void
schedule_times_from_conf(struct schedule_times *t, const struct conf *c)
{
	*t = (struct schedule_times){
		.retry_first = c->retry_first,
		.retry_count = c->retry_count,
		.poll_first = c->poll_first,
		.poll_interval = c->poll_interval,
		.expire_after = c->expire_after,
		.hold_interval = c->hold_interval,
	};
}
