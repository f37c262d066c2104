/* The vocabulary of the node: real socket, real JSON lines, stand-ins for the other roles. */
#include "control_world.h"

/* -- the tests */

static void
what_is_wrong_is_named(void **state)
{
	struct world *w = *state;

	assert_refused(w, "{}", "U-102", "verb");
	assert_refused(w, "[]", "U-102", "not an object");
	assert_refused(w, "{\"verb\":\"document.lsit\"}", "U-102", "document.lsit: document.list");
	assert_refused(w, "{\"verb\":\"document.list\",\"limt\":1}", "U-102", "limt: limit");
	assert_refused(w, "{\"verb\":\"document.list\",\"limit\":0}", "D-108", "limit: 1-1000");
	assert_refused(w, "{\"verb\":\"document.list\",\"limit\":\"5\"}", "D-108", "limit: 1-1000");
	assert_refused(w, "{\"verb\":\"document.list\",\"direction\":\"up\"}", "D-108", "direction: in");
	assert_refused(w, "{\"verb\":\"document.show\"}", "D-107", "document");
	assert_refused(w, "{\"verb\":\"document.show\",\"document\":\"x\"}", "D-108", "document: GUID, number");
	assert_refused(w, "{\"verb\":\"document.show\",\"document\":-1}", "D-108", "document: GUID, number");
	assert_refused(w, "{\"verb\":\"document.register\",\"document\":1}", "D-107", "number");
	assert_refused(w, "{\"verb\":\"document.register\",\"document\":1,\"number\":\"1\",\"date\":\"2026-02-30\"}",
	    "D-108", "date: YYYY-MM-DD");
	assert_refused(w, "{\"verb\":\"document.save\",\"document\":1}", "U-102", "document.save: descriptors");
	assert_null(w->roles[ROLE_STORE].asked);
}

static void
requests_reach_the_role_that_knows(void **state)
{
	struct world *w = *state;

	w->roles[ROLE_STORE].answer = "{\"ok\":true,\"documents\":[]}";
	json_t *j = ask(w, "{\"verb\":\"document.list\",\"direction\":\"in\",\"peer\":\"община ЕДНАКВА\"}");
	assert_true(json_is_array(json_object_get(j, "documents")));
	json_decref(j);
	assert_string_equal(asked_text(w, ROLE_STORE, "verb"), "document.list");
	assert_string_equal(asked_text(w, ROLE_STORE, "peer"), ACTIVE);
	json_decref(ask(w, "{\"verb\":\"document.show\",\"document\":17}"));
	assert_string_equal(asked_text(w, ROLE_STORE, "document"), "17");
	json_decref(ask(w, "{\"verb\":\"document.register\",\"document\":"
	                   "\"ABCDEF00-0000-0000-0000-000000000000\",\"number\":\"7\"}"));
	assert_string_equal(asked_text(w, ROLE_STORE, "verb"), "document.status");
	assert_string_equal(asked_text(w, ROLE_STORE, "to"), "registered");
	assert_string_equal(asked_text(w, ROLE_STORE, "document"), "{abcdef00-0000-0000-0000-000000000000}");
	char today[11];
	date_today(today);
	assert_string_equal(asked_text(w, ROLE_STORE, "date"), today);
	w->roles[ROLE_DIRECTORY].answer = "{\"ok\":true,\"count\":6}";
	j = ask(w, "{\"verb\":\"register.show\"}");
	assert_int_equal(json_integer_value(json_object_get(j, "count")), 6);
	json_decref(j);
	w->roles[ROLE_STORE].answer = "{\"ok\":false,\"fault\":\"D-104\",\"detail\":\"17\"}";
	assert_refused(w, "{\"verb\":\"document.show\",\"document\":17}", "D-104", "17");
}

