#include "process/role.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/revocation.h"
#include "lib/sandbox.h"
#include "lib/when.h"
#include "process/wire.h"

#define MEMORY_KEPT (512 << 10) /* bytes at the end of the heap */
#define PARENT_FD 3
#define CONF_MAX (8 << 20)
#define STATUS_QUERY_MAX 256 /* bytes of a frame that may be {"verb":"status"} */

/* One end of an edge. */
struct channel {
	struct running *running;
	struct peer peer;
	uint64_t generation; /* parent's number of this channel */
	int fd;              /* received before start, not in use yet; -1 otherwise */
};

/* What surrounds struct self: the part that is the same in all roles. */
struct running {
	struct self self; /* first: self is converted back */
	const struct program *program;
	const struct role *role;
	struct ipc *parent;
	struct channel channels[ROLE_MAX][ROLE_INDEX_MAX];
	bool started;
	when since;
	int exit_status;
};

bool
role_send(struct self *self, unsigned role, unsigned index, uint16_t type, uint64_t id,
    const void *payload, size_t len, const int *fds, unsigned nfds)
{
	struct ipc *ipc =
	    role < ROLE_MAX && index < ROLE_INDEX_MAX ? self->peers[role][index] : NULL;

	if (ipc)
		return ipc_send(ipc, type, id, payload, len, fds, nfds);
	for (unsigned i = 0; i < nfds; i++)
		close(fds[i]);
	return false;
}

void
self_on_trust(struct self *self, struct peer from, struct ipc_frame *f)
{
	int fd = ipc_take_fd(f, 0);
	struct wire_trust m;
	struct revocations *fresh = fd < 0 ? NULL : revocations_open(fd);

	(void)from;
	if (!wire_unpack(f, WIRE_TRUST, &m) || !fresh) {
		log_error("role.bad-trust", "kept=%zu", revocations_count(self->revoked));
		revocations_free(fresh);
		return;
	}
	if (m.switched != self->switched)
		log_info("role.certificate-switched", "mask=%llx", (unsigned long long)m.switched);
	revocations_free(self->revoked);
	self->revoked = fresh;
	self->switched = m.switched;
}

static void
end(struct running *r, int exit_status)
{
	r->exit_status = exit_status;
	event_base_loopbreak(r->self.base);
}

/* What parent can do about a channel that broke while both ends live: make a new one. */
static void
complain(struct running *r, const struct channel *c)
{
	struct wire_peer p = {.role = c->peer.role, .index = c->peer.index};

	if (r->parent)
		wire_send(r->parent, WIRE_PEER, c->generation, &p, NULL, 0);
}

static bool
is_control(const struct channel *c)
{
	const struct program *p = c->running->program;

	return c->peer.role < p->role_count && p->roles[c->peer.role] &&
	    p->roles[c->peer.role]->control;
}

/* To control, for people; dropped when its queue is full. */
static void
send_line(void *arg, uint64_t number, const char *line, size_t len)
{
	ipc_send(arg, WIRE_LOG, number, line, len, NULL, 0);
}

static void
drop_channel(struct channel *c)
{
	struct running *r = c->running;
	struct ipc **slot = &r->self.peers[c->peer.role][c->peer.index];

	if (!*slot)
		return;
	if (is_control(c))
		log_sink(NULL, NULL);
	ipc_free(*slot);
	*slot = NULL;
	if (r->role->peer_down)
		r->role->peer_down(&r->self, c->peer);
}

static void
channel_down(struct ipc *ipc, void *arg)
{
	struct channel *c = arg;

	(void)ipc;
	complain(c->running, c);
	drop_channel(c);
}

static size_t
resident_bytes(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) == 0 ? (size_t)u.ru_maxrss * 1024 : 0;
}

static json_t *
own_status(struct running *r)
{
	json_t *j = r->role->status ? r->role->status(&r->self) : json_object();
	char since[WHEN_TEXT_SIZE];

	when_format(r->since, since);
	json_object_set_new(j, "ok", json_true());
	json_object_set_new(j, "role", json_string(r->role->name));
	json_object_set_new(j, "index", json_integer(r->self.index));
	json_object_set_new(j, "since", json_string(since));
	json_object_set_new(j, "memory_peak", json_integer((json_int_t)resident_bytes()));
	return j;
}

/* Answers {"verb":"status"} for every role; false when the frame is something else. */
static bool
answer_status(struct channel *c, struct ipc *ipc, struct ipc_frame *f)
{
	if (f->type != WIRE_QUERY || !is_control(c) || f->len > STATUS_QUERY_MAX ||
	    f->nfds)
		return false;
	json_t *query = wire_get_json(f);
	const char *verb = json_string_value(json_object_get(query, "verb"));
	bool is_status = verb && strcmp(verb, "status") == 0;
	if (is_status) {
		json_t *j = own_status(c->running);
		wire_send_json(ipc, WIRE_QUERY_REPLY, f->id, j, NULL, 0);
		json_decref(j);
	}
	json_decref(query);
	return is_status;
}

