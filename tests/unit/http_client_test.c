/* The HTTP client against a server that was not written by us: Python's ssl, http_peer.py. */
#include "http_peer.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "lib/http_client.h"

static struct fixture fixture;
static struct http_peer peer;
static struct event_base *base;
static struct http_client *client;
static SSL_CTX *tls;

struct seen {
	unsigned calls;
	struct http_result r;
	char detail[256], body[2048], type[128];
	json_t *facts; /* what the server saw */
	size_t certificate_len;
};

static void
on_done(void *arg, const struct http_result *r)
{
	struct seen *s = arg;

	s->calls++;
	s->r = *r;
	snprintf(s->detail, sizeof s->detail, "%s", r->detail);
	snprintf(s->type, sizeof s->type, "%s", r->content_type);
	if (r->body && r->body_len < sizeof s->body) {
		memcpy(s->body, r->body, r->body_len);
		s->body[r->body_len] = 0;
	}
	s->facts = json_loads(s->body, 0, NULL);
	s->certificate_len = r->peer_certificate_len;
	event_base_loopbreak(base);
}

static const char *
url(const char *listener, const char *path)
{
	static char text[256];

	snprintf(text, sizeof text, "https://primer.obmen.local:%d%s", http_peer_port(&peer, listener),
	    path);
	return text;
}

static struct http_request
request(const char *address)
{
	return (struct http_request){.url = address, .tls = tls, .content_type = "text/xml; charset=utf-8",
	    .soap_action = "urn:x", .body = "<x/>", .body_fd = -1, .body_size = 4,
	    .answer_max = 65536, .answer_fd = -1};
}

static struct seen
run(const struct http_request *r)
{
	struct seen s = {0};
	const char *why;

	assert_non_null(http_call_new(client, r, on_done, &s, &why));
	assert_int_equal(s.calls, 0);
	event_base_dispatch(base);
	assert_int_equal(s.calls, 1);
	json_decref(s.facts);
	return s;
}

static struct seen
post(const char *listener, const char *path)
{
	struct http_request r = request(url(listener, path));

	return run(&r);
}

static json_int_t
fact(const struct seen *s, const char *name)
{
	json_t *facts = json_loads(s->body, 0, NULL);
	const json_t *v = json_object_get(facts, name);
	json_int_t n = json_is_boolean(v) ? json_is_true(v) : json_integer_value(v);

	json_decref(facts);
	return n;
}

static void
new_client(void)
{
	char hosts[300], resolv[300];
	FILE *f;

	if (client)
		http_client_free(client);
	snprintf(hosts, sizeof hosts, "%s/hosts", fixture.folder);
	f = fopen(hosts, "w");
	fputs("127.0.0.1 primer.obmen.local drug.obmen.local proba.obmen.local\n", f);
	fclose(f);
	snprintf(resolv, sizeof resolv, "%s/resolv.conf", fixture.folder);
	f = fopen(resolv, "w");
	fputs("nameserver 127.0.0.1\n", f);
	fclose(f);
	struct http_client_options o = {.hosts_file = hosts, .resolv_conf = resolv,
	    .connections_per_origin = 2, .idle_seconds = 10, .connect_seconds = 4,
	    .progress_seconds = 2, .total_seconds = 4};
	client = http_client_new(base, &o);
	assert_non_null(client);
}

static void
test_post(void **state)
{
	(void)state;
	new_client();
	struct seen s = post("good", "/egov?wsdl");
	assert_string_equal(s.detail, "");
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_int_equal(s.r.status, 200);
	assert_string_equal(s.type, "text/xml; charset=utf-8");
	assert_true(s.certificate_len > 500);
	assert_true(s.r.body_left && s.r.sent >= s.r.started && s.r.ended >= s.r.sent);
	assert_non_null(strstr(s.body, "\"path\": \"/egov?wsdl\""));
	assert_non_null(strstr(s.body, "\"soapaction\": \"\\\"urn:x\\\"\""));
	assert_non_null(strstr(s.body, "\"content-length\": \"4\""));
	assert_null(strstr(s.body, "expect"));
	/* The next one goes over the same connection. */
	assert_int_equal(fact(&s, "request"), 1);
	s = post("good", "/egov");
	assert_int_equal(fact(&s, "request"), 2);
	struct http_request get = request(url("good", ""));
	get.content_type = NULL;
	get.body = NULL;
	get.body_size = 0;
	s = run(&get);
	assert_non_null(strstr(s.body, "\"method\": \"GET\", \"path\": \"/\""));
}

static void
test_statuses(void **state)
{
	static const int statuses[] = {500, 404, 503, 302, 400};

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		char path[32];
		snprintf(path, sizeof path, "/status/%d", statuses[i]);
		struct seen s = post("good", path);
		assert_int_equal(s.r.stage, HTTP_ANSWERED);
		assert_int_equal(s.r.status, statuses[i]);
		assert_string_equal(s.body, "<fault/>");
	}
}

