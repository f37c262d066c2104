#include "obmenctl/enrol.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/when.h"

#define CONF_FILE   "/etc/obmen/obmen.conf"
#define USER_PREFIX "obmen"

/* -- where keys and certificates are */

/* NULL when it was not said. */
static const char *
option(struct command *c, const char *key)
{
	const char *value = command_local(c, key);

	return value && *value ? value : NULL;
}

/* --certificate NAME: file and key as obmen.conf has them. */
static bool
from_conf(struct enrol *e, struct command *c, struct conf **conf)
{
	const char *path = option(c, "conf"), *name = option(c, "certificate");
	char errors[2048] = "";

	if (!path && !name)
		return true;
	*conf = conf_load(path ? path : CONF_FILE, errors, sizeof errors);
	if (!*conf) {
		print_fault(e->ctl, FAULT_FILE_UNREADABLE, errors);
		return false;
	}
	e->ca_path = (*conf)->ca_file;
	for (unsigned i = 0; i < (*conf)->certificate_count; i++) {
		const struct conf_certificate *x = &(*conf)->certificates[i];
		if (name && strcmp(x->name, name) != 0)
			continue;
		e->key_path = x->key;
		e->certificate_path = x->file;
		return true;
	}
	print_fault(e->ctl, FAULT_FILE_UNREADABLE, name ? name : path);
	return false;
}

static void
override(const char **to, struct command *c, const char *key)
{
	const char *value = option(c, key);

	if (value)
		*to = value;
}

static bool
missing(struct enrol *e, const char *option)
{
	fprintf(e->ctl->err,
		SAY(e->ctl, "Липсва %s; вижте obmenctl help cert.\n",
		    "%s is missing; see obmenctl help cert.\n"),
		option);
	return false;
}

static bool
read_options(struct enrol *e, struct command *c, struct conf **conf)
{
	const json_t *wait = json_object_get(c->local, "wait");

	if (!from_conf(e, c, conf))
		return false;
	override(&e->server, c, "server");
	override(&e->name, c, "name");
	override(&e->eik, c, "eik");
	override(&e->reference, c, "reference");
	override(&e->key_path, c, "key");
	override(&e->certificate_path, c, "cert");
	override(&e->ca_path, c, "ca");
	override(&e->message_path, c, "message");
	override(&e->answer_path, c, "answer");
	e->user_prefix = *conf ? (*conf)->user_prefix : USER_PREFIX;
	e->wait = (long)json_integer_value(wait);
	if (!e->key_path || !e->certificate_path)
		return missing(e, "--key, --cert");
	if (!e->server && !e->message_path)
		return missing(e, "--server");
	return true;
}

/* -- what people are told */

static void
serial_text(const X509 *x, char out[48])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	const uint8_t *b = ASN1_STRING_get0_data(serial);

	out[0] = '\0';
	for (int i = 0; i < ASN1_STRING_length(serial) && i < 20; i++)
		snprintf(out + 2 * i, 3, "%02X", b[i]);
}

static void
end_text(const X509 *x, char out[WHEN_TEXT_SIZE])
{
	struct tm tm;

	out[0] = '\0';
	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm))
		when_format((when)timegm(&tm) * WHEN_SECOND, out);
}

static void
say_issued(struct enrol *e, const X509 *x)
{
	char serial[48], end[WHEN_TEXT_SIZE], day[64];

	serial_text(x, serial);
	end_text(x, end);
	if (e->ctl->json) {
		json_t *j =
		    json_pack("{s:b, s:s, s:s, s:s, s:s}", "ok", 1, "state", "issued", "serial",
			      serial, "not_after", end, "file", e->certificate_path);
		print_json(e->ctl, j);
		json_decref(j);
		return;
	}
	say_title(e->ctl, say(e->ctl, "Сертификатът е издаден", "The certificate was issued"));
	say_line(e->ctl, say(e->ctl, "име", "name"), e->name);
	say_line(e->ctl, say(e->ctl, "номер", "serial"), serial);
	say_line(e->ctl, say(e->ctl, "важи до", "valid until"), say_day(e->ctl, end, day));
	say_line(e->ctl, say(e->ctl, "файл", "file"), e->certificate_path);
	say_line(e->ctl, say(e->ctl, "ключ", "key"), e->key_path);
}

static void
tell(struct enrol *e, const char *state, const char *bg, const char *en)
{
	if (e->ctl->json) {
		json_t *j = json_pack("{s:b, s:s}", "ok", 1, "state", state);
		print_json(e->ctl, j);
		json_decref(j);
	} else {
		say_sentences(e->ctl, e->ctl->out, say(e->ctl, bg, en));
		fputc('\n', e->ctl->out);
	}
}

/* -- the work */

/* The CA's certificate comes with the secret's protection at first contact; a file that is there
 * was asked when the answer was checked, and stays. */
static bool
keep_anchors(struct enrol *e, const STACK_OF(X509) * anchors)
{
	if (!e->ca_path || sk_X509_num(anchors) < 1 || access(e->ca_path, F_OK) == 0)
		return true;
	return enrol_write(e, e->ca_path, anchors);
}

static enum exit_status
keep(struct enrol *e, X509 *x, const STACK_OF(X509) * anchors)
{
	STACK_OF(X509) *own = sk_X509_new_null();
	bool ok = own && sk_X509_push(own, x) > 0 && keep_anchors(e, anchors) &&
		  enrol_write(e, e->certificate_path, own);

	sk_X509_free(own);
	if (!ok)
		return EXIT_REFUSED;
	say_issued(e, x);
	return EXIT_DONE;
}

