#include <string.h>

#include "obmenctl/ctl.h"

#define WIDE 100 /* columns */

/* "number of date", or the URI's three parts; "" when there is none. */
static char *
number_text(const struct ctl *ctl, const json_t *d, const char *prefix, char *out, size_t size)
{
	char key[48], day[64];
	const char *date;

	snprintf(key, sizeof key, "%sdate", prefix);
	date = say_day(ctl, text_of(d, key), day);
	snprintf(key, sizeof key, "%snumber", prefix);
	if (*text_of(d, key))
		snprintf(out, size, "%s%s%s", text_of(d, key),
			 *date ? say(ctl, " от ", " of ") : "", date);
	else
		snprintf(out, size, "%s", "");
	snprintf(key, sizeof key, "%suri_sequence", prefix);
	if (!*out && *text_of(d, key)) {
		const char *sequence = text_of(d, key);
		snprintf(key, sizeof key, "%suri_register", prefix);
		const char *index = text_of(d, key);
		snprintf(key, sizeof key, "%suri_date", prefix);
		snprintf(out, size, "%s-%s-%s", index, sequence, text_of(d, key));
	}
	return out;
}

static void
peer_text(const struct ctl *ctl, const json_t *peer, char *out, size_t size)
{
	const char *eik = text_of(peer, "eik");

	snprintf(out, size, "%s%s%s%s%s", text_of(peer, "name"), *eik ? " (" : "",
	    *eik ? say(ctl, "ЕИК ", "EIK ") : "", eik, *eik ? ")" : "");
	if (!*out)
		snprintf(out, size, "%s", text_of(peer, "guid"));
}

void
say_peer(const struct ctl *ctl, const json_t *d)
{
	bool in = strcmp(text_of(d, "direction"), "in") == 0;
	char text[1024];

	peer_text(ctl, json_object_get(d, "peer"), text, sizeof text);
	say_line(ctl, in ? say(ctl, "От", "From") : say(ctl, "До", "To"), text);
}

static void
say_attachments(const struct ctl *ctl, const json_t *details)
{
	size_t i;
	json_t *a;
	char text[512], label[64], size[32];

	json_array_foreach (json_object_get(details, "attachments"), i, a) {
		snprintf(label, sizeof label, "%s %zu", say(ctl, "Файл", "File"), i + 1);
		snprintf(text, sizeof text, "%s, %s, %s", text_of(a, "file_name"),
		    say_size(ctl, number_of(a, "size"), size), text_of(a, "mime_type"));
		say_line(ctl, label, text);
	}
}

static void
say_correspondents(const struct ctl *ctl, const json_t *details)
{
	size_t i;
	json_t *c;
	char text[512];

	json_array_foreach (json_object_get(details, "correspondents"), i, c) {
		const char *city = text_of(c, "city");
		snprintf(text, sizeof text, "%s%s%s", text_of(c, "name"), *city ? ", " : "", city);
		say_line(ctl, say(ctl, "Кореспондент", "Correspondent"), text);
	}
}

/* What the node itself does next, and when. */
void
say_next(const struct ctl *ctl, const json_t *d)
{
	const json_t *next = json_object_get(d, "next");
	const char *what = text_of(next, "what");
	char at[64], text[256];

	if (!next)
		return;
	const char *words = strcmp(what, "send") == 0 ? say(ctl, "изпращане", "sending") :
	    strcmp(what, "poll") == 0 ? say(ctl, "питане за състоянието", "asking for the status") :
	                                say(ctl, "уведомяване на подателя", "telling the sender");
	bool on_hold = json_is_true(json_object_get(next, "on_hold"));
	snprintf(text, sizeof text, "%s, %s", words,
		 on_hold ? say(ctl, "след освобождаване", "when it is released")
			 : say_moment(ctl, text_of(next, "at"), at));
	if (number_of(next, "attempts") > 0) {
		size_t n = strlen(text);
		snprintf(text + n, sizeof text - n, " (%s: %lld)",
			 say(ctl, "опити досега", "tries so far"), number_of(next, "attempts"));
	}
	say_line(ctl, say(ctl, "Следва", "Next"), text);
}

