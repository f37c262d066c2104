/*
 * Writes the seeds that only our own code can make: messages between roles, as one datagram each, and
 * snapshots of the register.
 * usage: fuzz_seeds FOLDER   (makes files in FOLDER/wire and FOLDER/snapshot)
 */
#include "../unit/register_synthetic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ipc_frame.h"
#include "obmend/wire.h"

static void
save(const char *folder, const char *kind, unsigned n, const void *data, size_t len)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, kind);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		exit(1);
	snprintf(path, sizeof path, "%s/%s/seed-%u", folder, kind, n);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void
save_frame(const char *folder, unsigned n, uint16_t type, const struct buf *payload)
{
	struct frame_header h = {.len = (uint32_t)payload->len, .type = type, .id = n};
	struct buf b = {.max = 1 << 20};

	if (!buf_add(&b, &h, sizeof h) || !buf_add(&b, payload->data, payload->len))
		exit(1);
	save(folder, "wire", n, b.data, b.len);
	buf_free(&b);
}

static void
pack(const char *folder, unsigned n, enum wire_type type, const void *message)
{
	struct buf payload = {.max = IPC_PAYLOAD_MAX};

	if (wire_pack(&payload, type, message))
		save_frame(folder, n, (uint16_t)type, &payload);
	buf_free(&payload);
}

static void
wire_seeds(const char *folder)
{
	static const union {
		struct wire_receive receive;
		uint8_t room[4096];
	} nothing;
	static const uint8_t bytes[] = "<Envelope/>";
	struct wire_document_id id = {.number = "РД-15", .date = "2026-11-20", .guid_text = "{A}"};
	struct wire_body body = {.data = {bytes, sizeof bytes}, .size = sizeof bytes};
	struct wire_receive r = {.message_type = 1, .sender_name = "Община", .sender_eik = "990000024",
	    .document = id, .kind = "Писмо", .about = "Относно", .details = {bytes, sizeof bytes},
	    .body = body, .has_answer = true, .answer = {bytes, sizeof bytes},
	    .proof = {.peer_address = "127.0.0.1:1", .method = 2, .certificate = {bytes, 8}}};
	struct wire_answered a = {.detail = "ред 1", .status = {.status = 2, .id = id, .reason = "x"},
	    .http_status = 200, .body = body};
	struct wire_compose c = {.details = {bytes, sizeof bytes}, .document = id};
	struct buf json = {.max = 1 << 16};
	unsigned n = 0;

	for (enum wire_type t = 0; t < WIRE_TYPE_COUNT; t++)
		pack(folder, n++, t, &nothing);
	pack(folder, n++, WIRE_RECEIVE, &r);
	pack(folder, n++, WIRE_ANSWERED, &a);
	pack(folder, n++, WIRE_COMPOSE, &c);
	if (!buf_adds(&json, "i{\"verb\":\"document.list\",\"limit\":5,\"direction\":\"in\"}"))
		exit(1);
	save_frame(folder, n++, WIRE_QUERY, &json);
	buf_free(&json);
}

static void
snapshot_seeds(const char *folder)
{
	static const unsigned counts[] = {0, 1, 2, 7, 40};

	for (unsigned n = 0; n < sizeof counts / sizeof *counts; n++) {
		struct snapshot_builder *b = snapshot_builder_new();
		struct synthetic s;
		struct stat st;
		for (unsigned i = 0; i < counts[n]; i++) {
			synthetic_make(i, &s);
			if (!snapshot_builder_add(b, &s.p))
				exit(1);
		}
		int fd = snapshot_builder_finish(b, 1, 2, 3, SNAPSHOT_FULL);
		if (fd < 0 || fstat(fd, &st) < 0)
			exit(1);
		uint8_t *data = malloc((size_t)st.st_size);
		if (!data || pread(fd, data, (size_t)st.st_size, 0) != st.st_size)
			exit(1);
		save(folder, "snapshot", n, data, (size_t)st.st_size);
		free(data);
		close(fd);
		snapshot_builder_free(b);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: fuzz_seeds FOLDER\n", stderr);
		return 2;
	}
	wire_seeds(argv[1]);
	snapshot_seeds(argv[1]);
	return 0;
}
