/* verify: judges a signed message without the node. */
#include "message/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/when.h"
#include "obmenctl/ctl.h"

/* A moment, or a day: then its noon, so that zones do not matter. */
static bool
parse_moment(const char *text, when *at)
{
	char noon[40];

	if (when_parse(at, text, strlen(text)))
		return true;
	if (!date_valid(text, strlen(text)) || strlen(text) != 10)
		return false;
	snprintf(noon, sizeof noon, "%sT12:00:00", text);
	return when_parse(at, noon, strlen(noon));
}

static const char *
c14n_name(enum c14n_method m)
{
	return m == C14N_INCLUSIVE ? "C14N 1.0" : m == C14N_EXCLUSIVE ? "exclusive C14N" : "";
}

static const char *
digest_name(enum digest_method m)
{
	static const char *const names[DIGEST_METHOD_COUNT] = {"", "sha1", "sha256", "sha384",
							       "sha512"};

	return (unsigned)m < DIGEST_METHOD_COUNT && names[m] ? names[m] : "";
}

static void
hex(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", data[i]);
}

static json_t *
moment_json(when w)
{
	char text[WHEN_TEXT_SIZE];

	if (w == WHEN_NONE)
		return json_null();
	when_format(w, text);
	return json_string(text);
}

static json_t *
party_json(const struct party *p)
{
	char guid[GUID_TEXT_SIZE];

	guid_format(&p->guid, guid);
	return json_pack("{s:s, s:s*, s:s*}", "guid", guid, "name", p->name, "eik", p->eik);
}

static void
add_header(json_t *j, const struct verify_report *r)
{
	char guid[GUID_TEXT_SIZE];

	if (!r->header_known)
		return;
	guid_format(&r->message.guid, guid);
	json_object_set_new(j, "message_type", json_string(message_type_name(r->message.type)));
	json_object_set_new(j, "message_guid", json_string(guid));
	json_object_set_new(j, "message_date", json_string(r->message.date_text));
	json_object_set_new(j, "sender", party_json(&r->message.sender));
	json_object_set_new(j, "recipient", party_json(&r->message.recipient));
}

static void
add_certificate(json_t *j, const struct verify_report *r)
{
	char print[65];

	if (!r->has_certificate)
		return;
	hex(r->certificate_sha256, sizeof r->certificate_sha256, print);
	json_object_set_new(j, "certificate",
			    json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:b}", "subject",
				      r->subject, "issuer", r->issuer, "common_name",
				      r->common_name, "serial", r->serial_hex, "eik", r->eik,
				      "not_before", moment_json(r->not_before), "not_after",
				      moment_json(r->not_after), "sha256", print, "chain_checked",
				      r->chain_checked));
}

static json_t *
report_json(const struct verify_report *r)
{
	json_t *j = json_pack("{s:b, s:b, s:b, s:o, s:I}", "ok", 1, "valid", r->valid, "intact",
			      r->intact, "at", moment_json(r->at), "bytes", (json_int_t)r->bytes);

	if (r->fault != FAULT_NONE) {
		json_object_set_new(j, "fault", json_string(fault_code(r->fault)));
		json_object_set_new(j, "detail", json_string(r->detail));
	}
	add_header(j, r);
	json_object_set_new(j, "method", json_string(signature_method_name(r->method)));
	json_object_set_new(j, "digest", json_string(digest_name(r->digest)));
	json_object_set_new(j, "c14n", json_string(c14n_name(r->c14n)));
	add_certificate(j, r);
	if (*r->schema_violation)
		json_object_set_new(j, "schema_violation", json_string(r->schema_violation));
	return j;
}

static void
say_party(const struct ctl *ctl, const char *label, const struct party *p)
{
	char guid[GUID_TEXT_SIZE], text[768];

	guid_format(&p->guid, guid);
	snprintf(text, sizeof text, "%s (%s %s) %s", p->name ? p->name : "",
	    say(ctl, "ЕИК", "EIK"), p->eik ? p->eik : "", guid);
	say_line(ctl, label, text);
}

static void
say_when(const struct ctl *ctl, const char *label, when w)
{
	char text[WHEN_TEXT_SIZE];

	if (w == WHEN_NONE)
		return;
	when_format_human(w, ctl->language == LANGUAGE_BG, text);
	say_line(ctl, label, text);
}

