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
#define TRACE_ROOM 32 /* at the end of a line */
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
	uint64_t trace, newest_trace;
	uint64_t number;       /* of the last line */
	char kept[LOG_KEPT];   /* entries: number, length, text */
	size_t kept_len;
	log_sink_cb sink;
	void *sink_arg;
	bool sinking;          /* a line about the way of a line goes to standard error only */
} process = {.name = "obmen", .lowest = LOG_INFO, .format = LOG_LOGFMT};

struct kept_head {
	uint64_t number;
	size_t len;
};

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

/* Numbers are moments, so that those of a process that was started again go on. */
static uint64_t
next_number(void)
{
	uint64_t now = (uint64_t)(when_now() / 1000);

	process.number = now > process.number ? now : process.number + 1;
	return process.number;
}

static void
keep(const struct kept_head *h, const char *line)
{
	size_t size = sizeof *h + h->len, dropped = 0;
	struct kept_head old;

	if (size > sizeof process.kept)
		return;
	while (process.kept_len - dropped + size > sizeof process.kept) {
		memcpy(&old, process.kept + dropped, sizeof old);
		dropped += sizeof old + old.len;
	}
	memmove(process.kept, process.kept + dropped, process.kept_len - dropped);
	process.kept_len -= dropped;
	memcpy(process.kept + process.kept_len, h, sizeof *h);
	memcpy(process.kept + process.kept_len + sizeof *h, line, h->len);
	process.kept_len += size;
}

static void
pass_on(uint64_t number, const char *line, size_t len)
{
	if (!process.sink || process.sinking)
		return;
	process.sinking = true;
	process.sink(process.sink_arg, number, line, len);
	process.sinking = false;
}

void
log_sink(log_sink_cb sink, void *arg)
{
	struct kept_head h;

	process.sink = sink;
	process.sink_arg = arg;
	for (size_t at = 0; at < process.kept_len; at += sizeof h + h.len) {
		memcpy(&h, process.kept + at, sizeof h);
		pass_on(h.number, process.kept + at + sizeof h, h.len);
	}
}

void
log_trace(uint64_t id)
{
	process.trace = id;
}

uint64_t
log_trace_now(void)
{
	return process.trace;
}

uint64_t
log_trace_new(void)
{
	uint64_t now = (uint64_t)(when_now() / 1000);

	process.newest_trace = now > process.newest_trace ? now : process.newest_trace + 1;
	return process.newest_trace;
}

static void
emit(enum log_level level, const char *event, const char *fields)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	char buf[2 * LINE_MAX_BYTES], at[WHEN_TEXT_SIZE];
	size_t len;

	when_format(when_now(), at);
	struct kept_head h = {next_number(), (size_t)snprintf(buf, sizeof buf,
	    "time=%s level=%s role=%s event=%s %s", at, names[level], process.name, event, fields)};
	keep(&h, buf);
	pass_on(h.number, buf, h.len);
	len = h.len;
	if (process.format == LOG_JSON) {
		len = (size_t)snprintf(buf, sizeof buf,
		    "{\"time\":\"%s\",\"level\":\"%s\",\"role\":\"%s\",\"event\":\"%s\"", at, names[level],
		    process.name, event);
		len += log_fields_json(fields, buf + len, sizeof buf - len - 2);
		buf[len++] = '}';
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

	vsnprintf(fields, sizeof fields - TRACE_ROOM, fmt, ap);
	escape_controls(fields);
	if (process.trace) {
		size_t n = strlen(fields);
		snprintf(fields + n, sizeof fields - n, "%strace=%llx", n ? " " : "",
		    (unsigned long long)process.trace);
	}
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
