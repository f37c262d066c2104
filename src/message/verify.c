#include "message/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "message/reader.h"
#include "soap/envelope.h"

#define CHUNK ((size_t)64 << 10)

struct verification {
	int fd;
	struct verify_report *report;
	struct reader *reader;
	struct envelope *envelope;
	uint8_t *chunk;
};

static bool
refuse(struct verify_report *r, enum fault fault, const char *detail)
{
	r->fault = fault;
	snprintf(r->detail, sizeof r->detail, "%s", detail ? detail : "");
	return true;
}

/* Bytes read, 0 at the end, -1 when the file cannot be read. */
static ssize_t
read_at(int fd, void *out, size_t len, off_t from)
{
	ssize_t n;

	do {
		n = pread(fd, out, len, from);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* True when the first element's name is Envelope. */
static bool
looks_wrapped(const char *text)
{
	const char *tag = text;

	while ((tag = strchr(tag, '<')) != NULL && (tag[1] == '?' || tag[1] == '!'))
		tag++;
	if (!tag)
		return false;
	size_t len = strcspn(++tag, " \t\r\n/>");
	return len >= 8 && strncmp(tag + len - 8, "Envelope", 8) == 0 && (len == 8 || tag[len - 9] == ':');
}

static enum fault
take_text(void *arg, const void *data, size_t len)
{
	struct verification *v = arg;

	v->report->bytes += len;
	return reader_feed(v->reader, data, len);
}

static enum fault
feed(struct verification *v, const void *data, size_t len)
{
	return v->report->wrapped ? envelope_feed(v->envelope, data, len) : take_text(v, data, len);
}

/* One reading of the whole file. */
static enum fault
read_once(struct verification *v, enum envelope_kind kind, enum digest_method hint)
{
	enum fault fault = FAULT_NONE;
	enum envelope_content content;
	off_t at = 0;
	ssize_t n;

	v->report->bytes = 0;
	if (!reader_begin(v->reader, &v->report->message, hint, NULL, NULL) ||
	    !envelope_begin(v->envelope, kind, take_text, v))
		return FAULT_INTERNAL;
	while (!fault && (n = read_at(v->fd, v->chunk, CHUNK, at)) != 0) {
		if (n < 0)
			return FAULT_FILE_UNREADABLE;
		fault = feed(v, v->chunk, (size_t)n);
		at += n;
	}
	if (!fault && v->report->wrapped)
		fault = envelope_end(v->envelope, &content);
	if (!fault && v->report->wrapped && content != ENVELOPE_MESSAGE)
		fault = FAULT_SOAP_UNEXPECTED;
	return fault ? fault : reader_end(v->reader);
}

/* Reads as often as it takes: as request, as response, with the digest that is needed. */
static enum fault
read_message(struct verification *v)
{
	enum envelope_kind kind = ENVELOPE_REQUEST;
	enum fault fault = read_once(v, kind, DIGEST_NONE);

	if (fault == FAULT_SOAP_UNEXPECTED && v->report->wrapped) {
		kind = ENVELOPE_RESPONSE;
		enum fault other = read_once(v, kind, DIGEST_NONE);
		fault = other;
	}
	if (fault == FAULT_DIGEST_AGAIN)
		fault = read_once(v, kind, reader_signature(v->reader)->digest);
	return fault;
}

static void
report_certificate(struct verify_report *r, const struct trusted *t)
{
	r->has_certificate = true;
	const X509_NAME *names[] = {X509_get_subject_name(t->certificate),
	    X509_get_issuer_name(t->certificate)};
	char *texts[] = {r->subject, r->issuer};
	for (int i = 0; i < 2; i++) {
		BIO *out = BIO_new(BIO_s_mem());
		char *data;
		if (out && X509_NAME_print_ex(out, names[i], 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
			long len = BIO_get_mem_data(out, &data);
			snprintf(texts[i], sizeof r->subject, "%.*s", (int)len, data);
		}
		BIO_free(out);
	}
	snprintf(r->common_name, sizeof r->common_name, "%s", t->common_name);
	snprintf(r->serial_hex, sizeof r->serial_hex, "%s", t->serial_hex);
	snprintf(r->eik, sizeof r->eik, "%s", t->eik);
	r->not_before = t->not_before;
	r->not_after = t->not_after;
	memcpy(r->certificate_sha256, t->sha256, sizeof r->certificate_sha256);
}

/* The first enclosed certificate whose key fits signs; the others may be its chain. */
static bool
judge(const struct signature *sig, struct trust *trust, struct verify_report *r)
{
	enum fault fault = FAULT_CERTIFICATE_MISSING;

	for (unsigned i = 0; i < sig->certificate_count; i++) {
		struct trusted t;
		enum fault chain = trust_find(trust, buf_str(&sig->certificates[i]),
		    sig->certificates[i].len, r->at, &t);
		if (!t.certificate) {
			fault = i == 0 ? chain : fault;
			continue;
		}
		enum fault value = signature_check(sig, t.key);
		if (value && i > 0)
			continue;
		report_certificate(r, &t);
		r->intact = value == FAULT_NONE;
		fault = value ? value : chain;
		if (!value)
			break;
	}
	return refuse(r, fault, "");
}

static void
report_reading(struct verify_report *r, const struct reader *reader)
{
	const struct signature *sig = reader_signature(reader);
	const char *violation = reader_schema_violation(reader);

	r->header_known = reader_header_known(reader);
	r->method = sig->method;
	r->digest = sig->digest;
	r->c14n = sig->c14n;
	r->body_c14n = sig->body_c14n;
	snprintf(r->schema_violation, sizeof r->schema_violation, "%s", violation ? violation : "");
}

static bool
run(struct verification *v, const struct verify_options *o)
{
	struct verify_report *r = v->report;
	const struct signature *sig = reader_signature(v->reader);
	enum fault fault = read_message(v);

	report_reading(r, v->reader);
	r->at = o->at == WHEN_NONE && r->header_known ? r->message.date : o->at;
	if (fault) {
		const char *detail = reader_detail(v->reader);
		refuse(r, fault, *detail ? detail : r->wrapped ? envelope_detail(v->envelope) : "");
		return fault != FAULT_INTERNAL && fault != FAULT_FILE_UNREADABLE;
	}
	if (sig->fault)
		return refuse(r, sig->fault, sig->fault_detail);
	struct trust *trust =
	    trust_new(&(struct trust_options){.ca_file = o->ca_file, .crl_file = o->crl_file});
	if (!trust) {
		refuse(r, FAULT_FILE_UNREADABLE, o->ca_file);
		return false;
	}
	r->chain_checked = o->ca_file != NULL;
	signature_fingerprint(sig, r->fingerprint);
	judge(sig, trust, r);
	r->valid = r->fault == FAULT_NONE;
	trust_free(trust);
	return true;
}

bool
verify_file(int fd, const struct verify_options *options, struct verify_report *r)
{
	char head[4096];
	struct verification v = {.fd = fd, .report = r};

	*r = (struct verify_report){.fault = FAULT_NONE};
	ssize_t n = read_at(fd, head, sizeof head - 1, 0);
	if (n < 0) {
		refuse(r, FAULT_FILE_UNREADABLE, strerror(errno));
		return false;
	}
	head[n] = 0;
	r->wrapped = looks_wrapped(head);
	v.reader = reader_new(&reader_default_limits);
	v.envelope = envelope_new();
	v.chunk = malloc(CHUNK);
	bool ok = v.reader && v.envelope && v.chunk;
	if (ok)
		ok = run(&v, options);
	else
		refuse(r, FAULT_INTERNAL, "");
	free(v.chunk);
	envelope_free(v.envelope);
	reader_free(v.reader);
	return ok;
}

void
verify_report_free(struct verify_report *r)
{
	message_free(&r->message);
}
