/* Everything that obmenctl understands. */
#include "obmenctl/backup.h"
#include "obmenctl/evidence.h"

#define FILE_METAVAR {"ФАЙЛ", "FILE"}
#define TEXT_METAVAR {"ТЕКСТ", "TEXT"}
#define DATE_METAVAR {"ГГГГ-ММ-ДД", "YYYY-MM-DD"}
#define NUMBER_METAVAR {"БРОЙ", "COUNT"}
#define END {.name = NULL}
#define END_POSITIONAL {.key = NULL}

const struct cli cli = {"obmenctl", "/run/obmen/control", {"възелът", "the node"}, FAULT_CONTROL_DOWN};

const struct option_row global_options[] = {
    {"socket", "socket", PLACE_LOCAL, OPTION_TEXT, NULL, {"ПЪТ", "PATH"},
        {"команден сокет на възела (-s)", "the node's control socket (-s)"}, false},
    {"json", "json", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"отговорът е един обект JSON", "the answer is one JSON object"}, false},
    {"lang", "lang", PLACE_LOCAL, OPTION_TEXT, NULL, {"bg|en", "bg|en"},
        {"език на изхода", "language of the output"}, false},
    {"help", "help", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"помощ за командата (-h)", "help for the command (-h)"}, false},
    END};

static const struct option_row none[] = {END};

static const struct option_row send_options[] = {
    {"to", "to", PLACE_REQUEST, OPTION_TEXT, NULL, {"УЧАСТНИК", "PARTICIPANT"},
        {"получател: GUID, ЕИК или име", "recipient: GUID, EIK or name"}, true},
    {"from", "from", PLACE_REQUEST, OPTION_TEXT, NULL, {"УЧАСТНИК", "PARTICIPANT"},
        {"подател, ако възелът обслужва няколко", "sender, when the node serves several"}, false},
    {"about", "about", PLACE_DOCUMENT, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"относно", "subject"}, false},
    {"subject", "about", PLACE_DOCUMENT, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"същото като --about", "the same as --about"}, false},
    {"kind", "kind", PLACE_DOCUMENT, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"вид на документа", "kind of document"}, false},
    {"number", "number", PLACE_DOCUMENT, OPTION_TEXT, NULL, {"НОМЕР", "NUMBER"},
        {"регистрационен номер при нас", "our own registration number"}, false},
    {"date", "date", PLACE_DOCUMENT, OPTION_TEXT, NULL, DATE_METAVAR,
        {"дата на номера; ако липсва, днес", "date of the number; today when missing"}, false},
    {"attach", "files", PLACE_LOCAL, OPTION_LIST, NULL, FILE_METAVAR,
        {"прикачен файл; може няколко пъти", "attachment; may be repeated"}, false},
    {"comment", "comment", PLACE_DOCUMENT, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"бележка", "comment"}, false},
    {"correspondent", "correspondents", PLACE_LOCAL, OPTION_LIST, NULL,
        {"ИМЕ[;ГРАД]", "NAME[;CITY]"},
        {"кореспондент; може няколко пъти", "correspondent; may be repeated"}, false},
    {"attention-to", "attention_to", PLACE_DOCUMENT, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"на вниманието на", "for the attention of"}, false},
    {"close-by", "date_close", PLACE_DOCUMENT, OPTION_TEXT, NULL, DATE_METAVAR,
        {"искан срок за приключване", "date by which it should be closed"}, false},
    {"parent", "parent", PLACE_LOCAL, OPTION_TEXT, NULL, {"GUID", "GUID"},
        {"документът е в отговор на този", "the document answers this one"}, false},
    {"wait", "wait", PLACE_LOCAL, OPTION_NUMBER, NULL, {"СЕКУНДИ", "SECONDS"},
        {"чака решението на получателя", "wait for the recipient's decision"}, false},
    END};
static const struct positional_row send_positionals[] = {
    {"files", PLACE_LOCAL, FILE_METAVAR, false, true}, END_POSITIONAL};

static const struct option_row list_options[] = {
    {"in", "direction", PLACE_REQUEST, OPTION_FLAG, "in", {NULL, NULL},
        {"само входящи", "incoming only"}, false},
    {"out", "direction", PLACE_REQUEST, OPTION_FLAG, "out", {NULL, NULL},
        {"само изходящи", "outgoing only"}, false},
    {"state", "state", PLACE_REQUEST, OPTION_TEXT, NULL, {"СЪСТОЯНИЕ", "STATE"},
        {"waiting, registered, refused, stopped, closed, failed, ...",
            "waiting, registered, refused, stopped, closed, failed, ..."}, false},
    {"peer", "peer", PLACE_REQUEST, OPTION_TEXT, NULL, {"УЧАСТНИК", "PARTICIPANT"},
        {"само с този участник", "with this participant only"}, false},
    {"limit", "limit", PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"най-много толкова, от най-новия", "at most so many, from the newest"}, false},
    {"before", "before", PLACE_REQUEST, OPTION_NUMBER, NULL, {"РЕД", "ROW"},
        {"само преди този ред: следваща страница", "only before this row: the next page"}, false},
    END};

