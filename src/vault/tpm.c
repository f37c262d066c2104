#include "vault/tpm.h"

#include <openssl/crypto.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include <stdlib.h>
#include <string.h>

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR storage; /* the storage key */
	TSS2_RC rc;
};

#define NO_SESSION ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

/* The common storage key on P-256 (TCG Provisioning Guidance), the same at every start. */
static const TPM2B_PUBLIC storage_template = {
    .publicArea = {
	.type = TPM2_ALG_ECC,
	.nameAlg = TPM2_ALG_SHA256,
	.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM |
	    TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
	    TPMA_OBJECT_NODA,
	.parameters.eccDetail = {
	    .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB},
	    .scheme.scheme = TPM2_ALG_NULL,
	    .curveID = TPM2_ECC_NIST_P256,
	    .kdf.scheme = TPM2_ALG_NULL,
	},
    }};

/* PCR 7 of the SHA-256 bank. */
static const TPML_PCR_SELECTION secure_boot_state = {
    .count = 1,
    .pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = {0x80, 0, 0}}}};

static bool
ok(struct tpm *t, TSS2_RC rc)
{
	t->rc = rc;
	return rc == TSS2_RC_SUCCESS;
}

static bool
make_storage_key(struct tpm *t)
{
	return ok(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	    ESYS_TR_NONE, &(TPM2B_SENSITIVE_CREATE){0}, &storage_template, &(TPM2B_DATA){0},
	    &(TPML_PCR_SELECTION){0}, &t->storage, NULL, NULL, NULL, NULL));
}

struct tpm *
tpm_open(const char *tcti)
{
	struct tpm *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->storage = ESYS_TR_NONE;
	/* Its own messages are for developers; ours say what an answer means. */
	setenv("TSS2_LOG", "all+none", 0);
	if (ok(t, Tss2_TctiLdr_Initialize(tcti, &t->tcti)) &&
	    ok(t, Esys_Initialize(&t->esys, t->tcti, NULL)) && make_storage_key(t))
		return t;
	tpm_close(t);
	return NULL;
}

void
tpm_close(struct tpm *t)
{
	if (!t)
		return;
	if (t->storage != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->storage);
	Esys_Finalize(&t->esys);
	Tss2_TctiLdr_Finalize(&t->tcti);
	free(t);
}

uint32_t
tpm_error(const struct tpm *t)
{
	return t->rc;
}

/* A session whose parameters are encrypted both ways. */
static bool
start(struct tpm *t, TPM2_SE type, ESYS_TR *session)
{
	const TPMT_SYM_DEF cipher = {
	    .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
	const TPMA_SESSION attributes =
	    TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;

	*session = ESYS_TR_NONE;
	if (!ok(t, Esys_StartAuthSession(t->esys, t->storage, ESYS_TR_NONE, NO_SESSION, NULL, type,
	    &cipher, TPM2_ALG_SHA256, session)))
		return false;
	return type == TPM2_SE_TRIAL ||
	    ok(t, Esys_TRSess_SetAttributes(t->esys, *session, attributes, 0xff));
}

static void
end(struct tpm *t, ESYS_TR object)
{
	if (object != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, object);
}

static bool
require_state(struct tpm *t, ESYS_TR session)
{
	return ok(t, Esys_PolicyPCR(t->esys, session, NO_SESSION, &(TPM2B_DIGEST){0},
	    &secure_boot_state));
}

/* The digest of the policy "PCR 7 is what it is now". */
static bool
policy(struct tpm *t, TPM2B_DIGEST *out)
{
	TPM2B_DIGEST *digest = NULL;
	ESYS_TR trial;
	bool done = start(t, TPM2_SE_TRIAL, &trial) && require_state(t, trial) &&
	    ok(t, Esys_PolicyGetDigest(t->esys, trial, NO_SESSION, &digest));

	end(t, trial);
	if (done)
		*out = *digest;
	Esys_Free(digest);
	return done;
}

static bool
pack(struct tpm *t, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private, struct sealed *out)
{
	out->size = 0;
	return ok(t, Tss2_MU_TPM2B_PUBLIC_Marshal(public, out->bytes, sizeof out->bytes, &out->size)) &&
	    ok(t, Tss2_MU_TPM2B_PRIVATE_Marshal(private, out->bytes, sizeof out->bytes, &out->size));
}

bool
tpm_seal(struct tpm *t, const uint8_t secret[TPM_SECRET_SIZE], struct sealed *out)
{
	TPM2B_PUBLIC template = {.publicArea = {.type = TPM2_ALG_KEYEDHASH, .nameAlg = TPM2_ALG_SHA256,
	    .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA,
	    .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
	TPM2B_SENSITIVE_CREATE sensitive = {.sensitive.data.size = TPM_SECRET_SIZE};
	TPM2B_PUBLIC *public = NULL;
	TPM2B_PRIVATE *private = NULL;
	ESYS_TR session = ESYS_TR_NONE;

	memcpy(sensitive.sensitive.data.buffer, secret, TPM_SECRET_SIZE);
	bool done = policy(t, &template.publicArea.authPolicy) && start(t, TPM2_SE_HMAC, &session) &&
	    ok(t, Esys_Create(t->esys, t->storage, session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
	    &template, &(TPM2B_DATA){0}, &(TPML_PCR_SELECTION){0}, &private, &public, NULL, NULL,
	    NULL)) && pack(t, public, private, out);
	end(t, session);
	Esys_Free(public);
	Esys_Free(private);
	OPENSSL_cleanse(&sensitive, sizeof sensitive);
	return done;
}

static bool
load(struct tpm *t, const struct sealed *in, ESYS_TR *object)
{
	TPM2B_PUBLIC public = {0};
	TPM2B_PRIVATE private = {0};
	size_t at = 0;

	*object = ESYS_TR_NONE;
	return ok(t, Tss2_MU_TPM2B_PUBLIC_Unmarshal(in->bytes, in->size, &at, &public)) &&
	    ok(t, Tss2_MU_TPM2B_PRIVATE_Unmarshal(in->bytes, in->size, &at, &private)) &&
	    ok(t, Esys_Load(t->esys, t->storage, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &private,
	    &public, object));
}

bool
tpm_unseal(struct tpm *t, const struct sealed *in, uint8_t secret[TPM_SECRET_SIZE])
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	ESYS_TR object, session = ESYS_TR_NONE;
	bool done = load(t, in, &object) && start(t, TPM2_SE_POLICY, &session) &&
	    require_state(t, session) &&
	    ok(t, Esys_Unseal(t->esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, &data)) &&
	    data->size == TPM_SECRET_SIZE;

	end(t, session);
	end(t, object);
	if (done)
		memcpy(secret, data->buffer, TPM_SECRET_SIZE);
	if (data)
		OPENSSL_cleanse(data, sizeof *data);
	Esys_Free(data);
	return done;
}
