#include "register/guard.h"

#include <stdlib.h>
#include <string.h>

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool
same_serial(const char *a, const char *b)
{
	return same_text(a, b) || participant_serial_equal(a, b);
}

/* LastChange alone is no change. */
static bool
participant_same(const struct participant *a, const struct participant *b)
{
	const char *x, *y;

	for (size_t i = 0; participant_field(i, a, &x); i++) {
		participant_field(i, b, &y);
		if (!same_text(x, y))
			return false;
	}
	return guid_equal(&a->parent, &b->parent);
}

const char *
participant_field(size_t i, const struct participant *p, const char **text)
{
	const struct {
		const char *name, *text;
	} fields[] = {
		{"eik", p->eik},
		{"name", p->name},
		{"status", participant_status_name(p->status)},
		{"entity_status", participant_status_name(p->entity_status)},
		{"service_status", participant_status_name(p->service_status)},
		{"certificate_serial", p->certificate_serial},
		{"uri", p->uri},
		{"service_name", p->service_name},
		{"service_version", p->service_version},
		{"phone", p->phone},
		{"fax", p->fax},
		{"email", p->email},
	};

	if (i >= sizeof fields / sizeof *fields)
		return NULL;
	*text = fields[i].text;
	return fields[i].name;
}

struct walk {
	change_cb cb;
	void *arg;
	struct change_totals *totals;
};

static void
tell(const struct walk *w, enum change kind, const struct participant *before,
     const struct participant *after)
{
	struct change_totals *t = w->totals;

	t->added += kind == CHANGE_ADDED;
	t->vanished += kind == CHANGE_VANISHED;
	t->changed += kind == CHANGE_CHANGED;
	if (kind == CHANGE_CHANGED)
		t->deactivated += before->status == PARTICIPANT_ACTIVE &&
		    after->status != PARTICIPANT_ACTIVE;
	if (w->cb)
		w->cb(w->arg, kind, before, after);
}

void
snapshot_changes(const struct snapshot *before, const struct snapshot *after, change_cb cb,
                 void *arg, struct change_totals *totals)
{
	const struct walk w = {cb, arg, totals};
	size_t n = before ? snapshot_count(before) : 0, m = snapshot_count(after), i = 0, j = 0;
	struct participant a, b;

	*totals = (struct change_totals){.before = n, .after = m};
	while (i < n || j < m) {
		if (i < n)
			snapshot_at(before, i, &a);
		if (j < m)
			snapshot_at(after, j, &b);
		int order = i == n ? 1 : j == m ? -1 : memcmp(a.guid.b, b.guid.b, sizeof a.guid.b);
		if (order < 0)
			tell(&w, CHANGE_VANISHED, &a, NULL);
		else if (order > 0)
			tell(&w, CHANGE_ADDED, NULL, &b);
		else if (!participant_same(&a, &b))
			tell(&w, CHANGE_CHANGED, &a, &b);
		i += order <= 0;
		j += order >= 0;
	}
}

/* True when this is an own entry and the change is one that a person must see. `after` NULL:
 * vanished. */
static bool
own_change(const struct guard *g, const struct participant *before,
           const struct participant *after)
{
	bool own = false;

	for (size_t i = 0; i < g->own_count; i++)
		own |= guid_equal(&g->own[i], &before->guid);
	return own && (!after || before->status != after->status || !same_text(before->uri, after->uri) ||
	                  !same_serial(before->certificate_serial, after->certificate_serial));
}

struct judging {
	const struct guard *guard;
	size_t own;
};

static void
judge_change(void *arg, enum change kind, const struct participant *before,
             const struct participant *after)
{
	struct judging *j = arg;

	if (kind != CHANGE_ADDED)
		j->own += own_change(j->guard, before, after);
}

void
guard_judge(const struct guard *g, const struct snapshot *before, const struct snapshot *after,
            struct guard_verdict *v)
{
	struct judging j = {.guard = g};
	struct change_totals *t = &v->totals;

	snapshot_changes(before, after, judge_change, &j, t);
	v->own = j.own;
	/* A register in which all turn inactive at once loses them as surely as one that forgets them;
	 * the share is not asked for that, because in a small network one of three may rest. */
	v->shrink = t->vanished > g->count || t->deactivated > g->count ||
	    t->vanished * 100 > t->before * g->percent;
	v->hold = v->shrink || v->own > 0;
}

static bool
may_replace(const struct guard *g, const struct snapshot *base, const struct participant *after)
{
	struct participant before;

	return !g || !base || !snapshot_by_guid(base, &after->guid, &before) ||
	    !own_change(g, &before, after);
}

int
snapshot_merge(const struct snapshot *base, const struct snapshot *change, const struct guard *guard,
               when mark, when fetched, when checked, enum snapshot_source source)
{
	struct snapshot_builder *b = snapshot_builder_new();
	bool ok = b && (!base || snapshot_builder_add_all(b, base));
	struct participant p;

	for (size_t i = 0; ok && i < snapshot_count(change); i++) {
		snapshot_at(change, i, &p);
		if (may_replace(guard, base, &p))
			ok = snapshot_builder_add(b, &p);
	}
	int fd = ok ? snapshot_builder_finish(b, mark, fetched, checked, source) : -1;
	snapshot_builder_free(b);
	return fd;
}
