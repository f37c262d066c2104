/* Certificates shaped like the real ones (protocol.md section 8), messages and foreign tools for the
 * tests of src/message. Everything lies in a temporary folder of its own. */
#ifndef MESSAGE_FIXTURE_H
#define MESSAGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/log.h"
#include "message/reader.h"
#include "message/trust.h"
#include "message/writer.h"

#define UNUSED __attribute__((unused))

struct authority {
	EVP_PKEY *key;
	X509 *certificate;
};

struct fixture {
	char dir[64];
	struct authority ca;
	EVP_PKEY *key;
	X509 *certificate;
	struct identity id;
};

static UNUSED char *
fixture_path(const struct fixture *f, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", f->dir, name);
	return out;
}

static UNUSED EVP_PKEY *
make_key(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);

	assert_non_null(key);
	return key;
}

struct certificate_shape {
	const char *cn, *eik;
	const char *serial_hex;
	int from_day, to_day; /* relative to now */
	bool authority;
};

static UNUSED void
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_true(X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

static UNUSED void
add_name(X509_NAME *name, const char *field, const char *value)
{
	assert_true(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value,
	    -1, -1, 0));
}

static UNUSED X509 *
make_certificate(const struct certificate_shape *s, EVP_PKEY *subject_key,
    const struct authority *issuer)
{
	X509 *x = X509_new();
	BIGNUM *serial = NULL;
	char state[64];

	assert_true(BN_hex2bn(&serial, s->serial_hex) > 0);
	X509_set_version(x, 2);
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));
	BN_free(serial);
	X509_gmtime_adj(X509_getm_notBefore(x), s->from_day * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(x), s->to_day * 86400L);
	X509_set_pubkey(x, subject_key);
	X509_NAME *name = X509_get_subject_name(x);
	if (s->authority) {
		add_name(name, "CN", s->cn);
		add_name(name, "2.5.4.97", "NTRBG-990000001");
		add_name(name, "O", "Test Information, JSC");
		add_name(name, "L", "Sofia");
		add_name(name, "C", "BG");
	} else {
		add_name(name, "emailAddress", "a@example.invalid");
		add_name(name, "CN", s->cn);
		add_name(name, "OU", "Primerna agentsia");
		snprintf(state, sizeof state, "B:%s", s->eik);
		add_name(name, "ST", state);
		add_name(name, "C", "BG");
	}
	X509 *issuer_certificate = issuer->certificate ? issuer->certificate : x;
	X509_set_issuer_name(x, X509_get_subject_name(issuer_certificate));
	add_extension(x, issuer_certificate, NID_basic_constraints,
	    s->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x, issuer_certificate, NID_key_usage,
	    s->authority ? "critical,keyCertSign,cRLSign"
	                 : "critical,digitalSignature,keyEncipherment,dataEncipherment");
	if (!s->authority)
		add_extension(x, issuer_certificate, NID_ext_key_usage, "serverAuth,clientAuth");
	assert_true(X509_sign(x, issuer->key, EVP_sha256()) > 0);
	return x;
}

static UNUSED void
write_certificate(const struct fixture *f, const char *name, X509 *x)
{
	char path[128];
	FILE *out = fopen(fixture_path(f, name, path), "w");

	assert_non_null(out);
	assert_true(PEM_write_X509(out, x));
	fclose(out);
}

static UNUSED void
write_key(const struct fixture *f, const char *name, EVP_PKEY *key)
{
	char path[128];
	FILE *out = fopen(fixture_path(f, name, path), "w");

	assert_non_null(out);
	assert_true(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL));
	fclose(out);
}

