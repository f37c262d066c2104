/* The signature beside an archive file. */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/stamp.h"
#include "obmenctl/evidence.h"

static CMS_ContentInfo *
read_seal(const char *file, bool *present)
{
	char name[4096];
	CMS_ContentInfo *cms = NULL;

	*present = snprintf(name, sizeof name, "%s.p7s", file) < (int)sizeof name &&
	    access(name, F_OK) == 0;
	BIO *in = *present ? BIO_new_file(name, "rb") : NULL;
	if (in)
		cms = d2i_CMS_bio(in, NULL);
	BIO_free(in);
	return cms;
}

static void
name_signer(CMS_ContentInfo *cms, char signer[256])
{
	STACK_OF(X509) *signers = CMS_get0_signers(cms);

	if (sk_X509_num(signers) > 0)
		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(signers, 0)), NID_commonName,
		    signer, 256);
	sk_X509_free(signers);
}

bool
evidence_seal_check(const char *file, const char *ca, bool *present, char signer[256],
    const char **why)
{
	CMS_ContentInfo *cms = read_seal(file, present);
	X509_STORE *store = ca ? stamp_authorities(ca, why) : NULL;
	BIO *content = cms ? BIO_new_file(file, "rb") : NULL;
	unsigned flags = CMS_DETACHED | CMS_BINARY | (ca ? 0 : CMS_NO_SIGNER_CERT_VERIFY);
	bool ok = false;

	*signer = 0;
	*why = "the signature beside it does not hold";
	if (store) {
		/* Archives are older than certificates last; which ones signed is what counts. */
		X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
		X509_STORE_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
	}
	if (content && (store || !ca))
		ok = CMS_verify(cms, NULL, store, content, NULL, flags) == 1;
	if (ok)
		name_signer(cms, signer);
	ERR_clear_error();
	BIO_free(content);
	X509_STORE_free(store);
	CMS_ContentInfo_free(cms);
	return ok;
}
