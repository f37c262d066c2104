/* The link to control, and the verbs. */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/packet.h"
#include "lib/sandbox.h"
#include "update/slot.h"
#include "update/updater.h"

#define STEP_MS 1000

uint64_t
updater_uptime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec;
}

void
updater_say(const char *format, ...)
{
	FILE *f = fopen("/dev/console", "we");
	va_list ap;

	if (!f)
		return;
	fputs("obmen: ", f);
	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
	fputc('\n', f);
	fclose(f);
}

void
updater_restart(void)
{
	kill(1, SIGTERM); /* busybox init: stop services, unmount, restart */
}

static json_t *
refusal(enum fault fault, const char *detail)
{
	return json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(fault), "detail", detail);
}

static char
other_slot(const struct updater *u)
{
	return u->slot == 'A' ? 'B' : 'A';
}

/* Once the answer is on its way. */
static void
plan_restart(struct updater *u, const json_t *request)
{
	u->restart = json_object_get(request, "restart") != NULL;
}

/* Opens and verifies what the request means. FAULT_NONE: the bundle may be installed here. */
static enum fault
open_bundle(const struct updater *u, const json_t *request, int fd, struct source *s, struct bundle *b)
{
	char detail[64];
	enum fault fault = source_open(s, request, fd);

	if (!fault)
		fault = bundle_open(b, s->fd, UPDATE_AUTHORITY);
	if (!fault) {
		fault = release_change(&u->running, &b->release, detail);
		snprintf(s->detail, sizeof s->detail, "%s%s%s", b->release.version, *detail ? ": " : "", detail);
	}
	return fault;
}

static json_t *
check(struct updater *u, const json_t *request, int fd)
{
	struct source s;
	struct bundle b;
	enum fault fault = open_bundle(u, request, fd, &s, &b);
	json_t *answer = fault ? refusal(fault, s.detail) :
	    json_pack("{s:b, s:s, s:s, s:s, s:i}", "ok", 1, "version", b.release.version, "running",
	    u->running.version, "source", s.name, "security", (int)b.release.security);

	source_close(&s);
	return answer;
}

static enum fault
write_slot(const struct updater *u, const struct bundle *b, const char **why)
{
	*why = "the EFI partition cannot be mounted";
	if (!slot_esp_mount(true))
		return FAULT_UPDATE_WRITE;
	enum fault fault = slot_install(other_slot(u), b, why);
	/* The loader prefers the newer version; one without tries it takes last, when the other has failed. */
	if (!fault && strverscmp(b->release.version, u->running.version) <= 0 && !slot_mark(u->slot, "+0")) {
		*why = "the running kernel file cannot be renamed";
		fault = FAULT_UPDATE_WRITE;
	}
	slot_esp_unmount();
	return fault;
}

static json_t *
install(struct updater *u, const json_t *request, int fd)
{
	char slot[2] = {other_slot(u), '\0'};
	struct source s;
	struct bundle b;
	const char *why = s.detail;

	if (u->trial.on) {
		if (fd >= 0)
			close(fd);
		return refusal(FAULT_UPDATE_TRIAL, u->running.version);
	}
	enum fault fault = open_bundle(u, request, fd, &s, &b);
	if (!fault && !trial_note_before(json_object_get(request, "ailing"))) {
		fault = FAULT_UPDATE_WRITE;
		why = UPDATE_BEFORE;
	}
	if (!fault)
		fault = write_slot(u, &b, &why);
	json_t *answer = fault ? refusal(fault, why) :
	    json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "version", b.release.version, "slot", slot, "source",
	    s.name);
	if (fault)
		log_warning("update.not-installed", "code=%s reason=\"%s\"", fault_code(fault), why);
	else
		log_info("update.installed", "version=%s slot=%s", b.release.version, slot);
	source_close(&s);
	if (!fault)
		plan_restart(u, request);
	return answer;
}

static json_t *
slot_json(const struct updater *u, char slot)
{
	char name[2] = {slot, '\0'};
	struct slot s;

	if (!slot_look(slot, &s))
		return json_pack("{s:s, s:s}", "slot", name, "state", "empty");
	return json_pack("{s:s, s:s, s:s, s:i, s:b}", "slot", name, "state",
	    s.good ? "good" : s.left ? "trial" : "given-up", "version", s.release.version, "tries",
	    (int)s.left, "running", slot == u->slot);
}

