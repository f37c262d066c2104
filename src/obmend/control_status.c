/* The state of the whole node: every role's own figures, and one sentence with the next step. */
#include <string.h>

#include "lib/clock.h"
#include "lib/when.h"
#include "obmend/control.h"
#include "obmend/role.h"

#define DAY (24 * 3600 * WHEN_SECOND)
#define CERTIFICATE_SOON 30 /* days */
#define REGISTER_OLD DAY
#define PEER_SOON (14 * DAY)
#define QUEUE_OLD 900 /* seconds: the first retry is over */

/* What is looked at to say how the node is. */
struct facts {
	struct control *control;
	const json_t *roles; /* object: "codec0" -> status, null when silent */
	const struct snapshot *snapshot;
	json_t *conditions;  /* array of {fault, detail} */
};

static void
note(struct facts *f, enum fault fault, const char *detail)
{
	json_array_append_new(f->conditions,
	    json_pack("{s:s, s:s}", "fault", fault_code(fault), "detail", detail ? detail : ""));
}

static void
check_roles(struct facts *f)
{
	const char *name;
	json_t *status;

	json_object_foreach ((json_t *)f->roles, name, status) {
		if (json_is_null(status))
			note(f, FAULT_NODE_ROLE_DOWN, name);
	}
}

static void
check_clock(struct facts *f)
{
	char now[WHEN_TEXT_SIZE];

	when_format(when_now(), now);
	if (clock_wrong(f->control->self->clock_floor))
		note(f, FAULT_CLOCK_WRONG, now);
}

static void
check_disk(struct facts *f)
{
	const json_t *store = json_object_get(f->roles, "store");

	if (json_is_true(json_object_get(store, "disk_full")))
		note(f, FAULT_DISK_FULL, NULL);
}

/* Every signer has all keys: the first one speaks for all. */
static void
check_certificates(struct facts *f)
{
	const json_t *keys = json_object_get(json_object_get(f->roles, "signer0"), "keys");
	size_t i;
	json_t *key;
	char detail[256];

	json_array_foreach (keys, i, key) {
		json_int_t days = json_integer_value(json_object_get(key, "days_left"));
		const char *until = json_string_value(json_object_get(key, "not_after"));
		snprintf(detail, sizeof detail, "%s, %s",
		    json_string_value(json_object_get(key, "name")), until ? until : "");
		if (days < 0)
			note(f, FAULT_OWN_CERTIFICATE_EXPIRED, detail);
		else if (days < CERTIFICATE_SOON)
			note(f, FAULT_OWN_CERTIFICATE_EXPIRES, detail);
	}
}

/* What a person stopped, until a person lets it go on. */
static void
check_maintenance(struct facts *f)
{
	const json_t *m = json_object_get(json_object_get(f->roles, "store"), "maintenance");
	static const struct {
		const char *side;
		enum fault fault;
	} sides[] = {{"in", FAULT_MAINTENANCE_IN}, {"out", FAULT_MAINTENANCE_OUT}};
	char detail[600];

	for (size_t i = 0; i < 2; i++) {
		const json_t *side = json_object_get(m, sides[i].side);
		const char *reason = json_string_value(json_object_get(side, "reason"));
		const char *since = json_string_value(json_object_get(side, "since"));
		if (!side)
			continue;
		snprintf(detail, sizeof detail, "%s%s%s", reason ? reason : "", reason ? "; " : "",
		    since ? since : "");
		note(f, sides[i].fault, detail);
	}
}

/* A document that has not left for this long will be asked for. */
static void
check_queue(struct facts *f)
{
	const json_t *store = json_object_get(f->roles, "store");
	json_int_t seconds = json_integer_value(json_object_get(store, "oldest_seconds"));
	char since[WHEN_TEXT_SIZE];

	if (seconds < QUEUE_OLD)
		return;
	when_format(when_now() - seconds * WHEN_SECOND, since);
	note(f, FAULT_QUEUE_WAITS, since);
}

