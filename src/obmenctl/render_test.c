/* participant test: each step of the way, then the one that failed, why, and whose trouble it is. */
#include <string.h>

#include "obmenctl/ctl.h"

struct pair {
	const char *name, *text[2];
};

static const struct pair steps[] = {
    {"register", {"вписване в регистъра", "entry in the register"}},
    {"own", {"нашият сертификат", "our certificate"}},
    {"address", {"вписаният адрес", "registered address"}},
    {"name", {"име", "name"}},
    {"route", {"път", "route"}},
    {"tcp", {"TCP връзка", "TCP connection"}},
    {"tls", {"TLS договаряне", "TLS handshake"}},
    {"chain", {"сертификат: издател", "certificate: issuer"}},
    {"certificate-name", {"сертификат: име", "certificate: name"}},
    {"validity", {"сертификат: срок", "certificate: validity"}},
    {"revocation", {"сертификат: отмяна", "certificate: revocation"}},
    {"serial", {"сертификат: номер", "certificate: serial"}},
    {"submit", {"Submit: заявка за състояние", "Submit: a status request"}},
};

static const struct pair results[] = {
    {"passed", {"добре", "fine"}},
    {"warning", {"внимание", "warning"}},
    {"failed", {"НЕ МИНАВА", "FAILED"}},
};

static const struct pair owners[] = {
    {"us", {"нас: администратора на този възел", "us: the administrator of this node"}},
    {"peer", {"участника", "the participant"}},
    {"network", {"мрежата: оператора на връзката", "the network: who runs the link"}},
    {"authority", {"регистъра", "the authority's register"}},
};

static const char *
word(const struct ctl *ctl, const struct pair *pairs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].text[ctl->language];
	}
	return name;
}

#define WORD(ctl, pairs, name) word(ctl, pairs, sizeof(pairs) / sizeof *(pairs), name)

static void
say_step(struct ctl *ctl, struct table *t, const json_t *s)
{
	char ms[32] = "", at[64];

	if (json_object_get(s, "ms"))
		snprintf(ms, sizeof ms, SAY(ctl, "%lld мс", "%lld ms"), number_of(s, "ms"));
	table_cell(t, WORD(ctl, steps, text_of(s, "step")));
	table_cell(t, WORD(ctl, results, text_of(s, "result")));
	table_cell(t, ms);
	const char *found = *text_of(s, "found") ? text_of(s, "found") : text_of(s, "detail");
	table_cell(t, strcmp(text_of(s, "step"), "validity") == 0 ? say_moment(ctl, found, at) : found);
}

/* What a step that is not fine means, and who has to do what. */
static void
say_trouble(struct ctl *ctl, const json_t *s)
{
	struct fault_text f = fault_text(fault_by_code(text_of(s, "fault")), ctl->language);
	const char *detail = text_of(s, "detail");
	char text[1200];

	fputc('\n', ctl->out);
	snprintf(text, sizeof text, "%s: %s%s%s%s. %s %s [%s]", WORD(ctl, steps, text_of(s, "step")), f.what,
	    *detail ? " (" : "", detail, *detail ? ")" : "", f.means, f.todo, f.code);
	say_sentences(ctl, ctl->out, text);
	fprintf(ctl->out, "%s: %s\n", say(ctl, "Въпрос за", "A matter for"),
	    WORD(ctl, owners, text_of(s, "owner")));
}

static void
render(struct ctl *ctl, const json_t *answer)
{
	const json_t *p = json_object_get(answer, "participant");
	struct table *t = table_new(ctl);
	char text[512];
	size_t i;
	json_t *s;

	snprintf(text, sizeof text, "%s  %s", *text_of(p, "name") ? text_of(p, "name") : text_of(p, "guid"),
	    text_of(p, "uri"));
	say_title(ctl, text);
	for (int c = 0; c < 4; c++)
		table_column(t, "", c == 3);
	json_array_foreach (json_object_get(answer, "steps"), i, s)
		say_step(ctl, t, s);
	table_print(t, 2);
	json_array_foreach (json_object_get(answer, "steps"), i, s) {
		if (strcmp(text_of(s, "result"), "passed") != 0)
			say_trouble(ctl, s);
	}
	if (json_is_true(json_object_get(answer, "passed")))
		fprintf(ctl->out, "\n%s\n",
		    say(ctl, "Пътят до участника работи.", "The way to the participant works."));
}

enum exit_status
run_participant_test(struct ctl *ctl, struct command *c)
{
	enum exit_status status;
	json_t *answer = ask_command(ctl, c, NULL, 0, NULL, &status);

	if (!answer)
		return status;
	if (ctl->json)
		print_json(ctl, answer);
	else
		render(ctl, answer);
	status = json_is_true(json_object_get(answer, "passed")) ? EXIT_DONE : EXIT_REFUSED;
	json_decref(answer);
	return status;
}