static void
a_body_comes_as_a_descriptor(void **state)
{
	struct world *w = *state;
	char got[8] = "";
	int fd;

	w->roles[ROLE_STORE].answer = "{\"ok\":true}";
	w->roles[ROLE_STORE].answer_fd = text_file("bytes");
	json_decref(ask_with(w, "{\"verb\":\"document.body\",\"document\":1,\"which\":\"answer\"}", NULL, 0, &fd));
	assert_int_equal(pread(fd, got, sizeof got, 0), 5);
	assert_string_equal(got, "bytes");
	close(fd);
}

static void
sending_completes_and_checks(void **state)
{
	struct world *w = *state;
	int files[2] = {text_file("%PDF-1.7 ..."), text_file("x")};
	char got[16] = "";

	w->roles[ROLE_STORE].answer = "{\"ok\":true,\"document\":\"{g}\",\"id\":1}";
	json_t *j = ask_with(w, "{\"verb\":\"document.send\",\"to\":\"000695089\",\"document\":{\"number\":\"1\","
	    "\"about\":\"Проба\",\"attachments\":[{\"file_name\":\"а.pdf\"},{\"file_name\":\"б.docx\"}]}}",
	    files, 2, NULL);
	assert_true(json_is_true(json_object_get(j, "ok")));
	json_decref(j);
	const struct stand_in *store = &w->roles[ROLE_STORE];
	const json_t *d = json_object_get(store->asked, "document");
	const json_t *a = json_object_get(d, "attachments");
	assert_string_equal(asked_text(w, ROLE_STORE, "verb"), "submit");
	assert_string_equal(asked_text(w, ROLE_STORE, "sender"), OWN);
	assert_string_equal(asked_text(w, ROLE_STORE, "recipient"), ACTIVE);
	assert_string_equal(asked_text(w, ROLE_STORE, "recipient_name"), "Община Еднаква");
	assert_string_equal(asked_text(w, ROLE_STORE, "recipient_eik"), "000695089");
	assert_true(json_string_length(json_object_get(d, "document_guid")) == GUID_TEXT_LEN);
	assert_int_equal(json_string_length(json_object_get(d, "date")), 10);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(a, 0), "size")), 12);
	assert_string_equal(json_string_value(json_object_get(json_array_get(a, 0), "mime_type")),
	    "application/pdf");
	assert_non_null(strstr(json_string_value(json_object_get(json_array_get(a, 1), "mime_type")),
	    "wordprocessingml"));
	assert_int_equal(store->nfds, 2);
	assert_int_equal(pread(store->fds[0], got, sizeof got, 0), 12);
	assert_string_equal(got, "%PDF-1.7 ...");
	close(files[0]);
	close(files[1]);
}

static void
recipients_are_judged_before_anything_is_kept(void **state)
{
	struct world *w = *state;

#define SEND(to, rest) "{\"verb\":\"document.send\",\"to\":\"" to "\",\"document\":{\"about\":\"x\"}" rest "}"
	assert_refused(w, SEND("{11111111-2222-3333-4444-999999999999}", ""), "P-105",
	    "{11111111-2222-3333-4444-999999999999}");
	assert_refused(w, SEND("Няма такава", ""), "P-105", "Няма такава");
	assert_refused(w, SEND("000695111", ""), "P-106", "000695111");
	assert_refused(w, SEND("близнак", ""), "P-108", "близнак");
	assert_refused(w, SEND("000695089", ",\"from\":\"000695100\""), "P-109", "000695100");
	assert_null(w->roles[ROLE_STORE].asked);
	w->roles[ROLE_STORE].answer = "{\"ok\":true}";
	json_decref(ask(w, SEND("Община Временна", ",\"from\":\"123456789\"")));
	assert_string_equal(asked_text(w, ROLE_STORE, "recipient"), HELD);
}

