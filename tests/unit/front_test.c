/*
 * The front role as it runs: the real process under its sandbox, its neighbours played by a world
 * that speaks the real channels, peers by curl and openssl.
 *
 * What the played codec does is chosen by the first word of the body that it is given.
 */
#include "http_fixture.h"
#include "signer_fixture.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/mman.h>
#include <time.h>

#define NAME_A "primer.obmen.local" /* of certificates a and b in tests/pki/demo.table */
#define NAME_B "obrazets.ob.obmen.local"
#define CODECS 2
#define ACTION "http://services.egov.bg/messaging/IEGovService/Submit"

static struct fixture fixture;
static int port;
static pid_t world, front;

/* ---- the world ---- */

struct world {
	struct event_base *base;
	struct ipc *parent; /* we are parent to front, and all of its neighbours */
	struct ipc *codec[CODECS], *store, *control;
	int away; /* peers killed and not yet due to come back */
	struct ipc *asker; /* a codec whose peer wants to know front's status */
	uint64_t asked;
	bool disk_full;
	uint64_t generation;
};

struct later {
	struct world *world;
	int codec;
	uint64_t id;
	char text[256];
};

static void codec_frame(struct ipc *, struct ipc_frame *, void *);
static void store_frame(struct ipc *, struct ipc_frame *, void *);
static void control_frame(struct ipc *, struct ipc_frame *, void *);

static void
world_ends(struct ipc *ipc, void *arg)
{
	(void)ipc, (void)arg;
	_exit(0);
}

static struct ipc *
join(struct world *w, enum role_id role, unsigned index, ipc_frame_cb frame)
{
	struct wire_peer m = {.role = role, .index = index};
	int pair[2];

	if (!ipc_pair(pair) || !wire_send(w->parent, WIRE_PEER, ++w->generation, &m, &pair[1], 1))
		_exit(4);
	return ipc_new(w->base, pair[0], frame, world_ends, w);
}

/* As the real one: it says at once whether anything may come in. */
static void
join_store(struct world *w)
{
	struct wire_maintenance m = {.in = false};

	w->store = join(w, ROLE_STORE, 0, store_frame);
	wire_send(w->store, WIRE_MAINTENANCE, 0, &m, NULL, 0);
}

static void
say_reply(struct world *w, int codec, uint64_t id, uint64_t status, const char *text)
{
	struct wire_reply m = {.http_status = status,
	    .body = {(const uint8_t *)text, strlen(text)}};

	if (w->codec[codec])
		wire_send(w->codec[codec], WIRE_REPLY, id, &m, NULL, 0);
}

static void
reply_later(evutil_socket_t fd, short what, void *arg)
{
	struct later *l = arg;

	(void)fd, (void)what;
	say_reply(l->world, l->codec, l->id, 200, l->text);
	free(l);
}

/* All come back together, half a second after the last was killed: an earlier one's return must not
 * bring back one that was killed just now. */
static void
revive(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;

	(void)fd, (void)what;
	if (--w->away > 0)
		return;
	for (int i = 0; i < CODECS; i++) {
		if (!w->codec[i])
			w->codec[i] = join(w, ROLE_CODEC, (unsigned)i, codec_frame);
	}
	if (!w->store)
		join_store(w);
}

static void
in_ms(struct world *w, long ms, event_callback_fn fn, void *arg)
{
	event_base_once(w->base, -1, EV_TIMEOUT, fn, arg,
	    &(struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000});
}

static void
kill_peer(struct world *w, struct ipc **which)
{
	ipc_free(*which);
	*which = NULL;
	w->away++;
	in_ms(w, 500, revive, w);
}

