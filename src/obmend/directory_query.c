#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obmend/directory.h"

#define LIST_MAX 1000 /* entries of each kind in register.diff */

const char *
snapshot_source_name(enum snapshot_source s)
{
	static const char *const names[] = {"full", "increment", "lookup", "disk", "accepted"};

	return (size_t)s < sizeof names / sizeof *names ? names[s] : "unknown";
}

void
query_reply(struct directory *d, struct waiter w, json_t *reply)
{
	struct ipc *ipc = d->self->peers[w.peer.role][w.peer.index];

	if (ipc && reply)
		wire_send_json(ipc, WIRE_QUERY_REPLY, w.id, reply, NULL, 0);
	json_decref(reply);
}

void
query_refused(struct directory *d, struct waiter w, enum fault fault, const char *detail)
{
	query_reply(d, w, json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(fault), "detail",
	                      detail ? detail : ""));
}

static void
set_moment(json_t *j, const char *key, when at)
{
	char text[WHEN_TEXT_SIZE];

	if (at == WHEN_NONE)
		return;
	when_format(at, text);
	json_object_set_new(j, key, json_string(text));
}

static json_t *
guid_json(const struct guid *g)
{
	char text[GUID_TEXT_SIZE];

	guid_format(g, text);
	return json_string(text);
}

/* Names come from outside: what is not UTF-8 must not make the whole reply fail. */
static json_t *
text_json(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *
participant_json(const struct participant *p)
{
	return json_pack("{s:o, s:o, s:o}", "guid", guid_json(&p->guid), "eik", text_json(p->eik), "name",
	    text_json(p->name));
}

static json_t *
own_json(const struct directory *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->guard.own_count; i++) {
		struct participant p;
		bool found = d->current.snapshot && snapshot_by_guid(d->current.snapshot, &d->guard.own[i], &p);
		json_t *j = json_pack("{s:o, s:b}", "guid", guid_json(&d->guard.own[i]), "found", found);
		if (found) {
			json_object_set_new(j, "name", text_json(p.name));
			json_object_set_new(j, "status", json_string(participant_status_name(p.status)));
			json_object_set_new(j, "certificate_serial", text_json(p.certificate_serial));
			json_object_set_new(j, "uri", text_json(p.uri));
		}
		json_array_append_new(list, j);
	}
	return list;
}

json_t *
query_held(const struct directory *d)
{
	const struct guard_verdict *v = &d->held.verdict;
	const struct change_totals *t = &v->totals;
	json_t *j = json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "candidate",
	    (json_int_t)d->held.number, "fault", fault_code(FAULT_REGISTER_SHRINK), "before",
	    (json_int_t)t->before, "after", (json_int_t)t->after, "vanished", (json_int_t)t->vanished,
	    "deactivated", (json_int_t)t->deactivated, "added", (json_int_t)t->added, "changed",
	    (json_int_t)t->changed, "own", (json_int_t)v->own, "shrink", v->shrink);

	set_moment(j, "since", d->held.since);
	return j;
}

static const char *
state_name(const struct directory *d)
{
	if (!d->current.snapshot)
		return "empty";
	if (d->held.version.snapshot)
		return "held";
	return d->trouble.fault != FAULT_NONE ? "failing" : "good";
}

static json_t *
trouble_json(const struct trouble *t)
{
	json_t *j = json_pack("{s:s, s:o, s:i}", "fault", fault_code(t->fault), "detail",
	    text_json(t->detail), "failures", (int)t->failures);

	set_moment(j, "at", t->at);
	return j;
}

static json_t *
next_json(const struct directory *d)
{
	const struct schedule *s = &d->schedule;
	bool full = s->fetch ? s->full : s->full_wanted || when_monotonic() >= s->next_full;
	json_t *j = json_pack("{s:s}", "what", full ? "full" : "increment");

	if (s->fetch)
		json_object_set_new(j, "running", json_true());
	else
		set_moment(j, "at", s->next);
	return j;
}

static void
set_current(json_t *j, const struct directory *d)
{
	const struct snapshot *s = d->current.snapshot;
	when now = when_now();

	json_object_set_new(j, "count", json_integer(s ? (json_int_t)snapshot_count(s) : 0));
	if (s) {
		json_object_set_new(j, "source", json_string(snapshot_source_name(snapshot_source(s))));
		set_moment(j, "fetched", snapshot_fetched(s));
		set_moment(j, "mark", snapshot_mark(s));
	}
	if (d->checked == WHEN_NONE)
		return;
	set_moment(j, "checked", d->checked);
	json_object_set_new(j, "age_seconds", json_integer((now - d->checked) / WHEN_SECOND));
	json_object_set_new(j, "stale", json_boolean(now - d->checked >= DIRECTORY_STALE));
}

