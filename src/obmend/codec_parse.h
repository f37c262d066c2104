/* One SOAP text through envelope and reader, a slice at a time. */
#ifndef OBMEN_CODEC_PARSE_H
#define OBMEN_CODEC_PARSE_H

#include "message/reader.h"
#include "obmend/codec_body.h"
#include "soap/envelope.h"

struct parser; /* an envelope and a reader: built once, lent to one parse after the other */

#define PARSERS_IDLE 8 /* parsers kept for the next messages */

struct parser_pool {
	struct parser *idle;
	unsigned idle_count;
	/* How often libxml2 had no memory. It goes on then, and finds mistakes that are none. */
	uint64_t memory_failures;
};

/* From now on libxml2 reports to this pool, which must live as long as the process reads XML. */
void parser_pool_watch(struct parser_pool *);

/* Frees the idle parsers; lent ones must have come back. */
void parser_pool_free(struct parser_pool *);

struct parse {
	struct parser *parser; /* lent; NULL when nothing is being read */
	const struct parser_pool *pool;
	uint64_t memory_failures; /* of the pool, when it began */
	struct body *body;
	struct message *message;
	enum envelope_kind kind;
	reader_attachment_cb attachment;
	void *attachment_arg;
	bool again;            /* read a second time with the right digest */
	enum fault inner;      /* the reader's first fault */
	/* the verdict, when parse_step has returned false: */
	enum envelope_content content;
	enum fault fault;
	char detail[256];
	bool header_known; /* message->sender, recipient, guid can be used in spite of the fault */
	bool trouble;      /* the fault is our own: memory, an unreadable descriptor */
};

/* Starts reading body into message. `attachment` may be NULL. False: no memory. */
bool parse_begin(struct parse *, struct parser_pool *, struct body *, struct message *,
                 enum envelope_kind, enum digest_method hint);
/* Reads on for about `budget` bytes. True: there is more. */
bool parse_step(struct parse *, uint8_t room[BODY_PIECE], size_t budget);
/* The signature; valid until parse_end. */
const struct signature *parse_signature(const struct parse *);
const char *parse_schema_violation(const struct parse *);
const char *parse_fault_text(const struct parse *);
/* Gives the parser back; the message stays. May be called when nothing was begun. */
void parse_end(struct parse *, struct parser_pool *);

#endif
