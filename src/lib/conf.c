#include "lib/conf.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf_table.h"

enum problem {
	P_MISSING,
	P_REFERENCE,
	P_NO_CERTIFICATE,
	P_NO_PARTICIPANT,
	P_NO_LISTEN,
	P_ADDRESS,
	P_MOMENT,
	P_HTTP,
	P_NOT_LOCAL,
	P_NOT_HTTP,
	P_NO_STAMP_CA,
	P_COUNT
};

static const char *const problems[P_COUNT][2] = {
    [P_MISSING] = {"липсва", "is missing"},
    [P_REFERENCE] = {"няма такъв раздел [certificate]", "there is no such [certificate] section"},
    [P_NO_CERTIFICATE] = {"нужен е поне един раздел [certificate ИМЕ]",
			  "at least one [certificate NAME] section is needed"},
    [P_NO_PARTICIPANT] = {"нужен е поне един раздел [participant {GUID}]",
			  "at least one [participant {GUID}] section is needed"},
    [P_NO_LISTEN] = {"нужен е поне един раздел [listen АДРЕС:ПОРТ]",
		     "at least one [listen ADDRESS:PORT] section is needed"},
    [P_ADDRESS] = {"очаква се АДРЕС:ПОРТ", "ADDRESS:PORT is expected"},
    [P_MOMENT] = {"очаква се момент като 2026-11-30T08:00:00+02:00",
		  "a moment like 2026-11-30T08:00:00+02:00 is expected"},
    [P_HTTP] = {"очаква се адрес http://", "an address that begins with http:// is expected"},
    [P_NOT_LOCAL] = {"адресът не е локален; така е само с metrics-remote = yes",
		     "not a local address; that takes metrics-remote = yes"},
    [P_NOT_HTTP] = {"очаква се адрес http://: удостоверението е подписано само по себе си",
	"an http:// address is expected: a time stamp carries its own signature"},
    [P_NO_STAMP_CA] = {"иска и timestamp-ca-file", "needs timestamp-ca-file too"},
};

static void
problem(struct conf_parser *p, const char *where, enum problem what, const char *detail)
{
	conf_problem(p, where, problems[what][conf_parser_language(p)], detail);
}

/* Fills the field that identifies an element; false when the argument is not valid. */
static bool
set_argument(unsigned section, void *element, const char *argument)
{
	struct conf_certificate *certificate = element;
	struct conf_listen *l = element;
	struct conf_participant *participant = element;
	struct conf_peer *peer = element;

	switch (section) {
	case CONF_CERTIFICATE:
		if (conf_name_valid(argument))
			snprintf(certificate->name, sizeof certificate->name, "%s", argument);
		return conf_name_valid(argument);
	case CONF_LISTEN:
		return conf_address_valid(argument) && (l->address = strdup(argument));
	case CONF_PARTICIPANT:
		return guid_parse_lenient(&participant->guid, argument) &&
		       !guid_is_zero(&participant->guid);
	case CONF_PEER:
		return guid_parse_lenient(&peer->guid, argument) && !guid_is_zero(&peer->guid);
	default:
		return false;
	}
}

static bool
same_argument(unsigned section, const void *a, const void *b)
{
	const struct conf_certificate *c = a, *d = b;
	const struct conf_listen *l = a, *m = b;
	const struct conf_participant *p = a, *q = b;
	const struct conf_peer *x = a, *y = b;

	switch (section) {
	case CONF_CERTIFICATE:
		return strcmp(c->name, d->name) == 0;
	case CONF_LISTEN:
		/* one that was refused has no address */
		return l->address && m->address && strcmp(l->address, m->address) == 0;
	case CONF_PARTICIPANT:
		return guid_equal(&p->guid, &q->guid);
	case CONF_PEER:
		return guid_equal(&x->guid, &y->guid);
	default:
		return false;
	}
}

static void
free_argument(unsigned section, void *element)
{
	struct conf_listen *l = element;

	if (section == CONF_LISTEN)
		free(l->address);
}

/* Of the sections that may change while the node runs. */
static void
argument_text(unsigned section, const void *element, char *out, size_t size)
{
	const struct conf_peer *peer = element;
	char guid[GUID_TEXT_SIZE] = "";

	if (section == CONF_PEER)
		guid_format(&peer->guid, guid);
	snprintf(out, size, "%s", guid);
}

/* Finds the certificate that a name means; without a name the only one there is. */
static void
resolve(struct conf_parser *p, const struct conf *c, const char *section, const char *name,
    unsigned *index)
{
	char where[CONF_NAME_MAX + 48];

	if (!name && c->certificate_count == 1) {
		*index = 0;
		return;
	}
	for (unsigned i = 0; name && i < c->certificate_count; i++) {
		if (strcmp(c->certificates[i].name, name) == 0) {
			*index = i;
			return;
		}
	}
	snprintf(where, sizeof where, "[%s] certificate", section);
	problem(p, where, name ? P_REFERENCE : P_MISSING, name);
}

static void
need_one(struct conf_parser *p, unsigned count, enum problem what)
{
	if (count == 0)
		problem(p, NULL, what, NULL);
}

