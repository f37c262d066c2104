/* What is done with certificates: asked for, approved, refused, revoked, registered. */
#include <stdlib.h>
#include <string.h>

#include "authority/web_page.h"

static void
decide(struct web_exchange *x, const char *verb)
{
	const char *reason = web_sent(x, "reason");
	json_t *q = json_pack("{s:s, s:I}", "verb", verb, "id",
	    (json_int_t)strtoll(x->parts[0], NULL, 10));

	if (*reason)
		json_object_set_new(q, "reason", json_string(reason));
	web_ask(x, ASK_ACT, WEB_LEDGER, q);
}

void
page_certificate_approval_act(struct web_exchange *x)
{
	decide(x, "certificate-approve");
}

void
page_certificate_refusal_act(struct web_exchange *x)
{
	decide(x, "certificate-refuse");
}

void
page_revocation_act(struct web_exchange *x)
{
	web_ask(x, ASK_ACT, WEB_LEDGER,
	    json_pack("{s:s, s:s, s:s}", "verb", "certificate-revoke", "serial", x->parts[0],
	        "reason", web_sent(x, "reason")));
}

/* ---- a file, or its text ---- */

/* The bytes that were sent, in base64: whoever reads ASN.1 reads them, not we. */
static json_t *
sent_file(struct web_exchange *x)
{
	const struct web_value *file = web_form_file(&x->form, "file");
	const char *text = web_sent(x, "pem");
	struct buf out = {0};
	json_t *j = NULL;

	if (file ? buf_add_base64(&out, file->text, file->len) :
	           buf_add_base64(&out, text, strlen(text)))
		j = json_string(buf_str(&out));
	buf_free(&out);
	return j;
}

/* Either of the two fields will do, none will not. */
static bool
has_file(struct web_exchange *x)
{
	if (web_form_file(&x->form, "file") || *web_sent(x, "pem"))
		return true;
	x->errors[0] = TEXT_WRONG_NO_FILE;
	x->status = 422;
	return false;
}

void
page_certificate_new_load(struct web_exchange *x)
{
	web_ask(x, ASK_MAIN, WEB_LEDGER, web_query(x, "participant-show"));
}

void
page_certificate_new_act(struct web_exchange *x)
{
	json_t *q;

	if (!has_file(x))
		return;
	q = web_query(x, "certificate-submit");
	json_object_set_new(q, "csr", sent_file(x));
	json_object_set_new(q, "via", json_string("upload"));
	web_ask(x, ASK_ACT, WEB_RA, q);
}

static void
show_upload(struct web_exchange *x, enum web_text title, enum web_text intro)
{
	const json_t *p = json_object_get(web_answer(x, ASK_MAIN), "participant");

	web_open(x, title, web_string(p, "name"));
	PUT("<p>{}</p>", web_text(x, intro));
	web_form_show(x, NULL,
	    &(struct web_button){TEXT_SEND, false, web_path(x, "/participants/{}/certificates")});
}

void
page_certificate_new_show(struct web_exchange *x)
{
	show_upload(x, TEXT_CERTIFICATE_NEW, TEXT_CERTIFICATE_NEW_INTRO);
}

void
page_certificate_register_act(struct web_exchange *x)
{
	json_t *q;

	if (!has_file(x))
		return;
	q = web_query(x, "certificate-register");
	json_object_set_new(q, "certificate", sent_file(x));
	json_object_set_new(q, "reason", json_string(web_sent(x, "reason")));
	web_ask(x, ASK_ACT, WEB_RA, q);
}

void
page_certificate_register_show(struct web_exchange *x)
{
	show_upload(x, TEXT_CERTIFICATE_REGISTER, TEXT_CERTIFICATE_REGISTER_INTRO);
}

/* ---- reference and secret for the first contact over CMP ---- */

void
page_reference_act(struct web_exchange *x)
{
	json_t *q = web_query(x, "reference-create");

	json_object_set_new(q, "valid_for",
	    json_integer(strtoll(web_sent(x, "days"), NULL, 10) * 86400));
	web_ask(x, ASK_ACT, WEB_LEDGER, q);
}

/* The answer is this very page: it is not repeated when the page is read again, nor kept. */
static void
show_secret(struct web_exchange *x, const json_t *made, const char *name)
{
	web_open(x, TEXT_REFERENCE, name);
	PUT("<p class=\"note\">{}</p>", T(REFERENCE_ONCE));
	web_facts(x);
	web_fact_code(x, TEXT_REFERENCE_NUMBER, web_string(made, "reference"));
	web_fact_code(x, TEXT_REFERENCE_SECRET, web_string(made, "secret"));
	web_fact(x, TEXT_VALID_TO, web_moment(x, web_string(made, "expires")));
	web_facts_end(x);
	PUT("<p>{}</p><p><a href=\"{}\">{}</a></p>", T(REFERENCE_HOW), web_path(x, "/participants/{}"),
	    T(BACK_TO_PARTICIPANT));
}

void
page_reference_show(struct web_exchange *x)
{
	const json_t *p = json_object_get(web_answer(x, ASK_MAIN), "participant");
	const json_t *made = web_answer(x, ASK_ACT);
	json_t *values = json_pack("{s:s}", "days", "7");

	if (made) {
		show_secret(x, made, web_string(p, "name"));
	} else {
		web_open(x, TEXT_REFERENCE_NEW, web_string(p, "name"));
		PUT("<p>{}</p>", T(REFERENCE_INTRO));
		web_form_show(x, values,
		    &(struct web_button){TEXT_REFERENCE_DO, false, web_path(x, "/participants/{}")});
	}
	json_decref(values);
}
