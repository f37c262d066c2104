#include "message/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include "lib/log.h"
#include "message/base64.h"
#include "message/trust_entry.h"

#define BUCKETS 1024u
#define CERTIFICATE_MAX ((size_t)16 << 10) /* bytes of DER */
#define CRLS_MAX 64u

struct trust {
	X509_STORE *store; /* NULL = no chain is checked */
	STACK_OF(X509) *authorities;
	X509_CRL *crls[CRLS_MAX];
	unsigned crl_count;
	const struct revocations *revoked; /* NULL: none */
	uint64_t seed;
	struct trust_entry *buckets[BUCKETS];
	struct trust_entry *newest, *oldest;
	unsigned count;
	struct trust_entry *passing; /* the last one that was not worth keeping */
};

/* --- files ---------------------------------------------------------------------------------- */

static bool
load_authorities(struct trust *t, const char *file)
{
	BIO *in = BIO_new_file(file, "r");
	X509 *x;

	t->store = X509_STORE_new();
	t->authorities = sk_X509_new_null();
	if (!in || !t->store || !t->authorities) {
		log_error("trust.ca-unreadable", "file=\"%s\"", file);
		BIO_free(in);
		return false;
	}
	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		X509_STORE_add_cert(t->store, x);
		if (!sk_X509_push(t->authorities, x))
			X509_free(x);
	}
	BIO_free(in);
	ERR_clear_error();
	if (sk_X509_num(t->authorities) > 0)
		return true;
	log_error("trust.ca-empty", "file=\"%s\"", file);
	return false;
}

/* A list of revoked certificates counts only when a configured CA signed it. */
static bool
crl_signed(const struct trust *t, X509_CRL *crl)
{
	for (int i = 0; i < sk_X509_num(t->authorities); i++) {
		X509 *ca = sk_X509_value(t->authorities, i);
		if (X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1)
			return true;
	}
	return false;
}

static bool
add_crl(struct trust *t, X509_CRL *crl, const char *file)
{
	bool known = crl_signed(t, crl);

	if (!known || t->crl_count == CRLS_MAX) {
		log_error("trust.crl-unusable", "file=\"%s\" reason=\"%s\"", file,
		    known ? "too many lists" : "not signed by a configured CA");
		X509_CRL_free(crl);
		return false;
	}
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	if (next && X509_cmp_current_time(next) < 0)
		log_warning("trust.crl-old", "file=\"%s\"", file);
	t->crls[t->crl_count++] = crl;
	return true;
}

static bool
load_crls(struct trust *t, const char *file)
{
	BIO *in = BIO_new_file(file, "rb");
	X509_CRL *crl;
	bool ok = true;

	while (in && ok && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)) != NULL)
		ok = add_crl(t, crl, file);
	if (in && ok && t->crl_count == 0 && BIO_reset(in) == 0) {
		crl = d2i_X509_CRL_bio(in, NULL);
		ok = crl && add_crl(t, crl, file);
	}
	if (!in || (ok && t->crl_count == 0) || !ok)
		log_error("trust.crl-unreadable", "file=\"%s\"", file);
	BIO_free(in);
	ERR_clear_error();
	return ok && t->crl_count > 0;
}

struct trust *
trust_new(const struct trust_options *options)
{
	struct trust *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	bool ok = RAND_bytes((unsigned char *)&t->seed, sizeof t->seed) == 1;
	if (ok && options->ca_file)
		ok = load_authorities(t, options->ca_file);
	/* Without a CA nobody can say that a list is genuine. */
	if (ok && options->ca_file && options->crl_file)
		ok = load_crls(t, options->crl_file);
	if (!ok) {
		trust_free(t);
		return NULL;
	}
	return t;
}

void
trust_free(struct trust *t)
{
	if (!t)
		return;
	struct trust_entry *next;
	for (struct trust_entry *e = t->newest; e; e = next) {
		next = e->older;
		trust_entry_free(e);
	}
	trust_entry_free(t->passing);
	for (unsigned i = 0; i < t->crl_count; i++)
		X509_CRL_free(t->crls[i]);
	X509_STORE_free(t->store);
	sk_X509_pop_free(t->authorities, X509_free);
	free(t);
}

