#include "store/states.h"

#include <string.h>

#define S(name) (1u << STATE_##name)

#define BEFORE_PEER \
	(S(ACCEPTED) | S(SIGNED) | S(SENDING) | S(UNSURE) | S(HELD))
#define OPEN        (BEFORE_PEER | S(WAITING))
#define SAID        (S(REGISTERED) | S(REFUSED) | S(STOPPED) | S(CLOSED))
#define LATE        (S(FAILED) | S(EXPIRED))
#define PEER        (CAUSE_NOTICE | CAUSE_ANSWER)

/* A row allows every `from` of the set to go to `to` by every cause of the set. */
struct transition {
	enum direction direction;
	unsigned from;
	enum document_state to;
	unsigned causes;
};

static const struct transition transitions[] = {
    {DIRECTION_IN, S(NONE), STATE_WAITING, CAUSE_NOTICE},
    {DIRECTION_IN, S(WAITING), STATE_REGISTERED, CAUSE_OPERATOR},
    {DIRECTION_IN, S(WAITING), STATE_REFUSED, CAUSE_OPERATOR},
    {DIRECTION_IN, S(REGISTERED), STATE_STOPPED, CAUSE_OPERATOR},
    {DIRECTION_IN, S(REGISTERED) | S(STOPPED), STATE_CLOSED, CAUSE_OPERATOR},

    {DIRECTION_OUT, S(NONE), STATE_ACCEPTED, CAUSE_OPERATOR},
    {DIRECTION_OUT, S(ACCEPTED), STATE_SIGNED, CAUSE_TRANSPORT},
    {DIRECTION_OUT, S(HELD), STATE_SIGNED, CAUSE_TRANSPORT},
    {DIRECTION_OUT, S(SIGNED) | S(HELD), STATE_SENDING, CAUSE_TRANSPORT},
    /* Retries: with the same bytes, or with a message composed anew. */
    {DIRECTION_OUT, S(SENDING), STATE_SIGNED, CAUSE_TRANSPORT},
    {DIRECTION_OUT, S(SENDING), STATE_ACCEPTED, CAUSE_TRANSPORT | CAUSE_ANSWER},
    {DIRECTION_OUT, S(SENDING), STATE_HELD, CAUSE_TRANSPORT},
    {DIRECTION_OUT, S(SENDING), STATE_UNSURE, CAUSE_TRANSPORT | CAUSE_ANSWER},
    /* The peer was asked and does not know the document: send it again. */
    {DIRECTION_OUT, S(UNSURE) | S(WAITING), STATE_ACCEPTED, CAUSE_ANSWER},
    /* What the peer says. Any of its statuses may follow any other, as at eDelivery; but WAIT in an
     * answer never takes back what it said before: a bridge answers so without knowing (section
     * 10). */
    {DIRECTION_OUT, OPEN | LATE, STATE_WAITING, PEER},
    {DIRECTION_OUT, SAID, STATE_WAITING, CAUSE_NOTICE},
    {DIRECTION_OUT, OPEN | LATE | SAID, STATE_REGISTERED, PEER},
    {DIRECTION_OUT, OPEN | LATE | SAID, STATE_REFUSED, PEER},
    {DIRECTION_OUT, OPEN | LATE | SAID, STATE_STOPPED, PEER},
    {DIRECTION_OUT, OPEN | LATE | SAID, STATE_CLOSED, PEER},
    /* An Error, all tries spent, recipient gone. After delivery only the peer's own Error counts.
     */
    {DIRECTION_OUT, BEFORE_PEER, STATE_FAILED, CAUSE_TRANSPORT | PEER},
    {DIRECTION_OUT, S(WAITING), STATE_FAILED, CAUSE_NOTICE},
    /* An operator gives up what the recipient has not taken; not while it is being sent. */
    {DIRECTION_OUT, BEFORE_PEER & ~S(SENDING), STATE_FAILED, CAUSE_OPERATOR},
    {DIRECTION_OUT, OPEN, STATE_EXPIRED, CAUSE_CLOCK},
};

static const char *const state_names[STATE_COUNT] = {
	[STATE_NONE] = "none",
	[STATE_ACCEPTED] = "accepted",
	[STATE_SIGNED] = "signed",
	[STATE_SENDING] = "sending",
	[STATE_UNSURE] = "unsure",
	[STATE_HELD] = "held",
	[STATE_WAITING] = "waiting",
	[STATE_REGISTERED] = "registered",
	[STATE_REFUSED] = "refused",
	[STATE_STOPPED] = "stopped",
	[STATE_CLOSED] = "closed",
	[STATE_FAILED] = "failed",
	[STATE_EXPIRED] = "expired",
};

static const char *const event_names[EVENT_COUNT] = {
	[EVENT_ACCEPTED] = "accepted",
	[EVENT_SIGNED] = "signed",
	[EVENT_SENT] = "sent",
	[EVENT_ANSWERED] = "answered",
	[EVENT_RECEIVED] = "received",
	[EVENT_REGISTERED] = "registered",
	[EVENT_REFUSED] = "refused",
	[EVENT_STOPPED] = "stopped",
	[EVENT_CLOSED] = "closed",
	[EVENT_FAILED] = "failed",
	[EVENT_EXPIRED] = "expired",
	[EVENT_RETRY] = "retry",
	[EVENT_UNSURE] = "unsure",
	[EVENT_POLLED] = "polled",
	[EVENT_HELD] = "held",
	[EVENT_NOTIFIED] = "notified",
	[EVENT_HURRIED] = "hurried",
	[EVENT_PUT_OFF] = "put-off",
	[EVENT_RELEASED] = "released",
	[EVENT_DROPPED] = "dropped",
};

