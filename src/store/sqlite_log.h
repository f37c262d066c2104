/*
 * SQLite's write-ahead log in few large writes.
 *
 * SQLite writes each page of a transaction with two calls, at offsets that are no multiples of the
 * page size: with many small messages this costs as much as all else that the store does. This VFS
 * hands everything to the system's own one; only for the log it gathers what is written one after
 * the other, and passes it on when it is full, or is to be read, synced, cut or closed. Nothing is
 * reported as durable earlier than before: a sync writes first.
 */
#ifndef OBMEN_STORE_SQLITE_LOG_H
#define OBMEN_STORE_SQLITE_LOG_H

#include <stdbool.h>

/* The name for sqlite3_open_v2, with `PRAGMA synchronous = FULL`; registers the VFS the first time.
 * durable false: the log is written at each commit, but not synced. NULL: out of memory. */
const char *sqlite_log_vfs(bool durable);

#endif
