/* obmend(8): the node. Started by people it becomes parent; parent starts it again for every role.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/log.h"
#include "obmend/parent.h"
#include "obmend/role.h"

#define DEFAULT_CONF "/etc/obmen/obmen.conf"

static const struct role *const roles[ROLE_COUNT] = {
    [ROLE_FRONT] = &role_front, [ROLE_CODEC] = &role_codec, [ROLE_SIGNER] = &role_signer,
    [ROLE_STORE] = &role_store, [ROLE_COURIER] = &role_courier, [ROLE_DIRECTORY] = &role_directory,
    [ROLE_CONTROL] = &role_control};

enum long_option { OPTION_ROLE = 256, OPTION_INDEX, OPTION_SAMPLE, OPTION_MANUAL };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'n'},
    {"help", no_argument, NULL, 'h'}, {"sample", optional_argument, NULL, OPTION_SAMPLE},
    {"manual", optional_argument, NULL, OPTION_MANUAL},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"index", required_argument, NULL, OPTION_INDEX}, {NULL, 0, NULL, 0}};

static int
usage(FILE *f, int status)
{
	fputs(
	    "obmend -c " DEFAULT_CONF "        пуска възела / runs the node\n"
	    "obmend -n -c " DEFAULT_CONF "     проверява настройките / checks the configuration\n"
	    "obmend --sample[=bg|en]                  примерни настройки / a sample configuration\n"
	    "obmend --manual[=bg|en]                  списък на настройките / the list of options, "
	    "mdoc\n",
	    f);
	return status;
}

static int
check(const char *path)
{
	char errors[8192];
	struct conf *c = conf_load(path, errors, sizeof errors);

	if (!c) {
		fputs(errors, stderr);
		return 1;
	}
	conf_free(c);
	return 0;
}

static int
run_role(const char *name, unsigned long index)
{
	enum role_id id = role_by_name(name);

	if (id >= ROLE_COUNT || !roles[id] || index >= ROLE_INDEX_MAX) {
		fputs("obmend: --role and --index are for obmend itself\n", stderr);
		return 2;
	}
	/* Nothing is left to flush, and a sanitizer's search for leaks cannot look around from
	 * inside the sandbox. */
	_exit(role_run(roles[id], (unsigned)index));
}

static enum language
language_of(const char *argument)
{
	return argument && strcmp(argument, "en") == 0 ? LANGUAGE_EN : LANGUAGE_BG;
}

int
main(int argc, char **argv)
{
	const char *path = DEFAULT_CONF, *role = NULL;
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
			return usage(stdout, 0);
		case OPTION_ROLE:
			role = optarg;
			break;
		case OPTION_INDEX:
			index = strtoul(optarg, NULL, 10);
			break;
		case OPTION_SAMPLE:
			conf_write_sample(stdout, language_of(optarg));
			return 0;
		case OPTION_MANUAL:
			conf_write_manual(stdout, language_of(optarg));
			return 0;
		default:
			return usage(stderr, 2);
		}
	}
	if (optind < argc)
		return usage(stderr, 2);
	if (role)
		return run_role(role, index);
	return only_check ? check(path) : parent_run(path);
}
