#include "obmend/codec_checks.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define INBOUND 1 /* what peers send us */
#define ANSWERS 2 /* what they answer */

#define CERTIFICATE_KEPT (8 << 10) /* bytes of DER; real ones have less than 2 KiB */

static enum fault
refuse(struct verdict *v, enum fault fault, const char *detail)
{
	snprintf(v->detail, sizeof v->detail, "%s", detail ? detail : "");
	return fault;
}

/* The register's EIKs and peers' may be padded (section 7: outer spaces are seen). */
static bool
same_eik(const char *a, const char *b)
{
	size_t m, n;

	if (!a || !b)
		return false;
	a += strspn(a, " \t\r\n");
	b += strspn(b, " \t\r\n");
	m = strcspn(a, " \t\r\n");
	n = strcspn(b, " \t\r\n");
	return m == n && memcmp(a, b, m) == 0;
}

static bool
is_bridge(const struct codec *c, const struct guid *guid)
{
	const struct conf_peer *peer = conf_peer(c->conf, guid);

	return peer && peer->bridge;
}

static enum fault
signature_form(struct verdict *v)
{
	if (v->signature->fault == FAULT_NONE)
		return FAULT_NONE;
	return refuse(v, v->signature->fault, v->signature->fault_detail);
}

static enum fault
recipient_served(struct verdict *v)
{
	const struct party *to = &v->message->recipient;
	const struct conf_participant *own = conf_participant(v->codec->conf, &to->guid);

	if (!own)
		return refuse(v, FAULT_RECIPIENT_NOT_HERE, to->guid_text);
	if (!same_eik(own->eik, to->eik))
		return refuse(v, FAULT_RECIPIENT_NOT_HERE, "Identifier");
	return FAULT_NONE;
}

/* An answer comes from whom we asked, or from its bridge, and to the one of us who asked. */
static enum fault
answer_parties(struct verdict *v)
{
	const struct message *m = v->message;

	if (!guid_equal(&m->recipient.guid, &v->asked->sender))
		return refuse(v, FAULT_PEER_UNVERIFIABLE, "Recipient");
	if (!guid_equal(&m->sender.guid, &v->asked->recipient) &&
	    !is_bridge(v->codec, &m->sender.guid))
		return refuse(v, FAULT_PEER_UNVERIFIABLE, "Sender");
	return FAULT_NONE;
}

static enum fault
sender_known(struct verdict *v)
{
	const struct party *from = &v->message->sender;

	if (snapshot_by_guid(v->codec->snapshot, &from->guid, &v->sender))
		return FAULT_NONE;
	v->sender = (struct participant){0};
	return refuse(v, FAULT_SENDER_UNKNOWN, from->guid_text);
}

static enum fault
sender_active(struct verdict *v)
{
	if (v->sender.status == PARTICIPANT_ACTIVE)
		return FAULT_NONE;
	return refuse(v, FAULT_SENDER_INACTIVE, participant_status_name(v->sender.status));
}

/* Names differ in spelling between systems and are not compared. */
static enum fault
sender_consistent(struct verdict *v)
{
	if (same_eik(v->sender.eik, v->message->sender.eik))
		return FAULT_NONE;
	return refuse(v, FAULT_SENDER_INCONSISTENT, v->message->sender.eik);
}

/* Is this the certificate that the register shows for the sender, or for a bridge that may sign for
 * others (section 10, AS4)? */
static bool
registered(struct verdict *v, const struct trusted *t)
{
	const struct conf *conf = v->codec->conf;

	if (trust_serial_equals(t, v->sender.certificate_serial)) {
		v->signer = v->sender;
		return true;
	}
	for (unsigned i = 0; i < conf->peer_count; i++) {
		if (conf->peers[i].bridge &&
		    snapshot_by_guid(v->codec->snapshot, &conf->peers[i].guid, &v->signer) &&
		    v->signer.status == PARTICIPANT_ACTIVE &&
		    trust_serial_equals(t, v->signer.certificate_serial))
			return true;
	}
	v->signer = (struct participant){0};
	return false;
}