static void
fields_and_files_are_judged_too(void **state)
{
	struct world *w = *state;
	int file = text_file("x"), folder = open("/tmp", O_RDONLY | O_CLOEXEC);
	json_t *j;

#define FILES(d) "{\"verb\":\"document.send\",\"to\":\"000695089\",\"document\":" d "}"
	assert_refused(w, FILES("{\"number\":\"1\",\"date\":\"x\"}"), "D-108", "date");
	assert_refused(w, FILES("{\"attachments\":[{\"file_name\":\"a\"}]}"), "D-108", "attachments");
	j = ask_with(w, FILES("{\"attachments\":[{\"file_name\":\"../a\"}]}"), &file, 1, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "fault")), "D-108");
	json_decref(j);
	j = ask_with(w, FILES("{\"attachments\":[{\"file_name\":\"a\"}]}"), &folder, 1, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "fault")), "U-103");
	json_decref(j);
	int big = memfd_create("big", MFD_CLOEXEC);
	assert_int_equal(ftruncate(big, 1 << 20), 0);
	j = ask_with(w, FILES("{\"attachments\":[{\"file_name\":\"a\"}]}"), &big, 1, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "fault")), "D-150");
	json_decref(j);
	assert_null(w->roles[ROLE_STORE].asked);
	close(big);
	close(file);
	close(folder);
}

static void
saving_asks_store_then_codec(void **state)
{
	struct world *w = *state;
	int out = memfd_create("out", MFD_CLOEXEC);
	char got[8] = "";

	w->roles[ROLE_STORE].answer = "{\"ok\":true}";
	w->roles[ROLE_STORE].answer_fd = text_file("<soap>");
	w->roles[ROLE_CODEC].answer = "{\"ok\":true,\"size\":3}";
	json_t *j = ask_with(w, "{\"verb\":\"document.save\",\"document\":5,\"index\":2}", &out, 1, NULL);
	assert_int_equal(json_integer_value(json_object_get(j, "size")), 3);
	json_decref(j);
	const struct stand_in *codec = &w->roles[ROLE_CODEC];
	assert_string_equal(asked_text(w, ROLE_STORE, "which"), "message");
	assert_string_equal(asked_text(w, ROLE_CODEC, "verb"), "document.detach");
	assert_int_equal(json_integer_value(json_object_get(codec->asked, "index")), 2);
	assert_int_equal(codec->nfds, 2);
	assert_int_equal(pread(codec->fds[0], got, sizeof got, 0), 6);
	assert_string_equal(got, "<soap>");
	assert_int_equal(write(codec->fds[1], "abc", 3), 3);
	assert_int_equal(lseek(out, 0, SEEK_END), 3);
	close(out);
}

static void
participants_are_found_as_people_type(void **state)
{
	static const struct {
		const char *text;
		int count;
	} rows[] = {{"еднаква", 1}, {"ОБЩИНА", 3}, {"близнак", 2}, {"000695089", 1}, {"00069508", 0},
	    {"body.ob.example", 6}, {ACTIVE, 1}, {"{11111111-2222-3333-4444-999999999999}", 0},
	    /* Latin letters that look the same */
	    {"OБЩИHA", 3}, {"нищо такова", 0}};
	struct world *w = *state;
	char line[256];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(line, sizeof line, "{\"verb\":\"participant.find\",\"text\":\"%s\"}", rows[i].text);
		json_t *j = ask(w, line);
		if ((int)json_array_size(json_object_get(j, "participants")) != rows[i].count)
			print_error("%s\n", rows[i].text);
		assert_int_equal(json_array_size(json_object_get(j, "participants")), rows[i].count);
		assert_int_equal(json_integer_value(json_object_get(j, "total")), rows[i].count);
		json_decref(j);
	}
	json_t *j = ask(w, "{\"verb\":\"participant.list\",\"offset\":4,\"limit\":5}");
	assert_int_equal(json_array_size(json_object_get(j, "participants")), 2);
	assert_int_equal(json_integer_value(json_object_get(j, "total")), 6);
	json_decref(j);
	j = ask(w, "{\"verb\":\"participant.show\",\"participant\":\"123456789\"}");
	const json_t *p = json_object_get(j, "participant");
	assert_true(json_is_true(json_object_get(p, "own")));
	assert_string_equal(json_string_value(json_object_get(p, "status")), "Active");
	json_decref(j);
}

static const char *
first_condition(const json_t *status)
{
	const json_t *c = json_array_get(json_object_get(status, "conditions"), 0);

	return json_string_value(json_object_get(c, "fault"));
}

