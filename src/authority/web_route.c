/* The table of routes: which path is which page, for whom, with which fields. */
#include <string.h>

#include "authority/web_page.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- fields ---- */

#define REASON_FIELD \
	{"reason", TEXT_REASON, TEXT_REASON_HINT, INPUT_AREA, .required = true, .max = 500}
#define NOTE_FIELD {"reason", TEXT_REASON, TEXT_NONE, INPUT_AREA, .max = 500}
#define PHONE_FIELD \
	{"phone", TEXT_PHONE, TEXT_NONE, INPUT_PHONE, .max = 64, .autocomplete = "tel"}
#define FAX_FIELD {"fax", TEXT_FAX, TEXT_NONE, INPUT_PHONE, .max = 64}
#define EMAIL_FIELD \
	{"email", TEXT_EMAIL, TEXT_NONE, INPUT_EMAIL, .max = 254, .autocomplete = "email"}
#define URI_FIELD {"uri", TEXT_URI, TEXT_URI_HINT, INPUT_URL, .required = true, .max = 500}
#define NAME_FIELD {"name", TEXT_NAME, TEXT_NAME_HINT, INPUT_LINE, .required = true, .max = 250}
#define EIK_FIELD {"eik", TEXT_EIK, TEXT_EIK_HINT, INPUT_EIK, .required = true, .max = 13}
#define PARENT_FIELD {"parent_guid", TEXT_PARENT, TEXT_PARENT_HINT, INPUT_GUID, .max = 38}
#define HOST_FIELD {"host_name", TEXT_HOST, TEXT_HOST_HINT, INPUT_HOST, .max = 64}
#define STATUS_FIELD \
	{"status", TEXT_STATUS, TEXT_NONE, INPUT_CHOICE, .required = true, .choices = states}

static const struct web_choice states[] = {
    {"Active", TEXT_NONE}, {"TemporarilyInactive", TEXT_NONE}, {"Inactive", TEXT_NONE}, {0}};

/* RFC 5280 section 5.3.1, those that an officer can have. */
static const struct web_choice revocation_reasons[] = {{"keyCompromise", TEXT_NONE},
    {"affiliationChanged", TEXT_NONE}, {"superseded", TEXT_NONE},
    {"cessationOfOperation", TEXT_NONE}, {"unspecified", TEXT_NONE}, {0}};

static const struct web_choice officer_roles[] = {{"officer", TEXT_NONE},
    {"registrar", TEXT_NONE}, {"ca-operator", TEXT_NONE}, {"auditor", TEXT_NONE}, {0}};

static const struct web_field contact[] = {PHONE_FIELD, FAX_FIELD, EMAIL_FIELD, NOTE_FIELD};
static const struct web_field service[] = {URI_FIELD, NOTE_FIELD};
static const struct web_field note[] = {NOTE_FIELD};
static const struct web_field reason[] = {REASON_FIELD};
static const struct web_field state[] = {STATUS_FIELD, REASON_FIELD};
static const struct web_field identity[] = {NAME_FIELD, EIK_FIELD, PARENT_FIELD, HOST_FIELD,
    REASON_FIELD};
static const struct web_field participant[] = {NAME_FIELD, EIK_FIELD, PARENT_FIELD, HOST_FIELD,
    URI_FIELD, PHONE_FIELD, FAX_FIELD, EMAIL_FIELD, STATUS_FIELD, REASON_FIELD};
