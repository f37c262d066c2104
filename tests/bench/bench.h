/*
 * The load generator of `make bench`. One run of the program is one case: it prepares signed
 * messages, measures what RSA and SHA-256 cost at that moment, loads a running node through its own
 * doors, watches the node's processes, and prints one JSON object. tests/bench/bench starts the
 * nodes and collects the objects.
 */
#ifndef OBMEN_BENCH_H
#define OBMEN_BENCH_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/buf.h"
#include "message/message.h"
#include "message/signature.h"

struct bench_party {
	const char *guid, *eik, *name;
};

struct plan {
	const char *direction;        /* "in", "out" */
	int node;                     /* process id of the node's parent */
	const char *host, *path;      /* of the node, for "in" */
	int port;                     /* the node's for "in", the sink's for "out" */
	const char *control;          /* the node's control socket, for "out" */
	const char *ca, *cert, *key;  /* of the peer that the generator plays */
	struct bench_party sender, recipient; /* of the documents */
	size_t bytes;                 /* unsigned Message */
	unsigned count, warm, connections;
};

/* --- what a case measures --- */

/* The parent and its roles, and a thread that looks at their memory from time to time. */
struct watch {
	int pids[64];
	char names[64][24];
	unsigned count;
	uint64_t pss_peak, rss_peak;
	pthread_t thread;
	bool stop;
};

void watch_find(struct watch *, int parent);
/* Microseconds of CPU time of process i, all threads. */
double watch_cpu(const struct watch *, unsigned i);
uint64_t watch_rss(const struct watch *); /* KiB, sum */
void watch_start(struct watch *);
void watch_end(struct watch *);

struct primitives {
	double sign_us, verify_us, sha256_mb_s;
};

/* Thread CPU time; medians. The key must be RSA-2048. */
void primitives_measure(struct primitives *, EVP_PKEY *);

double seconds_now(void);
void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* --- messages --- */

struct letters {
	struct buf *soap;      /* one HTTP body each */
	struct guid *documents;
	unsigned count;
};

EVP_PKEY *bench_key(const char *path);
/* Registration requests with distinct GUIDs whose unsigned Message has about `bytes` bytes. */
void letters_requests(struct letters *, const struct plan *, EVP_PKEY *);
/* Answers DS_WAIT_REGISTRATION, as the recipient signs them, to `count` documents with new GUIDs. */
void letters_answers(struct letters *, const struct plan *, EVP_PKEY *);
void letters_free(struct letters *);
/* A memory file of `size` bytes that no compression and no cache would favour. */
int letters_attachment(size_t size);
/* Bytes of the attachment that make an unsigned Message of this size. */
size_t letters_attachment_size(const struct plan *);

/* --- TLS and HTTP, blocking: one thread per connection --- */

SSL_CTX *link_context(const struct plan *, bool server);
SSL *link_connect(SSL_CTX *, const struct plan *);
bool link_write(SSL *, const void *, size_t);
/* Reads one HTTP message with Content-Length; `expect` answers 100-continue. Gives its first line
 * and body in *in, the body's offset in *body. */
bool link_read(SSL *, struct buf *in, size_t *body);
void link_close(SSL *);

/* --- cases --- */

struct result {
	void (*begin)(void *); /* called when everything is connected, just before the first message */
	void *arg;
	double seconds;        /* from the first counted message to the last */
	double *latency_us;    /* of each counted message */
	unsigned done;
};

void load_incoming(const struct plan *, const struct letters *, SSL_CTX *, unsigned from, unsigned to,
                   struct result *);
struct outgoing;
struct outgoing *outgoing_new(const struct plan *, const struct letters *answers, SSL_CTX *);
void load_outgoing(struct outgoing *, unsigned from, unsigned to, struct result *);

int lookup_main(int argc, char **argv);

#endif