static const struct positional_row document_positional[] = {
    {"document", PLACE_REQUEST, {"ДОКУМЕНТ", "DOCUMENT"}, true, false}, END_POSITIONAL};

static const struct option_row register_options[] = {
    {"number", "number", PLACE_REQUEST, OPTION_TEXT, NULL, {"НОМЕР", "NUMBER"},
        {"входящ номер при нас", "our registration number"}, true},
    {"date", "date", PLACE_REQUEST, OPTION_TEXT, NULL, DATE_METAVAR,
        {"дата на номера; ако липсва, днес", "date of the number; today when missing"}, false},
    {"close-by", "date_close", PLACE_REQUEST, OPTION_TEXT, NULL, DATE_METAVAR,
        {"очаквано приключване", "expected closing date"}, false},
    END};
static const struct option_row refuse_options[] = {
    {"reason", "reason", PLACE_REQUEST, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"причина, която подателят вижда", "reason that the sender sees"}, true},
    END};
static const struct option_row end_options[] = {
    {"reason", "reason", PLACE_REQUEST, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"причина, която подателят вижда", "reason that the sender sees"}, false},
    {"close-by", "date_close", PLACE_REQUEST, OPTION_TEXT, NULL, DATE_METAVAR,
        {"очаквано приключване", "expected closing date"}, false},
    END};

static const struct option_row output_options[] = {
    {"output", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"къде; ако липсва, под собственото име на файла",
            "where; otherwise under the file's own name"},
        false},
    {"force", "force", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"презаписва съществуващ файл", "overwrite a file that exists"}, false},
    END};
static const struct option_row body_options[] = {
    {"output", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"къде; ако липсва, на стандартния изход", "where; otherwise to standard output"}, false},
    {"force", "force", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"презаписва съществуващ файл", "overwrite a file that exists"}, false},
    END};
static const struct positional_row save_positionals[] = {
    {"document", PLACE_REQUEST, {"ДОКУМЕНТ", "DOCUMENT"}, true, false},
    {"number", PLACE_LOCAL, {"НОМЕР-НА-ФАЙЛ", "FILE-NUMBER"}, false, false}, END_POSITIONAL};
static const struct positional_row body_positionals[] = {
    {"document", PLACE_REQUEST, {"ДОКУМЕНТ", "DOCUMENT"}, true, false},
    {"which", PLACE_REQUEST, {"КОЕ", "WHICH"}, true, false}, END_POSITIONAL};

static const struct option_row participants_options[] = {
    {"limit", "limit", PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"най-много толкова", "at most so many"}, false},
    {"offset", "offset", PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"без първите толкова", "without the first so many"}, false},
    END};
static const struct positional_row participant_positional[] = {
    {"participant", PLACE_REQUEST, {"УЧАСТНИК", "PARTICIPANT"}, true, false}, END_POSITIONAL};
static const struct option_row log_options[] = {
    {"lines", "lines", PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"най-много толкова, най-новите (100)", "at most so many, the newest (100)"}, false},
    {"level", "level", PLACE_REQUEST, OPTION_TEXT, NULL, {"НИВО", "LEVEL"},
        {"поне: debug, info, warning или error", "at least: debug, info, warning or error"}, false},
    {"event", "event", PLACE_REQUEST, OPTION_TEXT, NULL, {"КОД", "CODE"},
        {"събитие или началото му: courier.", "an event or its beginning: courier."}, false},
    {"role", "role", PLACE_REQUEST, OPTION_TEXT, NULL, {"ПРОЦЕС", "PROCESS"},
        {"само този процес", "this process only"}, false},
    {"document", "document", PLACE_REQUEST, OPTION_TEXT, NULL, {"ДОКУМЕНТ", "DOCUMENT"},
        {"само за този документ, през всички процеси",
            "of this document only, through all processes"}, false},
    {"follow", "follow", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"и новите, докато не спрете с Ctrl-C", "new ones too, until Ctrl-C"}, false},
    END};
static const struct option_row watch_options[] = {
    {"interval", "interval", PLACE_LOCAL, OPTION_NUMBER, NULL, {"СЕКУНДИ", "SECONDS"},
        {"през толкова (2)", "so often (2)"}, false},
    {"count", "count", PLACE_LOCAL, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"толкова пъти; иначе до Ctrl-C", "so many times; otherwise until Ctrl-C"}, false},
    END};
