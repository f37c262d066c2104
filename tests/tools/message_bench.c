/*
 * CPU time of reading one SOAP message: envelope, reader, trust, signature check (performance.md B).
 * usage: message_bench [kilobytes of attachment ...]
 */
#include "../unit/message_fixture.h"

#include <time.h>
#include "soap/envelope.h"

#define ROUNDS 15

struct bench {
	struct reader *reader;
	struct envelope *envelope;
	struct trust *trust;
	struct message m;
	struct buf soap;
	when now;
};

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool
soap_piece(void *arg, const void *data, size_t len, bool base64)
{
	return base64 ? buf_add(arg, data, len) : buf_add_xml(arg, data, len);
}

static enum fault
take(void *arg, const void *data, size_t len)
{
	return reader_feed(arg, data, len);
}

static void
read_message(struct bench *b, bool verify)
{
	enum envelope_content content;
	struct trusted t;

	assert_true(reader_begin(b->reader, &b->m, DIGEST_SHA256, NULL, NULL));
	assert_true(envelope_begin(b->envelope, ENVELOPE_REQUEST, take, b->reader));
	for (size_t at = 0; at < b->soap.len; at += 65536) {
		size_t n = b->soap.len - at < 65536 ? b->soap.len - at : 65536;
		assert_fault(envelope_feed(b->envelope, b->soap.data + at, n), FAULT_NONE);
	}
	assert_fault(envelope_end(b->envelope, &content), FAULT_NONE);
	assert_fault(reader_end(b->reader), FAULT_NONE);
	const struct signature *sig = reader_signature(b->reader);
	assert_fault(trust_find(b->trust, (char *)sig->certificates[0].data, sig->certificates[0].len,
	                 b->now, &t), FAULT_NONE);
	if (verify)
		assert_fault(signature_check(sig, t.key), FAULT_NONE);
}

static double
measure(struct bench *b, bool verify)
{
	double rounds[ROUNDS];
	int times = b->soap.len < 100000 ? 300 : b->soap.len < 2000000 ? 10 : 1;

	for (int i = 0; i < ROUNDS; i++) {
		double start = cpu();
		for (int k = 0; k < times; k++)
			read_message(b, verify);
		rounds[i] = (cpu() - start) / times;
	}
	qsort(rounds, ROUNDS, sizeof rounds[0], compare);
	return rounds[0]; /* the quietest: other load only adds */
}

static double
measure_sha256(const void *data, size_t len)
{
	double best = 1e9;
	uint8_t out[32];

	for (int i = 0; i < 20; i++) {
		double start = cpu();
		EVP_Digest(data, len, out, NULL, digest_method_md(DIGEST_SHA256), NULL);
		double d = cpu() - start;
		best = d < best ? d : best;
	}
	return best;
}

static void
bench_size(struct fixture *f, size_t bytes)
{
	struct bench b = {.reader = reader_new(&reader_default_limits), .envelope = envelope_new(),
	    .soap = {.max = 256u << 20}, .now = when_now()};
	struct message m = sample_message(MESSAGE_REGISTRATION_REQUEST);
	struct attachment a = {.file_name = "писмо.pdf", .mime_type = "application/pdf", .size = bytes};
	uint8_t digest[64], value[512];
	size_t len = sizeof value;
	char path[128];

	b.trust = trust_new(&(struct trust_options){.ca_file = fixture_path(f, "ca.pem", path)});
	/* the fields of an ordinary request; with 500 bytes the unsigned Message has about 2 KiB */
	struct correspondent c = {.name = "Иван Иванов", .city = "София", .kind = "Corr_Applicant"};
	m.document = (struct document){.id = m.document.id, .kind = "Писмо", .correspondents = &c,
	    .about = "Относно: проверка & измерване", .attachments = &a};
	a.fd = pattern_fd(bytes);
	buf_adds(&b.soap, envelope_head(ENVELOPE_REQUEST));
	struct draft *d = draft_new(&m, &f->id, SIGNATURE_RSA_SHA256, soap_piece, &b.soap);
	draft_step(d, 0);
	sign_digest(f->key, SIGNATURE_RSA_SHA256, digest, draft_digest(d, digest), value, &len);
	draft_sign(d, value, len);
	buf_adds(&b.soap, envelope_tail(ENVELOPE_REQUEST));
	draft_free(d);
	double all = measure(&b, true), without = measure(&b, false);
	double sha = measure_sha256(b.soap.data, b.soap.len);
	printf("%9zu B SOAP: %9.1f us, without RSA %9.1f us, %6.0f MB/s, %.2f of SHA-256\n", b.soap.len,
	    all, without, (double)b.soap.len / without, sha / without);
	close(a.fd);
	buf_free(&b.soap);
	message_free(&b.m);
	reader_free(b.reader);
	envelope_free(b.envelope);
	trust_free(b.trust);
}

int
main(int argc, char **argv)
{
	log_init("bench", -1, LOG_ERROR);
	struct fixture *f = fixture_new();

	if (argc < 2) {
		bench_size(f, 500);
		bench_size(f, 100 << 10);
		bench_size(f, 1 << 20);
		bench_size(f, 10 << 20);
	}
	for (int i = 1; i < argc; i++)
		bench_size(f, (size_t)atol(argv[i]) << 10);
	fixture_free(f);
	return 0;
}
