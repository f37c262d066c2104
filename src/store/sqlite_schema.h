/*
 * The tables, by schema version.
 *
 * A box keeps two versions and must be able to go back to the older one. Most steps leave a store that
 * older programs can still use: new tables, new columns with a default or NULL, new indexes; nothing that
 * an older program reads, writes or counts on changes its meaning. SCHEMA_READER names the oldest schema
 * whose program can use a store of SCHEMA_VERSION; the store keeps it in the table `compatible`, and such
 * a program opens the newer store and leaves its schema alone. A step that breaks this raises
 * SCHEMA_READER, and the program before it must have been released with a schema at least as high:
 * first a version that can read the new form, then one that writes it. An update bundle carries both
 * numbers, and the updater refuses what the other slot could not read.
 */
#ifndef OBMEN_STORE_SQLITE_SCHEMA_H
#define OBMEN_STORE_SQLITE_SCHEMA_H

#define SCHEMA_VERSION 3 /* read by firmware/image, too */
#define SCHEMA_READER 3
#define SCHEMA_COMPATIBLE 3 /* from this one on there is the table `compatible` */

/* SQL that brings a database from version i to version i + 1. Steps that have been released are never
 * changed. */
extern const char *const schema_steps[SCHEMA_VERSION];

#endif