static const struct option_row maintenance_options[] = {
    {"reason", "reason", PLACE_REQUEST, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"причина, за състоянието и дневника", "reason, for status and journal"}, true},
    END};
static const struct positional_row side_positional[] = {
    {"side", PLACE_REQUEST, {"in|out|both", "in|out|both"}, false, false}, END_POSITIONAL};
static const struct option_row collect_options[] = {
    {"output", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"къде; ако липсва, obmen-diag-ДАТА.tar", "where; otherwise obmen-diag-DATE.tar"}, false},
    {"config", "config", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"настройките на възела (/etc/obmen/obmen.conf)",
            "the node's configuration (/etc/obmen/obmen.conf)"}, false},
    END};
static const struct positional_row shell_positional[] = {
    {"shell", PLACE_LOCAL, {"bash|zsh", "bash|zsh"}, true, false}, END_POSITIONAL};
static const struct option_row backup_create_options[] = {
    {"passphrase-file", "passphrase_file", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"кодът на първия ред, - за стандартния вход; ако липсва, прави се нов и се показва",
            "the code on its first line, - for standard input; otherwise a new one is made and shown"},
        false},
    {"with-keys", "with_keys", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"и частните ключове", "the private keys, too"}, false},
    {"config", "config", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"настройките на възела (/etc/obmen/obmen.conf)",
            "the node's configuration (/etc/obmen/obmen.conf)"}, false},
    END};
static const struct option_row backup_restore_options[] = {
    {"passphrase-file", "passphrase_file", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"кодът на първия ред, - за стандартния вход", "the code on its first line, - for standard input"},
        true},
    {"to", "to", PLACE_LOCAL, OPTION_TEXT, NULL, {"ПАПКА", "FOLDER"},
        {"новият state-directory; в него не бива да има store",
            "the new state-directory, without a store in it"}, true},
    {"ca", "ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"PEM с удостоверителите на обмена: и кой е подписал",
            "PEM of the exchange's authorities: who signed, too"}, false},
    {"user-prefix", "user_prefix", PLACE_LOCAL, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"както в настройките (obmen)", "as in the configuration (obmen)"}, false},
    END};
static const struct option_row test_options[] = {
    {"from", "from", PLACE_REQUEST, OPTION_TEXT, NULL, {"УЧАСТНИК", "PARTICIPANT"},
        {"от чие име, ако възелът обслужва няколко", "in whose name, when the node serves several"}, false},
    END};
static const struct option_row limit_options[] = {
    {"limit", "limit", PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"най-много толкова", "at most so many"}, false},
    END};
static const struct positional_row find_positional[] = {
    {"text", PLACE_REQUEST, TEXT_METAVAR, true, false}, END_POSITIONAL};
static const struct option_row accept_options[] = {
    {"candidate", "candidate", PLACE_REQUEST, OPTION_NUMBER, NULL, {"НОМЕР", "NUMBER"},
        {"само този, който register diff показа", "only the one that register diff showed"}, false},
    END};

static const struct option_row verify_options[] = {
    {"ca", "ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"PEM с удостоверителите на обмена", "PEM of the exchange's authorities"}, false},
    {"no-chain", "no_chain", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"само подписът; не и кой е издал сертификата",
            "the signature only, not who issued the certificate"},
        false},
    {"crl", "crl", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"списък на отменените сертификати", "list of revoked certificates"}, false},
    {"at", "at", PLACE_LOCAL, OPTION_TEXT, NULL, {"ВРЕМЕ", "TIME"},
        {"към този момент; иначе към датата на съобщението",
            "at this moment; otherwise at the message's own date"}, false},
    END};
static const struct option_row hold_options[] = {
    {"reason", "reason", PLACE_REQUEST, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"причина, за хронологията", "reason, for the timeline"}, false},
    END};
static const struct option_row drop_options[] = {
    {"reason", "reason", PLACE_REQUEST, OPTION_TEXT, NULL, TEXT_METAVAR,
        {"причина, за хронологията", "reason, for the timeline"}, false},
    {"yes", "yes", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"без въпрос за потвърждение", "do not ask for confirmation"}, false},
    END};
static const struct positional_row file_positional[] = {
    {"file", PLACE_LOCAL, FILE_METAVAR, true, false}, END_POSITIONAL};
static const struct positional_row update_positional[] = {
    {"file", PLACE_LOCAL, FILE_METAVAR, false, false}, END_POSITIONAL};
#define FROM_OPTION \
    {"from", "from", PLACE_REQUEST, OPTION_TEXT, NULL, {"stick|url", "stick|url"}, \
        {"от носител OBMEN-UPD или от update-url; ако липсва, от което го има", \
            "from a medium OBMEN-UPD or from update-url; otherwise from the one there is"}, false}
