/*
 * A file of evidence, as obmenctl evidence verify reads it offline: tar, sums, chain, entries, and the
 * messages, certificates and stamps that they name. Sums and digests would end every input at once, so
 * the input is a recipe: members, divided by the byte 1e, each a line with its name and then its bytes.
 * In entries $NAME$ becomes digest and size of a member before; "*chain" is written over the entries so
 * far, "*sums" over everything. An input that begins with 1e is taken as the tar file itself.
 */
#include "fuzz.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/tar.h"
#include "obmenctl/evidence.h"
#include "store/journal.h"

#define MEMBERS 64
#define DIVIDER 0x1e

struct made {
	char name[TAR_NAME_MAX + 1];
	char *data;
	size_t size;
	uint8_t hash[JOURNAL_HASH];
};

struct file {
	struct made members[MEMBERS];
	unsigned count;
	bool whole; /* chain and sums were written, and nothing after */
};

static FILE *nowhere;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	nowhere = fopen("/dev/null", "w");
	HOLDS(nowhere);
	return 0;
}

static const struct made *
find(const struct file *f, const char *name, size_t len)
{
	for (unsigned i = 0; i < f->count; i++)
		if (strlen(f->members[i].name) == len && memcmp(f->members[i].name, name, len) == 0)
			return &f->members[i];
	return NULL;
}

static void
add(struct file *f, const char *name, size_t len, struct buf *content)
{
	struct made *m = &f->members[f->count];

	if (f->count == MEMBERS || len == 0 || len > TAR_NAME_MAX || memchr(name, 0, len)) {
		buf_free(content);
		return;
	}
	*m = (struct made){.size = content->len};
	memcpy(m->name, name, len);
	m->data = calloc(1, content->len + 1);
	HOLDS(m->data);
	if (content->len)
		memcpy(m->data, content->data, content->len);
	EVP_Digest(m->data, m->size, m->hash, NULL, EVP_sha256(), NULL);
	f->count++;
	buf_free(content);
}

static void
add_with_names(struct file *f, const char *name, size_t len, const char *text, size_t size)
{
	struct buf out = {.max = 1 << 20};
	char hex[2 * JOURNAL_HASH + 1];

	for (size_t i = 0; i < size; i++) {
		const char *end = text[i] == '$' ? memchr(text + i + 1, '$', size - i - 1) : NULL;
		const struct made *m = end ? find(f, text + i + 1, (size_t)(end - text) - i - 1) : NULL;
		if (!m) {
			buf_addc(&out, text[i]);
			continue;
		}
		journal_hex_write(m->hash, hex);
		buf_addf(&out, "%s %zu", hex, m->size);
		i = (size_t)(end - text);
	}
	add(f, name, len, &out);
}

static void
add_chain(struct file *f)
{
	uint8_t previous[JOURNAL_HASH] = {0}, entry[JOURNAL_HASH], digest[JOURNAL_HASH];
	struct buf out = {.max = 1 << 20};
	char one[2 * JOURNAL_HASH + 1], two[sizeof one];
	long long sequence;

	for (unsigned i = 0; i < f->count; i++) {
		struct made *m = &f->members[i];
		if (sscanf(m->name, "journal/entry-%20lld.txt", &sequence) != 1)
			continue;
		HOLDS(journal_digest((uint64_t)sequence, previous, m->data, m->size, entry, digest));
		journal_hex_write(entry, one);
		journal_hex_write(digest, two);
		buf_addf(&out, "%lld %s %s\n", sequence, one, two);
		memcpy(previous, digest, sizeof previous);
	}
	add(f, EVIDENCE_CHAIN, strlen(EVIDENCE_CHAIN), &out);
}

static void
add_sums(struct file *f)
{
	struct buf out = {.max = 1 << 20};
	char hex[2 * JOURNAL_HASH + 1];

	for (unsigned i = 0; i < f->count; i++) {
		journal_hex_write(f->members[i].hash, hex);
		buf_addf(&out, "%s  %s\n", hex, f->members[i].name);
	}
	add(f, EVIDENCE_SUMS, strlen(EVIDENCE_SUMS), &out);
	f->whole = true;
}

static void
add_member(struct file *f, const char *text, size_t size)
{
	const char *line = memchr(text, '\n', size);
	size_t len = line ? (size_t)(line - text) : size, skip = line ? len + 1 : len;

	f->whole = false;
	if (len == 6 && memcmp(text, "*chain", len) == 0)
		add_chain(f);
	else if (len == 5 && memcmp(text, "*sums", len) == 0)
		add_sums(f);
	else
		add_with_names(f, text, len, text + skip, size - skip);
}

/* Judges what lies in fd; true: it holds. */
static bool
judge(int fd, bool json)
{
	struct ctl ctl = {.json = json, .out = nowhere, .err = nowhere};
	struct command c = {0};
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	c.local = json_pack("{s:s, s:s, s:s, s:s}", "file", path, "ca", "", "crl", "", "tsa_ca", "");
	HOLDS(c.local);
	enum exit_status status = run_evidence_verify(&ctl, &c);
	HOLDS(status == EXIT_DONE || status == EXIT_REFUSED);
	json_decref(c.local);
	return status == EXIT_DONE;
}

/* Where the first byte of the n-th member lies. */
static uint64_t
place_of(int fd, unsigned n, uint64_t *size)
{
	struct tar_file t;
	uint64_t offset = 0;

	for (unsigned i = 0; i <= n; i++)
		HOLDS(tar_next(fd, &offset, &t) == TAR_FILE);
	*size = t.size;
	return t.at;
}

/* What holds does not hold any more when a byte of any member is another. */
static void
change_a_byte(const struct file *f, int fd)
{
	for (unsigned i = 0; i < f->count; i++) {
		uint64_t size, at = place_of(fd, i, &size);
		char byte, other;
		if (size == 0)
			continue;
		at += size / 2;
		HOLDS(pread(fd, &byte, 1, (off_t)at) == 1);
		other = (char)(byte ^ 1);
		HOLDS(pwrite(fd, &other, 1, (off_t)at) == 1);
		HOLDS(!judge(fd, false));
		HOLDS(pwrite(fd, &byte, 1, (off_t)at) == 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file f = {.count = 0};
	int fd = memfd_create("evidence", MFD_CLOEXEC);

	HOLDS(fd >= 0);
	if (size > 0 && data[0] == DIVIDER) {
		HOLDS(write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
		judge(fd, size % 2);
		close(fd);
		return 0;
	}
	for (const uint8_t *at = data, *end = data + size; at < end;) {
		const uint8_t *next = memchr(at, DIVIDER, (size_t)(end - at));
		add_member(&f, (const char *)at, (size_t)((next ? next : end) - at));
		at = next ? next + 1 : end;
	}
	for (unsigned i = 0; i < f.count; i++)
		HOLDS(tar_add(fd, f.members[i].name, f.members[i].data, -1, f.members[i].size, 1));
	HOLDS(tar_end(fd));
	if (judge(fd, true)) {
		HOLDS(f.whole);
		change_a_byte(&f, fd);
	}
	for (unsigned i = 0; i < f.count; i++)
		free(f.members[i].data);
	close(fd);
	return 0;
}
