/* Records of participants: what may stand in them, and how the register shows them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "authority/ledger.h"
#include "register/snapshot.h"
#include "soap/register_answer.h"

#define SERVICES_MAX 16
#define ZERO_GUID "{00000000-0000-0000-0000-000000000000}"

enum check { CHECK_GUID, CHECK_EIK, CHECK_TEXT, CHECK_SERIAL, CHECK_STATUS, CHECK_SERVICES, CHECK_URI,
	CHECK_VERSION, CHECK_HOST };

struct record_field {
	const char *name;
	enum check check;
	size_t max;         /* bytes of a text */
	bool required;      /* may not be empty */
	bool own;           /* a participant changes it itself */
	bool identity;      /* a participant asks for it */
	const char *service; /* the key in the document exchange service that it stands for */
};

static const struct record_field fields[] = {
    {"guid", CHECK_GUID, 0, .required = true},
    {"parent_guid", CHECK_GUID, 0, .identity = true},
    {"eik", CHECK_EIK, 13, .required = true, .identity = true},
    {"name", CHECK_TEXT, 400, .required = true, .identity = true},
    {"host_name", CHECK_HOST, 64, .identity = true},
    {"phone", CHECK_TEXT, 100, .own = true},
    {"fax", CHECK_TEXT, 100, .own = true},
    {"email", CHECK_TEXT, 200, .own = true},
    {"certificate_serial", CHECK_SERIAL, 40, .required = false},
    {"status", CHECK_STATUS, 0, .required = true, .own = true},
    {"services", CHECK_SERVICES, 0, .required = false},
    {"uri", CHECK_URI, 500, .own = true, .service = "uri"},
    {"service_name", CHECK_TEXT, 200, .service = "name"},
    {"service_status", CHECK_STATUS, 0, .required = true, .own = true, .service = "status"},
    {"service_version", CHECK_VERSION, 9, .service = "version"},
};

static const struct record_field service_fields[] = {
    {"guid", CHECK_GUID, 0, .required = true}, {"name", CHECK_TEXT, 200, .required = false},
    {"uri", CHECK_URI, 500, .required = false}, {"status", CHECK_STATUS, 0, .required = true},
    {"type", CHECK_TEXT, 50, .required = false}, {"version", CHECK_VERSION, 9, .required = false},
};

#define FIELDS (sizeof fields / sizeof *fields)
#define SERVICE_FIELDS (sizeof service_fields / sizeof *service_fields)

static const struct record_field *
find_field(const struct record_field *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	}
	return NULL;
}

bool
field_is_own(const char *key)
{
	const struct record_field *f = find_field(fields, FIELDS, key);

	return f && f->own;
}

bool
field_is_identity(const char *key)
{
	const struct record_field *f = find_field(fields, FIELDS, key);

	return f && f->identity;
}

const char *
record_text(const json_t *record, const char *key)
{
	const char *s = json_string_value(json_object_get(record, key));

	return s ? s : "";
}

bool
serial_key(const char *serial, char out[41])
{
	const char *s = serial + strspn(serial, "0");
	size_t len = strspn(s, "0123456789abcdefABCDEF");

	if (s[len] || len > 40 || !*serial)
		return false;
	for (size_t i = 0; i <= len; i++)
		out[i] = (char)toupper((unsigned char)s[i]);
	return true;
}

/* Text without control characters, and without outer white space that nobody meant. A name in the
 * register may hold a tab (protocol.md section 7). */
static bool
text_fits(const char *s, size_t max)
{
	if (strlen(s) > max)
		return false;
	for (; *s; s++) {
		if ((iscntrl((unsigned char)*s) && *s != '\t') || *s == 0x7f)
			return false;
	}
	return true;
}

static bool
host_fits(const char *s, size_t max)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return !s[len] && len <= max && !strstr(s, "..") && s[0] != '.' && s[0] != '-';
}

static json_t *
checked_text(const struct record_field *f, const char *s)
{
	struct guid g;
	char text[GUID_TEXT_SIZE], key[41];
	bool ok = true;

	if (!*s && !f->required && f->check != CHECK_GUID)
		return json_string("");
	switch (f->check) {
	case CHECK_GUID:
		if (!*s && !f->required)
			return json_string(ZERO_GUID);
		ok = guid_parse_lenient(&g, s) && (!f->required || !guid_is_zero(&g));
		if (ok)
			guid_format(&g, text);
		return ok ? json_string(text) : NULL;
	case CHECK_EIK:
		ok = strspn(s, "0123456789") == strlen(s) && (strlen(s) == 9 || strlen(s) == 13);
		break;
	case CHECK_SERIAL:
		ok = strlen(s) <= f->max && serial_key(s, key);
		break;
	case CHECK_STATUS:
		ok = strcmp(participant_status_name(participant_status_parse(s)), s) == 0;
		break;
	case CHECK_URI:
		ok = strncmp(s, "https://", 8) == 0 && s[8] && !strpbrk(s, " \t<>\"") &&
		    text_fits(s, f->max);
		break;
	case CHECK_VERSION:
		ok = strspn(s, "0123456789") == strlen(s) && strlen(s) <= f->max;
		break;
	case CHECK_HOST:
		ok = host_fits(s, f->max);
		break;
	default:
		ok = text_fits(s, f->max);
	}
	return ok ? json_string(s) : NULL;
}

/* The value as it will stand in the record; NULL when it is not acceptable. */
static json_t *
checked(const struct record_field *f, const json_t *value)
{
	char number[24];

	if (json_is_null(value))
		return f->required ? NULL : checked_text(f, "");
	if (json_is_integer(value) && f->check == CHECK_VERSION) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
		return checked_text(f, number);
	}
	const char *s = json_string_value(value);
	return s ? checked_text(f, s) : NULL;
}

