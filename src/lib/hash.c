#include "lib/hash.h"

#include <string.h>

static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t
hash_seeded(const uint64_t seed[2], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = seed[0] ^ len, word;

	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(&word, p, sizeof word);
		h = fold(h ^ word, seed[1]);
	}
	word = 0;
	memcpy(&word, p, len);
	return fold(h ^ word, seed[1] ^ 0x9e3779b97f4a7c15u);
}