static void
test_session_resumed(void **state)
{
	static const char *const listeners[] = {"good", "tls12"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		new_client();
		struct seen s = post(listeners[i], "/then-close");
		assert_int_equal(s.r.stage, HTTP_ANSWERED);
		assert_int_equal(fact(&s, "resumed"), 0);
		usleep(50000); /* the server's close arrives */
		s = post(listeners[i], "/");
		assert_int_equal(fact(&s, "request"), 1);
		assert_int_equal(fact(&s, "resumed"), 1);
		assert_true(s.certificate_len > 500);
		/* Without the check of the name it is another pool. */
		struct http_request r = request(url(listeners[i], "/"));
		r.name_mismatch = true;
		s = run(&r);
		assert_int_equal(fact(&s, "resumed"), 0);
	}
}

static void
test_answers(void **state)
{
	(void)state;
	struct seen s = post("good", "/chunked");
	assert_string_equal(s.body, "chunked");
	s = post("good", "/no-length");
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_string_equal(s.body, "to the end");
	s = post("good", "/no-length-rude");
	assert_int_equal(s.r.stage, HTTP_WAIT);
	assert_string_equal(s.detail, "the peer closed the connection in the middle of its answer");
	s = post("good", "/extra");
	assert_string_equal(s.body, "ok");
	s = post("good", "/garbage");
	assert_int_equal(s.r.stage, HTTP_WAIT);
	assert_non_null(strstr(s.detail, "not HTTP"));
	s = post("good", "/");
	assert_int_equal(fact(&s, "request"), 1); /* none of those was kept */
}

static void
test_too_large(void **state)
{
	static const char *const paths[] = {"/huge", "/huge-chunked"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct seen s = post("good", paths[i]);
		assert_int_equal(s.r.stage, HTTP_WAIT);
		assert_true(s.r.too_large);
		assert_string_equal(s.detail, "the answer is larger than 65536 bytes");
		struct http_request r = request(url("good", paths[i]));
		r.answer_max = 1000000;
		r.answer_fd = memfd_create("answer", 0);
		s = run(&r);
		assert_int_equal(s.r.stage, HTTP_ANSWERED);
		assert_int_equal(s.r.body_len, 1000000);
		assert_int_equal(lseek(r.answer_fd, 0, SEEK_END), 1000000);
		assert_null(s.r.body);
		close(r.answer_fd);
	}
}

static void
test_timeouts(void **state)
{
	static const struct {
		const char *path, *detail;
	} rows[] = {{"/silent", "nothing moved for 2 s"}, {"/stuck", "nothing moved for 2 s"},
	    {"/slow", "the whole exchange took too long"}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct seen s = post("good", rows[i].path);
		assert_int_equal(s.r.stage, HTTP_WAIT);
		assert_true(s.r.timed_out && s.r.body_left);
		assert_string_equal(s.detail, rows[i].detail);
	}
}

static int
dead_port(bool listening, int *fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&a, &len), 0);
	if (listening)
		assert_int_equal(listen(*fd, 8), 0);
	return ntohs(a.sin_port);
}

static void
test_no_connection(void **state)
{
	char address[128];
	int fd;

	(void)state;
	struct http_request r = request(address);
	snprintf(address, sizeof address, "https://primer.obmen.local:%d/", dead_port(false, &fd));
	struct seen s = run(&r);
	assert_int_equal(s.r.stage, HTTP_CONNECT);
	assert_string_equal(s.detail, "Connection refused");
	assert_false(s.r.timed_out || s.r.body_left);
	close(fd);
	/* It listens and says nothing. */
	snprintf(address, sizeof address, "https://primer.obmen.local:%d/", dead_port(true, &fd));
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_TLS);
	assert_true(s.r.timed_out);
	assert_string_equal(s.detail, "no connection in time");
	close(fd);
	snprintf(address, sizeof address, "https://nikade.obmen.local/");
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_NAME);
	assert_true(s.r.timed_out || strcmp(s.detail, "no name server answers") == 0);
}

static void
test_certificates(void **state)
{
	char address[128];

	(void)state;
	struct http_request r = request(address);
	snprintf(address, sizeof address, "https://proba.obmen.local:%d/",
	    http_peer_port(&peer, "expired"));
	struct seen s = run(&r);
	assert_int_equal(s.r.stage, HTTP_TLS);
	assert_string_equal(s.detail, "certificate expired");
	assert_false(s.r.body_left);
	snprintf(address, sizeof address, "https://proba.obmen.local:%d/",
	    http_peer_port(&peer, "strange"));
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_TLS);
	assert_string_equal(s.detail, "certificate of an unknown CA (self-signed)");
	snprintf(address, sizeof address, "https://drug.obmen.local:%d/", http_peer_port(&peer, "good"));
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_TLS);
	assert_string_equal(s.detail, "certificate is for another name");
	r.name_mismatch = true;
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	snprintf(address, sizeof address, "https://127.0.0.1:%d/", http_peer_port(&peer, "good"));
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
}

