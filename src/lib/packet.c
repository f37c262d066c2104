#include "lib/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 4 /* more are cut off, and closed, by the kernel */

bool
packet_send(int socket, const json_t *object, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {0};
	char *text = json_dumps(object, JSON_COMPACT);
	struct iovec iov = {text, text ? strlen(text) : 0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = -1;

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(h), &fd, sizeof fd);
	}
	if (text && iov.iov_len <= PACKET_MAX) {
		do
			n = sendmsg(socket, &m, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
	}
	free(text);
	return n >= 0;
}

/* Keeps the first descriptor, closes the others. */
static void
take_descriptors(struct msghdr *m, int *fd)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;
			memcpy(&got, CMSG_DATA(h) + i * sizeof got, sizeof got);
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

json_t *
packet_receive(int socket, int *fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	char text[PACKET_MAX];
	struct iovec iov = {text, sizeof text};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof control};
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		take_descriptors(&m, fd);
	if (n <= 0) {
		errno = n == 0 ? 0 : errno;
		return NULL;
	}
	json_t *object = m.msg_flags & MSG_TRUNC ? NULL :
	    json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(object))
		return object;
	json_decref(object);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = EPROTO;
	return NULL;
}
