/*
 * Parent and the framework of roles, with tiny roles in place of the real ones: this program executes
 * itself as parent does. The roles say what happens to them on standard error, which the tests read.
 */
#include "process/parent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/when.h"
#include "obmend/role.h"
#include "obmend/wire.h"

/* -- the tiny roles */

static void
tell(const char *event, struct peer p)
{
	log_info(event, "peer=%s%u", role_name(p.role), p.index);
}

static bool
tiny_open(struct self *self)
{
	/* The test for a role that cannot start. */
	if (self->role == ROLE_STORE && strcmp(self_conf(self)->participants[0].name, "no store") == 0)
		return false;
	return true;
}

static bool
tiny_start(struct self *self)
{
	log_info("tiny.start", "pid=%d sync=%d", (int)getpid(), self->sync_signer >= 0);
	return true;
}

/* Every fresh channel is used at once, both ways. */
static void
tiny_up(struct self *self, struct peer p)
{
	json_t *j = json_pack("{s:s}", "verb", "ping");

	tell("tiny.up", p);
	/* The test for a peer that speaks nonsense, once: nobody here understands WIRE_SPOOL. */
	if (self->role == ROLE_COURIER && p.role == ROLE_STORE && !self->state &&
	    strcmp(self_conf(self)->participants[0].name, "nonsense") == 0) {
		self->state = self;
		role_send(self, ROLE_STORE, 0, WIRE_SPOOL, 1, NULL, 0, NULL, 0);
		return;
	}
	wire_send_json(self->peers[p.role][p.index], WIRE_QUERY, 7, j, NULL, 0);
	json_decref(j);
	if (self->sync_signer >= 0) {
		char answer[8];
		long n = ipc_call(self->sync_signer, WIRE_TLS_SIGN, "x", 1, answer, sizeof answer, 2000);
		log_info("tiny.sync", "answer=%ld", n);
	}
}

static void
tiny_down(struct self *self, struct peer p)
{
	(void)self;
	tell("tiny.down", p);
}

static void
tiny_reload(struct self *self)
{
	log_info("tiny.reload", "name=%s interval=%llu", self_conf(self)->participants[0].name,
	    (unsigned long long)self_conf(self)->register_interval);
}

static void
tiny_stop(struct self *self)
{
	(void)self;
	log_info("tiny.stop", "now");
}

static void
on_ping(struct self *self, struct peer p, struct ipc_frame *f)
{
	json_t *j = wire_get_json(f);

	wire_send_json(self->peers[p.role][p.index], WIRE_QUERY_REPLY, f->id, j, NULL, 0);
	json_decref(j);
}

static void
on_pong(struct self *self, struct peer p, struct ipc_frame *f)
{
	(void)self;
	if (f->id == 7)
		tell("tiny.pong", p);
}

static void
on_tls(struct self *self, struct peer p, struct ipc_frame *f)
{
	ipc_send(self->peers[p.role][p.index], (uint16_t)(f->type + 1), f->id, "ok", 2, NULL, 0);
}

static const struct role_message tiny_messages[] = {
    {ROLE_FRONT, WIRE_QUERY, on_ping}, {ROLE_FRONT, WIRE_QUERY_REPLY, on_pong},
    {ROLE_CODEC, WIRE_QUERY, on_ping}, {ROLE_CODEC, WIRE_QUERY_REPLY, on_pong},
    {ROLE_SIGNER, WIRE_QUERY, on_ping}, {ROLE_SIGNER, WIRE_QUERY_REPLY, on_pong},
    {ROLE_STORE, WIRE_QUERY, on_ping}, {ROLE_STORE, WIRE_QUERY_REPLY, on_pong},
    {ROLE_COURIER, WIRE_QUERY, on_ping}, {ROLE_COURIER, WIRE_QUERY_REPLY, on_pong},
    {ROLE_DIRECTORY, WIRE_QUERY, on_ping}, {ROLE_DIRECTORY, WIRE_QUERY_REPLY, on_pong},
    {ROLE_CONTROL, WIRE_QUERY, on_ping}, {ROLE_CONTROL, WIRE_QUERY_REPLY, on_pong},
    {ROLE_FRONT, WIRE_TLS_SIGN, on_tls}, {ROLE_COURIER, WIRE_TLS_SIGN, on_tls},
    {ROLE_DIRECTORY, WIRE_TLS_SIGN, on_tls},
};