/* On TLS 1.3 the client is done before the server has looked at its certificate. */
static void
test_refused_late(void **state)
{
	static const char *const listeners[] = {"good", "tls12"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct http_request r = request(url(listeners[i], "/"));
		r.tls = SSL_CTX_new(TLS_client_method());
		struct seen s = run(&r);
		assert_int_equal(s.r.stage, HTTP_TLS);
		assert_non_null(strstr(s.detail, "refused by the peer: "));
		new_client(); /* before the context that it borrows is gone */
		SSL_CTX_free(r.tls);
	}
}

static void
test_resets(void **state)
{
	static const struct {
		const char *path;
		enum http_stage stage;
	} rows[] = {{"/reset-head", HTTP_WAIT}, {"/reset-body", HTTP_WAIT},
	    {"/reset-answer", HTTP_WAIT}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct seen s = post("good", rows[i].path);
		assert_int_equal(s.r.stage, rows[i].stage);
		assert_true(s.r.body_left);
		assert_string_not_equal(s.detail, "");
	}
}

static void
test_expect(void **state)
{
	static const struct {
		const char *path;
		json_int_t request;
	} rows[] = {{"/", 1}, {"/no100", 1}, {"/417", 1}};

	(void)state;
	new_client();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		new_client();
		struct http_request r = request(url("good", rows[i].path));
		r.expect_continue = true;
		when before = when_monotonic();
		struct seen s = run(&r);
		when took = when_monotonic() - before;
		assert_int_equal(s.r.stage, HTTP_ANSWERED);
		assert_int_equal(s.r.status, 200);
		assert_int_equal(fact(&s, "length"), 4);
		if (i == 1)
			assert_true(took > WHEN_SECOND && took < 2 * WHEN_SECOND);
		else
			assert_true(took < WHEN_SECOND);
		assert_int_equal(strstr(s.body, "100-continue") != NULL, i != 2);
	}
}

/* A reused connection that the server drops is tried once more, while nothing of the body left. */
static void
test_close_race(void **state)
{
	(void)state;
	new_client();
	struct http_request r = request(url("good", "/drop-second"));
	r.expect_continue = true;
	struct seen s = run(&r);
	json_int_t first = fact(&s, "connection");
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_int_equal(fact(&s, "connection"), first + 1);
	/* With the body gone nobody knows: no second try. */
	r.expect_continue = false;
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_WAIT);
	assert_true(s.r.body_left);
	/* A close that has already arrived is seen before anything is sent. */
	s = post("good", "/then-close");
	usleep(50000);
	s = post("good", "/");
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_int_equal(fact(&s, "request"), 1);
}

static int
big_file(size_t size, char sha256[65])
{
	int fd = memfd_create("body", 0);
	uint8_t *data = malloc(size), digest[32];

	assert_true(fd >= 0 && data);
	RAND_bytes(data, 1 << 20);
	for (size_t at = 1 << 20; at < size; at += 1 << 20)
		memcpy(data + at, data, 1 << 20);
	assert_int_equal(write(fd, data, size), size);
	EVP_Q_digest(NULL, "SHA256", NULL, data, size, digest, NULL);
	for (int i = 0; i < 32; i++)
		sprintf(sha256 + 2 * i, "%02x", digest[i]);
	free(data);
	return fd;
}

static void
test_big_body(void **state)
{
	enum { SIZE = 32 << 20 };
	char sha256[65];
	struct rusage before, after;

	(void)state;
	struct http_request r = request(url("good", "/sip"));
	r.body = NULL;
	r.body_size = SIZE;
	r.body_fd = big_file(SIZE, sha256);
	getrusage(RUSAGE_SELF, &before);
	struct seen s = run(&r);
	getrusage(RUSAGE_SELF, &after);
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_int_equal(fact(&s, "length"), SIZE);
	assert_non_null(strstr(s.body, sha256));
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed */
	assert_true(after.ru_maxrss - before.ru_maxrss < 4096);
#else
	(void)before, (void)after;
#endif
}

/* Refused before it has all left: the answer counts, and the rest is not sent. */
static void
test_early_answer(void **state)
{
	char sha256[65];

	(void)state;
	struct http_request r = request(url("good", "/413"));
	r.body = NULL;
	r.body_size = 32 << 20;
	r.body_fd = big_file(32 << 20, sha256);
	struct seen s = run(&r);
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_int_equal(s.r.status, 413);
	assert_int_equal(s.r.sent, WHEN_NONE);
}

