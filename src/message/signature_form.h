/*
 * The inside of /Message/ds:Signature, read element by element on the parse that also digests it
 * (protocol.md section 4, accept and reject lists).
 */
#ifndef OBMEN_SIGNATURE_FORM_H
#define OBMEN_SIGNATURE_FORM_H

#include "message/c14n.h"
#include "message/signature.h"

#define FORM_DEPTH 8

struct form_rule;

struct signature_form {
	struct signature *sig;
	const struct form_rule *open[FORM_DEPTH]; /* elements that are open, Signature first */
	unsigned seen[FORM_DEPTH];                /* bits of rules met inside each */
	unsigned depth;
	unsigned foreign; /* depth inside an element whose content does not matter */
	unsigned transforms;
	bool enveloped;
	bool signed_info; /* inside SignedInfo: the reader canonicalizes it */
	size_t declared_len;
	struct buf text;
};

/* Starts inside the start tag of Signature. The buffer is kept for reuse. */
void signature_form_begin(struct signature_form *, struct signature *);
void signature_form_start(struct signature_form *, const struct c14n_element *);
void signature_form_text(struct signature_form *, const char *text, size_t len);
void signature_form_end(struct signature_form *);
void signature_form_free(struct signature_form *);

/* Empties a signature for the next message. */
void signature_reset(struct signature *);
void signature_free(struct signature *);
/* Refuses the signature, unless it was refused before: the first fault counts. detail is static. */
void signature_refuse(struct signature *, enum fault, const char *detail);

/* By the URI of an Algorithm attribute; NONE when it is not accepted. */
enum signature_method signature_method_by_uri(const char *uri, size_t len);
enum digest_method digest_method_by_uri(const char *uri, size_t len);
enum c14n_method c14n_method_by_uri(const char *uri, size_t len);

#define URI_C14N "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define URI_EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define URI_ENVELOPED "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

#endif
