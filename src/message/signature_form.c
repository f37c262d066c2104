#include "message/signature_form.h"

#include <string.h>
#include "message/base64.h"
#include "message/message.h"

#define TEXT_MAX ((size_t)32 << 10)

enum form_node { SIGNATURE, SIGNED_INFO, REFERENCE, TRANSFORMS, KEY_INFO, X509_DATA, LEAF, NODES };

struct form_rule {
	const char *name;
	enum form_node parent;
	enum form_node node;      /* what it is for its own children; LEAF = none allowed */
	bool several;
	bool tolerant;            /* children that we do not know are skipped */
	enum fault child_fault;   /* for a child that is not allowed */
	enum fault several_fault; /* for a second one */
	void (*start)(struct signature_form *, const struct c14n_element *);
	void (*end)(struct signature_form *);
};

/* The value of an attribute without namespace; NULL when it is missing. */
static const char *
attribute(const struct c14n_element *e, const char *name, size_t *len)
{
	for (int i = 0; i < e->attribute_count; i++) {
		const xmlChar **a = e->attributes + 5 * i;
		if (a[2] || strcmp((const char *)a[0], name) != 0)
			continue;
		*len = (size_t)(a[4] - a[3]);
		return (const char *)a[3];
	}
	*len = 0;
	return NULL;
}

static bool
equals(const char *text, size_t len, const char *word)
{
	return text && strlen(word) == len && memcmp(text, word, len) == 0;
}

static void
start_signed_info(struct signature_form *f, const struct c14n_element *e)
{
	(void)e;
	f->signed_info = true;
}

static void
end_signed_info(struct signature_form *f)
{
	f->signed_info = false;
}

static void
start_c14n(struct signature_form *f, const struct c14n_element *e)
{
	size_t len;
	const char *uri = attribute(e, "Algorithm", &len);

	f->sig->c14n = c14n_method_by_uri(uri, len);
	if (f->sig->c14n == C14N_NONE)
		signature_refuse(f->sig, FAULT_SIGNATURE_C14N, "CanonicalizationMethod");
}

static void
start_method(struct signature_form *f, const struct c14n_element *e)
{
	size_t len;
	const char *uri = attribute(e, "Algorithm", &len);

	f->sig->method = signature_method_by_uri(uri, len);
	if (f->sig->method == SIGNATURE_NONE)
		signature_refuse(f->sig, FAULT_SIGNATURE_ALGORITHM, "SignatureMethod");
}

static void
start_reference(struct signature_form *f, const struct c14n_element *e)
{
	size_t len;
	const char *uri = attribute(e, "URI", &len);

	if (!uri || len > 0)
		signature_refuse(f->sig, FAULT_SIGNATURE_REFERENCE, uri ? "URI is not empty" : "no URI");
	const char *type = attribute(e, "Type", &len);
	if (type && !equals(type, len, ""))
		signature_refuse(f->sig, FAULT_SIGNATURE_OBJECT, "Reference has a Type");
}

/* Exactly: enveloped-signature, then at most one canonicalization. */
static void
start_transform(struct signature_form *f, const struct c14n_element *e)
{
	size_t len;
	const char *uri = attribute(e, "Algorithm", &len);
	unsigned n = f->transforms++;

	if (n == 0 && equals(uri, len, URI_ENVELOPED)) {
		f->enveloped = true;
		return;
	}
	enum c14n_method c14n = c14n_method_by_uri(uri, len);
	if (n == 1 && c14n != C14N_NONE)
		f->sig->body_c14n = c14n;
	else if (uri && len > 12 && memmem(uri, len, "WithComments", 12))
		signature_refuse(f->sig, FAULT_SIGNATURE_C14N, "Transform with comments");
	else
		signature_refuse(f->sig, FAULT_SIGNATURE_TRANSFORM, "Transform");
}

static void
end_transforms(struct signature_form *f)
{
	if (!f->enveloped)
		signature_refuse(f->sig, FAULT_SIGNATURE_TRANSFORM, "enveloped-signature is missing");
	if (f->sig->body_c14n == C14N_NONE)
		f->sig->body_c14n = C14N_INCLUSIVE;
}

static void
start_digest(struct signature_form *f, const struct c14n_element *e)
{
	size_t len;
	const char *uri = attribute(e, "Algorithm", &len);

	f->sig->digest = digest_method_by_uri(uri, len);
	if (f->sig->digest == DIGEST_NONE)
		signature_refuse(f->sig, FAULT_SIGNATURE_ALGORITHM, "DigestMethod");
}

/* Decodes the collected text into out; false when it is not base64 or too long. */
static bool
decode(struct signature_form *f, uint8_t *out, size_t size, size_t *len)
{
	struct base64 state = {.bits = 0};

	if (f->text.failed || base64_room(f->text.len) > size)
		return false;
	*len = base64_decode(&state, buf_str(&f->text), f->text.len, out);
	return base64_complete(&state);
}

