/*
 * Retention: old entries with all that they vouch for are written into a tar file of the form of
 * obmen-evidence(5), read again from disk, signed, and only then removed from the store. One small
 * step per turn of the loop, so that traffic goes on; a step that fails leaves everything as it was.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/tar.h"
#include "obmend/store_ask.h"
#include "store/journal.h"

#define ENTRIES_PER_FILE 500 /* so that their removal is one short transaction */
#define PIECE (64 << 10)
#define STEP_PIECES 8 /* of a body, in one turn */
#define LOOK_SECONDS 3600
#define RETRY_SECONDS 600
#define SEAL_SECONDS 180
#define DAY ((when)86400 * WHEN_SECOND)
#define CERTIFICATES_MAX (2 * ENTRIES_PER_FILE)

enum phase { PHASE_LOOK, PHASE_ENTRY, PHASE_BODY, PHASE_END, PHASE_READ, PHASE_SEAL };

struct pending_body {
	int64_t body;
	char name[TAR_NAME_MAX + 1];
};

struct store_archive {
	struct event *timer;
	enum phase phase;
	bool asked;          /* by an operator, once */
	unsigned days;       /* what was asked for */
	when cutoff;         /* of this run; 0 = none has begun */
	int dir, fd;
	struct store_range range;
	int64_t next;
	char name[64], part[72];
	uint64_t size, at;   /* of the file; read again */
	EVP_MD_CTX *whole, *member;
	uint8_t sha256[32];
	struct buf chain, sums;
	struct pending_body bodies[4];
	unsigned body_count, body_next;
	int body_fd;
	uint64_t body_size, body_at;
	uint8_t certificates[CERTIFICATES_MAX][32];
	unsigned certificate_count;
	int64_t seconds;     /* moment of the entry, for the tar headers */
	bool failed;
	uint64_t files, entries; /* written since the start */
	char detail[160];
};

static const char readme[] =
    "Архив на дневника на възел за обмен по СЕОС: записите, съобщенията, отговорите, сертификатите и\n"
    "удостоверенията за време. Формата е в obmen-evidence(5); проверка: obmenctl evidence verify.\n"
    "Подписът е във файла .p7s: openssl cms -verify -binary -inform DER -in X.tar.p7s -content X.tar\n"
    "  -CAfile CA.pem -purpose any -out /dev/null\n\n"
    "Archive of the journal of a SEOS exchange node: entries, messages, answers, certificates and time\n"
    "stamps. The form is in obmen-evidence(5); to check it: obmenctl evidence verify. The signature is\n"
    "in the file .p7s, see the command above.\n";

static void
set_timer(struct store_archive *a, unsigned seconds)
{
	struct timeval t = {.tv_sec = seconds, .tv_usec = seconds ? 0 : 1000};

	evtimer_add(a->timer, &t);
}

static void
forget(struct store_archive *a)
{
	if (a->fd >= 0)
		close(a->fd);
	if (a->body_fd >= 0)
		close(a->body_fd);
	a->fd = a->body_fd = -1;
	a->phase = PHASE_LOOK;
	buf_free(&a->chain);
	buf_free(&a->sums);
}

static void
give_up(struct store_archive *a, const char *step)
{
	snprintf(a->detail, sizeof a->detail, "%s: %s", step, strerror(errno));
	log_warning("store.archive-failed", "step=\"%s\" reason=\"%s\"", step, strerror(errno));
	if (a->fd >= 0)
		unlinkat(a->dir, a->part, 0);
	forget(a);
	set_timer(a, RETRY_SECONDS);
}