static const struct web_field upload[] = {
    {"file", TEXT_CSR_FILE, TEXT_CSR_FILE_HINT, .input = INPUT_FILE},
    {"pem", TEXT_CSR_TEXT, TEXT_CSR_TEXT_HINT, INPUT_AREA, .max = 12000},
};
static const struct web_field external[] = {
    {"file", TEXT_PEM_FILE, TEXT_CSR_FILE_HINT, .input = INPUT_FILE},
    {"pem", TEXT_PEM_TEXT, TEXT_NONE, INPUT_AREA, .max = 12000},
    REASON_FIELD,
};
static const struct web_field revocation[] = {
    {"reason", TEXT_REVOCATION_REASON, TEXT_NONE, INPUT_CHOICE, .required = true,
	.choices = revocation_reasons},
};
static const struct web_field reference[] = {
    {"days", TEXT_REFERENCE_DAYS, TEXT_NONE, INPUT_DAYS, .required = true, .max = 3},
};
static const struct web_field officer[] = {
    {"name", TEXT_OFFICER_NAME, TEXT_OFFICER_NAME_HINT, INPUT_LINE, .required = true, .max = 40},
    {"fingerprint", TEXT_FINGERPRINT, TEXT_FINGERPRINT_HINT, INPUT_FINGERPRINT, .required = true,
	.max = 128},
    {"roles", TEXT_ROLES, TEXT_NONE, INPUT_CHOICES, .required = true, .choices = officer_roles},
    REASON_FIELD,
};

/* ---- routes ---- */

#define FIELDS(f) .fields = f, .field_count = COUNT(f)
#define SHOWS(name) .load = page_##name##_load, .show = page_##name##_show
#define OWN_OR_REGISTRAR (WHO_PARTICIPANT | WHO_RECORDS)

