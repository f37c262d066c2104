/* The pages' way to the network and to the ledger. */
#include <stdlib.h>
#include <string.h>

#include "authority/desk.h"
#include "authority/web.h"
#include "lib/log.h"
#include "message/base64.h"

struct pages {
	struct web_site site;
	bool ready; /* the ledger gave the secret that sessions hang on */
};

static void
on_answer(struct desk_job *j, unsigned slot, json_t *answer)
{
	if (j->page)
		web_answered(j->page, slot, answer);
}

static void
ask(void *arg, struct web_exchange *x, enum web_asked whom, unsigned slot, json_t *query)
{
	struct desk_job *j = web_user(x);

	(void)arg;
	j->page = x;
	desk_ask(j, whom == WEB_RA ? ROLE_RA : ROLE_LEDGER, slot, query, on_answer);
}

static void
respond(void *arg, struct web_exchange *x, const struct web_response *r)
{
	struct desk_job *j = web_user(x);

	(void)arg;
	j->page = NULL;
	j->desk->pages_served++;
	desk_respond(j, (unsigned)r->status, r->content_type, r->fields, r->body, r->len);
}

bool
desk_page_open(struct desk *d)
{
	const struct authority_conf *conf = authority_conf(d->self);
	struct pages *p = calloc(1, sizeof *p);

	if (!p)
		return false;
	p->site = (struct web_site){.authority = {conf->name[0], conf->name[1]},
	    .address = {conf->address[0], conf->address[1]}, .email = conf->email,
	    .domain = conf->domain, .test = conf->test, .ask = ask, .respond = respond, .arg = d};
	d->pages = p;
	return true;
}

void
desk_page_free(struct desk *d)
{
	free(d->pages);
	d->pages = NULL;
}

void
desk_page(struct desk_job *j)
{
	struct pages *p = j->desk->pages;
	const struct wire_request *r = &j->request;
	struct web_exchange *x = NULL;

	if (!p->ready) {
		desk_refuse(j, 503, FAULT_WEB_SILENT, NULL);
		return;
	}
	/* The job may be gone when this returns; while it is not, ask has set its page. */
	if (!web_begin(&p->site, &(struct web_request){.method = r->method, .path = r->path,
	        .query = r->query, .content_type = r->content_type, .cookie = r->cookie,
	        .fetch_site = r->fetch_site, .certificate = r->certificate.data,
	        .certificate_len = r->certificate.len, .body = r->body.data, .body_len = r->body.len},
	        j, &x))
		desk_refuse(j, 503, FAULT_OVERLOADED, "memory");
}

void
desk_page_abandon(struct desk_job *j)
{
	if (j->page)
		web_abandon(j->page);
	j->page = NULL;
}

void
desk_page_ledger_up(struct desk *d)
{
	json_t *query = json_pack("{s:s, s:{s:s}}", "verb", "session-secret", "actor", "kind", "desk");

	if (!wire_send_json(d->self->peers[ROLE_LEDGER][0], WIRE_QUERY, DESK_SECRET, query, NULL, 0))
		log_error("desk.secret", "reason=\"ledger is down\"");
	json_decref(query);
}

void
desk_page_secret(struct desk *d, const json_t *answer)
{
	struct pages *p = d->pages;
	const char *text = json_string_value(json_object_get(answer, "secret"));
	struct base64 decoder = {0};
	uint8_t secret[64];
	size_t len = text ? strlen(text) : 0;

	len = len <= sizeof secret - 16 ? base64_decode(&decoder, text ? text : "", len, secret) : 0;
	if (decoder.bad || len != sizeof p->site.secret) {
		log_error("desk.secret", "reason=\"no secret from the ledger\"");
		return;
	}
	memcpy(p->site.secret, secret, len);
	p->ready = true;
}
