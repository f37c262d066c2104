/* Verbs: the register as a whole. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/ledger.h"
#include "authority/prepared.h"
#include "soap/register.h"

#define IMPORT_MAX ((off_t)64 << 20)

static void
read_entry(sqlite3_stmt *q, struct prepared_entry *e)
{
	*e = (struct prepared_entry){.changed = sqlite3_column_int64(q, 3),
	    .removed = sqlite3_column_int(q, 5) != 0};
	guid_parse_lenient(&e->guid, db_text(q, 0));
	snprintf(e->eik, sizeof e->eik, "%s", db_text(q, 1));
	snprintf(e->serial, sizeof e->serial, "%s", db_text(q, 2));
}

int
register_prepare(struct ledger *l)
{
	struct prepared_writer w;
	struct prepared_entry e;
	int64_t n = db_number(l, -1, "SELECT count(*) FROM participant WHERE removed = 0", "");
	bool ok = n >= 0 && prepared_begin(&w, (size_t)n);
	sqlite3_stmt *q = ok ? db_begin(l, "SELECT guid, eik, serial, changed, xml, removed FROM participant"
	    " ORDER BY removed, guid", "") : NULL;

	while (db_row(l, q)) {
		read_entry(q, &e);
		ok = ok && prepared_add(&w, &e, db_text(q, 4));
	}
	int fd = n >= 0 ? prepared_finish(&w) : -1;
	if ((!ok || l->failed) && fd >= 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The whole answer of GetAllRecords; its length is in the answer. */
enum fault
verb_register_export(struct call *c)
{
	int fd = register_prepare(c->ledger);
	struct prepared *p = fd < 0 ? NULL : prepared_open(fd);

	if (!p)
		return FAULT_LEDGER_FAILED;
	json_object_set_new(c->out, "bytes", json_integer((json_int_t)p->answer_len));
	json_object_set_new(c->out, "participants", json_integer((json_int_t)p->count));
	c->fd_out = dup(p->fd);
	prepared_free(p);
	return c->fd_out < 0 ? FAULT_LEDGER_FAILED : FAULT_NONE;
}

static json_t *
read_records(struct call *c)
{
	struct stat st;
	char *text = NULL;
	json_t *j = json_object_get(c->in, "records");

	if (j)
		return json_incref(j);
	if (c->fd_in < 0 || fstat(c->fd_in, &st) < 0 || st.st_size <= 0 || st.st_size > IMPORT_MAX)
		return NULL;
	text = malloc((size_t)st.st_size);
	if (text && pread(c->fd_in, text, (size_t)st.st_size, 0) == st.st_size)
		j = json_loadb(text, (size_t)st.st_size, 0, NULL);
	free(text);
	return j;
}

struct import {
	int64_t added, changed, same, removed;
};

static bool
was_removed(struct ledger *l, const char *guid)
{
	return db_number(l, 0, "SELECT removed FROM participant WHERE guid = ?", "s", guid) != 0;
}

/* The file of a register in use is taken as it is: its hierarchy may name parents that come later. */
static enum fault
import_one(struct call *c, const json_t *from, struct import *n)
{
	struct ledger *l = c->ledger;
	char guid[GUID_TEXT_SIZE];
	struct guid g;
	enum fault f;

	if (!guid_parse_lenient(&g, record_text(from, "guid")))
		return refuse(c, FAULT_ENTRY_FIELD, "guid", record_text(from, "guid"));
	guid_format(&g, guid);
	json_t *before = was_removed(l, guid) ? NULL : participant_record(l, guid);
	json_t *after = record_with(c, before, from, &f);
	if (!after) {
		size_t used = strlen(c->detail);
		snprintf(c->detail + used, sizeof c->detail - used, " (%s)", guid);
	} else if (before && json_equal(before, after)) {
		n->same++;
	} else if (!(f = participant_write(c, guid, after, false))) {
		*(before ? &n->changed : &n->added) += 1;
	}
	json_decref(before);
	json_decref(after);
	return f;
}

/* With "replace": what the file does not name goes. */
static enum fault
remove_others(struct call *c, const json_t *named, struct import *n)
{
	struct ledger *l = c->ledger;
	json_t *gone = json_array(), *item;
	size_t i;
	enum fault f = FAULT_NONE;
	sqlite3_stmt *q = db_begin(l, "SELECT record FROM participant WHERE removed = 0", "");

	while (db_row(l, q)) {
		json_t *record = db_json(q, 0);
		if (!json_object_get(named, record_text(record, "guid")))
			json_array_append(gone, record);
		json_decref(record);
	}
	json_array_foreach (gone, i, item) {
		json_object_set_new(item, "status", json_string("Inactive"));
		if ((f = participant_write(c, record_text(item, "guid"), item, true)))
			break;
		n->removed++;
	}
	json_decref(gone);
	return f;
}

static json_t *
guids_of(const json_t *records)
{
	json_t *set = json_object();
	const json_t *item;
	size_t i;
	struct guid g;
	char guid[GUID_TEXT_SIZE];

	json_array_foreach (records, i, item) {
		if (!guid_parse_lenient(&g, record_text(item, "guid")))
			continue;
		guid_format(&g, guid);
		json_object_set_new(set, guid, json_true());
	}
	return set;
}

enum fault
verb_register_import(struct call *c)
{
	json_t *records = read_records(c), *item;
	struct import n = {0};
	enum fault f = FAULT_NONE;
	size_t i;

	if (!json_is_array(records)) {
		json_decref(records);
		return refuse(c, FAULT_IMPORT_BROKEN, NULL, NULL);
	}
	json_array_foreach (records, i, item) {
		if ((f = import_one(c, item, &n)))
			break;
	}
	if (!f && json_is_true(json_object_get(c->in, "replace"))) {
		json_t *named = guids_of(records);
		f = remove_others(c, named, &n);
		json_decref(named);
	}
	json_decref(records);
	json_object_set_new(c->out, "added", json_integer(n.added));
	json_object_set_new(c->out, "changed", json_integer(n.changed));
	json_object_set_new(c->out, "same", json_integer(n.same));
	json_object_set_new(c->out, "removed", json_integer(n.removed));
	return f;
}
