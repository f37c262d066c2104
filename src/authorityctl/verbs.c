/* Everything that obmen-authority understands. */
#include "authorityctl/authorityctl.h"

#define TEXT_METAVAR {"ТЕКСТ", "TEXT"}
#define NUMBER_METAVAR {"БРОЙ", "COUNT"}
#define FILE_METAVAR {"ФАЙЛ", "FILE"}
#define END {.name = NULL}
#define END_POSITIONAL {.key = NULL}
#define ASKED(n, k, metavar, bg, en, need) \
	{n, k, PLACE_REQUEST, OPTION_TEXT, NULL, metavar, {bg, en}, need}
#define FIELD(n, k, bg, en) {n, k, PLACE_DOCUMENT, OPTION_TEXT, NULL, TEXT_METAVAR, {bg, en}, false}
#define COUNTED(n, k, bg, en) {n, k, PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR, {bg, en}, false}
#define REASON(need) \
	{"reason", "reason", PLACE_REQUEST, OPTION_TEXT, NULL, TEXT_METAVAR, {"причина", "reason"}, need}

const struct cli cli = {"obmen-authority", "/run/obmen-authority/control",
    {"obmen-authorityd", "obmen-authorityd"}, FAULT_AUTHORITY_DOWN};

const struct option_row global_options[] = {
    {"socket", "socket", PLACE_LOCAL, OPTION_TEXT, NULL, {"ПЪТ", "PATH"},
        {"команден сокет (-s)", "the control socket (-s)"}, false},
    {"as", "as", PLACE_REQUEST, OPTION_TEXT, NULL, {"ИМЕ", "NAME"},
        {"служителят, от чието име се действа", "the officer in whose name you act"}, false},
    {"json", "json", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"отговорът е един обект JSON", "the answer is one JSON object"}, false},
    {"lang", "lang", PLACE_LOCAL, OPTION_TEXT, NULL, {"bg|en", "bg|en"},
        {"език на изхода", "language of the output"}, false},
    {"help", "help", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"помощ за командата (-h)", "help for the command (-h)"}, false},
    END};

static const struct option_row none[] = {END};
static const struct positional_row no_positional[] = {END_POSITIONAL};
static const struct positional_row guid_positional[] = {
    {"guid", PLACE_REQUEST, {"GUID", "GUID"}, true, false}, END_POSITIONAL};
static const struct positional_row id_positional[] = {
    {"id", PLACE_LOCAL, {"НОМЕР", "NUMBER"}, true, false}, END_POSITIONAL};
static const struct positional_row name_positional[] = {
    {"name", PLACE_REQUEST, {"ИМЕ", "NAME"}, true, false}, END_POSITIONAL};
static const struct positional_row serial_positional[] = {
    {"serial", PLACE_REQUEST, {"СЕРИЕН_НОМЕР", "SERIAL"}, true, false}, END_POSITIONAL};
static const struct positional_row query_positional[] = {
    {"query", PLACE_REQUEST, TEXT_METAVAR, false, false}, END_POSITIONAL};
static const struct positional_row file_positional[] = {
    {"file", PLACE_LOCAL, FILE_METAVAR, true, false}, END_POSITIONAL};
static const struct positional_row guid_file_positionals[] = {
    {"guid", PLACE_REQUEST, {"GUID", "GUID"}, true, false},
    {"file", PLACE_LOCAL, FILE_METAVAR, true, false}, END_POSITIONAL};
static const struct positional_row help_positionals[] = {
    {"words", PLACE_LOCAL, {"КОМАНДА", "COMMAND"}, false, true}, END_POSITIONAL};

#define PAGING COUNTED("limit", "limit", "най-много толкова реда", "at most so many lines"), \
	COUNTED("offset", "offset", "без първите толкова", "without the first so many")

static const struct option_row list_options[] = {
    ASKED("status", "status", TEXT_METAVAR, "само с това състояние", "of this status only", false),
    PAGING, END};
static const struct option_row show_options[] = {
    ASKED("at", "at", TEXT_METAVAR, "записът към този момент", "the record as of this moment", false), END};
