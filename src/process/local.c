#include "process/local.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/ipc.h"
#include "lib/log.h"

#define READ_SIZE 16384
#define BACKLOG 16

struct local {
	struct event_base *base;
	int fd;
	int spare; /* given up to turn people away when there are no descriptors; -1: not to be had */
	struct event *listener;
	struct local_callbacks calls;
	void *arg;
	struct local_figures figures;
	TAILQ_HEAD(, local_client) clients;
};

struct local_client {
	struct local *local;
	int fd;
	struct event *readable, *writable;
	struct buf in, out;
	size_t sent;
	int in_fds[LOCAL_FDS_MAX]; /* came with the line that is being read */
	unsigned in_nfds;
	int out_fds[IPC_FRAME_FDS];  /* leave with the first byte of out */
	unsigned out_nfds;
	bool busy;                   /* one request at a time: reading waits for its answer */
	void *data;
	struct ucred person;
	TAILQ_ENTRY(local_client) entry;
};

static void
close_all(int *fds, unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		close(fds[i]);
	*n = 0;
}

static void
client_free(struct local_client *c)
{
	struct local *local = c->local;

	if (c->busy)
		local->calls.gone(local->arg, c);
	TAILQ_REMOVE(&local->clients, c, entry);
	local->figures.clients--;
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	close(c->fd);
	close_all(c->in_fds, &c->in_nfds);
	close_all(c->out_fds, &c->out_nfds);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

void
local_person(const struct local_client *c, uid_t *uid, pid_t *pid)
{
	*uid = c->person.uid;
	*pid = c->person.pid;
}

static bool
send_some(struct local_client *c)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(IPC_FRAME_FDS * sizeof(int))];
	struct iovec iov = {c->out.data + c->sent, c->out.len - c->sent};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (c->out_nfds) {
		memset(control, 0, sizeof control);
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(c->out_nfds * sizeof(int));
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(c->out_nfds * sizeof(int));
		memcpy(CMSG_DATA(h), c->out_fds, c->out_nfds * sizeof(int));
	}
	ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0)
		close_all(c->out_fds, &c->out_nfds);
	c->sent += (size_t)n;
	return true;
}

/* Readable while no request is under way and nothing waits to be written. */
static void
watch(struct local_client *c)
{
	struct timeval idle = {LOCAL_IDLE_SECONDS, 0};

	if (c->sent < c->out.len)
		event_add(c->writable, &idle);
	else if (!c->busy)
		event_add(c->readable, &idle);
}

static void next_request(struct local_client *);

static void
writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct local_client *c = arg;

	(void)fd;
	if (what & EV_TIMEOUT || !send_some(c)) {
		client_free(c);
		return;
	}
	if (c->sent == c->out.len) {
		buf_reset(&c->out);
		c->sent = 0;
		next_request(c);
		return;
	}
	watch(c);
}

void
local_answer(struct local_client *c, const json_t *answer, const int *fds, unsigned nfds)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	c->busy = false;
	c->out.max = (size_t)64 << 20;
	if (text) {
		buf_adds(&c->out, text);
		buf_addc(&c->out, '\n');
	}
	for (unsigned i = 0; i < nfds; i++) {
		if (text && c->out_nfds < IPC_FRAME_FDS)
			c->out_fds[c->out_nfds++] = fds[i];
		else
			close(fds[i]);
	}
	if (!text || c->out.failed)
		shutdown(c->fd,
			 SHUT_RDWR); /* out of memory: it hears the end, and the loop frees it */
	free(text);
	/* From the loop, never from here: the caller may still use the client. */
	event_active(c->writable, EV_WRITE, 0);
}

void
local_reject(struct local_client *c, const char *why)
{
	json_t *j =
	    json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(FAULT_USAGE), "detail", why);

	close_all(c->in_fds, &c->in_nfds);
	c->local->figures.refused++;
	local_answer(c, j, NULL, 0);
	json_decref(j);
}

static void
begin_line(struct local_client *c, const char *line, size_t len)
{
	json_error_t e;
	json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);

	if (!json_is_object(j)) {
		local_reject(c, j ? "not an object" : e.text);
		json_decref(j);
		return;
	}
	c->local->figures.served++;
	unsigned nfds = c->in_nfds;
	c->in_nfds = 0;
	c->busy = true; /* before: the answer may come at once */
	c->local->calls.request(c->local->arg, c, j, c->in_fds, nfds);
}

