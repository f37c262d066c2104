#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"

static const struct peer readers[] = {{ROLE_COURIER, 0}, {ROLE_CONTROL, 0}};

void
version_clear(struct version *v)
{
	if (!v->snapshot)
		return;
	snapshot_free(v->snapshot);
	close(v->fd);
	*v = (struct version){.fd = -1};
}

/* Takes a sealed descriptor; false, and nothing taken over, when it cannot be opened. */
static bool
version_from(struct version *v, int fd)
{
	int copy = fd < 0 ? -1 : dup(fd);

	*v = (struct version){.fd = -1};
	if (copy >= 0)
		v->snapshot = snapshot_open(copy);
	if (v->snapshot) {
		v->fd = fd;
		return true;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

void
publish_to(struct directory *d, struct peer peer)
{
	if (!d->current.snapshot)
		return;
	int fd = dup(d->current.fd);
	if (fd >= 0)
		role_send(d->self, peer.role, peer.index, WIRE_SNAPSHOT, 0, NULL, 0, &fd, 1);
}

static void
publish(struct directory *d)
{
	for (unsigned i = 0; i < d->self->workers; i++)
		publish_to(d, (struct peer){ROLE_CODEC, i});
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
		publish_to(d, readers[i]);
	d->figures.published++;
}

/* Our own entry tells whether others can reach us: say when it is not there. */
static void
warn_of_own(const struct directory *d)
{
	char text[GUID_TEXT_SIZE];
	struct participant p;

	for (size_t i = 0; i < d->guard.own_count; i++) {
		guid_format(&d->guard.own[i], text);
		if (!snapshot_by_guid(d->current.snapshot, &d->guard.own[i], &p))
			log_warning("register.own-missing", "participant=%s", text);
		else if (p.status != PARTICIPANT_ACTIVE)
			log_warning("register.own-inactive", "participant=%s status=%s", text,
			    participant_status_name(p.status));
	}
}

static void
drop_held(struct directory *d, const char *why)
{
	if (!d->held.version.snapshot)
		return;
	log_info("register.released", "candidate=%llu reason=\"%s\"",
	    (unsigned long long)d->held.number, why);
	version_clear(&d->held.version);
}

void
apply_save(struct directory *d)
{
	if (d->unsaved && d->current.snapshot)
		d->unsaved = !snapshot_save(d->current.fd, d->dir_fd, DIRECTORY_COPY);
}

static void
make_current(struct directory *d, struct version *v)
{
	version_clear(&d->current);
	d->current = *v;
	*v = (struct version){.fd = -1};
	log_info("register.applied", "participants=%zu source=%s", snapshot_count(d->current.snapshot),
	    snapshot_source_name(snapshot_source(d->current.snapshot)));
	publish(d);
	keeper_look(d);
	d->unsaved = snapshot_source(d->current.snapshot) != SNAPSHOT_DISK;
	/* Single participants are written with the next list: that spares the flash. */
	if (snapshot_source(d->current.snapshot) != SNAPSHOT_LOOKUP)
		apply_save(d);
	warn_of_own(d);
}

/* The same candidate as before keeps its number and is not announced again. */
static bool
same_candidate(const struct directory *d, const struct version *v)
{
	struct change_totals t;

	if (!d->held.version.snapshot)
		return false;
	snapshot_changes(d->held.version.snapshot, v->snapshot, NULL, NULL, &t);
	return t.added + t.vanished + t.changed == 0;
}

static void
hold(struct directory *d, struct version *v, const struct guard_verdict *verdict)
{
	bool same = same_candidate(d, v);

	version_clear(&d->held.version);
	d->held.version = *v;
	d->held.verdict = *verdict;
	*v = (struct version){.fd = -1};
	if (same)
		return;
	d->held.number++;
	d->held.since = when_now();
	d->figures.holds++;
	log_warning("register.held",
	    "code=%s candidate=%llu before=%zu after=%zu vanished=%zu deactivated=%zu own=%zu",
	    fault_code(FAULT_REGISTER_SHRINK), (unsigned long long)d->held.number,
	    verdict->totals.before, verdict->totals.after, verdict->totals.vanished,
	    verdict->totals.deactivated, verdict->own);
}

/* `base` with the changes of `change`, as a version of the same time as base. */
static bool
merged(struct directory *d, const struct snapshot *base, const struct snapshot *change,
       const struct guard *guard, when mark, enum snapshot_source source, struct version *out)
{
	if (snapshot_mark(base) > mark)
		mark = snapshot_mark(base);
	return version_from(out, snapshot_merge(base, change, guard, mark, snapshot_fetched(base),
	                             d->checked, source));
}

static enum applied
judge_full(struct directory *d, struct version *candidate)
{
	struct guard_verdict verdict;

	if (d->current.snapshot) {
		guard_judge(&d->guard, d->current.snapshot, candidate->snapshot, &verdict);
		if (verdict.hold) {
			hold(d, candidate, &verdict);
			return HELD;
		}
	}
	drop_held(d, "a later list needs no decision");
	make_current(d, candidate);
	return APPLIED;
}

enum applied
apply_full(struct directory *d, struct snapshot *list, int fd, const struct register_answer *answer)
{
	struct version candidate = {list, fd}, partial;

	if (answer->skipped == 0 || !d->current.snapshot)
		return judge_full(d, &candidate);
	/* Who could not be read is not gone. */
	log_warning("register.partial", "unreadable=%zu", answer->skipped);
	bool ok = version_from(&partial,
	    snapshot_merge(d->current.snapshot, list, NULL, snapshot_mark(list),
	        snapshot_fetched(list), d->checked, SNAPSHOT_FULL));
	version_clear(&candidate);
	return ok ? judge_full(d, &partial) : NOT_APPLIED;
}

/* The candidate that waits for a person must know later changes too, or accepting it would undo
 * them. It may become harmless by them. */
static void
renew_held(struct directory *d, const struct snapshot *change, when mark)
{
	struct version candidate;
	struct guard_verdict verdict;

	if (!d->held.version.snapshot ||
	    !merged(d, d->held.version.snapshot, change, NULL, mark, SNAPSHOT_FULL, &candidate))
		return;
	guard_judge(&d->guard, d->current.snapshot, candidate.snapshot, &verdict);
	if (verdict.hold) {
		hold(d, &candidate, &verdict);
		return;
	}
	version_clear(&candidate);
	drop_held(d, "a later change undid it");
}

/* Nothing, or only the newest change that is known already. */
static bool
is_unchanged(const struct directory *d, const struct version *v)
{
	struct change_totals t;

	snapshot_changes(d->current.snapshot, v->snapshot, NULL, NULL, &t);
	return t.added + t.vanished + t.changed == 0;
}

/* Applies a change that the guard lets pass, as a whole or but for our own entries. */
static enum applied
apply_open_part(struct directory *d, const struct snapshot *change, const struct guard *but,
                when mark, enum snapshot_source source)
{
	struct version next;

	if (!merged(d, d->current.snapshot, change, but, mark, source, &next))
		return NOT_APPLIED;
	if (is_unchanged(d, &next)) {
		version_clear(&next);
		return UNCHANGED;
	}
	make_current(d, &next);
	return APPLIED;
}

static enum applied
apply_guarded(struct directory *d, const struct snapshot *change, when mark,
              enum snapshot_source source, struct version *candidate)
{
	struct guard_verdict verdict;

	guard_judge(&d->guard, d->current.snapshot, candidate->snapshot, &verdict);
	if (!verdict.hold) {
		enum applied result = apply_open_part(d, change, NULL, mark, source);
		renew_held(d, change, mark);
		return result;
	}
	/* Only our own entries wait; what others changed is applied. */
	if (!verdict.shrink)
		apply_open_part(d, change, &d->guard, mark, source);
	if (d->held.version.snapshot) {
		renew_held(d, change, mark);
	} else {
		guard_judge(&d->guard, d->current.snapshot, candidate->snapshot, &verdict);
		hold(d, candidate, &verdict);
	}
	return HELD;
}

enum applied
apply_change(struct directory *d, struct snapshot *change, when mark, enum snapshot_source source)
{
	struct version candidate = {.fd = -1};
	enum applied result = NOT_APPLIED;

	if (snapshot_count(change) == 0)
		result = UNCHANGED;
	else if (d->current.snapshot && merged(d, d->current.snapshot, change, NULL, mark, source, &candidate))
		result = apply_guarded(d, change, mark, source, &candidate);
	version_clear(&candidate);
	snapshot_free(change);
	return result;
}

bool
apply_held(struct directory *d)
{
	const struct snapshot *s = d->held.version.snapshot;
	struct version v;
	struct snapshot_builder *b = snapshot_builder_new();
	int fd = -1;

	if (b && snapshot_builder_add_all(b, s))
		fd = snapshot_builder_finish(b, snapshot_mark(s), snapshot_fetched(s), d->checked,
		    SNAPSHOT_ACCEPTED);
	snapshot_builder_free(b);
	if (!version_from(&v, fd))
		return false;
	log_warning("register.accepted", "candidate=%llu", (unsigned long long)d->held.number);
	version_clear(&d->held.version);
	make_current(d, &v);
	return true;
}

void
apply_disk(struct directory *d)
{
	struct version copy, v;
	struct snapshot_builder *b = NULL;
	int fd = -1;

	if (!version_from(&copy, snapshot_load(d->dir_fd, DIRECTORY_COPY)))
		return;
	const struct snapshot *s = copy.snapshot;
	b = snapshot_builder_new();
	if (b && snapshot_builder_add_all(b, s))
		fd = snapshot_builder_finish(b, snapshot_mark(s), snapshot_fetched(s), snapshot_checked(s),
		    SNAPSHOT_DISK);
	snapshot_builder_free(b);
	version_clear(&copy);
	if (version_from(&v, fd)) {
		d->checked = snapshot_checked(v.snapshot);
		make_current(d, &v);
	}
}