static void
status_says_the_gravest_thing_first(void **state)
{
	struct world *w = *state;
	json_t *j;

	w->roles[ROLE_FRONT].answer = STATUS("front") "}";
	w->roles[ROLE_CODEC].answer = STATUS("codec") "}";
	w->roles[ROLE_COURIER].answer = STATUS("courier") "}";
	w->roles[ROLE_DIRECTORY].answer = STATUS("directory") ",\"age_seconds\":5,\"held\":false}";
	w->roles[ROLE_SIGNER].answer = STATUS("signer") ",\"keys\":[{\"name\":\"main\",\"days_left\":90}]}";
	w->roles[ROLE_STORE].answer = STATUS("store") ",\"in\":{},\"disk_full\":false}";
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "U-201");
	assert_int_equal(json_object_size(json_object_get(j, "roles")), 6);
	json_decref(j);
	give_snapshot(w, PARTICIPANT_INACTIVE);
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "U-207");
	json_decref(j);
	give_snapshot(w, PARTICIPANT_ACTIVE);
	w->roles[ROLE_STORE].answer = STATUS("store") ",\"in\":{\"waiting\":3},\"disk_full\":false}";
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "U-206");
	json_decref(j);
	w->roles[ROLE_DIRECTORY].answer = STATUS("directory") ",\"age_seconds\":90000,\"held\":false}";
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "U-203");
	json_decref(j);
	w->roles[ROLE_SIGNER].answer = STATUS("signer") ",\"keys\":[{\"name\":\"main\",\"days_left\":-1}]}";
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "U-204");
	json_decref(j);
	w->roles[ROLE_STORE].answer = STATUS("store") ",\"disk_full\":true}";
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "T-101");
	json_decref(j);
	ipc_free(w->roles[ROLE_COURIER].far);
	w->roles[ROLE_COURIER].far = NULL;
	j = ask(w, "{\"verb\":\"status\"}");
	assert_string_equal(first_condition(j), "U-202");
	assert_true(json_is_null(json_object_get(json_object_get(j, "roles"), "courier")));
	json_decref(j);
}