/* --- cache ---------------------------------------------------------------------------------- */

/* The end of a certificate is its signature: different certificates differ there. Only those that
 * chain are kept, so nobody outside can choose what collides. */
static uint64_t
hash_key(const struct trust *t, const void *key, size_t len)
{
	uint64_t h = t->seed ^ len, w;
	size_t n = len < 128 ? len : 128;
	const uint8_t *p = (const uint8_t *)key + len - n;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

static void
unlink_use(struct trust *t, struct trust_entry *e)
{
	*(e->newer ? &e->newer->older : &t->newest) = e->older;
	*(e->older ? &e->older->newer : &t->oldest) = e->newer;
}

static void
link_newest(struct trust *t, struct trust_entry *e)
{
	e->newer = NULL;
	e->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = e;
	t->newest = e;
}

static struct trust_entry *
cache_find(struct trust *t, const void *key, size_t len, bool der, uint64_t hash)
{
	struct trust_entry *e = t->buckets[hash % BUCKETS];

	while (e && (e->hash != hash || e->der != der || e->key_len != len ||
	             memcmp(e->key, key, len) != 0))
		e = e->next;
	if (e && e != t->newest) {
		unlink_use(t, e);
		link_newest(t, e);
	}
	return e;
}

static void
cache_drop_oldest(struct trust *t)
{
	struct trust_entry *e = t->oldest, **p = &t->buckets[e->hash % BUCKETS];

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	unlink_use(t, e);
	t->count--;
	trust_entry_free(e);
}

static void
cache_add(struct trust *t, struct trust_entry *e)
{
	if (t->count == TRUST_CACHE_ENTRIES)
		cache_drop_oldest(t);
	e->next = t->buckets[e->hash % BUCKETS];
	t->buckets[e->hash % BUCKETS] = e;
	link_newest(t, e);
	t->count++;
}

/* --- decoding and checking ------------------------------------------------------------------ */

static X509 *
decode(const void *key, size_t len, bool der)
{
	uint8_t bytes[CERTIFICATE_MAX];
	struct base64 state = {.bits = 0};

	if (!der) {
		if (base64_room(len) > sizeof bytes)
			return NULL;
		len = base64_decode(&state, key, len, bytes);
		if (!base64_complete(&state))
			return NULL;
		key = bytes;
	}
	if (len > CERTIFICATE_MAX)
		return NULL;
	const unsigned char *p = key;
	X509 *x = d2i_X509(NULL, &p, (long)len);
	if (x && p != (const unsigned char *)key + len) {
		X509_free(x);
		x = NULL;
	}
	return x;
}

static void
note_revocation(struct trust *t, struct trust_entry *e, X509 *x)
{
	for (unsigned i = 0; i < t->crl_count; i++) {
		X509_REVOKED *row;
		/* 2 = removeFromCRL: taken back */
		if (X509_NAME_cmp(X509_CRL_get_issuer(t->crls[i]), X509_get_issuer_name(x)) != 0 ||
		    X509_CRL_get0_by_cert(t->crls[i], &row, x) != 1)
			continue;
		struct tm tm;
		when at = 0;
		if (ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(row), &tm))
			at = (when)timegm(&tm) * WHEN_SECOND;
		if (e->revoked_at == WHEN_NONE || at < e->revoked_at)
			e->revoked_at = at;
	}
}

/* Above the certificate itself: when was all of it valid? */
static void
note_issuer(struct trust_entry *e, X509 *x)
{
	struct trust_entry above = {.key = NULL};

	trust_entry_fill(&above, x);
	if (above.facts.not_before > e->chain_from)
		e->chain_from = above.facts.not_before;
	if (above.facts.not_after < e->chain_to)
		e->chain_to = above.facts.not_after;
}

