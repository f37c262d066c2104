/* The vocabulary of the node: one table of verbs with their arguments. */
#include <string.h>

#include "lib/log.h"
#include "lib/nearest.h"
#include "lib/when.h"
#include "obmend/control.h"

#define TEXT_MAX 1024
#define NUMBER_MAX ((json_int_t)1 << 53)

static const char *const directions[] = {"in", "out", NULL};

#define END {.name = NULL}
#define DOCUMENT {"document", ARGUMENT_DOCUMENT, .required = true}

static const struct argument no_arguments[] = {END};
static const struct argument send_arguments[] = {
    {"to", ARGUMENT_TEXT, .required = true},
    {"from", ARGUMENT_TEXT, .required = false},
    {"document", ARGUMENT_OBJECT, .required = true},
    END};
static const struct argument list_arguments[] = {
    {"direction", ARGUMENT_CHOICE, .words = directions},
    {"state", ARGUMENT_TEXT, .high = 32},
    {"peer", ARGUMENT_PARTICIPANT, .required = false},
    {"limit", ARGUMENT_NUMBER, .low = 1, .high = 1000},
    {"before", ARGUMENT_NUMBER, .low = 0, .high = NUMBER_MAX},
    END};
static const struct argument document_arguments[] = {DOCUMENT, END};
static const struct argument register_arguments[] = {
    DOCUMENT,
    {"number", ARGUMENT_TEXT, .required = true, .high = 200},
    {"date", ARGUMENT_DATE, .required = false},
    {"date_close", ARGUMENT_DATE, .required = false},
    END};
static const struct argument refuse_arguments[] = {
    DOCUMENT, {"reason", ARGUMENT_TEXT, .high = 4000}, END};
static const struct argument end_arguments[] = {DOCUMENT,
						{"reason", ARGUMENT_TEXT, .high = 4000},
						{"date_close", ARGUMENT_DATE, .required = false},
						END};
static const struct argument body_arguments[] = {
    DOCUMENT, {"which", ARGUMENT_TEXT, .required = true, .high = 64}, END};
static const struct argument save_arguments[] = {
    DOCUMENT, {"index", ARGUMENT_NUMBER, .low = 0, .high = 1000}, END};
static const struct argument participant_arguments[] = {
    {"participant", ARGUMENT_TEXT, .required = true}, END};
static const struct argument test_arguments[] = {
    {"participant", ARGUMENT_PARTICIPANT, .required = true},
    {"from", ARGUMENT_PARTICIPANT, .required = false},
    END};
static const struct argument participants_arguments[] = {
    {"limit", ARGUMENT_NUMBER, .low = 1, .high = CONTROL_SCAN_MAX},
    {"offset", ARGUMENT_NUMBER, .low = 0, .high = NUMBER_MAX},
    END};
static const struct argument find_arguments[] = {
    {"text", ARGUMENT_TEXT, .required = true},
    {"limit", ARGUMENT_NUMBER, .low = 1, .high = CONTROL_SCAN_MAX},
    END};
static const struct argument accept_arguments[] = {
    {"candidate", ARGUMENT_NUMBER, .low = 0, .high = NUMBER_MAX}, END};
static const struct argument check_arguments[] = {
    {"phase", ARGUMENT_NUMBER, .low = 0, .high = 9}, {"next", ARGUMENT_NUMBER, .low = 0, .high = NUMBER_MAX},
    END};
static const struct argument archive_arguments[] = {
    {"days", ARGUMENT_NUMBER, .required = true, .low = 0, .high = 36500}, END};
static const struct argument row_arguments[] = {
    {"row", ARGUMENT_NUMBER, .required = true, .low = 1, .high = NUMBER_MAX}, END};
static const struct argument queue_arguments[] = {
    {"limit", ARGUMENT_NUMBER, .low = 1, .high = 1000}, END};

static const char *const update_sources[] = {"stick", "url", NULL}, *const yes[] = {"yes", NULL};
#define SOURCE {"from", ARGUMENT_CHOICE, .words = update_sources}
#define RESTART {"restart", ARGUMENT_CHOICE, .words = yes}
static const struct argument update_arguments[] = {SOURCE, END};
static const struct argument install_arguments[] = {SOURCE, RESTART, END};
static const struct argument back_arguments[] = {RESTART, END};

