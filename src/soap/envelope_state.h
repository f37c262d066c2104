/* What the parts of the envelope reader share: envelope.c (frame), envelope_text.c (the text). */
#ifndef OBMEN_ENVELOPE_STATE_H
#define OBMEN_ENVELOPE_STATE_H

#include <libxml/parser.h>
#include "soap/envelope.h"

#define FRAME_DEPTH 32
#define FAULT_TEXT_MAX 1024

enum text_state { TEXT_PLAIN, TEXT_ENTITY, TEXT_MARKUP, TEXT_COMMENT, TEXT_CDATA, TEXT_PI };

struct envelope {
	enum envelope_kind kind;
	envelope_text_cb cb;
	void *arg;
	enum fault fault;
	char detail[256];
	bool begun, ended;
	unsigned bom;                /* bytes of a byte order mark before the frame */
	bool started;

	/* frame */
	xmlParserCtxtPtr xml;
	xmlSAXHandler sax;
	size_t frame_bytes;
	unsigned depth;
	unsigned char place[FRAME_DEPTH + 1]; /* enum place, by depth */
	bool operation, text_seen, fault_seen;
	struct buf fault_text;

	/* text */
	bool in_text;
	enum text_state state;
	char pending[16];            /* entity or markup that is not complete */
	unsigned pending_len;
	unsigned run;                /* dashes, brackets or question marks just seen */
	bool after_cr;
	bool any;                    /* something other than white space was given */
	unsigned inner_bom;
	size_t out_len;
	char out[16 << 10];
};

/* Keeps the first fault and its detail; later ones do not count. */
void envelope_fail(struct envelope *, enum fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* envelope_text.c: takes text of the message until the tag that ends it; then clears .in_text.
 * Returns how many bytes were taken; the "</" of that tag is among them. */
size_t envelope_take_text(struct envelope *, const char *data, size_t len);
void envelope_text_begin(struct envelope *);

#endif
