#include "authority/ledger_ca.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "authority/json.h"
#include "authority/sql.h"
#include "authority/wire.h"
#include "lib/log.h"

#define MINUTE      60
#define OCSP_MAX    64
#define OCSP_ID     ((uint64_t)1 << 62) /* ids of OCSP questions to ca: from here; others are contexts */
#define POLL_SECONDS 15

struct ocsp_wait {
	struct peer from;
	uint64_t id;
	bool busy;
};

struct ledger_ca {
	struct certificates certificates;
	struct call *call;    /* the question being answered; NULL: ca's own doing */
	struct call own;
	struct event *minute;
	struct ocsp_wait waits[OCSP_MAX];
};

/* -- what certificates need of the ledger */

static const char *
host_of(const char *uri, char out[128])
{
	const char *begin = strstr(uri, "://");

	begin = begin ? begin + 3 : uri;
	snprintf(out, 128, "%.*s", (int)strcspn(begin, ":/?"), begin);
	return out;
}

static json_t *
on_participant(void *arg, const char *guid)
{
	struct ledger *l = arg;
	json_t *r = participant_record(l, guid);
	const json_t *service = json_array_get(json_object_get(r, "services"), 0);
	char host[128];

	if (!r)
		return NULL;
	const char *uri = *record_text(r, "uri") ? record_text(r, "uri") : record_text(service, "uri");
	json_t *p = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "guid", guid, "name",
	    record_text(r, "name"), "eik", record_text(r, "eik"), "host", host_of(uri, host), "email",
	    record_text(r, "email"),
	    "certificate_serial", record_text(r, "certificate_serial"));
	json_decref(r);
	return p;
}

/* What ca does by itself, under its own name. */
static struct call *
call_of(struct ledger *l)
{
	static const struct verb own = {.name = "certificate-issue"};
	struct ledger_ca *a = l->ca;

	if (a->call)
		return a->call;
	json_decref(a->own.in);
	a->own = (struct call){.ledger = l, .verb = &own, .in = json_object(), .now = when_now(), .fd_in = -1,
	    .fd_out = -1, .actor = {.kind = "ca", .name = "ca", .person = "ca"}};
	return &a->own;
}

static bool
on_set_serial(void *arg, const char *guid, const char *serial, const char *by)
{
	struct ledger *l = arg;
	json_t *fields = json_pack("{s:s}", "certificate_serial", serial);
	enum fault f = participant_set(call_of(l), guid, fields);

	(void)by;
	json_decref(fields);
	if (f)
		log_error("ledger.serial", "guid=%s fault=%s", guid, fault_code(f));
	return !f;
}

static bool
on_history(void *arg, const char *by, const char *verb, const char *guid, const json_t *before,
    const json_t *after, const char *reason)
{
	struct ledger *l = arg;
	struct call c = *call_of(l);
	const struct verb named = {.name = verb};
	json_t *in = json_pack("{s:s*}", "reason", reason);

	c.verb = &named;
	c.in = in;
	if (strcmp(c.actor.kind, "ra") == 0)
		snprintf(c.actor.name, sizeof c.actor.name, "%s", by);
	bool ok = history_add(&c, "certificate", guid, before, after);
	json_decref(in);
	return ok;
}

static bool
on_ask_ca(void *arg, json_t *query, int64_t context)
{
	struct ledger *l = arg;
	struct ipc *ipc = l->self ? l->self->peers[ROLE_CA][0] : NULL;
	bool ok = ipc && wire_send_json(ipc, WIRE_QUERY, (uint64_t)context, query, NULL, 0);

	json_decref(query);
	return ok;
}

/* -- verbs */

static const struct {
	const char *verb;
	certificates_verb *run;
	bool own; /* participants: only about what is theirs */
} rows[] = {
    {"certificate-list", certificates_list, true},
    {"certificate-show", certificates_show, true},
    {"certificate-request", certificates_request, true},
    {"certificate-record", certificates_record, false},
    {"certificate-approve", certificates_approve, false},
    {"certificate-refuse", certificates_refuse, false},
    {"certificate-revoke", certificates_revoke, false},
    {"certificate-use", certificates_use, false},
    {"reference-create", certificates_reference_create, false},
    {"ca-certificates", certificates_ca, false},
    {"crl-show", certificates_crl_show, false},
    {"cmp-open", certificates_cmp_open, false},
    {"cmp-request", certificates_cmp_request, false},
    {"cmp-poll", certificates_cmp_poll, false},
    {"cmp-confirm", certificates_cmp_confirm, false},
    {"cmp-keep", certificates_cmp_keep, false},
    {"cmp-revoke", certificates_cmp_revoke, false},
};