static const struct sandbox tiny_sandbox = {.allow = SANDBOX_MEMFD};

#define TINY(i, n)                                                                                 \
	{.id = i, .name = n, .open = tiny_open, .start = tiny_start, .peer_up = tiny_up,               \
	    .peer_down = tiny_down, .reload = tiny_reload, .stop = tiny_stop, .messages = tiny_messages, \
	    .message_count = sizeof tiny_messages / sizeof *tiny_messages, .sandbox = &tiny_sandbox}

static const struct role tiny_roles[ROLE_COUNT] = {
    [ROLE_FRONT] = TINY(ROLE_FRONT, "front"), [ROLE_CODEC] = TINY(ROLE_CODEC, "codec"),
    [ROLE_SIGNER] = TINY(ROLE_SIGNER, "signer"), [ROLE_STORE] = TINY(ROLE_STORE, "store"),
    [ROLE_COURIER] = TINY(ROLE_COURIER, "courier"),
    [ROLE_DIRECTORY] = TINY(ROLE_DIRECTORY, "directory"),
    [ROLE_CONTROL] = TINY(ROLE_CONTROL, "control")};

/* As many of them, with as much access to parent, as of the real ones. */
static int
run_tiny(const char *name, unsigned index)
{
	unsigned id = program_role_by_name(&obmend, name);
	struct role r = tiny_roles[id];

	r.many = obmend.roles[id]->many;
	r.control = obmend.roles[id]->control;
	return role_run(&obmend, &r, index);
}

/* -- a node of them */

struct node {
	char folder[64], conf[128];
	pid_t pid;
	int log; /* what it and its roles say */
	char text[1 << 20];
	size_t len;
};

static void
write_conf(const struct node *n, const char *name, unsigned interval)
{
	FILE *f = fopen(n->conf, "w");

	assert_non_null(f);
	fprintf(f, "state-directory = %s/state\ncontrol-socket = %s/control\nuser-prefix =\n"
	           "ca-file = /none\nregister-url = https://none/\ncodecs = 2\n"
	           "register-interval = %u\n"
	           "[certificate a]\nfile = /none\nkey = /none\n[listen 127.0.0.1:1]\n"
	           "[participant {11111111-2222-3333-4444-555555555555}]\neik = 123456789\nname = %s\n",
	    n->folder, n->folder, interval, name);
	fclose(f);
}

