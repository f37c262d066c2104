#include "obmend/directory_trust.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"

#define LOOK_PAUSE (60 * WHEN_SECOND) /* the wall clock may be set meanwhile */
#define LOOK_SOON (WHEN_SECOND / 100)

static bool
load_authorities(struct keeper *k, const char *file)
{
	BIO *in = BIO_new_file(file, "r");
	X509 *x;

	k->authorities = sk_X509_new_null();
	k->store = X509_STORE_new();
	while (in && k->authorities && k->store && (x = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		X509_STORE_add_cert(k->store, x);
		if (!sk_X509_push(k->authorities, x))
			X509_free(x);
	}
	BIO_free(in);
	ERR_clear_error();
	if (k->store)
		X509_STORE_set_flags(k->store, X509_V_FLAG_PARTIAL_CHAIN);
	if (k->authorities && sk_X509_num(k->authorities) > 0)
		return true;
	log_error("trust.ca-unreadable", "file=\"%s\"", file);
	return false;
}

static X509 *
load_certificate(const char *file)
{
	BIO *in = BIO_new_file(file, "r");
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	BIO_free(in);
	ERR_clear_error();
	if (!x)
		log_error("trust.certificate-unreadable", "file=\"%s\"", file);
	return x;
}

bool
keeper_open(struct directory *d)
{
	struct keeper *k = &d->keeper;

	k->fd = -1;
	k->ocsp.answered = WHEN_NONE;
	k->own = calloc(d->conf->certificate_count + 1, sizeof(X509 *));
	k->said = malloc((d->conf->certificate_count + 1) * sizeof *k->said);
	if (!k->own || !k->said || !load_authorities(k, d->conf->ca_file))
		return false;
	for (unsigned i = 0; i < d->conf->certificate_count; i++) {
		k->said[i] = INT_MAX;
		k->own[i] = load_certificate(d->conf->certificates[i].file);
		if (!k->own[i])
			return false;
	}
	return true;
}

void
keeper_publish_to(struct directory *d, enum role_id role, unsigned index)
{
	struct wire_trust m = {.switched = d->keeper.switched};
	int fd = d->keeper.fd < 0 ? -1 : dup(d->keeper.fd);

	if (fd >= 0 && d->self->peers[role][index])
		wire_send(d->self->peers[role][index], WIRE_TRUST, 0, &m, &fd, 1);
	else if (fd >= 0)
		close(fd);
}

static void
publish(struct directory *d)
{
	for (unsigned i = 0; i < d->self->workers; i++)
		keeper_publish_to(d, ROLE_CODEC, i);
	keeper_publish_to(d, ROLE_FRONT, 0);
	keeper_publish_to(d, ROLE_COURIER, 0);
}

void
keeper_changed(struct directory *d)
{
	struct keeper *k = &d->keeper;
	size_t max = REVOCATIONS_MAX, n;
	struct revocation *all = malloc(max * sizeof *all);

	if (!all)
		return; /* what was known before stays */
	n = crl_collect(d, all, 0, max);
	for (size_t i = 0; i < k->ocsp.revoked_count && n < max; i++)
		all[n++] = k->ocsp.revoked[i];
	if (n == max)
		log_error("trust.too-many-revoked", "kept=%zu", n);
	int fd = revocations_seal(all, n);
	free(all);
	if (fd < 0)
		return;
	if (k->fd >= 0)
		close(k->fd);
	k->fd = fd;
	k->count = n;
	publish(d);
}

/* -- successors */

/* The register shows the successor's serial for a participant that uses the certificate. */
static bool
registered(const struct directory *d, unsigned certificate)
{
	const struct conf *c = d->conf;
	const X509 *successor = d->keeper.own[c->certificates[certificate].successor];
	BIGNUM *wanted = ASN1_INTEGER_to_BN(X509_get0_serialNumber(successor), NULL);
	bool found = false;

	for (unsigned i = 0; wanted && d->current.snapshot && i < c->participant_count; i++) {
		struct participant p;
		BIGNUM *serial = NULL;
		if (c->participants[i].certificate != certificate ||
		    !snapshot_by_guid(d->current.snapshot, &c->participants[i].guid, &p))
			continue;
		found |= BN_hex2bn(&serial, p.certificate_serial) == (int)strlen(p.certificate_serial) &&
		    serial && BN_cmp(serial, wanted) == 0;
		BN_free(serial);
	}
	BN_free(wanted);
	return found;
}

/* By its moment when there is one, by the register otherwise. */
static bool
gives_way(const struct directory *d, unsigned certificate)
{
	const struct conf_certificate *c = &d->conf->certificates[certificate];

	if (c->successor == certificate)
		return false;
	return c->switch_at != WHEN_NONE ? when_now() >= c->switch_at : registered(d, certificate);
}

void
keeper_look(struct directory *d)
{
	uint64_t switched = 0;

	for (unsigned i = 0; i < d->conf->certificate_count; i++) {
		bool way = gives_way(d, i);
		switched |= (uint64_t)way << i;
		if (way && !(d->keeper.switched >> i & 1))
			log_info("trust.switched", "from=%s to=%s", d->conf->certificates[i].name,
			    d->conf->certificates[d->conf->certificates[i].successor].name);
	}
	if (switched == d->keeper.switched)
		return;
	d->keeper.switched = switched;
	publish(d);
}

/* -- expiry */

/* Below each of these numbers of days it is said once; in the last week every day. */
static int
alert_step(int days)
{
	static const int steps[] = {60, 30, 14, 7};
	int step = INT_MAX;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (days <= steps[i])
			step = steps[i];
	}
	return days < 7 ? days : step;
}

