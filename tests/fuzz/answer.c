/* What a peer answers: the SOAP response with a message, nothing, or a fault inside. */
#include "fuzz.h"

#include <string.h>

#include "lib/log.h"
#include "message/reader.h"
#include "soap/envelope.h"

static struct envelope *envelope;
static struct reader *reader;
static struct message message;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_init("fuzz", -1, LOG_ERROR + 1);
	envelope = envelope_new();
	reader = reader_new(&reader_default_limits);
	HOLDS(envelope && reader);
	return 0;
}

static enum fault
take(void *arg, const void *data, size_t len)
{
	return reader_feed(arg, data, len);
}

static enum fault
read_all(const uint8_t *data, size_t size, size_t piece, enum envelope_content *content)
{
	HOLDS(reader_begin(reader, &message, DIGEST_SHA256, NULL, NULL));
	HOLDS(envelope_begin(envelope, ENVELOPE_RESPONSE, take, reader));
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		enum fault f = envelope_feed(envelope, data + at, n);
		if (f != FAULT_NONE)
			return f;
	}
	return envelope_end(envelope, content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum envelope_content whole = 0, pieces = 0;
	bool a = read_all(data, size, size + 1, &whole) == FAULT_NONE;

	if (a && whole == ENVELOPE_MESSAGE)
		reader_end(reader);
	if (a && whole == ENVELOPE_FAULT)
		HOLDS(strnlen(envelope_fault_text(envelope), 1025) <= 1024);
	bool b = read_all(data, size, 1 + size % 5, &pieces) == FAULT_NONE;
	HOLDS(a == b && (!a || whole == pieces));
	return 0;
}
