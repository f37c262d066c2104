/* One question to the node's control socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/buf.h"
#include "obmenctl/ctl.h"

#define ANSWER_MAX ((size_t)64 << 20)

static int
connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* All of data, the descriptors with its first byte. */
static bool
send_line(int s, const char *data, size_t len, const int *fds, unsigned nfds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))] = {0};

	while (len) {
		struct iovec iov = {(void *)data, len};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		if (nfds) {
			msg.msg_control = control;
			msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
			struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
			h->cmsg_level = SOL_SOCKET;
			h->cmsg_type = SCM_RIGHTS;
			h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
			memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
		}
		ssize_t n = sendmsg(s, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		nfds = 0;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Keeps the first descriptor that comes, closes others. */
static void
keep_fd(struct msghdr *msg, int *fd)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;
			memcpy(&got, CMSG_DATA(h) + i * sizeof got, sizeof got);
			if (fd && *fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

static bool
receive_line(int s, struct buf *in, int *fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];

	while (in->len == 0 || in->data[in->len - 1] != '\n') {
		struct iovec iov = {buf_room(in, 65536), 65536};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		    .msg_controllen = sizeof control};
		ssize_t n = iov.iov_base ? recvmsg(s, &msg, MSG_CMSG_CLOEXEC) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		keep_fd(&msg, fd);
		in->len += (size_t)n;
		in->data[in->len] = 0;
	}
	return true;
}

static json_t *
exchange(int s, const json_t *request, const int *fds, unsigned nfds, int *fd)
{
	struct buf in = {.max = ANSWER_MAX};
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	json_t *answer = NULL;

	if (text) {
		text[len] = '\n'; /* in place of the NUL */
		if (send_line(s, text, len + 1, fds, nfds) && receive_line(s, &in, fd))
			answer = json_loadb((const char *)in.data, in.len, 0, NULL);
	}
	free(text);
	buf_free(&in);
	return answer;
}

json_t *
ask(struct ctl *ctl, const json_t *request, const int *fds, unsigned nfds, int *fd)
{
	char detail[512];

	if (fd)
		*fd = -1;
	int s = connect_to(ctl->socket);
	if (s < 0) {
		snprintf(detail, sizeof detail, "%s: %s", ctl->socket, strerror(errno));
		print_fault(ctl, cli.down, detail);
		return NULL;
	}
	json_t *answer = exchange(s, request, fds, nfds, fd);
	close(s);
	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	print_fault(ctl, cli.down, ctl->socket);
	return NULL;
}

json_t *
ask_command(struct ctl *ctl, struct command *c, const int *fds, unsigned nfds, int *fd,
    enum exit_status *status)
{
	json_object_set_new(c->request, "verb", json_string(c->verb->ask));
	json_t *answer = ask(ctl, c->request, fds, nfds, fd);
	*status = EXIT_UNREACHABLE;
	if (!answer)
		return NULL;
	*status = EXIT_DONE;
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	*status = EXIT_REFUSED;
	print_refusal(ctl, answer);
	json_decref(answer);
	return NULL;
}

void
print_json(struct ctl *ctl, const json_t *j)
{
	json_dumpf(j, ctl->out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	fputc('\n', ctl->out);
}

void
print_refusal(struct ctl *ctl, const json_t *answer)
{
	const char *code = text_of(answer, "fault"), *detail = text_of(answer, "detail");
	struct fault_text t = fault_text(fault_by_code(code), ctl->language);
	char text[2048];

	if (ctl->json) {
		print_json(ctl, answer);
		return;
	}
	snprintf(text, sizeof text, "%s%s%s%s. %s", t.what, *detail ? " (" : "", detail,
	    *detail ? ")" : "", t.means);
	say_sentences(ctl, ctl->err, text);
	snprintf(text, sizeof text, "%s: %s [%s]", say(ctl, "Какво да направите", "What to do"),
		 t.todo, code);
	say_sentences(ctl, ctl->err, text);
}

void
print_fault(struct ctl *ctl, enum fault f, const char *detail)
{
	json_t *j = json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(f), "detail",
	    detail ? detail : "");

	print_refusal(ctl, j);
	json_decref(j);
}