/* Where the body lies and what it is, in words. */
static void
describe(const struct wire_inbound *m, int fd, int codec, char *word, char *out, size_t size)
{
	const uint8_t *data = m->body.data.data;
	const char *place = m->body.spooled ? "file" : m->body.in_fd ? "memory" : "inline";
	int seals = m->body.in_fd ? fcntl(fd, F_GET_SEALS) : -1;
	uint32_t sum = 0;
	void *map = NULL;

	if (m->body.in_fd)
		data = map = mmap(NULL, m->body.size, PROT_READ, MAP_SHARED, fd, 0);
	for (uint64_t i = 0; i < m->body.size; i++)
		sum = sum * 31 + data[i];
	snprintf(word, 16, "%.*s", m->body.size < 15 ? (int)m->body.size : 15, data ? (const char *)data : "");
	word[strcspn(word, " ")] = 0;
	if (map)
		munmap(map, m->body.size);
	snprintf(out, size, "codec=%d %s size=%llu sum=%u sealed=%s certificate=%zu own=%llu peer=%s",
	    codec, place, (unsigned long long)m->body.size, sum,
	    seals > 0 && seals & F_SEAL_WRITE ? "yes" : "no", m->tls_certificate.len,
	    (unsigned long long)m->certificate, m->peer_address);
}

static void
codec_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct world *w = arg;
	struct wire_inbound m;
	char word[16], text[256];
	int codec = ipc == w->codec[1];

	if (f->type != WIRE_INBOUND || !wire_unpack(f, WIRE_INBOUND, &m))
		_exit(5);
	describe(&m, f->nfds ? f->fds[0] : -1, codec, word, text, sizeof text);
	w->disk_full = strcmp(word, "full") == 0 || (w->disk_full && strcmp(word, "room") != 0);
	if (strcmp(word, "slow") == 0) {
		struct later *l = malloc(sizeof *l);
		*l = (struct later){.world = w, .codec = codec, .id = f->id};
		snprintf(l->text, sizeof l->text, "%s", text);
		in_ms(w, 200, reply_later, l);
	} else if (strcmp(word, "status") == 0) {
		json_t *q = json_pack("{s:s}", "verb", "status");
		w->asker = ipc;
		w->asked = f->id;
		wire_send_json(w->control, WIRE_QUERY, 1, q, NULL, 0);
		json_decref(q);
	} else if (strcmp(word, "die") == 0) {
		kill_peer(w, &w->codec[codec]);
	} else if (strcmp(word, "nostore") == 0) {
		kill_peer(w, &w->store);
		say_reply(w, codec, f->id, 200, text);
	} else {
		bool fault = strcmp(word, "fault") == 0, unknown = strcmp(word, "unknown") == 0;
		say_reply(w, codec, f->id, fault ? 500 : unknown ? 503 : 200, text);
	}
}

static void
store_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct world *w = arg;
	struct wire_spool_reply r = {.fault = w->disk_full ? FAULT_DISK_FULL : FAULT_NONE};
	int fd = w->disk_full ? -1 : open(fixture.folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (f->type != WIRE_SPOOL)
		_exit(6);
	wire_send(ipc, WIRE_SPOOL_REPLY, f->id, &r, &fd, fd >= 0);
}

static void
control_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct world *w = arg;

	(void)ipc;
	if (f->type != WIRE_QUERY_REPLY) /* lines of its log */
		return;
	json_t *j = wire_get_json(f);
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

	for (int i = 0; i < CODECS; i++) {
		if (w->asker == w->codec[i])
			say_reply(w, i, w->asked, 200, text);
	}
	free(text);
	json_decref(j);
}

static void
parent_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	(void)ipc, (void)f, (void)arg; /* WIRE_READY, and complaints about channels that we broke */
}

static void
configure(struct world *w)
{
	struct wire_conf m = {.file_name = "obmen.conf", .workers = CODECS};
	char text[4096];

	snprintf(text, sizeof text,
	    "state-directory = %s\nuser-prefix = \"\"\nca-file = %s\ncrl-file = %s\n"
	    "register-url = https://register.obmen.local/service/\nlog-level = error\n"
	    "message-max = 2MiB\nmemory-in-flight = 1MiB\nconnections-per-address = 400\n"
	    "[certificate a]\nfile = %s\nkey = %s\n[certificate b]\nfile = %s\nkey = %s\n"
	    "[listen 127.0.0.1:%d]\ncertificate = a\n"
	    "[participant {0b0e7a52-1111-4222-8333-9a9a9a9a9a01}]\neik = 990000017\nname = \"A\"\n"
	    "certificate = a\n",
	    fixture.folder, fixture.ca_file, fixture.crl_file, fixture.certificates[CERT_A].file,
	    fixture.certificates[CERT_A].key, fixture.certificates[CERT_B].file,
	    fixture.certificates[CERT_B].key, port);
	int fd = wire_memfd("conf", text, strlen(text));
	wire_send(w->parent, WIRE_CONF, 0, &m, &fd, 1);
	ipc_send(w->parent, WIRE_SYNC, 0, NULL, 0, &fixture.sync[ROLE_FRONT], 1);
}

