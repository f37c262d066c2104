/* Lists of revoked certificates: each counts only when a configured CA signed it, and stays until a
 * newer one of the same issuer comes. */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmend/directory.h"
#include "obmend/directory_trust.h"

#define FILE_NAME "crl" /* PEM, all lists */

static when
moment_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) ? (when)timegm(&tm) * WHEN_SECOND : WHEN_NONE;
}

static bool
signed_by_authority(const struct keeper *k, X509_CRL *crl)
{
	bool found = false;

	for (int i = 0; i < sk_X509_num(k->authorities) && !found; i++) {
		X509 *ca = sk_X509_value(k->authorities, i);
		found = X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
	}
	ERR_clear_error();
	return found;
}

/* Takes the list; NULL, or why it does not count. A file may repeat what is held. */
static const char *
take_list(struct keeper *k, X509_CRL *crl)
{
	struct held_crl *place = NULL;
	const char *why = NULL;

	for (unsigned i = 0; i < k->crl_count; i++) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(k->crls[i].crl), X509_CRL_get_issuer(crl)) == 0)
			place = &k->crls[i];
	}
	if (!signed_by_authority(k, crl))
		why = "not signed by a configured CA";
	else if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
		why = "a delta list: the whole one is needed";
	else if (place && moment_of(X509_CRL_get0_lastUpdate(crl)) <
	    moment_of(X509_CRL_get0_lastUpdate(place->crl)))
		why = "older than the list that is held";
	else if (!place && k->crl_count == TRUST_CRLS)
		why = "too many issuers";
	if (why) {
		X509_CRL_free(crl);
		return why;
	}
	if (place)
		X509_CRL_free(place->crl);
	else
		place = &k->crls[k->crl_count++];
	*place = (struct held_crl){.crl = crl, .fetched = when_now()};
	return NULL;
}

/* PEM with one or more, or one in DER. *why is set when none counted. */
static unsigned
read_lists(struct keeper *k, const void *data, size_t len, const char **why)
{
	BIO *in = len <= TRUST_CRL_BYTES ? BIO_new_mem_buf(data, (int)len) : NULL;
	const unsigned char *der = data;
	unsigned found = 0, taken = 0;
	X509_CRL *crl;

	*why = "no list could be read";
	while (in && (crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL))) {
		const char *refused = take_list(k, crl);
		found++;
		taken += !refused;
		if (refused)
			*why = refused;
	}
	if (in && found == 0 && (crl = d2i_X509_CRL(NULL, &der, (long)len))) {
		*why = take_list(k, crl);
		taken = !*why;
	}
	BIO_free(in);
	ERR_clear_error();
	return taken;
}

static void
keep(const struct directory *d)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data;

	for (unsigned i = 0; out && i < d->keeper.crl_count; i++)
		PEM_write_bio_X509_CRL(out, d->keeper.crls[i].crl);
	long len = out ? BIO_get_mem_data(out, &data) : 0;
	if (len > 0)
		keeper_save(d, FILE_NAME, data, (size_t)len);
	BIO_free(out);
}

enum fault
crl_import(struct directory *d, const void *data, size_t len, const char **why)
{
	if (read_lists(&d->keeper, data, len, why) == 0)
		return FAULT_CRL_REFUSED;
	keep(d);
	keeper_changed(d);
	log_info("trust.crl-taken", "issuers=%u revoked=%zu", d->keeper.crl_count, d->keeper.count);
	return FAULT_NONE;
}

