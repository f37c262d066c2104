/* evidence export: asks the node for a document's part of the journal and packs it into one file. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/tar.h"
#include "lib/when.h"
#include "obmenctl/evidence.h"

struct packing {
	struct ctl *ctl;
	int tar;
	struct buf sums;
	int64_t seconds; /* of every file: the newest entry's moment, so that the same evidence is the same
	                  * file */
	bool failed;
};

bool
evidence_hash_fd(int fd, uint64_t from, uint64_t size, char out[65])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t piece[65536], hash[32];
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

	for (uint64_t at = 0; ok && at < size;) {
		size_t want = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
		ssize_t n = pread(fd, piece, want, (off_t)(from + at));
		if (n < 0 && errno == EINTR)
			continue;
		ok = n > 0 && EVP_DigestUpdate(md, piece, (size_t)n);
		at += ok ? (uint64_t)n : 0;
	}
	ok = ok && EVP_DigestFinal_ex(md, hash, NULL);
	for (size_t i = 0; ok && i < sizeof hash; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	EVP_MD_CTX_free(md);
	return ok;
}

static void
pack_failed(struct packing *p, const char *name)
{
	char detail[256];

	if (!p->failed) {
		snprintf(detail, sizeof detail, "%s: %s", name, strerror(errno));
		print_fault(p->ctl, FAULT_FILE_UNWRITABLE, detail);
	}
	p->failed = true;
}

/* Adds to the tar file and to the sums. */
static void
pack(struct packing *p, const char *name, const void *data, size_t len)
{
	uint8_t hash[32];

	if (p->failed)
		return;
	EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL);
	buf_add_hex(&p->sums, hash, sizeof hash);
	buf_addf(&p->sums, "  %s\n", name);
	if (!tar_add(p->tar, name, data, -1, len, p->seconds))
		pack_failed(p, name);
}

static void
pack_fd(struct packing *p, const char *name, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char hash[65];

	if (p->failed)
		return;
	if (size < 0 || !evidence_hash_fd(fd, 0, (uint64_t)size, hash) ||
	    !tar_add(p->tar, name, NULL, fd, (uint64_t)size, p->seconds)) {
		pack_failed(p, name);
		return;
	}
	buf_addf(&p->sums, "%s  %s\n", hash, name);
}

/* Base64 of a member, decoded; the caller frees. NULL when it is damaged. */
static uint8_t *
decode(const json_t *o, const char *key, size_t *len)
{
	const char *text = text_of(o, key);
	size_t n = strlen(text);
	uint8_t *out = malloc(n + 1);
	int got = out ? EVP_DecodeBlock(out, (const unsigned char *)text, (int)n) : -1;

	if (got < 0) {
		free(out);
		return NULL;
	}
	while (n > 0 && text[n - 1] == '=' && got > 0) {
		n--;
		got--;
	}
	*len = (size_t)got;
	return out;
}

static void
pack_base64(struct packing *p, const char *name, const json_t *o, const char *key)
{
	size_t len = 0;
	uint8_t *data = decode(o, key, &len);

	if (data)
		pack(p, name, data, len);
	free(data);
}

/* One body of an entry, by its row. */
static void
pack_body(struct packing *p, const json_t *entry, const char *key, const char *ending)
{
	json_int_t row = json_integer_value(json_object_get(entry, key));
	char name[TAR_NAME_MAX + 1], what[32];
	int fd = -1;

	if (!row || p->failed)
		return;
	json_t *request = json_pack("{s:s, s:I}", "verb", "evidence.body", "row", row);
	json_t *answer = ask(p->ctl, request, NULL, 0, &fd);
	json_decref(request);
	snprintf(what, sizeof what, "%s.%s", key, ending);
	snprintf(name, sizeof name, EVIDENCE_BYTES, number_of(entry, "sequence"), what);
	if (fd >= 0) {
		pack_fd(p, name, fd);
		close(fd);
	} else {
		if (answer)
			print_refusal(p->ctl, answer);
		p->failed = true;
	}
	json_decref(answer);
}

static void
pack_entries(struct packing *p, const json_t *entries)
{
	char name[TAR_NAME_MAX + 1];
	size_t i;
	json_t *e;

	json_array_foreach (entries, i, e) {
		const char *text = text_of(e, "text");
		snprintf(name, sizeof name, EVIDENCE_ENTRY, number_of(e, "sequence"));
		pack(p, name, text, strlen(text));
		pack_body(p, e, "body", "xml");
		pack_body(p, e, "answer", "xml");
		pack_body(p, e, "details", "json");
	}
}

