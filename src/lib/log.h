/* Structured log lines (logfmt or JSON) on a descriptor, usually standard error. */
#ifndef OBMEN_LOG_H
#define OBMEN_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Names the process in every line ("codec", with index 1 "codec1"); -1 = no index. Must be called
 * once, before the first line. This and the level are the only process-wide state of the library. */
void log_init(const char *role, int index, enum log_level lowest);

enum log_format { LOG_LOGFMT, LOG_JSON };

/* Form of the lines from now on. */
void log_set_format(enum log_format);

/*
 * Fields as log_line takes them (a=1 b="two words") as members of a JSON object, all strings; what is
 * no field becomes the member "text". Returns the bytes written without the NUL; cut when too long.
 */
size_t log_fields_json(const char *fields, char *out, size_t size);

/*
 * The correlation id of the message that this process is at work on: it ends every line as
 * trace=..., and travels with every frame to other processes (lib/ipc.h), whose lines then carry it
 * too. 0 = none. Whoever goes on with a message outside of a frame's handler sets it, and 0 after.
 */
void log_trace(uint64_t id);
uint64_t log_trace_now(void);
/* A new one: no other has it for as long as lines are kept. */
uint64_t log_trace_new(void);

#define LOG_KEPT 16384 /* bytes */

/* Where lines go besides standard error, without their newline, always in logfmt; the newest that this
 * process wrote before, at most LOG_KEPT bytes, come first. Numbers grow with time. NULL: nowhere. */
typedef void (*log_sink_cb)(void *arg, uint64_t number, const char *line, size_t len);
void log_sink(log_sink_cb, void *arg);

/*
 * Writes one line: time level role event fields. `event` is a short dotted code from the
 * documented list ("front.tls-refused"); fmt gives further `key=value` pairs, values that may hold
 * spaces written by the caller in quotes. Control bytes are escaped. Never fails, never blocks
 * for longer than one write(2), keeps errno.
 *
 * A warning that repeats itself, event and first field, is written once an hour; how often it came
 * meanwhile is told by a line log.repeated afterwards.
 */
void log_line(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* Logs and exits with status 1: for start-up failures and bugs of our own, never for input. */
void log_fatal(const char *event, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