static void
end_digest_value(struct signature_form *f)
{
	uint8_t bytes[128];

	if (!decode(f, bytes, sizeof bytes, &f->declared_len) ||
	    f->declared_len > sizeof f->sig->declared)
		signature_refuse(f->sig, FAULT_SIGNATURE_FORM, "DigestValue");
	else
		memcpy(f->sig->declared, bytes, f->declared_len);
}

static void
end_value(struct signature_form *f)
{
	uint8_t bytes[4096];
	size_t len;

	if (!decode(f, bytes, sizeof bytes, &len) || len == 0)
		signature_refuse(f->sig, FAULT_SIGNATURE_FORM, "SignatureValue");
	else if (!buf_add(&f->sig->value, bytes, len))
		signature_refuse(f->sig, FAULT_INTERNAL, "memory");
}

/* Keeps the certificate once, however often it is repeated. */
static void
end_certificate(struct signature_form *f)
{
	struct signature *sig = f->sig;

	for (unsigned i = 0; i < sig->certificate_count; i++) {
		if (sig->certificates[i].len == f->text.len &&
		    memcmp(sig->certificates[i].data, f->text.data, f->text.len) == 0)
			return;
	}
	if (f->text.len == 0 || f->text.failed)
		signature_refuse(sig, FAULT_CERTIFICATE_UNREADABLE, "X509Certificate");
	else if (sig->certificate_count == SIGNATURE_CERTIFICATES_MAX)
		signature_refuse(sig, FAULT_SIGNATURE_FORM, "too many certificates");
	else if (!buf_add(&sig->certificates[sig->certificate_count++], f->text.data, f->text.len))
		signature_refuse(sig, FAULT_INTERNAL, "memory");
}

static void
start_object(struct signature_form *f, const struct c14n_element *e)
{
	(void)e;
	signature_refuse(f->sig, FAULT_SIGNATURE_OBJECT, "Object");
}

/* What may be inside a signature. The order within a parent is the order of the rows. */
static const struct form_rule root_rule = {.name = "Signature",
	.parent = NODES,
	.node = SIGNATURE,
	.child_fault = FAULT_SIGNATURE_FORM};

static const struct form_rule rules[] = {
	{"SignedInfo", SIGNATURE, SIGNED_INFO, false, false, FAULT_SIGNATURE_FORM,
	    FAULT_SIGNATURE_FORM, start_signed_info, end_signed_info},
	{"SignatureValue", SIGNATURE, LEAF, false, false, FAULT_SIGNATURE_FORM,
	    FAULT_SIGNATURE_FORM, NULL, end_value},
	{"KeyInfo", SIGNATURE, KEY_INFO, false, true, FAULT_NONE, FAULT_SIGNATURE_FORM, NULL, NULL},
	{"Object", SIGNATURE, LEAF, true, true, FAULT_NONE, FAULT_NONE, start_object, NULL},
	{"CanonicalizationMethod", SIGNED_INFO, LEAF, false, false, FAULT_SIGNATURE_C14N,
	    FAULT_SIGNATURE_FORM, start_c14n, NULL},
	{"SignatureMethod", SIGNED_INFO, LEAF, false, false, FAULT_SIGNATURE_ALGORITHM,
	    FAULT_SIGNATURE_FORM, start_method, NULL},
	{"Reference", SIGNED_INFO, REFERENCE, false, false, FAULT_SIGNATURE_FORM,
	    FAULT_SIGNATURE_REFERENCE, start_reference, NULL},
	{"Transforms", REFERENCE, TRANSFORMS, false, false, FAULT_SIGNATURE_TRANSFORM,
	    FAULT_SIGNATURE_FORM, NULL, end_transforms},
	{"DigestMethod", REFERENCE, LEAF, false, false, FAULT_SIGNATURE_ALGORITHM,
	    FAULT_SIGNATURE_FORM, start_digest, NULL},
	{"DigestValue", REFERENCE, LEAF, false, false, FAULT_SIGNATURE_FORM, FAULT_SIGNATURE_FORM,
	    NULL, end_digest_value},
	{"Transform", TRANSFORMS, LEAF, true, false, FAULT_SIGNATURE_TRANSFORM, FAULT_NONE,
	    start_transform, NULL},
	{"X509Data", KEY_INFO, X509_DATA, true, true, FAULT_NONE, FAULT_NONE, NULL, NULL},
	{"X509Certificate", X509_DATA, LEAF, true, false, FAULT_SIGNATURE_FORM, FAULT_NONE, NULL,
	    end_certificate},
};

#define RULES (sizeof rules / sizeof rules[0])

/* Rows that must have been met when their parent ends. KeyInfo is not among them. */
static const char *const required[] = {"SignedInfo", "SignatureValue", "CanonicalizationMethod",
	"SignatureMethod", "Reference", "Transforms", "DigestMethod", "DigestValue"};

