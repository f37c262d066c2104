/* document.detach: one attachment of a stored message, decoded into a file. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obmend/codec.h"

static void
reply(struct codec *c, struct peer to, uint64_t id, json_t *answer)
{
	struct ipc *ipc = c->self->peers[to.role][to.index];

	if (ipc && answer)
		wire_send_json(ipc, WIRE_QUERY_REPLY, id, answer, NULL, 0);
	json_decref(answer);
}

static void
refuse(struct codec *c, struct peer to, uint64_t id, enum fault fault, const char *detail)
{
	reply(c, to, id,
	    json_pack("{s:b, s:s, s:s}", "ok", 0, "fault", fault_code(fault), "detail",
	        detail ? detail : ""));
}

static void
detach_trouble(struct job *job, enum fault fault, const char *detail)
{
	refuse(job->codec, job->origin, job->origin_id, fault, detail);
}

static bool
write_out(void *arg, unsigned index, const void *data, size_t len)
{
	struct job *job = arg;
	struct detach *d = &job->detach;

	if (index != d->index)
		return true;
	for (size_t at = 0; at < len;) {
		ssize_t n = write(d->output, (const char *)data + at, len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	d->written += len;
	return true;
}

static void
finish(struct job *job)
{
	const struct attachment *a = job->message.document.attachments;
	json_t *answer;

	for (uint64_t i = 0; a && i < job->detach.index; i++)
		a = a->next;
	if (!a) {
		job_trouble(job, FAULT_DOCUMENT_MISSING, "index");
		return;
	}
	answer = json_pack("{s:b, s:I, s:s*, s:s*}", "ok", 1, "size",
	    (json_int_t)job->detach.written,
	    "file_name", a->file_name, "mime_type", a->mime_type);
	reply(job->codec, job->origin, job->origin_id, answer);
	job_end(job);
}

static bool
detach_run(struct job *job)
{
	struct parse *p = &job->parse;

	if (parse_step(p, job->codec->room, SLICE))
		return true;
	if (p->fault != FAULT_NONE)
		job_trouble(job, p->fault, p->detail);
	else if (p->content != ENVELOPE_MESSAGE)
		job_trouble(job, FAULT_DOCUMENT_MISSING, "body");
	else
		finish(job);
	return false;
}

static void
detach_clean(struct job *job)
{
	if (job->detach.output >= 0)
		close(job->detach.output);
}

static const struct job_kind detach_kind = {
    .name = "detach",
    .run = detach_run,
    .trouble = detach_trouble,
    .clean = detach_clean,
};

/* A pipe or a terminal could keep this process waiting: only files, on disk or in memory. */
static bool
is_file(int fd, uint64_t *size)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*size = (uint64_t)st.st_size;
	return true;
}

void
detach_start(struct codec *c, struct peer from, struct ipc_frame *f, const json_t *query)
{
	const json_t *index = json_object_get(query, "index");
	uint64_t size, ignored;
	struct job *job = job_new(c, &detach_kind, from, f->id);

	if (!job) {
		refuse(c, from, f->id, FAULT_OVERLOADED, NULL);
		return;
	}
	job->body.fd = ipc_take_fd(f, 0);
	job->detach.output = ipc_take_fd(f, 1);
	if (!json_is_integer(index) || json_integer_value(index) < 0 ||
	    !is_file(job->body.fd, &size) || !is_file(job->detach.output, &ignored)) {
		job_trouble(job, FAULT_USAGE, "index, body, output");
		return;
	}
	job->body.size = size;
	job->detach.index = (uint64_t)json_integer_value(index);
	job->parse.attachment = write_out;
	job->parse.attachment_arg = job;
	if (parse_begin(&job->parse, &c->parsers, &job->body, &job->message, ENVELOPE_REQUEST,
	        DIGEST_SHA1))
		job_run(job, size);
	else
		job_trouble(job, FAULT_INTERNAL, "no memory");
}
