/* How long a connection may stay in a state without something happening. */
#include "lib/http_conn.h"

#define LINGER_TIME (2 * WHEN_SECOND)

/* When a transfer is too slow if no further byte moves: silent for body_time, or below the rate. */
static when
transfer_deadline(const struct http_conn *c)
{
	const struct http_limits *l = &c->server->limits;
	when silent = c->progress + l->body_time;

	if (!l->body_rate)
		return silent;
	uint64_t rate = l->body_rate;
	uint64_t earned = c->moved / rate * WHEN_SECOND + c->moved % rate * WHEN_SECOND / rate;
	when slow = c->since + l->body_time + (when)earned;
	return slow < silent ? slow : silent;
}

when
http_conn_deadline(const struct http_conn *c)
{
	const struct http_limits *l = &c->server->limits;
	when d;

	switch (c->state) {
	case CONN_HANDSHAKE:
		return c->since + l->head_time;
	case CONN_IDLE:
		return c->since + (c->used ? l->idle_time : l->head_time);
	case CONN_HEAD:
		return c->begun + l->head_time;
	case CONN_BODY:
		if (c->paused)
			return c->paused_at + l->answer_time;
		d = transfer_deadline(c);
		return d < c->begun + l->total_time ? d : c->begun + l->total_time;
	case CONN_WAIT:
		return c->since + l->answer_time;
	case CONN_ANSWER:
		return transfer_deadline(c);
	default:
		return c->since + LINGER_TIME;
	}
}