/* Who must act: the one question that a person has. */
void
say_acts(const struct ctl *ctl, const json_t *d)
{
	const char *acts = text_of(d, "acts");
	bool in = strcmp(text_of(d, "direction"), "in") == 0;
	const char *text = say(ctl, "никой; всичко е свършено", "nobody; all is done");

	if (json_is_true(json_object_get(json_object_get(d, "next"), "on_hold")))
		text = say(ctl, "Вие: queue release или queue drop",
			   "you: queue release or queue drop");
	else if (strcmp(acts, "us") == 0 && in)
		text = say(ctl, "Вие: document register или document refuse",
		    "you: document register or document refuse");
	else if (strcmp(acts, "us") == 0)
		text = say(ctl, "възелът, сам", "the node, by itself");
	else if (strcmp(acts, "peer") == 0)
		text = say(ctl, "получателят", "the recipient");
	else if (strcmp(text_of(d, "state"), "failed") == 0 ||
		 strcmp(text_of(d, "state"), "expired") == 0)
		text = say(ctl, "Вие: вижте причината; изпратете наново или по друг път",
		    "you: see the reason; send again or another way");
	say_line(ctl, say(ctl, "На ход е", "Whose turn"), text);
}

void
say_reason(const struct ctl *ctl, const json_t *d)
{
	const char *code = text_of(d, "fault");
	struct fault_text t = fault_text(fault_by_code(code), ctl->language);
	char text[1024];

	say_line(ctl, say(ctl, "Причина", "Reason"), text_of(d, "reason"));
	if (!*code)
		return;
	snprintf(text, sizeof text, "%s%s%s%s [%s]", t.what, *text_of(d, "detail") ? " (" : "",
	    text_of(d, "detail"), *text_of(d, "detail") ? ")" : "", code);
	say_line(ctl, say(ctl, "Пречка", "Trouble"), text);
	say_line(ctl, say(ctl, "Означава", "Meaning"), t.means);
	say_line(ctl, say(ctl, "Да се направи", "What to do"), t.todo);
}

static void
say_head(struct ctl *ctl, const json_t *d)
{
	bool in = strcmp(text_of(d, "direction"), "in") == 0;
	const json_t *details = json_object_get(d, "details");
	char text[1024], at[64];

	snprintf(text, sizeof text, "%s %lld  %s",
		 in ? say(ctl, "Входящ документ", "Incoming document")
		    : say(ctl, "Изходящ документ", "Outgoing document"),
		 number_of(d, "id"), text_of(d, "guid"));
	say_title(ctl, text);
	snprintf(text, sizeof text, "%s, %s %s", say_state(ctl, text_of(d, "state")),
		 say(ctl, "от", "since"), say_moment(ctl, text_of(d, "since"), at));
	say_line(ctl, say(ctl, "Състояние", "State"), text);
	say_peer(ctl, d);
	say_line(ctl, say(ctl, "Наш номер", "Our number"),
		 number_text(ctl, d, "", text, sizeof text));
	say_line(ctl, say(ctl, "Техен номер", "Their number"),
	    number_text(ctl, d, "peer_", text, sizeof text));
	say_line(ctl, say(ctl, "Относно", "About"), text_of(d, "about"));
	say_line(ctl, say(ctl, "Вид", "Kind"), text_of(d, "kind"));
	say_line(ctl, say(ctl, "Бележка", "Comment"), text_of(details, "comment"));
	say_line(ctl, say(ctl, "На вниманието", "Attention"), text_of(details, "attention_to"));
	say_line(ctl, say(ctl, "Искан срок", "Close by"),
		 say_day(ctl, text_of(details, "date_close"), at));
	say_line(ctl, say(ctl, "Очакван край", "Expected end"),
		 say_day(ctl, text_of(d, "date_close"), at));
	say_correspondents(ctl, details);
	say_attachments(ctl, details);
	say_reason(ctl, d);
	say_next(ctl, d);
	say_acts(ctl, d);
}