static const struct {
	enum cause cause;
	const char *name;
} cause_names[CAUSE_COUNT] = {
	{CAUSE_OPERATOR, "operator"},
	{CAUSE_NOTICE, "peer's notice"},
	{CAUSE_ANSWER, "peer's answer"},
	{CAUSE_TRANSPORT, "transport"},
	{CAUSE_CLOCK, "clock"},
};

/* Wire status, the state it gives an outgoing document. */
static const enum document_state states_by_status[STATUS_COUNT] = {
	[STATUS_WAIT_REGISTRATION] = STATE_WAITING,
	[STATUS_ALREADY_RECEIVED] = STATE_WAITING,
	[STATUS_REGISTERED] = STATE_REGISTERED,
	[STATUS_REJECTED] = STATE_REFUSED,
	[STATUS_STOPPED] = STATE_STOPPED,
	[STATUS_CLOSED] = STATE_CLOSED,
};

static const enum document_status statuses_by_state[STATE_COUNT] = {
	[STATE_WAITING] = STATUS_WAIT_REGISTRATION,
	[STATE_REGISTERED] = STATUS_REGISTERED,
	[STATE_REFUSED] = STATUS_REJECTED,
	[STATE_STOPPED] = STATUS_STOPPED,
	[STATE_CLOSED] = STATUS_CLOSED,
};

static const enum timeline_event events_by_state[STATE_COUNT] = {
	[STATE_ACCEPTED] = EVENT_ACCEPTED,
	[STATE_SIGNED] = EVENT_SIGNED,
	[STATE_SENDING] = EVENT_SENT,
	[STATE_UNSURE] = EVENT_UNSURE,
	[STATE_HELD] = EVENT_HELD,
	[STATE_WAITING] = EVENT_ANSWERED,
	[STATE_REGISTERED] = EVENT_REGISTERED,
	[STATE_REFUSED] = EVENT_REFUSED,
	[STATE_STOPPED] = EVENT_STOPPED,
	[STATE_CLOSED] = EVENT_CLOSED,
	[STATE_FAILED] = EVENT_FAILED,
	[STATE_EXPIRED] = EVENT_EXPIRED,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* All causes by which the table allows this transition. */
static unsigned
causes_of(enum direction d, enum document_state from, enum document_state to)
{
	unsigned causes = 0;

	for (size_t i = 0; i < COUNT(transitions); i++) {
		const struct transition *t = &transitions[i];
		if (t->direction == d && t->to == to && t->from & (1u << from))
			causes |= t->causes;
	}
	return causes;
}

bool
state_allows(enum direction d, enum document_state from, enum document_state to, enum cause by)
{
	return (causes_of(d, from, to) & by) != 0;
}

bool
state_is_end(enum document_state s)
{
	return (1u << s) & (SAID | LATE);
}

bool
state_is_peer(enum document_state s)
{
	return (1u << s) & (SAID | S(WAITING));
}

const char *
state_name(enum document_state s)
{
	return (unsigned)s < STATE_COUNT ? state_names[s] : state_names[STATE_NONE];
}

enum document_state
state_parse(const char *name)
{
	for (unsigned s = STATE_NONE + 1; name && s < STATE_COUNT; s++)
		if (strcmp(name, state_names[s]) == 0)
			return (enum document_state)s;
	return STATE_NONE;
}

const char *
direction_name(enum direction d)
{
	return d == DIRECTION_IN ? "in" : "out";
}

const char *
event_name(enum timeline_event e)
{
	return (unsigned)e < EVENT_COUNT && event_names[e] ? event_names[e] : "";
}

const char *
cause_name(enum cause c)
{
	for (size_t i = 0; i < COUNT(cause_names); i++)
		if (cause_names[i].cause == c)
			return cause_names[i].name;
	return "";
}

enum document_state
state_of_status(enum document_status s)
{
	return (unsigned)s < STATUS_COUNT ? states_by_status[s] : STATE_NONE;
}

enum document_status
status_of_state(enum document_state s)
{
	return (unsigned)s < STATE_COUNT ? statuses_by_state[s] : STATUS_UNKNOWN;
}

enum timeline_event
event_of_state(enum document_state s)
{
	return events_by_state[s];
}

static void
write_causes(FILE *out, unsigned causes)
{
	const char *separator = "";

	for (size_t i = 0; i < COUNT(cause_names); i++) {
		if (!(causes & cause_names[i].cause))
			continue;
		fprintf(out, "%s%s", separator, cause_names[i].name);
		separator = ", ";
	}
	fputc('\n', out);
}

/* The state, then one arrow for each state that may follow it. */
static void
write_state(FILE *out, enum direction d, enum document_state from)
{
	bool named = false;

	for (unsigned to = 0; to < STATE_COUNT; to++) {
		unsigned causes = causes_of(d, from, (enum document_state)to);
		if (!causes)
			continue;
		const char *name = from == STATE_NONE ? "(new)" : state_names[from];
		fprintf(out, "  %-10s --> %-10s  by ", named ? "" : name, state_names[to]);
		write_causes(out, causes);
		named = true;
	}
}

void
states_write(FILE *out)
{
	static const char *const titles[] = {
		[DIRECTION_IN] = "Incoming document", [DIRECTION_OUT] = "Outgoing document"};

	for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
		fprintf(out, "%s%s\n", d ? "\n" : "", titles[d]);
		for (unsigned from = 0; from < STATE_COUNT; from++)
			write_state(out, (enum direction)d, (enum document_state)from);
	}
}