void
crl_load(struct directory *d)
{
	int fd = openat(d->dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *why;

	if (fd < 0)
		return;
	char *data = fstat(fd, &st) == 0 && (size_t)st.st_size <= 2 * TRUST_CRL_BYTES
	    ? malloc((size_t)st.st_size + 1) : NULL;
	if (data && read(fd, data, (size_t)st.st_size) == st.st_size &&
	    read_lists(&d->keeper, data, (size_t)st.st_size, &why) == 0)
		log_warning("trust.crl-unusable", "file=\"%s\" reason=\"%s\"", FILE_NAME, why);
	for (unsigned i = 0; i < d->keeper.crl_count; i++)
		d->keeper.crls[i].fetched = (when)st.st_mtime * WHEN_SECOND;
	free(data);
	close(fd);
}

static void
failed(struct keeper *k, const char *detail)
{
	k->crl_failures++;
	snprintf(k->crl_trouble, sizeof k->crl_trouble, "%s", detail);
	log_warning("trust.crl-not-fetched", "reason=\"%s\"", detail);
}

static void
on_fetched(void *arg, const struct http_result *r)
{
	struct directory *d = arg;
	const char *why;

	d->keeper.crl_call = NULL;
	if (r->stage != HTTP_ANSWERED || r->status != 200)
		failed(&d->keeper, r->stage == HTTP_ANSWERED ? "HTTP status" : r->detail);
	else if (crl_import(d, r->body, r->body_len, &why))
		failed(&d->keeper, why);
	else
		d->keeper.crl_trouble[0] = 0;
}

void
crl_fetch(struct directory *d)
{
	const struct http_request request = {.url = d->conf->crl_url, .body_fd = -1,
	    .answer_max = TRUST_CRL_BYTES, .answer_fd = -1};
	const char *why = "";

	if (!d->conf->crl_url || !*d->conf->crl_url || d->keeper.crl_call)
		return;
	d->keeper.crl_call = http_call_new(d->http, &request, on_fetched, d, &why);
	if (!d->keeper.crl_call)
		failed(&d->keeper, why);
}

size_t
crl_collect(const struct directory *d, struct revocation *out, size_t n, size_t max)
{
	for (unsigned i = 0; i < d->keeper.crl_count; i++) {
		X509_CRL *crl = d->keeper.crls[i].crl;
		STACK_OF(X509_REVOKED) *rows = X509_CRL_get_REVOKED(crl);
		for (int r = 0; r < sk_X509_REVOKED_num(rows) && n < max; r++) {
			X509_REVOKED *row = sk_X509_REVOKED_value(rows, r);
			when at = moment_of(X509_REVOKED_get0_revocationDate(row));
			if (!revocation_key(X509_CRL_get_issuer(crl), X509_REVOKED_get0_serialNumber(row),
			        out[n].key))
				continue;
			out[n++].at = at == WHEN_NONE ? 0 : at;
		}
	}
	return n;
}

json_t *
crl_status(const struct directory *d)
{
	const struct keeper *k = &d->keeper;
	json_t *lists = json_array();
	when now = when_now();

	for (unsigned i = 0; i < k->crl_count; i++) {
		char issuer[256], text[WHEN_TEXT_SIZE];
		when made = moment_of(X509_CRL_get0_lastUpdate(k->crls[i].crl));
		when next = moment_of(X509_CRL_get0_nextUpdate(k->crls[i].crl));
		X509_NAME_oneline(X509_CRL_get_issuer(k->crls[i].crl), issuer, sizeof issuer);
		json_t *j = json_pack("{s:s, s:I, s:b}", "issuer", issuer, "age_seconds",
		    (json_int_t)((now - made) / WHEN_SECOND), "stale", next != WHEN_NONE && next < now);
		when_format(made, text);
		json_object_set_new(j, "made", json_string(text));
		when_format(k->crls[i].fetched, text);
		json_object_set_new(j, "fetched", json_string(text));
		json_array_append_new(lists, j);
	}
	return json_pack("{s:o, s:I, s:s}", "lists", lists, "failures", (json_int_t)k->crl_failures,
	    "trouble", k->crl_trouble);
}

void
crl_free(struct keeper *k)
{
	if (k->crl_call)
		http_call_cancel(k->crl_call);
	for (unsigned i = 0; i < k->crl_count; i++)
		X509_CRL_free(k->crls[i].crl);
	k->crl_count = 0;
}
