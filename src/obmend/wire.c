#include "obmend/wire.h"

#include "lib/catalogue.h"
#include "lib/http_client.h"
#include "lib/outcome.h"
#include "lib/tls.h"
#include "message/message.h"
#include "message/signature.h"
#include "obmend/role.h"
#include "process/pack.h"

LAYOUT(wire_body, BYTES(wire_body, data), BOOL(wire_body, in_fd), BOOL(wire_body, spooled),
    NUMBER(wire_body, size));
LAYOUT(wire_proof, STRING(wire_proof, peer_address), BYTES(wire_proof, tls_certificate),
    BYTES(wire_proof, certificate), BELOW(wire_proof, method, SIGNATURE_METHOD_COUNT),
    HASH(wire_proof, fingerprint));
LAYOUT(wire_document_id, STRING(wire_document_id, number), STRING(wire_document_id, date),
    STRING(wire_document_id, uri_register), STRING(wire_document_id, uri_sequence),
    STRING(wire_document_id, uri_date), GUID(wire_document_id, guid),
    STRING(wire_document_id, guid_text));
LAYOUT(wire_status, BELOW(wire_status, status, STATUS_COUNT),
    STRUCT(wire_status, id, wire_document_id_layout), STRING(wire_status, reason),
    STRING(wire_status, date_close));

LAYOUT(wire_spool, NUMBER(wire_spool, size));
LAYOUT(wire_spool_reply, BELOW(wire_spool_reply, fault, FAULT_COUNT));
LAYOUT(wire_maintenance, BOOL(wire_maintenance, in), STRING(wire_maintenance, reason));
LAYOUT(wire_inbound, MOMENT(wire_inbound, received), STRING(wire_inbound, peer_address),
    BYTES(wire_inbound, tls_certificate), NUMBER(wire_inbound, certificate),
    STRUCT(wire_inbound, body, wire_body_layout));
LAYOUT(wire_reply, BELOW(wire_reply, http_status, 1000), BYTES(wire_reply, body));
LAYOUT(wire_receive, BOOL(wire_receive, answered), BELOW(wire_receive, fault, FAULT_COUNT),
    BELOW(wire_receive, message_type, MESSAGE_TYPE_COUNT), MOMENT(wire_receive, received),
    GUID(wire_receive, message_guid), STRING(wire_receive, message_guid_text),
    STRING(wire_receive, message_date), GUID(wire_receive, sender), GUID(wire_receive, recipient),
    STRING(wire_receive, sender_name), STRING(wire_receive, sender_eik),
    STRUCT(wire_receive, proof, wire_proof_layout),
    STRUCT(wire_receive, document, wire_document_id_layout), STRING(wire_receive, kind),
    STRING(wire_receive, about), BYTES(wire_receive, details), BOOL(wire_receive, details_in_fd),
    NUMBER(wire_receive, details_size), STRUCT(wire_receive, status, wire_status_layout),
    BOOL(wire_receive, error_has_guid), GUID(wire_receive, error_guid),
    BELOW(wire_receive, error_type, ERROR_EXTERNAL + 1), STRING(wire_receive, error_text),
    STRUCT(wire_receive, body, wire_body_layout), BOOL(wire_receive, has_answer),
    GUID(wire_receive, answer_guid), BYTES(wire_receive, answer),
    NUMBER(wire_receive, coming));
LAYOUT(wire_receive_reply, BELOW(wire_receive_reply, outcome, RECEIVE_TEMPORARY + 1),
    BELOW(wire_receive_reply, fault, FAULT_COUNT), BYTES(wire_receive_reply, answer),
    STRUCT(wire_receive_reply, status, wire_status_layout));
LAYOUT(wire_sign, NUMBER(wire_sign, certificate),
    BELOW(wire_sign, method, SIGNATURE_METHOD_COUNT), BYTES(wire_sign, digest));
LAYOUT(wire_sign_reply, BYTES(wire_sign_reply, signature));
LAYOUT(wire_lookup, GUID(wire_lookup, guid));
LAYOUT(wire_lookup_reply, BOOL(wire_lookup_reply, asked));
LAYOUT(wire_compose, BELOW(wire_compose, kind, DELIVERY_KIND_COUNT), GUID(wire_compose, sender),
    GUID(wire_compose, recipient), BOOL(wire_compose, sha256_seen), BYTES(wire_compose, details),
    BOOL(wire_compose, has_attachments), BOOL(wire_compose, has_output),
    BOOL(wire_compose, details_in_fd), NUMBER(wire_compose, details_size),
    STRUCT(wire_compose, document, wire_document_id_layout),
    STRUCT(wire_compose, status, wire_status_layout));
LAYOUT(wire_composed, BELOW(wire_composed, outcome, OUTCOME_PERMANENT + 1),
    BELOW(wire_composed, fault, FAULT_COUNT), STRING(wire_composed, detail),
    GUID(wire_composed, message_guid), BELOW(wire_composed, method, SIGNATURE_METHOD_COUNT),
    STRUCT(wire_composed, body, wire_body_layout));
LAYOUT(wire_deliver, BELOW(wire_deliver, kind, DELIVERY_KIND_COUNT), GUID(wire_deliver, sender),
    GUID(wire_deliver, recipient), GUID(wire_deliver, message_guid),
    GUID(wire_deliver, document_guid), STRUCT(wire_deliver, body, wire_body_layout));
LAYOUT(wire_undelivered, BELOW(wire_undelivered, class, UNDELIVERED_AGAIN + 1),
    BELOW(wire_undelivered, fault, FAULT_COUNT), STRING(wire_undelivered, detail),
    STRING(wire_undelivered, url), MOMENT(wire_undelivered, sent), MOMENT(wire_undelivered, ended),
    MOMENT(wire_undelivered, retry), BELOW(wire_undelivered, http_status, 1000));
