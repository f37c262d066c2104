/* diag run: the node asked to show that it works; each check with its cause, meaning and next step. */
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "obmenctl/ctl.h"

#define STORE_SECONDS 5 /* of walking along the journal */

struct diag {
	struct ctl *ctl;
	json_t *status; /* the node's answer to "status" */
	json_t *checks; /* array of {check, result, fault, detail} */
	bool failed;
};

static void
add(struct diag *d, const char *check, enum fault f, bool only_warning, const char *detail)
{
	json_t *row = json_pack("{s:s, s:s, s:s*}", "check", check, "result",
	    !f ? "passed" : only_warning ? "warning" : "failed", "detail", detail && *detail ? detail : NULL);

	if (f)
		json_object_set_new(row, "fault", json_string(fault_code(f)));
	d->failed |= f && !only_warning;
	json_array_append_new(d->checks, row);
}

static json_t *
question(struct diag *d, json_t *request)
{
	json_t *answer = ask(d->ctl, request, NULL, 0, NULL);

	json_decref(request);
	return answer;
}

/* The node's own condition with this code: its detail, or NULL. */
static const char *
condition(const struct diag *d, enum fault f)
{
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(d->status, "conditions"), i, c) {
		if (strcmp(text_of(c, "fault"), fault_code(f)) == 0)
			return text_of(c, "detail");
	}
	return NULL;
}

/* The first of these conditions that holds decides. */
static void
by_conditions(struct diag *d, const char *check, const enum fault *faults, size_t count,
    unsigned warnings, const char *well)
{
	for (size_t i = 0; i < count; i++) {
		const char *detail = condition(d, faults[i]);
		if (!detail)
			continue;
		add(d, check, faults[i], warnings >> i & 1, detail);
		return;
	}
	add(d, check, FAULT_NONE, false, well);
}

static void
check_processes(struct diag *d)
{
	static const enum fault faults[] = {FAULT_NODE_ROLE_DOWN};

	by_conditions(d, "processes", faults, 1, 0, NULL);
}

static void
check_maintenance(struct diag *d)
{
	static const enum fault faults[] = {FAULT_MAINTENANCE_IN, FAULT_MAINTENANCE_OUT};

	by_conditions(d, "maintenance", faults, 2, 3, NULL);
}

static void
check_disk(struct diag *d)
{
	static const enum fault faults[] = {FAULT_DISK_FULL};
	const json_t *store = json_object_get(json_object_get(d->status, "roles"), "store");
	char size[32];

	by_conditions(d, "disk", faults, 1, 0, say_size(d->ctl, number_of(store, "disk_free"), size));
}

/* As much of the journal as there is time for: every entry against its digest and its bytes. */
static void
check_store(struct diag *d)
{
	long long checked = 0, phase = 0, next = 0;
	time_t end = time(NULL) + STORE_SECONDS;
	char detail[300];
	bool done = false;

	while (!done && time(NULL) < end) {
		json_t *a = question(d, json_pack("{s:s, s:I, s:I}", "verb", "evidence.check", "phase",
		    (json_int_t)phase, "next", (json_int_t)next));
		const json_t *broken = json_object_get(a, "broken");
		if (!a || !json_is_true(json_object_get(a, "ok")) || broken) {
			snprintf(detail, sizeof detail, "%lld: %s", number_of(broken, "sequence"),
			    broken ? text_of(broken, "why") : text_of(a, "fault"));
			add(d, "store", broken ? FAULT_JOURNAL_BROKEN : FAULT_STORE_FAILED, false, detail);
			json_decref(a);
			return;
		}
		checked += number_of(a, "checked");
		phase = number_of(a, "phase");
		next = number_of(a, "next");
		done = json_is_true(json_object_get(a, "done"));
		json_decref(a);
	}
	snprintf(detail, sizeof detail, SAY(d->ctl, "проверени записи: %lld%s", "entries checked: %lld%s"),
	    checked, done ? "" : say(d->ctl, "; всички: evidence check", "; all of them: evidence check"));
	add(d, "store", FAULT_NONE, false, detail);
}

/* The kernel knows whether somebody keeps its clock; only where the node runs, which is here. */
static void
check_clock(struct diag *d)
{
	struct timex t = {.modes = 0};
	int state = adjtimex(&t);

	add(d, "clock", state == TIME_ERROR || t.status & STA_UNSYNC ? FAULT_CLOCK_FREE : FAULT_NONE, true, NULL);
}

static void
check_certificate(struct diag *d)
{
	static const enum fault faults[] = {FAULT_OWN_CERTIFICATE_EXPIRED, FAULT_OWN_CERTIFICATE_EXPIRES};

	by_conditions(d, "certificate", faults, 2, 2, NULL);
}