/* Figures leave the machine only when that was said on purpose. */
static void
check_metrics(struct conf_parser *p, const struct conf *c)
{
	const char *s = c->metrics_listen;

	if (!s || !*s)
		return;
	bool local = strncmp(s, "127.", 4) == 0 || strncmp(s, "[::1]:", 6) == 0;
	if (!conf_address_valid(s) || !(local || c->metrics_remote))
		problem(p, "metrics-listen", conf_address_valid(s) ? P_NOT_LOCAL : P_ADDRESS, NULL);
}

/* Whom to believe must be known before anybody is asked. */
static void
check_stamps(struct conf_parser *p, const struct conf *c)
{
	const char *url = c->timestamp_url, *ca = c->timestamp_ca_file;

	if (!url || !*url)
		return;
	bool http = strncmp(url, "http://", 7) == 0 && url[7];
	if (!http || !ca || !*ca)
		problem(p, "timestamp-url", http ? P_NO_STAMP_CA : P_NOT_HTTP, NULL);
}

/* CRLs and OCSP answers are signed themselves; authorities serve them over plain http. */
static void
check_revocation(struct conf_parser *p, const struct conf *c)
{
	const char *const urls[][2] = {{"crl-url", c->crl_url}, {"ocsp-url", c->ocsp_url}};

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		if (urls[i][1] && *urls[i][1] && strncmp(urls[i][1], "http://", 7) != 0)
			problem(p, urls[i][0], P_HTTP, NULL);
	}
}

static void
check_successors(struct conf_parser *p, struct conf *conf)
{
	char section[CONF_NAME_MAX + 16];

	for (unsigned i = 0; i < conf->certificate_count; i++) {
		struct conf_certificate *c = &conf->certificates[i];
		const char *text = c->switch_text;
		snprintf(section, sizeof section, "certificate %s", c->name);
		c->successor = i;
		c->switch_at = WHEN_NONE;
		if (c->successor_name)
			resolve(p, conf, section, c->successor_name, &c->successor);
		if (text && *text && !when_parse(&c->switch_at, text, strlen(text)))
			problem(p, section, P_MOMENT, NULL);
	}
}

/* What can be said only when the whole text was read. */
static void
check_whole(struct conf_parser *p, void *conf)
{
	struct conf *c = conf;
	char section[GUID_TEXT_SIZE + 16], guid[GUID_TEXT_SIZE];

	need_one(p, c->certificate_count, P_NO_CERTIFICATE);
	need_one(p, c->participant_count, P_NO_PARTICIPANT);
	need_one(p, c->listen_count, P_NO_LISTEN);
	check_metrics(p, c);
	check_stamps(p, c);
	check_revocation(p, c);
	check_successors(p, c);
	if (conf_parser_failed(p)) /* what follows would only be their echo */
		return;
	for (unsigned i = 0; i < c->listen_count; i++) {
		snprintf(section, sizeof section, "listen %.40s", c->listens[i].address);
		resolve(p, c, section, c->listens[i].certificate_name, &c->listens[i].certificate);
	}
	for (unsigned i = 0; i < c->participant_count; i++) {
		guid_format(&c->participants[i].guid, guid);
		snprintf(section, sizeof section, "participant %s", guid);
		resolve(p, c, section, c->participants[i].certificate_name,
			&c->participants[i].certificate);
	}
}

const struct conf_rules conf_rules = {
	.set_argument = set_argument,
	.same_argument = same_argument,
	.free_argument = free_argument,
	.argument_text = argument_text,
	.check = check_whole,
};

struct conf *
conf_parse(const char *file_name, const char *text, size_t len, char *errors, size_t errors_size)
{
	return conf_parse_by(&conf_schema, file_name, text, len, errors, errors_size);
}

struct conf *
conf_load(const char *path, char *errors, size_t errors_size)
{
	return conf_load_by(&conf_schema, path, errors, errors_size);
}

void
conf_free(struct conf *c)
{
	conf_free_by(&conf_schema, c);
}

void
conf_reload(struct conf *running, struct conf *fresh, struct buf *kept)
{
	conf_reload_by(&conf_schema, running, fresh, kept);
}

unsigned
conf_certificate_now(const struct conf *c, unsigned certificate, uint64_t switched)
{
	/* A ring of successors ends after as many steps as there are certificates. */
	for (unsigned n = 0; n < c->certificate_count && switched >> certificate & 1; n++)
		certificate = c->certificates[certificate].successor;
	return certificate;
}

const struct conf_participant *
conf_participant(const struct conf *c, const struct guid *g)
{
	for (unsigned i = 0; i < c->participant_count; i++) {
		if (guid_equal(&c->participants[i].guid, g))
			return &c->participants[i];
	}
	return NULL;
}

const struct conf_peer *
conf_peer(const struct conf *c, const struct guid *g)
{
	for (unsigned i = 0; i < c->peer_count; i++) {
		if (guid_equal(&c->peers[i].guid, g))
			return &c->peers[i];
	}
	return NULL;
}