static void
channel_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct channel *c = arg;
	struct running *r = c->running;
	const struct role *role = r->role;

	if (answer_status(c, ipc, f))
		return;
	for (size_t i = 0; i < role->message_count; i++) {
		if (role->messages[i].from == c->peer.role && role->messages[i].type == f->type) {
			role->messages[i].handle(&r->self, c->peer, f);
			return;
		}
	}
	if (f->type == WIRE_LOG) /* a control that keeps no lines */
		return;
	log_error("role.unexpected-message", "from=%s%u type=%u", program_role_name(r->program, c->peer.role),
	    c->peer.index, f->type);
	complain(r, c);
	drop_channel(c);
}

static void
attach(struct channel *c)
{
	struct running *r = c->running;

	r->self.peers[c->peer.role][c->peer.index] =
	    ipc_new(r->self.base, c->fd, channel_frame, channel_down, c);
	c->fd = -1;
	if (r->self.peers[c->peer.role][c->peer.index] && is_control(c))
		log_sink(send_line, r->self.peers[c->peer.role][c->peer.index]);
	if (r->self.peers[c->peer.role][c->peer.index] && r->started && r->role->peer_up)
		r->role->peer_up(&r->self, c->peer);
}

/* The configuration in a descriptor, which is closed; NULL with a logged reason. */
static void *
read_conf(const struct conf_schema *schema, const char *file_name, int fd)
{
	void *conf = NULL;
	struct stat st;
	char errors[512] = "unreadable";

	if (fstat(fd, &st) == 0 && st.st_size <= CONF_MAX) {
		size_t len = (size_t)st.st_size;
		char *text = malloc(len + 1);
		if (text && pread(fd, text, len, 0) == st.st_size)
			conf = conf_parse_by(schema, file_name, text, len, errors, sizeof errors);
		free(text);
	}
	close(fd);
	if (!conf)
		log_error("role.configuration", "reason=\"%s\"", errors);
	return conf;
}

static struct program_settings
settings_of(const struct running *r)
{
	struct program_settings set = {0};

	r->program->settings(r->self.conf, &set);
	return set;
}

static void
begin_log(struct running *r)
{
	struct program_settings set = settings_of(r);

	log_set_format(set.log_format);
	log_init(r->role->name, r->role->many ? (int)r->self.index : -1, set.log_level);
}

/* The first one is what the role starts with. A further one changes what may change; what parent
 * could read and a role cannot is lack of memory: the old one stays. */
static bool
on_conf(struct running *r, struct ipc_frame *f)
{
	struct wire_conf m;
	struct buf kept = {0};
	int fd = ipc_take_fd(f, 0);

	if (!wire_unpack(f, WIRE_CONF, &m) || !m.file_name || fd < 0)
		return false;
	void *fresh = read_conf(r->program->conf, m.file_name, fd);
	if (!fresh)
		return r->self.conf != NULL;
	if (!r->self.conf) {
		r->self.conf = fresh;
		r->self.workers = (unsigned)m.workers;
		begin_log(r);
		return true;
	}
	conf_reload_by(r->program->conf, r->self.conf, fresh, &kept);
	buf_free(&kept);
	begin_log(r);
	if (r->started && r->role->reload)
		r->role->reload(&r->self);
	return true;
}

static bool
on_peer(struct running *r, struct ipc_frame *f)
{
	struct wire_peer m;
	int fd = ipc_take_fd(f, 0);

	if (!wire_unpack(f, WIRE_PEER, &m) || fd < 0)
		return false;
	struct channel *c = &r->channels[m.role][m.index];
	drop_channel(c); /* the old one, whose end was not noticed yet */
	if (c->fd >= 0)
		close(c->fd);
	c->fd = fd;
	c->generation = f->id;
	if (r->started)
		attach(c);
	return true;
}

/* TLS contexts keep the number of this descriptor: a fresh channel takes its place. */
static bool
on_sync(struct running *r, struct ipc_frame *f)
{
	int fd = ipc_take_fd(f, 0);

	if (fd < 0)
		return false;
	if (r->self.sync_signer < 0) {
		r->self.sync_signer = fd;
		return true;
	}
	bool ok = dup3(fd, r->self.sync_signer, O_CLOEXEC) >= 0;
	close(fd);
	return ok;
}

/* The user that this role runs as; NULL: as it was started. */
static bool
find_user(struct running *r, char out[64], const char **user)
{
	const char *prefix = settings_of(r).user_prefix;

	*user = NULL;
	if (geteuid() != 0 || !*prefix)
		return true;
	*user = out;
	snprintf(out, 64, "%s-%s", prefix, r->role->name);
	if (getpwnam(out))
		return true;
	snprintf(out, 64, "%s", prefix);
	if (getpwnam(out))
		return true;
	log_error("role.user-missing",
		  "users=\"%s-%s, %s\" hint=\"create them, or set user-prefix\"", prefix,
		  r->role->name, prefix);
	return false;
}

