/* Elements and texts in the form that is canonical as written: inside of writer.h. */
#ifndef OBMEN_WRITER_TEXT_H
#define OBMEN_WRITER_TEXT_H

#include "lib/buf.h"
#include "message/message.h"

/* Collects text; remembers the first thing that the schema would not allow. */
struct writer {
	struct buf out;
	const char *wrong; /* name of the element; NULL = all is well */
};

/* Text with the escapes of canonical XML; CR and what XML cannot hold become spaces. */
void write_escaped(struct writer *, const char *text);
/* <name>text</name>; the text must be there. */
void write_required(struct writer *, const char *name, const char *text);
/* The same, or nothing when text is NULL. */
void write_optional(struct writer *, const char *name, const char *text);
/* An xsd:date, or nothing when NULL. */
void write_date(struct writer *, const char *name, const char *date);
/* The spelling when there is one, else lower case with braces. */
void write_guid(struct writer *, const char *name, const struct guid *, const char *spelling);
void write_plain(struct writer *, const char *xml);
void write_wrong(struct writer *, const char *name);

/* The message up to the place where its attachments come. */
void write_message_head(struct writer *, const struct message *);
/* One attachment up to its bytes, and after them. */
void write_attachment_head(struct writer *, const struct message *, const struct attachment *);
void write_attachment_tail(struct writer *, const struct attachment *);
/* The rest, up to and with </Body>. */
void write_message_tail(struct writer *, const struct message *);

#endif
