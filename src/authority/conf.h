/*
 * The configuration of the authority: obmen-authority.conf. The table of options in conf.c gives the
 * parser's checks, the sample file and the manual page, by the same reader as obmen.conf
 * (lib/conf_schema.h).
 *
 *	state-directory = /var/lib/obmen-authority
 *	[listen 0.0.0.0:443]         tls
 */
#ifndef OBMEN_AUTHORITY_CONF_H
#define OBMEN_AUTHORITY_CONF_H

#include "lib/conf.h"

struct authority_listen {
	char *address; /* as written: 0.0.0.0:443, [::]:443 */
	bool tls;      /* mutual TLS; otherwise plain HTTP for what carries its own proof */
};

enum ca_kind { CA_PRODUCTION, CA_TEST };

struct authority_conf {
	/* general */
	char *state_directory;
	char *control_socket;
	char *user_prefix;
	enum language language;
	enum log_level log_level;
	enum log_format log_format;
	unsigned desks; /* 0 = one per core */
	/* who it is */
	char *name[2];    /* by enum language */
	char *address[2];
	char *email;
	char *domain;     /* suffix of canonical names */
	bool test;        /* pages say that this is a test environment */
	/* TLS */
	char *tls_file;   /* PEM: certificate, then the chain that is sent */
	char *tls_key;
	char *clients_file; /* PEM: who issues the certificates of participants and officers */
	char *tls_ciphers;
	/* limits */
	uint64_t connections_max;
	uint64_t connections_per_address;
	uint64_t request_max;      /* bytes of a body */
	uint64_t memory_in_flight; /* bytes of bodies under way, all connections */
	uint64_t header_timeout;
	uint64_t body_timeout;
	uint64_t body_rate;
	uint64_t idle_timeout;
	/* the transport CA */
	char *ca_file;    /* PEM: the CA's certificate, then its chain; empty: certificates come from outside */
	char *ca_key;     /* PEM, or a pkcs11: URI */
	char *ca_pin_file; /* of a token */
	enum ca_kind ca_kind;
	unsigned certificate_days;
	bool certificate_san;
	char *certificate_country;
	char *certificate_policy; /* object identifier */
	char *certificate_cps;
	char *crl_url;            /* as certificates name them */
	char *ocsp_url;
	uint64_t crl_interval;    /* seconds between lists */
	uint64_t crl_validity;    /* seconds that a list holds */
	unsigned renewal_days;    /* before the end, from when a successor may be asked for */
	bool two_person;          /* two CA operators approve each certificate */
	bool reference_approves;  /* a first request by reference and secret needs no officer any more */
	/* sections */
	struct authority_listen *listens;
	unsigned listen_count;
};

extern const struct conf_schema authority_conf_schema;

#endif
