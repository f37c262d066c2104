#include "authority/front.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

/* What ra answers; everything else on the TLS listener is desk's. */
static const char *const ra_paths[] = {"/cmp", "/.well-known/cmp", "/crl", "/ocsp", "/ca"};

static bool
is_below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(path, prefix, len) == 0 && (!path[len] || strchr("/.", path[len]));
}

static bool
is_ra(const char *path)
{
	for (size_t i = 0; i < sizeof ra_paths / sizeof *ra_paths; i++) {
		if (is_below(path, ra_paths[i]))
			return true;
	}
	return false;
}

static void
refuse(struct front *f, struct http_conn *c, int status, enum fault fault, const char *detail)
{
	char text[2048];

	f->refused++;
	fault_describe(fault, detail, text, sizeof text);
	http_respond(c, &(struct http_answer){.status = status,
	    .fields = status == 503 ? "Retry-After: 30\r\n" : NULL, .body = text, .len = strlen(text)});
}

/* The process with the least to do; NULL: none is there, or all have their fill. */
static struct front_lane *
choose(struct front *f, unsigned role, unsigned *index)
{
	struct front_lane *best = NULL;

	if (role == ROLE_RA) {
		*index = 0;
		return f->ra.up && f->ra.count < FRONT_WINDOW ? &f->ra : NULL;
	}
	for (unsigned i = 0; i < f->self->workers; i++) {
		unsigned n = (f->turn + i) % f->self->workers;
		struct front_lane *l = &f->desks[n];
		if (l->up && l->count < FRONT_WINDOW && (!best || l->count < best->count)) {
			best = l;
			*index = n;
		}
	}
	f->turn = *index + 1;
	return best;
}

static void
job_free(struct front_job *j)
{
	j->front->memory -= j->held;
	if (j->answer)
		munmap(j->answer, j->answer_len);
	buf_free(&j->body);
	free(j);
}

static void
fill_request(struct front_job *j, struct http_conn *c, const struct http_head *h)
{
	struct wire_request *r = &j->request;
	bool tls = http_conn_context(c) != NULL;

	*r = (struct wire_request){.listener = tls ? LISTENER_TLS : LISTENER_PLAIN,
	    .received = when_now(),
	    .peer_address = http_conn_peer(c)->address,
	    .method = h->method, .path = h->path, .query = h->query, .host = h->host,
	    .content_type = http_head_find(h, "Content-Type"),
	    .soap_action = http_head_find(h, "SOAPAction"),
	    .cookie = http_head_find(h, "Cookie"),
	    .fetch_site = http_head_find(h, "Sec-Fetch-Site"),
	    .accept_language = http_head_find(h, "Accept-Language")};
	r->certificate.data = http_conn_certificate(c, &r->certificate.len);
}

void
front_request(void *arg, struct http_conn *c, const struct http_head *h)
{
	struct front *f = arg;
	const struct authority_conf *conf = f->self->conf;
	unsigned role = is_ra(h->path) ? ROLE_RA : ROLE_DESK;
	struct front_job *j;

	if (role == ROLE_DESK && !http_conn_context(c)) {
		refuse(f, c, 404, FAULT_PKI_ONLY, h->path);
		return;
	}
	if (f->memory + h->content_length > conf->memory_in_flight || !(j = calloc(1, sizeof *j))) {
		refuse(f, c, 503, FAULT_OVERLOADED, "memory");
		return;
	}
	j->front = f;
	j->conn = c;
	j->role = role;
	j->body.max = conf->request_max;
	j->held = h->content_length;
	f->memory += j->held;
	fill_request(j, c, h);
	http_set_data(c, j);
}

/* Chunked bodies are counted as they come. */
void
front_body(void *arg, struct http_conn *c, const void *data, size_t len)
{
	struct front *f = arg;
	struct front_job *j = http_data(c);

	if (!j)
		return;
	if (j->body.len + len > j->held) {
		uint64_t more = j->body.len + len - j->held;
		j->held += more;
		f->memory += more;
	}
	if (f->memory > authority_conf(f->self)->memory_in_flight || !buf_add(&j->body, data, len)) {
		http_set_data(c, NULL);
		job_free(j);
		refuse(f, c, 503, FAULT_OVERLOADED, "memory");
	}
}

