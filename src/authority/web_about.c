/* What is no page of the register: language, leaving, accessibility, style sheet, faults. */
#include <openssl/sha.h>
#include <string.h>

#include "authority/web_page.h"

static const char style[] =
#include "authority/web_style.css.h"
    ;

static const char icon[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">"
    "<rect width=\"32\" height=\"32\" rx=\"6\" fill=\"#1b4965\"/>"
    "<path d=\"M7 12h14l-4-4M25 20H11l4 4\" fill=\"none\" stroke=\"#fff\" stroke-width=\"3\" "
    "stroke-linecap=\"round\" stroke-linejoin=\"round\"/></svg>\n";

/* ---- files ---- */

static void
serve(struct web_exchange *x, const char *type, const char *text)
{
	x->content_type = type;
	x->session.renew = false;
	/* The path of the style sheet holds a digest of it: it never changes. */
	buf_adds(&x->fields, "Cache-Control: private, max-age=31536000, immutable\r\n");
	buf_adds(&x->page.out, text);
}

const char *
web_style_path(struct web_exchange *x)
{
	uint8_t d[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)style, sizeof style - 1, d);
	return web_format(x, "/style.css?v=%02x%02x%02x%02x", d[0], d[1], d[2], d[3]);
}

void
page_style_show(struct web_exchange *x)
{
	serve(x, "text/css; charset=utf-8", style);
}

void
page_icon_show(struct web_exchange *x)
{
	serve(x, "image/svg+xml", icon);
}

/* ---- language ---- */

/* Only a path of ours, in characters of a path and a query: one that begins with two slashes would
 * be another host. */
static bool
is_safe(const char *path)
{
	static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~/?&=%+";

	return path[0] == '/' && path[1] != '/' && path[strspn(path, characters)] == 0 &&
	    strlen(path) < 1024;
}

void
page_language_show(struct web_exchange *x)
{
	const char *to = web_form_text(&x->query, "to"), *back = web_form_text(&x->query, "back");
	bool english = to && strcmp(to, "en") == 0;

	buf_addf(&x->fields, "Set-Cookie: __Host-language=%s; Path=/; Secure; HttpOnly; "
	    "SameSite=Lax; Max-Age=31536000\r\n", english ? "en" : "bg");
	web_redirect(x, back && is_safe(back) ? back : "/", TEXT_NONE);
}

/* ---- leaving ---- */

void
page_leave_act(struct web_exchange *x)
{
	x->session.renew = false;
	buf_adds(&x->fields, "Set-Cookie: __Host-session=; Path=/; Secure; HttpOnly; "
	    "SameSite=Strict; Max-Age=0\r\nClear-Site-Data: \"cache\"\r\n");
}

void
page_leave_show(struct web_exchange *x)
{
	web_open(x, TEXT_LEAVE, NULL);
	if (x->post) {
		PUT("<p class=\"done\" role=\"status\">{}</p><p>{}</p>", T(LEFT_NOW), T(LEFT_HOW));
		return;
	}
	PUT("<p>{}</p>", T(LEAVE_INTRO));
	web_form_small(x, "/leave", TEXT_LEAVE);
}

/* ---- accessibility ---- */

void
page_accessibility_show(struct web_exchange *x)
{
	const char *email = x->site->email;

	web_open(x, TEXT_ACCESSIBILITY, NULL);
	PUT("<p>{}</p><p>{}</p><p>{}</p>", T(ACCESSIBILITY_1), T(ACCESSIBILITY_2), T(ACCESSIBILITY_3));
	if (email && *email)
		PUT("<p>{} <a href=\"mailto:{}\">{}</a>.</p>", T(ACCESSIBILITY_4), email, email);
}

/* ---- faults ---- */

void
web_fault_show(struct web_exchange *x)
{
	struct fault_text t = fault_text(x->fault, x->language);
	enum fault fault = x->fault;

	x->fault = FAULT_NONE; /* it is the page itself, not something above it */
	web_open(x, TEXT_NONE, t.what);
	x->fault = fault;
	if (x->detail && *x->detail)
		PUT("<p class=\"mono\">{}</p>", x->detail);
	PUT("<p>{}</p><p>{}</p><p class=\"code\">{}: {}</p>", t.means, t.todo, T(CODE), t.code);
	PUT("<p><a href=\"/\">{}</a></p>", T(NAV_HOME));
}