/* Really asks the register: name, link, TLS, answer. */
static void
check_register(struct diag *d)
{
	json_t *a = question(d, json_pack("{s:s}", "verb", "register.refresh"));
	static const enum fault faults[] = {FAULT_REGISTER_SHRINK, FAULT_OWN_PARTICIPANT_MISSING};

	if (a && !json_is_true(json_object_get(a, "ok")))
		add(d, "register", fault_by_code(text_of(a, "fault")), false, text_of(a, "detail"));
	else
		by_conditions(d, "register", faults, 2, 1, NULL);
	json_decref(a);
}

/* What a peer would meet: our own name, port, TLS, certificate, and an answer of ours. */
static void
check_own_way(struct diag *d)
{
	const json_t *own = json_array_get(json_object_get(d->status, "participants"), 0);
	json_t *a = question(d, json_pack("{s:s, s:s}", "verb", "participant.test", "participant",
	    text_of(own, "guid")));
	const char *failed = text_of(a, "failed");
	char detail[700];
	size_t i;
	json_t *s;

	json_array_foreach (json_object_get(a, "steps"), i, s) {
		if (*failed && strcmp(text_of(s, "step"), failed) == 0) {
			snprintf(detail, sizeof detail, "%s: %s", text_of(own, "uri"), text_of(s, "detail"));
			add(d, "reachable", fault_by_code(text_of(s, "fault")), false, detail);
		}
	}
	if (a && !json_is_true(json_object_get(a, "ok")))
		add(d, "reachable", fault_by_code(text_of(a, "fault")), false, text_of(a, "detail"));
	else if (!*failed)
		add(d, "reachable", FAULT_NONE, false, text_of(own, "uri"));
	json_decref(a);
}

static void (*const checks[])(struct diag *) = {check_processes, check_maintenance, check_disk,
    check_store, check_clock, check_certificate, check_register, check_own_way};

json_t *
diag_run(struct ctl *ctl)
{
	struct diag d = {.ctl = ctl, .checks = json_array()};

	d.status = question(&d, json_pack("{s:s}", "verb", "status"));
	if (!d.status) {
		json_decref(d.checks);
		return NULL;
	}
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		checks[i](&d);
	json_decref(d.status);
	return json_pack("{s:b, s:b, s:o}", "ok", 1, "passed", !d.failed, "checks", d.checks);
}

static const char *
check_text(const struct ctl *ctl, const char *check)
{
	static const struct {
		const char *name, *text[2];
	} names[] = {{"processes", {"процеси", "processes"}}, {"maintenance", {"поддръжка", "maintenance"}},
	    {"disk", {"диск", "disk"}}, {"store", {"хранилище", "store"}}, {"clock", {"часовник", "clock"}},
	    {"certificate", {"сертификат", "certificate"}}, {"register", {"регистър", "register"}},
	    {"reachable", {"достъпност отвън", "reachable"}}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(names[i].name, check) == 0)
			return names[i].text[ctl->language];
	}
	return check;
}

static const char *
result_text(const struct ctl *ctl, const char *result)
{
	return strcmp(result, "passed") == 0 ? say(ctl, "добре", "fine") :
	    strcmp(result, "warning") == 0   ? say(ctl, "внимание", "warning") :
	                                       say(ctl, "НЕ Е НАРЕД", "FAILED");
}

static void
render(struct ctl *ctl, const json_t *report)
{
	const json_t *list = json_object_get(report, "checks");
	struct table *t = table_new(ctl);
	char text[1200], at[64];
	size_t i;
	json_t *c;

	for (int column = 0; column < 3; column++)
		table_column(t, "", column == 2);
	json_array_foreach (list, i, c) {
		table_cell(t, check_text(ctl, text_of(c, "check")));
		table_cell(t, result_text(ctl, text_of(c, "result")));
		table_cell(t, say_moment(ctl, text_of(c, "detail"), at));
	}
	table_print(t, 0);
	json_array_foreach (list, i, c) {
		struct fault_text f = fault_text(fault_by_code(text_of(c, "fault")), ctl->language);
		if (!*text_of(c, "fault"))
			continue;
		snprintf(text, sizeof text, "%s: %s. %s %s [%s]", check_text(ctl, text_of(c, "check")), f.what,
		    f.means, f.todo, f.code);
		fputc('\n', ctl->out);
		say_sentences(ctl, ctl->out, text);
	}
}

enum exit_status
run_diag(struct ctl *ctl, struct command *c)
{
	json_t *report = diag_run(ctl);

	(void)c;
	if (!report)
		return EXIT_UNREACHABLE;
	if (ctl->json)
		print_json(ctl, report);
	else
		render(ctl, report);
	bool passed = json_is_true(json_object_get(report, "passed"));
	json_decref(report);
	return passed ? EXIT_DONE : EXIT_REFUSED;
}