static void
run_world(void)
{
	struct world w = {.base = event_base_new()};
	int pair[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (!ipc_pair(pair))
		_exit(7);
	front = fork();
	if (front == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int sync = fcntl(fixture.sync[ROLE_FRONT], F_DUPFD_CLOEXEC, 64);
		int parent = fcntl(pair[1], F_DUPFD, 64);
		close_range(3, 63, 0);
		dup2(parent, 3);
		close(parent);
		close(sync);
		_exit(role_run(&obmend, &role_front, 0));
	}
	close(pair[1]);
	w.parent = ipc_new(w.base, pair[0], parent_frame, world_ends, &w);
	configure(&w);
	join_store(&w);
	w.control = join(&w, ROLE_CONTROL, 0, control_frame);
	for (unsigned i = 0; i < CODECS; i++)
		w.codec[i] = join(&w, ROLE_CODEC, i, codec_frame);
	ipc_send(w.parent, WIRE_GO, 0, NULL, 0, NULL, 0);
	event_base_dispatch(w.base);
	_exit(8);
}

/* ---- peers ---- */

/* As in http_tls_test.c; $POST posts what follows as text/xml to the service. */
static const char *
run(const char *command)
{
	static char said[262144];
	char line[4096];

	snprintf(line, sizeof line,
	    "{ D=%s; P=%d; U=https://%s:$P; CURL=\"curl -sS --noproxy * -m 20 --resolve %s:$P:127.0.0.1 "
	    "--cacert $D/ca.pem --cert $D/c.pem --key $D/c.key\"; POST=\"$CURL -H Content-Type:text/xml "
	    "$U/service --data-binary\"; set -f; %s\n} 2>&1",
	    fixture.folder, port, NAME_A, NAME_A, command);
	FILE *out = popen(line, "r");
	assert_non_null(out);
	size_t n = fread(said, 1, sizeof said - 1, out);
	said[n] = 0;
	pclose(out);
	return said;
}

static void
wait_open(void)
{
	for (int i = 0; i < 200; i++) {
		int fd = dial_from("127.0.0.1", port);
		if (fd >= 0) {
			close(fd);
			return;
		}
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	fail_msg("front does not listen");
}

static int
setup(void **state)
{
	(void)state;
	fixture_open(&fixture);
	close(site_listen(&port));
	world = fork();
	if (world == 0)
		run_world();
	wait_open();
	run("for n in 10 9999 99999 900000; do { printf 'plain '; head -c $n /dev/urandom; } >$D/b$n; done; "
	    "head -c 2097153 /dev/zero >$D/huge; { printf 'slow '; head -c 250000 /dev/zero; } >$D/slow");
	return 0;
}

static int
teardown(void **state)
{
	int status;

	(void)state;
	bool died = waitpid(world, &status, WNOHANG) != 0;
	if (!died) {
		kill(world, SIGTERM);
		waitpid(world, &status, 0);
	}
	fixture_close(&fixture);
	return died ? -1 : 0;
}

/* What the codec must see of a file: its size and sum, computed here. */
static void
expect_file(const char *said, const char *name)
{
	char path[400], expected[64];
	uint32_t sum = 0;
	long size = 0;
	int c;

	snprintf(path, sizeof path, "%s/%s", fixture.folder, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	for (; (c = getc(f)) != EOF; size++)
		sum = sum * 31 + (unsigned)c;
	fclose(f);
	snprintf(expected, sizeof expected, "size=%ld sum=%u ", size, sum);
	assert_contains(said, expected);
}

static void
bodies(void **state)
{
	static const struct {
		const char *file, *place, *options;
	} rows[] = {
	    {"b10", "inline", ""},
	    {"b9999", "inline", "-H Expect:100-continue"},
	    {"b99999", "memory", ""},
	    {"b900000", "file", ""},
	    {"b900000", "file", "-H Expect:100-continue"},
	    {"b10", "inline", "-H Transfer-Encoding:chunked"},
	    {"b99999", "memory", "-H Transfer-Encoding:chunked"},
	    {"b900000", "file", "-H Transfer-Encoding:chunked"},
	};
	char command[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(command, sizeof command, "$POST @$D/%s -i %s", rows[i].file, rows[i].options);
		const char *said = run(command);
		assert_contains(said, "HTTP/1.1 200 OK");
		assert_contains(said, "Content-Type: text/xml; charset=utf-8");
		assert_contains(said, rows[i].place);
		assert_contains(said, "own=0 peer=127.0.0.1");
		assert_null(strstr(said, "certificate=0"));
		if (strcmp(rows[i].place, "memory") == 0)
			assert_contains(said, "sealed=yes");
		expect_file(said, rows[i].file);
	}
	assert_contains(run("$POST @$D/huge -i"), "HTTP/1.1 413 ");
	assert_contains(run("$POST @$D/huge -i -H Transfer-Encoding:chunked"), "HTTP/1.1 413 ");
	assert_contains(run("$POST '' -i"), "inline size=0");
}

static void
heads(void **state)
{
	static const struct {
		const char *command, *expected[3];
	} rows[] = {
	    {"$CURL -i \"$U/any/path?wsdl\"",
	        {"HTTP/1.1 200", "https://" NAME_A ":", "/any/path\""}},
	    {"$CURL -i \"$U/?WSDL\"", {"HTTP/1.1 200", "definitions", "Submit"}},
	    {"$CURL -i $U/", {"HTTP/1.1 405", "Allow: POST", "[H-105]"}},
	    {"$CURL -i -X DELETE $U/", {"HTTP/1.1 405", "Allow: POST", "[H-105]"}},
	    {"$CURL -i $U/ -d x", {"HTTP/1.1 415", "[H-106]", "x-www-form-urlencoded"}},
	    {"$CURL -i $U/ -d x -H Content-Type:application/xop+xml", {"HTTP/1.1 415", "[H-106]", ""}},
	    {"$CURL -i $U/ -d x -H Content-Type:text/xml -H Content-Encoding:gzip",
	        {"HTTP/1.1 415", "[H-106]", ""}},
	    {"$CURL -i $U/ -d x -H 'Content-Type: application/soap+xml; charset=x'",
	        {"HTTP/1.1 200", "size=1 ", ""}},
	    {"$CURL -i $U/ -d x -H Content-Type:", {"HTTP/1.1 200", "size=1 ", ""}},
	    {"$POST x -i -H 'SOAPAction: \"" ACTION "\"'", {"HTTP/1.1 200", "size=1 ", ""}},
	    {"$POST x -i -H 'SOAPAction: " ACTION "'", {"HTTP/1.1 200", "size=1 ", ""}},
	    {"$POST x -i -H 'SOAPAction: \"\"'", {"HTTP/1.1 200", "size=1 ", ""}},
	    {"$POST x -i -H 'SOAPAction;'", {"HTTP/1.1 200", "size=1 ", ""}},
	    {"$POST x -i -H 'SOAPAction: \"urn:other\"'",
	        {"HTTP/1.1 500", "Client</faultcode>", "[X-104]"}},
	    {"$CURL -i \"$U/x?wsdl\" -d x -H Content-Type:text/xml", {"HTTP/1.1 200", "size=1 ", ""}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *said = run(rows[i].command);
		for (int k = 0; k < 3; k++)
			assert_contains(said, rows[i].expected[k]);
	}
}

static void
answers_of_codec(void **state)
{
	(void)state;
	assert_contains(run("$POST 'fault x' -i"), "HTTP/1.1 500 Internal");
	assert_contains(run("$POST 'unknown x' -i"), "Empty reply from server");
}

/* Its jobs end without an answer, never with an invented one; the other codec goes on. */
static void
codec_dies(void **state)
{
	(void)state;
	assert_contains(run("$POST 'die now' -i"), "Empty reply from server");
	assert_contains(run("$POST plain"), "inline size=5");
	assert_contains(run("$POST 'die now' -i"), "Empty reply from server");
	/* none is left for a moment: TCP is refused */
	assert_contains(run("$POST plain"), "onnect to ");
	wait_open();
	assert_contains(run("$POST plain"), "inline size=5");
}

static void
store_goes(void **state)
{
	(void)state;
	assert_contains(run("$POST nostore"), "inline size=7");
	assert_contains(run("$POST plain"), "onnect to ");
	wait_open();
	assert_contains(run("$POST @$D/b900000"), "file size=900006");
}

/* No file for a large body: closed before it is taken; while it grows: 503. Small ones go on. */
static void
disk_full(void **state)
{
	(void)state;
	run("$POST full");
	const char *said = run("$POST @$D/b900000 -i -H Expect:100-continue");
	assert_null(strstr(said, "HTTP/1.1"));
	said = run("$POST @$D/b900000 -i -H Transfer-Encoding:chunked");
	assert_contains(said, "HTTP/1.1 503 ");
	assert_contains(said, "[T-101]");
	assert_contains(said, "Server</faultcode>");
	assert_contains(run("$POST room"), "inline size=4");
	assert_contains(run("$POST @$D/b900000"), "file size=900006");
}

/* More than both windows hold: the rest waits here, all are answered, both codecs work. */
static void
many_at_once(void **state)
{
	(void)state;
	const char *said = run("$CURL -Z --parallel-max 160 --parallel-immediate -H Content-Type:text/xml "
	                       "-d slow -w '\\n' \"$U/[1-160]\"");
	int first = 0, second = 0;
	for (const char *at = said; (at = strstr(at, "codec=")); at++) {
		first += at[6] == '0';
		second += at[6] == '1';
	}
	assert_int_equal(first + second, 160);
	assert_in_range(first, 60, 100);
}

static long
status_figure(const char *name)
{
	char label[64];

	snprintf(label, sizeof label, "\"%s\":", name);
	const char *said = run("$POST status");
	assert_contains(said, label);
	return atol(strstr(said, label) + strlen(label));
}

/* Bodies of 250 kB that stay for a while, memory for four: reading waits, nothing is refused. */
static void
memory_budget(void **state)
{
	(void)state;
	const char *said = run("$CURL -Z --parallel-max 20 --parallel-immediate -H Content-Type:text/xml "
	                       "--data-binary @$D/slow -w '\\n' \"$U/[1-20]\"");
	int answers = 0;
	for (const char *at = said; (at = strstr(at, "memory size=250005 ")); at++)
		answers++;
	assert_int_equal(answers, 20);
	assert_in_range(status_figure("memory_in_flight_peak"), 500000, 1 << 20);
}

static void
server_names(void **state)
{
	(void)state;
	assert_contains(run("openssl s_client -connect 127.0.0.1:$P -CAfile $D/ca.pem -cert $D/c.pem "
	                    "-key $D/c.key -nameopt oneline -servername " NAME_B " </dev/null"), "CN = " NAME_B);
	assert_contains(run("openssl s_client -connect 127.0.0.1:$P -CAfile $D/ca.pem -cert $D/c.pem "
	                    "-key $D/c.key -nameopt oneline -servername other.obmen.local </dev/null"), "CN = " NAME_A);
	assert_contains(run("$CURL --resolve " NAME_B ":$P:127.0.0.1 -H Content-Type:text/xml -d x "
	                    "https://" NAME_B ":$P/"), "own=1 ");
}

static void
figures(void **state)
{
	(void)state;
	run("openssl s_client -connect 127.0.0.1:$P </dev/null");
	run("openssl s_client -connect 127.0.0.1:$P -cert $D/expired.pem -key $D/expired.key </dev/null");
	const char *said = run("$POST status");
	assert_contains(said, "no client certificate\":1");
	assert_contains(said, "certificate expired\":1");
	assert_contains(said, "\"ready\":true");
	assert_contains(said, "\"action\":1");
	assert_int_equal(status_figure("at_codecs"), 1);
	assert_int_equal(status_figure("malformed"), 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies),
	    cmocka_unit_test(heads),
	    cmocka_unit_test(answers_of_codec),
	    cmocka_unit_test(codec_dies),
	    cmocka_unit_test(store_goes),
	    cmocka_unit_test(disk_full),
	    cmocka_unit_test(many_at_once),
	    cmocka_unit_test(memory_budget),
	    cmocka_unit_test(server_names),
	    cmocka_unit_test(figures),
	};

	return cmocka_run_group_tests_name("front", tests, setup, teardown);
}
