/* evidence verify: judges a file of evidence without the node. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/stamp.h"
#include "lib/tar.h"
#include "message/verify.h"
#include "obmenctl/evidence.h"
#include "store/journal.h"

#define TEXT_MAX (64u << 20) /* bytes of a text that is read as a whole */

struct member {
	struct tar_file file;
	char sha256[65];
	bool named; /* by an entry, a link or the format itself */
};

struct judging {
	struct ctl *ctl;
	const char *ca, *crl;
	X509_STORE *authorities; /* for stamps; NULL: not checked */
	int fd;
	struct member *members;
	size_t count, capacity;
	json_t *problems;
	bool lost;               /* a problem for which there was no memory */
	json_t *signatures, *stamps;
	unsigned entries, links;
	const char *chain;       /* the text of chain.txt */
	bool sealed;             /* an archive: a signature lies beside the file */
	char signer[256];
};

static void
problem(struct judging *j, const char *where, const char *why)
{
	json_t *o = json_pack("{s:s, s:s}", "where", where, "why", why);

	/* Names in the file are anybody's bytes: one that is no UTF-8 must not hide what is wrong. */
	if (!o)
		o = json_pack("{s:s, s:s}", "where", "?", "why", why);
	j->lost |= json_array_append_new(j->problems, o) != 0;
}

static struct member *
find(const struct judging *j, const char *name)
{
	for (size_t i = 0; i < j->count; i++)
		if (strcmp(j->members[i].file.name, name) == 0)
			return &j->members[i];
	return NULL;
}

/* A member as text; the caller frees. NULL when it is not there or too large. */
static char *
text_of_member(const struct judging *j, const struct member *m)
{
	char *text = m && m->file.size <= TEXT_MAX ? malloc((size_t)m->file.size + 1) : NULL;

	if (!text)
		return NULL;
	for (size_t at = 0; at < m->file.size;) {
		ssize_t n = pread(j->fd, text + at, (size_t)m->file.size - at, (off_t)(m->file.at + at));
		if (n <= 0) {
			free(text);
			return NULL;
		}
		at += (size_t)n;
	}
	text[m->file.size] = 0;
	return text;
}

/* The table of contents, every file hashed once. */
static bool
read_members(struct judging *j)
{
	uint64_t offset = 0;
	struct tar_file file;
	enum tar_read got;

	while ((got = tar_next(j->fd, &offset, &file)) == TAR_FILE) {
		if (j->count == j->capacity) {
			size_t capacity = j->capacity ? j->capacity * 2 : 64;
			struct member *members = realloc(j->members, capacity * sizeof *members);
			if (!members)
				return false;
			j->members = members;
			j->capacity = capacity;
		}
		struct member *m = &j->members[j->count];
		*m = (struct member){.file = file};
		if (!evidence_hash_fd(j->fd, file.at, file.size, m->sha256)) {
			problem(j, file.name, "the file ends in the middle");
			return true;
		}
		if (find(j, file.name))
			problem(j, file.name, "is there twice");
		j->count++;
	}
	if (got == TAR_DAMAGED)
		problem(j, "tar", "the file is damaged or not a file of evidence");
	return true;
}

/* SHA256SUMS names every file but itself, with its sum. */
static void
judge_sums(struct judging *j)
{
	struct member *sums = find(j, EVIDENCE_SUMS);
	char *text = text_of_member(j, sums);
	unsigned lines = 0;

	if (!text) {
		problem(j, EVIDENCE_SUMS, "is missing");
		return;
	}
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
		struct member *m = strlen(line) > 66 ? find(j, line + 66) : NULL;
		if (!m || strncmp(line, m->sha256, 64) != 0 || strncmp(line + 64, "  ", 2) != 0)
			problem(j, m ? line + 66 : EVIDENCE_SUMS, "is not what " EVIDENCE_SUMS " says");
	}
	if (lines + 1 != j->count)
		problem(j, EVIDENCE_SUMS, "does not name every file");
	free(text);
}

/* The line of chain.txt with this sequence: its entry and digest; false when there is none. */
static bool
chain_line(const struct judging *j, long long sequence, char entry[65], char digest[65])
{
	char start[32];

	snprintf(start, sizeof start, "%lld ", sequence);
	for (const char *line = j->chain; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, start, strlen(start)) == 0)
			return sscanf(line, "%*d %64s %64s", entry, digest) == 2;
	}
	return false;
}

