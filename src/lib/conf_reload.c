/* What of a new configuration takes effect while the node runs; the table of options says which. */
#include <string.h>

#include "lib/conf_schema.h"
#include "lib/conf_value.h"

static size_t
value_size(const struct conf_option *o)
{
	static const size_t sizes[CONF_TYPE_COUNT] = {[CONF_FLAG] = sizeof(bool),
	    [CONF_COUNT] = sizeof(unsigned), [CONF_NUMBER] = sizeof(uint64_t),
	    [CONF_SECONDS] = sizeof(uint64_t), [CONF_BYTES] = sizeof(uint64_t),
	    [CONF_CHOICE] = sizeof(enum language)};

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
reload_general(const struct conf_schema *schema, void *running, void *fresh, struct buf *kept)
{
	for (size_t i = 0; i < schema->option_count; i++) {
		const struct conf_option *o = &schema->options[i];
		if (o->section != CONF_GENERAL || same_value(o, running, fresh))
			continue;
		if (o->fixed)
			name_kept(kept, "", o->key, "");
		else
			swap_value(o, running, fresh);
	}
}

/* The elements of a section. */
struct elements {
	char **array;
	unsigned *count;
	size_t size;
};

static struct elements
elements_of(const struct conf_section_row *row, void *conf)
{
	return (struct elements){.array = (char **)((char *)conf + row->array),
	    .count = (unsigned *)((char *)conf + row->count), .size = row->size};
}

static bool
same_sections(const struct conf_schema *schema, unsigned section, void *a, void *b)
{
	struct elements e = elements_of(&schema->sections[section], a);
	struct elements f = elements_of(&schema->sections[section], b);
	const char *x = *e.array, *y = *f.array;

	if (*e.count != *f.count)
		return false;
	for (unsigned i = 0; i < *e.count; i++, x += e.size, y += e.size) {
		if (!schema->rules->same_argument(section, x, y))
			return false;
		for (size_t k = 0; k < schema->option_count; k++) {
			const struct conf_option *o = &schema->options[k];
			if (o->section == section && !same_value(o, x, y))
				return false;
		}
	}
	return true;
}

/* Options that are fixed in a section that is not: an element keeps what it has; one that was not
 * there before has their defaults. */
static void
keep_fixed(const struct conf_schema *schema, unsigned section, void *fresh, const void *old,
    struct buf *kept)
{
	char initial[sizeof(uint64_t)], why[80], argument[128];

	for (size_t i = 0; i < schema->option_count; i++) {
		const struct conf_option *o = &schema->options[i];
		if (o->section != section || !o->fixed)
			continue;
		struct conf_option at_start = *o;
		at_start.offset = 0;
		memset(initial, 0, sizeof initial);
		if (!old && o->initial)
			conf_value_set(&at_start, initial, o->initial, LANGUAGE_EN, why, sizeof why);
		const char *value = old ? (const char *)old + o->offset : initial;
		if (memcmp((char *)fresh + o->offset, value, value_size(o)) == 0)
			continue;
		schema->rules->argument_text(section, fresh, argument, sizeof argument);
		name_kept(kept, "[", schema->sections[section].name, " ");
		buf_addf(kept, "%s] %s", argument, o->key);
		memcpy((char *)fresh + o->offset, value, value_size(o));
	}
}

/* Fixed options of such sections hold no strings: their values are copied. */
static void
reload_section(const struct conf_schema *schema, unsigned section, void *running, void *fresh,
    struct buf *kept)
{
	struct elements now = elements_of(&schema->sections[section], running);
	struct elements next = elements_of(&schema->sections[section], fresh);

	for (unsigned i = 0; i < *next.count; i++) {
		char *element = *next.array + i * next.size, *old = NULL;
		for (unsigned k = 0; k < *now.count && !old; k++) {
			if (schema->rules->same_argument(section, element, *now.array + k * now.size))
				old = *now.array + k * now.size;
		}
		keep_fixed(schema, section, element, old, kept);
	}
	char *array = *now.array;
	unsigned count = *now.count;
	*now.array = *next.array;
	*now.count = *next.count;
	*next.array = array;
	*next.count = count;
}

void
conf_reload_by(const struct conf_schema *schema, void *running, void *fresh, struct buf *kept)
{
	reload_general(schema, running, fresh, kept);
	for (unsigned s = CONF_GENERAL + 1; s < schema->section_count; s++) {
		if (schema->sections[s].fixed && !same_sections(schema, s, running, fresh))
			name_kept(kept, "[", schema->sections[s].name, "]");
	}
	for (unsigned s = CONF_GENERAL + 1; s < schema->section_count; s++) {
		if (!schema->sections[s].fixed)
			reload_section(schema, s, running, fresh, kept);
	}
	conf_free_by(schema, fresh);
}
