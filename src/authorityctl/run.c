/* Verbs that do more than ask and print. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authorityctl/authorityctl.h"
#include "lib/buf.h"
#include "message/base64.h"
#include "process/wire.h"
#include "soap/register.h"

#define FILE_MAX ((off_t)64 << 20)

static enum exit_status
finish(struct ctl *ctl, struct command *c, json_t *answer, enum exit_status status)
{
	if (!answer)
		return status;
	if (ctl->json || !c->verb->render)
		ctl->json ? print_json(ctl, answer) : render_done(ctl, answer);
	else
		c->verb->render(ctl, answer);
	json_decref(answer);
	return status;
}

static enum exit_status
ask_and_finish(struct ctl *ctl, struct command *c)
{
	enum exit_status status;
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);

	return finish(ctl, c, answer, status);
}

enum exit_status
run_participant_add(struct ctl *ctl, struct command *c)
{
	json_object_set(c->request, "record", c->document);
	return ask_and_finish(ctl, c);
}

enum exit_status
run_participant_change(struct ctl *ctl, struct command *c)
{
	json_object_set(c->request, "fields", c->document);
	return ask_and_finish(ctl, c);
}

/* A whole file; false with the reason said. */
static bool
read_file(struct ctl *ctl, const char *path, struct buf *out)
{
	char detail[512];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *room = NULL;
	ssize_t n = -1;

	out->max = (size_t)FILE_MAX + 1;
	errno = 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size <= FILE_MAX &&
	    (room = buf_room(out, (size_t)st.st_size + 1)))
		n = read(fd, room, (size_t)st.st_size);
	if (n >= 0)
		out->len = (size_t)n;
	if (n < 0) {
		snprintf(detail, sizeof detail, "%s: %s", path, errno ? strerror(errno) : "64 MiB");
		print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
	}
	if (fd >= 0)
		close(fd);
	return n >= 0;
}

/* A number as the request's id, a file in base64: what a table of options cannot say. */
enum exit_status
run_file(struct ctl *ctl, struct command *c)
{
	const char *id = command_local(c, "id"), *path = command_local(c, "file");
	bool der = strcmp(c->verb->words[1], "register") == 0;
	struct buf file = {0}, text = {0};
	char *end;

	if (*id) {
		long long n = strtoll(id, &end, 10);
		json_object_set_new(c->request, "id", *end ? json_string(id) : json_integer(n));
	}
	if (*path) {
		if (!read_file(ctl, path, &file))
			return EXIT_REFUSED;
		buf_add_base64(&text, file.data, file.len);
		json_object_set_new(c->request, der ? "certificate" : "csr", json_string(buf_str(&text)));
		json_object_set_new(c->request, "via", json_string("file"));
	}
	buf_free(&file);
	buf_free(&text);
	return ask_and_finish(ctl, c);
}

/* The answer to a CMP message is a file again: nothing but its bytes. */
static bool
write_answer(struct ctl *ctl, const char *path, const json_t *answer)
{
	const char *text = text_of(answer, "answer");
	size_t len = strlen(text);
	struct base64 decoder = {0};
	uint8_t *der = malloc(base64_room(len));
	size_t n = der ? base64_decode(&decoder, text, len, der) : 0;
	FILE *out = n && base64_complete(&decoder) ? fopen(path, "we") : NULL;
	bool ok = out && fwrite(der, 1, n, out) == n;

	if (out && fclose(out) != 0)
		ok = false;
	if (!ok)
		print_fault(ctl, FAULT_FILE_UNWRITABLE, path);
	free(der);
	return ok;
}

enum exit_status
run_cmp(struct ctl *ctl, struct command *c)
{
	struct buf file = {0}, text = {0};
	enum exit_status status = EXIT_REFUSED;

	if (!read_file(ctl, command_local(c, "file"), &file))
		return EXIT_REFUSED;
	buf_add_base64(&text, file.data, file.len);
	json_object_set_new(c->request, "message", json_string(buf_str(&text)));
	buf_free(&file);
	buf_free(&text);
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);
	if (answer)
		status = write_answer(ctl, command_local(c, "output"), answer) ? EXIT_DONE : EXIT_REFUSED;
	json_decref(answer);
	return status;
}

