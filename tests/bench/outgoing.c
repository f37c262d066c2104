/*
 * Messages out of the node: documents go in through the control socket, the generator is the peer
 * that receives them and answers each with a status response signed before the clock ran.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "bench.h"

#define ARRIVAL_SECONDS 120
#define GUID_MARK "DocumentGUID&gt;"

struct outgoing {
	const struct plan *plan;
	const struct letters *answers;
	SSL_CTX *ctx;
	int listening, attachment;
	pthread_mutex_t lock;
	pthread_cond_t arrival;
	double *submitted, *arrived; /* moments by document, 0 = not yet */
	unsigned next, to, done;
};

/* --- the peer --- */

static unsigned
which(const struct outgoing *o, const char *soap)
{
	const char *at = strstr(soap, GUID_MARK);
	struct guid g;

	if (at && guid_parse(&g, at + strlen(GUID_MARK), GUID_TEXT_LEN))
		for (unsigned i = 0; i < o->answers->count; i++)
			if (guid_equal(&g, &o->answers->documents[i]))
				return i;
	bench_fail("the node sent something else: %.1000s", soap);
}

static bool
answer(struct outgoing *o, SSL *s, unsigned i)
{
	const struct buf *soap = &o->answers->soap[i];
	char head[256];
	int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n"
	                                    "Content-Length: %zu\r\n\r\n", soap->len);

	return link_write(s, head, (size_t)n) && link_write(s, soap->data, soap->len);
}

struct visitor {
	struct outgoing *o;
	int fd;
};

static void *
serve(void *arg)
{
	struct visitor *v = arg;
	struct outgoing *o = v->o;
	struct buf in = {0};
	SSL *s = SSL_new(o->ctx);
	size_t body;

	SSL_set_fd(s, v->fd);
	if (SSL_accept(s) == 1)
		while (link_read(s, &in, &body)) {
			unsigned i = which(o, (char *)in.data + body);
			pthread_mutex_lock(&o->lock);
			if (o->arrived[i] == 0) {
				o->arrived[i] = seconds_now();
				o->done++;
			}
			pthread_cond_signal(&o->arrival);
			pthread_mutex_unlock(&o->lock);
			if (!answer(o, s, i))
				break;
		}
	SSL_free(s);
	close(v->fd);
	buf_free(&in);
	free(v);
	return NULL;
}

static void *
accepting(void *arg)
{
	struct outgoing *o = arg;
	pthread_t thread;
	int on = 1, fd;

	while ((fd = accept4(o->listening, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct visitor *v = calloc(1, sizeof *v);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		*v = (struct visitor){o, fd};
		if (pthread_create(&thread, NULL, serve, v) != 0)
			bench_fail("no thread");
		pthread_detach(thread);
	}
	return NULL;
}

struct outgoing *
outgoing_new(const struct plan *p, const struct letters *answers, SSL_CTX *ctx)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct outgoing *o = calloc(1, sizeof *o);
	pthread_t thread;
	int on = 1;

	*o = (struct outgoing){.plan = p, .answers = answers, .ctx = ctx,
	    .lock = PTHREAD_MUTEX_INITIALIZER, .arrival = PTHREAD_COND_INITIALIZER};
	o->submitted = calloc(answers->count, sizeof *o->submitted);
	o->arrived = calloc(answers->count, sizeof *o->arrived);
	o->attachment = letters_attachment(letters_attachment_size(p));
	o->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(o->listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(o->listening, (struct sockaddr *)&a, sizeof a) != 0 || listen(o->listening, 64) != 0 ||
	    pthread_create(&thread, NULL, accepting, o) != 0)
		bench_fail("cannot listen on port %d", p->port);
	pthread_detach(thread);
	return o;
}

/* --- the sender's own software --- */

static int
control_connect(const struct plan *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", p->control);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof a) != 0)
		bench_fail("%s: cannot connect", p->control);
	return s;
}

static char *
request_text(const struct outgoing *o, unsigned i)
{
	char guid[GUID_TEXT_SIZE];

	guid_format(&o->answers->documents[i], guid);
	json_t *j = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s}]}}", "verb",
	    "document.send", "to", o->plan->recipient.guid, "document", "document_guid", guid, "number",
	    "94-00-17", "date", "2026-11-21", "kind", "Писмо", "about", "Покана за работна среща",
	    "attachments", "file_name", "letter.pdf", "mime_type", "application/pdf");
	char *text = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	return text;
}

static void
submit(struct outgoing *o, int s, unsigned i)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	char *text = request_text(o, i), reply[4096] = "";
	size_t len = strlen(text), got = 0;
	struct iovec iov = {text, len + 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	text[len] = '\n';
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &o->attachment, sizeof(int));
	if (sendmsg(s, &msg, MSG_NOSIGNAL) != (ssize_t)len + 1)
		bench_fail("the control socket does not take a request");
	while (got < sizeof reply - 1 && !strchr(reply, '\n')) {
		ssize_t n = recv(s, reply + got, sizeof reply - 1 - got, 0);
		if (n <= 0)
			bench_fail("the control socket was closed");
		got += (size_t)n;
		reply[got] = 0;
	}
	if (!strstr(reply, "\"ok\":true") && !strstr(reply, "\"ok\": true"))
		bench_fail("the node did not take a document: %s", reply);
	free(text);
}

static void *
submitting(void *arg)
{
	struct outgoing *o = arg;
	int s = control_connect(o->plan);
	unsigned i;

	while ((i = __atomic_fetch_add(&o->next, 1, __ATOMIC_RELAXED)) < o->to) {
		o->submitted[i] = seconds_now();
		submit(o, s, i);
	}
	close(s);
	return NULL;
}

static void
wait_arrivals(struct outgoing *o, unsigned wanted)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ARRIVAL_SECONDS;
	pthread_mutex_lock(&o->lock);
	while (o->done < wanted)
		if (pthread_cond_timedwait(&o->arrival, &o->lock, &until) != 0)
			bench_fail("only %u of %u documents arrived", o->done, wanted);
	pthread_mutex_unlock(&o->lock);
}

void
load_outgoing(struct outgoing *o, unsigned from, unsigned to, struct result *r)
{
	unsigned n = o->plan->connections < to - from ? o->plan->connections : to - from;
	pthread_t *threads = calloc(n, sizeof *threads);

	o->next = from;
	o->to = to;
	r->latency_us = calloc(to - from, sizeof *r->latency_us);
	r->begin(r->arg);
	double start = seconds_now();
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, submitting, o) != 0)
			bench_fail("no thread");
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	wait_arrivals(o, to);
	r->seconds = seconds_now() - start;
	r->done = to - from;
	for (unsigned i = from; i < to; i++)
		r->latency_us[i - from] = (o->arrived[i] - o->submitted[i]) * 1e6;
	free(threads);
}
