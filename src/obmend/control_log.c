/*
 * The newest lines of all processes, in memory: `obmenctl log` works where nothing keeps the log.
 * Every process sends its lines here, the ones from before control was up too; a line that comes
 * twice has the same number. Bounded in lines and bytes, the oldest go first.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "obmend/control.h"

#define LINES_MAX 4000
#define BYTES_MAX ((size_t)1 << 20)
#define TRACES_MAX 64 /* messages of one document */
#define LINES_DEFAULT 100

struct log_entry {
	TAILQ_ENTRY(log_entry) entry;
	uint64_t number; /* grows with time, over restarts too */
	size_t len;
	char text[];
};

struct control_log {
	TAILQ_HEAD(log_list, log_entry) list; /* by number */
	unsigned count;
	size_t bytes;
};

/* In its place by number: processes send what they kept when control was started again. */
static void
keep(struct control_log *l, uint64_t number, const char *text, size_t len)
{
	struct log_entry *before = TAILQ_LAST(&l->list, log_list), *e;

	while (before && before->number > number)
		before = TAILQ_PREV(before, log_list, entry);
	if (before && before->number == number && before->len == len && memcmp(before->text, text, len) == 0)
		return;
	if (!(e = malloc(sizeof *e + len + 1)))
		return;
	e->number = number;
	e->len = len;
	memcpy(e->text, text, len);
	e->text[len] = 0;
	if (before)
		TAILQ_INSERT_AFTER(&l->list, before, e, entry);
	else
		TAILQ_INSERT_HEAD(&l->list, e, entry);
	l->count++;
	l->bytes += len;
	while (l->count > LINES_MAX || l->bytes > BYTES_MAX) {
		e = TAILQ_FIRST(&l->list);
		TAILQ_REMOVE(&l->list, e, entry);
		l->count--;
		l->bytes -= e->len;
		free(e);
	}
}

static void
own_line(void *arg, uint64_t number, const char *text, size_t len)
{
	keep(arg, number, text, len);
}

struct control_log *
control_log_new(void)
{
	struct control_log *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	TAILQ_INIT(&l->list);
	log_sink(own_line, l);
	return l;
}

void
control_log_free(struct control_log *l)
{
	struct log_entry *e;

	if (!l)
		return;
	log_sink(NULL, NULL);
	while ((e = TAILQ_FIRST(&l->list))) {
		TAILQ_REMOVE(&l->list, e, entry);
		free(e);
	}
	free(l);
}

void
control_on_log(struct self *self, struct peer from, struct ipc_frame *f)
{
	struct control *c = self->state;

	(void)from;
	keep(c->log, f->id, (const char *)f->payload, f->len);
}

/* -- asking */

/* What a line must have. */
struct wanted {
	int level;
	const char *event, *role; /* beginning of it; NULL = any */
	json_int_t after;
	char words[8][GUID_TEXT_SIZE + 16]; /* one of these, when any */
	unsigned word_count;
	char traces[TRACES_MAX][24];
	unsigned trace_count;
};

static int
level_of(const char *name)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	for (int i = 0; i < 4; i++) {
		if (name && strcmp(names[i], name) == 0)
			return i;
	}
	return 0;
}

/* The line as a JSON object; a new reference, NULL when it is none. */
static json_t *
parse(const struct log_entry *e)
{
	char text[8192];
	size_t n = log_fields_json(e->text, text + 1, sizeof text - 3);

	if (n == 0)
		return NULL;
	text[1] = '{'; /* in place of the first comma */
	text[n + 1] = '}';
	json_t *j = json_loadb(text + 1, n + 1, 0, NULL);
	if (j)
		json_object_set_new(j, "number", json_integer((json_int_t)e->number));
	return j;
}

static bool
begins(const json_t *line, const char *key, const char *with)
{
	const char *value = json_string_value(json_object_get(line, key));

	return !with || (value && strncmp(value, with, strlen(with)) == 0);
}

static bool
names_document(const struct wanted *w, const char *text)
{
	for (unsigned i = 0; i < w->word_count; i++) {
		if (strcasestr(text, w->words[i]))
			return true;
	}
	return false;
}

