/* Our certificates towards peers: one per listener, another when the peer asks for its name. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/log.h"
#include "lib/tls.h"
#include "obmend/front.h"

/* A certificate that has given way to its successor is not shown any more. */
static void
use_current(struct front *f, SSL *ssl)
{
	unsigned i = 0;

	while (f->identities[i].tls != SSL_get_SSL_CTX(ssl))
		i++;
	unsigned now = conf_certificate_now(f->self->conf, i, f->self->switched);
	if (now != i)
		SSL_set_SSL_CTX(ssl, f->identities[now].tls);
}

/* One machine may be several canonical names on one address (protocol.md section 1). A name that is
 * not ours gets the listener's own certificate: known peers do not check it. */
static int
choose_by_name(SSL *ssl, int *alert, void *arg)
{
	struct front *f = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (!name) {
		use_current(f, ssl);
		return SSL_TLSEXT_ERR_NOACK;
	}
	for (unsigned i = 0; i < self_conf(f->self)->certificate_count; i++) {
		struct front_identity *id = &f->identities[i];
		if (!id->tls || strcasecmp(id->name, name) != 0)
			continue;
		/* Of two certificates for one name, the listener's goes first. */
		struct front_identity *own = &f->identities[0];
		while (own->tls != SSL_get_SSL_CTX(ssl))
			own++;
		if (strcasecmp(own->name, name) != 0)
			SSL_set_SSL_CTX(ssl, id->tls);
		use_current(f, ssl);
		return SSL_TLSEXT_ERR_OK;
	}
	use_current(f, ssl);
	return SSL_TLSEXT_ERR_NOACK;
}

static bool
open_identity(struct front *f, unsigned index)
{
	const struct conf *conf = f->self->conf;
	struct front_identity *id = &f->identities[index];
	struct tls_options o = {.side = TLS_SERVER,
	    .ca_file = conf->ca_file,
	    .crl_file = conf->crl_file,
	    .ciphers = conf->tls_ciphers,
	    .revoked = &f->self->revoked,
	    .verify_chain = true};

	id->tls = tls_context(conf->certificates[index].file, index, f->self->sync_signer, &o);
	if (!id->tls)
		return false;
	X509_NAME *subject = X509_get_subject_name(SSL_CTX_get0_certificate(id->tls));
	X509_NAME_get_text_by_NID(subject, NID_commonName, id->name, sizeof id->name);
	SSL_CTX_set_tlsext_servername_callback(id->tls, choose_by_name);
	SSL_CTX_set_tlsext_servername_arg(id->tls, f);
	return true;
}

bool
front_tls_open(struct front *f)
{
	unsigned count = self_conf(f->self)->certificate_count;

	f->identities = calloc(count ? count : 1, sizeof *f->identities);
	if (!f->identities)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!open_identity(f, i))
			return false; /* logged by tls_context */
	}
	return true;
}

void
front_tls_free(struct front *f)
{
	for (unsigned i = 0; f->identities && i < self_conf(f->self)->certificate_count; i++)
		SSL_CTX_free(f->identities[i].tls);
	free(f->identities);
	f->identities = NULL;
}

unsigned
front_tls_certificate(const struct front *f, const struct http_conn *c)
{
	SSL_CTX *tls = http_conn_context(c);
	unsigned count = self_conf(f->self)->certificate_count;

	for (unsigned i = 0; i < count; i++) {
		if (f->identities[i].tls == tls)
			return i;
	}
	return 0;
}
