#include "authority/conf.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CONF_STRUCT struct authority_conf
#include "lib/conf_rows.h"

enum { CONF_LISTEN = CONF_GENERAL + 1, CONF_SECTION_COUNT };

static const char *const languages[] = {"bg", "en", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const kinds[] = {"production", "test", NULL};

static const struct conf_option options[] = {
	/* the program */
	{GENERAL("state-directory", CONF_PATH, state_directory), .fixed = true,
	    .initial = "/var/lib/obmen-authority",
	    .text = {"Папка с регистъра, сертификатите и историята им.",
	        "Folder of the register, the certificates and their history."}},
	{GENERAL("control-socket", CONF_PATH, control_socket), .fixed = true,
	    .initial = "/run/obmen-authority/control",
	    .text = {"Сокет, на който obmen-authority говори с програмата.",
	        "Socket on which obmen-authority talks to the program."}},
	{GENERAL("user-prefix", CONF_TEXT, user_prefix), .fixed = true, .initial = "obmen-authority",
	    .text = {"Пуснат като root, всеки процес става потребител ИМЕ-роля, или ИМЕ, ако такива няма. "
	             "Празно: остават root (само за опити).",
	        "Started as root, every process becomes user NAME-role, or NAME when there are none. "
	        "Empty: they stay root (for trials only)."}},
	{GENERAL("language", CONF_CHOICE, language), .initial = "bg", .words = languages,
	    .text = {"Език на съобщенията.", "Language of messages to people."}},
	{GENERAL("log-level", CONF_CHOICE, log_level), .initial = "info", .words = log_levels,
	    .text = {"Най-ниското ниво, което се записва в дневника.",
	        "The lowest level that is logged."}},
	{GENERAL("log-format", CONF_CHOICE, log_format), .initial = "logfmt", .words = log_formats,
	    .text = {"Вид на редовете в дневника.", "Form of the lines of the log."}},
	{GENERAL("desks", CONF_COUNT, desks), .fixed = true, RANGE(0, 16), .initial = "0",
	    .text = {"Процеси, които отговарят на участници и служители; 0: по един на ядро.",
	        "Processes that answer participants and officers; 0: one for each core."}},
	/* who it is */
	{GENERAL("name", CONF_TEXT, name[LANGUAGE_BG]), .required = true,
	    .text = {"Име на органа, на български.", "Name of the authority in Bulgarian."}},
	{GENERAL("name-en", CONF_TEXT, name[LANGUAGE_EN]), .required = true,
	    .text = {"Име на органа, на английски.", "Name of the authority in English."}},
	{GENERAL("address", CONF_TEXT, address[LANGUAGE_BG]), .initial = "",
	    .text = {"Пощенски адрес, на български.", "Postal address in Bulgarian."}},
	{GENERAL("address-en", CONF_TEXT, address[LANGUAGE_EN]), .initial = "",
	    .text = {"Пощенски адрес, на английски.", "Postal address in English."}},
	{GENERAL("email", CONF_TEXT, email), .initial = "",
	    .text = {"Електронна поща за въпроси.", "E-mail for questions."}},
	{GENERAL("domain", CONF_TEXT, domain), .fixed = true, .initial = "obmen.local",
	    .text = {"Краят на имената на сървърите на участниците.",
	        "The end of the names of participants' servers."}},
	FLAGGED("test", test, "no", "Страниците казват, че това е тестова среда.",
	    "The pages say that this is a test environment."),
	/* TLS */
	{GENERAL("tls-file", CONF_PATH, tls_file), .fixed = true, .required = true,
	    .text = {"PEM: сертификатът на сървъра, после веригата, която се изпраща.",
	        "PEM: the server's certificate, then the chain that is sent."}},
	{GENERAL("tls-key", CONF_PATH, tls_key), .fixed = true, .required = true,
	    .text = {"PEM с частния му ключ; чете го само процесът signer.",
	        "PEM of its private key; only the signer process reads it."}},
	{GENERAL("clients-file", CONF_PATH, clients_file), .fixed = true, .required = true,
	    .text = {"PEM с удостоверителите, които издават сертификатите на участници и служители.",
	        "PEM of the authorities that issue the certificates of participants and officers."}},
	{GENERAL("tls-ciphers", CONF_TEXT, tls_ciphers), .fixed = true,
	    .text = {"Шифри за TLS 1.2, както ги пише OpenSSL.",
	        "Ciphers of TLS 1.2 in OpenSSL's form."}},
	/* limits */
	NUMBER("connections-max", connections_max, 1, 100000, "1024",
	    "Най-много връзки едновременно.", "The most connections at once."),
	NUMBER("connections-per-address", connections_per_address, 1, 100000, "64",
	    "Най-много връзки от един адрес.", "The most connections from one address."),
	BYTES("request-max", request_max, 4 * KIB, 16 * MIB, "1MiB",
	    "Най-голямото тяло на заявка.", "The largest body of a request."),
	BYTES("memory-in-flight", memory_in_flight, MIB, 64 * GIB, "32MiB",
	    "Памет за тела, които още пристигат или чакат; над нея заявките се отказват.",
	    "Memory for bodies that still come or wait; above it requests are refused."),
	SECONDS("header-timeout", header_timeout, 1, HOUR, "10s",
	    "За ръкуването на TLS и за заглавията на заявка.",
	    "For the TLS handshake and for the head of a request."),
	SECONDS("body-timeout", body_timeout, 1, HOUR, "30s",
	    "Без байт от тялото или без приет байт от отговора.",
	    "Without a byte of the body, or of the answer taken."),
	BYTES("body-rate", body_rate, 0, GIB, "1KiB",
	    "Байтове в секунда, под които дълго предаване се прекъсва.",
	    "Bytes a second below which a long transfer is cut."),
	SECONDS("idle-timeout", idle_timeout, 1, DAY, "2min",
	    "Колко стои отворена връзка без заявки.",
	    "How long a connection without requests stays open."),
	/* the transport CA */
	{GENERAL("ca-file", CONF_PATH, ca_file), .fixed = true,
	    .text = {"PEM със сертификата на удостоверителя на транспортни сертификати. Без него само се вписват "
	             "сертификати на външен удостоверител.",
	        "PEM of the transport CA's certificate. Without it only certificates of an external CA are "
	        "registered."}},
	{GENERAL("ca-key", CONF_TEXT, ca_key), .fixed = true,
	    .text = {"Ключът му: PEM, или адрес pkcs11:; стига до него само процесът ca.",
	        "Its key: PEM, or a pkcs11: URI; only the ca process gets at it."}},
	{GENERAL("ca-pin-file", CONF_PATH, ca_pin_file), .fixed = true,
	    .text = {"Файл с ПИН на устройството с ключа.", "File with the PIN of the key's token."}},
	{GENERAL("ca-kind", CONF_CHOICE, ca_kind), .initial = "production", .words = kinds,
	    .text = {"За коя среда са сертификатите: имената на тестовите завършват на -test или -t.",
	        "For which environment certificates are: names of test ones end in -test or -t."}},
	COUNT("certificate-days", certificate_days, 1, 3660, "1095",
	    "Срок на транспортен сертификат, в дни.", "Validity of a transport certificate, in days."),
	FLAGGED("certificate-san", certificate_san, "no",
	    "Дали сертификатите носят името и в subjectAltName; днешните транспортни сертификати нямат такова.",
	    "Whether certificates carry the name in subjectAltName too; today's transport certificates do not."),
	{GENERAL("certificate-country", CONF_TEXT, certificate_country), .initial = "BG",
	    .text = {"Държава в сертификатите.", "Country in certificates."}},
	{GENERAL("certificate-policy", CONF_TEXT, certificate_policy),
	    .text = {"Политика в сертификатите: обектен идентификатор.",
	        "Policy in certificates: an object identifier."}},
	{GENERAL("certificate-cps", CONF_TEXT, certificate_cps),
	    .text = {"Адрес на правилата по тази политика.", "Address of the rules of that policy."}},
	{GENERAL("crl-url", CONF_TEXT, crl_url),
	    .text = {"Адрес http:// на списъка на отменените, както стои в сертификатите.",
	        "Address, http://, of the list of revoked certificates as certificates name it."}},
	{GENERAL("ocsp-url", CONF_TEXT, ocsp_url),
	    .text = {"Адрес http:// на OCSP, както стои в сертификатите.",
	        "Address, http://, of OCSP as certificates name it."}},
	SECONDS("crl-interval", crl_interval, MINUTE, 30 * DAY, "1h",
	    "През колко време се издава нов списък, освен при всяка отмяна.",
	    "How often a new list is issued, besides at every revocation."),
	SECONDS("crl-validity", crl_validity, HOUR, 90 * DAY, "7d", "Колко време важи един списък.",
	    "How long one list holds."),
	COUNT("renewal-days", renewal_days, 1, 365, "60",
	    "Толкова дни преди края може да се иска нов сертификат на мястото на стария.",
	    "So many days before its end a certificate may be succeeded by a new one."),
	FLAGGED("two-person", two_person, "no",
	    "Всеки сертификат се одобрява от двама различни служители.",
	    "Every certificate is approved by two different officers."),
	FLAGGED("reference-approves", reference_approves, "yes",
	    "Първа заявка по CMP с номер и тайна от органа се одобрява с издаването им; no: чака служител.",
	    "A first request by CMP with a reference and secret of the authority is approved by their issue; "
	    "no: it waits for an officer."),
	/* sections */
	{IN(CONF_LISTEN, authority_listen, "tls", CONF_FLAG, tls), .initial = "yes",
	    .text = {"yes: регистър и страници, с взаимен TLS; no: само CMP, CRL и OCSP по HTTP.",
	        "yes: register and pages, over mutual TLS; no: only CMP, CRL and OCSP over HTTP."}},
};

_Static_assert(sizeof options / sizeof *options <= CONF_OPTIONS_MAX, "too many options");

static const struct conf_section_row sections[CONF_SECTION_COUNT] = {
	[CONF_GENERAL] = {"", NULL, .text = {"Общи", "General"}},
	[CONF_LISTEN] = {"listen", "ADDRESS:PORT", .sample = "0.0.0.0:443",
	    ARRAY(authority_listen, listens, listen_count), .max = 16, .fixed = true,
	    .text = {"Адрес, на който се приемат заявки.", "An address where requests are taken."}},
};

static bool
set_argument(unsigned section, void *element, const char *argument)
{
	struct authority_listen *l = element;

	return section == CONF_LISTEN && conf_address_valid(argument) && (l->address = strdup(argument));
}

static bool
same_argument(unsigned section, const void *a, const void *b)
{
	const struct authority_listen *l = a, *m = b;

	return section == CONF_LISTEN && l->address && m->address && strcmp(l->address, m->address) == 0;
}

static void
free_argument(unsigned section, void *element)
{
	struct authority_listen *l = element;

	if (section == CONF_LISTEN)
		free(l->address);
}

static void
check(struct conf_parser *p, void *conf)
{
	static const char *const no_listen[2] = {"нужен е поне един раздел [listen АДРЕС:ПОРТ]",
	    "at least one [listen ADDRESS:PORT] section is needed"};
	static const char *const no_key[2] = {"иска и ca-key", "needs ca-key too"};
	static const char *const no_http[2] = {"очаква се адрес http://",
	    "an address that begins with http:// is expected"};
	const struct authority_conf *c = conf;
	const char *const urls[][2] = {{"crl-url", c->crl_url}, {"ocsp-url", c->ocsp_url}};
	enum language l = conf_parser_language(p);

	if (c->listen_count == 0)
		conf_problem(p, NULL, no_listen[l], NULL);
	if (c->ca_file && *c->ca_file && (!c->ca_key || !*c->ca_key))
		conf_problem(p, "ca-file", no_key[l], NULL);
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		if (urls[i][1] && *urls[i][1] && strncmp(urls[i][1], "http://", 7) != 0)
			conf_problem(p, urls[i][0], no_http[l], NULL);
	}
}

static const struct conf_rules rules = {
	.set_argument = set_argument,
	.same_argument = same_argument,
	.free_argument = free_argument,
	.check = check,
};

static const struct conf_sample samples[] = {
	{"name", "\"...\""},
	{"name-en", "\"...\""},
	{"tls-file", "/etc/obmen-authority/tls.pem"},
	{"tls-key", "/etc/obmen-authority/tls.key"},
	{"clients-file", "/etc/obmen-authority/clients.pem"},
	{NULL, NULL},
};

const struct conf_schema authority_conf_schema = {
	.options = options,
	.option_count = sizeof options / sizeof *options,
	.sections = sections,
	.section_count = CONF_SECTION_COUNT,
	.size = sizeof(struct authority_conf),
	.language = offsetof(struct authority_conf, language),
	.rules = &rules,
	.samples = samples,
};
