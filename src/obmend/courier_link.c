#include "obmend/courier_link.h"

#include <limits.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"

void
links_init(struct links *links, const struct conf *conf)
{
	*links = (struct links){0};
	TAILQ_INIT(&links->list);
	links_reload(links, conf);
}

void
links_reload(struct links *links, const struct conf *conf)
{
	links->failures_max = conf->breaker_failures ? conf->breaker_failures : 1;
	links->pause_first = (when)conf->breaker_pause * WHEN_SECOND;
}

static void
forget(struct links *links, struct link *l)
{
	TAILQ_REMOVE(&links->list, l, entry);
	links->count--;
	free(l->url);
	free(l);
}

void
links_free(struct links *links)
{
	struct link *l;

	while ((l = TAILQ_FIRST(&links->list)))
		forget(links, l);
}

/* The register changes URLs over the years; an open breaker is worth more than old figures. */
static void
make_room(struct links *links)
{
	struct link *l, *oldest = NULL;

	if (links->count < LINKS_MAX)
		return;
	TAILQ_FOREACH_REVERSE(l, &links->list, link_list, entry) {
		if (l->in_flight)
			continue;
		if (l->state == LINK_CLOSED) {
			forget(links, l);
			return;
		}
		oldest = oldest ? oldest : l;
	}
	if (oldest)
		forget(links, oldest);
}

struct link *
link_find(struct links *links, const char *url)
{
	struct link *l;

	TAILQ_FOREACH(l, &links->list, entry) {
		if (strcmp(l->url, url) == 0) {
			TAILQ_REMOVE(&links->list, l, entry);
			TAILQ_INSERT_HEAD(&links->list, l, entry);
			return l;
		}
	}
	make_room(links);
	l = calloc(1, sizeof *l);
	if (!l || !(l->url = strdup(url))) {
		free(l);
		return NULL;
	}
	l->pause = links->pause_first;
	l->last_answer = l->last_failure = l->certificate_until = WHEN_NONE;
	l->said = INT_MAX;
	TAILQ_INSERT_HEAD(&links->list, l, entry);
	links->count++;
	return l;
}

bool
link_begin(struct link *l, when now, when *retry)
{
	*retry = WHEN_NONE;
	if (l->state == LINK_PROBING || (l->state == LINK_OPEN && now < l->probe_at)) {
		/* While a probe is under way: ask again after it would have failed. */
		*retry = l->probe_at > now ? l->probe_at : now + l->pause;
		return false;
	}
	if (l->state == LINK_OPEN)
		l->state = LINK_PROBING;
	l->in_flight++;
	return true;
}

static void
open_breaker(struct links *links, struct link *l, when now)
{
	bool again = l->state == LINK_PROBING;

	l->pause = again ? l->pause * 2 : links->pause_first;
	if (l->pause > LINK_PAUSE_MAX)
		l->pause = LINK_PAUSE_MAX;
	l->probe_at = now + l->pause;
	l->state = LINK_OPEN;
	log_warning("courier.breaker-open", "url=\"%s\" failures=%u pause=%llds detail=\"%s\"",
	    l->url, l->failures, (long long)(l->pause / WHEN_SECOND), l->last_detail);
}

static void
close_breaker(struct links *links, struct link *l)
{
	if (l->state != LINK_CLOSED)
		log_info("courier.breaker-closed", "url=\"%s\" failures=%u", l->url, l->failures);
	l->state = LINK_CLOSED;
	l->failures = 0;
	l->pause = links->pause_first;
}

static void
count_failure(struct links *links, struct link *l, when now)
{
	l->failures++;
	/* Those that were under way when it opened do not open it wider. */
	if (l->state == LINK_PROBING ||
	    (l->state == LINK_CLOSED && l->failures >= links->failures_max))
		open_breaker(links, l, now);
}

void
link_end(struct links *links, struct link *l, enum link_result result, when now, enum fault fault,
    const char *detail)
{
	l->in_flight--;
	if (fault) {
		l->failed++;
		l->last_failure = when_now();
		l->last_fault = fault;
		snprintf(l->last_detail, sizeof l->last_detail, "%s", detail ? detail : "");
	}
	switch (result) {
	case LINK_ANSWERED:
		l->answered++;
		l->last_answer = when_now();
		close_breaker(links, l);
		break;
	case LINK_REACHED:
		close_breaker(links, l);
		break;
	case LINK_FAILED:
		count_failure(links, l, now);
		break;
	case LINK_UNTRIED:
		/* The probe did not happen: the next call may be it. */
		if (l->state == LINK_PROBING)
			l->state = LINK_OPEN;
		break;
	}
}

void
link_certificate(struct link *l, const uint8_t *der, size_t len, when now)
{
	static const int steps[] = {LINK_CERTIFICATE_DAYS, 30, 14, 7};
	X509 *x = len ? d2i_X509(NULL, &der, (long)len) : NULL;
	struct tm tm;
	int step = INT_MAX;

	if (x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm))
		l->certificate_until = (when)timegm(&tm) * WHEN_SECOND;
	X509_free(x);
	if (l->certificate_until == WHEN_NONE)
		return;
	int days = (int)((l->certificate_until - now) / (86400 * WHEN_SECOND));
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (days <= steps[i])
			step = steps[i];
	}
	if (step == INT_MAX) /* a new one */
		l->said = INT_MAX;
	if (step >= l->said)
		return;
	l->said = step;
	log_warning("courier.peer-certificate", "days=%d url=\"%s\"", days, l->url);
}

static json_t *
moment(when w)
{
	char text[WHEN_TEXT_SIZE];

	if (w == WHEN_NONE)
		return json_null();
	when_format(w, text);
	return json_string(text);
}

json_t *
link_status(const struct link *l)
{
	static const char *const names[] = {"sound", "open", "probing"};
	json_t *o = json_pack("{s:s, s:s, s:i, s:I, s:I, s:i, s:o, s:o}", "url", l->url, "breaker",
	    names[l->state], "in_flight", (int)l->in_flight, "answered", (json_int_t)l->answered,
	    "failed", (json_int_t)l->failed, "failures_in_a_row", (int)l->failures, "last_answer",
	    moment(l->last_answer), "last_failure", moment(l->last_failure));

	if (o && l->last_failure != WHEN_NONE) {
		json_object_set_new(o, "last_fault", json_string(fault_code(l->last_fault)));
		json_object_set_new(o, "last_detail", json_string(l->last_detail));
	}
	if (o && l->certificate_until != WHEN_NONE)
		json_object_set_new(o, "certificate_until", moment(l->certificate_until));
	if (o && l->state != LINK_CLOSED)
		json_object_set_new(o, "probe_at",
		    moment(when_now() + l->probe_at - when_monotonic()));
	return o;
}
