/* The ledger's rules without processes: who may do what to which record, and what the history says. */
#include "authority/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A "{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}"
#define B "{0b0e7a52-1111-4222-8333-9a9a9a9a9a02}"
#define CONSOLE "{\"kind\":\"console\",\"uid\":0}"
#define OF(serial) "{\"kind\":\"certificate\",\"serial\":\"" serial "\",\"name\":\"x\",\"fingerprint\":" \
	"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}"
#define OWN_A OF("0A1B")
#define OWN_B OF("0B1B")

static struct ledger ledger;
static char folder[64];

/* The answer's fault, "" when it was done; *answer (may be NULL) is the caller's. */
static const char *
ask(unsigned from, const char *actor, const char *verb, const char *rest, json_t **answer)
{
	static char fault[16];
	char text[4096];
	json_error_t e;
	int fd;

	snprintf(text, sizeof text, "{\"verb\":\"%s\",\"actor\":%s%s%s}", verb, actor, *rest ? "," : "", rest);
	json_t *in = json_loads(text, 0, &e);
	if (!in)
		fail_msg("%s: %s", e.text, text);
	json_t *out = ledger_answer(&ledger, from, in, -1, &fd);
	assert_int_equal(fd, -1);
	snprintf(fault, sizeof fault, "%s", json_is_true(json_object_get(out, "ok")) ? "" :
	    json_string_value(json_object_get(out, "fault")));
	if (answer)
		*answer = out;
	else
		json_decref(out);
	json_decref(in);
	return fault;
}

#define DONE(...) assert_string_equal(ask(__VA_ARGS__, NULL), "")
#define REFUSED(code, ...) assert_string_equal(ask(__VA_ARGS__, NULL), code)

static int
setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/ledger.XXXXXX");
	assert_non_null(mkdtemp(folder));
	ledger = (struct ledger){.prepared = -1};
	assert_true(ledger_open(&ledger, folder));
	DONE(ROLE_CONTROL, CONSOLE, "participant-add", "\"reason\":\"x\",\"record\":{\"guid\":\"" A "\","
	    "\"eik\":\"990000017\",\"name\":\"А\",\"status\":\"Active\",\"certificate_serial\":\"0A1B\","
	    "\"uri\":\"https://a.obmen.local/\"}");
	DONE(ROLE_CONTROL, CONSOLE, "participant-add", "\"reason\":\"x\",\"record\":{\"guid\":\"" B "\","
	    "\"eik\":\"990000024\",\"name\":\"Б\",\"status\":\"Inactive\",\"certificate_serial\":\"0B1B\"}");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {"ledger.db", "ledger.db-wal", "ledger.db-shm"};
	char path[128];

	(void)state;
	ledger_close(&ledger);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	return 0;
}

static void
text_is(const char *guid, const char *key, const char *value)
{
	json_t *record = participant_record(&ledger, guid);

	assert_string_equal(record_text(record, key), value);
	json_decref(record);
}

static void
a_participant_changes_its_own_contact_address_and_pause(void **state)
{
	(void)state;
	DONE(ROLE_DESK, OWN_A, "participant-change", "\"guid\":\"" A "\",\"fields\":{\"phone\":\"02 1\","
	    "\"uri\":\"https://b.obmen.local/\",\"status\":\"TemporarilyInactive\"}");
	text_is(A, "phone", "02 1");
	text_is(A, "status", "TemporarilyInactive");
	DONE(ROLE_DESK, OWN_A, "participant-change", "\"guid\":\"" A "\",\"fields\":{\"status\":\"Active\"}");
	/* the authority alone ends, and begins */
	REFUSED("A-110", ROLE_DESK, OWN_A, "participant-change",
	    "\"guid\":\"" A "\",\"fields\":{\"status\":\"Inactive\"}");
	REFUSED("A-110", ROLE_DESK, OWN_B, "participant-change",
	    "\"guid\":\"" B "\",\"fields\":{\"status\":\"Active\"}");
	REFUSED("A-110", ROLE_DESK, OWN_A, "participant-change",
	    "\"guid\":\"" A "\",\"fields\":{\"certificate_serial\":\"0B1B\"}");
}

