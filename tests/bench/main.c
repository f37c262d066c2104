/*
 * load in|out OPTIONS     one case; see usage()
 * load lookup N...        nanoseconds of a look-up in a register of N participants
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"
#include "lib/log.h"

#define SETTLE_US 300000 /* what the node does a moment later belongs to the messages too */

static const char usage[] =
    "load in|out --node PID --port N --ca FILE --cert FILE --key FILE --sender GUID,EIK,NAME\n"
    "     --recipient GUID,EIK,NAME --bytes N --count N [--warm N] [--connections N]\n"
    "     in: --host NAME --path PATH    out: --control SOCKET\n"
    "load lookup N...\n";

static struct bench_party
party_option(char *text)
{
	struct bench_party p = {strsep(&text, ","), strsep(&text, ","), text};

	if (!p.name)
		bench_fail("a party is GUID,EIK,NAME");
	return p;
}

static unsigned
number_option(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

static void
parse(struct plan *p, int argc, char **argv)
{
	static const struct option options[] = {{"node", 1, NULL, 'n'}, {"port", 1, NULL, 'p'},
	    {"ca", 1, NULL, 'a'}, {"cert", 1, NULL, 'c'}, {"key", 1, NULL, 'k'},
	    {"sender", 1, NULL, 's'}, {"recipient", 1, NULL, 'r'}, {"bytes", 1, NULL, 'b'},
	    {"count", 1, NULL, 'N'}, {"warm", 1, NULL, 'w'}, {"connections", 1, NULL, 'C'},
	    {"host", 1, NULL, 'h'}, {"path", 1, NULL, 'P'}, {"control", 1, NULL, 'S'},
	    {NULL, 0, NULL, 0}};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'n': p->node = (int)number_option(optarg); break;
		case 'p': p->port = (int)number_option(optarg); break;
		case 'a': p->ca = optarg; break;
		case 'c': p->cert = optarg; break;
		case 'k': p->key = optarg; break;
		case 's': p->sender = party_option(optarg); break;
		case 'r': p->recipient = party_option(optarg); break;
		case 'b': p->bytes = strtoul(optarg, NULL, 10); break;
		case 'N': p->count = number_option(optarg); break;
		case 'w': p->warm = number_option(optarg); break;
		case 'C': p->connections = number_option(optarg); break;
		case 'h': p->host = optarg; break;
		case 'P': p->path = optarg; break;
		case 'S': p->control = optarg; break;
		default: fputs(usage, stderr); exit(2);
		}
	if (!p->node || !p->port || !p->ca || !p->cert || !p->key || !p->sender.name ||
	    !p->recipient.name || !p->count) {
		fputs(usage, stderr);
		exit(2);
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_roles(const struct watch *w, const double *before, unsigned done)
{
	printf("\"roles_us\": {");
	for (unsigned i = 0, first = 1; i < w->count; i++) {
		double sum = 0;
		bool seen = false;
		for (unsigned k = 0; k < i; k++)
			seen |= strcmp(w->names[k], w->names[i]) == 0;
		for (unsigned k = i; k < w->count && !seen; k++)
			if (strcmp(w->names[k], w->names[i]) == 0)
				sum += watch_cpu(w, k) - before[k];
		if (!seen)
			printf("%s\"%s\": %.1f", first ? "" : ", ", w->names[i], sum / done);
		first = seen ? first : 0;
	}
	printf("}");
}

static double
mean(double a, double b)
{
	return (a + b) / 2;
}

struct run {
	struct plan *plan;
	struct letters letters;
	struct outgoing *out;
	SSL_CTX *ctx;
};

static void
load(struct run *r, unsigned from, unsigned to, struct result *result)
{
	if (r->out)
		load_outgoing(r->out, from, to, result);
	else
		load_incoming(r->plan, &r->letters, r->ctx, from, to, result);
}

/* The node's figures when the counted messages begin. */
struct before {
	struct watch *watch;
	double cpu_us[64];
	uint64_t rss_kib;
};

static void
begin_nothing(void *arg)
{
	(void)arg;
}

static void
begin(void *arg)
{
	struct before *b = arg;

	b->rss_kib = watch_rss(b->watch);
	for (unsigned i = 0; i < b->watch->count; i++)
		b->cpu_us[i] = watch_cpu(b->watch, i);
	watch_start(b->watch);
}

static void
warm(struct run *r)
{
	struct result result = {.begin = begin_nothing};

	if (r->plan->warm == 0)
		return;
	load(r, 0, r->plan->warm, &result);
	free(result.latency_us);
	usleep(SETTLE_US);
}

static void
print_result(const struct run *r, struct result *result, const struct before *b,
    const struct primitives *p)
{
	const struct plan *plan = r->plan;
	const struct watch *w = b->watch;
	unsigned n = result->done;
	double cpu = 0;

	for (unsigned i = 0; i < w->count; i++)
		cpu += watch_cpu(w, i) - b->cpu_us[i];
	qsort(result->latency_us, n, sizeof(double), compare);
	printf("{\"direction\": \"%s\", \"bytes\": %zu, \"soap_bytes\": %zu, \"messages\": %u, "
	       "\"connections\": %u, \"messages_per_s\": %.2f, \"cpu_us\": %.2f, ",
	    plan->direction, plan->bytes, r->letters.soap[0].len, n, plan->connections,
	    n / result->seconds, cpu / n);
	printf("\"rsa_sign_us\": %.2f, \"rsa_verify_us\": %.2f, \"sha256_mb_s\": %.1f, "
	       "\"p50_us\": %.0f, \"p99_us\": %.0f, \"pss_kib\": %llu, \"rss_growth_kib\": %lld, ",
	    p->sign_us, p->verify_us, p->sha256_mb_s, result->latency_us[n / 2],
	    result->latency_us[(size_t)n * 99 / 100], (unsigned long long)w->pss_peak,
	    (long long)w->rss_peak - (long long)b->rss_kib);
	print_roles(w, b->cpu_us, n);
	puts("}");
}

static void
measure(struct run *r, EVP_PKEY *key)
{
	struct watch w;
	struct before b = {.watch = &w};
	struct result result = {.begin = begin, .arg = &b};
	struct primitives p, q;

	warm(r);
	watch_find(&w, r->plan->node);
	primitives_measure(&p, key);
	load(r, r->plan->warm, r->plan->warm + r->plan->count, &result);
	usleep(SETTLE_US);
	watch_end(&w);
	primitives_measure(&q, key);
	p.sign_us = mean(p.sign_us, q.sign_us);
	p.verify_us = mean(p.verify_us, q.verify_us);
	p.sha256_mb_s = mean(p.sha256_mb_s, q.sha256_mb_s);
	print_result(r, &result, &b, &p);
	free(result.latency_us);
}

int
main(int argc, char **argv)
{
	struct plan p = {.host = "", .path = "/", .connections = 8};
	struct run r = {.plan = &p};

	log_init("load", -1, LOG_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && strcmp(argv[1], "lookup") == 0)
		return lookup_main(argc - 2, argv + 2);
	if (argc < 2 || (strcmp(argv[1], "in") != 0 && strcmp(argv[1], "out") != 0)) {
		fputs(usage, stderr);
		return 2;
	}
	p.direction = argv[1];
	parse(&p, argc - 1, argv + 1);
	bool out = strcmp(p.direction, "out") == 0;
	EVP_PKEY *key = bench_key(p.key);
	r.ctx = link_context(&p, out);
	if (out) {
		letters_answers(&r.letters, &p, key);
		r.out = outgoing_new(&p, &r.letters, r.ctx);
	} else {
		letters_requests(&r.letters, &p, key);
	}
	measure(&r, key);
	return 0;
}
