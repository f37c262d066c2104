/*
 * The roles' statuses as OpenMetrics. A table says which place of which role's status becomes which
 * family; the keys below that place become labels. Instances of a role are added up.
 */
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "lib/openmetrics.h"
#include "obmend/control.h"

#define LABELS_MAX 2

enum place {
	PLACE_NUMBER,    /* an integer or a boolean; labels: the keys on the way to it */
	PLACE_HISTOGRAM,
};

struct metric {
	struct openmetrics_family family;
	const char *role;
	const char *path; /* of keys, with dots */
	const char *labels[LABELS_MAX];
	enum place place;
	const char *fixed[LABELS_MAX]; /* name and value of a label that is the same for the row */
};

#define COUNTER(n, h) {"obmen_" n, OPENMETRICS_COUNTER, NULL, h}
#define GAUGE(n, h) {"obmen_" n, OPENMETRICS_GAUGE, NULL, h}
#define SECONDS(n, h) {"obmen_" n "_seconds", OPENMETRICS_GAUGE, "seconds", h}
#define BYTES(n, h) {"obmen_" n "_bytes", OPENMETRICS_GAUGE, "bytes", h}
#define BYTES_COUNTER(n, h) {"obmen_" n "_bytes", OPENMETRICS_COUNTER, "bytes", h}
#define STAGE(...)                                                                                 \
	{{"obmen_stage_seconds", OPENMETRICS_HISTOGRAM, "seconds",                                     \
	     "Time that messages take, by stage of their way."},                                       \
	    __VA_ARGS__, .place = PLACE_HISTOGRAM}

/* Rows of one family stand together. */
static const struct metric metrics[] = {
    {COUNTER("messages_received", "Messages that came in, by type and what became of them."), "codec",
        "inbound", .labels = {"type", "result"}},
    {COUNTER("messages_composed", "Messages written and signed for sending, by kind."), "codec",
        "composed", .labels = {"kind", "result"}},
    {COUNTER("messages_sent", "Attempts to deliver messages, by kind and how they ended."), "courier",
        "sent", .labels = {"kind", "result"}},
    {COUNTER("answers_received", "Answers of peers to our messages, by what they were."), "codec",
        "answers", .labels = {"result"}},
    {COUNTER("faults", "Refusals and failures, by the code of the catalogue."), "codec", "faults",
        .labels = {"code"}, .fixed = {"role", "codec"}},
    {COUNTER("faults", ""), "courier", "faults", .labels = {"code"}, .fixed = {"role", "courier"}},
    {COUNTER("sha1_signatures", "Accepted messages that were signed with SHA-1."),
        "codec", "sha1", .labels = {0}},
    {COUNTER("schema_violations", "Readable messages that break the schema."), "codec",
        "schema_violations", .labels = {0}},
    {COUNTER("certificate_name_mismatches", "Certificates whose name is not the registered host."),
        "codec", "name_mismatches", .labels = {0}},
    STAGE("front", "request", .labels = {0}, .fixed = {"stage", "request"}),
    STAGE("codec", "stages", .labels = {"stage"}),
    STAGE("store", "commit", .labels = {0}, .fixed = {"stage", "commit"}),
    STAGE("courier", "exchange", .labels = {0}, .fixed = {"stage", "exchange"}),
    {GAUGE("in_flight", "Messages under way in a role."), "codec", "in_flight", .labels = {0},
        .fixed = {"role", "codec"}},
    {GAUGE("in_flight", ""), "courier", "in_flight", .labels = {0}, .fixed = {"role", "courier"}},
    {GAUGE("in_flight", ""), "store", "under_way", .labels = {0}, .fixed = {"role", "store"}},
    {COUNTER("http_requests", "Requests of peers, by how they were answered."), "front", "results",
        .labels = {"result"}},
    {GAUGE("connections_open", "Connections of peers."), "front", "connections.open", .labels = {0}},
    {COUNTER("connections", "Connections that were accepted."),
        "front", "connections.accepted", .labels = {0}},
    {COUNTER("tls_handshakes", "TLS handshakes of peers that succeeded."), "front",
        "connections.handshakes", .labels = {0}},
    {COUNTER("tls_failures", "TLS handshakes of peers that failed, by reason."), "front",
        "connections.handshakes_failed", .labels = {"reason"}},
    {BYTES_COUNTER("http_received", "HTTP bytes from peers."), "front", "bytes_in", .labels = {0}},
    {BYTES_COUNTER("http_sent", "HTTP bytes to peers."), "front", "bytes_out", .labels = {0}},
    {BYTES("bodies_in_memory", "Bodies under way that take memory."),
        "front", "memory_in_flight", .labels = {0}},
    {GAUGE("documents", "Documents by direction and state."), "store", "in", .labels = {"state"},
        .fixed = {"direction", "in"}},
    {GAUGE("documents", ""), "store", "out", .labels = {"state"}, .fixed = {"direction", "out"}},
    {SECONDS("queue_oldest", "Age of the oldest document that waits to be sent."), "store",
        "oldest_seconds", .labels = {0}},
    {COUNTER("commits", "Transactions on the disk."), "store", "batches", .labels = {0}},
    {COUNTER("commits_failed", "Transactions that failed."), "store", "commits_failed", .labels = {0}},
    {BYTES("disk_free", "Free space where the documents are."), "store", "disk_free", .labels = {0}},
    {GAUGE("disk_full", "1 when nothing new is accepted for lack of space."),
        "store", "disk_full", .labels = {0}},
    {GAUGE("register_participants", "Participants in the copy of the register."), "directory",
        "participants", .labels = {0}},
    {SECONDS("register_age", "Since the register last answered."), "directory", "age_seconds", .labels = {0}},
    {GAUGE("register_held", "1 when a new register waits for a person."), "directory", "held", .labels = {0}},
    {GAUGE("revoked_certificates", "Certificates that are known to be revoked."), "directory",
        "revocation.revoked", .labels = {0}},
    {SECONDS("ocsp_age", "Since the OCSP responder last answered."), "directory",
        "revocation.ocsp.age_seconds", .labels = {0}},
    {COUNTER("ocsp_failures", "Questions to the OCSP responder that failed."), "directory",
        "revocation.ocsp.failures", .labels = {0}},
    {COUNTER("crl_failures", "Lists of revoked certificates that could not be fetched."), "directory",
        "revocation.crl.failures", .labels = {0}},
    {COUNTER("register_failures", "Questions to the register that failed."), "directory", "failures",
        .labels = {0}},
    {COUNTER("register_lookups", "Questions about single participants."),
        "directory", "lookups", .labels = {0}},
};

