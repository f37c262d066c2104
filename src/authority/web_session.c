/*
 * Sessions without memory: the cookie carries its own proof. It is bound to the certificate of the
 * connection, so under another certificate it is no session at all, and a copied cookie is worth
 * nothing without the key of that certificate.
 */
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "authority/web_page.h"

#define COOKIE "__Host-session"
#define IDLE_MAX (30 * 60 * WHEN_SECOND)
#define AGE_MAX (12 * 3600 * WHEN_SECOND)
#define RENEW_AFTER (60 * WHEN_SECOND)
#define MAC_SIZE 32

struct proof {
	uint8_t id[16];
	int64_t born, seen; /* in this machine's order of bytes: only we read it */
	uint8_t mac[MAC_SIZE];
} __attribute__((packed));

static when
now(const struct web_exchange *x)
{
	return x->site->now ? x->site->now() : when_now();
}

/* What it is for keeps cookies from being taken for tokens. */
static void
make_mac(const struct web_exchange *x, const char *purpose, const void *data, size_t len,
         uint8_t out[MAC_SIZE])
{
	uint8_t text[256];
	unsigned size = 0;
	int n = snprintf((char *)text, sizeof text, "%s %s ", purpose, x->fingerprint);

	memcpy(text + n, data, len);
	HMAC(EVP_sha256(), x->site->secret, sizeof x->site->secret, text, (size_t)n + len, out,
	    &size);
}

static void
write_hex(const void *data, size_t len, char *out)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", b[i]);
}

static bool
read_hex(const char *text, void *out, size_t size)
{
	size_t len = 0;

	return strlen(text) == 2 * size && OPENSSL_hexstr2buf_ex(out, size, &len, text, 0) == 1 &&
	    len == size;
}

static void
make_proof(const struct web_exchange *x, struct proof *p)
{
	memcpy(p->id, x->session.id, sizeof p->id);
	p->born = x->session.born;
	p->seen = x->session.seen;
	make_mac(x, "session", p, offsetof(struct proof, mac), p->mac);
}

/* The session of the cookie, when it holds for this certificate and this hour. */
static bool
read_session(struct web_exchange *x, const char *cookie_field)
{
	char text[WEB_COOKIE_SIZE];
	struct proof p;
	uint8_t mac[MAC_SIZE];
	when at = now(x);

	if (!web_cookie(cookie_field, COOKIE, text, sizeof text) || !read_hex(text, &p, sizeof p))
		return false;
	make_mac(x, "session", &p, offsetof(struct proof, mac), mac);
	if (CRYPTO_memcmp(mac, p.mac, sizeof mac) != 0)
		return false;
	if (at < p.seen - RENEW_AFTER || at - p.seen > IDLE_MAX || at - p.born > AGE_MAX)
		return false;
	memcpy(x->session.id, p.id, sizeof p.id);
	x->session.born = p.born;
	x->session.seen = p.seen;
	x->session.renew = at - p.seen > RENEW_AFTER;
	return true;
}

bool
web_session_take(struct web_exchange *x, const char *cookie_field)
{
	struct web_session *s = &x->session;
	uint8_t mac[MAC_SIZE];

	if (!read_session(x, cookie_field)) {
		if (RAND_bytes(s->id, sizeof s->id) != 1)
			return false;
		s->born = s->seen = now(x);
		s->renew = true;
	}
	if (s->renew)
		s->seen = now(x);
	make_mac(x, "form", s->id, sizeof s->id, mac);
	write_hex(mac, sizeof mac, s->token);
	return true;
}

void
web_session_cookie(const struct web_exchange *x, char out[WEB_COOKIE_SIZE])
{
	struct proof p;

	make_proof(x, &p);
	write_hex(&p, sizeof p, out);
}

bool
web_session_owns(const struct web_exchange *x, const char *token)
{
	return token && strlen(token) == sizeof x->session.token - 1 &&
	    CRYPTO_memcmp(token, x->session.token, sizeof x->session.token - 1) == 0;
}
