#include "message/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "message/signature_form.h"
#include "message/writer_text.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define END "</Message>"
#define CHUNK ((size_t)24 << 10) /* bytes of an attachment at once; a multiple of 3 */

enum stage { STAGE_HEAD, STAGE_NEXT, STAGE_BYTES, STAGE_TAIL, STAGE_UNSIGNED, STAGE_DONE,
	STAGE_FAILED };

struct draft {
	const struct message *m;
	const struct identity *id;
	enum signature_method method;
	draft_piece_cb cb;
	void *arg;
	enum stage stage;
	struct writer w;
	EVP_MD_CTX *digest;
	const struct attachment *attachment;
	uint64_t done;          /* bytes of it */
	bool counting;          /* only the size is wanted: attachments are not read */
	uint64_t size;
	struct buf signed_info; /* canonical */
	uint8_t to_sign[64];
	size_t to_sign_len;
	char detail[160];
	bool refused; /* the detail names what is wrong with the message */
};

static enum draft_state
fail(struct draft *d, const char *what, const char *name)
{
	d->stage = STAGE_FAILED;
	if (d->detail[0])
		return DRAFT_FAILED;
	d->refused = name != NULL;
	snprintf(d->detail, sizeof d->detail, "%s%s%.100s", what, name ? " " : "", name ? name : "");
	return DRAFT_FAILED;
}

static bool
give(struct draft *d, const void *data, size_t len, bool base64)
{
	if (len == 0)
		return true;
	d->size += len;
	if (!d->cb(d->arg, data, len, base64)) {
		fail(d, "the receiver of the bytes stopped", NULL);
		return false;
	}
	return true;
}

/* Gives bytes that are part of the signed content. */
static bool
give_signed(struct draft *d, const void *data, size_t len, bool base64)
{
	if (!d->counting && EVP_DigestUpdate(d->digest, data, len) != 1) {
		fail(d, "digest", NULL);
		return false;
	}
	return give(d, data, len, base64);
}

/* Gives what was written into the buffer. */
static bool
give_written(struct draft *d)
{
	if (d->w.wrong) {
		fail(d, "missing or not valid:", d->w.wrong);
		return false;
	}
	if (d->w.out.failed) {
		fail(d, "memory", NULL);
		return false;
	}
	bool ok = give_signed(d, d->w.out.data, d->w.out.len, false);
	buf_reset(&d->w.out);
	return ok;
}

struct draft *
draft_new(const struct message *m, const struct identity *id, enum signature_method method,
    draft_piece_cb cb, void *arg)
{
	struct draft *d = calloc(1, sizeof *d);
	const EVP_MD *md = digest_method_md(signature_method_digest(method));

	if (!d)
		return NULL;
	d->m = m;
	d->id = id;
	d->method = method;
	d->cb = cb;
	d->arg = arg;
	d->digest = EVP_MD_CTX_new();
	if (!d->digest || !md || EVP_DigestInit_ex2(d->digest, md, NULL) != 1) {
		draft_free(d);
		return NULL;
	}
	return d;
}

void
draft_free(struct draft *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->digest);
	buf_free(&d->w.out);
	buf_free(&d->signed_info);
	free(d);
}

static void
step_head(struct draft *d)
{
	if (!give(d, DECLARATION, sizeof DECLARATION - 1, false))
		return;
	write_message_head(&d->w, d->m);
	if (d->w.wrong) {
		fail(d, "missing or not valid:", d->w.wrong);
		return;
	}
	if (d->m->type == MESSAGE_REGISTRATION_REQUEST)
		d->attachment = d->m->document.attachments;
	d->stage = STAGE_NEXT;
}

/* Begins the next attachment, or goes on behind the last. */
static void
step_next(struct draft *d)
{
	if (!d->attachment) {
		d->stage = STAGE_TAIL;
		return;
	}
	write_attachment_head(&d->w, d->m, d->attachment);
	d->done = 0;
	if (give_written(d))
		d->stage = STAGE_BYTES;
}