static void
say_timeline(struct ctl *ctl, const json_t *d)
{
	struct table *t = table_new(ctl);
	char at[64];
	size_t i;
	json_t *e;

	say_title(ctl, say(ctl, "Хронология", "Timeline"));
	table_column(t, "", false);
	table_column(t, "", false);
	table_column(t, "", true);
	json_array_foreach (json_object_get(d, "timeline"), i, e) {
		table_cell(t, say_moment(ctl, text_of(e, "at"), at));
		table_cell(t, say_event(ctl, text_of(e, "event")));
		table_cell(t, text_of(e, "text"));
	}
	table_print(t, 2);
}

static void
say_evidence(struct ctl *ctl, const json_t *d)
{
	struct table *t = table_new(ctl);
	char at[64], size[32], place[64];
	size_t i;
	json_t *e;

	say_title(ctl, say(ctl, "Доказателства (document body, точните байтове)",
	                   "Evidence (document body, the exact bytes)"));
	table_column(t, "", false);
	table_column(t, "", false);
	table_column(t, "", false);
	table_column(t, "", true);
	json_array_foreach (json_object_get(d, "evidence"), i, e) {
		table_cell(t, text_of(e, "what"));
		table_cell(t, say_size(ctl, number_of(e, "bytes"), size));
		table_cell(t, say_moment(ctl, text_of(e, "at"), at));
		snprintf(place, sizeof place, "%s %lld", say(ctl, "ред", "row"),
			 number_of(e, "row"));
		table_cell(t, *text_of(e, "file") ? text_of(e, "file") : place);
	}
	table_print(t, 2);
}

void
render_document(struct ctl *ctl, const json_t *answer)
{
	const json_t *d = json_object_get(answer, "document");

	say_head(ctl, d);
	say_timeline(ctl, d);
	say_evidence(ctl, d);
}

/* Room for the recipient's number, too. */
static bool
is_wide(const struct ctl *ctl)
{
	return ctl->width == 0 || ctl->width >= WIDE;
}

static void
list_row(struct ctl *ctl, struct table *t, const json_t *d)
{
	bool in = strcmp(text_of(d, "direction"), "in") == 0;
	const json_t *peer = json_object_get(d, "peer");
	char day[64], id[32];

	snprintf(id, sizeof id, "%lld", number_of(d, "id"));
	table_cell(t, id);
	table_cell(t, in ? say(ctl, "вх", "in") : say(ctl, "изх", "out"));
	table_cell(t, say_state(ctl, text_of(d, "state")));
	say_day(ctl, text_of(d, "since"), day);
	day[strcspn(day, " ")] = 0; /* a column needs no "г." */
	table_cell(t, day);
	table_cell(t, *text_of(peer, "name") ? text_of(peer, "name") : text_of(peer, "guid"));
	table_cell(t, text_of(d, in ? "peer_number" : "number"));
	if (is_wide(ctl))
		table_cell(t, text_of(d, in ? "number" : "peer_number"));
	table_cell(t, text_of(d, "about"));
}

void
render_documents(struct ctl *ctl, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "documents");
	size_t i;
	json_t *d;

	if (json_array_size(list) == 0) {
		fprintf(ctl->err, "%s\n", say(ctl, "Няма документи.", "No documents."));
		return;
	}
	struct table *t = table_new(ctl);
	table_column(t, "№", false);
	table_column(t, "", false);
	table_column(t, say(ctl, "Състояние", "State"), false);
	table_column(t, say(ctl, "От", "Since"), false);
	table_column(t, say(ctl, "Участник", "Participant"), true);
	table_column(t, say(ctl, "Рег. индекс", "Sender's no."), true);
	if (is_wide(ctl))
		table_column(t, say(ctl, "Рег. индекс (получател)", "Recipient's no."), true);
	table_column(t, say(ctl, "Относно", "About"), true);
	json_array_foreach (list, i, d)
		list_row(ctl, t, d);
	table_print(t, 0);
}

void
render_changed(struct ctl *ctl, const json_t *answer)
{
	(void)answer;
	fprintf(ctl->out, "%s\n",
	    say(ctl, "Направено. Подателят ще бъде уведомен.", "Done. The sender will be told."));
}
