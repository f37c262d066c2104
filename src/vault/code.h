/*
 * The recovery code of an encrypted data partition: what a person writes down and types at the console.
 *
 * Eight groups of six digits, 128 random bits: digits are the same on every keyboard, and each group is
 * a multiple of eleven, so that a mistyped group is named at once.
 */
#ifndef OBMEN_VAULT_CODE_H
#define OBMEN_VAULT_CODE_H

#include <stdbool.h>

#define CODE_GROUPS 8
#define CODE_DIGITS 6
#define CODE_SIZE   (CODE_GROUPS * (CODE_DIGITS + 1)) /* groups, "-" between them, NUL */

/* A new code. False: no random numbers. */
bool code_new(char code[CODE_SIZE]);

/* Reads what was typed: digits, with anything that is not a digit between them. Returns 0 and the code in
 * the form in which it is a key; else the number of the first group that is wrong, or -1 when there
 * are too few or too many digits. */
int code_read(const char *typed, char code[CODE_SIZE]);

#endif
