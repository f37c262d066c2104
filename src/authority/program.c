#include "process/program.h"

#include "authority/role.h"

static const struct edge edges[] = {
    /* what comes in: the register and pages to desk, CMP, CRL and OCSP to ra */
    {ROLE_FRONT, ROLE_DESK, EDGE_EACH},
    {ROLE_FRONT, ROLE_RA, EDGE_EACH},
    /* who may do what, and all that is kept */
    {ROLE_DESK, ROLE_LEDGER, EDGE_EACH},
    {ROLE_RA, ROLE_LEDGER, EDGE_EACH},
    {ROLE_CONTROL, ROLE_LEDGER, EDGE_EACH},
    /* requests for certificates that came by a page or as files */
    {ROLE_DESK, ROLE_RA, EDGE_EACH},
    {ROLE_CONTROL, ROLE_RA, EDGE_EACH},
    /* the CA's key: only the ledger asks, once it has decided; who reads strangers' ASN.1 cannot */
    {ROLE_LEDGER, ROLE_CA, EDGE_EACH},
    /* what people ask */
    {ROLE_CONTROL, ROLE_FRONT, EDGE_EACH},
    {ROLE_CONTROL, ROLE_DESK, EDGE_EACH},
    {ROLE_CONTROL, ROLE_CA, EDGE_EACH},
    {ROLE_CONTROL, ROLE_SIGNER, EDGE_EACH},
    /* TLS handshakes: the private key stays in signer */
    {ROLE_FRONT, ROLE_SIGNER, EDGE_SYNC},
    /* protection of CMP messages, with a key of its own */
    {ROLE_RA, ROLE_CA, EDGE_SYNC},
};

/* Nobody new may come in, then what is under way ends, then the ledger closes. */
static const unsigned stop_order[] = {
    1u << ROLE_FRONT | 1u << ROLE_CONTROL,
    1u << ROLE_DESK | 1u << ROLE_RA,
    1u << ROLE_CA | 1u << ROLE_SIGNER,
    1u << ROLE_LEDGER,
};

static const struct role *const roles[ROLE_COUNT] = {
    [ROLE_FRONT] = &role_front, [ROLE_DESK] = &role_desk, [ROLE_RA] = &role_ra,
    [ROLE_CA] = &role_ca, [ROLE_SIGNER] = &role_signer,
    [ROLE_LEDGER] = &role_ledger, [ROLE_CONTROL] = &role_control};

static void
settings(const void *conf, struct program_settings *out)
{
	const struct authority_conf *c = conf;

	*out = (struct program_settings){.state_directory = c->state_directory,
	    .control_socket = c->control_socket, .user_prefix = c->user_prefix,
	    .log_level = c->log_level, .log_format = c->log_format, .workers = c->desks};
}

static void
up(const void *conf, unsigned workers)
{
	const struct authority_conf *c = conf;

	log_info("ready", "desks=%u listen=%s", workers, c->listens[0].address);
}

const struct program authority = {
    .name = "obmen-authorityd",
    .default_conf = "/etc/obmen-authority/obmen-authority.conf",
    .usage =
	"obmen-authorityd -c ФАЙЛ         пуска регистъра и удостоверителя / runs register and CA\n"
	"obmen-authorityd -n -c ФАЙЛ      проверява настройките / checks the configuration\n"
	"obmen-authorityd --sample[=bg|en]  примерни настройки / a sample configuration\n"
	"obmen-authorityd --manual[=bg|en]  списък на настройките / the list of options, mdoc\n",
    .roles = roles,
    .role_count = ROLE_COUNT,
    .edges = edges,
    .edge_count = sizeof edges / sizeof *edges,
    .stop_order = stop_order,
    .stop_steps = sizeof stop_order / sizeof *stop_order,
    .conf = &authority_conf_schema,
    .settings = settings,
    .up = up,
};

const char *
role_name(unsigned role)
{
	return program_role_name(&authority, role);
}
