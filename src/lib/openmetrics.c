#include "lib/openmetrics.h"

#include <stdio.h>
#include <string.h>

#include "lib/histogram.h"

/* Quote, backslash and new line are escaped; other control bytes have no place in a label. */
static void
add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			buf_adds(b, "\\n");
		else if (*s == '"' || *s == '\\')
			buf_addf(b, "\\%c", *s);
		else
			buf_addc(b, (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	}
}

/* Whole numbers stay whole; the decimal point does not depend on the locale (none is ever set). */
static void
add_number(struct buf *b, double value)
{
	if (value == (double)(int64_t)value && value > -1e15 && value < 1e15)
		buf_addf(b, "%lld", (long long)value);
	else
		buf_addf(b, "%.9g", value);
}

static void
add_line(struct buf *b, const struct openmetrics_family *f, const char *suffix,
    const struct openmetrics_label *l, size_t n, const char *bound, double value)
{
	buf_addf(b, "%s%s", f->name, suffix);
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "%c%s=\"", i ? ',' : '{', l[i].name);
		add_escaped(b, l[i].value);
		buf_addc(b, '"');
	}
	if (bound)
		buf_addf(b, "%cle=\"%s\"", n ? ',' : '{', bound);
	buf_adds(b, n || bound ? "} " : " ");
	add_number(b, value);
	buf_addc(b, '\n');
}

void
openmetrics_begin(struct buf *b, const struct openmetrics_family *f)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};

	buf_addf(b, "# TYPE %s %s\n", f->name, kinds[f->kind]);
	if (f->unit)
		buf_addf(b, "# UNIT %s %s\n", f->name, f->unit);
	buf_addf(b, "# HELP %s ", f->name);
	add_escaped(b, f->help);
	buf_addc(b, '\n');
}

void
openmetrics_sample(struct buf *b, const struct openmetrics_family *f,
    const struct openmetrics_label *labels, size_t n, double value)
{
	add_line(b, f, f->kind == OPENMETRICS_COUNTER ? "_total" : "", labels, n, NULL, value);
}

void
openmetrics_histogram(struct buf *b, const struct openmetrics_family *f,
    const struct openmetrics_label *labels, size_t n, const json_t *h)
{
	const json_t *buckets = json_object_get(h, "buckets");
	double sum = (double)json_integer_value(json_object_get(h, "microseconds")) / 1e6;
	json_int_t below = 0;
	char bound[32];

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		below += json_integer_value(json_array_get(buckets, i));
		if (i < HISTOGRAM_BOUNDS)
			snprintf(bound, sizeof bound, "%g", (double)histogram_bounds[i] / 1e6);
		else
			snprintf(bound, sizeof bound, "+Inf");
		/* OpenMetrics wants floats here: 1.0, not 1. */
		if (i < HISTOGRAM_BOUNDS && !strpbrk(bound, ".e"))
			strcat(bound, ".0");
		add_line(b, f, "_bucket", labels, n, bound, (double)below);
	}
	add_line(b, f, "_sum", labels, n, NULL, sum);
	add_line(b, f, "_count", labels, n, NULL, (double)below);
}

void
openmetrics_end(struct buf *b)
{
	buf_adds(b, "# EOF\n");
}