static void
pack_chain(struct packing *p, const json_t *chain)
{
	struct buf text = {.max = 64 << 20};
	size_t i;
	json_t *link;

	json_array_foreach (chain, i, link) {
		const char *entry = json_string_value(json_array_get(link, 1));
		const char *digest = json_string_value(json_array_get(link, 2));
		buf_addf(&text, "%lld %s %s\n", (long long)json_integer_value(json_array_get(link, 0)),
		    entry ? entry : "-", digest ? digest : "-");
	}
	if (!text.failed)
		pack(p, EVIDENCE_CHAIN, text.data, text.len);
	buf_free(&text);
}

static void
pack_all(struct packing *p, const json_t *answer, const json_t *shown)
{
	char name[TAR_NAME_MAX + 1];
	char *document = json_dumps(json_object_get(shown, "document"), JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	size_t i;
	json_t *o;

	pack(p, EVIDENCE_README, evidence_readme, strlen(evidence_readme));
	if (document)
		pack(p, EVIDENCE_DOCUMENT, document, strlen(document));
	free(document);
	pack_chain(p, json_object_get(answer, "chain"));
	pack_entries(p, json_object_get(answer, "entries"));
	json_array_foreach (json_object_get(answer, "certificates"), i, o) {
		snprintf(name, sizeof name, EVIDENCE_CERTIFICATE, text_of(o, "sha256"));
		pack_base64(p, name, o, "der");
	}
	json_array_foreach (json_object_get(answer, "stamps"), i, o) {
		snprintf(name, sizeof name, EVIDENCE_STAMP, number_of(o, "sequence"));
		pack_base64(p, name, o, "token");
	}
	if (!p->failed && !tar_add(p->tar, EVIDENCE_SUMS, p->sums.data, -1, p->sums.len, p->seconds))
		pack_failed(p, EVIDENCE_SUMS);
	if (!p->failed && (!tar_end(p->tar) || fsync(p->tar) != 0))
		pack_failed(p, EVIDENCE_SUMS);
}

/* The moment of the newest entry. */
static int64_t
newest(const json_t *entries)
{
	const char *text = text_of(json_array_get(entries, json_array_size(entries) - 1), "text");
	const char *at = strstr(text, "\nat ");
	when w;

	return at && when_parse(&w, at + 4, strcspn(at + 4, "\n")) ? w / WHEN_SECOND : 0;
}

static enum exit_status
write_file(struct ctl *ctl, struct command *c, const json_t *answer, const json_t *shown)
{
	const char *output = command_local(c, "output");
	const json_t *entries = json_object_get(answer, "entries");
	struct packing p = {.ctl = ctl, .sums.max = 16 << 20, .seconds = newest(entries)};
	char name[64], detail[512];

	snprintf(name, sizeof name, "evidence-%lld.tar", number_of(answer, "document"));
	const char *path = *output ? output : name;
	int flags = json_is_true(json_object_get(c->local, "force")) ? O_TRUNC : O_EXCL;
	p.tar = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (p.tar < 0) {
		snprintf(detail, sizeof detail, "%s: %s%s", path, strerror(errno),
		    errno == EEXIST ? ", --force" : "");
		print_fault(ctl, FAULT_FILE_UNWRITABLE, detail);
		return EXIT_REFUSED;
	}
	pack_all(&p, answer, shown);
	close(p.tar);
	buf_free(&p.sums);
	if (p.failed) {
		unlink(path);
		return EXIT_REFUSED;
	}
	json_t *told = json_pack("{s:b, s:s, s:i, s:i}", "ok", 1, "output", path, "entries",
	    (int)json_array_size(entries), "stamps", (int)json_array_size(json_object_get(answer, "stamps")));
	if (ctl->json)
		print_json(ctl, told);
	else
		fprintf(ctl->out, SAY(ctl, "%s: записи в дневника %d, удостоверения за време %d\n",
		    "%s: journal entries %d, time stamps %d\n"), path, (int)json_array_size(entries),
		    (int)json_array_size(json_object_get(answer, "stamps")));
	json_decref(told);
	return EXIT_DONE;
}

enum exit_status
run_evidence_export(struct ctl *ctl, struct command *c)
{
	enum exit_status status;

	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);
	if (!answer)
		return status;
	json_t *request = json_pack("{s:s, s:o}", "verb", "document.show", "document",
	    json_sprintf("%lld", number_of(answer, "document")));
	json_t *shown = ask(ctl, request, NULL, 0, NULL);
	json_decref(request);
	status = shown ? write_file(ctl, c, answer, shown) : EXIT_UNREACHABLE;
	json_decref(shown);
	json_decref(answer);
	return status;
}