static void
a_role_that_dies_ends_the_question(void **state)
{
	struct world *w = *state;
	int client = open_client(w);

	say_to(client, "{\"verb\":\"queue.list\"}\n", 22, NULL, 0);
	turn(w, 5);
	assert_non_null(w->roles[ROLE_STORE].asked);
	ipc_free(w->roles[ROLE_STORE].far);
	w->roles[ROLE_STORE].far = NULL;
	json_t *j = hear(w, client, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "fault")), "U-104");
	json_decref(j);
	close(client);
	assert_refused(w, "{\"verb\":\"queue.list\"}", "U-104", "store");
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
clients_that_leave_or_misbehave(void **state)
{
	struct world *w = *state;
	unsigned before = open_descriptors();
	static char junk[LOCAL_LINE_MAX + 65536];

	/* leaves while its question is on the way */
	int client = open_client(w);
	int fd = text_file("x");
	say_to(client, "{\"verb\":\"queue.list\"}\n{\"verb\":\"queue.list\"}\n", 44, NULL, 0);
	turn(w, 5);
	close(client);
	turn(w, 5);
	json_t *late = json_pack("{s:b}", "ok", 1);
	wire_send_json(w->roles[ROLE_STORE].far, WIRE_QUERY_REPLY, w->roles[ROLE_STORE].id, late, NULL, 0);
	json_decref(late);
	turn(w, 5);
	w->roles[ROLE_STORE].answer = "{\"ok\":true}";
	json_decref(ask(w, "{\"verb\":\"queue.list\"}"));
	/* sends descriptors that nobody wants */
	assert_refused(w, "{\"verb\":\"status\",\"x\":1}", "U-102", "x");
	json_decref(ask_with(w, "{\"verb\":\"queue.list\"}", &fd, 1, NULL));
	close(fd);
	/* never ends its line */
	client = open_client(w);
	memset(junk, 'x', sizeof junk);
	for (size_t at = 0; at < sizeof junk;) {
		ssize_t n = send(client, junk + at, sizeof junk - at, MSG_NOSIGNAL);
		turn(w, 2);
		if (n < 0 && errno != EAGAIN)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	assert_null(hear(w, client, NULL));
	close(client);
	turn(w, 5);
	assert_int_equal(open_descriptors(), before);
}

static void
several_requests_on_one_connection(void **state)
{
	struct world *w = *state;
	int client = open_client(w);

	w->roles[ROLE_STORE].answer = "{\"ok\":true}";
	say_to(client, "{\"verb\":\"queue", 14, NULL, 0);
	turn(w, 2);
	say_to(client, ".list\"}\n{\"verb\":\"nope\"}\n", 24, NULL, 0);
	json_t *j = hear(w, client, NULL);
	assert_true(json_is_true(json_object_get(j, "ok")) || json_is_false(json_object_get(j, "ok")));
	json_decref(j);
	turn(w, 5);
	say_to(client, "{\"verb\":\"queue.list\"}\n", 22, NULL, 0);
	j = hear(w, client, NULL);
	assert_non_null(j);
	json_decref(j);
	close(client);
}

static void
too_many_clients(void **state)
{
	struct world *w = *state;
	int clients[LOCAL_CLIENTS_MAX + 4];
	char c;

	for (int i = 0; i < LOCAL_CLIENTS_MAX + 4; i++) {
		clients[i] = open_client(w);
		turn(w, 2);
	}
	assert_int_equal(recv(clients[LOCAL_CLIENTS_MAX], &c, 1, 0), 0);
	assert_int_equal(recv(clients[0], &c, 1, 0), -1);
	for (int i = 0; i < LOCAL_CLIENTS_MAX + 4; i++)
		close(clients[i]);
	turn(w, 5);
	w->roles[ROLE_STORE].answer = "{\"ok\":true}";
	json_decref(ask(w, "{\"verb\":\"queue.list\"}"));
}

static void
mime_types(void **state)
{
	(void)state;
	assert_string_equal(mime_type("x.PDF", "", 0), "application/pdf");
	assert_string_equal(mime_type("x.txt", "%PDF-1.4", 8), "application/pdf");
	assert_string_equal(mime_type("x", "\x89PNG\r\n\x1a\n", 8), "image/png");
	assert_string_equal(mime_type("x.odt", "PK\x03\x04", 4), "application/vnd.oasis.opendocument.text");
	assert_string_equal(mime_type("x", "PK\x03\x04", 4), "application/zip");
	assert_string_equal(mime_type("x.unknown", "??", 2), "application/octet-stream");
}

static void
folding_and_columns(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(fold_text("ABC", out, sizeof out), "abc");
	assert_true(fold_equal("АВС Щ", fold_text("ABC щ", out, sizeof out)));
	assert_true(fold_contains("МИНИСТЕРСТВО", fold_text("стер", out, sizeof out)));
	assert_string_equal(fold_text("ЖЖЖ", out, 8), "жж");
	assert_int_equal(fold_columns("Щука"), 4);
	assert_int_equal(fold_columns("а\xcc\x80"), 1);
	assert_int_equal(fold_columns("漢字"), 4);
	assert_int_equal(fold_columns("\xff\xd0"), 2); /* broken text does no harm */
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_wrong_is_named),
		T(requests_reach_the_role_that_knows),
		T(a_body_comes_as_a_descriptor),
		T(sending_completes_and_checks),
		T(recipients_are_judged_before_anything_is_kept),
		T(fields_and_files_are_judged_too),
		T(saving_asks_store_then_codec),
		T(participants_are_found_as_people_type),
		T(status_says_the_gravest_thing_first),
		T(a_role_that_dies_ends_the_question),
		T(clients_that_leave_or_misbehave),
		T(several_requests_on_one_connection),
		T(too_many_clients),
		cmocka_unit_test(mime_types),
		cmocka_unit_test(folding_and_columns),
	};

	log_init("control_test", -1, LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
