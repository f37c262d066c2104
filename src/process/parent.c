#include "process/parent.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/when.h"
#include "process/program.h"
#include "process/role.h"
#include "process/spawn.h"
#include "process/wire.h"

#define EDGES_MAX 32 /* at least the program's edge_count */
#define BACKOFF_FIRST (WHEN_SECOND / 10)
#define BACKOFF_MAX (30 * WHEN_SECOND)
#define LIVED_WELL WHEN_SECOND /* longer than that: start again at once */
#define EARLY_DEATHS_MAX 5
#define MEND_SECONDS 1
#define STOP_SECONDS 5         /* for each group of roles, then SIGKILL */
#define WORKER_MEMORY (192L << 20)

struct process {
	struct parent *parent;
	unsigned role;
	unsigned index;
	pid_t pid;        /* 0: not running */
	struct ipc *ipc;  /* NULL: no channel */
	bool ready;
	bool told_to_stop;
	when started;
	when backoff;     /* before the next start */
	unsigned early_deaths; /* by signals, before all roles were ready once */
	struct event *restart;
};

struct parent {
	const struct program *program;
	struct event_base *base;
	const char *conf_path;
	void *conf;
	struct buf conf_text;   /* what the roles start with */
	struct buf reload_text; /* and then turn to; empty when it was never read again */
	unsigned workers;
	struct process processes[ROLE_MAX][ROLE_INDEX_MAX];
	uint64_t generations[EDGES_MAX][ROLE_INDEX_MAX][ROLE_INDEX_MAX]; /* of channels */
	/* the generation that broke, or 0 */
	uint64_t broken[EDGES_MAX][ROLE_INDEX_MAX][ROLE_INDEX_MAX];
	uint64_t generation;
	struct event *mend_timer;
	bool up;            /* all roles were ready once: what dies is started again */
	bool stopping;
	unsigned stop_step; /* index into the program's stop_order */
	struct event *stop_timer;
	int exit_status;
};

static const char *
name_of(const struct process *c)
{
	return program_role_name(c->parent->program, c->role);
}

static struct program_settings
settings_of(const struct parent *p)
{
	struct program_settings set = {0};

	p->program->settings(p->conf, &set);
	return set;
}

/* Logs as the configuration says. */
static void
begin_log(const struct parent *p)
{
	struct program_settings set = settings_of(p);

	log_set_format(set.log_format);
	log_init("parent", -1, set.log_level);
}

/* Calls f for every process that the graph has. */
static void
each_process(struct parent *p, void (*f)(struct process *))
{
	for (unsigned r = 0; r < p->program->role_count; r++) {
		for (unsigned i = 0; i < program_instances(p->program, r, p->workers); i++)
			f(&p->processes[r][i]);
	}
}

static void
mend_soon(struct parent *p)
{
	struct timeval pause = {MEND_SECONDS, 0};

	if (!event_pending(p->mend_timer, EV_TIMEOUT, NULL))
		event_add(p->mend_timer, &pause);
}

/* Gives both ends of an edge a fresh channel, if both are there. A role builds its TLS contexts around
 * the number of its descriptor to signer: it gets one even while there is no signer, and the new
 * signer's takes its place. */
static void
join(struct parent *p, unsigned edge, unsigned a_index, unsigned b_index)
{
	const struct edge *e = &p->program->edges[edge];
	struct process *a = &p->processes[e->a][a_index], *b = &p->processes[e->b][b_index];
	struct wire_peer to_a = {.role = e->b, .index = b_index},
			 to_b = {.role = e->a, .index = a_index};
	uint64_t id = ++p->generation;
	int fds[2];

	if (!a->ipc || (!b->ipc && e->kind != EDGE_SYNC) || !edge_joins(e, a_index, b_index))
		return;
	p->generations[edge][a_index][b_index] = id;
	if (!ipc_pair(fds)) {
		log_error("parent.channel", "reason=\"%s\"", strerror(errno));
		p->broken[edge][a_index][b_index] = id;
		mend_soon(p);
		return;
	}
	if (e->kind == EDGE_SYNC)
		ipc_send(a->ipc, WIRE_SYNC, id, NULL, 0, &fds[0], 1);
	else
		wire_send(a->ipc, WIRE_PEER, id, &to_a, &fds[0], 1);
	if (b->ipc)
		wire_send(b->ipc, WIRE_PEER, id, &to_b, &fds[1], 1);
	else
		close(fds[1]);
}