/* Of the peers that we send to: theirs to mend, ours to tell them. */
static void
check_peers(struct facts *f)
{
	size_t i;
	json_t *p;
	char detail[600];

	json_array_foreach (json_object_get(json_object_get(f->roles, "courier"), "peers"), i, p) {
		const char *until = json_string_value(json_object_get(p, "certificate_until"));
		when end;
		if (!until || !when_parse(&end, until, strlen(until)) || end - when_now() > PEER_SOON)
			continue;
		snprintf(detail, sizeof detail, "%s; %.10s", json_string_value(json_object_get(p, "url")), until);
		note(f, FAULT_PEER_CERTIFICATE_EXPIRES, detail);
	}
}

static void
check_durable(struct facts *f)
{
	if (!self_conf(f->control->self)->durable)
		note(f, FAULT_NODE_NOT_DURABLE, NULL);
}

static void
check_register(struct facts *f)
{
	const json_t *directory = json_object_get(f->roles, "directory");
	char at[WHEN_TEXT_SIZE];

	if (!f->snapshot) {
		note(f, FAULT_REGISTER_EMPTY, NULL);
		return;
	}
	if (json_is_true(json_object_get(directory, "held")))
		note(f, FAULT_REGISTER_SHRINK, NULL);
	/* The directory knows better than the snapshot: an answer without news makes no new one. */
	const json_t *age = json_object_get(directory, "age_seconds");
	when checked = snapshot_checked(f->snapshot);
	if (age)
		checked = when_now() - json_integer_value(age) * WHEN_SECOND;
	if (checked != WHEN_NONE && when_now() - checked < REGISTER_OLD)
		return;
	if (checked != WHEN_NONE)
		when_format(checked, at);
	note(f, FAULT_REGISTER_STALE, checked != WHEN_NONE ? at : NULL);
}

static void
check_own(struct facts *f)
{
	const struct conf *c = f->control->self->conf;
	struct participant p;

	for (unsigned i = 0; f->snapshot && i < c->participant_count; i++) {
		if (!snapshot_by_guid(f->snapshot, &c->participants[i].guid, &p) ||
		    p.status != PARTICIPANT_ACTIVE)
			note(f, FAULT_OWN_PARTICIPANT_MISSING, c->participants[i].name);
	}
}

static void
check_incoming(struct facts *f)
{
	const json_t *store = json_object_get(f->roles, "store");
	const json_t *in = json_object_get(store, "in");
	json_int_t waiting = json_integer_value(json_object_get(in, "waiting"));
	char detail[32];

	if (waiting <= 0)
		return;
	snprintf(detail, sizeof detail, "%lld", (long long)waiting);
	note(f, FAULT_INCOMING_WAITS, detail);
}

/* From what stops the node to what only waits for a person. */
static void (*const checks[])(struct facts *) = {
    check_roles, check_clock, check_disk, check_maintenance, check_durable, check_certificates,
    check_register, check_own, check_queue, check_peers, check_incoming};

static json_t *
register_json(const struct snapshot *s)
{
	static const char *const sources[] = {[SNAPSHOT_FULL] = "full",
					      [SNAPSHOT_INCREMENT] = "increment",
					      [SNAPSHOT_LOOKUP] = "lookup",
					      [SNAPSHOT_DISK] = "disk",
					      [SNAPSHOT_ACCEPTED] = "accepted"};
	char at[WHEN_TEXT_SIZE];

	if (!s)
		return json_null();
	json_t *j = json_pack("{s:I, s:s}", "count", (json_int_t)snapshot_count(s), "source",
	    sources[snapshot_source(s)]);
	if (snapshot_fetched(s) != WHEN_NONE) {
		when_format(snapshot_fetched(s), at);
		json_object_set_new(j, "fetched", json_string(at));
	}
	if (snapshot_checked(s) != WHEN_NONE) {
		when_format(snapshot_checked(s), at);
		json_object_set_new(j, "checked", json_string(at));
	}
	return j;
}

