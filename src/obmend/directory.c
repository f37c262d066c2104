#include "obmend/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/tls.h"

#define CONNECTIONS 4
#define IDLE 60      /* seconds of keep-alive */
#define CONNECT 10   /* seconds: name, TCP and TLS */
#define TOTAL 600    /* seconds for a whole list on a slow line */
#define REFILL WHEN_SECOND /* one look-up per second, beyond a burst */

static bool
open_directory(struct directory *d)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/directory", d->conf->state_directory);
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		log_error("register.directory", "path=%s reason=\"%s\"", path, strerror(errno));
		return false;
	}
	d->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd >= 0)
		d->answer_fd = openat(d->dir_fd, "answer", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (d->answer_fd >= 0 && unlinkat(d->dir_fd, "answer", 0) == 0)
		return true;
	log_error("register.directory", "path=%s reason=\"%s\"", path, strerror(errno));
	return false;
}

static bool
open_network(struct directory *d)
{
	const struct conf *c = d->conf;
	const struct http_client_options http = {
		.hosts_file = c->hosts_file,
		.connections_per_origin = CONNECTIONS,
		.idle_seconds = IDLE,
		.connect_seconds = CONNECT,
		.progress_seconds = (unsigned)c->send_timeout,
		.total_seconds = TOTAL,
	};
	const struct tls_options tls = {
		.side = TLS_CLIENT,
		.ca_file = c->ca_file,
		.crl_file = c->crl_file,
		.ciphers = c->tls_ciphers,
		.verify_chain = true,
	};
	/* The register does not care which of our participants asks. */
	unsigned certificate = c->participant_count > 0 ? c->participants[0].certificate : 0;

	d->http = http_client_new(d->self->base, &http);
	d->tls = calloc(c->certificate_count + 1, sizeof(SSL_CTX *));
	for (unsigned i = 0, n = certificate; d->http && d->tls && i < c->certificate_count; i++) {
		if (!d->tls[n] && !(d->tls[n] = tls_context(c->certificates[n].file, n, d->self->sync_signer, &tls)))
			return false;
		n = c->certificates[n].successor;
	}
	return d->http && d->tls;
}

unsigned
directory_certificate(const struct directory *d)
{
	const struct conf *c = d->conf;
	unsigned certificate = c->participant_count > 0 ? c->participants[0].certificate : 0;

	return conf_certificate_now(c, certificate, d->keeper.switched);
}

static bool
note_own(struct directory *d)
{
	const struct conf *c = d->conf;

	d->own = calloc(c->participant_count ? c->participant_count : 1, sizeof *d->own);
	if (!d->own)
		return false;
	for (unsigned i = 0; i < c->participant_count; i++)
		d->own[i] = c->participants[i].guid;
	d->guard = (struct guard){.percent = c->register_shrink_percent,
		.count = c->register_shrink_count, .own = d->own, .own_count = c->participant_count};
	return true;
}

static bool
directory_open(struct self *self)
{
	struct directory *d = calloc(1, sizeof *d);

	if (!d)
		return false;
	*d = (struct directory){.self = self, .conf = self->conf, .dir_fd = -1, .answer_fd = -1,
		.current.fd = -1, .held.version.fd = -1, .checked = WHEN_NONE};
	self->state = d;
	xmlInitParser();
	limit_init(&d->limit, (when)self_conf(self)->register_lookup_interval * WHEN_SECOND, REFILL,
	    when_monotonic());
	return note_own(d) && open_directory(d) && open_network(d) && keeper_open(d);
}

static bool
directory_start(struct self *self)
{
	struct directory *d = directory_of(self);

	apply_disk(d);
	return keeper_start(d) && schedule_start(d);
}

static void
directory_peer_up(struct self *self, struct peer peer)
{
	struct directory *d = directory_of(self);

	if (peer.role != ROLE_CONTROL)
		keeper_publish_to(d, peer.role, peer.index);
	if (peer.role != ROLE_FRONT)
		publish_to(d, peer);
}

static void
directory_stop(struct self *self)
{
	struct directory *d = directory_of(self);

	lookups_stop(d);
	schedule_stop(d);
	apply_save(d);
	keeper_stop(d);
	http_client_free(d->http);
	for (unsigned i = 0; d->tls && i < d->conf->certificate_count; i++)
		SSL_CTX_free(d->tls[i]);
	free(d->tls);
	version_clear(&d->current);
	version_clear(&d->held.version);
	close(d->answer_fd);
	close(d->dir_fd);
	free(d->own);
	free(d);
	self->state = NULL;
}

static void
directory_reload(struct self *self)
{
	struct directory *d = directory_of(self);

	d->limit.interval = (when)self_conf(self)->register_lookup_interval * WHEN_SECOND;
	d->guard.percent = self_conf(self)->register_shrink_percent;
	d->guard.count = self_conf(self)->register_shrink_count;
	schedule_reload(d);
}

static const char *const links[] = {[LINK_UNKNOWN] = "unknown", [LINK_ANSWERED] = "answered",
    [LINK_OUTSIDE] = "outside", [LINK_FAILED] = "failed"};

static json_t *
directory_status(struct self *self)
{
	const struct directory *d = directory_of(self);
	const struct figures *f = &d->figures;
	json_t *j = json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "participants",
	    (json_int_t)(d->current.snapshot ? snapshot_count(d->current.snapshot) : 0), "held",
	    d->held.version.snapshot != NULL, "full_lists", (json_int_t)f->fulls, "increments",
	    (json_int_t)f->increments, "failures", (json_int_t)f->failures, "lookups",
	    (json_int_t)f->lookups, "lookups_limited", (json_int_t)f->lookups_limited, "published",
	    (json_int_t)f->published, "unreadable_entries", (json_int_t)f->skipped, "holds",
	    (json_int_t)f->holds, "list_bytes", (json_int_t)f->bytes, "list_read_ms",
	    (json_int_t)(f->read_time / 1000000));

	json_object_set_new(j, "revocation", keeper_status(d));
	json_object_set_new(j, "link", json_string(links[d->link]));
	if (j && d->checked != WHEN_NONE)
		json_object_set_new(j, "age_seconds",
		    json_integer((when_now() - d->checked) / WHEN_SECOND));
	return j;
}

static const struct role_message messages[] = {
	{ROLE_CODEC, WIRE_LOOKUP, directory_lookup},
	{ROLE_CONTROL, WIRE_QUERY, directory_query},
};

static const struct sandbox sandbox = {
	.allow = SANDBOX_FILES | SANDBOX_CONNECT | SANDBOX_MEMFD | SANDBOX_SYNC,
};

const struct role role_directory = {
	.id = ROLE_DIRECTORY,
	.name = "directory",
	.open = directory_open,
	.start = directory_start,
	.peer_up = directory_peer_up,
	.reload = directory_reload,
	.stop = directory_stop,
	.status = directory_status,
	.messages = messages,
	.message_count = sizeof messages / sizeof *messages,
	.sandbox = &sandbox,
};