LAYOUT(wire_answer, BELOW(wire_answer, kind, DELIVERY_KIND_COUNT), GUID(wire_answer, sender),
    GUID(wire_answer, recipient), GUID(wire_answer, message_guid), GUID(wire_answer, document_guid),
    STRING(wire_answer, url), BYTES(wire_answer, tls_certificate),
    BELOW(wire_answer, http_status, 1000), MOMENT(wire_answer, sent),
    MOMENT(wire_answer, answered), STRUCT(wire_answer, body, wire_body_layout));
LAYOUT(wire_answered, BELOW(wire_answered, answer, ANSWER_UNREADABLE + 1),
    BELOW(wire_answered, fault, FAULT_COUNT), STRING(wire_answered, detail),
    BELOW(wire_answered, error_type, ERROR_EXTERNAL + 1),
    STRUCT(wire_answered, status, wire_status_layout), GUID(wire_answered, answer_guid),
    STRUCT(wire_answered, proof, wire_proof_layout), BELOW(wire_answered, http_status, 1000),
    MOMENT(wire_answered, sent), MOMENT(wire_answered, answered),
    STRUCT(wire_answered, body, wire_body_layout));

LAYOUT(wire_seal, HASH(wire_seal, digest));
LAYOUT(wire_sealed, HASH(wire_sealed, digest), BYTES(wire_sealed, cms));
LAYOUT(wire_stamp, NUMBER(wire_stamp, sequence), HASH(wire_stamp, digest));
LAYOUT(wire_stamp_answer, NUMBER(wire_stamp_answer, sequence), HASH(wire_stamp_answer, digest),
    BYTES(wire_stamp_answer, request), BYTES(wire_stamp_answer, response),
    STRING(wire_stamp_answer, detail));
LAYOUT(wire_stamped, NUMBER(wire_stamped, sequence), HASH(wire_stamped, digest),
    MOMENT(wire_stamped, at), BYTES(wire_stamped, token), STRING(wire_stamped, detail));

LAYOUT(wire_probe, GUID(wire_probe, sender), GUID(wire_probe, recipient),
    GUID(wire_probe, message_guid), GUID(wire_probe, document_guid),
    STRUCT(wire_probe, body, wire_body_layout));
LAYOUT(wire_probed, GUID(wire_probed, sender), GUID(wire_probed, recipient),
    GUID(wire_probed, message_guid), GUID(wire_probed, document_guid),
    BELOW(wire_probed, fault, FAULT_COUNT), BELOW(wire_probed, stage, HTTP_ANSWERED + 1),
    BELOW(wire_probed, findings, TLS_FOUND_ALL), BELOW(wire_probed, error, 4096),
    BELOW(wire_probed, alert, 256), BOOL(wire_probed, timed_out), STRING(wire_probed, detail),
    STRING(wire_probed, url), STRING(wire_probed, address), BELOW(wire_probed, http_status, 1000),
    MOMENT(wire_probed, started), MOMENT(wire_probed, named), MOMENT(wire_probed, connected),
    MOMENT(wire_probed, secured), MOMENT(wire_probed, sent), MOMENT(wire_probed, ended),
    BYTES(wire_probed, tls_certificate), STRUCT(wire_probed, body, wire_body_layout));

static const struct layout *const layouts[WIRE_TYPE_COUNT - WIRE_OWN] = {
	[WIRE_SPOOL - WIRE_OWN] = &wire_spool_layout,
	[WIRE_SPOOL_REPLY - WIRE_OWN] = &wire_spool_reply_layout,
	[WIRE_MAINTENANCE - WIRE_OWN] = &wire_maintenance_layout,
	[WIRE_INBOUND - WIRE_OWN] = &wire_inbound_layout,
	[WIRE_REPLY - WIRE_OWN] = &wire_reply_layout,
	[WIRE_RECEIVE - WIRE_OWN] = &wire_receive_layout,
	[WIRE_RECEIVE_REPLY - WIRE_OWN] = &wire_receive_reply_layout,
	[WIRE_SIGN - WIRE_OWN] = &wire_sign_layout,
	[WIRE_SIGN_REPLY - WIRE_OWN] = &wire_sign_reply_layout,
	[WIRE_LOOKUP - WIRE_OWN] = &wire_lookup_layout,
	[WIRE_LOOKUP_REPLY - WIRE_OWN] = &wire_lookup_reply_layout,
	[WIRE_COMPOSE - WIRE_OWN] = &wire_compose_layout,
	[WIRE_COMPOSED - WIRE_OWN] = &wire_composed_layout,
	[WIRE_DELIVER - WIRE_OWN] = &wire_deliver_layout,
	[WIRE_UNDELIVERED - WIRE_OWN] = &wire_undelivered_layout,
	[WIRE_ANSWER - WIRE_OWN] = &wire_answer_layout,
	[WIRE_ANSWERED - WIRE_OWN] = &wire_answered_layout,
	[WIRE_SEAL - WIRE_OWN] = &wire_seal_layout,
	[WIRE_SEALED - WIRE_OWN] = &wire_sealed_layout,
	[WIRE_PROBE - WIRE_OWN] = &wire_probe_layout,
	[WIRE_PROBED - WIRE_OWN] = &wire_probed_layout,
	[WIRE_STAMP - WIRE_OWN] = &wire_stamp_layout,
	[WIRE_STAMP_ASK - WIRE_OWN] = &wire_stamp_answer_layout,
	[WIRE_STAMP_ANSWER - WIRE_OWN] = &wire_stamp_answer_layout,
	[WIRE_STAMPED - WIRE_OWN] = &wire_stamped_layout,
};

const struct wire_family wire_own = {layouts, WIRE_TYPE_COUNT - WIRE_OWN};
