#include "lib/catalogue.h"

#include <stdio.h>
#include <string.h>

struct fault_row {
	const char *code;
	const char *texts[2][3]; /* by language: what, means, todo */
};

static const struct fault_row faults[FAULT_COUNT] = {
	[FAULT_NONE] = {"", {{"", "", ""}, {"", "", ""}}},
#define FAULT(id, code, bg_what, bg_means, bg_do, en_what, en_means, en_do)                        \
	[FAULT_##id] = {code, {{bg_what, bg_means, bg_do}, {en_what, en_means, en_do}}},
#include "lib/catalogue.def"
#undef FAULT
};

struct fault_text
fault_text(enum fault f, enum language l)
{
	if (f <= FAULT_NONE || f >= FAULT_COUNT)
		return (struct fault_text){"", "", "", ""};
	const struct fault_row *r = &faults[f];
	return (struct fault_text){r->code, r->texts[l][0], r->texts[l][1], r->texts[l][2]};
}

const char *
fault_code(enum fault f)
{
	return fault_text(f, LANGUAGE_EN).code;
}

enum fault
fault_by_code(const char *code)
{
	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		if (strcmp(faults[f].code, code) == 0)
			return f;
	}
	return FAULT_NONE;
}

static size_t
describe_in(enum fault f, enum language l, const char *detail, char *out, size_t size)
{
	struct fault_text t = fault_text(f, l);
	bool more = detail && *detail;
	int n = snprintf(out, size, "%s%s%s%s. %s %s", t.what, more ? " (" : "", more ? detail : "",
	    more ? ")" : "", t.means, t.todo);

	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

char *
fault_describe(enum fault f, const char *detail, char *out, size_t size)
{
	size_t n = describe_in(f, LANGUAGE_BG, detail, out, size);

	if (n + 4 < size) {
		memcpy(out + n, " / ", 4);
		n += 3;
		n += describe_in(f, LANGUAGE_EN, detail, out + n, size - n);
	}
	snprintf(out + n, size - n, " [%s]", fault_code(f));
	return out;
}
