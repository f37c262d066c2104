#include "obmend/graph.h"

const struct edge graph_edges[] = {
    /* an incoming message: front frames it, codec judges it, store keeps it, signer signs the answer */
    {ROLE_FRONT, ROLE_CODEC, EDGE_EACH},
    {ROLE_FRONT, ROLE_STORE, EDGE_EACH},
    {ROLE_CODEC, ROLE_STORE, EDGE_EACH},
    {ROLE_CODEC, ROLE_SIGNER, EDGE_SAME},
    /* an outgoing one: store has it composed by a codec, courier delivers it */
    {ROLE_STORE, ROLE_COURIER, EDGE_EACH},
    {ROLE_COURIER, ROLE_CODEC, EDGE_EACH},
    /* snapshots of the register, and look-ups of unknown senders */
    {ROLE_DIRECTORY, ROLE_CODEC, EDGE_EACH},
    {ROLE_DIRECTORY, ROLE_FRONT, EDGE_EACH}, /* only revoked certificates, and which of ours is in use */
    {ROLE_DIRECTORY, ROLE_COURIER, EDGE_EACH},
    {ROLE_DIRECTORY, ROLE_CONTROL, EDGE_EACH},
    /* what people ask */
    {ROLE_CONTROL, ROLE_FRONT, EDGE_EACH},
    {ROLE_CONTROL, ROLE_CODEC, EDGE_EACH},
    {ROLE_CONTROL, ROLE_STORE, EDGE_EACH},
    {ROLE_CONTROL, ROLE_COURIER, EDGE_EACH},
    {ROLE_CONTROL, ROLE_SIGNER, EDGE_EACH},
    /* TLS handshakes: the private key stays in signer */
    {ROLE_FRONT, ROLE_SIGNER, EDGE_SYNC},
    {ROLE_COURIER, ROLE_SIGNER, EDGE_SYNC},
    {ROLE_DIRECTORY, ROLE_SIGNER, EDGE_SYNC},
};

const unsigned graph_edge_count = sizeof graph_edges / sizeof *graph_edges;

unsigned
graph_instances(enum role_id role, unsigned codecs)
{
	if (role == ROLE_PARENT || role >= ROLE_COUNT)
		return 0;
	return role == ROLE_CODEC || role == ROLE_SIGNER ? codecs : 1;
}

bool
graph_joins(const struct edge *e, unsigned a_index, unsigned b_index)
{
	switch (e->kind) {
	case EDGE_SAME:
		return a_index == b_index;
	case EDGE_SYNC:
		return b_index == 0;
	default:
		return true;
	}
}
