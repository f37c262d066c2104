/* Name, TCP, TLS: each a step of its own, so that a failure can be named. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http_client_internal.h"
#include "lib/tls.h"

/* evdns calls back even after a cancel, when the connection is gone. */
struct http_lookup {
	struct http_connection *connection; /* NULL = given up */
	struct evdns_getaddrinfo_request *request;
};

static void
fail(struct http_connection *c, const char *detail)
{
	http_call_detail(c->call, "%s", detail);
	http_call_finish(c->call, c->stage, false);
}

/* TLS */

unsigned long
http_connection_error(struct http_connection *c)
{
	unsigned long error, first = 0, alert = 0;

	while ((error = bufferevent_get_openssl_error(c->bev))) {
		if (ERR_GET_LIB(error) == 0) /* libevent mixes SSL_get_error()'s results in */
			continue;
		first = error;
		if (tls_handshake_alert(error))
			alert = error;
	}
	return alert ? alert : first;
}

static bool
is_address(const char *host)
{
	uint8_t b[16];

	return inet_pton(AF_INET, host, b) == 1 || inet_pton(AF_INET6, host, b) == 1;
}

static SSL *
make_ssl(const struct http_origin *o, bool unresumed)
{
	SSL *ssl = SSL_new(o->tls);
	bool ok = ssl != NULL, address = is_address(o->host);

	if (ok && !address)
		ok = SSL_set_tlsext_host_name(ssl, o->host);
	if (ok && !o->name_mismatch) {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), o->host) :
		    SSL_set1_host(ssl, o->host);
	}
	if (!ok) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, (void *)o); /* for the sessions that the server gives */
	if (o->session && !unresumed)
		SSL_set_session(ssl, o->session);
	return ssl;
}

static void
keep_certificate(struct http_connection *c)
{
	X509 *x = SSL_get1_peer_certificate(c->ssl);
	int len = x ? i2d_X509(x, &c->certificate) : 0;

	c->certificate_len = len > 0 ? (size_t)len : 0;
	X509_free(x);
}

static void
tls_event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct http_connection *c = arg;
	char reason[HTTP_DETAIL_MAX];

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		keep_certificate(c);
		c->secured = when_now();
		c->stage = HTTP_SEND;
		http_exchange_begin(c);
		return;
	}
	int saved = EVUTIL_SOCKET_ERROR();
	unsigned long error = http_connection_error(c);
	/* A session that does not work any more must not spoil the next try. */
	SSL_SESSION_free(c->origin->session);
	c->origin->session = NULL;
	c->alert = tls_alert_number(error);
	if (!error && what & BEV_EVENT_ERROR && saved && SSL_get_verify_result(c->ssl) == X509_V_OK)
		fail(c, strerror(saved));
	else
		fail(c, tls_reason_of(c->ssl, error, reason, sizeof reason));
}

static void
output_cb(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_connection *c = arg;

	(void)output;
	if (c->call && info->n_deleted)
		http_exchange_drained(c->call, info->n_deleted,
		    info->orig_size + info->n_added == info->n_deleted);
}

