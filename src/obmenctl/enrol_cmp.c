/* OpenSSL's CMP client, over HTTP or with messages in files. */
#include "obmenctl/enrol.h"

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cmp_envelope.h"

#define MESSAGE_SECONDS 30
#define POLL_SECONDS    5 /* the least between two questions */

/* -- messages in files */

/*
 * Instead of to a server, the message goes to a file; or, when there is an answer already, the
 * answer is taken for that of the message that was written then. OpenSSL checks that the answer
 * names our last nonce, so that of the written message is put in the place of the fresh one.
 */
static OSSL_CMP_MSG *
transfer_file(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *request)
{
	struct enrol *e = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);
	struct cmp_envelope sent;

	if (!e->answer_path) {
		e->written = OSSL_CMP_MSG_write(e->message_path, request) > 0;
		if (!e->written)
			e->unreachable = e->message_path;
		return NULL;
	}
	/* After "wait" OpenSSL would poll; in files that is the same message, brought again. */
	if (e->answered) {
		e->waiting = true;
		return NULL;
	}
	e->answered = true;
	uint8_t *bytes = malloc(CMP_MESSAGE_MAX);
	FILE *in = fopen(e->message_path, "re");
	size_t len = in && bytes ? fread(bytes, 1, CMP_MESSAGE_MAX, in) : 0;
	bool ok = cmp_envelope_read(bytes, len, &sent);
	ASN1_OCTET_STRING *nonce = ASN1_OCTET_STRING_new();
	ok = ok && nonce &&
	     ASN1_OCTET_STRING_set(nonce, sent.sender_nonce.bytes, (int)sent.sender_nonce.len) &&
	     OSSL_CMP_CTX_set1_senderNonce(ctx, nonce) &&
	     ASN1_OCTET_STRING_set(nonce, sent.transaction.bytes, (int)sent.transaction.len) &&
	     OSSL_CMP_CTX_set1_transactionID(ctx, nonce);
	ASN1_OCTET_STRING_free(nonce);
	cmp_envelope_free(&sent);
	if (in)
		fclose(in);
	free(bytes);
	OSSL_CMP_MSG *answer = ok ? OSSL_CMP_MSG_read(e->answer_path, NULL, NULL) : NULL;
	if (!answer)
		e->unreachable = ok ? e->answer_path : e->message_path;
	return answer;
}

/* -- the client's context */

static int
quiet(const char *function, const char *file, int line, OSSL_CMP_severity level, const char *text)
{
	(void)function, (void)file, (void)line, (void)level, (void)text;
	return 1;
}

static bool
set_server(struct enrol *e, OSSL_CMP_CTX *ctx)
{
	char *host = NULL, *port = NULL, *path = NULL;
	int tls = 0, number = 0;
	bool ok;

	if (e->message_path)
		return OSSL_CMP_CTX_set_transfer_cb(ctx, transfer_file) &&
		       OSSL_CMP_CTX_set_transfer_cb_arg(ctx, e) &&
		       OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_IMPLICIT_CONFIRM, 1);
	/* Messages carry their own proof: HTTP is enough (RFC 9811 section 4). */
	ok = OSSL_HTTP_parse_url(e->server, &tls, NULL, &host, &port, &number, &path, NULL, NULL) &&
	     !tls;
	if (ok && (!*path || strcmp(path, "/") == 0)) {
		OPENSSL_free(path);
		path = OPENSSL_strdup("/.well-known/cmp");
	}
	ok = ok && path && OSSL_CMP_CTX_set1_server(ctx, host) &&
	     OSSL_CMP_CTX_set_serverPort(ctx, number) && OSSL_CMP_CTX_set1_serverPath(ctx, path);
	OPENSSL_free(host);
	OPENSSL_free(port);
	OPENSSL_free(path);
	if (!ok)
		e->unreachable = e->server;
	return ok;
}

static bool
set_subject(const struct enrol *e, OSSL_CMP_CTX *ctx)
{
	X509_NAME *name = X509_NAME_new();
	char state[24];
	bool ok = name && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						     (const uint8_t *)e->name, -1, -1, 0);

	if (ok && e->eik) {
		snprintf(state, sizeof state, "B:%s", e->eik);
		ok = X509_NAME_add_entry_by_txt(name, "ST", MBSTRING_UTF8, (const uint8_t *)state,
						-1, -1, 0);
	}
	ok = ok && OSSL_CMP_CTX_set1_subjectName(ctx, name);
	X509_NAME_free(name);
	return ok;
}

/* By reference and secret, or by the certificate that is renewed. */
static bool
set_proof(struct enrol *e, OSSL_CMP_CTX *ctx)
{
	if (!e->reference)
		return OSSL_CMP_CTX_set1_cert(ctx, e->old) &&
		       OSSL_CMP_CTX_set1_pkey(ctx, e->old_key) &&
		       OSSL_CMP_CTX_set1_oldCert(ctx, e->old);
	return OSSL_CMP_CTX_set1_referenceValue(ctx, (const uint8_t *)e->reference,
						(int)strlen(e->reference)) &&
	       OSSL_CMP_CTX_set1_secretValue(ctx, e->secret.data, (int)e->secret.len) &&
	       set_subject(e, ctx);
}

/* Whom we believe: the exchange's CA, when its file is there. With a secret it may be learned. */
static X509_STORE *
trusted(const struct enrol *e)
{
	X509_STORE *store = X509_STORE_new();

	if (store && e->ca_path && X509_STORE_load_file(store, e->ca_path) != 1)
		ERR_clear_error();
	return store;
}

