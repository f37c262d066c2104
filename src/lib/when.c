#include "lib/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static when
clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (when)t.tv_sec * WHEN_SECOND + t.tv_nsec;
}

when
when_now(void)
{
	return clock_read(CLOCK_REALTIME);
}

when
when_monotonic(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* A cursor over text of known length. */
struct scan {
	const char *at, *end;
};

static bool
scan_char(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* Exactly n digits whose value lies between low and high. */
static bool
scan_number(struct scan *s, int n, int low, int high, int *out)
{
	int v = 0;

	for (; n > 0; n--, s->at++) {
		if (s->at == s->end || *s->at < '0' || *s->at > '9')
			return false;
		v = v * 10 + (*s->at - '0');
	}
	*out = v;
	return v >= low && v <= high;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Years beyond 1900-2200 do not fit a `when` with room for offsets and are nobody's document. */
static bool
scan_date(struct scan *s, struct tm *tm)
{
	int year, month, day;

	if (!scan_number(s, 4, 1900, 2200, &year) || !scan_char(s, '-') ||
	    !scan_number(s, 2, 1, 12, &month) || !scan_char(s, '-') ||
	    !scan_number(s, 2, 1, days_in_month(year, month), &day))
		return false;
	*tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};
	return true;
}

static bool
scan_time(struct scan *s, struct tm *tm, when *fraction)
{
	when unit = WHEN_SECOND;

	if (!scan_number(s, 2, 0, 23, &tm->tm_hour) || !scan_char(s, ':') ||
	    !scan_number(s, 2, 0, 59, &tm->tm_min) || !scan_char(s, ':') ||
	    !scan_number(s, 2, 0, 59, &tm->tm_sec))
		return false;
	*fraction = 0;
	if (!scan_char(s, '.'))
		return true;
	const char *from = s->at;
	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
		unit /= 10;
		*fraction += unit * (*s->at - '0');
	}
	return s->at > from && s->at - from <= 9;
}

/* Z, +hh:mm or nothing. */
static bool
scan_zone(struct scan *s, bool *present, int *seconds)
{
	int hours, minutes;

	*present = true;
	*seconds = 0;
	if (scan_char(s, 'Z'))
		return true;
	bool minus = scan_char(s, '-');
	if (!minus && !scan_char(s, '+')) {
		*present = false;
		return true;
	}
	if (!scan_number(s, 2, 0, 14, &hours) || !scan_char(s, ':') ||
	    !scan_number(s, 2, 0, 59, &minutes))
		return false;
	*seconds = (hours * 60 + minutes) * (minus ? -60 : 60);
	return true;
}

bool
when_parse(when *w, const char *text, size_t len)
{
	struct scan s = {text, text + len};
	struct tm tm;
	when fraction;
	bool zoned;
	int offset;

	if (!scan_date(&s, &tm) || !scan_char(&s, 'T') || !scan_time(&s, &tm, &fraction) ||
	    !scan_zone(&s, &zoned, &offset) || s.at != s.end)
		return false;
	time_t t = zoned ? timegm(&tm) - offset : mktime(&tm);
	*w = (when)t * WHEN_SECOND + fraction;
	return true;
}

/* Whole seconds before w, and what remains in nanoseconds (never negative). */
static time_t
split(when w, long *nanoseconds)
{
	when seconds = w / WHEN_SECOND, rest = w % WHEN_SECOND;

	if (rest < 0) {
		rest += WHEN_SECOND;
		seconds--;
	}
	*nanoseconds = (long)rest;
	return (time_t)seconds;
}

static void
format_offset(const struct tm *tm, char out[8])
{
	long minutes = labs(tm->tm_gmtoff) / 60;

	snprintf(out, 8, "%c%02d:%02d", tm->tm_gmtoff < 0 ? '-' : '+', (int)(minutes / 60 % 24),
	    (int)(minutes % 60));
}

void
when_format(when w, char out[WHEN_TEXT_SIZE])
{
	struct tm tm;
	long ns;
	time_t t = split(w, &ns);
	char date[24], offset[8];

	localtime_r(&t, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	format_offset(&tm, offset);
	snprintf(out, WHEN_TEXT_SIZE, "%s.%03ld%s", date, ns / 1000000, offset);
}

void
when_format_human(when w, bool bulgarian, char out[WHEN_TEXT_SIZE])
{
	struct tm tm;
	long ns;
	time_t t = split(w, &ns);
	char offset[8];

	localtime_r(&t, &tm);
	size_t n = strftime(out, WHEN_TEXT_SIZE - 8,
	    bulgarian ? "%d.%m.%Y г., %H:%M:%S " : "%d.%m.%Y %H:%M:%S ", &tm);
	format_offset(&tm, offset);
	memcpy(out + n, offset, sizeof offset);
}

bool
date_valid(const char *text, size_t len)
{
	struct scan s = {text, text + len};
	struct tm tm;
	bool zoned;
	int offset;

	return scan_date(&s, &tm) && scan_zone(&s, &zoned, &offset) && s.at == s.end;
}

void
date_today(char out[11])
{
	time_t t = time(NULL);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(out, 11, "%Y-%m-%d", &tm);
}