static bool
read_exactly(const struct attachment *a, uint64_t from, uint8_t *out, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(a->fd, out + got, len - got, (off_t)(a->offset + from + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

static void
end_attachment(struct draft *d)
{
	write_attachment_tail(&d->w, d->attachment);
	d->attachment = d->attachment->next;
	d->stage = STAGE_NEXT;
}

/* Writes a chunk of the attachment; returns its size. */
static size_t
step_bytes(struct draft *d)
{
	uint8_t bytes[CHUNK];
	unsigned char text[CHUNK / 3 * 4 + 1];
	uint64_t left = d->attachment->size - d->done;
	size_t len = left < CHUNK ? (size_t)left : CHUNK;

	if (d->counting) {
		d->size += (d->attachment->size + 2) / 3 * 4;
		end_attachment(d);
		return 0;
	}
	if (!read_exactly(d->attachment, d->done, bytes, len)) {
		fail(d, "attachment is shorter than it was:", d->attachment->file_name);
		return 0;
	}
	int n = EVP_EncodeBlock(text, bytes, (int)len);
	if (!give_signed(d, text, (size_t)n, true))
		return 0;
	d->done += len;
	if (d->done == d->attachment->size)
		end_attachment(d);
	return len;
}

/* SignedInfo in its canonical form, with the namespace that it inherits. */
static void
make_signed_info(struct draft *d, const uint8_t *digest, size_t len)
{
	struct buf *b = &d->signed_info;

	buf_adds(b, "<SignedInfo xmlns=\"" NS_DSIG "\">"
	            "<CanonicalizationMethod Algorithm=\"" URI_C14N "\"></CanonicalizationMethod>"
	            "<SignatureMethod Algorithm=\"");
	buf_adds(b, signature_method_uri(d->method));
	buf_adds(b, "\"></SignatureMethod><Reference URI=\"\"><Transforms>"
	            "<Transform Algorithm=\"" URI_ENVELOPED "\"></Transform></Transforms>"
	            "<DigestMethod Algorithm=\"");
	buf_adds(b, digest_method_uri(signature_method_digest(d->method)));
	buf_adds(b, "\"></DigestMethod><DigestValue>");
	buf_add_base64(b, digest, len);
	buf_adds(b, "</DigestValue></Reference></SignedInfo>");
}

static void
step_tail(struct draft *d)
{
	uint8_t digest[EVP_MAX_MD_SIZE] = {0};
	unsigned len;

	write_message_tail(&d->w, d->m);
	if (!give_written(d))
		return;
	/* </Message> is signed now and given after the signature. */
	if (EVP_DigestUpdate(d->digest, END, sizeof END - 1) != 1 ||
	    EVP_DigestFinal_ex(d->digest, digest, &len) != 1) {
		fail(d, "digest", NULL);
		return;
	}
	make_signed_info(d, digest, len);
	const EVP_MD *md = digest_method_md(signature_method_digest(d->method));
	if (d->signed_info.failed ||
	    EVP_Digest(d->signed_info.data, d->signed_info.len, d->to_sign, &len, md, NULL) != 1) {
		fail(d, "memory", NULL);
		return;
	}
	d->to_sign_len = len;
	d->stage = STAGE_UNSIGNED;
}

enum draft_state
draft_step(struct draft *d, size_t budget)
{
	static void (*const steps[])(struct draft *) = {
	    [STAGE_HEAD] = step_head, [STAGE_NEXT] = step_next, [STAGE_TAIL] = step_tail};
	size_t used = 0;

	while (d->stage < STAGE_UNSIGNED) {
		if (d->stage == STAGE_BYTES) {
			if (used >= budget && budget > 0)
				return DRAFT_MORE;
			used += step_bytes(d);
		} else {
			steps[d->stage](d);
		}
	}
	return d->stage == STAGE_UNSIGNED ? DRAFT_UNSIGNED
	    : d->stage == STAGE_DONE      ? DRAFT_DONE
	                                  : DRAFT_FAILED;
}

size_t
draft_digest(const struct draft *d, uint8_t out[64])
{
	if (d->stage != STAGE_UNSIGNED)
		return 0;
	memcpy(out, d->to_sign, d->to_sign_len);
	return d->to_sign_len;
}

/* Gives what follows the signed content: what was written, then base64, which nobody need escape. */
static bool
give_base64(struct draft *d, const void *data, size_t len)
{
	struct buf *b = &d->w.out;

	if (b->failed || !give(d, b->data, b->len, false) || !give(d, data, len, true))
		return false;
	buf_reset(b);
	return true;
}

enum draft_state
draft_sign(struct draft *d, const void *signature, size_t len)
{
	static const char open[] = "<SignedInfo xmlns=\"" NS_DSIG "\">";
	struct buf *b = &d->w.out;

	if (d->stage != STAGE_UNSIGNED || len == 0)
		return fail(d, "not ready for a signature", NULL);
	/* SignedInfo inherits its namespace from Signature: as written it has no declaration. */
	buf_adds(b, "<Signature xmlns=\"" NS_DSIG "\"><SignedInfo>");
	buf_add(b, d->signed_info.data + sizeof open - 1, d->signed_info.len - (sizeof open - 1));
	buf_adds(b, "<SignatureValue>");
	buf_add_base64(b, signature, len);
	buf_adds(b, "</SignatureValue><KeyInfo><X509Data><X509IssuerSerial><X509IssuerName>");
	write_escaped(&d->w, d->id->issuer);
	buf_adds(b, "</X509IssuerName><X509SerialNumber>");
	buf_adds(b, d->id->serial_decimal);
	buf_adds(b, "</X509SerialNumber></X509IssuerSerial><X509Certificate>");
	if (!give_base64(d, d->id->base64, strlen(d->id->base64)))
		return fail(d, "memory", NULL);
	buf_adds(b, "</X509Certificate></X509Data></KeyInfo></Signature>" END);
	if (b->failed)
		return fail(d, "memory", NULL);
	if (!give(d, b->data, b->len, false))
		return DRAFT_FAILED;
	buf_reset(b);
	d->stage = STAGE_DONE;
	return DRAFT_DONE;
}

const char *
draft_detail(const struct draft *d)
{
	return d->detail;
}

bool
draft_refused(const struct draft *d)
{
	return d->refused;
}

static bool
give_nothing(void *arg, const void *data, size_t len, bool base64)
{
	(void)arg;
	(void)data;
	(void)len;
	(void)base64;
	return true;
}

uint64_t
draft_size(const struct message *m, const struct identity *id, enum signature_method method)
{
	static const uint8_t value[2048];
	struct draft *d = draft_new(m, id, method, give_nothing, NULL);
	uint64_t size = 0;

	if (!d)
		return 0;
	d->counting = true;
	int len = EVP_PKEY_get_size(X509_get0_pubkey(id->certificate));
	if (len > 0 && (size_t)len <= sizeof value && draft_step(d, 0) == DRAFT_UNSIGNED &&
	    draft_sign(d, value, (size_t)len) == DRAFT_DONE)
		size = d->size;
	draft_free(d);
	return size;
}
