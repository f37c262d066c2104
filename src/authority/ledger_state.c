/* Verbs: how it all stands. */
#include "authority/ledger_ca.h"

static int64_t
count(struct ledger *l, const char *status)
{
	return db_number(l, 0, "SELECT count(*) FROM participant WHERE removed = 0 AND status = ?", "s",
	    status);
}

enum fault
verb_overview(struct call *c)
{
	struct ledger *l = c->ledger;
	struct buf head = {0};
	int64_t bytes = db_number(l, 0, "PRAGMA page_count", "") * db_number(l, 0, "PRAGMA page_size", "");

	buf_add_hex(&head, l->head, sizeof l->head);
	json_object_set_new(c->out, "participants", json_pack("{s:I, s:I, s:I}",
	    "active", (json_int_t)count(l, "Active"),
	    "temporarily_inactive", (json_int_t)count(l, "TemporarilyInactive"),
	    "inactive", (json_int_t)count(l, "Inactive")));
	json_object_set_new(c->out, "open", json_pack("{s:I}", "requests",
	    (json_int_t)db_number(l, 0, "SELECT count(*) FROM request WHERE state = 'open'", "")));
	json_object_set_new(c->out, "ledger", json_pack("{s:I, s:I, s:s}", "entries",
	    (json_int_t)l->entries, "bytes", (json_int_t)bytes, "head", buf_str(&head)));
	out_moment(c->out, "started", l->started);
	ledger_ca_status(l, c->out);
	buf_free(&head);
	return FAULT_NONE;
}

/* For cookies and tokens of the pages; another one with every start, so that sessions end with it. */
enum fault
verb_session_secret(struct call *c)
{
	struct buf b = {0};

	buf_add_base64(&b, c->ledger->session_secret, sizeof c->ledger->session_secret);
	json_object_set_new(c->out, "secret", json_string(buf_str(&b)));
	buf_free(&b);
	return FAULT_NONE;
}
