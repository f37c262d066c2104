#include "register/layout.h"

#include <openssl/evp.h>
#include <string.h>

void
layout_get_strings(const struct participant *p, const char *out[STRING_COUNT])
{
	out[STRING_EIK] = p->eik;
	out[STRING_NAME] = p->name;
	out[STRING_PHONE] = p->phone;
	out[STRING_FAX] = p->fax;
	out[STRING_EMAIL] = p->email;
	out[STRING_SERIAL] = p->certificate_serial;
	out[STRING_SERVICE_NAME] = p->service_name;
	out[STRING_URI] = p->uri;
	out[STRING_VERSION] = p->service_version;
}

size_t
layout_serial(const char *text, char out[LAYOUT_SERIAL_MAX])
{
	size_t n = 0;

	for (; *text; text++) {
		char c = *text;
		if (c >= 'a' && c <= 'f')
			c = (char)(c - 'a' + 'A');
		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'F'))
			return 0;
		if (n == 0 && c == '0')
			continue;
		if (n == LAYOUT_SERIAL_MAX)
			return 0;
		out[n++] = c;
	}
	return n;
}

bool
layout_digest(const void *data, size_t size, uint8_t out[32])
{
	static const uint8_t zero[32];
	const size_t at = offsetof(struct layout_header, sha256), after = at + sizeof zero;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && size >= after && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, data, at) == 1 &&
	    EVP_DigestUpdate(ctx, zero, sizeof zero) == 1 &&
	    EVP_DigestUpdate(ctx, (const uint8_t *)data + after, size - after) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}
