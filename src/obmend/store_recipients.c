/* Due times by peer, in memory: a peer that does not answer must not hide the others' work. */
#include <stdlib.h>
#include "obmend/store_role.h"

#define SLOTS_FIRST 256

static size_t
slot_of(const struct store_role *r, int64_t peer)
{
	uint64_t h = (uint64_t)peer * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(h >> 32) & (r->recipient_slots - 1);

	while (r->recipients[i].peer && r->recipients[i].peer != peer)
		i = (i + 1) & (r->recipient_slots - 1);
	return i;
}

bool
recipients_init(struct store_role *r)
{
	r->recipient_slots = SLOTS_FIRST;
	r->recipients = calloc(r->recipient_slots, sizeof *r->recipients);
	return r->recipients;
}

static bool
grow(struct store_role *r)
{
	struct store_recipient *old = r->recipients;
	size_t old_slots = r->recipient_slots;
	struct store_recipient *more = calloc(old_slots * 2, sizeof *more);

	if (!more)
		return false;
	r->recipients = more;
	r->recipient_slots = old_slots * 2;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].peer)
			more[slot_of(r, old[i].peer)] = old[i];
	free(old);
	return true;
}

struct store_recipient *
recipients_find(struct store_role *r, int64_t peer)
{
	if (r->recipient_count * 2 >= r->recipient_slots)
		grow(r); /* or stay dense: looking up takes longer, nothing else */
	if (r->recipient_count + 1 >= r->recipient_slots)
		return NULL;
	struct store_recipient *found = &r->recipients[slot_of(r, peer)];
	if (!found->peer) {
		*found = (struct store_recipient){.peer = peer, .due = WHEN_NONE};
		r->recipient_count++;
	}
	return found;
}

void
recipients_due(void *arg, int64_t peer, when due)
{
	struct store_role *r = arg;
	struct store_recipient *found = recipients_find(r, peer);

	if (found && (found->due == WHEN_NONE || due < found->due))
		found->due = due;
	store_wake(r);
}

when
recipients_next(const struct store_role *r)
{
	when next = WHEN_NONE;

	if (r->under_way >= r->window)
		return WHEN_NONE;
	for (size_t i = 0; i < r->recipient_slots; i++) {
		const struct store_recipient *p = &r->recipients[i];
		if (p->peer && p->due != WHEN_NONE && p->busy < r->per_peer &&
		    (next == WHEN_NONE || p->due < next))
			next = p->due;
	}
	return next;
}