static const struct form_rule *
find_rule(enum form_node parent, const struct c14n_element *e)
{
	if (!e->uri || strcmp(e->uri, NS_DSIG) != 0)
		return NULL;
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].parent == parent && strcmp(rules[i].name, e->name) == 0)
			return &rules[i];
	}
	return NULL;
}

void
signature_form_begin(struct signature_form *f, struct signature *sig)
{
	struct buf text = f->text;

	buf_reset(&text);
	text.max = TEXT_MAX;
	*f = (struct signature_form){.sig = sig, .open = {&root_rule}, .depth = 1, .text = text};
}

/* Once, and after what stands before it in the table. */
static void
check_order(struct signature_form *f, const struct form_rule *rule)
{
	unsigned bit = 1u << (rule - rules), *seen = &f->seen[f->depth - 1];
	bool ordered = f->open[f->depth - 1]->node != KEY_INFO;

	if ((*seen & bit) && !rule->several)
		signature_refuse(f->sig, rule->several_fault, rule->name);
	if (ordered && (*seen & ~(bit - 1) & ~bit))
		signature_refuse(f->sig, FAULT_SIGNATURE_FORM, "order of elements");
	*seen |= bit;
}

void
signature_form_start(struct signature_form *f, const struct c14n_element *e)
{
	if (f->sig->fault || f->foreign || f->depth == 0) {
		f->foreign += f->depth > 0;
		return;
	}
	const struct form_rule *parent = f->open[f->depth - 1];
	const struct form_rule *rule = parent->node == LEAF ? NULL : find_rule(parent->node, e);
	if (!rule) {
		/* in a canonicalization transform it can only be a PrefixList */
		bool c14n = parent->start == start_transform && f->sig->body_c14n != C14N_NONE;
		if (!parent->tolerant)
			signature_refuse(f->sig, c14n ? FAULT_SIGNATURE_C14N : parent->child_fault,
			    parent->name);
		f->foreign = 1;
		return;
	}
	check_order(f, rule);
	f->seen[f->depth] = 0;
	f->open[f->depth++] = rule;
	buf_reset(&f->text);
	if (rule->start)
		rule->start(f, e);
}

static bool
is_space(char c)
{
	return (unsigned char)c <= ' '; /* XML lets no other control characters through */
}

void
signature_form_text(struct signature_form *f, const char *text, size_t len)
{
	if (f->sig->fault || f->foreign || f->depth == 0)
		return;
	const struct form_rule *open = f->open[f->depth - 1];
	bool leaf = open->end && open->node == LEAF;
	for (size_t i = 0; i < len && !f->sig->fault;) {
		size_t from = i;
		while (i < len && !is_space(text[i]))
			i++;
		if (i > from && leaf)
			buf_add(&f->text, text + from, i - from);
		else if (i > from && !open->tolerant)
			signature_refuse(f->sig, FAULT_SIGNATURE_FORM, "text between elements");
		i += i < len;
	}
}

static void
check_required(struct signature_form *f, const struct form_rule *parent)
{
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].parent != parent->node || (f->seen[f->depth - 1] & 1u << i))
			continue;
		for (size_t j = 0; j < sizeof required / sizeof required[0]; j++) {
			if (strcmp(required[j], rules[i].name) == 0)
				signature_refuse(f->sig, FAULT_SIGNATURE_FORM, rules[i].name);
		}
	}
}

void
signature_form_end(struct signature_form *f)
{
	if (f->foreign) {
		f->foreign--;
		return;
	}
	if (f->sig->fault || f->depth == 0)
		return;
	const struct form_rule *rule = f->open[f->depth - 1];
	check_required(f, rule);
	if (rule->end)
		rule->end(f);
	if (--f->depth > 0 || f->sig->fault)
		return;
	const EVP_MD *md = digest_method_md(f->sig->digest);
	if (!md || (size_t)EVP_MD_get_size(md) != f->declared_len)
		signature_refuse(f->sig, FAULT_SIGNATURE_FORM, "length of DigestValue");
	f->sig->digest_len = f->declared_len;
}

void
signature_form_free(struct signature_form *f)
{
	buf_free(&f->text);
}

void
signature_reset(struct signature *sig)
{
	struct signature old = *sig;

	*sig = (struct signature){.signed_info = old.signed_info, .value = old.value};
	memcpy(sig->certificates, old.certificates, sizeof sig->certificates);
	buf_reset(&sig->signed_info);
	buf_reset(&sig->value);
	for (unsigned i = 0; i < SIGNATURE_CERTIFICATES_MAX; i++)
		buf_reset(&sig->certificates[i]);
}

void
signature_free(struct signature *sig)
{
	buf_free(&sig->signed_info);
	buf_free(&sig->value);
	for (unsigned i = 0; i < SIGNATURE_CERTIFICATES_MAX; i++)
		buf_free(&sig->certificates[i]);
}

void
signature_refuse(struct signature *sig, enum fault fault, const char *detail)
{
	if (sig->fault)
		return;
	sig->fault = fault;
	sig->fault_detail = detail;
}
