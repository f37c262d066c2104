#include "message/message.h"

#include <string.h>

static const char *const type_names[MESSAGE_TYPE_COUNT] = {
	[MESSAGE_REGISTRATION_REQUEST] = "MSG_DocumentRegistrationRequest",
	[MESSAGE_STATUS_REQUEST] = "MSG_DocumentStatusRequest",
	[MESSAGE_STATUS_RESPONSE] = "MSG_DocumentStatusResponse",
	[MESSAGE_ERROR] = "MSG_Error",
};

static const char *const status_names[STATUS_COUNT] = {
	[STATUS_WAIT_REGISTRATION] = "DS_WAIT_REGISTRATION",
	[STATUS_REGISTERED] = "DS_REGISTERED",
	[STATUS_STOPPED] = "DS_STOPPED",
	[STATUS_CLOSED] = "DS_CLOSED",
	[STATUS_NOT_FOUND] = "DS_NOT_FOUND",
	[STATUS_ALREADY_RECEIVED] = "DS_ALREADY_RECEIVED",
	[STATUS_REJECTED] = "DS_REJECTED",
};

/* The index of text in names, or 0, which every table leaves for "none of them". */
static unsigned
find_name(const char *const *names, unsigned count, const char *text, size_t len)
{
	for (unsigned i = 1; i < count; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return i;
	}
	return 0;
}

const char *
message_type_name(enum message_type t)
{
	return t > MESSAGE_NONE && t < MESSAGE_TYPE_COUNT ? type_names[t] : "";
}

enum message_type
message_type_parse(const char *text, size_t len)
{
	return (enum message_type)find_name(type_names, MESSAGE_TYPE_COUNT, text, len);
}

const char *
document_status_name(enum document_status s)
{
	return s > STATUS_UNKNOWN && s < STATUS_COUNT ? status_names[s] : "";
}

enum document_status
document_status_parse(const char *text, size_t len)
{
	return (enum document_status)find_name(status_names, STATUS_COUNT, text, len);
}

void
message_reset(struct message *m)
{
	struct arena keep = m->arena;

	arena_reset(&keep);
	*m = (struct message){.arena = keep};
}

void
message_free(struct message *m)
{
	arena_free(&m->arena);
	*m = (struct message){.type = MESSAGE_NONE};
}
