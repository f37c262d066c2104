#include "process/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/pack.h"
#include "process/role.h"

#define TEXT_INLINE_MAX (16 << 10)
#define TEXT_FILE_MAX (32 << 20)
#define PACK_ROOM (16 << 10) /* nearly every frame; what is larger grows */

LAYOUT(wire_conf, STRING(wire_conf, file_name), BELOW(wire_conf, workers, ROLE_INDEX_MAX + 1));
LAYOUT(wire_peer, BELOW(wire_peer, role, ROLE_MAX), BELOW(wire_peer, index, ROLE_INDEX_MAX));
LAYOUT(wire_reloaded, BOOL(wire_reloaded, ok), STRING(wire_reloaded, text));
LAYOUT(wire_trust, NUMBER(wire_trust, switched));
LAYOUT(wire_tls_sign, NUMBER(wire_tls_sign, certificate), STRING(wire_tls_sign, digest),
    BOOL(wire_tls_sign, pss), BYTES(wire_tls_sign, tbs));

static const struct layout *const layouts[WIRE_BASE_COUNT] = {
	[WIRE_CONF] = &wire_conf_layout,
	[WIRE_PEER] = &wire_peer_layout,
	[WIRE_RELOADED] = &wire_reloaded_layout,
	[WIRE_TRUST] = &wire_trust_layout,
	[WIRE_TLS_SIGN] = &wire_tls_sign_layout,
};

const struct layout *
wire_layout(unsigned type)
{
	if (type < WIRE_BASE_COUNT)
		return layouts[type];
	return type >= WIRE_OWN && type - WIRE_OWN < wire_own.count ? wire_own.layouts[type - WIRE_OWN]
	                                                            : NULL;
}

bool
wire_pack(struct buf *out, unsigned type, const void *message)
{
	const struct layout *l = wire_layout(type);

	return l && layout_pack(out, l, message);
}

bool
wire_unpack(const struct ipc_frame *f, unsigned type, void *message)
{
	const struct layout *l = wire_layout(type);

	return l && f->type == type && layout_unpack(f->payload, f->len, l, message);
}

static void
close_all(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

bool
wire_send(struct ipc *ipc, unsigned type, uint64_t id, const void *message, const int *fds,
    unsigned nfds)
{
	struct buf b = {.max = IPC_PAYLOAD_MAX};
	bool ok = ipc && buf_room(&b, PACK_ROOM) && wire_pack(&b, type, message);

	if (ok)
		ok = ipc_send(ipc, (uint16_t)type, id, b.data, b.len, fds, nfds);
	else
		close_all(fds, nfds);
	buf_free(&b);
	return ok;
}

int
wire_memfd(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const uint8_t *p = data, *end = p + len;

	while (fd >= 0 && p < end) {
		ssize_t n = write(fd, p, (size_t)(end - p));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		p += n;
	}
	if (fd >= 0 && (p < end || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* JSON frames begin with one byte that says where the text is. */
#define TEXT_INLINE 'i'
#define TEXT_IN_FD 'f'

static bool
send_json_fd(struct ipc *ipc, unsigned type, uint64_t id, const char *text, size_t len,
    const int *fds, unsigned nfds)
{
	int all[IPC_FRAME_FDS];
	int fd = nfds < IPC_FRAME_FDS && len <= TEXT_FILE_MAX ? wire_memfd("json", text, len) : -1;

	if (fd < 0) {
		close_all(fds, nfds);
		return false;
	}
	if (nfds)
		memcpy(all, fds, nfds * sizeof *fds);
	all[nfds] = fd;
	return ipc_send(ipc, (uint16_t)type, id, (char[]){TEXT_IN_FD}, 1, all, nfds + 1);
}

bool
wire_send_json(struct ipc *ipc, unsigned type, uint64_t id, const struct json_t *json,
    const int *fds, unsigned nfds)
{
	struct buf b = {.max = TEXT_INLINE_MAX + 1};
	char *text = ipc && json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (!text) {
		close_all(fds, nfds);
		return false;
	}
	size_t len = strlen(text);
	bool ok;
	if (len > TEXT_INLINE_MAX) {
		ok = send_json_fd(ipc, type, id, text, len, fds, nfds);
	} else if (buf_addc(&b, TEXT_INLINE) && buf_add(&b, text, len)) {
		ok = ipc_send(ipc, (uint16_t)type, id, b.data, b.len, fds, nfds);
	} else {
		close_all(fds, nfds);
		ok = false;
	}
	free(text);
	buf_free(&b);
	return ok;
}

static json_t *
read_json_fd(int fd)
{
	struct stat st;
	char *text = NULL;
	json_t *json = NULL;

	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= TEXT_FILE_MAX)
		text = malloc((size_t)st.st_size);
	if (text && pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		json = json_loadb(text, (size_t)st.st_size, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	return json;
}

json_t *
wire_get_json(struct ipc_frame *f)
{
	if (f->len > 1 && f->payload[0] == TEXT_INLINE)
		return json_loadb((const char *)f->payload + 1, f->len - 1, JSON_REJECT_DUPLICATES, NULL);
	if (f->len != 1 || f->payload[0] != TEXT_IN_FD || f->nfds == 0)
		return NULL;
	int fd = ipc_take_fd(f, f->nfds - 1);
	f->nfds--;
	json_t *json = read_json_fd(fd);
	close(fd);
	return json;
}
