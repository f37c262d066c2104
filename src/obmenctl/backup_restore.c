/* backup restore: without a node. The signature first, then the code, then the files. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tar.h"
#include "obmenctl/backup.h"
#include "obmenctl/evidence.h"

#define PIECE 65536

struct restoring {
	struct ctl *ctl;
	int to;                    /* the folder */
	const struct passwd *owner; /* of what the store reads; NULL: whoever runs this */
	unsigned count;
	char detail[512];
};

/* Names that pack() makes, and no others: nothing is written outside of the folder. */
static bool
is_ours(const char *name)
{
	const char *rest = strncmp(name, BACKUP_SPOOL, strlen(BACKUP_SPOOL)) == 0 ?
	    name + strlen(BACKUP_SPOOL) : strncmp(name, "conf/", 5) == 0 ? name + 5 : "";

	return strcmp(name, BACKUP_DB) == 0 || strcmp(name, BACKUP_MANIFEST) == 0 ||
	    (*rest && *rest != '.' && !strchr(rest, '/'));
}

static bool
copy(int from, uint64_t at, uint64_t size, int to)
{
	char piece[PIECE];

	while (size > 0) {
		ssize_t n = pread(from, piece, size < sizeof piece ? size : sizeof piece, (off_t)at);
		if (n <= 0 || write(to, piece, (size_t)n) != n)
			return false;
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return fsync(to) == 0;
}

static bool
write_file(struct restoring *r, int tar, const struct tar_file *f)
{
	int fd = is_ours(f->name) ?
	    openat(r->to, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	bool ok = fd >= 0 && copy(tar, f->at, f->size, fd);

	if (ok && r->owner && strncmp(f->name, "store/", 6) == 0)
		ok = fchown(fd, r->owner->pw_uid, r->owner->pw_gid) == 0;
	if (!ok)
		snprintf(r->detail, sizeof r->detail, "%s: %s", f->name, strerror(errno));
	if (fd >= 0)
		close(fd);
	r->count += ok;
	return ok;
}

static bool
unpack(struct restoring *r, int tar)
{
	struct tar_file f;
	uint64_t at = 0;
	enum tar_read what;

	while ((what = tar_next(tar, &at, &f)) == TAR_FILE) {
		if (!write_file(r, tar, &f))
			return false;
	}
	return what == TAR_END && r->count > 0;
}

/* store, store/spool and conf, new; never over a node that is there. */
static bool
make_folders(struct restoring *r, const char *path)
{
	static const char *const names[] = {"store", "store/spool", "conf"};

	if ((mkdir(path, 0711) < 0 && errno != EEXIST) ||
	    (r->to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		snprintf(r->detail, sizeof r->detail, "%s: %s", path, strerror(errno));
		return false;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (mkdirat(r->to, names[i], 0700) < 0) {
			snprintf(r->detail, sizeof r->detail, "%s/%s: %s", path, names[i], strerror(errno));
			return false;
		}
		if (r->owner && i < 2 && fchownat(r->to, names[i], r->owner->pw_uid, r->owner->pw_gid, 0) < 0)
			return false;
	}
	return true;
}

/* On this machine, whose numbers for the users may be others. */
static const struct passwd *
find_owner(const char *prefix)
{
	char name[128];

	if (geteuid() != 0)
		return NULL;
	snprintf(name, sizeof name, "%s-store", prefix);
	const struct passwd *p = getpwnam(name);
	return p ? p : getpwnam(prefix);
}

static bool
signature_holds(struct ctl *ctl, const char *path, const char *ca)
{
	char signer[256], detail[600];
	const char *why = "";
	bool present;

	if (evidence_seal_check(path, *ca ? ca : NULL, &present, signer, &why)) {
		if (!ctl->json)
			fprintf(ctl->out, SAY(ctl, "Подписано от %s.\n", "Signed by %s.\n"), signer);
		return true;
	}
	snprintf(detail, sizeof detail, "%s.p7s: %s", path, present ? why : "no such file");
	print_fault(ctl, FAULT_BACKUP_REFUSED, detail);
	return false;
}

/* The plain tar file, in an unnamed file beside what will come out of it. */
static int
open_backup(struct ctl *ctl, const char *path, const char *code, const char *folder)
{
	int in = open(path, O_RDONLY | O_CLOEXEC);
	int tar = in >= 0 ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
	bool ok = tar >= 0 && backup_decrypt(in, tar, code);

	if (in >= 0)
		close(in);
	if (ok)
		return tar;
	if (tar >= 0)
		close(tar);
	print_fault(ctl, FAULT_BACKUP_REFUSED, tar < 0 ? strerror(errno) : SAY(ctl, "кодът не го отваря",
	    "the code does not open it"));
	return -1;
}

enum exit_status
run_backup_restore(struct ctl *ctl, struct command *c)
{
	const char *path = command_local(c, "file"), *to = command_local(c, "to");
	const char *prefix = command_local(c, "user_prefix");
	struct restoring r = {.ctl = ctl, .to = -1, .owner = find_owner(*prefix ? prefix : "obmen")};
	char code[BACKUP_CODE_MAX];

	if (!signature_holds(ctl, path, command_local(c, "ca")) ||
	    !backup_code_read(ctl, command_local(c, "passphrase_file"), code))
		return EXIT_REFUSED;
	bool ok = make_folders(&r, to);
	int tar = ok ? open_backup(ctl, path, code, to) : -1;
	explicit_bzero(code, sizeof code);
	bool whole = tar >= 0 && unpack(&r, tar);
	if (!ok || (tar >= 0 && !whole))
		print_fault(ctl, FAULT_BACKUP_REFUSED, *r.detail ? r.detail : path);
	if (tar >= 0)
		close(tar);
	if (r.to >= 0)
		close(r.to);
	if (!whole)
		return EXIT_REFUSED;
	if (ctl->json)
		fprintf(ctl->out, "{\"ok\": true, \"files\": %u}\n", r.count);
	else
		fprintf(ctl->out, SAY(ctl, "Възстановени файлове: %u. Настройките са в %s/conf; посочете там "
		    "state-directory = %s,\nсложете ключовете и проверете с obmend -n.\n",
		    "Files restored: %u. The configuration is in %s/conf; set state-directory = %s there,\n"
		    "put the keys in place and check with obmend -n.\n"), r.count, to, to);
	return EXIT_DONE;
}
