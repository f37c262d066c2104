/* The set of revoked certificates: found, not found, damaged. */
#include "lib/revocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static X509 *
certificate(const char *issuer, long serial)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)issuer, -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_NAME_free(name);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	return x;
}

static void
only_what_is_named_is_revoked(void **state)
{
	struct revocation all[3];
	X509 *named = certificate("CA", 7), *other_serial = certificate("CA", 8);
	X509 *other_issuer = certificate("CB", 7);

	(void)state;
	for (int i = 0; i < 3; i++) {
		X509 *x = certificate("CA", 7 + 10 * i);
		assert_true(revocation_key(X509_get_issuer_name(x), X509_get0_serialNumber(x), all[i].key));
		all[i].at = 1000 + i;
		X509_free(x);
	}
	struct revocations *r = revocations_open(revocations_seal(all, 3));
	assert_non_null(r);
	assert_int_equal(revocations_count(r), 3);
	assert_int_equal(revocations_find(r, named), 1000);
	assert_true(revocations_find(r, other_serial) == WHEN_NONE);
	assert_true(revocations_find(r, other_issuer) == WHEN_NONE);
	assert_true(revocations_find(NULL, named) == WHEN_NONE);
	revocations_free(r);
	r = revocations_open(revocations_seal(NULL, 0));
	assert_non_null(r);
	assert_true(revocations_find(r, named) == WHEN_NONE);
	revocations_free(r);
	X509_free(named);
	X509_free(other_serial);
	X509_free(other_issuer);
}

static void
damaged_sets_are_refused(void **state)
{
	static const char *const texts[] = {"", "OBMREV1", "OBMREV2\0", "OBMREV1\0short"};
	static const size_t sizes[] = {0, 7, 8, 13};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		int fd = memfd_create("damaged", 0);
		assert_int_equal(write(fd, texts[i], sizes[i]), sizes[i]);
		assert_null(revocations_open(fd));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_named_is_revoked),
		cmocka_unit_test(damaged_sets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