#define RESTART_OPTION \
    {"restart", "restart", PLACE_REQUEST, OPTION_FLAG, "yes", {NULL, NULL}, \
        {"пуска устройството наново веднага след това", "restart the box right afterwards"}, false}
static const struct option_row update_check_options[] = {FROM_OPTION, END};
static const struct option_row update_install_options[] = {FROM_OPTION, RESTART_OPTION, END};
static const struct option_row update_back_options[] = {RESTART_OPTION, END};
static const struct option_row evidence_export_options[] = {
    {"out", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"къде; ако липсва, evidence-РЕД.tar", "where; otherwise evidence-ROW.tar"}, false},
    {"output", "output", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"същото като --out", "the same as --out"}, false},
    {"force", "force", PLACE_LOCAL, OPTION_FLAG, NULL, {NULL, NULL},
        {"презаписва съществуващ файл", "overwrite a file that exists"}, false},
    END};
static const struct option_row evidence_archive_options[] = {
    {"days", "days", PLACE_REQUEST, OPTION_NUMBER, NULL, NUMBER_METAVAR,
        {"без промяна поне от толкова дни", "unchanged for at least so many days"}, true},
    END};
static const struct option_row evidence_verify_options[] = {
    {"ca", "ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"PEM с удостоверителите на обмена", "PEM of the exchange's authorities"}, false},
    {"crl", "crl", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"списък на отменените сертификати", "list of revoked certificates"}, false},
    {"tsa-ca", "tsa_ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"PEM с удостоверителите за време", "PEM of the time stamp authorities"}, false},
    END};
static const struct option_row cert_request_options[] = {
    {"server", "server", PLACE_LOCAL, OPTION_TEXT, NULL, {"URL", "URL"},
        {"адрес на удостоверителя, http://", "the authority's address, http://"}, false},
    {"certificate", "certificate", PLACE_LOCAL, OPTION_TEXT, NULL, {"ИМЕ", "NAME"},
        {"кой сертификат от obmen.conf: файл, ключ, удостоверител",
            "which certificate of obmen.conf: file, key, CA"}, false},
    {"conf", "conf", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"obmen.conf, ако е другаде", "obmen.conf, when it is elsewhere"}, false},
    {"key", "key", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"частният ключ", "the private key"}, false},
    {"cert", "cert", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"сертификатът", "the certificate"}, false},
    {"ca", "ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"удостоверителят; записва се, ако го няма", "the CA; written when it is not there"}, false},
    {"name", "name", PLACE_LOCAL, OPTION_TEXT, NULL, {"ИМЕ", "NAME"},
        {"определеното име на сървъра", "the assigned server name"}, false},
    {"eik", "eik", PLACE_LOCAL, OPTION_TEXT, NULL, {"ЕИК", "EIK"},
        {"ЕИК на участника", "the participant's EIK"}, false},
    {"reference", "reference", PLACE_LOCAL, OPTION_TEXT, NULL, {"НОМЕР", "NUMBER"},
        {"номер на поканата от удостоверителя", "the authority's reference"}, false},
    {"secret-file", "secret_file", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"файл с тайната ѝ; иначе стандартният вход",
            "file with its secret; otherwise standard input"},
        false},
    {"message", "message", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"съобщението отива в този файл, не по мрежата",
            "the message goes to this file, not over the network"},
        false},
    {"wait", "wait", PLACE_LOCAL, OPTION_NUMBER, NULL, {"СЕКУНДИ", "SECONDS"},
        {"чака решение толкова", "wait so long for a decision"}, false},
    END};
static const struct option_row cert_renew_options[] = {
    {"server", "server", PLACE_LOCAL, OPTION_TEXT, NULL, {"URL", "URL"},
        {"адрес на удостоверителя, http://", "the authority's address, http://"}, false},
    {"certificate", "certificate", PLACE_LOCAL, OPTION_TEXT, NULL, {"ИМЕ", "NAME"},
        {"кой сертификат от obmen.conf: файл, ключ, удостоверител",
            "which certificate of obmen.conf: file, key, CA"}, false},
    {"conf", "conf", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"obmen.conf, ако е другаде", "obmen.conf, when it is elsewhere"}, false},
    {"key", "key", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"частният ключ", "the private key"}, false},
    {"cert", "cert", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"сертификатът", "the certificate"}, false},
    {"ca", "ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"удостоверителят; записва се, ако го няма", "the CA; written when it is not there"}, false},
    {"new-key", "new_key", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"новият ключ; прави се, ако го няма", "the new key; made when it is not there"}, false},
    {"new-cert", "new_cert", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"новият сертификат", "the new certificate"}, false},
    {"message", "message", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"съобщението отива в този файл, не по мрежата",
            "the message goes to this file, not over the network"},
        false},
    {"wait", "wait", PLACE_LOCAL, OPTION_NUMBER, NULL, {"СЕКУНДИ", "SECONDS"},
        {"чака решение толкова", "wait so long for a decision"}, false},
    END};