static json_t *
participants_json(const struct control *c)
{
	const struct conf *conf = c->self->conf;
	json_t *list = json_array();
	char guid[GUID_TEXT_SIZE];

	for (unsigned i = 0; i < conf->participant_count; i++) {
		const struct conf_participant *own = &conf->participants[i];
		struct participant p;
		bool known = c->snapshot && snapshot_by_guid(c->snapshot, &own->guid, &p);
		guid_format(&own->guid, guid);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "guid", guid, "eik",
						own->eik, "name", own->name, "status",
						known ? participant_status_name(p.status) : NULL,
						"uri", known ? p.uri : NULL));
	}
	return list;
}

json_t *
control_conditions(struct control *c, const json_t *roles)
{
	struct facts f = {.control = c, .roles = roles, .snapshot = c->snapshot,
	    .conditions = json_array()};

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		checks[i](&f);
	if (json_array_size(f.conditions) == 0)
		note(&f, FAULT_NODE_WELL, NULL);
	return f.conditions;
}

json_t *
control_verdict(const json_t *roles)
{
	const char *link = json_string_value(json_object_get(json_object_get(roles, "directory"), "link"));
	json_t *against = json_array(), *status;
	const char *name;
	char text[64];

	json_object_foreach ((json_t *)roles, name, status) {
		if (!json_is_null(status))
			continue;
		snprintf(text, sizeof text, "%s %s", fault_code(FAULT_NODE_ROLE_DOWN), name);
		json_array_append_new(against, json_string(text));
	}
	if (link && strcmp(link, "answered") != 0 && strcmp(link, "outside") != 0) {
		snprintf(text, sizeof text, "%s %s", fault_code(FAULT_REGISTER_UNREACHABLE), link);
		json_array_append_new(against, json_string(text));
	}
	return against;
}

static void
conclude(struct request *r)
{
	json_t *conditions = control_conditions(r->control, r->state);
	char now[WHEN_TEXT_SIZE];

	when_format(when_now(), now);
	request_answer(r,
		       json_pack("{s:b, s:s, s:o, s:o, s:o, s:O}", "ok", 1, "at", now, "conditions",
				 conditions, "participants", participants_json(r->control),
				 "register", register_json(r->control->snapshot), "roles",
				 r->state),
		       NULL, 0);
}

static const char *
role_key(unsigned role, unsigned index, char out[32])
{
	if (program_instances(&obmend, role, 2) > 1)
		snprintf(out, 32, "%s%u", role_name(role), index);
	else
		snprintf(out, 32, "%s", role_name(role));
	return out;
}

/* Which role answered is in the answer itself; one that did not stays null. */
static void
on_status(struct request *r, json_t *answer, struct ipc_frame *f)
{
	const char *name = json_string_value(json_object_get(answer, "role"));
	unsigned role = name ? program_role_by_name(&obmend, name) : ROLE_COUNT;
	json_int_t index = json_integer_value(json_object_get(answer, "index"));
	char key[32];

	(void)f;
	if (role < ROLE_COUNT && json_object_get(r->state, role_key(role, (unsigned)index, key))) {
		json_object_del(answer, "ok");
		json_object_set(r->state, key, answer);
	}
	if (r->waiting == 0)
		r->gathered(r);
}

void
control_gather(struct request *r, void (*gathered)(struct request *))
{
	const struct self *self = r->control->self;
	char key[32];

	r->gathered = gathered;
	r->state = json_object();
	r->waiting++; /* held, so that answers that come at once do not conclude */
	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		for (unsigned i = 0; i < program_instances(&obmend, role, self->workers); i++) {
			if (role == ROLE_CONTROL)
				continue;
			json_object_set_new(r->state, role_key(role, i, key), json_null());
			request_ask(r, role, i, json_pack("{s:s}", "verb", "status"), NULL, 0,
				    on_status);
		}
	}
	r->waiting--;
	if (r->waiting == 0)
		gathered(r);
}

void
control_status(struct request *r)
{
	control_gather(r, conclude);
}

/* Parent reads the configuration and hands it to all roles, this one too. */
void
control_reload(struct request *r)
{
	request_ask_reload(r, request_forward);
}

void
control_hand_file(struct request *r)
{
	int fd = r->fds[0];

	r->nfds = 0; /* the question has it now */
	request_ask(r, r->verb->role, 0, json_pack("{s:s}", "verb", r->verb->name), &fd, 1,
	    request_forward);
}
