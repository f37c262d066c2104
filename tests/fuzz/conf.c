/* The configuration: whatever the text, it is taken or refused with words. */
#include "fuzz.h"

#include <string.h>

#include "lib/conf.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guid nobody;
	char errors[700] = "";
	char *text = malloc(size + 1);

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = 0;
	struct conf *c = conf_parse("fuzz.conf", text, size, errors, sizeof errors);
	HOLDS(c || *errors);
	HOLDS(strnlen(errors, sizeof errors) < sizeof errors);
	if (c) {
		HOLDS(c->state_directory && c->control_socket);
		for (unsigned i = 0; i < c->listen_count; i++)
			HOLDS(c->listens[i].certificate < c->certificate_count);
		for (unsigned i = 0; i < c->participant_count; i++)
			HOLDS(conf_participant(c, &c->participants[i].guid));
		conf_participant(c, &nobody);
		conf_peer(c, &nobody);
	}
	conf_free(c);
	free(text);
	return 0;
}
