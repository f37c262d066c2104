/*
 * backup.seal: the detached CMS signature of a backup file. The file is hashed here, and only one that
 * begins like an encrypted file of openssl-enc(1) is: its bytes can never be taken for the canonical
 * form of a message's SignedInfo, so that nobody who may use the control socket gets a signature over
 * a digest of his choice.
 */
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obmend/codec_seal.h"

#define MAGIC "Salted__"

static void
reply(struct job *job, json_t *answer)
{
	struct ipc *ipc = job->codec->self->peers[job->origin.role][job->origin.index];

	if (ipc && answer)
		wire_send_json(ipc, WIRE_QUERY_REPLY, job->origin_id, answer, NULL, 0);
	json_decref(answer);
}

static void
backup_trouble(struct job *job, enum fault fault, const char *detail)
{
	reply(job, json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(fault), "detail",
	    detail ? detail : ""));
}

static void
backup_clean(struct job *job)
{
	if (job->backup.fd >= 0)
		close(job->backup.fd);
	EVP_MD_CTX_free(job->backup.hash);
}

static void
sign(struct job *job)
{
	struct codec *c = job->codec;
	struct wire_sign m = {.method = SIGNATURE_RSA_SHA256,
	    .digest = {job->backup.digest, sizeof job->backup.digest}};

	if (EVP_DigestFinal_ex(job->backup.hash, job->backup.digest, NULL) != 1) {
		job_trouble(job, FAULT_INTERNAL, "digest");
		return;
	}
	job_wait_for(job, WAIT_SIGNER);
	if (!codec_send(c, (struct peer){ROLE_SIGNER, c->self->index}, WIRE_SIGN, job->id, &m, NULL, 0))
		job_trouble(job, FAULT_OVERLOADED, "signer");
}

/* One slice of the file. */
static bool
backup_run(struct job *job)
{
	struct codec *c = job->codec;
	struct backup *b = &job->backup;

	for (size_t n = 0; n < SLICE && b->at < b->size;) {
		ssize_t got = pread(b->fd, c->room, sizeof c->room, (off_t)b->at);
		if (got <= 0 || (b->at == 0 && ((size_t)got < sizeof MAGIC - 1 ||
		        memcmp(c->room, MAGIC, sizeof MAGIC - 1) != 0))) {
			job_trouble(job, FAULT_USAGE, "backup");
			return false;
		}
		EVP_DigestUpdate(b->hash, c->room, (size_t)got);
		b->at += (uint64_t)got;
		n += (size_t)got;
	}
	if (b->at < b->size)
		return true;
	sign(job);
	return false;
}

static void
backup_signature(struct job *job, const struct wire_sign_reply *r)
{
	char hex[2 * SEAL_MAX + 1];
	uint8_t der[SEAL_MAX];
	size_t len = seal_cms(job->codec, job->backup.digest, &r->signature, der);

	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", der[i]);
	if (len)
		reply(job, json_pack("{s:b, s:s}", "ok", 1, "cms", hex));
	else
		backup_trouble(job, FAULT_INTERNAL, "signature");
	job_end(job);
}

static const struct job_kind backup_kind = {
    .name = "backup",
    .run = backup_run,
    .signature = backup_signature,
    .trouble = backup_trouble,
    .clean = backup_clean,
};

void
backup_start(struct codec *c, struct peer from, struct ipc_frame *f)
{
	struct job *job = job_new(c, &backup_kind, from, f->id);
	struct stat st;

	if (!job)
		return; /* control takes the silence for what it is */
	job->backup.fd = ipc_take_fd(f, 0);
	job->backup.hash = EVP_MD_CTX_new();
	if (job->backup.fd < 0 || fstat(job->backup.fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		job_trouble(job, FAULT_USAGE, "backup");
	} else if (!job->backup.hash ||
	    EVP_DigestInit_ex(job->backup.hash, digest_method_md(DIGEST_SHA256), NULL) != 1) {
		job_trouble(job, FAULT_INTERNAL, "no memory");
	} else {
		job->backup.size = (uint64_t)st.st_size;
		job_run(job, job->backup.size);
	}
}