static when
moment(const struct verdict *v)
{
	return v->asked && v->asked->answered > 0 ? v->asked->answered : when_now();
}

static bool
look_at(struct verdict *v, const char *base64, size_t len)
{
	v->certificate = (struct trusted){0};
	v->certificate_fault = trust_find(v->codec->trust, base64, len, moment(v), &v->certificate);
	v->has_certificate = v->certificate.certificate && v->certificate.key;
	return v->has_certificate && registered(v, &v->certificate);
}

/* Without any certificate in the signature, the one of the TLS connection counts if the register
 * shows it: it is the pinned certificate of section 4. */
static bool
look_at_tls(struct verdict *v)
{
	const struct wire_bytes *der = &v->tls_certificate;

	v->certificate = (struct trusted){0};
	if (!der->len)
		return false;
	v->certificate_fault =
	    trust_find_der(v->codec->trust, der->data, der->len, moment(v), &v->certificate);
	v->has_certificate = v->certificate.certificate && v->certificate.key &&
	    registered(v, &v->certificate);
	return v->has_certificate;
}

/* Peers enclose their certificate once, twice, or with its chain, in any order: the registered one
 * is meant; if there is none such, the first is looked at, and later refused. */
static enum fault
certificate_found(struct verdict *v)
{
	const struct signature *s = v->signature;

	if (s->certificate_count == 0)
		return look_at_tls(v) ? FAULT_NONE : refuse(v, FAULT_CERTIFICATE_MISSING, NULL);
	for (unsigned i = 0; i < s->certificate_count; i++) {
		if (look_at(v, buf_str(&s->certificates[i]), s->certificates[i].len))
			return FAULT_NONE;
	}
	if (s->certificate_count > 1)
		look_at(v, buf_str(&s->certificates[0]), s->certificates[0].len);
	return v->has_certificate ? FAULT_NONE : refuse(v, FAULT_CERTIFICATE_UNREADABLE, NULL);
}

static enum fault
signature_valid(struct verdict *v)
{
	return refuse(v, signature_check_again(v->signature, v->certificate.checker),
	    v->certificate.common_name);
}

static enum fault
certificate_trusted(struct verdict *v)
{
	return refuse(v, v->certificate_fault, v->certificate.common_name);
}

static enum fault
serial_registered(struct verdict *v)
{
	if (v->signer.uri)
		return FAULT_NONE;
	return refuse(v, FAULT_CERTIFICATE_SERIAL, v->certificate.serial_hex);
}

/* Host of an absolute URL, without port and brackets. */
static void
host_of(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	bool bracketed = *host == '[';
	host += bracketed;
	snprintf(out, size, "%.*s", (int)strcspn(host, bracketed ? "]" : ":/?#"), host);
}

/* A warning unless configured otherwise: renewed certificates and moved servers meet here first. It
 * is logged the 1st, 2nd, 4th, ... time, because a peer does it in every message. */
static enum fault
certificate_named(struct verdict *v)
{
	uint64_t *count = &v->codec->stats.name_mismatch;
	char host[256];

	host_of(v->signer.uri, host, sizeof host);
	if (strcasecmp(host, v->certificate.common_name) == 0)
		return FAULT_NONE;
	(*count)++;
	if ((*count & (*count - 1)) == 0)
		log_warning("codec.certificate-name", "host=\"%s\" certificate=\"%s\" count=%llu",
		    host, v->certificate.common_name, (unsigned long long)*count);
	if (!v->codec->conf->certificate_name_check)
		return FAULT_NONE;
	return refuse(v, FAULT_CERTIFICATE_NAME, v->certificate.common_name);
}

bool
checks_signer_connects(const struct verdict *v)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	const struct wire_bytes *der = &v->tls_certificate;
	const EVP_MD *sha256 = digest_method_md(DIGEST_SHA256);

	return EVP_Digest(der->data, der->len, digest, NULL, sha256, NULL) == 1 &&
	    memcmp(digest, v->certificate.sha256, sizeof v->certificate.sha256) == 0;
}

