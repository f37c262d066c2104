/* cert show: our certificates, what comes after them, and what is known of revoked ones. */
#include <string.h>

#include "obmenctl/ctl.h"

static void
say_validity(struct ctl *ctl, const json_t *c)
{
	char text[256], day[64];
	long long days = number_of(c, "days_left");

	snprintf(text, sizeof text, "%s %s, ", say(ctl, "до", "until"),
	    say_day(ctl, text_of(c, "not_after"), day));
	size_t n = strlen(text);
	if (days < 0)
		snprintf(text + n, sizeof text - n, "%s", say(ctl, "ИЗТЕКЪЛ", "EXPIRED"));
	else
		snprintf(text + n, sizeof text - n, SAY(ctl, "остават дни: %lld%s", "days left: %lld%s"), days,
		    days < 60 ? say(ctl, "; поискайте нов", "; ask for a new one") : "");
	say_line(ctl, say(ctl, "Валиден", "Valid"), text);
	if (*text_of(c, "revoked_since")) {
		snprintf(text, sizeof text, "%s %s", say(ctl, "ОТМЕНЕН от", "REVOKED since"),
		    say_moment(ctl, text_of(c, "revoked_since"), day));
		say_line(ctl, say(ctl, "Отмяна", "Revocation"), text);
	}
}

static void
say_users(struct ctl *ctl, const json_t *c)
{
	size_t i;
	json_t *p;
	char text[512];

	json_array_foreach (json_object_get(c, "participants"), i, p) {
		const char *registered = text_of(p, "registered_serial");
		if (!*registered)
			snprintf(text, sizeof text, "%s: %s", text_of(p, "name"),
			    say(ctl, "не е в регистъра", "not in the register"));
		else if (json_is_true(json_object_get(p, "same")))
			snprintf(text, sizeof text, "%s: %s", text_of(p, "name"),
			    say(ctl, "в регистъра е същият номер", "the register shows this serial"));
		else
			snprintf(text, sizeof text, SAY(ctl, "%s: в регистъра е ДРУГ номер, %s",
			    "%s: the register shows ANOTHER serial, %s"), text_of(p, "name"), registered);
		say_line(ctl, say(ctl, "Ползва го", "Used by"), text);
	}
	if (!json_is_true(json_object_get(c, "in_use")))
		say_line(ctl, say(ctl, "Ползва го", "Used by"), say(ctl, "никой сега", "nobody now"));
}

static void
say_successor(struct ctl *ctl, const json_t *c)
{
	char text[256], at[64];

	if (!*text_of(c, "successor"))
		return;
	if (json_is_true(json_object_get(c, "switched")))
		snprintf(text, sizeof text, SAY(ctl, "%s, вече в сила", "%s, in force already"),
		    text_of(c, "successor"));
	else if (*text_of(c, "switch_at"))
		snprintf(text, sizeof text, SAY(ctl, "%s, в сила от %s", "%s, in force from %s"),
		    text_of(c, "successor"), say_moment(ctl, text_of(c, "switch_at"), at));
	else
		snprintf(text, sizeof text, SAY(ctl, "%s, щом регистърът покаже номера му",
		    "%s, once the register shows its serial"), text_of(c, "successor"));
	say_line(ctl, say(ctl, "Наследник", "Successor"), text);
}

static void
say_revocation(struct ctl *ctl, const json_t *r)
{
	const json_t *ocsp = json_object_get(r, "ocsp"), *crl = json_object_get(r, "crl");
	char text[512], age[64];
	size_t i;
	json_t *list;

	say_title(ctl, say(ctl, "Отменени сертификати", "Revoked certificates"));
	snprintf(text, sizeof text, "%lld", number_of(r, "revoked"));
	say_line(ctl, say(ctl, "Известни", "Known"), text);
	json_array_foreach (json_object_get(crl, "lists"), i, list) {
		bool stale = json_is_true(json_object_get(list, "stale"));
		snprintf(text, sizeof text, "%s, %s %s%s", text_of(list, "issuer"), say(ctl, "отпреди", "age"),
		    say_duration(ctl, number_of(list, "age_seconds"), age),
		    stale ? say(ctl, ", ИЗТЕКЪЛ: cert import-crl", ", EXPIRED: cert import-crl") : "");
		say_line(ctl, say(ctl, "Списък", "List"), text);
	}
	if (json_array_size(json_object_get(crl, "lists")) == 0)
		say_line(ctl, say(ctl, "Списък", "List"), say(ctl, "няма; вижте cert import-crl и crl-url",
		    "none; see cert import-crl and crl-url"));
	say_line(ctl, say(ctl, "Пречка", "Trouble"), text_of(crl, "trouble"));
	if (json_object_get(ocsp, "age_seconds"))
		say_line(ctl, say(ctl, "OCSP отпреди", "OCSP age"),
		    say_duration(ctl, number_of(ocsp, "age_seconds"), age));
	say_line(ctl, say(ctl, "Пречка при OCSP", "OCSP trouble"), text_of(ocsp, "trouble"));
	say_line(ctl, say(ctl, "Правило", "Policy"), say(ctl, "неизвестното не е отменено",
	    "what is not known is not revoked"));
}

void
render_certificates(struct ctl *ctl, const json_t *answer)
{
	char text[300];
	size_t i;
	json_t *c;

	json_array_foreach (json_object_get(answer, "certificates"), i, c) {
		snprintf(text, sizeof text, "%s  %s", text_of(c, "name"), text_of(c, "subject"));
		say_title(ctl, text);
		say_line(ctl, say(ctl, "Номер", "Serial"), text_of(c, "serial"));
		say_line(ctl, say(ctl, "Издаден от", "Issued by"), text_of(c, "issuer"));
		say_validity(ctl, c);
		say_successor(ctl, c);
		say_users(ctl, c);
	}
	say_revocation(ctl, json_object_get(answer, "revocation"));
}
