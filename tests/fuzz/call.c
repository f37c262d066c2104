/*
 * What anybody with a transport certificate may send to the authority's register. What was understood
 * must be one of the operations, with an argument where it takes one.
 */
#include "fuzz.h"

#include <string.h>

#include "lib/log.h"
#include "soap/register_answer.h"

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
	struct register_call c;
	struct buf b = {0};
	char detail[64] = "";
	enum fault f = register_call_read(&c, data, size, detail);

	if (f) {
		HOLDS(f < FAULT_COUNT);
		HOLDS(register_answer_fault(&b, "Client", detail));
		buf_free(&b);
		return 0;
	}
	HOLDS(c.operation < REGISTER_OPERATION_COUNT);
	HOLDS(memchr(c.argument, 0, sizeof c.argument));
	HOLDS((c.operation == REGISTER_ALL) == (*c.argument == 0));
	return 0;
}