/* Joins the edges of one process, or all when it is NULL. */
static void
join_all(struct parent *p, const struct process *only)
{
	for (unsigned e = 0; e < p->program->edge_count; e++) {
		const struct edge *edge = &p->program->edges[e];
		for (unsigned a = 0; a < program_instances(p->program, edge->a, p->workers); a++) {
			for (unsigned b = 0; b < program_instances(p->program, edge->b, p->workers); b++) {
				if (!only || only == &p->processes[edge->a][a] ||
				    only == &p->processes[edge->b][b])
					join(p, e, a, b);
			}
		}
	}
}

/* A role says that its channel to a peer broke. Usually the peer died, and its start makes a fresh
 * one; a channel that is still the same after a pause broke between two living ends. */
static void
note_broken(struct process *from, const struct wire_peer *peer, uint64_t generation)
{
	struct parent *p = from->parent;

	for (unsigned e = 0; e < p->program->edge_count; e++) {
		const struct edge *edge = &p->program->edges[e];
		bool is_a = edge->a == from->role && edge->b == peer->role;
		bool is_b = edge->b == from->role && edge->a == peer->role;
		unsigned a = is_a ? from->index : (unsigned)peer->index;
		unsigned b = is_a ? (unsigned)peer->index : from->index;
		if ((is_a || is_b) && p->generations[e][a][b] == generation)
			p->broken[e][a][b] = generation;
	}
	mend_soon(p);
}

static void
mend_cb(evutil_socket_t fd, short what, void *arg)
{
	struct parent *p = arg;

	(void)fd, (void)what;
	for (unsigned i = 0; !p->stopping && i < p->program->edge_count * ROLE_INDEX_MAX * ROLE_INDEX_MAX;
	     i++) {
		unsigned e = i / (ROLE_INDEX_MAX * ROLE_INDEX_MAX);
		unsigned a = i / ROLE_INDEX_MAX % ROLE_INDEX_MAX, b = i % ROLE_INDEX_MAX;
		uint64_t *broken = &p->broken[e][a][b];
		if (*broken && *broken == p->generations[e][a][b]) {
			const struct edge *edge = &p->program->edges[e];
			log_warning("parent.channel-mended", "between=%s%u,%s%u",
			    program_role_name(p->program, edge->a), a,
			    program_role_name(p->program, edge->b), b);
			join(p, e, a, b);
		}
		*broken = 0;
	}
}

static bool
all_ready(const struct parent *p)
{
	for (unsigned r = 0; r < p->program->role_count; r++) {
		for (unsigned i = 0; i < program_instances(p->program, r, p->workers); i++) {
			if (!p->processes[r][i].ready)
				return false;
		}
	}
	return true;
}

/* Lines of parent's own to control, for people. */
static void
send_line(void *arg, uint64_t number, const char *line, size_t len)
{
	ipc_send(arg, WIRE_LOG, number, line, len, NULL, 0);
}

static bool
is_control(const struct process *c)
{
	return c->parent->program->roles[c->role]->control;
}

static void
on_ready(struct process *c)
{
	struct parent *p = c->parent;

	c->ready = true;
	c->started = when_monotonic();
	if (is_control(c) && c->ipc)
		log_sink(send_line, c->ipc);
	if (p->up || !all_ready(p))
		return;
	p->up = true;
	p->program->up(p->conf, p->workers);
}

static void
forget_channel(struct process *c)
{
	if (is_control(c))
		log_sink(NULL, NULL);
	ipc_free(c->ipc);
	c->ipc = NULL;
}

static void on_reload_request(struct process *, struct ipc_frame *);

static void
process_frame(struct ipc *ipc, struct ipc_frame *f, void *arg)
{
	struct process *c = arg;
	struct wire_peer peer;

	(void)ipc;
	if (f->type == WIRE_READY && f->len == 0) {
		on_ready(c);
	} else if (f->type == WIRE_PEER && wire_unpack(f, WIRE_PEER, &peer)) {
		note_broken(c, &peer, f->id);
	} else if (f->type == WIRE_RELOAD && f->len == 0 && is_control(c)) {
		on_reload_request(c, f);
	} else {
		log_error("parent.unexpected-message", "from=%s%u type=%u", name_of(c),
			  c->index, f->type);
		forget_channel(c);
		kill(c->pid, SIGKILL);
	}
}

