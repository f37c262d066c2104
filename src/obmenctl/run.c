/* Verbs that handle files: send, save, body. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/guid.h"
#include "lib/when.h"
#include "obmenctl/ctl.h"

#define WAIT_STEP_MS 500

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* Opens the files of --attach and describes them in the document. */
static bool
attach_files(struct ctl *ctl, struct command *c, int fds[CTL_FDS_MAX], unsigned *nfds)
{
	json_t *files = json_object_get(c->local, "files"), *list = json_array();
	char detail[512];
	size_t i;
	json_t *file;

	*nfds = 0;
	json_array_foreach (files, i, file) {
		const char *path = json_string_value(file);
		int fd = i < CTL_FDS_MAX ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd < 0) {
			snprintf(detail, sizeof detail, "%s: %s", path,
				 strerror(i < CTL_FDS_MAX ? errno : E2BIG));
			print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
			close_all(fds, *nfds);
			json_decref(list);
			return false;
		}
		fds[(*nfds)++] = fd;
		json_array_append_new(list, json_pack("{s:s}", "file_name", base_name(path)));
	}
	if (*nfds)
		json_object_set(c->document, "attachments", list);
	json_decref(list);
	return true;
}

/* "NAME;CITY" rows of --correspondent. */
static void
add_correspondents(struct command *c)
{
	json_t *given = json_object_get(c->local, "correspondents"), *list = json_array();
	size_t i;
	json_t *text;

	json_array_foreach (given, i, text) {
		const char *s = json_string_value(text), *semicolon = strchr(s, ';');
		size_t len = semicolon ? (size_t)(semicolon - s) : strlen(s);
		const char *city = semicolon ? semicolon + 1 + strspn(semicolon + 1, " ") : "";
		json_array_append_new(list, json_pack("{s:s%, s:s}", "name", s, len, "city", city));
	}
	if (json_array_size(list))
		json_object_set(c->document, "correspondents", list);
	json_decref(list);
}

static bool
is_end_state(const char *state)
{
	static const char *const ends[] = {"registered", "refused", "stopped", "closed", "failed",
	    "expired"};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (strcmp(state, ends[i]) == 0)
			return true;
	}
	return false;
}

/* The document as it is when an end has come, or the time is over; a new reference or NULL. */
static json_t *
wait_for_end(struct ctl *ctl, const char *document, long long seconds)
{
	when deadline = when_monotonic() + seconds * WHEN_SECOND;
	json_t *request = json_pack("{s:s, s:s}", "verb", "document.show", "document", document);
	json_t *answer = NULL;

	for (;;) {
		json_decref(answer);
		answer = ask(ctl, request, NULL, 0, NULL);
		const char *state = text_of(json_object_get(answer, "document"), "state");
		if (!answer || is_end_state(state) || when_monotonic() >= deadline)
			break;
		usleep(WAIT_STEP_MS * 1000);
	}
	json_decref(request);
	return answer;
}

static void
say_sent(struct ctl *ctl, const json_t *answer)
{
	fprintf(
	    ctl->out,
	    SAY(ctl, "Прието за изпращане: документ %lld, %s\n", "Accepted: document %lld, %s\n"),
	    number_of(answer, "id"), text_of(answer, "document"));
}

static enum exit_status
wait_and_say(struct ctl *ctl, struct command *c, json_t *answer)
{
	json_t *shown = wait_for_end(ctl, text_of(answer, "document"), number_of(c->local, "wait"));
	json_t *document = json_object_get(shown, "document");
	const char *state = text_of(document, "state");
	bool good = strcmp(state, "registered") == 0 || strcmp(state, "closed") == 0;

	if (!shown)
		return EXIT_UNREACHABLE;
	if (ctl->json) {
		json_object_set(answer, "final", document);
		print_json(ctl, answer);
	} else {
		say_sent(ctl, answer);
		render_document(ctl, shown);
	}
	json_decref(shown);
	return good ? EXIT_DONE : EXIT_REFUSED;
}

enum exit_status
run_send(struct ctl *ctl, struct command *c)
{
	const char *parent = command_local(c, "parent");
	int fds[CTL_FDS_MAX];
	unsigned nfds;
	enum exit_status status;
	struct guid g;

	if (*parent && !guid_parse_lenient(&g, parent)) {
		print_fault(ctl, FAULT_FIELD_VALUE, "--parent");
		return EXIT_REFUSED;
	}
	if (*parent) {
		char text[GUID_TEXT_SIZE];
		guid_format(&g, text);
		json_object_set_new(c->document, "parent",
				    json_pack("{s:s}", "document_guid", text));
	}
	if (!attach_files(ctl, c, fds, &nfds))
		return EXIT_REFUSED;
	add_correspondents(c);
	json_object_set(c->request, "document", c->document);
	json_t *answer = ask_command(ctl, c, fds, nfds, NULL, &status);
	close_all(fds, nfds);
	if (!answer)
		return status;
	if (json_object_get(c->local, "wait"))
		status = wait_and_say(ctl, c, answer);
	else if (ctl->json)
		print_json(ctl, answer);
	else
		say_sent(ctl, answer);
	json_decref(answer);
	return status;
}

