/* Moments and dates: what travels on the wire, what people read. */
#ifndef OBMEN_WHEN_H
#define OBMEN_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A moment: nanoseconds since 1970-01-01T00:00:00Z. Good until the year 2262. */
typedef int64_t when;

#define WHEN_SECOND ((when)1000000000)
#define WHEN_NONE ((when)INT64_MIN)
#define WHEN_TEXT_SIZE 48

/* The system's real-time clock. */
when when_now(void);
/* The monotonic clock: only differences mean anything. */
when when_monotonic(void);

/* Reads xsd:dateTime with 0-9 fractional digits and Z, an offset or none (then local time)
 * (protocol.md section 3, deviations). */
bool when_parse(when *w, const char *text, size_t len);
/* Writes xsd:dateTime with milliseconds and the local zone's offset: 2026-11-21T09:30:00.000+02:00 */
void when_format(when w, char out[WHEN_TEXT_SIZE]);
/* Writes for people: 21.11.2026 г., 09:30:00 +02:00 (bg) or 21.11.2026 09:30:00 +02:00 (en). */
void when_format_human(when w, bool bulgarian, char out[WHEN_TEXT_SIZE]);

/* True when text is a valid xsd:date, a zone allowed (protocol.md section 3). */
bool date_valid(const char *text, size_t len);
/* Today as xsd:date in the local zone. */
void date_today(char out[11]);

#endif