/* A participant names the GUID that it asks for, or sees only one of its own. */
static bool
may(struct call *c, const json_t *answer)
{
	const char *guid = arg_text(c, "guid");

	if (c->actor.rights & (RIGHT_STAFF | RIGHT_RA))
		return true;
	if (!guid)
		guid = json_string_value(json_object_get(json_object_get(answer, "certificate"), "guid"));
	return guid && actor_owns(c->ledger, &c->actor, guid);
}

static enum fault
take_answer(struct call *c, json_t *answer)
{
	enum fault f = FAULT_NONE;

	if (json_is_true(json_object_get(answer, "ok"))) {
		json_object_update(c->out, answer);
	} else {
		f = fault_by_code(json_text(answer, "fault"));
		f = refuse(c, f ? f : FAULT_LEDGER_FAILED, NULL, json_text(answer, "detail"));
		history_load(c->ledger); /* rows of a transaction that was taken back */
	}
	json_decref(answer);
	return f;
}

enum fault
verb_certificates(struct call *c)
{
	struct ledger_ca *a = c->ledger->ca;
	size_t i = 0;

	while (strcmp(rows[i].verb, c->verb->name) != 0)
		i++;
	bool show = rows[i].run == certificates_show;
	if (rows[i].own && !show && !may(c, NULL))
		return refuse(c, FAULT_NOT_PERMITTED, "guid", NULL);
	/* In the name of the person: two who approve must be two people. */
	a->call = c;
	json_t *answer = rows[i].run(&a->certificates, c->actor.person, c->in);
	a->call = NULL;
	if (show && json_is_true(json_object_get(answer, "ok")) && !may(c, answer)) {
		json_decref(answer);
		return refuse(c, FAULT_NOT_PERMITTED, "serial", NULL);
	}
	return take_answer(c, answer);
}

/* -- ca's answers */

bool
ledger_ca_ocsp(struct ledger *l, struct peer from, uint64_t id, const json_t *query)
{
	struct ledger_ca *a = l->ca;
	size_t i = 0;

	if (from.role != ROLE_RA || strcmp(json_text(query, "verb"), "ocsp") != 0)
		return false;
	while (i < OCSP_MAX && a->waits[i].busy)
		i++;
	json_t *q = i < OCSP_MAX ? certificates_ocsp(&a->certificates, query, when_now()) : NULL;
	struct ipc *ipc = l->self->peers[ROLE_CA][0];
	if (q && ipc && wire_send_json(ipc, WIRE_QUERY, OCSP_ID + i, q, NULL, 0)) {
		a->waits[i] = (struct ocsp_wait){from, id, true};
	} else {
		json_t *busy = json_pack("{s:b}", "ok", 0);
		wire_send_json(l->self->peers[from.role][from.index], WIRE_QUERY_REPLY, id, busy, NULL, 0);
		json_decref(busy);
	}
	json_decref(q);
	return true;
}

static void
pass_on(struct ledger *l, size_t slot, const json_t *answer)
{
	struct ledger_ca *a = l->ca;
	struct ocsp_wait w = a->waits[slot];
	struct ipc *ipc = l->self->peers[w.from.role][w.from.index];

	a->waits[slot].busy = false;
	if (w.busy && ipc)
		wire_send_json(ipc, WIRE_QUERY_REPLY, w.id, answer, NULL, 0);
}

void
ledger_ca_reply(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct ledger *l = self->state;
	struct ledger_ca *a = l->ca;
	json_t *answer = wire_get_json(f);

	(void)from;
	if (f->id >= OCSP_ID && f->id < OCSP_ID + OCSP_MAX)
		pass_on(l, f->id - OCSP_ID, answer);
	else
		certificates_from_ca(&a->certificates, (int64_t)f->id, answer, when_now());
	/* A transaction that failed took its rows of history back. */
	history_load(l);
	json_decref(answer);
	ledger_refresh(l);
}

