/* What the parts of the reader share: reader.c (bytes), reader_events.c (parser events),
 * reader_model.c (the message's elements). */
#ifndef OBMEN_READER_STATE_H
#define OBMEN_READER_STATE_H

#include "message/base64.h"
#include "message/c14n.h"
#include "message/reader.h"
#include "message/schema.h"
#include "message/signature_form.h"

#define READER_DEPTH_MAX 128 /* libxml2's own limit is 256 */

struct element_rule;
struct element_class;

/* A container of the model that is open. */
struct model_frame {
	const struct element_class *class;
	void *base;         /* the struct that its fields go to */
	unsigned seen;      /* bits of the rules met so far */
};

struct reader {
	struct reader_limits limits;
	xmlParserCtxtPtr xml;
	xmlSAXHandler sax;
	struct message *m;
	reader_attachment_cb cb;
	void *arg;
	enum fault fault;
	char detail[256];
	bool begun, ended;

	/* bytes */
	bool started;            /* the first '<' was seen */
	unsigned bom;            /* bytes of a leading byte order mark */
	char carry[4];           /* a character that is not complete yet */
	unsigned carry_len;

	/* digests */
	struct c14n whole;
	struct c14n info[2];     /* SignedInfo, inclusive and exclusive: its own form is inside it */
	struct buf info_text[2];
	EVP_MD_CTX *digests[DIGEST_METHOD_COUNT];
	bool running[DIGEST_METHOD_COUNT];
	enum c14n_method form;   /* of the whole, in this reading */
	enum c14n_method next_form;

	/* place */
	unsigned depth;
	unsigned signature_depth; /* depth of the signature that is open; 0 = none */
	unsigned payload_depth;   /* depth of the element whose content is not ours; 0 = none */
	unsigned signatures;      /* children of Message */
	struct signature sig;
	struct signature_form form_state;
	struct schema *schema;

	/* model */
	struct model_frame frames[16];
	unsigned frame_count;
	const struct element_rule *field; /* the text element that is open */
	struct buf text;
	size_t fields;            /* bytes of all texts so far */
	enum message_type body;   /* by the element inside Body */
	bool header_known;
	unsigned correspondent_count;
	struct correspondent **next_correspondent;
	struct attachment **next_attachment;
	struct attachment *attachment; /* the one whose AttBody is open */
	struct base64 base64;
	bool hash_attachments;
	EVP_MD_CTX *attachment_hash;
};

/* Stops the reading; the first fault counts. */
void reader_fail(struct reader *, enum fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* reader_events.c */
void reader_sax_init(xmlSAXHandler *);

/* reader_model.c: what follows a start tag, text, an end tag. */
enum model_entry { MODEL_ELEMENT, MODEL_PAYLOAD, MODEL_MISPLACED_SIGNATURE, MODEL_REFUSED };
void model_begin(struct reader *);
enum model_entry model_start(struct reader *, const struct c14n_element *);
void model_text(struct reader *, const char *text, size_t len);
void model_end(struct reader *);
/* Base64 text of the attachment that is open. */
void model_attachment_text(struct reader *, const char *text, size_t len);
/* The same for text that has not gone through the parser: takes the beginning that means the same
 * to it, digests it, and returns its length. */
size_t model_attachment_plain(struct reader *, const char *text, size_t len);

#endif