static struct node *
node_start(const char *name)
{
	struct node *n = calloc(1, sizeof *n);
	int fds[2];

	snprintf(n->folder, sizeof n->folder, "/tmp/parent-test-XXXXXX");
	assert_non_null(mkdtemp(n->folder));
	snprintf(n->conf, sizeof n->conf, "%s/obmen.conf", n->folder);
	write_conf(n, name, 600);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	n->pid = fork();
	if (n->pid == 0) {
		fcntl(fds[1], F_SETFL, 0);
		dup2(fds[1], STDERR_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(parent_run(&obmend, n->conf));
	}
	close(fds[1]);
	n->log = fds[0];
	return n;
}

static void
read_log(struct node *n, int timeout_ms)
{
	struct pollfd p = {.fd = n->log, .events = POLLIN};

	if (poll(&p, 1, timeout_ms) <= 0)
		return;
	ssize_t got = read(n->log, n->text + n->len, sizeof n->text - 1 - n->len);
	if (got > 0)
		n->len += (size_t)got;
	n->text[n->len] = 0;
}

/* How many lines of the log, from a place on, hold both texts. */
static unsigned
count_lines(const struct node *n, size_t from, const char *a, const char *b)
{
	unsigned count = 0;

	for (const char *line = n->text + from; *line;) {
		size_t len = strcspn(line, "\n");
		char copy[2048];
		snprintf(copy, sizeof copy, "%.*s ", (int)len, line);
		count += strstr(copy, a) && strstr(copy, b);
		line += len + (line[len] == '\n');
	}
	return count;
}

static bool
wait_lines(struct node *n, size_t from, const char *a, const char *b, unsigned wanted)
{
	when deadline = when_monotonic() + 60 * WHEN_SECOND;

	while (count_lines(n, from, a, b) < wanted && when_monotonic() < deadline)
		read_log(n, 100);
	if (count_lines(n, from, a, b) != wanted)
		print_error("%u lines with \"%s\" and \"%s\" instead of %u in:\n%s\n",
		    count_lines(n, from, a, b), a, b, wanted, n->text + from);
	return count_lines(n, from, a, b) == wanted;
}

/* For lines that may also come a second time. */
static bool
wait_some(struct node *n, size_t from, const char *a, const char *b)
{
	when deadline = when_monotonic() + 60 * WHEN_SECOND;

	while (count_lines(n, from, a, b) == 0 && when_monotonic() < deadline)
		read_log(n, 100);
	return count_lines(n, from, a, b) > 0 || wait_lines(n, from, a, b, 1);
}

static pid_t
pid_of(const struct node *n, const char *role)
{
	char key[64];
	pid_t pid = 0;

	snprintf(key, sizeof key, "role=%s event=tiny.start pid=", role);
	for (const char *at = n->text; (at = strstr(at, key)); at++)
		pid = atoi(at + strlen(key));
	assert_true(pid > 0);
	return pid;
}

static int
node_end(struct node *n, int sig)
{
	char path[160];
	int status;

	if (sig)
		kill(n->pid, sig);
	assert_int_equal(waitpid(n->pid, &status, 0), n->pid);
	while (n->len < sizeof n->text - 1) {
		size_t before = n->len;
		read_log(n, 0);
		if (n->len == before)
			break;
	}
	close(n->log);
	for (const char *const *s = (const char *const[]){"state/store", "state/directory", "state",
	         "obmen.conf", NULL}; *s; s++) {
		snprintf(path, sizeof path, "%s/%s", n->folder, *s);
		if (remove(path) < 0 && errno != ENOENT)
			print_error("%s: %s\n", path, strerror(errno));
	}
	rmdir(n->folder);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Ends of channels that a role has: what tiny.up must be said for. */
static unsigned
neighbours(enum role_id role, unsigned index)
{
	unsigned n = 0;

	for (unsigned e = 0; e < obmend.edge_count; e++) {
		const struct edge *g = &obmend.edges[e];
		for (unsigned a = 0; a < program_instances(&obmend, g->a, 2); a++) {
			for (unsigned b = 0; b < program_instances(&obmend, g->b, 2); b++) {
				bool is_a = g->a == role && a == index, is_b = g->b == role && b == index;
				n += edge_joins(g, a, b) && ((is_a && g->kind != EDGE_SYNC) || is_b);
			}
		}
	}
	return n;
}

static void
every_edge_carries_messages(void **state)
{
	static const struct {
		const char *name;
		enum role_id role;
		unsigned index;
	} all[] = {{"front", ROLE_FRONT, 0}, {"codec0", ROLE_CODEC, 0}, {"codec1", ROLE_CODEC, 1},
	    {"store", ROLE_STORE, 0}, {"courier", ROLE_COURIER, 0}, {"directory", ROLE_DIRECTORY, 0},
	    {"control", ROLE_CONTROL, 0}, {"signer1", ROLE_SIGNER, 1}};
	struct node *n = node_start("x");
	char role[32];

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "codecs=2", 1));
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		snprintf(role, sizeof role, "role=%s ", all[i].name);
		assert_true(wait_lines(n, 0, role, "event=tiny.pong", neighbours(all[i].role, all[i].index)));
	}
	assert_int_equal(node_end(n, SIGTERM), 0);
	free(n);
}

static void
a_killed_role_comes_back_with_fresh_channels(void **state)
{
	struct node *n = node_start("x");

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	assert_true(wait_lines(n, 0, "role=store ", "event=tiny.pong", neighbours(ROLE_STORE, 0)));
	/* All have reached the first store too: no late line of theirs counts for the second. */
	assert_true(wait_lines(n, 0, "event=tiny.pong", "peer=store0", neighbours(ROLE_STORE, 0)));
	for (int round = 0; round < 3; round++) {
		read_log(n, 0);
		size_t from = n->len;
		kill(pid_of(n, "store"), SIGKILL);
		/* The new store reaches every neighbour, every neighbour lost one and reaches the new one. */
		assert_true(wait_lines(n, from, "role=store ", "event=tiny.pong", neighbours(ROLE_STORE, 0)));
		assert_true(wait_lines(n, from, "event=tiny.down", "peer=store0", neighbours(ROLE_STORE, 0)));
		assert_true(wait_lines(n, from, "event=tiny.pong", "peer=store0", neighbours(ROLE_STORE, 0)));
		assert_int_equal(count_lines(n, from, "event=parent.role-died", "process=store0"), 1);
		assert_int_equal(count_lines(n, from, "channel-mended", ""), 0);
	}
	assert_int_equal(node_end(n, SIGTERM), 0);
	free(n);
}

