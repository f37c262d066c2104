/*
 * The signature of an archive file: a detached CMS signature without signed attributes, whose value
 * is then a plain RSA signature over the file's SHA-256. Signer needs no new form for it: it already
 * signs any SHA-256 that codec brings. An archive is a tar file, which can never be taken for the
 * canonical SignedInfo of a message.
 */
#include <openssl/cms.h>
#include <openssl/err.h>

#include "lib/log.h"
#include "obmend/codec_seal.h"

static void
seal_trouble(struct job *job, enum fault fault, const char *detail)
{
	struct wire_sealed s = {.cms = {0}};

	(void)fault, (void)detail;
	memcpy(s.digest, job->seal.digest, sizeof s.digest);
	codec_send(job->codec, job->origin, WIRE_SEALED, job->origin_id, &s, NULL, 0);
}

/* The structure with this value in place of one that the library would make. */
static int
write_cms(X509 *certificate, const struct wire_bytes *value, unsigned char **out)
{
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_DETACHED | CMS_BINARY);
	CMS_SignerInfo *si = cms ? CMS_add1_signer(cms, certificate, X509_get0_pubkey(certificate),
	    EVP_sha256(), CMS_NOATTR | CMS_BINARY | CMS_PARTIAL | CMS_REUSE_DIGEST) : NULL;
	int len = -1;

	if (!si) {
		ERR_clear_error();
		si = cms ? CMS_add1_signer(cms, certificate, X509_get0_pubkey(certificate), EVP_sha256(),
		    CMS_NOATTR | CMS_BINARY | CMS_PARTIAL) : NULL;
	}
	if (si && ASN1_OCTET_STRING_set(CMS_SignerInfo_get0_signature(si), value->data, (int)value->len))
		len = i2d_CMS_ContentInfo(cms, out);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return len;
}

static bool
value_fits(X509 *certificate, const uint8_t digest[32], const struct wire_bytes *value)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(X509_get0_pubkey(certificate), NULL);
	bool ok = ctx && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(ctx, value->data, value->len, digest, 32) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

size_t
seal_cms(const struct codec *c, const uint8_t digest[32], const struct wire_bytes *signature,
    uint8_t out[SEAL_MAX])
{
	X509 *certificate = c->identities[0].certificate;
	unsigned char *der = NULL;
	int len = value_fits(certificate, digest, signature) ? write_cms(certificate, signature, &der) : -1;

	if (len > SEAL_MAX)
		len = -1;
	if (len > 0)
		memcpy(out, der, (size_t)len);
	OPENSSL_free(der);
	return len > 0 ? (size_t)len : 0;
}

static void
seal_signature(struct job *job, const struct wire_sign_reply *r)
{
	uint8_t der[SEAL_MAX];
	struct wire_sealed s = {.cms = {0}};

	memcpy(s.digest, job->seal.digest, sizeof s.digest);
	size_t len = seal_cms(job->codec, s.digest, &r->signature, der);
	if (len)
		s.cms = (struct wire_bytes){der, len};
	else
		log_error("codec.seal", "reason=\"the signature cannot be used\"");
	codec_send(job->codec, job->origin, WIRE_SEALED, job->origin_id, &s, NULL, 0);
	job_end(job);
}

static const struct job_kind seal_kind = {
    .name = "seal",
    .signature = seal_signature,
    .trouble = seal_trouble,
};

void
seal_start(struct codec *c, struct peer from, struct ipc_frame *f)
{
	struct wire_seal m;
	struct job *job = wire_unpack(f, WIRE_SEAL, &m) ? job_new(c, &seal_kind, from, f->id) : NULL;

	if (!job) {
		log_error("codec.seal", "reason=\"no place\"");
		return; /* store tries again */
	}
	memcpy(job->seal.digest, m.digest, sizeof m.digest);
	struct wire_sign sign = {.method = SIGNATURE_RSA_SHA256, .digest = {m.digest, sizeof m.digest}};
	job_wait_for(job, WAIT_SIGNER);
	if (!codec_send(c, (struct peer){ROLE_SIGNER, c->self->index}, WIRE_SIGN, job->id, &sign, NULL, 0))
		job_trouble(job, FAULT_OVERLOADED, "signer");
}