#define RECORD_FIELDS \
	FIELD("name", "name", "име на администрацията", "name of the administration"), \
	FIELD("eik", "eik", "ЕИК: 9 или 13 цифри", "EIK: 9 or 13 digits"), \
	FIELD("parent", "parent_guid", "GUID на по-горната", "GUID of the one above"), \
	FIELD("host-name", "host_name", "определено име на сървъра", "assigned name of the server"), \
	FIELD("phone", "phone", "телефон", "phone"), FIELD("fax", "fax", "факс", "fax"), \
	FIELD("email", "email", "електронна поща", "e-mail"), \
	FIELD("serial", "certificate_serial", "сериен номер на сертификата", "serial of the certificate"), \
	FIELD("status", "status", "Active, Inactive, TemporarilyInactive", \
	    "Active, Inactive, TemporarilyInactive"), \
	FIELD("uri", "uri", "адрес https:// на услугата", "https:// address of the service"), \
	FIELD("service-status", "service_status", "състояние на услугата", "status of the service"), \
	FIELD("service-name", "service_name", "име на услугата", "name of the service")
static const struct option_row add_options[] = {
    FIELD("guid", "guid", "GUID; ако липсва, се прави нов", "GUID; a new one when missing"),
    RECORD_FIELDS, REASON(true), END};
static const struct option_row change_options[] = {RECORD_FIELDS, REASON(true), END};
static const struct option_row reason_options[] = {REASON(true), END};
static const struct option_row may_reason_options[] = {REASON(false), END};
static const struct option_row import_options[] = {
    {"replace", "replace", PLACE_REQUEST, OPTION_FLAG, NULL, {NULL, NULL},
        {"премахва участниците, които файлът не съдържа", "removes participants that the file does not have"},
        false},
    REASON(true), END};
static const struct option_row export_options[] = {
    {"output", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"файл; ако липсва, стандартният изход", "file; standard output when missing"}, false}, END};
static const struct option_row cmp_options[] = {
    {"output", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"файл за отговора", "file for the answer"}, true}, END};
static const struct option_row log_options[] = {
    ASKED("guid", "guid", TEXT_METAVAR, "само за този участник", "of this participant only", false),
    PAGING, END};
static const struct option_row page_options[] = {PAGING, END};
static const struct option_row request_options[] = {
    ASKED("state", "state", TEXT_METAVAR, "open, approved, refused", "open, approved, refused", false),
    ASKED("guid", "guid", TEXT_METAVAR, "само за този участник", "of this participant only", false),
    PAGING, END};
static const struct option_row certificate_options[] = {
    ASKED("state", "state", TEXT_METAVAR, "requested, approved, issued, revoked, ...",
        "requested, approved, issued, revoked, ...", false),
    ASKED("guid", "guid", TEXT_METAVAR, "само за този участник", "of this participant only", false),
    PAGING, END};
static const struct option_row revoke_options[] = {
    ASKED("reason", "reason", TEXT_METAVAR, "keyCompromise, superseded, cessationOfOperation, ...",
        "keyCompromise, superseded, cessationOfOperation, ...", true), END};
static const struct option_row officer_options[] = {
    ASKED("fingerprint", "fingerprint", TEXT_METAVAR, "SHA-256 на сертификата му",
        "SHA-256 of the certificate", true),
    {"role", "roles", PLACE_REQUEST, OPTION_LIST, NULL, {"РОЛЯ", "ROLE"},
        {"officer, registrar, ca-operator, auditor; може няколко пъти",
            "officer, registrar, ca-operator, auditor; may be repeated"}, true},
    END};
static const struct option_row reference_options[] = {
    COUNTED("valid-for", "valid_for", "срок в секунди", "validity in seconds"), END};