static enum fault
tls_bound(struct verdict *v)
{
	if (!v->codec->conf->tls_client_binding || checks_signer_connects(v))
		return FAULT_NONE;
	return refuse(v, FAULT_CERTIFICATE_TLS, v->certificate.common_name);
}

static enum fault
sha1_allowed(struct verdict *v)
{
	if (v->signature->method != SIGNATURE_RSA_SHA1 && v->signature->digest != DIGEST_SHA1)
		return FAULT_NONE;
	if (!v->codec->conf->accept_sha1)
		return refuse(v, FAULT_SIGNATURE_SHA1, NULL);
	v->codec->stats.sha1++;
	return FAULT_NONE;
}

/* The schema does not tie the type to the body (section 3); the reader does, and leaves no type
 * when they differ or the type is not one of the four. */
static enum fault
type_matches(struct verdict *v)
{
	if (v->message->type != MESSAGE_NONE)
		return FAULT_NONE;
	return refuse(v, FAULT_MESSAGE_MISMATCH, NULL);
}

/* In the order of section 5. `look_up`: the register may have changed since our copy. */
static const struct check {
	const char *name;
	unsigned applies;
	bool look_up;
	enum fault (*run)(struct verdict *);
} checks[] = {
    {"signature-form", INBOUND | ANSWERS, false, signature_form},
    {"recipient", INBOUND, false, recipient_served},
    {"parties", ANSWERS, false, answer_parties},
    {"sender-known", INBOUND | ANSWERS, true, sender_known},
    {"sender-active", INBOUND, false, sender_active},
    {"sender-consistent", INBOUND, false, sender_consistent},
    {"certificate", INBOUND | ANSWERS, false, certificate_found},
    {"signature", INBOUND | ANSWERS, false, signature_valid},
    {"certificate-trust", INBOUND | ANSWERS, false, certificate_trusted},
    {"serial", INBOUND | ANSWERS, true, serial_registered},
    {"certificate-name", INBOUND, false, certificate_named},
    {"tls-binding", INBOUND, false, tls_bound},
    {"sha1", INBOUND | ANSWERS, false, sha1_allowed},
    {"type", INBOUND | ANSWERS, false, type_matches},
};

enum fault
checks_run(struct verdict *v)
{
	unsigned side = v->asked ? ANSWERS : INBOUND;

	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		if (!(checks[i].applies & side))
			continue;
		v->fault = checks[i].run(v);
		if (v->fault == FAULT_NONE)
			continue;
		v->look_up = checks[i].look_up;
		log_info("codec.refused", "check=%s fault=%s detail=\"%s\" sender=%s message=%s",
		    checks[i].name, fault_code(v->fault), v->detail,
		    v->message->sender.guid_text ? v->message->sender.guid_text : "?",
		    v->message->guid_text ? v->message->guid_text : "?");
		return v->fault;
	}
	v->detail[0] = 0;
	return FAULT_NONE;
}

static struct wire_bytes
certificate_der(struct job *job, X509 *certificate)
{
	int len = i2d_X509(certificate, NULL);
	uint8_t *der = NULL;

	if (len > CERTIFICATE_KEPT)
		return (struct wire_bytes){0}; /* nobody's; it is in the message's own bytes, too */
	if (len > 0)
		der = arena_alloc(&job->memory, (size_t)len);
	if (!der) {
		job->no_memory = true;
		return (struct wire_bytes){0};
	}
	uint8_t *end = der;
	i2d_X509(certificate, &end);
	return (struct wire_bytes){der, (size_t)len};
}

void
checks_keep_proof(struct job *job, const struct verdict *v)
{
	struct proof *p = &job->proof;

	p->method = v->signature->method;
	if (v->signature->fault == FAULT_NONE)
		signature_fingerprint(v->signature, p->fingerprint);
	if (!v->has_certificate)
		return;
	struct wire_bytes der = certificate_der(job, v->certificate.certificate);
	if (der.len && der.len == p->tls_certificate.len &&
	    memcmp(der.data, p->tls_certificate.data, der.len) == 0)
		der.len = 0; /* the usual case: one certificate for both */
	p->certificate = der;
}
