/*
 * diag collect: what an engineer elsewhere needs, in one tar file, without secrets, contents of
 * documents or persons: of the queue only numbers, states and troubles.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/tar.h"
#include "obmenctl/ctl.h"

#define CONF "/etc/obmen/obmen.conf"
#define CONF_MAX ((size_t)1 << 20)
#define LOG_LINES 4000

struct bundle {
	struct ctl *ctl;
	int tar;
	time_t now;
	bool failed;
};

static void
add_text(struct bundle *b, const char *name, const char *text)
{
	if (!b->failed && text && !tar_add(b->tar, name, text, -1, strlen(text), b->now))
		b->failed = true;
}

static void
add_json(struct bundle *b, const char *name, const json_t *j)
{
	char *text = json_dumps(j, JSON_INDENT(1) | JSON_PRESERVE_ORDER);

	add_text(b, name, text);
	free(text);
}

static json_t *
question(struct bundle *b, const char *verb, const char *key, int value)
{
	json_t *request = json_pack("{s:s}", "verb", verb);

	if (key)
		json_object_set_new(request, key, json_integer(value));
	json_t *answer = ask(b->ctl, request, NULL, 0, NULL);
	json_decref(request);
	return answer;
}

static void
add_answer(struct bundle *b, const char *name, const char *verb)
{
	json_t *answer = question(b, verb, NULL, 0);

	if (answer)
		add_json(b, name, answer);
	else
		b->failed = true;
	json_decref(answer);
}

/* Only these fields of a document leave the node. */
static void
add_queue(struct bundle *b)
{
	static const char *const kept[] = {"id", "direction", "state", "since", "at", "fault", "next", "acts"};
	json_t *answer = question(b, "queue.list", "limit", 1000), *list = json_array(), *d;
	size_t i;

	json_array_foreach (json_object_get(answer, "documents"), i, d) {
		json_t *row = json_object();
		for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
			if (json_object_get(d, kept[k]))
				json_object_set(row, kept[k], json_object_get(d, kept[k]));
		}
		json_array_append_new(list, row);
	}
	add_json(b, "queue.json", list);
	json_decref(list);
	json_decref(answer);
}

static void
add_log(struct bundle *b)
{
	json_t *answer = question(b, "log", "lines", LOG_LINES), *line;
	struct buf text = {.max = 16 << 20};
	size_t i;

	json_array_foreach (json_object_get(answer, "lines"), i, line) {
		char *s = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
		if (s) {
			buf_adds(&text, s);
			buf_addc(&text, '\n');
		}
		free(s);
	}
	add_text(b, "log.jsonl", text.len ? buf_str(&text) : "");
	buf_free(&text);
	json_decref(answer);
}

/* The value of whatever sounds like a secret is left out; keys lie in files of their own anyway. */
static bool
is_secret(const char *line, size_t len)
{
	static const char *const words[] = {"password", "passphrase", "secret", "token", "pin", "reference"};
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), line);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasestr(name, words[i]))
			return true;
	}
	return false;
}

static void
redact(const char *conf, struct buf *out)
{
	while (*conf) {
		size_t len = strcspn(conf, "\n"), key = strcspn(conf, "=\n");
		if (conf[key] == '=' && is_secret(conf, key))
			buf_add(out, conf, key), buf_adds(out, "= ***");
		else
			buf_add(out, conf, len);
		buf_addc(out, '\n');
		conf += len + (conf[len] == '\n');
	}
}

static void
add_configuration(struct bundle *b, const char *path)
{
	struct buf text = {.max = 2 * CONF_MAX};
	char *conf = calloc(1, CONF_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (conf && fd >= 0 && read(fd, conf, CONF_MAX) >= 0) {
		redact(conf, &text);
	} else {
		buf_adds(&text, path);
		buf_adds(&text, ": ");
		buf_adds(&text, strerror(errno));
		buf_addc(&text, '\n');
	}
	if (fd >= 0)
		close(fd);
	add_text(b, "obmen.conf", buf_str(&text));
	free(conf);
	buf_free(&text);
}

static void
add_versions(struct bundle *b)
{
	struct utsname u;
	char text[1024];

	if (uname(&u) < 0)
		return;
	snprintf(text, sizeof text, "kernel: %s %s %s\n%s\njansson %s\n", u.sysname, u.release, u.machine,
	    OpenSSL_version(OPENSSL_VERSION), JANSSON_VERSION);
	add_text(b, "versions.txt", text);
}

static void
fill(struct bundle *b, const char *conf)
{
	json_t *report = diag_run(b->ctl);

	add_versions(b);
	if (report)
		add_json(b, "diag.json", report);
	json_decref(report);
	add_answer(b, "status.json", "status");
	add_answer(b, "register.json", "register.show");
	add_answer(b, "certificates.json", "cert.show");
	add_queue(b);
	add_log(b);
	add_configuration(b, conf);
	b->failed |= !tar_end(b->tar) || fsync(b->tar) < 0;
}

enum exit_status
run_diag_collect(struct ctl *ctl, struct command *c)
{
	const char *output = command_local(c, "output"), *conf = command_local(c, "config");
	struct bundle b = {.ctl = ctl, .now = time(NULL)};
	char name[64], detail[512];
	struct tm tm;

	localtime_r(&b.now, &tm);
	strftime(name, sizeof name, "obmen-diag-%Y%m%d-%H%M%S.tar", &tm);
	const char *path = *output ? output : name;
	b.tar = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b.tar < 0) {
		snprintf(detail, sizeof detail, "%s: %s", path, strerror(errno));
		print_fault(ctl, FAULT_FILE_UNWRITABLE, detail);
		return EXIT_REFUSED;
	}
	fill(&b, *conf ? conf : CONF);
	close(b.tar);
	if (b.failed) {
		unlink(path);
		return EXIT_UNREACHABLE;
	}
	json_t *told = json_pack("{s:b, s:s}", "ok", 1, "output", path);
	if (ctl->json)
		print_json(ctl, told);
	else
		fprintf(ctl->out, SAY(ctl, "%s: без пароли, ключове и съдържание на документи\n",
		    "%s: without passwords, keys and contents of documents\n"), path);
	json_decref(told);
	return EXIT_DONE;
}
