/* The control role with stand-ins for the others, and clients of its socket. */
#ifndef OBMEN_CONTROL_WORLD_H
#define OBMEN_CONTROL_WORLD_H

#include "obmend/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fold.h"
#include "lib/log.h"

/* The beginning of a role's status. */
#define STATUS(role) "{\"ok\":true,\"role\":\"" role "\",\"index\":0"
#define OWN "{11111111-2222-3333-4444-000000000001}"
#define ACTIVE "{11111111-2222-3333-4444-000000000002}"
#define HELD "{11111111-2222-3333-4444-000000000003}"
#define GONE "{11111111-2222-3333-4444-000000000004}"

/* A role at the far end of a channel: remembers what it was asked, answers as told. */
struct stand_in {
	struct world *world;
	enum role_id role;
	struct ipc *far;
	json_t *asked;
	uint64_t id;
	int fds[CONTROL_FDS_MAX];
	unsigned nfds;
	const char *answer; /* JSON; NULL: silence */
	int answer_fd;
};

struct world {
	struct self self;
	struct conf conf;
	struct conf_participant own;
	char folder[64], socket[96];
	struct stand_in roles[ROLE_COUNT];
};

static inline void
asked(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct stand_in *s = arg;
	json_error_t e;

	json_decref(s->asked);
	for (unsigned i = 0; i < s->nfds; i++)
		close(s->fds[i]);
	s->asked = wire_get_json(f);
	s->id = f->id;
	s->nfds = 0;
	for (unsigned i = 0; i < f->nfds; i++)
		s->fds[s->nfds++] = ipc_take_fd(f, i);
	if (!s->answer)
		return;
	json_t *j = json_loads(s->answer, 0, &e);
	assert_non_null(j);
	wire_send_json(ipc, WIRE_QUERY_REPLY, f->id, j, &s->answer_fd, s->answer_fd >= 0);
	s->answer_fd = -1;
	json_decref(j);
}

static inline void
far_down(struct ipc *ipc, void *arg)
{
	((struct stand_in *)arg)->far = NULL;
	ipc_free(ipc);
}

static inline void
frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct stand_in *s = arg;
	struct peer from = {s->role, 0};

	(void)ipc;
	for (size_t i = 0; i < role_control.message_count; i++) {
		if (role_control.messages[i].from == s->role && role_control.messages[i].type == f->type)
			role_control.messages[i].handle(&s->world->self, from, f);
	}
}

static inline void
near_down(struct ipc *ipc, void *arg)
{
	struct stand_in *s = arg;
	struct peer p = {s->role, 0};

	ipc_free(ipc);
	s->world->self.peers[s->role][0] = NULL;
	role_control.peer_down(&s->world->self, p);
}

static inline void
connect_role(struct world *w, enum role_id role)
{
	struct stand_in *s = &w->roles[role];
	int fds[2];

	assert_true(ipc_pair(fds));
	*s = (struct stand_in){.world = w, .role = role, .answer_fd = -1};
	w->self.peers[role][0] = ipc_new(w->self.base, fds[0], frame, near_down, s);
	s->far = ipc_new(w->self.base, fds[1], asked, far_down, s);
}

static inline void
add(struct snapshot_builder *b, const char *guid, const char *eik, const char *name,
    enum participant_status status)
{
	struct participant p = {.eik = eik, .name = name, .uri = "https://body.ob.example:8443/x",
	    .entity_status = status, .service_status = status, .status = status, .last_change = when_now()};

	assert_true(guid_parse_lenient(&p.guid, guid));
	assert_true(snapshot_builder_add(b, &p));
}

static inline void
give_snapshot(struct world *w, enum participant_status own)
{
	struct snapshot_builder *b = snapshot_builder_new();

	add(b, OWN, "123456789", "Наша администрация", own);
	add(b, ACTIVE, "000695089", "Община Еднаква", PARTICIPANT_ACTIVE);
	add(b, HELD, "000695100", "Община Временна", PARTICIPANT_TEMPORARILY_INACTIVE);
	add(b, GONE, "000695111", "Община Изчезнала", PARTICIPANT_INACTIVE);
	add(b, "{11111111-2222-3333-4444-000000000005}", "000695122", "Близнак", PARTICIPANT_ACTIVE);
	add(b, "{11111111-2222-3333-4444-000000000006}", "000695133", "БЛИЗНАК", PARTICIPANT_ACTIVE);
	int fd = snapshot_builder_finish(b, when_now(), when_now(), when_now(), SNAPSHOT_FULL);
	assert_true(fd >= 0);
	snapshot_builder_free(b);
	assert_true(ipc_send(w->roles[ROLE_DIRECTORY].far, WIRE_SNAPSHOT, 0, NULL, 0, &fd, 1));
}

