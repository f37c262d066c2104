/*
 * Single participants for codec: a sender that the register does not show, or with another
 * certificate, is asked for once before it is refused (design 3).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"

#define PATIENCE 10 /* seconds: a sender waits on its connection */

struct lookup {
	struct directory *directory;
	struct guid guid;
	struct fetch *fetch;
	struct event *timer;
	struct waiters waiters;
	struct lookup *next;
};

static void
reply(struct directory *d, struct waiter w, bool asked)
{
	const struct wire_lookup_reply m = {.asked = asked};
	struct ipc *ipc = d->self->peers[w.peer.role][w.peer.index];

	if (ipc)
		wire_send(ipc, WIRE_LOOKUP_REPLY, w.id, &m, NULL, 0);
}

/* Answers all who wait and forgets the look-up. */
static void
end(struct lookup *l, bool asked)
{
	struct directory *d = l->directory;
	struct lookup **at = &d->lookups;

	for (unsigned i = 0; i < l->waiters.count; i++)
		reply(d, l->waiters.all[i], asked);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	fetch_cancel(l->fetch);
	if (l->timer)
		event_free(l->timer);
	free(l);
}

static void
on_answer(struct directory *d, void *arg, struct fetch_result *r)
{
	struct lookup *l = arg;
	char guid[GUID_TEXT_SIZE];

	l->fetch = NULL;
	guid_format(&l->guid, guid);
	log_info("register.lookup", "participant=%s found=%zu code=%s detail=\"%s\"", guid,
	    r->answer.participants, fault_code(r->fault), r->detail);
	if (r->fault == FAULT_NONE) {
		close(r->fd);
		d->checked = when_now();
		/* One answer about one participant says nothing about the mark. */
		apply_change(d, r->snapshot, WHEN_NONE, SNAPSHOT_LOOKUP);
	}
	end(l, r->fault == FAULT_NONE);
}

static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	end(arg, false);
}

static struct lookup *
find(const struct directory *d, const struct guid *guid, unsigned *count)
{
	struct lookup *found = NULL;

	*count = 0;
	for (struct lookup *l = d->lookups; l; l = l->next, ++*count) {
		if (guid_equal(&l->guid, guid))
			found = l;
	}
	return found;
}

static struct lookup *
begin(struct directory *d, const struct guid *guid)
{
	struct timeval patience = {PATIENCE, 0};
	struct lookup *l = calloc(1, sizeof *l);
	char text[GUID_TEXT_SIZE];
	const char *why;

	if (!l)
		return NULL;
	*l = (struct lookup){.directory = d, .guid = *guid, .next = d->lookups};
	d->lookups = l;
	d->figures.lookups++;
	guid_format(guid, text);
	l->timer = evtimer_new(d->self->base, on_patience, l);
	if (l->timer && event_add(l->timer, &patience) == 0)
		l->fetch = fetch_new(d, REGISTER_BY_GUID, text, on_answer, l, &why);
	if (l->fetch)
		return l;
	end(l, false);
	return NULL;
}

void
directory_lookup(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct directory *d = directory_of(self);
	const struct waiter w = {from, f->id};
	struct wire_lookup m;
	unsigned count;

	if (!wire_unpack(f, WIRE_LOOKUP, &m))
		return;
	struct lookup *l = find(d, &m.guid, &count);
	if (!l && count < DIRECTORY_LOOKUPS && limit_allows(&d->limit, &m.guid, when_monotonic()))
		l = begin(d, &m.guid);
	else if (!l)
		d->figures.lookups_limited++;
	if (l && l->waiters.count < DIRECTORY_WAITERS)
		l->waiters.all[l->waiters.count++] = w;
	else
		reply(d, w, false);
}

void
lookups_stop(struct directory *d)
{
	while (d->lookups)
		end(d->lookups, false);
}
