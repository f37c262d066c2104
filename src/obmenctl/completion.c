/* completion: a script for bash or zsh, from the same table as everything else. */
#include <string.h>

#include "obmenctl/ctl.h"

static void
write_options(FILE *f, const struct option_row *o)
{
	for (; o->name; o++)
		fprintf(f, " --%s", o->name);
}

/* Each first word once, in the order of the table. */
static bool
first_of_its_name(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(verb_rows[i].words[0], verb_rows[n].words[0]) == 0)
			return false;
	}
	return true;
}

static void
write_second_words(FILE *f, const char *first)
{
	fprintf(f, "\t\"%s \")\twords=\"", first);
	for (size_t i = 0; i < verb_row_count; i++) {
		if (strcmp(verb_rows[i].words[0], first) == 0)
			fprintf(f, "%s ", verb_rows[i].words[1]);
	}
	fputs("\" ;;\n", f);
}

static void
write_cases(FILE *f)
{
	fputs("\t\" \")\twords=\"", f);
	for (size_t i = 0; i < verb_row_count; i++) {
		if (first_of_its_name(i))
			fprintf(f, "%s ", verb_rows[i].words[0]);
	}
	fputs("\" ;;\n", f);
	for (size_t i = 0; i < verb_row_count; i++) {
		if (first_of_its_name(i) && verb_rows[i].words[1])
			write_second_words(f, verb_rows[i].words[0]);
	}
	for (size_t i = 0; i < verb_row_count; i++) {
		const struct verb_row *v = &verb_rows[i];
		fprintf(f, "\t\"%s %s\"%s)\twords=\"", v->words[0], v->words[1] ? v->words[1] : "",
		    v->words[1] ? "" : "*");
		write_options(f, v->options);
		fputs("\" ;;\n", f);
	}
}

static void
write_script(FILE *f)
{
	fputs("_obmenctl()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} first= second= skip= words= i\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tif [ -n \"$skip\" ]; then skip=; continue; fi\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t-s | --socket | --lang) skip=1 ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*)\tif [ -z \"$first\" ]; then first=${COMP_WORDS[i]}\n"
	      "\t\t\telif [ -z \"$second\" ]; then second=${COMP_WORDS[i]}; fi ;;\n"
	      "\t\tesac\n\tdone\n"
	      "\tcase \"$first $second\" in\n", f);
	write_cases(f);
	fputs("\tesac\n\tCOMPREPLY=($(compgen -W \"$words", f);
	write_options(f, global_options);
	fputs("\" -- \"$cur\"))\n}\ncomplete -o default -F _obmenctl obmenctl\n", f);
}

enum exit_status
run_completion(struct ctl *ctl, struct command *c)
{
	const char *shell = command_local(c, "shell");
	bool zsh = strcmp(shell, "zsh") == 0;

	if (!zsh && strcmp(shell, "bash") != 0) {
		print_fault(ctl, FAULT_USAGE, SAY(ctl, "bash или zsh", "bash or zsh"));
		return EXIT_USAGE;
	}
	if (zsh)
		fputs("#compdef obmenctl\nautoload -U +X bashcompinit && bashcompinit\n", ctl->out);
	write_script(ctl->out);
	return EXIT_DONE;
}