static void
next_request(struct local_client *c)
{
	uint8_t *newline = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL;

	if (!newline) {
		if (c->in.len >= LOCAL_LINE_MAX)
			client_free(c);
		else
			watch(c);
		return;
	}
	size_t len = (size_t)(newline - c->in.data);
	char *line = malloc(len + 1);
	if (!line) {
		client_free(c);
		return;
	}
	memcpy(line, c->in.data, len);
	memmove(c->in.data, newline + 1, c->in.len - len - 1);
	c->in.len -= len + 1;
	begin_line(c, line, len);
	free(line);
}

/* Descriptors count for the line that is being read; more than it may have are closed. */
static void
keep_fds(struct local_client *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (c->in_nfds < LOCAL_FDS_MAX)
				c->in_fds[c->in_nfds++] = fd;
			else
				close(fd);
		}
	}
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct local_client *c = arg;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE((LOCAL_FDS_MAX + 1) * sizeof(int))];
	struct iovec iov = {buf_room(&c->in, READ_SIZE), READ_SIZE};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof control};

	if (what & EV_TIMEOUT || !iov.iov_base) {
		client_free(c);
		return;
	}
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		watch(c);
		return;
	}
	if (n <= 0) {
		client_free(c);
		return;
	}
	keep_fds(c, &msg);
	if (msg.msg_flags & MSG_CTRUNC) {
		log_warning("control.busy", "reason=\"no descriptors for the files\"");
		client_free(c);
		return;
	}
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = 0;
	next_request(c);
}

static void
client_new(struct local *local, int fd)
{
	struct local_client *c =
	    local->figures.clients < LOCAL_CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
	socklen_t len = sizeof c->person;

	if (!c) {
		log_warning("control.busy", "clients=%u", local->figures.clients);
		close(fd);
		return;
	}
	c->local = local;
	c->fd = fd;
	c->in.max = LOCAL_LINE_MAX + READ_SIZE;
	TAILQ_INSERT_TAIL(&local->clients, c, entry);
	local->figures.clients++;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->person, &len);
	c->readable = event_new(local->base, fd, EV_READ, readable_cb, c);
	c->writable = event_new(local->base, fd, EV_WRITE, writable_cb, c);
	if (!c->readable || !c->writable) {
		client_free(c);
		return;
	}
	watch(c);
}

void
local_set_data(struct local_client *c, void *data)
{
	c->data = data;
}

void *
local_data(const struct local_client *c)
{
	return c->data;
}

const struct local_figures *
local_figures(const struct local *l)
{
	return &l->figures;
}

/* Members of the group named like user-prefix may give orders. A folder that parent made gives
 * its group to the socket; elsewhere it is tried here. */
static void
give_to_group(const char *group, const char *path)
{
	const struct group *g = *group ? getgrnam(group) : NULL;
	struct stat st;

	if (g && stat(path, &st) == 0 && st.st_gid != g->gr_gid &&
	    chown(path, (uid_t)-1, g->gr_gid) < 0)
		log_warning("control.group", "group=%s reason=\"%s\"", group, strerror(errno));
}

int
local_listen(const char *path, const char *group)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(path) >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	/* What a control process that died left behind; never anything else. */
	if (lstat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(a.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	mode_t old = umask(0117);
	bool ok = bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, BACKLOG) == 0;
	umask(old);
	if (!ok) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	give_to_group(group, a.sun_path);
	return fd;
}

/* Without a descriptor nobody can be let in; who waits is turned away, or would wait for ever. */
static bool
turn_away(struct local *l)
{
	if (l->spare < 0 && (l->spare = fcntl(l->fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return false;
	close(l->spare);
	int client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client >= 0)
		close(client);
	l->spare = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	log_warning("control.busy", "reason=\"no descriptors\"");
	return client >= 0;
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct local *l = arg;

	(void)what;
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client >= 0)
			client_new(l, client);
		else if ((errno != EMFILE && errno != ENFILE) || !turn_away(l))
			return;
	}
}

struct local *
local_new(struct event_base *base, int fd, const struct local_callbacks *calls, void *arg)
{
	struct local *l = calloc(1, sizeof *l);

	if (!l) {
		close(fd);
		return NULL;
	}
	TAILQ_INIT(&l->clients);
	l->base = base;
	l->fd = fd;
	l->spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	l->calls = *calls;
	l->arg = arg;
	l->listener = event_new(base, fd, EV_READ | EV_PERSIST, accept_cb, l);
	if (l->listener && event_add(l->listener, NULL) == 0)
		return l;
	local_free(l);
	return NULL;
}

void
local_free(struct local *l)
{
	struct local_client *c;

	if (!l)
		return;
	while ((c = TAILQ_FIRST(&l->clients)))
		client_free(c);
	if (l->listener)
		event_free(l->listener);
	if (l->spare >= 0)
		close(l->spare);
	close(l->fd);
	free(l);
}