static void
say_header(const struct ctl *ctl, const struct verify_report *r)
{
	char guid[GUID_TEXT_SIZE], day[64];

	if (!r->header_known)
		return;
	guid_format(&r->message.guid, guid);
	say_line(ctl, say(ctl, "Съобщение", "Message"), guid);
	say_line(ctl, say(ctl, "Вид", "Type"), message_type_name(r->message.type));
	say_line(ctl, say(ctl, "От дата", "Dated"),
	    say_moment(ctl, r->message.date_text ? r->message.date_text : "", day));
	say_party(ctl, say(ctl, "Подател", "Sender"), &r->message.sender);
	say_party(ctl, say(ctl, "Получател", "Recipient"), &r->message.recipient);
}

static void
say_certificate(const struct ctl *ctl, const struct verify_report *r)
{
	char print[65];

	if (!r->has_certificate)
		return;
	hex(r->certificate_sha256, sizeof r->certificate_sha256, print);
	say_line(ctl, say(ctl, "Подписал", "Signed by"), r->common_name);
	say_line(ctl, say(ctl, "ЕИК", "EIK"), r->eik);
	say_line(ctl, say(ctl, "Сертификат", "Certificate"), r->serial_hex);
	say_line(ctl, say(ctl, "Издател", "Issuer"), r->issuer);
	say_when(ctl, say(ctl, "Валиден от", "Valid from"), r->not_before);
	say_when(ctl, say(ctl, "Валиден до", "Valid to"), r->not_after);
	say_line(ctl, "SHA-256", print);
	say_line(ctl, say(ctl, "Верига", "Chain"),
		 r->chain_checked ? say(ctl, "проверена", "checked")
				  : say(ctl, "не е проверявана", "not checked"));
}

static void
say_report(struct ctl *ctl, const struct verify_report *r)
{
	struct fault_text t = fault_text(r->fault, ctl->language);
	char algorithms[128];

	if (r->valid)
		say_title(ctl, say(ctl, "ВАЛИДЕН подпис", "VALID signature"));
	else
		fprintf(ctl->out, "%s%s: %s%s%s%s [%s]\n%s", ctl->bold ? "\033[1m" : "",
		    say(ctl, "НЕВАЛИДЕН", "NOT VALID"), t.what, *r->detail ? " (" : "", r->detail,
		    *r->detail ? ")" : "", t.code, ctl->bold ? "\033[0m" : "");
	say_header(ctl, r);
	snprintf(algorithms, sizeof algorithms, "%s, %s, %s", signature_method_name(r->method),
	    digest_name(r->digest), c14n_name(r->c14n));
	if (r->method != SIGNATURE_NONE)
		say_line(ctl, say(ctl, "Алгоритми", "Algorithms"), algorithms);
	say_certificate(ctl, r);
	say_when(ctl, say(ctl, "Към момент", "Checked at"), r->at);
	say_line(ctl, say(ctl, "Схема", "Schema"), r->schema_violation);
}

static enum exit_status
verify_open_file(struct ctl *ctl, int fd, const char *file, const struct verify_options *o)
{
	struct verify_report r = {0};
	enum exit_status status = EXIT_REFUSED;

	if (!verify_file(fd, o, &r)) {
		print_fault(ctl, r.fault, file);
	} else {
		status = r.valid ? EXIT_DONE : EXIT_REFUSED;
		if (ctl->json) {
			json_t *j = report_json(&r);
			print_json(ctl, j);
			json_decref(j);
		} else {
			say_report(ctl, &r);
		}
	}
	verify_report_free(&r);
	return status;
}

enum exit_status
run_verify(struct ctl *ctl, struct command *c)
{
	const char *file = command_local(c, "file"), *at = command_local(c, "at");
	const char *ca = command_local(c, "ca"), *crl = command_local(c, "crl");
	bool no_chain = json_is_true(json_object_get(c->local, "no_chain"));
	struct verify_options o = {.ca_file = *ca ? ca : NULL, .crl_file = *crl ? crl : NULL,
	    .at = WHEN_NONE};
	char detail[512];

	if (no_chain == (*ca != 0)) {
		fprintf(ctl->err, "obmenctl: %s\n", say(ctl, "дайте --ca ФАЙЛ или --no-chain",
		    "give --ca FILE or --no-chain"));
		return EXIT_USAGE;
	}
	if (*at && !parse_moment(at, &o.at)) {
		fprintf(ctl->err, "obmenctl: --at %s: %s\n", at,
		    say(ctl, "очаква се 2026-11-21T09:30:00+02:00 или 2026-11-21",
		        "expected 2026-11-21T09:30:00+02:00 or 2026-11-21"));
		return EXIT_USAGE;
	}
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(detail, sizeof detail, "%s: %s", file, strerror(errno));
		print_fault(ctl, FAULT_FILE_UNREADABLE, detail);
		return EXIT_REFUSED;
	}
	enum exit_status status = verify_open_file(ctl, fd, file, &o);
	close(fd);
	return status;
}
