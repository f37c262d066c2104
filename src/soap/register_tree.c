#include "soap/register_tree.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define BUCKETS 65536u
#define HOPS_MAX 8      /* references to references */
#define CHILDREN_MAX 64 /* of one struct that are looked at: a real one has nine */
#define SERVICES_MAX 64
#define WAITS_BUDGET 1000

static const char *const names[NAME_COUNT] = {
	[NAME_OTHER] = "",
	[NAME_ENVELOPE] = "Envelope",
	[NAME_BODY] = "Body",
	[NAME_FAULT] = "Fault",
	[NAME_FAULT_STRING] = "faultstring",
	[NAME_ENTITIES] = "Entities",
	[NAME_EIK] = "EntityIdentifier",
	[NAME_GUID] = "Guid",
	[NAME_PARENT] = "ParentGuid",
	[NAME_BODY_NAME] = "AdministrativeBodyName",
	[NAME_CONTACT] = "Contact",
	[NAME_PHONE] = "Phone",
	[NAME_FAX] = "Fax",
	[NAME_EMAIL] = "EmailAddress",
	[NAME_SERIAL] = "CertificateSN",
	[NAME_SERVICES] = "Services",
	[NAME_NAME] = "Name",
	[NAME_URI] = "URI",
	[NAME_STATUS] = "Status",
	[NAME_VERSION] = "Version",
	[NAME_LAST_CHANGE] = "LastChange",
};

enum tree_name
tree_name_find(const char *local_name)
{
	for (size_t i = 1; i < NAME_COUNT; i++) {
		if (names[i][0] == local_name[0] && strcmp(names[i], local_name) == 0)
			return (enum tree_name)i;
	}
	return NAME_OTHER;
}

struct tree *
tree_add(struct arena *a, struct tree *parent, enum tree_name name)
{
	struct tree *t = arena_alloc(a, sizeof *t);

	if (!t)
		return NULL;
	t->name = name;
	if (parent) {
		*(parent->last ? &parent->last->next : &parent->children) = t;
		parent->last = t;
	}
	return t;
}

/* Copies a string into the arena; false only without room. */
static bool
copy_text(struct arena *a, const char *from, char **to)
{
	*to = from ? arena_strndup(a, from, strlen(from)) : NULL;
	return !from || *to;
}

/* As deep as the reader's depth limit. */
struct tree *
tree_copy(struct arena *a, struct tree *parent, const struct tree *from)
{
	struct tree *t = tree_add(a, parent, from->name);
	char *href;

	if (!t || !copy_text(a, from->text, &t->text) || !copy_text(a, from->href, &href))
		return NULL;
	t->href = href;
	for (const struct tree *c = from->children; c; c = c->next) {
		if (!tree_copy(a, t, c))
			return NULL;
	}
	return t;
}

struct tree_id {
	struct tree *tree;
	struct tree_id *next;
};

static struct tree_id **
bucket(const struct tree_ids *ids, const char *id)
{
	return &ids->buckets[hash_seeded(ids->seed, id, strlen(id)) % BUCKETS];
}

bool
tree_ids_add(struct tree_ids *ids, struct arena *a, struct tree *t)
{
	if (!ids->buckets) {
		if (RAND_bytes((uint8_t *)ids->seed, sizeof ids->seed) != 1)
			return false;
		ids->buckets = calloc(BUCKETS, sizeof(struct tree_id *));
	}
	struct tree_id *e = ids->buckets ? arena_alloc(a, sizeof *e) : NULL;
	if (!e)
		return false;
	struct tree_id **at = bucket(ids, t->id);
	*e = (struct tree_id){t, *at};
	*at = e;
	return true;
}

static struct tree *
tree_ids_find(const struct tree_ids *ids, const char *id)
{
	for (struct tree_id *e = ids->buckets ? *bucket(ids, id) : NULL; e; e = e->next) {
		if (strcmp(e->tree->id, id) == 0)
			return e->tree;
	}
	return NULL;
}

void
tree_ids_free(struct tree_ids *ids)
{
	free(ids->buckets);
	ids->buckets = NULL;
}

struct tree *
tree_follow(const struct tree_ids *ids, struct tree *t)
{
	for (unsigned hops = 0; t && t->href; hops++)
		t = hops < HOPS_MAX ? tree_ids_find(ids, t->href) : NULL;
	return t;
}

