/* How long something takes: counts by upper bounds that grow about 2.5-fold, for metrics. */
#ifndef OBMEN_HISTOGRAM_H
#define OBMEN_HISTOGRAM_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/when.h"

#define HISTOGRAM_BOUNDS 16

/* Upper bounds in microseconds, rising; what is longer counts behind the last one. */
extern const uint64_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
	uint64_t count;
	when sum;
};

/* A duration in nanoseconds; negative ones (a clock that was set) count as zero. */
void histogram_add(struct histogram *, when duration);
/* {"count", "microseconds", "buckets": [...]}; a new reference, or NULL. */
json_t *histogram_json(const struct histogram *);

#endif