static void
verb_show(struct directory *d, struct waiter w, const json_t *query)
{
	json_t *j = json_pack("{s:b, s:s, s:s}", "ok", 1, "state", state_name(d), "url",
	    d->conf->register_url);

	(void)query;
	set_current(j, d);
	json_object_set_new(j, "next", next_json(d));
	json_object_set_new(j, "own", own_json(d));
	if (d->trouble.fault != FAULT_NONE)
		json_object_set_new(j, "last_error", trouble_json(&d->trouble));
	if (d->held.version.snapshot)
		json_object_set_new(j, "held", query_held(d));
	query_reply(d, w, j);
}

static void
verb_refresh(struct directory *d, struct waiter w, const json_t *query)
{
	(void)query;
	if (!schedule_refresh(d, w))
		query_refused(d, w, FAULT_OVERLOADED, NULL);
}

struct diff {
	json_t *lists[3]; /* by enum change */
	bool truncated;
};

static json_t *
fields_json(const struct participant *before, const struct participant *after)
{
	json_t *list = json_array();
	const char *name, *x, *y;

	for (size_t i = 0; (name = participant_field(i, before, &x)); i++) {
		participant_field(i, after, &y);
		if (strcmp(x, y) != 0)
			json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "field", name, "old",
			                                text_json(x), "new", text_json(y)));
	}
	return list;
}

static void
add_change(void *arg, enum change kind, const struct participant *before,
           const struct participant *after)
{
	struct diff *diff = arg;

	if (json_array_size(diff->lists[kind]) == LIST_MAX) {
		diff->truncated = true;
		return;
	}
	json_t *j = participant_json(before ? before : after);
	if (kind == CHANGE_CHANGED)
		json_object_set_new(j, "fields", fields_json(before, after));
	json_array_append_new(diff->lists[kind], j);
}

static void
verb_diff(struct directory *d, struct waiter w, const json_t *query)
{
	struct diff diff = {{json_array(), json_array(), json_array()}, false};
	const struct snapshot *candidate = d->held.version.snapshot;
	struct change_totals totals;
	json_t *j = json_pack("{s:b}", "ok", 1);

	(void)query;
	if (candidate) {
		snapshot_changes(d->current.snapshot, candidate, add_change, &diff, &totals);
		json_object_set_new(j, "held", query_held(d));
	}
	json_object_set_new(j, "vanished", diff.lists[CHANGE_VANISHED]);
	json_object_set_new(j, "changed", diff.lists[CHANGE_CHANGED]);
	json_object_set_new(j, "added", diff.lists[CHANGE_ADDED]);
	json_object_set_new(j, "truncated", json_boolean(diff.truncated));
	query_reply(d, w, j);
}

/* {"candidate": n} accepts only what register.diff showed under this number. */
static void
verb_accept(struct directory *d, struct waiter w, const json_t *query)
{
	const json_t *number = json_object_get(query, "candidate");

	if (!d->held.version.snapshot) {
		query_refused(d, w, FAULT_REGISTER_NOT_HELD, NULL);
	} else if (number && json_integer_value(number) != (json_int_t)d->held.number) {
		query_refused(d, w, FAULT_REGISTER_OTHER_HELD, NULL);
	} else if (!apply_held(d)) {
		query_refused(d, w, FAULT_INTERNAL, "no memory");
	} else {
		query_reply(d, w, json_pack("{s:b, s:I}", "ok", 1, "count",
		                      (json_int_t)snapshot_count(d->current.snapshot)));
	}
}

/* The file comes as a descriptor. */
static void
import_crl(struct directory *d, struct waiter w, struct ipc_frame *f)
{
	const char *why = "no file, or too large";
	enum fault fault = FAULT_CRL_REFUSED;
	struct stat st;
	int fd = ipc_take_fd(f, 0);
	char *data = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && (size_t)st.st_size <= TRUST_CRL_BYTES)
		data = malloc((size_t)st.st_size);
	if (data && pread(fd, data, (size_t)st.st_size, 0) == st.st_size)
		fault = crl_import(d, data, (size_t)st.st_size, &why);
	if (fd >= 0)
		close(fd);
	free(data);
	if (fault)
		query_refused(d, w, fault, why);
	else
		query_reply(d, w, json_pack("{s:b, s:o}", "ok", 1, "revocation", keeper_status(d)));
}

static void
verb_certificates(struct directory *d, struct waiter w, const json_t *query)
{
	(void)query;
	query_reply(d, w, certificates_json(d));
}

static const struct verb {
	const char *name;
	void (*run)(struct directory *, struct waiter, const json_t *query);
} verbs[] = {
	{"register.show", verb_show},
	{"register.refresh", verb_refresh},
	{"register.diff", verb_diff},
	{"register.accept", verb_accept},
	{"cert.show", verb_certificates},
};

void
directory_query(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct directory *d = directory_of(self);
	const struct waiter w = {from, f->id};
	json_t *query = wire_get_json(f);
	const char *name = json_string_value(json_object_get(query, "verb"));

	for (size_t i = 0; name && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(name, verbs[i].name) == 0) {
			verbs[i].run(d, w, query);
			json_decref(query);
			return;
		}
	}
	if (name && strcmp(name, "cert.import-crl") == 0)
		import_crl(d, w, f);
	else
		query_refused(d, w, FAULT_USAGE, name);
	json_decref(query);
}
