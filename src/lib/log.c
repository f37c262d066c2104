#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/when.h"

#define LINE_MAX_BYTES 4096

static struct {
	char name[32];
	enum log_level lowest;
} process = {"obmen", LOG_INFO};

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

static void __attribute__((format(printf, 3, 0)))
line(enum log_level level, const char *event, const char *fmt, va_list ap)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	char buf[LINE_MAX_BYTES], at[WHEN_TEXT_SIZE];
	int saved = errno;

	when_format(when_now(), at);
	int n = snprintf(buf, sizeof buf, "time=%s level=%s role=%s event=%s ", at, names[level],
	    process.name, event);
	vsnprintf(buf + n, sizeof buf - 1 - (size_t)n, fmt, ap);
	escape_controls(buf);
	size_t len = strlen(buf);
	buf[len++] = '\n';
	if (write(STDERR_FILENO, buf, len) < 0) {
		/* nowhere to say it */
	}
	errno = saved;
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
