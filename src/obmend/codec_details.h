/*
 * The details of a document as JSON: what obmenctl sends, what the store keeps for people, what
 * codec turns into a registration request and back (protocol.md section 3).
 *
 *	{"number","date","uri_register","uri_sequence","uri_date","document_guid","parent":{...},
 *	 "kind","about","comment","message_comment","service_name","service_type","service_code",
 *	 "date_close","attention_to","correspondents":[{"name","city",...}],
 *	 "attachments":[{"file_name","mime_type","comment","size"}]}
 *
 * Everything is text but the sizes; what is empty is absent.
 */
#ifndef OBMEN_CODEC_DETAILS_H
#define OBMEN_CODEC_DETAILS_H

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "message/message.h"

#define DETAILS_MAX ((size_t)4 << 20) /* bytes of JSON: twice what the reader lets a message hold */

/* Appends the JSON of a document; comment (the message's own) may be NULL. False: no room. */
bool details_write(struct buf *out, const struct document *, const char *comment);

/*
 * Reads the JSON into d, which is zeroed first; strings lie in the arena. Attachments get sizes and
 * offsets as if their bytes followed one another; their fd is -1. A missing document_guid leaves it
 * zero. FAULT_NONE, FIELD_MISSING, FIELD_VALUE (detail names the field), or INTERNAL: no memory.
 */
enum fault details_read(const char *json, size_t len, struct arena *, struct document *d,
                        const char **comment, char *detail, size_t detail_size);

#endif