/* A new file for output; an existing one only with --force. */
static int
create_output(struct ctl *ctl, const struct command *c, const char *path)
{
	int flags = json_is_true(json_object_get(c->local, "force")) ? O_TRUNC : O_EXCL;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
	char detail[512];

	if (fd >= 0)
		return fd;
	snprintf(detail, sizeof detail, "%s: %s%s", path, strerror(errno),
	    errno == EEXIST ? ", --force" : "");
	print_fault(ctl, FAULT_FILE_UNWRITABLE, detail);
	return -1;
}

/* The name that the sender gave the file: never a path, never hidden. */
static void
safe_name(const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s", base_name(name));
	for (char *s = out; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '\\')
			*s = '_';
	}
	if (!*out || *out == '.')
		snprintf(out, size, "attachment");
}

/* Asks for the document, and gives attachment number n (from 1), borrowed from *shown. */
static const json_t *
find_attachment(struct ctl *ctl, struct command *c, long n, json_t **shown,
		enum exit_status *status)
{
	json_t *request = json_pack("{s:s, s:O}", "verb", "document.show", "document",
	    json_object_get(c->request, "document"));

	*shown = ask(ctl, request, NULL, 0, NULL);
	json_decref(request);
	*status = *shown ? EXIT_REFUSED : EXIT_UNREACHABLE;
	if (!*shown)
		return NULL;
	if (!json_is_true(json_object_get(*shown, "ok"))) {
		print_refusal(ctl, *shown);
		return NULL;
	}
	const json_t *details = json_object_get(json_object_get(*shown, "document"), "details");
	const json_t *list = json_object_get(details, "attachments");
	const json_t *a = n > 0 ? json_array_get(list, (size_t)n - 1) : NULL;
	if (!a)
		print_fault(ctl, FAULT_ATTACHMENT_MISSING, NULL);
	return a;
}

static void
say_saved(struct ctl *ctl, const char *path, long long bytes)
{
	char size[32];

	if (ctl->json) {
		json_t *j = json_pack("{s:b, s:s, s:I}", "ok", 1, "output", path, "bytes",
				      (json_int_t)bytes);
		print_json(ctl, j);
		json_decref(j);
	} else {
		fprintf(ctl->out, "%s  %s\n", path, say_size(ctl, bytes, size));
	}
}

static enum exit_status
save_attachment(struct ctl *ctl, struct command *c, const char *path, long number)
{
	enum exit_status status;
	struct stat st;

	int fd = create_output(ctl, c, path);
	if (fd < 0)
		return EXIT_REFUSED;
	json_object_set_new(c->request, "index", json_integer(number - 1));
	json_t *answer = ask_command(ctl, c, &fd, 1, NULL, &status);
	if (answer && (fsync(fd) < 0 || fstat(fd, &st) < 0)) {
		print_fault(ctl, FAULT_FILE_UNWRITABLE, path);
		status = EXIT_REFUSED;
	}
	if (status == EXIT_DONE)
		say_saved(ctl, path, st.st_size);
	else
		unlink(path);
	close(fd);
	json_decref(answer);
	return status;
}

enum exit_status
run_save(struct ctl *ctl, struct command *c)
{
	const char *number = command_local(c, "number"), *output = command_local(c, "output");
	long n = *number ? strtol(number, NULL, 10) : 1;
	enum exit_status status;
	char name[256];
	json_t *shown;

	const json_t *attachment = find_attachment(ctl, c, n, &shown, &status);
	if (!attachment) {
		json_decref(shown);
		return status;
	}
	safe_name(text_of(attachment, "file_name"), name, sizeof name);
	json_decref(shown);
	return save_attachment(ctl, c, *output ? output : name, n);
}

static long long
copy(int from, int to)
{
	char data[65536];
	long long total = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, data, sizeof data, at)) > 0) {
		for (ssize_t done = 0, m; done < n; done += m) {
			m = write(to, data + done, (size_t)(n - done));
			if (m < 0)
				return -1;
		}
		at += n;
		total += n;
	}
	return n < 0 ? -1 : total;
}

enum exit_status
run_body(struct ctl *ctl, struct command *c)
{
	const char *path = command_local(c, "output");
	enum exit_status status;
	int from;

	json_t *answer = ask_command(ctl, c, NULL, 0, &from, &status);
	if (!answer)
		return status;
	json_decref(answer);
	if (from < 0) {
		print_fault(ctl, FAULT_STORE_FAILED, NULL);
		return EXIT_REFUSED;
	}
	int to = *path ? create_output(ctl, c, path) : STDOUT_FILENO;
	long long n = to < 0 ? -1 : copy(from, to);
	close(from);
	if (n < 0 && to >= 0)
		print_fault(ctl, FAULT_FILE_UNWRITABLE, path);
	if (*path && to >= 0) {
		close(to);
		if (n >= 0)
			say_saved(ctl, path, n);
		else
			unlink(path);
	}
	return n < 0 ? EXIT_REFUSED : EXIT_DONE;
}
