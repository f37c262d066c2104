#include "lib/http_stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AHEAD (32 << 10) /* of the socket in one call: two records, or many small ones */

bool
http_stream_open(struct http_stream *s, int fd, SSL_CTX *tls)
{
	*s = (struct http_stream){.fd = fd, .established = !tls};
	if (!tls)
		return true;
	ERR_clear_error();
	s->ssl = SSL_new(tls);
	if (!s->ssl || !SSL_set_fd(s->ssl, fd)) {
		http_stream_close(s);
		return false;
	}
	SSL_set_accept_state(s->ssl);
	SSL_set_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(s->ssl, 1); /* else each record takes two calls */
	SSL_set_default_read_buffer_len(s->ssl, READ_AHEAD);
	/* A missing close_notify is harmless here: the end of the stream never ends a message. */
	SSL_set_options(s->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	return true;
}

/* The meaning of an SSL call that returned r <= 0. */
static int
tls_result(struct http_stream *s, int r)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return HTTP_STREAM_BLOCKED;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		s->failed = true;
		return HTTP_STREAM_ERROR;
	}
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* A resumed session brings back the certificate of the full handshake, which is not verified again:
 * it may have expired since. */
static bool
still_valid(SSL *ssl)
{
	X509 *x = SSL_session_reused(ssl) ? SSL_get0_peer_certificate(ssl) : NULL;

	if (!x || X509_cmp_current_time(X509_get0_notAfter(x)) > 0)
		return true;
	SSL_set_verify_result(ssl, X509_V_ERR_CERT_HAS_EXPIRED);
	return false;
}

int
http_stream_handshake(struct http_stream *s)
{
	if (s->established)
		return 1;
	ERR_clear_error();
	errno = 0;
	int r = SSL_do_handshake(s->ssl);
	if (r == 1) {
		s->established = true;
		s->failed = !still_valid(s->ssl);
		return s->failed ? HTTP_STREAM_ERROR : 1;
	}
	s->read_needs_write = SSL_want_write(s->ssl);
	int result = tls_result(s, r);
	s->failed |= result == 0;
	return result == 0 ? HTTP_STREAM_ERROR : result;
}

long
http_stream_read(struct http_stream *s, void *out, size_t size)
{
	if (!s->ssl) {
		ssize_t n = recv(s->fd, out, size, 0);
		return n >= 0 ? n : would_block() ? HTTP_STREAM_BLOCKED : HTTP_STREAM_ERROR;
	}
	ERR_clear_error();
	int n = SSL_read(s->ssl, out, size > INT_MAX ? INT_MAX : (int)size);
	s->read_needs_write = n <= 0 && SSL_want_write(s->ssl);
	return n > 0 ? n : tls_result(s, n);
}

long
http_stream_write(struct http_stream *s, const void *data, size_t len)
{
	if (!s->ssl) {
		ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);
		if (n > 0)
			return n;
		return n == 0 || would_block() ? HTTP_STREAM_BLOCKED : HTTP_STREAM_ERROR;
	}
	ERR_clear_error();
	int n = SSL_write(s->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
	s->write_needs_read = n <= 0 && SSL_want_read(s->ssl);
	int result = n > 0 ? n : tls_result(s, n);
	return result == 0 ? HTTP_STREAM_ERROR : result;
}

bool
http_stream_pending(const struct http_stream *s)
{
	return s->ssl && SSL_has_pending(s->ssl);
}

void
http_stream_finish(struct http_stream *s)
{
	if (s->ssl) {
		ERR_clear_error();
		if (s->established && !s->failed)
			SSL_shutdown(s->ssl);
		/* An abrupt end is no reason to forget the session: it stays good for
		 * resumption. */
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(s->ssl);
		s->ssl = NULL;
		ERR_clear_error();
	}
	shutdown(s->fd, SHUT_WR);
}

void
http_stream_reset(struct http_stream *s)
{
	struct linger now = {.l_onoff = 1};

	s->failed = true;
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void
http_stream_close(struct http_stream *s)
{
	if (s->fd < 0)
		return;
	http_stream_finish(s);
	close(s->fd);
	s->fd = -1;
}
