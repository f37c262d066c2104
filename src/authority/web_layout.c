/* What surrounds every page: head, banner, who is here, where one can go. */
#include <stdlib.h>
#include <string.h>

#include "authority/web_page.h"

static const struct link {
	const char *path;
	enum web_text text;
	unsigned who;
} links[] = {
    {"/", TEXT_NAV_HOME, WHO_ANYONE},
    {"/participants", TEXT_NAV_PARTICIPANTS, WHO_KNOWN},
    {"/requests", TEXT_NAV_REQUESTS, WHO_KNOWN},
    {"/certificates", TEXT_NAV_CERTIFICATES, WHO_KNOWN},
    {"/officers", TEXT_NAV_OFFICERS, WHO_STAFF},
    {"/log", TEXT_NAV_LOG, WHO_STAFF},
    {"/status", TEXT_NAV_STATUS, WHO_STAFF},
};

static void
put_head(struct web_exchange *x, enum web_text title, const char *subject)
{
	bool english = x->language == LANGUAGE_EN;
	const char *text = web_text(x, title);

	PUT("<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	    "<title>{} {}{}{} – {}</title>", english ? "en" : "bg",
	    x->status == 422 ? T(ERROR_PREFIX) : "", subject ? subject : "",
	    subject && *text ? ": " : "", text, x->site->authority[x->language]);
	PUT("<link rel=\"stylesheet\" href=\"{}\"><link rel=\"icon\" href=\"/icon.svg\" "
	    "type=\"image/svg+xml\"></head>\n<body>", web_style_path(x));
	PUT("<a class=\"skip\" href=\"#content\">{}</a>\n", T(SKIP));
}

static void
put_languages(struct web_exchange *x)
{
	bool english = x->language == LANGUAGE_EN;

	/* The other language is named in itself. */
	PUT("<a class=\"language\" lang=\"{}\" hreflang=\"{}\" href=\"/language?to={}&amp;back={%}\">"
	    "{}</a>", english ? "bg" : "en", english ? "bg" : "en", english ? "bg" : "en",
	    *x->raw_query ? web_format(x, "%s?%s", x->path, x->raw_query) : x->path,
	    english ? "Български" : "English");
}

static void
put_person(struct web_exchange *x)
{
	const json_t *who = web_answer(x, ASK_WHO);
	const char *name = web_string(who, "name");

	if (*name)
		PUT("<p class=\"person\">{} <strong>{}</strong></p>", T(SIGNED_IN), name);
}

static bool
is_here(const struct web_exchange *x, const char *path)
{
	size_t len = strlen(path);

	if (len == 1)
		return strcmp(x->path, path) == 0;
	return strncmp(x->path, path, len) == 0 && (x->path[len] == 0 || x->path[len] == '/');
}

static void
put_links(struct web_exchange *x)
{
	if (!(x->who & WHO_KNOWN))
		return;
	PUT("<nav aria-label=\"{}\"><ul>", T(NAV));
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		if (!(links[i].who & x->who))
			continue;
		PUT("<li><a href=\"{}\"", links[i].path);
		if (is_here(x, links[i].path))
			PUT(" aria-current=\"page\"");
		PUT(">{}</a></li>", web_text(x, links[i].text));
	}
	PUT("</ul></nav>\n");
}

/* Only what is said when something was done, so that a link cannot say other things. */
static void
put_done(struct web_exchange *x)
{
	const char *sent = web_form_text(&x->query, "done");
	long text = sent ? strtol(sent, NULL, 10) : 0;

	if (text >= TEXT_DONE_ADDED && text <= TEXT_DONE_REVOKED)
		PUT("<p class=\"done\" role=\"status\">{}</p>\n", web_text(x, (enum web_text)text));
}

void
web_open(struct web_exchange *x, enum web_text title, const char *subject)
{
	const char *text = web_text(x, title);

	x->open = true;
	put_head(x, title, subject);
	PUT("<header>");
	if (x->site->test)
		PUT("<p class=\"test\">{}</p>\n", T(TEST));
	PUT("<div class=\"wide\"><p class=\"authority\"><a href=\"/\">{}</a>"
	    "<span>{}</span></p><div class=\"corner\">",
	    x->site->authority[x->language], T(SERVICE));
	put_person(x);
	put_languages(x);
	PUT("</div></div></header>\n");
	put_links(x);
	PUT("<main id=\"content\" tabindex=\"-1\">\n");
	put_done(x);
	if (subject && *text)
		PUT("<p class=\"above\">{}</p><h1>{}</h1>\n", text, subject);
	else
		PUT("<h1>{}{}</h1>\n", text, subject ? subject : "");
	if (x->route)
		web_errors_show(x);
}

void
web_close(struct web_exchange *x)
{
	const struct web_site *s = x->site;
	const char *address = s->address[x->language];

	x->open = false;
	PUT("</main>\n<footer><div class=\"wide\"><p>{}{}{}</p><ul>",
	    s->authority[x->language], address && *address ? ", " : "", address);
	if (s->email && *s->email)
		PUT("<li><a href=\"mailto:{}\">{}</a></li>", s->email, s->email);
	PUT("<li><a href=\"/accessibility\">{}</a></li>", T(ACCESSIBILITY));
	if (x->who & WHO_KNOWN)
		PUT("<li><a href=\"/leave\">{}</a></li>", T(LEAVE));
	PUT("</ul></div></footer></body></html>\n");
}