const struct verb_row verb_rows[] = {
    {{"status", NULL}, none, no_positional, "overview", NULL, render_overview,
        {"колко участници, какво чака, състояние на историята",
            "how many participants, what waits, the state of the history"},
        {"obmen-authority status", "obmen-authority status"}},
    {{"participant", "list"}, list_options, query_positional, "participant-list", NULL, render_records,
        {"участниците в регистъра", "the participants of the register"},
        {"obmen-authority participant list \"община\"", "obmen-authority participant list \"община\""}},
    {{"participant", "show"}, show_options, guid_positional, "participant-show", NULL, render_record,
        {"един запис, и към минал момент", "one record, also as of a past moment"},
        {"obmen-authority participant show {GUID} --at 2026-01-01T00:00:00+02:00",
            "obmen-authority participant show {GUID} --at 2026-01-01T00:00:00+02:00"}},
    {{"participant", "history"}, page_options, guid_positional, "participant-history", NULL,
        render_history, {"всички промени на един запис", "all changes of one record"},
        {"obmen-authority participant history {GUID}", "obmen-authority participant history {GUID}"}},
    {{"participant", "add"}, add_options, no_positional, "participant-add", run_participant_add, NULL,
        {"нов участник", "a new participant"},
        {"obmen-authority participant add --name \"Примерна агенция\" --eik 000000000 "
         "--host-name primer.obmen.local --reason \"заявление 12\"",
            "obmen-authority participant add --name \"Example\" --eik 000000000 "
            "--host-name primer.obmen.local --reason \"application 12\""}},
    {{"participant", "change"}, change_options, guid_positional, "participant-change",
        run_participant_change, NULL, {"променя полета на запис", "changes fields of a record"},
        {"obmen-authority participant change {GUID} --status Active --reason \"изпитан\"",
            "obmen-authority participant change {GUID} --status Active --reason tested"}},
    {{"participant", "remove"}, reason_options, guid_positional, "participant-remove", NULL, render_done,
        {"премахва участник; остава като неактивен за тези, които питат какво е ново",
            "removes a participant; it stays as inactive for those who ask what is new"},
        {"obmen-authority participant remove {GUID} --reason \"закрит\"",
            "obmen-authority participant remove {GUID} --reason closed"}},
    {{"register", "import"}, import_options, file_positional, "register-import", run_register_import,
        NULL, {"внася цял регистър: отговор на GetAllRecords или JSON",
            "imports a whole register: an answer of GetAllRecords, or JSON"},
        {"obmen-authority register import регистър.xml --reason \"прехвърляне\"",
            "obmen-authority register import register.xml --reason migration"}},
    {{"register", "export"}, export_options, no_positional, "register-export", run_register_export, NULL,
        {"целият регистър като отговор на GetAllRecords", "the whole register as an answer of GetAllRecords"},
        {"obmen-authority register export --output регистър.xml",
            "obmen-authority register export --output register.xml"}},
    {{"request", "list"}, request_options, no_positional, "request-list", NULL, render_requests,
        {"искания за промяна", "requests for change"},
        {"obmen-authority request list --state open", "obmen-authority request list --state open"}},
    {{"request", "show"}, none, id_positional, "request-show", run_file, render_request,
        {"едно искане", "one request"}, {"obmen-authority request show 7", "obmen-authority request show 7"}},
    {{"request", "approve"}, may_reason_options, id_positional, "request-approve", run_file, render_done,
        {"одобрява искане: промяната влиза в регистъра",
            "approves a request: the change enters the register"},
        {"obmen-authority request approve 7", "obmen-authority request approve 7"}},
    {{"request", "refuse"}, reason_options, id_positional, "request-refuse", run_file, render_done,
        {"отказва искане с причина", "refuses a request with a reason"},
        {"obmen-authority request refuse 7 --reason \"липсва заповед\"",
            "obmen-authority request refuse 7 --reason \"no order\""}},
    {{"certificate", "list"}, certificate_options, no_positional, "certificate-list", NULL,
        render_certificates, {"сертификати и заявки за тях", "certificates and requests for them"},
        {"obmen-authority certificate list --state requested",
            "obmen-authority certificate list --state requested"}},
    {{"certificate", "show"}, none, serial_positional, "certificate-show", NULL, render_certificate,
        {"един сертификат", "one certificate"},
        {"obmen-authority certificate show 0A1B2C3D4E5F6071",
            "obmen-authority certificate show 0A1B2C3D4E5F6071"}},
    {{"certificate", "submit"}, none, guid_file_positionals, "certificate-submit", run_file, render_done,
        {"подава заявка PKCS#10 от файл", "submits a PKCS#10 request from a file"},
        {"obmen-authority certificate submit {GUID} заявка.pem",
            "obmen-authority certificate submit {GUID} request.pem"}},
    {{"certificate", "approve"}, none, id_positional, "certificate-approve", run_file, render_done,
        {"одобрява заявка", "approves a request"},
        {"obmen-authority certificate approve 3 --as ИМЕ",
            "obmen-authority certificate approve 3 --as NAME"}},
    {{"certificate", "refuse"}, reason_options, id_positional, "certificate-refuse", run_file, render_done,
        {"отказва заявка с причина", "refuses a request with a reason"},
        {"obmen-authority certificate refuse 3 --reason \"друго име\"",
            "obmen-authority certificate refuse 3 --reason \"another name\""}},
    {{"certificate", "revoke"}, revoke_options, serial_positional, "certificate-revoke", NULL, render_done,
        {"отменя сертификат", "revokes a certificate"},
        {"obmen-authority certificate revoke 0A1B2C3D4E5F6071 --reason keyCompromise",
            "obmen-authority certificate revoke 0A1B2C3D4E5F6071 --reason keyCompromise"}},
    {{"certificate", "register"}, none, guid_file_positionals, "certificate-register", run_file,
        render_done, {"вписва сертификат на външен удостоверител",
            "registers a certificate of an external CA"},
        {"obmen-authority certificate register {GUID} сертификат.pem",
            "obmen-authority certificate register {GUID} certificate.pem"}},
    {{"certificate", "use"}, none, serial_positional, "certificate-use", NULL, render_done,
        {"регистърът показва този сертификат на участника отсега",
            "the register shows this certificate from now on"},
        {"obmen-authority certificate use 0A1B2C3D4E5F6071",
            "obmen-authority certificate use 0A1B2C3D4E5F6071"}},
    {{"cmp", NULL}, cmp_options, file_positional, "cmp-file", run_cmp, NULL,
        {"отговаря на съобщение по CMP, дошло като файл", "answers a CMP message that came as a file"},
        {"obmen-authority cmp заявка.cmp --output отговор.cmp",
            "obmen-authority cmp request.cmp --output answer.cmp"}},
    {{"reference", "create"}, reference_options, guid_positional, "reference-create", NULL,
        render_reference, {"номер и тайна за първа заявка по CMP; тайната се показва само сега",
            "reference and secret for a first request by CMP; the secret is shown only now"},
        {"obmen-authority reference create {GUID}", "obmen-authority reference create {GUID}"}},
    {{"officer", "list"}, none, no_positional, "officer-list", NULL, render_officers,
        {"служителите и ролите им", "the officers and their roles"},
        {"obmen-authority officer list", "obmen-authority officer list"}},
    {{"officer", "add"}, officer_options, name_positional, "officer-add", NULL, render_done,
        {"добавя служител, или му дава друг сертификат и други роли",
            "adds an officer, or gives one another certificate and other roles"},
        {"obmen-authority officer add \"Иван Иванов\" --fingerprint AB:CD:... --role registrar",
            "obmen-authority officer add \"Ivan Ivanov\" --fingerprint AB:CD:... --role registrar"}},
    {{"officer", "remove"}, none, name_positional, "officer-remove", NULL, render_done,
        {"маха служител", "removes an officer"},
        {"obmen-authority officer remove \"Иван Иванов\"", "obmen-authority officer remove \"Ivan Ivanov\""}},
    {{"log", "list"}, log_options, no_positional, "log-list", NULL, render_history,
        {"историята, най-новото първо", "the history, newest first"},
        {"obmen-authority log list --limit 20", "obmen-authority log list --limit 20"}},
    {{"log", "check"}, none, no_positional, "log-check", NULL, render_log_check,
        {"проверява веригата на цялата история", "checks the chain of the whole history"},
        {"obmen-authority log check", "obmen-authority log check"}},
    {{"whoami", NULL}, none, no_positional, "whoami", NULL, render_whoami,
        {"като кой действате и с какви права", "as whom you act, and with what rights"},
        {"obmen-authority whoami --as \"Иван Иванов\"", "obmen-authority whoami --as \"Ivan Ivanov\""}},
    {{"reload", NULL}, none, no_positional, "reload", NULL, render_done,
        {"чете настройките отново", "reads the configuration again"},
        {"obmen-authority reload", "obmen-authority reload"}},
    {{"help", NULL}, none, help_positionals, NULL, run_help, NULL,
        {"помощ за всички команди или за една", "help for all commands or for one"},
        {"obmen-authority help participant add", "obmen-authority help participant add"}},
};

const size_t verb_row_count = sizeof verb_rows / sizeof *verb_rows;
