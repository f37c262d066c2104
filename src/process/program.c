#include "process/program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/parent.h"
#include "process/role.h"

const char *
program_role_name(const struct program *p, unsigned role)
{
	if (role == ROLE_PARENT)
		return "parent";
	return role < p->role_count && p->roles[role] ? p->roles[role]->name : "?";
}

unsigned
program_role_by_name(const struct program *p, const char *name)
{
	unsigned id = 0;

	while (id < p->role_count && strcmp(program_role_name(p, id), name) != 0)
		id++;
	return id;
}

unsigned
program_instances(const struct program *p, unsigned role, unsigned workers)
{
	if (role >= p->role_count || !p->roles[role])
		return 0;
	return p->roles[role]->many ? workers : 1;
}

bool
edge_joins(const struct edge *e, unsigned a_index, unsigned b_index)
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

enum long_option { OPTION_ROLE = 256, OPTION_INDEX, OPTION_SAMPLE, OPTION_MANUAL };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'}, {"sample", optional_argument, NULL, OPTION_SAMPLE},
    {"manual", optional_argument, NULL, OPTION_MANUAL},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"index", required_argument, NULL, OPTION_INDEX}, {NULL, 0, NULL, 0}};

static int
usage(const struct program *p, FILE *f, int status)
{
	fputs(p->usage, f);
	return status;
}

static int
check(const struct program *p, const char *path)
{
	char errors[8192];
	void *c = conf_load_by(p->conf, path, errors, sizeof errors);

	if (!c) {
		fputs(errors, stderr);
		return 1;
	}
	conf_free_by(p->conf, c);
	return 0;
}

static int
run_role(const struct program *p, const char *name, unsigned long index)
{
	unsigned id = program_role_by_name(p, name);

	if (id >= p->role_count || !p->roles[id] || index >= ROLE_INDEX_MAX) {
		fprintf(stderr, "%s: --role and --index are for %s itself\n", p->name, p->name);
		return 2;
	}
	/* Nothing is left to flush, and a sanitizer's search for leaks cannot look around from
	 * inside the sandbox. */
	_exit(role_run(p, p->roles[id], (unsigned)index));
}

static enum language
language_of(const char *argument)
{
	return argument && strcmp(argument, "en") == 0 ? LANGUAGE_EN : LANGUAGE_BG;
}

int
program_main(const struct program *p, int argc, char **argv)
{
	const char *path = p->default_conf, *role = NULL;
	unsigned long index = 0;
	bool only_check = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:nh", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			only_check = true;
			break;
		case 'h':
			return usage(p, stdout, 0);
		case OPTION_ROLE:
			role = optarg;
			break;
		case OPTION_INDEX:
			index = strtoul(optarg, NULL, 10);
			break;
		case OPTION_SAMPLE:
			conf_sample_by(p->conf, stdout, language_of(optarg));
			return 0;
		case OPTION_MANUAL:
			conf_manual_by(p->conf, stdout, language_of(optarg));
			return 0;
		default:
			return usage(p, stderr, 2);
		}
	}
	if (optind < argc)
		return usage(p, stderr, 2);
	if (role)
		return run_role(p, role, index);
	return only_check ? check(p, path) : parent_run(p, path);
}
