/*
 * Writes the OpenMetrics text format, version 1.0.0 (the exposition format that Prometheus reads).
 * Samples of a family follow its head directly; a family appears once; openmetrics_end comes last.
 */
#ifndef OBMEN_OPENMETRICS_H
#define OBMEN_OPENMETRICS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/buf.h"

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum openmetrics_kind { OPENMETRICS_COUNTER, OPENMETRICS_GAUGE, OPENMETRICS_HISTOGRAM };

struct openmetrics_family {
	const char *name; /* with its unit at the end, without _total */
	enum openmetrics_kind kind;
	const char *unit; /* "seconds", "bytes"; NULL = none */
	const char *help;
};

struct openmetrics_label {
	const char *name, *value;
};

/* The family's TYPE, UNIT and HELP lines; its samples follow. */
void openmetrics_begin(struct buf *, const struct openmetrics_family *);
/* One sample of a counter or a gauge. */
void openmetrics_sample(struct buf *, const struct openmetrics_family *,
                        const struct openmetrics_label *, size_t labels, double value);
/* What histogram_json gave, as buckets, sum (in seconds) and count. */
void openmetrics_histogram(struct buf *, const struct openmetrics_family *,
                           const struct openmetrics_label *, size_t labels, const json_t *histogram);
void openmetrics_end(struct buf *);

#endif
