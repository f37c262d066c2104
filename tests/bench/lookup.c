/*
 * Nanoseconds from a text GUID to a participant, by size of the register: to its record, and with
 * its certificate's serial read too, which lies elsewhere in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "../unit/register_synthetic.h"
#include "bench.h"

#define LOOKUPS 50000
#define ROUNDS 24

static struct snapshot *
make_snapshot(unsigned count)
{
	struct snapshot_builder *b = snapshot_builder_new();
	struct synthetic s;

	for (unsigned i = 0; b && i < count; i++) {
		synthetic_make(i, &s);
		if (!snapshot_builder_add(b, &s.p))
			bench_fail("snapshot of %u", count);
	}
	when now = when_now();
	struct snapshot *snapshot = snapshot_open(
	    snapshot_builder_finish(b, now, now, now, SNAPSHOT_FULL));
	snapshot_builder_free(b);
	if (!snapshot)
		bench_fail("snapshot of %u", count);
	return snapshot;
}

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of several rounds over random participants: what the memory allows, not the neighbours. */
static double
measure(const struct snapshot *snapshot, char (*texts)[GUID_TEXT_SIZE], bool serial)
{
	double best = 1e12;

	for (int k = 0; k < ROUNDS; k++) {
		unsigned found = 0;
		double start = cpu_ns();
		for (unsigned i = 0; i < LOOKUPS; i++) {
			struct participant p = {.status = PARTICIPANT_ACTIVE};
			struct guid g;
			found += guid_parse(&g, texts[i], GUID_TEXT_LEN) &&
			    snapshot_by_guid(snapshot, &g, &p) &&
			    (serial ? *p.certificate_serial != 0 : p.status <= PARTICIPANT_TEMPORARILY_INACTIVE);
		}
		double ns = (cpu_ns() - start) / LOOKUPS;
		if (found != LOOKUPS)
			bench_fail("%u of %u look-ups found nothing", LOOKUPS - found, LOOKUPS);
		best = ns < best ? ns : best;
	}
	return best;
}

int
lookup_main(int argc, char **argv)
{
	char(*texts)[GUID_TEXT_SIZE] = calloc(LOOKUPS, sizeof *texts);
	struct buf record = {0}, serial = {0};

	if (!texts)
		bench_fail("memory");
	for (int i = 0; i < argc; i++) {
		unsigned count = (unsigned)strtoul(argv[i], NULL, 10);
		struct snapshot *snapshot = make_snapshot(count);
		for (unsigned k = 0; k < LOOKUPS; k++) {
			struct guid g;
			synthetic_guid((unsigned)(synthetic_mix(k + 1000003) % count), &g);
			guid_format(&g, texts[k]);
		}
		const char *comma = i ? ", " : "";
		buf_addf(&record, "%s\"%u\": %.1f", comma, count, measure(snapshot, texts, false));
		buf_addf(&serial, "%s\"%u\": %.1f", comma, count, measure(snapshot, texts, true));
		snapshot_free(snapshot);
	}
	printf("{\"lookup_ns\": {%s}, \"lookup_serial_ns\": {%s}}\n", buf_str(&record),
	    buf_str(&serial));
	buf_free(&record);
	buf_free(&serial);
	free(texts);
	return 0;
}