/* ca was started again: what it was asked before is lost; ra's questions are answered with "later". */
void
ledger_ca_up(struct ledger *l)
{
	struct ledger_ca *a = l->ca;
	json_t *later = json_pack("{s:b}", "ok", 0);

	for (size_t i = 0; i < OCSP_MAX; i++) {
		if (a->waits[i].busy)
			pass_on(l, i, later);
	}
	json_decref(later);
	a->certificates.listing = false;
	certificates_tick(&a->certificates, when_now());
}

static void
minute_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ledger *l = arg;
	struct ledger_ca *a = l->ca;

	(void)fd, (void)what;
	if (l->self->peers[ROLE_CA][0] && l->conf->ca_file)
		certificates_tick(&a->certificates, when_now());
}

void
ledger_ca_reload(struct ledger *l)
{
	const struct authority_conf *c = l->conf;
	struct ledger_ca *a = l->ca;

	a->certificates.policy = (struct certificates_policy){.domain = c->domain,
	    .kind = c->ca_kind == CA_TEST ? CERTIFY_TEST : CERTIFY_PRODUCTION, .two_person = c->two_person,
	    .reference_approves = c->reference_approves, .renewal_days = c->renewal_days,
	    .crl_interval = c->crl_interval, .crl_validity = c->crl_validity, .poll_seconds = POLL_SECONDS};
}

void
ledger_ca_open(struct ledger *l)
{
	struct ledger_ca *a = calloc(1, sizeof *a);

	l->ca = a;
	if (!a)
		return;
	a->certificates = (struct certificates){.db = l->db, .participant = on_participant,
	    .set_serial = on_set_serial, .history = on_history, .ask_ca = on_ask_ca, .arg = l};
	if (l->conf)
		ledger_ca_reload(l);
}

bool
ledger_ca_start(struct ledger *l)
{
	static const struct timeval every = {MINUTE, 0};
	struct ledger_ca *a = l->ca;

	a->minute = event_new(l->self->base, -1, EV_PERSIST, minute_cb, l);
	return a->minute && event_add(a->minute, &every) == 0;
}

void
ledger_ca_stop(struct ledger *l)
{
	struct ledger_ca *a = l->ca;

	if (!a)
		return;
	if (a->minute)
		event_free(a->minute);
	json_decref(a->own.in);
	certificates_free(&a->certificates);
	free(a);
	l->ca = NULL;
}

void
ledger_ca_status(struct ledger *l, json_t *out)
{
	static const char *const counts[][2] = {
	    {"issued", "SELECT count(*) FROM certificate WHERE state = 'issued'"},
	    {"revoked", "SELECT count(*) FROM certificate WHERE state = 'revoked'"}};
	json_t *certificates = json_object();

	for (size_t i = 0; i < 2; i++)
		json_object_set_new(certificates, counts[i][0], json_integer(sql_number(l->db, 0, counts[i][1], "")));
	int64_t soon = (int64_t)(when_now() + (when)60 * 86400 * WHEN_SECOND);
	json_object_set_new(certificates, "expiring", json_integer(sql_number(l->db, 0,
	    "SELECT count(*) FROM certificate WHERE state = 'issued' AND ends < ?", "i", soon)));
	json_object_set_new(out, "certificates", certificates);
	json_object_set_new(json_object_get(out, "open"), "certificates", json_integer(sql_number(l->db, 0,
	    "SELECT count(*) FROM certificate_request WHERE state = 'requested'", "")));
	json_t *list = sql_row(l->db, "SELECT number, made, until, revoked FROM crl ORDER BY number DESC", "");
	if (list) {
		out_moment(list, "this_update", json_integer_value(json_object_get(list, "made")));
		out_moment(list, "next_update", json_integer_value(json_object_get(list, "until")));
		json_object_del(list, "made");
		json_object_del(list, "until");
		json_object_set_new(out, "crl", list);
	}
}
