/* How rows of a table of options are written. CONF_STRUCT is the configuration's struct. */
#ifndef OBMEN_CONF_ROWS_H
#define OBMEN_CONF_ROWS_H

#define MINUTE 60u
#define HOUR (60u * MINUTE)
#define DAY (24u * HOUR)
#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* section, key, type, offset */
#define GENERAL(k, t, f) \
	.section = CONF_GENERAL, .key = k, .type = t, .offset = offsetof(CONF_STRUCT, f)
#define IN(s, struct_name, k, t, f)                                                                \
	.section = s, .key = k, .type = t, .offset = offsetof(struct struct_name, f)
#define RANGE(low, high) .min = low, .max = high
#define FLAGGED(k, f, value, bg, en)                                                               \
	{GENERAL(k, CONF_FLAG, f), .initial = value, .text = {bg, en}}
#define SECONDS(k, f, low, high, value, bg, en)                                                    \
	{GENERAL(k, CONF_SECONDS, f), RANGE(low, high), .initial = value, \
	    .text = {bg, en}}
#define BYTES(k, f, low, high, value, bg, en)                                                      \
	{GENERAL(k, CONF_BYTES, f), RANGE(low, high), .initial = value, \
	    .text = {bg, en}}
#define NUMBER(k, f, low, high, value, bg, en)                                                     \
	{GENERAL(k, CONF_NUMBER, f), RANGE(low, high), .initial = value, \
	    .text = {bg, en}}
#define COUNT(k, f, low, high, value, bg, en)                                                      \
	{GENERAL(k, CONF_COUNT, f), RANGE(low, high), .initial = value, \
	    .text = {bg, en}}

/* The array of a section's elements and their number. */
#define ARRAY(struct_name, a, c) \
	.size = sizeof(struct struct_name), .array = offsetof(CONF_STRUCT, a), \
	.count = offsetof(CONF_STRUCT, c)

#endif
