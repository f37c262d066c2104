#include "lib/http_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http_client_internal.h"
#include "lib/log.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* Origins */

static unsigned
bucket_of(const char *host, const char *port)
{
	unsigned h = 5381;

	for (; *host; host++)
		h = h * 33 + ((unsigned char)*host | 0x20);
	for (; *port; port++)
		h = h * 33 + (unsigned char)*port;
	return h % HTTP_ORIGIN_BUCKETS;
}

/* Keeps the newest session of the origin; 1: the reference is ours now. */
static int
new_session_cb(SSL *ssl, SSL_SESSION *session)
{
	struct http_origin *o = SSL_get_app_data(ssl);

	if (!o)
		return 0;
	SSL_SESSION_free(o->session);
	o->session = session;
	return 1;
}

static void kick_cb(evutil_socket_t, short, void *origin);

static struct http_origin *
new_origin(struct http_client *client, const char *host, const char *port,
    const struct http_request *r)
{
	struct http_origin *o = calloc(1, sizeof *o);

	if (!o || !(o->kick = evtimer_new(client->base, kick_cb, o))) {
		free(o);
		return NULL;
	}
	o->client = client;
	snprintf(o->host, sizeof o->host, "%s", host);
	snprintf(o->port, sizeof o->port, "%s", port);
	o->tls = r->tls;
	o->name_mismatch = r->name_mismatch;
	TAILQ_INIT(&o->waiting);
	TAILQ_INIT(&o->idle);
	TAILQ_INIT(&o->busy);
	LIST_INSERT_HEAD(&client->origins[bucket_of(host, port)], o, entry);
	if (r->tls) {
		SSL_CTX_set_session_cache_mode(r->tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(r->tls, new_session_cb);
	}
	return o;
}

static void
free_origin(struct http_origin *o)
{
	LIST_REMOVE(o, entry);
	event_free(o->kick);
	SSL_SESSION_free(o->session);
	free(o);
}

static bool
unused(const struct http_origin *o)
{
	return o->open == 0 && TAILQ_EMPTY(&o->waiting) && !o->serving;
}

static struct http_origin *
find_origin(struct http_client *client, const char *host, const char *port,
    const struct http_request *r)
{
	struct http_origin *o, *next;
	unsigned length = 0;

	for (o = LIST_FIRST(&client->origins[bucket_of(host, port)]); o; o = next) {
		next = LIST_NEXT(o, entry);
		if (o->tls == r->tls && o->name_mismatch == r->name_mismatch &&
		    strcasecmp(o->host, host) == 0 && strcmp(o->port, port) == 0)
			return o;
		if (++length > 32 && unused(o)) /* what the register once held */
			free_origin(o);
	}
	return new_origin(client, host, port, r);
}

/* Connections */

void
http_connection_close(struct http_connection *c)
{
	TAILQ_REMOVE(c->call ? &c->origin->busy : &c->origin->idle, c, entry);
	c->origin->open--;
	http_connection_free(c);
}

static void
idle_timeout_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	http_connection_close(arg);
}

static void
keep_idle(struct http_connection *c)
{
	struct http_client *client = c->origin->client;
	struct timeval tv = {client->options.idle_seconds, 0};

	c->call = NULL;
	c->used = true;
	TAILQ_REMOVE(&c->origin->busy, c, entry);
	TAILQ_INSERT_HEAD(&c->origin->idle, c, entry);
	if (!c->idle_timer)
		c->idle_timer = evtimer_new(client->base, idle_timeout_cb, c);
	if (!c->idle_timer || event_add(c->idle_timer, &tv) < 0)
		http_connection_close(c);
}

