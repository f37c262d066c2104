/* Mutual TLS and HTTP/1.1 as a plain peer speaks it: blocking, keep-alive. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "bench.h"

#define READ_SIZE (64 << 10)
#define HTTP_MAX ((size_t)300 << 20)

SSL_CTX *
link_context(const struct plan *p, bool server)
{
	SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (!c || SSL_CTX_use_certificate_chain_file(c, p->cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(c, p->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(c, p->ca, NULL) != 1)
		bench_fail("%s: cannot be used for TLS", p->cert);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_id_context(c, (const unsigned char *)"bench", 5);
	SSL_CTX_set_mode(c, SSL_MODE_AUTO_RETRY);
	return c;
}

SSL *
link_connect(SSL_CTX *ctx, const struct plan *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *tls = SSL_new(ctx);

	if (s < 0 || !tls || connect(s, (struct sockaddr *)&a, sizeof a) != 0)
		bench_fail("cannot connect to port %d", p->port);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	SSL_set_fd(tls, s);
	SSL_set_tlsext_host_name(tls, p->host);
	if (SSL_connect(tls) != 1)
		bench_fail("TLS with port %d failed: %s", p->port,
		    ERR_reason_error_string(ERR_peek_error()));
	return tls;
}

bool
link_write(SSL *s, const void *data, size_t len)
{
	size_t n;

	for (const char *p = data; len; p += n, len -= n)
		if (SSL_write_ex(s, p, len, &n) != 1)
			return false;
	return true;
}

/* The value of a header, or NULL. */
static const char *
header(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, name, len) == 0 && line[1 + len] == ':')
			return line + 2 + len + strspn(line + 2 + len, " ");
	return NULL;
}

static bool
more(SSL *s, struct buf *in, size_t wanted)
{
	size_t n;
	uint8_t *room = buf_room(in, wanted);

	if (!room || SSL_read_ex(s, room, wanted, &n) != 1)
		return false;
	in->len += n;
	in->data[in->len] = 0;
	return true;
}

bool
link_read(SSL *s, struct buf *in, size_t *body)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char *end = NULL;

	buf_reset(in);
	in->max = HTTP_MAX;
	do {
		if (!more(s, in, READ_SIZE))
			return false;
		end = strstr((char *)in->data, "\r\n\r\n");
	} while (!end);
	*body = (size_t)(end + 4 - (char *)in->data);
	*end = 0;
	const char *length = header((char *)in->data, "content-length");
	const char *expect = header((char *)in->data, "expect");
	size_t all = *body + (length ? strtoull(length, NULL, 10) : 0);
	if (expect && !link_write(s, go, sizeof go - 1))
		return false;
	while (in->len < all)
		if (!more(s, in, all - in->len < (1 << 20) ? all - in->len : 1 << 20))
			return false;
	return true;
}

void
link_close(SSL *s)
{
	int fd = SSL_get_fd(s);

	SSL_shutdown(s);
	SSL_free(s);
	close(fd);
}