static enum exit_status
ask_for(struct enrol *e)
{
	STACK_OF(X509) *anchors = NULL;
	X509 *x = NULL;
	enum exit_status status = EXIT_REFUSED;

	switch (enrol_ask(e, &x, &anchors)) {
	case ENROL_ISSUED:
		status = keep(e, x, anchors);
		break;
	case ENROL_WAITING:
		tell(e, "waiting",
			  "Заявката е приета и чака решение на удостоверителя. Попитайте отново с "
			  "obmenctl cert poll и същите параметри.",
			  "The request was taken and waits for the authority's decision. Ask again "
			  "with obmenctl cert "
			  "poll and the same options.");
		status = EXIT_DONE;
		break;
	case ENROL_WRITTEN:
		tell(e, "written",
			  "Заявката е записана. Занесете файла на удостоверителя и инсталирайте "
			  "отговора с "
			  "obmenctl cert install.",
			  "The request was written. Take the file to the authority and install the "
			  "answer with obmenctl "
			  "cert install.");
		status = EXIT_DONE;
		break;
	case ENROL_FAILED:
		break;
	}
	X509_free(x);
	sk_X509_pop_free(anchors, X509_free);
	return status;
}

static void
enrol_end(struct enrol *e, struct conf *conf)
{
	EVP_PKEY_free(e->key);
	EVP_PKEY_free(e->old_key);
	X509_free(e->old);
	if (e->secret.data)
		OPENSSL_cleanse(e->secret.data, e->secret.len);
	buf_free(&e->secret);
	if (conf)
		conf_free(conf);
}

static bool
read_secret(struct enrol *e, struct command *c)
{
	const char *path = option(c, "secret_file");

	if (!e->name || !e->reference)
		return missing(e, e->name ? "--reference" : "--name");
	return enrol_secret(e, path ? path : "-");
}

static enum exit_status
first_contact(struct ctl *ctl, struct command *c, bool make_key)
{
	struct enrol e = {.ctl = ctl};
	struct conf *conf = NULL;
	enum exit_status status = EXIT_REFUSED;

	if (!read_options(&e, c, &conf))
		status = EXIT_USAGE;
	else if (read_secret(&e, c) && (e.key = enrol_key(&e, e.key_path, make_key)))
		status = ask_for(&e);
	enrol_end(&e, conf);
	return status;
}

enum exit_status
run_cert_request(struct ctl *ctl, struct command *c)
{
	return first_contact(ctl, c, true);
}

/* The authority knows the request by its key: asking again is the same question. */
enum exit_status
run_cert_poll(struct ctl *ctl, struct command *c)
{
	return first_contact(ctl, c, false);
}

/* -- renewal */

static void
say_successor(struct enrol *e, struct command *c)
{
	const char *name = option(c, "certificate");

	if (e->ctl->json)
		return;
	fprintf(e->ctl->out,
		"\n%s\n\n  [certificate %s]\n  successor = next\n  [certificate next]\n  file = "
		"%s\n  key = "
		"%s\n\n%s\n",
		say(e->ctl, "Старият сертификат още важи. Добавете в obmen.conf:",
		    "The old certificate is still valid. Add to obmen.conf:"),
		name ? name : "main", e->certificate_path, e->key_path,
		say(e->ctl,
		    "Пуснете възела наново, после впишете новия номер в регистъра: възелът сам "
		    "минава на него.",
		    "Start the node again, then enter the new serial in the register: the node "
		    "changes to it by itself."));
}

static bool
read_old(struct enrol *e, struct command *c, char name[80])
{
	const char *old_key = e->key_path, *old = e->certificate_path;

	e->key_path = option(c, "new_key");
	e->certificate_path = option(c, "new_cert");
	e->reference = NULL;
	if (!e->key_path || !e->certificate_path)
		return missing(e, "--new-key, --new-cert");
	if (!(e->old = enrol_certificate(e, old)) || !(e->old_key = enrol_key(e, old_key, false)))
		return false;
	X509_NAME_get_text_by_NID(X509_get_subject_name(e->old), NID_commonName, name, 80);
	e->name = name;
	return (e->key = enrol_key(e, e->key_path, true));
}

enum exit_status
run_cert_renew(struct ctl *ctl, struct command *c)
{
	struct enrol e = {.ctl = ctl};
	struct conf *conf = NULL;
	char name[80] = "";
	enum exit_status status = EXIT_REFUSED;

	if (!read_options(&e, c, &conf))
		status = EXIT_USAGE;
	else if (read_old(&e, c, name))
		status = ask_for(&e);
	if (status == EXIT_DONE && access(e.certificate_path, F_OK) == 0)
		say_successor(&e, c);
	enrol_end(&e, conf);
	return status;
}

/* An answer in a file, to the message that request --out wrote. */
enum exit_status
run_cert_install(struct ctl *ctl, struct command *c)
{
	if (!option(c, "answer") || !option(c, "message")) {
		struct enrol e = {.ctl = ctl};
		missing(&e, "--message");
		return EXIT_USAGE;
	}
	return option(c, "reference") ? run_cert_poll(ctl, c) : run_cert_renew(ctl, c);
}
