#include "lib/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "lib/log.h"
#include "lib/revocation.h"

/* ECDHE only; CBC with SHA-1 stays at the end for servers of 2012 (protocol.md section 1). */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK:!SRP"
#define CIPHERS_LEGACY "ALL:!aNULL:!eNULL:!EXPORT:!RC4:!PSK:!SRP:@SECLEVEL=0"
#define GROUPS "X25519:P-256:P-384:P-521"
#define VERIFY_DEPTH 4
#define SESSION_SECONDS 7200
#define SESSION_CACHE 4096
#define CRL_MAX 64

/*
 * A CRL that is missing, too old or cannot be checked says nothing; only a listed serial is revoked
 * (complaint C15: unknown is never revoked).
 */
static int
verify_cb(int ok, X509_STORE_CTX *ctx)
{
	switch (X509_STORE_CTX_get_error(ctx)) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	default:
		return ok;
	}
}

/* The places in a context where its set of revoked certificates and its findings lie. */
enum { PLACE_REVOKED, PLACE_FINDINGS, PLACES };

static int
place(int which)
{
	static int index[PLACES] = {-1, -1};

	if (index[which] < 0)
		index[which] = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index[which];
}

static void *
placed(X509_STORE_CTX *ctx, int which)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());

	return ssl ? SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place(which)) : NULL;
}

/* The set may have changed since the context was made: it is asked anew for every certificate. */
static int
verify_revoked_cb(int ok, X509_STORE_CTX *ctx)
{
	ok = verify_cb(ok, ctx);
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	struct revocations *const *set = placed(ctx, PLACE_REVOKED);

	if (!ok || !set || !x || X509_STORE_CTX_get_error_depth(ctx) != 0 ||
	    revocations_find(*set, x) == WHEN_NONE)
		return ok;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REVOKED);
	return 0;
}

static unsigned
finding_of(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FOUND_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FOUND_NOT_YET;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_FOUND_NAME;
	case X509_V_ERR_CERT_REVOKED:
		return TLS_FOUND_REVOKED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return TLS_FOUND_CHAIN;
	default:
		return TLS_FOUND_OTHER;
	}
}