static void
begin_tls(struct http_connection *c)
{
	struct http_client *client = c->origin->client;

	c->stage = HTTP_TLS;
	ERR_clear_error();
	c->ssl = make_ssl(c->origin, c->call->unresumed);
	if (c->ssl)
		c->bev = bufferevent_openssl_socket_new(client->base, c->fd, c->ssl,
		    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->bev) {
		SSL_free(c->ssl);
		c->ssl = NULL;
		fail(c, "out of memory");
		return;
	}
	c->fd = -1;
	evbuffer_add_cb(bufferevent_get_output(c->bev), output_cb, c);
	bufferevent_setcb(c->bev, NULL, NULL, tls_event_cb, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* Without TLS the connection is ready at once. */
static void
begin_plain(struct http_connection *c)
{
	c->bev = bufferevent_socket_new(c->origin->client->base, c->fd,
	    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->bev) {
		fail(c, "out of memory");
		return;
	}
	c->fd = -1;
	evbuffer_add_cb(bufferevent_get_output(c->bev), output_cb, c);
	c->stage = HTTP_SEND;
	http_exchange_begin(c);
}

/* TCP */

static void next_address(struct http_connection *, int last_error);

static void
connected_cb(evutil_socket_t fd, short what, void *arg)
{
	struct http_connection *c = arg;
	int error = 0;
	socklen_t len = sizeof error;

	(void)what;
	event_free(c->connecting);
	c->connecting = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0) {
		c->connected = when_now();
		if (c->origin->tls)
			begin_tls(c);
		else
			begin_plain(c);
		return;
	}
	close(c->fd);
	c->fd = -1;
	next_address(c, error);
}

/* 0, or why this address cannot even be tried. */
static int
try_address(struct http_connection *c, const struct evutil_addrinfo *a)
{
	int on = 1;
	const void *number = a->ai_family == AF_INET6 ?
	    (const void *)&((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr :
	    (const void *)&((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr;

	inet_ntop(a->ai_family, number, c->address, sizeof c->address);
	c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return errno;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->connecting = event_new(c->origin->client->base, c->fd, EV_WRITE, connected_cb, c);
	if (c->connecting &&
	    (connect(c->fd, a->ai_addr, (socklen_t)a->ai_addrlen) == 0 || errno == EINPROGRESS) &&
	    event_add(c->connecting, NULL) == 0)
		return 0;
	int error = c->connecting ? errno : ENOMEM;
	if (c->connecting)
		event_free(c->connecting);
	c->connecting = NULL;
	close(c->fd);
	c->fd = -1;
	return error;
}

static void
next_address(struct http_connection *c, int last_error)
{
	while (c->next_address) {
		const struct evutil_addrinfo *a = c->next_address;
		c->next_address = a->ai_next;
		last_error = try_address(c, a);
		if (last_error == 0)
			return;
	}
	c->error = last_error ? last_error : EADDRNOTAVAIL;
	fail(c, strerror(c->error));
}

/* Name */

static const char *
name_trouble(int result)
{
	switch (result) {
	case 0:
	case EVUTIL_EAI_NONAME:
	case EVUTIL_EAI_NODATA:
		return "the name is not known";
	case EVUTIL_EAI_AGAIN:
	case EVUTIL_EAI_FAIL:
		return "no name server answers";
	default:
		return evutil_gai_strerror(result);
	}
}

static void
resolved_cb(int result, struct evutil_addrinfo *addresses, void *arg)
{
	struct http_lookup *l = arg;
	struct http_connection *c = l->connection;

	l->request = NULL;
	if (!c) {
		if (addresses)
			evutil_freeaddrinfo(addresses);
		free(l);
		return;
	}
	c->lookup = NULL;
	free(l);
	c->addresses = c->next_address = addresses;
	if (result != 0 || !addresses) {
		bool unknown = result == 0 || result == EVUTIL_EAI_NONAME || result == EVUTIL_EAI_NODATA;
		c->error = unknown ? ENOENT : EAGAIN;
		fail(c, name_trouble(result));
		return;
	}
	c->stage = HTTP_CONNECT;
	c->named = when_now();
	next_address(c, 0);
}

void
http_connection_begin(struct http_connection *c)
{
	struct http_client *client = c->origin->client;
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP, .ai_flags = EVUTIL_AI_NUMERICSERV};
	struct http_lookup *l = calloc(1, sizeof *l);

	c->stage = HTTP_NAME;
	if (!l) {
		fail(c, "out of memory");
		return;
	}
	l->connection = c;
	c->lookup = l;
	struct evdns_getaddrinfo_request *request = evdns_getaddrinfo(client->dns, c->origin->host,
	    c->origin->port, &hints, resolved_cb, l);
	if (request) /* else the answer was known, and l is gone */
		l->request = request;
}

void
http_connection_free(struct http_connection *c)
{
	if (c->lookup) {
		c->lookup->connection = NULL;
		evdns_getaddrinfo_cancel(c->lookup->request);
	}
	if (c->addresses)
		evutil_freeaddrinfo(c->addresses);
	if (c->connecting)
		event_free(c->connecting);
	if (c->idle_timer)
		event_free(c->idle_timer);
	if (c->bev) {
		if (c->ssl) { /* an orderly end lets the server resume the session */
			SSL_set_shutdown(c->ssl, SSL_RECEIVED_SHUTDOWN);
			SSL_shutdown(c->ssl);
		}
		evbuffer_remove_cb(bufferevent_get_output(c->bev), output_cb, c);
		bufferevent_free(c->bev);
	}
	if (c->fd >= 0)
		close(c->fd);
	OPENSSL_free(c->certificate);
	free(c);
}
