/* The register's five operations, from the sealed copy: no question to anybody. */
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "authority/desk.h"
#include "authority/ledger.h"
#include "soap/register_answer.h"

#define XML_TYPE "text/xml; charset=utf-8"
#define ANSWER_MAX ((size_t)512 << 20)

bool
desk_soap_has_path(const char *path)
{
	static const char service[] = "/service";

	return strncmp(path, service, sizeof service - 1) == 0 &&
	    (!path[sizeof service - 1] || path[sizeof service - 1] == '/');
}

static void
fault(struct desk_job *j, const char *caller, enum fault f, const char *detail)
{
	struct buf b = {0};
	char text[2048];

	fault_describe(f, detail, text, sizeof text);
	register_answer_fault(&b, caller, text);
	j->desk->faults++;
	desk_respond(j, b.failed ? 0 : 500, XML_TYPE, NULL, b.data, b.len);
	buf_free(&b);
}

static void
describe(struct desk_job *j)
{
	const struct wire_request *r = &j->request;
	struct buf b = {0};
	char location[2048];

	snprintf(location, sizeof location, "https://%s%s", r->host ? r->host : "", r->path);
	if (strcasecmp(r->query, "xsd=encoding") == 0)
		register_encoding_schema(&b);
	else
		register_wsdl(&b, location);
	desk_respond(j, b.failed ? 0 : 200, XML_TYPE, NULL, b.data, b.len);
	buf_free(&b);
}

/* What an operation looks for. */
struct search {
	enum register_operation operation;
	struct guid guid;
	char serial[PREPARED_SERIAL_MAX + 1];
	const char *eik;
	when since;
};

/* Removed ones are told to who asks what is new, or for exactly this one. */
static bool
fits(const struct search *s, const struct prepared_entry *e)
{
	switch (s->operation) {
	case REGISTER_NEW:
		return e->changed >= s->since;
	case REGISTER_BY_GUID:
		return guid_equal(&e->guid, &s->guid);
	case REGISTER_BY_EIK:
		return !e->removed && strcmp(e->eik, s->eik) == 0;
	case REGISTER_BY_SERIAL:
		return !e->removed && *s->serial && strcmp(e->serial, s->serial) == 0;
	default:
		return !e->removed;
	}
}

/* Answers show moments in whole seconds, and who has seen one of them asks from there on: what changed
 * in that second after it was asked must come again rather than be missed. */
static bool
read_search(const struct register_call *c, struct search *s)
{
	*s = (struct search){.operation = c->operation, .eik = c->argument};
	switch (c->operation) {
	case REGISTER_NEW:
		if (!when_parse(&s->since, c->argument, strlen(c->argument)))
			return false;
		s->since -= s->since % WHEN_SECOND;
		return true;
	case REGISTER_BY_GUID:
		return guid_parse_lenient(&s->guid, c->argument);
	case REGISTER_BY_SERIAL:
		return serial_key(c->argument, s->serial);
	default:
		return true;
	}
}

static void
answer_found(struct desk_job *j, const struct search *s)
{
	const struct prepared *p = j->desk->prepared;
	struct buf b = {.max = ANSWER_MAX};
	char newest[WHEN_TEXT_SIZE];
	when last = WHEN_NONE;
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += fits(s, &p->entries[i]);
	register_answer_head(&b, s->operation, n);
	for (size_t i = 0; i < p->count; i++) {
		const struct prepared_entry *e = &p->entries[i];
		if (!fits(s, e))
			continue;
		buf_add(&b, p->map + e->at, e->len);
		if (e->changed > last)
			last = e->changed;
	}
	if (last != WHEN_NONE)
		register_date(last, newest);
	register_answer_tail(&b, s->operation, last == WHEN_NONE ? NULL : newest);
	desk_respond(j, b.failed ? 0 : 200, XML_TYPE, NULL, b.data, b.len);
	buf_free(&b);
}

static void
perform(struct desk_job *j)
{
	const struct prepared *p = j->desk->prepared;
	struct register_call call;
	struct search s;
	char detail[64] = "";
	enum fault f = register_call_read(&call, j->request.body.data, j->request.body.len, detail);

	j->desk->soap++;
	if (f)
		fault(j, "Client", f, detail);
	else if (!p)
		fault(j, "Server", FAULT_REGISTER_STARTING, NULL);
	else if (call.operation == REGISTER_ALL)
		desk_respond_fd(j, XML_TYPE, fcntl(p->fd, F_DUPFD_CLOEXEC, 0), 0, p->answer_len);
	else if (!read_search(&call, &s))
		fault(j, "Client", FAULT_REGISTER_ARGUMENT, call.argument);
	else
		answer_found(j, &s);
}

/* SOAPAction and the content type are not looked at: some peers send none (section 7). */
void
desk_soap(struct desk_job *j)
{
	const struct wire_request *r = &j->request;
	bool reads = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;

	if (reads && r->query &&
	    (strcasecmp(r->query, "wsdl") == 0 || strcasecmp(r->query, "xsd=encoding") == 0))
		describe(j);
	else if (strcmp(r->method, "POST") == 0)
		perform(j);
	else
		desk_refuse(j, 405, FAULT_HTTP_METHOD, r->method);
}