/* Adds the figures of one instance to those of its role. */
static void
add_up(json_t *sum, const char *key, json_t *value)
{
	json_t *old = json_object_get(sum, key), *inner;
	const char *name;
	size_t i;

	if (!old) {
		json_object_set_new(sum, key, json_deep_copy(value));
	} else if (json_is_integer(old) && json_is_integer(value)) {
		json_integer_set(old, json_integer_value(old) + json_integer_value(value));
	} else if (json_is_object(old)) {
		json_object_foreach (value, name, inner)
			add_up(old, name, inner);
	} else if (json_is_array(old)) {
		json_array_foreach (value, i, inner) {
			json_t *item = json_array_get(old, i);
			if (json_is_integer(item))
				json_integer_set(item, json_integer_value(item) + json_integer_value(inner));
		}
	}
}

/* {"codec": all codecs together, "front": ...}; a new reference. */
static json_t *
sums(const json_t *roles)
{
	json_t *all = json_object(), *status;
	const char *name;

	json_object_foreach ((json_t *)roles, name, status) {
		const char *role = json_string_value(json_object_get(status, "role"));
		if (role)
			add_up(all, role, status);
	}
	return all;
}

static const json_t *
find(const json_t *from, const char *path)
{
	char key[64];

	while (from && *path) {
		size_t len = strcspn(path, ".");
		snprintf(key, sizeof key, "%.*s", (int)len, path);
		from = json_object_get(from, key);
		path += len + (path[len] == '.');
	}
	return from;
}

static void
write_samples(struct buf *out, const struct metric *m, const json_t *value,
    struct openmetrics_label *labels, size_t given, size_t depth)
{
	const char *key;
	json_t *inner;

	if (depth < LABELS_MAX && m->labels[depth]) {
		json_object_foreach ((json_t *)value, key, inner) {
			labels[given] = (struct openmetrics_label){m->labels[depth], key};
			write_samples(out, m, inner, labels, given + 1, depth + 1);
		}
	} else if (m->place == PLACE_HISTOGRAM) {
		openmetrics_histogram(out, &m->family, labels, given, value);
	} else if (json_is_integer(value)) {
		openmetrics_sample(out, &m->family, labels, given, (double)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		openmetrics_sample(out, &m->family, labels, given, json_is_true(value));
	}
}

static void
write_table(struct buf *out, const json_t *all)
{
	struct openmetrics_label labels[LABELS_MAX + 1];
	const char *last = "";

	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		const struct metric *m = &metrics[i];
		const json_t *value = find(json_object_get(all, m->role), m->path);
		if (strcmp(last, m->family.name) != 0)
			openmetrics_begin(out, &m->family);
		last = m->family.name;
		labels[0] = (struct openmetrics_label){m->fixed[0], m->fixed[1]};
		if (value)
			write_samples(out, m, value, labels, m->fixed[0] ? 1 : 0, 0);
	}
}

