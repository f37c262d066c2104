#include <string.h>

#include "register/layout.h"

static const char *const status_names[] = {
	[PARTICIPANT_ACTIVE] = "Active",
	[PARTICIPANT_INACTIVE] = "Inactive",
	[PARTICIPANT_TEMPORARILY_INACTIVE] = "TemporarilyInactive",
};

const char *
participant_status_name(enum participant_status s)
{
	return (size_t)s < sizeof status_names / sizeof *status_names ? status_names[s] : "Inactive";
}

enum participant_status
participant_status_parse(const char *text)
{
	for (size_t i = 0; text && i < sizeof status_names / sizeof *status_names; i++) {
		if (strcmp(text, status_names[i]) == 0)
			return (enum participant_status)i;
	}
	return PARTICIPANT_INACTIVE;
}

enum participant_status
participant_status_effective(enum participant_status entity, enum participant_status service)
{
	return entity == PARTICIPANT_ACTIVE ? service : entity;
}

bool
participant_serial_equal(const char *a, const char *b)
{
	char x[LAYOUT_SERIAL_MAX], y[LAYOUT_SERIAL_MAX];
	size_t n = layout_serial(a, x);

	return n > 0 && n == layout_serial(b, y) && memcmp(x, y, n) == 0;
}