static OSSL_CMP_CTX *
make_context(struct enrol *e)
{
	OSSL_CMP_CTX *ctx = OSSL_CMP_CTX_new(NULL, NULL);
	X509_STORE *store = trusted(e);

	if (ctx && store && OSSL_CMP_CTX_set_log_cb(ctx, quiet) &&
	    OSSL_CMP_CTX_set0_trustedStore(ctx, store)) {
		EVP_PKEY_up_ref(e->key);
		/* The name of who answers is the CA's and a part more; its chain is what counts. */
		if (OSSL_CMP_CTX_set0_newPkey(ctx, 1, e->key) && set_server(e, ctx) &&
		    set_proof(e, ctx) &&
		    OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_MSG_TIMEOUT, MESSAGE_SECONDS) &&
		    OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_MAC_ALGNID, NID_hmacWithSHA256) &&
		    OSSL_CMP_CTX_set_certConf_cb(ctx, OSSL_CMP_certConf_cb) &&
		    OSSL_CMP_CTX_set_certConf_cb_arg(ctx, store))
			return ctx;
	} else {
		X509_STORE_free(store);
	}
	OSSL_CMP_CTX_free(ctx);
	return NULL;
}

/* -- what came of it */

/* The authority's own words end in a code of the catalogue and hold the detail in brackets. */
static bool
say_status(struct enrol *e, OSSL_CMP_CTX *ctx)
{
	OSSL_CMP_PKIFREETEXT *texts = OSSL_CMP_CTX_get0_statusString(ctx);
	char code[16] = "", detail[512] = "", text[1024];

	if (sk_ASN1_UTF8STRING_num(texts) < 1)
		return false;
	const ASN1_UTF8STRING *first = sk_ASN1_UTF8STRING_value(texts, 0);
	snprintf(text, sizeof text, "%.*s", ASN1_STRING_length(first),
		 ASN1_STRING_get0_data(first));
	const char *bracket = strrchr(text, '['), *open = strchr(text, '(');
	if (bracket)
		snprintf(code, sizeof code, "%.*s", (int)strcspn(bracket + 1, "]"), bracket + 1);
	if (open)
		snprintf(detail, sizeof detail, "%.*s", (int)strcspn(open + 1, ")"), open + 1);
	enum fault f = fault_by_code(code);
	print_fault(e->ctl, f ? f : FAULT_CMP_REFUSED, f ? detail : text);
	return true;
}

static void
say_failure(struct enrol *e, OSSL_CMP_CTX *ctx)
{
	char detail[320];
	unsigned long error = ERR_peek_error(), last = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error), *why = ERR_reason_error_string(last);

	if (ctx && OSSL_CMP_CTX_get_status(ctx) == OSSL_CMP_PKISTATUS_rejection &&
	    say_status(e, ctx))
		return;
	snprintf(detail, sizeof detail, "%s%s%s%s%s",
		 e->unreachable ? e->unreachable
		 : e->server    ? e->server
				: "",
		 reason ? ": " : "", reason ? reason : "", why && why != reason ? ": " : "",
		 why && why != reason ? why : "");
	print_fault(e->ctl, FAULT_ENROL_UNREACHABLE, detail);
}

/* Of several reasons to fail, OpenSSL's last words are about a wrong name or key in what came. */
static bool
is_ours(struct enrol *e, X509 *x)
{
	char name[80] = "";

	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
	if (EVP_PKEY_eq(X509_get0_pubkey(x), e->key) == 1 && strcmp(name, e->name) == 0)
		return true;
	print_fault(e->ctl, FAULT_ENROL_ANSWER, name);
	return false;
}

/* One question, and further ones while the authority says "wait" and there is time. */
static int
try_until(struct enrol *e, OSSL_CMP_CTX *ctx, int kind)
{
	time_t end = time(NULL) + e->wait;
	int after = 0;

	for (;;) {
		int result = OSSL_CMP_try_certreq(ctx, kind, NULL, &after);
		time_t now = time(NULL);
		if (result != -1 || now >= end)
			return result;
		long pause = after < POLL_SECONDS ? (after > 0 ? after : 1) : POLL_SECONDS;
		struct timespec nap = {.tv_sec = pause < end - now ? pause : end - now};
		nanosleep(&nap, NULL);
	}
}

enum enrol_result
enrol_ask(struct enrol *e, X509 **certificate, STACK_OF(X509) * *anchors)
{
	OSSL_CMP_CTX *ctx = make_context(e);
	enum enrol_result result = ENROL_FAILED;
	int done = ctx ? try_until(e, ctx, e->reference ? OSSL_CMP_IR : OSSL_CMP_KUR) : 0;
	X509 *x = done == 1 ? OSSL_CMP_CTX_get0_newCert(ctx) : NULL;

	if (e->written) {
		result = ENROL_WRITTEN;
	} else if (done == -1 || e->waiting) {
		result = ENROL_WAITING;
	} else if (!x) {
		say_failure(e, ctx);
	} else if (is_ours(e, x) && X509_up_ref(x)) {
		*certificate = x;
		*anchors = OSSL_CMP_CTX_get1_caPubs(ctx);
		result = ENROL_ISSUED;
	}
	OSSL_CMP_CTX_free(ctx);
	ERR_clear_error();
	return result;
}
