/* The tables, by schema version. */
#ifndef OBMEN_STORE_SQLITE_SCHEMA_H
#define OBMEN_STORE_SQLITE_SCHEMA_H

/* SQL that brings a database from version i to version i + 1; NULL-terminated. Steps that have been
 * released are never changed. */
extern const char *const schema_steps[];

#endif