/* Fixed words stand before {}. */
static const struct web_route routes[] = {
    {"/", WHO_ANYONE, SHOWS(home)},
    {"/style.css", WHO_ANYONE, .show = page_style_show, .bare = true},
    {"/icon.svg", WHO_ANYONE, .show = page_icon_show, .bare = true},
    {"/language", WHO_ANYONE, .show = page_language_show, .bare = true},
    {"/accessibility", WHO_ANYONE, .show = page_accessibility_show},
    {"/leave", WHO_ANYONE, .show = page_leave_show, .act = page_leave_act},
    /* participants */
    {"/participants", WHO_KNOWN, SHOWS(participants)},
    {"/participants/new", WHO_RECORDS, .show = page_participant_new_show,
	FIELDS(participant), .act = page_participant_new_act, .then = "/participants",
	.done = TEXT_DONE_ADDED},
    {"/participants/{}", WHO_KNOWN, SHOWS(participant)},
    {"/participants/{}/history", WHO_KNOWN, SHOWS(history)},
    {"/participants/{}/contact", OWN_OR_REGISTRAR, SHOWS(contact), FIELDS(contact),
	.act = page_contact_act, .then = "/participants/{}", .done = TEXT_DONE_CONTACT},
    {"/participants/{}/service", OWN_OR_REGISTRAR, SHOWS(service), FIELDS(service),
	.act = page_service_act, .then = "/participants/{}", .done = TEXT_DONE_SERVICE},
    {"/participants/{}/pause", WHO_PARTICIPANT, SHOWS(pause), FIELDS(note), .act = page_pause_act,
	.then = "/participants/{}", .done = TEXT_DONE_PAUSE},
    {"/participants/{}/resume", WHO_PARTICIPANT, .load = page_pause_load, .show = page_resume_show,
	FIELDS(note), .act = page_resume_act, .then = "/participants/{}", .done = TEXT_DONE_RESUME},
    {"/participants/{}/identity", OWN_OR_REGISTRAR, SHOWS(identity), FIELDS(identity),
	.act = page_identity_act, .then = "/participants/{}", .done = TEXT_DONE_IDENTITY},
    {"/participants/{}/state", WHO_RECORDS, SHOWS(state), FIELDS(state), .act = page_state_act,
	.then = "/participants/{}", .done = TEXT_DONE_STATE},
    {"/participants/{}/remove", WHO_RECORDS, SHOWS(removal), FIELDS(reason),
	.act = page_removal_act, .then = "/participants", .done = TEXT_DONE_REMOVED},
    {"/participants/{}/reference", WHO_OFFICER | WHO_CA_OPERATOR, .load = page_certificate_new_load,
	.show = page_reference_show, FIELDS(reference), .act = page_reference_act},
    {"/participants/{}/certificates", WHO_KNOWN, SHOWS(own_certificates)},
    {"/participants/{}/certificates/new", WHO_PARTICIPANT | WHO_CA_OPERATOR,
	SHOWS(certificate_new), FIELDS(upload), .act = page_certificate_new_act,
	.then = "/participants/{}/certificates", .done = TEXT_DONE_CSR},
    {"/participants/{}/certificates/register", WHO_CA_OPERATOR, .load = page_certificate_new_load,
	.show = page_certificate_register_show, FIELDS(external), .act = page_certificate_register_act,
	.then = "/participants/{}/certificates", .done = TEXT_DONE_REGISTERED},
    /* requests */
    {"/requests", WHO_KNOWN, SHOWS(requests)},
    {"/requests/{}", WHO_KNOWN, SHOWS(request)},
    {"/requests/{}/approve", WHO_OFFICER, .load = page_request_load, .show = page_approval_show,
	FIELDS(note), .act = page_approval_act, .then = "/requests/{}", .done = TEXT_DONE_APPROVED},
    {"/requests/{}/refuse", WHO_OFFICER, .load = page_request_load, .show = page_refusal_show,
	FIELDS(reason), .act = page_refusal_act, .then = "/requests/{}", .done = TEXT_DONE_REFUSED},
    /* certificates */
    {"/certificates", WHO_KNOWN, SHOWS(certificates)},
    {"/certificates/{}", WHO_KNOWN, SHOWS(certificate)},
    {"/certificates/{}/file", WHO_KNOWN, .load = page_certificate_load, .show = page_certificate_file_show},
    {"/certificates/{}/revoke", WHO_CA_OPERATOR, .load = page_certificate_load,
	.show = page_revocation_show, FIELDS(revocation), .act = page_revocation_act,
	.then = "/certificates/{}", .done = TEXT_DONE_REVOKED},
    {"/certificates/requests/{}", WHO_KNOWN, SHOWS(certificate_request)},
    {"/certificates/requests/{}/approve", WHO_CA_OPERATOR, .load = page_certificate_request_load,
	.show = page_certificate_approval_show, FIELDS(note), .act = page_certificate_approval_act,
	.then = "/certificates/requests/{}", .done = TEXT_DONE_APPROVED},
    {"/certificates/requests/{}/refuse", WHO_CA_OPERATOR, .load = page_certificate_request_load,
	.show = page_certificate_refusal_show, FIELDS(reason), .act = page_certificate_refusal_act,
	.then = "/certificates/requests/{}", .done = TEXT_DONE_REFUSED},
    /* the authority */
    {"/officers", WHO_STAFF, SHOWS(officers)},
    {"/officers/new", WHO_OFFICER, .show = page_officer_new_show, FIELDS(officer),
	.act = page_officer_new_act, .then = "/officers", .done = TEXT_DONE_ADDED},
    {"/officers/{}/remove", WHO_OFFICER, .show = page_officer_removal_show, FIELDS(reason),
	.act = page_officer_removal_act, .then = "/officers", .done = TEXT_DONE_REMOVED},
    {"/log", WHO_STAFF, SHOWS(journal)},
    {"/log/check", WHO_STAFF, .show = page_journal_check_show, .act = page_journal_check_act},
    {"/status", WHO_STAFF, SHOWS(status)},
};

const struct web_route *
web_routes(size_t *count)
{
	*count = COUNT(routes);
	return routes;
}

/* Takes parts out of a path along a pattern. */
static bool
matches(const char *pattern, const char *path, char parts[WEB_PARTS][WEB_PART_SIZE])
{
	unsigned part = 0;

	while (*pattern) {
		if (strncmp(pattern, "{}", 2) != 0) {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		size_t len = strcspn(path, "/");
		if (part == WEB_PARTS || !web_path_part(path, len, parts[part], WEB_PART_SIZE))
			return false;
		part++;
		pattern += 2;
		path += len;
	}
	return *path == 0;
}

const struct web_route *
web_route_find(const char *path, char parts[WEB_PARTS][WEB_PART_SIZE])
{
	for (size_t i = 0; i < COUNT(routes); i++) {
		if (matches(routes[i].path, path, parts))
			return &routes[i];
	}
	return NULL;
}

bool
web_has_path(const char *path)
{
	char parts[WEB_PARTS][WEB_PART_SIZE];

	return web_route_find(path, parts) != NULL;
}
