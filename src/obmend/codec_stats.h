/* Figures of the codec role for operators. */
#ifndef OBMEN_CODEC_STATS_H
#define OBMEN_CODEC_STATS_H

#include <jansson.h>
#include "lib/catalogue.h"
#include "lib/histogram.h"
#include "lib/outcome.h"
#include "lib/when.h"
#include "message/message.h"
#include "obmend/wire.h"

enum inbound_result {
	INBOUND_ACCEPTED,
	INBOUND_REPEATED,   /* an exact repeat: the stored answer was sent again */
	INBOUND_REFUSED,    /* answered with a signed Error */
	INBOUND_UNREADABLE, /* answered with a SOAP fault */
	INBOUND_TEMPORARY,  /* own trouble: not answered */
	INBOUND_RESULT_COUNT
};

enum stage { STAGE_PARSE, STAGE_VERIFY, STAGE_SIGN, STAGE_STORE, STAGE_LOOKUP, STAGE_COUNT };

struct codec_stats {
	uint64_t inbound[MESSAGE_TYPE_COUNT][INBOUND_RESULT_COUNT];
	uint64_t composed[DELIVERY_KIND_COUNT][OUTCOME_PERMANENT + 1];
	uint64_t answers[ANSWER_UNREADABLE + 1];
	uint64_t faults[FAULT_COUNT];
	uint64_t sha1;            /* messages signed with SHA-1 that were accepted */
	uint64_t schema;          /* readable messages that break the schema */
	uint64_t name_mismatch;   /* certificates whose name is not the registered host */
	uint64_t bridged;         /* signed by a configured bridge */
	struct histogram stages[STAGE_COUNT];
};

/* One message went through the stage, in so much time. */
void stats_stage(struct codec_stats *, enum stage, when duration);
void stats_fault(struct codec_stats *, enum fault);
/* A new reference, or NULL. */
json_t *stats_json(const struct codec_stats *);

#endif