static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const struct argument log_arguments[] = {
    {"lines", ARGUMENT_NUMBER, .low = 1, .high = 4000},
    {"level", ARGUMENT_CHOICE, .words = levels},
    {"event", ARGUMENT_TEXT, .high = 64},
    {"role", ARGUMENT_TEXT, .high = 32},
    {"document", ARGUMENT_DOCUMENT, .required = false},
    {"after", ARGUMENT_NUMBER, .low = 0, .high = NUMBER_MAX},
    END};
static const char *const on_off[] = {"on", "off", NULL};
static const struct argument maintenance_arguments[] = {
    {"action", ARGUMENT_CHOICE, .required = true, .words = on_off},
    {"side", ARGUMENT_CHOICE, .words = directions},
    {"reason", ARGUMENT_TEXT, .high = 400},
    END};
static const struct argument change_arguments[] = {
    DOCUMENT, {"reason", ARGUMENT_TEXT, .high = 400}, END};

/* A decision of a person about an incoming document. */
#define DECISION(verb, list, state)                                                                \
	{verb, list, .role = ROLE_STORE, .ask = "document.status", .to = state, .changes = true}

const struct verb control_verbs[] = {
    {"status", no_arguments, control_status, .seconds = 3},
    {"document.send", send_arguments, document_send, .role = ROLE_STORE,
        .fds_max = CONTROL_FDS_MAX - 1, .seconds = 120, .changes = true},
    {"document.list", list_arguments, .role = ROLE_STORE},
    {"document.show", document_arguments, .role = ROLE_STORE},
    DECISION("document.register", register_arguments, "registered"),
    DECISION("document.refuse", refuse_arguments, "refused"),
    DECISION("document.stop", end_arguments, "stopped"),
    DECISION("document.close", end_arguments, "closed"),
    {"document.body", body_arguments, .role = ROLE_STORE},
    {"document.save", save_arguments, document_save, .role = ROLE_STORE, .fds_min = 1, .fds_max = 1,
        .seconds = 300},
    {"participant.list", participants_arguments, participant_list, .seconds = 0},
    {"participant.show", participant_arguments, participant_show, .seconds = 0},
    {"participant.find", find_arguments, participant_find, .seconds = 0},
    {"participant.test", test_arguments, .role = ROLE_CODEC, .seconds = 150, .changes = true},
    {"register.show", no_arguments, .role = ROLE_DIRECTORY},
    {"register.refresh", no_arguments, .role = ROLE_DIRECTORY, .seconds = 300, .changes = true},
    {"register.diff", no_arguments, .role = ROLE_DIRECTORY},
    {"register.accept", accept_arguments, .role = ROLE_DIRECTORY, .changes = true},
    {"cert.show", no_arguments, .role = ROLE_DIRECTORY},
    {"cert.import-crl", no_arguments, control_hand_file, .role = ROLE_DIRECTORY, .fds_min = 1,
        .fds_max = 1, .changes = true},
    {"update.status", no_arguments, control_update, .seconds = 3},
    {"update.check", update_arguments, control_update, .fds_max = 1, .seconds = 3},
    {"update.install", install_arguments, control_update, .fds_max = 1, .seconds = 3, .changes = true},
    {"update.back", back_arguments, control_update, .seconds = 3, .changes = true},
    {"reload", no_arguments, control_reload, .role = ROLE_PARENT, .changes = true},
    {"maintenance", maintenance_arguments, .role = ROLE_STORE, .changes = true},
    {"backup.begin", no_arguments, .role = ROLE_STORE, .changes = true},
    {"backup.state", no_arguments, .role = ROLE_STORE},
    {"backup.take", no_arguments, .role = ROLE_STORE},
    {"backup.seal", no_arguments, control_hand_file, .role = ROLE_CODEC, .fds_min = 1, .fds_max = 1,
        .seconds = 600},
    {"log", log_arguments, control_log_ask, .seconds = 0},
    {"queue.list", queue_arguments, .role = ROLE_STORE},
    {"queue.show", document_arguments, .role = ROLE_STORE, .ask = "document.show"},
    {"queue.retry", change_arguments, .role = ROLE_STORE, .changes = true},
    {"queue.hold", change_arguments, .role = ROLE_STORE, .changes = true},
    {"queue.release", change_arguments, .role = ROLE_STORE, .changes = true},
    {"queue.drop", change_arguments, .role = ROLE_STORE, .changes = true},
    {"evidence.check", check_arguments, .role = ROLE_STORE},
    {"evidence.body", row_arguments, .role = ROLE_STORE},
    {"evidence.export", document_arguments, .role = ROLE_STORE},
    {"evidence.archive", archive_arguments, .role = ROLE_STORE, .changes = true},
};

