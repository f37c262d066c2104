/* The link to the box's updater: it calls on us, because a role may open no connection. */
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/packet.h"
#include "obmend/control.h"

#define SUFFIX ".updater"
#define SILENCE_SECONDS 5400 /* fetching may take an hour, writing minutes */

static int
listen_on(const char *control_socket)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;

	if ((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s" SUFFIX, control_socket) >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (lstat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(a.sun_path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	mode_t old = umask(0177);
	bool good = bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0;
	umask(old);
	if (good)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
updater_open(struct control *c)
{
	const char *path = self_conf(c->self)->control_socket;

	c->updater = (struct updater){.link = -1, .socket = listen_on(path)};
	if (c->updater.socket < 0)
		log_warning("control.updater", "path=\"%s" SUFFIX "\" reason=\"%s\"", path,
		    strerror(errno));
}

/* Ends what the updater works on; takes the answer, NULL: it is gone. */
static void
settle(struct updater *u, json_t *answer)
{
	struct request *r = u->request;

	if (!r) {
		json_decref(answer);
		return;
	}
	u->request = NULL;
	event_del(u->silence);
	if (answer)
		request_answer(r, answer, NULL, 0);
	else
		request_refuse(r, FAULT_UPDATE_DOWN, NULL);
}

static void
hang_up(struct updater *u)
{
	if (u->readable)
		event_free(u->readable);
	u->readable = NULL;
	if (u->link >= 0)
		close(u->link);
	u->link = -1;
	settle(u, NULL);
}

static void
judged(struct request *r)
{
	struct updater *u = &r->control->updater;
	json_t *verdict = json_pack("{s:o}", "judged", control_verdict(r->state));

	if (u->link >= 0)
		packet_send(u->link, verdict, -1);
	json_decref(verdict);
	request_answer(r, json_null(), NULL, 0);
}

/* The updater asks how this version does. */
static void
judge(struct control *c)
{
	static const struct verb verb = {.name = "judge", .seconds = 3};
	struct request *r = request_new(c, NULL, json_object(), NULL, 0);

	if (!r)
		return; /* it asks again */
	r->verb = &verb;
	control_gather(r, judged);
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	int with;

	(void)what;
	json_t *packet = packet_receive(fd, &with);
	if (with >= 0)
		close(with);
	if (!packet && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (!packet) {
		hang_up(&c->updater);
	} else if (json_object_get(packet, "ask")) {
		judge(c);
		json_decref(packet);
	} else {
		settle(&c->updater, packet);
	}
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct updater *u = &c->updater;
	int link = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who = {0};
	socklen_t len = sizeof who;

	(void)what;
	if (link < 0)
		return;
	if (getsockopt(link, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
	    (who.uid != 0 && who.uid != geteuid())) {
		close(link);
		return;
	}
	hang_up(u); /* a new one: the old one is no more */
	u->link = link;
	u->readable = event_new(c->self->base, link, EV_READ | EV_PERSIST, readable_cb, c);
	if (!u->readable || event_add(u->readable, NULL) != 0)
		hang_up(u);
}

static void
silence_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	hang_up(arg);
}

bool
updater_start(struct control *c)
{
	struct updater *u = &c->updater;

	u->silence = evtimer_new(c->self->base, silence_cb, u);
	if (u->socket < 0)
		return u->silence;
	u->listener = event_new(c->self->base, u->socket, EV_READ | EV_PERSIST, accept_cb, c);
	return u->silence && u->listener && event_add(u->listener, NULL) == 0;
}

void
updater_stop(struct control *c)
{
	struct updater *u = &c->updater;

	if (u->silence)
		hang_up(u);
	if (u->listener)
		event_free(u->listener);
	if (u->silence)
		event_free(u->silence);
	if (u->socket >= 0)
		close(u->socket);
}

static void
hand_over(struct request *r)
{
	struct updater *u = &r->control->updater;
	const struct timeval limit = {SILENCE_SECONDS, 0};

	if (u->request) {
		request_refuse(r, FAULT_UPDATE_BUSY, NULL);
		return;
	}
	u->request = r;
	event_add(u->silence, &limit);
	if (u->link < 0 || !packet_send(u->link, r->arguments, r->nfds ? r->fds[0] : -1))
		hang_up(u);
}

/* With what ails the node now: the next version is not to blame for it. What is not settled yet is no
 * ailment. */
static void
hand_over_ailing(struct request *r)
{
	json_t *ailing = control_verdict(r->state), *left = json_array(), *text;
	size_t i;

	json_array_foreach (ailing, i, text) {
		if (!strstr(json_string_value(text), "unknown"))
			json_array_append(left, text);
	}
	json_decref(ailing);
	json_object_set_new(r->arguments, "ailing", left);
	hand_over(r);
}

static void
add_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, json_string(text));
}

void
control_update(struct request *r)
{
	const struct conf *conf = self_conf(r->control->self);

	if (r->control->updater.link < 0) {
		request_refuse(r, FAULT_UPDATE_NO_BOX, NULL);
		return;
	}
	json_object_set_new(r->arguments, "verb", json_string(r->verb->name));
	add_text(r->arguments, "address", conf->update_url);
	add_text(r->arguments, "ca", conf->update_ca_file);
	add_text(r->arguments, "hosts", conf->hosts_file);
	if (strcmp(r->verb->name, "update.install") == 0)
		control_gather(r, hand_over_ailing);
	else
		hand_over(r);
}