static const struct option_row cert_install_options[] = {
    {"certificate", "certificate", PLACE_LOCAL, OPTION_TEXT, NULL, {"ИМЕ", "NAME"},
        {"кой сертификат от obmen.conf: файл, ключ, удостоверител",
            "which certificate of obmen.conf: file, key, CA"}, false},
    {"conf", "conf", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"obmen.conf, ако е другаде", "obmen.conf, when it is elsewhere"}, false},
    {"key", "key", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"частният ключ", "the private key"}, false},
    {"cert", "cert", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"сертификатът", "the certificate"}, false},
    {"ca", "ca", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"удостоверителят; записва се, ако го няма", "the CA; written when it is not there"}, false},
    {"name", "name", PLACE_LOCAL, OPTION_TEXT, NULL, {"ИМЕ", "NAME"},
        {"определеното име на сървъра", "the assigned server name"}, false},
    {"eik", "eik", PLACE_LOCAL, OPTION_TEXT, NULL, {"ЕИК", "EIK"},
        {"ЕИК на участника", "the participant's EIK"}, false},
    {"reference", "reference", PLACE_LOCAL, OPTION_TEXT, NULL, {"НОМЕР", "NUMBER"},
        {"номер на поканата от удостоверителя", "the authority's reference"}, false},
    {"secret-file", "secret_file", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"файл с тайната ѝ; иначе стандартният вход",
            "file with its secret; otherwise standard input"},
        false},
    {"new-key", "new_key", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"новият ключ; прави се, ако го няма", "the new key; made when it is not there"}, false},
    {"new-cert", "new_cert", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"новият сертификат", "the new certificate"}, false},
    {"message", "message", PLACE_LOCAL, OPTION_TEXT, NULL, FILE_METAVAR,
        {"съобщението отива в този файл, не по мрежата",
            "the message goes to this file, not over the network"},
        false},
    END};
static const struct positional_row answer_positional[] = {
    {"answer", PLACE_LOCAL, {"ОТГОВОР", "ANSWER"}, true, false}, END_POSITIONAL};
static const struct positional_row help_positional[] = {
    {"words", PLACE_LOCAL, {"КОМАНДА", "COMMAND"}, false, true}, END_POSITIONAL};
static const struct positional_row no_positional[] = {END_POSITIONAL};

