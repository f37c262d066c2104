/* One connection of the control socket: bytes and descriptors in, lines out. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "obmend/control.h"

#define READ_SIZE 16384

struct client {
	struct control *control;
	int fd;
	struct event *readable, *writable;
	struct buf in, out;
	size_t sent;
	int in_fds[CONTROL_FDS_MAX]; /* came with the line that is being read */
	unsigned in_nfds;
	int out_fds[IPC_FRAME_FDS];  /* leave with the first byte of out */
	unsigned out_nfds;
	struct request *request;     /* one at a time: reading waits for its answer */
	struct ucred person;
	TAILQ_ENTRY(client) entry;
};

static void
close_all(int *fds, unsigned *n)
{
	for (unsigned i = 0; i < *n; i++)
		close(fds[i]);
	*n = 0;
}

void
client_free(struct client *c)
{
	struct control *control = c->control;

	if (c->request)
		request_orphan(c->request);
	TAILQ_REMOVE(&control->clients, c, entry);
	control->client_count--;
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
client_person(const struct client *c, uid_t *uid, pid_t *pid)
{
	*uid = c->person.uid;
	*pid = c->person.pid;
}

static bool
send_some(struct client *c)
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
watch(struct client *c)
{
	struct timeval idle = {CONTROL_IDLE_SECONDS, 0};

	if (c->sent < c->out.len)
		event_add(c->writable, &idle);
	else if (!c->request)
		event_add(c->readable, &idle);
}

static void next_request(struct client *);

static void
writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

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
client_answer(struct client *c, const json_t *answer, const int *fds, unsigned nfds)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	c->request = NULL;
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

/* A line that is no request. */
static void
reject_line(struct client *c, const char *why)
{
	json_t *j =
	    json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(FAULT_USAGE), "detail", why);

	close_all(c->in_fds, &c->in_nfds);
	c->control->refused++;
	client_answer(c, j, NULL, 0);
	json_decref(j);
}

static void
begin_line(struct client *c, const char *line, size_t len)
{
	json_error_t e;
	json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);

	if (!json_is_object(j)) {
		reject_line(c, j ? "not an object" : e.text);
		json_decref(j);
		return;
	}
	c->control->served++;
	unsigned nfds = c->in_nfds;
	c->in_nfds = 0;
	/* Set before dispatch: the answer may come at once. */
	struct request *r = request_new(c->control, c, j, c->in_fds, nfds);
	if (!r) {
		reject_line(c, "out of memory");
		return;
	}
	c->request = r;
	control_dispatch(r);
}

static void
next_request(struct client *c)
{
	uint8_t *newline = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL;

	if (!newline) {
		if (c->in.len >= CONTROL_LINE_MAX)
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
keep_fds(struct client *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (c->in_nfds < CONTROL_FDS_MAX)
				c->in_fds[c->in_nfds++] = fd;
			else
				close(fd);
		}
	}
}

static void
readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE((CONTROL_FDS_MAX + 1) * sizeof(int))];
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
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = 0;
	next_request(c);
}

void
client_new(struct control *control, int fd)
{
	struct client *c =
	    control->client_count < CONTROL_CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
	socklen_t len = sizeof c->person;

	if (!c) {
		log_warning("control.busy", "clients=%u", control->client_count);
		close(fd);
		return;
	}
	c->control = control;
	c->fd = fd;
	c->in.max = CONTROL_LINE_MAX + READ_SIZE;
	TAILQ_INSERT_TAIL(&control->clients, c, entry);
	control->client_count++;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->person, &len);
	c->readable = event_new(control->self->base, fd, EV_READ, readable_cb, c);
	c->writable = event_new(control->self->base, fd, EV_WRITE, writable_cb, c);
	if (!c->readable || !c->writable) {
		client_free(c);
		return;
	}
	watch(c);
}
