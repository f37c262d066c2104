/* Sending a document and saving its attachments: what needs more than one role. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/when.h"
#include "obmend/codec_details.h"
#include "obmend/control.h"

#define FILE_NAME_MAX 255 /* bytes of AttFileName */

/* The participant of this node that sends: the one named, or the first of the configuration. */
static const struct conf_participant *
find_sender(const struct request *r, const char *from)
{
	const struct conf *c = r->control->self->conf;
	struct participant p;
	struct guid g;

	if (!from)
		return &c->participants[0];
	if (guid_parse_lenient(&g, from))
		return conf_participant(c, &g);
	for (unsigned i = 0; i < c->participant_count; i++) {
		if (strcmp(c->participants[i].eik, from) == 0 ||
		    strcmp(c->participants[i].name, from) == 0)
			return &c->participants[i];
	}
	if (participant_resolve(r->control->snapshot, from, &p) != FAULT_NONE)
		return NULL;
	return conf_participant(c, &p.guid);
}

static enum fault
find_recipient(const struct request *r, const char *to, struct participant *out)
{
	enum fault f = participant_resolve(r->control->snapshot, to, out);

	if (f == FAULT_NONE && out->status == PARTICIPANT_INACTIVE)
		return FAULT_RECIPIENT_INACTIVE;
	return f; /* a temporarily inactive one gets it when it is back */
}

/* Sizes and kinds come from the files themselves; the names from the client. */
static enum fault
describe_attachment(json_t *attachment, int fd, const char **detail)
{
	const char *name = json_string_value(json_object_get(attachment, "file_name"));
	struct stat st;
	char head[16];

	*detail = "file_name";
	if (!name || !*name || strlen(name) > FILE_NAME_MAX || strchr(name, '/'))
		return FAULT_FIELD_VALUE;
	*detail = name;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return FAULT_FILE_UNREADABLE;
	ssize_t n = pread(fd, head, sizeof head, 0);
	if (n < 0)
		return FAULT_FILE_UNREADABLE;
	json_object_set_new(attachment, "size", json_integer(st.st_size));
	if (!json_object_get(attachment, "mime_type"))
		json_object_set_new(attachment, "mime_type",
				    json_string(mime_type(name, head, (size_t)n)));
	return FAULT_NONE;
}

/* base64 and the envelope make 4 bytes of 3: what would be refused on the way is refused here. */
static bool
too_large(const struct request *r, const json_t *list)
{
	uint64_t total = 0;
	size_t i;
	json_t *a;

	json_array_foreach (list, i, a)
		total += (uint64_t)json_integer_value(json_object_get(a, "size"));
	return total / 3 * 4 + 65536 > self_conf(r->control->self)->message_max;
}

static enum fault
describe_attachments(struct request *r, json_t *document, const char **detail)
{
	json_t *list = json_object_get(document, "attachments");
	size_t i;
	json_t *a;

	*detail = "attachments";
	if (list ? !json_is_array(list) || json_array_size(list) != r->nfds : r->nfds > 0)
		return FAULT_FIELD_VALUE;
	json_array_foreach (list, i, a) {
		enum fault f = describe_attachment(a, r->fds[i], detail);
		if (f != FAULT_NONE)
			return f;
	}
	*detail = "message-max";
	return too_large(r, list) ? FAULT_DOCUMENT_TOO_LARGE : FAULT_NONE;
}

/* What the sender may leave to the node. */
static bool
complete(json_t *document)
{
	char text[GUID_TEXT_SIZE];
	struct guid g;

	if (json_object_get(document, "number") && !json_object_get(document, "date")) {
		date_today(text);
		json_object_set_new(document, "date", json_string(text));
	}
	if (json_object_get(document, "document_guid"))
		return true;
	if (!guid_random(&g))
		return false;
	guid_format(&g, text);
	json_object_set_new(document, "document_guid", json_string(text));
	return true;
}

/* The same reading as codec's later one: nothing is accepted that could not be written. */
static enum fault
check_details(const json_t *document, char *detail, size_t size)
{
	struct arena arena = {0};
	struct document d;
	const char *comment;
	char *text = json_dumps(document, JSON_COMPACT);
	enum fault f = FAULT_INTERNAL;

	if (text && strlen(text) <= DETAILS_MAX)
		f = details_read(text, strlen(text), &arena, &d, &comment, detail, size);
	free(text);
	arena_free(&arena);
	return f;
}

static json_t *
submit_query(const struct conf_participant *sender, const struct participant *to, json_t *document)
{
	char from[GUID_TEXT_SIZE], guid[GUID_TEXT_SIZE];

	guid_format(&sender->guid, from);
	guid_format(&to->guid, guid);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "verb", "submit", "sender", from,
			 "recipient", guid, "recipient_name", to->name, "recipient_eik", to->eik,
			 "document", document);
}

void
document_send(struct request *r)
{
	const char *to = json_string_value(json_object_get(r->arguments, "to"));
	const char *from = json_string_value(json_object_get(r->arguments, "from"));
	json_t *document = json_object_get(r->arguments, "document");
	const struct conf_participant *sender = find_sender(r, from);
	struct participant recipient;
	const char *detail = to;
	char words[256] = "";

	if (!sender) {
		request_refuse(r, FAULT_SENDER_NOT_OURS, from);
		return;
	}
	/* It would be dated wrongly, and its terms counted from there. */
	if (clock_wrong(r->control->self->clock_floor)) {
		request_refuse(r, FAULT_CLOCK_WRONG, NULL);
		return;
	}
	enum fault f = find_recipient(r, to, &recipient);
	if (f == FAULT_NONE)
		f = describe_attachments(r, document, &detail);
	if (f != FAULT_NONE) {
		request_refuse(r, f, detail);
		return;
	}
	f = complete(document) ? check_details(document, words, sizeof words) : FAULT_INTERNAL;
	if (f != FAULT_NONE) {
		request_refuse(r, f, words);
		return;
	}
	unsigned n = r->nfds;
	r->nfds = 0; /* taken */
	request_ask(r, ROLE_STORE, 0, submit_query(sender, &recipient, document), r->fds, n,
	    request_forward);
}

static void
on_detached(struct request *r, json_t *answer, struct ipc_frame *f)
{
	(void)f;
	if (!answer)
		request_refuse(r, FAULT_ROLE_SILENT, role_name(ROLE_CODEC));
	else
		request_answer(r, json_incref(answer), NULL, 0);
}

/* Store gave the bytes of the message: a codec takes the attachment out of them. */
static void
on_body(struct request *r, json_t *answer, struct ipc_frame *f)
{
	json_t *index = json_object_get(r->arguments, "index");
	int fds[2] = {-1, r->fds[0]};

	if (!answer || !json_is_true(json_object_get(answer, "ok")) || f->nfds == 0) {
		request_forward(r, answer, f);
		return;
	}
	fds[0] = ipc_take_fd(f, 0);
	r->nfds = 0; /* taken */
	/* Spread the work as front does: any codec will do. */
	unsigned codec = (unsigned)(local_figures(r->control->local)->served % r->control->self->workers);
	request_ask(r, ROLE_CODEC, codec,
	    json_pack("{s:s, s:I}", "verb", "document.detach", "index",
	        index ? json_integer_value(index) : (json_int_t)0),
	    fds, 2, on_detached);
}

void
document_save(struct request *r)
{
	const char *document = json_string_value(json_object_get(r->arguments, "document"));

	request_ask(r, ROLE_STORE, 0,
		    json_pack("{s:s, s:s, s:s}", "verb", "document.body", "document", document,
			      "which", "message"),
		    NULL, 0, on_body);
}