/* The process is about to be reaped, or has closed its channel: then it is of no use. */
static void
process_down(struct ipc *ipc, void *arg)
{
	struct process *c = arg;

	(void)ipc;
	forget_channel(c);
	if (c->pid > 0 && !c->told_to_stop)
		kill(c->pid, SIGKILL);
}

static bool
send_conf(struct process *c, int text)
{
	struct wire_conf m = {.file_name = c->parent->conf_path, .workers = c->parent->workers};

	return wire_send(c->ipc, WIRE_CONF, 0, &m, &text, 1);
}

/* What was read again since the start, if it was: it changes only what may change at run time. */
static bool
send_reload(struct process *c)
{
	const struct buf *t = &c->parent->reload_text;
	int text = t->len && c->ipc ? wire_memfd("conf", t->data, t->len) : -1;

	return text >= 0 && send_conf(c, text);
}

/* Starts a process and sends it the configuration. */
static bool
launch(struct process *c)
{
	struct parent *p = c->parent;
	int channel;

	c->ready = false;
	c->told_to_stop = false;
	c->started = when_monotonic();
	int text = wire_memfd("conf", p->conf_text.data, p->conf_text.len);
	if (text < 0)
		return false;
	c->pid = spawn_role(p->program, c->role, c->index, &channel);
	if (c->pid < 0) {
		c->pid = 0;
		close(text);
		return false;
	}
	c->ipc = ipc_new(p->base, channel, process_frame, process_down, c);
	if (!c->ipc) {
		close(text);
		kill(c->pid, SIGKILL);
		return false;
	}
	return send_conf(c, text) && (p->reload_text.len == 0 || send_reload(c));
}

static void
go(struct process *c)
{
	if (c->ipc)
		ipc_send(c->ipc, WIRE_GO, 0, NULL, 0, NULL, 0);
}

static void
schedule_restart(struct process *c)
{
	when pause = c->backoff;
	struct timeval tv = {pause / WHEN_SECOND, pause % WHEN_SECOND / 1000};

	event_add(c->restart, &tv);
}

static void
restart_cb(evutil_socket_t fd, short what, void *arg)
{
	struct process *c = arg;

	(void)fd, (void)what;
	if (c->parent->stopping || c->pid > 0)
		return;
	if (!launch(c)) {
		log_error("parent.start-failed", "process=%s%u reason=\"%s\"", name_of(c),
			  c->index, strerror(errno));
		if (c->pid == 0)
			schedule_restart(c);
		return;
	}
	join_all(c->parent, c);
	go(c);
}

static void stop_next(struct parent *);

static void
begin_stop(struct parent *p, int exit_status)
{
	if (p->stopping)
		return;
	p->stopping = true;
	p->exit_status = exit_status;
	stop_next(p);
}

static void
log_death(const struct process *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("parent.role-died", "process=%s%u pid=%d signal=%d%s", name_of(c),
			  c->index, (int)c->pid, WTERMSIG(status),
			  WTERMSIG(status) == SIGSYS ? " hint=\"a system call outside its sandbox\""
						     : "");
	else if (WEXITSTATUS(status) != 0 || !c->told_to_stop)
		log_error("parent.role-ended", "process=%s%u pid=%d status=%d", name_of(c),
			  c->index, (int)c->pid, WEXITSTATUS(status));
}

static void
reaped(struct process *c, int status)
{
	struct parent *p = c->parent;

	log_death(c, status);
	c->pid = 0;
	forget_channel(c);
	if (p->stopping) {
		stop_next(p);
		return;
	}
	/* A role that ends by itself before all are up says that the node cannot work as it is set
	 * up. */
	if (!p->up && (!WIFSIGNALED(status) || ++c->early_deaths > EARLY_DEATHS_MAX)) {
		log_error("parent.start-failed", "process=%s%u hint=\"its reason is above\"",
		    name_of(c), c->index);
		begin_stop(p, 1);
		return;
	}
	bool well = (c->ready && when_monotonic() - c->started >= LIVED_WELL) || c->told_to_stop;
	c->backoff = well ? 0 : c->backoff ? c->backoff * 2 : BACKOFF_FIRST;
	if (c->backoff > BACKOFF_MAX)
		c->backoff = BACKOFF_MAX;
	schedule_restart(c);
}