const size_t control_verb_count = sizeof control_verbs / sizeof *control_verbs;

/* What is wrong with a request. */
struct objection {
	enum fault fault;
	char detail[256];
};

static bool
object(struct objection *o, enum fault f, const char *name, const char *why)
{
	o->fault = f;
	snprintf(o->detail, sizeof o->detail, "%s%s%s", name, why ? ": " : "", why ? why : "");
	return false;
}

static bool
check_text(const struct argument *a, json_t *value, struct objection *o)
{
	size_t max = a->high ? (size_t)a->high : TEXT_MAX, len = json_string_length(value);
	const char *s = json_string_value(value);

	if (!s || len > max || strlen(s) != len)
		return object(o, FAULT_FIELD_VALUE, a->name, "text");
	if (a->required && len == 0)
		return object(o, FAULT_FIELD_MISSING, a->name, NULL);
	return true;
}

static bool
check_date(const struct argument *a, json_t *value, struct objection *o)
{
	const char *s = json_string_value(value);

	return (s && date_valid(s, strlen(s))) ||
	       object(o, FAULT_FIELD_VALUE, a->name, "YYYY-MM-DD");
}

static bool
check_number(const struct argument *a, json_t *value, struct objection *o)
{
	char range[64];

	if (json_is_integer(value) && json_integer_value(value) >= a->low &&
	    json_integer_value(value) <= a->high)
		return true;
	snprintf(range, sizeof range, "%lld-%lld", (long long)a->low, (long long)a->high);
	return object(o, FAULT_FIELD_VALUE, a->name, range);
}

static bool
check_choice(const struct argument *a, json_t *value, struct objection *o)
{
	const char *s = json_string_value(value);

	for (size_t i = 0; s && a->words[i]; i++) {
		if (strcmp(s, a->words[i]) == 0)
			return true;
	}
	return object(o, FAULT_FIELD_VALUE, a->name, a->words[0]);
}

static bool
is_row_number(const char *s)
{
	size_t len = strspn(s, "0123456789");

	return len > 0 && len < 19 && !s[len];
}

/* A GUID is passed on as the node writes it, a row's number as its digits. */
static bool
check_document(struct request *r, const struct argument *a, json_t *value, struct objection *o)
{
	const char *s = json_string_value(value);
	char text[GUID_TEXT_SIZE];
	struct guid g;

	if (json_is_integer(value) && json_integer_value(value) > 0)
		snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
	else if (s && is_row_number(s))
		snprintf(text, sizeof text, "%s", s);
	else if (s && guid_parse_lenient(&g, s))
		guid_format(&g, text);
	else
		return object(o, FAULT_FIELD_VALUE, a->name, "GUID, number");
	json_object_set_new(r->arguments, a->name, json_string(text));
	return true;
}

static bool
check_participant(struct request *r, const struct argument *a, json_t *value, struct objection *o)
{
	const char *s = json_string_value(value);
	struct participant p;
	char text[GUID_TEXT_SIZE];
	struct guid g;

	if (s && guid_parse_lenient(&g, s)) {
		guid_format(&g, text);
	} else {
		enum fault f =
		    s ? participant_resolve(r->control->snapshot, s, &p) : FAULT_FIELD_VALUE;
		if (f != FAULT_NONE)
			return object(o, f, s ? s : a->name, NULL);
		guid_format(&p.guid, text);
	}
	json_object_set_new(r->arguments, a->name, json_string(text));
	return true;
}