const struct verb_row verb_rows[] = {
    {{"status", NULL}, none, no_positional, "status", NULL, render_status,
        {"състоянието на възела и следващата стъпка",
            "the state of the node, and the next step"},
        {"obmenctl status", "obmenctl status"}},
    {{"document", "send"}, send_options, send_positionals, "document.send", run_send, NULL,
        {"изпраща документ", "sends a document"},
        {"obmenctl document send --to 000695089 --number 94-00-17 --about \"Покана\" писмо.pdf\n"
         "obmenctl document send --to \"Община Пример\" --attach а.pdf --attach б.pdf --wait 60",
            "obmenctl document send --to 000695089 --number 94-00-17 --about Invitation "
            "letter.pdf\n"
            "obmenctl document send --to \"Example Municipality\" --attach a.pdf --wait 60"}},
    {{"document", "list"}, list_options, no_positional, "document.list", NULL, render_documents,
        {"документите, най-новите първо", "the documents, newest first"},
        {"obmenctl document list --in --state waiting",
            "obmenctl document list --in --state waiting"}},
    {{"document", "show"}, none, document_positional, "document.show", NULL, render_document,
        {"един документ: състояние, хронология, доказателства",
            "one document: state, timeline, evidence, what comes next"},
        {"obmenctl document show 42", "obmenctl document show 42"}},
    {{"document", "save"}, output_options, save_positionals, "document.save", run_save, NULL,
        {"записва прикачен файл", "saves an attachment"},
        {"obmenctl document save 42\nobmenctl document save 42 2 --output приложение.pdf",
            "obmenctl document save 42\nobmenctl document save 42 2 --output annex.pdf"}},
    {{"document", "body"}, body_options, body_positionals, "document.body", run_body, NULL,
        {"точните байтове на едно доказателство", "the exact bytes of one piece of evidence"},
        {"obmenctl document body 42 message --output съобщение.xml",
            "obmenctl document body 42 message --output message.xml"}},
    {{"document", "register"}, register_options, document_positional, "document.register", NULL,
        render_changed,
        {"регистрира входящ документ; подателят научава номера",
            "registers an incoming document; the sender learns the number"},
        {"obmenctl document register 42 --number ВХ-107",
            "obmenctl document register 42 --number IN-107"}},
    {{"document", "refuse"}, refuse_options, document_positional, "document.refuse", NULL,
        render_changed,
        {"отказва входящ документ с причина", "refuses an incoming document with a reason"},
        {"obmenctl document refuse 42 --reason \"Не е от нашата компетентност\"",
            "obmenctl document refuse 42 --reason \"Not our competence\""}},
    {{"document", "stop"}, end_options, document_positional, "document.stop", NULL, render_changed,
        {"спира работата по регистриран документ", "stops work on a registered document"},
        {"obmenctl document stop 42", "obmenctl document stop 42"}},
    {{"document", "close"}, end_options, document_positional, "document.close", NULL,
        render_changed,
        {"приключва регистриран документ", "closes a registered document"},
        {"obmenctl document close 42", "obmenctl document close 42"}},
    {{"participant", "list"}, participants_options, no_positional, "participant.list", NULL,
        render_participants,
        {"участниците от регистъра", "the participants of the register"},
        {"obmenctl participant list --limit 20", "obmenctl participant list --limit 20"}},
    {{"participant", "show"}, none, participant_positional, "participant.show", NULL,
        render_participant,
        {"един участник: адрес, сертификат, състояние",
            "one participant: address, certificate, status"},
        {"obmenctl participant show 000695089", "obmenctl participant show 000695089"}},
    {{"participant", "find"}, limit_options, find_positional, "participant.find", NULL,
        render_participants,
        {"търси по част от името, ЕИК, GUID или адрес",
            "looks by part of the name, EIK, GUID or host"},
        {"obmenctl participant find пример", "obmenctl participant find example"}},
    {{"participant", "test"}, test_options, participant_positional, "participant.test",
        run_participant_test, NULL,
        {"изпитва пътя до участник: име, връзка, TLS, сертификат, Submit",
            "tests the way to a participant: name, link, TLS, certificate, Submit"},
        {"obmenctl participant test 000695089", "obmenctl participant test 000695089"}},
    {{"register", "show"}, none, no_positional, "register.show", NULL, render_register,
        {"копието на регистъра: брой, възраст, източник",
            "the copy of the register: count, age, source"},
        {"obmenctl register show", "obmenctl register show"}},
    {{"register", "refresh"}, none, no_positional, "register.refresh", NULL,
        render_register_refresh,
        {"взема целия регистър сега", "fetches the whole register now"},
        {"obmenctl register refresh", "obmenctl register refresh"}},
    {{"register", "diff"}, none, no_positional, "register.diff", NULL, render_register_diff,
        {"какво би променил задържаният регистър", "what the held register would change"},
        {"obmenctl register diff", "obmenctl register diff"}},
    {{"register", "accept"}, accept_options, no_positional, "register.accept", NULL,
        render_register_accept,
        {"прилага задържания регистър", "applies the held register"},
        {"obmenctl register accept", "obmenctl register accept"}},
    {{"queue", "list"}, limit_options, no_positional, "queue.list", NULL, render_queue,
        {"какво чака за изпращане и кога е следващият опит", "what waits to be sent, and when"},
        {"obmenctl queue list", "obmenctl queue list"}},
    {{"queue", "show"}, none, document_positional, "queue.show", NULL, render_queue_entry,
        {"защо един документ чака, откога, какво следва, чий ред е",
            "why one document waits, since when, what is next, whose turn"},
        {"obmenctl queue show 42", "obmenctl queue show 42"}},
    {{"queue", "retry"}, hold_options, document_positional, "queue.retry", NULL,
        render_queue_changed,
        {"опитва сега, без да чака; освобождава и задържан",
            "tries now instead of later; releases what is on hold, too"},
        {"obmenctl queue retry 42", "obmenctl queue retry 42"}},
    {{"queue", "hold"}, hold_options, document_positional, "queue.hold", NULL,
        render_queue_changed,
        {"задържа, докато не бъде освободен, и след рестарт",
            "holds it until it is released, over restarts"},
        {"obmenctl queue hold 42 --reason \"Чака подпис\"",
            "obmenctl queue hold 42 --reason \"Waits for approval\""}},
    {{"queue", "release"}, hold_options, document_positional, "queue.release", NULL,
        render_queue_changed,
        {"освобождава задържан документ", "releases what is on hold"},
        {"obmenctl queue release 42", "obmenctl queue release 42"}},
    {{"queue", "drop"}, drop_options, document_positional, "queue.drop", run_confirmed,
        render_queue_changed,
        {"сваля от опашката завинаги, след потвърждение",
            "takes it off the queue for good, after confirmation"},
        {"obmenctl queue drop 42 --reason \"Изпратен по пощата\"",
            "obmenctl queue drop 42 --reason \"Sent by post\""}},
    {{"evidence", "export"}, evidence_export_options, document_positional, "evidence.export",
        run_evidence_export, NULL,
        {"събира доказателствата за един документ в един файл",
            "collects the evidence of one document in one file"},
        {"obmenctl evidence export 42 --out дело.tar", "obmenctl evidence export 42 --out case.tar"}},
    {{"evidence", "verify"}, evidence_verify_options, file_positional, NULL, run_evidence_verify, NULL,
        {"проверява такъв файл без връзка с възела", "checks such a file, without the node"},
        {"obmenctl evidence verify дело.tar --ca ca.pem --tsa-ca tsa.pem",
            "obmenctl evidence verify case.tar --ca ca.pem --tsa-ca tsa.pem"}},
    {{"evidence", "archive"}, evidence_archive_options, no_positional, "evidence.archive", NULL,
        render_evidence_archive,
        {"мести отдавна приключените документи в подписани архиви",
            "moves documents that ended long ago to signed archives"},
        {"obmenctl evidence archive --days 3650", "obmenctl evidence archive --days 3650"}},
    {{"evidence", "check"}, none, no_positional, "evidence.check", run_evidence_check, NULL,
        {"проверява целия дневник на възела", "checks the node's whole journal"},
        {"obmenctl evidence check", "obmenctl evidence check"}},
    {{"cert", "show"}, none, no_positional, "cert.show", NULL, render_certificates,
        {"нашите сертификати: срок, номер в регистъра, наследник; отменените",
            "our certificates: validity, registered serial, successor; revoked ones"},
        {"obmenctl cert show", "obmenctl cert show"}},
    {{"cert", "import-crl"}, none, file_positional, "cert.import-crl", run_import_crl, NULL,
        {"взема от файл списък на отменените сертификати",
            "takes a list of revoked certificates from a file"},
        {"obmenctl cert import-crl exchange.crl", "obmenctl cert import-crl exchange.crl"}},
    {{"cert", "request"}, cert_request_options, no_positional, NULL, run_cert_request, NULL,
        {"прави ключ и иска сертификат от удостоверителя",
            "makes a key and asks the authority for a certificate"},
        {"obmenctl cert request --server http://ca.obmen.local --certificate main --name"
         " primer.obmen.local"
         " --reference K7QMD-2X4RT <тайна",
            "obmenctl cert request --server http://ca.obmen.local --certificate main --name"
         " primer.obmen.local"
            " --reference K7QMD-2X4RT <secret"}},
    {{"cert", "poll"}, cert_request_options, no_positional, NULL, run_cert_poll, NULL,
        {"пита какво е станало със заявката", "asks what became of the request"},
        {"obmenctl cert poll --server http://ca.obmen.local --certificate main --name"
         " primer.obmen.local"
         " --reference K7QMD-2X4RT --secret-file тайна",
            "obmenctl cert poll --server http://ca.obmen.local --certificate main --name"
         " primer.obmen.local"
            " --reference K7QMD-2X4RT --secret-file secret"}},
    {{"cert", "renew"}, cert_renew_options, no_positional, NULL, run_cert_renew, NULL,
        {"иска нов сертификат, подписано със стария",
            "asks for a new certificate, signed by the old one"},
        {"obmenctl cert renew --server http://ca.obmen.local --certificate main --new-key нов.key"
         " --new-cert нов.pem",
            "obmenctl cert renew --server http://ca.obmen.local --certificate main --new-key new.key"
            " --new-cert new.pem"}},
    {{"cert", "install"}, cert_install_options, answer_positional, NULL, run_cert_install, NULL,
        {"инсталира отговор на удостоверителя, дошъл като файл",
            "installs an answer of the authority that came as a file"},
        {"obmenctl cert install --message заявка.cmp --certificate main --name primer.obmen.local"
         " --reference K7QMD-2X4RT --secret-file тайна отговор.cmp",
            "obmenctl cert install --message request.cmp --certificate main --name primer.obmen.local"
            " --reference K7QMD-2X4RT --secret-file secret answer.cmp"}},
    {{"log", NULL}, log_options, no_positional, "log", run_log, NULL,
        {"последните редове от дневника на възела", "the newest lines of the node's log"},
        {"obmenctl log --level warning\nobmenctl log --document 42\nobmenctl log --follow",
            "obmenctl log --level warning\nobmenctl log --document 42\nobmenctl log --follow"}},
    {{"watch", NULL}, watch_options, no_positional, NULL, run_watch, NULL,
        {"състоянието и опашката, отново и отново", "status and queue, again and again"},
        {"obmenctl watch", "obmenctl watch"}},
    {{"diag", "run"}, none, no_positional, NULL, run_diag, NULL,
        {"самопроверка на възела: диск, часовник, регистър, достъпност",
            "the node's self-test: disk, clock, register, reachability"},
        {"obmenctl diag run", "obmenctl diag run"}},
    {{"diag", "collect"}, collect_options, no_positional, NULL, run_diag_collect, NULL,
        {"събира сведения за поддръжката, без тайни и съдържание",
            "collects facts for support, without secrets or contents"},
        {"obmenctl diag collect --output diag.tar", "obmenctl diag collect --output diag.tar"}},
    {{"backup", "create"}, backup_create_options, file_positional, NULL, run_backup_create, NULL,
        {"прави шифровано и подписано копие, докато възелът работи",
            "makes an encrypted, signed backup while the node works"},
        {"obmenctl backup create obmen.backup",
            "obmenctl backup create obmen.backup --passphrase-file code.txt"}},
    {{"backup", "restore"}, backup_restore_options, file_positional, NULL, run_backup_restore, NULL,
        {"възстановява от копие, и на друга машина", "restores from one, on another machine too"},
        {"obmenctl backup restore obmen.backup --passphrase-file код.txt --to /var/lib/obmen",
            "obmenctl backup restore obmen.backup --passphrase-file code.txt --to /var/lib/obmen"}},
    {{"maintenance", "on"}, maintenance_options, side_positional, "maintenance", run_maintenance, NULL,
        {"спира приемането, изпращането или и двете, и след рестарт",
            "stops receiving, sending or both, over restarts"},
        {"obmenctl maintenance on in --reason \"Смяна на диск\"",
            "obmenctl maintenance on in --reason \"A new disk\""}},
    {{"maintenance", "off"}, none, side_positional, "maintenance", run_maintenance, NULL,
        {"пуска ги отново", "resumes them"},
        {"obmenctl maintenance off", "obmenctl maintenance off"}},
    {{"completion", NULL}, none, shell_positional, NULL, run_completion, NULL,
        {"скрипт за допълване на командния ред", "a script that completes command lines"},
        {"obmenctl completion bash >/etc/bash_completion.d/obmenctl",
            "obmenctl completion bash >/etc/bash_completion.d/obmenctl"}},
    {{"reload", NULL}, none, no_positional, "reload", NULL, render_reload,
        {"прочита настройките отново, без да прекъсва връзки",
            "reads the configuration again, without dropping connections"},
        {"obmend -n && obmenctl reload", "obmend -n && obmenctl reload"}},
    {{"update", "status"}, none, no_positional, "update.status", NULL, render_update_status,
        {"версиите в двете половини на диска на устройството", "the versions in both slots of the box"},
        {"obmenctl update status", "obmenctl update status"}},
    {{"update", "check"}, update_check_options, update_positional, "update.check", run_update,
        render_update_check,
        {"проверява обновяване, без да променя нищо", "checks an update, and changes nothing"},
        {"obmenctl update check", "obmenctl update check"}},
    {{"update", "install"}, update_install_options, update_positional, "update.install", run_update,
        render_update_install,
        {"записва нова версия; тя се изпитва при следващото пускане",
            "writes a new version; it is tried at the next start"},
        {"obmenctl update install --restart\nobmenctl update install obmen-1.1.0.update",
            "obmenctl update install --restart\nobmenctl update install obmen-1.1.0.update"}},
    {{"update", "back"}, update_back_options, no_positional, "update.back", NULL, render_update_back,
        {"връща предишната версия при следващото пускане",
            "goes back to the version before at the next start"},
        {"obmenctl update back --restart", "obmenctl update back --restart"}},
    {{"verify", NULL}, verify_options, file_positional, NULL, run_verify, NULL,
        {"проверява подписано съобщение без връзка с възела",
            "checks a signed message, without the node"},
        {"obmenctl verify съобщение.xml --ca /etc/obmen/ca.pem\n"
         "obmenctl verify съобщение.xml --no-chain --at 2026-11-21T09:30:00+02:00",
            "obmenctl verify message.xml --ca /etc/obmen/ca.pem\n"
            "obmenctl verify message.xml --no-chain --at 2026-11-21T09:30:00+02:00"}},
    {{"help", NULL}, none, help_positional, NULL, run_help, NULL,
        {"помощ", "help"}, {"obmenctl help document send", "obmenctl help document send"}},
};

const size_t verb_row_count = sizeof verb_rows / sizeof *verb_rows;