static struct process *
find_process(struct parent *p, pid_t pid)
{
	for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		struct process *c = &p->processes[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
		if (c->pid == pid)
			return c;
	}
	return NULL;
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	struct parent *p = arg;
	int status;
	pid_t pid;

	(void)sig, (void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *c = find_process(p, pid);
		if (c)
			reaped(c, status);
	}
}

static void
tell_to_stop(struct process *c)
{
	if (c->pid == 0 || c->told_to_stop)
		return;
	c->told_to_stop = true;
	if (c->ipc)
		ipc_send(c->ipc, WIRE_STOP, 0, NULL, 0, NULL, 0);
	else
		kill(c->pid, SIGKILL);
}

/* Stops the roles of this step; goes on to the next step when they are all gone. */
static void
stop_next(struct parent *p)
{
	struct timeval limit = {STOP_SECONDS, 0};

	for (; p->stop_step < p->program->stop_steps; p->stop_step++) {
		unsigned alive = 0;
		for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
			struct process *c = &p->processes[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
			if (!(p->program->stop_order[p->stop_step] >> c->role & 1) || c->pid == 0)
				continue;
			tell_to_stop(c);
			alive++;
		}
		if (alive) {
			if (!event_pending(p->stop_timer, EV_TIMEOUT, NULL))
				event_add(p->stop_timer, &limit);
			return;
		}
		event_del(p->stop_timer);
	}
	event_base_loopbreak(p->base);
}

static void
stop_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct parent *p = arg;

	(void)fd, (void)what;
	for (unsigned i = 0; p->stop_step < p->program->stop_steps && i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		struct process *c = &p->processes[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
		if (c->pid > 0 && p->program->stop_order[p->stop_step] >> c->role & 1) {
			log_warning("parent.stop-forced", "process=%s%u", name_of(c),
				    c->index);
			kill(c->pid, SIGKILL);
		}
	}
}

static void
on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	log_info("parent.stopping", "signal=%d", (int)sig);
	begin_stop(arg, 0);
}

/* Reads the configuration; NULL with its problems logged, and in errors one a line. */
static void *
read_conf(const struct parent *p, struct buf *text, char *errors, size_t size)
{
	void *c = NULL;
	char *copy, *rest = NULL;

	*errors = 0;
	if (conf_read(p->conf_path, text, errors, size))
		c = conf_parse_by(p->program->conf, p->conf_path, buf_str(text), text->len, errors, size);
	copy = c ? NULL : strdup(errors);
	for (char *l = copy ? strtok_r(copy, "\n", &rest) : NULL; l;
	     l = strtok_r(NULL, "\n", &rest))
		log_error("parent.configuration", "problem=\"%s\"", l);
	free(copy);
	return c;
}

static void
reload_one(struct process *c)
{
	if (c->pid > 0 && !send_reload(c))
		log_warning("parent.reload-missed", "process=%s%u", name_of(c), c->index);
}

/* Reads the configuration again and hands it to all roles, whose connections stay. False: the old
 * one stays, answer says why; otherwise answer names what needs a new start. */
static bool
reload(struct parent *p, struct buf *answer)
{
	struct buf text = {0};
	char errors[4096];

	if (!p->up || p->stopping) {
		buf_adds(answer, "the program is starting or stopping");
		return false;
	}
	void *fresh = read_conf(p, &text, errors, sizeof errors);
	if (!fresh) {
		buf_adds(answer, errors);
		buf_free(&text);
		return false;
	}
	conf_reload_by(p->program->conf, p->conf, fresh, answer);
	buf_free(&p->reload_text);
	p->reload_text = text;
	begin_log(p);
	log_info("parent.reload", "file=\"%s\" needs_start=\"%s\"", p->conf_path,
	    answer->len ? buf_str(answer) : "");
	each_process(p, reload_one);
	return true;
}

static void
on_reload_signal(evutil_socket_t sig, short what, void *arg)
{
	struct buf answer = {0};

	(void)sig, (void)what;
	reload(arg, &answer);
	buf_free(&answer);
}