/* Every link against the one before. */
static void
judge_chain(struct judging *j)
{
	uint8_t previous[JOURNAL_HASH] = {0}, hash[JOURNAL_HASH], digest[JOURNAL_HASH], told[JOURNAL_HASH];
	long long sequence, last = 0;
	char entry[65], text[65], where[64], link[JOURNAL_LINK_SIZE];
	int used;

	for (const char *line = j->chain; line && *line; line += used) {
		used = 0;
		if (sscanf(line, "%lld %64s %64s%n", &sequence, entry, text, &used) != 3 || line[used] != '\n' ||
		    strlen(text) != 64 || !journal_hex(text, told) || sequence <= last) {
			problem(j, EVIDENCE_CHAIN, "cannot be read");
			return;
		}
		used++;
		snprintf(where, sizeof where, EVIDENCE_CHAIN " %lld", sequence);
		if (strcmp(entry, "-") != 0) {
			if (sequence != last + 1 || strlen(entry) != 64 || !journal_hex(entry, hash)) {
				problem(j, where, "a link before it is missing");
			} else {
				size_t len = journal_link(link, (uint64_t)sequence, previous, hash);
				EVP_Digest(link, len, digest, NULL, EVP_sha256(), NULL);
				if (memcmp(digest, told, sizeof told) != 0)
					problem(j, where, "the digest does not fit");
			}
			j->links++;
		}
		memcpy(previous, told, sizeof previous);
		last = sequence;
	}
}

/* A copy in memory or on disk that verify_file can read from its start; -1 on failure. */
static int
extract(const struct judging *j, const struct member *m)
{
	int fd = memfd_create("evidence", MFD_CLOEXEC);
	char piece[65536];

	for (uint64_t at = 0; fd >= 0 && at < m->file.size;) {
		size_t want = m->file.size - at < sizeof piece ? (size_t)(m->file.size - at) : sizeof piece;
		ssize_t n = pread(j->fd, piece, want, (off_t)(m->file.at + at));
		if (n <= 0 || write(fd, piece, (size_t)n) != n) {
			close(fd);
			return -1;
		}
		at += (uint64_t)n;
	}
	return fd;
}

/* What kind of entry vouches for these bytes decides what its signature must be. */
static void
judge_signature(struct judging *j, const struct member *m, const char *entry, bool answer)
{
	struct verify_options o = {.ca_file = j->ca, .crl_file = j->crl, .at = journal_at(entry)};
	struct verify_report r = {0};
	char print[65] = "";
	size_t len;
	const char *kind = journal_field(entry, "kind", &len);
	int fd = extract(j, m);

	if (fd < 0 || !verify_file(fd, &o, &r)) {
		problem(j, m->file.name, "cannot be read as a message");
		verify_report_free(&r);
		if (fd >= 0)
			close(fd);
		return;
	}
	close(fd);
	const char *verdict = r.valid ? "valid" : r.header_known ? "invalid" : "no message in it";
	bool refused = kind && len == 7 && strncmp(kind, "refused", len) == 0;
	/* An answer may be empty or a SOAP fault; what was refused may be anything. */
	bool must = !refused && (!answer || (r.header_known && !journal_field(entry, "fault", &len)));
	if (must && !r.valid)
		problem(j, m->file.name, fault_code(r.fault));
	if (r.has_certificate)
		journal_hex_write(r.certificate_sha256, print);
	const char *told = answer && kind && strncmp(kind, "received", 8) == 0
	    ? NULL : journal_field(entry, "certificate", &len);
	if (must && r.valid && told && (len != 64 || strncmp(told, print, 64) != 0))
		problem(j, m->file.name, "is signed with another certificate than the journal's");
	json_array_append_new(j->signatures, json_pack("{s:s, s:s, s:s, s:s, s:b}", "file", m->file.name,
	    "verdict", verdict, "signer", r.common_name, "method", signature_method_name(r.method),
	    "chain_checked", r.chain_checked));
	verify_report_free(&r);
}

/* Bytes that an entry names: there, unchanged, signed as they must be. */
static void
judge_bytes(struct judging *j, const char *entry, long long sequence, const char *key, const char *ending)
{
	struct journal_bytes told;
	char name[TAR_NAME_MAX + 1], file[40], hex[65];

	if (!journal_bytes_of(entry, key, &told))
		return;
	snprintf(file, sizeof file, "%s.%s", key, ending);
	snprintf(name, sizeof name, EVIDENCE_BYTES, sequence, file);
	struct member *m = find(j, name);
	if (!m) {
		/* Refused messages are kept for a time only. */
		if (!strstr(entry, "\nkind refused\n"))
			problem(j, name, "is missing");
		return;
	}
	m->named = true;
	journal_hex_write(told.sha256, hex);
	if (m->file.size != told.size || strcmp(hex, m->sha256) != 0)
		problem(j, name, "is not what the journal says");
	else if (strcmp(ending, "xml") == 0)
		judge_signature(j, m, entry, strcmp(key, "answer") == 0);
}

