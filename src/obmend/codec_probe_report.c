/* The steps of a test, each with its cause and who owns it. */
#include <errno.h>
#include <string.h>

#include "lib/http_client.h"
#include "lib/tls.h"
#include "obmend/codec_probe.h"

/* Whose trouble it is; what is not here is the peer's. */
static const struct {
	enum fault fault;
	const char *owner;
} owners[] = {
    {FAULT_RECIPIENT_UNKNOWN, "authority"}, {FAULT_PROBE_OWN_SERIAL, "authority"},
    {FAULT_PROBE_OWN_INACTIVE, "authority"}, {FAULT_PROBE_NAME_SERVER, "us"},
    {FAULT_PROBE_OURS_REFUSED, "us"}, {FAULT_OWN_CERTIFICATE_EXPIRED, "us"},
    {FAULT_OVERLOADED, "us"}, {FAULT_INTERNAL, "us"}, {FAULT_REGISTER_EMPTY, "authority"},
    {FAULT_PROBE_ROUTE, "network"}, {FAULT_PROBE_SILENT, "network"}};

static const char *
owner_of(enum fault f)
{
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
		if (owners[i].fault == f)
			return owners[i].owner;
	}
	return "peer";
}

/* ms: how long the step took; negative: not known. found: what was seen, or NULL. */
static void
add(json_t *report, const char *name, enum fault f, const char *detail, const char *found, when took)
{
	json_t *step = json_pack("{s:s, s:s, s:s*}", "step", name, "result", f ? "failed" : "passed",
	    "found", found && *found ? found : NULL);

	if (step && f) {
		json_object_set_new(step, "fault", json_string(fault_code(f)));
		json_object_set_new(step, "owner", json_string(owner_of(f)));
		if (detail && *detail)
			json_object_set_new(step, "detail", json_string(detail));
	}
	if (step && took >= 0)
		json_object_set_new(step, "ms", json_integer((json_int_t)(took / (WHEN_SECOND / 1000))));
	json_array_append_new(json_object_get(report, "steps"), step);
}

/* It went through, with something that a person should know. */
static void
make_warning(json_t *report)
{
	json_t *steps = json_object_get(report, "steps");
	json_t *last = json_array_get(steps, json_array_size(steps) - 1);

	json_object_set_new(last, "result", json_string("warning"));
}

static when
between(when from, when to)
{
	return from == WHEN_NONE || to == WHEN_NONE ? -1 : to - from;
}

/* -- before anything leaves */

static void
check_register(struct codec *c, json_t *report, const struct wire_probed *m)
{
	struct participant p;
	char guid[GUID_TEXT_SIZE];

	guid_format(&m->recipient, guid);
	json_t *about = json_pack("{s:s}", "guid", guid);
	json_object_set_new(report, "participant", about);
	if (!snapshot_by_guid(c->snapshot, &m->recipient, &p)) {
		add(report, "register", FAULT_RECIPIENT_UNKNOWN, guid, NULL, -1);
		return;
	}
	json_object_set_new(about, "name", json_string(p.name));
	json_object_set_new(about, "eik", json_string(p.eik));
	json_object_set_new(about, "uri", json_string(p.uri));
	const char *status = participant_status_name(p.status);
	json_object_set_new(about, "status", json_string(status));
	enum fault f = p.status == PARTICIPANT_ACTIVE ? FAULT_NONE :
	    p.status == PARTICIPANT_TEMPORARILY_INACTIVE ? FAULT_RECIPIENT_HELD : FAULT_RECIPIENT_INACTIVE;
	add(report, "register", f, status, f ? NULL : p.uri, -1);
	if (f) /* the way can be tested all the same: that is how one becomes active */
		make_warning(report);
}

