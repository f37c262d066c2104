#include "process/program.h"

#include "obmend/role.h"

static const struct edge edges[] = {
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

/* Nobody new may come in, then what is under way ends, then the store closes. */
static const unsigned stop_order[] = {
    1u << ROLE_FRONT | 1u << ROLE_CONTROL,
    1u << ROLE_COURIER | 1u << ROLE_DIRECTORY,
    1u << ROLE_CODEC,
    1u << ROLE_SIGNER | 1u << ROLE_STORE,
};

static const struct role *const roles[ROLE_COUNT] = {
    [ROLE_FRONT] = &role_front, [ROLE_CODEC] = &role_codec, [ROLE_SIGNER] = &role_signer,
    [ROLE_STORE] = &role_store, [ROLE_COURIER] = &role_courier, [ROLE_DIRECTORY] = &role_directory,
    [ROLE_CONTROL] = &role_control};

static void
settings(const void *conf, struct program_settings *out)
{
	const struct conf *c = conf;

	*out = (struct program_settings){.state_directory = c->state_directory,
	    .control_socket = c->control_socket, .user_prefix = c->user_prefix,
	    .log_level = c->log_level, .log_format = c->log_format, .workers = c->codecs};
}

static void
up(const void *conf, unsigned workers)
{
	const struct conf *c = conf;

	log_info("ready", "participants=%u codecs=%u listen=%s", c->participant_count, workers,
	    c->listens[0].address);
}

const struct program obmend = {
    .name = "obmend",
    .default_conf = "/etc/obmen/obmen.conf",
    .usage =
	"obmend -c /etc/obmen/obmen.conf        пуска възела / runs the node\n"
	"obmend -n -c /etc/obmen/obmen.conf     проверява настройките / checks the configuration\n"
	"obmend --sample[=bg|en]                  примерни настройки / a sample configuration\n"
	"obmend --manual[=bg|en]                  списък на настройките / the list of options, "
	"mdoc\n",
    .roles = roles,
    .role_count = ROLE_COUNT,
    .edges = edges,
    .edge_count = sizeof edges / sizeof *edges,
    .stop_order = stop_order,
    .stop_steps = sizeof stop_order / sizeof *stop_order,
    .conf = &conf_schema,
    .settings = settings,
    .up = up,
};

const char *
role_name(unsigned role)
{
	return program_role_name(&obmend, role);
}