static void
a_killed_signer_answers_synchronous_calls_again(void **state)
{
	struct node *n = node_start("x");

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	assert_true(wait_lines(n, 0, "role=control ", "event=tiny.pong", neighbours(ROLE_CONTROL, 0)));
	read_log(n, 100);
	size_t from = n->len;
	kill(pid_of(n, "signer0"), SIGKILL);
	assert_true(wait_lines(n, from, "role=signer0 ", "event=tiny.start", 1));
	/* A fresh channel of front makes it call the new signer on the descriptor that it always had. */
	from = n->len;
	kill(pid_of(n, "store"), SIGKILL);
	assert_true(wait_some(n, from, "role=front event=tiny.sync", "answer=2"));
	assert_true(wait_some(n, from, "role=courier event=tiny.sync", "answer=2"));
	assert_int_equal(node_end(n, SIGTERM), 0);
	free(n);
}

/* While signer waits for its next start: the callers build on the descriptor's number when they open. */
static void
roles_started_without_a_signer_reach_the_next_one(void **state)
{
	static const char *const callers[] = {"front", "courier", "directory"};
	struct node *n = node_start("x");
	char key[64];

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	/* Each early death doubles the pause: after these there is most of a second without a signer. */
	for (unsigned death = 0; death < 5; death++) {
		assert_true(wait_lines(n, 0, "role=signer0 ", "event=tiny.start", 1 + death));
		kill(pid_of(n, "signer0"), SIGKILL);
	}
	assert_true(wait_lines(n, 0, "event=parent.role-died", "process=signer0", 5));
	read_log(n, 0);
	size_t from = n->len;
	for (size_t i = 0; i < sizeof callers / sizeof *callers; i++)
		kill(pid_of(n, callers[i]), SIGKILL);
	for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
		snprintf(key, sizeof key, "role=%s event=tiny.start", callers[i]);
		assert_true(wait_lines(n, from, key, "sync=1", 1));
	}
	assert_true(wait_lines(n, 0, "role=signer0 ", "event=tiny.start", 6));
	from = n->len;
	kill(pid_of(n, "control"), SIGKILL);
	assert_true(wait_some(n, from, "role=front event=tiny.sync", "answer=2"));
	assert_true(wait_some(n, from, "role=courier event=tiny.sync", "answer=2"));
	assert_true(wait_some(n, from, "role=directory event=tiny.sync", "answer=2"));
	assert_int_equal(node_end(n, SIGTERM), 0);
	free(n);
}

static void
nonsense_costs_the_channel_and_parent_mends_it(void **state)
{
	struct node *n = node_start("nonsense");

	(void)state;
	assert_true(wait_lines(n, 0, "role=store event=role.unexpected-message", "from=courier0", 1));
	assert_true(wait_lines(n, 0, "event=parent.channel-mended", "between=store0,courier0", 1));
	assert_true(wait_lines(n, 0, "role=courier event=tiny.pong", "peer=store0", 1));
	assert_int_equal(count_lines(n, 0, "event=parent.role", ""), 0);
	assert_int_equal(node_end(n, SIGTERM), 0);
	free(n);
}

static void
roles_stop_in_order(void **state)
{
	struct node *n = node_start("x");

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	assert_int_equal(node_end(n, SIGTERM), 0);
	assert_int_equal(count_lines(n, 0, "event=tiny.stop", ""), 9);
	const char *front = strstr(n->text, "role=front event=tiny.stop");
	const char *courier = strstr(n->text, "role=courier event=tiny.stop");
	const char *codec = strstr(n->text, "role=codec1 event=tiny.stop");
	const char *store = strstr(n->text, "role=store event=tiny.stop");
	assert_true(front && courier && codec && store);
	assert_true(front < courier && courier < codec && codec < store);
	assert_int_equal(count_lines(n, 0, "event=parent.role", ""), 0);
	assert_non_null(strstr(n->text, "event=stopped status=0"));
	free(n);
}

