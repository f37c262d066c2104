#include "obmend/directory_limit.h"

void
limit_init(struct limit *l, when interval, when refill, when now)
{
	*l = (struct limit){
		.interval = interval, .refill = refill, .budget = LIMIT_BURST * refill, .last = now};
}

static void
refill(struct limit *l, when now)
{
	const when full = LIMIT_BURST * l->refill;

	if (now > l->last)
		l->budget += now - l->last;
	if (l->budget > full)
		l->budget = full;
	l->last = now;
}

/* The place of this GUID in the table, or of the one that is forgotten for it. */
static unsigned
place_of(struct limit *l, const struct guid *guid, bool *known)
{
	*known = true;
	for (unsigned i = 0; i < l->count; i++) {
		if (guid_equal(&l->asked[i].guid, guid))
			return i;
	}
	*known = false;
	return l->next;
}

bool
limit_allows(struct limit *l, const struct guid *guid, when now)
{
	bool known;
	unsigned i = place_of(l, guid, &known);

	refill(l, now);
	if ((known && now - l->asked[i].at < l->interval) || l->budget < l->refill)
		return false;
	l->budget -= l->refill;
	l->asked[i].guid = *guid;
	l->asked[i].at = now;
	if (!known) {
		l->next = (l->next + 1) % LIMIT_GUIDS;
		l->count += l->count < LIMIT_GUIDS;
	}
	return true;
}
