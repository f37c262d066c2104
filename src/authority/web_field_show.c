/* Forms as they are shown: labels, hints, what is wrong with a field, the button. */
#include <string.h>

#include "authority/web_page.h"

static const struct {
	const char *type, *mode; /* of the input element; mode: the keys that a telephone shows */
} inputs[] = {
    [INPUT_LINE] = {"text", "text"},
    [INPUT_EMAIL] = {"email", "email"},
    [INPUT_PHONE] = {"tel", "tel"},
    [INPUT_URL] = {"url", "url"},
    [INPUT_EIK] = {"text", "numeric"},
    [INPUT_GUID] = {"text", "text"},
    [INPUT_DAYS] = {"text", "numeric"},
    [INPUT_FINGERPRINT] = {"text", "text"},
    [INPUT_HOST] = {"text", "url"},
};

/* What the field holds now. */
static const char *
value_of(const struct web_exchange *x, const struct web_field *f, const json_t *values)
{
	const char *value = x->post ? web_sent(x, f->name) : web_string(values, f->name);

	return f->input == INPUT_GUID && web_is_no_guid(value) ? "" : value;
}

static bool
is_chosen(const struct web_exchange *x, const struct web_field *f, const json_t *values,
          const char *value)
{
	const json_t *list = json_object_get(values, f->name);
	json_t *one;
	size_t i;

	if (x->post)
		return web_form_has(&x->form, f->name, value);
	if (json_is_string(list))
		return strcmp(json_string_value(list), value) == 0;
	json_array_foreach (list, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), value) == 0)
			return true;
	}
	return false;
}

/* The attributes that all inputs share. */
static void
put_attributes(struct web_exchange *x, const struct web_field *f, enum web_text error)
{
	PUT(" id=\"f-{}\" name=\"{}\"", f->name, f->name);
	if (f->required)
		PUT(" required");
	if (f->autocomplete)
		PUT(" autocomplete=\"{}\"", f->autocomplete);
	if (f->hint || error)
		PUT(" aria-describedby=\"{}{}{}{}{}\"", f->hint ? "h-" : "", f->hint ? f->name : "",
		    f->hint && error ? " " : "", error ? "e-" : "", error ? f->name : "");
	if (error)
		PUT(" aria-invalid=\"true\"");
}

static void
put_control(struct web_exchange *x, const struct web_field *f, const char *value,
            enum web_text error)
{
	const char *max = f->max ? web_format(x, "%u", f->max) : NULL;

	if (f->input == INPUT_FILE) {
		PUT("<input type=\"file\"");
		put_attributes(x, f, error);
		PUT(">");
	} else if (f->input == INPUT_AREA) {
		PUT("<textarea rows=\"4\"");
		put_attributes(x, f, error);
		/* A line end right after the tag is not part of the value. */
		PUT(">\n{}</textarea>", value);
	} else {
		PUT("<input type=\"{}\" inputmode=\"{}\" value=\"{}\"", inputs[f->input].type,
		    inputs[f->input].mode, value);
		if (max)
			PUT(" maxlength=\"{}\"", max);
		put_attributes(x, f, error);
		PUT(">");
	}
}

static void
put_notes(struct web_exchange *x, const struct web_field *f, enum web_text error)
{
	if (f->hint)
		PUT("<p class=\"hint\" id=\"h-{}\">{}</p>", f->name, web_text(x, f->hint));
	if (error)
		PUT("<p class=\"wrong\" id=\"e-{}\"><span class=\"aside\">{} </span>{}</p>", f->name,
		    T(ERROR_PREFIX), web_text(x, error));
}

/* Radio buttons or boxes: a group with a name of its own. */
static void
put_choices(struct web_exchange *x, const struct web_field *f, const json_t *values,
            enum web_text error)
{
	const char *type = f->input == INPUT_CHOICE ? "radio" : "checkbox";
	unsigned n = 0;

