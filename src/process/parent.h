/*
 * The parent process: starts the roles, hands out their channels, starts again what dies, stops
 * everything in order. It holds the configuration text and nothing else.
 */
#ifndef OBMEN_PARENT_H
#define OBMEN_PARENT_H

struct program;

/* Runs the program until it is told to stop (SIGTERM, SIGINT; SIGHUP reads the configuration again).
 * Returns the exit status: 0 after an orderly stop, 1 when it could not start. */
int parent_run(const struct program *, const char *conf_path);

#endif
