/*
 * A test of the way to a participant: a status request for a document that nobody has, written here,
 * carried by courier, its answer judged like any other. Nothing is kept between the two halves: what
 * was asked comes back with what happened, under control's query id.
 */
#ifndef OBMEN_CODEC_PROBE_H
#define OBMEN_CODEC_PROBE_H

#include "obmend/codec.h"

/* participant.test: {"participant": GUID, "from": GUID or absent}. */
void probe_start(struct codec *, struct peer, struct ipc_frame *, const json_t *query);
/* Handler of WIRE_PROBED: reports to control, after the answer, if there is one, was read. */
void probe_answered(struct codec *, struct ipc_frame *);

/* -- codec_probe_report.c: {"ok", "passed", "participant", "failed", "steps": [...]} */

/* What courier found on the way; a new reference, NULL without memory. */
json_t *probe_report(struct codec *, const struct wire_probed *);
/* Adds the last step: what the peer said. */
void probe_report_answer(json_t *report, enum answer_kind, enum fault, const char *detail);
/* True when a failed step stands in it. */
bool probe_report_failed(const json_t *report);
/* Fills in the verdict. */
void probe_report_end(json_t *report);

#endif