static void
test_short_file(void **state)
{
	(void)state;
	struct http_request r = request(url("good", "/"));
	r.body = NULL;
	r.body_size = 1000;
	r.body_fd = memfd_create("short", 0);
	struct seen s = run(&r);
	assert_true(s.r.stage < HTTP_WAIT);
	assert_false(s.r.body_left);
	assert_string_equal(s.detail, "the message cannot be read from its file");
}

static void
count_done(void *arg, const struct http_result *r)
{
	unsigned *left = arg;

	assert_int_equal(r->stage, HTTP_ANSWERED);
	if (--*left == 0)
		event_base_loopbreak(base);
}

/* Calls beyond the limit wait in line; cancelled ones are silent. */
static void
test_many(void **state)
{
	unsigned left = 50;
	const char *why;
	struct http_request r = request(url("good", "/"));
	struct http_call *calls[60];

	(void)state;
	new_client();
	struct seen s = run(&r);
	json_int_t first = fact(&s, "connection");
	for (int i = 0; i < 60; i++)
		assert_non_null(calls[i] = http_call_new(client, &r, count_done, &left, &why));
	for (int i = 0; i < 10; i++)
		http_call_cancel(calls[i * 6]);
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	s = run(&r);
	/* Two connections carried them all; a third may have come after a cancelled one. */
	assert_true(fact(&s, "connection") <= first + 2);
	/* Ended in the middle of everything, without a word. */
	for (int i = 0; i < 6; i++)
		assert_non_null(http_call_new(client, &r, count_done, &left, &why));
	event_base_loop(base, EVLOOP_ONCE);
	new_client();
}

static void
test_bad_urls(void **state)
{
	static const char *const urls[] = {"", "http://primer.obmen.local/", "primer.obmen.local",
	    "https://", "https://a b/", "https://x/\r\nA: b", "https://u@x/", "https://x:99999/", NULL};
	const char *why;
	struct seen s = {0};

	(void)state;
	for (int i = 0; urls[i]; i++) {
		struct http_request r = request(urls[i]);
		r.body_fd = memfd_create("x", 0);
		assert_null(http_call_new(client, &r, on_done, &s, &why));
		assert_true(why[0] != 0);
		assert_int_equal(close(r.body_fd), -1);
	}
	assert_int_equal(s.calls, 0);
}

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_init("test", -1, LOG_ERROR);
	fixture_open(&fixture);
	http_peer_open(&peer, fixture.folder);
	base = event_base_new();
	tls = fixture_context(&fixture, TLS_CLIENT, CERT_B, true);
	new_client();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	http_client_free(client);
	SSL_CTX_free(tls);
	event_base_free(base);
	http_peer_close(&peer);
	fixture_close(&fixture);
	return 0;
}

/* Plain http, for services whose answers are signed themselves. */
static void
test_plain(void **state)
{
	char address[128];
	const char *why;

	(void)state;
	new_client();
	snprintf(address, sizeof address, "http://primer.obmen.local:%d/tsa",
	    http_peer_port(&peer, "plain"));
	struct http_request r = request(address);
	assert_null(http_call_new(client, &r, on_done, NULL, &why)); /* with a TLS identity: https only */
	r.tls = NULL;
	struct seen s = run(&r);
	assert_string_equal(s.detail, "");
	assert_int_equal(s.r.stage, HTTP_ANSWERED);
	assert_int_equal(s.certificate_len, 0);
	assert_int_equal(fact(&s, "request"), 1);
	s = run(&r);
	assert_int_equal(fact(&s, "request"), 2); /* kept */
	snprintf(address, sizeof address, "http://primer.obmen.local:%d/reset-answer",
	    http_peer_port(&peer, "plain"));
	s = run(&r);
	assert_int_equal(s.r.stage, HTTP_WAIT);
	snprintf(address, sizeof address, "https://primer.obmen.local:%d/", http_peer_port(&peer, "good"));
	assert_null(http_call_new(client, &r, on_done, NULL, &why));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_post),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_statuses),
	    cmocka_unit_test(test_session_resumed),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_timeouts),
	    cmocka_unit_test(test_no_connection),
	    cmocka_unit_test(test_certificates),
	    cmocka_unit_test(test_refused_late),
	    cmocka_unit_test(test_resets),
	    cmocka_unit_test(test_expect),
	    cmocka_unit_test(test_close_race),
	    cmocka_unit_test(test_big_body),
	    cmocka_unit_test(test_early_answer),
	    cmocka_unit_test(test_short_file),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_bad_urls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
