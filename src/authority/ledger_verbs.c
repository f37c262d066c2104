/* The vocabulary of the ledger: who may use each verb, and what answers it. */
#include <string.h>
#include <unistd.h>

#include "authority/ledger.h"
#include "lib/log.h"

#define OFFICER RIGHT_OFFICER
#define REGISTRAR (RIGHT_OFFICER | RIGHT_REGISTRAR)
#define CA RIGHT_CA
#define STAFF RIGHT_STAFF
#define OWN (RIGHT_STAFF | RIGHT_PARTICIPANT)
#define ALL RIGHT_ANYBODY
#define RA RIGHT_RA
#define CHANGES .changes = true
#define READS .changes = false /* or in transactions of its own */

static const struct verb verbs[] = {
    {"whoami", ALL, verb_whoami, READS},
    {"overview", STAFF, verb_overview, READS},
    {"session-secret", RIGHT_DESK, verb_session_secret, READS},
    /* the register */
    {"participant-list", OWN | RA, verb_participant_list, READS},
    {"participant-show", OWN | RA, verb_participant_show, READS},
    {"participant-history", OWN, verb_participant_history, READS},
    {"participant-add", REGISTRAR, verb_participant_add, CHANGES},
    {"participant-change", REGISTRAR | RIGHT_PARTICIPANT, verb_participant_change, CHANGES},
    {"participant-remove", REGISTRAR, verb_participant_remove, CHANGES},
    {"register-import", RIGHT_REGISTRAR, verb_register_import, CHANGES},
    {"register-export", STAFF, verb_register_export, READS},
    /* requests for change */
    {"change-request", RIGHT_PARTICIPANT, verb_change_request, CHANGES},
    {"request-list", OWN, verb_request_list, READS},
    {"request-show", OWN, verb_request_show, READS},
    {"request-approve", OFFICER, verb_request_approve, CHANGES},
    {"request-refuse", OFFICER, verb_request_refuse, CHANGES},
    /* certificates; each runs in transactions of its own, for ca is asked after the commit */
    {"certificate-list", OWN, verb_certificates, READS},
    {"certificate-show", OWN, verb_certificates, READS},
    {"certificate-request", CA | RIGHT_PARTICIPANT, verb_certificates, READS},
    {"certificate-record", CA, verb_certificates, READS},
    {"certificate-approve", CA, verb_certificates, READS},
    {"certificate-refuse", CA, verb_certificates, READS},
    {"certificate-revoke", CA, verb_certificates, READS},
    {"certificate-use", CA | RIGHT_REGISTRAR, verb_certificates, READS},
    {"reference-create", CA, verb_certificates, READS},
    {"ca-certificates", ALL | RA, verb_certificates, READS},
    {"crl-show", ALL | RA, verb_certificates, READS},
    {"cmp-open", RA, verb_certificates, READS},
    {"cmp-request", RA, verb_certificates, READS},
    {"cmp-poll", RA, verb_certificates, READS},
    {"cmp-confirm", RA, verb_certificates, READS},
    {"cmp-keep", RA, verb_certificates, READS},
    {"cmp-revoke", RA, verb_certificates, READS},
    /* officers */
    {"officer-list", STAFF, verb_officer_list, READS},
    {"officer-add", OFFICER, verb_officer_add, CHANGES},
    {"officer-remove", OFFICER, verb_officer_remove, CHANGES},
    /* the log */
    {"log-list", STAFF, verb_log_list, READS},
    {"log-check", STAFF, verb_log_check, READS},
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; name && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

const char *
arg_text(const struct call *c, const char *key)
{
	const char *s = json_string_value(json_object_get(c->in, key));

	return s && *s ? s : NULL;
}

int64_t
arg_number(const struct call *c, const char *key, int64_t fallback)
{
	const json_t *j = json_object_get(c->in, key);

	return json_is_integer(j) ? json_integer_value(j) : fallback;
}

enum fault
refuse(struct call *c, enum fault f, const char *field, const char *detail)
{
	c->field = field;
	snprintf(c->detail, sizeof c->detail, "%s", detail ? detail : field ? field : "");
	return f;
}

bool
arg_guid(struct call *c, const char *key, char out[GUID_TEXT_SIZE])
{
	const char *text = arg_text(c, key);
	struct guid g;

	if (!text || !guid_parse_lenient(&g, text)) {
		refuse(c, FAULT_ENTRY_FIELD, key, NULL);
		return false;
	}
	guid_format(&g, out);
	return true;
}

json_t *
out_list(struct call *c, const char *key)
{
	json_t *list = json_array();

	json_object_set_new(c->out, key, list);
	return list;
}

void
out_moment(json_t *object, const char *key, when w)
{
	char text[WHEN_TEXT_SIZE];

	if (w == WHEN_NONE || w == 0)
		return;
	when_format(w, text);
	json_object_set_new(object, key, json_string(text));
}

/* Runs the handler between BEGIN and COMMIT; what was refused leaves nothing behind. */
static enum fault
in_transaction(struct call *c)
{
	struct ledger *l = c->ledger;

	if (!db_run(l, "BEGIN IMMEDIATE", ""))
		return FAULT_LEDGER_FAILED;
	enum fault f = c->verb->handle(c);
	if (!f && !l->failed && db_run(l, "COMMIT", "")) {
		l->changed++;
		return FAULT_NONE;
	}
	if (!f)
		f = FAULT_LEDGER_FAILED;
	l->failed = false;
	if (!sqlite3_get_autocommit(l->db))
		db_run(l, "ROLLBACK", "");
	history_load(l);
	return f;
}

static enum fault
perform(struct call *c, unsigned from)
{
	const char *name = json_string_value(json_object_get(c->in, "verb"));

	c->verb = find_verb(name);
	if (!c->verb)
		return refuse(c, FAULT_USAGE, NULL, name);
	if (!actor_find(c->ledger, from, json_object_get(c->in, "actor"), &c->actor))
		return refuse(c, FAULT_ACTOR_UNKNOWN, NULL, NULL);
	if (!(c->actor.rights & c->verb->rights))
		return refuse(c, c->actor.rights == RIGHT_ANYBODY ? FAULT_ACTOR_UNKNOWN : FAULT_NOT_PERMITTED,
		    NULL, c->verb->name);
	if (c->verb->changes)
		return in_transaction(c);
	enum fault f = c->verb->handle(c);
	return f ? f : c->ledger->failed ? FAULT_LEDGER_FAILED : FAULT_NONE;
}

static json_t *
refusal(const struct call *c, enum fault f)
{
	json_t *j = json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "fault", fault_code(f), "code",
	    fault_code(f), "detail", c->detail);

	if (c->field)
		json_object_set_new(j, "field", json_string(c->field));
	return j;
}

json_t *
ledger_answer(struct ledger *l, unsigned from, json_t *in, int fd, int *fd_out)
{
	struct call c = {.ledger = l, .in = in, .out = json_object(), .fd_in = fd, .fd_out = -1,
	    .now = when_now()};

	l->failed = false;
	l->served++;
	enum fault f = json_is_object(in) ? perform(&c, from) : FAULT_USAGE;
	if (c.fd_in >= 0)
		close(c.fd_in);
	*fd_out = c.fd_out;
	if (!f) {
		json_object_set_new(c.out, "ok", json_true());
		return c.out;
	}
	l->refused++;
	if (c.fd_out >= 0)
		close(c.fd_out);
	*fd_out = -1;
	log_info("ledger.refused", "verb=%s actor=\"%s\" fault=%s detail=\"%s\"",
	    c.verb ? c.verb->name : "?", c.actor.name, fault_code(f), c.detail);
	json_decref(c.out);
	return refusal(&c, f);
}
