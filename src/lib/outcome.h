/* Three-valued outcomes: not knowing is never the same as refused. */
#ifndef OBMEN_OUTCOME_H
#define OBMEN_OUTCOME_H

enum outcome {
	OUTCOME_DONE,
	OUTCOME_TEMPORARY, /* may succeed later without anybody changing the input */
	OUTCOME_PERMANENT, /* will never succeed as it stands */
};

#endif
