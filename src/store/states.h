/*
 * The states of a document, which transitions are allowed and who may cause each: one table for both
 * directions (protocol.md sections 5 and 6, design section 2).
 *
 * Ends of an outgoing document: registered, refused, failed, expired (and stopped, closed, which
 * follow registered). Late good news from the peer may overwrite failed and expired; nothing turns
 * what the peer has said into failed or expired.
 */
#ifndef OBMEN_STATES_H
#define OBMEN_STATES_H

#include <stdbool.h>
#include <stdio.h>
#include "lib/catalogue.h"
#include "message/message.h"

/* Numbers of these three enums lie in the database: never renumber. */
enum direction { DIRECTION_IN, DIRECTION_OUT, DIRECTION_COUNT };

enum document_state {
	STATE_NONE, /* before the document exists */
	STATE_ACCEPTED,
	STATE_SIGNED,
	STATE_SENDING,
	STATE_UNSURE,
	STATE_HELD,
	STATE_WAITING,
	STATE_REGISTERED,
	STATE_REFUSED,
	STATE_STOPPED,
	STATE_CLOSED,
	STATE_FAILED,
	STATE_EXPIRED,
	STATE_COUNT
};

enum timeline_event {
	EVENT_ACCEPTED = 1,
	EVENT_SIGNED,
	EVENT_SENT,
	EVENT_ANSWERED,
	EVENT_RECEIVED,
	EVENT_REGISTERED,
	EVENT_REFUSED,
	EVENT_STOPPED,
	EVENT_CLOSED,
	EVENT_FAILED,
	EVENT_EXPIRED,
	EVENT_RETRY,
	EVENT_UNSURE,
	EVENT_POLLED,
	EVENT_HELD,
	EVENT_NOTIFIED,
	/* What an operator did with the delivery: */
	EVENT_HURRIED,
	EVENT_PUT_OFF,
	EVENT_RELEASED,
	EVENT_DROPPED,
	EVENT_COUNT
};

/* Who causes a transition; a set. */
enum cause {
	CAUSE_OPERATOR = 1 << 0,  /* a clerk, the participant's records system */
	CAUSE_NOTICE = 1 << 1,    /* a message that the peer sent by itself */
	CAUSE_ANSWER = 1 << 2,    /* the peer's answer to a message of ours */
	CAUSE_TRANSPORT = 1 << 3, /* our own codec and courier */
	CAUSE_CLOCK = 1 << 4,
};
#define CAUSE_COUNT 5

/* True when the table has this transition. A transition of a state to itself means that the peer may
 * repeat it with other particulars (number, reason). */
bool state_allows(enum direction, enum document_state from, enum document_state to, enum cause);

/* True for states that end a document's way: nothing is due any more. */
bool state_is_end(enum document_state);
/* True for what the peer itself has said about an outgoing document. */
bool state_is_peer(enum document_state);

/* Names of JSON and of the manual: "waiting". The parser returns STATE_NONE when unknown. */
const char *state_name(enum document_state);
enum document_state state_parse(const char *);
const char *direction_name(enum direction); /* "in", "out" */
const char *event_name(enum timeline_event);
const char *cause_name(enum cause);

/* The state that a peer's status means for our outgoing document: STATE_NONE for those that name
 * none (NOT_FOUND, unknown). ALREADY_RECEIVED means delivered: waiting (protocol.md section 6.7). */
enum document_state state_of_status(enum document_status);
/* What we tell a peer about its document. */
enum document_status status_of_state(enum document_state);
/* The event that the timeline shows when a document comes to this state. */
enum timeline_event event_of_state(enum document_state);

/* Writes the table as a diagram in plain text, one direction after the other. */
void states_write(FILE *);

#endif