	PUT("<fieldset class=\"field\"><legend>{}</legend>", web_text(x, f->label));
	put_notes(x, f, error);
	for (const struct web_choice *c = f->choices; c->value; c++, n++) {
		const char *id = n ? web_format(x, "f-%s-%u", f->name, n) :
				     web_format(x, "f-%s", f->name);
		PUT("<div class=\"choice\"><input type=\"{}\" id=\"{}\" name=\"{}\" value=\"{}\"",
		    type, id, f->name, c->value);
		if (is_chosen(x, f, values, c->value))
			PUT(" checked");
		if (f->required && f->input == INPUT_CHOICE)
			PUT(" required");
		PUT("><label for=\"{}\">{}</label></div>", id,
		    c->text ? web_text(x, c->text) : web_word(x, c->value));
	}
	PUT("</fieldset>\n");
}

static void
put_field(struct web_exchange *x, unsigned i, const json_t *values)
{
	const struct web_field *f = &x->route->fields[i];
	enum web_text error = x->errors[i];

	if (f->input == INPUT_CHOICE || f->input == INPUT_CHOICES) {
		put_choices(x, f, values, error);
		return;
	}
	PUT("<div class=\"field\"><label for=\"f-{}\">{}", f->name, web_text(x, f->label));
	if (!f->required)
		PUT(" <span class=\"optional\">{}</span>", T(OPTIONAL));
	PUT("</label>");
	put_notes(x, f, error);
	put_control(x, f, value_of(x, f, values), error);
	PUT("</div>\n");
}

static bool
has_file(const struct web_route *r)
{
	for (unsigned i = 0; i < r->field_count; i++) {
		if (r->fields[i].input == INPUT_FILE)
			return true;
	}
	return false;
}

void
web_form_show(struct web_exchange *x, const json_t *values, const struct web_button *b)
{
	/* What the browser would say in its own language and one field at a time, our summary says
	 * for all fields: hence novalidate. */
	PUT("<form method=\"post\" action=\"{}\" novalidate", web_path(x, x->route->path));
	if (has_file(x->route))
		PUT(" enctype=\"multipart/form-data\"");
	PUT("><input type=\"hidden\" name=\"token\" value=\"{}\">\n", x->session.token);
	for (unsigned i = 0; i < x->route->field_count; i++)
		put_field(x, i, values);
	PUT("<p class=\"actions\"><button type=\"submit\" class=\"{}\">{}</button>",
	    b->danger ? "danger" : "main", web_text(x, b->text));
	if (b->cancel)
		PUT(" <a href=\"{}\">{}</a>", b->cancel, T(CANCEL));
	PUT("</p></form>\n");
}

void
web_form_small(struct web_exchange *x, const char *action, enum web_text button)
{
	PUT("<form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"token\" "
	    "value=\"{}\"><button type=\"submit\" class=\"main\">{}</button></form>\n",
	    action, x->session.token, web_text(x, button));
}

/* A refusal by the ledger, with what to do. */
static void
put_refusal(struct web_exchange *x)
{
	struct fault_text t = fault_text(x->fault, x->language);
	bool detail = x->detail && *x->detail;

	PUT("<p><strong>{}</strong>{}{}{} {} {} <span class=\"code\">[{}]</span></p>", t.what,
	    detail ? " (" : "", detail ? x->detail : "", detail ? ")." : ".", t.means, t.todo, t.code);
}

void
web_errors_show(struct web_exchange *x)
{
	bool any = x->fault != FAULT_NONE;

	for (unsigned i = 0; !any && i < x->route->field_count; i++)
		any = x->errors[i] != TEXT_NONE;
	if (!any)
		return;
	PUT("<section class=\"problem\" role=\"alert\" aria-labelledby=\"problem\">"
	    "<h2 id=\"problem\">{}</h2>", T(ERROR_SUMMARY));
	if (x->fault)
		put_refusal(x);
	PUT("<ul>");
	for (unsigned i = 0; i < x->route->field_count; i++) {
		const struct web_field *f = &x->route->fields[i];
		if (x->errors[i])
			PUT("<li><a href=\"#f-{}\">{}: {}</a></li>", f->name, web_text(x, f->label),
			    web_text(x, x->errors[i]));
	}
	PUT("</ul></section>\n");
}
