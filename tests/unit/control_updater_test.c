/* Updates of a box: what goes over the link to the updater. */
#include "control_world.h"
#include "lib/packet.h"

static int
connect_updater(struct world *w)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s.updater", w->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	turn(w, 2);
	return fd;
}

static json_t *
hear_packet(struct world *w, int updater, int *fd)
{
	json_t *j = NULL;

	for (int i = 0; i < 2000 && !j; i++) {
		turn(w, 1);
		j = packet_receive(updater, fd);
	}
	assert_non_null(j);
	return j;
}

static void
answer_packet(struct world *w, int updater, const char *text)
{
	assert_int_equal(send(updater, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn(w, 2);
}

static void
all_roles_answer(struct world *w, const char *link)
{
	static char directory[128];

	snprintf(directory, sizeof directory, STATUS("directory") ",\"link\":\"%s\"}", link);
	w->roles[ROLE_FRONT].answer = STATUS("front") "}";
	w->roles[ROLE_CODEC].answer = STATUS("codec") "}";
	w->roles[ROLE_COURIER].answer = STATUS("courier") "}";
	w->roles[ROLE_DIRECTORY].answer = directory;
	w->roles[ROLE_SIGNER].answer = STATUS("signer") "}";
	w->roles[ROLE_STORE].answer = STATUS("store") "}";
}

static void
updates_go_to_the_updater(void **state)
{
	static const char install[] = "{\"verb\":\"update.install\",\"restart\":\"yes\"}\n";
	struct world *w = *state;
	int client, updater, file = text_file("bundle"), fd;

	assert_refused(w, "{\"verb\":\"update.status\"}", "B-101", "");
	w->conf.update_url = (char *)(size_t)"http://updates.example/obmen.update";
	updater = connect_updater(w);
	all_roles_answer(w, "failed");
	client = open_client(w);
	say_to(client, install, strlen(install), &file, 1);
	json_t *j = hear_packet(w, updater, &fd);
	assert_string_equal(json_string_value(json_object_get(j, "verb")), "update.install");
	assert_string_equal(json_string_value(json_object_get(j, "address")), w->conf.update_url);
	assert_string_equal(json_string_value(json_object_get(j, "restart")), "yes");
	/* What ails the node already goes along; the file too. */
	assert_int_equal(json_array_size(json_object_get(j, "ailing")), 1);
	assert_true(fd >= 0);
	close(fd);
	json_decref(j);
	assert_refused(w, "{\"verb\":\"update.status\"}", "B-103", "");
	answer_packet(w, updater, "{\"ok\":true,\"version\":\"9\"}");
	j = hear(w, client, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "version")), "9");
	json_decref(j);
	/* It goes away in the middle; a new one is as good. */
	say_to(client, "{\"verb\":\"update.back\"}\n", 23, NULL, 0);
	json_decref(hear_packet(w, updater, &fd));
	close(updater);
	j = hear(w, client, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "fault")), "B-102");
	json_decref(j);
	updater = connect_updater(w);
	say_to(client, "{\"verb\":\"update.status\"}\n", 25, NULL, 0);
	json_decref(hear_packet(w, updater, &fd));
	/* The client goes away; the answer finds nobody, and the next one is heard. */
	close(client);
	answer_packet(w, updater, "{\"ok\":true}");
	answer_packet(w, updater, "{\"ok\":true}"); /* nobody asked */
	client = open_client(w);
	say_to(client, "{\"verb\":\"update.status\"}\n", 25, NULL, 0);
	json_decref(hear_packet(w, updater, &fd));
	answer_packet(w, updater, "nonsense");
	j = hear(w, client, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "fault")), "B-102");
	json_decref(j);
	close(client);
	close(updater);
	close(file);
}

/* What control says of a version on trial. */
static void
a_trial_is_judged(void **state)
{
	static const struct {
		const char *link;
		size_t against;
	} cases[] = {{"answered", 0}, {"outside", 0}, {"failed", 1}, {"unknown", 1}};
	struct world *w = *state;
	int updater = connect_updater(w), fd;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		all_roles_answer(w, cases[i].link);
		answer_packet(w, updater, "{\"ask\":\"judge\"}");
		json_t *j = hear_packet(w, updater, &fd);
		assert_int_equal(json_array_size(json_object_get(j, "judged")), cases[i].against);
		json_decref(j);
	}
	all_roles_answer(w, "answered");
	ipc_free(w->roles[ROLE_STORE].far);
	w->roles[ROLE_STORE].far = NULL;
	answer_packet(w, updater, "{\"ask\":\"judge\"}");
	json_t *j = hear_packet(w, updater, &fd);
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "judged"), 0)), "U-202 store");
	json_decref(j);
	close(updater);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(updates_go_to_the_updater), T(a_trial_is_judged)};

	log_init("control_test", -1, LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
