#include "authority/ra_job.h"

#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

#include "authority/ra_internal.h"

static void
job_free(struct ra_job *job)
{
	cmp_envelope_free(&job->envelope);
	X509_free(job->ca);
	X509_free(job->cmp);
	X509_free(job->given);
	buf_free(&job->message);
	buf_free(&job->first);
	if (job->secret.data)
		OPENSSL_cleanse(job->secret.data, job->secret.len);
	buf_free(&job->secret);
	buf_free(&job->answer);
	free(job);
}

void
ra_end(struct ra_job *job, int status, const char *type, const void *data, size_t len)
{
	const struct ra_site *site = job->site;

	if (job->http) {
		site->respond(site->arg, job, status, type, data, len);
	} else {
		json_t *answer = status == 200
		    ? json_pack("{s:b, s:o}", "ok", 1, "answer", json_base64(data, len))
		    : json_pack("{s:b, s:s}", "ok", 0, "fault", fault_code(FAULT_CSR_MALFORMED));
		site->reply(site->arg, job, answer);
		json_decref(answer);
	}
	job_free(job);
}

void
ra_reply(struct ra_job *job, json_t *answer)
{
	const struct ra_site *site = job->site;

	if (job->http) {
		ra_end(job, 500, "text/plain", "", 0);
	} else {
		site->reply(site->arg, job, answer);
		job_free(job);
	}
	json_decref(answer);
}

void
ra_refuse(struct ra_job *job, enum fault f, const char *detail)
{
	ra_reply(job, json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "fault", fault_code(f), "code",
	                  fault_code(f), "detail", detail ? detail : ""));
}

void
ra_ask(struct ra_job *job, json_t *query, void (*next)(struct ra_job *, const json_t *))
{
	if (!query) {
		ra_refuse(job, FAULT_INTERNAL, NULL);
		return;
	}
	job->next = next;
	job->site->ask(job->site->arg, job, query);
	json_decref(query);
}

void
ra_job_answered(struct ra_job *job, const json_t *answer)
{
	job->next(job, answer);
}

void *
ra_job_user(const struct ra_job *job)
{
	return job->user;
}

X509 *
ra_certificate(const json_t *c)
{
	struct buf der = {.max = CMP_MESSAGE_MAX};
	X509 *x = NULL;

	if (json_get_base64(c, "der", &der)) {
		const uint8_t *at = der.data;
		x = d2i_X509(NULL, &at, (long)der.len);
	}
	buf_free(&der);
	return x;
}

/* RFC 9811 section 3.2 and RFC 9483 section 6.1: the operation at the end says what the message says too. */
static const struct path {
	const char *prefix;
	const char *method;
	size_t max;
	void (*begin)(struct ra_job *);
} paths[] = {
	{"/.well-known/cmp", "POST", CMP_MESSAGE_MAX, ra_cmp},
	{"/cmp", "POST", CMP_MESSAGE_MAX, ra_cmp},
	{"/ocsp", "", CERTIFY_OCSP_MAX, ra_ocsp},
	{"/crl", "GET", 0, ra_crl},
	{"/ca", "GET", 0, ra_ca},
};

static const struct path *
find_path(const char *path)
{
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		size_t len = strlen(paths[i].prefix);
		if (strncmp(path, paths[i].prefix, len) == 0 &&
		    (path[len] == '\0' || path[len] == '/' || path[len] == '.'))
			return &paths[i];
	}
	return NULL;
}

bool
ra_has_path(const char *path)
{
	return find_path(path);
}

static struct ra_job *
job_new(const struct ra_site *site, bool http, void *user)
{
	struct ra_job *job = calloc(1, sizeof *job);

	if (job) {
		job->site = site;
		job->http = http;
		job->user = user;
		job->message.max = CMP_MESSAGE_MAX;
	}
	return job;
}

static int
hex_value(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* OCSP by GET: base64 in the path, percent-encoded (RFC 6960 appendix A.1). */
static bool
read_path(const char *path, struct buf *out)
{
	struct buf text = {.max = 2 * CERTIFY_OCSP_MAX};
	json_t *holder = NULL;

	for (const char *c = path; *c; c++) {
		int high = *c == '%' ? hex_value(c[1]) : -1, low = high >= 0 ? hex_value(c[2]) : -1;
		buf_addc(&text, (char)(low >= 0 ? high << 4 | low : *c));
		c += low >= 0 ? 2 : 0;
	}
	holder = text.failed ? NULL : json_pack("{s:s}", "t", buf_str(&text));
	bool ok = holder && json_get_base64(holder, "t", out);
	json_decref(holder);
	buf_free(&text);
	return ok;
}

static void
begin(struct ra_job *job, const struct path *p, const struct ra_http *r)
{
	size_t prefix = strlen(p->prefix);
	bool get = strcmp(r->method, "GET") == 0;

	if (*p->method && strcmp(r->method, p->method) != 0) {
		ra_end(job, 405, "text/plain", "", 0);
		return;
	}
	if (r->len > p->max) {
		ra_end(job, 413, "text/plain", "", 0);
		return;
	}
	bool ok = r->len == 0 || buf_add(&job->message, r->body, r->len);
	if (get && p->begin == ra_ocsp)
		ok = r->path[prefix] == '/' && read_path(r->path + prefix + 1, &job->message);
	if (ok)
		p->begin(job);
	else
		ra_end(job, 400, "text/plain", "", 0);
}

bool
ra_begin_http(const struct ra_site *site, const struct ra_http *r, void *user)
{
	struct ra_job *job = job_new(site, true, user);
	const struct path *p = find_path(r->path);

	if (!job)
		return false;
	if (p)
		begin(job, p, r);
	else
		ra_end(job, 404, "text/plain", "", 0);
	return true;
}

static void
ra_cmp_query(struct ra_job *job, const json_t *query)
{
	if (json_get_base64(query, "message", &job->message))
		ra_cmp(job);
	else
		ra_refuse(job, FAULT_CMP_UNKNOWN, "base64");
}

bool
ra_begin_query(const struct ra_site *site, const json_t *query, void *user)
{
	static const struct {
		const char *verb;
		void (*begin)(struct ra_job *, const json_t *);
	} verbs[] = {
		{"certificate-submit", ra_submit},
		{"certificate-register", ra_register},
		{"cmp-file", ra_cmp_query},
	};
	struct ra_job *job = job_new(site, false, user);

	if (!job)
		return false;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(json_text(query, "verb"), verbs[i].verb) == 0) {
			verbs[i].begin(job, query);
			return true;
		}
	}
	ra_refuse(job, FAULT_CMP_UNKNOWN, json_text(query, "verb"));
	return true;
}
