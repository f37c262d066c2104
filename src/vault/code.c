#include "vault/code.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK 11 /* a prime: every wrong digit and every swapped pair of neighbours shows */

bool
code_new(char code[CODE_SIZE])
{
	uint16_t values[CODE_GROUPS];

	if (RAND_priv_bytes((unsigned char *)values, sizeof values) != 1)
		return false;
	for (int i = 0; i < CODE_GROUPS; i++)
		snprintf(code + i * (CODE_DIGITS + 1), CODE_DIGITS + 1, "%06u", values[i] * CHECK);
	for (int i = 1; i < CODE_GROUPS; i++)
		code[i * (CODE_DIGITS + 1) - 1] = '-';
	OPENSSL_cleanse(values, sizeof values);
	return true;
}

/* Copies the digits of `typed` with "-" after each group. False: not as many as a code has. */
static bool
gather(const char *typed, char code[CODE_SIZE])
{
	unsigned n = 0;

	for (; *typed; typed++) {
		if (*typed < '0' || *typed > '9')
			continue;
		if (n == CODE_GROUPS * CODE_DIGITS)
			return false;
		code[n / CODE_DIGITS * (CODE_DIGITS + 1) + n % CODE_DIGITS] = *typed;
		n++;
	}
	for (int i = 1; i < CODE_GROUPS; i++)
		code[i * (CODE_DIGITS + 1) - 1] = '-';
	code[CODE_SIZE - 1] = '\0';
	return n == CODE_GROUPS * CODE_DIGITS;
}

int
code_read(const char *typed, char code[CODE_SIZE])
{
	if (!gather(typed, code))
		return -1;
	for (int i = 0; i < CODE_GROUPS; i++) {
		unsigned long value = strtoul(code + i * (CODE_DIGITS + 1), NULL, 10);
		if (value % CHECK != 0 || value / CHECK > UINT16_MAX)
			return i + 1;
	}
	return 0;
}