/* One family over a list of objects: a label from one key, the value from another. */
static void
write_list(struct buf *out, const struct openmetrics_family *f, const json_t *list, const char *label,
    const char *name_key, const char *value_key)
{
	size_t i;
	json_t *item;

	openmetrics_begin(out, f);
	json_array_foreach ((json_t *)list, i, item) {
		const char *name = json_string_value(json_object_get(item, name_key));
		const json_t *value = json_object_get(item, value_key);
		struct openmetrics_label l = {label, name};
		if (name && json_is_integer(value))
			openmetrics_sample(out, f, &l, 1, (double)json_integer_value(value));
		else if (name && json_is_string(value)) /* the breaker */
			openmetrics_sample(out, f, &l, 1, strcmp(json_string_value(value), "closed") != 0);
	}
}

/* The peers used last, as many as courier's status holds: their number is bounded there. */
static void
write_peers(struct buf *out, const json_t *all)
{
	static const struct {
		struct openmetrics_family family;
		const char *key;
	} rows[] = {
	    {{"obmen_peer_answers", OPENMETRICS_COUNTER, NULL, "Answers of a peer, by its URL."}, "answered"},
	    {{"obmen_peer_failures", OPENMETRICS_COUNTER, NULL, "Failures with a peer, by its URL."}, "failed"},
	    {{"obmen_peer_in_flight", OPENMETRICS_GAUGE, NULL, "Deliveries under way to a peer."}, "in_flight"},
	    {{"obmen_peer_breaker_open", OPENMETRICS_GAUGE, NULL,
	        "1 while tries to a peer are spaced out."}, "breaker"},
	};
	const json_t *peers = find(all, "courier.peers");

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		write_list(out, &rows[i].family, peers, "url", "url", rows[i].key);
}

static void
write_roles(struct buf *out, const json_t *roles)
{
	static const struct openmetrics_family up = {"obmen_role_up", OPENMETRICS_GAUGE, NULL,
	    "1 when the process answers."};
	static const struct openmetrics_family memory = {"obmen_role_memory_peak_bytes",
	    OPENMETRICS_GAUGE, "bytes", "The most resident memory that the process has had."};
	const char *name;
	json_t *status;

	openmetrics_begin(out, &up);
	json_object_foreach ((json_t *)roles, name, status)
		openmetrics_sample(out, &up, &(struct openmetrics_label){"role", name}, 1,
		    json_is_object(status));
	openmetrics_begin(out, &memory);
	json_object_foreach ((json_t *)roles, name, status) {
		const json_t *peak = json_object_get(status, "memory_peak");
		if (json_is_integer(peak))
			openmetrics_sample(out, &memory, &(struct openmetrics_label){"role", name}, 1,
			    (double)json_integer_value(peak));
	}
}

static void
write_certificates(struct buf *out, const json_t *roles)
{
	static const struct openmetrics_family days = {"obmen_certificate_left_days", OPENMETRICS_GAUGE,
	    "days", "Days until an own certificate expires."};

	write_list(out, &days, find(roles, "signer0.keys"), "certificate", "name", "days_left");
}

static void
write_crls(struct buf *out, const json_t *all)
{
	static const struct openmetrics_family age = {"obmen_crl_age_seconds", OPENMETRICS_GAUGE,
	    "seconds", "Since the list of revoked certificates was made, by issuer."};

	write_list(out, &age, find(all, "directory.revocation.crl.lists"), "issuer", "issuer",
	    "age_seconds");
}

/* The head of the chain as a label: who keeps the figures can later show what it was. */
static void
write_journal(struct buf *out, const json_t *all)
{
	static const struct openmetrics_family head = {"obmen_journal_head", OPENMETRICS_GAUGE, NULL,
	    "Entries of the journal; the label is the digest of the last one."};
	static const struct openmetrics_family failures = {"obmen_journal_stamp_failures",
	    OPENMETRICS_GAUGE, NULL, "Time stamps that failed in a row."};
	const json_t *journal = find(all, "store.journal");
	const char *digest = json_string_value(json_object_get(journal, "head"));

	openmetrics_begin(out, &head);
	if (digest)
		openmetrics_sample(out, &head, &(struct openmetrics_label){"sha256", digest}, 1,
		    (double)json_integer_value(json_object_get(journal, "entries")));
	openmetrics_begin(out, &failures);
	if (journal)
		openmetrics_sample(out, &failures, NULL, 0,
		    (double)json_integer_value(json_object_get(journal, "stamp_failures")));
}

static void
write_clock(struct buf *out)
{
	static const struct openmetrics_family f = {"obmen_clock_synchronised", OPENMETRICS_GAUGE, NULL,
	    "1 when the machine's clock is kept by NTP."};
	struct timex t = {.modes = 0};

	openmetrics_begin(out, &f);
	openmetrics_sample(out, &f, NULL, 0, adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC));
}

void
control_metrics(struct control *c, const json_t *roles, struct buf *out)
{
	json_t *all = sums(roles);

	(void)c;
	write_table(out, all);
	write_peers(out, all);
	write_roles(out, roles);
	write_certificates(out, roles);
	write_crls(out, all);
	write_journal(out, all);
	write_clock(out);
	openmetrics_end(out);
	json_decref(all);
}