/* Notes what the strict check would have refused, and lets the handshake go on. */
static int
findings_cb(int ok, X509_STORE_CTX *ctx)
{
	struct tls_findings *f = placed(ctx, PLACE_FINDINGS);

	if (verify_revoked_cb(ok, ctx))
		return 1;
	int error = X509_STORE_CTX_get_error(ctx);
	if (!f->bits)
		snprintf(f->words, sizeof f->words, "%s", X509_verify_cert_error_string(error));
	f->bits |= finding_of(error);
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

/* The holder of the key still proves itself; who issued its certificate does not count. */
static int
accept_any_cb(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static bool
refuse(const char *what, const char *file)
{
	char reason[256];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
	log_error("tls.context", "step=\"%s\" file=\"%s\" reason=\"%s\"", what, file ? file : "",
	    reason);
	ERR_clear_error();
	return false;
}

/* True when one of the CA certificates signed it. */
static bool
crl_signed(X509_STORE *store, X509_CRL *crl)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(store);
	bool found = false;

	for (int i = 0; i < sk_X509_num(all) && !found; i++) {
		X509 *ca = sk_X509_value(all, i);
		found = X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
	}
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return found;
}

static void
add_crl(X509_STORE *store, X509_CRL *crl, const char *file)
{
	if (!crl_signed(store, crl))
		log_warning("tls.crl", "file=\"%s\" reason=\"not signed by a configured CA\"", file);
	else if (!X509_STORE_add_crl(store, crl))
		refuse("keep CRL", file);
}

/* PEM with one or more, or one in DER. A file that cannot be read is a warning: unknown is not
 * revoked. */
static void
load_crls(X509_STORE *store, const char *file)
{
	BIO *in = BIO_new_file(file, "r");
	X509_CRL *crl;
	int count = 0;

	while (in && count < CRL_MAX && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
		add_crl(store, crl, file);
		X509_CRL_free(crl);
		count++;
	}
	if (in && count == 0 && BIO_seek(in, 0) == 0 && (crl = d2i_X509_CRL_bio(in, NULL))) {
		add_crl(store, crl, file);
		X509_CRL_free(crl);
		count++;
	}
	BIO_free(in);
	ERR_clear_error();
	if (count == 0)
		log_warning("tls.crl", "file=\"%s\" reason=\"no CRL could be read\"", file);
}

static bool
set_trust(SSL_CTX *ctx, const struct tls_options *o)
{
	int mode = o->side == TLS_SERVER ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT :
	    SSL_VERIFY_PEER;
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	SSL_CTX_set_verify(ctx, mode, o->findings ? findings_cb :
	    o->verify_chain ? verify_revoked_cb : accept_any_cb);
	SSL_CTX_set_verify_depth(ctx, VERIFY_DEPTH);
	SSL_CTX_set_ex_data(ctx, place(PLACE_REVOKED), (void *)(uintptr_t)o->revoked);
	SSL_CTX_set_ex_data(ctx, place(PLACE_FINDINGS), o->findings);
	if (!o->ca_file)
		return !o->verify_chain || refuse("find the CA", NULL);
	if (!SSL_CTX_load_verify_file(ctx, o->ca_file))
		return refuse("read CA", o->ca_file);
	/* The exchange CA may itself be issued by a root that the node does not have. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (o->crl_file) {
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
		load_crls(store, o->crl_file);
	}
	if (o->side == TLS_SERVER)
		SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(o->ca_file));
	return true;
}

static bool
set_protocol(SSL_CTX *ctx, const struct tls_options *o)
{
	const char *ciphers = o->legacy ? CIPHERS_LEGACY : o->ciphers ? o->ciphers : CIPHERS;

	SSL_CTX_set_min_proto_version(ctx, o->legacy ? TLS1_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | (o->legacy ? SSL_OP_LEGACY_SERVER_CONNECT : 0));
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (o->legacy)
		SSL_CTX_set_security_level(ctx, 0);
	if (!SSL_CTX_set_cipher_list(ctx, ciphers))
		return refuse("set tls-ciphers", ciphers);
	return SSL_CTX_set1_groups_list(ctx, GROUPS) || refuse("set groups", GROUPS);
}

/* A peer that reconnects for every message must not pay a whole handshake (performance.md A). */
static bool
set_sessions(SSL_CTX *ctx, const struct tls_options *o)
{
	static const unsigned char id[] = "obmen";

	SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
	if (o->side == TLS_CLIENT) {
		SSL_CTX_set_session_cache_mode(ctx,
		    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
		return true;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(ctx, SESSION_CACHE);
	return SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) &&
	    SSL_CTX_set_num_tickets(ctx, 1);
}

static bool
set_identity(SSL_CTX *ctx, const char *file, unsigned certificate, int sync_fd)
{

	if (!SSL_CTX_use_certificate_chain_file(ctx, file))
		return refuse("read certificate", file);
	EVP_PKEY *key = tls_remote_key(SSL_CTX_get0_certificate(ctx), certificate, sync_fd);
	if (!key)
		return false;
	bool ok = SSL_CTX_use_PrivateKey(ctx, key) && SSL_CTX_check_private_key(ctx);
	EVP_PKEY_free(key); /* the context holds its own reference */
	return ok || refuse("use the remote key", file);
}

SSL_CTX *
tls_context(const char *file, unsigned certificate, int sync_fd, const struct tls_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(
	    o->side == TLS_SERVER ? TLS_server_method() : TLS_client_method());

	if (ctx && set_protocol(ctx, o) && set_identity(ctx, file, certificate, sync_fd) &&
	    set_trust(ctx, o) && set_sessions(ctx, o))
		return ctx;
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return NULL;
}