static bool
enter_sandbox(struct running *r)
{
	static const struct sandbox nothing;
	const struct sandbox *s = r->role->sandbox ? r->role->sandbox : &nothing;
	char directory[4096];
	char user_name[64];
	const char *user;

	if (!find_user(r, user_name, &user) || !sandbox_become(user, r->role->low_ports))
		return false;
	if (r->role->open && !r->role->open(&r->self))
		return false;
	snprintf(directory, sizeof directory, "%s/%s", settings_of(r).state_directory,
		 r->role->name);
	return sandbox_enter(s, user, s->allow & SANDBOX_FILES ? directory : NULL);
}

/* All channels that parent had to give are here: open, confine, begin. */
static bool
on_go(struct running *r, struct ipc_frame *f)
{
	(void)f;
	if (!r->self.conf || r->started || !enter_sandbox(r))
		return false;
	for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		struct channel *c = &r->channels[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
		if (c->fd >= 0)
			attach(c);
	}
	if (r->role->start && !r->role->start(&r->self))
		return false;
	r->started = true;
	r->since = when_now();
	if (r->role->control)
		r->self.peers[ROLE_PARENT][0] = r->parent;
	for (unsigned i = ROLE_INDEX_MAX; r->role->peer_up && i < ROLE_MAX * ROLE_INDEX_MAX;
	     i++) {
		struct channel *c = &r->channels[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
		if (r->self.peers[c->peer.role][c->peer.index])
			r->role->peer_up(&r->self, c->peer);
	}
	return ipc_send(r->parent, WIRE_READY, 0, NULL, 0, NULL, 0);
}

static bool
on_stop(struct running *r, struct ipc_frame *f)
{
	(void)f;
	if (r->started && r->role->stop)
		r->role->stop(&r->self);
	for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		struct ipc *ipc = r->self.peers[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
		if (ipc)
			ipc_flush(ipc);
	}
	end(r, 0);
	return true;
}

static void
parent_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	static const struct {
		uint16_t type;
		bool (*handle)(struct running *, struct ipc_frame *);
	} handlers[] = {{WIRE_CONF, on_conf}, {WIRE_PEER, on_peer}, {WIRE_SYNC, on_sync},
	    {WIRE_GO, on_go}, {WIRE_STOP, on_stop}};
	struct running *r = arg;

	(void)ipc;
	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
		if (handlers[i].type != f->type)
			continue;
		if (!handlers[i].handle(r, f))
			end(r, 1);
		return;
	}
	for (size_t i = 0; r->started && i < r->role->message_count; i++) {
		const struct role_message *m = &r->role->messages[i];
		if (m->from == ROLE_PARENT && m->type == f->type) {
			m->handle(&r->self, (struct peer){ROLE_PARENT, 0}, f);
			return;
		}
	}
	if (f->type != WIRE_LOG)
		end(r, 1);
}

static void
parent_down(struct ipc *ipc, void *arg)
{
	struct running *r = arg;

	ipc_free(ipc);
	r->parent = r->self.peers[ROLE_PARENT][0] = NULL;
	log_warning("role.orphaned", "reason=\"parent is gone\"");
	on_stop(r, NULL);
}

/* Parent alone hears the terminal and the service manager, and stops the roles in order. */
static void
ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
}

/* The C library reads the zone's file whenever TZ is unset; behind the sandbox it could not. */
static void
fix_time_zone(void)
{
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
}

/* Buffers of messages come and go with every batch: memory is not given back to the kernel and taken
 * again each time. */
static void
keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT);
	mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT);
}

static struct event_base *
new_base(void)
{
	struct event_config *c = event_config_new();

	if (!c)
		return NULL;
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	struct event_base *base = event_base_new_with_config(c);
	event_config_free(c);
	return base;
}

static void
release(struct running *r)
{
	log_sink(NULL, NULL);
	r->self.peers[ROLE_PARENT][0] = NULL; /* the same as r->parent */
	for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		ipc_free(r->self.peers[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX]);
		if (r->channels[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX].fd >= 0)
			close(r->channels[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX].fd);
	}
	ipc_free(r->parent);
	revocations_free(r->self.revoked);
	conf_free_by(r->program->conf, r->self.conf);
	event_base_free(r->self.base);
	free(r);
}

int
role_run(const struct program *program, const struct role *role, unsigned index)
{
	struct running *r = calloc(1, sizeof *r);

	log_init(role->name, index ? (int)index : -1, LOG_INFO);
	ignore_signals();
	umask(077);
	fix_time_zone();
	keep_memory();
	if (!r || !(r->self.base = new_base()))
		log_fatal("role.start", "reason=\"out of memory\"");
	r->program = program;
	r->role = role;
	r->self.role = role->id;
	r->self.index = index;
	r->self.sync_signer = -1;
	for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		struct peer p = {i / ROLE_INDEX_MAX, i % ROLE_INDEX_MAX};
		r->channels[p.role][p.index] = (struct channel){.running = r, .peer = p, .fd = -1};
	}
	fcntl(PARENT_FD, F_SETFD, FD_CLOEXEC);
	r->parent = ipc_new(r->self.base, PARENT_FD, parent_frame, parent_down, r);
	if (!r->parent)
		log_fatal("role.start", "reason=\"no channel to parent\"");
	event_base_loop(r->self.base, EVLOOP_NO_EXIT_ON_EMPTY);
	int status = r->exit_status;
	release(r);
	return status;
}
