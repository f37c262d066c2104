/* What of a new configuration takes effect while the node runs; the table of options says which. */
#include <string.h>

#include "lib/conf_table.h"
#include "lib/conf_value.h"

static size_t
value_size(const struct conf_option *o)
{
	static const size_t sizes[CONF_TYPE_COUNT] = {[CONF_FLAG] = sizeof(bool),
	    [CONF_COUNT] = sizeof(unsigned), [CONF_NUMBER] = sizeof(uint64_t),
	    [CONF_SECONDS] = sizeof(uint64_t), [CONF_BYTES] = sizeof(uint64_t),
	    [CONF_CHOICE] = sizeof(enum signature_policy)};

	return conf_value_is_string(o) ? sizeof(char *) : sizes[o->type];
}

static bool
same_value(const struct conf_option *o, const void *a, const void *b)
{
	const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;

	if (!conf_value_is_string(o))
		return memcmp(x, y, value_size(o)) == 0;
	const char *s = *(char *const *)x, *t = *(char *const *)y;
	return s && t ? strcmp(s, t) == 0 : s == t;
}

static void
swap_value(const struct conf_option *o, void *a, void *b)
{
	char kept[sizeof(uint64_t)];
	char *x = (char *)a + o->offset, *y = (char *)b + o->offset;
	size_t size = value_size(o);

	memcpy(kept, x, size);
	memcpy(x, y, size);
	memcpy(y, kept, size);
}

static void
name_kept(struct buf *kept, const char *before, const char *name, const char *after)
{
	buf_addf(kept, "%s%s%s%s", kept->len ? ", " : "", before, name, after);
}

static void
reload_general(struct conf *running, struct conf *fresh, struct buf *kept)
{
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		if (o->section != CONF_GENERAL || same_value(o, running, fresh))
			continue;
		if (o->fixed)
			name_kept(kept, "", o->key, "");
		else
			swap_value(o, running, fresh);
	}
}

/* The argument of a section: what [name ARGUMENT] says. */
static bool
same_argument(enum conf_section section, const void *a, const void *b)
{
	switch (section) {
	case CONF_CERTIFICATE:
		return strcmp(((const struct conf_certificate *)a)->name,
		           ((const struct conf_certificate *)b)->name) == 0;
	case CONF_LISTEN:
		return strcmp(((const struct conf_listen *)a)->address,
		           ((const struct conf_listen *)b)->address) == 0;
	case CONF_PARTICIPANT:
		return guid_equal(&((const struct conf_participant *)a)->guid,
		    &((const struct conf_participant *)b)->guid);
	default:
		return true;
	}
}

static bool
same_sections(enum conf_section section, const struct conf *a, const struct conf *b)
{
	const struct conf_section_row *row = &conf_sections[section];
	const char *x = *(char *const *)((const char *)a + row->array);
	const char *y = *(char *const *)((const char *)b + row->array);
	unsigned n = *(const unsigned *)((const char *)a + row->count);

	if (n != *(const unsigned *)((const char *)b + row->count))
		return false;
	for (unsigned i = 0; i < n; i++, x += row->size, y += row->size) {
		if (!same_argument(section, x, y))
			return false;
		for (size_t k = 0; k < conf_option_count; k++) {
			if (conf_options[k].section == section && !same_value(&conf_options[k], x, y))
				return false;
		}
	}
	return true;
}

/* A peer keeps what it has of the fixed options; one that was not there before has their defaults. */
static void
keep_fixed(struct conf_peer *fresh, const struct conf_peer *old, struct buf *kept)
{
	struct conf_peer none = {.guid = fresh->guid};
	char guid[GUID_TEXT_SIZE];
	char why[80];

	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		if (o->section != CONF_PEER || !o->fixed)
			continue;
		if (!old)
			conf_value_set(o, &none, o->initial, LANGUAGE_EN, why, sizeof why);
		if (same_value(o, fresh, old ? old : &none))
			continue;
		guid_format(&fresh->guid, guid);
		name_kept(kept, "[peer ", guid, "] ");
		buf_adds(kept, o->key);
		memcpy((char *)fresh + o->offset, (const char *)(old ? old : &none) + o->offset,
		    value_size(o));
	}
}

static void
reload_peers(struct conf *running, struct conf *fresh, struct buf *kept)
{
	struct conf_peer *peers = running->peers;
	unsigned count = running->peer_count;

	for (unsigned i = 0; i < fresh->peer_count; i++)
		keep_fixed(&fresh->peers[i], conf_peer(running, &fresh->peers[i].guid), kept);
	running->peers = fresh->peers;
	running->peer_count = fresh->peer_count;
	fresh->peers = peers;
	fresh->peer_count = count;
}

void
conf_reload(struct conf *running, struct conf *fresh, struct buf *kept)
{
	reload_general(running, fresh, kept);
	for (enum conf_section s = CONF_GENERAL + 1; s < CONF_SECTION_COUNT; s++) {
		if (conf_sections[s].fixed && !same_sections(s, running, fresh))
			name_kept(kept, "[", conf_sections[s].name, "]");
	}
	reload_peers(running, fresh, kept);
	conf_free(fresh);
}