/* Looks at no more than *budget elements: what is larger or goes in circles waits for the end. */
static bool
waits(const struct tree_ids *ids, const struct tree *t, unsigned *budget)
{
	if (*budget == 0)
		return true;
	--*budget;
	if (t->href) {
		const struct tree *target = tree_ids_find(ids, t->href);
		return !target || waits(ids, target, budget);
	}
	for (const struct tree *c = t->children; c; c = c->next) {
		if (waits(ids, c, budget))
			return true;
	}
	return false;
}

bool
tree_waits(const struct tree_ids *ids, const struct tree *t)
{
	unsigned budget = WAITS_BUDGET;

	return waits(ids, t, &budget);
}

struct tree *
tree_child(const struct tree_ids *ids, const struct tree *t, enum tree_name name)
{
	unsigned seen = 0;

	for (struct tree *c = t ? t->children : NULL; c && seen < CHILDREN_MAX; c = c->next, seen++) {
		if (c->name == name)
			return tree_follow(ids, c);
	}
	return NULL;
}

const char *
tree_trim(char *text)
{
	static const char space[] = " \t\r\n";

	if (!text)
		return "";
	text += strspn(text, space);
	for (size_t n = strlen(text); n > 0 && strchr(space, text[n - 1]); n--)
		text[n - 1] = 0;
	return text;
}

/* A value as published, outer spaces included; "" when nil or absent. */
static const char *
raw(const struct tree_ids *ids, const struct tree *t, enum tree_name name)
{
	const struct tree *c = tree_child(ids, t, name);

	return c && c->text ? c->text : "";
}

static const char *
trimmed(const struct tree_ids *ids, const struct tree *t, enum tree_name name)
{
	const struct tree *c = tree_child(ids, t, name);

	return tree_trim(c ? c->text : NULL);
}

/* Services have free-text names: only the GUID tells which one is the document exchange. */
static struct tree *
exchange_service(const struct tree_ids *ids, const struct tree *entity)
{
	const struct tree *list = tree_child(ids, entity, NAME_SERVICES);
	struct guid wanted, guid;
	unsigned seen = 0;

	guid_parse_lenient(&wanted, SERVICE_DOCUMENT_EXCHANGE);
	for (struct tree *c = list ? list->children : NULL; c && seen < SERVICES_MAX;
	     c = c->next, seen++) {
		struct tree *service = tree_follow(ids, c);
		if (guid_parse_lenient(&guid, trimmed(ids, service, NAME_GUID)) &&
		    guid_equal(&guid, &wanted))
			return service;
	}
	return NULL;
}

bool
tree_participant(const struct tree_ids *ids, struct tree *item, struct participant *p)
{
	const struct tree *entity = tree_follow(ids, item);
	const struct tree *contact = tree_child(ids, entity, NAME_CONTACT);
	const struct tree *service = entity ? exchange_service(ids, entity) : NULL;
	const char *changed = trimmed(ids, entity, NAME_LAST_CHANGE);

	*p = (struct participant){
		.eik = trimmed(ids, entity, NAME_EIK),
		.name = raw(ids, entity, NAME_BODY_NAME),
		.phone = raw(ids, contact, NAME_PHONE),
		.fax = raw(ids, contact, NAME_FAX),
		.email = raw(ids, contact, NAME_EMAIL),
		.certificate_serial = trimmed(ids, entity, NAME_SERIAL),
		.service_name = raw(ids, service, NAME_NAME),
		.uri = trimmed(ids, service, NAME_URI),
		.service_version = trimmed(ids, service, NAME_VERSION),
		.entity_status = participant_status_parse(trimmed(ids, entity, NAME_STATUS)),
		.service_status = participant_status_parse(trimmed(ids, service, NAME_STATUS)),
		.last_change = WHEN_NONE,
	};
	p->status = participant_status_effective(p->entity_status, p->service_status);
	if (!when_parse(&p->last_change, changed, strlen(changed)))
		p->last_change = WHEN_NONE;
	if (!guid_parse_lenient(&p->parent, trimmed(ids, entity, NAME_PARENT)))
		p->parent = (struct guid){0};
	return guid_parse_lenient(&p->guid, trimmed(ids, entity, NAME_GUID)) &&
	    !guid_is_zero(&p->guid);
}