static UNUSED void
write_file(const struct fixture *f, const char *name, const void *data, size_t len)
{
	char path[128];
	FILE *out = fopen(fixture_path(f, name, path), "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

static UNUSED char *
read_file(const struct fixture *f, const char *name, size_t *len)
{
	char path[128];
	FILE *in = fopen(fixture_path(f, name, path), "r");
	struct buf b = {.max = 64u << 20};
	size_t n;

	assert_non_null(in);
	while ((n = fread(buf_room(&b, 65536), 1, 65536, in)) > 0)
		b.len += n;
	fclose(in);
	buf_addc(&b, 0);
	b.len--;
	return buf_take(&b, len);
}

/* Runs a command in the fixture's folder; output is kept in the file "log". */
static UNUSED __attribute__((format(printf, 2, 3))) int
run(const struct fixture *f, const char *fmt, ...)
{
	char command[2048], line[2200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "cd %s && { %s; } >log 2>&1", f->dir, command);
	return system(line);
}

static UNUSED void
show_log(const struct fixture *f)
{
	char *text = read_file(f, "log", NULL);

	print_message("%s\n", text);
	free(text);
}

#define CA_NAME "Test eDoc Exchange CA"

static UNUSED struct fixture *
fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/obmen-message-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->ca.key = make_key();
	f->ca.certificate = make_certificate(
	    &(struct certificate_shape){CA_NAME, NULL, "01", -3000, 3000, true}, f->ca.key, &f->ca);
	f->key = make_key();
	f->certificate = make_certificate(
	    &(struct certificate_shape){"a.obmen.local", "990000017", "0A1B2C3D4E5F6071", -10, 1000,
	        false},
	    f->key, &f->ca);
	assert_true(identity_from_x509(&f->id, f->certificate));
	write_certificate(f, "ca.pem", f->ca.certificate);
	write_certificate(f, "cert.pem", f->certificate);
	write_key(f, "key.pem", f->key);
	return f;
}

static UNUSED void
fixture_free(struct fixture *f)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	identity_free(&f->id);
	X509_free(f->ca.certificate);
	EVP_PKEY_free(f->ca.key);
	X509_free(f->certificate);
	EVP_PKEY_free(f->key);
	free(f);
}

static UNUSED int
fixture_setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static UNUSED int
fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* --- messages ------------------------------------------------------------------------------- */

static UNUSED struct guid
guid_of(const char *text)
{
	struct guid g;

	assert_true(guid_parse(&g, text, strlen(text)));
	return g;
}

/* A complete message of the type, all optional fields filled in. */
static UNUSED struct message
sample_message(enum message_type type)
{
	static struct correspondent second = {.name = "Б", .city = "Варна", .kind = "Corr_Other"};
	static struct correspondent first = {.name = "Иван <Иванов> & \"син\"", .city = "София",
	    .address = "ул. 1", .egn = "0000000000", .id_card = "1", .bulstat = "2",
	    .email = "a@b.invalid", .phone = "02", .mobile = "088", .mol = "м", .comment = "",
	    .kind = "Corr_Applicant", .next = &second};
	struct message m = {
	    .version = "1.0",
	    .type = type,
	    .date = when_now(),
	    .sender = {.eik = "990000017", .name = "Примерна агенция",
	        .guid = guid_of("{0b0e7a52-1111-4222-8333-9a9a9a9a9a01}")},
	    .recipient = {.eik = "990000024", .name = "Друга",
	        .guid = guid_of("{0b0e7a52-1111-4222-8333-9a9a9a9a9a02}"),
	        .guid_text = "{0B0E7A52-1111-4222-8333-9A9A9A9A9A02}"},
	    .guid = guid_of("{0b0e7a52-1111-4222-8333-9a9a9a9a9a03}"),
	};
	struct document_id id = {.number = "12-34&5", .date = "2026-11-21",
	    .guid = guid_of("{0b0e7a52-1111-4222-8333-9a9a9a9a9a04}")};
	struct document_id uri = {.has_uri = true, .uri_register = "12", .uri_sequence = "345",
	    .uri_date = "2026-11-20", .guid = guid_of("{0b0e7a52-1111-4222-8333-9a9a9a9a9a05}")};
	m.document = (struct document){.id = id, .has_parent = true, .parent = uri, .kind = "Писмо",
	    .correspondents = &first, .about = "Относно:\tтаб\nред", .service_name = "у",
	    .service_type = "т", .service_code = "1", .comment = "к", .date_close = "2026-12-01+02:00",
	    .attention_to = "на Г-н ]]> Х"};
	m.comment = "N/A";
	m.asked = id;
	m.status = (struct status_report){.id = uri, .status = STATUS_REJECTED, .reason = "не е за нас",
	    .date_close = "2026-12-02"};
	m.error = (struct error_report){.has_message_guid = true, .message_guid = m.guid,
	    .type = ERROR_EXTERNAL, .description = "грешка \r <1>"};
	return m;
}

