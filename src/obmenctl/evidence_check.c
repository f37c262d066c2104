/* evidence check: asks the node for slice after slice, and hashes large bodies here. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obmenctl/evidence.h"

/* Compares the files that a slice names; the broken entry, or 0. */
static long long
check_files(struct ctl *ctl, const json_t *files, enum exit_status *status)
{
	long long broken = 0;
	size_t i;
	json_t *f;

	json_array_foreach (files, i, f) {
		char hash[65] = "";
		struct stat st;
		int fd = -1;
		json_t *request = json_pack("{s:s, s:I}", "verb", "evidence.body", "row",
		    (json_int_t)number_of(f, "row"));
		json_t *answer = ask(ctl, request, NULL, 0, &fd);
		json_decref(request);
		if (!answer)
			*status = EXIT_UNREACHABLE;
		json_decref(answer);
		bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_size == number_of(f, "size") &&
		    evidence_hash_fd(fd, 0, (uint64_t)st.st_size, hash) &&
		    strcmp(hash, text_of(f, "sha256")) == 0;
		if (fd >= 0)
			close(fd);
		if (!same && !broken)
			broken = number_of(f, "sequence");
	}
	return broken;
}

static void
say_checked(struct ctl *ctl, long long checked, long long broken, long long document, const char *why)
{
	if (ctl->json) {
		json_t *j = json_pack("{s:b, s:b, s:I}", "ok", 1, "sound", broken == 0, "checked",
		    (json_int_t)checked);
		if (broken)
			json_object_set_new(j, "broken", json_pack("{s:I, s:I, s:s}", "sequence",
			    (json_int_t)broken, "document", (json_int_t)document, "why", why));
		print_json(ctl, j);
		json_decref(j);
		return;
	}
	if (broken) {
		struct fault_text t = fault_text(FAULT_JOURNAL_BROKEN, ctl->language);
		fprintf(ctl->out, "%s: %lld", t.what, broken);
		if (document)
			fprintf(ctl->out, SAY(ctl, ", документ %lld", ", document %lld"), document);
		fprintf(ctl->out, " (%s). %s %s [%s]\n", why, t.means, t.todo, t.code);
		return;
	}
	fprintf(ctl->out, SAY(ctl, "Веригата е цяла: проверени записи %lld.\n",
	    "The chain is whole: %lld entries checked.\n"), checked);
}

enum exit_status
run_evidence_check(struct ctl *ctl, struct command *c)
{
	long long checked = 0, broken = 0, document = 0;
	enum exit_status status = EXIT_DONE;
	char why[200] = "";
	bool done = false;

	while (!done && !broken && status == EXIT_DONE) {
		json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);
		if (!answer)
			return status;
		checked += number_of(answer, "checked");
		done = json_is_true(json_object_get(answer, "done"));
		json_object_set_new(c->request, "phase", json_integer(number_of(answer, "phase")));
		json_object_set_new(c->request, "next", json_integer(number_of(answer, "next")));
		const json_t *b = json_object_get(answer, "broken");
		/* Files of a slice lie before what broke it. */
		broken = check_files(ctl, json_object_get(answer, "files"), &status);
		snprintf(why, sizeof why, "%s", "spool");
		if (!broken && b) {
			broken = number_of(b, "sequence");
			document = number_of(b, "document");
			snprintf(why, sizeof why, "%s", text_of(b, "why"));
		}
		json_decref(answer);
	}
	if (status != EXIT_DONE)
		return status;
	say_checked(ctl, checked, broken, document, why);
	return broken ? EXIT_REFUSED : EXIT_DONE;
}

void
render_evidence_archive(struct ctl *ctl, const json_t *answer)
{
	(void)answer;
	fprintf(ctl->out, "%s\n", say(ctl, "Архивирането започна; obmenctl status --json показва докъде е.",
	    "Archiving has begun; obmenctl status --json shows how far it is."));
}
