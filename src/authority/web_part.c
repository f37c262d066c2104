/* What pages are made of: tables, facts, paging, changes. */
#include <stdlib.h>
#include <string.h>

#include "authority/web_page.h"

/* ---- tables ---- */

void
web_table(struct web_exchange *x, const char *caption, bool shown, const enum web_text *columns,
          unsigned count)
{
	x->columns = columns;
	x->column_count = count;
	/* Cards are no table to a browser any more: the roles say that it still is one. */
	PUT("<table role=\"table\"><caption class=\"{}\">{}</caption><thead role=\"rowgroup\">"
	    "<tr role=\"row\">", shown ? "shown" : "aside", caption);
	for (unsigned i = 0; i < count; i++)
		PUT("<th scope=\"col\" role=\"columnheader\">{}</th>", web_text(x, columns[i]));
	PUT("</tr></thead>\n<tbody role=\"rowgroup\">");
	x->column = count;
}

void
web_row(struct web_exchange *x)
{
	if (x->column < x->column_count)
		PUT("</tr>\n");
	PUT("<tr role=\"row\">");
	x->column = 0;
}

void
web_cell_begin(struct web_exchange *x)
{
	const char *label = x->column < x->column_count ? web_text(x, x->columns[x->column]) : "";

	if (x->column == 0)
		PUT("<th scope=\"row\" role=\"rowheader\"><span class=\"label\" "
		    "aria-hidden=\"true\">{}</span><span>", label);
	else
		PUT("<td role=\"cell\"><span class=\"label\" aria-hidden=\"true\">{}</span><span>",
		    label);
}

void
web_cell_end(struct web_exchange *x)
{
	if (x->column == 0)
		PUT("</span></th>");
	else
		PUT("</span></td>");
	if (++x->column == x->column_count)
		PUT("</tr>\n");
}

void
web_table_end(struct web_exchange *x)
{
	PUT("</tbody></table>\n");
	x->columns = NULL;
	x->column_count = 0;
}

void
web_empty(struct web_exchange *x, enum web_text text)
{
	PUT("<p class=\"empty\">{}</p>\n", web_text(x, text));
}

/* ---- facts ---- */

void
web_facts(struct web_exchange *x)
{
	PUT("<dl class=\"facts\">");
}

void
web_fact(struct web_exchange *x, enum web_text name, const char *value)
{
	PUT("<div><dt>{}</dt><dd>{}</dd></div>\n", web_text(x, name), value && *value ? value : "–");
}

void
web_fact_code(struct web_exchange *x, enum web_text name, const char *value)
{
	PUT("<div><dt>{}</dt><dd class=\"mono\">{}</dd></div>\n", web_text(x, name),
	    value && *value ? value : "–");
}

void
web_fact_state(struct web_exchange *x, enum web_text name, const char *state)
{
	PUT("<div><dt>{}</dt><dd>", web_text(x, name));
	web_state(x, state);
	PUT("</dd></div>\n");
}

void
web_facts_end(struct web_exchange *x)
{
	PUT("</dl>\n");
}

static const struct {
	const char *state, *tone;
} tones[] = {
    {"Active", "good"},     {"issued", "good"},      {"approved", "good"},
    {"TemporarilyInactive", "wait"}, {"open", "wait"}, {"requested", "wait"},
    {"Inactive", "bad"},    {"revoked", "bad"},      {"refused", "bad"},
    {"expired", "bad"},
};

void
web_state(struct web_exchange *x, const char *state)
{
	const char *tone = "plain";

	for (size_t i = 0; i < sizeof tones / sizeof *tones; i++) {
		if (strcmp(tones[i].state, state) == 0)
			tone = tones[i].tone;
	}
	PUT("<span class=\"state {}\">{}</span>", tone, web_word(x, state));
}

/* ---- lists by pages ---- */

long long
web_offset(const struct web_exchange *x)
{
	const char *text = web_form_text(&x->query, "from");
	long long n = text ? strtoll(text, NULL, 10) : 0;

	return n > 0 && n < 100000000 ? n : 0;
}

