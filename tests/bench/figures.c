/* What the node's processes use, and what the primitives cost. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

#define RSS_PAUSE_US 4000
#define PSS_EVERY 12 /* looks: walking the page tables of every role is not free */

void
bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "load: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	_exit(1);
}

double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
thread_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The word after --role in the command line; "parent" without one. */
static void
role_of(int pid, char out[24])
{
	char path[64], line[1024] = "";
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	snprintf(out, 24, "parent");
	if (!(f = fopen(path, "r")))
		return;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	for (size_t at = 0; at < n; at += strlen(line + at) + 1)
		if (strcmp(line + at, "--role") == 0 && at + 7 < n)
			snprintf(out, 24, "%.23s", line + at + 7);
}

void
watch_find(struct watch *w, int parent)
{
	char path[64];
	int pid;

	memset(w, 0, sizeof *w);
	w->pids[w->count++] = parent;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
	FILE *f = fopen(path, "r");
	while (f && w->count < 64 && fscanf(f, "%d", &pid) == 1)
		w->pids[w->count++] = pid;
	if (f)
		fclose(f);
	if (w->count < 2)
		bench_fail("process %d is not a node", parent);
	for (unsigned i = 0; i < w->count; i++)
		role_of(w->pids[i], w->names[i]);
}

double
watch_cpu(const struct watch *w, unsigned i)
{
	char path[320];
	double sum = 0;
	struct dirent *e;

	snprintf(path, sizeof path, "/proc/%d/task", w->pids[i]);
	DIR *d = opendir(path);
	if (!d)
		bench_fail("role %s ended during the run", w->names[i]);
	while ((e = readdir(d))) {
		unsigned long long ns;
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", w->pids[i], e->d_name);
		FILE *f = fopen(path, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += (double)ns / 1e3;
		if (f)
			fclose(f);
	}
	closedir(d);
	return sum;
}

static uint64_t
number_in(int pid, const char *file, const char *word)
{
	char path[64], line[256];
	unsigned long long n = 0;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, word, strlen(word)) == 0) {
			n = strtoull(line + strlen(word), NULL, 10);
			break;
		}
	if (f)
		fclose(f);
	return n;
}

uint64_t
watch_rss(const struct watch *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->count; i++)
		sum += number_in(w->pids[i], "status", "VmRSS:");
	return sum;
}

static uint64_t
watch_pss(const struct watch *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->count; i++)
		sum += number_in(w->pids[i], "smaps_rollup", "Pss:");
	return sum;
}

static void *
watching(void *arg)
{
	struct watch *w = arg;

	for (unsigned n = 0; !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE); n++) {
		uint64_t rss = watch_rss(w), pss = n % PSS_EVERY == 0 ? watch_pss(w) : 0;
		w->rss_peak = rss > w->rss_peak ? rss : w->rss_peak;
		w->pss_peak = pss > w->pss_peak ? pss : w->pss_peak;
		usleep(RSS_PAUSE_US);
	}
	return NULL;
}

void
watch_start(struct watch *w)
{
	w->stop = false;
	if (pthread_create(&w->thread, NULL, watching, w) != 0)
		bench_fail("no thread");
}

void
watch_end(struct watch *w)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	pthread_join(w->thread, NULL);
	uint64_t pss = watch_pss(w);
	w->pss_peak = pss > w->pss_peak ? pss : w->pss_peak;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#define SIGN_ROUNDS 9
#define SIGN_TIMES 12
#define HASH_BYTES (16 << 10)
#define HASH_TIMES 40

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof *v, compare);
	return v[n / 2];
}

void
primitives_measure(struct primitives *p, EVP_PKEY *key)
{
	static uint8_t block[HASH_BYTES];
	double sign[SIGN_ROUNDS], verify[SIGN_ROUNDS], hash[SIGN_ROUNDS];
	EVP_PKEY_CTX *s = EVP_PKEY_CTX_new(key, NULL), *v = EVP_PKEY_CTX_new(key, NULL);
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
	uint8_t digest[32] = {1}, value[256], out[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof value;

	if (EVP_PKEY_get_bits(key) != 2048 || EVP_PKEY_sign_init(s) != 1 || EVP_PKEY_verify_init(v) != 1)
		bench_fail("not an RSA-2048 key");
	EVP_PKEY_CTX_set_rsa_padding(s, RSA_PKCS1_PADDING);
	EVP_PKEY_CTX_set_rsa_padding(v, RSA_PKCS1_PADDING);
	EVP_PKEY_CTX_set_signature_md(s, md);
	EVP_PKEY_CTX_set_signature_md(v, md);
	EVP_PKEY_sign(s, value, &len, digest, sizeof digest);
	for (unsigned i = 0; i < SIGN_ROUNDS; i++) {
		double t = thread_us();
		for (int k = 0; k < SIGN_TIMES; k++)
			EVP_PKEY_sign(s, value, &len, digest, sizeof digest);
		sign[i] = (thread_us() - t) / SIGN_TIMES;
		t = thread_us();
		for (int k = 0; k < SIGN_TIMES; k++)
			EVP_PKEY_verify(v, value, len, digest, sizeof digest);
		verify[i] = (thread_us() - t) / SIGN_TIMES;
		t = thread_us();
		for (int k = 0; k < HASH_TIMES; k++) {
			EVP_DigestInit_ex2(ctx, md, NULL);
			EVP_DigestUpdate(ctx, block, sizeof block);
			EVP_DigestFinal_ex(ctx, out, NULL);
		}
		hash[i] = (double)HASH_BYTES * HASH_TIMES / (thread_us() - t);
	}
	p->sign_us = median(sign, SIGN_ROUNDS);
	p->verify_us = median(verify, SIGN_ROUNDS);
	p->sha256_mb_s = median(hash, SIGN_ROUNDS);
	EVP_PKEY_CTX_free(s);
	EVP_PKEY_CTX_free(v);
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
}
