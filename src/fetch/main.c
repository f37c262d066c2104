/*
 * obmen-fetch: fetches one file over HTTP or HTTPS to its standard output, for the box's updater.
 *
 *	obmen-fetch URL MOST [CA-FILE [HOSTS-FILE]]
 *
 * Started as root it becomes the user obmen-fetch; with the network in reach and this one descriptor to
 * write to it has nothing else. MOST is the largest number of bytes that it writes. What it fetches is
 * signed: the transport is not what it is believed for. On failure the last line of standard error says
 * why.
 */
#include <event2/event.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/http_client.h"
#include "lib/log.h"
#include "lib/sandbox.h"

#define USER "obmen-fetch"
#define TOTAL_SECONDS 3600

struct fetch {
	struct event_base *base;
	bool good;
};

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "%s%s%s\n", what, *why ? ": " : "", why);
	return 1;
}

static void
done(void *arg, const struct http_result *r)
{
	struct fetch *f = arg;
	char status[32];

	snprintf(status, sizeof status, "HTTP %d", r->status);
	if (r->too_large)
		fail("the file is larger than the room for it", "");
	else if (r->stage != HTTP_ANSWERED)
		fail(r->detail, "");
	else if (r->status != 200)
		fail(status, "");
	else
		f->good = true;
	event_base_loopbreak(f->base);
}

/* Without a file the authorities of the system. */
static SSL_CTX *
trust(const char *ca_file)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	bool good = tls && SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
	    (*ca_file ? SSL_CTX_load_verify_locations(tls, ca_file, NULL)
	              : SSL_CTX_set_default_verify_paths(tls)) == 1;

	if (good) {
		SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
		return tls;
	}
	SSL_CTX_free(tls);
	return NULL;
}

static int
fetch(struct fetch *f, struct http_client *client, SSL_CTX *tls, const char *url, size_t most)
{
	static const struct sandbox sandbox = {.allow = SANDBOX_CONNECT};
	const struct http_request request = {.url = url, .tls = strncmp(url, "https:", 6) == 0 ? tls : NULL,
	    .body_fd = -1, .answer_max = most, .answer_fd = STDOUT_FILENO};
	const char *why = "";

	if (!sandbox_enter(&sandbox, NULL, NULL))
		return fail("sandbox", "");
	if (!http_call_new(client, &request, done, f, &why))
		return fail(url, why);
	event_base_dispatch(f->base);
	return f->good ? 0 : 1;
}

int
main(int argc, char **argv)
{
	const char *ca_file = argc > 3 ? argv[3] : "", *hosts = argc > 4 ? argv[4] : "";
	const struct http_client_options options = {.hosts_file = *hosts ? hosts : NULL,
	    .connections_per_origin = 1, .idle_seconds = 1, .connect_seconds = 30, .progress_seconds = 60,
	    .total_seconds = TOTAL_SECONDS};

	log_init("fetch", -1, LOG_ERROR);
	if (argc < 3 || argc > 5)
		return fail("usage: obmen-fetch URL MOST [CA-FILE [HOSTS-FILE]]", "");
	signal(SIGPIPE, SIG_IGN);
	if (geteuid() == 0 && !sandbox_become(USER, false))
		return fail("user", USER);
	struct fetch f = {.base = event_base_new()};
	struct http_client *client = f.base ? http_client_new(f.base, &options) : NULL;
	SSL_CTX *tls = trust(ca_file);
	int status = client && tls ? fetch(&f, client, tls, argv[1], strtoull(argv[2], NULL, 10)) :
	    fail("start", tls ? "resolver" : ca_file);
	http_client_free(client);
	SSL_CTX_free(tls);
	if (f.base)
		event_base_free(f.base);
	return status;
}