static void
on_reload_request(struct process *c, struct ipc_frame *f)
{
	struct buf answer = {0};
	uint64_t id = f->id;
	struct wire_reloaded m = {.ok = reload(c->parent, &answer)};

	m.text = answer.len ? buf_str(&answer) : "";
	if (c->ipc)
		wire_send(c->ipc, WIRE_RELOADED, id, &m, NULL, 0);
	buf_free(&answer);
}

/* Signals and timers; they live as long as the process. */
static bool
watch(struct parent *p)
{
	const struct {
		int number;
		event_callback_fn f;
	} signals[] = {{SIGCHLD, on_child}, {SIGTERM, on_stop_signal}, {SIGINT, on_stop_signal},
	    {SIGHUP, on_reload_signal}};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		struct event *e = evsignal_new(p->base, signals[i].number, signals[i].f, p);
		if (!e || event_add(e, NULL) < 0)
			return false;
	}
	p->stop_timer = evtimer_new(p->base, stop_timeout, p);
	p->mend_timer = evtimer_new(p->base, mend_cb, p);
	return p->stop_timer && p->mend_timer;
}

/* One for each core, but no more than one for so much memory. */
static unsigned
workers_that_fit(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	long fit = sysconf(_SC_PHYS_PAGES) / (WORKER_MEMORY / sysconf(_SC_PAGESIZE));
	long n = cores < fit ? cores : fit;

	return n > 0 ? (unsigned)n : 1;
}

static unsigned
count_workers(const struct program_settings *set)
{
	unsigned n = set->workers ? set->workers : workers_that_fit();

	return n < ROLE_INDEX_MAX ? n : ROLE_INDEX_MAX;
}

static void
raise_descriptor_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* What this process holds from now on is the right to start others. */
static bool
confine(const struct parent *p)
{
	if (sandbox_landlock() == 0)
		log_warning("parent.no-landlock",
			    "hint=\"this kernel cannot confine roles to their folders\"");
	if (geteuid() == 0 && !*settings_of(p).user_prefix) {
		log_warning(
		    "parent.root",
		    "hint=\"user-prefix is empty: all roles run as root; for trials only\"");
		return true;
	}
	return sandbox_parent();
}

static void
prepare(struct parent *p)
{
	for (unsigned i = 0; i < ROLE_MAX * ROLE_INDEX_MAX; i++) {
		struct process *c = &p->processes[i / ROLE_INDEX_MAX][i % ROLE_INDEX_MAX];
		c->parent = p;
		c->role = i / ROLE_INDEX_MAX;
		c->index = i % ROLE_INDEX_MAX;
		c->restart = evtimer_new(p->base, restart_cb, c);
	}
}

static void
launch_first(struct process *c)
{
	if (!c->parent->stopping && !launch(c)) {
		log_error("parent.start-failed", "process=%s%u reason=\"%s\"", name_of(c),
			  c->index, strerror(errno));
		begin_stop(c->parent, 1);
	}
}

static bool
start_all(struct parent *p)
{
	struct program_settings set = settings_of(p);

	raise_descriptor_limit();
	p->workers = count_workers(&set);
	if (!watch(p) || !spawn_make_folders(p->program, &set) || !confine(p))
		return false;
	prepare(p);
	each_process(p, launch_first);
	if (p->stopping)
		return true; /* the loop ends what was started */
	join_all(p, NULL);
	each_process(p, go);
	return true;
}

int
parent_run(const struct program *program, const char *conf_path)
{
	struct parent *p = calloc(1, sizeof *p);
	int status = 1;

	log_init("parent", -1, LOG_INFO);
	if (!p || !(p->base = event_base_new()))
		log_fatal("parent.start", "reason=\"out of memory\"");
	p->program = program;
	p->conf_path = conf_path;
	char errors[4096];
	p->conf = read_conf(p, &p->conf_text, errors, sizeof errors);
	if (p->conf) {
		begin_log(p);
		if (start_all(p)) {
			event_base_loop(p->base, EVLOOP_NO_EXIT_ON_EMPTY);
			status = p->exit_status;
			log_info("stopped", "status=%d", status);
		}
	}
	conf_free_by(p->program->conf, p->conf);
	buf_free(&p->conf_text);
	buf_free(&p->reload_text);
	event_base_free(p->base);
	free(p);
	return status;
}