json_t *
web_list_query(const struct web_exchange *x, const char *verb)
{
	return json_pack("{s:s, s:I, s:i}", "verb", verb, "offset", (json_int_t)web_offset(x), "limit",
	    WEB_LIMIT);
}

static void
put_page_link(struct web_exchange *x, long long from, const char *rel, enum web_text text)
{
	PUT("<a rel=\"{}\" href=\"{}?from={}", rel, x->path, web_format(x, "%lld", from));
	for (unsigned i = 0; i < x->query.count; i++) {
		const struct web_value *v = &x->query.values[i];
		if (strcmp(v->name, "from") != 0 && strcmp(v->name, "done") != 0)
			PUT("&amp;{%}={%}", v->name, v->text);
	}
	PUT("\">{}</a> ", web_text(x, text));
}

void
web_paging(struct web_exchange *x, long long total)
{
	long long from = web_offset(x), to = from + WEB_LIMIT < total ? from + WEB_LIMIT : total;

	if (total <= WEB_LIMIT && from == 0)
		return;
	PUT("<nav class=\"paging\" aria-label=\"{}\"><p>{}–{} {} {}</p><p>", T(PAGING),
	    web_number(x, from < total ? from + 1 : total), web_number(x, to), T(PAGING_OF),
	    web_number(x, total));
	if (from > 0)
		put_page_link(x, from > WEB_LIMIT ? from - WEB_LIMIT : 0, "prev", TEXT_PAGING_BACK);
	if (to < total)
		put_page_link(x, from + WEB_LIMIT, "next", TEXT_PAGING_ON);
	PUT("</p></nav>\n");
}

/* ---- changes ---- */

static const char *value_text(struct web_exchange *, const json_t *);

/* A service of a record: its address says most, its status the rest. */
static const char *
service_text(struct web_exchange *x, const json_t *s)
{
	return web_format(x, "%s, %s", web_string(s, "uri"), web_word(x, web_string(s, "status")));
}

static const char *
list_text(struct web_exchange *x, const json_t *list)
{
	const char *text = "";
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		text = web_format(x, "%s%s%s", text, i ? "; " : "",
		    json_object_get(item, "uri") ? service_text(x, item) : value_text(x, item));
	return *text ? text : "–";
}

static const char *
string_text(struct web_exchange *x, const char *text)
{
	when w;

	if (web_is_no_guid(text))
		return "–";
	return strchr(text, 'T') && when_parse(&w, text, strlen(text)) ? web_moment(x, text) :
		web_word(x, text);
}

/* Any value of the ledger as one line. */
static const char *
value_text(struct web_exchange *x, const json_t *value)
{
	const char *text = "";
	char *dump;

	if (!value || json_is_null(value))
		return "–";
	if (json_is_string(value))
		return string_text(x, json_string_value(value));
	if (json_is_array(value))
		return list_text(x, value);
	dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (dump)
		text = web_format(x, "%s", dump);
	free(dump);
	return text;
}

/* Its own moment is no change of an entry, nor is a field that is empty before and after. */
static bool
is_change(struct web_exchange *x, const char *key, const json_t *before, const json_t *after)
{
	return strcmp(key, "last_change") != 0 &&
	    strcmp(value_text(x, before), value_text(x, after)) != 0;
}

static void
put_change(struct web_exchange *x, const char *key, const json_t *before, const json_t *after)
{
	if (!is_change(x, key, before, after))
		return;
	PUT("<li><strong>{}</strong>: ", web_word(x, key));
	if (before)
		PUT("<del>{}</del> → ", value_text(x, before));
	if (after)
		PUT("<ins>{}</ins>", value_text(x, after));
	else
		PUT("–");
	PUT("</li>");
}

void
web_changes(struct web_exchange *x, const json_t *before, const json_t *after)
{
	const char *key;
	json_t *value;

	PUT("<ul class=\"changes\">");
	json_object_foreach ((json_t *)(uintptr_t)after, key, value)
		put_change(x, key, json_object_get(before, key), value);
	json_object_foreach ((json_t *)(uintptr_t)before, key, value) {
		if (!json_object_get(after, key))
			put_change(x, key, value, NULL);
	}
	PUT("</ul>");
}
