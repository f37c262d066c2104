/* Whether the running version, started on trial, is kept. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/packet.h"
#include "update/slot.h"
#include "update/updater.h"

#define INTERVAL 3        /* seconds between two questions */
#define WELL 2            /* answers in a row, so that a process that keeps dying is seen */
#define CONSOLE "/usr/sbin/console"
#define CONSOLE_AGE 5     /* seconds: one that keeps dying is younger */
#define CONFIGURATION "/data/conf/obmen.conf"
#define NO_ANSWER "node"
#define PATIENCE 60       /* seconds for an orderly restart */

void
trial_begin(struct updater *u)
{
	struct slot s;

	if (!slot_esp_mount(false))
		return;
	u->trial.on = slot_look(u->slot, &s) && !s.good;
	slot_esp_unmount();
	u->trial.deadline = u->running.trial;
	snprintf(u->trial.against, sizeof u->trial.against, NO_ANSWER);
	if (u->trial.on)
		log_info("update.trial", "version=%s seconds=%u left=%u", u->running.version, u->running.trial,
		    s.left);
}

/* Reads a small file of /proc as one line; words are divided by NUL there. */
static bool
read_proc(int proc, const char *pid, const char *file, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "%s/%s", pid, file);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n; i++)
		text[i] = text[i] ? text[i] : ' ';
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* When a process was started, in seconds since the machine was: the 22nd field of stat. */
static uint64_t
started(const char *stat)
{
	const char *at = strrchr(stat, ')');
	unsigned long long ticks = 0;

	for (unsigned field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, " %llu", &ticks);
	return ticks / (unsigned long long)sysconf(_SC_CLK_TCK);
}

static bool
console_up(void)
{
	char command[256], stat[512];
	DIR *d = opendir("/proc");
	bool up = false;

	for (struct dirent *e; d && !up && (e = readdir(d)) != NULL;)
		up = isdigit((unsigned char)e->d_name[0]) &&
		    read_proc(dirfd(d), e->d_name, "cmdline", command, sizeof command) &&
		    strstr(command, CONSOLE) && read_proc(dirfd(d), e->d_name, "stat", stat, sizeof stat) &&
		    updater_uptime() >= started(stat) + CONSOLE_AGE;
	if (d)
		closedir(d);
	return up;
}

static bool
was_before(const char *reason)
{
	char line[256];
	FILE *f = fopen(UPDATE_BEFORE, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, reason) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static void
against(struct trial *t, const char *reason)
{
	size_t len = strlen(t->against);

	snprintf(t->against + len, sizeof t->against - len, "%s%s", len ? ", " : "", reason);
}

static void
keep(struct updater *u)
{
	if (!slot_esp_mount(true))
		return;
	bool kept = slot_mark(u->slot, NULL);
	slot_esp_unmount();
	if (!kept)
		return;
	u->trial.on = false;
	unlink(UPDATE_BEFORE);
	log_info("update.kept", "version=%s slot=%c", u->running.version, u->slot);
	updater_say("version %s is kept", u->running.version);
}

void
trial_judged(struct updater *u, const json_t *reasons)
{
	struct trial *t = &u->trial;
	json_t *reason;
	size_t i;

	if (!t->on || t->given_up)
		return;
	t->against[0] = '\0';
	json_array_foreach (reasons, i, reason) {
		const char *text = json_string_value(reason);
		if (text && !was_before(text))
			against(t, text);
	}
	if (!console_up())
		against(t, "console");
	t->well = t->against[0] ? 0 : t->well + 1;
	if (t->well >= WELL)
		keep(u);
}

static void
give_up(struct updater *u)
{
	struct trial *t = &u->trial;

	log_error("update.given-up", "version=%s reason=\"%s\"", u->running.version, t->against);
	updater_say("version %s is not well (%s): restarting", u->running.version, t->against);
	t->given_up = true;
	t->deadline += PATIENCE;
	updater_restart();
}

/* A box without settings has no node yet; a node that does not answer is not well. */
static void
ask(struct updater *u)
{
	json_t *question = json_pack("{s:s}", "ask", "judge"), *none = json_array();

	if (access(CONFIGURATION, F_OK) != 0)
		trial_judged(u, none);
	else if (u->link < 0 || !packet_send(u->link, question, -1))
		snprintf(u->trial.against, sizeof u->trial.against, NO_ANSWER);
	json_decref(question);
	json_decref(none);
}

void
trial_step(struct updater *u)
{
	struct trial *t = &u->trial;
	uint64_t now = updater_uptime();

	if (!t->on)
		return;
	if (now >= t->deadline && t->given_up)
		reboot(RB_AUTOBOOT);
	else if (now >= t->deadline)
		give_up(u);
	else if (now >= t->next) {
		t->next = now + INTERVAL;
		ask(u);
	}
}

bool
trial_note_before(const json_t *ailing)
{
	json_t *text;
	size_t i;

	mkdir(UPDATE_FOLDER, 0700);
	FILE *f = fopen(UPDATE_BEFORE, "we");
	if (!f)
		return false;
	json_array_foreach (ailing, i, text)
		fprintf(f, "%s\n", json_string_value(text));
	bool good = fflush(f) == 0 && fsync(fileno(f)) == 0;
	return fclose(f) == 0 && good;
}
