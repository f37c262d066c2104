/* An answer of the register, and the snapshot that is built from it: all of it can be found again. */
#include "fuzz.h"

#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "soap/register.h"

static struct register_reader *reader;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct register_limits limits = {.depth = 32, .text = 4096, .entity = 1 << 16,
	    .kept = 1 << 20, .participants = 1000};

	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	reader = register_reader_new(&limits);
	HOLDS(reader);
	return 0;
}

static bool
add(void *arg, const struct participant *p)
{
	return snapshot_builder_add(arg, p);
}

static enum fault
read_all(const uint8_t *data, size_t size, size_t piece, struct snapshot_builder *b,
    struct register_answer *answer)
{
	HOLDS(register_reader_begin(reader, add, b));
	for (size_t at = 0; at < size; at += piece) {
		enum fault f = register_reader_feed(reader, data + at, size - at < piece ? size - at : piece);
		if (f != FAULT_NONE)
			return f;
	}
	return register_reader_end(reader, answer);
}

static size_t
check_snapshot(struct snapshot_builder *b)
{
	int fd = snapshot_builder_finish(b, 0, 0, 0, SNAPSHOT_FULL);
	HOLDS(fd >= 0);
	struct snapshot *s = snapshot_open(fd);
	HOLDS(s);
	size_t count = snapshot_count(s);
	for (size_t i = 0; i < count; i++) {
		struct participant p, q;
		snapshot_at(s, i, &p);
		HOLDS(snapshot_by_guid(s, &p.guid, &q) && q.name == p.name);
		HOLDS(!*p.eik || snapshot_by_eik(s, p.eik, &q));
		snapshot_by_serial(s, p.certificate_serial, 0, &q);
	}
	snapshot_free(s);
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t counts[2] = {0, 0};
	bool read[2];

	for (int i = 0; i < 2; i++) {
		struct register_answer answer = {0};
		struct snapshot_builder *b = snapshot_builder_new();
		HOLDS(b);
		read[i] = read_all(data, size, i ? 1 + size % 13 : size + 1, b, &answer) == FAULT_NONE;
		if (read[i]) {
			counts[i] = check_snapshot(b);
			HOLDS(counts[i] <= answer.participants);
		}
		snapshot_builder_free(b);
	}
	HOLDS(read[0] == read[1] && counts[0] == counts[1]);
	return 0;
}
