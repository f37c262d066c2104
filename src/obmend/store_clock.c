/*
 * The wall clock may be set at any moment, by hours or by years. What was scheduled by the wrong time
 * must neither wait for it nor be ended by it: what is due comes forward when the clock goes back, and
 * no document expires right after a leap, before a person or NTP had the time to take it back.
 */
#include "lib/log.h"
#include "obmend/store_role.h"

#define STEP (60 * WHEN_SECOND)              /* less is drift that is being corrected */
#define LEAP (24 * 3600 * WHEN_SECOND)       /* forward by so much, or off for so long */
#define PATIENCE (3600 * WHEN_SECOND)        /* before documents expire again after a leap */
#define EXPIRE_LOOK (60 * WHEN_SECOND)       /* documents of meanwhile have terms, too */
#define EXPIRE_ROUND 64

static void
leapt(struct store_role *r, when by)
{
	r->expire_patience = when_monotonic() + PATIENCE;
	log_warning("store.clock-leapt", "hours=%lld expiry_in_minutes=%lld",
	    (long long)(by / (3600 * WHEN_SECOND)), (long long)(PATIENCE / (60 * WHEN_SECOND)));
}

/* The clock stands as it stands; how it stood when this process began is what steps are counted from. */
enum fault
store_clock_start(struct store_role *r)
{
	when now = when_now(), last = WHEN_NONE;
	enum fault f = r->backend->clock_back(r->store, 0);

	if (!f)
		f = r->backend->last_written(r->store, &last);
	r->clock_offset = now - when_monotonic();
	if (!f && last != WHEN_NONE && now - last > LEAP)
		leapt(r, now - last);
	r->expire_next = now;
	return f;
}

void
store_clock_look(struct store_role *r)
{
	when offset = when_now() - when_monotonic(), step = offset - r->clock_offset;

	if (!r->recovered || (step > -STEP && step < STEP))
		return;
	r->clock_offset = offset;
	if (step < 0) {
		log_warning("store.clock-back", "seconds=%lld", (long long)(-step / WHEN_SECOND));
		r->clock_back += -step;
		r->expire_next = when_now();
	} else if (step > LEAP) {
		leapt(r, step);
	} else {
		log_warning("store.clock-forward", "seconds=%lld", (long long)(step / WHEN_SECOND));
	}
}

void
store_clock_mend(struct store_role *r)
{
	if (r->clock_back > 0 && !store_batch(r) &&
	    !r->backend->clock_back(r->store, r->clock_back) && !r->backend->load_due(r->store))
		r->clock_back = 0;
}

void
store_expire(struct store_role *r, when now)
{
	when next = WHEN_NONE;

	if (r->expire_next > now)
		return;
	if (when_monotonic() < r->expire_patience)
		next = WHEN_NONE;
	else if (store_batch(r) || r->backend->expire(r->store, EXPIRE_ROUND, &next))
		next = now + SCHEDULE_SOON;
	r->expire_next = next == WHEN_NONE || next > now + EXPIRE_LOOK ? now + EXPIRE_LOOK : next;
}
