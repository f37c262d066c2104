/* backup create: a child packs the tar file into a pipe, this process encrypts what comes out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/tar.h"
#include "lib/when.h"
#include "obmenctl/backup.h"

#define CONF "/etc/obmen/obmen.conf"
#define POLL_US 200000

struct packing {
	struct ctl *ctl;
	int tar;
	time_t now;
	json_t *manifest, *files; /* files: of the manifest */
};

static json_t *
question(struct ctl *ctl, const char *verb, const int *in, int *out)
{
	json_t *request = json_pack("{s:s}", "verb", verb);
	json_t *answer = ask(ctl, request, in, in ? 1 : 0, out);

	json_decref(request);
	if (answer && !json_is_true(json_object_get(answer, "ok"))) {
		print_refusal(ctl, answer);
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}

/* The node's copy of its database, when it is whole; the answer names the large bodies. */
static json_t *
take_copy(struct ctl *ctl, int *fd)
{
	json_t *state = question(ctl, "backup.begin", NULL, NULL);

	while (state && !json_is_true(json_object_get(state, "done"))) {
		json_decref(state);
		usleep(POLL_US);
		state = question(ctl, "backup.state", NULL, NULL);
	}
	json_decref(state);
	return state ? question(ctl, "backup.take", NULL, fd) : NULL;
}

static bool
add_fd(struct packing *p, const char *name, int fd)
{
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 &&
	    tar_add(p->tar, name, NULL, fd, (uint64_t)st.st_size, p->now);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* One file of the configuration, under a name that says where it was. */
static bool
add_conf_file(struct packing *p, const char *path)
{
	char name[TAR_NAME_MAX + 1];
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (!path || !*path)
		return true;
	snprintf(name, sizeof name, "conf/%02zu-%.80s", json_array_size(p->files), slash ? slash + 1 : path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	json_array_append_new(p->files, json_pack("{s:s, s:s}", "name", name, "path", path));
	return add_fd(p, name, fd);
}

static bool
add_conf(struct packing *p, const char *path, bool keys)
{
	char errors[4096];
	struct conf *c = conf_load(path, errors, sizeof errors);
	bool ok = c && add_conf_file(p, path) && add_conf_file(p, c->ca_file) &&
	    add_conf_file(p, c->crl_file) && add_conf_file(p, c->hosts_file);

	if (!c)
		fputs(errors, stderr);
	for (unsigned i = 0; ok && i < c->certificate_count; i++)
		ok = add_conf_file(p, c->certificates[i].file) &&
		    (!keys || add_conf_file(p, c->certificates[i].key));
	conf_free(c);
	return ok;
}

static bool
add_bodies(struct packing *p, const json_t *files)
{
	char name[TAR_NAME_MAX + 1];
	size_t i;
	json_t *f;

	json_array_foreach (files, i, f) {
		int fd = -1;
		json_t *request = json_pack("{s:s, s:O}", "verb", "evidence.body", "row",
		    json_object_get(f, "row"));
		json_decref(ask(p->ctl, request, NULL, 0, &fd));
		json_decref(request);
		snprintf(name, sizeof name, BACKUP_SPOOL "%.60s", text_of(f, "name"));
		/* One that retention removed meanwhile lies in an archive. */
		if (fd >= 0 && !add_fd(p, name, fd))
			return false;
	}
	return true;
}

/* In the child: everything into the pipe. */
static int
pack(struct packing *p, const json_t *answer, int db, const char *conf, bool keys)
{
	char made[WHEN_TEXT_SIZE];
	bool ok = add_fd(p, BACKUP_DB, db) && add_bodies(p, json_object_get(answer, "files")) &&
	    add_conf(p, conf, keys);

	when_format(when_now(), made);
	p->manifest = json_pack("{s:s, s:b, s:O}", "made", made, "with_keys", keys, "files", p->files);
	char *text = json_dumps(p->manifest, JSON_INDENT(1));
	ok = ok && text && tar_add(p->tar, BACKUP_MANIFEST, text, -1, strlen(text), p->now) && tar_end(p->tar);
	return ok ? 0 : 1;
}

static bool
pack_and_encrypt(struct ctl *ctl, const json_t *answer, int db, struct command *c, int out,
    const char *code)
{
	const char *conf = command_local(c, "config");
	int ends[2], status = 1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid_t child = fork();
	if (child == 0) {
		struct packing p = {.ctl = ctl, .tar = ends[1], .now = time(NULL), .files = json_array()};
		close(ends[0]);
		_exit(pack(&p, answer, db, *conf ? conf : CONF,
		    json_is_true(json_object_get(c->local, "with_keys"))));
	}
	close(ends[1]);
	bool ok = child > 0 && backup_encrypt(ends[0], out, code) && fsync(out) == 0;
	close(ends[0]);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 && ok;
}

/* FILE.p7s; the node hashes and signs what is in the file. */
static bool
seal(struct ctl *ctl, const char *path, int fd)
{
	json_t *answer = question(ctl, "backup.seal", &fd, NULL);
	const char *hex = text_of(answer, "cms");
	char name[4096];
	unsigned byte;

	snprintf(name, sizeof name, "%s.p7s", path);
	int out = *hex ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	bool ok = out >= 0;
	for (; ok && *hex && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		ok = write(out, &(uint8_t){(uint8_t)byte}, 1) == 1;
	ok = ok && fsync(out) == 0;
	if (out >= 0)
		close(out);
	json_decref(answer);
	return ok;
}

static void
say_made(struct ctl *ctl, const char *path, const char *fresh_code)
{
	json_t *told = json_pack("{s:b, s:s, s:s*}", "ok", 1, "output", path, "code",
	    *fresh_code ? fresh_code : NULL);

	if (ctl->json) {
		print_json(ctl, told);
	} else {
		fprintf(ctl->out, SAY(ctl, "%s и %s.p7s: пазете ги заедно.\n",
		    "%s and %s.p7s: keep them together.\n"), path, path);
		if (*fresh_code)
			fprintf(ctl->out, SAY(ctl, "Код за възстановяване: %s\nЗапишете го на хартия: без него "
			    "копието не може да се отвори.\n", "Recovery code: %s\nWrite it down on paper: without it "
			    "the backup cannot be opened.\n"), fresh_code);
	}
	json_decref(told);
}

enum exit_status
run_backup_create(struct ctl *ctl, struct command *c)
{
	const char *path = command_local(c, "file"), *code_file = command_local(c, "passphrase_file");
	char code[BACKUP_CODE_MAX], detail[4200];
	int db = -1;

	if (*code_file ? !backup_code_read(ctl, code_file, code) : !backup_code_new(code))
		return EXIT_REFUSED;
	int out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0) {
		snprintf(detail, sizeof detail, "%s: %s", path, strerror(errno));
		print_fault(ctl, FAULT_FILE_UNWRITABLE, detail);
		return EXIT_REFUSED;
	}
	json_t *answer = take_copy(ctl, &db);
	bool ok = answer && pack_and_encrypt(ctl, answer, db, c, out, code) && seal(ctl, path, out);
	if (db >= 0)
		close(db);
	close(out);
	if (ok)
		say_made(ctl, path, *code_file ? "" : code);
	else
		unlink(path);
	if (!ok && answer)
		print_fault(ctl, FAULT_BACKUP_FAILED, path);
	json_decref(answer);
	explicit_bzero(code, sizeof code);
	return ok ? EXIT_DONE : EXIT_REFUSED;
}