static void
nothing_of_others_is_changed_and_only_the_public_part_is_seen(void **state)
{
	json_t *answer;

	(void)state;
	REFUSED("A-110", ROLE_DESK, OWN_B, "participant-change",
	    "\"guid\":\"" A "\",\"fields\":{\"phone\":\"1\"}");
	REFUSED("A-110", ROLE_DESK, OWN_B, "participant-history", "\"guid\":\"" A "\"");
	REFUSED("A-110", ROLE_DESK, OWN_B, "participant-show",
	    "\"guid\":\"" A "\",\"at\":\"2020-01-01T00:00:00Z\"");
	assert_string_equal(ask(ROLE_DESK, OWN_B, "participant-show", "\"guid\":\"" A "\"", &answer), "");
	assert_true(json_is_true(json_object_get(answer, "public")));
	assert_null(json_object_get(json_object_get(answer, "participant"), "phone"));
	assert_null(json_object_get(json_object_get(answer, "participant"), "certificate_serial"));
	json_decref(answer);
	REFUSED("A-110", ROLE_DESK, OWN_B, "participant-remove", "\"guid\":\"" A "\",\"reason\":\"x\"");
	REFUSED("A-110", ROLE_DESK, OWN_B, "log-list", "");
}

static void
identity_takes_a_request_that_an_officer_decides(void **state)
{
	json_t *answer;

	(void)state;
	REFUSED("A-116", ROLE_DESK, OWN_A, "participant-change",
	    "\"guid\":\"" A "\",\"fields\":{\"name\":\"Ново име\"}");
	REFUSED("A-118", ROLE_DESK, OWN_A, "change-request",
	    "\"guid\":\"" A "\",\"fields\":{\"name\":\"Ново име\"}");
	REFUSED("A-110", ROLE_DESK, OWN_B, "change-request",
	    "\"guid\":\"" A "\",\"reason\":\"x\",\"fields\":{\"name\":\"Ново име\"}");
	assert_string_equal(ask(ROLE_DESK, OWN_A, "change-request", "\"guid\":\"" A "\",\"reason\":\"заповед\","
	    "\"fields\":{\"name\":\"Ново име\"}", &answer), "");
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 1);
	json_decref(answer);
	text_is(A, "name", "А");
	REFUSED("A-110", ROLE_DESK, OWN_A, "request-approve", "\"id\":1");
	REFUSED("A-112", ROLE_DESK, OWN_B, "request-show", "\"id\":1");
	DONE(ROLE_CONTROL, CONSOLE, "request-approve", "\"id\":1");
	text_is(A, "name", "Ново име");
	REFUSED("A-117", ROLE_CONTROL, CONSOLE, "request-refuse", "\"id\":1,\"reason\":\"x\"");
}

static void
who_asks_is_what_the_asking_process_may_say(void **state)
{
	static const char stranger[] = OF("FFFF");

	(void)state;
	REFUSED("A-111", ROLE_DESK, stranger, "participant-list", "");
	REFUSED("A-111", ROLE_DESK, CONSOLE, "participant-list", "");
	REFUSED("A-111", ROLE_CONTROL, OWN_A, "participant-list", "");
	REFUSED("A-111", ROLE_DESK, "{\"kind\":\"ra\"}", "participant-list", "");
	REFUSED("A-110", ROLE_CONTROL, CONSOLE, "session-secret", "");
	REFUSED("U-102", ROLE_CONTROL, CONSOLE, "drop-everything", "");
}

static void
a_refused_change_leaves_nothing_behind(void **state)
{
	int64_t entries = ledger.entries;
	uint8_t head[LEDGER_DIGEST];
	json_t *answer;

	(void)state;
	memcpy(head, ledger.head, sizeof head);
	/* the second record is wrong: the first is not kept either */
	REFUSED("A-113", ROLE_CONTROL, CONSOLE, "register-import", "\"reason\":\"x\",\"records\":["
	    "{\"guid\":\"{00000000-0000-4000-8000-000000000001}\",\"eik\":\"990000031\",\"name\":\"В\"},"
	    "{\"guid\":\"{00000000-0000-4000-8000-000000000002}\",\"eik\":\"1\",\"name\":\"Г\"}]");
	assert_null(participant_record(&ledger, "{00000000-0000-4000-8000-000000000001}"));
	assert_int_equal(ledger.entries, entries);
	assert_memory_equal(ledger.head, head, sizeof head);
	assert_string_equal(ask(ROLE_CONTROL, CONSOLE, "log-check", "", &answer), "");
	assert_true(json_is_true(json_object_get(answer, "intact")));
	json_decref(answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_participant_changes_its_own_contact_address_and_pause, setup,
	        teardown),
	    cmocka_unit_test_setup_teardown(nothing_of_others_is_changed_and_only_the_public_part_is_seen, setup,
	        teardown),
	    cmocka_unit_test_setup_teardown(identity_takes_a_request_that_an_officer_decides, setup, teardown),
	    cmocka_unit_test_setup_teardown(who_asks_is_what_the_asking_process_may_say, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_refused_change_leaves_nothing_behind, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
