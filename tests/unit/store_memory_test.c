/*
 * Memory runs out at every allocation of a batch, once and for the rest of it, in our code and in SQLite:
 * the batch is refused or kept as a whole, and when there is memory again the store works as before.
 * The allocator is this program's own: it stands before the C library's. time-limit: 300
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include "store_fixture.h"

/* gcc knows __has_feature from 14 on, with or without the sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#define NO_ALLOCATOR 1
#endif

/* Allocations until the first that fails, and how many fail then. */
static uint64_t countdown, failing;

static bool
fails(void)
{
	if (countdown > 0) {
		countdown--;
		return false;
	}
	if (failing == 0)
		return false;
	failing--;
	errno = ENOMEM;
	return true;
}

#ifndef NO_ALLOCATOR
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return size > 0 && fails() ? NULL : __libc_realloc(old, size);
}
#endif

static uint64_t
documents(struct fixture *f)
{
	struct store_figures figures;
	uint64_t n = 0;

	assert_int_equal(f->backend->figures(f->store, &figures), FAULT_NONE);
	for (int d = 0; d < DIRECTION_COUNT; d++)
		for (int s = 0; s < STATE_COUNT; s++)
			n += figures.documents[d][s];
	return n;
}

/* One message in, one document out; how many of the two are kept. */
static uint64_t
batch(struct fixture *f, unsigned n)
{
	struct wire_receive in = registration(n, n);
	struct wire_receive_reply reply;
	struct store_incoming i = {.message = &in, .body = {.data = test_body, .size = sizeof test_body - 1}};
	struct store_submission s = {.by = "uid 1", .sender = OWN, .recipient = PEER,
	    .recipient_name = "x", .recipient_eik = "1", .id = {.guid = DOCUMENT(n + 500000), .number = "1",
	        .date = "2027-01-15"}, .details = {.data = "{}", .size = 2}};
	uint64_t kept = 0;
	int64_t id;

	if (f->backend->begin(f->store, f->now))
		return 0;
	kept += f->backend->receive(f->store, &i, &reply) == FAULT_NONE && reply.outcome == RECEIVE_STORED;
	kept += f->backend->submit(f->store, &s, &id) == FAULT_NONE;
	return f->backend->commit(f->store) == FAULT_NONE ? kept : 0;
}

/* False once the batch has fewer allocations than that. */
static bool
starve(struct fixture *f, unsigned at, uint64_t how_many)
{
	static unsigned n;
	uint64_t before = documents(f);

	n += 2;
	countdown = at;
	failing = how_many;
	uint64_t kept = batch(f, n);
	bool met = failing < how_many;
	countdown = failing = 0;
	if (documents(f) != before + kept)
		fail_msg("allocation %u: %u kept, but %u more are there", at, (unsigned)kept,
		    (unsigned)(documents(f) - before));
	/* Twice, so that nothing is left over that would only show later. */
	for (unsigned again = 1; again < 3; again++)
		if (batch(f, n + again * 1000000) != 2)
			fail_msg("allocation %u: the store does not work again", at);
	return met;
}

static void
no_memory(uint64_t how_many)
{
	struct fixture f;
	unsigned at = 0;

	assert_true(fixture_open(&f));
	batch(&f, 400001);
	while (starve(&f, at, how_many))
		at++;
	print_message("%u places\n", at);
	assert_true(at > 10);
	fixture_close(&f);
}

static void
test_once(void **state)
{
	(void)state;
	no_memory(1);
}

static void
test_for_the_rest(void **state)
{
	(void)state;
	no_memory(1000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_once),
	    cmocka_unit_test(test_for_the_rest),
	};

	log_init("test", -1, LOG_ERROR + 1);
#ifdef NO_ALLOCATOR
	(void)fails;
	(void)tests;
	print_message("ok 1 # SKIP the sanitizer has its own allocator\n");
	return 0;
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