/* Would peers believe us? Our certificate in use, and what the register says of it. */
static void
check_own(struct codec *c, json_t *report, const struct wire_probed *m)
{
	const struct conf_participant *own = conf_participant(c->conf, &m->sender);
	unsigned n = own ? codec_certificate(c, own->certificate) : 0;
	unsigned char *der = NULL;
	int len = i2d_X509(c->identities[n].certificate, &der);
	struct trusted t = {0};
	struct participant p;
	bool known = snapshot_by_guid(c->snapshot, &m->sender, &p);

	if (len > 0)
		trust_find_der(c->trust, der, (size_t)len, when_now(), &t);
	OPENSSL_free(der);
	enum fault f = t.not_after < when_now() ? FAULT_OWN_CERTIFICATE_EXPIRED :
	    !known || p.status != PARTICIPANT_ACTIVE ? FAULT_PROBE_OWN_INACTIVE :
	    !trust_serial_equals(&t, p.certificate_serial) ? FAULT_PROBE_OWN_SERIAL : FAULT_NONE;
	add(report, "own", f, f == FAULT_PROBE_OWN_SERIAL ? p.certificate_serial : NULL, t.serial_hex, -1);
	if (f)
		make_warning(report);
}

/* -- the way */

static bool
no_route(uint64_t error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN || error == EACCES ||
	    error == EPERM || error == EADDRNOTAVAIL;
}

/* Alerts that speak of our certificate; the others are about the protocol. */
static bool
about_certificate(uint64_t alert)
{
	return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
	    alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_ACCESS_DENIED ||
	    alert == TLS13_AD_CERTIFICATE_REQUIRED;
}

/* The steps up to TLS; false when one of them failed. */
static bool
add_way(json_t *report, const struct wire_probed *m)
{
	bool connecting = m->stage == HTTP_CONNECT && m->connected == WHEN_NONE;

	if (m->stage == HTTP_NAME) {
		add(report, "name", m->error == ENOENT ? FAULT_PROBE_NAME_UNKNOWN : FAULT_PROBE_NAME_SERVER,
		    m->detail, NULL, between(m->started, m->ended));
		return false;
	}
	add(report, "name", FAULT_NONE, NULL, m->address, between(m->started, m->named));
	if (connecting && no_route(m->error)) {
		add(report, "route", FAULT_PROBE_ROUTE, m->detail, NULL, between(m->named, m->ended));
		return false;
	}
	if (!connecting || m->error == ECONNREFUSED) /* silence says nothing about the route */
		add(report, "route", FAULT_NONE, NULL, NULL, -1);
	if (connecting) {
		add(report, "tcp", m->error == ECONNREFUSED ? FAULT_PROBE_REFUSED : FAULT_PROBE_SILENT,
		    m->detail, NULL, between(m->named, m->ended));
		return false;
	}
	add(report, "tcp", FAULT_NONE, NULL, NULL, between(m->named, m->connected));
	if (m->stage == HTTP_TLS && !m->findings) {
		add(report, "tls", about_certificate(m->alert) ? FAULT_PROBE_OURS_REFUSED : FAULT_PROBE_TLS,
		    m->detail, NULL, between(m->connected, m->ended));
		return false;
	}
	add(report, "tls", FAULT_NONE, NULL, NULL, between(m->connected, m->secured));
	return true;
}

static void
add_certificate(struct codec *c, json_t *report, const struct wire_probed *m)
{
	const char *detail = m->detail;
	unsigned bits = (unsigned)m->findings;
	struct trusted t = {0};
	struct participant p = {0};
	char until[WHEN_TEXT_SIZE];

	trust_find_der(c->trust, m->tls_certificate.data, m->tls_certificate.len, when_now(), &t);
	snapshot_by_guid(c->snapshot, &m->recipient, &p);
	when_format(t.not_after, until);
	add(report, "chain", bits & (TLS_FOUND_CHAIN | TLS_FOUND_OTHER) ? FAULT_PROBE_CHAIN : FAULT_NONE,
	    detail, NULL, -1);
	add(report, "certificate-name", bits & TLS_FOUND_NAME ? FAULT_PROBE_CERTIFICATE_NAME : FAULT_NONE,
	    t.common_name, bits & TLS_FOUND_NAME ? NULL : t.common_name, -1);
	add(report, "validity", bits & TLS_FOUND_EXPIRED ? FAULT_PROBE_EXPIRED :
	    bits & TLS_FOUND_NOT_YET ? FAULT_PROBE_NOT_YET : FAULT_NONE, NULL, until, -1);
	add(report, "revocation", bits & TLS_FOUND_REVOKED ? FAULT_PROBE_REVOKED : FAULT_NONE, NULL, NULL, -1);
	bool same = trust_serial_equals(&t, p.certificate_serial);
	add(report, "serial", same ? FAULT_NONE : FAULT_PROBE_SERIAL, p.certificate_serial, t.serial_hex, -1);
	/* In front of some peers stands a proxy with a certificate of its own; what counts is who signs
	 * their answers. */
	if (!same)
		make_warning(report);
}

