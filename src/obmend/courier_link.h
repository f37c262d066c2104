/*
 * What courier knows about each URL that it sends to: a breaker and the figures for operators.
 *
 * A breaker opens after so many connections in a row that came to nothing; then one probe is let
 * through after a pause, which doubles with every probe that fails, up to an hour.
 */
#ifndef OBMEN_COURIER_LINK_H
#define OBMEN_COURIER_LINK_H

#include <jansson.h>
#include <sys/queue.h>
#include "lib/catalogue.h"
#include "lib/conf.h"
#include "lib/when.h"

#define LINKS_MAX 4096       /* URLs remembered; the idle and sound ones are forgotten first */
#define LINK_PAUSE_MAX ((when)3600 * WHEN_SECOND)

enum link_state { LINK_CLOSED, LINK_OPEN, LINK_PROBING };

struct link {
	TAILQ_ENTRY(link) entry;
	char *url;
	enum link_state state;
	unsigned failures;   /* connections in a row */
	when pause, probe_at;/* monotonic: an open breaker does not wait for a clock that was set back */
	unsigned in_flight;
	uint64_t answered, failed;
	when last_answer;    /* time of day; WHEN_NONE = never */
	when certificate_until; /* the end of the server's certificate; WHEN_NONE = not seen yet */
	int said;            /* days of the last warning about it; INT_MAX = none */
	when last_failure;
	enum fault last_fault;
	char last_detail[256];
};

struct links {
	TAILQ_HEAD(link_list, link) list; /* last used first */
	unsigned count;
	unsigned failures_max;
	when pause_first;
};

/* Takes the breaker's times from the configuration. */
void links_init(struct links *, const struct conf *);
/* Other breaker settings from now on; open breakers stay open for as long as they were to. */
void links_reload(struct links *, const struct conf *);
void links_free(struct links *);

/* The link of a URL, made when it is new. NULL when memory is exhausted. */
struct link *link_find(struct links *, const char *url);

/* Moments are monotonic. May a call go out now? If not, *retry says when to ask again. A yes counts as
 * in flight until link_end. */
bool link_begin(struct link *, when now, when *retry);

enum link_result {
	LINK_ANSWERED,  /* any HTTP answer */
	LINK_REACHED,   /* a connection, then trouble */
	LINK_FAILED,    /* no connection */
	LINK_UNTRIED,   /* ended for reasons of our own */
};
/* The end of a call. fault and detail are kept for operators; FAULT_NONE when all went well. */
void link_end(struct links *, struct link *, enum link_result, when now, enum fault,
              const char *detail);

#define LINK_CERTIFICATE_DAYS 60 /* from then on its end is warned of */

/* The certificate that the peer's server showed on a new connection: warns of its end once below 60,
 * 30, 14 and 7 days. */
void link_certificate(struct link *, const uint8_t *der, size_t len, when now);

/* JSON object of the figures; a new reference. */
json_t *link_status(const struct link *);

#endif
