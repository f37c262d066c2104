#include "authority/wire.h"

#include "process/pack.h"

LAYOUT(wire_request, BELOW(wire_request, listener, LISTENER_PLAIN + 1),
    MOMENT(wire_request, received), STRING(wire_request, peer_address),
    BYTES(wire_request, certificate), STRING(wire_request, method), STRING(wire_request, path),
    STRING(wire_request, query), STRING(wire_request, host), STRING(wire_request, content_type),
    STRING(wire_request, soap_action), STRING(wire_request, cookie),
    STRING(wire_request, fetch_site), STRING(wire_request, accept_language),
    BYTES(wire_request, body), BOOL(wire_request, body_in_fd), NUMBER(wire_request, body_size));
LAYOUT(wire_response, BELOW(wire_response, status, 1000), STRING(wire_response, content_type),
    STRING(wire_response, fields), BYTES(wire_response, body), BOOL(wire_response, body_in_fd),
    NUMBER(wire_response, body_at), NUMBER(wire_response, body_size));

static const struct layout *const layouts[AUTHORITY_WIRE_COUNT - WIRE_OWN] = {
	[WIRE_REQUEST - WIRE_OWN] = &wire_request_layout,
	[WIRE_RESPONSE - WIRE_OWN] = &wire_response_layout,
};

const struct wire_family wire_own = {layouts, AUTHORITY_WIRE_COUNT - WIRE_OWN};