static void
judge_certificate(struct judging *j, const char *entry, const char *key)
{
	size_t len;
	const char *told = journal_field(entry, key, &len);
	char name[TAR_NAME_MAX + 1], hex[65];

	if (!told || len != 64)
		return;
	snprintf(hex, sizeof hex, "%.64s", told);
	snprintf(name, sizeof name, EVIDENCE_CERTIFICATE, hex);
	struct member *m = find(j, name);
	if (!m && strstr(entry, "\nkind refused\n"))
		return;
	if (!m || strcmp(m->sha256, hex) != 0)
		problem(j, name, m ? "is not what its name says" : "is missing");
	else
		m->named = true;
}

/* None of the document's entries was left out before this one. */
static void
judge_before(struct judging *j, const struct member *m, const char *entry)
{
	char name[TAR_NAME_MAX + 1];
	size_t len;
	const char *before = journal_field(entry, "before", &len);

	if (!before)
		return;
	snprintf(name, sizeof name, EVIDENCE_ENTRY, strtoll(before, NULL, 10));
	/* What lies before the first link is in an older archive. */
	if (strtoll(before, NULL, 10) > (j->chain ? strtoll(j->chain, NULL, 10) : 0) && !find(j, name))
		problem(j, m->file.name, "the document's entry before it is missing");
}

static void
judge_entry(struct judging *j, struct member *m, long long sequence)
{
	char hash[65], digest[65], *entry = text_of_member(j, m);

	m->named = true;
	j->entries++;
	if (!entry || strlen(entry) != m->file.size || strncmp(entry, "obmen-entry 1\n", 14) != 0)
		problem(j, m->file.name, "is not an entry");
	else if (!chain_line(j, sequence, hash, digest) || strcmp(hash, m->sha256) != 0)
		problem(j, m->file.name, "is not what the chain says");
	if (entry) {
		judge_before(j, m, entry);
		judge_bytes(j, entry, sequence, "body", "xml");
		judge_bytes(j, entry, sequence, "answer", "xml");
		judge_bytes(j, entry, sequence, "details", "json");
		judge_certificate(j, entry, "certificate");
		judge_certificate(j, entry, "connection");
	}
	free(entry);
}

static void
judge_stamp(struct judging *j, struct member *m, long long sequence)
{
	char hash[65], hex[65], at[WHEN_TEXT_SIZE] = "", *token = text_of_member(j, m);
	uint8_t digest[STAMP_HASH];
	struct stamp s = {.at = WHEN_NONE};

	m->named = true;
	if (!token || !chain_line(j, sequence, hash, hex) || !journal_hex(hex, digest))
		problem(j, m->file.name, "is for no link of the chain");
	else if (!stamp_check(token, (size_t)m->file.size, digest, NULL, 0, j->authorities, &s))
		problem(j, m->file.name, s.why);
	free(token);
	if (s.at != WHEN_NONE)
		when_format(s.at, at);
	json_array_append_new(j->stamps, json_pack("{s:I, s:s, s:s, s:b}", "sequence",
	    (json_int_t)sequence, "at", at, "authority", s.authority, "chain_checked",
	    j->authorities != NULL));
}

static void
judge_all(struct judging *j)
{
	static const char *const known[] = {EVIDENCE_README, EVIDENCE_SUMS, EVIDENCE_CHAIN,
	    EVIDENCE_DOCUMENT};
	char *chain = text_of_member(j, find(j, EVIDENCE_CHAIN));
	long long sequence;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		struct member *m = find(j, known[i]);
		if (m)
			m->named = true;
	}
	j->chain = chain;
	judge_sums(j);
	if (!chain || !*chain)
		problem(j, EVIDENCE_CHAIN, "is missing");
	judge_chain(j);
	for (size_t i = 0; i < j->count; i++) {
		struct member *m = &j->members[i];
		if (sscanf(m->file.name, "journal/entry-%20lld.txt", &sequence) == 1)
			judge_entry(j, m, sequence);
		else if (sscanf(m->file.name, "stamps/%20lld.tsr", &sequence) == 1)
			judge_stamp(j, m, sequence);
	}
	if (j->entries == 0)
		problem(j, "journal", "holds no entry");
	for (size_t i = 0; i < j->count; i++)
		if (!j->members[i].named)
			problem(j, j->members[i].file.name, "nothing vouches for it");
	j->chain = NULL;
	free(chain);
}

