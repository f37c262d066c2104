#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/when.h"

#define LINE_MAX_BYTES 4096
#define REPEATS 32
#define REPEAT_TIME (3600 * WHEN_SECOND)

/* A warning of the last hour. */
struct repeat {
	const char *event; /* NULL: free */
	char first[96];    /* its first field */
	when since;        /* monotonic */
	unsigned count;    /* held back since then */
};

static struct {
	char name[32];
	enum log_level lowest;
	enum log_format format;
	struct repeat repeats[REPEATS];
} process = {"obmen", LOG_INFO, LOG_LOGFMT, {{0}}};

void
log_init(const char *role, int index, enum log_level lowest)
{
	if (index < 0)
		snprintf(process.name, sizeof process.name, "%s", role);
	else
		snprintf(process.name, sizeof process.name, "%s%d", role, index);
	process.lowest = lowest;
}

/* Control bytes would let a peer forge lines or colour a terminal. */
static void
escape_controls(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

/* One member of the object: "key":"value". */
static size_t
add_member(char *out, size_t size, const char *key, size_t key_len, const char *value, size_t len)
{
	size_t n = 0;

	/* The longest form of a byte is an escaped one; what would not fit as a whole is left out. */
	if (size < key_len + 2 * len + 8)
		return 0;
	n += (size_t)sprintf(out, ",\"%.*s\":\"", (int)key_len, key);
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '"' || value[i] == '\\')
			out[n++] = '\\';
		out[n++] = value[i];
	}
	out[n++] = '"';
	out[n] = 0;
	return n;
}

/* Length of the word before '=' at the beginning of s, 0 when there is none. */
static size_t
key_length(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return s[len] == '=' ? len : 0;
}

/* A quote ends a value when the line ends there or another field begins: what peers say may itself hold
 * quotes. */
static size_t
value_length(const char *s, bool quoted)
{
	size_t len = 0;

	if (!quoted)
		return strcspn(s, " ");
	while (s[len] && !(s[len] == '"' && (!s[len + 1] || (s[len + 1] == ' ' &&
	           (!s[len + 2] || key_length(s + len + 2))))))
		len++;
	return len;
}

size_t
log_fields_json(const char *s, char *out, size_t size)
{
	size_t n = 0;

	out[0] = 0;
	for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
		size_t key = key_length(s);
		if (key == 0)
			return n + add_member(out + n, size - n, "text", 4, s, strlen(s));
		const char *value = s + key + 1;
		bool quoted = *value == '"';
		size_t len = value_length(value + quoted, quoted);
		n += add_member(out + n, size - n, s, key, value + quoted, len);
		s = value + quoted + len;
		s += quoted && *s == '"';
	}
	return n;
}

static void
emit(enum log_level level, const char *event, const char *fields)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	char buf[2 * LINE_MAX_BYTES], at[WHEN_TEXT_SIZE];
	size_t len;

	when_format(when_now(), at);
	if (process.format == LOG_JSON) {
		len = (size_t)snprintf(buf, sizeof buf,
		    "{\"time\":\"%s\",\"level\":\"%s\",\"role\":\"%s\",\"event\":\"%s\"", at, names[level],
		    process.name, event);
		len += log_fields_json(fields, buf + len, sizeof buf - len - 2);
		buf[len++] = '}';
	} else {
		len = (size_t)snprintf(buf, sizeof buf, "time=%s level=%s role=%s event=%s %s", at,
		    names[level], process.name, event, fields);
	}
	buf[len++] = '\n';
	if (write(STDERR_FILENO, buf, len) < 0) {
		/* nowhere to say it */
	}
}

/* What was held back for an hour is told in one line. */
static void
tell_repeated(when now)
{
	char fields[160];

	for (size_t i = 0; i < REPEATS; i++) {
		struct repeat *r = &process.repeats[i];
		if (!r->event || now - r->since < REPEAT_TIME)
			continue;
		if (r->count) {
			snprintf(fields, sizeof fields, "what=%s %s count=%u", r->event, r->first, r->count);
			emit(LOG_WARNING, "log.repeated", fields);
		}
		r->event = NULL;
	}
}

/* True for a warning that was written within the hour: it is counted instead. */
static bool
is_repeated(const char *event, const char *fields)
{
	struct repeat *place = &process.repeats[0];
	char first[sizeof place->first];
	when now = when_monotonic();
	size_t key = key_length(fields), len = key ? key + 1 : 0;
	bool quoted = fields[len] == '"';

	len += quoted + value_length(fields + len + quoted, quoted) + quoted;
	snprintf(first, sizeof first, "%.*s", (int)len, fields);
	tell_repeated(now);
	for (size_t i = 0; i < REPEATS; i++) {
		struct repeat *r = &process.repeats[i];
		if (r->event && strcmp(r->event, event) == 0 && strcmp(r->first, first) == 0) {
			r->count++;
			return true;
		}
		if (!r->event || (place->event && r->since < place->since))
			place = r;
	}
	*place = (struct repeat){.event = event, .since = now};
	memcpy(place->first, first, sizeof first);
	return false;
}

static void __attribute__((format(printf, 3, 0)))
line(enum log_level level, const char *event, const char *fmt, va_list ap)
{
	char fields[LINE_MAX_BYTES];
	int saved = errno;

	vsnprintf(fields, sizeof fields, fmt, ap);
	escape_controls(fields);
	if (level != LOG_WARNING || !is_repeated(event, fields))
		emit(level, event, fields);
	errno = saved;
}

void
log_set_format(enum log_format f)
{
	process.format = f;
}

void
log_line(enum log_level level, const char *event, const char *fmt, ...)
{
	va_list ap;

	if (level < process.lowest)
		return;
	va_start(ap, fmt);
	line(level, event, fmt, ap);
	va_end(ap);
}

void
log_fatal(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(LOG_ERROR, event, fmt, ap);
	va_end(ap);
	exit(1);
}
