/*
 * The configuration: obmen.conf. One table of options (conf_table.c) gives the parser's checks, the
 * sample file and the manual page.
 *
 * Form: one `key = value` a line; general options first, then sections. The key of a field below is
 * its name with dashes. `#` starts a comment; values may be quoted; `include FILE` reads another file
 * in place (relative to the including one). Durations: 900, 15min, 24h, 60d; sizes: 65536, 64KiB,
 * 100MiB, 2GiB; flags: yes, no.
 *
 *	state-directory = /var/lib/obmen
 *	[certificate main]            file, key
 *	[listen 0.0.0.0:8443]         certificate
 *	[participant {guid}]          eik, name, certificate
 *	[peer {guid}]                 signature, tls-name-mismatch, tls-legacy, expect-continue, bridge
 */
#ifndef OBMEN_CONF_H
#define OBMEN_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lib/conf_schema.h"
#include "lib/guid.h"
#include "lib/log.h"
#include "lib/when.h"

struct conf_certificate {
	char name[CONF_NAME_MAX];
	char *file; /* PEM: certificate, then the chain that is sent */
	char *key;  /* PEM; opened by signer only */
	char *successor_name;
	unsigned successor; /* index into certificates; its own when there is none */
	char *switch_text;
	when switch_at;     /* WHEN_NONE: when the register shows the successor's serial */
};

struct conf_listen {
	char *address; /* as written: 0.0.0.0:8443, [::]:8443 */
	char *certificate_name;
	unsigned certificate; /* index into certificates */
};

struct conf_participant {
	struct guid guid;
	char *eik;
	char *name;
	char *certificate_name;
	unsigned certificate;
};

enum signature_policy { SIGN_AUTO, SIGN_SHA1, SIGN_SHA256 };

struct conf_peer {
	struct guid guid;
	enum signature_policy signature;
	bool tls_name_mismatch; /* tolerated: the serial must equal the register's instead */
	bool tls_legacy;        /* cipher security level 0 and TLS 1.0 towards this peer */
	bool expect_continue;   /* unused towards peers that choke on it */
	bool bridge;            /* may sign for others with its own certificate (section 10, AS4) */
};

struct conf {
	/* general */
	char *state_directory;
	char *control_socket;
	/* Started as root, roles run as <prefix>-<role>, or all as <prefix> when those are missing; empty:
	 * they stay root. */
	char *user_prefix;
	enum language language;
	enum log_level log_level;
	enum log_format log_format;
	unsigned codecs; /* 0 = one per core */
	char *metrics_listen; /* address:port, NULL or "" = off */
	bool metrics_remote;  /* metrics_listen need not be a loopback address */
	/* trust */
	char *ca_file;
	char *crl_file; /* may be NULL */
	char *crl_url;  /* http; may be NULL */
	char *ocsp_url; /* http; may be NULL */
	uint64_t revocation_interval; /* seconds */
	bool accept_sha1;
	enum signature_policy signature;
	bool certificate_name_check; /* refuse instead of warn when CN is not the registered host */
	bool tls_client_binding;     /* TLS client certificate must equal the signing certificate */
	/* network */
	char *hosts_file;  /* hosts(5) consulted before DNS; may be NULL */
	char *tls_ciphers; /* OpenSSL list for TLS 1.2; may be NULL */
	/* register */
	char *register_url;
	uint64_t register_interval;      /* seconds between increments */
	uint64_t register_full_interval; /* seconds between full lists */
	uint64_t register_lookup_interval; /* seconds between look-ups of one unknown sender */
	unsigned register_shrink_percent;
	unsigned register_shrink_count;
	/* updates of a box */
	char *update_url;     /* http or https; may be NULL */
	char *update_ca_file; /* PEM; may be NULL */
	/* limits */
	uint64_t message_max;      /* bytes of one SOAP body */
	uint64_t connections_max;
	uint64_t connections_per_address;
	uint64_t header_timeout;   /* seconds for request line and headers */
	uint64_t body_timeout;     /* seconds without a byte of the body */
	uint64_t body_rate;        /* bytes/s below which a long transfer is cut */
	uint64_t idle_timeout;     /* seconds of keep-alive */
	uint64_t memory_in_flight; /* bytes of buffered bodies before reading stops */
	uint64_t disk_reserve;     /* bytes of free disk below which nothing new is accepted */
	bool durable;              /* sync the disk before answering; no: for measurements only */
	/* evidence */
	char *timestamp_url;         /* RFC 3161, http; may be NULL */
	char *timestamp_ca_file;     /* PEM; needed with the URL */
	uint64_t timestamp_interval; /* seconds */
	unsigned retention_days;     /* 0 = nothing is archived */
	char *archive_directory;     /* name of a folder below <state>/store */
	/* sending */
	uint64_t retry_first;    /* seconds to the first retry; each next interval doubles */
	unsigned retry_count;
	uint64_t poll_first;     /* seconds of silence before the first status request */
	uint64_t poll_interval;
	uint64_t expire_after;   /* seconds until a document without an end is expired */
	uint64_t hold_interval;  /* seconds between looks at a held (TemporarilyInactive) recipient */
	uint64_t send_timeout;   /* seconds without progress */
	unsigned peer_connections;
	unsigned send_window;    /* deliveries under way at once, all peers */
	unsigned breaker_failures;
	uint64_t breaker_pause;  /* seconds before the probe; doubles up to one hour */
	/* sections */
	struct conf_certificate *certificates;
	unsigned certificate_count;
	struct conf_listen *listens;
	unsigned listen_count;
	struct conf_participant *participants;
	unsigned participant_count;
	struct conf_peer *peers;
	unsigned peer_count;
};

/* conf_schema.h says what each does. */
extern const struct conf_schema conf_schema;
struct conf *conf_parse(const char *file_name, const char *text, size_t len, char *errors,
                        size_t errors_size);
struct conf *conf_load(const char *path, char *errors, size_t errors_size);
void conf_free(struct conf *);
void conf_reload(struct conf *running, struct conf *fresh, struct buf *kept);

/* The section of this GUID; NULL when there is none. */
/* The certificate that stands for this one when those in switched (a bit by index) have given way to
 * their successors. */
unsigned conf_certificate_now(const struct conf *, unsigned certificate, uint64_t switched);
const struct conf_participant *conf_participant(const struct conf *, const struct guid *);
const struct conf_peer *conf_peer(const struct conf *, const struct guid *); /* NULL: defaults hold */

#endif