/* Bytes of the tar file. */
static void
put(struct store_archive *a, const void *data, size_t len)
{
	const char *p = data;

	EVP_DigestUpdate(a->whole, data, len);
	a->size += len;
	while (len > 0 && !a->failed) {
		ssize_t n = write(a->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		a->failed = n <= 0;
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void
member_begin(struct store_archive *a, const char *name, uint64_t size)
{
	char header[TAR_BLOCK];

	if (!tar_header(header, name, size, a->seconds)) {
		errno = EFBIG;
		a->failed = true;
		return;
	}
	EVP_DigestInit_ex(a->member, EVP_sha256(), NULL);
	put(a, header, sizeof header);
}

static void
member_data(struct store_archive *a, const void *data, size_t len)
{
	EVP_DigestUpdate(a->member, data, len);
	put(a, data, len);
}

static void
member_end(struct store_archive *a, const char *name, uint64_t size)
{
	static const char zeros[TAR_BLOCK];
	uint8_t hash[32];

	put(a, zeros, tar_padding(size));
	EVP_DigestFinal_ex(a->member, hash, NULL);
	buf_add_hex(&a->sums, hash, sizeof hash);
	buf_addf(&a->sums, "  %s\n", name);
}

static void
member(struct store_archive *a, const char *name, const void *data, size_t len)
{
	member_begin(a, name, len);
	member_data(a, data, len);
	member_end(a, name, len);
}

/* What the store tells of an entry */

static void
on_entry(void *arg, int64_t sequence, const char *text, const int64_t bodies[4])
{
	static const char *const names[] = {"body.xml", "answer.xml", "details.json"};
	struct store_archive *a = arg;
	char name[TAR_NAME_MAX + 1];

	a->seconds = journal_at(text) / WHEN_SECOND;
	snprintf(name, sizeof name, "journal/entry-%020lld.txt", (long long)sequence);
	member(a, name, text, strlen(text));
	for (int i = 0; i < 3; i++) {
		struct pending_body *b = &a->bodies[a->body_count];
		if (!bodies[i])
			continue;
		b->body = bodies[i];
		snprintf(b->name, sizeof b->name, "messages/%020lld-%s", (long long)sequence, names[i]);
		a->body_count++;
	}
}

static void
on_link(void *arg, int64_t sequence, const uint8_t *entry, const uint8_t digest[32])
{
	struct store_archive *a = arg;

	buf_addf(&a->chain, "%lld ", (long long)sequence);
	if (entry)
		buf_add_hex(&a->chain, entry, 32);
	else
		buf_adds(&a->chain, "-");
	buf_adds(&a->chain, " ");
	buf_add_hex(&a->chain, digest, 32);
	buf_adds(&a->chain, "\n");
}

static void
on_stamp(void *arg, int64_t sequence, when at, const uint8_t *token, size_t len)
{
	char name[TAR_NAME_MAX + 1];

	(void)at;
	snprintf(name, sizeof name, "stamps/%020lld.tsr", (long long)sequence);
	member(arg, name, token, len);
}

static void
on_certificate(void *arg, const uint8_t sha256[32], const uint8_t *der, size_t len)
{
	struct store_archive *a = arg;
	char hex[65], name[TAR_NAME_MAX + 1];

	for (unsigned i = 0; i < a->certificate_count; i++)
		if (memcmp(a->certificates[i], sha256, 32) == 0)
			return;
	if (a->certificate_count == CERTIFICATES_MAX)
		return;
	memcpy(a->certificates[a->certificate_count++], sha256, 32);
	journal_hex_write(sha256, hex);
	snprintf(name, sizeof name, "certificates/%s.der", hex);
	member(a, name, der, len);
}

static bool
begin_file(struct store_archive *a)
{
	snprintf(a->name, sizeof a->name, "obmen-%020lld-%020lld.tar", (long long)a->range.first,
	    (long long)a->range.last);
	snprintf(a->part, sizeof a->part, "%s.part", a->name);
	a->fd = openat(a->dir, a->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->fd < 0)
		return false;
	a->next = a->range.first;
	a->size = a->at = 0;
	a->failed = false;
	a->certificate_count = a->body_count = a->body_next = 0;
	a->chain = (struct buf){.max = 4 << 20};
	a->sums = (struct buf){.max = 4 << 20};
	EVP_DigestInit_ex(a->whole, EVP_sha256(), NULL);
	member(a, "README.txt", readme, strlen(readme));
	a->phase = PHASE_ENTRY;
	return true;
}

static void
step_look(struct store_role *r, struct store_archive *a)
{
	unsigned days = a->asked ? a->days : self_conf(r->self)->retention_days;

	a->seconds = 0;
	if ((!a->asked && days == 0) || a->dir < 0) {
		set_timer(a, LOOK_SECONDS); /* the configuration may be read again */
		return;
	}
	/* One moment for the whole run: what it writes into the journal itself is younger. */
	if (a->cutoff == 0)
		a->cutoff = when_now() - (when)days * DAY;
	if (r->backend->archive_plan(r->store, a->cutoff, ENTRIES_PER_FILE, &a->range)) {
		errno = EIO;
		give_up(a, "plan");
	} else if (a->range.first == 0) {
		a->asked = false;
		a->cutoff = 0;
		set_timer(a, LOOK_SECONDS);
	} else if (begin_file(a)) {
		set_timer(a, 0);
	} else {
		give_up(a, "open");
	}
}

static void
step_entry(struct store_role *r, struct store_archive *a)
{
	static const struct store_export to = {on_entry, on_link, on_stamp, on_certificate};

	if (a->next > a->range.last) {
		a->phase = PHASE_END;
		return;
	}
	a->body_count = a->body_next = 0;
	if (r->backend->archive_read(r->store, a->next, a->next == a->range.first, &to, a)) {
		errno = EIO;
		a->failed = true;
		return;
	}
	a->next++;
	a->phase = PHASE_BODY;
}

static void
step_body(struct store_role *r, struct store_archive *a)
{
	char piece[PIECE];
	struct pending_body *b = &a->bodies[a->body_next];
	struct stat st;

	if (a->body_next == a->body_count) {
		a->phase = PHASE_ENTRY;
		return;
	}
	if (a->body_fd < 0) {
		a->body_fd = r->backend->body_open(r->store, b->body);
		a->failed |= a->body_fd < 0 || fstat(a->body_fd, &st) != 0;
		if (a->failed)
			return;
		a->body_size = (uint64_t)st.st_size;
		a->body_at = 0;
		member_begin(a, b->name, a->body_size);
	}
	for (unsigned n = 0; n < STEP_PIECES && a->body_at < a->body_size && !a->failed; n++) {
		ssize_t got = pread(a->body_fd, piece, sizeof piece, (off_t)a->body_at);
		a->failed |= got <= 0;
		if (got > 0)
			member_data(a, piece, (size_t)got);
		a->body_at += got > 0 ? (uint64_t)got : 0;
	}
	if (a->body_at < a->body_size)
		return;
	member_end(a, b->name, a->body_size);
	close(a->body_fd);
	a->body_fd = -1;
	a->body_next++;
}

static void
step_end(struct store_archive *a)
{
	static const char zeros[2 * TAR_BLOCK];

	member(a, "journal/chain.txt", a->chain.data, a->chain.len);
	/* The sums do not name themselves. */
	char header[TAR_BLOCK];
	tar_header(header, "SHA256SUMS", a->sums.len, a->seconds);
	put(a, header, sizeof header);
	put(a, a->sums.data, a->sums.len);
	put(a, zeros, tar_padding(a->sums.len));
	put(a, zeros, sizeof zeros);
	a->failed |= a->chain.failed || a->sums.failed || fdatasync(a->fd) != 0;
	EVP_DigestFinal_ex(a->whole, a->sha256, NULL);
	EVP_DigestInit_ex(a->whole, EVP_sha256(), NULL);
	a->phase = PHASE_READ;
}

static bool
ask_seal(struct store_role *r, const struct store_archive *a)
{
	struct wire_seal m;
	struct peer to;

	memcpy(m.digest, a->sha256, sizeof m.digest);
	return store_choose_codec(r, &to) &&
	       wire_send(r->self->peers[to.role][to.index], WIRE_SEAL, 0, &m, NULL, 0);
}

/* What will stand in for the rows is what lies on the disk, not what was meant to. */
static void
step_read(struct store_role *r, struct store_archive *a)
{
	char piece[PIECE];
	uint8_t again[32];
	ssize_t n = 0;

	for (unsigned i = 0; i < STEP_PIECES; i++) {
		n = pread(a->fd, piece, sizeof piece, (off_t)a->at);
		if (n <= 0)
			break;
		EVP_DigestUpdate(a->whole, piece, (size_t)n);
		a->at += (uint64_t)n;
	}
	a->failed |= n < 0;
	if (n != 0)
		return;
	EVP_DigestFinal_ex(a->whole, again, NULL);
	errno = EIO;
	a->failed |= a->at != a->size || memcmp(again, a->sha256, sizeof again) != 0 || !ask_seal(r, a);
	a->phase = PHASE_SEAL;
}

static void
on_archive_timer(evutil_socket_t fd, short what, void *arg)
{
	struct store_role *r = arg;
	struct store_archive *a = r->archive;

	(void)fd, (void)what;
	if (a->phase == PHASE_SEAL) {
		errno = ETIMEDOUT;
		give_up(a, "seal");
		return;
	}
	if (a->phase == PHASE_LOOK) {
		step_look(r, a);
		return;
	}
	if (a->phase == PHASE_ENTRY)
		step_entry(r, a);
	else if (a->phase == PHASE_BODY)
		step_body(r, a);
	else if (a->phase == PHASE_END)
		step_end(a);
	else
		step_read(r, a);
	if (a->failed)
		give_up(a, "write");
	else
		set_timer(a, a->phase == PHASE_SEAL ? SEAL_SECONDS : 0);
}

/* Archive and signature are on disk under their names before anything is removed. */
static bool
keep_files(struct store_archive *a, const struct wire_bytes *cms)
{
	char name[80];

	snprintf(name, sizeof name, "%s.p7s", a->name);
	int fd = openat(a->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && write(fd, cms->data, cms->len) == (ssize_t)cms->len && fdatasync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok && renameat(a->dir, a->part, a->dir, a->name) == 0 && fsync(a->dir) == 0;
}

void
store_on_sealed(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct store_role *r = self->state;
	struct store_archive *a = r->archive;
	struct wire_sealed m;

	if (!wire_unpack(f, WIRE_SEALED, &m)) {
		log_error("store.bad-frame", "type=sealed codec=%u", from.index);
		return;
	}
	if (a->phase != PHASE_SEAL || memcmp(m.digest, a->sha256, sizeof m.digest) != 0)
		return;
	errno = EIO;
	if (m.cms.len == 0 || !keep_files(a, &m.cms)) {
		give_up(a, "seal");
		return;
	}
	/* In the batch of this turn; when it fails, the same file is written again later. */
	enum fault fault = store_batch(r);
	if (!fault)
		fault = r->backend->archive_remove(r->store, &a->range, a->name, a->size, a->sha256);
	if (fault) {
		errno = EIO;
		give_up(a, "remove");
		return;
	}
	log_info("store.archived", "file=%s first=%lld last=%lld", a->name, (long long)a->range.first,
	    (long long)a->range.last);
	a->files++;
	a->entries += (uint64_t)(a->range.last - a->range.first + 1);
	a->detail[0] = 0;
	forget(a);
	set_timer(a, 1);
}

enum fault
verb_evidence_archive(struct ask *ask)
{
	struct store_archive *a = ask->role->archive;
	json_int_t days = json_integer_value(json_object_get(ask->in, "days"));

	if (a->dir < 0)
		return ask_wrong(ask, FAULT_STORE_FAILED, "archive-directory");
	a->asked = true;
	a->days = days > 0 ? (unsigned)days : 0;
	a->cutoff = 0;
	if (a->phase == PHASE_LOOK)
		set_timer(a, 0);
	return FAULT_NONE;
}

/* A plain name: what lies elsewhere this process cannot reach. */
static bool
plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strcmp(name, "spool") != 0;
}

bool
archive_open(struct store_role *r, const char *directory)
{
	const char *given = self_conf(r->self)->archive_directory, *name = given ? given : "archive";
	struct store_archive *a = calloc(1, sizeof *a);
	char path[4096];

	r->archive = a;
	if (!a)
		return false;
	a->dir = a->fd = a->body_fd = -1;
	a->whole = EVP_MD_CTX_new();
	a->member = EVP_MD_CTX_new();
	if (!a->whole || !a->member)
		return false;
	if (!plain_name(name) ||
	    snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
		log_error("store.archive", "directory=\"%s\" reason=\"not a plain name\"", name);
		return false;
	}
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		a->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->dir < 0) /* a full disk must not keep the node from starting */
		log_error("store.archive", "directory=\"%s\" reason=\"%s\"", path, strerror(errno));
	return true;
}

bool
archive_start(struct store_role *r)
{
	r->archive->timer = evtimer_new(r->self->base, on_archive_timer, r);
	if (!r->archive->timer)
		return false;
	set_timer(r->archive, 60); /* the start has better things to do */
	return true;
}

void
archive_free(struct store_role *r)
{
	struct store_archive *a = r->archive;

	if (!a)
		return;
	forget(a);
	if (a->timer)
		event_free(a->timer);
	if (a->dir >= 0)
		close(a->dir);
	EVP_MD_CTX_free(a->whole);
	EVP_MD_CTX_free(a->member);
	free(a);
	r->archive = NULL;
}

json_t *
archive_status(const struct store_role *r)
{
	const struct store_archive *a = r->archive;
	json_t *o = json_pack("{s:i, s:b, s:I, s:I}", "retention_days", (int)self_conf(r->self)->retention_days,
	    "working", a->phase != PHASE_LOOK || a->asked, "files", (json_int_t)a->files, "entries",
	    (json_int_t)a->entries);

	if (*a->detail)
		json_object_set_new(o, "detail", json_string(a->detail));
	return o;
}