static void
roles_do_not_hear_the_terminal(void **state)
{
	struct node *n = node_start("x");

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	kill(pid_of(n, "codec0"), SIGINT);
	kill(pid_of(n, "codec0"), SIGTERM);
	kill(pid_of(n, "codec0"), SIGHUP);
	read_log(n, 300);
	assert_int_equal(kill(pid_of(n, "codec0"), 0), 0);
	assert_int_equal(count_lines(n, 0, "event=parent.role", ""), 0);
	assert_int_equal(node_end(n, SIGINT), 0);
	free(n);
}

static void
roles_end_when_parent_is_gone(void **state)
{
	struct node *n = node_start("x");

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	pid_t store = pid_of(n, "store");
	assert_int_equal(node_end(n, SIGKILL), -SIGKILL);
	for (int i = 0; i < 100 && kill(store, 0) == 0; i++)
		usleep(20000);
	/* A zombie that nobody reaps still takes signals: look at its state instead. */
	char path[64], text[256] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", (int)store);
	int fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
		assert_non_null(strstr(text, ") Z "));
	if (fd >= 0)
		close(fd);
	free(n);
}

static void
a_role_that_cannot_open_stops_the_node(void **state)
{
	struct node *n = node_start("no store");

	(void)state;
	assert_int_equal(node_end(n, 0), 1);
	assert_int_equal(count_lines(n, 0, "event=ready", ""), 0);
	assert_int_equal(count_lines(n, 0, "event=parent.start-failed", "process=store0"), 1);
	free(n);
}

static void
a_bad_configuration_stops_the_node(void **state)
{
	struct node *n = node_start("\"\"");

	(void)state;
	assert_int_equal(node_end(n, 0), 1);
	assert_int_equal(count_lines(n, 0, "event=parent.configuration", "name:"), 1);
	free(n);
}

static void
hangup_reads_the_configuration_again(void **state)
{
	struct node *n = node_start("x");

	(void)state;
	assert_true(wait_lines(n, 0, "role=parent event=ready", "", 1));
	read_log(n, 200);
	size_t from = n->len;
	write_conf(n, "\"\"", 77);
	kill(n->pid, SIGHUP);
	assert_true(wait_lines(n, from, "event=parent.configuration", "name:", 1));
	assert_int_equal(count_lines(n, from, "event=tiny.start", ""), 0);
	from = n->len;
	write_conf(n, "y", 77);
	kill(n->pid, SIGHUP);
	assert_true(wait_lines(n, from, "event=parent.reload", "needs_start=\"[participant]\"", 1));
	assert_true(wait_lines(n, from, "event=tiny.reload", "name=x interval=77", 9));
	assert_int_equal(count_lines(n, from, "event=tiny.start", ""), 0);
	/* What starts later begins with the old text and turns to the new one. */
	kill(pid_of(n, "store"), SIGKILL);
	assert_true(wait_lines(n, from, "role=store event=tiny.start", "", 1));
	from = n->len;
	kill(n->pid, SIGHUP);
	assert_true(wait_lines(n, from, "role=store event=tiny.reload", "name=x interval=77", 1));
	assert_int_equal(node_end(n, SIGTERM), 0);
	free(n);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_edge_carries_messages),
		cmocka_unit_test(a_killed_role_comes_back_with_fresh_channels),
		cmocka_unit_test(a_killed_signer_answers_synchronous_calls_again),
		cmocka_unit_test(roles_started_without_a_signer_reach_the_next_one),
		cmocka_unit_test(nonsense_costs_the_channel_and_parent_mends_it),
		cmocka_unit_test(roles_stop_in_order),
		cmocka_unit_test(roles_do_not_hear_the_terminal),
		cmocka_unit_test(roles_end_when_parent_is_gone),
		cmocka_unit_test(a_role_that_cannot_open_stops_the_node),
		cmocka_unit_test(a_bad_configuration_stops_the_node),
		cmocka_unit_test(hangup_reads_the_configuration_again),
	};

	if (argc == 5 && strcmp(argv[1], "--role") == 0)
		_exit(run_tiny(argv[2], (unsigned)atoi(argv[4])));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
