/* Messages into the node: every connection sends the next one when its last was answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

#define TOGETHER (15 << 10) /* head and body that fit into one TLS record are sent as one */

struct load {
	const struct plan *plan;
	const struct letters *letters;
	SSL_CTX *ctx;
	unsigned next, from, to;
	double *latency_us;
	pthread_barrier_t ready;
};

static void
post(SSL *s, const struct load *l, const struct buf *soap, struct buf *in)
{
	char head[512 + TOGETHER];
	size_t body;
	int n = snprintf(head, sizeof head,
	    "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: text/xml; charset=utf-8\r\n"
	    "SOAPAction: \"http://services.egov.bg/messaging/IEGovService/Submit\"\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    l->plan->path, l->plan->host, l->plan->port, soap->len);
	bool together = n > 0 && n < 512 && soap->len <= TOGETHER;

	if (together)
		memcpy(head + n, soap->data, soap->len);
	if (!link_write(s, head, (size_t)n + (together ? soap->len : 0)) ||
	    (!together && !link_write(s, soap->data, soap->len)) || !link_read(s, in, &body))
		bench_fail("the node closed the connection");
	if (strncmp((char *)in->data, "HTTP/1.1 200", 12) != 0 ||
	    !strstr((char *)in->data + body, "DS_WAIT_REGISTRATION"))
		bench_fail("the node did not accept: %.2000s", (char *)in->data + body);
}

static void *
connection(void *arg)
{
	struct load *l = arg;
	struct buf in = {0};
	SSL *s = link_connect(l->ctx, l->plan);
	unsigned i;

	pthread_barrier_wait(&l->ready); /* connected */
	pthread_barrier_wait(&l->ready); /* go */
	while ((i = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED)) < l->to) {
		double start = seconds_now();
		post(s, l, &l->letters->soap[i], &in);
		l->latency_us[i - l->from] = (seconds_now() - start) * 1e6;
	}
	pthread_barrier_wait(&l->ready);
	link_close(s);
	buf_free(&in);
	return NULL;
}

void
load_incoming(const struct plan *p, const struct letters *letters, SSL_CTX *ctx, unsigned from,
    unsigned to, struct result *r)
{
	struct load l = {.plan = p, .letters = letters, .ctx = ctx, .next = from, .from = from, .to = to};
	unsigned n = p->connections < to - from ? p->connections : to - from;
	pthread_t *threads = calloc(n, sizeof *threads);

	l.latency_us = calloc(to - from, sizeof *l.latency_us);
	pthread_barrier_init(&l.ready, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, connection, &l) != 0)
			bench_fail("no thread");
	pthread_barrier_wait(&l.ready);
	r->begin(r->arg);
	double start = seconds_now();
	pthread_barrier_wait(&l.ready);
	pthread_barrier_wait(&l.ready);
	r->seconds = seconds_now() - start;
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&l.ready);
	free(threads);
	r->latency_us = l.latency_us;
	r->done = to - from;
}
