/* obmenctl(1), obmen-authority(1): what people and scripts say to the node, or to the authority. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/log.h"
#include "obmenctl/ctl.h"

/* English only when the environment says so; otherwise Bulgarian. */
static enum language
environment_language(void)
{
	static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return strncmp(value, "en", 2) == 0 ? LANGUAGE_EN : LANGUAGE_BG;
	}
	return LANGUAGE_BG;
}

/* Lines are cut for a terminal, or when COLUMNS asks for it; what goes to a file is whole. */
static unsigned
output_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w;

	if (columns && atoi(columns) > 0)
		return (unsigned)atoi(columns);
	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

/* --manual or --codes, with =bg or =en: for the build of the manual pages. */
static bool
write_manual(const char *argument)
{
	static const struct {
		const char *name;
		void (*write)(FILE *, enum language);
	} parts[] = {{"--manual", help_manual}, {"--codes", help_codes}};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t len = strlen(parts[i].name);
		if (strncmp(argument, parts[i].name, len) != 0 ||
		    (argument[len] && argument[len] != '='))
			continue;
		parts[i].write(stdout,
			       strcmp(argument + len, "=bg") == 0 ? LANGUAGE_BG : LANGUAGE_EN);
		return true;
	}
	return false;
}

static enum exit_status
run(struct ctl *ctl, struct command *c)
{
	enum exit_status status;

	if (c->verb->run)
		return c->verb->run(ctl, c);
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);
	if (!answer)
		return status;
	if (ctl->json)
		print_json(ctl, answer);
	else
		c->verb->render(ctl, answer);
	json_decref(answer);
	return status;
}

int
main(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");
	struct ctl ctl = {.language = environment_language(), .socket = cli.socket,
	    .width = output_width(), .out = stdout, .err = stderr,
	    .bold = isatty(STDOUT_FILENO) && !(no_color && *no_color)};
	struct command c;
	enum exit_status status = EXIT_USAGE;

	log_init(cli.name, -1, LOG_WARNING);
	if (argc == 2 && write_manual(argv[1]))
		return EXIT_DONE;
	if (argc < 2) {
		help_all(&ctl, stderr);
		return EXIT_USAGE;
	}
	if (command_parse(&ctl, argc, argv, &c)) {
		status = EXIT_DONE;
		if (c.help && c.verb)
			help_verb(&ctl, c.verb, stdout);
		else if (c.help)
			help_all(&ctl, stdout);
		else
			status = run(&ctl, &c);
	}
	command_free(&c);
	if (fflush(stdout) != 0 && status == EXIT_DONE)
		status = EXIT_REFUSED;
	return (int)status;
}
