#include "lib/histogram.h"

const uint64_t histogram_bounds[HISTOGRAM_BOUNDS] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 10000000, 60000000};

void
histogram_add(struct histogram *h, when duration)
{
	size_t i = 0;

	if (duration < 0)
		duration = 0;
	uint64_t us = (uint64_t)duration / 1000;
	while (i < HISTOGRAM_BOUNDS && us > histogram_bounds[i])
		i++;
	h->buckets[i]++;
	h->count++;
	h->sum += duration;
}

json_t *
histogram_json(const struct histogram *h)
{
	json_t *buckets = json_array();

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		json_array_append_new(buckets, json_integer((json_int_t)h->buckets[i]));
	return json_pack("{s:I, s:I, s:o}", "count", (json_int_t)h->count, "microseconds",
	    (json_int_t)(h->sum / 1000), "buckets", buckets);
}