/* ---- the register as a whole ---- */

static bool
add_record(void *arg, const struct participant *p)
{
	char guid[GUID_TEXT_SIZE], parent[GUID_TEXT_SIZE];

	guid_format(&p->guid, guid);
	guid_format(&p->parent, parent);
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "guid", guid, "parent_guid",
	    parent, "eik", p->eik, "name", p->name, "phone", p->phone, "fax", p->fax, "email", p->email,
	    "certificate_serial", p->certificate_serial, "status",
	    participant_status_name(p->entity_status));
	if (j && *p->uri) {
		json_object_set_new(j, "uri", json_string(p->uri));
		json_object_set_new(j, "service_name", json_string(p->service_name));
		json_object_set_new(j, "service_version", json_string(p->service_version));
		json_object_set_new(j, "service_status", json_string(participant_status_name(p->service_status)));
	}
	return j && json_array_append_new(arg, j) == 0;
}

/* An answer of the register, read by the same reader as the node's. NULL with the reason said. */
static json_t *
read_answer(struct ctl *ctl, const struct buf *file)
{
	struct register_reader *r = register_reader_new(NULL);
	struct register_answer a;
	json_t *list = json_array();
	enum fault f = r && list && register_reader_begin(r, add_record, list) ? FAULT_NONE : FAULT_INTERNAL;

	if (!f)
		f = register_reader_feed(r, file->data, file->len);
	if (!f)
		f = register_reader_end(r, &a);
	if (f) {
		print_fault(ctl, FAULT_IMPORT_BROKEN, r ? register_reader_detail(r) : NULL);
		json_decref(list);
		list = NULL;
	}
	register_reader_free(r);
	return list;
}

enum exit_status
run_register_import(struct ctl *ctl, struct command *c)
{
	struct buf file = {0};
	enum exit_status status = EXIT_REFUSED;

	if (!read_file(ctl, command_local(c, "file"), &file))
		return EXIT_REFUSED;
	const char *s = buf_str(&file);
	json_t *records = s[strspn(s, " \t\r\n")] == '[' ? json_loadb(s, file.len, 0, NULL) :
	    read_answer(ctl, &file);
	char *text = records ? json_dumps(records, JSON_COMPACT) : NULL;
	int fd = text ? wire_memfd("records", text, strlen(text)) : -1;
	json_t *answer = fd >= 0 ? ask_command(ctl, c, &fd, 1, NULL, &status) : NULL;

	if (answer && !ctl->json)
		render_import(ctl, answer);
	else if (answer)
		print_json(ctl, answer);
	if (fd >= 0)
		close(fd);
	json_decref(answer);
	json_decref(records);
	free(text);
	buf_free(&file);
	return status;
}

static bool
copy_out(int from, long long len, int to)
{
	char piece[65536];
	long long at = 0;

	while (at < len) {
		size_t want = len - at < (long long)sizeof piece ? (size_t)(len - at) : sizeof piece;
		ssize_t n = pread(from, piece, want, at);
		if (n <= 0 || write(to, piece, (size_t)n) != n)
			return false;
		at += n;
	}
	return true;
}

enum exit_status
run_register_export(struct ctl *ctl, struct command *c)
{
	const char *path = command_local(c, "output");
	enum exit_status status;
	int fd = -1;
	json_t *answer = ask_command(ctl, c, NULL, 0, &fd, &status);

	if (!answer)
		return status;
	int out = *path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : STDOUT_FILENO;
	if (fd < 0 || out < 0 || !copy_out(fd, number_of(answer, "bytes"), out)) {
		print_fault(ctl, FAULT_FILE_UNWRITABLE, *path ? path : "-");
		status = EXIT_REFUSED;
	}
	if (*path && out >= 0)
		close(out);
	if (fd >= 0)
		close(fd);
	json_decref(answer);
	return status;
}
