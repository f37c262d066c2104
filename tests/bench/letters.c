/* Signed messages, made before the clock runs. */
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"
#include "message/writer.h"
#include "soap/envelope.h"

#define SOAP_MAX ((size_t)256 << 20)

EVP_PKEY *
bench_key(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	if (!key)
		bench_fail("%s: no key", path);
	fclose(f);
	return key;
}

int
letters_attachment(size_t size)
{
	int fd = memfd_create("attachment", MFD_CLOEXEC);
	uint8_t block[4096];
	uint32_t x = 1;

	for (size_t at = 0; fd >= 0 && at < size; at += sizeof block) {
		for (size_t i = 0; i < sizeof block; i++)
			block[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
		size_t n = size - at < sizeof block ? size - at : sizeof block;
		if (pwrite(fd, block, n, (off_t)at) != (ssize_t)n)
			bench_fail("no memory for an attachment");
	}
	return fd;
}

static struct party
party_of(const struct bench_party *p)
{
	struct party out = {.eik = p->eik, .name = p->name};

	if (!guid_parse(&out.guid, p->guid, strlen(p->guid)))
		bench_fail("not a GUID: %s", p->guid);
	return out;
}

static void
fresh(struct guid *g)
{
	if (!guid_random(g))
		bench_fail("no randomness");
}

static struct message
new_message(enum message_type type, const struct bench_party *from, const struct bench_party *to)
{
	struct message m = {.version = "1.0", .type = type, .date = when_now(),
	    .sender = party_of(from), .recipient = party_of(to), .comment = "N/A"};

	fresh(&m.guid);
	return m;
}

static struct message
new_request(const struct plan *p, struct attachment *a)
{
	struct message m = new_message(MESSAGE_REGISTRATION_REQUEST, &p->sender, &p->recipient);

	m.document = (struct document){.id = {.number = "94-00-17", .date = "2026-11-21"},
	    .kind = "Писмо", .about = "Покана за работна среща", .attachments = a,
	    .attachment_count = 1};
	fresh(&m.document.id.guid);
	return m;
}

static bool
soap_piece(void *arg, const void *data, size_t len, bool base64)
{
	return base64 ? buf_add(arg, data, len) : buf_add_xml(arg, data, len);
}

static void
sign_letter(const struct message *m, const struct identity *id, EVP_PKEY_CTX *signer,
    enum envelope_kind kind, struct buf *soap)
{
	uint8_t digest[64], value[512];
	size_t len = sizeof value;

	*soap = (struct buf){.max = SOAP_MAX};
	buf_adds(soap, envelope_head(kind));
	struct draft *d = draft_new(m, id, SIGNATURE_RSA_SHA256, soap_piece, soap);
	if (!d || draft_step(d, 0) != DRAFT_UNSIGNED)
		bench_fail("the message cannot be written: %s", d ? draft_detail(d) : "memory");
	if (EVP_PKEY_sign(signer, value, &len, digest, draft_digest(d, digest)) != 1 ||
	    draft_sign(d, value, len) != DRAFT_DONE || !buf_adds(soap, envelope_tail(kind)))
		bench_fail("the message cannot be signed");
	draft_free(d);
}

static EVP_PKEY_CTX *
signer_new(EVP_PKEY *key)
{
	EVP_PKEY_CTX *s = EVP_PKEY_CTX_new(key, NULL);

	if (!s || EVP_PKEY_sign_init(s) != 1)
		bench_fail("no signing context");
	EVP_PKEY_CTX_set_rsa_padding(s, RSA_PKCS1_PADDING);
	EVP_PKEY_CTX_set_signature_md(s, digest_method_md(DIGEST_SHA256));
	return s;
}

static void
letters_new(struct letters *l, unsigned count)
{
	l->count = count;
	l->soap = calloc(count, sizeof *l->soap);
	l->documents = calloc(count, sizeof *l->documents);
	if (!l->soap || !l->documents)
		bench_fail("memory");
}

/* The unsigned Message is what the writer makes with an empty attachment, and 4 bytes for 3. */
size_t
letters_attachment_size(const struct plan *p)
{
	struct attachment a = {.file_name = "letter.pdf", .mime_type = "application/pdf", .fd = -1};
	struct message m = new_request(p, &a);
	struct identity id;

	if (!identity_load(&id, p->cert))
		bench_fail("%s: no certificate", p->cert);
	size_t empty = draft_size(&m, &id, SIGNATURE_RSA_SHA256);
	size_t signature = strlen(id.base64) + 1450; /* and the rest of ds:Signature, about */
	identity_free(&id);
	size_t base = empty > signature ? empty - signature : empty;
	return p->bytes > base + 64 ? (p->bytes - base) / 4 * 3 : 48;
}

void
letters_requests(struct letters *l, const struct plan *p, EVP_PKEY *key)
{
	struct attachment a = {.file_name = "letter.pdf", .mime_type = "application/pdf",
	    .size = letters_attachment_size(p)};
	EVP_PKEY_CTX *signer = signer_new(key);
	struct identity id;

	letters_new(l, p->count + p->warm);
	if (!identity_load(&id, p->cert))
		bench_fail("%s: no certificate", p->cert);
	a.fd = letters_attachment(a.size);
	for (unsigned i = 0; i < l->count; i++) {
		struct message m = new_request(p, &a);
		l->documents[i] = m.document.id.guid;
		sign_letter(&m, &id, signer, ENVELOPE_REQUEST, &l->soap[i]);
	}
	close(a.fd);
	identity_free(&id);
	EVP_PKEY_CTX_free(signer);
}

void
letters_answers(struct letters *l, const struct plan *p, EVP_PKEY *key)
{
	EVP_PKEY_CTX *signer = signer_new(key);
	struct identity id;

	letters_new(l, p->count + p->warm);
	if (!identity_load(&id, p->cert))
		bench_fail("%s: no certificate", p->cert);
	for (unsigned i = 0; i < l->count; i++) {
		struct message m = new_message(MESSAGE_STATUS_RESPONSE, &p->recipient, &p->sender);
		fresh(&l->documents[i]);
		m.status = (struct status_report){.id = {.guid = l->documents[i]},
		    .status = STATUS_WAIT_REGISTRATION};
		sign_letter(&m, &id, signer, ENVELOPE_RESPONSE, &l->soap[i]);
	}
	identity_free(&id);
	EVP_PKEY_CTX_free(signer);
}

void
letters_free(struct letters *l)
{
	for (unsigned i = 0; i < l->count; i++)
		buf_free(&l->soap[i]);
	free(l->soap);
	free(l->documents);
}