/* What the kernel already knows of an idle connection: closed, or bytes that nobody asked for. */
static bool
stale(struct http_connection *c)
{
	char byte;

	return recv(bufferevent_getfd(c->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* The last one used, because the server is likeliest to still have it. */
static struct http_connection *
take_idle(struct http_origin *o, bool fresh)
{
	struct http_connection *c;

	while ((c = TAILQ_FIRST(&o->idle))) {
		if (!fresh && !stale(c)) {
			TAILQ_REMOVE(&o->idle, c, entry);
			TAILQ_INSERT_TAIL(&o->busy, c, entry);
			event_del(c->idle_timer);
			return c;
		}
		http_connection_close(c);
	}
	return NULL;
}

static struct http_connection *
new_connection(struct http_origin *o)
{
	struct http_connection *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->origin = o;
	c->fd = -1;
	c->named = c->connected = c->secured = WHEN_NONE;
	TAILQ_INSERT_TAIL(&o->busy, c, entry);
	o->open++;
	return c;
}

static void
start(struct http_call *call, struct http_connection *c)
{
	TAILQ_REMOVE(&call->origin->waiting, call, entry);
	call->connection = c;
	c->call = call;
	call->started = when_now();
	if (c->bev) {
		http_exchange_begin(c);
		return;
	}
	call->deadline = when_monotonic() + call->client->options.connect_seconds * WHEN_SECOND;
	http_call_arm(call);
	http_connection_begin(c);
}

static void
kick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct http_origin *o = arg;
	struct http_call *call;

	(void)fd, (void)what;
	o->serving = true;
	while ((call = TAILQ_FIRST(&o->waiting))) {
		struct http_connection *c = take_idle(o, call->fresh);
		if (!c && o->open < o->client->options.connections_per_origin)
			c = new_connection(o);
		if (!c) {
			/* The end of another call kicks again; without another, memory is short. */
			if (o->open == 0)
				event_add(o->kick, &(struct timeval){1, 0});
			break;
		}
		start(call, c);
	}
	o->serving = false;
}

static void
kick(struct http_origin *o)
{
	static const struct timeval now;

	if (!TAILQ_EMPTY(&o->waiting) && !event_pending(o->kick, EV_TIMEOUT, NULL))
		event_add(o->kick, &now);
}

/* Calls */

void
http_call_detail(struct http_call *call, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->detail, sizeof call->detail, fmt, ap);
	va_end(ap);
}

static void
free_call(struct http_call *call)
{
	if (call->timer)
		event_free(call->timer);
	if (call->body_fd >= 0)
		close(call->body_fd);
	buf_free(&call->head);
	buf_free(&call->answer);
	free(call->body);
	free(call);
}

void
http_call_finish(struct http_call *call, enum http_stage stage, bool timed_out)
{
	struct http_connection *c = call->connection;
	bool keep = stage == HTTP_ANSWERED && call->keep;
	struct http_result r = {
	    .stage = stage,
	    .timed_out = timed_out,
	    .too_large = call->too_large,
	    .body_left = http_call_body_left(call),
	    .status = call->status,
	    .content_type = call->content_type,
	    .body = call->answer.data,
	    .body_len = call->answer_len,
	    .detail = call->detail,
	    .peer_certificate = c->certificate,
	    .peer_certificate_len = c->certificate_len,
	    .error = c->error,
	    .alert = c->alert,
	    .address = c->address,
	    .started = call->started,
	    .sent = call->sent,
	    .ended = when_now(),
	    .named = c->used ? WHEN_NONE : c->named,
	    .connected = c->used ? WHEN_NONE : c->connected,
	    .secured = c->used ? WHEN_NONE : c->secured,
	};

	event_del(call->timer);
	call->done(call->arg, &r);
	if (keep)
		keep_idle(c);
	else
		http_connection_close(c);
	kick(call->origin);
	free_call(call);
}

void
http_call_again(struct http_call *call)
{
	http_connection_close(call->connection);
	event_del(call->timer);
	call->connection = NULL;
	call->fresh = true;
	call->put = call->drained = 0;
	call->progress = 0;
	call->sent = WHEN_NONE;
	call->answer_begun = call->complete = call->keep = false;
	call->content_type[0] = 0;
	call->status = 0;
	call->answer_len = 0;
	buf_reset(&call->answer);
	if (call->answer_fd >= 0 && (ftruncate(call->answer_fd, 0) < 0 ||
	    lseek(call->answer_fd, 0, SEEK_SET) < 0))
		call->answer_max = 0; /* then the next answer is too large */
	TAILQ_INSERT_HEAD(&call->origin->waiting, call, entry);
	kick(call->origin);
}

static bool
copy_body(struct http_call *call, const struct http_request *r)
{
	if (!r->body || r->body_size == 0)
		return true;
	call->body = malloc(r->body_size);
	if (call->body)
		memcpy(call->body, r->body, r->body_size);
	return call->body != NULL;
}

struct http_call *
http_call_new(struct http_client *client, const struct http_request *r, http_done_cb done,
    void *arg, const char **why)
{
	struct http_call *call = calloc(1, sizeof *call);
	char host[HTTP_HOST_MAX], port[6];

	*why = "out of memory";
	if (!call) {
		if (r->body_fd >= 0)
			close(r->body_fd);
		return NULL;
	}
	*call = (struct http_call){.client = client, .done = done, .accept = r->accept,
	    .arg = arg, .body_fd = r->body_fd, .body_size = r->body_size,
	    .answer_max = r->answer_max, .answer_fd = r->answer_fd, .fresh = r->fresh,
	    .unresumed = r->fresh,
	    .sent = WHEN_NONE, .answer.max = r->answer_max};
	if (!http_request_parse(call, r, host, port, why) || !copy_body(call, r) ||
	    !(call->timer = evtimer_new(client->base, http_call_timer_cb, call)) ||
	    !(call->origin = find_origin(client, host, port, r))) {
		free_call(call);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&call->origin->waiting, call, entry);
	kick(call->origin);
	return call;
}

bool
http_call_cancel(struct http_call *call)
{
	bool left = http_call_body_left(call);

	if (call->connection)
		http_connection_close(call->connection);
	else
		TAILQ_REMOVE(&call->origin->waiting, call, entry);
	kick(call->origin);
	free_call(call);
	return left;
}

/* The client */

static void
set_up_names(struct http_client *client, const char *resolv_conf, const char *hosts_file)
{
	int r = evdns_base_resolv_conf_parse(client->dns, DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC,
	    resolv_conf);

	if (r != 0)
		log_warning("http.resolver", "file=\"%s\" reason=\"not usable (%d)\"",
		    resolv_conf, r);
	if (hosts_file && evdns_base_load_hosts(client->dns, hosts_file) != 0)
		log_warning("http.resolver", "file=\"%s\" reason=\"not readable\"", hosts_file);
	/* Servers of the state network are old; random case in questions is not for them. */
	evdns_base_set_option(client->dns, "randomize-case:", "0");
	evdns_base_set_option(client->dns, "timeout:", "3");
	evdns_base_set_option(client->dns, "attempts:", "3");
}

struct http_client *
http_client_new(struct event_base *base, const struct http_client_options *options)
{
	struct http_client *client = calloc(1, sizeof *client);

	if (!client)
		return NULL;
	client->base = base;
	client->options = *options;
	client->options.resolv_conf = client->options.hosts_file = NULL; /* the caller's strings */
	client->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!client->dns) {
		log_error("http.client", "reason=\"out of memory\"");
		http_client_free(client);
		return NULL;
	}
	set_up_names(client, options->resolv_conf ? options->resolv_conf : RESOLV_CONF,
	    options->hosts_file);
	return client;
}

void
http_client_limit(struct http_client *client, unsigned connections_per_origin,
    unsigned progress_seconds)
{
	client->options.connections_per_origin = connections_per_origin;
	client->options.progress_seconds = progress_seconds;
}

static void
end_origin(struct http_origin *o)
{
	struct http_connection *c;
	struct http_call *call;

	while ((call = TAILQ_FIRST(&o->waiting)))
		http_call_cancel(call);
	while ((c = TAILQ_FIRST(&o->busy)))
		http_call_cancel(c->call);
	while ((c = TAILQ_FIRST(&o->idle)))
		http_connection_close(c);
	free_origin(o);
}

void
http_client_free(struct http_client *client)
{
	struct http_origin *o;

	for (int i = 0; i < HTTP_ORIGIN_BUCKETS; i++) {
		while ((o = LIST_FIRST(&client->origins[i])))
			end_origin(o);
	}
	if (client->dns)
		evdns_base_free(client->dns, 1);
	free(client);
}
