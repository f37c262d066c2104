#include "obmend/codec_stats.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *const results[INBOUND_RESULT_COUNT] = {
    [INBOUND_ACCEPTED] = "accepted",
    [INBOUND_REPEATED] = "repeated",
    [INBOUND_REFUSED] = "refused",
    [INBOUND_UNREADABLE] = "unreadable",
    [INBOUND_TEMPORARY] = "temporary",
};

static const char *const types[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_NONE] = "unknown",
    [MESSAGE_REGISTRATION_REQUEST] = "registration_request",
    [MESSAGE_STATUS_REQUEST] = "status_request",
    [MESSAGE_STATUS_RESPONSE] = "status_response",
    [MESSAGE_ERROR] = "error",
};

static const char *const deliveries[DELIVERY_KIND_COUNT] = {
    [DELIVERY_DOCUMENT] = "document",
    [DELIVERY_STATUS] = "status",
    [DELIVERY_POLL] = "poll",
};

static const char *const outcomes[] = {
    [OUTCOME_DONE] = "done",
    [OUTCOME_TEMPORARY] = "temporary",
    [OUTCOME_PERMANENT] = "permanent",
};

static const char *const answers[] = {
    [ANSWER_STATUS] = "status",
    [ANSWER_ERROR] = "error",
    [ANSWER_EMPTY] = "empty",
    [ANSWER_FAULT] = "fault",
    [ANSWER_UNVERIFIABLE] = "unverifiable",
    [ANSWER_UNREADABLE] = "unreadable",
};

static const char *const stages[STAGE_COUNT] = {
    [STAGE_PARSE] = "parse",
    [STAGE_VERIFY] = "verify",
    [STAGE_SIGN] = "sign",
    [STAGE_STORE] = "store",
    [STAGE_LOOKUP] = "lookup",
};

void
stats_stage(struct codec_stats *s, enum stage stage, when duration)
{
	histogram_add(&s->stages[stage], duration);
}

void
stats_fault(struct codec_stats *s, enum fault f)
{
	if (f > FAULT_NONE && f < FAULT_COUNT)
		s->faults[f]++;
}

/* An object of counters; all are shown, so that a graph has its zeros. */
static json_t *
counters(const char *const *names, const uint64_t *values, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(o, names[i], json_integer((json_int_t)values[i]));
	return o;
}

static json_t *
faults_json(const struct codec_stats *s)
{
	json_t *o = json_object();

	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		if (s->faults[f])
			json_object_set_new(o, fault_code(f),
			    json_integer((json_int_t)s->faults[f]));
	}
	return o;
}

static json_t *
stages_json(const struct codec_stats *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < STAGE_COUNT; i++)
		json_object_set_new(o, stages[i], histogram_json(&s->stages[i]));
	return o;
}

json_t *
stats_json(const struct codec_stats *s)
{
	json_t *o = json_object(), *inbound = json_object(), *composed = json_object();

	for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++)
		json_object_set_new(inbound, types[i],
		    counters(results, s->inbound[i], INBOUND_RESULT_COUNT));
	for (size_t i = 0; i < DELIVERY_KIND_COUNT; i++)
		json_object_set_new(composed, deliveries[i],
		    counters(outcomes, s->composed[i], COUNT(outcomes)));
	json_object_set_new(o, "inbound", inbound);
	json_object_set_new(o, "composed", composed);
	json_object_set_new(o, "answers", counters(answers, s->answers, COUNT(answers)));
	json_object_set_new(o, "faults", faults_json(s));
	json_object_set_new(o, "sha1", json_integer((json_int_t)s->sha1));
	json_object_set_new(o, "schema_violations", json_integer((json_int_t)s->schema));
	json_object_set_new(o, "name_mismatches", json_integer((json_int_t)s->name_mismatch));
	json_object_set_new(o, "bridged", json_integer((json_int_t)s->bridged));
	json_object_set_new(o, "stages", stages_json(s));
	return o;
}
