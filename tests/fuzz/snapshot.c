/* The register's snapshot as bytes: a damaged one is refused, and no look-up ever leaves it. */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/log.h"
#include "register/snapshot.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	return 0;
}

/* Sealed: then the checksum, which no fuzzer finds, does not count, and the offsets must be safe. */
static int
descriptor(const uint8_t *data, size_t size, bool seal)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (seal)
		HOLDS(fcntl(fd, F_ADD_SEALS,
		          F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	return fd;
}

static size_t
lengths(const struct participant *p)
{
	return strlen(p->eik) + strlen(p->name) + strlen(p->phone) + strlen(p->fax) + strlen(p->email) +
	    strlen(p->certificate_serial) + strlen(p->service_name) + strlen(p->uri) +
	    strlen(p->service_version);
}

static void
walk(const struct snapshot *s)
{
	struct participant p, q;
	size_t total = 0;

	for (size_t i = 0; i < snapshot_count(s); i++) {
		snapshot_at(s, i, &p);
		total += lengths(&p);
		if (snapshot_by_guid(s, &p.guid, &q))
			total += lengths(&q);
		if (snapshot_by_eik(s, p.eik, &q))
			total += lengths(&q);
		for (size_t n = 0; n < 3 && snapshot_by_serial(s, p.certificate_serial, n, &q); n++)
			total += lengths(&q);
	}
	snapshot_by_eik(s, "990000017", &q);
	snapshot_by_serial(s, "0A", 0, &q);
	HOLDS(total < SIZE_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int seal = 0; seal < 2; seal++) {
		struct snapshot *s = snapshot_open(descriptor(data, size, seal));
		if (s)
			walk(s);
		snapshot_free(s);
	}
	return 0;
}