json_t *
probe_report(struct codec *c, const struct wire_probed *m)
{
	json_t *report = json_pack("{s:b, s:[]}", "ok", 1, "steps");

	if (!report)
		return NULL;
	check_register(c, report, m);
	check_own(c, report, m);
	if (m->fault) {
		add(report, "address", (enum fault)m->fault, m->detail, m->url, -1);
		return report;
	}
	bool through = add_way(report, m);
	if (m->tls_certificate.len)
		add_certificate(c, report, m);
	if (!through || m->findings)
		return report;
	when took = between(m->secured, m->ended);
	char status[32];
	snprintf(status, sizeof status, "HTTP %u", (unsigned)m->http_status);
	if (m->stage != HTTP_ANSWERED)
		add(report, "submit", FAULT_PROBE_NO_ANSWER, m->detail, NULL, took);
	else if ((m->http_status != 200 && m->http_status != 500) || m->body.size == 0)
		add(report, "submit", FAULT_PROBE_HTTP, status, NULL, took);
	else
		json_object_set_new(report, "submit_ms", json_integer((json_int_t)(took / 1000000)));
	return report;
}

void
probe_report_answer(json_t *report, enum answer_kind kind, enum fault fault, const char *detail)
{
	static const enum fault faults[] = {[ANSWER_STATUS] = FAULT_NONE, [ANSWER_ERROR] = FAULT_PROBE_ERROR,
	    [ANSWER_EMPTY] = FAULT_PROBE_UNREADABLE, [ANSWER_FAULT] = FAULT_PROBE_FAULT,
	    [ANSWER_UNVERIFIABLE] = FAULT_PROBE_UNVERIFIABLE, [ANSWER_UNREADABLE] = FAULT_PROBE_UNREADABLE};
	json_int_t ms = json_integer_value(json_object_get(report, "submit_ms"));
	struct fault_text why = fault_text(fault, LANGUAGE_EN);
	char words[600];

	if (kind == ANSWER_STATUS || kind == ANSWER_ERROR || kind == ANSWER_FAULT || !fault)
		snprintf(words, sizeof words, "%s", detail ? detail : "");
	else
		snprintf(words, sizeof words, "%s %s%s%s", why.code, why.what, detail && *detail ? ": " : "",
		    detail ? detail : "");
	json_object_del(report, "submit_ms");
	add(report, "submit", faults[kind], words, kind == ANSWER_STATUS ? words : NULL, ms * 1000000);
	/* A signed Error that can be believed: all of the way works, and peers may answer so to what they
	 * do not know (section 2). */
	if (kind == ANSWER_ERROR)
		make_warning(report);
}

bool
probe_report_failed(const json_t *report)
{
	size_t i;
	json_t *step;

	json_array_foreach (json_object_get(report, "steps"), i, step) {
		const char *result = json_string_value(json_object_get(step, "result"));
		if (result && strcmp(result, "failed") == 0)
			return true;
	}
	return false;
}

void
probe_report_end(json_t *report)
{
	size_t i;
	json_t *step;

	json_object_set_new(report, "passed", json_boolean(!probe_report_failed(report)));
	json_array_foreach (json_object_get(report, "steps"), i, step) {
		const char *result = json_string_value(json_object_get(step, "result"));
		if (!result || strcmp(result, "failed") != 0)
			continue;
		json_object_set(report, "failed", json_object_get(step, "step"));
		json_object_set(report, "owner", json_object_get(step, "owner"));
		return;
	}
}