/* A descriptor with len bytes of a fixed pattern. */
static UNUSED int
pattern_fd(size_t len)
{
	int fd = memfd_create("attachment", MFD_CLOEXEC);
	uint8_t block[4096];
	uint32_t x = 1;

	assert_true(fd >= 0);
	for (size_t at = 0; at < len; at += sizeof block) {
		for (size_t i = 0; i < sizeof block; i++)
			block[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
		size_t n = len - at < sizeof block ? len - at : sizeof block;
		assert_int_equal(pwrite(fd, block, n, (off_t)at), n);
	}
	return fd;
}

static UNUSED bool
collect_piece(void *arg, const void *data, size_t len, bool base64)
{
	(void)base64;
	return buf_add(arg, data, len);
}

static UNUSED void
sign_digest(EVP_PKEY *key, enum signature_method method, const uint8_t *digest, size_t len,
    uint8_t *out, size_t *out_len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
	EVP_PKEY_CTX_set_signature_md(ctx, digest_method_md(signature_method_digest(method)));
	assert_int_equal(EVP_PKEY_sign(ctx, out, out_len, digest, len), 1);
	EVP_PKEY_CTX_free(ctx);
}

/* Writes and signs m into out. */
static UNUSED void
compose(const struct fixture *f, const struct message *m, enum signature_method method,
    struct buf *out)
{
	uint8_t digest[64], value[512];
	size_t len = sizeof value;
	struct draft *d = draft_new(m, &f->id, method, collect_piece, out);

	assert_non_null(d);
	enum draft_state state = draft_step(d, 0);
	if (state != DRAFT_UNSIGNED)
		print_error("draft: %s\n", draft_detail(d));
	assert_int_equal(state, DRAFT_UNSIGNED);
	sign_digest(f->key, method, digest, draft_digest(d, digest), value, &len);
	assert_int_equal(draft_sign(d, value, len), DRAFT_DONE);
	draft_free(d);
}

/* Feeds the text in pieces of `chunk` bytes (0 = whole), again where another digest is asked for. */
static UNUSED enum fault
read_text(struct reader *r, struct message *m, const char *text, size_t len, size_t chunk)
{
	enum digest_method hint = DIGEST_NONE;
	enum fault fault;

	for (int i = 0; i < 2; i++) {
		assert_true(reader_begin(r, m, hint, NULL, NULL));
		fault = FAULT_NONE;
		for (size_t at = 0; at < len && !fault;) {
			size_t n = chunk && len - at > chunk ? chunk : len - at;
			fault = reader_feed(r, text + at, n);
			at += n;
		}
		enum fault end = reader_end(r);
		fault = fault ? fault : end;
		if (fault != FAULT_DIGEST_AGAIN)
			break;
		hint = reader_signature(r)->digest;
	}
	return fault;
}

/* What is wrong with a signed text: reading, then the signature against the key. */
static UNUSED enum fault
judge_text(struct reader *r, struct message *m, EVP_PKEY *key, const char *text, size_t len,
    size_t chunk)
{
	enum fault fault = read_text(r, m, text, len, chunk);

	return fault ? fault : signature_check(reader_signature(r), key);
}

#define assert_fault(got, expected)                                                                \
	do {                                                                                       \
		enum fault got_ = (got), expected_ = (expected);                                   \
		if (got_ != expected_)                                                             \
			fail_msg("fault %s, not %s", fault_code(got_), fault_code(expected_));     \
	} while (0)

#endif