/* Builds the chain once, without looking at the clock; moments are compared at every use. */
static bool
check_chain(struct trust *t, struct trust_entry *e)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	e->chain_from = 0;
	e->chain_to = INT64_MAX;
	e->revoked_at = WHEN_NONE;
	if (!ctx || !X509_STORE_CTX_init(ctx, t->store, e->facts.certificate, NULL)) {
		X509_STORE_CTX_free(ctx);
		return false;
	}
	/* The CA above the exchange CA is often not known here: any configured one is an anchor. */
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN);
	e->chains = X509_verify_cert(ctx) == 1;
	if (!e->chains && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM) {
		X509_STORE_CTX_free(ctx);
		return false;
	}
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	for (int i = 0; e->chains && i < sk_X509_num(chain); i++) {
		note_revocation(t, e, sk_X509_value(chain, i));
		if (i > 0)
			note_issuer(e, sk_X509_value(chain, i));
	}
	X509_STORE_CTX_free(ctx);
	return true;
}

static struct trust_entry *
make_entry(struct trust *t, const void *key, size_t len, bool der, uint64_t hash, enum fault *fault)
{
	X509 *x = decode(key, len, der);
	struct trust_entry *e = x ? calloc(1, sizeof *e) : NULL;

	*fault = x ? FAULT_INTERNAL : FAULT_CERTIFICATE_UNREADABLE;
	ERR_clear_error();
	if (!e) {
		X509_free(x);
		return NULL;
	}
	*fault = trust_entry_fill(e, x) ? FAULT_NONE : FAULT_CERTIFICATE_UNREADABLE;
	e->key = malloc(len);
	if (!*fault && (!e->key || (t->store && !check_chain(t, e))))
		*fault = FAULT_INTERNAL;
	if (!t->store) {
		e->chain_to = INT64_MAX;
		e->revoked_at = WHEN_NONE;
		e->chains = true;
	}
	ERR_clear_error();
	if (*fault) {
		trust_entry_free(e);
		return NULL;
	}
	memcpy(e->key, key, len);
	e->key_len = len;
	e->der = der;
	e->hash = hash;
	return e;
}

void
trust_set_revoked(struct trust *t, const struct revocations *set)
{
	t->revoked = set;
}

static enum fault
judge(const struct trust *t, const struct trust_entry *e, when at)
{
	if (!e->chains)
		return FAULT_CERTIFICATE_CHAIN;
	when revoked = revocations_find(t->revoked, e->facts.certificate);
	if (revoked != WHEN_NONE && at >= revoked)
		return FAULT_CERTIFICATE_REVOKED;
	if (e->revoked_at != WHEN_NONE && at >= e->revoked_at)
		return FAULT_CERTIFICATE_REVOKED;
	/* Its issuer is there already: what looks too early above it is the clock that looks. */
	if (at < e->facts.not_before || at < e->chain_from)
		return FAULT_CERTIFICATE_NOT_YET;
	if (at > e->facts.not_after)
		return FAULT_CERTIFICATE_EXPIRED;
	return at > e->chain_to ? FAULT_CERTIFICATE_CHAIN : FAULT_NONE;
}

static enum fault
find(struct trust *t, const void *key, size_t len, bool der, when at, struct trusted *out)
{
	uint64_t hash = hash_key(t, key, len);
	struct trust_entry *e = cache_find(t, key, len, der, hash);

	*out = (struct trusted){.certificate = NULL};
	if (!e) {
		enum fault fault;
		e = make_entry(t, key, len, der, hash, &fault);
		if (!e)
			return fault;
		if (e->chains) {
			cache_add(t, e);
		} else {
			trust_entry_free(t->passing);
			t->passing = e;
		}
	}
	*out = e->facts;
	return judge(t, e, at);
}

enum fault
trust_find(struct trust *t, const char *base64, size_t len, when at, struct trusted *out)
{
	return find(t, base64, len, false, at, out);
}

enum fault
trust_find_der(struct trust *t, const void *der, size_t len, when at, struct trusted *out)
{
	return find(t, der, len, true, at, out);
}