static void
say_judgement(struct ctl *ctl, const struct judging *j, const char *file)
{
	struct fault_text t = fault_text(FAULT_EVIDENCE_BROKEN, ctl->language);
	size_t i;
	json_t *o;

	if (json_array_size(j->problems) == 0)
		say_title(ctl, say(ctl, "Доказателствата издържат проверката", "The evidence holds"));
	else
		fprintf(ctl->out, "%s. %s %s [%s]\n", t.what, t.means, t.todo, t.code);
	say_line(ctl, say(ctl, "Файл", "File"), file);
	json_array_foreach (j->problems, i, o)
		fprintf(ctl->out, "  %s: %s\n", text_of(o, "where"), text_of(o, "why"));
	fprintf(ctl->out,
	    SAY(ctl, "  записи %u, връзки във веригата %u\n", "  entries %u, links of the chain %u\n"),
	    j->entries, j->links);
	json_array_foreach (j->signatures, i, o)
		fprintf(ctl->out, "  %s: %s %s %s\n", text_of(o, "file"), text_of(o, "verdict"),
		    text_of(o, "signer"), text_of(o, "method"));
	json_array_foreach (j->stamps, i, o)
		fprintf(ctl->out,
		    SAY(ctl, "  запис %lld съществува от %s: %s\n", "  entry %lld exists since %s: %s\n"),
		    number_of(o, "sequence"), text_of(o, "at"), text_of(o, "authority"));
	if (j->sealed)
		say_line(ctl, say(ctl, "Подписал архива", "Archive signed by"), j->signer);
	if (!j->ca)
		fprintf(ctl->out, "  %s\n", say(ctl, "кой е издал сертификатите, не е проверено (--ca)",
		    "who issued the certificates was not checked (--ca)"));
	if (!j->authorities && json_array_size(j->stamps))
		fprintf(ctl->out, "  %s\n", say(ctl, "кой е удостоверил времето, не е проверено (--tsa-ca)",
		    "who made the time stamps was not checked (--tsa-ca)"));
}

static void
judge_seal(struct judging *j, const char *file)
{
	const char *why;

	if (!evidence_seal_check(file, j->ca, &j->sealed, j->signer, &why) && j->sealed)
		problem(j, file, why);
}

static enum exit_status
judge_file(struct judging *j, const char *file)
{
	j->problems = json_array();
	j->signatures = json_array();
	j->stamps = json_array();
	if (!read_members(j)) {
		print_fault(j->ctl, FAULT_INTERNAL, file);
		return EXIT_REFUSED;
	}
	judge_all(j);
	judge_seal(j, file);
	bool holds = json_array_size(j->problems) == 0 && !j->lost;
	if (j->ctl->json) {
		json_t *o = json_pack("{s:b, s:b, s:i, s:i, s:O, s:O, s:O}", "ok", 1, "valid", holds, "entries",
		    (int)j->entries, "links", (int)j->links, "signatures", j->signatures, "stamps", j->stamps,
		    "problems", j->problems);
		if (j->sealed)
			json_object_set_new(o, "signed_by", json_string(j->signer));
		print_json(j->ctl, o);
		json_decref(o);
	} else {
		say_judgement(j->ctl, j, file);
	}
	return holds ? EXIT_DONE : EXIT_REFUSED;
}

enum exit_status
run_evidence_verify(struct ctl *ctl, struct command *c)
{
	const char *file = command_local(c, "file"), *ca = command_local(c, "ca");
	const char *crl = command_local(c, "crl"), *tsa = command_local(c, "tsa_ca"), *why;
	struct judging j = {.ctl = ctl, .ca = *ca ? ca : NULL, .crl = *crl ? crl : NULL};
	enum exit_status status = EXIT_REFUSED;
	char detail[512];

	j.fd = open(file, O_RDONLY | O_CLOEXEC);
	if (j.fd < 0) {
		snprintf(detail, sizeof detail, "%s: %s", file, strerror(errno));
		print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
		return EXIT_REFUSED;
	}
	if (*tsa && !(j.authorities = stamp_authorities(tsa, &why))) {
		snprintf(detail, sizeof detail, "%s: %s", tsa, why);
		print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
	} else {
		status = judge_file(&j, file);
	}
	X509_STORE_free(j.authorities);
	json_decref(j.problems);
	json_decref(j.signatures);
	json_decref(j.stamps);
	free(j.members);
	close(j.fd);
	return status;
}