static bool
send_request(struct front_job *j)
{
	struct self *self = j->front->self;
	int fd = -1;

	if (j->body.len > WIRE_INLINE_BODY) {
		fd = wire_memfd("request", j->body.data, j->body.len);
		if (fd < 0)
			return false;
		j->request.body_in_fd = true;
		j->request.body_size = j->body.len;
	} else {
		j->request.body = (struct wire_bytes){j->body.data, j->body.len};
	}
	bool ok = wire_send(self->peers[j->role][j->index], WIRE_REQUEST, j->id, &j->request, &fd,
	    fd >= 0);
	buf_free(&j->body);
	return ok;
}

void
front_complete(void *arg, struct http_conn *c)
{
	struct front *f = arg;
	struct front_job *j = http_data(c);
	struct front_lane *l;

	if (!j)
		return;
	l = choose(f, j->role, &j->index);
	j->id = ++f->last_id;
	if (!l || !send_request(j)) {
		http_set_data(c, NULL);
		job_free(j);
		refuse(f, c, 503, FAULT_OVERLOADED, NULL);
		return;
	}
	j->sent = true;
	TAILQ_INSERT_TAIL(&l->jobs, j, link);
	l->count++;
}

static struct front_lane *
lane_of(struct front *f, unsigned role, unsigned index)
{
	return role == ROLE_RA ? &f->ra : &f->desks[index];
}

static void
leave_lane(struct front_job *j)
{
	struct front_lane *l = lane_of(j->front, j->role, j->index);

	TAILQ_REMOVE(&l->jobs, j, link);
	l->count--;
	j->sent = false;
}

void
front_end(void *arg, struct http_conn *c, const char *why)
{
	struct front *f = arg;
	struct front_job *j = http_data(c);

	if (!j)
		return;
	if (why)
		f->gone++;
	j->conn = NULL;
	if (!j->sent) /* otherwise the answer ends it */
		job_free(j);
}

/* The answer's bytes in sealed memory, which the kernel shares among all who get the same ones. */
static bool
map_answer(struct front_job *j, const struct wire_response *m, int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || (fcntl(fd, F_GET_SEALS) & seals) != seals ||
	    m->body_at > (uint64_t)st.st_size || m->body_size > (uint64_t)st.st_size - m->body_at)
		return false;
	j->answer_len = (size_t)st.st_size;
	j->answer = mmap(NULL, j->answer_len, PROT_READ, MAP_SHARED, fd, 0);
	if (j->answer == MAP_FAILED)
		j->answer = NULL;
	return j->answer;
}

static void
answer(struct front_job *j, const struct wire_response *m, int fd)
{
	struct http_answer a = {.status = (int)m->status, .content_type = m->content_type,
	    .fields = m->fields, .body = m->body.data, .len = m->body.len};

	if (m->body_in_fd && m->body_size) {
		if (!map_answer(j, m, fd)) {
			http_drop(j->conn);
			return;
		}
		a.body = (const char *)j->answer + m->body_at;
		a.len = (size_t)m->body_size;
		a.borrowed = true;
	}
	j->front->answered++;
	if (m->status < 200)
		http_drop(j->conn);
	else
		http_respond(j->conn, &a);
}

static struct front_job *
find_job(struct front_lane *l, uint64_t id)
{
	struct front_job *j;

	TAILQ_FOREACH (j, &l->jobs, link) {
		if (j->id == id)
			break;
	}
	return j;
}

void
front_response(struct self *self, struct peer from, struct ipc_frame *frame)
{
	struct front *f = self->state;
	struct front_job *j = find_job(lane_of(f, from.role, from.index), frame->id);
	struct wire_response m;
	int fd = ipc_take_fd(frame, 0);

	if (!j || !wire_unpack(frame, WIRE_RESPONSE, &m)) {
		log_error("front.bad-response", "from=%s", role_name(from.role));
	} else {
		leave_lane(j);
		if (j->conn)
			answer(j, &m, fd);
		else
			job_free(j);
	}
	if (fd >= 0)
		close(fd);
}

void
front_lane_down(struct front *f, struct front_lane *l)
{
	struct front_job *j;

	l->up = false;
	while ((j = TAILQ_FIRST(&l->jobs))) {
		struct http_conn *c = j->conn;
		leave_lane(j);
		if (c)
			http_set_data(c, NULL);
		job_free(j);
		if (c)
			refuse(f, c, 503, FAULT_OVERLOADED, NULL);
	}
}
