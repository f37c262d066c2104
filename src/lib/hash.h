/* A seeded hash for tables whose keys come from outside. */
#ifndef OBMEN_HASH_H
#define OBMEN_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64 well mixed bits of any bytes. With a random seed nobody can prepare keys that collide. */
uint64_t hash_seeded(const uint64_t seed[2], const void *data, size_t len);

#endif