static json_t *
status(struct updater *u, const json_t *request, int fd)
{
	(void)request;
	if (fd >= 0)
		close(fd);
	if (!slot_esp_mount(false))
		return refusal(FAULT_UPDATE_WRITE, "the EFI partition cannot be mounted");
	json_t *slots = json_array();
	for (char slot = 'A'; slot <= 'B'; slot++)
		json_array_append_new(slots, slot_json(u, slot));
	slot_esp_unmount();
	return json_pack("{s:b, s:s, s:b, s:s, s:i, s:o}", "ok", 1, "version", u->running.version, "trial",
	    u->trial.on, "against", u->trial.against, "security", (int)u->running.security, "slots", slots);
}

/* Why the other slot cannot be gone back to. */
static enum fault
unfit_to_return(const struct updater *u, struct slot *other, char detail[64])
{
	detail[0] = '\0';
	if (!slot_look(other_slot(u), other) || !other->good)
		return FAULT_UPDATE_NO_BACK;
	return release_change(&u->running, &other->release, detail);
}

static json_t *
back(struct updater *u, const json_t *request, int fd)
{
	char detail[64];
	struct slot other;

	if (fd >= 0)
		close(fd);
	if (!slot_esp_mount(true))
		return refusal(FAULT_UPDATE_WRITE, "the EFI partition cannot be mounted");
	enum fault fault = unfit_to_return(u, &other, detail);
	/* Without tries the running version comes last, and the other one first. */
	if (!fault && !slot_mark(u->slot, "+0"))
		fault = FAULT_UPDATE_WRITE;
	slot_esp_unmount();
	if (fault)
		return refusal(fault, detail);
	log_info("update.back", "version=%s", other.release.version);
	plan_restart(u, request);
	return json_pack("{s:b, s:s}", "ok", 1, "version", other.release.version);
}

static const struct verb {
	const char *name;
	json_t *(*run)(struct updater *, const json_t *request, int fd); /* takes fd */
} verbs[] = {
    {"update.check", check},
    {"update.install", install},
    {"update.status", status},
    {"update.back", back},
};

static json_t *
serve_request(struct updater *u, const json_t *request, int fd)
{
	const char *name = json_string_value(json_object_get(request, "verb"));

	for (size_t i = 0; name && i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(u, request, fd);
	}
	if (fd >= 0)
		close(fd);
	return refusal(FAULT_USAGE, name ? name : "verb");
}

static void
disconnect(struct updater *u)
{
	close(u->link);
	u->link = -1;
}

static void
call_on_control(struct updater *u)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = UPDATER_SOCKET};

	u->link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (u->link >= 0 && connect(u->link, (struct sockaddr *)&a, sizeof a) < 0)
		disconnect(u);
}

static void
receive(struct updater *u)
{
	int fd;
	json_t *request = packet_receive(u->link, &fd);
	const json_t *judged = json_object_get(request, "judged");

	if (!request) {
		disconnect(u);
		return;
	}
	if (judged) {
		trial_judged(u, judged);
		if (fd >= 0)
			close(fd);
	} else {
		json_t *answer = serve_request(u, request, fd);
		if (!packet_send(u->link, answer, -1))
			disconnect(u);
		json_decref(answer);
		if (u->restart)
			updater_restart();
		u->restart = false;
	}
	json_decref(request);
}

/* What mounting, writing devices of root, the fetcher's user and a restart take. */
static bool
limit_rights(void)
{
	static const int kept[] = {CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETUID,
	    CAP_SETGID, CAP_SETPCAP};
	uint64_t bits = 0;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		bits |= (uint64_t)1 << kept[i];
	return sandbox_limit(bits);
}

int
updater_serve(void)
{
	struct updater u = {.link = -1, .slot = slot_running()};

	signal(SIGPIPE, SIG_IGN);
	if (!u.slot || !release_running(&u.running) || !limit_rights()) {
		log_error("update.no-box", "slot=%c", u.slot ? u.slot : '-');
		return 1;
	}
	trial_begin(&u);
	for (;;) {
		if (u.link < 0)
			call_on_control(&u);
		struct pollfd p = {.fd = u.link, .events = POLLIN};
		if (poll(&p, 1, STEP_MS) > 0)
			receive(&u);
		trial_step(&u);
	}
}
