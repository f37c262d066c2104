#include "lib/clock.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <time.h>

#include "lib/conf.h"

#define UNKNOWN INT64_MAX

static when
not_before(const X509 *x)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(X509_get0_notBefore(x), &tm))
		return UNKNOWN;
	return (when)timegm(&tm) * WHEN_SECOND;
}

/* The earliest beginning in a file of PEM certificates; only its first one counts when `one`. */
static when
earliest_in(const char *file, bool one)
{
	BIO *in = file ? BIO_new_file(file, "r") : NULL;
	when earliest = UNKNOWN;
	X509 *x;

	while (in && (x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		when begins = not_before(x);
		X509_free(x);
		if (begins < earliest)
			earliest = begins;
		if (one)
			break;
	}
	BIO_free(in);
	ERR_clear_error();
	return earliest;
}

when
clock_floor(const struct conf *c)
{
	when authority = earliest_in(c->ca_file, false), own = UNKNOWN;

	for (unsigned i = 0; i < c->certificate_count; i++) {
		/* Issuers may follow in the file: they are older. */
		when begins = earliest_in(c->certificates[i].file, true);
		if (begins < own)
			own = begins;
	}
	authority = authority == UNKNOWN ? 0 : authority;
	own = own == UNKNOWN ? 0 : own;
	return own > authority ? own : authority;
}

bool
clock_wrong(when floor)
{
	return when_now() < floor;
}