static inline void
turn(struct world *w, int times)
{
	for (; times > 0; times--)
		event_base_loop(w->self.base, EVLOOP_NONBLOCK);
}

static inline int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	snprintf(w->folder, sizeof w->folder, "/tmp/control-test-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->socket, sizeof w->socket, "%s/control", w->folder);
	w->own = (struct conf_participant){.eik = "123456789", .name = "Наша администрация"};
	assert_true(guid_parse_lenient(&w->own.guid, OWN));
	w->conf = (struct conf){.control_socket = w->socket, .user_prefix = "", .participants = &w->own,
	    .participant_count = 1, .message_max = 1 << 20, .durable = true};
	w->self = (struct self){.role = ROLE_CONTROL, .workers = 1, .base = event_base_new(),
	    .conf = &w->conf, .sync_signer = -1};
	assert_true(role_control.open(&w->self));
	for (enum role_id r = ROLE_FRONT; r < ROLE_CONTROL; r++)
		connect_role(w, r);
	assert_true(role_control.start(&w->self));
	give_snapshot(w, PARTICIPANT_ACTIVE);
	turn(w, 3);
	*state = w;
	return 0;
}

static inline int
teardown(void **state)
{
	struct world *w = *state;

	role_control.stop(&w->self);
	for (enum role_id r = ROLE_FRONT; r < ROLE_CONTROL; r++) {
		ipc_free(w->self.peers[r][0]);
		ipc_free(w->roles[r].far);
		json_decref(w->roles[r].asked);
		for (unsigned i = 0; i < w->roles[r].nfds; i++)
			close(w->roles[r].fds[i]);
	}
	event_base_free(w->self.base);
	unlink(w->socket);
	strcat(w->socket, ".updater");
	unlink(w->socket);
	rmdir(w->folder);
	free(w);
	return 0;
}

/* -- a client */

static inline int
open_client(struct world *w)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", w->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static inline void
say_to(int client, const char *text, size_t len, const int *fds, unsigned nfds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov = {(void *)text, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nfds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
	}
	assert_int_equal(sendmsg(client, &msg, MSG_NOSIGNAL), len);
}

static inline json_t *
hear(struct world *w, int client, int *fd)
{
	static char text[1 << 20];
	size_t len = 0;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))];

	if (fd)
		*fd = -1;
	for (int i = 0; i < 2000 && !(len && text[len - 1] == '\n'); i++) {
		struct iovec iov = {text + len, sizeof text - len - 1};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		    .msg_controllen = sizeof control};
		turn(w, 1);
		ssize_t n = recvmsg(client, &msg, MSG_CMSG_CLOEXEC);
		if (n == 0)
			return NULL;
		if (n < 0)
			continue;
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		if (h && fd)
			memcpy(fd, CMSG_DATA(h), sizeof *fd);
		len += (size_t)n;
	}
	text[len] = 0;
	/* another line may have come with it */
	return json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
}

static inline json_t *
ask_with(struct world *w, const char *line, const int *fds, unsigned nfds, int *fd)
{
	int client = open_client(w);
	char text[4096];

	snprintf(text, sizeof text, "%s\n", line);
	say_to(client, text, strlen(text), fds, nfds);
	json_t *j = hear(w, client, fd);
	close(client);
	turn(w, 2);
	assert_non_null(j);
	return j;
}

static inline json_t *
ask(struct world *w, const char *line)
{
	return ask_with(w, line, NULL, 0, NULL);
}

static inline void
assert_refused(struct world *w, const char *line, const char *fault, const char *detail)
{
	json_t *j = ask(w, line);

	if (!json_is_false(json_object_get(j, "ok")))
		print_error("accepted: %s\n", line);
	assert_true(json_is_false(json_object_get(j, "ok")));
	assert_string_equal(json_string_value(json_object_get(j, "fault")), fault);
	assert_string_equal(json_string_value(json_object_get(j, "detail")), detail);
	json_decref(j);
}

static inline const char *
asked_text(const struct world *w, enum role_id role, const char *key)
{
	const char *s = json_string_value(json_object_get(w->roles[role].asked, key));

	return s ? s : "";
}

static inline int
text_file(const char *text)
{
	return wire_memfd("t", text, strlen(text));
}

#endif