static void
warn_of_expiry(struct directory *d)
{
	struct keeper *k = &d->keeper;

	for (unsigned i = 0; i < d->conf->certificate_count; i++) {
		int days = 0, seconds = 0;
		if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(k->own[i])))
			continue;
		int step = alert_step(days);
		if (step >= k->said[i])
			continue;
		k->said[i] = step;
		/* The number of days leads, so that no two of these count as the same warning. */
		log_warning("trust.certificate-expires", "days=%d certificate=%s hint=\"ask for a new one; then "
		    "set it as successor\"", days, d->conf->certificates[i].name);
	}
}

/* -- clock */

static void
arm(struct directory *d)
{
	struct keeper *k = &d->keeper;
	when pause = LOOK_PAUSE, now = when_now(), until = k->next_fetch - when_monotonic();

	if (until < pause)
		pause = until;
	for (unsigned i = 0; i < d->conf->certificate_count; i++) {
		when at = d->conf->certificates[i].switch_at;
		if (at != WHEN_NONE && at > now && at - now < pause)
			pause = at - now;
	}
	if (pause < LOOK_SOON)
		pause = LOOK_SOON;
	struct timeval t = {pause / WHEN_SECOND, pause % WHEN_SECOND / 1000};
	event_add(k->timer, &t);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct directory *d = arg;
	struct keeper *k = &d->keeper;

	(void)fd, (void)what;
	keeper_look(d);
	warn_of_expiry(d);
	if (when_monotonic() >= k->next_fetch) {
		k->next_fetch = when_monotonic() + (when)d->conf->revocation_interval * WHEN_SECOND;
		crl_fetch(d);
		ocsp_begin(d);
	}
	arm(d);
}

bool
keeper_start(struct directory *d)
{
	struct keeper *k = &d->keeper;

	crl_load(d);
	ocsp_load(d);
	keeper_changed(d);
	keeper_look(d);
	k->timer = evtimer_new(d->self->base, on_timer, d);
	k->next_fetch = when_monotonic();
	if (k->timer)
		arm(d);
	return k->timer != NULL;
}

void
keeper_stop(struct directory *d)
{
	struct keeper *k = &d->keeper;

	if (k->timer)
		event_free(k->timer);
	crl_free(k);
	ocsp_free(k);
	for (unsigned i = 0; k->own && i < d->conf->certificate_count; i++)
		X509_free(k->own[i]);
	free(k->own);
	free(k->said);
	sk_X509_pop_free(k->authorities, X509_free);
	X509_STORE_free(k->store);
	if (k->fd >= 0)
		close(k->fd);
}

bool
keeper_save(const struct directory *d, const char *name, const void *data, size_t len)
{
	char fresh[64];

	snprintf(fresh, sizeof fresh, "%s.new", name);
	int fd = openat(d->dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && (len == 0 || write(fd, data, len) == (ssize_t)len) && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	ok = ok && renameat(d->dir_fd, fresh, d->dir_fd, name) == 0;
	if (!ok)
		log_warning("trust.not-kept", "file=%s reason=\"%s\"", name, strerror(errno));
	return ok;
}

json_t *
keeper_status(const struct directory *d)
{
	const struct keeper *k = &d->keeper;
	json_t *switched = json_array();

	for (unsigned i = 0; i < d->conf->certificate_count; i++) {
		if (k->switched >> i & 1)
			json_array_append_new(switched, json_string(d->conf->certificates[i].name));
	}
	return json_pack("{s:s, s:I, s:o, s:o, s:o}", "policy", "unknown is not revoked", "revoked",
	    (json_int_t)k->count, "crl", crl_status(d), "ocsp", ocsp_status(d), "switched", switched);
}
