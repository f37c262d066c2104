#include "lib/conf_table.h"

#include <stddef.h>

#define CONF_STRUCT struct conf
#include "lib/conf_rows.h"

static const char *const languages[] = {"bg", "en", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const signatures[] = {"auto", "sha1", "sha256", NULL};

static const struct conf_option conf_options[] = {
	/* the node */
	{GENERAL("state-directory", CONF_PATH, state_directory), .fixed = true,
	    .initial = "/var/lib/obmen",
	    .text = {"Папка с документите и с копието на регистъра.",
	        "Folder of the documents and of the copy of the register."}},
	{GENERAL("control-socket", CONF_PATH, control_socket), .fixed = true,
	    .initial = "/run/obmen/control",
	    .text = {"Сокет, на който obmenctl говори с възела.",
	        "Socket on which obmenctl talks to the node."}},
	{GENERAL("user-prefix", CONF_TEXT, user_prefix), .fixed = true, .initial = "obmen",
	    .text = {"Пуснат като root, всеки процес става потребител ИМЕ-роля, или ИМЕ, ако "
	    "такива няма. "
	             "Празно: остават root (само за опити).",
	        "Started as root, every process becomes user NAME-role, or NAME when there are "
	        "none. "
	        "Empty: they stay root (for trials only)."}},
	{GENERAL("language", CONF_CHOICE, language), .initial = "bg", .words = languages,
	    .text = {"Език на съобщенията.", "Language of messages to people."}},
	{GENERAL("log-level", CONF_CHOICE, log_level), .initial = "info", .words = log_levels,
	    .text = {"Най-ниското ниво, което се записва в дневника.",
	        "The lowest level that is logged."}},
	{GENERAL("log-format", CONF_CHOICE, log_format), .initial = "logfmt", .words = log_formats,
	    .text = {"Вид на редовете в дневника.", "Form of the lines of the log."}},
	{GENERAL("codecs", CONF_COUNT, codecs), .fixed = true, RANGE(0, 16), .initial = "0",
	    .text = {"Процеси за четене и подписване на съобщения; 0: по един на ядро, но и на 192 MiB памет.",
	        "Processes that read and sign messages; 0: one for each core and 192 MiB of memory."}},
	{GENERAL("metrics-listen", CONF_TEXT, metrics_listen), .fixed = true,
	    .text = {"Адрес за /metrics, /healthz и /readyz по HTTP, например 127.0.0.1:9480; празно: няма. "
	             "Отговорите съдържат броячи, никога документи.",
	        "Address of /metrics, /healthz and /readyz over HTTP, such as 127.0.0.1:9480; empty: none. "
	        "The answers hold figures, never documents."}},
	{GENERAL("metrics-remote", CONF_FLAG, metrics_remote), .fixed = true, .initial = "no",
	    .text = {"Разрешава metrics-listen да не е локален адрес (127.0.0.0/8, ::1). Няма парола и "
	             "шифроване: само зад защитна стена.",
	        "Allows metrics-listen to be other than a local address (127.0.0.0/8, ::1). There is no "
	        "password and no encryption: behind a firewall only."}},
	/* trust */
	{GENERAL("ca-file", CONF_PATH, ca_file), .fixed = true, .required = true,
	    .text = {"PEM с удостоверителите, които издават транспортните сертификати.",
	        "PEM of the authorities that issue transport certificates."}},
	{GENERAL("crl-file", CONF_PATH, crl_file), .fixed = true,
	    .text = {"Списъци на отменените сертификати (PEM или DER). Без тях нищо не се смята за "
	    "отменено.",
	        "Lists of revoked certificates (PEM or DER). Without them nothing counts as "
	        "revoked."}},
	{GENERAL("crl-url", CONF_TEXT, crl_url),
	    .text = {"Адрес http:// на списъка на отменените сертификати; взема се редовно и се пази.",
	        "Address, http://, of the list of revoked certificates; fetched regularly and kept."}},
	{GENERAL("ocsp-url", CONF_TEXT, ocsp_url),
	    .text = {"Адрес http:// на OCSP; пита се за сертификатите от регистъра. Мълчанието не значи "
	             "отменен.",
	        "Address, http://, of OCSP; asked about the certificates of the register. Silence does not "
	        "mean revoked."}},
	SECONDS("revocation-interval", revocation_interval, 1, 30 * DAY, "6h",
	    "През колко време се вземат списъкът и отговорите на OCSP.",
	    "How often the list and the answers of OCSP are fetched."),
	FLAGGED("accept-sha1", accept_sha1, "yes",
	    "Приемат ли се подписи с SHA-1. Повечето участници още подписват така.",
	    "Whether signatures with SHA-1 are accepted. Most participants still make them."),
	{GENERAL("signature", CONF_CHOICE, signature), .initial = "auto", .words = signatures,
	    .text = {"Как подписва възелът: auto е SHA-256 към участници, които сами са го "
	    "изпращали, "
	             "и SHA-1 към останалите.",
	        "How the node signs: auto is SHA-256 towards participants that have sent it "
	        "themselves, "
	        "SHA-1 towards the rest."}},
	FLAGGED("certificate-name-check", certificate_name_check, "no",
	    "Отказ, когато името в сертификата не е регистрираният адрес; иначе само "
	    "предупреждение.",
	    "Refuse when the certificate's name is not the registered host; otherwise only warn."),
	FLAGGED("tls-client-binding", tls_client_binding, "no",
	    "Отказ, когато връзката е със сертификат, различен от този на подписа.",
	    "Refuse when the connection's certificate is not the one that signed."),
	/* network */
	{GENERAL("hosts-file", CONF_PATH, hosts_file), .fixed = true,
	    .text = {"Файл като hosts(5), който се чете преди DNS.",
	        "A hosts(5) file read before DNS."}},
	{GENERAL("tls-ciphers", CONF_TEXT, tls_ciphers), .fixed = true,
	    .text = {"Шифри за TLS 1.2, както ги пише OpenSSL.",
	        "Ciphers of TLS 1.2 in OpenSSL's form."}},
	/* register */
	{GENERAL("register-url", CONF_URL, register_url), .required = true,
	    .text = {"Адрес на регистъра на участниците.",
	        "Address of the register of participants."}},
	SECONDS("register-interval", register_interval, 1, DAY, "10min",
	    "През колко време се търсят нови записи.", "How often new records are asked for."),
	SECONDS("register-full-interval", register_full_interval, 1, 30 * DAY, "24h",
	    "През колко време се взема целият регистър.",
	    "How often the whole register is fetched."),
	SECONDS("register-lookup-interval", register_lookup_interval, 0, DAY, "5min",
	    "Най-малко време между две търсения на един непознат подател.",
	    "The least time between two look-ups of one unknown sender."),
	COUNT("register-shrink-percent", register_shrink_percent, 0, 100, "5",
	    "Ако изчезнат повече участници от този дял, новият регистър чака човек.",
	    "When more than this share of participants vanish, the new register waits for a "
	    "person."),
	COUNT("register-shrink-count", register_shrink_count, 0, 1000000, "10",
	    "Същото като брой участници.", "The same as a number of participants."),
	/* updates of a box */
	{GENERAL("update-url", CONF_TEXT, update_url),
	    .text = {"Адрес http:// или https:// на файла с обновяването на устройството; празно: няма. "
	             "Файлът е подписан.",
	        "Address, http:// or https://, of the update bundle of a box; empty: none. The file is "
	        "signed."}},
	{GENERAL("update-ca-file", CONF_PATH, update_ca_file),
	    .text = {"PEM с удостоверителите на сървъра от update-url, ако е https.",
	        "PEM of the authorities of update-url's server, when it is https."}},
	/* limits */
	BYTES("message-max", message_max, 64 * KIB, 4 * GIB, "100MiB", "Най-голямото съобщение.",
	    "The largest message."),
	NUMBER("connections-max", connections_max, 1, 60000, "1024", "Най-много входящи връзки.",
	    "The most incoming connections."),
	NUMBER("connections-per-address", connections_per_address, 1, 60000, "64",
	    "Най-много входящи връзки от един адрес.",
	    "The most incoming connections of one address."),
	SECONDS("header-timeout", header_timeout, 1, HOUR, "15",
	    "Време за ръкостискане, ред и заглавия на заявката.",
	    "Time for handshake, request line and headers."),
	SECONDS("body-timeout", body_timeout, 1, HOUR, "60", "Най-дълго мълчание посред тялото.",
	    "The longest silence within a body."),
	BYTES("body-rate", body_rate, 0, GIB, "1KiB",
	    "Байтове в секунда, под които дълго предаване се прекъсва.",
	    "Bytes a second below which a long transfer is cut."),
	SECONDS("idle-timeout", idle_timeout, 1, DAY, "5min",
	    "Колко стои отворена връзка без заявки.",
	    "How long a connection without requests stays open."),
	BYTES("memory-in-flight", memory_in_flight, MIB, 64 * GIB, "32MiB",
	    "Памет за тела, които още пристигат; над нея четенето спира.",
	    "Memory for bodies under way; above it reading stops."),
	BYTES("disk-reserve", disk_reserve, 0, 1024 * GIB, "256MiB",
	    "Свободно място, под което нищо ново не се приема. 256MiB: но не повече от четвърт от диска.",
	    "Free space below which nothing new is accepted. 256MiB: but at most a quarter of the disk."),
	{GENERAL("durable", CONF_FLAG, durable), .fixed = true, .initial = "yes",
	    .text = {"Отговор се дава, след като документът е на диска. no: САМО за измервания; спре ли "
	             "токът, вече приети документи се губят.",
	        "Answer only when the document is on disk. no: for measurements ONLY; a power cut then "
	        "loses documents that were accepted."}},
	/* evidence */
	{GENERAL("timestamp-url", CONF_TEXT, timestamp_url),
	    .text = {"Удостоверител за време (RFC 3161), адрес http://; празно: дневникът не се удостоверява. "
	             "Иска и timestamp-ca-file.",
	        "Time stamp authority (RFC 3161), an http:// address; empty: the journal is not stamped. "
	        "Needs timestamp-ca-file too."}},
	{GENERAL("timestamp-ca-file", CONF_PATH, timestamp_ca_file), .fixed = true,
	    .text = {"PEM с удостоверителите за време, на които се вярва.",
	        "PEM of the time stamp authorities that are trusted."}},
	SECONDS("timestamp-interval", timestamp_interval, 1, DAY, "1h",
	    "През колко време се удостоверява дневникът, ако има нови записи.",
	    "How often the journal is stamped, when it has new entries."),
	COUNT("retention-days", retention_days, 0, 36500, "0",
	    "След толкова дни приключените документи отиват в подписани архиви и се махат от хранилището; "
	    "0: остават завинаги.",
	    "After so many days documents whose way is over move to signed archives and leave the store; "
	    "0: they stay for ever."),
	{GENERAL("archive-directory", CONF_TEXT, archive_directory), .fixed = true, .initial = "archive",
	    .text = {"Име на папката на архивите, под папката на хранилището (state-directory/store).",
	        "Name of the archives' folder, below the store's folder (state-directory/store)."}},
	/* sending */
	SECONDS("retry-first", retry_first, 1, DAY, "15min",
	    "Време до втория опит; всяко следващо се удвоява.",
	    "Time to the second try; each next one doubles."),
	COUNT("retry-count", retry_count, 0, 30, "10", "Колко пъти се опитва отново.",
	    "How many times sending is tried again."),
	SECONDS("poll-first", poll_first, 1, 30 * DAY, "4h",
	    "След колко мълчание се пита за състоянието на документ.",
	    "After how much silence a document's status is asked for."),
	SECONDS("poll-interval", poll_interval, 1, 30 * DAY, "24h",
	    "През колко време се пита след това.",
	    "How often it is asked for after that."),
	SECONDS("expire-after", expire_after, 1, 3650 * DAY, "60d",
	    "След колко време документ без край се обявява за изтекъл.",
	    "After how long a document without an end is expired."),
	SECONDS("hold-interval", hold_interval, 1, 30 * DAY, "10min",
	    "През колко време се гледа дали временно неактивен участник се е върнал.",
	    "How often a temporarily inactive participant is looked at again."),
	SECONDS("send-timeout", send_timeout, 1, HOUR, "2min",
	    "Колко време без напредък прекъсва изпращане.",
	    "Time without progress that cuts sending."),
	COUNT("peer-connections", peer_connections, 1, 64, "2",
	    "Най-много връзки към един участник.",
	    "The most connections to one participant."),
	{GENERAL("send-window", CONF_COUNT, send_window), .fixed = true, RANGE(1, 4096),
	    .initial = "32",
	    .text = {"Изпращания в ход едновременно.", "Deliveries under way at once."}},
	COUNT("breaker-failures", breaker_failures, 1, 1000, "5",
	    "След толкова поредни неуспеха опитите към адрес се разреждат.",
	    "After so many failures in a row tries to an address are spaced out."),
	SECONDS("breaker-pause", breaker_pause, 1, HOUR, "1min",
	    "Пауза преди пробата; удвоява се до час.",
	    "Pause before the probe; doubles up to one hour."),
	/* sections */
	{IN(CONF_CERTIFICATE, conf_certificate, "file", CONF_PATH, file), .required = true,
	    .text = {"PEM: сертификатът, после веригата, която се изпраща.",
	        "PEM: the certificate, then the chain that is sent."}},
	{IN(CONF_CERTIFICATE, conf_certificate, "key", CONF_PATH, key), .required = true,
	    .text = {"PEM с частния ключ; чете го само процесът signer.",
	        "PEM of the private key; only the signer process reads it."}},
	{IN(CONF_CERTIFICATE, conf_certificate, "successor", CONF_REFERENCE, successor_name),
	    .text = {"Име на раздел certificate с новия сертификат, който ще го смени.",
	        "Name of the certificate section with the new certificate that will take its place."}},
	{IN(CONF_CERTIFICATE, conf_certificate, "switch", CONF_TEXT, switch_text),
	    .text = {"Моментът на смяната, 2026-11-30T08:00:00+02:00; ако липсва: щом регистърът покаже "
	             "номера на новия.",
	        "The moment of the change, 2026-11-30T08:00:00+02:00; otherwise as soon as the register "
	        "shows the new one's serial."}},
	{IN(CONF_LISTEN, conf_listen, "certificate", CONF_REFERENCE, certificate_name),
	    .text = {"Име на раздел certificate; може да липсва, когато е само един.",
	        "Name of a certificate section; may be left out when there is only one."}},
	{IN(CONF_PARTICIPANT, conf_participant, "eik", CONF_EIK, eik), .required = true,
	    .text = {"ЕИК: 9 или 13 цифри.", "EIK: 9 or 13 digits."}},
	{IN(CONF_PARTICIPANT, conf_participant, "name", CONF_TEXT, name), .required = true,
	    .text = {"Име на администрацията, както е в регистъра.",
	        "Name of the administration as in the register."}},
	{IN(CONF_PARTICIPANT, conf_participant, "certificate", CONF_REFERENCE, certificate_name),
	    .text = {"Име на раздел certificate; може да липсва, когато е само един.",
	        "Name of a certificate section; may be left out when there is only one."}},
	{IN(CONF_PEER, conf_peer, "signature", CONF_CHOICE, signature), .initial = "auto",
	    .words = signatures,
	    .text = {"Как се подписва към този участник.",
	        "How messages to this participant are signed."}},
	{IN(CONF_PEER, conf_peer, "tls-name-mismatch", CONF_FLAG, tls_name_mismatch),
	    .initial = "no",
	    .text = {"Търпи се чуждо име в сертификата му, стига номерът да е вписаният в "
	    "регистъра.",
	        "Another name in its certificate is tolerated if the serial is the registered "
	        "one."}},
	{IN(CONF_PEER, conf_peer, "tls-legacy", CONF_FLAG, tls_legacy), .fixed = true,
	    .initial = "no",
	    .text = {"Допуска се TLS 1.0 и слаби шифри към този участник.",
	        "TLS 1.0 and weak ciphers are allowed towards this participant."}},
	{IN(CONF_PEER, conf_peer, "expect-continue", CONF_FLAG, expect_continue), .initial = "yes",
	    .text = {"Голямо тяло се изпраща след 100 Continue.",
	        "A large body is sent after 100 Continue."}},
	{IN(CONF_PEER, conf_peer, "bridge", CONF_FLAG, bridge), .initial = "no",
	    .text = {"Мост: подписва за други участници със своя сертификат.",
	        "A bridge: signs for other participants with its own certificate."}},
};

_Static_assert(sizeof conf_options / sizeof *conf_options <= CONF_OPTIONS_MAX, "too many options");

static const struct conf_section_row conf_sections[CONF_SECTION_COUNT] = {
	[CONF_GENERAL] = {"", NULL, .text = {"Общи", "General"}},
	[CONF_CERTIFICATE] = {"certificate", "NAME", .sample = "main", ARRAY(conf_certificate, certificates,
	    certificate_count), .max = 64, .fixed = true,
	    .text = {"Транспортен сертификат на този възел.",
	        "A transport certificate of this node."}},
	[CONF_LISTEN] = {"listen", "ADDRESS:PORT", .sample = "0.0.0.0:8443",
	    ARRAY(conf_listen, listens, listen_count), .max = 64,
	    .fixed = true,
	    .text = {"Адрес, на който се приемат съобщения.",
	        "An address where messages are received."}},
	[CONF_PARTICIPANT] = {"participant", "{GUID}",
	    .sample = "{00000000-0000-0000-0000-000000000001}",
	    ARRAY(conf_participant, participants, participant_count), .max = 256, .fixed = true,
	    .text = {"Участник, обслужван от този възел; първият изпраща, когато друг не е "
	    "посочен.",
	        "A participant that this node serves; the first one sends when no other is "
	        "named."}},
	[CONF_PEER] = {"peer", "{GUID}",
	    .sample = "{00000000-0000-0000-0000-000000000002}", .optional = true,
	    ARRAY(conf_peer, peers, peer_count), .max = 4096,
	    .text = {"Изключения за друг участник.", "Exceptions for another participant."}},
};

static const struct conf_sample samples[] = {
	{"ca-file", "/etc/obmen/ca.pem"},
	{"register-url", "https://register.example/service/"},
	{"file", "/etc/obmen/transport.pem"},
	{"key", "/etc/obmen/transport.key"},
	{"certificate", "main"},
	{"eik", "000000000"},
	{"name", "\"...\""},
	{NULL, NULL},
};

const struct conf_schema conf_schema = {
	.options = conf_options,
	.option_count = sizeof conf_options / sizeof *conf_options,
	.sections = conf_sections,
	.section_count = CONF_SECTION_COUNT,
	.size = sizeof(struct conf),
	.language = offsetof(struct conf, language),
	.rules = &conf_rules,
	.samples = samples,
};
