/*
 * The parent process: starts the roles, hands out their channels, starts again what dies, stops
 * everything in order. It holds the configuration text and nothing else.
 */
#ifndef OBMEND_PARENT_H
#define OBMEND_PARENT_H

#include <stdbool.h>

/* Runs the node until it is told to stop (SIGTERM, SIGINT; SIGHUP reads the configuration again).
 * Returns the exit status: 0 after an orderly stop, 1 when the node could not start. */
int parent_run(const char *conf_path);

#endif