static bool
check_argument(struct request *r, const struct argument *a, struct objection *o)
{
	json_t *value = json_object_get(r->arguments, a->name);

	if (!value)
		return !a->required || object(o, FAULT_FIELD_MISSING, a->name, NULL);
	switch (a->type) {
	case ARGUMENT_TEXT:
		return check_text(a, value, o);
	case ARGUMENT_NUMBER:
		return check_number(a, value, o);
	case ARGUMENT_DATE:
		return check_date(a, value, o);
	case ARGUMENT_DOCUMENT:
		return check_document(r, a, value, o);
	case ARGUMENT_PARTICIPANT:
		return check_participant(r, a, value, o);
	case ARGUMENT_OBJECT:
		return json_is_object(value) || object(o, FAULT_FIELD_VALUE, a->name, "object");
	case ARGUMENT_CHOICE:
		return check_choice(a, value, o);
	}
	return false;
}

/* Arguments that the verb does not have are mistakes, not noise. */
static bool
check_names(const struct request *r, struct objection *o)
{
	const char *key;
	json_t *value;

	json_object_foreach (r->arguments, key, value) {
		struct nearest n = {.word = key};
		const struct argument *a = r->verb->arguments;
		for (; a->name && strcmp(a->name, key) != 0; a++)
			nearest_offer(&n, a->name);
		if (!a->name)
			return object(o, FAULT_USAGE, key, n.best);
	}
	return true;
}

static bool
check_request(struct request *r, struct objection *o)
{
	if (!check_names(r, o))
		return false;
	for (const struct argument *a = r->verb->arguments; a->name; a++) {
		if (!check_argument(r, a, o))
			return false;
	}
	if (r->nfds < r->verb->fds_min || r->nfds > r->verb->fds_max)
		return object(o, FAULT_USAGE, r->verb->name, "descriptors");
	return true;
}

/* Hands the request to the role that answers it. */
static void
pass_on(struct request *r)
{
	json_t *query = json_copy(r->arguments);
	char today[11];

	json_object_set_new(query, "verb",
			    json_string(r->verb->ask ? r->verb->ask : r->verb->name));
	if (r->verb->to)
		json_object_set_new(query, "to", json_string(r->verb->to));
	/* A number without a date is of today, as in a records book. */
	if (json_object_get(query, "number") && r->verb->to && !json_object_get(query, "date")) {
		date_today(today);
		json_object_set_new(query, "date", json_string(today));
	}
	request_ask(r, r->verb->role, 0, query, NULL, 0, request_forward);
}

static const struct verb *
find_verb(const char *name, const char **best)
{
	struct nearest n = {.word = name};

	for (size_t i = 0; i < control_verb_count; i++) {
		if (strcmp(control_verbs[i].name, name) == 0)
			return &control_verbs[i];
		nearest_offer(&n, control_verbs[i].name);
	}
	*best = n.best;
	return NULL;
}

static void
log_change(const struct request *r)
{
	const char *document = json_string_value(json_object_get(r->arguments, "document"));
	uid_t uid = 0;
	pid_t pid = 0;

	if (!r->verb->changes || !r->client)
		return;
	local_person(r->client, &uid, &pid);
	log_info("control.command", "verb=%s uid=%u pid=%d%s%s", r->verb->name, (unsigned)uid,
		 (int)pid, document ? " document=" : "", document ? document : "");
	/* What is asked of store is in the journal with what it changed. */
	if (r->verb->role != ROLE_STORE)
		request_note(r);
}

void
control_dispatch(struct request *r)
{
	const char *name = json_string_value(json_object_get(r->arguments, "verb"));
	struct objection o = {.fault = FAULT_NONE};
	const char *best = NULL;

	r->verb = name ? find_verb(name, &best) : NULL;
	if (!r->verb) {
		object(&o, FAULT_USAGE, name ? name : "verb", best);
		request_refuse(r, o.fault, o.detail);
		return;
	}
	json_object_del(r->arguments, "verb");
	if (!check_request(r, &o)) {
		request_refuse(r, o.fault, o.detail);
		return;
	}
	log_change(r);
	if (r->verb->handle)
		r->verb->handle(r);
	else
		pass_on(r);
}