/* A line belongs to a document when it names it or one of its messages, or shares their correlation
 * id with a line that does. */
static void
collect_traces(const struct control_log *l, struct wanted *w)
{
	const struct log_entry *e;

	TAILQ_FOREACH (e, &l->list, entry) {
		const char *trace = strstr(e->text, " trace=");
		if (!trace || w->trace_count == TRACES_MAX || !names_document(w, e->text))
			continue;
		size_t len = strcspn(trace + 1, " ");
		if (len < sizeof *w->traces)
			snprintf(w->traces[w->trace_count++], sizeof *w->traces, "%.*s", (int)len, trace + 1);
	}
}

static bool
of_document(const struct wanted *w, const char *text)
{
	if (w->word_count == 0 || names_document(w, text))
		return true;
	for (unsigned i = 0; i < w->trace_count; i++) {
		if (strstr(text, w->traces[i]))
			return true;
	}
	return false;
}

static json_t *
match(const struct wanted *w, const struct log_entry *e)
{
	if ((json_int_t)e->number <= w->after || !of_document(w, e->text))
		return NULL;
	json_t *line = parse(e);
	if (line && level_of(json_string_value(json_object_get(line, "level"))) >= w->level &&
	    begins(line, "event", w->event) && begins(line, "role", w->role))
		return line;
	json_decref(line);
	return NULL;
}

static void
answer(struct request *r, struct wanted *w)
{
	const struct control_log *l = r->control->log;
	const json_t *wish = json_object_get(r->arguments, "lines");
	json_int_t most = wish ? json_integer_value(wish) : LINES_DEFAULT;
	const struct log_entry *e, *last = TAILQ_LAST(&l->list, log_list);
	json_t *lines = json_array(), *line;

	collect_traces(l, w);
	/* The newest ones, but in the order of time. */
	TAILQ_FOREACH_REVERSE (e, &l->list, log_list, entry) {
		if ((json_int_t)json_array_size(lines) >= most || (json_int_t)e->number <= w->after)
			break;
		if ((line = match(w, e)))
			json_array_insert_new(lines, 0, line);
	}
	request_answer(r, json_pack("{s:b, s:o, s:I, s:i}", "ok", 1, "lines", lines, "last",
	    last ? (json_int_t)last->number : w->after, "kept", (int)l->count), NULL, 0);
}

static void
fill(const struct request *r, struct wanted *w)
{
	const json_t *a = r->arguments;

	*w = (struct wanted){.level = level_of(json_string_value(json_object_get(a, "level"))),
	    .event = json_string_value(json_object_get(a, "event")),
	    .role = json_string_value(json_object_get(a, "role")),
	    .after = json_integer_value(json_object_get(a, "after"))};
}

static void
add_word(struct wanted *w, const char *prefix, const char *text)
{
	if (text && *text && w->word_count < sizeof w->words / sizeof *w->words)
		snprintf(w->words[w->word_count++], sizeof *w->words, "%s%s", prefix, text);
}

/* The store knows a document by its row and by its GUID: lines may name either. */
static void
on_document(struct request *r, json_t *found, struct ipc_frame *f)
{
	const json_t *d = json_object_get(found, "document");
	char row[32];
	struct wanted w;

	(void)f;
	fill(r, &w);
	if (!d) { /* never stored, but perhaps refused: by its GUID alone */
		add_word(&w, "", json_string_value(json_object_get(r->arguments, "document")));
	} else {
		snprintf(row, sizeof row, "%lld ", (long long)json_integer_value(json_object_get(d, "id")));
		add_word(&w, "document=", row);
		add_word(&w, "", json_string_value(json_object_get(d, "guid")));
	}
	answer(r, &w);
}

void
control_log_ask(struct request *r)
{
	const char *document = json_string_value(json_object_get(r->arguments, "document"));
	struct wanted w;

	if (document) {
		request_ask(r, ROLE_STORE, 0, json_pack("{s:s, s:s}", "verb", "document.show", "document",
		    document), NULL, 0, on_document);
		return;
	}
	fill(r, &w);
	answer(r, &w);
}
