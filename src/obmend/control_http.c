/* /metrics, /healthz and /readyz: plain HTTP for machines that watch, on a local address. */
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "lib/http_server.h"
#include "lib/log.h"
#include "lib/openmetrics.h"
#include "obmend/control.h"

#define JSON_TYPE "application/json; charset=utf-8"

/* One look at the node, from the request to the statuses of all roles. */
struct look {
	struct http_conn *conn; /* NULL: went away */
	const struct page *page;
};

struct page {
	const char *path;
	void (*write)(struct request *, struct look *);
};

/* What a node cannot exchange documents with. The rest of the conditions are warnings. */
static const enum fault blocking[] = {FAULT_NODE_ROLE_DOWN, FAULT_CLOCK_WRONG, FAULT_DISK_FULL,
    FAULT_STORE_FAILED, FAULT_OWN_CERTIFICATE_EXPIRED, FAULT_REGISTER_EMPTY};

static bool
is_blocking(const char *code)
{
	for (size_t i = 0; i < sizeof blocking / sizeof *blocking; i++) {
		if (strcmp(fault_code(blocking[i]), code) == 0)
			return true;
	}
	return false;
}

static void
respond(struct look *l, int status, const char *type, const char *text, size_t len)
{
	if (l->conn)
		http_respond(l->conn, &(struct http_answer){.status = status, .content_type = type,
		    .fields = "Cache-Control: no-store\r\n", .body = text, .len = len});
}

static void
respond_json(struct look *l, int status, json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);

	if (text)
		respond(l, status, JSON_TYPE, text, strlen(text));
	else if (l->conn)
		http_drop(l->conn);
	free(text);
	json_decref(j);
}

static void
write_metrics(struct request *r, struct look *l)
{
	struct buf out = {0};

	control_metrics(r->control, r->state, &out);
	if (!out.failed)
		respond(l, 200, OPENMETRICS_TYPE, buf_str(&out), out.len);
	else if (l->conn)
		http_drop(l->conn);
	buf_free(&out);
}

static json_t *
reason(const char *code, const char *detail)
{
	enum fault f = fault_by_code(code);

	return json_pack("{s:s, s:s, s:s}", "code", code, "what", fault_text(f, LANGUAGE_EN).what, "detail",
	    detail);
}

/* A clock that nothing keeps makes wrong times in documents; it does not stop the exchange. */
static bool
clock_kept(void)
{
	struct timex t = {.modes = 0};

	return adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}

static void
write_ready(struct request *r, struct look *l)
{
	json_t *conditions = control_conditions(r->control, r->state), *c;
	json_t *reasons = json_array(), *warnings = json_array();
	size_t i;

	json_array_foreach (conditions, i, c) {
		const char *code = json_string_value(json_object_get(c, "fault"));
		if (strcmp(code, fault_code(FAULT_NODE_WELL)) == 0)
			continue;
		json_array_append_new(is_blocking(code) ? reasons : warnings,
		    reason(code, json_string_value(json_object_get(c, "detail"))));
	}
	json_decref(conditions);
	if (!clock_kept())
		json_array_append_new(warnings, reason(fault_code(FAULT_CLOCK_FREE), ""));
	bool ready = json_array_size(reasons) == 0;
	respond_json(l, ready ? 200 : 503,
	    json_pack("{s:b, s:o, s:o}", "ready", ready, "reasons", reasons, "warnings", warnings));
}

/* Alive: every role answers. A role that does not is started again by parent; when it goes on, only a
 * person or a new start helps. */
static void
write_health(struct request *r, struct look *l)
{
	json_t *silent = json_array(), *status;
	const char *name;

	json_object_foreach (r->state, name, status) {
		if (json_is_null(status))
			json_array_append_new(silent, reason(fault_code(FAULT_NODE_ROLE_DOWN), name));
	}
	bool well = json_array_size(silent) == 0;
	respond_json(l, well ? 200 : 503, json_pack("{s:b, s:o}", "healthy", well, "reasons", silent));
}

static const struct page pages[] = {{"/metrics", write_metrics}, {"/readyz", write_ready},
    {"/healthz", write_health}};

static void
on_gathered(struct request *r)
{
	struct look *l = r->data;

	l->page->write(r, l);
	if (l->conn)
		http_set_data(l->conn, NULL);
	free(l);
	request_answer(r, json_null(), NULL, 0);
}

static void
begin_look(struct control *c, struct http_conn *conn, const struct page *page)
{
	static const struct verb look_verb = {.name = "metrics", .seconds = 3};
	struct look *l = calloc(1, sizeof *l);
	struct request *r = l ? request_new(c, NULL, json_object(), NULL, 0) : NULL;

	if (!r) {
		free(l);
		http_drop(conn);
		return;
	}
	*l = (struct look){.conn = conn, .page = page};
	http_set_data(conn, l);
	r->verb = &look_verb;
	r->data = l;
	control_gather(r, on_gathered);
}

static void
on_request(void *arg, struct http_conn *conn, const struct http_head *head)
{
	static const char no_page[] = "/metrics, /healthz, /readyz\n";
	static const char no_method[] = "GET\n";

	if (strcmp(head->method, "GET") != 0) {
		http_respond(conn, &(struct http_answer){.status = 405, .fields = "Allow: GET\r\n",
		    .body = no_method, .len = sizeof no_method - 1});
		return;
	}
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (strcmp(head->path, pages[i].path) == 0) {
			begin_look(arg, conn, &pages[i]);
			return;
		}
	}
	http_respond(conn, &(struct http_answer){.status = 404, .body = no_page,
	    .len = sizeof no_page - 1});
}

static void
on_body(void *arg, struct http_conn *conn, const void *data, size_t len)
{
	(void)arg, (void)conn, (void)data, (void)len;
}

static void
on_complete(void *arg, struct http_conn *conn)
{
	(void)arg, (void)conn;
}

static void
on_end(void *arg, struct http_conn *conn, const char *why)
{
	struct look *l = http_data(conn);

	(void)arg, (void)why;
	if (l)
		l->conn = NULL;
}

void
control_http_open(struct control *c)
{
	const char *address = self_conf(c->self)->metrics_listen, *why;

	c->http_socket = -1;
	if (!address || !*address)
		return;
	c->http_socket = http_listen(address, &why);
	if (c->http_socket < 0)
		log_warning("control.metrics", "address=%s reason=\"%s\"", address, why);
}

bool
control_http_start(struct control *c)
{
	static const struct http_callbacks calls = {on_request, on_body, on_complete, on_end, NULL};
	static const struct http_limits limits = {.connections = 16, .connections_per_address = 16,
	    .head_bytes = 8192, .head_fields = HTTP_FIELDS_MAX, .body_max = 1024,
	    .head_time = 10 * WHEN_SECOND, .body_time = 10 * WHEN_SECOND, .total_time = 30 * WHEN_SECOND,
	    .idle_time = 120 * WHEN_SECOND, .answer_time = 30 * WHEN_SECOND};

	if (c->http_socket < 0)
		return true;
	c->http = http_server_new(c->self->base, &limits, &calls, c);
	if (!c->http)
		return false;
	int fd = c->http_socket;
	c->http_socket = -1;
	return http_server_add(c->http, fd, NULL);
}

void
control_http_stop(struct control *c)
{
	if (c->http)
		http_server_free(c->http);
	if (c->http_socket >= 0)
		close(c->http_socket);
	c->http = NULL;
	c->http_socket = -1;
}
