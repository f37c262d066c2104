/* Every pair of states, in both directions, for every cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "store/states.h"

/*
 * The whole truth once more, in another form: a row for each state that is left, a word for each state
 * that is entered, in the order of enum document_state. Letters: o operator, n peer's notice, a peer's
 * answer, t transport, c clock; . nobody.
 */
static const char *const incoming[STATE_COUNT] = {
	/*                 none acc sig snd uns hld wai reg ref stp cls fai exp */
	[STATE_NONE] =       ". . . . . . n . . . . . .",
	[STATE_ACCEPTED] =   ". . . . . . . . . . . . .",
	[STATE_SIGNED] =     ". . . . . . . . . . . . .",
	[STATE_SENDING] =    ". . . . . . . . . . . . .",
	[STATE_UNSURE] =     ". . . . . . . . . . . . .",
	[STATE_HELD] =       ". . . . . . . . . . . . .",
	[STATE_WAITING] =    ". . . . . . . o o . . . .",
	[STATE_REGISTERED] = ". . . . . . . . . o o . .",
	[STATE_REFUSED] =    ". . . . . . . . . . . . .",
	[STATE_STOPPED] =    ". . . . . . . . . . o . .",
	[STATE_CLOSED] =     ". . . . . . . . . . . . .",
	[STATE_FAILED] =     ". . . . . . . . . . . . .",
	[STATE_EXPIRED] =    ". . . . . . . . . . . . .",
};

static const char *const outgoing[STATE_COUNT] = {
	/*                 none acc sig snd uns hld wai reg ref stp cls fai exp */
	[STATE_NONE] =       ". o . . . . . . . . . . .",
	[STATE_ACCEPTED] =   ". . t . . . na na na na na onat c",
	[STATE_SIGNED] =     ". . . t . . na na na na na onat c",
	[STATE_SENDING] =    ". at t . at t na na na na na nat c",
	[STATE_UNSURE] =     ". a . . . . na na na na na onat c",
	[STATE_HELD] =       ". . t t . . na na na na na onat c",
	[STATE_WAITING] =    ". a . . . . na na na na na n c",
	[STATE_REGISTERED] = ". . . . . . n na na na na . .",
	[STATE_REFUSED] =    ". . . . . . n na na na na . .",
	[STATE_STOPPED] =    ". . . . . . n na na na na . .",
	[STATE_CLOSED] =     ". . . . . . n na na na na . .",
	[STATE_FAILED] =     ". . . . . . na na na na na . .",
	[STATE_EXPIRED] =    ". . . . . . na na na na na . .",
};

static void
check_row(enum direction d, enum document_state from, const char *row)
{
	static const char letters[] = "onatc";
	char copy[128], *save, *word;
	unsigned to = 0;

	strcpy(copy, row);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save), to++) {
		assert_true(to < STATE_COUNT);
		for (unsigned i = 0; i < CAUSE_COUNT; i++) {
			bool expected = strchr(word, letters[i]) != NULL;
			bool got = state_allows(d, from, (enum document_state)to, (enum cause)(1u << i));
			if (got != expected)
				fail_msg("%s: %s -> %s by %s is %d", direction_name(d), state_name(from),
				    state_name((enum document_state)to), cause_name((enum cause)(1u << i)), got);
		}
	}
	assert_int_equal(to, STATE_COUNT);
}

static void
test_every_pair(void **state)
{
	(void)state;
	for (unsigned from = 0; from < STATE_COUNT; from++) {
		check_row(DIRECTION_IN, (enum document_state)from, incoming[from]);
		check_row(DIRECTION_OUT, (enum document_state)from, outgoing[from]);
	}
}

/* Late good news overwrites failed and expired, never the reverse. */
static void
test_ends(void **state)
{
	(void)state;
	for (unsigned from = 0; from < STATE_COUNT; from++) {
		for (unsigned i = 0; i < CAUSE_COUNT; i++) {
			enum cause by = (enum cause)(1u << i);
			if (!state_is_end((enum document_state)from))
				continue;
			assert_false(state_allows(DIRECTION_OUT, (enum document_state)from, STATE_FAILED, by));
			assert_false(state_allows(DIRECTION_OUT, (enum document_state)from, STATE_EXPIRED, by));
		}
	}
	assert_true(state_allows(DIRECTION_OUT, STATE_FAILED, STATE_REGISTERED, CAUSE_NOTICE));
	assert_true(state_allows(DIRECTION_OUT, STATE_EXPIRED, STATE_REFUSED, CAUSE_ANSWER));
}

static void
test_names(void **state)
{
	(void)state;
	for (unsigned s = 1; s < STATE_COUNT; s++)
		assert_int_equal(state_parse(state_name((enum document_state)s)), s);
	assert_int_equal(state_parse("none"), STATE_NONE);
	assert_int_equal(state_parse("lost"), STATE_NONE);
	assert_int_equal(state_parse(NULL), STATE_NONE);
	assert_string_equal(state_name((enum document_state)99), "none");
	for (unsigned e = 1; e < EVENT_COUNT; e++)
		assert_true(*event_name((enum timeline_event)e));
	for (unsigned s = 0; s < STATUS_COUNT; s++) {
		enum document_state to = state_of_status((enum document_status)s);
		if (to != STATE_NONE && s != STATUS_ALREADY_RECEIVED)
			assert_int_equal(status_of_state(to), s);
	}
	assert_int_equal(state_of_status((enum document_status)77), STATE_NONE);
}

/* The diagram names every transition of the table. */
static void
test_diagram(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	states_write(out);
	fclose(out);
	assert_non_null(strstr(text, "waiting    --> registered  by operator"));
	assert_non_null(strstr(text, "failed     --> waiting     by peer's notice, peer's answer"));
	assert_non_null(strstr(text, "(new)      --> accepted    by operator"));
	size_t arrows = 0, expected = 0;
	for (const char *p = text; (p = strstr(p, "-->")); p++)
		arrows++;
	for (unsigned from = 0; from < STATE_COUNT; from++) {
		for (unsigned to = 0; to < STATE_COUNT; to++) {
			for (unsigned d = 0; d < DIRECTION_COUNT; d++) {
				unsigned by = 0;
				for (unsigned i = 0; i < CAUSE_COUNT; i++)
					by |= state_allows((enum direction)d, (enum document_state)from,
					    (enum document_state)to, (enum cause)(1u << i));
				expected += by;
			}
		}
	}
	assert_int_equal(arrows, expected);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_diagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