static json_t *
new_service(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "guid", SERVICE_DOCUMENT_EXCHANGE, "name",
	    "Документооборот", "uri", "", "status", "Active", "type", "service", "version", "1");
}

static json_t *
checked_service(const json_t *from)
{
	json_t *s = new_service();
	const char *key;
	const json_t *value;

	json_object_foreach ((json_t *)from, key, value) {
		const struct record_field *f = find_field(service_fields, SERVICE_FIELDS, key);
		json_t *v = f ? checked(f, value) : NULL;
		if (!v || json_object_set_new(s, key, v) < 0) {
			json_decref(s);
			return NULL;
		}
	}
	return s;
}

static json_t *
checked_services(const json_t *from)
{
	json_t *list = json_array();
	size_t i;
	const json_t *item;

	if (!json_is_array(from) || json_array_size(from) > SERVICES_MAX) {
		json_decref(list);
		return NULL;
	}
	json_array_foreach (from, i, item) {
		json_t *s = json_is_object(item) ? checked_service(item) : NULL;
		if (!s || json_array_append_new(list, s) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* The service that documents are exchanged with; made when there is none. */
static json_t *
exchange_service(json_t *record)
{
	json_t *list = json_object_get(record, "services"), *s;
	size_t i;

	json_array_foreach (list, i, s) {
		if (strcasecmp(record_text(s, "guid"), SERVICE_DOCUMENT_EXCHANGE) == 0)
			return s;
	}
	s = new_service();
	return json_array_append_new(list, s) < 0 ? NULL : s;
}

static bool
set_field(json_t *record, const char *key, const json_t *value)
{
	const struct record_field *f = find_field(fields, FIELDS, key);
	json_t *v, *to = record;

	if (!f)
		return false;
	v = f->check == CHECK_SERVICES ? checked_services(value) : checked(f, value);
	if (f->service)
		to = exchange_service(record);
	if (v && to)
		return json_object_set_new(to, f->service ? f->service : key, v) == 0;
	json_decref(v);
	return false;
}

static json_t *
new_record(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[]}", "guid", "",
	    "parent_guid", ZERO_GUID, "eik", "", "name", "", "host_name", "", "phone", "", "fax", "",
	    "email", "", "certificate_serial", "", "status", "Inactive", "services");
}

/* What a new record must have. */
static const char *
missing(const json_t *record)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (fields[i].required && !fields[i].service && !*record_text(record, fields[i].name))
			return fields[i].name;
	}
	return NULL;
}

/* Services first, so that what is said of the exchange service is not lost with the list. */
static bool
apply(struct call *c, json_t *record, const json_t *from)
{
	const json_t *services = json_object_get(from, "services");
	const char *key;
	const json_t *value;

	if (services && !set_field(record, "services", services)) {
		refuse(c, FAULT_ENTRY_FIELD, "services", NULL);
		return false;
	}
	json_object_foreach ((json_t *)from, key, value) {
		const struct record_field *f = find_field(fields, FIELDS, key);
		if (strcmp(key, "services") == 0 || strcmp(key, "last_change") == 0)
			continue;
		if (f && set_field(record, key, value))
			continue;
		refuse(c, FAULT_ENTRY_FIELD, f ? f->name : NULL, key);
		return false;
	}
	return true;
}

json_t *
record_with(struct call *c, const json_t *base, const json_t *from, enum fault *fault)
{
	json_t *record = base ? json_deep_copy(base) : new_record();
	const char *lacks;

	*fault = FAULT_ENTRY_FIELD;
	if (!record) {
		*fault = FAULT_LEDGER_FAILED;
	} else if (!json_is_object(from)) {
		refuse(c, FAULT_ENTRY_FIELD, "fields", NULL);
	} else if (apply(c, record, from)) {
		lacks = missing(record);
		if (!lacks) {
			*fault = FAULT_NONE;
			return record;
		}
		refuse(c, FAULT_ENTRY_FIELD, lacks, NULL);
	}
	json_decref(record);
	return NULL;
}

/* NULL for what is empty: the register shows it as nil. */
static const char *
or_nil(const char *s)
{
	return *s ? s : NULL;
}

static size_t
fill_services(const json_t *record, struct register_service out[SERVICES_MAX])
{
	const json_t *list = json_object_get(record, "services"), *s;
	size_t i, n = 0;

	json_array_foreach (list, i, s) {
		if (n == SERVICES_MAX)
			break;
		out[n++] = (struct register_service){.guid = record_text(s, "guid"),
		    .name = record_text(s, "name"), .uri = record_text(s, "uri"),
		    .status = record_text(s, "status"), .type = record_text(s, "type"),
		    .version = or_nil(record_text(s, "version"))};
	}
	return n;
}

char *
record_xml(const json_t *record)
{
	struct register_service services[SERVICES_MAX];
	struct register_entity e = {.eik = record_text(record, "eik"), .guid = record_text(record, "guid"),
	    .parent = record_text(record, "parent_guid"), .name = record_text(record, "name"),
	    .phone = or_nil(record_text(record, "phone")), .fax = or_nil(record_text(record, "fax")),
	    .email = or_nil(record_text(record, "email")),
	    .serial = record_text(record, "certificate_serial"),
	    .status = record_text(record, "status"),
	    .last_change = record_text(record, "last_change"), .services = services,
	    .service_count = fill_services(record, services)};
	struct buf b = {0};

	register_answer_entity(&b, &e);
	return buf_take(&b, NULL);
}
