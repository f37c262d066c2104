/* Who asks: what the certificate says, and what the ledger knows about it. */
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "authority/json.h"
#include "authority/web_page.h"
#include "lib/guid.h"

/* ---- the certificate ---- */

bool
web_certificate(struct web_exchange *x, const uint8_t *der, size_t len)
{
	const uint8_t *at = der;
	X509 *c = len ? d2i_X509(NULL, &at, (long)len) : NULL;
	json_t *said = c ? json_certificate(c) : NULL;

	X509_free(c);
	if (!said)
		return false;
	snprintf(x->fingerprint, sizeof x->fingerprint, "%s", web_string(said, "fingerprint"));
	x->serial = web_format(x, "%s", web_string(said, "serial"));
	x->name = web_format(x, "%s", web_string(said, "name"));
	x->not_after = web_format(x, "%s", web_string(said, "not_after"));
	json_decref(said);
	return true;
}

json_t *
web_actor(const struct web_exchange *x)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "kind", "certificate", "fingerprint",
	    x->fingerprint, "serial", x->serial, "name", x->name);
}

/* ---- roles ---- */

static const struct {
	const char *name;
	unsigned bit;
} roles[] = {
    {"officer", WHO_OFFICER},
    {"registrar", WHO_REGISTRAR},
    {"ca-operator", WHO_CA_OPERATOR},
    {"auditor", WHO_AUDITOR},
};

unsigned
web_who(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "roles");
	unsigned who = 0;
	json_t *role;
	size_t i;

	if (json_array_size(json_object_get(answer, "participants")) > 0 ||
	    strcmp(web_string(answer, "kind"), "participant") == 0)
		who = WHO_PARTICIPANT;
	json_array_foreach (list, i, role) {
		for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
			if (json_is_string(role) &&
			    strcmp(json_string_value(role), roles[r].name) == 0)
				who |= roles[r].bit;
		}
	}
	return who ? who : WHO_STRANGER;
}

bool
web_is_own(const struct web_exchange *x, const char *guid)
{
	const json_t *own = json_object_get(web_answer(x, ASK_WHO), "participants");
	struct guid wanted, g;
	json_t *p;
	size_t i;

	if (!guid_parse_lenient(&wanted, guid))
		return false;
	json_array_foreach (own, i, p) {
		if (guid_parse_lenient(&g, web_string(p, "guid")) && guid_equal(&g, &wanted))
			return true;
	}
	return false;
}
