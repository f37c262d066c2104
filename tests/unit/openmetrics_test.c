/* The writer of OpenMetrics, byte for byte, and histograms. */
#include "lib/openmetrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/histogram.h"

static void
counters_and_gauges(void **state)
{
	static const struct openmetrics_family counter = {"x_things", OPENMETRICS_COUNTER, NULL,
	    "Things \\ \"so\"\ncalled."};
	static const struct openmetrics_family gauge = {"x_age_seconds", OPENMETRICS_GAUGE, "seconds", "Age."};
	struct openmetrics_label labels[] = {{"a", "1"}, {"b", "q\"\\\n\x01й"}};
	struct buf b = {0};

	(void)state;
	openmetrics_begin(&b, &counter);
	openmetrics_sample(&b, &counter, NULL, 0, 3);
	openmetrics_sample(&b, &counter, labels, 2, 1e6);
	openmetrics_begin(&b, &gauge);
	openmetrics_sample(&b, &gauge, labels, 1, 0.25);
	openmetrics_end(&b);
	assert_string_equal(buf_str(&b), "# TYPE x_things counter\n"
	    "# HELP x_things Things \\\\ \\\"so\\\"\\ncalled.\n"
	    "x_things_total 3\n"
	    "x_things_total{a=\"1\",b=\"q\\\"\\\\\\n?й\"} 1000000\n"
	    "# TYPE x_age_seconds gauge\n# UNIT x_age_seconds seconds\n# HELP x_age_seconds Age.\n"
	    "x_age_seconds{a=\"1\"} 0.25\n# EOF\n");
	buf_free(&b);
}

static void
histograms_are_cumulative(void **state)
{
	static const struct openmetrics_family f = {"x_seconds", OPENMETRICS_HISTOGRAM, "seconds", "Time."};
	struct histogram h = {0};
	struct buf b = {0};

	(void)state;
	histogram_add(&h, 100 * 1000);          /* on the first bound */
	histogram_add(&h, 101 * 1000);          /* just above it */
	histogram_add(&h, 3600 * WHEN_SECOND);  /* above all */
	histogram_add(&h, -5);
	json_t *j = histogram_json(&h);
	openmetrics_histogram(&b, &f, NULL, 0, j);
	assert_non_null(strstr(buf_str(&b), "x_seconds_bucket{le=\"0.0001\"} 2\n"));
	assert_non_null(strstr(buf_str(&b), "x_seconds_bucket{le=\"0.00025\"} 3\n"));
	assert_non_null(strstr(buf_str(&b), "x_seconds_bucket{le=\"1.0\"} 3\n"));
	assert_non_null(strstr(buf_str(&b), "x_seconds_bucket{le=\"60.0\"} 3\n"));
	assert_non_null(strstr(buf_str(&b), "x_seconds_bucket{le=\"+Inf\"} 4\n"));
	assert_non_null(strstr(buf_str(&b), "x_seconds_sum 3600.0002\nx_seconds_count 4\n"));
	json_decref(j);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_and_gauges),
		cmocka_unit_test(histograms_are_cumulative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
